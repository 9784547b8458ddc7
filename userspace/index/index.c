/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "index/index_private.h"

#include <sys/mman.h>

/* ---- sizes ---- */

void rg_index_measure(const struct rg_list_item *items, size_t count, struct rg_index_size *ret)
{
	size_t expanded = 0;

	*ret = (struct rg_index_size){};
	for (size_t i = 0; i < count; i++) {
		const struct rg_prefix prefix = rg_list_item_prefix(&items[i]);

		if (!rg_addr_is_v4(&prefix.addr))
			ret->nets6 += prefix.len == 64;
		else if (prefix.len == RG_ADDR_BITS)
			ret->hosts4++;
		else if (prefix.len > RG_ADDR_BITS - 8)
			expanded += 1U << (RG_ADDR_BITS - prefix.len);
		ret->nets4 |= rg_addr_is_v4(&prefix.addr) && prefix.len < RG_ADDR_BITS;
	}
	ret->hosts4 += expanded < RG_INDEX_EXPANDED_MAX ? expanded : RG_INDEX_EXPANDED_MAX;
}

static uint32_t nets4_lines(const struct rg_index_size *size)
{
	return size->nets4 ? RG_INDEX_NETS4_LINES : 0;
}

uint32_t rg_index_lines(const struct rg_index_size *size)
{
	return nets4_lines(size) +
	       rg_index_table_lines(rg_index_table_buckets(RG_INDEX_TABLE_HOSTS4, size->hosts4)) +
	       rg_index_table_lines(rg_index_table_buckets(RG_INDEX_TABLE_NETS6, size->nets6));
}

/* 2^n filters are enough for all hosts that there is room for. Lists have none. */
static uint32_t filter_bits(const struct rg_index *index)
{
	size_t hosts = index->part == RG_INDEX_LISTS ? 0 : rg_index_table_room(&index->hosts4);
	uint32_t bits = 1;

	while (bits < RG_INDEX_FILTER_BITS && hosts > (size_t)RG_INDEX_FILTER_HOSTS << bits)
		bits++;
	return bits;
}

/* ---- the object ---- */

static struct rg_index_table table_at(const struct rg_index *index, uint32_t first,
				      enum rg_index_table_kind kind, size_t entries)
{
	uint32_t buckets = rg_index_table_buckets(kind, entries);

	return (struct rg_index_table){ .lines = index->lines + first,
					.seed = index->header->seed,
					.kind = kind,
					.buckets = buckets,
					.probes = rg_index_table_probes(kind, buckets) };
}

static void lay_out(struct rg_index *index, const struct rg_index_size *size)
{
	struct rg_index_header *header = index->header;

	header->nets4 = size->nets4;
	header->hosts4 = nets4_lines(size);
	index->hosts4 = table_at(index, header->hosts4, RG_INDEX_TABLE_HOSTS4, size->hosts4);
	header->buckets4 = index->hosts4.buckets;
	header->probes4 = (uint8_t)index->hosts4.probes;
	header->nets6 = header->hosts4 + rg_index_table_lines(header->buckets4);
	index->nets6 = table_at(index, header->nets6, RG_INDEX_TABLE_NETS6, size->nets6);
	header->buckets6 = index->nets6.buckets;
}

static void *map_memory(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int rg_index_new(struct rg_index **ret, const struct rg_index_origin *origin,
		 const struct rg_index_size *size)
{
	struct rg_index *index = calloc(1, sizeof(*index));

	if (!index)
		return -ENOMEM;
	index->presence = origin->presence;
	index->part = origin->part;
	index->line_count = rg_index_lines(size);
	index->lines = map_memory(origin->fd, index->line_count * sizeof(*index->lines));
	index->own = map_memory(-1, sizeof(*index->own));
	if (!index->lines || !index->own) {
		int err = -errno;

		rg_index_free(index);
		return err;
	}
	index->header = &index->first_header;
	index->header->epoch = rg_index_epoch_at(origin->now);
	index->header->seed = origin->seed;
	lay_out(index, size);
	index->filter_bits = filter_bits(index);
	index->filters4 = calloc(1UL << index->filter_bits, sizeof(*index->filters4));
	if (index->part == RG_INDEX_LISTS)
		index->near4 = calloc(RG_INDEX_NEAR4_WORDS, sizeof(*index->near4));
	if (!index->filters4 || (index->part == RG_INDEX_LISTS && !index->near4)) {
		rg_index_free(index);
		return -ENOMEM;
	}
	*ret = index;
	return 0;
}

void rg_index_free(struct rg_index *index)
{
	if (!index)
		return;
	if (index->lines)
		munmap(index->lines, index->line_count * sizeof(*index->lines));
	if (index->own)
		munmap(index->own, sizeof(*index->own));
	if (!index->is_installed)
		free(index->filters4);
	if (!index->owns_presence)
		free(index->near4);
	rg_index_table_close(&index->hosts4);
	rg_index_table_close(&index->nets6);
	free(index->rebuild.filters4);
	free(index);
}

uint32_t rg_index_install(struct rg_index *index, struct rg_index_presence *presence,
			  struct rg_index_filters *filters, uint32_t bank)
{
	uint32_t which = bank - RG_INDEX_BANK(index->part, 0);

	presence->headers[bank] = *index->header;
	index->header = &presence->headers[bank];
	if (index->part != RG_INDEX_LISTS) {
		__u64 *filters4 = filters->banks[rg_index_filters_of(bank)];

		memcpy(filters4, index->filters4, sizeof(*filters4) << index->filter_bits);
		if (!index->is_installed)
			free(index->filters4);
		index->filters4 = filters4;
		index->is_installed = true;
	}
	return RG_INDEX_IN_FORCE(index->part, which, index->filter_bits);
}

/* ---- what it holds ---- */

const struct rg_index_header *rg_index_header(const struct rg_index *index)
{
	return index->header;
}

struct rg_index_count rg_index_count(const struct rg_index *index)
{
	return (struct rg_index_count){
		.hosts4 = index->hosts4.count,
		.nets6 = index->nets6.count,
		.overflow = index->hosts4.overflow_count + index->nets6.overflow_count,
		.bytes = (size_t)index->line_count * sizeof(*index->lines),
	};
}

bool rg_index_is_stale(const struct rg_index *index)
{
	size_t live = index->hosts4.count + index->nets6.count;

	return index->written > 4 * live + 1000000 || index->uncoded > live / 16 + 1000;
}
