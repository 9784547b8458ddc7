/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Presence: the bits that tell a packet whether to look into a table at all, one set for all parts and
 * both generations of an index. A bit too many costs a lookup; a bit too few hides an entry. So a bit is
 * set before or with its entry, and cleared only when no packet can look at the entry any more.
 */
#include "index/index_private.h"

/*
 * Filters are rebuilt once the removed hosts are half as many as those left, and this part of what the
 * filters are meant for: 1/16.
 */
#define REMOVED_OF 16

/* ---- IPv4 ---- */

bool rg_index_presence_is_near(const struct rg_index_presence *presence, uint32_t addr)
{
	uint32_t bit = rg_index_near4(addr);

	return rg_index_load(&presence->near4[bit / 64]) >> bit % 64 & 1;
}

/* The number of addr's filter; *bits: its bits there. */
static uint32_t filter_of(const struct rg_index *index, uint32_t addr, uint64_t *bits)
{
	uint64_t seed = index->header->seed;

	*bits = rg_index_filter_bits(rg_index_mix4(addr, seed));
	return rg_index_filter_of(addr, seed, index->filter_bits);
}

bool rg_index_presence_has4(const struct rg_index *index, uint32_t addr)
{
	uint64_t bits;
	uint32_t at = filter_of(index, addr, &bits);

	return index->part == RG_INDEX_LISTS ? rg_index_presence_is_near(index->presence, addr) :
					       !(bits & ~rg_index_load(&index->filters4[at]));
}

/* Of lists. */
static void add_near4(struct rg_index *index, uint32_t addr)
{
	uint32_t bit = rg_index_near4(addr);
	__u64 *own = &index->near4[bit / 64];
	__u64 *common = index->presence ? &index->presence->near4[bit / 64] : NULL;

	rg_index_store(own, *own | 1ULL << bit % 64);
	if (common)
		rg_index_store(common, *common | 1ULL << bit % 64);
}

/* Of hosts or peers. */
static void add_to_filter(struct rg_index *index, uint32_t at, uint64_t bits)
{
	rg_index_store(&index->filters4[at], index->filters4[at] | bits);
	if (index->rebuild.filters4)
		index->rebuild.filters4[at] |= bits;
}

void rg_index_presence_add_host4(struct rg_index *index, uint32_t addr)
{
	uint64_t bits;
	uint32_t at = filter_of(index, addr, &bits);

	if (index->part == RG_INDEX_LISTS)
		add_near4(index, addr);
	else
		add_to_filter(index, at, bits);
}

/* Networks are rare among hosts and peers: with one, all filters are full. */
void rg_index_presence_add_nets4(struct rg_index *index, uint32_t net, uint32_t count)
{
	if (index->part == RG_INDEX_LISTS)
		for (uint32_t end = net + count; net < end; net++)
			add_near4(index, net << 8);
	else
		for (uint32_t at = 0; at < 1U << index->filter_bits; at++)
			add_to_filter(index, at, UINT64_MAX);
}

/* ---- IPv6 ---- */

static void store_byte(__u8 *byte, unsigned int value)
{
	__atomic_store_n(byte, (__u8)value, __ATOMIC_RELEASE);
}

void rg_index_presence_add_net6(struct rg_index *index, uint32_t net, uint32_t bit)
{
	uint32_t at = rg_index_net6(net);

	index->own->nets6[at] |= (uint8_t)(1 << bit);
	if (index->presence)
		store_byte(&index->presence->nets6[at], index->presence->nets6[at] | 1U << bit);
}

void rg_index_presence_add_wide6(struct rg_index *index, uint32_t wide, uint32_t bit)
{
	index->own->wide6[wide] |= (uint8_t)(1 << bit);
	if (index->presence)
		store_byte(&index->presence->wide6[wide], index->presence->wide6[wide] | 1U << bit);
}

/* ---- publish, retire ---- */

/* Adds own bits; removes those of the mask that are not among them. */
static void merge_bytes(const uint8_t *own, __u8 *bytes, size_t count, uint8_t mask)
{
	for (size_t i = 0; i < count; i++) {
		__u8 fresh = (__u8)((bytes[i] & ~mask) | own[i]);

		if (fresh != bytes[i])
			store_byte(&bytes[i], fresh);
	}
}

/* keep: those of the index before stay as well. Returns whether any bit changes. */
static bool merge_near4(const __u64 *own, __u64 *common, bool keep)
{
	bool changes = false;

	for (size_t i = 0; i < RG_INDEX_NEAR4_WORDS; i++) {
		uint64_t fresh = own[i] | (keep ? common[i] : 0);

		if (fresh == common[i])
			continue;
		rg_index_store(&common[i], fresh);
		changes = true;
	}
	return changes;
}

/* Returns whether any bit of IPv4 changes. */
static bool merge(struct rg_index *index, bool keep)
{
	uint8_t mask = (uint8_t)(1 << index->part | 1 << (index->part + RG_INDEX_ASKS));
	struct rg_index_presence *presence = index->presence;
	struct rg_index_own *own = index->own;

	mask = keep ? 0 : mask;
	merge_bytes(own->nets6, presence->nets6, ARRAY_SIZE(presence->nets6), mask);
	merge_bytes(own->wide6, presence->wide6, ARRAY_SIZE(presence->wide6), mask);
	return index->part == RG_INDEX_LISTS && merge_near4(index->near4, presence->near4, keep);
}

bool rg_index_publish(struct rg_index *index, struct rg_index_presence *presence)
{
	index->presence = presence;
	return merge(index, true);
}

void rg_index_retire_previous(struct rg_index *index)
{
	(void)merge(index, false);
	if (index->part != RG_INDEX_LISTS || index->owns_presence)
		return;
	free(index->near4);
	index->near4 = index->presence->near4;
	index->owns_presence = true;
}

/* ---- filters, once many hosts are removed ---- */

#define PART 512 /* lines: 0.1 ms */

static void add_host(struct rg_index *index, uint32_t addr)
{
	uint64_t bits;
	uint32_t at = filter_of(index, addr, &bits);

	index->rebuild.filters4[at] |= bits;
}

static void add_slot(void *arg, struct rg_index_slot *slot)
{
	add_host(arg, (uint32_t)slot->key);
}

/* False: removed hosts are few, or there is no memory: then the next sweep tries again. */
static bool begin_rebuild(struct rg_index *index)
{
	size_t count = 1UL << index->filter_bits, few = count * RG_INDEX_FILTER_HOSTS / REMOVED_OF;

	if (index->removed < index->hosts4.count / 2 + few || index->header->other4)
		return false;
	index->rebuild.filters4 = calloc(count, sizeof(*index->rebuild.filters4));
	index->rebuild.line = 0;
	index->rebuild.removed = index->removed;
	return index->rebuild.filters4;
}

static void end_rebuild(struct rg_index *index)
{
	for (size_t i = 0; i < index->hosts4.overflow_count; i++)
		add_host(index, (uint32_t)index->hosts4.overflow[i]);
	for (size_t i = 0; i < 1UL << index->filter_bits; i++)
		if (index->filters4[i] != index->rebuild.filters4[i])
			rg_index_store(&index->filters4[i], index->rebuild.filters4[i]);
	free(index->rebuild.filters4);
	index->rebuild.filters4 = NULL;
	index->removed -= index->rebuild.removed;
}

bool rg_index_rebuild_part(struct rg_index *index)
{
	if (!index->rebuild.filters4 && !begin_rebuild(index))
		return false;
	if (rg_index_table_walk_part(&index->hosts4, &index->rebuild.line, PART, add_slot, index))
		return true;
	end_rebuild(index);
	return false;
}

void rg_index_rebuild_filters(struct rg_index *index)
{
	while (rg_index_rebuild_part(index))
		;
}
