#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_private_peers.sh - peers with private addresses: with private_peers = "exempt" no zone is
# asked about them, and neither zone nor country blocks them; the local lists count

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

# meets ADDRESS OUTCOME WHAT
meets() {
	same "$3" "$2" "$(in_clients "$BUILD/tests/syn_client" -t 1500 "$MX4,$MX6" 25 "$1" | cut -f2)"
}

# asked ADDRESS: questions about this IPv4 address
asked() {
	grep -c "^$(awk -F. '{ print $4 "\\." $3 "\\." $2 "\\." $1 }' <<<"$1")\\." "$TESTBED/queries"
}

exempt() {
	meets 10.21.1.1 connected "10/8: no bogon list blocks it"
	meets 10.21.1.2 connected "10/8: nor does a country"
	meets 100.64.1.1 connected "100.64/10: the same"
	meets fd00:21::25 connected "fc00::/7: the same"
	meets 203.0.113.11 refused "the same list blocks others"
	meets 10.21.1.3 timeout "a local list blocks it"
	same "no zone is asked about it" 0 "$(asked 10.21.1.1)"
	same "nor about IPv6" 0 "$(grep -c '0\.0\.d\.f\.' "$TESTBED/queries")"
	check "zones are asked about others" test "$(asked 203.0.113.11)" -gt 0
	same "lookup says why" private "$(lookup 10.21.1.1 .reason)"
	same "in words" "passes: it is private, and private_peers is exempt" \
		"$(lookup 10.21.1.1 .explanation)"
	same "of one that never came, too" "passes: it is private, and private_peers is exempt" \
		"$(lookup 10.21.1.9 .explanation)"
	same "no zone is asked for a lookup" 0 "$(asked 10.21.1.9)"
}

judged() {
	ctl set private_peers judge >/dev/null
	meets 10.21.1.1 refused "judge: the list blocks it at once"
	check "judge: zones are asked about it" test "$(asked 10.21.1.1)" -gt 0
	meets 10.21.1.2 timeout "judge: a country blocks it"
	ctl set private_peers exempt >/dev/null
	meets 10.21.1.1 connected "exempt again: its verdict is removed"
	meets 10.21.1.2 connected "exempt again: the country's, too"
}

# A verdict that a zone made under "judge" is no verdict for an agent that starts with "exempt".
restarted() {
	ctl set private_peers judge >/dev/null
	meets 10.21.1.1 refused "before the restart"
	repgate_stop || not_ok "repgated stops" "status $?"
	repgate_start
	meets 10.21.1.1 connected "exempt after a restart: its verdict does not count"
}

testbed_up
testbed_senders 100.64.0.0/16
testbed_senders fd00:21::/64
"$BUILD/tests/mmdb_make" >"$TESTBED/country.mmdb" <<<"10.21.1.2/32 NL"
printf '%s 127.0.0.32\n' 10.21.1.1 10.21.1.9 100.64.1.1 203.0.113.11 fd00:21::25 | ers_zone qil
ers_zone standard </dev/null
zones_start
delay_start 1
sink_start
unset 'CONF[private_peers]' # the default
CONF[country_database]="\"$TESTBED/country.mmdb\""
CONF[keep_on_stop]=true
repgate_config
printf '%s\n' NL 10.21.1.3 | local_list blocked own
repgate_start
exempt
judged
restarted
finish
