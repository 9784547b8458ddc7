/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which SYNs came lately: tells a retransmission from a new SYN. The map `attempts` has sets of 16
 * slots, a cache line each. A slot is the upper 20 bits of half a hash, and the time in seconds.
 */
#ifndef REPGATE_ATTEMPT_BPF_H
#define REPGATE_ATTEMPT_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"

#define ATTEMPT_TIME_MASK 0xfffU
#define ATTEMPT_TAG_SHIFT 32 /* the upper half of the hash: the lower one chose the set */

/*
 * Notes a hash; second: of the SYN's time. Returns 1 for the first SYN with this hash in
 * RG_ATTEMPT_SECONDS, 0 for a retransmission. In a full set the oldest slot is overwritten; the
 * retransmission of that SYN then counts as a first one.
 *
 * A global function: the verifier walks its branches once, not once for each of the 2^16 ways to it.
 */
__attribute__((noinline)) __u32 note_attempt(__u64 hash, __u32 second)
{
	__u32 tag = (__u32)(hash >> ATTEMPT_TAG_SHIFT) & ~ATTEMPT_TIME_MASK, oldest_age = 0;
	__u32 index = hash & (RG_ATTEMPT_SETS - 1), oldest = 0;
	struct rg_attempt_set *set = bpf_map_lookup_elem(&attempts, &index);

	if (impossible(!set))
		return 1;
	for (__u32 i = 0; i < RG_ATTEMPT_WAYS; i++) {
		__u32 slot = set->slots[i];
		__u32 age = (second - slot) & ATTEMPT_TIME_MASK;

		if (!slot)
			age = ATTEMPT_TIME_MASK;
		else if ((slot & ~ATTEMPT_TIME_MASK) == tag && age < RG_ATTEMPT_SECONDS)
			return 0;
		if (age > oldest_age) {
			oldest_age = age;
			oldest = i;
		}
	}
	set->slots[oldest & (RG_ATTEMPT_WAYS - 1)] = tag | (second & ATTEMPT_TIME_MASK);
	return 1;
}

#endif
