# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# checks.sh - the results of a test, and waiting for a condition

TESTBED_PASSED=0
TESTBED_FAILED=0

# ok WHAT
ok() {
	TESTBED_PASSED=$((TESTBED_PASSED + 1))
	printf 'ok - %s\n' "$1"
}

# not_ok WHAT [WHY]
not_ok() {
	TESTBED_FAILED=$((TESTBED_FAILED + 1))
	printf 'not ok - %s\n' "$1"
	[ -z "${2:-}" ] || printf '    %s\n' "${2//$'\n'/$'\n    '}"
}

# check WHAT COMMAND...: passes if the command does; shows its output if not.
# The command runs in a subshell: what it assigns is lost.
check() {
	local what=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	if [ "$status" -eq 0 ]; then
		ok "$what"
	else
		not_ok "$what" "status $status of: $*${output:+$'\n'$output}"
	fi
}

# same WHAT EXPECTED ACTUAL
same() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "expected: $2"$'\n'"but got:  $3"
	fi
}

# finish: the last line of a test.
finish() {
	printf '%d passed, %d failed\n' "$TESTBED_PASSED" "$TESTBED_FAILED"
	[ "$TESTBED_FAILED" -eq 0 ] && [ "$TESTBED_PASSED" -gt 0 ] && exit 0
	exit 1
}

# skip WHY: the test can't run here, which is neither success nor failure.
skip() {
	printf 'skipped: %s\n' "$1"
	exit 77
}

# wait_for SECONDS COMMAND...: repeats the command until it succeeds. Fails when
# the time is over (SECONDS times TESTBED_SLOW, for an emulated machine). A test
# waits with this function only, never with a fixed sleep.
wait_for() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000 * ${TESTBED_SLOW:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# must WHAT COMMAND...: gives up, with the logs, if the command fails.
must() {
	local what=$1
	shift
	"$@" && return
	echo "testbed: $what" >&2
	exit 1
}
