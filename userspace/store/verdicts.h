/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdicts and clean peers: stored, found, expired, evicted, flushed. The maps hold the truth: `verdicts`
 * and `verdict_details` are written by verdict_map.c, `peers` by peers.c, `zones` by zone_names.c, and
 * this module decides what they write. XDP writes two things: it counts hits and adds pending peers.
 *
 * Everything that walks over all verdicts or peers is a job (base/jobs.h); store/verdict_walk.h says what may happen while
 * it is under way.
 *
 * All functions are for the event loop's thread. Times are ns of CLOCK_BOOTTIME.
 */
#ifndef REPGATE_STORE_VERDICTS_H
#define REPGATE_STORE_VERDICTS_H

#include "config/config.h"
#include "index/index_maps.h"
#include "kernel/loader.h"
#include "store/outcome.h"
#include "store/verdict_map.h"
#include "store/verdict_walk.h"

struct rg_verdicts;

struct rg_verdicts_count {
	uint64_t entries; /* in `verdicts` now */
	uint64_t details; /* taken in `verdict_details`: as many */
	/* Since the start: */
	uint64_t stored; /* verdicts and clean peers */
	uint64_t expired; /* removed at their end */
	uint64_t evicted; /* removed before their end, to make room */
	uint64_t removed; /* by a flush, a reload or a new verdict */
	uint64_t failed; /* could not be stored */
	uint64_t surplus; /* forgotten before their end: their IPv6 prefix had more than RG_NEIGHBOURS */
	uint64_t queued; /* entries of the queue by expiry, outdated ones too */
	bool is_adopting; /* an earlier agent's verdicts are taken over: not all are counted yet */
};

/*
 * Takes over what an earlier agent left in the maps, or copies it from maps of other sizes, in jobs: the packets
 * meet it all the while. loader and jobs are the caller's and must outlive it; the jobs are freed first, which ends them.
 * 0 or a negative error with a reason.
 */
int rg_verdicts_new(struct rg_verdicts **ret, struct rg_loader *loader, const struct rg_conf *conf,
		    struct rg_jobs *jobs, struct rg_error *error);
void rg_verdicts_free(struct rg_verdicts *verdicts);

/*
 * Gives every zone of conf its slot, see rg_zone_names_assign(). Verdicts of zones that conf no longer
 * has are removed, by a job. 1: a zone is new, 0: none is, or a negative error: -EAGAIN until the verdicts of
 * zones that left before are removed.
 */
int rg_verdicts_name_zones(struct rg_verdicts *verdicts, struct rg_conf *conf);
/* The alias of the zone in this slot; "" if the slot is free. */
const char *rg_verdicts_zone(const struct rg_verdicts *verdicts, uint32_t slot);

/*
 * Stores the outcome for an address, for outcome->ttl from now: in `peers` if it is clean, in `verdicts`
 * otherwise. Ends the pending mark; a ttl of 0 does only that. slot: of the zone that decided, or RG_NO_ZONE.
 * 0 or a negative error, which is counted as failed.
 *
 * If zones list two IPv6 addresses of a prefix (ipv6_prefix), there is a verdict on the prefix, too, as long
 * as both listings last. Of each prefix RG_NEIGHBOURS addresses are remembered: one more, and a clean one is
 * forgotten, as rg_neighbours_take_surplus() says.
 */
int rg_verdicts_put(struct rg_verdicts *verdicts, const struct rg_addr *addr,
		    const struct rg_outcome *outcome, uint32_t slot, uint64_t now);

/*
 * The longest verdict around addr that has not ended at now. key: set to its prefix, may be NULL. 0 or
 * -ENOENT.
 */
int rg_verdicts_find(const struct rg_verdicts *verdicts, const struct rg_addr *addr, uint64_t now,
		     struct rg_prefix *key, struct rg_full_verdict *ret);
#define RG_EVIDENCE 2 /* listed addresses that have their IPv6 prefix refused */

/*
 * The addresses that are the evidence for the verdict with this key: the address itself, or, of an IPv6
 * prefix, two. The verdict's zone and code are those of the first. Returns how many; 0: the verdict has ended.
 */
size_t rg_verdicts_evidence(const struct rg_verdicts *verdicts, const struct rg_prefix *key,
			    uint64_t now, struct rg_addr ret[RG_EVIDENCE]);
/* The entry of an address that has not ended at now: clean or pending. 0 or -ENOENT. */
int rg_verdicts_find_peer(const struct rg_verdicts *verdicts, const struct rg_addr *addr,
			  uint64_t now, struct rg_peer *ret);

/*
 * The first verdict with a number from *number on, which becomes the next to ask for: to read them piece by piece
 * while they change. Each one that is there all the while comes once. 0; -ENOENT: go on; -ERANGE: there is no more.
 */
int rg_verdicts_next(const struct rg_verdicts *verdicts, uint32_t *number, struct rg_prefix *key,
		     struct rg_full_verdict *ret);
/* Whether a walk that stores many verdicts should wait, because the index gets more room. */
bool rg_verdicts_is_busy(const struct rg_verdicts *verdicts);
/*
 * Stores a verdict from a file or other maps, with its hits and beginning, unless the map has one for
 * this prefix. 0 or a negative error, which is not counted.
 */
int rg_verdicts_restore(struct rg_verdicts *verdicts, const struct rg_prefix *key,
			const struct rg_full_verdict *value);

/*
 * Call for each verdict, and each peer, that has not ended. A nonzero return ends the walk and is
 * returned. After RG_EACH_MISSES that have ended the walk ends, too, and returns 1, as the loop waits for it. The call
 * must not change the map.
 */
#define RG_EACH_MISSES 4096
int rg_verdicts_each(const struct rg_verdicts *verdicts,
		     int (*call)(void *arg, const struct rg_prefix *key,
				 const struct rg_full_verdict *value),
		     void *arg);
int rg_verdicts_each_peer(const struct rg_verdicts *verdicts,
			  int (*call)(void *arg, const struct rg_addr *peer,
				      const struct rg_peer *value),
			  void *arg);

/*
 * Removes the verdicts within prefix (NULL: anywhere) that the zone in slot decided. RG_NO_ZONE: all
 * verdicts there, and all peers. A part of an IPv6 prefix that is refused as a whole stands for the prefix.
 * done: called at the end, maybe before this returns: one address takes no job. 0, or -ENOMEM: done is not called.
 */
int rg_verdicts_flush(struct rg_verdicts *verdicts, const struct rg_prefix *prefix, uint32_t slot,
		      rg_flush_done *done, void *arg);
/* Removes all verdicts and peers, for the agent itself. Never fails. */
void rg_verdicts_flush_all(struct rg_verdicts *verdicts);
/*
 * Removes the verdicts about addresses of this family that the zone in slot decided since then, to the second. done: if the zone is flushed already, with
 * this done, it is called once.
 */
void rg_verdicts_flush_zone(struct rg_verdicts *verdicts, uint32_t slot, enum rg_family family,
			    uint64_t since, void (*done)(void *arg, uint32_t slot, size_t count),
			    void *arg);
/* Removes the verdicts that a country decided, and all peers too if peers is set. */
void rg_verdicts_flush_countries(struct rg_verdicts *verdicts, bool peers);

/*
 * Gives every verdict the action that the configuration in force says, and removes those that it would not make any
 * more. Call after rg_verdicts_name_zones(). conf: where the one in force is found, also later, until the jobs are freed.
 */
void rg_verdicts_apply(struct rg_verdicts *verdicts, struct rg_conf *const *conf);

/* Removes verdicts that have ended at now, in a job. Call about once a second. */
void rg_verdicts_sweep(struct rg_verdicts *verdicts, uint64_t now);

/* The indexes, still owned by verdicts: for list_map.c. */
struct rg_index_maps *rg_verdicts_index_maps(const struct rg_verdicts *verdicts);
/* What the indexes hold. */
struct rg_index_maps_count rg_verdicts_indexes(const struct rg_verdicts *verdicts);

struct rg_verdicts_count rg_verdicts_count(const struct rg_verdicts *verdicts);

#endif
