/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes: an index has room for what it was measured for. */
#include "model.h"

static void check_room(const char *name, bool six, uint64_t first, uint64_t step)
{
	enum { COUNT = 1 << 18 };
	const struct rg_index_size size = { .hosts4 = six ? 0 : COUNT, .nets6 = six ? COUNT : 0 };
	struct rg_index *index = new_lists(&size);
	size_t overflow;

	for (uint64_t i = 0; i < COUNT; i++) {
		uint64_t key = first + i * step;

		put(index, six ? v6(key) : v4((uint32_t)key, 32), RG_CLASS_BLOCKED, 0);
	}
	overflow = rg_index_count(index).overflow;
	if (overflow > COUNT / 100)
		fail_msg("%s: %zu of %d found no slot", name, overflow, COUNT);
	rg_index_free(index);
}

/* A table has room for what it was made for, also if the addresses lie side by side. */
static void test_room(void **state)
{
	(void)state;
	check_room("hosts in a row", false, 0x0a000000, 1);
	check_room("every second host", false, 0x0a000000, 2);
	check_room("/64s in a row", true, 0x20010db800000000, 1);
	check_room("/48s in a row", true, 0x20010db800000000, 1 << 16);
}

/* Items of a list, and behind them the addresses of the IPv6 ones. */
struct list {
	struct rg_list_item items[3000];
	struct rg_addr addrs[3000];
};

static void set_prefix(struct list *list, size_t i, struct rg_prefix prefix)
{
	struct rg_list_item *item = &list->items[i];

	*item = (struct rg_list_item){ .len = (uint8_t)prefix.len,
				       .v6 = !rg_addr_is_v4(&prefix.addr) };
	list->addrs[i] = prefix.addr;
	if (item->v6)
		item->key = (uint32_t)((uint32_t *)&list->addrs[i] - &item->key);
	else
		memcpy(&item->key, prefix.addr.bytes + RG_ADDR_V4_OFFSET, sizeof(item->key));
}

static void test_measure(void **state)
{
	static struct list list;
	struct rg_index_size size;

	(void)state;
	rg_index_measure(list.items, 0, &size);
	assert_true(!size.hosts4 && !size.nets6 && !size.nets4);
	set_prefix(&list, 0, v4(0x0a000001, 32));
	set_prefix(&list, 1, v6(0x20010db800000000));
	set_prefix(&list, 2, around(V6_BASE, 48));
	set_prefix(&list, 3, around(V6_BASE + 1, 128));
	rg_index_measure(list.items, 4, &size);
	assert_true(size.hosts4 == 1 && size.nets6 == 1 && !size.nets4);
	set_prefix(&list, 4, v4(0x0a000100, 24));
	rg_index_measure(list.items, 5, &size);
	assert_true(size.hosts4 == 1 && size.nets6 == 1 && size.nets4);
	set_prefix(&list, 5, v4(0x0a000280, 25));
	set_prefix(&list, 6, v4(0x0a000204, 31));
	rg_index_measure(list.items, 7, &size);
	assert_true(size.hosts4 == 1 + 128 + 2 && size.nets4);
	/* The number of hosts made by expansion is bounded. */
	for (size_t i = 0; i < 2100; i++)
		set_prefix(&list, i, v4((uint32_t)i << 12, 25));
	rg_index_measure(list.items, 2100, &size);
	rg_index_measure(list.items, 1000, &size);
	assert_int_equal(size.hosts4, 1000 * 128);
	assert_true(rg_index_lines(&size) >= 1000 * 128 / 8);
	rg_index_measure(list.items, 2100, &size);
	assert_int_equal(size.hosts4, 1 << 18);
}

/* What was measured fits, but for a few that overflow; no other put asks for a larger index. */
static void test_measured_fits(void **state)
{
	static struct list list;
	struct rg_index_size size;
	struct rg_index_count count;
	struct rg_index *index;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(list.items); i++)
		set_prefix(&list, i,
			   i % 3 == 0 ? v4((uint32_t)(0x0a000000 + i * 64), 27) :
			   i % 3 == 1 ? v4((uint32_t)(0x0b000000 + i), 32) :
					v6(0x20010db800000000 + i));
	rg_index_measure(list.items, ARRAY_SIZE(list.items), &size);
	index = new_lists(&size);
	for (size_t i = 0; i < ARRAY_SIZE(list.items); i++) {
		const struct rg_index_entry entry = { .prefix = rg_list_item_prefix(&list.items[i]),
						      .peer_class = RG_CLASS_BLOCKED,
						      .zone = RG_NO_ZONE };

		int ret = rg_index_put(index, &entry);

		assert_true(ret == 0 || (ret == 1 && rg_index_count(index).overflow));
	}
	count = rg_index_count(index);
	assert_true(count.overflow <= 34);
	assert_int_equal(count.hosts4 + count.nets6 + count.overflow, 1000 * 32 + 1000 + 1000);
	assert_true(count.bytes == rg_index_lines(&size) * 64ULL);
	rg_index_free(index);
}

/* A host without a key never asks for a larger table, which would not help. */
static void test_unkeyed_needs_no_growth(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1 };
	struct rg_index *index = new_index(RG_INDEX_HOSTS, &size);
	struct rg_index_entry entry = { .prefix = v4(0x0a000000, 32), .peer_class = RG_CLASS_QIL };

	(void)state;
	for (uint32_t addr = 0x0a000000; !is_unkeyed(&entry.prefix.addr); addr++)
		entry.prefix = v4(addr, 32);
	for (int i = 0; i < 10; i++)
		assert_int_equal(rg_index_put(index, &entry), 0);
	assert_int_equal(rg_index_count(index).overflow, 1);
	assert_int_equal(find(index, entry.prefix), RG_INDEX_ASK);
	rg_index_free(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_room),
		TEST(test_measure),
		TEST(test_measured_fits),
		TEST(test_unkeyed_needs_no_growth),
	};

	return cmocka_run_group_tests_name("sizes", tests, NULL, NULL);
}
