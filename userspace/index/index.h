/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes an index (maps/index.h): plain stores into memory that XDP reads meanwhile. Knows no map and
 * no system call but mmap, so it can be tested without a kernel.
 *
 * Each store leaves a right answer behind: the old one, the new one, or "ask the trie". The caller
 * changes the trie first. If the agent dies in between, the old answer stays.
 *
 *   index.c            sizes, the object, its bank
 *   index_entries.c    put, remove, find
 *   index_presence.c   presence bits and filters: publish, retire, rebuild
 *   index_walk.c       flush, sweep, epoch, copy
 *   index_table.c      the slots of one table
 *   index_maps.c       the kernel's maps; the only file that knows them
 *
 * An index is used by one thread. A new one goes into force in this order: rg_index_new(),
 * rg_index_put() for all entries, rg_index_publish() if it has no presence yet, rg_index_install(),
 * settings.index, and, once no packet uses the index before, rg_index_retire_previous().
 */
#ifndef REPGATE_INDEX_INDEX_H
#define REPGATE_INDEX_INDEX_H

#include "lists/lists.h"
#include "index/index_table.h"

struct rg_index;

struct rg_index_size {
	size_t hosts4; /* room for so many IPv4 hosts; 0: none gets a slot */
	size_t nets6; /* room for so many IPv6 hosts and /64s */
	bool nets4; /* with a table for IPv4 prefixes up to /24: 4 MiB */
};

/* The size that holds count items of a list. */
void rg_index_measure(const struct rg_list_item *items, size_t count, struct rg_index_size *ret);

/* Lines that a map of this size has; at most UINT32_MAX. */
uint32_t rg_index_lines(const struct rg_index_size *size);

struct rg_index_origin {
	/*
	 * The presence of all parts. The caller owns it and keeps it as long as the index. NULL: none until
	 * rg_index_publish(), as for an index that another thread fills.
	 */
	struct rg_index_presence *presence;
	enum rg_index_part part;
	int fd; /* an mmapable array of rg_index_lines() empty lines, the caller's; -1: plain memory */
	uint64_t now; /* ns of CLOCK_BOOTTIME */
	uint64_t seed; /* settings.index_seed, the same for all parts */
};

/* Makes an empty index. 0, -ENOMEM or another negative error. */
int rg_index_new(struct rg_index **ret, const struct rg_index_origin *origin,
		 const struct rg_index_size *size);
void rg_index_free(struct rg_index *index);

struct rg_index_entry {
	struct rg_prefix prefix;
	uint64_t expiry; /* ns of CLOCK_BOOTTIME, 0: never */
	enum rg_class peer_class;
	enum rg_action action; /* NONE: the class decides */
	uint32_t zone; /* RG_NO_ZONE or a slot */
};

/*
 * Adds or replaces an entry. Of an index with nets4, shorter IPv4 prefixes must be put before longer
 * ones, and all of them before any lookup. 0: done; 1: done, but a larger index is due; -ENOMEM.
 */
int rg_index_put(struct rg_index *index, const struct rg_index_entry *entry);
/* Removes a host or a /64. Other prefixes stay as "ask". Not for an index with nets4. */
void rg_index_remove(struct rg_index *index, const struct rg_prefix *prefix);
/*
 * Removes hosts and /64s within prefix (NULL: all). Of IPv6 hosts the index knows the first 64 bits, so a
 * prefix of 65 to 127 bits removes all hosts of its /64. Returns how many.
 */
size_t rg_index_flush(struct rg_index *index, const struct rg_prefix *prefix);

/* Where a walk over all slots is that goes on later. All zero: at the beginning. */
struct rg_index_cursor {
	const struct rg_index *index; /* the one that is walked; another one is walked from the beginning */
	bool is4; /* in the table of IPv4 */
	uint32_t line;
};
/* rg_index_flush() in steps of 0.1 ms; adds to *count. False: that was the last step. */
bool rg_index_flush_part(struct rg_index *index, const struct rg_prefix *prefix,
			 struct rg_index_cursor *cursor, size_t *count);

/* Removes what is over at now, as far as the index knows. Returns how many. */
size_t rg_index_sweep(struct rg_index *index, uint64_t now);
/* The same in steps. False: that was the last one. */
bool rg_index_sweep_part(struct rg_index *index, uint64_t now, struct rg_index_cursor *cursor);
/* Advances the epoch to now, if that is worth it: times are the more exact the later it is. */
void rg_index_advance_epoch(struct rg_index *index, uint64_t now);
/*
 * The same in steps; entries may be put meanwhile, but neither swept nor copied, because some seem to end too early. False: that was
 * the last one.
 */
bool rg_index_advance_part(struct rg_index *index, uint64_t now);
/*
 * Of hosts or peers: updates each host's RG_INDEX_CHECK_LISTS mark from the presence of the lists. Call
 * after rg_index_publish() of lists returned true, before these lists are in force.
 */
void rg_index_update_near(struct rg_index *index);

/* Of hosts or peers: rebuilds the filters without removed hosts, if these are many. 20 ns a host. */
void rg_index_rebuild_filters(struct rg_index *index);
/* The same in steps. False: that was the last one. */
bool rg_index_rebuild_part(struct rg_index *index);

/*
 * Publishes the index's presence bits, beside those of the index before. Call before switching banks.
 * Returns true if bits of IPv4 were added.
 */
bool rg_index_publish(struct rg_index *index, struct rg_index_presence *presence);
/*
 * Clears the presence bits that only the index before has. Call once packets use this index, and none
 * uses the one before.
 */
void rg_index_retire_previous(struct rg_index *index);

/* Copies all entries, between two indexes without nets4; their epochs may differ. 0 or -ENOMEM. */
int rg_index_copy(struct rg_index *to, struct rg_index *from);
/*
 * The same in steps. What is put and removed meanwhile must be put into both, or removed from both. 1: there is more; 0: that was
 * the last one; or -ENOMEM.
 */
int rg_index_copy_part(struct rg_index *to, struct rg_index *from, struct rg_index_cursor *cursor);

/* The answer that XDP gets: RG_INDEX_NONE, RG_INDEX_ASK or an answer. */
uint32_t rg_index_find(const struct rg_index *index, const struct rg_addr *addr, uint64_t now);

/*
 * Until when (ns of CLOCK_BOOTTIME) addr is certainly in the index; UINT64_MAX: without end; 0: it is
 * not there, or not for certain.
 */
uint64_t rg_index_until(const struct rg_index *index, const struct rg_addr *addr, uint64_t now);

/*
 * Copies header and filters into a bank (RG_INDEX_BANK()) that is not in force, and writes them there
 * from now on. Returns the bank's settings.index byte, RG_INDEX_IN_FORCE().
 */
uint32_t rg_index_install(struct rg_index *index, struct rg_index_presence *presence,
			  struct rg_index_filters *filters, uint32_t bank);
/* The header as XDP reads it. */
const struct rg_index_header *rg_index_header(const struct rg_index *index);

struct rg_index_count {
	size_t hosts4, nets6; /* that have a slot */
	size_t overflow; /* that have none: the trie answers */
	size_t bytes; /* of memory */
};
struct rg_index_count rg_index_count(const struct rg_index *index);

/* Returns true once presence bits and answers of the past make a copy worth it. */
bool rg_index_is_stale(const struct rg_index *index);

#endif
