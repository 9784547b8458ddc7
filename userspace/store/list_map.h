/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only writer of `lists`, the trie of the local lists. New lists are put in force in two steps:
 * stage fills a new trie and its index, which takes long and may run in a thread; publish switches the
 * packets over to them, which takes the event loop some milliseconds.
 */
#ifndef REPGATE_STORE_LIST_MAP_H
#define REPGATE_STORE_LIST_MAP_H

#include "index/index_maps.h"
#include "kernel/loader.h"
#include "lists/lists.h"

#include <stdatomic.h>

/* What it writes to; both are the caller's. */
struct rg_list_map {
	struct rg_loader *loader;
	struct rg_index_maps *indexes;
};

/* Lists that are ready to be published. */
struct rg_staged_lists;

/*
 * Prepares lists to be published in place of old, which is in force (NULL: not known). If the two differ
 * by one entry at most, only that change is kept; otherwise a new trie is filled. Nothing is in force
 * yet. The caller ends it with rg_list_map_drop(), after publishing too.
 *
 * May run in another thread while the event loop uses the indexes, as long as old and lists stay as they
 * are. 0 or a negative error; -ECANCELED soon after *stop is set.
 */
int rg_list_map_stage(struct rg_staged_lists **ret, const struct rg_list_map *map,
		      const struct rg_lists *old, const struct rg_lists *lists,
		      const atomic_bool *stop, struct rg_error *error);

/*
 * Puts staged lists in force, in the event loop. Call once. A packet finds all of the old lists or all of
 * the new ones. 0, or a negative error; then the old lists stay in force.
 */
int rg_list_map_publish(const struct rg_list_map *map, struct rg_staged_lists *staged,
			struct rg_error *error);

/*
 * Puts those blocked entries into the trie in force whose approvals have ended: until the lists are loaded
 * again, however long that takes. lists: those in force. At most 1,000 in a call: call again for the others.
 * Returns how many, or a negative error. now: ns of CLOCK_BOOTTIME.
 */
int rg_list_map_begin(const struct rg_list_map *map, const struct rg_lists *lists, uint64_t now);

/* Frees staged lists, published or not; NULL is allowed. */
void rg_list_map_drop(struct rg_staged_lists *staged);

#endif
