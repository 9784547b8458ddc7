#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh - all measurements, or those that are named
#
#	tests/bench/run.sh [PART...]
#
# A part is a script tests/bench/PART.sh. It prints its table and writes what it
# measured to $BUILD/bench/PART.json; its log is $BUILD/bench/PART.log. In the
# end $BUILD/bench/all.json holds all of them and the machine they were measured
# on. A part that can't run here ends with 77, as the tests do.
set -uo pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(cd "${BUILD:-$here/../../.build}" && pwd) || exit 1
export BUILD
out=$BUILD/bench
mkdir -p "$out"

parts() {
	local script
	for script in "$here"/*.sh; do
		[ "$script" -ef "$0" ] || basename "$script" .sh
	done
}

machine() {
	jq -n --arg kernel "$(uname -r)" --arg arch "$(uname -m)" --argjson cores "$(nproc)" \
		--arg cpu "$(sed -n 's/^model name[ \t]*: //p' /proc/cpuinfo | head -n 1)" \
		--arg date "$(date -u +%FT%TZ)" \
		'{ kernel: $kernel, arch: $arch, cpu: $cpu, cores: $cores, date: $date }'
}

# run PART: its exit status
run() {
	printf '\n== %s\n' "$1"
	rm -f "$out/$1.json"
	timeout --kill-after=10 1800 "$here/$1.sh" </dev/null 2>&1 | tee "$out/$1.log"
	return "${PIPESTATUS[0]}"
}

[ "$#" -gt 0 ] || mapfile -t names < <(parts)
[ "$#" -eq 0 ] || names=("$@")
failed=()
for name in "${names[@]}"; do
	[ -x "$here/$name.sh" ] || { echo "no such part: $name" >&2; exit 2; }
	status=0
	run "$name" || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 77 ] || failed+=("$name")
	[ "$status" -ne 0 ] || [ -s "$out/$name.json" ] || failed+=("$name")
done
measured=()
for name in "${names[@]}"; do
	[ ! -s "$out/$name.json" ] || measured+=("$out/$name.json")
done
{
	machine | jq '{ machine: . }'
	[ "${#measured[@]}" -eq 0 ] || jq '{ (.part): . }' "${measured[@]}"
} | jq -s add >"$out/all.json"
printf '\nAll figures: %s\n' "$out/all.json"
[ ${#failed[@]} -eq 0 ] || { printf 'Failed: %s\n' "${failed[*]}"; exit 1; }
