/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queue by expiry, against a model that is an array. Keys are few, and times are close together, so
 * that there are many of a kind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/addr.h"
#include "store/expiry_queue.h"

#define TICK RG_EXPIRY_TICK
#define MODEL_MAX 20000

struct model {
	struct rg_expiry_entry entries[MODEL_MAX];
	size_t count;
};

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct rg_prefix host4(uint32_t addr)
{
	struct rg_prefix key = { .len = RG_ADDR_BITS, .addr.bytes = { [10] = 0xff, [11] = 0xff } };

	addr = htobe32(addr);
	memcpy(key.addr.bytes + RG_ADDR_V4_OFFSET, &addr, sizeof(addr));
	return key;
}

static struct rg_prefix net6(uint32_t number, uint32_t len)
{
	struct rg_prefix key = { .len = len, .addr.bytes = { 0x20, 0x01, 0x0d, 0xb8 } };

	number = htobe32(number);
	memcpy(key.addr.bytes + 4, &number, sizeof(number));
	return key;
}

/* What is no IPv4 host, though it looks like one or other. */
static struct rg_prefix random_key(uint64_t *seed)
{
	uint64_t random = next_random(seed);
	uint32_t number = (uint32_t)(random >> 8) % 5000;
	struct rg_prefix key = host4(number * 0x10001);

	switch (random % 8) {
	case 0:
		return net6(number, 64);
	case 1:
		return net6(number, RG_ADDR_BITS);
	case 2:
		key.len = RG_V4_PREFIX_BITS + 31;
		key.addr.bytes[15] &= 0xfe;
		return key;
	case 3:
		key.addr.bytes[9] = 1; /* ::1:ffff:a.b.c.d */
		return key;
	default:
		return key;
	}
}

static bool is_same(const struct rg_expiry_entry *a, const struct rg_expiry_entry *b)
{
	return a->tick == b->tick && !memcmp(&a->key, &b->key, sizeof(a->key));
}

/* Takes one like it out of the model, which must have it. */
static void model_remove(struct model *model, const struct rg_expiry_entry *entry)
{
	for (size_t i = 0; i < model->count; i++)
		if (is_same(&model->entries[i], entry)) {
			model->entries[i] = model->entries[--model->count];
			return;
		}
	fail_msg("an entry that nobody put there, tick %u", entry->tick);
}

static uint32_t model_soonest(const struct model *model)
{
	uint32_t soonest = UINT32_MAX;

	for (size_t i = 0; i < model->count; i++)
		if (model->entries[i].tick < soonest)
			soonest = model->entries[i].tick;
	return soonest;
}

static void add(struct rg_expiry_queue *due, struct model *model, const struct rg_prefix *key,
		uint64_t expiry)
{
	assert_int_equal(rg_expiry_queue_add(due, key, expiry), 0);
	assert_true(model->count < MODEL_MAX);
	model->entries[model->count++] =
		(struct rg_expiry_entry){ .key = *key, .tick = rg_expiry_tick(expiry) };
}

static bool pop(struct rg_expiry_queue *due, struct model *model, uint64_t now)
{
	struct rg_expiry_entry entry;
	uint32_t soonest = model_soonest(model);

	if (!rg_expiry_queue_pop(due, now, &entry)) {
		assert_true(!model->count || (uint64_t)soonest * TICK > now);
		return false;
	}
	assert_int_equal(entry.tick, soonest);
	assert_true(now == UINT64_MAX || (uint64_t)entry.tick * TICK <= now);
	model_remove(model, &entry);
	return true;
}

/* All that is there, each once. */
static void check_all(const struct rg_expiry_queue *due, const struct model *model)
{
	static struct model left;
	struct rg_expiry_entry entry;

	left = *model;
	assert_int_equal(rg_expiry_queue_count(due), model->count);
	for (size_t i = 0; rg_expiry_queue_at(due, i, &entry); i++)
		model_remove(&left, &entry);
	assert_int_equal(left.count, 0);
	assert_false(rg_expiry_queue_at(due, model->count, &entry));
	assert_false(rg_expiry_queue_at(due, SIZE_MAX, &entry));
}

static void test_tick(void **state)
{
	(void)state;
	assert_int_equal(rg_expiry_tick(0), 0);
	assert_int_equal(rg_expiry_tick(1), 1);
	assert_int_equal(rg_expiry_tick(TICK), 1);
	assert_int_equal(rg_expiry_tick(TICK + 1), 2);
	/* The last one stands for all that comes later. */
	assert_int_equal(rg_expiry_tick((UINT32_MAX - 1) * TICK), UINT32_MAX - 1);
	assert_int_equal(rg_expiry_tick((UINT32_MAX - 1) * TICK + 1), UINT32_MAX);
	assert_int_equal(rg_expiry_tick(UINT64_MAX), UINT32_MAX);
}

/* Never before its end, and a tick after it at most. */
static void test_over(void **state)
{
	const struct rg_prefix keys[] = { host4(0xc0000201), net6(7, 64) };
	const uint64_t ends[] = { 1, TICK - 1, TICK, TICK + 1, 1000 * TICK, 1000 * TICK + TICK / 2 };
	struct rg_expiry_entry entry;
	struct rg_expiry_queue *due;

	(void)state;
	assert_int_equal(rg_expiry_queue_new(&due), 0);
	assert_false(rg_expiry_queue_pop(due, UINT64_MAX, &entry));
	for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
		for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
			assert_int_equal(rg_expiry_queue_add(due, &keys[k], ends[i]), 0);
			assert_false(rg_expiry_queue_pop(due, ends[i] - 1, &entry));
			assert_true(rg_expiry_queue_pop(due, ends[i] + TICK - 1, &entry));
			assert_memory_equal(&entry.key, &keys[k], sizeof(keys[k]));
			assert_int_equal(entry.tick, rg_expiry_tick(ends[i]));
			assert_int_equal(rg_expiry_queue_count(due), 0);
		}
	rg_expiry_queue_free(due);
	rg_expiry_queue_free(NULL);
}

/* The soonest of both families, each in turn. */
static void test_both(void **state)
{
	struct rg_expiry_entry entry;
	struct rg_expiry_queue *due;

	(void)state;
	assert_int_equal(rg_expiry_queue_new(&due), 0);
	for (uint32_t i = 100; i; i--) {
		struct rg_prefix key = i % 2 ? host4(i) : net6(i, 64);

		assert_int_equal(rg_expiry_queue_add(due, &key, i * TICK), 0);
	}
	for (uint32_t i = 1; i <= 100; i++) {
		struct rg_prefix key = i % 2 ? host4(i) : net6(i, 64);

		assert_true(rg_expiry_queue_pop(due, UINT64_MAX, &entry));
		assert_memory_equal(&entry.key, &key, sizeof(key));
	}
	rg_expiry_queue_free(due);
}

static void test_random(void **state)
{
	static struct model model;
	uint64_t seed = 0xd0e5, now = 1000 * TICK;
	struct rg_expiry_queue *due;

	(void)state;
	assert_int_equal(rg_expiry_queue_new(&due), 0);
	for (int round = 0; round < 60000; round++) {
		uint64_t random = next_random(&seed);
		/* Now it grows past some sizes, now it shrinks again. */
		unsigned int adds = round / 15000 % 2 ? 3 : 12;

		if (random % 16 < adds && model.count < 6000) {
			struct rg_prefix key = random_key(&seed);

			add(due, &model, &key, now + next_random(&seed) % (300 * TICK));
		} else if (random % 16 < 14) {
			(void)pop(due, &model, UINT64_MAX);
		} else {
			now += next_random(&seed) % TICK;
			while (pop(due, &model, now))
				;
		}
		if (round % 1000 == 0)
			check_all(due, &model);
	}
	while (pop(due, &model, UINT64_MAX))
		;
	check_all(due, &model);
	rg_expiry_queue_free(due);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tick),
		cmocka_unit_test(test_over),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("due", tests, NULL, NULL);
}
