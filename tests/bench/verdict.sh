#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# verdict.sh - ns a verdict: see verdict_cost.c
#
# ROUNDS, REPEAT (packets of each kind in a round) and SIZES can be set, and KNOWN,
# the known clean peers. By default they are as many as are listed, a million at
# most, and a million listed hosts are measured with 4,096 as well: so many are more
# than most hosts have.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" -eq 0 ] || skip "BPF programs need root"
need_cores

ROUNDS=${ROUNDS:-5}
REPEAT=${REPEAT:-300000}
PREFIXES=100000
RUNS=$(mktemp)
trap 'rm -f "$RUNS"' EXIT

# shellcheck disable=SC2016 # variables of jq
LINES='
def known: if .known == .hosts or .known == 1048576 then "" else ", \(.known | size) known" end;
def tag: " at \(.hosts | size)" + known + (if .index then ", index" else "" end);
def whole: . as $run | tag as $tag | .cases |
	at_most("listed SYN" + $tag; .listed.net_ns.median; "ns"; 140),
	at_most("known clean SYN" + $tag; .known_clean.net_ns.median; "ns"; 50),
	line("unknown SYN, held" + $tag; .unknown_held.net_ns.median; "ns"),
	line("unknown SYN of a flood" + $tag; .unknown_flood.net_ns.median; "ns"),
	at_most("SYN to another port" + $tag; .other_port.net_ns.median; "ns"; 10),
	at_most("TCP, no SYN" + $tag; .not_syn.net_ns.median; "ns"; 10),
	at_most("no TCP" + $tag; .not_tcp.net_ns.median; "ns"; 10),
	line("a read of as much memory as the hosts have" + $tag; .memory_read.ns.median; "ns");
def lookup: tag as $tag | .hosts as $hosts | .cases |
	if $hosts == 1048576 then
		at_most("verdict alone, listed" + $tag; .lookup_listed.net_ns.median; "ns"; 60),
		at_most("verdict alone, unlisted" + $tag; .lookup_unlisted.net_ns.median; "ns"; 30)
	else
		line("verdict alone, listed" + $tag; .lookup_listed.net_ns.median; "ns"),
		line("verdict alone, unlisted" + $tag; .lookup_unlisted.net_ns.median; "ns")
	end;
def of($hosts; $case): map(select(.hosts == $hosts and known == ""))[0].cases[$case].net_ns.median;
def growth: group_by(.index)[] | (.[0] | if .index then ", index" else "" end) as $tag |
	("lookup_listed", "lookup_unlisted") as $case |
	of(8388608; $case) as $big | of(1048576; $case) as $small |
	select($big and $small) |
	at_most("verdict alone, \($case[7:]), 8 M to 1 M" + $tag; $big / $small; "x"; 1.5);
{ part: "verdict", lines: [(.[] | whole, lookup), growth], runs: . }'

# measure INDEX SIZE [KNOWN]
measure() {
	local options=()
	progress "verdict: $2 listed hosts, $PREFIXES prefixes, index $1${3:+, $3 known peers}"
	[ "$1" = off ] || options=(--index)
	KNOWN=${3:-${KNOWN:-}} "$BENCH/verdict_cost" --hosts "$2" --prefixes $PREFIXES --rounds "$ROUNDS" \
		--repeat "$REPEAT" --cpu $CLIENT_CORE "${options[@]}" >>"$RUNS"
}

for index in $(index_variants); do
	for size in $SIZES; do
		measure "$index" "$size"
		[ "$index$size" != on1048576 ] || [ -n "${KNOWN:-}" ] || measure "$index" "$size" 4096
	done
done
jq -s "$BENCH_JQ $LINES" "$RUNS" >"$BENCH/verdict.json"
