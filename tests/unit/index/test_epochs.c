/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times: until when an entry is known to be alive, and the epoch that times count from. */
#include "population.h"

/* The epoch advances, often or seldom: the times of entries stay, and new ones are exact. */
static void test_advance_epoch(void **state)
{
	const struct rg_index_size size = { .hosts4 = 2 * KEYS, .nets6 = 2 * KEYS };

	(void)state;
	for (int round = 0; round < 6; round++) {
		struct population *population = population_new(&size, round % RG_INDEXES);

		for (int step = 0; step < 60; step++) {
			for (int i = 0; i < 100; i++)
				population_put(population, rnd(2 * KEYS));
			population->now += rnd(round < 4 ? 100 * UNIT : DAY);
			rg_index_advance_epoch(population->checked.index, population->now);
			population_check_all(population);
		}
		population_free(population);
	}
}

/* The time until which an entry is known does not depend on the epoch that it is counted from. */
static void test_advance_epoch_is_exact(void **state)
{
	static const uint64_t lives[] = { 40 * UNIT, 250 * UNIT, 1000 * UNIT, DAY / 2, DAY, 6 * DAY };
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100 };
	struct rg_index *index = new_lists(&size);

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(lives); i++) {
		put(index, v4(0x0a000001 + i, 32), RG_CLASS_CLEAN, EPOCH + lives[i]);
		put(index, v6(0x20010db800000000 + i), RG_CLASS_CLEAN, EPOCH + lives[i]);
	}
	for (uint64_t now = EPOCH; now < EPOCH + 6 * DAY; now += rnd(2000 * UNIT)) {
		rg_index_advance_epoch(index, now);
		for (uint32_t i = 0; i < ARRAY_SIZE(lives); i++) {
			const struct rg_prefix host = v4(0x0a000001 + i, 32);
			const struct rg_prefix net = v6(0x20010db800000000 + i);
			uint64_t end = rounded(EPOCH + lives[i], EPOCH);

			assert_true(rg_index_until(index, &host.addr, now) == (end > now ? end : 0));
			assert_true(rg_index_until(index, &net.addr, now) == (end > now ? end : 0));
		}
	}
	rg_index_free(index);
}

/* Just after the machine's start: times within the first unit are rounded down to 0. */
static void test_just_started(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100 };
	const struct rg_prefix host = v4(0x0a000001, 32);
	static struct checked checked;

	(void)state;
	open_checked(&checked, RG_INDEX_HOSTS, &size, RG_NSEC_PER_SEC);
	put(checked.index, host, RG_CLASS_CLEAN, 5 * RG_NSEC_PER_SEC);
	for (uint64_t second = 1; second < 20; second++)
		assert_int_equal(rg_index_find(checked.index, &host.addr, second * RG_NSEC_PER_SEC),
				 RG_INDEX_ASK);
	put(checked.index, host, RG_CLASS_CLEAN, 60 * RG_NSEC_PER_SEC);
	assert_int_equal(rg_index_find(checked.index, &host.addr, RG_NSEC_PER_SEC), ANSWER_CLEAN);
	assert_int_equal(rg_index_find(checked.index, &host.addr, 60 * RG_NSEC_PER_SEC),
			 RG_INDEX_ASK);
	close_checked(&checked);
}

static void test_until(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100, .nets4 = true };
	const struct rg_prefix host = v4(0x0a000001, 32), net = v6(0x20010db800000000);
	const struct rg_prefix other = v4(0x0a000002, 32);
	const uint64_t end = EPOCH + 100 * UNIT + UNIT / 3;
	struct rg_index *index = new_lists(&size);

	(void)state;
	put(index, v4(0x0b000000, 24), RG_CLASS_BLOCKED, 0);
	put(index, host, RG_CLASS_CLEAN, end);
	put(index, net, RG_CLASS_CLEAN, end);
	/* Rounded down to the unit. */
	assert_true(rg_index_until(index, &host.addr, NOW) == EPOCH + 100 * UNIT);
	assert_true(rg_index_until(index, &net.addr, NOW) == EPOCH + 100 * UNIT);
	assert_true(rg_index_until(index, &host.addr, EPOCH + 100 * UNIT - 1) == EPOCH + 100 * UNIT);
	assert_true(rg_index_until(index, &host.addr, EPOCH + 100 * UNIT) == 0);
	assert_true(rg_index_until(index, &other.addr, NOW) == 0);
	put(index, host, RG_CLASS_CLEAN, 0);
	assert_true(rg_index_until(index, &host.addr, NOW) == UINT64_MAX);
	put(index, host, RG_CLASS_CLEAN, EPOCH + 100 * DAY);
	assert_in_range(rg_index_until(index, &host.addr, NOW), EPOCH + 38 * DAY / 24,
			EPOCH + 39 * DAY / 24);
	rg_index_free(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_advance_epoch),
		TEST(test_advance_epoch_is_exact),
		TEST(test_just_started),
		TEST(test_until),
	};

	return cmocka_run_group_tests_name("epochs", tests, NULL, NULL);
}
