#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# memory.sh - what a million listed hosts and a million known peers take
#
# An agent makes the maps and is stopped, fill_pins fills them, and another agent
# takes them over. Both run in a memory control group of their own, to which the
# kernel charges maps, slab and all else that it allocates for them. Where there
# is none, the growth of /proc/meminfo says as much, if nothing else runs. Pages of
# maps that the agent has mapped are the kernel's, and not counted for it again.
#
# Twice all known peers are in `peers`, which is made large enough. The third time
# it has its default size: a million peers send their first SYN, are asked about
# and found clean, and most go from `peers` when others come. Then all of them send
# again, which shows who is still known: he passes without a question. The last
# time the listed hosts stand in a local list, not in a zone. HOSTS and RATE, new
# peers a second, can be set.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

HOSTS=${HOSTS:-1048576}
RATE=${RATE:-20000}
BAR_MIB=244 # 256 MB
# To take a million verdicts over may last longer than an agent's start in the tests.
TESTBED_SLOW=6
SAMPLES=$TESTBED/samples
unset KNOWN # of the other parts: here as many are known as are listed

# The group outlives the testbed: it is made and removed here, outside.
group_root() {
	if grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
		echo /sys/fs/cgroup
	elif [ -e /sys/fs/cgroup/memory/memory.kmem.usage_in_bytes ]; then
		echo /sys/fs/cgroup/memory
	fi
}

if [ -z "${TESTBED_INSIDE:-}" ] && [ "$(id -u)" -eq 0 ]; then
	GROUP=
	root=$(group_root)
	if [ -n "$root" ] && mkdir "$root/repgate-bench-$$" 2>/dev/null; then
		GROUP=$root/repgate-bench-$$
		# The second version shows a controller's files only where its parent hands it on.
		[ -e "$GROUP/memory.stat" ] || { rmdir "$GROUP"; GROUP=; }
	fi
	export GROUP
	status=0
	(testbed_reexec "$0" "$@") || status=$?
	[ -z "$GROUP" ] || rmdir "$GROUP" || true
	exit "$status"
fi
testbed_reexec "$0" "$@"

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

# The kernel frees the maps of the agent before in the background. Steady: less than 1 MiB in half a second.
memory_is_steady() {
	local before change
	before=$(kernel_bytes)
	sleep 0.5
	change=$(($(kernel_bytes) - before))
	[ "${change#-}" -lt 1048576 ]
}

meminfo_bytes() {
	awk '/^(Slab|VmallocUsed|Percpu|PageTables|KernelStack):/ { sum += $2 }
		END { printf "%.0f\n", sum * 1024 }' /proc/meminfo
}

# Bytes that the agent has in memory, without the maps' pages: those are mappings of
# the file "anon_inode:bpf-map", and count as RssFile.
agent_bytes() {
	awk '/^[0-9a-f]+-[0-9a-f]+ / { is_map = index($0, "anon_inode:bpf-map") > 0 }
		$1 == "Rss:" && !is_map { sum += $2 }
		END { printf "%.0f\n", sum * 1024 }' "/proc/${TESTBED_PID[repgated]}/smaps"
}

taken_over() {
	[ "$(ctl --json status | jq '[.maps[] | select(.name == "verdicts").entries][0]')" -ge "$HOSTS" ]
}

idle() {
	[ "$(ctl --json stats | jq .inquiries.open)" -eq 0 ]
}

# syns SEED: one SYN of each known peer
syns() {
	in_clients "$BUILD/tests/syn_flood" --rate "$RATE" --bursts --sources "$TESTBED/known" --seed "$1" \
		--seconds $(((HOSTS + RATE - 1) / RATE)) cl0 02:00:00:00:00:25 "$MX4" 25
}

# asked: peers that had to be asked about so far
asked() {
	ctl --json stats | jq '.inquiries.begun'
}

# round SEED: each known peer sends; SENT, AGAIN: SYNs, and peers that had to be asked about
round() {
	local before
	before=$(asked)
	SENT=$(syns "$1" | jq .sent)
	must "inquiries are still open" wait_for 30 idle
	AGAIN=$(($(asked) - before))
}

# learn: they become known by asking, then send once more. A machine that is busy
# loses SYNs on the way: so a few rounds may be needed until all have been asked about.
learn() {
	local seed
	for seed in 1 2 3 4; do
		round "$seed"
		[ "$seed" -eq 1 ] || [ "$AGAIN" -gt $((HOSTS / 100)) ] || break
	done
	round 5
}

# one_variant on|off MAX_PEERS zone|list: the index, 0 for the default, and who lists the hosts
one_variant() {
	local before before_meminfo began took known=$HOSTS settings=("max_verdicts = $HOSTS;" "max_list = $HOSTS;")
	SENT=0 AGAIN=0
	progress "memory: $HOSTS hosts listed by a $3, as many known peers, index $1, max_peers ${2/#0/default}"
	with_index "$1"
	if [ "$2" -gt 0 ]; then
		settings+=("max_peers = $2;")
	else
		known=0
		settings+=("new_peers_per_second = 1000000;" "max_inquiries = 100000;" "dns_in_flight = 20000;")
	fi
	repgate_config "${settings[@]}" "keep_on_stop = true;"
	sed -i "s/^resolver = .*/resolver = \"127.0.0.1:5300\";/" "$REPGATE_CONF"
	[ "$3" = zone ] || cp "$TESTBED/hosts" "$TESTBED/repgate/blocked.d/hosts.list"
	wait_for 30 memory_is_steady || progress "memory: the kernel's memory still changes"
	before=$(kernel_bytes)
	before_meminfo=$(meminfo_bytes)
	began=$(now_us)
	repgate_start
	if [ "$3" = zone ]; then
		repgate_stop || true
		"$BENCH/fill_pins" "$REPGATE_PINS" "$HOSTS" "$known"
		began=$(now_us)
		repgate_start
		must "the verdicts were not taken over" wait_for 30 taken_over
	fi
	took=$(($(now_us) - began))
	[ "$known" -gt 0 ] || learn
	jq -nc --arg index "$1" --argjson max_peers "$2" --arg listed "$3" --arg by "${GROUP:+cgroup}" \
		--argjson took "$took" --argjson kernel $(($(kernel_bytes) - before)) \
		--argjson meminfo $(($(meminfo_bytes) - before_meminfo)) \
		--argjson agent "$(agent_bytes)" --argjson anon "$(agent_memory RssAnon)" \
		--argjson rss "$(agent_memory VmRSS)" --argjson peak "$(agent_memory VmHWM)" \
		--argjson sent "$SENT" --argjson again "$AGAIN" --argjson status "$(ctl --json status)" \
		'{ index: $index, listed_by: $listed, max_peers: $max_peers, take_over_seconds: ($took / 1e6),
		   by: (if $by == "" then "meminfo" else $by end),
		   kernel_mib: ($kernel / 1048576), meminfo_mib: ($meminfo / 1048576),
		   agent_mib: ($agent / 1048576), agent_anon_mib: ($anon / 1024),
		   agent_rss_mib: ($rss / 1024), agent_peak_mib: ($peak / 1024),
		   sent: $sent, asked_again: $again, entries: $status.index, maps: $status.maps }' >>"$SAMPLES"
	repgate_stop || true
	rm -rf "$REPGATE_PINS" "$TESTBED/repgate/state" "$TESTBED/repgate/blocked.d/hosts.list"
}

# shellcheck disable=SC2016 # variables of jq
REPORT='
def tag: (if .index == "on" then ", index" else "" end) +
	(if .max_peers == 0 then ", default max_peers" else "" end) +
	(if .listed_by == "list" then ", local list" else "" end);
{ part: "memory", hosts: $hosts, samples: ., lines: [ .[] |
	line("kernel, by \(.by)" + tag; .kernel_mib; "MiB"),
	line("start of an agent that takes over or loads them" + tag; .take_over_seconds; "s"),
	line("agent, without pages of maps" + tag; .agent_mib; "MiB"),
	(select(.sent > 0) | line("of \(.sent) SYNs of known peers, pass unasked" + tag; .sent - .asked_again; "")),
	at_most("kernel and agent, \($hosts) listed and as many known" + tag;
		.kernel_mib + .agent_mib; "MiB"; $bar) ] }'

testbed_up
one_zone
zones_start
sink_start
# Nobody answers those SYNs.
in_mail nft -f - <<-END
table inet behind {
	chain input {
		type filter hook input priority 0; policy accept;
		iifname mx0 tcp dport 25 drop
	}
}
END
"$BENCH/addresses" clean "$HOSTS" | perl -ne 'print pack "C4", split /\./' >"$TESTBED/known"
in_group >"$TESTBED/in_group"
chmod +x "$TESTBED/in_group"
REPGATED=$TESTBED/in_group
for variant in $(index_variants); do
	# An LRU map evicts before it is full.
	one_variant "$variant" $((HOSTS * 9 / 8)) zone
done
one_variant on 0 zone
"$BENCH/addresses" listed "$HOSTS" >"$TESTBED/hosts"
one_variant on 0 list
jq -s --argjson hosts "$HOSTS" --argjson bar $BAR_MIB "$BENCH_JQ $REPORT" \
	"$SAMPLES" >"$BENCH/memory.json"
