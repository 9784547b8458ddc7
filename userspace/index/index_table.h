/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of the index (maps/index.h): buckets of slots, for IPv4 hosts or for IPv6. Plain stores
 * into memory that XDP reads meanwhile; after each of them XDP gets the old answer or the new one.
 *
 * A key is an IPv4 address, or an IPv6 address's first 64 bits, host order; its upper half is
 * rg_index_mark6() of the others, or 0 for a /64. A payload has 14 bits. A
 * host's slot holds 18 bits of the key; the others follow from where it lies (quotienting: Cleary 1984).
 * A removed slot becomes a tombstone, and empty once no search has to go through it. A key whose buckets
 * are all full goes to the overflow list, and the trie answers for it.
 */
#ifndef REPGATE_INDEX_INDEX_TABLE_H
#define REPGATE_INDEX_INDEX_TABLE_H

#include "base/util.h"

#include "maps/index.h"

typedef unsigned __int128 rg_index_key;

enum rg_index_table_kind { RG_INDEX_TABLE_HOSTS4, RG_INDEX_TABLE_NETS6 };

struct rg_index_table {
	struct rg_index_line *lines; /* rg_index_table_lines(); the caller's */
	uint64_t seed;
	enum rg_index_table_kind kind;
	uint32_t buckets;
	uint32_t probes; /* buckets of a search */
	size_t count; /* taken slots */
	rg_index_key *overflow; /* keys without a slot */
	size_t overflow_count, overflow_allocated;
};

/* Buckets for so many entries. With all of them, about one of 16,384 overflows. */
uint32_t rg_index_table_buckets(enum rg_index_table_kind kind, size_t entries);
/* Entries that the table is meant for; more are reason for a larger one. */
size_t rg_index_table_room(const struct rg_index_table *table);
/* Buckets of a search in a table of so many. */
uint32_t rg_index_table_probes(enum rg_index_table_kind kind, uint32_t buckets);
/* Lines of a table of so many buckets. */
uint32_t rg_index_table_lines(uint32_t buckets);
/* Frees the overflow list; the lines are the caller's. */
void rg_index_table_close(struct rg_index_table *table);

/* A taken slot. */
struct rg_index_slot {
	struct rg_index_line *line;
	uint32_t at;
	rg_index_key key;
	uint32_t payload;
};

/*
 * Finds a key's slot. False: it has none. Then *ends tells whether XDP knows that it is not there;
 * if not, XDP asks the trie.
 */
bool rg_index_table_find(const struct rg_index_table *table, rg_index_key key,
			 struct rg_index_slot *ret, bool *ends);
/*
 * Adds or replaces; *old: the payload before, 0: none. 0: done; 1: done, but a larger table is due;
 * -ENOMEM.
 */
int rg_index_table_put(struct rg_index_table *table, rg_index_key key, uint32_t payload,
		       uint32_t *old);
/* Gives a slot another payload. */
void rg_index_table_set(const struct rg_index_table *table, struct rg_index_slot *slot,
			uint32_t payload);
void rg_index_table_remove(struct rg_index_table *table, const struct rg_index_slot *slot);
/* Takes a key off the overflow list; one that is not on it is allowed. */
void rg_index_table_forget(struct rg_index_table *table, rg_index_key key);

/* Visits each taken slot once. The callback may set or remove that slot, and nothing else. */
void rg_index_table_walk(struct rg_index_table *table,
			 void (*visit)(void *arg, struct rg_index_slot *slot), void *arg);
/*
 * The same for the next `most` lines from *line on, which becomes the next one. A slot stays where it is until it is
 * removed, so a walk in parts visits each slot that is there all the while. False: that was the last line.
 */
bool rg_index_table_walk_part(struct rg_index_table *table, uint32_t *line, uint32_t most,
			      void (*visit)(void *arg, struct rg_index_slot *slot), void *arg);

#endif
