/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only writer of the maps `verdicts` and `verdict_details`: single entries, their details, their
 * place in the index and in the queue by expiry. Which verdicts there should be is decided in verdicts.c,
 * the only user. Times are ns of CLOCK_BOOTTIME.
 */
#ifndef REPGATE_STORE_VERDICT_MAP_H
#define REPGATE_STORE_VERDICT_MAP_H

#include "base/jobs.h"
#include "index/index_maps.h"
#include "kernel/loader.h"

#include "maps/verdict.h"

/* A verdict as a whole: an entry of `verdicts` and its details. */
struct rg_full_verdict {
	uint64_t expiry;
	uint64_t since; /* when the peer was judged; whole seconds. A renewed verdict keeps it */
	uint64_t hits;
	uint32_t code; /* host order: 0x7f010001 is 127.1.0.1; 0: none */
	uint32_t zone; /* slot, or RG_NO_ZONE: no zone decided */
	enum rg_class peer_class;
	enum rg_action action;
	enum rg_reason reason;
};

struct rg_verdict_map;

struct rg_verdict_map_count {
	uint64_t entries; /* in `verdicts` now; while verdicts are taken over, those that are */
	uint64_t details; /* taken in `verdict_details`: as many */
	uint64_t queued; /* entries of the queue by expiry, outdated ones too */
	uint64_t evicted, failed; /* since the start, as in struct rg_verdicts_count */
};

/* Called for each entry that is stored, adopted, changed or removed (value: NULL). It changes no map. */
struct rg_verdict_map_observer {
	void (*changed)(void *arg, const struct rg_prefix *key, const struct rg_verdict *value);
	void *arg;
};

/* maps, indexes and jobs stay the caller's. Nothing is taken over yet. 0 or -ENOMEM. */
int rg_verdict_map_new(struct rg_verdict_map **ret, const struct rg_maps *maps,
		       struct rg_index_maps *indexes, struct rg_jobs *jobs,
		       const struct rg_verdict_map_observer *observer);
/* Call when the jobs are freed. */
void rg_verdict_map_free(struct rg_verdict_map *map);

/*
 * Takes over what an earlier agent left in the maps, in a job. Call once, first; or rg_verdict_map_copy(). What is
 * not taken over yet is in force; it can be read, renewed and removed by its key. Only those who go by number, the
 * count, and the queue by expiry do not know it yet. 0 or a negative error.
 */
int rg_verdict_map_adopt(struct rg_verdict_map *map);
/*
 * Copies the verdicts of other maps, of the same layout but of other sizes, in a job. from must stay until its end. A
 * verdict that is stored meanwhile is newer, and stays.
 */
void rg_verdict_map_copy(struct rg_verdict_map *map, const struct rg_maps *from);
/* Whether one of the two is under way. */
bool rg_verdict_map_is_adopting(const struct rg_verdict_map *map);

/* The entry under exactly this key, whether it has ended or not. 0 or -errno: -ENOENT if there is none. */
int rg_verdict_map_get(const struct rg_verdict_map *map, const struct rg_prefix *key,
		       struct rg_verdict *value);
/* The same; saves the system call if the index knows that there is none. */
int rg_verdict_map_get_indexed(const struct rg_verdict_map *map, const struct rg_prefix *key,
			       struct rg_verdict *value);
/* The longest entry around addr that has not ended at now. 0 or -ENOENT. */
int rg_verdict_map_find(const struct rg_verdict_map *map, const struct rg_addr *addr, uint64_t now,
			struct rg_verdict *value);
/* An entry with its details; without any they are zero. */
struct rg_full_verdict rg_verdict_map_full(const struct rg_verdict_map *map,
					   const struct rg_verdict *value);

/*
 * Stores a verdict. If there is one for key, its hits stay, and its `since` if it is the same and has not
 * ended. If the maps are full, the verdict nearest to its expiry is evicted. 0 or a negative error.
 */
int rg_verdict_map_put(struct rg_verdict_map *map, const struct rg_prefix *key,
		       const struct rg_full_verdict *full);
/* Changes the action of the entry that was found under key. 0 or -errno. */
int rg_verdict_map_set_action(struct rg_verdict_map *map, const struct rg_prefix *key,
			      const struct rg_verdict *value, enum rg_action action);
/* Removes the entry that was found under key. 0 or -errno. */
int rg_verdict_map_remove(struct rg_verdict_map *map, const struct rg_prefix *key,
			  const struct rg_verdict *value);
/* Removes what has ended at now, a step of it, and adds to *count how many. False: nothing is left. */
bool rg_verdict_map_expire(struct rg_verdict_map *map, uint64_t now, size_t *count);

/*
 * The entry with the first number from *number on, which becomes the next number to ask for. A verdict keeps its number, so a
 * walk from 0 on meets each one that is there all the while. 0; -ENOENT: skip this one; -ERANGE: there is no more.
 */
int rg_verdict_map_next(const struct rg_verdict_map *map, uint32_t *number, struct rg_prefix *key,
			struct rg_verdict *value);
/* The same, and puts it into the index. */
int rg_verdict_map_index_next(struct rg_verdict_map *map, uint32_t *number);
/* From now on, entries that are stored or renewed are fresh. */
void rg_verdict_map_age(struct rg_verdict_map *map);
bool rg_verdict_map_is_fresh(const struct rg_verdict_map *map, const struct rg_verdict *value);

struct rg_verdict_map_count rg_verdict_map_count(const struct rg_verdict_map *map);

#endif
