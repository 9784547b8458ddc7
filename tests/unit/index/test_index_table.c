/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of the index alone: each key is found, whatever was put and removed, by the table's own
 * search and by XDP's, which is written down here a second time. The keys are chosen to overflow.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

/* The agent may die after any store: even then each key has its old answer or its new one. */
static void stored(void);
#define __atomic_store_n(at, value, order)                     \
	do {                                                   \
		*(volatile __typeof__(*(at)) *)(at) = (value); \
		stored();                                      \
	} while (0)

#include "index/index_table.c"

#define KEYS 400
#define HOMES 8 /* buckets where their searches begin */
#define CHURNS 20000
#define LAST_PAYLOAD ((RG_INDEX_CODE_ASK << RG_INDEX_CODE_SHIFT) + RG_INDEX_TIME_MASK)

static uint64_t random_state = 88172645463325252ULL;

static uint64_t rnd(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % below;
}

static struct rg_index_table open_table(enum rg_index_table_kind kind, uint32_t buckets)
{
	struct rg_index_table table = { .kind = kind,
					.buckets = buckets,
					.probes = rg_index_table_probes(kind, buckets),
					.seed = rnd(1ULL << 53) << 11 | rnd(1 << 11) };

	table.lines = calloc(rg_index_table_lines(buckets), sizeof(*table.lines));
	assert_non_null(table.lines);
	return table;
}

static void close_table(struct rg_index_table *table)
{
	rg_index_table_close(table);
	free(table->lines);
}

/* ---- what XDP does ---- */

enum { NOTHING = 0, ASK = 1 };

static uint32_t probe4(const struct rg_index_table *table, uint32_t addr)
{
	uint32_t hash = rg_index_mix4(addr, table->seed), key = hash % (1 << 18);
	uint32_t home = (uint32_t)(((uint64_t)hash * table->buckets) >> 32);

	if (!key)
		return ASK;
	for (uint32_t i = 0; i < table->probes * 8; i++) {
		const uint32_t *pair = &table->lines[home + i / 8].hosts[(key + i) % 8 * 2];

		for (int half = 0; half < 2; half++)
			if (pair[half] >> 14 == key)
				return pair[half] % (1 << 14);
		if (!pair[0] || !pair[1])
			return NOTHING;
	}
	return ASK;
}

static uint32_t probe6(const struct rg_index_table *table, uint64_t net)
{
	uint32_t hash = rg_index_hash(net ^ table->seed);
	uint32_t home = (uint32_t)(((uint64_t)hash * table->buckets) >> 32);

	for (uint32_t i = 0; i < RG_INDEX_PROBES; i++) {
		const struct rg_index_line *line = &table->lines[home + i];
		bool ends = false;

		for (int at = 0; at < 4; at++) {
			uint64_t word = line->words[at + 4];

			if (line->words[at] == net &&
			    word >> RG_INDEX_CHECK6_SHIFT == rg_index_check6(net))
				return word % (1 << 14);
			ends |= !word;
		}
		if (ends)
			return NOTHING;
	}
	return ASK;
}

static uint32_t probe(const struct rg_index_table *table, uint64_t key)
{
	return table->kind == RG_INDEX_TABLE_HOSTS4 ? probe4(table, (uint32_t)key) :
						      probe6(table, key);
}

/* ---- keys that overflow ---- */

struct keyset {
	struct rg_index_table table;
	uint64_t keys[KEYS];
	uint32_t payloads[KEYS]; /* 0: not there */
	size_t there;
};

static void choose_keys(struct keyset *set, uint32_t first)
{
	for (size_t i = 0; i < KEYS;) {
		uint64_t key = set->table.kind == RG_INDEX_TABLE_HOSTS4 ? rnd(1ULL << 32) :
									  rnd(1ULL << 53) << 11;
		uint32_t home = home_of(&set->table, key);
		bool is_new = true;

		for (size_t j = 0; j < i; j++)
			is_new &= set->keys[j] != key;
		if (is_new && home >= first && home < first + HOMES)
			set->keys[i++] = key;
	}
}

static void check_key(const struct keyset *set, size_t at)
{
	const struct rg_index_table *table = &set->table;
	uint64_t key = set->keys[at];
	uint32_t payload = set->payloads[at], probed = probe(table, key);
	struct rg_index_slot slot;
	bool ends, found = rg_index_table_find(table, key, &slot, &ends);

	if (is_unkeyed(table, key) || has_overflowed(table, key)) {
		assert_true(payload || is_unkeyed(table, key));
		assert_true(!found && !ends && probed == ASK);
	} else if (payload) {
		assert_true(found && slot.key == key);
		assert_int_equal(slot.payload, payload);
		assert_int_equal(probed, payload);
	} else {
		assert_false(found);
		assert_int_equal(probed, ends ? NOTHING : ASK);
	}
}

/* The change that is under way. */
static struct keyset *changed;
static size_t changed_at;
static uint32_t changed_to; /* payload, 0: removed */

static void check_stored(size_t at)
{
	uint32_t payload = changed->payloads[at], probed = probe(&changed->table, changed->keys[at]);

	assert_true(probed == ASK || probed == payload || (at == changed_at && probed == changed_to));
}

static void stored(void)
{
	if (!changed)
		return;
	check_stored(changed_at);
	for (int i = 0; i < 8; i++)
		check_stored(rnd(KEYS));
}

static void begin_change(struct keyset *set, size_t at, uint32_t payload)
{
	changed = set;
	changed_at = at;
	changed_to = payload;
}

static void end_change(void)
{
	changed->there += (changed_to != 0) - (changed->payloads[changed_at] != 0);
	changed->payloads[changed_at] = changed_to;
	changed = NULL;
}

static void check_keys(const struct keyset *set)
{
	for (size_t i = 0; i < KEYS; i++)
		check_key(set, i);
}

static void put_key(struct keyset *set, size_t at)
{
	uint32_t old, payload = (uint32_t)(1 << RG_INDEX_CODE_SHIFT) +
				(uint32_t)rnd(LAST_PAYLOAD - (1 << RG_INDEX_CODE_SHIFT) + 1);
	bool had_slot = set->payloads[at] && !has_overflowed(&set->table, set->keys[at]);

	begin_change(set, at, payload);
	assert_true(rg_index_table_put(&set->table, set->keys[at], payload, &old) >= 0);
	assert_int_equal(old, had_slot ? set->payloads[at] : 0);
	end_change();
}

static void remove_key(struct keyset *set, size_t at)
{
	struct rg_index_slot slot;
	bool ends;

	begin_change(set, at, 0);
	if (rg_index_table_find(&set->table, set->keys[at], &slot, &ends))
		rg_index_table_remove(&set->table, &slot);
	else
		rg_index_table_forget(&set->table, set->keys[at]);
	end_change();
}

static void count_visit(void *arg, struct rg_index_slot *slot)
{
	struct keyset *set = arg;

	for (size_t i = 0; i < KEYS; i++)
		if (set->keys[i] == slot->key) {
			assert_int_equal(slot->payload, set->payloads[i]);
			set->there++;
			return;
		}
	fail_msg("a key that was never put");
}

/* A walk visits each taken slot once and knows its key. */
static void check_walk(struct keyset *set)
{
	size_t there = set->there;

	set->there = 0;
	rg_index_table_walk(&set->table, count_visit, set);
	assert_int_equal(set->there, set->table.count);
	assert_int_equal(set->there + set->table.overflow_count, there);
	set->there = there;
}

static void check_empty(const struct rg_index_table *table)
{
	assert_int_equal(table->count, 0);
	assert_int_equal(table->overflow_count, 0);
	for (uint32_t i = 0; i < rg_index_table_lines(table->buckets); i++)
		for (int j = table->kind == RG_INDEX_TABLE_HOSTS4 ? 0 : 4; j < RG_INDEX_WORDS; j++)
			assert_true(table->lines[i].words[j] == 0);
}

static void churn(enum rg_index_table_kind kind, uint32_t buckets, uint32_t first)
{
	struct keyset set = { .table = open_table(kind, buckets) };
	size_t overflow = 0;

	choose_keys(&set, first);
	for (int i = 0; i < CHURNS; i++) {
		size_t at = rnd(KEYS);

		/* The table fills up and empties again. */
		if (rnd(100) < (i / 4000 % 2 ? 15 : 70))
			put_key(&set, at);
		else
			remove_key(&set, at);
		check_key(&set, at);
		check_key(&set, rnd(KEYS));
		overflow += set.table.overflow_count > 0;
		if (i % 500 == 0)
			check_keys(&set);
		if (i % 3000 == 0)
			check_walk(&set);
	}
	assert_true(overflow > CHURNS / 10);
	for (size_t i = 0; i < KEYS; i++) {
		remove_key(&set, i);
		check_key(&set, rnd(KEYS));
	}
	check_empty(&set.table);
	close_table(&set.table);
}

static void test_hosts4(void **state)
{
	(void)state;
	for (uint32_t probes = 1; probes <= RG_INDEX_PROBES; probes++) {
		uint32_t buckets = probes * RG_INDEX_BUCKETS4_MIN + (uint32_t)rnd(1000);

		churn(RG_INDEX_TABLE_HOSTS4, buckets, 0);
		churn(RG_INDEX_TABLE_HOSTS4, buckets, (uint32_t)rnd(buckets - HOMES));
		churn(RG_INDEX_TABLE_HOSTS4, buckets, buckets - HOMES);
	}
}

static void test_nets6(void **state)
{
	(void)state;
	churn(RG_INDEX_TABLE_NETS6, HOMES, 0);
	churn(RG_INDEX_TABLE_NETS6, 1000, 500);
	churn(RG_INDEX_TABLE_NETS6, 1000, 1000 - HOMES);
}

/* ---- a reader ---- */

#define ROUNDS 20000
#define FULL 80 /* more than the slots of one search */

struct duel {
	struct rg_index_table table;
	uint64_t keys[FULL]; /* with the same home bucket; the reader looks for the last */
	atomic_uint round; /* odd: it is there */
	atomic_bool over;
	size_t missed;
};

static void *look(void *arg)
{
	struct duel *duel = arg;

	while (!duel->over) {
		unsigned int round = duel->round;
		uint32_t payload = probe(&duel->table, duel->keys[FULL - 1]);

		atomic_thread_fence(memory_order_acquire);
		duel->missed += round & 1 && payload == NOTHING && duel->round == round;
	}
	return NULL;
}

static void put(struct duel *duel, size_t at)
{
	uint32_t old;

	assert_true(rg_index_table_put(&duel->table, duel->keys[at], 1 << RG_INDEX_CODE_SHIFT,
				       &old) >= 0);
}

static void take(struct duel *duel, size_t at)
{
	struct rg_index_slot slot;
	bool ends;

	if (rg_index_table_find(&duel->table, duel->keys[at], &slot, &ends))
		rg_index_table_remove(&duel->table, &slot);
	else
		rg_index_table_forget(&duel->table, duel->keys[at]);
}

static void find_keys(struct duel *duel)
{
	uint64_t key = 1;

	for (size_t i = 0; i < FULL; key++)
		if (home_of(&duel->table, key << 11) == 5 && !is_unkeyed(&duel->table, key << 11))
			duel->keys[i++] = key << 11;
}

/*
 * A key that has overflowed is put again, when there is room. From its first put on, a reader never gets
 * the answer that it is not there.
 */
static void check_reader(enum rg_index_table_kind kind, uint32_t buckets)
{
	struct duel duel = { .table = open_table(kind, buckets) };
	pthread_t reader;

	find_keys(&duel);
	assert_int_equal(pthread_create(&reader, NULL, look, &duel), 0);
	for (int i = 0; i < ROUNDS; i++) {
		for (size_t at = 0; at < FULL; at++)
			put(&duel, at);
		assert_true(has_overflowed(&duel.table, duel.keys[FULL - 1]));
		duel.round++;
		for (size_t at = 0; at < FULL - 1; at++)
			take(&duel, at);
		put(&duel, FULL - 1);
		duel.round++;
		take(&duel, FULL - 1);
	}
	duel.over = true;
	assert_int_equal(pthread_join(reader, NULL), 0);
	assert_int_equal(duel.missed, 0);
	check_empty(&duel.table);
	close_table(&duel.table);
}

static void test_reader(void **state)
{
	(void)state;
	check_reader(RG_INDEX_TABLE_HOSTS4, RG_INDEX_BUCKETS4_MIN);
	check_reader(RG_INDEX_TABLE_NETS6, 64);
}

/* ---- sizes ---- */

static void check_room(enum rg_index_table_kind kind, size_t entries, uint64_t first, uint64_t step)
{
	struct rg_index_table table = open_table(kind, rg_index_table_buckets(kind, entries));
	uint32_t old;
	int ret = 0;

	for (uint64_t i = 0; i < entries; i++) {
		assert_true(!ret || table.overflow_count); /* none is due before this one is full */
		ret = rg_index_table_put(&table, step ? first + i * step : rnd(1ULL << 32),
					 1 << RG_INDEX_CODE_SHIFT, &old);
	}
	if (table.overflow_count > entries / 8192 + 1)
		fail_msg("%zu of %zu entries in %u buckets found no slot", table.overflow_count,
			 entries, table.buckets);
	close_table(&table);
}

static void test_room(void **state)
{
	static const size_t sizes[] = { 1,	1000,	81900,	82000,	131072,
					262144, 300000, 720000, 1048576 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint32_t buckets = rg_index_table_buckets(RG_INDEX_TABLE_HOSTS4, sizes[i]);

		assert_true(buckets >= RG_INDEX_BUCKETS4_MIN);
		assert_true(sizes[i] < 80000 || buckets * 16 < 4 * sizes[i]);
		check_room(RG_INDEX_TABLE_HOSTS4, sizes[i], 0x0a000000, 1);
		check_room(RG_INDEX_TABLE_HOSTS4, sizes[i], 0x0a000000, 1 << 8);
		check_room(RG_INDEX_TABLE_HOSTS4, sizes[i], 0, 0);
	}
	check_room(RG_INDEX_TABLE_NETS6, 1000, 0x20010db800000000, 1);
	check_room(RG_INDEX_TABLE_NETS6, 100000, 0x20010db800000000, 1 << 16);
	assert_int_equal(rg_index_table_buckets(RG_INDEX_TABLE_HOSTS4, 0), 0);
	assert_int_equal(rg_index_table_lines(0), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_hosts4),
	cmocka_unit_test(test_nets6),
	cmocka_unit_test(test_reader),
	cmocka_unit_test(test_room),
};

int main(void)
{
	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
