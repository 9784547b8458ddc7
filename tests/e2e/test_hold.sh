#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_hold.sh - the first SYN of an unknown peer waits exactly as long as DNS
#
# Each DNS answer takes 50 ms. Clean peers connect after that, never by a
# retransmission; listed ones get no SYN-ACK at all: tcpdump on their side looks.
# Repeated in native and generic mode, by one peer and by 300 at once.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

DNS_MS=50
BURST=300
# More than DNS may take one peer, in the median; and 300 at once, whose
# questions also queue at the resolver and at what delays it.
ONE_SLACK_US=3000
MANY_SLACK_US=30000

# burst FAMILY NUMBER KIND: addresses of a family; those of a number and kind
# are used once only. KIND is 0 for clean, 1 for listed.
burst() {
	local prefix=10.21.$(($2 * 2 + $3)) i
	if [ "$1" = 4 ]; then
		seq -f "$prefix.%g" 1 250
		seq -f "${prefix/10.21./10.21.1}.%g" 1 $((BURST - 250))
	else
		for ((i = 0; i < BURST; i++)); do
			printf '2001:db8:21:%x::25\n' \
				$((0x1000 * ($2 + 1) + 0x800 * $3 + i))
		done
	fi
}

# Every other peer of kind 1 is in Standard (1), the others in QIL (0).
listed_zone() {
	local number
	for number in 0 1; do
		{
			burst 4 "$number" 1
			burst 6 "$number" 1
		} | awk -v half="$1" 'NR % 2 == half { print $1, half ? "127.1.0.1" : "127.0.0.32" }'
	done
}

# connect FILE [OPTION...]: one line each: source outcome us syns
connect() {
	local file=$1
	shift
	in_clients "$BUILD/tests/syn_client" -n -c 4000 "$@" -f "$file" \
		"$MX4,$MX6" 25
}

# column FILE NUMBER: what is in it, counted
column() {
	cut -f "$2" "$1" | sort | uniq -c | awk '{ print $2 "=" $1 }' | xargs
}

median() {
	cut -f 3 "$1" | sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'
}

highest() {
	cut -f 3 "$1" | sort -n | tail -n 1
}

sniff_ready() {
	grep -q 'listening on' "$TESTBED/sniff.log"
}

# SYN-ACKs that reach the clients, whomever they are for
sniff_start() {
	rm -f "$TESTBED/sniff.log"
	nsenter --net=/run/netns/clients -- tcpdump -n -l -i cl0 \
		'(tcp[tcpflags] & (tcp-syn|tcp-ack) == (tcp-syn|tcp-ack)) or
		(ip6[6] == 6 and ip6[53] & 0x12 == 0x12)' \
		>"$TESTBED/synacks" 2>"$TESTBED/sniff.log" &
	TESTBED_PID[sniff]=$!
	must "tcpdump does not listen" wait_for 10 sniff_ready
}

# synacks FILE: how many SYN-ACKs went to its addresses
synacks() {
	awk 'NR == FNR { listed[$1]; next }
		{ to = $5; sub(/\.[0-9]+:$/, "", to); n += to in listed }
		END { print n + 0 }' "$1" "$TESTBED/synacks"
}

synacks_seen() {
	[ "$(synacks "$1")" -ge "$2" ]
}

# resolver_knows <ADDRESSES: the answers about them are in the resolver's cache,
# so that what is measured is the delay and repgate.
resolver_knows() {
	perl -MSocket=:all -ne '
		chomp;
		my $name = /:/ ? join(".", reverse split(//, unpack("H*", inet_pton(AF_INET6, $_))))
			: join(".", reverse split(/\./));
		print "$name.'"$ERS_LABEL.$ERS_STANDARD"'\n$name.'"$ERS_LABEL.$ERS_QIL"'\n";' \
		>"$TESTBED/names"
	in_mail dig @127.0.0.1 +short -f "$TESTBED/names" >/dev/null
}

# at_once NAME NUMBER: 300 clean and 300 listed peers of each family
at_once() {
	local name=$1 number=$2 family clean=$TESTBED/clean listed=$TESTBED/listed took
	local most=$((2 * DNS_MS * 1000 + MANY_SLACK_US))
	for family in 4 6; do
		burst "$family" "$number" 0 >"$clean"
		burst "$family" "$number" 1 >"$listed"
		resolver_knows <"$clean"
		connect "$clean" >"$TESTBED/met"
		same "$name, IPv$family: $BURST clean peers connect" \
			"connected=$BURST" "$(column "$TESTBED/met" 2)"
		same "$name, IPv$family: none by a retransmission" "1=$BURST" \
			"$(column "$TESTBED/met" 4)"
		took=$(median "$TESTBED/met")
		if [ "$took" -ge $most ]; then
			# Something else may have had the processor. The same peers, unknown again.
			echo "# $name, IPv$family: median $took us: once more"
			ctl flush all >/dev/null
			connect "$clean" >"$TESTBED/met"
			took=$(median "$TESTBED/met")
		fi
		check "$name, IPv$family: median $took us, highest $(highest "$TESTBED/met") us" \
			test "$took" -lt $most
		connect "$listed" -t 1500 >"$TESTBED/met"
		same "$name, IPv$family: listed peers do not" \
			"refused=$((BURST / 2)) timeout=$((BURST / 2))" \
			"$(column "$TESTBED/met" 2)"
		check "$name, IPv$family: SYN-ACKs for clean peers were seen" \
			wait_for 5 synacks_seen "$clean" "$BURST"
		same "$name, IPv$family: none for listed ones" 0 "$(synacks "$listed")"
	done
}

# held NAME QUESTIONS SUBNET: what an unknown clean peer waits is DNS, so many
# questions after each other, and 3 ms at most. One peer after the other, each
# twice: the second time it is known, and its time is that of the connection.
held() {
	local name=$1 dns=$(($2 * DNS_MS * 1000)) i address plain held
	: >"$TESTBED/held"
	: >"$TESTBED/plain"
	for ((i = $3; i < $3 + 25; i++)); do
		for address in "203.0.113.$i" "2001:db8:21:$i::25"; do
			connect <(echo "$address") >>"$TESTBED/held"
			connect <(echo "$address") >>"$TESTBED/plain"
		done
	done
	same "$name: 50 peers, one by one, without retransmission" \
		"connected=50 1=50" "$(column "$TESTBED/held" 2) $(column "$TESTBED/held" 4)"
	plain=$(median "$TESTBED/plain")
	held=$(median "$TESTBED/held")
	check "$name: held for $((held - plain)) us, of which DNS $dns" \
		test $((held - plain)) -ge "$dns" -a \
		$((held - plain)) -le $((dns + ONE_SLACK_US))
}

# An unknown peer that opens several connections at once: all of them wait for
# the same answer. QUESTIONS: one of each zone.
several() {
	local name=$1 address question
	for address in 198.51.100.77 2001:db8:21:77::25; do
		: >"$TESTBED/queries"
		for _ in 1 2 3 4 5; do echo "$address"; done >"$TESTBED/several"
		connect "$TESTBED/several" >"$TESTBED/met"
		same "$name: 5 connections at once of $address" "connected=5" \
			"$(column "$TESTBED/met" 2)"
		same "$name: none by a retransmission" "1=5" "$(column "$TESTBED/met" 4)"
		question=$(cut -f 1 "$TESTBED/queries" | sed "s/.*$ERS_LABEL\.//" |
			sort | xargs)
		same "$name: one question to each zone" "$ERS_QIL $ERS_STANDARD" \
			"$question"
	done
	# Each host of a /64 is judged by itself.
	: >"$TESTBED/queries"
	printf '%s\n' 2001:db8:21:78::{1,2,3} >"$TESTBED/several"
	connect "$TESTBED/several" >"$TESTBED/met"
	same "$name: 3 hosts of one /64 connect, without retransmission" \
		"connected=3 1=3" "$(column "$TESTBED/met" 2) $(column "$TESTBED/met" 4)"
	same "$name: and are asked about, each in two zones" 6 "$(wc -l <"$TESTBED/queries")"
}

no_loss() {
	same "$1: nothing was lost" '{}' "$(ctl --json stats | jq -c \
		'.losses | del(.sample_limit) | with_entries(select(.value > 0))')"
}

# agent XDP_MODE UNKNOWN [LINE]
agent() {
	CONF[xdp_mode]="\"$1\""
	CONF[unknown]="\"$2\""
	repgate_config "${@:3}"
	repgate_start
	same "$1, $2: is in that mode" "$1 $2" "$(ctl --json status |
		jq -r '"\(.interfaces[0].mode) \(.unknown)"')"
}

ended() {
	repgate_stop || not_ok "$1: repgated stops" "status $?"
}

is_known() {
	[ "$(lookup "$1" .known)" = true ]
}

# unknown = pass: the first connection gets through, the next one does not.
unknown_pass() {
	agent native pass
	printf '%s\n' 10.21.201.1 2001:db8:21:f201::25 >"$TESTBED/listed"
	connect "$TESTBED/listed" -t 1500 >"$TESTBED/met"
	same "pass: unknown listed peers connect at first" "connected=2" \
		"$(column "$TESTBED/met" 2)"
	check "pass: they wait for nothing" test "$(highest "$TESTBED/met")" -lt 20000
	check "pass: they are judged" wait_for 5 is_known 10.21.201.1
	check "pass: IPv6, too" wait_for 5 is_known 2001:db8:21:f201::25
	connect "$TESTBED/listed" -t 400 >"$TESTBED/met"
	same "pass: then they do not" "timeout=2" "$(column "$TESTBED/met" 2)"
	ended pass
}

# unknown = drop: the SYN is dropped; its retransmission after 1 s meets the
# verdict.
unknown_drop() {
	agent native drop
	printf '%s\n' 198.51.100.5 2001:db8:21:f001::25 >"$TESTBED/clean"
	connect "$TESTBED/clean" >"$TESTBED/met"
	same "drop: unknown clean peers connect by a retransmission" \
		"connected=2 2=2" "$(column "$TESTBED/met" 2) $(column "$TESTBED/met" 4)"
	printf '%s\n' 10.21.202.1 2001:db8:21:f202::25 >"$TESTBED/listed"
	connect "$TESTBED/listed" -t 2500 >"$TESTBED/met"
	same "drop: listed ones do not" "timeout=2" "$(column "$TESTBED/met" 2)"
	same "drop: no SYN-ACK for them" 0 "$(synacks "$TESTBED/listed")"
	ended drop
}

testbed_up
{
	listed_zone 1
	printf '%s 127.1.0.1\n' 10.21.201.1 10.21.202.1 2001:db8:21:f201::/64 \
		2001:db8:21:f202::/64
} | ers_zone standard
listed_zone 0 | ers_zone qil
dnsbl_zone bl.example </dev/null
zones_start
delay_start "$DNS_MS"
sink_start
sniff_start
number=0
for mode in native generic; do
	agent "$mode" hold
	# Standard, then QIL.
	held "$mode" 2 1
	several "$mode"
	at_once "$mode" "$number"
	no_loss "$mode"
	ended "$mode"
	number=$((number + 1))
done

# One zone: one question.
ERS=${CONF[ers]}
unset 'CONF[ers]'
agent native hold 'zones = { one = { suffix = "bl.example"; kind = "standard"; }; };'
held "one zone" 1 101
ended "one zone"
CONF[ers]=$ERS

unknown_pass
unknown_drop
stop sniff INT || true
finish
