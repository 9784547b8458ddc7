/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "index/index_table.h"

#define SLOTS4 (2 * RG_INDEX_WORDS)
#define SLOTS6 (RG_INDEX_WORDS / 2)
#define BUCKETS6_MIN 8
#define BUCKETS_MAX (1U << 26)
#define OVERFLOW_OF 16384 /* one crowded key of so many entries is not too many */

/* How full buckets of hosts may be: those that few probes must find are to be emptier. */
static size_t entries4_for(size_t buckets)
{
	uint32_t probes = rg_index_table_probes(RG_INDEX_TABLE_HOSTS4, (uint32_t)buckets);

	static const uint32_t fill[] = { 5, 5, 8, 9, 11 };

	return buckets * fill[probes];
}

static size_t entries_for(enum rg_index_table_kind kind, size_t buckets)
{
	return kind == RG_INDEX_TABLE_HOSTS4 ? entries4_for(buckets) : buckets * 3 / 2;
}

size_t rg_index_table_room(const struct rg_index_table *table)
{
	return entries_for(table->kind, table->buckets);
}

uint32_t rg_index_table_probes(enum rg_index_table_kind kind, uint32_t buckets)
{
	uint32_t probes = buckets / RG_INDEX_BUCKETS4_MIN;

	return kind == RG_INDEX_TABLE_HOSTS4 && probes < RG_INDEX_PROBES ? probes : RG_INDEX_PROBES;
}

/* The least that is enough; with more probes fewer are. */
static uint32_t buckets4(size_t entries)
{
	for (uint32_t probes = 1; probes <= RG_INDEX_PROBES; probes++) {
		size_t least = (size_t)probes * RG_INDEX_BUCKETS4_MIN;
		size_t buckets = entries / (entries4_for(least) / least) + 1;

		if (buckets < least)
			return (uint32_t)least;
		if (probes == RG_INDEX_PROBES || buckets < least + RG_INDEX_BUCKETS4_MIN)
			return buckets < BUCKETS_MAX ? (uint32_t)buckets : BUCKETS_MAX;
	}
	return BUCKETS_MAX;
}

uint32_t rg_index_table_buckets(enum rg_index_table_kind kind, size_t entries)
{
	size_t buckets = entries * 2 / 3 + BUCKETS6_MIN;

	if (kind == RG_INDEX_TABLE_HOSTS4)
		return entries ? buckets4(entries) : 0;
	return buckets < BUCKETS_MAX ? (uint32_t)buckets : BUCKETS_MAX;
}

/* The last bucket has others behind it as well. */
uint32_t rg_index_table_lines(uint32_t buckets)
{
	return buckets ? buckets + RG_INDEX_PROBES - 1 : 0;
}

void rg_index_table_close(struct rg_index_table *table)
{
	free(table->overflow);
	table->overflow = NULL;
}

/* ---- slots ---- */

static uint32_t slots_of(const struct rg_index_table *table)
{
	return table->kind == RG_INDEX_TABLE_HOSTS4 ? SLOTS4 : SLOTS6;
}

static uint64_t load(const struct rg_index_table *table, const struct rg_index_line *line, uint32_t at)
{
	if (table->kind == RG_INDEX_TABLE_HOSTS4)
		return __atomic_load_n(&line->hosts[at], __ATOMIC_ACQUIRE);
	return __atomic_load_n(&line->words[at + SLOTS6], __ATOMIC_ACQUIRE);
}

static void store(const struct rg_index_table *table, struct rg_index_line *line, uint32_t at,
		  uint64_t word)
{
	if (table->kind == RG_INDEX_TABLE_HOSTS4)
		__atomic_store_n(&line->hosts[at], (uint32_t)word, __ATOMIC_RELEASE);
	else
		__atomic_store_n(&line->words[at + SLOTS6], word, __ATOMIC_RELEASE);
}

static bool is_taken(uint64_t word)
{
	return word > RG_INDEX_TOMBSTONE;
}

/* ---- keys ---- */

/* The way back from rg_index_mix4(). */
static uint32_t unmix4(uint32_t mixed, uint64_t seed)
{
	mixed = (mixed ^ mixed >> 16) * 0x43021123U;
	mixed -= (uint32_t)(seed >> 32);
	mixed = (mixed ^ mixed >> 15 ^ mixed >> 30) * 0x1d69e2a5U;
	return mixed ^ mixed >> 16 ^ (uint32_t)seed;
}

static uint32_t hash_of(const struct rg_index_table *table, uint64_t key)
{
	return table->kind == RG_INDEX_TABLE_HOSTS4 ? rg_index_mix4((uint32_t)key, table->seed) :
						      rg_index_hash(key ^ table->seed);
}

static uint32_t home_of(const struct rg_index_table *table, uint64_t key)
{
	return rg_index_home(hash_of(table, key), table->buckets);
}

/* The upper half of a word, or what hosts4 has of it. */
static uint64_t word_of(const struct rg_index_table *table, uint64_t key, uint32_t payload)
{
	if (table->kind == RG_INDEX_TABLE_HOSTS4)
		return (hash_of(table, key) & RG_INDEX_KEY4_MASK) << RG_INDEX_KEY4_SHIFT | payload;
	return (uint64_t)rg_index_check6(key) << RG_INDEX_CHECK6_SHIFT | payload;
}

/* The least hash of those whose search begins at most probes - 1 buckets before line. */
static uint64_t first_hash(const struct rg_index_table *table, const struct rg_index_line *line)
{
	uint64_t number = (uint64_t)(line - table->lines);

	number = number < table->probes ? 0 : number - (table->probes - 1);
	return ((number << 32) + table->buckets - 1) / table->buckets;
}

/* Hashes that have the same key lie further from each other than a search goes. */
static uint64_t key_of(const struct rg_index_table *table, const struct rg_index_line *line,
		       uint32_t at, uint64_t first, uint64_t word)
{
	uint32_t low = (uint32_t)word >> RG_INDEX_KEY4_SHIFT;

	if (table->kind == RG_INDEX_TABLE_NETS6)
		return line->words[at];
	return unmix4((uint32_t)(first + ((low - first) & RG_INDEX_KEY4_MASK)), table->seed);
}

/* ---- searches ---- */

struct search {
	struct rg_index_line *line; /* home, then those behind it */
	uint32_t slots; /* in a bucket */
	uint32_t first; /* slot where it begins, in each bucket */
	uint32_t together; /* so many slots, if one of them is empty, end it */
	uint64_t key, word;
	struct rg_index_line *room; /* the first that is free, or NULL */
	uint32_t room_at;
};

static struct search begin(const struct rg_index_table *table, uint64_t key)
{
	struct search search = { .slots = slots_of(table),
				 .together = SLOTS6,
				 .key = key,
				 .word = word_of(table, key, 0),
				 .line = table->lines + home_of(table, key) };

	if (table->kind == RG_INDEX_TABLE_HOSTS4) {
		search.together = 2;
		search.first = (uint32_t)search.word >> RG_INDEX_KEY4_SHIFT & (RG_INDEX_PAIRS - 1);
		search.first *= 2;
	}
	return search;
}

static bool is_it(const struct rg_index_table *table, const struct search *search, uint32_t at,
		  uint64_t word)
{
	if (!is_taken(word) || (word ^ search->word) & ~(uint64_t)RG_INDEX_PAYLOAD_MASK)
		return false;
	return table->kind == RG_INDEX_TABLE_HOSTS4 || search->line->words[at] == search->key;
}

/* One bucket: true: found at *ret; *ends: it is nowhere. */
static bool search_line(const struct rg_index_table *table, struct search *search, uint32_t *ret,
			bool *ends)
{
	bool empty = false;

	for (uint32_t i = 0; i < search->slots; i++) {
		uint32_t at = (search->first + i) % search->slots;
		uint64_t word = load(table, search->line, at);

		if (is_it(table, search, at, word)) {
			*ret = at;
			return true;
		}
		if (!is_taken(word) && !search->room) {
			search->room = search->line;
			search->room_at = at;
		}
		empty |= !word;
		if (empty && (i + 1) % search->together == 0)
			break;
	}
	*ends = empty;
	return false;
}

static bool look_for(const struct rg_index_table *table, struct search *search,
		     struct rg_index_slot *ret, bool *ends)
{
	*ends = false;
	for (uint32_t i = 0; i < table->probes && !*ends; i++, search->line++)
		if (search_line(table, search, &ret->at, ends)) {
			ret->line = search->line;
			ret->key = search->key;
			ret->payload = (uint32_t)load(table, ret->line, ret->at) &
				       RG_INDEX_PAYLOAD_MASK;
			return true;
		}
	return false;
}

/* No slot can stand for it: crowded, wherever there is room. */
static bool is_unkeyed(const struct rg_index_table *table, uint64_t key)
{
	return table->kind == RG_INDEX_TABLE_HOSTS4 && !(hash_of(table, key) & RG_INDEX_KEY4_MASK);
}

bool rg_index_table_find(const struct rg_index_table *table, uint64_t key,
			 struct rg_index_slot *ret, bool *ends)
{
	struct search search;

	*ends = false;
	if (is_unkeyed(table, key))
		return false;
	search = begin(table, key);
	return look_for(table, &search, ret, ends);
}

/* ---- keys without a slot ---- */

static bool has_overflowed(const struct rg_index_table *table, uint64_t key)
{
	for (size_t i = 0; i < table->overflow_count; i++)
		if (table->overflow[i] == key)
			return true;
	return false;
}

static int add_overflow(struct rg_index_table *table, uint64_t key)
{
	if (has_overflowed(table, key))
		return 0;
	if (table->overflow_count == table->overflow_allocated) {
		size_t size = table->overflow_allocated ? table->overflow_allocated * 2 : 16;
		uint64_t *keys = reallocarray(table->overflow, size, sizeof(*keys));

		if (!keys)
			return -ENOMEM;
		table->overflow = keys;
		table->overflow_allocated = size;
	}
	table->overflow[table->overflow_count++] = key;
	return 0;
}

/* ---- changes ---- */

/* Where a slot is empty, searches end. */
static bool has_empty(const struct rg_index_table *table, const struct rg_index_line *line)
{
	for (uint32_t at = 0; at < slots_of(table); at++)
		if (!load(table, line, at))
			return true;
	return false;
}

/* A search that begins at or before line goes past all of it, and finds something behind it. */
static bool is_passed(const struct rg_index_table *table, const struct rg_index_line *line)
{
	uint32_t number = (uint32_t)(line - table->lines);

	for (size_t i = 0; i < table->overflow_count; i++) {
		uint32_t home = home_of(table, table->overflow[i]);

		if (home <= number && number < home + table->probes)
			return true;
	}
	for (uint32_t i = 1; i < table->probes && number + i < rg_index_table_lines(table->buckets);
	     i++) {
		const struct rg_index_line *next = line + i;
		uint64_t first = first_hash(table, next);

		for (uint32_t at = 0; at < slots_of(table); at++) {
			uint64_t word = load(table, next, at);

			if (is_taken(word) &&
			    home_of(table, key_of(table, next, at, first, word)) <= number)
				return true;
		}
	}
	return false;
}

/* A search goes past the pair that at is in, and finds something further on in the bucket. */
static bool is_passed_within(const struct rg_index_table *table, const struct rg_index_line *line,
			     uint32_t at)
{
	for (uint32_t other = 0; table->kind == RG_INDEX_TABLE_HOSTS4 && other < SLOTS4; other++) {
		uint32_t word = (uint32_t)load(table, line, other);
		uint32_t first = word >> RG_INDEX_KEY4_SHIFT;

		if (is_taken(word) &&
		    (at / 2 - first) % RG_INDEX_PAIRS < (other / 2 - first) % RG_INDEX_PAIRS)
			return true;
	}
	return false;
}

/* Slots that were freed are empty again, once no search goes past them. */
static void tidy(const struct rg_index_table *table, struct rg_index_line *line)
{
	if (!has_empty(table, line) && is_passed(table, line))
		return;
	for (uint32_t at = 0; at < slots_of(table); at++)
		if (load(table, line, at) == RG_INDEX_TOMBSTONE && !is_passed_within(table, line, at))
			store(table, line, at, 0);
}

/* To be called when a search that began at home no longer goes as far as last. */
static void tidy_up_to(const struct rg_index_table *table, uint32_t home,
		       const struct rg_index_line *last)
{
	for (struct rg_index_line *line = &table->lines[home]; line <= last; line++)
		tidy(table, line);
}

void rg_index_table_forget(struct rg_index_table *table, uint64_t key)
{
	uint32_t home = home_of(table, key);

	for (size_t i = 0; i < table->overflow_count; i++)
		if (table->overflow[i] == key) {
			table->overflow[i] = table->overflow[--table->overflow_count];
			tidy_up_to(table, home, &table->lines[home + table->probes - 1]);
			return;
		}
}

void rg_index_table_remove(struct rg_index_table *table, const struct rg_index_slot *slot)
{
	store(table, slot->line, slot->at, RG_INDEX_TOMBSTONE);
	table->count--;
	tidy_up_to(table, home_of(table, slot->key), slot->line);
}

void rg_index_table_set(const struct rg_index_table *table, struct rg_index_slot *slot,
			uint32_t payload)
{
	slot->payload = payload;
	store(table, slot->line, slot->at, word_of(table, slot->key, payload));
}

/* Each that is crowded is left to the trie, so a few are no reason for a larger table. */
static int put_overflow(struct rg_index_table *table, uint64_t key)
{
	int err = add_overflow(table, key);

	return err ? err : table->overflow_count * OVERFLOW_OF > table->count;
}

int rg_index_table_put(struct rg_index_table *table, uint64_t key, uint32_t payload, uint32_t *old)
{
	struct search search;
	struct rg_index_slot slot;
	bool ends;

	*old = 0;
	if (is_unkeyed(table, key))
		return add_overflow(table, key); /* in a larger table, too */
	search = begin(table, key);
	if (look_for(table, &search, &slot, &ends)) {
		*old = slot.payload;
		rg_index_table_set(table, &slot, payload);
		return 0;
	}
	/*
	 * All buckets of one that is crowded are full, and stay so: the search ends with "ask". It gets no
	 * slot later on: a search that has gone past that already would meet those that are emptied.
	 */
	if (!search.room || (!ends && has_overflowed(table, key)))
		return put_overflow(table, key);
	if (table->kind == RG_INDEX_TABLE_NETS6)
		/* Before its word: until then the slot is free. */
		__atomic_store_n(&search.room->words[search.room_at], key, __ATOMIC_RELEASE);
	store(table, search.room, search.room_at, search.word | payload);
	table->count++;
	return table->count > rg_index_table_room(table);
}

void rg_index_table_walk(struct rg_index_table *table,
			 void (*visit)(void *arg, struct rg_index_slot *slot), void *arg)
{
	for (uint32_t i = 0; i < rg_index_table_lines(table->buckets); i++) {
		struct rg_index_slot slot = { .line = &table->lines[i] };
		uint64_t first = 0;

		for (slot.at = 0; slot.at < slots_of(table); slot.at++) {
			uint64_t word = load(table, slot.line, slot.at);

			if (!is_taken(word))
				continue;
			if (!first)
				first = first_hash(table, slot.line);
			slot.key = key_of(table, slot.line, slot.at, first, word);
			slot.payload = (uint32_t)word & RG_INDEX_PAYLOAD_MASK;
			visit(arg, &slot);
		}
	}
}
