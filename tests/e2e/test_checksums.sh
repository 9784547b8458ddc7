#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_checksums.sh - unfinished checksums are finished, wrong ones get no answer
#
# The sending side leaves its TCP checksums to the device (tx checksumming on), as
# guests and containers on one machine do. Held SYNs of clean peers must connect
# without a retransmission, in native and generic mode; refused peers must get
# their reset or reply. SYNs with a wrong checksum must get nothing, and must not
# switch the responder off for others.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

QIL=203.0.113.32
QIL6=2001:db8:21:32::25
STANDARD=203.0.113.11

# met ADDRESS: outcome and SYNs
met() {
	in_clients "$BUILD/tests/syn_client" -n -t 3000 "$MX4,$MX6" 25 "$1" | cut -f 2,4 | xargs
}

loss() {
	ctl --json stats | jq ".losses.$1"
}

# wrong ADDRESS COUNT: so many SYNs from there whose TCP checksum is wrong
wrong() {
	in_clients perl -MSocket -e '
		my ($from, $to, $count) = @ARGV;
		socket(my $raw, AF_INET, SOCK_RAW, 6) or die "socket: $!\n";
		setsockopt($raw, 0, 15, pack("i", 1)); # IP_FREEBIND
		bind($raw, pack_sockaddr_in(0, inet_aton($from))) or die "bind: $!\n";
		for my $i (1 .. $count) {
			my $syn = pack("nnNNCCnnn", 20000 + $i, 25, $i, 0, 0x50, 2, 64240, 0x1234, 0);
			send($raw, $syn, 0, pack_sockaddr_in(0, inet_aton($to))) or die "send: $!\n";
		}' "$1" "$MX4" "$2"
}

steering() {
	ctl --json status | jq -r .steering.state
}

in_mode() {
	local mode=$1 number=$2 address i
	CONF[xdp_mode]="\"$mode\""
	repgate_config
	repgate_start
	for address in "198.51.100.1$number" "2001:db8:21:1$number::25"; do
		same "$mode: a held SYN with an unfinished checksum connects at once ($address)" \
			"connected 1" "$(met "$address")"
	done
	ctl set qil_action reset >/dev/null
	same "$mode: a refused peer is reset" "refused 1" "$(met $QIL)"
	same "$mode: IPv6 too" "refused 1" "$(met $QIL6)"
	ctl set qil_action tempfail >/dev/null
	same "$mode: a tempfail peer connects to the responder" "connected 1" "$(met $QIL)"
	same "$mode: IPv6 too" "connected 1" "$(met $QIL6)"
	wrong "$QIL" 40
	same "$mode: SYNs with a wrong checksum are dropped and counted" 40 "$(loss bad_checksum)"
	wrong "203.0.113.9$number" 3
	same "$mode: those of an unknown peer too" 43 "$(loss bad_checksum)"
	same "$mode: and it is not asked about" false "$(lookup "203.0.113.9$number" .known)"
	for i in {1..6}; do sleep 1; done
	same "$mode: they do not switch the responder off" ready "$(steering)"
	same "$mode: others are still answered" "connected 1" "$(met $QIL)"
	same "$mode: nothing else was lost" '{"bad_checksum":43}' "$(ctl --json stats | jq -c \
		'.losses | del(.sample_limit) | with_entries(select(.value > 0))')"
	repgate_stop
	rm -rf "$TESTBED/repgate/state"
}

testbed_up
in_clients ethtool -K cl0 tx on >/dev/null
ers_zone standard <<<"$STANDARD 127.1.0.1"
printf '%s 127.0.0.32\n' "$QIL" 2001:db8:21:32::/64 | ers_zone qil
zones_start
sink_start
in_mode native 1
in_mode generic 2
finish
