/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking, claiming and giving back, at every size around a word, and at random against a plain array. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/slot_bitmap.h"

static struct rg_slot_bitmap *new_slots(uint32_t count)
{
	struct rg_slot_bitmap *slots = NULL;

	assert_int_equal(rg_slot_bitmap_new(&slots, count), 0);
	return slots;
}

/* Every one is given out once, and none that there is not. */
static void test_all(void **state)
{
	(void)state;
	for (uint32_t count = 0; count <= 200; count++) {
		struct rg_slot_bitmap *slots = new_slots(count);
		bool given[200] = {};
		uint32_t slot;

		for (uint32_t i = 0; i < count; i++) {
			assert_int_equal(rg_slot_bitmap_take(slots, &slot), 0);
			assert_true(slot < count && !given[slot] &&
				    rg_slot_bitmap_is_taken(slots, slot));
			given[slot] = true;
		}
		assert_int_equal(rg_slot_bitmap_take(slots, &slot), -ENOSPC);
		assert_int_equal(rg_slot_bitmap_taken(slots), count);
		rg_slot_bitmap_free(slots);
	}
}

/* A large array is touched from its beginning on, as far as it is needed. */
static void test_from_the_beginning(void **state)
{
	struct rg_slot_bitmap *slots = new_slots(1000000);
	uint32_t slot;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(rg_slot_bitmap_take(slots, &slot), 0);
		assert_int_equal(slot, i);
	}
	rg_slot_bitmap_free(slots);
}

static void test_no_such(void **state)
{
	struct rg_slot_bitmap *slots = new_slots(100);
	static const uint32_t none[] = { 100, 127, 128, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		assert_false(rg_slot_bitmap_is_taken(slots, none[i]));
		assert_false(rg_slot_bitmap_claim(slots, none[i]));
		rg_slot_bitmap_release(slots, none[i]);
	}
	assert_true(rg_slot_bitmap_claim(slots, 99));
	assert_false(rg_slot_bitmap_claim(slots, 99));
	rg_slot_bitmap_release(slots, 98);
	assert_int_equal(rg_slot_bitmap_taken(slots), 1);
	rg_slot_bitmap_release(slots, 99);
	rg_slot_bitmap_release(slots, 99);
	assert_int_equal(rg_slot_bitmap_taken(slots), 0);
	rg_slot_bitmap_free(slots);
}

enum { COUNT = 1000, STEPS = 200000 };

/* One step with the slots and the array of what is taken. */
static void step(struct rg_slot_bitmap *slots, bool taken[COUNT], uint32_t *sum)
{
	uint32_t slot = (uint32_t)random() % COUNT;
	int err;

	switch (random() % 4) {
	case 0:
		assert_int_equal(rg_slot_bitmap_claim(slots, slot), !taken[slot]);
		*sum += !taken[slot];
		taken[slot] = true;
		break;
	case 1:
		rg_slot_bitmap_release(slots, slot);
		*sum -= taken[slot];
		taken[slot] = false;
		break;
	default:
		err = rg_slot_bitmap_take(slots, &slot);
		assert_int_equal(err, *sum == COUNT ? -ENOSPC : 0);
		if (err)
			break;
		assert_true(slot < COUNT && !taken[slot]);
		taken[slot] = true;
		++*sum;
	}
}

static void test_churn(void **state)
{
	struct rg_slot_bitmap *slots = new_slots(COUNT);
	bool taken[COUNT] = {};
	uint32_t sum = 0;

	(void)state;
	srandom(1);
	for (int i = 0; i < STEPS; i++) {
		step(slots, taken, &sum);
		assert_int_equal(rg_slot_bitmap_taken(slots), sum);
	}
	for (uint32_t slot = 0; slot < COUNT; slot++)
		assert_int_equal(rg_slot_bitmap_is_taken(slots, slot), taken[slot]);
	rg_slot_bitmap_free(slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_from_the_beginning),
		cmocka_unit_test(test_no_such),
		cmocka_unit_test(test_churn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
