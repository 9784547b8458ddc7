#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_answers.sh - a refused SYN gets an answer only where this host would give one
#
# A promiscuous port sees frames to other MAC addresses; a broadcast address and
# an address that nobody has belong to no host. None of them may be answered. A
# port of a bridge does answer for the hosts behind it.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

LISTED=203.0.113.32
MAC=02:00:00:00:00:25
NET=${MX4%.*}

# met DESTINATION: outcome of a connection of the listed peer
met() {
	in_clients "$BUILD/tests/syn_client" -t 400 "$1" 25 $LISTED | cut -f 2
}

loss() {
	ctl --json stats | jq ".losses.$1"
}

# known ADDRESS MAC: where the clients send frames to it
known() {
	in_clients ip neigh replace "$1" lladdr "$2" dev cl0 nud permanent
}

has_mac() {
	[ "$(in_mail bpftool -j map dump pinned "$REPGATE_PINS/host_links" |
		jq -r '.[0].formatted.value | "\(.mac[5]) \(.any_mac)"')" = "$1" ]
}

answers() {
	same "$1: the host's own address: reset" refused "$(met "$MX4")"
	known "$MX4" 02:00:00:00:00:77
	in_mail ip link set mx0 promisc on
	same "$1: another host's MAC address: nothing" timeout "$(met "$MX4")"
	check "$1: counted" test "$(loss other_mac)" -ge 1
	known "$MX4" $MAC
	known "$NET.255" $MAC
	in_clients ip route del broadcast "$NET.255" dev cl0 table local
	same "$1: the subnet's broadcast address: nothing" timeout "$(met "$NET.255")"
	known "$NET.99" $MAC
	same "$1: nobody's address: nothing" timeout "$(met "$NET.99")"
	check "$1: counted" test "$(loss no_host)" -ge 2
	in_mail ip addr add "$NET.99/24" dev mx0
	must "a new address is not noticed" wait_for 5 answers_for "$NET.99"
	ok "$1: once the host has the address: reset"
	in_mail ip addr del "$NET.99/24" dev mx0
	in_mail ip route add local 192.0.2.96/29 dev lo
	must "a local route is not noticed" wait_for 15 answers_for "$NET.98"
	ok "$1: an address of a local route: reset"
	in_mail ip route del local 192.0.2.96/29 dev lo
	in_mail ip link set mx0 promisc off
}

answers_for() {
	known "$1" $MAC
	[ "$(met "$1")" = refused ]
}

container_listens() {
	nsenter --net=/run/netns/inner ss -Hltn "sport = :25" | grep -q .
}

is_refused_inside() {
	[ "$(met "$NET.88")" = refused ]
}

# A mail server in a container, on a macvlan of the filtered interface: its frames have a MAC address of
# their own, and this network namespace does not have that interface.
container() {
	ip netns add inner
	in_mail ip link add mv0 address 02:00:00:00:00:88 link mx0 type macvlan mode bridge || {
		echo "# this kernel has no macvlan"
		return 0
	}
	in_mail ip link set mv0 netns inner
	nsenter --net=/run/netns/inner ip addr add "$NET.88/24" dev mv0
	nsenter --net=/run/netns/inner ip link set mv0 up
	nsenter --net=/run/netns/inner ip route add default via "$CLIENTS4"
	nsenter --net=/run/netns/inner ip neigh add "$CLIENTS4" lladdr 02:00:00:00:00:01 dev mv0
	nsenter --net=/run/netns/inner smtp-sink -u nobody "inet:0.0.0.0:25" 100 >/dev/null 2>&1 &
	must "the container does not listen" wait_for 5 container_listens
	known "$NET.88" 02:00:00:00:00:88
	check "$1: a container's own MAC address: a listed peer is reset" wait_for 15 is_refused_inside
	kill $!
	in_mail ip netns del inner
}

testbed_up
printf '%s 127.0.0.32\n' "$LISTED" | ers_zone qil
ers_zone standard </dev/null
zones_start
sink_start
for mode in native generic; do
	CONF[xdp_mode]="\"$mode\""
	repgate_config
	repgate_start
	ctl lookup $LISTED --store >/dev/null || true
	answers "$mode"
	container "$mode"
	repgate_stop
	in_clients ip route add broadcast "$NET.255" dev cl0 table local
done
repgate_config
repgate_start
in_mail ip link set mx0 address 02:00:00:00:00:26
must "a new MAC address is not noticed" wait_for 5 has_mac "38 0"
known "$MX4" 02:00:00:00:00:26
same "after a change of the MAC address: reset" refused "$(met "$MX4")"
repgate_stop
finish
