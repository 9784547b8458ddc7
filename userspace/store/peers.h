/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map `peers`: who was found clean, and who is pending. It is an LRU map, so a flood of unknown
 * addresses can push clean peers out of it; the index still knows those. XDP adds pending peers, this
 * module writes everything else. Used by verdicts.c only.
 */
#ifndef REPGATE_STORE_PEERS_H
#define REPGATE_STORE_PEERS_H

#include "index/index_maps.h"

#include "maps/verdict.h"

struct rg_peers {
	int fd; /* the map, the loader's */
	struct rg_index_maps *indexes; /* the owner's */
};

/*
 * Takes over what an earlier agent left in the map: clean peers go into the index. Pending marks are
 * removed, because that agent held their SYNs; the retransmission is judged at once.
 */
void rg_peers_adopt(struct rg_peers *peers);

/* Copies the clean peers of an earlier agent's map. */
void rg_peers_copy(struct rg_peers *peers, int from);

/* Stores an address as clean; expiry and now: ns of CLOCK_BOOTTIME. 0 or -errno. */
int rg_peers_put(struct rg_peers *peers, const struct rg_addr *addr, enum rg_reason reason,
		 uint64_t expiry, uint64_t now);

/* Removes a clean peer or a pending mark. 0 or -errno: -ENOENT if the map has none. */
int rg_peers_remove(struct rg_peers *peers, const struct rg_addr *addr);

/* Removes all within prefix (NULL: all) from the map and the index. Returns how many. */
size_t rg_peers_flush(struct rg_peers *peers, const struct rg_prefix *prefix);

/*
 * The live entry of addr. One that only the index knows has no `since`: it gets now. 0 or -ENOENT.
 */
int rg_peers_find(const struct rg_peers *peers, const struct rg_addr *addr, uint64_t now,
		  struct rg_peer *ret);

#endif
