#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# coverage.sh - which lines of userspace/ the tests run
#
#	BUILD=.build/coverage coverage.sh TEST...
#
# TEST: the unit and packet tests of a build that gcov instruments (`make coverage`). They run first, then
# the end-to-end tests with the instrumented agent. A process writes its counters when it exits; one that
# a test kills by SIGKILL, or runs as another user than root, adds nothing. A line counts as run if any
# program ran it. Prints a row for each file and the total. Fails if a bound is missed; a test that
# fails is reported, but it is for `make check` to judge it.
#
#	COVERAGE_E2E	0: leave the end-to-end tests out, and only print (1)
#	COVERAGE_TOTAL	least per cent of all lines (90)
#	COVERAGE_NAMED	least per cent of the lines of each file in NAMED (85)
#	TEST_JOBS, TEST_ALONE	see run.sh
set -uo pipefail
export LC_ALL=C

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export BUILD=${BUILD:-.build/coverage}
least_total=${COVERAGE_TOTAL:-90}
least_named=${COVERAGE_NAMED:-85}

# The files that decide, as patterns. A pattern that matches no file fails.
NAMED='
userspace/config/live.c
userspace/control/*.c
userspace/dnsbl/zone_health.c
userspace/judge/*.c
userspace/kernel/attach.c
userspace/kernel/dispatcher.c
userspace/kernel/held_frame.c
userspace/kernel/settings.c
userspace/kernel/steering.c
userspace/store/verdict_file.c
'
# Without test_memory, which builds an agent of its own with ASan.
mapfile -t e2e < <(compgen -G 'tests/e2e/test_*.sh' | grep -v /test_memory)

# The lines of userspace/ that one program was compiled from: FILE LINE COUNT.
# gcov finds the counters (.gcda) beside the notes (.gcno); without counters each line has 0.
lines() {
	find "$BUILD" -name '*.gcno' -print0 |
		xargs -0 -n 20 gcov --json-format --stdout 2>/dev/null |
		jq -r '.files[] | (.file | ltrimstr("./")) as $file | select($file | startswith("userspace/")) |
			.lines[] | "\($file) \(.line_number) \(.count)"'
}

# table: reads lines, prints FILE LINES RUN PER_CENT for each file, and last the total.
table() {
	awk '{
			line = $1 ":" $2
			if (!(line in count))
				lines[$1]++
			else if (count[line])
				next
			count[line] = $3 > 0
			run[$1] += $3 > 0
		}
		END {
			for (file in lines) {
				all += lines[file]
				all_run += run[file]
				printf "%s %d %d %.1f\n", file, lines[file], run[file], 100 * run[file] / lines[file]
			}
			if (all)
				printf "~total %d %d %.1f\n", all, all_run, 100 * all_run / all
		}' | sort | sed 's/^~//'
}

# named_files: those that NAMED matches, one a line; "PATTERN matches no file" on stderr.
named_files() {
	local pattern
	for pattern in $NAMED; do
		compgen -G "$pattern" || echo "$pattern matches no file" >&2
	done
}

# bounds TABLE: prints each bound that is missed.
bounds() {
	{ named_files 2>&1 >&3 | sed 's/^/not ok - /'; } 3>"$BUILD/named"
	awk -v total="$least_total" -v named="$least_named" '
		FILENAME != ARGV[2] { is_named[$1]; next }
		$1 in is_named && $4 < named { printf "not ok - %s: %s %%, at least %s %%\n", $1, $4, named }
		$1 == "total" { seen = 1 }
		$1 == "total" && $4 < total { printf "not ok - total: %s %%, at least %s %%\n", $4, total }
		END { if (!seen) print "not ok - no counters were found" }' "$BUILD/named" "$1"
}

find "$BUILD" -name '*.gcda' -delete
programs=("$@")
[ "${COVERAGE_E2E:-1}" = 0 ] || programs+=("${e2e[@]}")
# The instrumented agent is slower than the tests expect.
TESTBED_SLOW=${TESTBED_SLOW:-2} TEST_TIMEOUT=600 tests/run.sh "$BUILD/logs" "${programs[@]}" >"$BUILD/tests.log" ||
	printf 'Some tests failed, see %s: %s\n' "$BUILD/tests.log" "$(tail -n 1 "$BUILD/tests.log")"
lines | table >"$BUILD/table"
awk '{ printf "%-44s %6d lines %6d run %6.1f %%\n", $1, $2, $3, $4 }' "$BUILD/table"
[ "${COVERAGE_E2E:-1}" != 0 ] || exit 0
missed=$(bounds "$BUILD/table")
[ -z "$missed" ] || {
	printf '%s\n' "$missed"
	exit 1
}
printf 'ok - at least %d %% of all lines, and %d %% of each named file\n' "$least_total" "$least_named"
