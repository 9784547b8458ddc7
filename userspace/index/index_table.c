/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "index/index_table.h"

#define SLOTS4 (2 * RG_INDEX_WORDS)
#define SLOTS6 (RG_INDEX_WORDS / 2)
#define BUCKETS6_MIN 8
#define BUCKETS_MAX (1U << 26)
#define OVERFLOW_OF 16384 /* one key without a slot for so many entries is no reason to grow */

/* How many hosts a bucket may have on average: with fewer probes, fewer. */
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

/* The smallest sufficient number: larger tables allow more probes, and so fuller buckets. */
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

/* A search from the last bucket goes on behind it. */
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

/* The inverse of rg_index_mix4(). */
static uint32_t unmix4(uint32_t mixed, uint64_t seed)
{
	mixed = (mixed ^ mixed >> 16) * 0x43021123U;
	mixed -= (uint32_t)(seed >> 32);
	mixed = (mixed ^ mixed >> 15 ^ mixed >> 30) * 0x1d69e2a5U;
	return mixed ^ mixed >> 16 ^ (uint32_t)seed;
}

static uint32_t hash_of(const struct rg_index_table *table, rg_index_key key)
{
	return table->kind == RG_INDEX_TABLE_HOSTS4 ?
		       rg_index_mix4((uint32_t)key, table->seed) :
		       rg_index_hash6((uint64_t)key, (uint64_t)(key >> 64), table->seed);
}

static uint32_t home_of(const struct rg_index_table *table, rg_index_key key)
{
	return rg_index_home(hash_of(table, key), table->buckets);
}

/* The slot of a key with this payload. */
static uint64_t word_of(const struct rg_index_table *table, rg_index_key key, uint32_t payload)
{
	if (table->kind == RG_INDEX_TABLE_HOSTS4)
		return (hash_of(table, key) & RG_INDEX_KEY4_MASK) << RG_INDEX_KEY4_SHIFT | payload;
	return (key >> 64 ? (uint64_t)(key >> 64) : rg_index_check6((uint64_t)key))
		       << RG_INDEX_CHECK6_SHIFT |
	       payload;
}

/* The smallest hash of all whose search may reach line: it begins at most probes - 1 buckets before. */
static uint64_t first_hash(const struct rg_index_table *table, const struct rg_index_line *line)
{
	uint64_t number = (uint64_t)(line - table->lines);

	number = number < table->probes ? 0 : number - (table->probes - 1);
	return ((number << 32) + table->buckets - 1) / table->buckets;
}

/* The mark of an address; 0: the slot is a /64's. */
static uint64_t mark_of(uint64_t word)
{
	uint64_t check = word >> RG_INDEX_CHECK6_SHIFT;

	return check & 1 ? check : 0;
}

/*
 * The key of a slot, from its line and its quotient key. Only one hash fits: those with the same
 * quotient key lie further apart than a search goes. first: first_hash().
 */
static rg_index_key key_of(const struct rg_index_table *table, const struct rg_index_line *line,
			   uint32_t at, uint64_t first, uint64_t word)
{
	uint32_t low = (uint32_t)word >> RG_INDEX_KEY4_SHIFT;

	if (table->kind == RG_INDEX_TABLE_NETS6)
		return (rg_index_key)mark_of(word) << 64 | line->words[at];
	return unmix4((uint32_t)(first + ((low - first) & RG_INDEX_KEY4_MASK)), table->seed);
}

/* ---- searches ---- */

struct search {
	struct rg_index_line *line; /* the home bucket, then those behind it */
	uint32_t slots; /* in a bucket */
	uint32_t first; /* the slot where it begins, in each bucket */
	uint32_t group; /* slots that XDP reads at once: an empty one among them ends the search */
	rg_index_key key;
	uint64_t word;
	struct rg_index_line *room; /* the line of the first free slot, or NULL */
	uint32_t room_at;
};

static struct search begin(const struct rg_index_table *table, rg_index_key key)
{
	struct search search = { .slots = slots_of(table),
				 .group = SLOTS6,
				 .key = key,
				 .word = word_of(table, key, 0),
				 .line = table->lines + home_of(table, key) };

	if (table->kind == RG_INDEX_TABLE_HOSTS4) {
		search.group = 2;
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
	return table->kind == RG_INDEX_TABLE_HOSTS4 ||
	       search->line->words[at] == (uint64_t)search->key;
}

/* Searches one bucket. True: found in slot *ret. Else *ends: the key is nowhere. */
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
		if (empty && (i + 1) % search->group == 0)
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

/* The quotient key is 0, which no slot can hold: the key overflows in any table. */
static bool is_unkeyed(const struct rg_index_table *table, rg_index_key key)
{
	return table->kind == RG_INDEX_TABLE_HOSTS4 && !(hash_of(table, key) & RG_INDEX_KEY4_MASK);
}

bool rg_index_table_find(const struct rg_index_table *table, rg_index_key key,
			 struct rg_index_slot *ret, bool *ends)
{
	struct search search;

	*ends = false;
	if (is_unkeyed(table, key))
		return false;
	search = begin(table, key);
	return look_for(table, &search, ret, ends);
}

/* ---- overflow: keys without a slot ---- */

static bool has_overflowed(const struct rg_index_table *table, rg_index_key key)
{
	for (size_t i = 0; i < table->overflow_count; i++)
		if (table->overflow[i] == key)
			return true;
	return false;
}

static int add_overflow(struct rg_index_table *table, rg_index_key key)
{
	if (has_overflowed(table, key))
		return 0;
	if (table->overflow_count == table->overflow_allocated) {
		size_t size = table->overflow_allocated ? table->overflow_allocated * 2 : 16;
		rg_index_key *keys = reallocarray(table->overflow, size, sizeof(*keys));

		if (!keys)
			return -ENOMEM;
		table->overflow = keys;
		table->overflow_allocated = size;
	}
	table->overflow[table->overflow_count++] = key;
	return 0;
}

/* ---- changes ---- */

/* Searches end in a line with an empty slot. */
static bool has_empty(const struct rg_index_table *table, const struct rg_index_line *line)
{
	for (uint32_t at = 0; at < slots_of(table); at++)
		if (!load(table, line, at))
			return true;
	return false;
}

/* Whether a search goes through all of line and finds its key behind it. */
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

/* Whether a search goes through the pair of slot `at` and finds its key further on in the bucket. */
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

/* Makes tombstones empty that no search has to go through. */
static void clear_tombstones(const struct rg_index_table *table, struct rg_index_line *line)
{
	if (!has_empty(table, line) && is_passed(table, line))
		return;
	for (uint32_t at = 0; at < slots_of(table); at++)
		if (load(table, line, at) == RG_INDEX_TOMBSTONE && !is_passed_within(table, line, at))
			store(table, line, at, 0);
}

/* Call once no search from the bucket home has to reach last any more. */
static void clear_tombstones_up_to(const struct rg_index_table *table, uint32_t home,
				   const struct rg_index_line *last)
{
	for (struct rg_index_line *line = &table->lines[home]; line <= last; line++)
		clear_tombstones(table, line);
}

void rg_index_table_forget(struct rg_index_table *table, rg_index_key key)
{
	uint32_t home = home_of(table, key);

	for (size_t i = 0; i < table->overflow_count; i++)
		if (table->overflow[i] == key) {
			table->overflow[i] = table->overflow[--table->overflow_count];
			clear_tombstones_up_to(table, home, &table->lines[home + table->probes - 1]);
			return;
		}
}

void rg_index_table_remove(struct rg_index_table *table, const struct rg_index_slot *slot)
{
	store(table, slot->line, slot->at, RG_INDEX_TOMBSTONE);
	table->count--;
	clear_tombstones_up_to(table, home_of(table, slot->key), slot->line);
}

void rg_index_table_set(const struct rg_index_table *table, struct rg_index_slot *slot,
			uint32_t payload)
{
	slot->payload = payload;
	store(table, slot->line, slot->at, word_of(table, slot->key, payload));
}

/* The trie answers for a key without a slot, so a few are no reason for a larger table. */
static int put_overflow(struct rg_index_table *table, rg_index_key key)
{
	int err = add_overflow(table, key);

	return err ? err : table->overflow_count * OVERFLOW_OF > table->count;
}

int rg_index_table_put(struct rg_index_table *table, rg_index_key key, uint32_t payload, uint32_t *old)
{
	struct search search;
	struct rg_index_slot slot;
	bool ends;

	*old = 0;
	if (is_unkeyed(table, key))
		return add_overflow(table, key); /* a larger table would not help */
	search = begin(table, key);
	if (look_for(table, &search, &slot, &ends)) {
		*old = slot.payload;
		rg_index_table_set(table, &slot, payload);
		return 0;
	}
	/*
	 * While a key overflows, all its buckets have no empty slot, so its search ends with "ask". It gets
	 * no slot later: a search that is past that slot already would then meet an empty one.
	 */
	if (!search.room || (!ends && has_overflowed(table, key)))
		return put_overflow(table, key);
	if (table->kind == RG_INDEX_TABLE_NETS6)
		/* The key before the word: until the word is there the slot is free. */
		__atomic_store_n(&search.room->words[search.room_at], (uint64_t)key,
				 __ATOMIC_RELEASE);
	store(table, search.room, search.room_at, search.word | payload);
	table->count++;
	return table->count > rg_index_table_room(table);
}

static void walk_line(const struct rg_index_table *table, struct rg_index_line *line,
		      void (*visit)(void *arg, struct rg_index_slot *slot), void *arg)
{
	struct rg_index_slot slot = { .line = line };
	uint64_t first = 0;

	for (slot.at = 0; slot.at < slots_of(table); slot.at++) {
		uint64_t word = load(table, line, slot.at);

		if (!is_taken(word))
			continue;
		if (!first)
			first = first_hash(table, line);
		slot.key = key_of(table, line, slot.at, first, word);
		slot.payload = (uint32_t)word & RG_INDEX_PAYLOAD_MASK;
		visit(arg, &slot);
	}
}

bool rg_index_table_walk_part(struct rg_index_table *table, uint32_t *line, uint32_t most,
			      void (*visit)(void *arg, struct rg_index_slot *slot), void *arg)
{
	uint32_t count = rg_index_table_lines(table->buckets);

	for (; most && *line < count; most--)
		walk_line(table, &table->lines[(*line)++], visit, arg);
	return *line < count;
}

void rg_index_table_walk(struct rg_index_table *table,
			 void (*visit)(void *arg, struct rg_index_slot *slot), void *arg)
{
	uint32_t line = 0;

	(void)rg_index_table_walk_part(table, &line, UINT32_MAX, visit, arg);
}
