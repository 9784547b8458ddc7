#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# responder.sh - how many senders a second are refused at RCPT
#
# The same client, the same listed peers, the same transaction (220, EHLO, MAIL,
# RCPT refused, QUIT) with four servers:
#
#	repgate      its responder, a smtp-sink behind it
#	smtp-sink    Postfix's test server, told to refuse each RCPT (-r RCPT)
#	sink-behind  the same behind repgate, which approves the peers: what the
#	             filter itself takes
#	smtpd        Postfix with reject_rbl_client, which asks the same zone
#
# All in turn, round by round, each started anew and warmed up. The client has
# one core and the server with its resolver another one; then the same again
# without pinning. "Server us" and "client us" are CPU time a session. "Waited"
# is how long the client wanted its core and did not get it: more than a few per
# cent of a pinned run means that something else runs here, and that the rates
# say little. ROUNDS, SECONDS_EACH and SENDERS (sessions at once) can be set.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

ROUNDS=${ROUNDS:-5}
SECONDS_EACH=${SECONDS_EACH:-4}
SENDERS=${SENDERS:-100} # as many as Postfix has processes here
PEERS=10.21.0.0/22 # 1,024, each of which comes again and again
ZONE=bl.example
SERVERS=(repgate smtp-sink sink-behind smtpd)
SERVER_CORE=0
CLIENT_CORE=1
OUT=$BUILD/bench/responder.json
PIN=yes

[ "$(nproc)" -ge 2 ] || skip "client and server need a core each"
mkdir -p "${OUT%/*}"

# pinned CORE COMMAND...
pinned() {
	local core=$1
	shift
	[ "$PIN" = no ] || set -- taskset -c "$core" "$@"
	"$@"
}

# pin PID...: to the server's core, with all that they start later
pin() {
	local pid
	[ "$PIN" = yes ] || return 0
	for pid in "$@"; do
		# Some of its threads or children may just have ended.
		taskset -acp "$SERVER_CORE" "$pid" >/dev/null || kill -0 "$pid"
	done
}

client() {
	pinned "$CLIENT_CORE" nsenter --net=/run/netns/clients -- \
		"$BUILD/tests/smtp_load" -c "$SENDERS" -t 5000 "$MX4" 25 "$PEERS" "$@"
}

# --- the servers -------------------------------------------------------------

repgate_up() {
	sink_start
	repgate_start
	SERVER_PID=${TESTBED_PID[repgated]}
}

repgate_down() {
	repgate_stop
	sink_stop
}

smtp-sink_up() {
	spawn sink4 smtp-sink -r RCPT -m 4096 -u nobody "inet:0.0.0.0:25" 16384
	must "smtp-sink does not listen" wait_for 5 tcp_open 25
	SERVER_PID=${TESTBED_PID[sink4]}
}

smtp-sink_down() {
	stop sink4 || true
}

sink-behind_up() {
	local_list approved clients <<<"$PEERS"
	smtp-sink_up
	repgate_start
}

sink-behind_down() {
	smtp-sink_down
	repgate_stop
	rm "$TESTBED/repgate/approved.d/clients.list"
}

smtpd_up() {
	postfix_start
	# With all its processes busy it would hang up right after the refusal.
	postconf -c "$TESTBED/postfix/conf" -e default_process_limit="$SENDERS" \
		maps_rbl_reject_code=450 smtpd_hard_error_limit=20 \
		"smtpd_recipient_restrictions = reject_rbl_client $ZONE"
	kill -HUP "${TESTBED_PID[postfix]}"
	SERVER_PID=${TESTBED_PID[postfix]}
}

smtpd_down() {
	postfix_stop
}

# One session of a listed peer: is it refused?
is_refused() {
	[ "$(client -n 1 | jq '.refused')" = 1 ]
}

# --- measuring ---------------------------------------------------------------

# CPU time of the server and its children, in ticks. Processes may end meanwhile.
server_ticks() {
	{ cat /proc/[0-9]*/stat 2>/dev/null || true; } | sed 's/(.*)/-/' | awk -v server="$SERVER_PID" '
		$1 == server { sum += $14 + $15 + $16 + $17 }
		$4 == server { sum += $14 + $15 }
		END { print sum + 0 }'
}

# measure SERVER ROUND: one line of JSON
measure() {
	local server=$1 round=$2 before used result
	"${server}_up"
	pin "$SERVER_PID"
	must "$server does not refuse" wait_for 20 is_refused
	must "$server fails at the first contact" client -n 2048 >/dev/null
	before=$(server_ticks)
	result=$(client -s "$SECONDS_EACH") || must "$server failed: $result" false
	used=$(($(server_ticks) - before))
	"${server}_down"
	jq -c --arg server "$server" --argjson round "$round" --arg pinned $PIN \
		--argjson used "$((used * 1000000 / $(getconf CLK_TCK)))" '
		if .refused != .sessions then error("not all were refused: \(.)") else . end |
		{ server: $server, pinned: ($pinned == "yes"), round: $round,
		  sessions, seconds, sessions_per_second, latency_us,
		  server_us_per_session: ($used / .sessions),
		  client_us_per_session: (1e6 * .cpu_seconds / .sessions),
		  client_waited: (.cpu_wait_seconds / .seconds) }' <<<"$result"
}

# Each round begins with another server.
all_rounds() {
	local round i
	for ((round = 0; round < ROUNDS; round++)); do
		for ((i = 0; i < ${#SERVERS[@]}; i++)); do
			measure "${SERVERS[(round + i) % ${#SERVERS[@]}]}" $((round + 1))
		done
	done
}

# --- the report --------------------------------------------------------------

# shellcheck disable=SC2016 # variables of jq
SUMMARY='
def median: sort | if length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def spread: { median: median, min: min, max: max };
def of($server): map(select(.server == $server));
def ratio($server): [group_by(.round)[] | select((of($server) | length) > 0) |
	(of("repgate")[0].sessions_per_second / of($server)[0].sessions_per_second)] | spread;
def summary: {
	servers: (group_by(.server) | map({ (.[0].server): {
		sessions_per_second: (map(.sessions_per_second) | spread),
		p50_us: (map(.latency_us.p50) | median),
		p99_us: (map(.latency_us.p99) | median),
		server_us_per_session: (map(.server_us_per_session) | median),
		client_us_per_session: (map(.client_us_per_session) | median),
		client_waited: (map(.client_waited) | median) } }) | add),
	repgate_to: { "smtp-sink": ratio("smtp-sink"),
		"sink-behind": ratio("sink-behind"), smtpd: ratio("smtpd") } };
def aim($what; $got; $want): { what: $what, got: $got, want: $want, met: ($got >= $want) };
. as $rounds |
{ part: "responder", senders: $senders, seconds_each: $seconds,
  pinned: (map(select(.pinned)) | summary),
  unpinned: (map(select(.pinned | not)) | summary) } |
. + { aims: [
	aim("repgate / smtp-sink"; .pinned.repgate_to["smtp-sink"].median; 1),
	aim("repgate / smtpd"; .pinned.repgate_to.smtpd.median; 20),
	aim("repgate, sessions/s"; .pinned.servers.repgate.sessions_per_second.median; 20000)],
  rounds: $rounds }'

# shellcheck disable=SC2016
TABLE='
def table($name): .[$name] as $part | $part.servers | to_entries |
	sort_by(-.value.sessions_per_second.median)[] | .value as $value |
	[$name, .key, ($value.sessions_per_second | .median, .min, .max | round),
	 ($part.repgate_to[.key].median // 1 | . * 100 | round / 100),
	 $value.p50_us, $value.p99_us, ($value.server_us_per_session | . * 10 | round / 10),
	 ($value.client_us_per_session | . * 10 | round / 10),
	 ($value.client_waited * 1000 | round / 10)];
["cores", "server", "sessions/s", "min", "max", "repgate/it", "p50 us", "p99 us",
 "server us", "client us", "waited %"], table("pinned"), table("unpinned") | @tsv'

AIMS='.aims[] | "\(if .met then "met   " else "missed" end)  \(.what): " +
	"\(.got * 100 | round / 100), wanted at least \(.want)"'

testbed_up
echo "10.21.0.0/16 127.0.0.2" | dnsbl_zone $ZONE 86400
zones_start
echo "nameserver 127.0.0.1" >"$TESTBED/resolv.conf"
mount --bind "$TESTBED/resolv.conf" /etc/resolv.conf
unset 'CONF[ers]'
CONF[zones]="{ one = { suffix = \"$ZONE\"; kind = \"qil\"; action = \"tempfail\"; }; }"
repgate_config

for PIN in yes no; do
	pin "${TESTBED_PID[rbldnsd]}" "${TESTBED_PID[unbound]}"
	all_rounds
	# Where they began, for what is not pinned.
	for name in rbldnsd unbound; do
		taskset -acp "0-$(($(nproc) - 1))" "${TESTBED_PID[$name]}" >/dev/null
	done
done >"$TESTBED/rounds"
jq -s --argjson senders "$SENDERS" --argjson seconds "$SECONDS_EACH" "$SUMMARY" \
	"$TESTBED/rounds" >"$OUT"
printf '%d rounds of %d s, %d senders at once; medians of rounds, time in all\n' \
	"$ROUNDS" "$SECONDS_EACH" "$SENDERS"
jq -r "$TABLE" "$OUT" | awk -F '\t' '{ printf "%-9s %-12s", $1, $2
	for (i = 3; i <= NF; i++) printf " %10s", $i; print "" }'
jq -r "$AIMS" "$OUT"
jq -r '.pinned.servers.repgate.client_waited | select(. > 0.05) |
	"Disturbed: other processes had the client'"'"'s core \(. * 100 | round) % of the time."' "$OUT"
