/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Banks: header and filters move with their index, and never touch what is in force. */
#include "model.h"

/* The header moves with its index from bank to bank, and shows what is put later. */
static void test_install(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100 };
	struct rg_index *index = new_index(RG_INDEX_HOSTS, &size);
	struct rg_index_header *first = &presence->headers[RG_INDEX_BANK(RG_INDEX_HOSTS, 0)];
	struct rg_index_header *second = &presence->headers[RG_INDEX_BANK(RG_INDEX_HOSTS, 1)], old;

	(void)state;
	put(index, v4(0x0a000001, 32), RG_CLASS_QIL, 0);
	old = *rg_index_header(index);
	put_in_force(index, RG_INDEX_HOSTS);
	assert_ptr_equal(rg_index_header(index), first);
	assert_memory_equal(first, &old, sizeof(old));
	assert_true(first->seed == seed && first->buckets4 && first->answers[0] && !first->answers[1]);
	put(index, v4(0x0a000001, 32), RG_CLASS_STANDARD, 0);
	put(index, around(V4_BASE, 96 + 24), RG_CLASS_STANDARD, EPOCH + DAY);
	rg_index_advance_epoch(index, EPOCH + DAY);
	assert_true(first->answers[1] && first->other4 && first->epoch > old.epoch);
	old = *first;
	put_in_force(index, RG_INDEX_HOSTS);
	assert_ptr_equal(rg_index_header(index), second);
	rg_index_advance_epoch(index, EPOCH + 2 * DAY);
	assert_memory_equal(first, &old, sizeof(old));
	assert_true(second->epoch > old.epoch);
	old.epoch = second->epoch;
	assert_memory_equal(second, &old, sizeof(old));
	rg_index_free(index);
	/* The banks of other parts are untouched. */
	for (uint32_t i = 0; i < RG_INDEX_BANKS; i++)
		if (i / 2 != RG_INDEX_HOSTS)
			assert_int_equal(presence->headers[i].seed, 0);
}

/* settings.index for a table of so many hosts: 2^n filters, with at most ten hosts each. */
static void check_in_force(enum rg_index_part part, size_t hosts4, uint32_t filter_bits)
{
	const struct rg_index_size size = { .hosts4 = hosts4 };

	for (uint32_t which = 0; which < 2; which++) {
		struct rg_index *index = new_index(part, &size);
		uint32_t force =
			rg_index_install(index, presence, filters, RG_INDEX_BANK(part, which));

		assert_int_equal(force, RG_INDEX_IN_FORCE(part, which, filter_bits));
		assert_int_equal(force >> 8 * part, 1 + which + 4 * filter_bits);
		rg_index_free(index);
	}
}

static void test_in_force(void **state)
{
	static const struct {
		size_t hosts4;
		uint32_t filter_bits;
	} sizes[] = { { 0, 1 },	      { 1, 13 },      { 81919, 13 },   { 90000, 14 },
		      { 163000, 14 }, { 200000, 15 }, { 327000, 15 },  { 400000, 16 },
		      { 580000, 16 }, { 700000, 17 }, { 1300000, 17 }, { 5000000, 17 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		check_in_force(RG_INDEX_HOSTS, sizes[i].hosts4, sizes[i].filter_bits);
		check_in_force(RG_INDEX_PEERS, sizes[i].hosts4, sizes[i].filter_bits);
	}
	/* Lists have no filters; the byte still says that they are in force. */
	check_in_force(RG_INDEX_LISTS, 1000000, 1);
}

/* All words of the banks that packets may read. */
struct snapshot {
	struct rg_index_header headers[RG_INDEX_BANKS];
	__u64 filters4[RG_INDEX_FILTERED][RG_INDEX_FILTERS];
};

/* Only the given bank has changed, and none of its filters past the last one. */
static void check_others(const struct snapshot *before, uint32_t bank, uint32_t filter_bits)
{
	const uint32_t count = 1U << filter_bits, first = RG_INDEX_BANK(RG_INDEX_HOSTS, 0);

	for (uint32_t i = 0; i < RG_INDEX_BANKS; i++) {
		if (i != bank)
			assert_memory_equal(&presence->headers[i], &before->headers[i],
					    sizeof(before->headers[i]));
		if (i != bank && i >= first && i - first < RG_INDEX_FILTERED)
			assert_memory_equal(filters_of(i), before->filters4[i - first],
					    sizeof(before->filters4[0]));
	}
	assert_memory_equal(filters_of(bank) + count, before->filters4[bank - first] + count,
			    sizeof(before->filters4[0]) - count * sizeof(__u64));
}

/*
 * An index is written in its bank while a larger or smaller one is filled, installed in the other bank,
 * and written there. Each has what was put into it, before and afterwards, and nothing else.
 */
static void test_banks_in_turn(void **state)
{
	static const size_t sizes[] = { 1, 700000, 90000, 1, 400000, 0, 200000, 1 };
	static struct snapshot before;
	struct rg_index *index = NULL;
	enum rg_index_part part;

	(void)state;
	for (uint32_t round = 0; round < 4 * ARRAY_SIZE(sizes); round++) {
		const struct rg_index_size size = { .hosts4 = sizes[round % ARRAY_SIZE(sizes)] };
		struct rg_index *old = index;
		uint32_t base;

		part = round / 2 / ARRAY_SIZE(sizes) ? RG_INDEX_PEERS : RG_INDEX_HOSTS;
		if (round == 2 * ARRAY_SIZE(sizes)) {
			rg_index_free(old);
			old = NULL;
		}
		index = new_index(part, &size);
		base = 0x0a000000 + round * 0x10000;
		for (uint32_t i = 0; i < 200; i++)
			put(index, v4(base + i * 0x101, 32), RG_CLASS_QIL, 0);
		for (uint32_t i = 0; old && i < 200; i++) /* still in force */
			assert_true(is_present4(base - 0x10000 + i * 0x101, part));
		put_in_force(index, part);
		memcpy(before.headers, presence->headers, sizeof(before.headers));
		memcpy(before.filters4, filters->banks, sizeof(before.filters4));
		for (uint32_t i = 200; i < 250; i++)
			put(index, v4(base + i * 0x101, 32), RG_CLASS_STANDARD, 0);
		if (round % 3 == 0)
			put(index, v4(base, 20), RG_CLASS_QIL, 0);
		check_others(&before, bank_of(part), in_force_of(part) >> 2);
		for (uint32_t i = 0; i < 250; i++)
			assert_true(is_present4(base + i * 0x101, part));
		/* The bank of the index before may hold anything now. */
		rg_index_free(old);
		scribble(bank_of(part) ^ 1);
		for (uint32_t i = 0; i < 250; i++) {
			assert_true(is_present4(base + i * 0x101, part));
			assert_int_not_equal(find(index, v4(base + i * 0x101, 32)), RG_INDEX_NONE);
		}
	}
	rg_index_free(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_install),
		TEST(test_in_force),
		TEST(test_banks_in_turn),
	};

	return cmocka_run_group_tests_name("banks", tests, NULL, NULL);
}
