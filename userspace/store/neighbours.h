/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IPv6 addresses that the maps have something of, by prefix. Each address is judged by itself, so the
 * agent must know which others of its prefix it remembers: two listed ones have the whole prefix refused, and
 * a prefix may not fill the maps with clean ones. The maps hold the truth; this is the way to their keys.
 * Pure. Used by verdicts.c only.
 */
#ifndef REPGATE_STORE_NEIGHBOURS_H
#define REPGATE_STORE_NEIGHBOURS_H

#include "base/util.h"

#include "maps/types.h"

/* Addresses of one prefix that are remembered. More would let one network push others out of `peers`. */
#define RG_NEIGHBOURS 64

struct rg_neighbours;

/* prefix_len: bits of an IPv6 address that neighbours have in common. 0 or -ENOMEM. */
int rg_neighbours_new(struct rg_neighbours **ret, uint32_t prefix_len);
/* NULL-safe. */
void rg_neighbours_free(struct rg_neighbours *neighbours);

/*
 * Adds an IPv6 address, or renews it. expiry: ns of CLOCK_BOOTTIME. is_listed: a zone lists it. True if its
 * prefix has more than RG_NEIGHBOURS now. Without memory the address is left out.
 */
bool rg_neighbours_put(struct rg_neighbours *neighbours, const struct rg_addr *addr,
		       uint64_t expiry, bool is_listed);
/* True if the address was there, and listed. */
bool rg_neighbours_remove(struct rg_neighbours *neighbours, const struct rg_addr *addr);
/* A walk over all addresses, in steps. All zero: at the beginning. */
struct rg_neighbours_walk {
	size_t next, size; /* slot; of the table */
	uint32_t turn;
	bool is_under_way;
};
/*
 * Removes addresses within prefix (NULL: all) that are not listed and were put before the walk began: a step of it,
 * 0.1 ms at most. False: that was the last one. If the table changes its size meanwhile, the walk begins again.
 */
bool rg_neighbours_remove_unlisted(struct rg_neighbours *neighbours, const struct rg_prefix *prefix,
				   struct rg_neighbours_walk *walk);

/* The listed addresses of a prefix, of prefix_len bits, in no order. Returns how many, max at most. */
size_t rg_neighbours_listed(const struct rg_neighbours *neighbours, const struct rg_prefix *prefix,
			    struct rg_addr *ret, size_t max);

/*
 * Takes one out of a prefix that has more than RG_NEIGHBOURS. The half that was put first stays, so that somebody
 * who goes through the prefix does not push a known sender out: of the others that are not listed, the one that
 * was put first is taken; if there is none, of that half; if all are listed, the first of these. Never the last one:
 * its SYN may be on its way. False: the prefix has no more.
 */
bool rg_neighbours_take_surplus(struct rg_neighbours *neighbours, const struct rg_prefix *prefix,
				struct rg_addr *ret);

/* Removes what has ended at now, ns of CLOCK_BOOTTIME. Each call looks at a part of the table. */
void rg_neighbours_sweep(struct rg_neighbours *neighbours, uint64_t now);

size_t rg_neighbours_count(const struct rg_neighbours *neighbours);

#endif
