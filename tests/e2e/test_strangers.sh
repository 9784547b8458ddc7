#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_strangers.sh - nothing that a stranger sends switches the responder off for others
#
# A stranger sends SYNs of a listed peer that XDP lets pass for the responder and the
# kernel drops before it looks for a socket, or for which it looks for none. Then
# an honest listed peer connects, and must hear the responder. Without rules of
# nftables at once; with destination NAT of another port within seconds.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

MANY=300
HONEST=203.0.113.32
STRANGER=203.0.113.40

# craft FAMILY NAME=VALUE...: MANY SYNs with right checksums, each from another port unless port=N is given
craft() {
	in_clients perl -MSocket=:DEFAULT,inet_pton -e '
		my ($count, $mac, $if, %o) = (shift, shift, shift, map { split /=/, $_, 2 } @ARGV);
		my $six = $o{from} =~ /:/;
		my ($from, $to) = map { inet_pton($six ? AF_INET6 : AF_INET, $_) } @o{qw(from to)};
		sub sum { my $s = 0; $s += $_ for unpack "n*", $_[0] . (length($_[0]) % 2 ? "\0" : "");
			$s = ($s & 0xffff) + ($s >> 16) while $s >> 16; return ~$s & 0xffff; }
		socket(my $s, 17, SOCK_RAW, 0) or die "$!"; # AF_PACKET
		my $at = pack("SnlSCC", 17, 0, $if, 0, 0, 6) . pack("H12", $mac =~ s{:}{}gr) . "\0\0";
		my $dst = pack("H12", $mac =~ s/://gr);
		for my $i (1 .. $count) {
			my $port = $o{port} // 20000 + $i;
			my $tcp = pack("nnNNCCnnn", $port, 25, 1000 + $i * ($o{port} ? 0 : 1), 0, 5 << 4, 2, 64240, 0, 0);
			my $options = pack("H*", $o{options} // "");
			my $pseudo = $six ? $from . $to . pack("NN", length $tcp, 6) :
				$from . $to . pack("nn", 6, length $tcp);
			substr($tcp, 16, 2) = pack("n", sum($pseudo . $tcp));
			my $ip;
			if ($six) {
				$ip = pack("NnCC", 6 << 28, length($options) + length($tcp), $o{next} // 6, $o{ttl} // 64) .
					$from . $to . $options;
			} else {
				my $len = 20 + length $options;
				$ip = pack("CCnnnCCn", 0x40 | $len / 4, 0, $len + length($tcp), $i, 0x4000, $o{ttl} // 64, 6, 0) .
					$from . $to . $options;
				substr($ip, 10, 2) = pack("n", sum($ip));
			}
			send($s, $dst . "\x02\0\0\0\0\x01" . pack("n", $six ? 0x86dd : 0x0800) . $ip . $tcp, 0, $at)
				or die "$!";
		}' "$MANY" 02:00:00:00:00:25 "$(in_clients ip -j link show cl0 | jq '.[0].ifindex')" "$@"
}

greeting() {
	in_clients timeout 3 "$BUILD/tests/syn_client" -t 1000 --banner "$1" 25 "$2" | cut -f 2,4 | tr '\t' ' '
}

# hears WHAT: honest peers hear the responder, at once, or within PATIENCE seconds
hears() {
	check "$1: an honest listed peer hears the responder" wait_for "$PATIENCE" is_heard "$MX4" $HONEST
	check "$1: so by IPv6" wait_for "$PATIENCE" is_heard "$MX6" 2001:db8:21:32::1
}

is_heard() {
	[ "$(greeting "$1" "$2")" = "connected yes" ]
}

# SYNs that XDP let pass for the responder; those that arrived there
passed() {
	ctl --json stats | jq '.packets.blocked.reject // 0'
}

arrived() {
	in_mail bpftool -j map dump pinned "$REPGATE_PINS/stats" |
		jq '[.[-3].formatted.values[].value.packets] | add'
}

# kind WHAT NAME=VALUE...: a stranger sends MANY of them; then honest peers connect
kind() {
	local what=$1 passed arrived
	passed=$(passed) arrived=$(arrived)
	craft "${@:2}"
	hears "$what ($(($(passed) - passed)) passed, $(($(arrived) - arrived)) arrived)"
}

# Each of these is dropped, or meets a socket of its own.
all_kinds() {
	local how=$1 six=2001:db8:21:32::7
	kind "$how: a SYN that is repeated" from=$STRANGER to="$MX4" port=30000
	kind "$how: repeated, IPv6" from=$six to="$MX6" port=30000
	kind "$how: a loose source route" from=$STRANGER to="$MX4" options=8307040a00000100
	kind "$how: a strict source route" from=$STRANGER to="$MX4" options=8907040a00000100
	kind "$how: options that are malformed" from=$STRANGER to="$MX4" options=44ff0500
	kind "$how: TTL 0" from=$STRANGER to="$MX4" ttl=0
	kind "$how: hop limit 0" from=$six to="$MX6" ttl=0
	kind "$how: a routing header" from=$six to="$MX6" next=43 options=0602000100000000
	kind "$how: a source that rp_filter refuses" from=192.0.6.7 to="$MX4"
	kind "$how: a martian source" from=240.1.2.3 to="$MX4"
	kind "$how: another one" from=0.1.2.3 to="$MX4"
	kind "$how: an address that nobody has" from=$STRANGER to="${MX4%.*}.99"
	kind "$how: what a firewall drops" from=203.0.113.41 to="$MX4"
	kind "$how: connections that arrived before, again" from=$STRANGER to="$MX4"
}

testbed_up
ers_zone standard </dev/null
ers_zone qil </dev/null
zones_start
sink_start
CONF[blocked_action]='"reject"'
repgate_config
local_list blocked peers <<-END
	$HONEST
	203.0.113.40/31
	2001:db8:21:32::/64
	192.0.6.0/24
	240.0.0.0/8
	0.0.0.0/8
END
# 192.0.6.0/24 lives elsewhere, so strict rp_filter refuses it on mx0.
ip link add far0 netns mail type veth peer name far1 netns clients
testbed_link in_mail far0 192.0.6.1/24 2001:db8:6::1/64
in_clients ip link set far1 up
testbed_sysctl in_mail net.ipv4.conf.mx0.rp_filter=1
in_mail nft -f - <<-END
table ip firewall {
	chain input {
		type filter hook input priority filter;
		ip saddr 203.0.113.41 tcp dport 25 drop
	}
}
END
repgate_start
PATIENCE=0
all_kinds "no rules"
# Destination NAT of something else: now a SYN that does not arrive may have been led elsewhere.
in_mail nft -f - <<-END
table inet nat {
	chain pre {
		type nat hook prerouting priority dstnat;
		tcp dport 8080 dnat ip to 192.0.3.2
	}
}
END
PATIENCE=3
all_kinds "with NAT"
repgate_stop
finish
