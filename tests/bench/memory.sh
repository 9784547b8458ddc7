#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# memory.sh - what a million listed hosts and a million known peers take
#
# An agent makes the maps and is stopped, fill_pins fills them, and another agent
# takes them over. Both run in a memory control group of their own, to which the
# kernel charges maps, slab and all else that it allocates for them. Where there
# is none, the growth of /proc/meminfo says as much, if nothing else runs.
# HOSTS can be set.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

HOSTS=${HOSTS:-1048576}
BAR_MIB=256
# To take a million verdicts over may last longer than an agent's start in the tests.
BED_SLOW=6
SAMPLES=$BED/samples

# The group outlives the bed: it is made and removed here, outside.
group_root() {
	if grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
		echo /sys/fs/cgroup
	elif [ -e /sys/fs/cgroup/memory/memory.kmem.usage_in_bytes ]; then
		echo /sys/fs/cgroup/memory
	fi
}

if [ -z "${BED_INSIDE:-}" ] && [ "$(id -u)" -eq 0 ]; then
	GROUP=
	root=$(group_root)
	if [ -n "$root" ] && mkdir "$root/repgate-bench-$$" 2>/dev/null; then
		GROUP=$root/repgate-bench-$$
		# The second version shows a controller's files only where its parent hands it on.
		[ -e "$GROUP/memory.stat" ] || { rmdir "$GROUP"; GROUP=; }
	fi
	export GROUP
	status=0
	(bed_reexec "$0" "$@") || status=$?
	[ -z "$GROUP" ] || rmdir "$GROUP" || true
	exit "$status"
fi
bed_reexec "$0" "$@"

# in_group: what starts the agent
in_group() {
	cat <<-END
	#!/bin/sh
	[ -z "$GROUP" ] || echo 0 >"$GROUP/cgroup.procs"
	exec "$BUILD/repgated" "\$@"
	END
}

# Bytes that the kernel has for the group, or for all.
kernel_bytes() {
	if [ -e "${GROUP:-/nowhere}/memory.kmem.usage_in_bytes" ]; then
		cat "$GROUP/memory.kmem.usage_in_bytes"
	elif [ -n "$GROUP" ]; then
		awk '$1 == "kernel" { print $2 }' "$GROUP/memory.stat"
	else
		meminfo_bytes
	fi
}

meminfo_bytes() {
	awk '/^(Slab|VmallocUsed|Percpu|PageTables|KernelStack):/ { sum += $2 }
		END { printf "%.0f\n", sum * 1024 }' /proc/meminfo
}

taken_over() {
	[ "$(ctl --json status | jq '[.maps[] | select(.name == "verdicts").entries][0]')" -ge "$HOSTS" ]
}

one_variant() {
	local before before_meminfo began took
	progress "memory: $HOSTS listed hosts, as many known peers, index $1"
	with_index "$1"
	# An LRU map evicts before it is full.
	repgate_config "max_verdicts = $HOSTS;" "max_peers = $((HOSTS * 9 / 8));" \
		"keep_on_stop = true;"
	sleep 1
	before=$(kernel_bytes)
	before_meminfo=$(meminfo_bytes)
	repgate_start
	repgate_stop || true
	"$BENCH/fill_pins" "$REPGATE_PINS" "$HOSTS"
	began=$(now_us)
	repgate_start
	took=$(($(now_us) - began))
	must "the verdicts were not taken over" wait_for 30 taken_over
	jq -nc --arg index "$1" --arg by "${GROUP:+cgroup}" \
		--argjson took "$took" --argjson kernel $(($(kernel_bytes) - before)) \
		--argjson meminfo $(($(meminfo_bytes) - before_meminfo)) \
		--argjson agent "$(agent_memory VmRSS)" --argjson anon "$(agent_memory RssAnon)" \
		--argjson peak "$(agent_memory VmHWM)" --argjson maps "$(ctl --json status | jq .maps)" \
		'{ index: $index, take_over_seconds: ($took / 1e6), by: (if $by == "" then "meminfo" else $by end),
		   kernel_mib: ($kernel / 1048576), meminfo_mib: ($meminfo / 1048576),
		   agent_rss_mib: ($agent / 1024), agent_anon_mib: ($anon / 1024),
		   agent_peak_mib: ($peak / 1024), maps: $maps }' >>"$SAMPLES"
	repgate_stop || true
	rm -rf "$REPGATE_PINS" "$BED/repgate/state"
	sleep 2 # the kernel frees maps in the background
}

# shellcheck disable=SC2016 # variables of jq
REPORT='
def tag: if .index == "on" then ", index" else "" end;
{ part: "memory", hosts: $hosts, samples: ., lines: [ .[] |
	line("kernel, by \(.by)" + tag; .kernel_mib; "MiB"),
	line("start of an agent that takes them over" + tag; .take_over_seconds; "s"),
	line("agent, resident" + tag; .agent_rss_mib; "MiB"),
	at_most("kernel and agent, \($hosts) listed and as many known" + tag;
		.kernel_mib + .agent_rss_mib; "MiB"; $bar) ] }'

bed_up
one_zone
zones_start
sink_start
in_group >"$BED/in_group"
chmod +x "$BED/in_group"
REPGATED=$BED/in_group
for variant in $(index_variants); do
	one_variant "$variant"
done
jq -s --argjson hosts "$HOSTS" --argjson bar $BAR_MIB "$BENCH_JQ $REPORT" \
	"$SAMPLES" >"$BENCH/memory.json"
