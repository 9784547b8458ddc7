/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Own networks are never blocked: what is cut out of blocked entries, what stays in force, and what is reported. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "list_dirs.h"

#include "base/addr.h"

static struct rg_own_network all[8];
static struct rg_own_networks own;

static void set_own(const char *const *texts, size_t count)
{
	own = (struct rg_own_networks){ all, count };
	for (size_t i = 0; i < count; i++) {
		all[i] = (struct rg_own_network){ .interface = "eth0" };
		assert_int_equal(rg_prefix_parse(texts[i], strlen(texts[i]), &all[i].prefix), 0);
		all[i].kind = all[i].prefix.len == RG_ADDR_BITS ? RG_OWN_ADDRESS : RG_OWN_NETWORK;
	}
}

struct row {
	const char *what;
	const char *blocked;
	const char *free[5], *refused[5]; /* addresses */
	size_t coverings, more;
	bool dropped;
};

/* The host 192.0.2.25 in 192.0.2.0/24, and 2001:db8:25::25 in 2001:db8:25::/64. In the order of prefixes. */
static const char *const host[] = { "192.0.2.0/24", "192.0.2.25", "198.51.100.53",
				    "2001:db8:25::/64", "2001:db8:25::25" };

static const struct row rows[] = {
	{ "a network beside it", "192.0.3.0/24\n", { "192.0.2.1" }, { "192.0.3.1" }, 0, 0, false },
	{ "a wide one",
	  "192.0.0.0/8\n",
	  { "192.0.2.0", "192.0.2.25", "192.0.2.255", "191.255.255.255" },
	  { "192.0.1.255", "192.0.3.0", "192.255.255.255", "192.0.0.0" },
	  1,
	  1,
	  false },
	{ "the network itself", "192.0.2.0/24\n", { "192.0.2.25", "192.0.2.77" }, {}, 1, 1, true },
	{ "the address itself", "192.0.2.25\n", { "192.0.2.25" }, {}, 1, 0, true },
	{ "a part of the network with the address",
	  "192.0.2.0/25\n",
	  { "192.0.2.25", "192.0.2.128" },
	  { "192.0.2.24", "192.0.2.26", "192.0.2.127" },
	  1,
	  0,
	  false },
	{ "a neighbour", "192.0.2.77\n", { "192.0.2.25" }, { "192.0.2.77" }, 0, 0, false },
	{ "a range over its end",
	  "192.0.2.200-192.0.3.7\n",
	  { "192.0.2.25" },
	  { "192.0.2.200", "192.0.3.7" },
	  0,
	  0,
	  false },
	{ "a range around it",
	  "192.0.1.7-192.0.3.7\n",
	  { "192.0.2.0", "192.0.2.25", "192.0.2.255" },
	  { "192.0.1.7", "192.0.3.7" },
	  1,
	  1,
	  true }, /* of the range's prefixes, one is the network */
	{ "all of IPv4",
	  "0.0.0.0/0 force\n",
	  { "192.0.2.25", "192.0.2.77", "198.51.100.53", "2001:db8::1" },
	  { "198.51.100.52", "198.51.100.54", "8.8.8.8", "255.255.255.255" },
	  1,
	  2,
	  false },
	{ "all of IPv6",
	  "::/0 force\n",
	  { "2001:db8:25::25", "2001:db8:25::77", "192.0.2.25" },
	  { "2001:db8:25:1::", "2001:db8:24:ffff::", "::", "ffff::" },
	  1,
	  1,
	  false },
	{ "two files with the same end, one within the other",
	  "192.0.0.0/16\n192.0.2.0/23\n",
	  { "192.0.2.25" },
	  { "192.0.3.1", "192.0.4.1" },
	  1,
	  1,
	  false },
	{ "two that end at other times",
	  "192.0.0.0/16 until=4102444800\n192.0.2.0/23 until=4102444900\n",
	  { "192.0.2.25" },
	  { "192.0.3.1", "192.0.4.1" },
	  2,
	  1,
	  false },
};

static void check_row(const struct list_dirs *dirs, const struct row *row)
{
	const struct rg_list_coverings *coverings;
	struct rg_lists *lists;

	write_text(dirs->blocked, "b.list", row->blocked);
	lists = load_lists(dirs);
	for (size_t i = 0; i < ARRAY_SIZE(row->free) && row->free[i]; i++)
		if (class_of(lists, row->free[i]) != NONE)
			fail_msg("%s: %s is blocked", row->what, row->free[i]);
	for (size_t i = 0; i < ARRAY_SIZE(row->refused) && row->refused[i]; i++)
		if (class_of(lists, row->refused[i]) != BLOCKED)
			fail_msg("%s: %s is not blocked", row->what, row->refused[i]);
	coverings = rg_lists_coverings(lists);
	if (coverings->count != row->coverings)
		fail_msg("%s: %zu coverings", row->what, coverings->count);
	if (coverings->count) {
		assert_int_equal(coverings->all[0].more, row->more);
		assert_int_equal(coverings->all[0].dropped, row->dropped);
		assert_int_equal(coverings->all[0].line, 1);
	}
	assert_false(rg_lists_needs_cut(lists, &own));
	rg_lists_free(lists);
}

static void test_cut(void **state)
{
	struct list_dirs *dirs = *state;

	set_own(host, ARRAY_SIZE(host));
	dirs->paths.own = &own;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(dirs, &rows[i]);
}

/* Who approves own networks, or others in a blocked one, gets what he had. */
static void test_approved(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;

	set_own(host, ARRAY_SIZE(host));
	dirs->paths.own = &own;
	write_text(dirs->approved, "a.list", "192.0.2.25\n192.0.0.77\n198.51.100.0/24\n");
	write_text(dirs->blocked, "b.list", "192.0.0.0/16\n198.51.100.0/24\n");
	lists = load_lists(dirs);
	assert_int_equal(class_of(lists, "192.0.2.25"), APPROVED);
	assert_int_equal(class_of(lists, "192.0.0.77"), APPROVED);
	assert_int_equal(class_of(lists, "198.51.100.53"), APPROVED);
	assert_int_equal(class_of(lists, "192.0.2.26"), NONE);
	assert_int_equal(class_of(lists, "192.0.0.78"), BLOCKED);
	assert_int_equal(rg_lists_coverings(lists)->count, 1);
	rg_lists_free(lists);
}

/* Without room for its parts an entry is out of force as a whole, and the others stay. */
static void test_no_room(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;

	set_own(host, ARRAY_SIZE(host));
	dirs->paths.own = &own;
	dirs->paths.max_entries = 5;
	write_text(dirs->blocked, "b.list", "192.0.0.0/16\n203.0.113.1\n");
	lists = load_lists(dirs);
	assert_int_equal(class_of(lists, "192.0.3.1"), NONE);
	assert_int_equal(class_of(lists, "203.0.113.1"), BLOCKED);
	assert_true(rg_lists_coverings(lists)->all[0].dropped);
	rg_lists_free(lists);
}

/* Own addresses that come and go matter only if an entry covers them. */
static void test_changes(void **state)
{
	static const char *const moved[] = { "192.0.2.0/24", "192.0.2.26" };
	static const char *const elsewhere[] = { "192.0.2.0/24", "192.0.2.25", "203.0.113.7" };
	static const char *const refused[] = { "192.0.2.0/24", "192.0.2.25", "198.18.0.0/15" };
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;

	set_own(host, 2);
	dirs->paths.own = &own;
	write_text(dirs->blocked, "b.list", "192.0.2.0/25\n198.0.0.0/8\n");
	lists = load_lists(dirs);
	set_own(moved, 2);
	assert_true(rg_lists_needs_cut(lists, &own));
	set_own(elsewhere, 3);
	assert_false(rg_lists_needs_cut(lists, &own));
	set_own(refused, 3);
	assert_true(rg_lists_needs_cut(lists, &own));
	rg_lists_free(lists);
	write_text(dirs->blocked, "b.list", "203.0.113.1\n");
	set_own(host, 2);
	lists = load_lists(dirs);
	set_own(moved, 2);
	assert_false(rg_lists_needs_cut(lists, &own));
	rg_lists_free(lists);
}

static void test_described(void **state)
{
	struct list_dirs *dirs = *state;
	char text[RG_LIST_COVERING_TEXT];
	struct rg_lists *lists;

	set_own(host, ARRAY_SIZE(host));
	dirs->paths.own = &own;
	write_text(dirs->blocked, "b.list", "# bogons\n192.0.0.0/8\n");
	lists = load_lists(dirs);
	assert_string_equal(rg_list_own_describe(rg_lists_coverings(lists)->all, text),
			    "192.0.0.0/8 covers 192.0.2.0/24, the network of eth0 (and 1 more), "
			    "which is never blocked; the rest of it is");
	assert_int_equal(rg_lists_coverings(lists)->all->line, 2);
	rg_lists_free(lists);
}

/* Files that somebody may believe in force. */
static void test_unread(void **state)
{
	static const char *const names[] = { "drop.netset", "drop.txt", "DROP.LIST", "a.list.gz",
					     "README" };
	static const char *const quiet[] = { ".hidden", "a.list~", "a.list.bak", "a.list.new",
					     "b.list" };
	struct list_dirs *dirs = *state;
	const struct rg_list_unread *unread;
	struct rg_lists *lists;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		write_text(dirs->blocked, names[i], "203.0.113.1\n");
	for (size_t i = 0; i < ARRAY_SIZE(quiet); i++)
		write_text(dirs->approved, quiet[i], "203.0.113.2\n");
	lists = load_lists(dirs);
	unread = rg_lists_unread(lists);
	assert_int_equal(unread->count, ARRAY_SIZE(names));
	assert_int_equal(unread->shown, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[200];

		snprintf(path, sizeof(path), "%s/%s", dirs->blocked, names[i]);
		assert_true(rg_list_names_has_unread(unread, path));
	}
	assert_int_equal(class_of(lists, "203.0.113.1"), NONE);
	assert_int_equal(class_of(lists, "203.0.113.2"), APPROVED);
	rg_lists_free(lists);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, list_dirs_set_up, list_dirs_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_cut),	  TEST(test_approved),
					    TEST(test_no_room),	  TEST(test_changes),
					    TEST(test_described), TEST(test_unread) };

	return cmocka_run_group_tests_name("list_own", tests, NULL, NULL);
}
