#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_walks.sh - tests/e2e/test_walks.sh with eight million verdicts, or as many as the memory allows
#
# A verdict takes about 240 bytes of the kernel's memory, and 32 of the agent's and of fill_pins; half of the memory stays
# free. VERDICTS can be set.

available=$(awk '$1 == "MemAvailable:" { print $2 * 1024 }' /proc/meminfo)
most=$((available / 2 / 400))
[ "$most" -le 8000000 ] || most=8000000
export VERDICTS=${VERDICTS:-$most} TESTBED_SLOW=${TESTBED_SLOW:-6}
if [ "$VERDICTS" -lt 1000000 ]; then
	echo "skipped: not enough memory for a million verdicts"
	exit 77
fi
exec "$(dirname "$0")/../e2e/test_walks.sh" "$@"
