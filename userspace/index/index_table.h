/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of the index (maps/index.h): buckets of slots, for IPv4 hosts or for IPv6 /64s. Plain
 * stores into memory that XDP reads meanwhile, each of which leaves the old or the new answer behind.
 *
 * A key is an IPv4 address, or an IPv6 address's first 64 bits, host order. A payload is 14 bits.
 */
#ifndef REPGATE_INDEX_INDEX_TABLE_H
#define REPGATE_INDEX_INDEX_TABLE_H

#include "base/util.h"

#include "maps/index.h"

enum rg_index_table_kind { RG_INDEX_TABLE_HOSTS4, RG_INDEX_TABLE_NETS6 };

struct rg_index_table {
	struct rg_index_line *lines; /* rg_index_table_lines(); the caller's */
	uint64_t seed;
	enum rg_index_table_kind kind;
	uint32_t buckets;
	uint32_t probes; /* of a search */
	size_t count; /* slots that are taken */
	uint64_t *overflow; /* keys that found no slot */
	size_t overflow_count, overflow_allocated;
};

/*
 * Buckets for so many entries. With as many, about one of 16,384 finds all its buckets full, and is
 * left to the trie.
 */
uint32_t rg_index_table_buckets(enum rg_index_table_kind kind, size_t entries);
/* So many entries; more are reason for a larger table. */
size_t rg_index_table_room(const struct rg_index_table *table);
uint32_t rg_index_table_probes(enum rg_index_table_kind kind, uint32_t buckets);
uint32_t rg_index_table_lines(uint32_t buckets);
/* Frees what the table has beside its lines. */
void rg_index_table_close(struct rg_index_table *table);

/* A slot that is taken. */
struct rg_index_slot {
	struct rg_index_line *line;
	uint32_t at;
	uint64_t key;
	uint32_t payload;
};

/*
 * Not there: *ends tells whether the search ends with that, as for XDP: if not, the key may be one
 * that found no slot.
 */
bool rg_index_table_find(const struct rg_index_table *table, uint64_t key,
			 struct rg_index_slot *ret, bool *ends);
/*
 * Adds or replaces; *old: what was there, 0: nothing. 0; 1: done, but it is time for a larger table;
 * -ENOMEM.
 */
int rg_index_table_put(struct rg_index_table *table, uint64_t key, uint32_t payload, uint32_t *old);
/* Another payload for it. */
void rg_index_table_set(const struct rg_index_table *table, struct rg_index_slot *slot,
			uint32_t payload);
void rg_index_table_remove(struct rg_index_table *table, const struct rg_index_slot *slot);
/* A key that found no slot is no longer there at all. */
void rg_index_table_forget(struct rg_index_table *table, uint64_t key);

/* Each slot that is taken, once; what is called may set it or remove it, nothing else. */
void rg_index_table_walk(struct rg_index_table *table,
			 void (*visit)(void *arg, struct rg_index_slot *slot), void *arg);

#endif
