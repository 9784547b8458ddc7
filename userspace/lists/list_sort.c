/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/list_sort.h"

#include "base/addr.h"

/*
 * The order of a walk through the tree. Of equal prefixes: approved first, then the one that lasts
 * longest, then the one that was written first.
 */
static int compare_entries(const void *a, const void *b)
{
	const struct rg_list_parsed *x = a, *y = b;
	int order = rg_addr_compare(&x->addr, &y->addr);

	if (order)
		return order;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	if (x->peer_class != y->peer_class)
		return x->peer_class == RG_CLASS_APPROVED ? -1 : 1;
	if (x->until != y->until)
		return x->until - 1 > y->until - 1 ? -1 : 1; /* 0 lives longest */
	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return (x->line > y->line) - (x->line < y->line);
}

static bool is_sorted(const struct rg_list_parsed *entries, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (compare_entries(&entries[i - 1], &entries[i]) > 0)
			return false;
	return true;
}

static void sort_few(struct rg_list_parsed *entries, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct rg_list_parsed entry = entries[i];
		size_t at = i;

		for (; at && compare_entries(&entries[at - 1], &entry) > 0; at--)
			entries[at] = entries[at - 1];
		entries[at] = entry;
	}
}

/* The first byte from `byte` on in which the addresses differ; 16: they are all the same. */
static unsigned int differing_byte(const struct rg_list_parsed *entries, size_t count,
				   unsigned int byte)
{
	uint64_t high = rg_addr_half(&entries->addr, 0);
	uint64_t low = rg_addr_half(&entries->addr, 1), highs = 0, lows = 0;
	unsigned int differs = sizeof(entries->addr.bytes);

	for (size_t i = 1; i < count && differs > byte; i++) {
		highs |= rg_addr_half(&entries[i].addr, 0) ^ high;
		lows |= rg_addr_half(&entries[i].addr, 1) ^ low;
		if (highs)
			differs = (unsigned int)__builtin_clzll(highs) / 8;
		else if (lows)
			differs = 8 + (unsigned int)__builtin_clzll(lows) / 8;
	}
	return differs;
}

#define BUCKETS 256

/*
 * One pass of an American flag sort: moves each entry into the bucket of its byte, in place. Sets
 * ends[i] to the end of bucket i.
 */
static void spread(struct rg_list_parsed *entries, size_t count, unsigned int byte,
		   size_t ends[BUCKETS])
{
	size_t heads[BUCKETS], sum = 0;

	memset(ends, 0, BUCKETS * sizeof(*ends));
	for (size_t i = 0; i < count; i++)
		ends[entries[i].addr.bytes[byte]]++;
	for (unsigned int i = 0; i < BUCKETS; i++) {
		heads[i] = sum;
		sum += ends[i];
		ends[i] = sum;
	}
	for (unsigned int i = 0; i < BUCKETS; i++)
		while (heads[i] < ends[i]) {
			struct rg_list_parsed entry = entries[heads[i]], other;
			unsigned int home;

			while ((home = entry.addr.bytes[byte]) != i) {
				other = entries[heads[home]];
				entries[heads[home]++] = entry;
				entry = other;
			}
			entries[heads[i]++] = entry;
		}
}

#define FEW 32 /* insertion sort is faster for as few; measured */

/*
 * A radix sort by address; bytes before `byte` are the same in all entries. The recursion is at most
 * 16 deep, for the bytes of an address, with 4 KiB of stack each.
 */
static void sort_entries(struct rg_list_parsed *entries, size_t count, unsigned int byte)
{
	size_t ends[BUCKETS], from = 0;

	if (count <= FEW) {
		sort_few(entries, count);
		return;
	}
	byte = differing_byte(entries, count, byte);
	if (byte == sizeof(entries->addr.bytes)) {
		qsort(entries, count, sizeof(*entries), compare_entries);
		return;
	}
	spread(entries, count, byte, ends);
	for (unsigned int i = 0; i < BUCKETS; from = ends[i++])
		if (ends[i] - from > 1)
			sort_entries(entries + from, ends[i] - from, byte + 1);
}

/*
 * Whether inner, which lies within outer, is needless: approved wins over everything inside it, and an
 * entry of the same class is needed only if it lasts longer than the one around it.
 */
static bool makes_needless(const struct rg_list_parsed *outer, const struct rg_list_parsed *inner)
{
	if (outer->peer_class == RG_CLASS_APPROVED && inner->peer_class == RG_CLASS_BLOCKED)
		return true;
	return outer->peer_class == inner->peer_class && outer->until - 1 >= inner->until - 1;
}

static bool covers(const struct rg_list_parsed *entry, const struct rg_addr *addr)
{
	const struct rg_prefix prefix = { .len = entry->len, .addr = entry->addr };

	return rg_prefix_covers(&prefix, addr);
}

/* The entries around the one that is looked at, outermost first. Each is longer than the one before. */
struct nest {
	const struct rg_list_parsed *entries[RG_ADDR_BITS + 1];
	unsigned int depth;
};

/* Whether the entry is not in force now: it is needless, or waits. */
static bool is_left_out(const struct nest *nest, const struct rg_list_parsed *entry)
{
	for (unsigned int i = nest->depth; i; i--)
		if (makes_needless(nest->entries[i - 1], entry))
			return true;
	return false;
}

/* When the last approval around a blocked entry ends; 0: then it is needless. */
static uint32_t waits_until(const struct nest *nest, const struct rg_list_parsed *entry)
{
	uint32_t until = 0;

	for (unsigned int i = nest->depth; i; i--) {
		const struct rg_list_parsed *outer = nest->entries[i - 1];

		/* 0 lasts longest: hence the subtraction. */
		if (outer->until - 1 >= entry->until - 1)
			return 0;
		if (outer->peer_class == RG_CLASS_APPROVED && outer->until > until)
			until = outer->until;
	}
	return until;
}

static int add_waiting(struct rg_list_sort_waiting *waiting, const struct rg_list_parsed *entry,
		       uint32_t from)
{
	if (waiting->count == waiting->allocated) {
		size_t size = waiting->allocated ? 2 * waiting->allocated : 64;
		struct rg_list_sort_later *all = reallocarray(waiting->all, size, sizeof(*all));

		if (!all)
			return -ENOMEM;
		waiting->all = all;
		waiting->allocated = size;
	}
	waiting->all[waiting->count++] = (struct rg_list_sort_later){ .entry = *entry, .from = from };
	return 0;
}

int rg_list_sort_resolve(struct rg_list_parsed *entries, size_t *count,
			 struct rg_list_sort_waiting *waiting)
{
	struct nest nest = {};
	size_t kept = 0;

	if (!is_sorted(entries, *count))
		sort_entries(entries, *count, 0);
	for (size_t i = 0; i < *count; i++) {
		struct rg_list_parsed *entry = &entries[i];

		while (nest.depth && !covers(nest.entries[nest.depth - 1], &entry->addr))
			nest.depth--;
		if (is_left_out(&nest, entry)) {
			uint32_t from = entry->peer_class == RG_CLASS_BLOCKED ?
						waits_until(&nest, entry) :
						0;

			if (from && add_waiting(waiting, entry, from))
				return -ENOMEM;
			continue;
		}
		entry->nested = nest.depth != 0;
		if (kept < i)
			entries[kept] = *entry;
		nest.entries[nest.depth++] = &entries[kept++];
	}
	*count = kept;
	return 0;
}
