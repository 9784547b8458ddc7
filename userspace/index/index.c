/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "index/index.h"

#include "base/addr.h"

#include "maps/verdict.h"

#include <endian.h>
#include <sys/mman.h>

/* Prefixes from /25 to /31 become hosts, as long as they are so many at most. */
#define SPREAD_MAX (1 << 18)
/*
 * The filters are made anew when half as many hosts have gone as are there, and one of so many that the
 * filters are enough for.
 */
#define GONE_OF 16
/* The epoch moves on before what lasts half an hour is over the finest scale: every 4.6 min. */
#define EPOCH_STEP 32
#define NEAR4_WORDS ((1 << RG_INDEX_NEAR4_BITS) / 64)
/* An answer that no code stands for. */
#define ASK_ALWAYS (RG_INDEX_CODE_ASK << RG_INDEX_CODE_SHIFT)

/* Of rg_index_presence, what this part has in it, whatever others or an earlier one have. */
struct own {
	uint8_t nets6[1 << RG_INDEX_NET6_BITS];
	uint8_t wide6[1 << RG_INDEX_WIDE6_BITS];
};

struct rg_index {
	struct rg_index_line *lines;
	struct rg_index_header *header; /* first, then where packets find it */
	struct rg_index_header first;
	struct rg_index_presence *seen; /* of all parts; NULL: not shown yet */
	__u64 *filters4; /* of hosts or peers: 2^filter_bits; first our own, then where packets find them */
	bool is_placed; /* header and filters are */
	uint32_t filter_bits;
	__u64 *near4; /* of lists: NEAR4_WORDS; first our own, after rg_index_retire_previous() those in seen */
	bool is_settled;
	struct own *own; /* mapped, so that only what is touched takes memory */
	uint32_t part;
	uint32_t line_count;
	struct rg_index_table hosts4, nets6;
	size_t spread; /* hosts made of prefixes */
	size_t written; /* entries put since it is there */
	size_t unsaid; /* those whose answer found no number */
	size_t gone; /* hosts taken out since the filters were made: they have their bits still */
};

void rg_index_measure(const struct rg_list_item *items, size_t count, struct rg_index_size *ret)
{
	size_t spread = 0;

	*ret = (struct rg_index_size){};
	for (size_t i = 0; i < count; i++) {
		const struct rg_prefix prefix = rg_list_item_prefix(&items[i]);

		if (!rg_addr_is_v4(&prefix.addr))
			ret->nets6 += prefix.len == 64;
		else if (prefix.len == RG_ADDR_BITS)
			ret->hosts4++;
		else if (prefix.len > RG_ADDR_BITS - 8)
			spread += 1U << (RG_ADDR_BITS - prefix.len);
		ret->nets4 |= rg_addr_is_v4(&prefix.addr) && prefix.len < RG_ADDR_BITS;
	}
	ret->hosts4 += spread < SPREAD_MAX ? spread : SPREAD_MAX;
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

/* 2^n filters are enough for as many hosts as there is room for. Lists use none. */
static uint32_t filter_bits(const struct rg_index *index)
{
	size_t hosts = index->part == RG_INDEX_LISTS ? 0 : rg_index_table_room(&index->hosts4);
	uint32_t bits = 1;

	while (bits < RG_INDEX_FILTER_BITS && hosts > (size_t)RG_INDEX_FILTER_HOSTS << bits)
		bits++;
	return bits;
}

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

/* Never ahead of what a CPU has for the time, which may be some ms ago. */
static uint64_t epoch_at(uint64_t now)
{
	uint64_t units = now >> RG_INDEX_UNIT_SHIFT;

	return units ? units - 1 : 0;
}

int rg_index_new(struct rg_index **ret, const struct rg_index_origin *origin,
		 const struct rg_index_size *size)
{
	struct rg_index *index = calloc(1, sizeof(*index));

	if (!index)
		return -ENOMEM;
	index->seen = origin->seen;
	index->part = origin->part;
	index->line_count = rg_index_lines(size);
	index->lines = map_memory(origin->fd, index->line_count * sizeof(*index->lines));
	index->own = map_memory(-1, sizeof(*index->own));
	if (!index->lines || !index->own) {
		int err = -errno;

		rg_index_free(index);
		return err;
	}
	index->header = &index->first;
	index->header->epoch = epoch_at(origin->now);
	index->header->seed = origin->seed;
	lay_out(index, size);
	index->filter_bits = filter_bits(index);
	index->filters4 = calloc(1UL << index->filter_bits, sizeof(*index->filters4));
	if (index->part == RG_INDEX_LISTS)
		index->near4 = calloc(NEAR4_WORDS, sizeof(*index->near4));
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
	if (!index->is_placed)
		free(index->filters4);
	if (!index->is_settled)
		free(index->near4);
	rg_index_table_close(&index->hosts4);
	rg_index_table_close(&index->nets6);
	free(index);
}

static uint64_t load(const __u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(__u64 *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* ---- keys ---- */

static uint32_t host4(const struct rg_addr *addr)
{
	uint32_t word;

	memcpy(&word, addr->bytes + RG_ADDR_V4_OFFSET, sizeof(word));
	return be32toh(word);
}

static uint64_t net6(const struct rg_addr *addr)
{
	uint64_t half;

	memcpy(&half, addr, sizeof(half));
	return be64toh(half);
}

static bool is_host4(const struct rg_prefix *prefix)
{
	return prefix->len == RG_ADDR_BITS && rg_addr_is_v4(&prefix->addr);
}

static bool is_net6(const struct rg_prefix *prefix)
{
	return prefix->len == 64 && !rg_addr_is_v4(&prefix->addr);
}

/* ---- payloads ---- */

/* Rounded down: a slot never says "alive" for longer than its entry is. units: of 2^33 ns. */
static uint32_t time_of(const struct rg_index *index, uint64_t units)
{
	uint64_t epoch = index->header->epoch, count = 0;

	for (uint32_t scale = 0; scale < RG_INDEX_SCALES; scale++) {
		uint32_t shift = RG_INDEX_SCALE(scale), time;

		if (units >> shift <= epoch >> shift)
			return 0; /* longer ones as well */
		count = (units >> shift) - (epoch >> shift);
		time = scale << RG_INDEX_COUNT_BITS | (uint32_t)(count & RG_INDEX_COUNT_MASK);
		if (count <= RG_INDEX_COUNT_MASK && time != RG_INDEX_FOREVER)
			return time;
	}
	return RG_INDEX_LATEST;
}

static uint64_t until_units(const struct rg_index *index, uint32_t payload)
{
	return rg_index_until_units(payload, index->header->epoch);
}

static bool is_for_ever(uint32_t payload)
{
	return (payload & RG_INDEX_TIME_MASK) == RG_INDEX_FOREVER;
}

static bool is_over(const struct rg_index *index, uint32_t payload, uint64_t now)
{
	return !is_for_ever(payload) && until_units(index, payload) <= now >> RG_INDEX_UNIT_SHIFT;
}

/* The answer of a payload, 0: ask. */
static uint32_t meaning_of(const struct rg_index *index, uint32_t payload)
{
	uint32_t code = payload >> RG_INDEX_CODE_SHIFT;

	return code && code <= RG_INDEX_ANSWERS ? index->header->answers[code - 1] : 0;
}

/* In the place where a payload has it; one that finds no number any more is left to the trie. */
static uint32_t code_of(struct rg_index *index, uint32_t answer)
{
	__u16 *answers = index->header->answers;

	for (uint32_t i = 0; answer && i < RG_INDEX_ANSWERS; i++) {
		if (!answers[i])
			__atomic_store_n(&answers[i], (__u16)answer, __ATOMIC_RELEASE);
		if (answers[i] == answer)
			return (i + 1) << RG_INDEX_CODE_SHIFT;
	}
	index->unsaid += answer != 0;
	return ASK_ALWAYS;
}

static bool has_nearby(const struct rg_index_presence *seen, uint32_t addr)
{
	uint32_t bit = rg_index_near4(addr);

	return load(&seen->near4[bit / 64]) >> bit % 64 & 1;
}

/* addr's filter, and its bits there. */
static uint32_t filter_of(const struct rg_index *index, uint32_t addr, uint64_t *bits)
{
	uint64_t seed = index->header->seed;

	*bits = rg_index_filter_bits(rg_index_mix4(addr, seed));
	return rg_index_filter_of(addr, seed, index->filter_bits);
}

/* The answer, and whether an IPv4 host has to heed the local lists. */
static uint32_t answer_at(const struct rg_index *index, bool is4, uint64_t key, uint32_t answer)
{
	answer &= RG_INDEX_ANSWER_MASK;
	if (answer && is4 && index->part != RG_INDEX_LISTS &&
	    (!index->seen || has_nearby(index->seen, (uint32_t)key)))
		answer |= RG_INDEX_CHECK_LISTS;
	return answer;
}

static uint32_t answer_for(const struct rg_index_entry *entry)
{
	uint32_t zone = entry->zone < RG_MAX_ZONES ? entry->zone : RG_INDEX_NO_ZONE;

	return (uint32_t)entry->peer_class << RG_INDEX_CLASS_SHIFT |
	       (uint32_t)entry->action << RG_INDEX_ACTION_SHIFT | zone;
}

/* ---- what is seen ---- */

/* Of lists: an IPv4 address. */
static void see_near4(struct rg_index *index, uint32_t addr)
{
	uint32_t bit = rg_index_near4(addr);
	__u64 *shown = index->seen ? &index->seen->near4[bit / 64] : NULL;

	store(&index->near4[bit / 64], index->near4[bit / 64] | 1ULL << bit % 64);
	if (shown)
		store(shown, *shown | 1ULL << bit % 64);
}

/* What is not lists: bits of a filter. */
static void see_filter(struct rg_index *index, uint32_t at, uint64_t bits)
{
	store(&index->filters4[at], index->filters4[at] | bits);
}

static void see_host4(struct rg_index *index, uint32_t addr)
{
	uint64_t bits;
	uint32_t at = filter_of(index, addr, &bits);

	if (index->part == RG_INDEX_LISTS)
		see_near4(index, addr);
	else
		see_filter(index, at, bits);
}

/* count /24s from net on. What is not lists is rare here: its filters let all pass. */
static void see_nets4(struct rg_index *index, uint32_t net, uint32_t count)
{
	if (index->part == RG_INDEX_LISTS)
		for (uint32_t end = net + count; net < end; net++)
			see_near4(index, net << 8);
	else
		for (uint32_t at = 0; at < 1U << index->filter_bits; at++)
			see_filter(index, at, UINT64_MAX);
}

static void store_byte(__u8 *byte, unsigned int value)
{
	__atomic_store_n(byte, (__u8)value, __ATOMIC_RELEASE);
}

/* bit: index->part, or that and RG_INDEX_ASKS. */
static void see_net6(struct rg_index *index, uint32_t net, uint32_t bit)
{
	uint32_t at = rg_index_net6(net);

	index->own->nets6[at] |= (uint8_t)(1 << bit);
	if (index->seen)
		store_byte(&index->seen->nets6[at], index->seen->nets6[at] | 1U << bit);
}

static void see_wide6(struct rg_index *index, uint32_t wide, uint32_t bit)
{
	index->own->wide6[wide] |= (uint8_t)(1 << bit);
	if (index->seen)
		store_byte(&index->seen->wide6[wide], index->seen->wide6[wide] | 1U << bit);
}

static void settle_bytes(const uint8_t *own, __u8 *bytes, size_t count, uint8_t mask)
{
	for (size_t i = 0; i < count; i++) {
		__u8 fresh = (__u8)((bytes[i] & ~mask) | own[i]);

		if (fresh != bytes[i])
			store_byte(&bytes[i], fresh);
	}
}

/* keep: with others' bits too, as before it has taken their place. Whether any bit is another now. */
static bool settle_near4(const __u64 *own, __u64 *shown, bool keep)
{
	bool changes = false;

	for (size_t i = 0; i < NEAR4_WORDS; i++) {
		uint64_t fresh = own[i] | (keep ? shown[i] : 0);

		if (fresh == shown[i])
			continue;
		store(&shown[i], fresh);
		changes = true;
	}
	return changes;
}

/* Whether any bit of IPv4 is another now. */
static bool settle(struct rg_index *index, bool keep)
{
	uint8_t mask = (uint8_t)(1 << index->part | 1 << (index->part + RG_INDEX_ASKS));
	struct rg_index_presence *seen = index->seen;
	struct own *own = index->own;

	mask = keep ? 0 : mask;
	settle_bytes(own->nets6, seen->nets6, ARRAY_SIZE(seen->nets6), mask);
	settle_bytes(own->wide6, seen->wide6, ARRAY_SIZE(seen->wide6), mask);
	return index->part == RG_INDEX_LISTS && settle_near4(index->near4, seen->near4, keep);
}

bool rg_index_publish(struct rg_index *index, struct rg_index_presence *seen)
{
	index->seen = seen;
	return settle(index, true);
}

void rg_index_retire_previous(struct rg_index *index)
{
	(void)settle(index, false);
	if (index->part != RG_INDEX_LISTS || index->is_settled)
		return;
	free(index->near4);
	index->near4 = index->seen->near4;
	index->is_settled = true;
}

/* ---- slots ---- */

static struct rg_index_table *table_of(struct rg_index *index, bool is4)
{
	return is4 ? &index->hosts4 : &index->nets6;
}

/* State of count /24s from net on; 32 at a time where they fill a word. */
static void set_nets4(struct rg_index *index, uint32_t net, uint32_t count, enum rg_index_net state)
{
	for (uint32_t end = net + count; net < end; net++) {
		struct rg_index_line *line = &index->lines[RG_INDEX_NET_LINE(net)];
		__u64 *word = &line->words[RG_INDEX_NET_WORD(net)];
		uint32_t shift = RG_INDEX_NET_SHIFT(net);

		if (!shift && end - net >= 32) {
			store(word, 0x5555555555555555ULL * state);
			net += 31;
		} else {
			store(word, (*word & ~(3ULL << shift)) | (uint64_t)state << shift);
		}
	}
}

/* Of an index without hosts. */
static int put_nowhere(struct rg_index *index, uint32_t addr)
{
	if (index->header->nets4)
		set_nets4(index, addr >> 8, 1, RG_INDEX_NET_ASK);
	else
		index->header->other4 = 1;
	return 1;
}

#define FOR_GOOD UINT64_MAX

/* units: of 2^33 ns, or FOR_GOOD. */
static int put_key(struct rg_index *index, bool is4, uint64_t key, uint32_t answer, uint64_t units)
{
	struct rg_index_table *table = table_of(index, is4);
	uint32_t payload = code_of(index, answer_at(index, is4, key, answer)), old;

	if (!table->buckets)
		return put_nowhere(index, (uint32_t)key);
	payload |= units == FOR_GOOD ? RG_INDEX_FOREVER : time_of(index, units);
	return rg_index_table_put(table, key, payload, &old);
}

static void remove_slot(struct rg_index *index, struct rg_index_table *table,
			const struct rg_index_slot *slot)
{
	index->gone += table->kind == RG_INDEX_TABLE_HOSTS4;
	rg_index_table_remove(table, slot);
}

static void remove_key(struct rg_index *index, bool is4, uint64_t key)
{
	struct rg_index_table *table = table_of(index, is4);
	struct rg_index_slot slot;
	bool ends;

	if (!table->buckets)
		return;
	if (rg_index_table_find(table, key, &slot, &ends))
		remove_slot(index, table, &slot);
	else
		rg_index_table_forget(table, key);
}

/* ---- entries ---- */

static enum rg_index_net net_state(const struct rg_index_entry *entry)
{
	if (entry->expiry || entry->action != RG_ACTION_NONE)
		return RG_INDEX_NET_ASK;
	return entry->peer_class == RG_CLASS_APPROVED ? RG_INDEX_NET_APPROVED : RG_INDEX_NET_BLOCKED;
}

static uint64_t units_of(uint64_t expiry)
{
	return expiry ? expiry >> RG_INDEX_UNIT_SHIFT : FOR_GOOD;
}

static int put_host4(struct rg_index *index, uint32_t addr, const struct rg_index_entry *entry)
{
	return put_key(index, true, addr, answer_for(entry), units_of(entry->expiry));
}

/* An IPv4 prefix of 25 to 31 bits, as the hosts that it is made of. */
static int spread4(struct rg_index *index, const struct rg_index_entry *entry)
{
	uint32_t first = host4(&entry->prefix.addr), count = 1U << (RG_ADDR_BITS - entry->prefix.len);
	int full = 0;

	for (uint32_t i = 0; i < count; i++) {
		int ret = put_host4(index, first + i, entry);

		if (ret < 0)
			return ret;
		full |= ret;
	}
	index->spread += count;
	return full;
}

/* The same where it would be too many: the trie is asked, also for hosts of a prefix around it. */
static void ask4(struct rg_index *index, const struct rg_prefix *prefix)
{
	uint32_t first = host4(&prefix->addr), count = 1U << (RG_ADDR_BITS - prefix->len);
	struct rg_index_slot slot;
	bool ends;

	for (uint32_t i = 0; index->hosts4.buckets && i < count; i++)
		if (rg_index_table_find(&index->hosts4, first + i, &slot, &ends))
			rg_index_table_set(&index->hosts4, &slot, slot.payload & ~RG_INDEX_TIME_MASK);
	set_nets4(index, first >> 8, 1, RG_INDEX_NET_ASK);
}

/* Any IPv4 entry that is not a host. */
static int put_net4(struct rg_index *index, const struct rg_index_entry *entry)
{
	uint32_t len = entry->prefix.len - RG_V4_PREFIX_BITS, addr = host4(&entry->prefix.addr);
	uint32_t net = addr >> 8, count = len < 24 ? 1U << (24 - len) : 1;
	int full = 0;

	if (!index->header->nets4)
		index->header->other4 = 1;
	else if (len <= 24)
		set_nets4(index, net, count, net_state(entry));
	else if (index->spread >= SPREAD_MAX)
		ask4(index, &entry->prefix);
	else
		full = spread4(index, entry);
	see_nets4(index, net, count);
	return full;
}

/* An entry that has all IPv4 addresses in it, as ::/0 would. */
static void put_all4(struct rg_index *index)
{
	index->header->other4 = 1;
	if (index->header->nets4)
		set_nets4(index, 0, 1U << RG_INDEX_NET4_BITS, RG_INDEX_NET_ASK);
	see_nets4(index, 0, 1U << RG_INDEX_NET4_BITS);
}

static void put_other6(struct rg_index *index, const struct rg_prefix *prefix)
{
	uint32_t net = (uint32_t)(net6(&prefix->addr) >> 32), bit = index->part + RG_INDEX_ASKS;
	uint32_t wide = net >> 16, count = prefix->len < 16 ? 1U << (16 - prefix->len) : 1;

	if (prefix->len >= 32) {
		see_net6(index, net, bit);
		return;
	}
	for (uint32_t i = wide; i < wide + count; i++)
		see_wide6(index, i, bit);
}

int rg_index_put(struct rg_index *index, const struct rg_index_entry *entry)
{
	const struct rg_prefix *prefix = &entry->prefix;
	uint64_t key = net6(&prefix->addr);
	uint32_t addr = host4(&prefix->addr);
	int ret;

	index->written++;
	if (rg_prefix_has_v4(prefix))
		put_all4(index);
	if (is_host4(prefix)) {
		ret = put_host4(index, addr, entry);
		see_host4(index, addr);
		return ret;
	}
	if (is_net6(prefix)) {
		ret = put_key(index, false, key, answer_for(entry), units_of(entry->expiry));
		see_net6(index, (uint32_t)(key >> 32), index->part);
		return ret;
	}
	if (rg_addr_is_v4(&prefix->addr) && prefix->len >= RG_V4_PREFIX_BITS)
		return put_net4(index, entry);
	put_other6(index, prefix);
	return 0;
}

void rg_index_remove(struct rg_index *index, const struct rg_prefix *prefix)
{
	if (is_host4(prefix))
		remove_key(index, true, host4(&prefix->addr));
	else if (is_net6(prefix))
		remove_key(index, false, net6(&prefix->addr));
}

static struct rg_prefix prefix_of(const struct rg_index_table *table, uint64_t key)
{
	bool is4 = table->kind == RG_INDEX_TABLE_HOSTS4;
	struct rg_prefix prefix = { .len = is4 ? RG_ADDR_BITS : 64 };
	uint32_t word = htobe32((uint32_t)key);
	uint64_t half = htobe64(key);

	if (!is4) {
		memcpy(&prefix.addr, &half, sizeof(half));
		return prefix;
	}
	prefix.addr.bytes[10] = prefix.addr.bytes[11] = 0xff;
	memcpy(prefix.addr.bytes + RG_ADDR_V4_OFFSET, &word, sizeof(word));
	return prefix;
}

/* ---- walks over all slots ---- */

struct walk {
	struct rg_index *index;
	struct rg_index_table *table; /* the one it is in */
	const struct rg_prefix *prefix; /* flush: NULL: any */
	uint64_t now; /* sweep */
	uint64_t epoch; /* move: the next one */
	size_t count; /* removed */
	struct rg_index *to; /* copy */
	uint64_t *filters4; /* refilter */
	int err; /* copy */
};

static void walk_all(struct walk *walk, void (*visit)(void *walk, struct rg_index_slot *slot))
{
	for (int is4 = 0; is4 < 2; is4++) {
		walk->table = table_of(walk->index, is4);
		if (walk->table->buckets)
			rg_index_table_walk(walk->table, visit, walk);
	}
}

static void remove_visited(struct walk *walk, const struct rg_index_slot *slot)
{
	remove_slot(walk->index, walk->table, slot);
	walk->count++;
}

static void flush_slot(void *arg, struct rg_index_slot *slot)
{
	struct walk *walk = arg;
	struct rg_prefix key;

	key = prefix_of(walk->table, slot->key);
	if (!walk->prefix ||
	    (key.len >= walk->prefix->len && rg_prefix_covers(walk->prefix, &key.addr)))
		remove_visited(walk, slot);
}

size_t rg_index_flush(struct rg_index *index, const struct rg_prefix *prefix)
{
	struct walk walk = { .index = index, .prefix = prefix };

	walk_all(&walk, flush_slot);
	return walk.count;
}

static void sweep_slot(void *arg, struct rg_index_slot *slot)
{
	struct walk *walk = arg;

	if (is_over(walk->index, slot->payload, walk->now))
		remove_visited(walk, slot);
}

size_t rg_index_sweep(struct rg_index *index, uint64_t now)
{
	struct walk walk = { .index = index, .now = now };

	walk_all(&walk, sweep_slot);
	return walk.count;
}

/* The same time, as it will be counted from the next epoch; until that is there, it seems earlier. */
static void move_slot(void *arg, struct rg_index_slot *slot)
{
	struct walk *walk = arg;
	uint32_t count = slot->payload & RG_INDEX_COUNT_MASK;
	uint32_t shift = RG_INDEX_SCALE(slot->payload >> RG_INDEX_COUNT_BITS & (RG_INDEX_SCALES - 1));
	uint64_t gone = (walk->epoch >> shift) - (walk->index->header->epoch >> shift);

	if (is_for_ever(slot->payload) || !gone || !count)
		return;
	count = gone < count ? count - (uint32_t)gone : 0;
	rg_index_table_set(walk->table, slot, (slot->payload & ~RG_INDEX_COUNT_MASK) | count);
}

void rg_index_advance_epoch(struct rg_index *index, uint64_t now)
{
	struct walk walk = { .index = index, .epoch = epoch_at(now) };

	if (walk.epoch < index->header->epoch + EPOCH_STEP)
		return;
	walk_all(&walk, move_slot);
	store(&index->header->epoch, walk.epoch);
}

static void heed_slot(void *arg, struct rg_index_slot *slot)
{
	struct walk *walk = arg;
	uint32_t old = meaning_of(walk->index, slot->payload);
	uint32_t fresh = answer_at(walk->index, true, slot->key, old);

	if (fresh != old)
		rg_index_table_set(walk->table, slot,
				   code_of(walk->index, fresh) | (slot->payload & RG_INDEX_TIME_MASK));
}

void rg_index_update_near(struct rg_index *index)
{
	struct walk walk = { .index = index, .table = &index->hosts4 };

	if (index->hosts4.buckets)
		rg_index_table_walk(&index->hosts4, heed_slot, &walk);
}

static void filter_host(struct walk *walk, uint32_t addr)
{
	uint64_t bits;
	uint32_t at = filter_of(walk->index, addr, &bits);

	walk->filters4[at] |= bits;
}

static void filter_slot(void *arg, struct rg_index_slot *slot)
{
	filter_host(arg, (uint32_t)slot->key);
}

void rg_index_rebuild_filters(struct rg_index *index)
{
	struct walk walk = { .index = index };
	size_t count = 1UL << index->filter_bits, few = count * RG_INDEX_FILTER_HOSTS / GONE_OF;

	if (index->gone < index->hosts4.count / 2 + few || index->header->other4)
		return;
	walk.filters4 = calloc(count, sizeof(*walk.filters4));
	if (!walk.filters4)
		return; /* another time */
	rg_index_table_walk(&index->hosts4, filter_slot, &walk);
	for (size_t i = 0; i < index->hosts4.overflow_count; i++)
		filter_host(&walk, (uint32_t)index->hosts4.overflow[i]);
	for (size_t i = 0; i < count; i++)
		if (index->filters4[i] != walk.filters4[i])
			store(&index->filters4[i], walk.filters4[i]);
	free(walk.filters4);
	index->gone = 0;
}

/* Of what has no slot; all of the part's bits are set in `presence` already. */
static void copy_own(struct rg_index *to, const struct rg_index *from)
{
	const uint8_t asks = (uint8_t)(1 << (from->part + RG_INDEX_ASKS));

	to->header->other4 = from->header->other4;
	if (from->header->other4)
		see_nets4(to, 0, 1U << RG_INDEX_NET4_BITS);
	for (size_t i = 0; i < ARRAY_SIZE(from->own->nets6); i++)
		if (from->own->nets6[i] & asks)
			to->own->nets6[i] |= asks;
	for (size_t i = 0; i < ARRAY_SIZE(from->own->wide6); i++)
		if (from->own->wide6[i] & asks)
			to->own->wide6[i] |= asks;
}

static int copy_key(struct rg_index *to, bool is4, uint64_t key, uint32_t answer, uint64_t until)
{
	if (is4)
		see_host4(to, (uint32_t)key);
	else
		see_net6(to, (uint32_t)(key >> 32), to->part);
	return put_key(to, is4, key, answer, until) < 0 ? -ENOMEM : 0;
}

static void copy_slot(void *arg, struct rg_index_slot *slot)
{
	struct walk *walk = arg;
	uint64_t until = is_for_ever(slot->payload) ? FOR_GOOD :
						      until_units(walk->index, slot->payload);

	if (!walk->err)
		walk->err = copy_key(walk->to, walk->table->kind == RG_INDEX_TABLE_HOSTS4,
				     slot->key, meaning_of(walk->index, slot->payload), until);
}

/* What the trie alone knows is to be asked there. Of a peer nobody asks: it is one that is not known. */
static int copy_overflow(struct rg_index *to, const struct rg_index_table *table)
{
	int err = 0;

	if (to->part == RG_INDEX_PEERS)
		return 0;
	for (size_t i = 0; !err && i < table->overflow_count; i++)
		err = copy_key(to, table->kind == RG_INDEX_TABLE_HOSTS4, table->overflow[i], 0,
			       FOR_GOOD);
	return err;
}

int rg_index_copy(struct rg_index *to, struct rg_index *from)
{
	struct walk walk = { .index = from, .to = to };
	int err;

	copy_own(to, from);
	walk_all(&walk, copy_slot);
	err = walk.err;
	if (!err)
		err = copy_overflow(to, &from->hosts4);
	if (!err)
		err = copy_overflow(to, &from->nets6);
	return err;
}

/* ---- what XDP finds ---- */

static uint32_t answer_of(const struct rg_index *index, uint32_t payload, uint64_t now)
{
	uint32_t answer = meaning_of(index, payload) & RG_INDEX_ANSWER_MASK;

	if (is_over(index, payload, now))
		return RG_INDEX_ASK;
	return answer ? answer : RG_INDEX_ASK;
}

static uint32_t answer_of_net4(const struct rg_index *index, uint32_t net)
{
	const struct rg_index_line *line = &index->lines[RG_INDEX_NET_LINE(net)];

	if (!index->header->nets4)
		return index->header->other4 ? RG_INDEX_ASK : RG_INDEX_NONE;
	switch (load(&line->words[RG_INDEX_NET_WORD(net)]) >> RG_INDEX_NET_SHIFT(net) & 3) {
	case RG_INDEX_NET_NONE:
		return RG_INDEX_NONE;
	case RG_INDEX_NET_APPROVED:
		return RG_CLASS_APPROVED << RG_INDEX_CLASS_SHIFT;
	case RG_INDEX_NET_BLOCKED:
		return RG_CLASS_BLOCKED << RG_INDEX_CLASS_SHIFT;
	default:
		return RG_INDEX_ASK;
	}
}

static bool may_have4(const struct rg_index *index, uint32_t addr)
{
	uint64_t bits;
	uint32_t at = filter_of(index, addr, &bits);

	return index->part == RG_INDEX_LISTS ? has_nearby(index->seen, addr) :
					       !(bits & ~load(&index->filters4[at]));
}

static uint32_t find_host4(const struct rg_index *index, uint32_t addr, uint64_t now)
{
	struct rg_index_slot slot;
	bool ends = true;

	if (!may_have4(index, addr))
		return RG_INDEX_NONE;
	if (index->hosts4.buckets && rg_index_table_find(&index->hosts4, addr, &slot, &ends))
		return answer_of(index, slot.payload, now);
	return ends ? answer_of_net4(index, addr >> 8) : RG_INDEX_ASK;
}

static uint32_t find_net6(const struct rg_index *index, uint64_t key, uint64_t now)
{
	const struct rg_index_presence *seen = index->seen;
	uint32_t where = seen->nets6[rg_index_net6((uint32_t)(key >> 32))] | seen->wide6[key >> 48];
	struct rg_index_slot slot;
	bool ends;

	where >>= index->part;
	if (where >> RG_INDEX_ASKS & 1)
		return RG_INDEX_ASK;
	if (!(where & 1))
		return RG_INDEX_NONE;
	if (rg_index_table_find(&index->nets6, key, &slot, &ends))
		return answer_of(index, slot.payload, now);
	return ends ? RG_INDEX_NONE : RG_INDEX_ASK;
}

uint32_t rg_index_find(const struct rg_index *index, const struct rg_addr *addr, uint64_t now)
{
	return rg_addr_is_v4(addr) ? find_host4(index, host4(addr), now) :
				     find_net6(index, net6(addr), now);
}

uint64_t rg_index_until(const struct rg_index *index, const struct rg_addr *addr, uint64_t now)
{
	bool is4 = rg_addr_is_v4(addr), ends;
	const struct rg_index_table *table = is4 ? &index->hosts4 : &index->nets6;
	struct rg_index_slot slot;

	if (rg_index_find(index, addr, now) <= RG_INDEX_ASK || !table->buckets ||
	    !rg_index_table_find(table, is4 ? host4(addr) : net6(addr), &slot, &ends))
		return 0;
	return is_for_ever(slot.payload) ? UINT64_MAX :
					   until_units(index, slot.payload) << RG_INDEX_UNIT_SHIFT;
}

uint32_t rg_index_install(struct rg_index *index, struct rg_index_presence *seen, uint32_t place)
{
	uint32_t which = place - RG_INDEX_BANK(index->part, 0);

	seen->headers[place] = *index->header;
	index->header = &seen->headers[place];
	if (index->part != RG_INDEX_LISTS) {
		__u64 *filters4 = seen->filters4[place - RG_INDEX_BANK(RG_INDEX_HOSTS, 0)];

		memcpy(filters4, index->filters4, sizeof(*filters4) << index->filter_bits);
		if (!index->is_placed)
			free(index->filters4);
		index->filters4 = filters4;
		index->is_placed = true;
	}
	return RG_INDEX_IN_FORCE(index->part, which, index->filter_bits);
}

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

	return index->written > 4 * live + 1000000 || index->unsaid > live / 16 + 1000;
}
