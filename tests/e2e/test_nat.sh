#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_nat.sh - destination NAT, policy routing: how many refused peers get past the responder
#
# The mail server is in another namespace, behind a rule of nftables or a routing rule. Of listed
# peers with reject, 8 connections at most reach it, whether they come one after
# the other or all at once; so if the rule comes while the responder works.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

MOST=8

in_container() {
	nsenter --net=/run/netns/container "$@"
}

# A counter of what reaches the container: SYNs to port 25.
container() {
	ip netns add container
	ip link add ct0 address 02:00:00:00:00:31 netns mail type veth \
		peer name eth0 address 02:00:00:00:00:32 netns container
	testbed_link in_mail ct0 192.0.3.1/24 2001:db8:3::1/64
	testbed_link in_container eth0 192.0.3.2/24 2001:db8:3::2/64
	in_mail ip neigh add 192.0.3.2 lladdr 02:00:00:00:00:32 dev ct0 nud permanent
	in_container ip addr add "$MX4/32" dev lo
	testbed_sysctl in_container net.ipv4.conf.all.rp_filter=0
	in_mail ip neigh add 2001:db8:3::2 lladdr 02:00:00:00:00:32 dev ct0 nud permanent
	in_container ip neigh add 192.0.3.1 lladdr 02:00:00:00:00:31 dev eth0 nud permanent
	in_container ip neigh add 2001:db8:3::1 lladdr 02:00:00:00:00:31 dev eth0 nud permanent
	in_container ip route add default via 192.0.3.1
	in_container ip -6 route add default via 2001:db8:3::1
	testbed_sysctl in_mail net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	in_container nft -f - <<-END
	table inet count {
		chain input {
			type filter hook input priority filter;
			tcp dport 25 tcp flags & (syn | ack) == syn counter
		}
	}
	END
	spawn inside nsenter --net=/run/netns/container smtp-sink -u nobody inet:0.0.0.0:25 1024
	spawn inside6 nsenter --net=/run/netns/container smtp-sink -u nobody 'inet:[::]:25' 1024
}

# How many SYNs reached the container so far.
reached() {
	in_container nft -j list chain inet count input |
		jq '[.nftables[].rule? | select(.) | .expr[] | .counter? | select(.) | .packets] | add'
}

nat_on() {
	in_mail nft -f - <<-END
	table inet docker {
		chain pre {
			type nat hook prerouting priority dstnat;
			ip daddr $MX4 tcp dport 25 dnat ip to 192.0.3.2
			ip6 daddr $MX6 tcp dport 25 dnat ip6 to 2001:db8:3::2
		}
	}
	END
}

nat_off() {
	in_mail nft delete table inet docker
}

# Connection tracking has the SYNs in another zone than the one in which the agent asks about them.
zone_on() {
	in_mail nft -f - <<-END
	table inet zones {
		chain pre {
			type filter hook prerouting priority raw;
			tcp dport 25 ct zone set 5
		}
	}
	END
}

zone_off() {
	in_mail nft delete table inet zones
}

# SYNs for this host's own address are routed to the container, which has it, too: a rule before the table local.
routing_on() {
	in_mail ip route replace default via 192.0.3.2 table 100
	in_mail ip rule add pref 10 iif mx0 to "$MX4" ipproto tcp dport 25 lookup 100
	in_mail ip rule add pref 32765 lookup local
	in_mail ip rule del pref 0
}

routing_off() {
	in_mail ip rule add pref 0 lookup local
	in_mail ip rule del pref 32765
	in_mail ip rule del pref 10
}

# senders NETWORK COUNT: addresses of listed peers
senders() {
	local i
	for ((i = 1; i <= $2; i++)); do printf "$1\n" "$i"; done
}

# outcomes DESTINATION SOURCE...: how many met what
outcomes() {
	in_clients "$BUILD/tests/syn_client" -t 400 "$1" 25 "${@:2}" | cut -f 2 | sort | uniq -c |
		awk '{ printf "%s%s %s", n++ ? ", " : "", $1, $2 }'
}

loss() {
	ctl --json stats | jq ".losses.$1"
}

# at_most BEFORE WHAT
at_most() {
	local got
	got=$(($(reached) - $1))
	check "$2: at most $MOST reach the container: $got" [ "$got" -le $MOST ]
	check "$2: there is a way there" [ "$got" -gt 0 ]
}

# one DESTINATION FORMAT WHAT: 20 one after the other, then 250 at once
bound() {
	local before source all
	before=$(reached)
	while read -r source; do outcomes "$1" "$source" >/dev/null; done < <(senders "$2" 20)
	at_most "$before" "$3, 20 one after the other"
	mapfile -t all < <(senders "$2" 250)
	outcomes "$1" "${all[@]}" >"$TESTBED/outcomes"
	at_most "$before" "$3, and 250 at once: $(<"$TESTBED/outcomes")"
	check "$3: the others are counted" [ "$(loss unconfirmed)" -ge 200 ]
}

is_bounded() {
	[ "$(in_mail bpftool -j map dump pinned "$REPGATE_PINS/settings" | jq '.[0].formatted.value.bounded')" = 1 ]
}

is_unbounded() {
	! is_bounded
}

state_is() {
	[ "$(ctl --json status | jq -r .steering.state)" = "$1" ]
}

testbed_up
container
ers_zone standard </dev/null
ers_zone qil </dev/null
zones_start
sink_start
CONF[blocked_action]='"reject"'
repgate_config
local_list blocked peers <<-END
	10.21.0.0/16
	2001:db8:21::/48
END
for mode in native generic; do
	CONF[xdp_mode]="\"$mode\""
	# The rule is there first.
	nat_on
	repgate_config
	repgate_start
	bound "$MX4" 10.21.4.%d "$mode, the rule is there first"
	check "$mode: it is in status" wait_for 5 state_is bypassed
	bound "$MX6" 2001:db8:21:4%03x::25 "$mode, IPv6"
	repgate_stop
	zone_on
	repgate_start
	bound "$MX4" 10.21.3.%d "$mode, in a zone of connection tracking"
	repgate_stop
	zone_off
	nat_off

	# The responder works; then the rule comes.
	repgate_start
	mapfile -t peers < <(senders 10.21.5.%d 50)
	same "$mode: without the rule all hear the responder" "50 connected" \
		"$(outcomes "$MX4" "${peers[@]}")"
	check "$mode: it works" state_is ready
	nat_on
	check "$mode: a rule that comes later is noticed" wait_for 2 is_bounded
	before=$(reached)
	mapfile -t peers < <(senders 10.21.6.%d 250)
	outcomes "$MX4" "${peers[@]}" >/dev/null
	at_most "$before" "$mode, the rule comes later, 250 at once"
	nat_off
	check "$mode: that the rule is gone, too" wait_for 2 is_unbounded
	check "$mode: without the rule it works again" wait_for 5 state_is ready
	same "$mode: at once" "20 connected" "$(outcomes "$MX4" "${peers[@]:0:20}")"

	# The same with a routing rule, which comes while the responder works.
	routing_on
	check "$mode: a routing rule that comes later is noticed" wait_for 2 is_bounded
	before=$(reached)
	mapfile -t peers < <(senders 10.21.7.%d 250)
	outcomes "$MX4" "${peers[@]}" >/dev/null
	at_most "$before" "$mode, a routing rule comes later, 250 at once"
	check "$mode: it is in status" wait_for 5 state_is bypassed
	repgate_stop
	repgate_start
	bound "$MX4" 10.21.8.%d "$mode, the routing rule is there first"
	routing_off
	check "$mode: that the routing rule is gone, too" wait_for 2 is_unbounded
	repgate_stop
done
finish
