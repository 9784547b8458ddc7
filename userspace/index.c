/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "index.h"

#include "addr.h"

#include "../maps/verdict.h"

#include <endian.h>
#include <sys/mman.h>
#include <sys/random.h>

#define SLOTS4 RG_INDEX_WORDS
#define SLOTS6 (RG_INDEX_WORDS / 2)
#define BUCKETS_MIN 8
#define CROWDED_OF 16384 /* one crowded key of so many entries is not too many */
/* Prefixes from /25 to /31 become hosts, as long as they are so many at most. */
#define SPREAD_MAX (1 << 18)
#define EPOCH_TIME (6 * 86400 * RG_NSEC_PER_SEC) /* words reach 13 days from their epoch */

/* A table of buckets, for either family. */
struct table {
	struct rg_index_line *lines;
	uint32_t mask; /* buckets - 1 */
	uint32_t slots; /* in a bucket */
	size_t count;
	size_t clean; /* of them, peers */
	uint64_t *crowded; /* keys that found no slot */
	size_t crowded_count, crowded_allocated;
};

/* Of rg_index_seen, what this part has in it, whatever others or an earlier one have. */
struct own {
	uint64_t nets4[(1 << RG_INDEX_NET4_BITS) / 64];
	uint8_t nets6[1 << RG_INDEX_NET6_BITS];
	uint8_t wide6[1 << RG_INDEX_WIDE6_BITS];
};

struct rg_index {
	struct rg_index_line *lines;
	struct rg_index_header *header; /* line 0 */
	struct rg_index_seen *seen; /* of all parts; NULL: not shown yet */
	struct own *own; /* mapped, so that only what is touched takes memory */
	uint32_t part;
	uint32_t line_count;
	struct table hosts4, nets6;
	size_t spread; /* hosts made of prefixes */
	size_t written; /* entries put since it is there */
};

/*
 * How many entries a table takes before it is time for a larger one. Of sixteen slots nine: then 6 in
 * 100,000 find all their buckets full, and are left to the trie. Buckets of four fill sooner.
 */
static size_t entries_for(size_t buckets, uint32_t slots)
{
	return slots == SLOTS4 ? buckets * SLOTS4 * 9 / 16 : buckets * slots / 2;
}

static uint32_t buckets_for(size_t entries, uint32_t slots)
{
	uint32_t buckets = BUCKETS_MIN;

	while (entries_for(buckets, slots) < entries && buckets < 1U << 26)
		buckets *= 2;
	return buckets;
}

void rg_index_measure(const struct rg_list_item *items, size_t count, struct rg_index_size *ret)
{
	size_t spread = 0;

	*ret = (struct rg_index_size){};
	for (size_t i = 0; i < count; i++) {
		const struct rg_prefix prefix = rg_list_prefix(&items[i]);

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

uint32_t rg_index_lines(const struct rg_index_size *size)
{
	return RG_INDEX_TABLES + (size->nets4 ? RG_INDEX_NETS4_LINES : 0) +
	       buckets_for(size->hosts4, SLOTS4) + buckets_for(size->nets6, SLOTS6);
}

static void lay_out(struct rg_index *index, const struct rg_index_size *size)
{
	uint32_t hosts4 = RG_INDEX_TABLES + (size->nets4 ? RG_INDEX_NETS4_LINES : 0);
	uint32_t buckets4 = buckets_for(size->hosts4, SLOTS4);

	index->header->nets4 = size->nets4 ? RG_INDEX_TABLES : 0;
	index->header->hosts4 = hosts4;
	index->header->hosts4_mask = buckets4 - 1;
	index->header->nets6 = hosts4 + buckets4;
	index->header->nets6_mask = buckets_for(size->nets6, SLOTS6) - 1;
	index->hosts4 = (struct table){ .lines = index->lines + index->header->hosts4,
					.mask = index->header->hosts4_mask,
					.slots = SLOTS4 };
	index->nets6 = (struct table){ .lines = index->lines + index->header->nets6,
				       .mask = index->header->nets6_mask,
				       .slots = SLOTS6 };
}

static void *map_memory(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int rg_index_new(struct rg_index **ret, const struct rg_index_place *place,
		 const struct rg_index_size *size)
{
	struct rg_index *index = calloc(1, sizeof(*index));
	uint64_t seed;

	if (!index)
		return -ENOMEM;
	index->seen = place->seen;
	index->part = place->part;
	index->line_count = rg_index_lines(size);
	index->lines = map_memory(place->fd, index->line_count * sizeof(*index->lines));
	index->own = map_memory(-1, sizeof(*index->own));
	if (!index->lines || !index->own || getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		int err = -errno;

		rg_index_free(index);
		return err;
	}
	index->header = (struct rg_index_header *)index->lines;
	index->header->epoch = place->now;
	index->header->seed = seed;
	lay_out(index, size);
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
	free(index->hosts4.crowded);
	free(index->nets6.crowded);
	free(index);
}

/* ---- words ---- */

static uint64_t load(const __u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(__u64 *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

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
	return prefix->len == RG_ADDR_BITS && rg_addr_is_v4(&prefix->addr) && host4(&prefix->addr);
}

static bool is_net6(const struct rg_prefix *prefix)
{
	return prefix->len == 64 && !rg_addr_is_v4(&prefix->addr);
}

/* Rounded down: a word never says "alive" for longer than its entry is. */
static uint32_t time_of(const struct rg_index *index, uint64_t expiry)
{
	uint64_t units;

	if (!expiry)
		return RG_INDEX_FOREVER;
	if (expiry <= index->header->epoch)
		return 0;
	units = (expiry - index->header->epoch) >> RG_INDEX_UNIT_SHIFT;
	return units < RG_INDEX_LATEST ? (uint32_t)units : RG_INDEX_LATEST;
}

static uint64_t units_at(const struct rg_index *index, uint64_t now)
{
	return now < index->header->epoch ? 0 : (now - index->header->epoch) >> RG_INDEX_UNIT_SHIFT;
}

static uint64_t word_of(const struct rg_index *index, uint32_t half,
			const struct rg_index_entry *entry)
{
	uint32_t zone = entry->zone < RG_MAX_ZONES ? entry->zone : RG_INDEX_NO_ZONE;

	return (uint64_t)half << RG_INDEX_KEY_SHIFT |
	       (uint64_t)time_of(index, entry->expiry) << RG_INDEX_TIME_SHIFT |
	       (uint64_t)entry->class << RG_INDEX_CLASS_SHIFT |
	       (uint64_t)entry->action << RG_INDEX_ACTION_SHIFT | zone;
}

/* ---- what is seen ---- */

static void see_net4(struct rg_index *index, uint32_t net)
{
	index->own->nets4[net / 64] |= 1ULL << net % 64;
	if (index->seen) {
		__u64 *word = &index->seen->nets4[net / 32];

		store(word, *word | 1ULL << (net % 32 * 2 + index->part));
	}
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

/* 32 bits, each as the lower one of two. */
static uint64_t spread_bits(uint64_t bits)
{
	bits = (bits | bits << 16) & 0x0000ffff0000ffffULL;
	bits = (bits | bits << 8) & 0x00ff00ff00ff00ffULL;
	bits = (bits | bits << 4) & 0x0f0f0f0f0f0f0f0fULL;
	bits = (bits | bits << 2) & 0x3333333333333333ULL;
	return (bits | bits << 1) & 0x5555555555555555ULL;
}

/* The bits of 32 /24s: those in mask go, and its own come. */
static void settle_nets4(struct rg_index *index, size_t at, uint64_t mask)
{
	uint64_t own = index->own->nets4[at / 2] >> at % 2 * 32 & 0xffffffff;
	__u64 *word = &index->seen->nets4[at];
	uint64_t fresh;

	if (!own && !(*word & mask))
		return; /* most of them */
	fresh = (*word & ~mask) | spread_bits(own) << index->part;
	if (fresh != *word)
		store(word, fresh);
}

static void settle_bytes(const uint8_t *own, __u8 *bytes, size_t count, uint8_t mask)
{
	for (size_t i = 0; i < count; i++) {
		__u8 fresh = (__u8)((bytes[i] & ~mask) | own[i]);

		if (fresh != bytes[i])
			store_byte(&bytes[i], fresh);
	}
}

static void settle(struct rg_index *index, uint64_t mask4, uint8_t mask6)
{
	struct rg_index_seen *seen = index->seen;

	for (size_t i = 0; i < ARRAY_SIZE(seen->nets4); i++)
		settle_nets4(index, i, mask4);
	settle_bytes(index->own->nets6, seen->nets6, ARRAY_SIZE(seen->nets6), mask6);
	settle_bytes(index->own->wide6, seen->wide6, ARRAY_SIZE(seen->wide6), mask6);
}

void rg_index_show(struct rg_index *index, struct rg_index_seen *seen)
{
	index->seen = seen;
	settle(index, 0, 0);
}

void rg_index_settle(struct rg_index *index)
{
	settle(index, 0x5555555555555555ULL << index->part,
	       (uint8_t)(1 << index->part | 1 << (index->part + RG_INDEX_ASKS)));
}

/* ---- tables: the key is the IPv4 address, or an IPv6 address's first 64 bits ---- */

static struct rg_index_line *bucket_of(const struct rg_index *index, const struct table *table,
				       uint64_t key, uint32_t probe)
{
	return &table->lines[(rg_index_hash(key ^ index->header->seed) + probe) & table->mask];
}

static __u64 *slot_word(const struct table *table, struct rg_index_line *line, uint32_t slot)
{
	return &line->words[table->slots == SLOTS4 ? slot : slot + SLOTS6];
}

/* The key of a slot that is taken. */
static uint64_t slot_key(const struct table *table, const struct rg_index_line *line, uint32_t slot)
{
	return table->slots == SLOTS4 ? line->words[slot] >> RG_INDEX_KEY_SHIFT : line->words[slot];
}

static bool is_taken(uint64_t word)
{
	return word > RG_INDEX_FREED;
}

/* Of a clean peer. What is crowded is taken for a verdict: then the trie says what it is. */
static bool is_clean(uint64_t word)
{
	return (word & RG_INDEX_ANSWER_MASK) == RG_INDEX_CLEAN;
}

/* The word of key, or NULL. If there is none, *room is where it may go, or NULL. */
static __u64 *find_slot(const struct rg_index *index, const struct table *table, uint64_t key,
			struct rg_index_line **room, uint32_t *room_slot)
{
	*room = NULL;
	for (uint32_t probe = 0; probe < RG_INDEX_PROBES; probe++) {
		struct rg_index_line *line = bucket_of(index, table, key, probe);
		bool ends = false;

		for (uint32_t slot = 0; slot < table->slots; slot++) {
			__u64 *word = slot_word(table, line, slot);

			if (is_taken(*word) && slot_key(table, line, slot) == key)
				return word;
			if (!is_taken(*word) && !*room) {
				*room = line;
				*room_slot = slot;
			}
			ends |= !*word;
		}
		if (ends)
			break;
	}
	return NULL;
}

static int add_crowded(struct table *table, uint64_t key)
{
	for (size_t i = 0; i < table->crowded_count; i++)
		if (table->crowded[i] == key)
			return 0;
	if (table->crowded_count == table->crowded_allocated) {
		size_t size = table->crowded_allocated ? table->crowded_allocated * 2 : 16;
		uint64_t *keys = reallocarray(table->crowded, size, sizeof(*keys));

		if (!keys)
			return -ENOMEM;
		table->crowded = keys;
		table->crowded_allocated = size;
	}
	table->crowded[table->crowded_count++] = key;
	return 0;
}

static void remove_crowded(struct table *table, uint64_t key)
{
	for (size_t i = 0; i < table->crowded_count; i++)
		if (table->crowded[i] == key) {
			table->crowded[i] = table->crowded[--table->crowded_count];
			return;
		}
}

/* Each is left to the trie, so a few are no reason for a table of twice the size. */
static bool is_crowded(const struct table *table)
{
	return table->crowded_count * CROWDED_OF > table->count;
}

/* All buckets of a key that is crowded are full, and stay so: the search ends with "ask". */
static int put_key(struct rg_index *index, struct table *table, uint64_t key, uint64_t value)
{
	struct rg_index_line *line;
	uint32_t slot;
	__u64 *word = find_slot(index, table, key, &line, &slot);

	if (word) {
		table->clean += (size_t)is_clean(value) - (size_t)is_clean(*word);
		store(word, value);
		return 0;
	}
	if (!line) {
		int err = add_crowded(table, key);

		return err ? err : is_crowded(table);
	}
	/* Where one is empty, a search ends: then the key was not crowded. */
	if (*slot_word(table, line, slot) == RG_INDEX_FREED)
		remove_crowded(table, key);
	if (table->slots == SLOTS6)
		store(&line->words[slot], key); /* before its word: until then the slot is free */
	store(slot_word(table, line, slot), value);
	table->count++;
	table->clean += is_clean(value);
	return table->count > entries_for((size_t)table->mask + 1, table->slots);
}

/* A search for some other key may have to go past this bucket. */
static bool is_passed(const struct rg_index *index, const struct table *table,
		      const struct rg_index_line *line)
{
	for (size_t i = 0; i < table->crowded_count; i++)
		for (uint32_t probe = 0; probe < RG_INDEX_PROBES; probe++)
			if (bucket_of(index, table, table->crowded[i], probe) == line)
				return true;
	for (uint32_t probe = 1; probe < RG_INDEX_PROBES; probe++) {
		uint32_t at = (uint32_t)(line - table->lines) + probe;
		struct rg_index_line *next = &table->lines[at & table->mask];

		for (uint32_t slot = 0; slot < table->slots; slot++) {
			uint64_t key = slot_key(table, next, slot);

			if (!is_taken(*slot_word(table, next, slot)))
				continue;
			for (uint32_t i = probe; i < RG_INDEX_PROBES; i++)
				if (bucket_of(index, table, key, i - probe) == line)
					return true;
		}
	}
	return false;
}

/* Frees a slot; once no search goes past the bucket, all its free ones are empty again. */
static void free_slot(const struct rg_index *index, struct table *table, struct rg_index_line *line,
		      __u64 *word)
{
	bool full = true;

	for (uint32_t slot = 0; slot < table->slots; slot++)
		full &= *slot_word(table, line, slot) != 0;
	table->clean -= is_clean(*word);
	store(word, full ? RG_INDEX_FREED : 0);
	table->count--;
	if (!full || is_passed(index, table, line))
		return;
	for (uint32_t slot = 0; slot < table->slots; slot++)
		if (*slot_word(table, line, slot) == RG_INDEX_FREED)
			store(slot_word(table, line, slot), 0);
}

static struct rg_index_line *line_of(const struct table *table, const __u64 *word)
{
	return &table->lines[((const char *)word - (const char *)table->lines) / sizeof(*table->lines)];
}

static void remove_key(struct rg_index *index, struct table *table, uint64_t key, bool clean)
{
	struct rg_index_line *line;
	uint32_t slot;
	__u64 *word = find_slot(index, table, key, &line, &slot);

	if (!word && !clean)
		remove_crowded(table, key);
	else if (word && is_clean(*word) == clean)
		free_slot(index, table, line_of(table, word), word);
}

/* ---- entries ---- */

/* State of count /24s from net on; 32 at a time where they fill a word. */
static void set_nets4(struct rg_index *index, uint32_t net, uint32_t count, enum rg_index_net state)
{
	for (uint32_t end = net + count; net < end; net++) {
		uint32_t line = index->header->nets4 + RG_INDEX_NET_LINE(net);
		__u64 *word = &index->lines[line].words[RG_INDEX_NET_WORD(net)];
		uint32_t shift = RG_INDEX_NET_SHIFT(net);

		if (!shift && end - net >= 32) {
			store(word, 0x5555555555555555ULL * state);
			net += 31;
		} else {
			store(word, (*word & ~(3ULL << shift)) | (uint64_t)state << shift);
		}
	}
}

static void see_nets4(struct rg_index *index, uint32_t net, uint32_t count)
{
	for (uint32_t end = net + count; net < end; net++)
		see_net4(index, net);
}

static enum rg_index_net net_state(const struct rg_index_entry *entry)
{
	if (entry->expiry || entry->action != RG_ACTION_NONE)
		return RG_INDEX_NET_ASK;
	return entry->class == RG_CLASS_APPROVED ? RG_INDEX_NET_APPROVED : RG_INDEX_NET_BLOCKED;
}

/* An IPv4 prefix of 25 to 31 bits, as the hosts that it is made of. */
static int spread4(struct rg_index *index, const struct rg_index_entry *entry)
{
	uint32_t first = host4(&entry->prefix.addr), count = 1U << (RG_ADDR_BITS - entry->prefix.len);
	int full = 0;

	for (uint32_t i = 0; i < count; i++) {
		int ret = put_key(index, &index->hosts4, first + i, word_of(index, first + i, entry));

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
	uint32_t first = host4(&prefix->addr), count = 1U << (RG_ADDR_BITS - prefix->len), slot;
	struct rg_index_line *room;

	for (uint32_t i = 0; i < count; i++) {
		__u64 *word = find_slot(index, &index->hosts4, first + i, &room, &slot);

		if (word)
			store(word, *word & ~((uint64_t)RG_INDEX_FOREVER << RG_INDEX_TIME_SHIFT));
	}
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
	else if (!(addr & 0xffffff00) || index->spread >= SPREAD_MAX)
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
	static const struct rg_addr any4 = { .bytes = { [10] = 0xff, [11] = 0xff } };
	const struct rg_prefix *prefix = &entry->prefix;
	uint64_t key = net6(&prefix->addr);
	uint32_t addr = host4(&prefix->addr);
	int ret;

	index->written++;
	if (prefix->len < RG_V4_PREFIX_BITS && rg_prefix_covers(prefix, &any4))
		put_all4(index);
	if (is_host4(prefix)) {
		ret = put_key(index, &index->hosts4, addr, word_of(index, addr, entry));
		see_net4(index, addr >> 8);
		return ret;
	}
	if (is_net6(prefix)) {
		ret = put_key(index, &index->nets6, key, word_of(index, rg_index_check6(key), entry));
		see_net6(index, (uint32_t)(key >> 32), index->part);
		return ret;
	}
	if (rg_addr_is_v4(&prefix->addr) && prefix->len >= RG_V4_PREFIX_BITS)
		return put_net4(index, entry);
	put_other6(index, prefix);
	return 0;
}

void rg_index_remove(struct rg_index *index, const struct rg_prefix *prefix, bool clean)
{
	if (is_host4(prefix))
		remove_key(index, &index->hosts4, host4(&prefix->addr), clean);
	else if (is_net6(prefix))
		remove_key(index, &index->nets6, net6(&prefix->addr), clean);
}

static struct rg_prefix prefix_of(const struct table *table, uint64_t key)
{
	struct rg_prefix prefix = { .len = table->slots == SLOTS4 ? RG_ADDR_BITS : 64 };
	uint32_t word = htobe32((uint32_t)key);
	uint64_t half = htobe64(key);

	if (table->slots == SLOTS6) {
		memcpy(&prefix.addr, &half, sizeof(half));
		return prefix;
	}
	prefix.addr.bytes[10] = prefix.addr.bytes[11] = 0xff;
	memcpy(prefix.addr.bytes + RG_ADDR_V4_OFFSET, &word, sizeof(word));
	return prefix;
}

struct choice {
	const struct rg_prefix *prefix; /* NULL: any */
	uint64_t now; /* what is over then; 0: any */
};

static bool is_chosen(const struct rg_index *index, const struct choice *choice,
		      const struct rg_prefix *key, uint64_t word)
{
	uint32_t until = word >> RG_INDEX_TIME_SHIFT & RG_INDEX_FOREVER;

	if (choice->now && (until == RG_INDEX_FOREVER || until > units_at(index, choice->now)))
		return false;
	if (!is_clean(word))
		return false;
	return !choice->prefix ||
	       (key->len >= choice->prefix->len && rg_prefix_covers(choice->prefix, &key->addr));
}

static size_t remove_from(struct rg_index *index, struct table *table, const struct choice *choice)
{
	size_t count = 0;

	for (uint32_t bucket = 0; bucket <= table->mask; bucket++)
		for (uint32_t slot = 0; slot < table->slots; slot++) {
			struct rg_index_line *line = &table->lines[bucket];
			__u64 *word = slot_word(table, line, slot);
			struct rg_prefix key;

			if (!is_taken(*word))
				continue;
			key = prefix_of(table, slot_key(table, line, slot));
			if (!is_chosen(index, choice, &key, *word))
				continue;
			free_slot(index, table, line, word);
			count++;
		}
	return count;
}

size_t rg_index_flush(struct rg_index *index, const struct rg_prefix *prefix)
{
	const struct choice choice = { .prefix = prefix };

	return remove_from(index, &index->hosts4, &choice) +
	       remove_from(index, &index->nets6, &choice);
}

size_t rg_index_sweep(struct rg_index *index, uint64_t now)
{
	const struct choice choice = { .now = now };

	return remove_from(index, &index->hosts4, &choice) +
	       remove_from(index, &index->nets6, &choice);
}

/* A word in another index's units; 0 if its time is over there. */
static uint64_t move_word(const struct rg_index *to, const struct rg_index *from, uint64_t word)
{
	uint32_t until = word >> RG_INDEX_TIME_SHIFT & RG_INDEX_FOREVER;
	uint64_t expiry = from->header->epoch + ((uint64_t)until << RG_INDEX_UNIT_SHIFT);

	if (until != RG_INDEX_FOREVER)
		until = time_of(to, expiry);
	word &= ~((uint64_t)RG_INDEX_FOREVER << RG_INDEX_TIME_SHIFT);
	return word | (uint64_t)until << RG_INDEX_TIME_SHIFT;
}

static int copy_table(struct rg_index *to, struct table *table, const struct rg_index *from,
		      const struct table *old)
{
	for (uint32_t bucket = 0; bucket <= old->mask; bucket++)
		for (uint32_t slot = 0; slot < old->slots; slot++) {
			struct rg_index_line *line = &old->lines[bucket];
			uint64_t word = *slot_word(old, line, slot), key;

			if (!is_taken(word))
				continue;
			key = slot_key(old, line, slot);
			if (put_key(to, table, key, move_word(to, from, word)) < 0)
				return -ENOMEM;
			if (table->slots == SLOTS4)
				see_net4(to, (uint32_t)key >> 8);
			else
				see_net6(to, (uint32_t)(key >> 32), to->part);
		}
	return 0;
}

/* Of what the trie alone knows, a word that is over says "ask". */
static int copy_crowded(struct rg_index *to, const struct table *table)
{
	const struct rg_index_entry over = { .expiry = 1,
					     .class = RG_CLASS_BLOCKED,
					     .zone = RG_NO_ZONE };

	for (size_t i = 0; i < table->crowded_count; i++) {
		struct rg_index_entry entry = over;

		entry.prefix = prefix_of(table, table->crowded[i]);
		if (rg_index_put(to, &entry) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Of what has no slot; all of the part's bits are set in `seen` already. */
static void copy_own(struct rg_index *to, const struct rg_index *from)
{
	const uint8_t asks = (uint8_t)(1 << (from->part + RG_INDEX_ASKS));

	to->header->other4 = from->header->other4;
	if (from->header->other4)
		memcpy(to->own->nets4, from->own->nets4, sizeof(to->own->nets4));
	for (size_t i = 0; i < ARRAY_SIZE(from->own->nets6); i++)
		if (from->own->nets6[i] & asks)
			to->own->nets6[i] |= asks;
	for (size_t i = 0; i < ARRAY_SIZE(from->own->wide6); i++)
		if (from->own->wide6[i] & asks)
			to->own->wide6[i] |= asks;
}

int rg_index_copy(struct rg_index *to, const struct rg_index *from)
{
	int err;

	copy_own(to, from);
	err = copy_table(to, &to->hosts4, from, &from->hosts4);
	if (!err)
		err = copy_table(to, &to->nets6, from, &from->nets6);
	if (!err)
		err = copy_crowded(to, &from->hosts4);
	if (!err)
		err = copy_crowded(to, &from->nets6);
	return err;
}

/* ---- what XDP finds ---- */

static uint32_t answer_of(const struct rg_index *index, uint64_t word, uint64_t now)
{
	uint32_t until = word >> RG_INDEX_TIME_SHIFT & RG_INDEX_FOREVER;

	if (until != RG_INDEX_FOREVER && until <= units_at(index, now))
		return RG_INDEX_ASK;
	if (index->header->other4 && is_clean(word))
		return RG_INDEX_ASK;
	return word & RG_INDEX_ANSWER_MASK;
}

static uint32_t answer_of_net4(const struct rg_index *index, uint32_t net)
{
	const struct rg_index_line *lines = index->lines + index->header->nets4;

	if (!index->header->nets4)
		return index->header->other4 ? RG_INDEX_ASK : RG_INDEX_NONE;
	switch (load(&lines[RG_INDEX_NET_LINE(net)].words[RG_INDEX_NET_WORD(net)]) >>
			RG_INDEX_NET_SHIFT(net) &
		3) {
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

/* Not found: *passed says that all of its buckets are full. */
static uint64_t find_word(const struct rg_index *index, const struct table *table, uint64_t key,
			  bool *passed)
{
	struct rg_index_line *room;
	uint32_t slot;
	const __u64 *word = find_slot(index, table, key, &room, &slot);

	*passed = true;
	for (uint32_t probe = 0; !word && probe < RG_INDEX_PROBES; probe++) {
		struct rg_index_line *line = bucket_of(index, table, key, probe);

		for (slot = 0; slot < table->slots; slot++)
			*passed &= load(slot_word(table, line, slot)) != 0;
	}
	return word ? load(word) : 0;
}

/* "look" and "ask" of all parts, as XDP reads them. */
static uint32_t read_seen(const struct rg_index_seen *seen, bool is4, uint64_t key)
{
	if (is4)
		return load(&seen->nets4[key >> 13]) >> (key >> 8) % 32 * 2 & RG_INDEX_ALL;
	return (uint32_t)(seen->nets6[rg_index_net6((uint32_t)(key >> 32))] | seen->wide6[key >> 48]);
}

uint32_t rg_index_find(const struct rg_index *index, const struct rg_addr *addr, uint64_t now)
{
	bool is4 = rg_addr_is_v4(addr), passed;
	uint64_t key = is4 ? host4(addr) : net6(addr), word;
	uint32_t where = read_seen(index->seen, is4, key) >> index->part;

	if (where >> RG_INDEX_ASKS & 1)
		return RG_INDEX_ASK;
	if (!(where & 1))
		return RG_INDEX_NONE;
	word = find_word(index, is4 ? &index->hosts4 : &index->nets6, key, &passed);
	if (word)
		return answer_of(index, word, now);
	if (passed)
		return RG_INDEX_ASK;
	return is4 ? answer_of_net4(index, (uint32_t)key >> 8) : RG_INDEX_NONE;
}

uint64_t rg_index_until(const struct rg_index *index, const struct rg_addr *addr, uint64_t now)
{
	bool is4 = rg_addr_is_v4(addr), passed;
	uint64_t word;

	if (rg_index_find(index, addr, now) <= RG_INDEX_ASK)
		return 0;
	word = find_word(index, is4 ? &index->hosts4 : &index->nets6,
			 is4 ? host4(addr) : net6(addr), &passed);
	if (!word)
		return 0;
	return index->header->epoch +
	       ((word >> RG_INDEX_TIME_SHIFT & RG_INDEX_FOREVER) << RG_INDEX_UNIT_SHIFT);
}

struct rg_index_count rg_index_count(const struct rg_index *index)
{
	return (struct rg_index_count){
		.hosts4 = index->hosts4.count,
		.nets6 = index->nets6.count,
		.clean = index->hosts4.clean + index->nets6.clean,
		.crowded = index->hosts4.crowded_count + index->nets6.crowded_count,
		.bytes = (size_t)index->line_count * sizeof(*index->lines),
	};
}

bool rg_index_is_stale(const struct rg_index *index, uint64_t now)
{
	size_t live = index->hosts4.count + index->nets6.count;

	return now > index->header->epoch + EPOCH_TIME || index->written > 4 * live + 1000000;
}
