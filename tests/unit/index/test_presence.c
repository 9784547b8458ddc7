/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Presence: the bits that send XDP into the tables, published and retired with their index. */
#include "model.h"

/* Each part has a network of its own, and all share one; another index of hosts replaces the first. */
static void test_retire_previous(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100 },
				   larger = { .hosts4 = 90000 };
	static struct checked checked[RG_INDEXES], fresh;

	(void)state;
	for (int i = 0; i < RG_INDEXES; i++) {
		open_checked_with(&checked[i], i, &size, EPOCH, presence);
		put(checked[i].index, v4(0x0a000001 + (i << 16), 32), RG_CLASS_BLOCKED, 0);
		put_in_force(checked[i].index, i);
		put(checked[i].index, v4(0x0b000001, 32), RG_CLASS_BLOCKED, 0);
		put(checked[i].index, v6(0x2001000100000000 + ((uint64_t)i << 32)),
		    RG_CLASS_BLOCKED, 0);
		put(checked[i].index, around(V6_BASE, 48), RG_CLASS_BLOCKED, 0);
		put(checked[i].index, around((u128)0x30 << 120, 12), RG_CLASS_BLOCKED, 0);
	}
	open_checked_with(&fresh, RG_INDEX_HOSTS, &larger, EPOCH, presence);
	put(fresh.index, v4(0x0c000001, 32), RG_CLASS_BLOCKED, 0);
	/* It is not in force yet: what the old one has is still found. */
	assert_true(is_present4(0x0a010001, RG_INDEX_HOSTS) &&
		    !is_present4(0x0c000001, RG_INDEX_HOSTS));
	assert_int_equal(presence6(0x20010002) >> RG_INDEX_HOSTS & 1, 1);
	put_in_force(fresh.index, RG_INDEX_HOSTS);
	assert_int_equal(presence6(0x20010002) >> RG_INDEX_HOSTS & 1, 1);
	rg_index_retire_previous(fresh.index);
	for (int i = 0; i < RG_INDEXES; i++) {
		bool stays = i != RG_INDEX_HOSTS;
		uint8_t asks = (uint8_t)(1 << (i + RG_INDEX_ASKS));

		assert_int_equal(is_present4(0x0a000001 + ((uint32_t)i << 16), i), stays);
		assert_int_equal(is_present4_anywhere(0x0a000001 + ((uint32_t)i << 16)), stays);
		assert_int_equal(is_present4(0x0b000001, i), stays);
		assert_int_equal(presence6(0x20010001 + (uint32_t)i) >> i & 1, stays);
		assert_int_equal(!!(presence6(0x20010db8) & asks), stays);
		for (uint32_t wide = 0x3000; wide < 0x3010; wide++)
			assert_int_equal(!!(presence->wide6[wide] & asks), stays);
	}
	assert_true(is_present4_anywhere(0x0b000001) && is_present4(0x0c000001, RG_INDEX_HOSTS));
	assert_int_equal(presence->wide6[0x2fff] | presence->wide6[0x3010], 0);
	for (int i = 0; i < RG_INDEXES; i++)
		close_checked(&checked[i]);
	close_checked(&fresh);
}

/* An index sets no presence bit before it is published, and then all of them. */
static void test_publish(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100, .nets4 = true };
	static const struct rg_index_presence nothing;
	static struct checked checked, other;

	(void)state;
	clear_presence();
	open_checked_with(&checked, RG_INDEX_LISTS, &size, EPOCH, NULL);
	put(checked.index, v4(0x0b000000, 16), RG_CLASS_BLOCKED, 0);
	put(checked.index, v4(0x0a000001, 32), RG_CLASS_BLOCKED, 0);
	put(checked.index, v6(0x2001000100000000), RG_CLASS_BLOCKED, 0);
	put(checked.index, around((u128)0x30 << 120, 12), RG_CLASS_BLOCKED, 0);
	assert_memory_equal(presence, &nothing, sizeof(nothing));
	/* Meanwhile another part changes. */
	open_checked_with(&other, RG_INDEX_HOSTS, &size, EPOCH, presence);
	put_in_force(other.index, RG_INDEX_HOSTS);
	put(other.index, v4(0x0a000002, 32), RG_CLASS_BLOCKED, 0);
	put(other.index, v4(0x0d000002, 32), RG_CLASS_BLOCKED, 0);
	assert_true(rg_index_publish(checked.index, presence));
	assert_false(rg_index_publish(checked.index, presence));
	assert_true(is_present4(0x0a000001, RG_INDEX_LISTS) &&
		    is_present4(0x0a000002, RG_INDEX_HOSTS));
	assert_true(is_present4(0x0a0001ff, RG_INDEX_LISTS) &&
		    !is_present4(0x0a000200, RG_INDEX_LISTS));
	assert_true(is_present4(0x0b000000, RG_INDEX_LISTS) &&
		    is_present4(0x0b00ffff, RG_INDEX_LISTS));
	assert_false(is_present4_anywhere(0x0b010000) || is_present4_anywhere(0x0affffff));
	assert_true(is_present4(0x0d000002, RG_INDEX_HOSTS) &&
		    !is_present4(0x0d000002, RG_INDEX_LISTS));
	assert_int_equal(presence6(0x20010001), 1 << RG_INDEX_LISTS);
	assert_int_equal(presence->wide6[0x3000], 1 << (RG_INDEX_LISTS + RG_INDEX_ASKS));
	close_checked(&checked);
	close_checked(&other);
	clear_presence();
}

/* All parts share the presence: no operation on one changes an answer of another. */
static void test_all_parts(void **state)
{
	const struct rg_index_size small = {}, lists = { .hosts4 = 2000, .nets4 = true };
	static struct checked checked[RG_INDEXES];

	(void)state;
	for (int i = 0; i < RG_INDEXES; i++)
		open_checked(&checked[i], i, i == RG_INDEX_LISTS ? &lists : &small, EPOCH);
	for (int round = 0; round < 40; round++) {
		reload(&checked[rnd(RG_INDEXES)]);
		for (int i = 0; i < 20; i++) {
			struct checked *one = &checked[1 + rnd(RG_INDEXES - 1)];
			const struct rg_index_entry entry = random_entry(false);

			put_checked(one, &entry);
			if (rnd(4) == 0) { /* from the trie first, then from the index */
				*model_at(&one->model, &entry.prefix) =
					one->model.at[one->model.count - 1];
				one->model.count--;
				rg_index_remove(one->index, &entry.prefix);
			}
		}
		for (int i = 0; i < RG_INDEXES; i++)
			check_all(&checked[i]);
	}
	for (int i = 0; i < RG_INDEXES; i++)
		close_checked(&checked[i]);
}

/* Once the index before is retired, its addresses are no longer present. */
static void test_retire_forgets(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1000 };
	static struct checked checked, fresh;
	size_t looks = 0;

	(void)state;
	open_checked_with(&checked, RG_INDEX_HOSTS, &size, EPOCH, presence);
	put_in_force(checked.index, RG_INDEX_HOSTS);
	put(checked.index, around(V4_BASE, 96), RG_CLASS_BLOCKED, 0);
	put(checked.index, around((u128)0, 3), RG_CLASS_BLOCKED, 0);
	assert_int_equal(find(checked.index, v4(0x01020304, 32)), RG_INDEX_ASK);
	for (uint32_t i = 0; i < 1 << 24; i += 99991)
		assert_true(is_present4(i << 8 | rnd(256), RG_INDEX_HOSTS));
	open_checked_with(&fresh, RG_INDEX_HOSTS, &size, EPOCH, presence);
	put(fresh.index, v4(0x01020304, 32), RG_CLASS_BLOCKED, 0);
	put_in_force(fresh.index, RG_INDEX_HOSTS);
	rg_index_retire_previous(fresh.index);
	close_checked(&checked);
	for (uint32_t i = 0; i < 1 << 24; i += 997)
		looks += is_present4_anywhere(i << 8 | rnd(256));
	/* The one host has three bits in one filter, which other addresses may share. */
	assert_in_range(looks, 0, 2);
	assert_int_equal(find(fresh.index, v6(1)), RG_INDEX_NONE);
	assert_int_not_equal(find(fresh.index, v4(0x01020304, 32)), RG_INDEX_NONE);
	assert_true(is_present4_anywhere(0x01020304));
	close_checked(&fresh);
}

/* A host near an entry of the lists is marked, whichever was put first. */
static void check_near(enum rg_index_part part)
{
	const struct rg_index_size size = { .hosts4 = 1000, .nets4 = part == RG_INDEX_LISTS };
	const struct rg_index_size lists_size = { .hosts4 = 1000, .nets4 = true };
	const struct rg_prefix near = v4(0x0a000101, 32), far = v4(0x0a000201, 32);
	struct rg_index *index = new_index(part, &size), *lists = new_lists(&lists_size);
	const struct rg_index_header *header = rg_index_header(index);
	uint32_t answer;

	put(index, near, RG_CLASS_QIL, EPOCH + DAY);
	put(index, far, RG_CLASS_QIL, EPOCH + DAY);
	answer = header->answers[0];
	assert_int_equal(answer & RG_INDEX_CHECK_LISTS, 0);
	assert_int_equal(header->answers[1], 0);
	/* The same /23. */
	put(lists, v4(0x0a000080, 28), RG_CLASS_APPROVED, 0);
	assert_int_equal(header->answers[1], 0);
	rg_index_update_near(index);
	assert_int_equal(header->answers[1], answer | RG_INDEX_CHECK_LISTS);
	assert_int_equal(header->answers[2], 0);
	/* A lookup returns the answer without the mark. */
	assert_int_equal(find(index, near), answer);
	assert_int_equal(find(index, far), answer);
	rg_index_remove(index, &far);
	put(index, v4(0x0a000102, 32), RG_CLASS_CLEAN, EPOCH + DAY);
	assert_int_equal(header->answers[2], ANSWER_CLEAN | RG_INDEX_CHECK_LISTS);
	assert_int_equal(find(index, v4(0x0a000102, 32)), ANSWER_CLEAN);
	rg_index_free(lists);
	rg_index_free(index);
}

static void test_near(void **state)
{
	(void)state;
	check_near(RG_INDEX_HOSTS);
	clear_presence();
	check_near(RG_INDEX_PEERS);
}

/* Before it is published an index does not know the lists: it marks all hosts. */
static void test_near_unpublished(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100 };
	static struct checked checked;

	(void)state;
	open_checked_with(&checked, RG_INDEX_PEERS, &size, EPOCH, NULL);
	put(checked.index, v4(0x0a000001, 32), RG_CLASS_CLEAN, EPOCH + DAY);
	assert_int_equal(rg_index_header(checked.index)->answers[0],
			 ANSWER_CLEAN | RG_INDEX_CHECK_LISTS);
	close_checked(&checked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_retire_previous), TEST(test_publish), TEST(test_all_parts),
		TEST(test_retire_forgets),  TEST(test_near),	TEST(test_near_unpublished),
	};

	return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}
