#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# connect.sh - what an unknown clean peer waits longer than DNS takes
#
# Each DNS answer takes DNS_MS. In each round hosts that nobody has seen connect,
# one after the other and BURST at once; then the same hosts again, which are known
# now: a bare connection. What DNS took for each of them, that very answer, is told
# by dns_delay: from the question's arrival there until the answer left. What is
# left is repgate's: the copy of the SYN to the agent, the agent, and the SYN's way
# back; and what a bare connection takes, of which the median is taken off.
#
# Clients and agent have a core each, and share them with DNS. Nobody accepts the
# connections: what a mail server does with them would be part of the times of others.
#
# Medians and p99 are of all connections. ROUNDS, BURST and DNS_MS can be set.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_cores
testbed_reexec "$0" "$@"

ROUNDS=${ROUNDS:-5}
BURST=${BURST:-300}
DNS_MS=${DNS_MS:-20}
ALONE=25 # a round, one after the other

# hosts KIND ROUND COUNT: new ones for each kind and round
hosts() {
	local i
	for ((i = 0; i < $3; i++)); do
		echo "10.21.$((($1 * 20 + $2) * 2 + i / 250)).$((i % 250 + 1))"
	done
}

# connect FILE <HOSTS: adds who connected, and in how many microseconds
connect() {
	in_clients taskset -c $CLIENT_CORE "$BUILD/tests/syn_client" -n -c 4000 -f - "$MX4" 25 >"$TESTBED/met"
	awk -F '\t' '$2 != "connected" || $4 != 1 { bad++ } END { exit bad > 0 }' "$TESTBED/met" ||
		progress "connect: $(awk -F '\t' '$2 != "connected" || $4 != 1' "$TESTBED/met" | wc -l) " \
			"of $1 did not connect by their first SYN"
	cut -f 1,3 "$TESTBED/met" >>"$TESTBED/met-$1"
}

# known_to_resolver <HOSTS: so that DNS_MS is all that an answer takes
known_to_resolver() {
	in_mail "$BENCH/dns_time" 127.0.0.1 53 bl.example >/dev/null
}

one_round() {
	local host
	{
		hosts 0 "$1" $ALONE
		hosts 1 "$1" "$BURST"
	} | known_to_resolver
	while read -r host; do
		echo "$host" | connect unknown-alone
		echo "$host" | connect bare-alone
	done < <(hosts 0 "$1" $ALONE)
	hosts 1 "$1" "$BURST" | connect unknown-burst
	hosts 1 "$1" "$BURST" | connect bare-burst
}

# split_dns BURST: from met-unknown-BURST, what DNS took of it and what was left. Of a question that
# was asked again the last answer counts.
split_dns() {
	awk -F '\t' -v dns="$TESTBED/us-dns-$1" -v over="$TESTBED/us-over-$1" '
		NR == FNR { split($1, part, "."); took[part[4] "." part[3] "." part[2] "." part[1]] = $2; next }
		!($1 in took) { lost++; next }
		{ print took[$1] >dns; print $2 - took[$1] >over }
		END { exit lost > 0 }' "$TESTBED/answers" "$TESTBED/met-unknown-$1" ||
		must "a connection without an answer from DNS" false
}

# samples INDEX: a line for each kind of times
samples() {
	local burst what
	for burst in alone burst; do
		split_dns $burst
		for what in bare unknown; do
			cut -f 2 "$TESTBED/met-$what-$burst" >"$TESTBED/us-$what-$burst"
		done
		for what in dns bare unknown over; do
			jq -sc --arg index "$1" --arg what $what --arg burst $burst '
				sort | { index: $index, what: $what, burst: $burst, count: length,
				median_us: .[length / 2 | floor], p99_us: .[length * 99 / 100 | floor],
				min_us: .[0], max_us: .[-1] }' "$TESTBED/us-$what-$burst"
		done
	done
}

one_variant() {
	local round
	progress "connect: $ROUNDS rounds, DNS takes $DNS_MS ms, index $1"
	with_index "$1"
	repgate_config
	repgate_start
	taskset -apc $SERVER_CORE "${TESTBED_PID[repgated]}" >/dev/null
	rm -f "$TESTBED"/met-* "$TESTBED"/us-*
	: >"$TESTBED/answers"
	for ((round = 0; round < ROUNDS; round++)); do
		one_round "$round"
	done
	repgate_stop || true
	rm -rf "$REPGATE_PINS" "$TESTBED/repgate/state"
	samples "$1" >>"$TESTBED/samples"
}

# shellcheck disable=SC2016 # variables of jq
REPORT='
def tag: if .index == "on" then ", index" else "" end;
def pick($index; $what; $burst):
	map(select(.index == $index and .what == $what and .burst == $burst))[0];
. as $all |
{ part: "connect", dns_ms: $dns_ms, samples: ., lines: [
	([.[].index] | unique[]) as $index | ("alone", "burst") as $burst |
	($all | pick($index; "unknown"; $burst)) as $unknown |
	($all | pick($index; "bare"; $burst)) as $bare | ($all | pick($index; "dns"; $burst)) as $dns |
	($all | pick($index; "over"; $burst)) as $over |
	((if $burst == "alone" then "one at a time" else "\($at_once) at once" end) +
		($unknown | tag)) as $who |
	line("bare connection, " + $who; $bare.median_us; "us"),
	line("unknown clean peer, " + $who; $unknown.median_us; "us"),
	line("DNS, " + $who; $dns.median_us; "us"),
	at_most("unknown clean peer over a bare connection and DNS, " + $who;
		($over.median_us - $bare.median_us) / 1000; "ms"; 0.5),
	at_most("the same, p99, " + $who;
		($over.p99_us - $bare.median_us) / 1000; "ms"; 2) ] }'

# Keeps what connects in its backlog, the known and the unknown of all rounds.
listener_start() {
	local backlog=65536
	in_mail sysctl -qw net.core.somaxconn=$backlog net.ipv4.tcp_max_syn_backlog=$backlog
	# shellcheck disable=SC2016 # variables of perl
	spawn listener perl -MIO::Socket::INET -e '
		my $listener = IO::Socket::INET->new(LocalPort => 25, Listen => $ARGV[0], ReuseAddr => 1)
			or die "port 25: $!";
		sleep' $backlog
	must "nobody listens" wait_for 5 tcp_open 25
}

testbed_up
one_zone
zones_start
listener_start
delay_start "$DNS_MS" --times "$TESTBED/answers"
for variant in $(index_variants); do
	one_variant "$variant"
done
jq -s --argjson dns_ms "$DNS_MS" --argjson at_once "$BURST" "$BENCH_JQ $REPORT" \
	"$TESTBED/samples" >"$BENCH/connect.json"
