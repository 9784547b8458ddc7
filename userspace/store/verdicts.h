/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only writer of the maps lists, verdicts, verdict_details, peers and zones. The maps are the truth;
 * this module adds what they lack: a queue by expiry, to sweep what is over and to evict what is nearest
 * to it, and which details are free.
 */
#ifndef REPGATE_STORE_VERDICTS_H
#define REPGATE_STORE_VERDICTS_H

#include "config/config.h"
#include "index/index_maps.h"
#include "lists/lists.h"
#include "kernel/loader.h"
#include "store/outcome.h"

#include <stdatomic.h>

struct rg_verdicts;

struct rg_verdicts_count {
	uint64_t entries; /* in `verdicts` now */
	uint64_t details; /* taken in `verdict_details`: as many */
	uint64_t list_entries; /* in the list in force */
	uint64_t stored, expired, evicted, removed, failed; /* since the start */
};

/* What is said of a peer: an entry of `verdicts`, and its details. */
struct rg_full_verdict {
	uint64_t expiry; /* ns of CLOCK_BOOTTIME */
	uint64_t since; /* the same, to a second */
	uint64_t hits;
	uint32_t code; /* host order: 0x7f010001 is 127.1.0.1; 0: none */
	uint32_t zone; /* slot, RG_NO_ZONE if no zone said it */
	enum rg_class peer_class;
	enum rg_action action;
	enum rg_reason reason;
};

/* Takes over what is in the maps. loader is the caller's. */
int rg_verdicts_new(struct rg_verdicts **ret, struct rg_loader *loader, const struct rg_conf *conf,
		    struct rg_error *error);
void rg_verdicts_free(struct rg_verdicts *verdicts);

/*
 * Gives every zone of conf its slot: by alias, the one it had, else a free one. Verdicts of zones
 * that are gone are removed. 1 if one is new, 0, or a negative error.
 */
int rg_verdicts_name_zones(struct rg_verdicts *verdicts, struct rg_conf *conf);
/* "" if the slot is free. */
const char *rg_verdicts_zone(const struct rg_verdicts *verdicts, uint32_t slot);

/*
 * Stores what was decided about peer: a clean one in `peers`, any other in `verdicts`, for outcome's
 * ttl from now (ns of CLOCK_BOOTTIME). A ttl of 0 only ends the pending mark. slot: the zone's.
 * 0 or a negative error, which is counted too. -EADDRNOTAVAIL, which is not: IPv4 lies in peer, which
 * is to be judged each time.
 */
int rg_verdicts_put(struct rg_verdicts *verdicts, const struct rg_prefix *peer,
		    const struct rg_outcome *outcome, uint32_t slot, uint64_t now);

/* The live verdict around addr. 0 or -ENOENT. key may be NULL. */
int rg_verdicts_find(const struct rg_verdicts *verdicts, const struct rg_addr *addr, uint64_t now,
		     struct rg_prefix *key, struct rg_full_verdict *ret);
/* The live entry of peer (rg_peer_of()). 0 or -ENOENT. */
int rg_verdicts_find_peer(const struct rg_verdicts *verdicts, const struct rg_addr *peer,
			  uint64_t now, struct rg_peer *ret);

/*
 * The entry number index, in no order, as the queue by expiry has them: some may be there twice or be
 * out of date. 0, -ENOENT: not this one, -ERANGE: past the last.
 */
int rg_verdicts_at(const struct rg_verdicts *verdicts, size_t index, struct rg_prefix *key,
		   struct rg_full_verdict *ret);
/* How often the queue was made anew so far: then the numbers of its entries are others. */
uint64_t rg_verdicts_queues(const struct rg_verdicts *verdicts);
/* Puts an entry from elsewhere in force, hits and all. 0 or a negative error. */
int rg_verdicts_restore(struct rg_verdicts *verdicts, const struct rg_prefix *key,
			const struct rg_full_verdict *value);

/* Calls for each live entry; a nonzero return ends the walk and is returned. */
int rg_verdicts_each(const struct rg_verdicts *verdicts,
		     int (*call)(void *arg, const struct rg_prefix *key,
				 const struct rg_full_verdict *value),
		     void *arg);
int rg_verdicts_each_peer(const struct rg_verdicts *verdicts,
			  int (*call)(void *arg, const struct rg_addr *peer,
				      const struct rg_peer *value),
			  void *arg);

/*
 * Removes verdicts and peers: those that lie within prefix (NULL: anywhere) and come from the zone
 * slot (RG_NO_ZONE: from anyone; peers come from no zone). Returns how many.
 */
size_t rg_verdicts_flush(struct rg_verdicts *verdicts, const struct rg_prefix *prefix, uint32_t slot);
/* Removes what a zone said since the second of then (ns of CLOCK_BOOTTIME). Returns how many. */
size_t rg_verdicts_flush_zone(struct rg_verdicts *verdicts, uint32_t slot, uint64_t since);
/* Removes what a country decided, and, if peers is set, who was found clean. */
size_t rg_verdicts_flush_countries(struct rg_verdicts *verdicts, bool peers);

/*
 * Makes every verdict what conf (after rg_verdicts_name_zones()) would make of it: its action, or
 * nothing if its zone's codes do not name it any more. One walk over the map: 1 us an entry.
 */
void rg_verdicts_apply(struct rg_verdicts *verdicts, const struct rg_conf *conf);

/* Deletes what is over. */
void rg_verdicts_sweep(struct rg_verdicts *verdicts, uint64_t now);

/*
 * Lists made ready to be put in force in place of old (NULL: not known): a new trie, or, if an entry at
 * most is different, its change alone; and their index. Nothing is in force yet. May run in another
 * thread while verdicts is used, as long as old and lists stay as they are; ends with -ECANCELED soon
 * after *stop is set.
 */
struct rg_list_draft;
int rg_list_draft_new(struct rg_list_draft **ret, const struct rg_verdicts *verdicts,
		      const struct rg_lists *old, const struct rg_lists *lists,
		      const atomic_bool *stop, struct rg_error *error);
void rg_list_draft_free(struct rg_list_draft *draft);

/* Puts it in force; draft is still the caller's, but used up. On error the old lists stay. */
int rg_verdicts_swap_lists(struct rg_verdicts *verdicts, struct rg_list_draft *draft,
			   struct rg_error *error);

struct rg_index_maps_count rg_verdicts_indexes(const struct rg_verdicts *verdicts);

struct rg_verdicts_count rg_verdicts_count(const struct rg_verdicts *verdicts);

#endif
