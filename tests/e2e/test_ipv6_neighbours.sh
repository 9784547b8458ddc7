#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_ipv6_neighbours.sh - what one IPv6 address may cost another, in native and generic mode
#
# - A SYN from ::1.2.3.4, whose /64 contains all of IPv4, is asked about once, not in a loop.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

# connect ADDRESS [OPTION...]: prints the outcome
connect() {
	in_clients "$BUILD/tests/syn_client" "${@:2}" -f <(echo "$1") "$MX4,$MX6" 25 | cut -f 2
}

queries() {
	wc -l <"$TESTBED/queries"
}

# agent XDP_MODE
agent() {
	CONF[xdp_mode]="\"$1\""
	repgate_config
	repgate_start
	same "$1: is in that mode" "$1" "$(ctl --json status | jq -r '.interfaces[0].mode')"
	: >"$TESTBED/queries"
}

# no_loop MODE: at most two SYNs are sent in this time, and each may be asked about in two zones.
no_loop() {
	connect ::1.2.3.4 -t 1500 >"$TESTBED/met"
	check "$1: one SYN from ::1.2.3.4 does not loop: $(queries) questions" \
		test "$(queries)" -ge 2 -a "$(queries)" -le 4
	same "$1: no other peer is affected" connected "$(connect 10.21.9.1)"
}

testbed_up
testbed_senders ::1.2.3.0/120
ers_zone standard </dev/null
ers_zone qil </dev/null
zones_start
delay_start 1
sink_start
for mode in native generic; do
	agent "$mode"
	no_loop "$mode"
	repgate_stop || not_ok "$mode: repgated stops" "status $?"
done
finish
