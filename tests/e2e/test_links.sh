#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_links.sh - links whose frames begin with an IP header
#
# The mail server is reached by tun, and by ipip, gre and sit where the kernel has
# them: IPv4 and IPv6 as far as the link carries them. A listed peer meets every
# action, an unknown one is held and released, and other traffic from networks
# whose octets look like an Ethernet type (8.0.0.0/16, 134.221.0.0/16) passes.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

LINK4=10.99.0
LINK6=2001:db8:99
LISTED=203.0.113.11
LISTED6=2001:db8:21:11::25
QIL=203.0.113.32

# met ADDRESS: outcome of a connection through the link
met() {
	in_clients "$BUILD/tests/syn_client" -t 1500 "$LINK4.25,$LINK6::25" 25 "$1" | cut -f 2
}

# up DEVICE: addresses and routes of the link, both ends of which have this name
up() {
	local at end=25
	for at in in_mail in_clients; do
		testbed_sysctl $at "net.ipv4.conf.$1.rp_filter=0"
		$at ip link set "$1" up
		$at ip addr add "$LINK4.$end/24" dev "$1"
		$at ip -6 addr add "$LINK6::$end/64" dev "$1" nodad 2>/dev/null || true
		end=1
	done
	for at in 10.21.0.0/16 198.51.100.0/24 203.0.113.0/24 8.0.0.0/16 134.221.0.0/16; do
		in_mail ip route replace "$at" dev "$1"
	done
	in_mail ip -6 route replace 2001:db8:21::/48 dev "$1" 2>/dev/null || true
}

# pings_from ADDRESS: an echo request gets its answer
pings_from() {
	in_clients perl -MSocket -e '
		my ($from, $to) = @ARGV;
		socket(my $raw, AF_INET, SOCK_RAW, 1) or die "socket: $!\n";
		bind($raw, pack_sockaddr_in(0, inet_aton($from))) or die "bind: $!\n";
		my $request = pack("CCnnn", 8, 0, ~(0x0800 + 0x1234 + 1) & 0xffff, 0x1234, 1);
		send($raw, $request, 0, pack_sockaddr_in(0, inet_aton($to))) or die "send: $!\n";
		alarm 2;
		do { recv($raw, $_, 200, 0) // die } until unpack("x20 C", $_) == 0;' "$1" "$LINK4.25"
}

tagged() {
	in_mail nft -j list counters | jq '[.nftables[].counter? | select(.) | .packets] | add'
}

# acts KIND ADDRESS: the listed peer at ADDRESS meets every action
acts() {
	local action outcome before
	for action in drop:timeout reset:refused reject:connected; do
		outcome=${action#*:} action=${action%:*}
		ctl set blocked_action "$action" >/dev/null
		same "$1: a listed peer meets $action ($2)" "$outcome" "$(met "$2")"
	done
	before=$(tagged)
	ctl set blocked_action tag >/dev/null
	same "$1: a tagged peer connects ($2)" connected "$(met "$2")"
	check "$1: its SYN has the tag ($2)" [ "$(tagged)" -gt "$before" ]
}

# tries KIND DEVICE 4|6|46
tries() {
	local kind=$1 address
	CONF[interfaces]="[ \"$2\" ]"
	CONF[xdp_mode]='"auto"'
	repgate_config 'tag_dscp = 8;'
	printf '%s\n' "$LISTED" "$LISTED6" | local_list blocked listed
	repgate_start
	same "$kind: status shows the kind of the link" ip \
		"$(ctl --json status | jq -r '.interfaces[0].link')"
	if [[ $3 == *4* ]]; then
		acts "$kind" "$LISTED"
		for address in 8.0.3.1 134.221.3.1; do
			check "$kind: ping from $address passes" pings_from "$address"
		done
		same "$kind: an unknown peer is held and released" connected "$(met "198.51.100.$4")"
		ctl set qil_action tempfail >/dev/null
		same "$kind: a peer on QIL is held and meets tempfail" connected "$(met $QIL)"
		same "$kind: and is known as such" qil "$(lookup $QIL .class)"
	fi
	if [[ $3 == *6* ]]; then
		acts "$kind, IPv6" "$LISTED6"
		same "$kind: IPv6 too" connected "$(met "2001:db8:21:10$4::25")"
	fi
	same "$kind: no SYN was lost" 0 "$(ctl --json stats | jq '.losses | .tag_failed + .reset_failed +
		.hold_copy + .bad_ipv4 + .bad_ipv6 + .bad_tcp')"
	same "$kind: none was late" 0 "$(ctl --json stats | jq '.agent.release_failed // 0')"
	repgate_stop
	rm -rf "$TESTBED/repgate/state"
}

testbed_up
for prefix in 8.0.0.0/16 134.221.0.0/16; do
	in_clients ip route add local "$prefix" dev lo
done
in_mail nft -f - <<'NFT'
table inet tags {
	counter four { }
	counter six { }
	chain input {
		type filter hook input priority 0;
		tcp flags & (syn | ack) == syn ip dscp 8 counter name four
		tcp flags & (syn | ack) == syn ip6 dscp 8 counter name six
	}
}
NFT
ers_zone standard <<<'203.0.113.12 127.1.0.1'
ers_zone qil <<<"$QIL 127.0.0.32"
zones_start
sink_start

spawn tun "$BUILD/tests/tun_pair" /run/netns/mail tun0 /run/netns/clients tun0
must "no tun devices" wait_for 5 in_clients ip link show tun0
up tun0
tries tun tun0 46 11
stop tun || true

number=12
for kind in ipip gre sit; do
	carries=4
	[ $kind != gre ] || carries=46
	[ $kind != sit ] || carries=6
	in_mail ip link add link0 type $kind remote "$CLIENTS4" local "$MX4" 2>/dev/null || {
		echo "# this kernel has no $kind"
		continue
	}
	in_clients ip link add link0 type $kind remote "$MX4" local "$CLIENTS4"
	up link0
	tries $kind link0 $carries $number
	number=$((number + 1))
	in_mail ip link del link0
	in_clients ip link del link0
done
# XDP sees these behind a header of the outer packet.
for kind in "gre local $MX4" "gre local $MX4 remote 239.1.1.1" "vti local $MX4 remote $CLIENTS4 key 1" \
	"xfrm dev mx0 if_id 7"; do
	# shellcheck disable=SC2086 # words
	in_mail ip link add link0 type $kind 2>/dev/null || {
		echo "# this kernel has no ${kind%% *}"
		continue
	}
	in_mail ip link set link0 up
	CONF[interfaces]='[ "link0" ]'
	repgate_config
	check "$kind: it is refused, not filtered in name only" grep -q "link0: tunnels of this kind can't be filtered" \
		<(in_mail timeout 60 "$BUILD/repgated" --config "$REPGATE_CONF" 2>&1 || true)
	in_mail ip link del link0
done
finish
