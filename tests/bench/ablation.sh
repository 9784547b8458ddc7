#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ablation.sh - what each mechanism of the index is worth: see ablation.c and ablation_table.c
#
# ROUNDS (99) and SIZES can be set, and KNOWN, the known clean peers (as many as are listed, a million at
# most). Ratios are to the whole index, measured beside it: 1.2 means that a lookup takes 20 % longer
# without the mechanism.

# shellcheck source-path=SCRIPTDIR source=lib.sh
SIZES=${SIZES:-4096 131072 1048576}
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" -eq 0 ] || skip "BPF programs need root"
need_cores

ROUNDS=${ROUNDS:-99}
RUNS=$(mktemp)
TABLES=$(mktemp)
trap 'rm -f "$RUNS" "$TABLES"' EXIT

# shellcheck disable=SC2016 # variables of jq
LINES='
def name: { whole: "the whole index, a copy", filter: "the filter'"'"'s own reader", no_filters: "no filters",
	fixed_filters: "filters of one size, 1 MiB", no_near: "no near bits", no_check_bit: "no check-lists bit",
	no_pairs: "no pairs", wide_slots: "slots of eight bytes", hash_and_filters: "kernel hash, filters",
	hash: "kernel hash", tries: "the tries" }[.];
def ways: ["listed", "known_clean", "unlisted"][];
def lookups: (.hosts | size) as $size | . as $run |
	(["whole", "filter", "no_filters", "fixed_filters", "no_near", "no_check_bit", "no_pairs", "wide_slots",
	  "hash_and_filters", "hash", "tries"][]) as $reader | ways as $way | $run[$reader][$way] |
	if $reader == "whole" then line("\($reader | name), \($way), at \($size)"; .ns.median; "ns")
	else line("\($reader | name), \($way), at \($size)"; .ratio.median; "x") end;
def table: (.hosts | size) as $size |
	line("hosts without a slot, at \($size)"; .overflow.hosts; ""),
	line("memory in which each has a slot, at \($size)"; .overflow.bytes_without / .overflow.bytes; "x"),
	line("listed hosts missed, slots emptied at once, at \($size)"; .emptied.wrong_4; "%"),
	line("others left to the trie, tombstones kept, at \($size)"; .never_emptied.ask_4; "%"),
	line("the same, as it is, at \($size)"; .tombstones.ask_4; "%"),
	line("a host put, at \($size)"; .load.put_ns; "ns"),
	line("a host put into a kernel hash, at \($size)"; .load.hash_put_ns; "ns"),
	line("memory of a kernel hash, at \($size)"; .load.hash_bytes / .load.bytes; "x");
def once: (.scales | to_entries[] |
	line("life of \(.key) s left to the trie, two scales"; .value.two; "%"),
	line("the same, one scale"; .value.one; "%")),
	line("out of force at each switch, with one bank"; .banks.switch_ms; "ms");
{ part: "ablation", lines: [($runs[] | lookups), ($tables[] | table), ($tables[-1] | once)],
  runs: $runs, tables: $tables }'

for size in $SIZES; do
	progress "ablation: $size listed hosts"
	"$BENCH/ablation" --hosts "$size" --rounds "$ROUNDS" --cpu $CLIENT_CORE >>"$RUNS"
	"$BENCH/ablation_table" "$size" >>"$TABLES"
done
jq -n --slurpfile runs "$RUNS" --slurpfile tables "$TABLES" "$BENCH_JQ $LINES" >"$BENCH/ablation.json"
