#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_evidence.sh - status says what the filter has not seen
#
# Connections that come by a second interface, by a redirected port or out of a
# tunnel pass the filter by. The kernel sees each of them: repgate says by which
# interface they come, as a line, as JSON, as a metric and once in the log. And a
# released SYN that a firewall drops is no success.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

LISTED=203.0.113.32
SIDE=192.0.4.25

# connect DESTINATION PORT SOURCE...: connections, one after the other
connect() {
	local to=$1 port=$2 from
	shift 2
	for from; do
		in_clients "$BUILD/tests/syn_client" -t 700 "$to" "$port" "$from" | cut -f 2
	done
}

# path INTERFACE FIELD: what status says; null: nothing
path() {
	ctl --json status | jq -r "[.paths[] | select(.interface == \"$1\")][0].$2"
}

path_is() {
	[ "$(path "$1" "$2")" = "$3" ]
}

goes_past() {
	[ "$(path "$1" unseen_since)" != null ]
}

metric() {
	scrape | tr -d '\r' | sed -n "s/^repgate_$1{interface=\"$2\"} //p"
}

warnings() {
	grep -c "interface $1: connections arrive that the filter has not seen" "$TESTBED/repgated.log" || true
}

# warned INTERFACE SENTENCE
warned() {
	check "$1: a path past the filter is noticed" wait_for 5 goes_past "$1"
	check "$1: status has a line" grep -q "^path $1: .* GO PAST THE FILTER since .*: $2" <(ctl_lines status)
	same "$1: one warning" 1 "$(warnings "$1")"
	check "$1: it says what to do" grep -q "interface $1: .*: $2" "$TESTBED/repgated.log"
}

filtered() {
	same "clean peers connect" "connected connected" \
		"$(connect "$MX4" 25 198.51.100.{1,2} | paste -sd' ')"
	same "and by IPv6" connected "$(connect "$MX6" 25 2001:db8:21:1::1)"
	same "a listed one hears the responder" connected "$(connect "$MX4" 25 $LISTED)"
	check "mx0: they are counted" wait_for 3 path_is mx0 lookups 4
	same "mx0: the filter has seen them all" "0 null true" \
		"$(path mx0 unseen) $(path mx0 unseen_since) $(path mx0 filtered)"
	check "status has a line" grep -q '^path mx0: 4 connections, 0 of them not seen by the filter$' \
		<(ctl_lines status)
	same "the metrics have it" "4 0" "$(metric path_lookups_total mx0) $(metric path_unseen_total mx0)"
	in_mail "$BUILD/tests/syn_client" -t 700 127.0.0.1 25 127.0.0.1 >/dev/null
	same "lo is left out" null "$(path lo lookups)"
	same "no warning" 0 "$(warnings mx0)"
}

monitored() {
	ctl monitor on >/dev/null
	same "monitor mode: unknown peers connect" "connected connected connected connected" \
		"$(connect "$MX4" 25 198.51.100.{11..14} | paste -sd' ')"
	check "monitor mode: they are counted" wait_for 3 path_is mx0 lookups 8
	same "monitor mode: the filter has seen them" 0 "$(path mx0 unseen)"
	ctl monitor off >/dev/null
}

second_interface() {
	ip link add mx1 netns mail type veth peer name cl1 netns clients
	testbed_link in_mail mx1 $SIDE/24 2001:db8:4::25/64
	testbed_link in_clients cl1 192.0.4.1/24 2001:db8:4::1/64
	must "no new interface" wait_for 5 in_mail ip link show mx1
	must "a new interface is not noticed" wait_for 15 path_is_known mx1
	same "a listed peer connects there" connected "$(connect $SIDE 25 192.0.4.1)"
	warned mx1 "the filter is not on this interface"
	same "mx1: not one was seen" "$(path mx1 lookups)" "$(path mx1 unseen)"
	connect $SIDE 25 192.0.4.1 192.0.4.1 >/dev/null
	check "mx1: more of them" wait_for 3 path_is mx1 unseen 3
	same "mx1: and no second warning" 1 "$(warnings mx1)"
	same "the metrics have it" "$(path mx1 unseen)" "$(metric path_unseen_total mx1)"
	same "mx0 is not suspected" null "$(path mx0 unseen_since)"
}

path_is_known() {
	in_mail bpftool -j map dump pinned "$REPGATE_PINS/paths" | jq -e \
		"[.[].formatted.key] | index($(in_mail ip -j link show "$1" | jq '.[0].ifindex'))"
}

redirected() {
	in_mail nft -f - <<-END
	table ip away {
		chain pre {
			type nat hook prerouting priority dstnat;
			tcp dport 2525 redirect to :25
		}
	}
	END
	same "a redirected port leads to the mail server" "connected connected connected" \
		"$(connect "$MX4" 2525 198.51.100.{21..23} | paste -sd' ')"
	check "mx0: three were not seen" wait_for 3 path_is mx0 unseen 3
	warned mx0 "a rule redirects another port to a filtered one"
	in_mail nft delete table ip away
}

# A tunnel that ends at the mail host: its frames come by mx0, within UDP.
tunnelled() {
	in_mail ip link add vx0 type vxlan id 7 local "$MX4" remote "$CLIENTS4" dstport 4789 2>/dev/null ||
		return 0
	in_clients ip link add vx0 type vxlan id 7 local "$CLIENTS4" remote "$MX4" dstport 4789
	testbed_link in_mail vx0 192.0.5.25/24 2001:db8:5::25/64
	testbed_link in_clients vx0 192.0.5.1/24 2001:db8:5::1/64
	must "a new interface is not noticed" wait_for 15 path_is_known vx0
	same "a tunnel leads to the mail server" connected "$(connect 192.0.5.25 25 192.0.5.1)"
	warned vx0 "the filter is not on this interface"
}

unseen() {
	ctl --json stats | jq .losses.release_unseen
}

released() {
	same "nothing released is missing" 0 "$(unseen)"
	in_mail nft -f - <<-END
	table ip firewall {
		chain input {
			type filter hook input priority filter;
			ip saddr 198.51.100.40/29 tcp dport 25 drop
		}
	}
	END
	same "a firewall drops a SYN that was held" timeout "$(connect "$MX4" 25 198.51.100.41)"
	check "it was released" test "$(ctl --json stats | jq .inquiries.released)" -ge 1
	check "and counted as not seen" wait_for 5 unseen_is 1
	same "others are seen" connected "$(connect "$MX4" 25 198.51.100.51)"
	check "no more of them" unseen_stays 1
	in_mail nft delete table ip firewall
}

unseen_is() {
	[ "$(unseen)" = "$1" ]
}

unseen_stays() {
	! wait_for 4 unseen_is $(($1 + 1))
}

testbed_up
printf '%s 127.0.0.32\n192.0.4.1 127.0.0.32\n' "$LISTED" | ers_zone qil
ers_zone standard </dev/null
zones_start
sink_start
CONF[ers]="{ activation_code_file = \"$TESTBED/repgate/activation-code\"; qil_action = \"tempfail\"; }"
for mode in native generic; do
	CONF[xdp_mode]="\"$mode\""
	repgate_config
	repgate_start
	released
	repgate_stop
	rm -rf "$TESTBED/repgate/state"
done
repgate_config
repgate_start
filtered
monitored
second_interface
tunnelled
redirected
repgate_stop
finish
