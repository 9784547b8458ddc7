#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# connect.sh - what an unknown clean peer waits longer than DNS takes
#
# Each DNS answer takes DNS_MS. In each round hosts that nobody has seen connect,
# one after the other and CROWD at once; then the same hosts again, which are known
# now: a bare connection. DNS's own time is measured beside it, by questions to the
# same server, as many at once. What is left is repgate's: the copy of the SYN to
# the agent, the agent, and the SYN's way back.
#
# Medians are of all connections. For p99, of which there is no difference from
# connection to connection, it is p99 of unknown peers less p99 of DNS and the
# median of a bare connection. ROUNDS, CROWD and DNS_MS can be set.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
bed_reexec "$0" "$@"

ROUNDS=${ROUNDS:-5}
CROWD=${CROWD:-300}
DNS_MS=${DNS_MS:-20}
ALONE=25 # a round, one after the other

# hosts KIND ROUND COUNT: new ones for each kind and round
hosts() {
	local i
	for ((i = 0; i < $3; i++)); do
		echo "10.21.$((($1 * 20 + $2) * 2 + i / 250)).$((i % 250 + 1))"
	done
}

# connect FILE <HOSTS: adds the microseconds of those who connect by their first SYN
connect() {
	in_clients "$BUILD/tests/syn_client" -n -c 4000 -f - "$MX4" 25 >"$BED/met"
	awk -F '\t' '$2 != "connected" || $4 != 1 { bad++ } END { exit bad > 0 }' "$BED/met" ||
		progress "connect: $(awk -F '\t' '$2 != "connected" || $4 != 1' "$BED/met" | wc -l) " \
			"of $1 did not connect by their first SYN"
	cut -f 3 "$BED/met" >>"$BED/us-$1"
}

# dns FILE [OPTION] <HOSTS
dns() {
	in_mail "$BENCH/dns_time" "${@:2}" "${RESOLVER%:*}" "${RESOLVER#*:}" bl.bed >>"$BED/us-$1"
}

# known_to_resolver <HOSTS: so that DNS_MS is all that an answer takes
known_to_resolver() {
	in_mail "$BENCH/dns_time" 127.0.0.1 53 bl.bed >/dev/null
}

one_round() {
	local host
	{
		hosts 0 "$1" $ALONE
		hosts 1 "$1" "$CROWD"
		hosts 2 "$1" $ALONE
		hosts 3 "$1" "$CROWD"
	} | known_to_resolver
	hosts 0 "$1" $ALONE | dns dns-alone
	hosts 1 "$1" "$CROWD" | dns dns-crowd --at-once
	while read -r host; do
		echo "$host" | connect unknown-alone
		echo "$host" | connect bare-alone
	done < <(hosts 2 "$1" $ALONE)
	hosts 3 "$1" "$CROWD" | connect unknown-crowd
	hosts 3 "$1" "$CROWD" | connect bare-crowd
}

one_variant() {
	local round
	progress "connect: $ROUNDS rounds, DNS takes $DNS_MS ms, index $1"
	with_index "$1"
	repgate_config
	repgate_start
	rm -f "$BED"/us-*
	for ((round = 0; round < ROUNDS; round++)); do
		one_round "$round"
	done
	repgate_stop || true
	rm -rf "$REPGATE_PINS" "$BED/repgate/state"
	for what in dns bare unknown; do
		for crowd in alone crowd; do
			jq -sc --arg index "$1" --arg what $what --arg crowd $crowd '
				sort | { index: $index, what: $what, crowd: $crowd, count: length,
				median_us: .[length / 2 | floor], p99_us: .[length * 99 / 100 | floor],
				min_us: .[0], max_us: .[-1] }' "$BED/us-$what-$crowd"
		done
	done >>"$BED/samples"
}

# shellcheck disable=SC2016 # variables of jq
REPORT='
def tag: if .index == "on" then ", index" else "" end;
def pick($index; $what; $crowd):
	map(select(.index == $index and .what == $what and .crowd == $crowd))[0];
. as $all |
{ part: "connect", dns_ms: $dns_ms, samples: ., lines: [
	([.[].index] | unique[]) as $index | ("alone", "crowd") as $crowd |
	($all | pick($index; "unknown"; $crowd)) as $unknown |
	($all | pick($index; "bare"; $crowd)) as $bare | ($all | pick($index; "dns"; $crowd)) as $dns |
	((if $crowd == "alone" then "one at a time" else "\($at_once) at once" end) +
		($unknown | tag)) as $who |
	line("bare connection, " + $who; $bare.median_us; "us"),
	line("unknown clean peer, " + $who; $unknown.median_us; "us"),
	line("DNS, " + $who; $dns.median_us; "us"),
	at_most("unknown clean peer over a bare connection and DNS, " + $who;
		($unknown.median_us - $bare.median_us - $dns.median_us) / 1000; "ms"; 0.5),
	at_most("the same, p99, " + $who;
		($unknown.p99_us - $bare.median_us - $dns.p99_us) / 1000; "ms"; 2) ] }'

bed_up
one_zone
zones_start
sink_start
delay_start "$DNS_MS"
for variant in $(index_variants); do
	one_variant "$variant"
done
jq -s --argjson dns_ms "$DNS_MS" --argjson at_once "$CROWD" "$BENCH_JQ $REPORT" \
	"$BED/samples" >"$BENCH/connect.json"
