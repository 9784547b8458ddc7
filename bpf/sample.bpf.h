/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sampling. Counting attempts and hits costs cache misses, and a log line costs more. In a flood one of
 * many counts for all, and the log has a rate.
 */
#ifndef REPGATE_SAMPLE_BPF_H
#define REPGATE_SAMPLE_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"
#include "parse.bpf.h"

/* True for one key of `of`, a power of two: by the upper bits of a product (Knuth, TAOCP 3, 6.4). */
static __always_inline int is_sampled(__u64 key, __u64 of)
{
	return key * 0x9e3779b97f4a7c15ULL < ~0ULL / of;
}

/*
 * How many attempts a SYN stands for: 1 up to exact_per_second. Above it one of RG_SAMPLED connections
 * stands for all of them, and the others for 0. Counts the SYN in cpu->syns.
 */
static __always_inline __u32 attempt_weight(const struct rg_settings *settings, struct rg_cpu *cpu,
					    const struct rg_syn *syn)
{
	if (cpu->syns++ < settings->exact_per_second)
		return 1;
	return is_sampled(syn->source_halves[0] ^ (syn->source_halves[1] + syn->source_port),
			  RG_SAMPLED) ?
		       RG_SAMPLED :
		       0;
}

/*
 * How many hits of a verdict a SYN stands for. A hit needs the verdict's entry in the trie, which in a
 * flood costs as much as a hundred lookups in the index.
 */
static __always_inline __u32 hit_weight(const struct rg_settings *settings, const struct rg_cpu *cpu)
{
	if (unlikely(cpu->syns < RG_EXACT_HITS(settings->exact_per_second)))
		return 1;
	/* Each second samples other SYNs: at a steady rate the error would add up. */
	return is_sampled(cpu->syns + (cpu->second << 32), RG_SAMPLED_HITS) ? RG_SAMPLED_HITS : 0;
}

/*
 * 1: a refusal may be reported for the log. At most samples_per_second are, on each CPU, whatever comes
 * in: the log must not become the outage.
 */
static __always_inline int report_allowed(const struct rg_settings *settings, __u64 now)
{
	__u64 second = now / RG_NSEC_PER_SEC;
	__u32 zero = 0;
	struct rg_sample_window *window = bpf_map_lookup_elem(&samples, &zero);

	if (impossible(!window))
		return 0;
	if (window->second != second) {
		window->second = second;
		window->count = 0;
	}
	return window->count++ < settings->samples_per_second;
}

#endif
