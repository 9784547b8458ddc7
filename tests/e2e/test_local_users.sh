#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_local_users.sh - what local users, and an agent that was taken over, can do
#
# A user without rights asks sock_diag who is listed, and learns nothing; he opens
# 5,000 connections to the metrics page; a member of
# the control group sends requests and reads nothing. Mail goes on meanwhile, and
# the page can still be read. An agent that answers root's repgatectl with paths
# of its choice makes root write nothing, nor --prepare give anything away.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

LISTED=203.0.113.11
QIL=203.0.113.32
PRECIOUS=$TESTBED/precious
EVIL=$TESTBED/evil.sock

met() {
	in_clients "$BUILD/tests/syn_client" -t 700 "$MX4,$MX6" 25 "$1" | cut -f 2
}

open_files() {
	find "/proc/${TESTBED_PID[repgated]}/fd" -mindepth 1 2>/dev/null | wc -l
}

loss() {
	ctl --json stats | jq ".losses.$1"
}

page() {
	scrape | grep -c '^repgate_'
}

rss() {
	awk '$1 == "VmRSS:" { print $2 }' "/proc/${TESTBED_PID[repgated]}/status"
}

# ask IFINDEX SOURCE [PORT]: as nobody, the port of the socket that a SYN from there would get
ask() {
	in_mail setpriv --reuid 65534 --regid 65534 --clear-groups perl -MSocket -e '
		my ($if, $from, $port) = (shift, inet_aton(shift), shift // 7777);
		socket(my $s, 16, SOCK_RAW, 4) or die; # AF_NETLINK, NETLINK_SOCK_DIAG
		my $id = pack("nn", 25, $port) . inet_aton("'"$MX4"'") . "\0" x 12 . $from . "\0" x 12 .
			pack("L", $if) . "\xff" x 8;
		my $body = pack("CCCCL", AF_INET, 6, 0, 0, 0xffffffff) . $id;
		send($s, pack("LSSLL", 16 + length($body), 20, 1, 1, 0) . $body, 0) or die; # SOCK_DIAG_BY_FAMILY
		recv($s, my $got, 8192, 0) // die;
		my ($len, $type) = unpack("LS", $got);
		print $type == 20 ? unpack("n", substr($got, 20, 2)) : "none", "\n";' "$@"
}

# steered: connections that were given to the responder, as XDP counts them
steered() {
	in_mail bpftool -j map dump pinned "$REPGATE_PINS/stats" |
		jq '[.[-3].formatted.values[].value.packets] | add'
}

# The kernel runs the sk_lookup program for a program that asks about a connection.
sock_diag() {
	local before index name
	same "a QIL peer hears the responder" connected "$(met $QIL)"
	before=$(steered)
	check "which is a steered connection" [ "$before" -ge 1 ]
	for name in none mx0; do
		index=0
		[ "$name" = none ] || index=$(in_mail ip -j link show mx0 | jq '.[0].ifindex')
		same "a user asks about a listed peer, interface $name: the mail server" 25 "$(ask "$index" $QIL)"
		same "about another one: the same" 25 "$(ask "$index" 198.51.100.99)"
	done
	for _ in {1..20}; do ask 0 $QIL >/dev/null; done
	same "none of this counts as steered" "$before" "$(steered)"
	same "nor is it a path" null "$(ctl --json status | jq '[.paths[] | select(.ifindex == 0)][0]')"
	same "the peer is still refused" connected "$(met $QIL)"
	check "and counted" [ "$(steered)" -gt "$before" ]
}

metrics_port() {
	local before
	before=$(open_files)
	# As nobody; each connection stays open until it is closed by the agent.
	spawn flood setpriv --reuid 65534 --regid 65534 --clear-groups perl -MIO::Socket::INET -e '
		my @all;
		$| = 1;
		for (1 .. 5000) {
			my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], Timeout => 5);
			push @all, $s if $s;
		}
		print scalar(@all), " connections\n";
		sleep 60;' "$REPGATE_METRICS"
	check "a user opens thousands of connections" wait_for 60 grep -q 'connections$' "$TESTBED/flood.log"
	check "5,000 of them" grep -q '^5000 ' "$TESTBED/flood.log"
	check "they cost 32 descriptors at most ($before before)" \
		[ "$(open_files)" -le $((before + 32)) ]
	check "they are counted ($(loss metrics_limit))" [ "$(loss metrics_limit)" -ge 4900 ]
	check "the page can be read meanwhile" [ "$(page)" -gt 50 ]
	same "a listed peer is refused" timeout "$(met $LISTED)"
	same "a new one is judged" connected "$(met 198.51.100.77)"
	stop flood || true
}

# A client that sends requests and does not read the answers.
control_socket() {
	local before
	before=$(rss)
	spawn deaf perl -MSocket -MIO::Handle -e '
		socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die;
		connect($s, pack_sockaddr_un($ARGV[0])) or die;
		$s->blocking(0);
		my ($line, $sent) = ("{\"command\":\"status\"}\n" x 100, 0);
		$| = 1;
		for (1 .. 200) {
			while (my $n = syswrite($s, $line)) { $sent += $n; }
			select(undef, undef, undef, 0.02);
		}
		print "sent $sent\n";
		sleep 60;' "$REPGATE_SOCKET"
	check "a client sends requests and reads nothing" wait_for 30 grep -q sent "$TESTBED/deaf.log"
	check "the agent's memory grows by 16 MB at most ($before kB, $(rss) kB)" \
		[ "$(rss)" -le $((before + 16384)) ]
	check "others get their answers" ctl status
	stop deaf || true
}

# Clients that send thousands of requests at once, and read the answers.
many_requests() {
	local number
	spawn greedy perl -MSocket -MIO::Handle -e '
		my @all;
		for (1 .. 20) {
			socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die;
			connect($s, pack_sockaddr_un($ARGV[0])) or die;
			$s->blocking(0);
			push @all, $s;
		}
		my ($line, $got) = ("{\"command\":\"dump\"}\n" x 1000, 0);
		$| = 1;
		for (;;) {
			for my $s (@all) {
				syswrite($s, $line);
				while (my $n = sysread($s, my $text, 65536)) {
					print "answers\n" unless $got;
					$got += $n;
				}
			}
			select(undef, undef, undef, 0.01);
		}' "$REPGATE_SOCKET"
	check "clients send requests as fast as they can" wait_for 10 grep -q answers "$TESTBED/greedy.log"
	for number in {1..5}; do
		same "a new peer is judged meanwhile ($number)" connected "$(met "198.51.100.8$number")"
	done
	check "others get their answers, too" ctl status
	stop greedy || true
	same "several requests, and the end: each is answered" 3 \
		"$(printf '{"command":"version"}\n%.0s' 1 2 3 | in_mail perl -MSocket -e '
			socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die;
			connect($s, pack_sockaddr_un($ARGV[0])) or die;
			syswrite($s, $_) while <STDIN>;
			shutdown($s, 1);
			print while <$s>;' "$REPGATE_SOCKET" | grep -c '"ok":true')"
}

# evil_agent ANSWER: answers every request with a line.
evil_agent() {
	rm -f "$EVIL"
	spawn evil perl -MSocket -e '
		unlink $ARGV[0];
		socket(my $s, PF_UNIX, SOCK_STREAM, 0);
		bind($s, pack_sockaddr_un($ARGV[0])) and listen($s, 5) or die;
		while (accept(my $c, $s)) { my $l = <$c>; syswrite($c, $ARGV[1] . "\n"); close $c; }' \
		"$EVIL" "$1"
	wait_for 5 [ -S "$EVIL" ]
}

ask_evil() {
	in_mail "$BUILD/repgatectl" --socket "$EVIL" "$@" 2>&1
}

taken_over() {
	local output
	echo precious >"$PRECIOUS"
	evil_agent "{\"ok\":true,\"result\":{\"key\":\"mode\",\"value\":\"enforce\",\"zones\":[],\"config\":\"$PRECIOUS\"}}"
	output=$(ask_evil --config "$REPGATE_CONF" set mode enforce --save || true)
	check "another path in the answer is named, and nothing is saved" \
		grep -q "set, but not saved: repgated runs with $PRECIOUS" <<<"$output"
	check "no file beside it" eval "! ls $PRECIOUS?* 2>/dev/null"
	stop evil || true
	# The right path, and links planted beside it by somebody who could.
	evil_agent "{\"ok\":true,\"result\":{\"key\":\"x\",\"value\":\"y\",\"zones\":[],\"config\":\"$REPGATE_CONF\"}}"
	ln -s "$PRECIOUS" "$TESTBED/repgate/repgate.saved.conf"
	ln -s "$PRECIOUS" "$TESTBED/repgate/repgate.saved.conf.new"
	check "a link in place of the file is refused" \
		grep -q 'not a regular file' <(ask_evil --config "$REPGATE_CONF" set mode enforce --save || true)
	rm "$TESTBED/repgate/repgate.saved.conf"
	check "one in place of the new file is replaced" ask_evil --config "$REPGATE_CONF" set mode enforce --save
	same "the file has what was typed, not what was answered" 'mode = "enforce";' \
		"$(<"$TESTBED/repgate/repgate.saved.conf")"
	same "what they pointed to stays" precious "$(<"$PRECIOUS")"
	rm "$TESTBED/repgate/repgate.saved.conf"
	chmod 777 "$TESTBED/repgate"
	check "a directory that others may write to is refused" grep -q 'others may write to it' \
		<(ask_evil --config "$REPGATE_CONF" set mode enforce --save || true)
	chmod 755 "$TESTBED/repgate"
	stop evil || true
	evil_agent '{"ok":false,"error":"x\u001b]0;title\u0007y"}'
	check "an answer can't steer the terminal" eval "! LC_ALL=C ask_evil status | grep -q $'[\\x1b\\x07]'"
	stop evil || true
}

# --prepare gives the pins to the agent's user: not those that have a second name.
prepare() {
	repgate_stop || not_ok "repgated stops" "status $?"
	install -o daemon -m 400 "$TESTBED/repgate/activation-code" "$TESTBED/code"
	cp "$TESTBED/code" "$TESTBED/repgate/activation-code"
	chown daemon "$TESTBED/repgate/activation-code"
	in_mail "$BUILD/repgated" --prepare daemon --config "$REPGATE_CONF" >"$TESTBED/prepare.log" 2>&1
	in_mail bpftool map create /sys/fs/bpf/other type array key 4 value 4 entries 1 name other
	ln /sys/fs/bpf/other "$REPGATE_PINS/stolen"
	check "--prepare refuses a pin that is another program's" grep -q 'Too many links' \
		<(in_mail "$BUILD/repgated" --prepare daemon --config "$REPGATE_CONF" 2>&1 || true)
	same "which stays root's" root "$(stat -c %U /sys/fs/bpf/other)"
	rm "$REPGATE_PINS/stolen" /sys/fs/bpf/other
}

testbed_up
ers_zone standard <<<"$LISTED 127.1.0.1"
ers_zone qil <<<"$QIL 127.0.0.32"
zones_start
sink_start
CONF[ers]="{ activation_code_file = \"$TESTBED/repgate/activation-code\"; qil_action = \"tempfail\"; }"
repgate_config
repgate_start
sock_diag
same "a listed peer is refused" timeout "$(met $LISTED)"
metrics_port
control_socket
many_requests
taken_over
prepare
finish
