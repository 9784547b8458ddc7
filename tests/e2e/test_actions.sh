#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_actions.sh - tag, throttle, tempfail, reject: what a peer meets, and what
# the firewall, the log and the tools see
#
# Every action by class and by zone, changed while it runs; a tagged SYN on the
# wire; 60 SYNs a minute for each of three peers and for a network of three;
# allow zones; DNS that fails with on_dns_failure = "tempfail"; where the mail
# server is not here.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

QIL=203.0.113.32
QIL6=2001:db8:21:32::25
STANDARD=203.0.113.11
STANDARD6=2001:db8:21:11::25
OTHER=203.0.113.77 # listed by the zone "other"
CLEAN=198.51.100.10
CLEAN6=2001:db8:21:10::25
ALLOWED=203.0.113.13 # listed by Standard, and by the allow list
REFUSED=203.0.113.14 # the same, but the allow list says 127.0.0.255
BLOCKED=203.0.113.66
DSCP=63

# met ADDRESS [MS]: connected, refused or timeout
met() {
	in_clients "$BUILD/tests/syn_client" -t "${2:-700}" "$MX4,$MX6" 25 "$1" |
		cut -f 2
}

# reply ADDRESS: the reply that ended the mail, without its text
reply() {
	send_mail "$1" "a$((++MAIL))" | cut -f 4 | cut -d ' ' -f 1,2
}
MAIL=0

# whole_reply ADDRESS
whole_reply() {
	send_mail "$1" "w$EPOCHREALTIME" | cut -f 4
}

# talk ADDRESS <LINES: says it all at once from there, then prints what comes back
talk() {
	in_clients timeout 10 perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(LocalAddr => $ARGV[0],
			PeerAddr => $ARGV[1], PeerPort => 25) or die "$@\n";
		local $/;
		print $s <STDIN> // "";
		shutdown($s, 1);
		print <$s>;' "$1" "$MX4"
}

count_of() {
	ctl --json stats | jq ".packets.$1.$2"
}

loss() {
	ctl --json stats | jq ".losses.$1"
}

# --- tag -----------------------------------------------------------------------

# capture FILE COUNT [FILTER]: so many SYNs as they come out of repgate, behind
# XDP: what the mail host's own stack sees.
capture() {
	# The log of the capture before is not that of this one.
	rm -f "$TESTBED/tcpdump.log"
	in_mail timeout 20 tcpdump -i mx0 -nn -v -U -Q in -c "$2" -w "$1" \
		"${3:-tcp dst port 25}" >"$TESTBED/tcpdump.log" 2>&1 &
	CAPTURE=$!
	must "tcpdump does not listen" wait_for 10 grep -q listening "$TESTBED/tcpdump.log"
}

# dump FILE: what was captured, checksums verified
dump() {
	tcpdump -nn -vvv -r "$1" 2>/dev/null
}

tag_on_wire() {
	ctl set qil_action tag >/dev/null
	capture "$TESTBED/tag4" 1 "src host $QIL"
	same "a tagged peer connects" connected "$(met $QIL)"
	wait "$CAPTURE" || true
	check "its SYN has the DSCP" grep -q 'tos 0xfc' <(dump "$TESTBED/tag4")
	check "the IPv4 checksum is right" not_grep 'bad cksum' <(dump "$TESTBED/tag4")
	check "TCP's too" grep -q 'cksum 0x.* (correct)' <(dump "$TESTBED/tag4")
	capture "$TESTBED/tag6" 1 "src host $QIL6"
	same "a tagged IPv6 peer connects" connected "$(met $QIL6)"
	wait "$CAPTURE" || true
	check "its SYN has the traffic class" grep -q 'class 0xfc' <(dump "$TESTBED/tag6")
	check "TCP's checksum is right, IPv6" grep -q '(correct)' <(dump "$TESTBED/tag6")
}

not_grep() {
	! grep -q "$@"
}

firewall() {
	in_mail nft -f - <<-END
	table inet mail {
		chain input {
			type filter hook input priority filter; policy accept;
			tcp dport 25 tcp flags syn ip dscp $DSCP counter reject with tcp reset
			tcp dport 25 tcp flags syn ip6 dscp $DSCP counter reject with tcp reset
		}
	}
	END
}

tag_by_firewall() {
	firewall
	same "an nftables rule resets tagged peers" refused "$(met $QIL)"
	same "IPv6 too" refused "$(met $QIL6)"
	same "clean peers pass it" connected "$(met $CLEAN)"
	# A sender that sets the DSCP itself is not taken for a tagged one.
	in_clients nft -f - <<-END
	table inet own {
		chain out {
			type filter hook output priority mangle;
			tcp dport 25 ip dscp set $DSCP
			tcp dport 25 ip6 dscp set $DSCP
		}
	}
	END
	same "a clean peer with that very DSCP passes it" connected "$(met $CLEAN)"
	same "IPv6 too" connected "$(met $CLEAN6)"
	in_clients nft delete table inet own
	in_mail nft delete table inet mail
}

# --- throttle --------------------------------------------------------------------

# hammer ADDRESS SECONDS: 10 connections a second, each given up at once; prints
# how many stood
hammer() {
	local i end=$((${EPOCHREALTIME/./} + $2 * 1000000)) stood=0
	for ((i = 0; ${EPOCHREALTIME/./} < end; i++)); do
		[ "$(met "$1" 60)" = connected ] && stood=$((stood + 1))
		# The rest of this tenth of a second; a real clock, no luck.
		pause_until $((end - $2 * 1000000 + (i + 1) * 100000))
	done
	echo "$stood"
}

# pause_until MICROSECONDS
pause_until() {
	local left=$(($1 - ${EPOCHREALTIME/./}))
	[ "$left" -le 0 ] || read -rt "$(printf '0.%06d' "$left")" <> <(:) || true
}

# hammer_all NAME SECONDS ADDRESS...: each in the background, results in files
hammer_all() {
	local name=$1 seconds=$2 address
	shift 2
	for address in "$@"; do
		hammer "$address" "$seconds" >"$TESTBED/$name.${address//:/-}" &
		HAMMERS+=($!)
	done
}
HAMMERS=()

# near WHAT EXPECTED TOLERANCE ACTUAL
near() {
	if [ "$4" -ge $(($2 - $3)) ] && [ "$4" -le $(($2 + $3)) ]; then
		ok "$1 ($4)"
	else
		not_ok "$1" "expected $2 +- $3, got $4"
	fi
}

throttle_peers() {
	local a
	ctl set qil_action throttle >/dev/null
	ctl set qil_throttle "60/min burst 5" >/dev/null
	# Held SYNs take a token too, when they go on: the verdicts come before.
	for a in 10.21.{1,2,3}.1 10.21.8.{1,2,3} 10.21.9.1; do
		same "$a is listed" throttle "$(ctl --json lookup "$a" --store | jq -r .action)"
	done
	hammer_all peer 60 10.21.1.1 10.21.2.1 10.21.3.1
	wait "${HAMMERS[@]}"
	for a in 10.21.1.1 10.21.2.1 10.21.3.1; do
		near "60 a minute after a burst of 5: $a" 65 2 "$(<"$TESTBED/peer.$a")"
	done
	near "what is over the rate is counted as throttle" 1600 160 "$(count_of qil throttle)"
	check "what is within it passes" test "$(count_of qil pass)" -ge 189
}

throttle_network() {
	local sum
	HAMMERS=()
	ctl set qil_throttle "120/min burst 5" >/dev/null
	ctl set throttle_ipv4_prefix 24 >/dev/null
	hammer_all net 10 10.21.8.1 10.21.8.2 10.21.8.3
	hammer_all net 10 10.21.9.1
	wait "${HAMMERS[@]}"
	sum=$(($(<"$TESTBED/net.10.21.8.1") + $(<"$TESTBED/net.10.21.8.2") + $(<"$TESTBED/net.10.21.8.3")))
	near "three of one /24 are limited together" 25 2 "$sum"
	near "the next /24 has its own bucket" 25 2 "$(<"$TESTBED/net.10.21.9.1")"
	ctl set throttle_ipv4_prefix 32 >/dev/null
	check "buckets can be read" grep -q full_at \
		<(in_mail bpftool map dump pinned "$REPGATE_PINS/buckets")
}

# --- the responder ---------------------------------------------------------------

answers() {
	ctl set qil_action tempfail >/dev/null
	ctl set standard_action reject >/dev/null
	ctl set blocked_action reject >/dev/null
	same "qil tempfail" "450 4.7.1" "$(reply $QIL)"
	same "qil tempfail, IPv6" "450 4.7.1" "$(reply $QIL6)"
	same "standard reject" "550 5.7.1" "$(reply $STANDARD)"
	same "standard reject, IPv6" "550 5.7.1" "$(reply $STANDARD6)"
	same "a blocked peer reads the blocked list's text" \
		"550 5.7.1 $BLOCKED is not welcome" "$(whole_reply $BLOCKED)"
	same "a zone's own reply, with its alias and URL" \
		"554 5.7.1 $OTHER is listed by other, see https://other.test/?ip=$OTHER" \
		"$(whole_reply $OTHER)"
	same "ERS's customary text" \
		"450 4.7.1 Mail from $QIL temporarily blocked using Trend Micro Email Reputation Services. Please see http://www.mail-abuse.com/cgi-bin/lookup?ip_address=$QIL" \
		"$(whole_reply $QIL)"
	check "the mail server saw none of them" not_grep -E "$QIL|$STANDARD|$BLOCKED|$OTHER" \
		<(grep smtpd "$TESTBED/postfix.log")
	check "one log line each, as fail2ban's postfix filter has it" grep -qE \
		"NOQUEUE: reject: RCPT from unknown\[$STANDARD\]:[0-9]+: 550 5\.7\.1 Service unavailable; Client host \[$STANDARD\] blocked using ers-standard; .*; from=<sender@example.net> to=<postmaster@example.org> proto=ESMTP helo=<sender.example.net>" \
		"$TESTBED/repgated.log"
	ctl set reply_stage greeting >/dev/null
	same "refused in the greeting, for now" "421 4.7.1" \
		"$(talk $QIL </dev/null | cut -d ' ' -f 1,2)"
	same "refused in the greeting, for good; then 503 to all but QUIT" "554 503 221" \
		"$(printf 'EHLO a\r\nQUIT\r\n' | talk $STANDARD | cut -c 1-3 | xargs)"
	ctl set reply_stage rcpt >/dev/null
}


# The clients' own address is not listed: it becomes so by a prefix of the zone.
greet_delay() {
	local took
	ctl set greet_delay 400ms >/dev/null
	took=$(send_mail $QIL delay1 | cut -f 3)
	check "greet_delay delays the greeting ($took ms)" test "$took" -ge 400
	same "and then it answers" "450 4.7.1" "$(reply $QIL)"
	same "a client that talks before the greeting is answered after it" "220 250 221" \
		"$(printf 'HELO early\r\nQUIT\r\n' | talk $QIL | cut -c 1-3 | xargs)"
	same "and counted" 1 "$(ctl --json stats | jq .responder.early_talkers)"
	ctl set greet_delay 0s >/dev/null
}

# A session that waits when the agent is stopped is told so (RFC 5321, 3.8).
goodbye() {
	in_clients timeout 20 perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(LocalAddr => $ARGV[0],
			PeerAddr => $ARGV[1], PeerPort => 25) or die "$@\n";
		$| = 1;
		print while <$s>;' $QIL "$MX4" >"$TESTBED/goodbye" &
	must "no greeting" wait_for 5 grep -q ^220 "$TESTBED/goodbye"
	repgate_stop
	wait $!
	check "a stop says goodbye to open sessions" grep -q "^421 4.3.2 " "$TESTBED/goodbye"
	repgate_start
}

# --- changes -------------------------------------------------------------------

changes() {
	local saved=$TESTBED/repgate/repgate.saved.conf
	ctl --config "$REPGATE_CONF" set other.action tag --save >/dev/null
	same "one zone's action" tag "$(lookup $OTHER .action)"
	same "the others keep theirs" reject "$(lookup $STANDARD .action)"
	ctl --config "$REPGATE_CONF" set qil_action drop --save >/dev/null
	check "saved beside the configuration" grep -q 'qil_action = "drop"' "$saved"
	ctl set standard_action reset >/dev/null
	check "a reload reads what was saved" ctl reload
	same "saved: still so" drop "$(lookup $QIL .action)"
	same "saved for one zone: still so" tag "$(lookup $OTHER .action)"
	same "not saved: as the file has it" reject "$(lookup $STANDARD .action)"
	ctl --config "$REPGATE_CONF" set standard_action drop --save >/dev/null
	same "a class's action replaces its zones'" drop "$(lookup $OTHER .action)"
	same "also in the file" 0 "$(grep -c other "$saved" || true)"
	repgate_stop
	repgate_start
	same "after a restart too" drop "$(lookup $QIL .action)"
	check "refused: no such action" refused ctl set qil_action nonsense
	check "refused: not for this class" refused ctl set qil_action reject
	check "refused: no such key" refused ctl set resolver 127.0.0.1
	check "refused: no such zone" refused ctl set nozone.action drop
	echo 'nonsense = 1;' >>"$saved"
	check "a broken file of saved settings is refused at reload" refused ctl reload
	check "with its name" grep -q repgate.saved.conf <(ctl --json status | jq -r .agent.reload_error)
	rm "$saved"
	check "without it the file counts" ctl reload
	same "as it stands there" tempfail "$(lookup $QIL .action)"
}

refused() {
	local status=0
	"$@" >/dev/null 2>&1 || status=$?
	[ "$status" -eq 1 ]
}

# --- lists that allow, DNS that fails ---------------------------------------------

allow_zone() {
	same "an allow list wins over Standard" approved "$(lookup $ALLOWED .class)"
	same "who is on it connects" connected "$(met $ALLOWED)"
	same "its answer 127.0.0.255 allows nobody" standard "$(lookup $REFUSED .class)"
}

dns_failure() {
	ctl set on_dns_failure tempfail >/dev/null
	ctl flush all >/dev/null
	zones_stop
	same "no DNS, on_dns_failure = tempfail: 450" "450 4.7.1" \
		"$(send_mail $CLEAN dns1 10 | cut -f 4 | cut -d ' ' -f 1,2)"
	same "for this reason" "dns failure" "$(lookup $CLEAN .reason)"
	ctl set on_dns_failure pass >/dev/null
	same "set to pass again, the peer is not refused any longer" connected "$(met $CLEAN 5000)"
	zones_start
	ctl flush all >/dev/null
}

# --- where the mail server is not here ------------------------------------------

elsewhere() {
	postfix_stop
	check "--check says that no mail server is here" grep -q "use tag, reset or drop" \
		<(in_mail "$BUILD/repgated" --config "$REPGATE_CONF" --check 2>&1)
	must "status does not notice" wait_for 5 steering_is "no server"
	ok "status says so"
	# A router: what passes XDP would go on to another host.
	in_mail sysctl -qw net.ipv4.ip_forward=1
	ip netns add behind
	ip link add toserver netns mail type veth peer name eth0 netns behind
	in_mail ip addr add 192.0.3.1/24 dev toserver
	in_mail ip link set toserver up
	ip netns exec behind ip addr add 192.0.3.2/24 dev eth0
	ip netns exec behind ip link set eth0 up
	ip netns exec behind ip route add default via 192.0.3.1
	in_clients ip route add 192.0.3.0/24 via "$MX4"
	ip netns exec behind smtp-sink -u nobody inet:0.0.0.0:25 16 >"$TESTBED/behind.log" 2>&1 &
	must "no server behind" wait_for 5 behind_listens
	same "a clean peer reaches the server behind" connected \
		"$(in_clients "$BUILD/tests/syn_client" -t 3000 192.0.3.2 25 $CLEAN | cut -f 2)"
	same "a tempfail peer does not: reset" refused \
		"$(in_clients "$BUILD/tests/syn_client" -t 700 192.0.3.2 25 $QIL | cut -f 2)"
	same "a reject peer neither: dropped" timeout \
		"$(in_clients "$BUILD/tests/syn_client" -t 700 192.0.3.2 25 $STANDARD | cut -f 2)"
	check "counted as not_local" test "$(loss not_local)" -ge 2
	# Destination NAT to a container: the address is ours, the connection goes on.
	in_mail nft -f - <<-END
	table ip nat {
		chain pre {
			type nat hook prerouting priority dstnat;
			iif mx0 ip daddr $MX4 tcp dport 25 dnat to 192.0.3.2
		}
	}
	END
	for _ in {1..12}; do met $QIL 200 >/dev/null; done
	must "destination NAT is not noticed" wait_for 15 connection_is_bypassed
	ok "destination NAT past the responder is noticed"
	same "then tempfail resets" refused "$(met $QIL)"
	same "and lookup says so" reset "$(lookup $QIL .next_syn)"
	check "and the log" grep -q "pass the responder by" "$TESTBED/repgated.log"
}

behind_listens() {
	ip netns exec behind ss -Hltn "sport = :25" | grep -q .
}

steering_is() {
	[ "$(ctl --json status | jq -r .steering.state)" = "$1" ]
}

connection_is_bypassed() {
	met $QIL 200 >/dev/null
	steering_is bypassed
}

# --- all of it ----------------------------------------------------------------

zones() {
	ers_zone standard <<-END
	$STANDARD        127.1.0.1
	2001:db8:21:11::/64 127.1.0.1
	$ALLOWED         127.1.0.1
	$REFUSED         127.1.0.1
	END
	ers_zone qil <<-END
	$QIL             127.0.0.32
	2001:db8:21:32::/64 127.0.0.32
	10.21.0.0/16     127.0.0.32
	END
	dnsbl_zone other.example <<-END
	$OTHER           127.0.0.4
	END
	dnsbl_zone allow.example <<-END
	$ALLOWED         127.0.5.1
	$REFUSED         127.0.0.255
	END
	zones_start
}

configure() {
	CONF[ers]="{ activation_code_file = \"$TESTBED/repgate/activation-code\"; standard_action = \"reject\"; }"
	CONF[zones]='{
		other = { suffix = "other.example"; kind = "standard"; action = "reject";
			url = "https://other.test/?ip=%a";
			reply = "554 5.7.1 %a is listed by %z, see %u"; };
		allow = { suffix = "allow.example"; kind = "allow"; codes = [ "127.0.2.1-127.0.9.3" ]; };
	}'
	CONF[blocked_reply]='"550 5.7.1 %a is not welcome"'
	CONF[dns_timeout]='"300ms"'
	CONF[dns_tries]=1
	CONF[failure_ttl]='"60s"'
	repgate_config
	echo "$BLOCKED" | local_list blocked one
}

main() {
	local status=0
	testbed_up
	zones
	postfix_start
	configure
	repgate_start
	same "the responder is ready" ready "$(ctl --json status | jq -r .steering.state)"
	answers
	greet_delay
	goodbye
	tag_on_wire
	tag_by_firewall
	throttle_peers
	throttle_network
	changes
	allow_zone
	dns_failure
	elsewhere
	repgate_stop || status=$?
	same "repgated ends well" 0 "$status"
	finish
}

main
