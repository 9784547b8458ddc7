#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# agent.sh - new peers a second that the agent can resolve
#
# SYNs of hosts that nobody has seen come at RATES a second for SECONDS_EACH, each
# of another host. What counts is what was resolved by the end of that time; what
# was still open then, mostly for a question that rbldnsd had lost, is told too. The zone is asked at rbldnsd itself: another resolver in between
# would be measured instead. The agent has one core; generator, filter and name
# server share the other one. A peer is resolved when its SYN has been released;
# what passes is dropped by nftables, so that nothing but repgate is at work.
# "Limited by" names what was busy or what was lost. SECONDS_EACH and RATES can be set.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_cores
testbed_reexec "$0" "$@"

RATES=${RATES:-10000 20000 50000}
SECONDS_EACH=${SECONDS_EACH:-10}
NET=10.64.0.0/10 # more hosts than come
MAC=02:00:00:00:00:25
SAMPLES=$TESTBED/samples

# pin_to CORE NAME
pin_to() {
	taskset -acp "$1" "${TESTBED_PID[$2]}" >/dev/null
}

stats() {
	ctl --json stats
}

# ns that the agent's loop wanted its core and did not have it, but for its other threads
agent_wait_ns() {
	local pid=${TESTBED_PID[repgated]}
	awk -v "loop=/proc/$pid/task/$pid/schedstat" '
		{ sum += FILENAME == loop ? $2 : -$1 }
		END { printf "%.0f\n", sum }' "/proc/$pid"/task/*/schedstat
}

# waited_since NS: 0 at least, as other threads run also while the loop wants nothing
waited_since() {
	local ns=$(($(agent_wait_ns) - $1))
	echo $((ns > 0 ? ns : 0))
}

# Questions that got no answer
unanswered() {
	ctl --json zones | jq "[.zones[].failed[]?] | add // 0"
}

# Has everything that was begun been answered or given up?
idle() {
	[ "$(stats | jq .inquiries.open)" -eq 0 ]
}

measure() {
	local rate=$1 index=$2 seed=$3 before after rss agent waited server result began took at_end
	with_index "$index"
	repgate_config "new_peers_per_second = 1000000;" "max_peers = 1500000;" \
		"max_inquiries = 100000;" "dns_in_flight = 20000;"
	sed -i "s/^resolver = .*/resolver = \"127.0.0.1:5300\";/" "$REPGATE_CONF"
	repgate_start
	pin_to $SERVER_CORE repgated
	before=$(stats)
	agent=$(agent_cpu_us) waited=$(agent_wait_ns) server=$(cpu_us "${TESTBED_PID[rbldnsd]}") rss=$(agent_memory VmRSS)
	began=$(now_us)
	result=$(in_clients "$BUILD/tests/syn_flood" --cpu $CLIENT_CORE --rate "$rate" --bursts \
		--seconds "$SECONDS_EACH" --source $NET --once --seed "$seed" cl0 $MAC "$MX4" 25)
	at_end=$(stats)
	# All that was taken on, and the time until the last of it was resolved.
	wait_for 20 idle || progress "agent: inquiries are still open"
	took=$(($(now_us) - began))
	after=$(stats)
	agent=$(($(agent_cpu_us) - agent)) waited=$(waited_since "$waited")
	server=$(($(cpu_us "${TESTBED_PID[rbldnsd]}") - server))
	jq -nc --arg index "$index" --argjson rate "$rate" --argjson flood "$result" \
		--argjson before "$before" --argjson after "$after" --argjson took "$took" --argjson at_end "$at_end" \
		--argjson agent "$agent" --argjson waited "$waited" --argjson server "$server" --argjson rss "$rss" \
		--argjson unanswered "$(unanswered)" --argjson rss_after "$(agent_memory VmRSS)" --argjson peak "$(agent_memory VmHWM)" \
		"$SAMPLE" >>"$SAMPLES"
	repgate_stop || true
	rm -rf "$REPGATE_PINS" "$TESTBED/repgate/state"
}

# shellcheck disable=SC2016 # variables of jq
SAMPLE='
def released: .inquiries.released - $before.inquiries.released;
($after | released) as $resolved | ($at_end | released) as $in_time |
([$after.losses | to_entries[] | .value -= ($before.losses[.key] // 0) |
	select(.value > 0 and .key != "sample_limit")] | from_entries) as $losses |
{ index: $index, offered: $rate, sent: $flood.sent, lost_on_the_way: $flood.dropped, resolved: $resolved,
  resolved_in_time: $in_time, per_second: ($in_time / $flood.seconds), agent_busy: ($agent / $took),
  agent_waited: ($waited / 1000 / $took), dns_busy: ($server / $took),
  cpu_seconds_per_100k: ($agent / 1e6 / ([$resolved, 1] | max) * 1e5),
  rss_kib_per_100k: (($rss_after - $rss) / ([$resolved, 1] | max) * 1e5),
  peak_kib: $peak, unanswered: $unanswered, losses: $losses } |
.limit = (if .resolved >= 0.98 * .sent then "nothing: all that came"
	elif .agent_busy + .agent_waited > 0.9 then "the agent: its core is busy" +
		(if .agent_waited > 0.05 then ", \(100 * .agent_waited | round) % of the time with others"
		 else "" end)
	elif .dns_busy > 0.6 then "the name server: its core is busy"
	elif .unanswered > .sent / 50 then "the name server: \(.unanswered) questions unanswered"
	elif .lost_on_the_way > .sent / 50 then "the generator: frames were lost"
	elif ($losses | length) > 0 then "losses: \($losses | keys | join(", "))"
	else "other processes on the machine" end)'

# shellcheck disable=SC2016
REPORT='
def tag: if .index == "on" then ", index" else "" end;
{ part: "agent", seconds_each: $seconds, samples: ., lines: [ .[] |
	("\(.offered) new peers/s" + tag) as $what |
	(if .offered >= 50000 then at_least($what + ", resolved"; .per_second; "/s"; 0.95 * .offered)
	 else line($what + ", resolved"; .per_second; "/s") end),
	line($what + ", agent CPU per 100,000"; .cpu_seconds_per_100k; "s"),
	line($what + ", agent memory per 100,000"; .rss_kib_per_100k / 1024; "MiB"),
	line($what + ", of them still open at the end"; .resolved - .resolved_in_time; "peers"),
	line($what + ", limited by"; null; .limit) ] }'

testbed_up
testbed_senders $NET
one_zone
zones_start
pin_to $CLIENT_CORE rbldnsd
in_mail nft -f - <<-END
table inet behind {
	chain input {
		type filter hook input priority 0; policy accept;
		ip saddr $NET drop
	}
}
END
seed=1
for variant in $(index_variants); do
	for rate in $RATES; do
		progress "agent: $rate new peers a second, index $variant"
		measure "$rate" "$variant" $((seed++))
	done
done
jq -s --argjson seconds "$SECONDS_EACH" "$BENCH_JQ $REPORT" "$SAMPLES" >"$BENCH/agent.json"
