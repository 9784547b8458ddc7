/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes an index (maps/index.h): plain stores into memory that XDP reads meanwhile. Knows no map and
 * no system call but mmap, so that it can be tested by itself.
 *
 * Each store leaves a right answer behind: the old one, the new one, or "ask the trie". So the caller
 * changes the trie first, and an agent that dies in between leaves the old answer.
 */
#ifndef REPGATE_INDEX_INDEX_H
#define REPGATE_INDEX_INDEX_H

#include "lists/lists.h"
#include "index/index_table.h"

struct rg_index;

struct rg_index_size {
	size_t hosts4; /* IPv4 hosts that shall find room; 0: none can */
	size_t nets6; /* IPv6 /64s */
	bool nets4; /* with a table for IPv4 prefixes up to /24: 4 MiB */
};

/* The size that holds count items of a list. */
void rg_index_measure(const struct rg_list_item *items, size_t count, struct rg_index_size *ret);

/* Lines of a map for this size; at most UINT32_MAX. */
uint32_t rg_index_lines(const struct rg_index_size *size);

struct rg_index_origin {
	/*
	 * Of all parts; the caller's, and stays as long as the index. NULL: not before rg_index_publish(), as
	 * for an index that is filled by another thread.
	 */
	struct rg_index_presence *seen;
	enum rg_index_part part;
	int fd; /* an mmapable array of rg_index_lines() empty lines; the caller's */
	uint64_t now; /* ns of CLOCK_BOOTTIME */
	uint64_t seed; /* of all parts: settings.index_seed */
};

/* 0 or a negative error. */
int rg_index_new(struct rg_index **ret, const struct rg_index_origin *origin,
		 const struct rg_index_size *size);
void rg_index_free(struct rg_index *index);

struct rg_index_entry {
	struct rg_prefix prefix;
	uint64_t expiry; /* ns of CLOCK_BOOTTIME, 0: for good */
	enum rg_class peer_class;
	enum rg_action action; /* NONE: the class decides */
	uint32_t zone; /* RG_NO_ZONE or a slot */
};

/*
 * Adds or replaces an entry. With nets4, shorter IPv4 prefixes come before longer ones, and all of
 * them before any lookup. 0; 1: in force, but it is time for a larger index; -ENOMEM.
 */
int rg_index_put(struct rg_index *index, const struct rg_index_entry *entry);
/*
 * Takes it out, if it is a host or a /64; other prefixes stay as "ask". Not for an index with nets4.
 */
void rg_index_remove(struct rg_index *index, const struct rg_prefix *prefix);
/* Removes hosts and /64s within prefix (NULL: all). Returns how many. */
size_t rg_index_flush(struct rg_index *index, const struct rg_prefix *prefix);

/* Removes what is over at now, as far as the index knows. Returns how many. */
size_t rg_index_sweep(struct rg_index *index, uint64_t now);
/* Times are known the more exactly the later their epoch is: moves it to now, if it is worth it. */
void rg_index_advance_epoch(struct rg_index *index, uint64_t now);
/*
 * Of hosts or peers: each of them says whether the lists in `presence` have anything nearby. To be called after
 * rg_index_publish() of lists was true, before these are in force. Else a few hosts too many say so.
 */
void rg_index_update_near(struct rg_index *index);

/* Of hosts or peers: filters without those that have gone, if they are many. 20 ns a host. */
void rg_index_rebuild_filters(struct rg_index *index);

/*
 * Now packets are led to what is in it: to be called before it takes another one's place. True: also
 * for IPv4 addresses for which there was nothing.
 */
bool rg_index_publish(struct rg_index *index, struct rg_index_presence *seen);
/*
 * To be called when it has taken another one's place, and packets look into it: what only the other
 * one had is no longer looked for.
 */
void rg_index_retire_previous(struct rg_index *index);

/* Puts everything in from into to, both without nets4; their epochs may differ. 0 or -ENOMEM. */
int rg_index_copy(struct rg_index *to, struct rg_index *from);

/* What XDP finds: RG_INDEX_NONE, RG_INDEX_ASK or an answer. */
uint32_t rg_index_find(const struct rg_index *index, const struct rg_addr *addr, uint64_t now);

/*
 * Until when (ns of CLOCK_BOOTTIME) addr is certainly in it, UINT64_MAX: for good; 0 if it is not, or
 * not known for certain.
 */
uint64_t rg_index_until(const struct rg_index *index, const struct rg_addr *addr, uint64_t now);

/*
 * Brings its header and its filters to a place (RG_INDEX_BANK()) in seen that is not in force until
 * now, and keeps them up to date there. Returns RG_INDEX_IN_FORCE().
 */
uint32_t rg_index_install(struct rg_index *index, struct rg_index_presence *seen, uint32_t place);
/* As XDP has it. */
const struct rg_index_header *rg_index_header(const struct rg_index *index);

struct rg_index_count {
	size_t hosts4, nets6; /* in their slots */
	size_t overflow; /* without a slot: the trie answers */
	size_t bytes; /* of memory */
};
struct rg_index_count rg_index_count(const struct rg_index *index);

/* True once bits and answers of long ago make it worth a copy. */
bool rg_index_is_stale(const struct rg_index *index);

#endif
