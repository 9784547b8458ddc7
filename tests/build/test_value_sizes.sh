#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_value_sizes.sh - no map has a value that a supported kernel refuses
#
# Up to Linux 5.19 the value of an array has at most KMALLOC_MAX_SIZE bytes, 4 MiB with
# pages of 4 KiB (kernel/bpf/arraymap.c), and one of a per-CPU array at most 32 KiB
# (PCPU_MIN_UNIT_SIZE). Later kernels take more, so the tests on them say nothing.
set -u
export LC_ALL=C

BUILD=${BUILD:-.build}
BPFTOOL=${BPFTOOL:-$(command -v bpftool || echo /usr/sbin/bpftool)}
status=0
for object in "$BUILD"/bpf/*.bpf.o; do
	"$BPFTOOL" -j btf dump file "$object" | jq -r '
		.types as $types
		| def type($id): $types[] | select(.id == $id);
		def resolved($id): type($id) | if (.kind | IN("TYPEDEF", "CONST", "VOLATILE")) then resolved(.type_id) else . end;
		# The number N of __uint(name, N): a pointer to an array of N elements.
		def number: type(type(.type_id).type_id).nr_elems;
		def bytes: resolved(type(.type_id).type_id) | if .kind == "ARRAY" then .nr_elems * resolved(.type_id).size else .size end;
		$types[] | select(.kind == "DATASEC" and .name == ".maps") | .vars[]
		| type(.type_id) | .name as $map | resolved(.type_id) | .members
		| { map: $map, type: (.[] | select(.name == "type") | number), value: (.[] | select(.name == "value") | bytes) }
		| "\(.map) \(.type) \(.value)"' >"$BUILD/values.log"
	# 2: BPF_MAP_TYPE_ARRAY, 6: BPF_MAP_TYPE_PERCPU_ARRAY (linux/bpf.h)
	if awk -v file="${object##*/}" '
		$2 == 6 { limit = 32768 }
		$2 != 6 { limit = 4194304 }
		$3 > limit { print file ": " $1 ": a value has " $3 " bytes, more than " limit; bad = 1 }
		$2 == 2 { arrays++ }
		END { if (NR < 20 || arrays < 8) { print file ": only " NR " maps found"; bad = 1 } exit bad }
	' "$BUILD/values.log" >"$BUILD/values.err"; then
		echo "ok - ${object##*/}: no value is larger than Linux 5.15 allows"
	else
		echo "not ok - ${object##*/}: no value is larger than Linux 5.15 allows"
		sed 's/^/    /' "$BUILD/values.err"
		status=1
	fi
done
exit "$status"
