/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts a population into the maps of the filter, for all measurements: the one place that knows how
 * verdicts, lists and known peers are stored.
 */
#ifndef REPGATE_BENCH_FILL_H
#define REPGATE_BENCH_FILL_H

#include "population.h"

#include "maps/layout.h"

struct fill_maps {
	int lists_now, verdicts, verdict_details, peers, indexes, presence, filters; /* descriptors */
};

/* Entries that the maps need for a population; set before they are created. */
struct fill_sizes {
	uint32_t list, verdicts, peers;
};

struct fill_sizes fill_sizes(const struct population *population, uint32_t spare_peers);

/*
 * Stores listed hosts as verdicts (standard, drop), prefixes as blocked list entries, clean ones as
 * known peers; all stay for a day. index: also the indexes over them, and what settings.index
 * is to be then; NULL: none. 0 or -errno.
 */
int fill_maps(const struct fill_maps *maps, const struct population *population, uint32_t *index);

/* A filter without an agent: enforces on port, and believes that an agent lives. */
void fill_settings(struct rg_settings *settings, uint16_t port, uint32_t index);

/*
 * New peers are told to an agent, or, if not, all dropped as a flood's are: as over
 * new_peers_per_second.
 */
void fill_gates(struct rg_settings *settings, bool are_open);

uint64_t fill_now(void); /* ns of CLOCK_BOOTTIME */

/* The key of an address (network order) in every map. */
struct rg_addr fill_addr(uint32_t addr);

#endif
