/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index's object and the functions that its files share. For no other file. */
#ifndef REPGATE_INDEX_INDEX_PRIVATE_H
#define REPGATE_INDEX_INDEX_PRIVATE_H

#include "index/index.h"

#include "base/addr.h"

#include "maps/verdict.h"

#include <endian.h>

/* Prefixes from /25 to /31 are expanded into hosts, up to so many hosts. */
#define RG_INDEX_EXPANDED_MAX (1 << 18)
#define RG_INDEX_NEAR4_WORDS ((1 << RG_INDEX_NEAR4_BITS) / 64)

/* The presence bits of IPv6 that this index alone has, whatever other parts or the index before have. */
struct rg_index_own {
	uint8_t nets6[1 << RG_INDEX_NET6_BITS];
	uint8_t wide6[1 << RG_INDEX_WIDE6_BITS];
};

struct rg_index {
	enum rg_index_part part;
	struct rg_index_line *lines; /* mapped */
	uint32_t line_count;
	struct rg_index_table hosts4, nets6;
	struct rg_index_presence *presence; /* of all parts, the caller's; NULL: not published yet */

	struct rg_index_header *header; /* first_header, then the one in its bank */
	struct rg_index_header first_header;
	__u64 *filters4; /* of hosts or peers: 2^filter_bits words, our own, then those in its bank */
	uint32_t filter_bits;
	bool is_installed; /* header and filters4 lie in a bank */

	__u64 *near4; /* of lists: RG_INDEX_NEAR4_WORDS, our own, then those in presence */
	bool owns_presence; /* the index before is retired: near4 lies in presence */
	struct rg_index_own *own; /* mapped, so that only what is touched takes memory */

	size_t expanded; /* hosts made of prefixes */
	size_t written; /* entries put so far */
	size_t uncoded; /* entries put whose answer found no free code */
	size_t removed; /* hosts removed since the filters were built: their bits are still there */

	uint64_t next_epoch; /* the epoch is advanced to it, in steps; 0: it is not */
	struct rg_index_cursor advanced; /* slots before it have their times as from next_epoch */
	struct {
		__u64 *filters4; /* are built to take the place of the filters, in steps; NULL: they are not */
		uint32_t line;
		size_t removed; /* when it began */
	} rebuild;
};

/* ---- words that packets read meanwhile ---- */

static inline uint64_t rg_index_load(const __u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void rg_index_store(__u64 *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* ---- keys ---- */

/* The IPv4 address, host order. */
static inline uint32_t rg_index_host4(const struct rg_addr *addr)
{
	uint32_t word;

	memcpy(&word, addr->bytes + RG_ADDR_V4_OFFSET, sizeof(word));
	return be32toh(word);
}

/* The first 64 bits, host order. */
static inline uint64_t rg_index_half6(const struct rg_addr *addr)
{
	uint64_t half;

	memcpy(&half, addr, sizeof(half));
	return be64toh(half);
}

/* The last 64 bits, host order. */
static inline uint64_t rg_index_rest6(const struct rg_addr *addr)
{
	uint64_t half;

	memcpy(&half, addr->bytes + 8, sizeof(half));
	return be64toh(half);
}

static inline struct rg_index_table *rg_index_table_of(struct rg_index *index, bool is4)
{
	return is4 ? &index->hosts4 : &index->nets6;
}

/* Never ahead of the time that a CPU has read, which may be some milliseconds old. now: ns. */
static inline uint64_t rg_index_epoch_at(uint64_t now)
{
	uint64_t units = now >> RG_INDEX_UNIT_SHIFT;

	return units ? units - 1 : 0;
}

/* ---- index_entries.c: payloads and slots ---- */

#define RG_INDEX_NO_END UINT64_MAX

static inline bool rg_index_has_no_end(uint32_t payload)
{
	return (payload & RG_INDEX_TIME_MASK) == RG_INDEX_FOREVER;
}

/* Until when the payload's entry is known to be alive, units of 2^33 ns; not for one without an end. */
uint64_t rg_index_entries_until(const struct rg_index *index, uint32_t payload);
bool rg_index_entries_is_over(const struct rg_index *index, uint32_t payload, uint64_t now);
/* The answer of a payload; 0: ask. */
uint32_t rg_index_entries_answer(const struct rg_index *index, uint32_t payload);
/* The answer's code, where a payload has it. Assigns one; if all are taken: the code for "ask". */
uint32_t rg_index_entries_code(struct rg_index *index, uint32_t answer);
/* The answer, marked with RG_INDEX_CHECK_LISTS if an IPv4 host needs it. */
uint32_t rg_index_entries_mark(const struct rg_index *index, bool is4, rg_index_key key,
			       uint32_t answer);
/* The key of an IPv6 address. */
rg_index_key rg_index_entries_host6(const struct rg_index *index, const struct rg_addr *addr);
/* Puts a key; answer 0: ask; units: of 2^33 ns, or RG_INDEX_NO_END. As rg_index_put(). */
int rg_index_entries_put(struct rg_index *index, bool is4, rg_index_key key, uint32_t answer,
			 uint64_t units);
void rg_index_entries_remove(struct rg_index *index, struct rg_index_table *table,
			     const struct rg_index_slot *slot);

/* ---- index_walk.c ---- */

/* Call when a key was put: if the walk that advances the epoch is past its slot, its time is as from the next epoch. */
void rg_index_advance_put(struct rg_index *index, struct rg_index_table *table, rg_index_key key);

/* ---- index_presence.c: bits that send packets into the tables ---- */

/* Whether the local lists in presence have anything in the address's /23. */
bool rg_index_presence_is_near(const struct rg_index_presence *presence, uint32_t addr);
/* Whether packets with this address look into the index's table. */
bool rg_index_presence_has4(const struct rg_index *index, uint32_t addr);
void rg_index_presence_add_host4(struct rg_index *index, uint32_t addr);
/* count /24s from net on. */
void rg_index_presence_add_nets4(struct rg_index *index, uint32_t net, uint32_t count);
/* net: a /32; bit: the part, or RG_INDEX_ASKS + the part. */
void rg_index_presence_add_net6(struct rg_index *index, uint32_t net, uint32_t bit);
/* wide: a /16. */
void rg_index_presence_add_wide6(struct rg_index *index, uint32_t wide, uint32_t bit);

#endif
