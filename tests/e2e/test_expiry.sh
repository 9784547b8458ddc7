#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_expiry.sh - the kernel ends a verdict, whether the agent lives or not
#
# A QIL listing ends at its TTL with the agent stopped, and the peer gets
# through; what has not expired is still enforced; who is unknown passes. Then
# the agent goes on, and sweeps. The maps are read by bpftool on the way.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

STANDARD=203.0.113.11
QIL=203.0.113.32
QIL6=2001:db8:21:32::25
SHORT=203.0.113.33 # its TTL is below qil_ttl_min
LONG=203.0.113.34  # above qil_ttl_max
BLOCKED=203.0.113.66
APPROVED=203.0.113.50

# met ADDRESS [MS]: what it meets: connected, refused or timeout
met() {
	in_clients "$BUILD/tests/syn_client" -t "${2:-700}" "$MX4,$MX6" 25 "$1" |
		cut -f 2
}

is_met() {
	[ "$(met "$1")" = "$2" ]
}

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# freed_after ADDRESS: seconds, in tenths, from now until it gets through
freed_after() {
	local begun
	begun=$(now_ms)
	wait_for 15 is_met "$1" connected || { echo never && return; }
	echo $((($(now_ms) - begun) / 100))
}

between() {
	[[ $1 =~ ^[0-9]+$ ]] && [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

dump_map() {
	in_mail bpftool map dump pinned "$REPGATE_PINS/$1"
}

verdict_count() {
	dump_map verdicts | grep -c '"peer_class":' || true
}

swept() {
	[ "$(verdict_count)" -eq "$1" ]
}

start() {
	ers_zone standard 3600 <<-END
	$STANDARD 127.1.0.1
	END
	ers_zone qil 4 2 <<-END
	$QIL   127.0.0.32
	$SHORT 127.0.0.32 1
	$LONG  127.0.0.32 86400
	2001:db8:21:32::/64 127.0.0.32
	END
	zones_start
	sink_start
	CONF[heartbeat_timeout]='"2s"'
	CONF[clean_ttl_min]='"1s"'
	CONF[ers]="{
	activation_code_file = \"$TESTBED/repgate/activation-code\";
	standard_action = \"drop\"; qil_action = \"reset\";
	qil_ttl_min = \"2s\"; qil_ttl_max = \"9s\";
}"
	repgate_config
	local_list approved a <<<"$APPROVED"
	local_list blocked b <<<"$BLOCKED"
	repgate_start
}

# A TTL is what the zone says, within the bounds of the configuration.
bounds() {
	local left
	same "a QIL peer is reset" refused "$(met "$SHORT")"
	left=$(lookup "$SHORT" .expires_in)
	check "a TTL of 1 s is lifted to qil_ttl_min ($left s left)" \
		jq -en "$left > 1 and $left <= 2"
	same "a QIL peer with a long TTL is reset" refused "$(met "$LONG")"
	left=$(lookup "$LONG" .expires_in)
	check "a TTL of a day is cut to qil_ttl_max ($left s left)" \
		jq -en "$left > 8 and $left <= 9"
}

names_in_maps() {
	local text
	text=$(dump_map verdicts
		in_mail bpftool map lookup pinned "$REPGATE_PINS/verdict_details" key 0 0 0 0)
	for name in RG_CLASS_STANDARD RG_ACTION_DROP RG_CLASS_QIL \
		RG_ACTION_RESET RG_REASON_ZONE; do
		check "bpftool shows $name" grep -q "\"$name\"" <<<"$text"
	done
	text=$(dump_map lists_now)
	for name in RG_CLASS_APPROVED RG_CLASS_BLOCKED; do
		check "bpftool shows $name" grep -q "\"$name\"" <<<"$text"
	done
	text=$(dump_map peers)
	check "bpftool shows RG_PEER_CLEAN" grep -q '"RG_PEER_CLEAN"' <<<"$text"
}

stopped_agent() {
	local begun tenths hits
	same "a Standard peer is dropped" timeout "$(met "$STANDARD" 300)"
	same "a clean peer connects" connected "$(met 203.0.113.1)"
	begun=$(now_ms)
	same "a QIL peer is reset" refused "$(met "$QIL")"
	same "a QIL peer is reset, IPv6" refused "$(met "$QIL6")"
	names_in_maps
	kill -STOP "${TESTBED_PID[repgated]}"
	same "with the agent stopped it still is" refused "$(met "$QIL")"

	tenths=$(freed_after "$QIL")
	# From its first SYN, not from now; each try adds up to 0.1 s.
	tenths=$((($(now_ms) - begun) / 100))
	check "its verdict ends after 4 s +- 1 s: $tenths tenths" \
		between "$tenths" 30 50
	tenths=$(freed_after "$QIL6")
	tenths=$((($(now_ms) - begun) / 100))
	check "the same with IPv6: $tenths tenths" between "$tenths" 30 55

	same "a Standard verdict is enforced by the kernel alone" timeout \
		"$(met "$STANDARD" 300)"
	same "a blocked address, too" timeout "$(met "$BLOCKED" 300)"
	same "an approved address passes" connected "$(met "$APPROVED")"
	same "an unknown peer passes when the agent is silent" connected \
		"$(met 203.0.113.2)"
	same "so does a listed one that nobody can ask about" connected \
		"$(met 198.51.100.1)"
	in_mail "$TOP/maps/inspect.sh" "$REPGATE_PINS" >"$TESTBED/inspected"
	hits=$(awk -v peer="$STANDARD" '$1 == "standard" && $3 == peer &&
		/ zone ers-standard 127.1.0.1$/ { print $(NF - 3) }' "$TESTBED/inspected")
	check "the kernel counts hits alone, inspect.sh shows them ($hits)" between "$hits" 2 99
}

resumed_agent() {
	local count
	kill -CONT "${TESTBED_PID[repgated]}"
	check "the agent goes on" wait_for 5 ctl --json status
	check "expired entries are swept" wait_for 15 swept 1
	same "the unexpired one is still there" standard \
		"$(lookup "$STANDARD" .class)"
	check "unknown peers are judged again" wait_for 5 is_met "$QIL" refused
	count=$(ctl --json stats | jq .losses.agent_silent)
	check "peers that passed unjudged were counted ($count)" \
		between "$count" 2 99
	check "expired entries were counted" \
		jq -e '.verdicts.expired >= 4' <<<"$(ctl --json stats)"
}

main() {
	testbed_up
	start
	bounds
	stopped_agent
	resumed_agent
	repgate_stop || not_ok "repgated stops" "status $?"
}

main
finish
