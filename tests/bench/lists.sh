#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lists.sh - a list of a million lines: how long it takes to load and to swap,
# and whether everybody meets what he should meanwhile
#
# "Load" is `repgatectl reload` with a list that was not there before, "swap" the
# same with a list of which half the lines are others, "start" an agent's start
# with the list there, until it answers. While lists are swapped again and again,
# hosts connect that are in every list (they must never get in), that are
# approved, and that are known as clean (they always must, by their first SYN).
# LINES_EACH and ROUNDS can be set.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
testbed_reexec "$0" "$@"

ROUNDS=${ROUNDS:-3}
LINES_EACH=${LINES_EACH:-1000000}
RATE=200 # connections a second, of each kind
SAMPLES=$TESTBED/samples
WRONG=$TESTBED/wrong

# list NUMBER: the hosts of each list that stay, and half of the others'
list() {
	local half=$((LINES_EACH / 2))
	seq -f "10.21.2.%g" 1 200
	head -n $half "$TESTBED/hosts"
	sed -n "$((half + 1 + $1 * half)),$((half + ($1 + 1) * half - 200))p" "$TESTBED/hosts"
}

put_list() {
	cp "$TESTBED/list$1" "$TESTBED/repgate/blocked.d/big.new"
	mv "$TESTBED/repgate/blocked.d/big.new" "$TESTBED/repgate/blocked.d/big.list"
}

# reload: how long it took, in us
reload() {
	local began
	began=$(now_us)
	must "the reload was refused" ctl reload >/dev/null
	echo $(($(now_us) - began))
}

in_force() {
	[ "$(ctl --json status | jq .lists.entries)" -ge "$1" ]
}

# Waits until no load has ended for 0.7 s: the agent also reloads 200 ms after a change in the directory.
wait_for_quiet() {
	local before=-1 now
	now=$(ctl --json status | jq .agent.reloads)
	while [ "$now" != "$before" ]; do
		before=$now
		sleep 0.7
		now=$(ctl --json status | jq .agent.reloads)
	done
}

sample() {
	jq -nc --arg index "$INDEX" --arg what "$1" --argjson us "$2" \
		'{ index: $index, what: $what, seconds: ($us / 1e6) }' >>"$SAMPLES"
}

# wave: one second of each kind: 1 approved, 2 listed, 3 known clean
wave() {
	local net pids=()
	for net in 1 2 3; do
		in_clients "$BUILD/tests/syn_client" -n -f <(seq -f "10.21.$net.%g" 1 $RATE) \
			-r $RATE -c 1000 -t 900 "$MX4" 25 >>"$TESTBED/met$net" &
		pids+=($!)
	done
	wait "${pids[@]}"
}

waves() {
	while [ ! -e "$TESTBED/over" ]; do
		wave
	done
}

# outcomes NET OUTCOME: connections that met it, those by a retransmission left out
outcomes() {
	awk -F '\t' -v outcome="$2" '$2 == outcome && (outcome != "connected" || $4 == 1)' \
		"$TESTBED/met$1" | wc -l
}

swap_under_traffic() {
	local round pid
	rm -f "$TESTBED"/met? "$TESTBED/over"
	waves &
	pid=$!
	for ((round = 0; round < ROUNDS; round++)); do
		put_list $((1 - round % 2))
		sample swap "$(reload)"
		wait_for_quiet
	done
	touch "$TESTBED/over"
	wait $pid
	jq -nc --arg index "$INDEX" --argjson tried "$(cat "$TESTBED"/met? | wc -l)" \
		--argjson listed_in "$(outcomes 2 connected)" \
		--argjson approved_out "$(($(wc -l <"$TESTBED/met1") - $(outcomes 1 connected)))" \
		--argjson clean_out "$(($(wc -l <"$TESTBED/met3") - $(outcomes 3 connected)))" \
		--argjson silent "$(ctl --json stats | jq .losses.agent_silent)" \
		'{ index: $index, tried: $tried, listed_in: $listed_in, approved_out: $approved_out,
		   clean_out: $clean_out, agent_silent: $silent }' >>"$WRONG"
}

one_variant() {
	local began
	INDEX=$1
	progress "lists: $LINES_EACH lines, index $INDEX"
	with_index "$INDEX"
	repgate_config "max_list = $((LINES_EACH * 2));"
	rm -f "$TESTBED/repgate/blocked.d/big.list"
	repgate_start
	# Known from here on.
	in_clients "$BUILD/tests/syn_client" -q -f <(seq -f "10.21.3.%g" 1 $RATE) "$MX4" 25
	put_list 0
	sample load "$(reload)"
	must "the list is not in force" wait_for 30 in_force $((LINES_EACH - 10))
	wait_for_quiet
	swap_under_traffic
	repgate_stop || true
	began=$(now_us)
	repgate_start
	sample start $(($(now_us) - began))
	must "the list is not in force" wait_for 30 in_force $((LINES_EACH - 10))
	repgate_stop || true
	rm -rf "$TESTBED/repgate/state"
}

# shellcheck disable=SC2016 # variables of jq
REPORT='
def tag: if .index == "on" then ", index" else "" end;
{ part: "lists", lines_each: $each, samples: ., wrong: $wrong, lines: [
	(group_by([.index, .what])[] | (.[0] | "\(.what) \(if .what == "start" then "with" else "of" end) a list of \($each) lines" + tag) as $what |
		at_most($what; map(.seconds) | median; "s"; 2)),
	($wrong[] | at_most("wrong verdicts of \(.tried) while lists were swapped" + tag;
		.listed_in + .approved_out + .clean_out; ""; 0)) ] }'

testbed_up
one_zone
zones_start
sink_start
"$BENCH/addresses" listed $((LINES_EACH * 3 / 2)) >"$TESTBED/hosts"
list 0 >"$TESTBED/list0"
list 1 >"$TESTBED/list1"
repgate_config # makes the directories
seq -f "10.21.1.%g" 1 $RATE | local_list approved friends
for variant in $(index_variants); do
	one_variant "$variant"
done
jq -s --argjson each "$LINES_EACH" --slurpfile wrong "$WRONG" "$BENCH_JQ $REPORT" \
	"$SAMPLES" >"$BENCH/lists.json"
