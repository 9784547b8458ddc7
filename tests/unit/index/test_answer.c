/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What maps/index.h packs for both sides comes out as it went in: an answer (class, action, zone), the
 * two bits of a /24, and a part's byte of settings.index.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "maps/index.h"

static void check_answer(enum rg_class peer_class, enum rg_action action, uint32_t zone)
{
	uint32_t answer = rg_index_answer(peer_class, action, zone);
	uint32_t want_zone = zone < RG_MAX_ZONES ? zone : RG_NO_ZONE;

	/* No answer looks like the other two results of a search. */
	assert_true(answer > RG_INDEX_ASK);
	assert_int_equal(answer & ~RG_INDEX_ANSWER_MASK, 0);
	for (int near = 0; near < 2; near++) {
		assert_int_equal(rg_index_answer_class(answer), peer_class);
		assert_int_equal(rg_index_answer_action(answer), action);
		assert_int_equal(rg_index_answer_zone(answer), want_zone);
		answer |= RG_INDEX_CHECK_LISTS;
		assert_true(answer <= UINT16_MAX);
	}
}

static void test_answers(void **state)
{
	(void)state;
	for (int peer_class = RG_CLASS_NONE + 1; peer_class < RG_CLASS_MAX; peer_class++)
		for (int action = RG_ACTION_NONE; action < RG_ACTION_MAX; action++)
			for (uint32_t zone = 0; zone <= RG_NO_ZONE; zone++)
				check_answer((enum rg_class)peer_class, (enum rg_action)action, zone);
}

/* Two verdicts that differ have answers that differ. */
static void test_answers_differ(void **state)
{
	static uint8_t known[1 << 16];

	(void)state;
	for (int peer_class = RG_CLASS_NONE + 1; peer_class < RG_CLASS_MAX; peer_class++)
		for (int action = RG_ACTION_NONE; action < RG_ACTION_MAX; action++)
			for (uint32_t zone = 0; zone <= RG_MAX_ZONES; zone++)
				assert_int_equal(known[rg_index_answer((enum rg_class)peer_class,
								       (enum rg_action)action, zone)]++,
						 0);
}

static void test_nets(void **state)
{
	uint32_t approved = rg_index_net_answer(RG_INDEX_NET_APPROVED);
	uint32_t blocked = rg_index_net_answer(RG_INDEX_NET_BLOCKED);

	(void)state;
	assert_int_equal(rg_index_net_answer(RG_INDEX_NET_NONE), RG_INDEX_NONE);
	assert_int_equal(rg_index_net_answer(RG_INDEX_NET_ASK), RG_INDEX_ASK);
	assert_int_equal(rg_index_answer_class(approved), RG_CLASS_APPROVED);
	assert_int_equal(rg_index_answer_class(blocked), RG_CLASS_BLOCKED);
	assert_int_equal(rg_index_answer_zone(approved), RG_NO_ZONE);
	assert_int_equal(rg_index_answer_zone(blocked), RG_NO_ZONE);
}

static uint32_t in_force_of_all(const uint32_t which[RG_INDEXES], const uint32_t bits[RG_INDEXES])
{
	uint32_t index = 0;

	for (uint32_t part = 0; part < RG_INDEXES; part++)
		index |= RG_INDEX_IN_FORCE(part, which[part], bits[part]);
	return index;
}

/* Each part by itself, whatever the other parts' bytes are. */
static void test_in_force(void **state)
{
	(void)state;
	for (uint32_t part = 0; part < RG_INDEXES; part++)
		for (uint32_t which = 0; which < 2; which++)
			for (uint32_t bits = 1; bits <= RG_INDEX_FILTER_BITS; bits++) {
				uint32_t banks[RG_INDEXES] = { 1, 0, 1 },
					 filters[RG_INDEXES] = { 9, 17, 3 };
				uint32_t index, byte;

				banks[part] = which;
				filters[part] = bits;
				index = in_force_of_all(banks, filters);
				byte = rg_index_in_force(index, (enum rg_index_part)part);
				assert_int_not_equal(byte, 0);
				assert_int_equal(rg_index_bank_of((enum rg_index_part)part, byte),
						 RG_INDEX_BANK(part, which));
				assert_int_equal(rg_index_filter_bits_of(byte), bits);
				assert_int_equal(rg_index_next_bank(index, (enum rg_index_part)part),
						 RG_INDEX_BANK(part, !which));
			}
}

static void test_none_in_force(void **state)
{
	(void)state;
	for (uint32_t part = 0; part < RG_INDEXES; part++) {
		assert_int_equal(rg_index_in_force(0, (enum rg_index_part)part), 0);
		assert_int_equal(rg_index_next_bank(0, (enum rg_index_part)part),
				 RG_INDEX_BANK(part, 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),	      cmocka_unit_test(test_answers_differ),
		cmocka_unit_test(test_nets),	      cmocka_unit_test(test_in_force),
		cmocka_unit_test(test_none_in_force),
	};

	return cmocka_run_group_tests_name("index_answer", tests, NULL, NULL);
}
