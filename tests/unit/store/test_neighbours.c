/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses of a prefix: which are listed, which goes first, and at random against a plain array. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/addr.h"
#include "store/neighbours.h"

#include "maps/verdict.h"

#define SECOND RG_NSEC_PER_SEC

static struct rg_neighbours *new_neighbours(uint32_t prefix_len)
{
	struct rg_neighbours *neighbours = NULL;

	assert_int_equal(rg_neighbours_new(&neighbours, prefix_len), 0);
	return neighbours;
}

/* An address of 2001:db8:0:NET::/64. */
static struct rg_addr at(uint16_t net, uint16_t host)
{
	return (struct rg_addr){ .bytes = { 0x20, 1, 0xd, 0xb8, 0, 0, (uint8_t)(net >> 8),
					    (uint8_t)net, [14] = (uint8_t)(host >> 8),
					    (uint8_t)host } };
}

static struct rg_prefix prefix_of(uint16_t net)
{
	return (struct rg_prefix){ .len = 64, .addr = at(net, 0) };
}

static void test_listed(void **state)
{
	struct rg_neighbours *neighbours = new_neighbours(64);
	const struct rg_prefix net = prefix_of(5);
	struct rg_addr one = at(5, 1), two = at(5, 2), other = at(6, 1), ret[4];

	(void)state;
	assert_int_equal(rg_neighbours_listed(neighbours, &net, ret, 4), 0);
	assert_false(rg_neighbours_put(neighbours, &one, SECOND, true));
	assert_false(rg_neighbours_put(neighbours, &two, SECOND, false));
	assert_false(rg_neighbours_put(neighbours, &other, SECOND, true));
	assert_int_equal(rg_neighbours_listed(neighbours, &net, ret, 4), 1);
	assert_int_equal(rg_addr_compare(&ret[0], &one), 0);
	/* Renewed, and listed now. */
	rg_neighbours_put(neighbours, &two, 2 * SECOND, true);
	assert_int_equal(rg_neighbours_listed(neighbours, &net, ret, 4), 2);
	assert_int_equal(rg_neighbours_listed(neighbours, &net, ret, 1), 1);
	assert_int_equal(rg_neighbours_count(neighbours), 3);
	/* Only a listed one that was there says so. */
	assert_true(rg_neighbours_remove(neighbours, &one));
	assert_false(rg_neighbours_remove(neighbours, &one));
	rg_neighbours_put(neighbours, &two, 2 * SECOND, false);
	assert_false(rg_neighbours_remove(neighbours, &two));
	assert_int_equal(rg_neighbours_count(neighbours), 1);
	rg_neighbours_free(neighbours);
	rg_neighbours_free(NULL);
}

/*
 * The half that was put first stays. Of the other clean ones the one that was put first goes, though it ends last;
 * listed ones only when there are no others.
 */
static void test_surplus(void **state)
{
	struct rg_neighbours *neighbours = new_neighbours(64);
	const struct rg_prefix net = prefix_of(5);
	struct rg_addr addr, ret;

	(void)state;
	for (uint16_t i = 0; i < RG_NEIGHBOURS; i++) {
		addr = at(5, i);
		assert_false(rg_neighbours_put(neighbours, &addr, (1000 - i) * SECOND, i == 63));
		addr = at(6, i);
		assert_false(rg_neighbours_put(neighbours, &addr, SECOND, false));
	}
	assert_false(rg_neighbours_take_surplus(neighbours, &net, &ret));
	for (uint16_t i = 1; i <= RG_NEIGHBOURS; i++) {
		addr = at(5, 100 + i);
		assert_true(rg_neighbours_put(neighbours, &addr, 2000 * SECOND, true));
		assert_true(rg_neighbours_take_surplus(neighbours, &net, &ret));
		assert_false(rg_neighbours_take_surplus(neighbours, &net, &ret));
		/* ::20 to ::3e; then the first half, ::0 to ::1f; then the listed ::3f. */
		assert_int_equal(ret.bytes[15], i <= 31 ? 0x1f + i : i <= 63 ? i - 32 : 0x3f);
	}
	assert_int_equal(rg_neighbours_count(neighbours), 2 * RG_NEIGHBOURS);
	rg_neighbours_free(neighbours);
}

/* A flood of addresses of one prefix does not push out who was known before, also if it is renewed meanwhile. */
static void test_flood(void **state)
{
	struct rg_neighbours *neighbours = new_neighbours(64);
	const struct rg_prefix net = prefix_of(5);
	const struct rg_addr known = at(5, 1);
	struct rg_addr addr, ret;

	(void)state;
	assert_false(rg_neighbours_put(neighbours, &known, 1000 * SECOND, false));
	for (uint16_t i = 2; i < 10000; i++) {
		addr = at(5, i);
		if (rg_neighbours_put(neighbours, &addr, 1000 * SECOND, false)) {
			assert_true(rg_neighbours_take_surplus(neighbours, &net, &ret));
			assert_int_not_equal(rg_addr_compare(&ret, &known), 0);
		}
		if (i % 1000 == 0)
			assert_false(rg_neighbours_put(neighbours, &known, 1000 * SECOND, false));
	}
	assert_int_equal(rg_neighbours_count(neighbours), RG_NEIGHBOURS);
	rg_neighbours_free(neighbours);
}

static void remove_unlisted(struct rg_neighbours *neighbours, const struct rg_prefix *prefix)
{
	struct rg_neighbours_walk walk = {};

	while (rg_neighbours_remove_unlisted(neighbours, prefix, &walk))
		;
}

/* What is put while a flush is under way stays. */
static void test_put_during_flush(void **state)
{
	struct rg_neighbours *neighbours = new_neighbours(64);
	struct rg_neighbours_walk walk = {};
	struct rg_addr addr;

	(void)state;
	for (uint16_t i = 0; i < 3000; i++) {
		addr = at(i % 300, i / 300);
		rg_neighbours_put(neighbours, &addr, 1000 * SECOND, false);
	}
	assert_true(rg_neighbours_remove_unlisted(neighbours, NULL, &walk));
	for (uint16_t i = 0; i < 300; i++) {
		addr = at(i, 77);
		rg_neighbours_put(neighbours, &addr, 1000 * SECOND, false);
	}
	while (rg_neighbours_remove_unlisted(neighbours, NULL, &walk))
		;
	/* A few that moved to a slot behind the walk may be left, too. */
	assert_true(rg_neighbours_count(neighbours) >= 300 && rg_neighbours_count(neighbours) < 310);
	rg_neighbours_free(neighbours);
}

static void test_flush_and_sweep(void **state)
{
	struct rg_neighbours *neighbours = new_neighbours(64);
	const struct rg_prefix net = prefix_of(5);
	struct rg_addr ret[4], addr;

	(void)state;
	for (uint16_t i = 0; i < 3000; i++) {
		addr = at(i % 300, i / 300);
		rg_neighbours_put(neighbours, &addr, (1 + i % 2) * 1000 * SECOND, i == 305);
	}
	assert_int_equal(rg_neighbours_count(neighbours), 3000);
	remove_unlisted(neighbours, &net);
	assert_int_equal(rg_neighbours_count(neighbours), 2991);
	assert_int_equal(rg_neighbours_listed(neighbours, &net, ret, 4), 1);
	rg_neighbours_sweep(neighbours, 999 * SECOND);
	assert_int_equal(rg_neighbours_count(neighbours), 2991);
	rg_neighbours_sweep(neighbours, 1001 * SECOND);
	assert_int_equal(rg_neighbours_count(neighbours), 1491);
	remove_unlisted(neighbours, NULL);
	assert_int_equal(rg_neighbours_count(neighbours), 1);
	for (int i = 0; i < 10; i++)
		rg_neighbours_sweep(neighbours, 1001 * SECOND);
	assert_int_equal(rg_neighbours_listed(neighbours, &net, ret, 4), 1);
	rg_neighbours_free(neighbours);
}

#define NETS 40
#define HOSTS 60

/* Grows, shrinks and moves entries; each listed one must be found at any time, and no other. */
static void test_random(void **state)
{
	static bool there[NETS][HOSTS], listed[NETS][HOSTS];
	struct rg_neighbours *neighbours = new_neighbours(64);
	size_t count = 0;

	(void)state;
	srandom(7);
	for (int i = 0; i < 60000; i++) {
		uint16_t net = (uint16_t)(random() % NETS), host = (uint16_t)(random() % HOSTS);
		const struct rg_prefix prefix = prefix_of(net);
		struct rg_addr ret[HOSTS], addr = at(net, host);
		bool is_listed = random() % 4 == 0, grows = i / 10000 % 2 == 0;
		size_t have = 0;

		if (random() % 8 < (grows ? 6 : 1)) {
			count += !there[net][host];
			there[net][host] = true;
			listed[net][host] = is_listed;
			assert_false(rg_neighbours_put(neighbours, &addr, 9 * SECOND, is_listed));
		} else {
			assert_int_equal(rg_neighbours_remove(neighbours, &addr), listed[net][host]);
			count -= there[net][host];
			there[net][host] = listed[net][host] = false;
		}
		if (i % 100 == 0)
			rg_neighbours_sweep(neighbours, SECOND);
		for (uint16_t j = 0; j < HOSTS; j++)
			have += listed[net][j];
		assert_int_equal(rg_neighbours_listed(neighbours, &prefix, ret, HOSTS), have);
		for (size_t j = 0; j < have; j++)
			assert_true(listed[net][ret[j].bytes[15]]);
		assert_int_equal(rg_neighbours_count(neighbours), count);
	}
	rg_neighbours_free(neighbours);
}

/* Of one address nobody is a neighbour. */
static void test_alone(void **state)
{
	struct rg_neighbours *neighbours = new_neighbours(128);

	(void)state;
	for (uint16_t i = 0; i < 3 * RG_NEIGHBOURS; i++) {
		const struct rg_addr addr = at(5, i);

		assert_false(rg_neighbours_put(neighbours, &addr, SECOND, false));
	}
	rg_neighbours_free(neighbours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_surplus),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_flush_and_sweep),
		cmocka_unit_test(test_put_during_flush),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
