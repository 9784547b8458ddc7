/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hosts and /64s that come and go: overflow, tombstones, flush and sweep. */
#include "population.h"

#define CHURN_ROUNDS 120000

/* Full buckets, and removed slots that must not hide what lies behind them. */
static void test_overflow(void **state)
{
	const struct rg_index_size tiny = {}, small = { .hosts4 = 300, .nets6 = 300 };

	(void)state;
	for (int form = 0; form < 2; form++) {
		struct population *population =
			population_new(form ? &small : &tiny, form ? RG_INDEX_PEERS : RG_INDEX_HOSTS);

		for (int i = 0; i < CHURN_ROUNDS / 2; i++) {
			population_churn(population, i / 3000 % 2 ? 15 : 60);
			population->now += rnd(UNIT / 50);
			if (i % 1000 == 0)
				population_check_all(population);
			if (i % 5000 == 4999)
				population_flush_counted(population, NULL);
		}
		population_check_all(population);
		population_flush_counted(population, NULL);
		assert_int_equal(rg_index_count(population->checked.index).hosts4, 0);
		assert_int_equal(rg_index_count(population->checked.index).nets6, 0);
		for (size_t key = 0; key < 2 * KEYS; key++)
			population_remove(population, key);
		assert_int_equal(rg_index_count(population->checked.index).overflow, 0);
		population_free(population);
	}
}

/* After any overflow, removed slots are taken again. */
static void test_room_after_overflow(void **state)
{
	const struct rg_index_size tiny = {};
	struct population *population = population_new(&tiny, RG_INDEX_HOSTS);

	(void)state;
	for (size_t key = 0; key < 2 * KEYS; key++)
		population_put(population, key);
	assert_true(rg_index_count(population->checked.index).overflow);
	for (size_t key = 0; key < 2 * KEYS; key++)
		population_remove(population, key);
	/* Fewer than the slots where each may lie. */
	for (size_t key = 0; key < RG_INDEX_PROBES * RG_INDEX_WORDS / 2; key++) {
		population_put(population, key);
		population_put(population, key + KEYS);
	}
	assert_int_equal(rg_index_count(population->checked.index).overflow, 0);
	population_check_all(population);
	population_free(population);
}

/* A table with room for all keys knows all of them, whatever was put and removed. */
static void test_churn_with_room(void **state)
{
	const struct rg_index_size size = { .hosts4 = KEYS, .nets6 = KEYS };
	struct population *population = population_new(&size, RG_INDEX_HOSTS);

	(void)state;
	for (int i = 0; i < CHURN_ROUNDS / 2; i++)
		population_churn(population, i / 5000 % 2 ? 30 : 60);
	/* Up to a third of the keys end within a unit of now. */
	expect_asked(&population->checked, population->checked.looked / 10, "a half empty table");
	population->checked.looked = population->checked.asked = 0;
	for (size_t key = 0; key < 2 * KEYS; key++)
		if (!population->there[key] || !population->entries[key].expiry)
			population_check(population, key);
	/* Tombstones leave few lookups to the trie. */
	expect_asked(&population->checked, population->checked.looked / 50,
		     "after many were removed");
	population_free(population);
}

/* Each live key has a slot, or, hardly ever in a roomy table, has overflowed. Removed keys may have one. */
static void population_check_counts(const struct population *population, bool is_roomy)
{
	struct rg_index_count count = rg_index_count(population->checked.index);
	size_t slots = count.hosts4 + count.nets6;

	assert_true(!is_roomy || count.overflow <= 2);
	assert_in_range(population->live, slots, slots + population_slotless(population));
}

static void test_flush(void **state)
{
	const struct rg_index_size tiny = {}, roomy = { .hosts4 = KEYS, .nets6 = KEYS };
	const struct rg_prefix prefixes[] = {
		v4(0x0a000000, 24),
		v4(0x0a000000, 8),
		v4(0x0a000004, 32),
		v6(0x20010db800000000),
		{ .len = 96 + 0 },
		{ .len = 4 },
		around(V6_BASE, 32),
		around(V6_BASE, 57),
		around(V6_BASE + ((u128)2 << 64), 65),
		around(V4_BASE, 96),
		around(V6_BASE + 1, 128),
		{ .len = 0 },
	};

	(void)state;
	for (int form = 0; form < 2; form++)
		for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
			struct population *population =
				population_new(form ? &tiny : &roomy, RG_INDEX_PEERS);

			/* One of the prefixes is half of a /64, with the address that is put. */
			for (size_t key = 0; key < 2 * KEYS; key++)
				population_put(population, key);
			population_check_counts(population, !form);
			population_flush_counted(population, &prefixes[i]);
			population_check_counts(population, !form);
			population_check_all(population);
			for (size_t key = 0; key < 2 * KEYS; key += 3)
				population_put(population, key);
			population_check_all(population);
			population_free(population);
		}
}

static void test_sweep(void **state)
{
	const struct rg_index_size tiny = {}, roomy = { .hosts4 = KEYS, .nets6 = KEYS };

	(void)state;
	for (int form = 0; form < 2; form++) {
		struct population *population = population_new(form ? &tiny : &roomy, RG_INDEX_PEERS);

		for (int step = 0; step < 60; step++) {
			for (int i = 0; i < 200; i++)
				population_put(population, rnd(2 * KEYS));
			population->now += rnd(4 * UNIT);
			population_sweep(population);
			population_check_all(population);
		}
		population_free(population);
	}
}

/* Each key has a slot and a time exact to the unit: the sweep returns how many are over. */
static void test_sweep_count(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1000, .nets6 = 1000 };
	struct rg_index *index = new_lists(&size);

	(void)state;
	for (uint32_t i = 1; i <= 100; i++) {
		put(index, v4(0x0a000000 + i, 32), RG_CLASS_CLEAN, EPOCH + i * UNIT);
		put(index, v6(0x20010db800000000 + i), RG_CLASS_CLEAN, EPOCH + i * UNIT);
		put(index, v4(0x0b000000 + i, 32), RG_CLASS_CLEAN, 0);
	}
	assert_int_equal(rg_index_sweep(index, EPOCH + UNIT - 1), 0);
	assert_int_equal(rg_index_sweep(index, EPOCH + UNIT), 2);
	assert_int_equal(rg_index_sweep(index, EPOCH + 50 * UNIT + UNIT / 2), 98);
	assert_int_equal(rg_index_sweep(index, EPOCH + 50 * UNIT + UNIT / 2), 0);
	assert_int_equal(rg_index_count(index).hosts4, 150);
	assert_int_equal(rg_index_count(index).nets6, 50);
	assert_int_equal(rg_index_sweep(index, EPOCH + 30 * DAY), 100);
	assert_int_equal(rg_index_count(index).hosts4, 100);
	rg_index_free(index);
}

static uint32_t find6(const struct rg_index *index, u128 number)
{
	return find(index, around(number, 128));
}

/* IPv6 addresses of one /64: each has its own answer, and its neighbours have none, or that of the /64. */
static void check_hosts6(enum rg_index_part part)
{
	const struct rg_index_size size = { .nets6 = 1000 };
	struct rg_index *index = new_index(part, &size), *copy;
	const struct rg_prefix net = around(V6_BASE, 64), part_of_net = around(V6_BASE + 1, 127);
	struct rg_prefix one = around(V6_BASE + 14, 128);
	uint32_t answer, beside = RG_INDEX_NONE;

	for (uint32_t i = 1; i <= 100; i++)
		put(index, around(V6_BASE + 7 * i, 128), RG_CLASS_CLEAN, 0);
	answer = find6(index, V6_BASE + 7);
	assert_int_equal(answer, ANSWER_CLEAN);
	if (part == RG_INDEX_HOSTS) {
		put(index, net, RG_CLASS_BLOCKED, 0);
		beside = rg_index_answer(RG_CLASS_BLOCKED, RG_ACTION_NONE, RG_NO_ZONE);
	}
	for (uint32_t i = 0; i <= 710; i++)
		assert_int_equal(find6(index, V6_BASE + i),
				 i % 7 == 0 && i && i <= 700 ? answer : beside);
	assert_int_equal(find6(index, V6_BASE + ((u128)1 << 64) + 7), RG_INDEX_NONE);
	/* A larger one, then one is removed. */
	copy = new_index(part, &size);
	assert_int_equal(rg_index_copy(copy, index), 0);
	rg_index_free(index);
	assert_int_equal(rg_index_count(copy).nets6, 100 + (part == RG_INDEX_HOSTS));
	assert_int_equal(find6(copy, V6_BASE + 14), answer);
	rg_index_remove(copy, &one);
	assert_int_equal(find6(copy, V6_BASE + 14), beside);
	assert_int_equal(find6(copy, V6_BASE + 21), answer);
	/* A part of the /64 takes its addresses along, but not the /64. */
	one = around(V6_BASE + ((u128)1 << 64), 64);
	assert_int_equal(rg_index_flush(copy, &one), 0);
	assert_int_equal(rg_index_flush(copy, &part_of_net), 99);
	assert_int_equal(find6(copy, V6_BASE + 21), beside);
	rg_index_free(copy);
}

static void test_hosts6(void **state)
{
	(void)state;
	check_hosts6(RG_INDEX_HOSTS);
	check_hosts6(RG_INDEX_PEERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_overflow),	    TEST(test_room_after_overflow),
		TEST(test_churn_with_room), TEST(test_flush),
		TEST(test_sweep),	    TEST(test_sweep_count),
		TEST(test_hosts6),
	};

	return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
