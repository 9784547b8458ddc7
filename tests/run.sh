#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh - runs test programs of tests/ or $BUILD/tests/ in the order given
#
#	run.sh LOGDIR PROGRAM...
#
# Prints the results of each program (TAP: "ok ...", "not ok ..."), and last "N passed, N failed". A program
# that fails without a "not ok" counts as one failure. A program that is skipped exits with 77 and says why.
#
#	TEST_TIMEOUT	seconds after which a program is ended (300)
set -u

logs=$1
shift
mkdir -p "$logs"
passed=0 failed=0 skipped=0
failures=()
# cmocka prints TAP to standard output, as the scripts do.
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1

for program in "$@"; do
	name=${program##*tests/}
	name=${name%.sh}
	log=$logs/$name.log
	mkdir -p "$(dirname "$log")"
	begun=$(date +%s)
	printf '\n== %s\n' "$name"
	# A program that hangs must not stop the run.
	timeout --kill-after=10 "${TEST_TIMEOUT:-300}" "$program" >"$log" 2>&1 </dev/null
	status=$?
	grep -E '^(ok|not ok|skipped:)' "$log"
	# cmocka says "not ok" for a skipped test too, with "# SKIP".
	ok=$(grep -c '^ok' "$log")
	bad=$(grep '^not ok' "$log" | grep -vc '# SKIP')
	if [ "$status" -eq 77 ]; then
		skipped=$((skipped + 1))
	elif [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		printf 'not ok - %s ended with status %d\n' "$name" "$status"
		bad=1
	elif [ "$ok" -eq 0 ] && [ "$bad" -eq 0 ]; then
		printf 'not ok - %s checked nothing\n' "$name"
		bad=1
	fi
	if [ "$bad" -gt 0 ]; then
		printf '%s\n' "--- the end of $log" "$(tail -n 40 "$log")" '---'
		failures+=("$name")
	fi
	passed=$((passed + ok))
	failed=$((failed + bad))
	printf '   %s: %d passed, %d failed, %ds\n' "$name" "$ok" "$bad" $(($(date +%s) - begun))
done

echo
[ ${#failures[@]} -eq 0 ] || printf 'Failures in: %s\n' "${failures[*]}"
[ "$skipped" -eq 0 ] || printf 'Skipped: %d programs\n' "$skipped"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
