/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting. The counters are per-CPU and only written in softirq, where a CPU is not interrupted by
 * another packet: a plain ++ loses nothing.
 */
#ifndef REPGATE_STATS_BPF_H
#define REPGATE_STATS_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"

static __always_inline void count(__u32 index)
{
	struct rg_count *counter = bpf_map_lookup_elem(&stats, &index);

	if (counter) /* index is below RG_STAT_MAX: always, the verifier wants it */
		counter->packets++;
}

static __always_inline void count_attempts(__u32 index, __u64 attempts)
{
	struct rg_count *counter = bpf_map_lookup_elem(&stats, &index);

	if (counter)
		counter->attempts += attempts;
}

static __always_inline void count_loss(enum rg_loss loss)
{
	count(RG_STAT_LOSSES + loss);
}

/*
 * The clock costs 38 ns, jiffies nothing: it is read once in each tick. So a time may be a tick old;
 * nothing that ends by it ends early.
 */
static __always_inline struct rg_cpu *this_cpu(void)
{
	__u64 jiffies = bpf_jiffies64();
	__u32 zero = 0;
	struct rg_cpu *cpu = bpf_map_lookup_elem(&cpus, &zero);
	__u64 second;

	if (!cpu || likely(cpu->jiffies == jiffies))
		return cpu;
	cpu->now = bpf_ktime_get_boot_ns();
	second = cpu->now / RG_NSEC_PER_SEC;
	if (cpu->second != second) {
		cpu->second = second;
		cpu->syns = 0;
	}
	cpu->jiffies = jiffies;
	return cpu;
}

/* One of so many keys, a power of two, by the upper bits of a product (Knuth, TAOCP 3, 6.4). */
static __always_inline int is_sampled(__u64 key, __u64 of)
{
	return key * 0x9e3779b97f4a7c15ULL < ~0ULL / of;
}

/*
 * A SYN's weight in attempts. Counting them costs a cache miss, which is too much in a flood: then one
 * of RG_SAMPLED connections counts for all of them. 0: this one does not count.
 */
static __always_inline __u32 weight_of(const struct rg_settings *settings, struct rg_cpu *cpu,
				       const __u64 *addr, __u16 port)
{
	if (cpu->syns++ < settings->exact_per_second)
		return 1;
	return is_sampled(addr[0] ^ (addr[1] + port), RG_SAMPLED) ? RG_SAMPLED : 0;
}

static __always_inline __u64 mix(__u64 x)
{
	/* The finalizer of a 64-bit multiplicative hash (Murmur3's constants). */
	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ULL;
	return x ^ (x >> 33);
}

static __always_inline __u64 hash_flow(const __u64 *addr, __u64 salt)
{
	return mix(addr[1] + mix(addr[0] + mix(salt)));
}

#define ATTEMPT_TIME_MASK 0xfffU
#define ATTEMPT_TAG_SHIFT 32 /* the upper half of the hash: the lower one chose the set */

/*
 * 1: the first SYN with this hash in RG_ATTEMPT_SECONDS, 0: a retransmission. A global function: the
 * verifier walks its branches once, not once for each way that leads here (2^16 ways otherwise).
 */
__attribute__((noinline)) __u32 note_attempt(__u64 hash, __u32 second)
{
	__u32 tag = (__u32)(hash >> ATTEMPT_TAG_SHIFT) & ~ATTEMPT_TIME_MASK, oldest_age = 0;
	__u32 index = hash & (RG_ATTEMPT_SETS - 1), oldest = 0;
	struct rg_attempt_set *set = bpf_map_lookup_elem(&attempts, &index);

	if (!set)
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
