/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks over all slots of an index: flush, sweep, the epoch, the check-lists marks, the copy. */
#include "index/index_private.h"

/* Every 4.6 minutes: so an entry that lives for an hour is always on the finest scale. */
#define EPOCH_STEP 32

struct walk {
	struct rg_index *index;
	struct rg_index_table *table; /* the one that the slot is in */
	const struct rg_prefix *prefix; /* flush: within it; NULL: all */
	rg_index_key host6; /* flush: the key of prefix, if it is an IPv6 address */
	uint64_t now; /* sweep */
	uint64_t epoch; /* advance: the next one */
	size_t count; /* removed */
	struct rg_index *to; /* copy */
	int err; /* copy */
};

static void walk_all(struct walk *walk, void (*visit)(void *walk, struct rg_index_slot *slot))
{
	for (int is4 = 0; is4 < 2; is4++) {
		walk->table = rg_index_table_of(walk->index, is4);
		if (walk->table->buckets)
			rg_index_table_walk(walk->table, visit, walk);
	}
}

#define PART 512 /* lines: 0.1 ms */

/* False: that was the last part. */
static bool walk_part(struct walk *walk, struct rg_index_cursor *cursor,
		      void (*visit)(void *walk, struct rg_index_slot *slot))
{
	if (cursor->index != walk->index)
		*cursor = (struct rg_index_cursor){ .index = walk->index };
	walk->table = rg_index_table_of(walk->index, cursor->is4);
	if (walk->table->buckets &&
	    rg_index_table_walk_part(walk->table, &cursor->line, PART, visit, walk))
		return true;
	if (cursor->is4)
		return false;
	cursor->is4 = true;
	cursor->line = 0;
	return true;
}

static void remove_visited(struct walk *walk, const struct rg_index_slot *slot)
{
	rg_index_entries_remove(walk->index, walk->table, slot);
	walk->count++;
}

/* ---- flush, sweep ---- */

/* Of an IPv6 address the slot does not have the last 64 bits: its /64. */
static struct rg_prefix prefix_of(const struct rg_index_table *table, rg_index_key key)
{
	bool is4 = table->kind == RG_INDEX_TABLE_HOSTS4;
	struct rg_prefix prefix = { .len = is4 ? RG_ADDR_BITS : 64 };
	uint32_t word = htobe32((uint32_t)key);
	uint64_t half = htobe64((uint64_t)key);

	if (!is4) {
		memcpy(&prefix.addr, &half, sizeof(half));
		return prefix;
	}
	prefix.addr.bytes[10] = prefix.addr.bytes[11] = 0xff;
	memcpy(prefix.addr.bytes + RG_ADDR_V4_OFFSET, &word, sizeof(word));
	return prefix;
}

static void flush_slot(void *arg, struct rg_index_slot *slot)
{
	struct walk *walk = arg;
	const struct rg_prefix key = prefix_of(walk->table, slot->key);
	bool is_host6 = slot->key >> 64;

	if (!walk->prefix ||
	    (key.len >= walk->prefix->len && rg_prefix_covers(walk->prefix, &key.addr)) ||
	    (is_host6 &&
	     (walk->host6 ? slot->key == walk->host6 : rg_prefix_covers(&key, &walk->prefix->addr))))
		remove_visited(walk, slot);
}

bool rg_index_flush_part(struct rg_index *index, const struct rg_prefix *prefix,
			 struct rg_index_cursor *cursor, size_t *count)
{
	struct walk walk = { .index = index, .prefix = prefix };
	bool more;

	if (prefix && prefix->len == RG_ADDR_BITS && !rg_addr_is_v4(&prefix->addr))
		walk.host6 = rg_index_entries_host6(index, &prefix->addr);
	more = walk_part(&walk, cursor, flush_slot);
	*count += walk.count;
	return more;
}

size_t rg_index_flush(struct rg_index *index, const struct rg_prefix *prefix)
{
	struct rg_index_cursor cursor = {};
	size_t count = 0;

	while (rg_index_flush_part(index, prefix, &cursor, &count))
		;
	return count;
}

static void sweep_slot(void *arg, struct rg_index_slot *slot)
{
	struct walk *walk = arg;

	if (rg_index_entries_is_over(walk->index, slot->payload, walk->now))
		remove_visited(walk, slot);
}

size_t rg_index_sweep(struct rg_index *index, uint64_t now)
{
	struct walk walk = { .index = index, .now = now };

	walk_all(&walk, sweep_slot);
	return walk.count;
}

bool rg_index_sweep_part(struct rg_index *index, uint64_t now, struct rg_index_cursor *cursor)
{
	struct walk walk = { .index = index, .now = now };

	return walk_part(&walk, cursor, sweep_slot);
}

/* ---- the epoch ---- */

/* Writes the same time as counted from the next epoch. Counted from the present one it is earlier. */
static void advance_slot(void *arg, struct rg_index_slot *slot)
{
	struct walk *walk = arg;
	uint32_t count = slot->payload & RG_INDEX_COUNT_MASK;
	uint32_t shift = RG_INDEX_SCALE(slot->payload >> RG_INDEX_COUNT_BITS & (RG_INDEX_SCALES - 1));
	uint64_t step = (walk->epoch >> shift) - (walk->index->header->epoch >> shift);

	if (rg_index_has_no_end(slot->payload) || !step || !count)
		return;
	count = step < count ? count - (uint32_t)step : 0;
	rg_index_table_set(walk->table, slot, (slot->payload & ~RG_INDEX_COUNT_MASK) | count);
}

bool rg_index_advance_part(struct rg_index *index, uint64_t now)
{
	struct walk walk = { .index = index };

	if (!index->next_epoch) {
		if (rg_index_epoch_at(now) < index->header->epoch + EPOCH_STEP)
			return false;
		index->next_epoch = rg_index_epoch_at(now);
		index->advanced = (struct rg_index_cursor){};
	}
	walk.epoch = index->next_epoch;
	if (walk_part(&walk, &index->advanced, advance_slot))
		return true;
	rg_index_store(&index->header->epoch, index->next_epoch);
	index->next_epoch = 0;
	return false;
}

void rg_index_advance_epoch(struct rg_index *index, uint64_t now)
{
	while (rg_index_advance_part(index, now))
		;
}

/* A slot was put with its time as from the present epoch. */
void rg_index_advance_put(struct rg_index *index, struct rg_index_table *table, rg_index_key key)
{
	struct walk walk = { .index = index, .table = table, .epoch = index->next_epoch };
	bool is4 = table->kind == RG_INDEX_TABLE_HOSTS4, ends;
	struct rg_index_slot slot;

	if (!index->next_epoch || !rg_index_table_find(table, key, &slot, &ends))
		return;
	if (is4 == index->advanced.is4 ? slot.line < &table->lines[index->advanced.line] : !is4)
		advance_slot(&walk, &slot);
}

/* ---- the check-lists marks ---- */

static void mark_slot(void *arg, struct rg_index_slot *slot)
{
	struct walk *walk = arg;
	uint32_t old = rg_index_entries_answer(walk->index, slot->payload);
	uint32_t fresh = rg_index_entries_mark(walk->index, true, slot->key, old);

	if (fresh != old)
		rg_index_table_set(walk->table, slot,
				   rg_index_entries_code(walk->index, fresh) |
					   (slot->payload & RG_INDEX_TIME_MASK));
}

void rg_index_update_near(struct rg_index *index)
{
	struct walk walk = { .index = index, .table = &index->hosts4 };

	if (index->hosts4.buckets)
		rg_index_table_walk(&index->hosts4, mark_slot, &walk);
}

/* ---- the copy ---- */

/* Copies what has no slot; all of the part's presence bits are set already. */
static void copy_own(struct rg_index *to, const struct rg_index *from)
{
	const uint8_t asks = (uint8_t)(1 << (from->part + RG_INDEX_ASKS));

	to->header->other4 = from->header->other4;
	if (from->header->other4)
		rg_index_presence_add_nets4(to, 0, 1U << RG_INDEX_NET4_BITS);
	for (size_t i = 0; i < ARRAY_SIZE(from->own->nets6); i++)
		if (from->own->nets6[i] & asks)
			to->own->nets6[i] |= asks;
	for (size_t i = 0; i < ARRAY_SIZE(from->own->wide6); i++)
		if (from->own->wide6[i] & asks)
			to->own->wide6[i] |= asks;
}

/* units: as rg_index_entries_put(). */
static int copy_key(struct rg_index *to, bool is4, rg_index_key key, uint32_t answer, uint64_t units)
{
	if (is4)
		rg_index_presence_add_host4(to, (uint32_t)key);
	else
		rg_index_presence_add_net6(to, (uint32_t)((uint64_t)key >> 32), to->part);
	return rg_index_entries_put(to, is4, key, answer, units) < 0 ? -ENOMEM : 0;
}

static void copy_slot(void *arg, struct rg_index_slot *slot)
{
	struct walk *walk = arg;
	uint64_t units = rg_index_has_no_end(slot->payload) ?
				 RG_INDEX_NO_END :
				 rg_index_entries_until(walk->index, slot->payload);

	if (!walk->err)
		walk->err = copy_key(walk->to, walk->table->kind == RG_INDEX_TABLE_HOSTS4, slot->key,
				     rg_index_entries_answer(walk->index, slot->payload), units);
}

/*
 * What overflowed stays with the trie: "ask". Of peers it is dropped: `peers` is asked in any case, and
 * one that is not there either is unknown.
 */
static int copy_overflow(struct rg_index *to, const struct rg_index_table *table)
{
	int err = 0;

	if (to->part == RG_INDEX_PEERS)
		return 0;
	for (size_t i = 0; !err && i < table->overflow_count; i++)
		err = copy_key(to, table->kind == RG_INDEX_TABLE_HOSTS4, table->overflow[i], 0,
			       RG_INDEX_NO_END);
	return err;
}

int rg_index_copy_part(struct rg_index *to, struct rg_index *from, struct rg_index_cursor *cursor)
{
	struct walk walk = { .index = from, .to = to };
	int err;

	if (cursor->index != from)
		copy_own(to, from);
	if (walk_part(&walk, cursor, copy_slot))
		return walk.err ? walk.err : 1;
	err = walk.err;
	if (!err)
		err = copy_overflow(to, &from->hosts4);
	if (!err)
		err = copy_overflow(to, &from->nets6);
	return err;
}

int rg_index_copy(struct rg_index *to, struct rg_index *from)
{
	struct rg_index_cursor cursor = {};
	int ret;

	do {
		ret = rg_index_copy_part(to, from, &cursor);
	} while (ret > 0);
	return ret;
}
