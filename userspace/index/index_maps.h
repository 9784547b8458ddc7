/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The indexes in the kernel, one for each part of `indexes`: made, filled by verdicts.c after the
 * tries, replaced by larger ones as they fill. Whatever fails leaves the trie to answer.
 */
#ifndef REPGATE_INDEX_INDEX_MAPS_H
#define REPGATE_INDEX_INDEX_MAPS_H

#include "index/index.h"
#include "lists/lists.h"
#include "kernel/loader.h"

struct rg_index_maps;

/*
 * Not in force yet. on: false takes an earlier agent's out of force; then all calls do nothing. 0 or
 * -ENOMEM.
 */
int rg_index_maps_new(struct rg_index_maps **ret, struct rg_loader *loader, bool on,
		      uint32_t max_peers);
void rg_index_maps_free(struct rg_index_maps *indexes);

/* Once the tries' entries have been put: from now on packets are answered by them. */
void rg_index_maps_enforce(struct rg_index_maps *indexes);

/* A verdict, or a clean peer (RG_CLASS_CLEAN). To be called after the map itself was changed. */
void rg_index_maps_put(struct rg_index_maps *indexes, const struct rg_index_entry *entry);
/* clean: if it is there as a clean peer, else: if as a verdict. */
void rg_index_maps_remove(struct rg_index_maps *indexes, const struct rg_prefix *prefix, bool clean);
/* Removes clean peers within prefix (NULL: all). Returns how many. */
size_t rg_index_maps_flush(struct rg_index_maps *indexes, const struct rg_prefix *prefix);
/* False: there is certainly no verdict around this address. Saves a system call or two. */
bool rg_index_maps_may_have(const struct rg_index_maps *indexes, const struct rg_addr *addr);

/* A clean peer that is no longer in `peers`: until when it is known, as rg_index_until(). */
uint64_t rg_index_maps_peer_until(const struct rg_index_maps *indexes, const struct rg_addr *peer,
				  uint64_t now);

/* An index, and its map. */
struct rg_mapped_index {
	struct rg_index *index; /* NULL: the trie answers */
	int fd;
};
#define RG_MAPPED_INDEX_NONE \
	{                    \
		.fd = -1     \
	}

/*
 * One of lists, complete, but out of force: none if it can't be, or is not wanted. May run in another
 * thread while indexes is used: it changes nothing there.
 */
struct rg_mapped_index rg_index_maps_draft_lists(const struct rg_index_maps *indexes,
						 const struct rg_lists *lists);
void rg_mapped_index_drop(struct rg_mapped_index *draft);
/* Puts it in the place of the one that is there, and owns it. To be called after `lists` was changed. */
void rg_index_maps_swap_lists(struct rg_index_maps *indexes, struct rg_mapped_index *draft);

/* Takes out peers that are over, and copies what has become stale; now and then. */
void rg_index_maps_sweep(struct rg_index_maps *indexes, uint64_t now);

struct rg_index_maps_count {
	struct rg_index_count parts[RG_INDEXES];
	uint64_t failed; /* parts given up, or not renewed, for lack of memory: the trie answers, but slowly */
};
struct rg_index_maps_count rg_index_maps_count(const struct rg_index_maps *indexes);

#endif
