/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The XDP programs' counters, summed over the CPUs. */
#ifndef REPGATE_KERNEL_STATS_H
#define REPGATE_KERNEL_STATS_H

#include "maps/stats.h"

struct rg_stats {
	struct rg_count counts[RG_STAT_MAX];
};

/* fd: the map `stats`. 0 or -errno. */
int rg_stats_read(int fd, struct rg_stats *stats);

static inline const struct rg_count *rg_stats_of(const struct rg_stats *stats, unsigned int table,
						 unsigned int peer_class, unsigned int action)
{
	return &stats->counts[table + peer_class * RG_ACTION_MAX + action];
}

#endif
