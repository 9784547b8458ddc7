#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_own_networks.sh - no list blocks what this host needs, and slips are told
#
# Wide entries, entries that cover this host, its network, its gateway, the resolver or a peer that is connected
# now; in a file, by a command, by a country.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

BLOCKED=$TESTBED/repgate/blocked.d

class_of() {
	lookup "$1" .class
}

is_class() {
	[ "$(class_of "$2")" = "$1" ]
}

# status FILTER
status() {
	ctl --json status | jq -r "$1"
}

log_has() {
	grep -qE -- "$1" "$TESTBED/repgated.log"
}

# refused WHAT WORDS COMMAND...: the command fails and says so
refused() {
	local what=$1 words=$2 said status=0
	shift 2
	said=$(ctl "$@" 2>&1) || status=$?
	same "$what: exit status" 1 "$status"
	check "$what: $said" grep -qF -- "$words" <<<"$said"
}

wide_entries() {
	refused "block of a quarter of the Internet" '192.0.0.0/2, 1,073,741,824 addresses' block 203.0.113.0/2
	refused "block of everything" '4,294,967,296 addresses' block 0.0.0.0/0
	refused "approve of everything" '4,294,967,296 addresses' approve 0.0.0.0/0
	refused "block of IPv6" 'all of IPv6' block ::/0
	same "nothing of it is in force" clean "$(class_of 198.51.100.10)"
	printf '0.0.0.0/1\n203.0.113.99\n' >"$BLOCKED/wide.list"
	check "a wide line of a file is left out" wait_for 10 is_class blocked 203.0.113.99
	same "it is not in force" clean "$(class_of 10.21.0.9)"
	check "the log says why" log_has 'wide.list:1: 0.0.0.0/1, 2,147,483,648 addresses: wider than /8'
	same "status counts it" 1 "$(status .lists.bad_lines)"
	echo '0.0.0.0/1 force # meant' >"$BLOCKED/wide.list"
	check "with force it is in force" wait_for 10 is_class blocked 10.21.0.9
	rm "$BLOCKED/wide.list"
	check "until the file is gone" wait_for 10 is_class clean 10.21.0.9
	same "what an entry comes to" '203.0.113.0/24, 256 addresses' \
		"$(ctl --json block 203.0.113.77/24 | jq -r .comes_to)"
	ctl unlist 203.0.113.0/24
	check "--force" ctl block 64.0.0.0/7 --force
	same "it counts" blocked "$(class_of 65.0.0.1)"
	check "it can be undone" ctl unlist 64.0.0.0/7
}

# The mail host is 192.0.2.25 in 192.0.2.0/24, and its gateway 192.0.2.1; the resolver is 10.21.9.53 here.
bogons() {
	printf '# bogons\n192.0.0.0/8\n10.0.0.0/8\n2001:db8::/32\n198.51.100.0/24\n' >"$BLOCKED/bogons.list"
	check "a feed of wide networks is in force" wait_for 10 is_class blocked 198.51.100.10
	same "but not for its own address" approved "$(class_of "$MX4")"
	same "for IPv6 neither" approved "$(class_of "$MX6")"
	same "not for the gateway" approved "$(class_of "$CLIENTS4")"
	same "not for the resolver" approved "$(class_of 10.21.9.53)"
	same "not for its network" clean "$(class_of 192.0.2.77)"
	same "for all else" 'blocked blocked blocked blocked' \
		"$(class_of 192.0.1.255) $(class_of 192.0.3.0) $(class_of 10.21.9.54) $(class_of 2001:db8:21::9)"
	check "the log names it" log_has 'bogons.list:2: 192.0.0.0/8 covers 192.0.2.0/24, the network of mx0'
	check "and the resolver" log_has 'bogons.list:3: 10.0.0.0/8 covers 10.21.9.53, the resolver'
	same "so does status" '192.0.0.0/8 covers 192.0.2.0/24' \
		"$(status '.lists.never_blocked[] | select(.line == 2) | "\(.entry) covers \(.covers)"')"
	check "and --check" grep -q 'bogons.list:2: 192.0.0.0/8 covers' \
		<<<"$(in_mail "$BUILD/repgated" --config "$REPGATE_CONF" --check 2>&1)"
}

# An address that comes later, and one that goes.
addresses_change() {
	same "an address that is not its own yet" blocked "$(class_of 10.21.77.7)"
	in_mail ip addr add 10.21.77.7/32 dev mx0
	check "is not blocked once it is" wait_for 15 is_class approved 10.21.77.7
	same "the one beside it is" blocked "$(class_of 10.21.77.8)"
	in_mail ip addr del 10.21.77.7/32 dev mx0
	check "until it is gone" wait_for 15 is_class blocked 10.21.77.7
	rm "$BLOCKED/bogons.list"
	check "no file is left" wait_for 10 is_class clean 198.51.100.10
}

commands() {
	refused "block of its own address" "$MX4, an address of mx0, is never blocked" block "$MX4"
	refused "block of its network" '192.0.2.0/24, the network of mx0, is never blocked' block 192.0.2.0/24
	refused "block of its gateway" "$CLIENTS4, a gateway, is never blocked" block "$CLIENTS4"
	refused "block of the resolver" '10.21.9.53, the resolver, is never blocked' block 10.21.9.53
	same "block of a wider network says what stays" '192.0.2.0/24, the network of mx0, is never blocked; the rest is' \
		"$(ctl --json block 192.0.0.0/16 | jq -r '.warnings[0]')"
	same "the rest is in force" 'approved blocked' "$(class_of "$MX4") $(class_of 192.0.9.9)"
	ctl unlist 192.0.0.0/16
	check "a neighbour may be blocked" ctl block 192.0.2.77
	same "it is" blocked "$(class_of 192.0.2.77)"
	ctl unlist 192.0.2.77
}

is_connected() {
	in_mail ss -tn state established "src $MX4:25" | grep -q 198.51.100.10
}

connected_peer() {
	in_clients perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 25,
			LocalAddr => "198.51.100.10", Timeout => 10) or die "$@";
		my $greeting = <$s>;
		sleep 60;' "$MX4" >"$TESTBED/peer.log" 2>&1 &
	must "the peer connects" wait_for 15 is_connected
	same "a peer that is connected is named" \
		'198.51.100.10 is connected now; its next connection is refused' \
		"$(ctl --json block 198.51.100.0/24 | jq -r '.warnings[0]')"
	check "its connection stays" is_connected
	ctl unlist 198.51.100.0/24
	echo 198.51.100.0/28 >"$BLOCKED/peer.list"
	check "a file that blocks it is named in the log" wait_for 10 \
		log_has 'peer.list:1: blocks 198.51.100.10, which is connected now'
	rm "$BLOCKED/peer.list"
	kill $!
}

countries() {
	printf '192.0.2.0/23 DE\n198.51.100.0/24 DE\n' |
		"$BUILD/tests/mmdb_make" >"$TESTBED/countries.mmdb"
	echo DE >"$BLOCKED/country.list"
	repgate_stop
	CONF[country_database]="\"$TESTBED/countries.mmdb\""
	repgate_config
	repgate_start
	same "a country's peers are blocked" blocked "$(class_of 198.51.100.10)"
	same "its own network is not" 'approved clean' "$(class_of "$MX4") $(class_of 192.0.2.77)"
	same "others of the country are" blocked "$(class_of 192.0.3.1)"
	check "the log says so" log_has 'country.list:1: DE covers .*, which is never blocked'
	same "status, too" DE "$(status '.lists.never_blocked[0].entry')"
}

files_that_are_not_read() {
	echo 203.0.113.9 >"$BLOCKED/firehol.netset"
	check "a name that is not read is logged" wait_for 10 \
		log_has 'firehol.netset is not read: its name does not end in .list'
	check "and in status" grep -q 'firehol.netset' <<<"$(status '.lists.not_read[]')"
	check "and by --check" grep -q 'firehol.netset is not read' \
		<<<"$(in_mail "$BUILD/repgated" --config "$REPGATE_CONF" --check 2>&1)"
	check "reload" ctl reload
	same "once" 1 "$(grep -c 'firehol.netset is not read' "$TESTBED/repgated.log")"
}

main() {
	testbed_up
	ers_zone standard 300 </dev/null
	ers_zone qil 300 </dev/null
	zones_start
	postfix_start
	repgate_config
	repgate_start
	wide_entries
	repgate_stop
	# Nothing answers there: what counts below is decided without a zone.
	RESOLVER=10.21.9.53
	repgate_config
	repgate_start
	bogons
	addresses_change
	commands
	connected_peer
	files_that_are_not_read
	countries
	repgate_stop || not_ok "repgated stops" "status $?"
}

main
finish
