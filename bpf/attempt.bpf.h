/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Remembers the latest SYNs, to tell a retransmission from a new SYN. The map `attempts` has sets of 16
 * slots, a cache line each. A slot is the upper bits of half a hash, and the time: see struct rg_attempt_set.
 */
#ifndef REPGATE_ATTEMPT_BPF_H
#define REPGATE_ATTEMPT_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"
#include "parse.bpf.h"

#define ATTEMPT_TIME_MASK 0xfffU
#define ATTEMPT_TAG_SHIFT 32 /* the upper half of the hash: the lower one chose the set */

/* A slot of a SYN: its tag is shorter, and these bits are the part of the second, in units of 2^25 ns. */
#define SYN_TIME_MASK 0x1ffffU
#define SYN_FRACTION_SHIFT 12
#define SYN_FRACTION_MASK 31
#define SYN_FRACTION_UNIT 25

/* All bits if value is 0, else none. Not a branch: the verifier would walk both ways, for each slot. */
static __always_inline __u32 ones_if_empty(__u32 slot)
{
	return keep_value((__s64)((__u64)slot - 1) >> 63);
}

/* Which slot is overwritten next: an empty one, or the oldest. */
static __always_inline __u32 oldest_slot(const struct rg_attempt_set *set, __u32 time)
{
	__u64 oldest = 0;

	for (__u32 i = 0; i < RG_ATTEMPT_WAYS; i++) {
		__u32 slot = set->slots[i];
		__u64 age = ((time - slot) | ones_if_empty(slot)) & ATTEMPT_TIME_MASK;
		__u64 rank = age * RG_ATTEMPT_WAYS + (RG_ATTEMPT_WAYS - 1 - i);

		/* The greater one, again without a branch. */
		oldest += (rank - oldest) & ~keep_value((__s64)(rank - oldest) >> 63);
	}
	return RG_ATTEMPT_WAYS - 1 - (oldest & (RG_ATTEMPT_WAYS - 1));
}

/*
 * Finds a hash that was noted in the last RG_ATTEMPT_SECONDS, and returns its slot. Otherwise notes it with
 * these time bits, and returns 0. mask: of the bits that are no tag; the low 12 of time are seconds. In a full
 * set the oldest slot is overwritten; a retransmission of that SYN then counts as a first one.
 *
 * A global function: the verifier walks its branches once, not once for each of the 2^16 ways to it.
 */
__attribute__((noinline)) __u64 find_or_note(__u64 hash, __u32 time, __u32 mask)
{
	__u32 tag = (__u32)(hash >> ATTEMPT_TAG_SHIFT) & ~mask;
	__u32 index = hash & (RG_ATTEMPT_SETS - 1);
	struct rg_attempt_set *set = bpf_map_lookup_elem(&attempts, &index);

	if (impossible(!set))
		return 0;
	for (__u32 i = 0; i < RG_ATTEMPT_WAYS; i++) {
		__u32 slot = set->slots[i];

		if (unlikely(slot && ((slot ^ tag) & ~mask) == 0 &&
			     ((time - slot) & ATTEMPT_TIME_MASK) < RG_ATTEMPT_SECONDS))
			return slot;
	}
	set->slots[oldest_slot(set, time) & (RG_ATTEMPT_WAYS - 1)] = tag | (time & mask);
	return 0;
}

/*
 * Notes a connection by its hash; second: of the SYN's time. Returns 1 for the first SYN with this hash in
 * RG_ATTEMPT_SECONDS, 0 for a retransmission.
 */
static __always_inline __u32 note_attempt(__u64 hash, __u32 second)
{
	return !find_or_note(hash, second & ATTEMPT_TIME_MASK, ATTEMPT_TIME_MASK);
}

/* 1: the hash was noted as a connection in the last RG_ATTEMPT_SECONDS, and a little before. Notes nothing. */
__attribute__((noinline)) int was_noted(__u64 hash, __u32 second)
{
	__u32 tag = (__u32)(hash >> ATTEMPT_TAG_SHIFT) & ~ATTEMPT_TIME_MASK;
	__u32 index = hash & (RG_ATTEMPT_SETS - 1);
	struct rg_attempt_set *set = bpf_map_lookup_elem(&attempts, &index);

	if (impossible(!set))
		return 0;
	for (__u32 i = 0; i < RG_ATTEMPT_WAYS; i++) {
		__u32 slot = set->slots[i];

		if (slot && (slot & ~ATTEMPT_TIME_MASK) == tag &&
		    ((second - slot) & ATTEMPT_TIME_MASK) < RG_ATTEMPT_SECONDS + 5)
			return 1;
	}
	return 0;
}

/*
 * Notes a SYN by its hash. Returns 1 if the same SYN came before, at least RG_RETRY_TIME ago: no TCP
 * retransmits earlier (RFC 6298, 2.1 and 5.7). An earlier repeat changes nothing, so the one that comes in time
 * is still recognised.
 */
static __always_inline __u32 is_retransmission(__u64 hash, const struct rg_syn *syn)
{
	__u64 part = syn->now - (__u64)syn->second * RG_NSEC_PER_SEC;
	__u32 fraction = part >> SYN_FRACTION_UNIT & SYN_FRACTION_MASK;
	__u32 slot = find_or_note(hash,
				  (syn->second & ATTEMPT_TIME_MASK) | fraction << SYN_FRACTION_SHIFT,
				  SYN_TIME_MASK);
	__s64 age, parts;

	if (!slot)
		return 0;
	age = (syn->second - slot) & ATTEMPT_TIME_MASK;
	parts = (__s64)fraction - (slot >> SYN_FRACTION_SHIFT & SYN_FRACTION_MASK);
	/* The fractions are cut off: the true time may be a unit shorter. */
	return age * (__s64)RG_NSEC_PER_SEC + (parts - 1) * (1 << SYN_FRACTION_UNIT) >=
	       (__s64)RG_RETRY_TIME;
}

#endif
