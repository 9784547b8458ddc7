#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh - all measurements, or those that are named
#
#	tests/bench/run.sh [PART...]
#
#	verdict    ns a verdict, by BPF_PROG_TEST_RUN
#	ablation   what each mechanism of the index is worth
#	drop       a flood on veth: repgate and other filters, against bare XDP_DROP
#	lists      a list of a million lines: load, swap, and nobody meets a wrong verdict
#	memory     of a million listed hosts and a million known peers
#	agent      new peers a second, and what they cost the agent
#	connect    what an unknown clean peer waits longer than DNS takes
#	responder  sessions a second
#
# A part is a script tests/bench/PART.sh, whose head says how it measures and what
# can be set. It writes $BUILD/bench/PART.json, and what it says meanwhile goes to
# stderr and $BUILD/bench/PART.log. In the end there is one table of all, on
# stdout, and $BUILD/bench/results.json with all figures and the machine they were
# measured on; drop.svg is a plot. A part that can't run here ends with 77, as the
# tests do. Bars that are missed do not make the bench fail: it measures.
set -uo pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${BUILD:-$here/../../.build}" && pwd) || exit 1
export BUILD
out=$BUILD/bench
all=(verdict ablation drop lists memory agent connect responder)
mkdir -p "$out"

machine() {
	jq -n --arg kernel "$(uname -r)" --arg arch "$(uname -m)" --argjson cores "$(nproc)" \
		--arg cpu "$(sed -n 's/^model name[ \t]*: //p' /proc/cpuinfo | head -n 1)" \
		--arg date "$(date -u +%FT%TZ)" \
		'{ kernel: $kernel, arch: $arch, cpu: $cpu, cores: $cores, date: $date }'
}

# run PART: its exit status
run() {
	printf '\n== %s\n' "$1" >&2
	rm -f "$out/$1.json"
	timeout --foreground --kill-after=10 1800 "$here/$1.sh" </dev/null 2>&1 | tee "$out/$1.log" >&2
	return "${PIPESTATUS[0]}"
}

# The rows of a part; the responder's are its aims.
# shellcheck disable=SC2016 # variables of jq
TABLE='
def number: if . == null then "-" elif . == 0 then "0" elif (. | fabs) >= 100 then "\(round)"
	elif (. | fabs) >= 10 then "\(. * 10 | round / 10)" else "\(. * 100 | round / 100)" end;
del(.machine)[] | .part as $part |
(.lines // [.aims[] | { what, value: .got, unit: "", bar: .want, least: true, met }])[] |
[$part, .what, (.value | number), .unit,
 (if .bar == null then "" else (if .least then ">= " else "<= " end) + (.bar | number) end),
 (if .met == null then "" elif .met then "met" else "missed" end)] | @tsv'

table() {
	printf '%s\n' "$(jq -r '.machine | "\(.cpu), \(.cores) cores, Linux \(.kernel), \(.date)"' \
		"$out/results.json")"
	{
		printf 'part\twhat\tmedian\tunit\tbar\t\n'
		jq -r "$TABLE" "$out/results.json"
	} | awk -F '\t' '
		{ for (i = 1; i <= 6; i++) cell[NR, i] = $i
		  for (i = 1; i <= 5; i++) if (length($i) > width[i]) width[i] = length($i) }
		END {
			if (width[4] > 12) width[4] = 12
			for (row = 1; row <= NR; row++)
				printf "%-*s  %-*s  %*s %-*s  %-*s  %s\n", width[1], cell[row, 1],
					width[2], cell[row, 2], width[3], cell[row, 3],
					width[4], cell[row, 4], width[5], cell[row, 5], cell[row, 6]
		}' | sed 's/ *$//'
}

plot() {
	[ -s "$out/drop.json" ] || return 0
	jq -r '.cases[] | select(.traffic == "uniform" and .filter != "repgate-few") |
		[.size, .filter, .ns.median, .share] | @tsv' "$out/drop.json" |
		awk -f "$here/plot.awk" >"$out/drop.svg"
}

if [ "$#" -gt 0 ]; then names=("$@"); else names=("${all[@]}"); fi
failed=()
measured=()
for name in "${names[@]}"; do
	[[ " ${all[*]} " == *" $name "* ]] || { echo "no such part: $name (${all[*]})" >&2; exit 2; }
done
for name in "${names[@]}"; do
	status=0
	run "$name" || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 77 ] || failed+=("$name")
	[ "$status" -ne 0 ] || [ -s "$out/$name.json" ] || failed+=("$name")
	[ ! -s "$out/$name.json" ] || measured+=("$out/$name.json")
done
{
	machine | jq '{ machine: . }'
	[ "${#measured[@]}" -eq 0 ] || jq '{ (.part): . }' "${measured[@]}"
} | jq -s add >"$out/results.json"
plot
echo
table
printf '\nAll figures: %s\n' "$out/results.json"
[ ${#failed[@]} -eq 0 ] || { printf 'Failed: %s\n' "${failed[*]}"; exit 1; }
