/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The XDP programs' counters, summed over the CPUs. */
#ifndef REPGATE_KERNEL_STATS_H
#define REPGATE_KERNEL_STATS_H

#include "maps/stats.h"

struct rg_stats {
	struct rg_count counts[RG_STAT_MAX];
};

/* What the agent itself loses, beside RG_LOSSES. X(NAME, name), as there. */
#define RG_OWN_LOSSES(X)                                  \
	X(RELEASE_FAILED, release_failed)                 \
	X(HELD_LOST, held_lost)                           \
	X(OVERLOAD, overload)                             \
	X(VERDICTS_EVICTED, verdicts_evicted)             \
	X(VERDICTS_FAILED, verdicts_failed)               \
	X(BAD_EVENTS, bad_events)                         \
	X(SESSION_LIMIT, session_limit)                   \
	X(SESSION_LIMIT_PER_PEER, session_limit_per_peer) \
	X(ACCEPT_FAILED, accept_failed)                   \
	X(SESSION_LOG_LIMIT, session_log_limit)

enum rg_own_loss {
#define RG_OWN_LOSS_ENUM(NAME, name) RG_OWN_##NAME,
	RG_OWN_LOSSES(RG_OWN_LOSS_ENUM)
#undef RG_OWN_LOSS_ENUM
		RG_OWN_LOSS_MAX
};

/* Everything that was dropped, lost or degraded: the kernel's, then the agent's own. */
#define RG_LOSS_COUNTS (RG_LOSS_MAX + RG_OWN_LOSS_MAX)

/* fd: the map `stats`. 0 or -errno. */
int rg_stats_read(int fd, struct rg_stats *stats);

static inline const struct rg_count *rg_stats_of(const struct rg_stats *stats, unsigned int table,
						 unsigned int peer_class, unsigned int action)
{
	return &stats->counts[table + peer_class * RG_ACTION_MAX + action];
}

#endif
