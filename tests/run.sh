#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh - runs test programs of tests/ or $BUILD/tests/
#
#	run.sh LOGDIR PROGRAM...
#
# Prints the results of each program (TAP: "ok ...", "not ok ...") when it ends, then the slowest programs,
# and last "N passed, N failed". A program that fails without a "not ok" counts as one failure. A program
# that is skipped exits with 77 and says why.
#
#	TEST_JOBS	so many programs run at the same time, in the order given (1)
#	TEST_ALONE	names, as "e2e/test_hold": nothing runs beside these; they come last
#	TEST_TIMEOUT	seconds after which a program is ended (300)
set -u
export LC_ALL=C

logs=$1
shift
mkdir -p "$logs"
jobs=${TEST_JOBS:-1}
read -ra alone <<<"${TEST_ALONE:-}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'stop_all INT' INT
trap 'stop_all TERM' TERM
# cmocka prints TAP to standard output, as the scripts do.
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1

# Programs run in the background, where the terminal's signals do not reach them.
stop_all() {
	local running
	trap - "$1"
	running=$(jobs -p)
	# shellcheck disable=SC2086 # a word for each
	[ -z "$running" ] || kill $running 2>/dev/null
	wait
	rm -rf "$work"
	kill "-$1" $$
}

name_of() {
	local name=${1##*tests/}
	echo "${name%.sh}"
}

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# run_program PROGRAM LOG: its exit status. A program that hangs must not stop the run.
run_program() {
	local child
	env --default-signal=INT,QUIT timeout --kill-after=10 "${TEST_TIMEOUT:-300}" "$1" \
		>"$2" 2>&1 </dev/null &
	child=$!
	trap 'kill $child; wait $child; exit 143' TERM
	wait $child
}

# show NAME LOG STATUS MS: prints the results; adds a line to $work/results: "MS NAME PASSED FAILED SKIPPED".
show() {
	local name=$1 log=$2 status=$3 ok bad skipped=0
	# cmocka says "not ok" for a skipped test too, with "# SKIP".
	ok=$(grep -c '^ok' "$log")
	bad=$(grep '^not ok' "$log" | grep -vc '# SKIP')
	printf '\n== %s\n' "$name"
	grep -E '^(ok|not ok|skipped:)' "$log"
	if [ "$status" -eq 77 ]; then
		skipped=1
	elif [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		printf 'not ok - %s ended with status %d\n' "$name" "$status"
		bad=1
	elif [ "$ok" -eq 0 ] && [ "$bad" -eq 0 ]; then
		printf 'not ok - %s checked nothing\n' "$name"
		bad=1
	fi
	if [ "$bad" -gt 0 ]; then
		printf '%s\n' "--- the end of $log" "$(tail -n 40 "$log")" '---'
	fi
	printf '   %s: %d passed, %d failed, %ds\n' "$name" "$ok" "$bad" $((($4 + 500) / 1000))
	echo "$4 $name $ok $bad $skipped" >>"$work/results"
}

# test_one PROGRAM: runs it, then prints everything about it in one piece
test_one() {
	local name log begun status=0
	name=$(name_of "$1")
	log=$logs/$name.log
	mkdir -p "$(dirname "$log")"
	begun=$(now_ms)
	run_program "$1" "$log" || status=$?
	trap - TERM
	{
		flock 9
		show "$name" "$log" "$status" $(($(now_ms) - begun))
	} 9>>"$work/printing"
}

# test_all JOBS PROGRAM...
test_all() {
	local most=$1 running=0 program
	shift
	for program in "$@"; do
		if [ "$running" -ge "$most" ]; then
			wait -n
			running=$((running - 1))
		fi
		test_one "$program" &
		running=$((running + 1))
	done
	wait
}

is_alone() {
	local name
	for name in "${alone[@]}"; do
		[ "$name" != "$1" ] || return 0
	done
	return 1
}

# summary: what $work/results has; fails if a test did, or if there was none
summary() {
	if [ "$(wc -l <"$work/results")" -gt 10 ]; then
		printf '\nThe slowest:\n'
		sort -rn "$work/results" | awk 'NR <= 10 { printf "%5.0f s  %s\n", $1 / 1000, $2 }'
	fi
	awk '
		{ passed += $3; failed += $4; skipped += $5 }
		$4 { failures = failures " " $2 }
		END {
			print ""
			if (failures) print "Failures in:" failures
			if (skipped) printf "Skipped: %d programs\n", skipped
			printf "%d passed, %d failed\n", passed, failed
			exit failed || !passed
		}' "$work/results"
}

touch "$work/results"
together=() last=()
for program in "$@"; do
	if is_alone "$(name_of "$program")"; then
		last+=("$program")
	else
		together+=("$program")
	fi
done
test_all "$jobs" "${together[@]}"
test_all 1 "${last[@]}"
summary
