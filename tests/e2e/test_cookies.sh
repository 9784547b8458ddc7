#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_cookies.sh - a refused peer that answers with a SYN cookie
#
# With SYN cookies the kernel looks for the socket again when the ACK comes. A flood of forged SYNs from refused
# addresses may have pushed the connection's ticket out by then. It still gets to the responder, and not to the
# mail server, whose socket would take the cookie.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

LISTED=203.0.113.32

met() {
	in_clients "$BUILD/tests/syn_client" -t 700 "$MX4" 25 "$1" | cut -f 2
}

# ACKs of the listed peer are kept back in its own host.
keep_back() {
	in_clients nft -f - <<-END
	table ip late {
		chain output {
			type filter hook output priority filter;
			ip saddr $LISTED tcp dport 25 tcp flags & (syn | ack) == ack drop
		}
	}
	END
}

let_go() {
	in_clients nft delete table ip late
}

# Connects, waits for the end of its input, sends EHLO, and prints what it hears.
client() {
	in_clients perl -MSocket -e '
		$| = 1;
		my $s;
		socket($s, AF_INET, SOCK_STREAM, 6) and
			bind($s, pack_sockaddr_in(0, inet_aton($ARGV[0]))) and
			connect($s, pack_sockaddr_in(25, inet_aton($ARGV[1]))) or die "connect: $!\n";
		print "connected\n";
		<STDIN>;
		syswrite($s, "EHLO sender.example.net\r\nQUIT\r\n");
		alarm 10;
		while (sysread($s, my $text, 4096)) { print $text; }' "$LISTED" "$MX4"
}

# starts: a connection whose ACK is kept back
starts() {
	keep_back
	rm -f "$TESTBED/go"
	mkfifo "$TESTBED/go"
	client <"$TESTBED/go" >"$TESTBED/heard" 2>&1 &
	CLIENT=$!
	exec {GO}>"$TESTBED/go"
	must "no SYN+ACK" wait_for 5 grep -q connected "$TESTBED/heard"
}

# hears WHAT: the responder's greeting, not the mail server's
hears() {
	let_go
	exec {GO}>&-
	wait "$CLIENT" || true
	check "$1: it hears the responder: $(sed -n 2p "$TESTBED/heard")" \
		grep -q '^220 mx.example.org ESMTP' "$TESTBED/heard"
	check "$1: and no mail server" eval "! grep -q smtp-sink '$TESTBED/heard'"
}

port_of_client() {
	in_clients ss -Htn state established "src $LISTED" | awk '{ sub(/.*:/, "", $3); print $3; exit }'
}

# mapped ADDRESS: the bytes of a mapped IPv4 address
mapped() {
	printf '0 0 0 0 0 0 0 0 0 0 255 255 %s' "${1//./ }"
}

# has_ticket PORT: by its key, as there are many
has_ticket() {
	# shellcheck disable=SC2046 # numbers
	in_mail bpftool map lookup pinned "$REPGATE_PINS/tickets" key $(mapped $LISTED) $(mapped "$MX4") \
		$(($1 & 255)) $(($1 >> 8)) 25 0
}

has_no_ticket() {
	! has_ticket "$1"
}

# SYNs from many addresses and ports that are refused, until the ticket is gone.
flood() {
	local seed
	for seed in {1..8}; do
		in_clients "$BUILD/tests/syn_flood" --source 10.21.0.0/16 --rate 20000 --bursts --seconds 4 \
			--seed "$seed" cl0 02:00:00:00:00:25 "$MX4" 25 >>"$TESTBED/flood.log" 2>&1
		has_ticket "$1" >/dev/null || return 0
	done
}

testbed_up
ers_zone standard </dev/null
ers_zone qil </dev/null
zones_start
sink_start
CONF[blocked_action]='"reject"'
repgate_config 'responder_name = "mx.example.org";'
local_list blocked peers <<-END
	$LISTED
	10.21.0.0/16
END
repgate_start
# As in a flood: each SYN is answered by a cookie, and each socket takes cookies.
testbed_sysctl in_mail net.ipv4.tcp_syncookies=2
same "a clean peer connects" connected "$(met 198.51.100.1)"
same "a refused one is answered" connected "$(met $LISTED)"

starts
hears "with its ticket"

starts
port=$(port_of_client)
check "there is a ticket" has_ticket "$port"
flood "$port"
check "a flood pushes it out" has_no_ticket "$port"
hears "without its ticket"
finish
