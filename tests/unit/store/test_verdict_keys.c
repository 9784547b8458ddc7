/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of verdicts by number, against an array: set, replaced, taken away, walked while they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "store/verdict_keys.h"

#include <cmocka.h>

#define COUNT 3000

/* IPv4 hosts, IPv6 hosts, and prefixes. */
static struct rg_prefix key_of(uint32_t number)
{
	struct rg_prefix key = { .len = RG_ADDR_BITS, .addr.bytes = { 0x20, 1, 0xd, 0xb8 } };

	memcpy(key.addr.bytes + 12, &number, sizeof(number));
	if (number % 3 == 0) {
		memset(key.addr.bytes, 0, 10);
		key.addr.bytes[10] = key.addr.bytes[11] = 0xff;
	}
	if (number % 30 == 1)
		key.len = 64 + number % 60;
	return key;
}

struct model {
	uint32_t value[COUNT]; /* 0: no key */
	bool fresh[COUNT];
	size_t count;
};

static void check(const struct rg_verdict_keys *keys, const struct model *model)
{
	uint32_t next = 0;
	struct rg_prefix key;

	assert_int_equal(rg_verdict_keys_count(keys), model->count);
	for (uint32_t i = 0; i < COUNT; i++) {
		const struct rg_prefix want = key_of(model->value[i]);

		assert_int_equal(rg_verdict_keys_get(keys, i, &key), model->value[i] != 0);
		if (!model->value[i])
			continue;
		assert_int_equal(rg_prefix_compare(&key, &want), 0);
		assert_int_equal(rg_verdict_keys_is_fresh(keys, i), model->fresh[i]);
		assert_true(rg_verdict_keys_next(keys, &next));
		assert_int_equal(next, i);
		next++;
	}
	assert_false(rg_verdict_keys_next(keys, &next));
}

static void change(struct rg_verdict_keys *keys, struct model *model, uint32_t number, uint32_t value)
{
	const struct rg_prefix key = key_of(value);

	model->count += (value != 0) - (model->value[number] != 0);
	model->value[number] = value;
	model->fresh[number] = true;
	if (value)
		assert_int_equal(rg_verdict_keys_set(keys, number, &key), 0);
	else
		rg_verdict_keys_clear(keys, number);
}

static void test_random(void **state)
{
	struct model *model = calloc(1, sizeof(*model));
	struct rg_verdict_keys *keys;

	(void)state;
	assert_non_null(model);
	assert_int_equal(rg_verdict_keys_new(&keys, COUNT), 0);
	srandom(1);
	for (int i = 0; i < 60000; i++) {
		uint32_t number = (uint32_t)random() % COUNT;

		/* It fills, and empties again. */
		change(keys, model, number,
		       random() % 30000 > i ? (uint32_t)random() % 1000000 + 1 : 0);
		if (i % 10000 == 5000) {
			rg_verdict_keys_age(keys);
			memset(model->fresh, 0, sizeof(model->fresh));
		}
		if (i % 1000 == 0)
			check(keys, model);
	}
	for (uint32_t i = 0; i < COUNT; i++)
		change(keys, model, i, 0);
	check(keys, model);
	rg_verdict_keys_free(keys);
	free(model);
}

static void test_bounds(void **state)
{
	const struct rg_prefix key = key_of(1);
	struct rg_verdict_keys *keys;
	struct rg_prefix ret;
	uint32_t next = UINT32_MAX;

	(void)state;
	assert_int_equal(rg_verdict_keys_new(&keys, 10), 0);
	assert_int_equal(rg_verdict_keys_set(keys, UINT32_MAX, &key), -ERANGE);
	rg_verdict_keys_clear(keys, UINT32_MAX);
	rg_verdict_keys_clear(keys, 5);
	assert_false(rg_verdict_keys_get(keys, UINT32_MAX, &ret));
	assert_false(rg_verdict_keys_is_fresh(keys, UINT32_MAX));
	assert_false(rg_verdict_keys_next(keys, &next));
	rg_verdict_keys_free(keys);
	rg_verdict_keys_free(NULL);
}

/* Each that is there all the while is met once, whatever else changes. */
static void test_walk(void **state)
{
	struct rg_verdict_keys *keys;
	unsigned int met = 0;
	struct rg_prefix key;

	(void)state;
	assert_int_equal(rg_verdict_keys_new(&keys, COUNT), 0);
	for (uint32_t i = 0; i < COUNT; i += 2) {
		key = key_of(i + 1);
		assert_int_equal(rg_verdict_keys_set(keys, i, &key), 0);
	}
	for (uint32_t next = 0; rg_verdict_keys_next(keys, &next); next++) {
		uint32_t other = ((uint32_t)random() % (COUNT / 2)) * 2 + 1;

		met += next % 2 == 0;
		key = key_of(other);
		if (random() % 2)
			assert_int_equal(rg_verdict_keys_set(keys, other, &key), 0);
		else
			rg_verdict_keys_clear(keys, other);
	}
	assert_int_equal(met, COUNT / 2);
	rg_verdict_keys_free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
