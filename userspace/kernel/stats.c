/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/stats.h"

#include "base/util.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

int rg_stats_read(int fd, struct rg_stats *stats)
{
	int cpus = libbpf_num_possible_cpus();
	RG_CLEANUP_FREE struct rg_count *each = NULL;

	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	*stats = (struct rg_stats){};
	for (uint32_t i = 0; i < RG_STAT_MAX; i++) {
		if (bpf_map_lookup_elem(fd, &i, each))
			return -errno;
		for (int cpu = 0; cpu < cpus; cpu++) {
			stats->counts[i].packets += each[cpu].packets;
			stats->counts[i].attempts += each[cpu].attempts;
		}
	}
	return 0;
}
