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
 * A walk over a map of peers, in steps: by a number of the kernel's, which stands any change. All zero: at the beginning. In
 * an almost empty map the kernel needs long for the next entries, 10 ms for a million that there could be, so a thread waits for
 * them.
 */
struct rg_peers_walk {
	struct rg_peers_batch *batch; /* NULL: not begun */
};
/* Ends a walk before its last step; does nothing after that. */
void rg_peers_walk_end(struct rg_peers_walk *walk);

/*
 * Takes over what an earlier agent left in the map, or, if from is not -1, copies it from another map: a step
 * of it. Clean peers go into the index. Pending marks are removed, if XDP made them before `since`: that agent held
 * their SYNs. A peer that is stored meanwhile stays. put: called for each clean peer. False: that was the last step.
 */
bool rg_peers_adopt(struct rg_peers *peers, int from, uint64_t since, struct rg_peers_walk *walk,
		    void (*put)(void *arg, const struct rg_addr *addr, uint64_t expiry), void *arg);

/* Stores an address as clean; expiry and now: ns of CLOCK_BOOTTIME. 0 or -errno. */
int rg_peers_put(struct rg_peers *peers, const struct rg_addr *addr, enum rg_reason reason,
		 uint64_t expiry, uint64_t now);

/* Removes a clean peer or a pending mark. 0 or -errno: -ENOENT if the map has none. */
int rg_peers_remove(struct rg_peers *peers, const struct rg_addr *addr);

/*
 * Removes all within prefix (NULL: all) that was stored before `before`: a step of it. Adds to *count how many. False: that
 * was the last step.
 */
bool rg_peers_flush(struct rg_peers *peers, const struct rg_prefix *prefix, uint64_t before,
		    struct rg_peers_walk *walk, size_t *count);

/*
 * The live entry of addr. One that only the index knows has no `since`: it gets now. 0 or -ENOENT.
 */
int rg_peers_find(const struct rg_peers *peers, const struct rg_addr *addr, uint64_t now,
		  struct rg_peer *ret);

#endif
