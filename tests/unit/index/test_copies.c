/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies with more room, and when an index is stale enough for one. */
#include "population.h"

/* A copy has "ask" for keys that had overflowed. It does not know when they end: a sweep keeps them. */
static void test_sweep_after_copy_of_overflow(void **state)
{
	const struct rg_index_size tiny = {}, larger = { .hosts4 = 2000, .nets6 = 2000 };
	struct rg_index *from = new_index(RG_INDEX_HOSTS, &tiny);
	struct rg_index *to = new_index(RG_INDEX_HOSTS, &larger);

	(void)state;
	for (uint32_t i = 1; i < 500; i++) {
		put(from, v4(0x0c000000 + i, 32), RG_CLASS_QIL, EPOCH + DAY);
		put(from, v6(0x20010db800000000 + i), RG_CLASS_QIL, EPOCH + DAY);
	}
	assert_true(rg_index_count(from).overflow > 0);
	assert_int_equal(rg_index_copy(to, from), 0);
	rg_index_retire_previous(to);
	rg_index_sweep(to, NOW);
	for (uint32_t i = 1; i < 500; i++) {
		assert_int_not_equal(find(to, v4(0x0c000000 + i, 32)), RG_INDEX_NONE);
		assert_int_not_equal(find(to, v6(0x20010db800000000 + i)), RG_INDEX_NONE);
	}
	rg_index_free(from);
	rg_index_free(to);
}

static void test_copy(void **state)
{
	const struct rg_index_size tiny = {}, larger = { .hosts4 = 2 * KEYS, .nets6 = 2 * KEYS };

	(void)state;
	for (int round = 0; round < 8; round++) {
		struct population *population =
			population_new(round & 1 ? &larger : &tiny, round % RG_INDEXES);

		for (int i = 0; i < 4000; i++)
			population_churn(population, 60);
		assert_true(round & 1 || rg_index_count(population->checked.index).overflow);
		population->now += round * DAY / 9;
		population_copy(population, round & 2 ? &tiny : &larger, round & 4);
		population_check_all(population);
		for (int i = 0; i < 4000; i++)
			population_churn(population, 40);
		population_check_all(population);
		/* A second copy: what had overflowed may have a slot now. */
		population->now += 5 * DAY;
		population_copy(population, &larger, true);
		population_check_all(population);
		population_free(population);
	}
}

/* Prefixes of other lengths have no slot; the copy must have them all the same. */
static void test_copy_of_others(void **state)
{
	const struct rg_index_size tiny = {}, larger = { .hosts4 = 1000, .nets6 = 1000 };
	static struct checked from, to;
	int rounds = 0;

	(void)state;
	for (int round = 0; round < 24; round++) {
		clear_presence();
		open_checked(&from, round % RG_INDEXES, &tiny, EPOCH);
		for (size_t i = rnd(60) + 1; i; i--) {
			const struct rg_index_entry entry = random_entry(false);

			put_checked(&from, &entry);
		}
		/* A copy drops peers that had overflowed. */
		if (from.part == RG_INDEX_PEERS && rg_index_count(from.index).overflow) {
			close_checked(&from);
			continue;
		}
		rounds++;
		open_checked(&to, from.part, &larger, EPOCH - rnd(1000) * UNIT / 2);
		assert_int_equal(rg_index_copy(to.index, from.index), 0);
		to.model = from.model;
		check_all(&to);
		close_checked(&from);
		rg_index_retire_previous(to.index);
		check_all(&to);
		rg_index_retire_previous(to.index);
		check_all(&to);
		close_checked(&to);
	}
	assert_in_range(rounds, 20, 24);
}

/* With more kinds of answers than codes the trie answers for the others. */
static void test_many_answers(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1000, .nets6 = 1000 };
	static struct checked checked;

	(void)state;
	clear_presence();
	open_checked(&checked, RG_INDEX_HOSTS, &size, EPOCH);
	for (uint32_t i = 0; i < 100; i++) {
		const struct rg_index_entry entry = {
			.prefix = i & 1 ? v4(0x0a000000 + i, 32) : v6(0x20010db800000000 + i),
			.expiry = EPOCH + DAY,
			.peer_class = i % 3 ? RG_CLASS_STANDARD : RG_CLASS_CLEAN,
			.action = i % 3 ? RG_ACTION_DROP : RG_ACTION_PASS,
			.zone = i % 3 ? i % RG_MAX_ZONES : RG_NO_ZONE
		};

		put_checked(&checked, &entry);
	}
	check_all(&checked);
	checked.asked = checked.looked = 0;
	for (uint32_t i = 0; i < 20; i++) /* "clean" and 13 others */
		check_at(&checked, number_of(&checked.model.at[i].prefix.addr), NOW);
	expect_asked(&checked, 0, "the first of them");
	close_checked(&checked);
}

static void test_stale(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1000 };
	struct rg_index *index = new_lists(&size);

	(void)state;
	for (uint32_t i = 0; i < 1000 * 1000; i++)
		put(index, v4(0x0a000000 + (i & 255), 32), RG_CLASS_QIL, 0);
	assert_false(rg_index_is_stale(index));
	for (uint32_t i = 0; i <= 4 * 256; i++)
		put(index, v4(0x0a000000 + (i & 255), 32), RG_CLASS_QIL, 0);
	assert_true(rg_index_is_stale(index));
	rg_index_free(index);
}

/* Old answers keep their codes, until a copy assigns codes to the present ones alone. */
static void test_stale_answers(void **state)
{
	const struct rg_index_size size = { .hosts4 = 10000 };
	const struct rg_prefix host = v4(0x0a000001, 32);
	struct rg_index_entry entry = { .prefix = host,
					.peer_class = RG_CLASS_QIL,
					.action = RG_ACTION_DROP };
	struct rg_index *index = new_lists(&size), *copy = new_lists(&size);

	(void)state;
	for (entry.zone = 0; entry.zone < RG_INDEX_ANSWERS; entry.zone++) {
		assert_int_equal(rg_index_put(index, &entry), 0);
		assert_int_not_equal(find(index, host), RG_INDEX_ASK);
	}
	assert_int_equal(rg_index_put(index, &entry), 0);
	assert_int_equal(find(index, host), RG_INDEX_ASK);
	assert_false(rg_index_is_stale(index));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(rg_index_put(index, &entry), 0);
	assert_true(rg_index_is_stale(index));
	assert_int_equal(rg_index_copy(copy, index), 0);
	assert_int_equal(rg_index_put(copy, &entry), 0);
	assert_int_not_equal(find(copy, host), RG_INDEX_ASK);
	assert_false(rg_index_is_stale(copy));
	rg_index_free(index);
	rg_index_free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sweep_after_copy_of_overflow),
		TEST(test_copy),
		TEST(test_copy_of_others),
		TEST(test_many_answers),
		TEST(test_stale),
		TEST(test_stale_answers),
	};

	return cmocka_run_group_tests_name("copies", tests, NULL, NULL);
}
