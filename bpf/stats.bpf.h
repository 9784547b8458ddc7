/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The counters of the map `stats`. They are per CPU and only written in softirq, where no other packet
 * interrupts this CPU: a plain ++ loses nothing.
 */
#ifndef REPGATE_STATS_BPF_H
#define REPGATE_STATS_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"

/* index: below RG_STAT_MAX, see maps/stats.h. */
static __always_inline void count(__u32 index)
{
	struct rg_count *counter = bpf_map_lookup_elem(&stats, &index);

	if (impossible(!counter))
		return;
	counter->packets++;
}

static __always_inline void count_attempts(__u32 index, __u64 attempts)
{
	struct rg_count *counter = bpf_map_lookup_elem(&stats, &index);

	if (impossible(!counter))
		return;
	counter->attempts += attempts;
}

static __always_inline void count_loss(enum rg_loss loss)
{
	count(RG_STAT_LOSSES + loss);
}

#endif
