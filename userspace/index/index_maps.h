/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The indexes in the kernel, one for each part. Creates their maps, fills them with what the store puts, and
 * replaces an index by a larger one as it fills. The only file of index/ that knows maps. If anything
 * fails, the trie answers.
 *
 * What takes long is a job (base/jobs.h). While an index is copied to a larger one, all that is put and removed goes into
 * both, and a flush waits. While epochs advance, entries may be put and removed: rg_index_advance_part(). What the kernel
 * needs a grace period for, or makes of many pages, is done in a thread, while the loop uses both indexes.
 *
 * All calls belong to the loop's thread, except rg_index_maps_stage_lists().
 */
#ifndef REPGATE_INDEX_INDEX_MAPS_H
#define REPGATE_INDEX_INDEX_MAPS_H

#include "base/jobs.h"
#include "index/index.h"
#include "lists/lists.h"
#include "kernel/loader.h"

struct rg_index_maps;

/*
 * Makes the indexes; packets do not use them until rg_index_maps_activate(). on: false: takes those of
 * an earlier agent out of force, and all other calls do nothing. max_peers: the size of `peers`. 0 or
 * -ENOMEM.
 */
int rg_index_maps_new(struct rg_index_maps **ret, struct rg_loader *loader, struct rg_jobs *jobs,
		      bool on, uint32_t max_peers);
/*
 * Makes room for so many verdicts on hosts, before any is put: in the event loop an index grows in a job, and whoever puts
 * many has to wait for it (rg_index_maps_is_busy()).
 */
void rg_index_maps_expect(struct rg_index_maps *indexes, size_t hosts);
void rg_index_maps_free(struct rg_index_maps *indexes);

/*
 * Takes an earlier agent's indexes of hosts and peers out of force, because they would not know what is stored from now
 * on: the tries answer until rg_index_maps_activate().
 */
void rg_index_maps_withdraw(struct rg_index_maps *indexes);
/*
 * Lets packets use the indexes of hosts and peers. Call once all entries of the tries have been put, in a job. A
 * second call does nothing.
 */
void rg_index_maps_activate(struct rg_index_maps *indexes);

/*
 * Tries again to make indexes of hosts and peers that there was no memory for, once their time has come. True: one is
 * there, and empty. The caller puts all entries, and then calls rg_index_maps_activate(); not while it does so
 * already. now: ns of CLOCK_BOOTTIME.
 */
bool rg_index_maps_retry(struct rg_index_maps *indexes, uint64_t now);
/* Whether the lists should be loaded again, because there was no memory for their index. */
bool rg_index_maps_wants_lists(const struct rg_index_maps *indexes, uint64_t now);

/* Whether an index gets more room now: whoever puts many entries in a walk waits. */
bool rg_index_maps_is_busy(const struct rg_index_maps *indexes);

/* Puts a verdict, or a clean peer (RG_CLASS_CLEAN). Call after the map itself has it. */
void rg_index_maps_put(struct rg_index_maps *indexes, const struct rg_index_entry *entry);
/* Removes a clean peer, or, if not clean, a verdict. Call after the map itself has lost it. */
void rg_index_maps_remove(struct rg_index_maps *indexes, const struct rg_prefix *prefix, bool clean);
/* Removes clean peers within prefix (NULL: all): a step of it, as rg_index_flush_part(). */
bool rg_index_maps_flush(struct rg_index_maps *indexes, const struct rg_prefix *prefix,
			 struct rg_index_cursor *cursor, size_t *count);
/* Returns false if certainly no verdict covers this address; saves a system call or two. */
bool rg_index_maps_may_have(const struct rg_index_maps *indexes, const struct rg_addr *addr);

/* Until when a clean peer is known, also if `peers` has evicted it; as rg_index_until(). */
uint64_t rg_index_maps_peer_until(const struct rg_index_maps *indexes, const struct rg_addr *peer,
				  uint64_t now);

/* One generation of an index, and its map. */
struct rg_index_generation {
	struct rg_index *index; /* NULL: the trie answers */
	int fd;
};
#define RG_INDEX_GENERATION_NONE \
	{                        \
		.fd = -1         \
	}

/*
 * Stages an index of lists: complete, but not in force. Without memory, or if indexes are off: none. May
 * run in another thread while the loop uses indexes, as it changes nothing there.
 */
struct rg_index_generation rg_index_maps_stage_lists(const struct rg_index_maps *indexes,
						     const struct rg_lists *lists);
/* Frees a generation that was not swapped in; NONE is allowed. */
void rg_index_maps_drop(struct rg_index_generation *generation);
/*
 * Puts a staged index in force in place of the present one, and owns it. If there is none the trie
 * answers. Call after `lists` was switched to the same lists.
 */
void rg_index_maps_swap_lists(struct rg_index_maps *indexes, struct rg_index_generation *staged);

/*
 * Advances the epochs, removes peers that are over, copies an index that has become stale. Call at any
 * rate: it works every 10 seconds. now: ns of CLOCK_BOOTTIME.
 */
void rg_index_maps_sweep(struct rg_index_maps *indexes, uint64_t now);

struct rg_index_maps_count {
	struct rg_index_count parts[RG_INDEXES];
	uint64_t failed; /* times that a part was given up or not renewed, for lack of memory */
	uint64_t retry_at[RG_INDEXES]; /* of a part without an index: the next attempt, ns; 0: none is needed */
};
struct rg_index_maps_count rg_index_maps_count(const struct rg_index_maps *indexes);

#endif
