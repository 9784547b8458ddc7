/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repgatectl's own lists: what a change writes, leaves and takes back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "list_dirs.h"

#include "base/addr.h"
#include "lists/list_edit.h"
#include "lists/list_extent.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define HOUR 3600

static int link_error; /* errno of linkat(); 0: it works */

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	if (!link_error)
		return (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
	errno = link_error;
	return -1;
}

static void add(const struct list_dirs *dirs, const char *entry, int64_t until, const char *comment)
{
	const struct rg_list_edit_line line = { entry, until, comment, false };
	struct rg_error error = {};

	if (rg_list_edit_add(dirs->state, BLOCKED, &line, &error))
		fail_msg("%s: %s", entry, error.text);
}

static void drop(const struct list_dirs *dirs, const char *entry, int removed)
{
	struct rg_error error = {};
	int ret = rg_list_edit_remove(dirs->state, BLOCKED, entry, &error);

	if (ret != removed)
		fail_msg("%s: %d lines went, not %d: %s", entry, ret, removed, error.text);
}

static void test_add(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;

	add(dirs, "1.1.1.1", 0, NULL);
	add(dirs, "2.2.2.0/24", (int64_t)time(NULL) + HOUR, "until tomorrow");
	add(dirs, "3.3.3.1-3.3.3.9", 0, "a range # with a sign");
	add(dirs, "US", 0, "");
	add(dirs, "1.1.1.1", 0, "again, two\nlines\rand\ta tab");
	lists = load_lists(dirs);
	assert_int_equal(rg_lists_written(lists), 4);
	assert_int_equal(class_of(lists, "1.1.1.1"), BLOCKED);
	assert_int_equal(class_of(lists, "2.2.2.2"), BLOCKED);
	assert_int_equal(class_of(lists, "3.3.3.5"), BLOCKED);
	assert_non_null(rg_lists_find_country(lists, "US", 0));
	assert_true(rg_lists_next_expiry(lists) > rg_now());
	rg_lists_free(lists);
	assert_non_null(strstr(read_state(dirs, "blocked.list"), "again, two lines and a tab"));
	assert_non_null(strstr(read_state(dirs, "blocked.list"), "# until tomorrow"));
	assert_int_equal(rg_list_edit_add(dirs->state, APPROVED,
					  &(struct rg_list_edit_line){ .entry = "1.1.1.1" }, NULL),
			 0);
	lists = load_lists(dirs);
	assert_int_equal(class_of(lists, "1.1.1.1"), APPROVED);
	rg_lists_free(lists);
}

static void test_add_refused(void **state)
{
	static const char *const entries[] = { "", "1.2.3", "1.2.3.4\n5.6.7.8", "1.2.3.4 until=9",
					       "#" };
	struct list_dirs *dirs = *state;
	struct rg_error error = {};

	add(dirs, "1.1.1.1", 0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		assert_int_equal(rg_list_edit_add(dirs->state, BLOCKED,
						  &(struct rg_list_edit_line){ .entry = entries[i] },
						  &error),
				 -EINVAL);
		assert_int_equal(rg_list_edit_remove(dirs->state, BLOCKED, entries[i], &error),
				 -EINVAL);
	}
	assert_string_equal(read_state(dirs, "blocked.list"), "1.1.1.1\n");
	rmdir(dirs->approved);
	assert_int_equal(rg_list_edit_add("/nonexistent/repgate", BLOCKED,
					  &(struct rg_list_edit_line){ .entry = "1.1.1.1" }, &error),
			 -ENOENT);
	assert_non_null(strstr(error.text, "/nonexistent/repgate"));
}

/* What was there stays: also people's comments, and a last line without its newline. */
static void test_add_keeps_the_rest(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;

	write_text(dirs->state, "blocked.list", "# mine\n\n1.1.1.1 # one\n2.2.2.2");
	add(dirs, "3.3.3.3", 0, NULL);
	lists = load_lists(dirs);
	assert_int_equal(class_of(lists, "1.1.1.1"), BLOCKED);
	assert_int_equal(class_of(lists, "2.2.2.2"), BLOCKED);
	assert_int_equal(class_of(lists, "3.3.3.3"), BLOCKED);
	rg_lists_free(lists);
	assert_non_null(strstr(read_state(dirs, "blocked.list"), "# mine\n\n1.1.1.1 # one\n"));
}

static void test_remove(void **state)
{
	struct list_dirs *dirs = *state;

	drop(dirs, "1.1.1.1", 0);
	write_text(dirs->state, "blocked.list",
		   "1.1.1.1\n1.1.1.10\n11.1.1.1\n1.1.1.1/32 until=4102444800 # x\r\n# 1.1.1.1\n"
		   "  1.1.1.1\t# y\n2.2.2.9/24\n2.2.2.0/25\n2001:DB8:0::1\n3.3.3.1 - 3.3.3.9\nus\n");
	drop(dirs, "1.1.1.1", 3);
	drop(dirs, "1.1.1.1", 0);
	drop(dirs, "2.2.2.0/24", 1);
	drop(dirs, "2001:db8::1", 1);
	drop(dirs, "3.3.3.1-3.3.3.9", 1);
	drop(dirs, "US", 1);
	assert_string_equal(read_state(dirs, "blocked.list"),
			    "1.1.1.10\n11.1.1.1\n# 1.1.1.1\n2.2.2.0/25\n");
}

/* A prefix and the range of the same addresses are the same entry. */
static void test_remove_other_notation(void **state)
{
	struct list_dirs *dirs = *state;

	write_text(dirs->state, "blocked.list",
		   "10.0.0.0-10.0.0.255\n10.0.1.1-10.0.1.1\n10.0.2.0/24\n");
	drop(dirs, "10.0.0.0/24", 1);
	drop(dirs, "10.0.1.1", 1);
	drop(dirs, "10.0.2.0-10.0.2.255", 1);
}

/* ---- the file is the old one or the new one, and the change can be taken back ---- */

static bool exists(const struct list_dirs *dirs, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dirs->state, name);
	return !access(path, F_OK);
}

static void test_undo(void **state)
{
	struct list_dirs *dirs = *state;

	/* The change made the file. */
	add(dirs, "1.1.1.1", 0, NULL);
	rg_list_edit_undo(dirs->state, BLOCKED);
	assert_false(exists(dirs, "blocked.list"));
	rg_list_edit_undo(dirs->state, BLOCKED); /* nothing to take back */
	assert_false(exists(dirs, "blocked.list"));

	/* It changed the file. */
	write_text(dirs->state, "blocked.list", "# mine\n1.1.1.1 # one\n");
	add(dirs, "2.2.2.2", 0, NULL);
	rg_list_edit_undo(dirs->state, BLOCKED);
	assert_string_equal(read_state(dirs, "blocked.list"), "# mine\n1.1.1.1 # one\n");
	drop(dirs, "1.1.1.1", 1);
	assert_string_equal(read_state(dirs, "blocked.list"), "# mine\n");
	assert_string_equal(read_state(dirs, "blocked.list.before"), "# mine\n1.1.1.1 # one\n");
	rg_list_edit_undo(dirs->state, BLOCKED);
	assert_string_equal(read_state(dirs, "blocked.list"), "# mine\n1.1.1.1 # one\n");

	/* Only the last change, and only of this class. */
	assert_int_equal(rg_list_edit_add(dirs->state, APPROVED,
					  &(struct rg_list_edit_line){ .entry = "3.3.3.3" }, NULL),
			 0);
	add(dirs, "4.4.4.4", 0, NULL);
	add(dirs, "5.5.5.5", 0, NULL);
	rg_list_edit_undo(dirs->state, BLOCKED);
	assert_string_equal(read_state(dirs, "blocked.list"), "# mine\n1.1.1.1 # one\n4.4.4.4\n");
	assert_string_equal(read_state(dirs, "approved.list"), "3.3.3.3\n");
	assert_false(exists(dirs, "blocked.list.new"));
}

/* File systems without hard links say so with different errors. */
static void test_no_links(void **state)
{
	static const int errors[] = { EPERM, EOPNOTSUPP, ENOSYS, EMLINK, EINVAL };
	struct list_dirs *dirs = *state;
	struct rg_error error = {};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		link_error = 0;
		write_text(dirs->state, "blocked.list", "# mine\n1.1.1.1 # one\n");
		link_error = errors[i];
		add(dirs, "2.2.2.2", 0, NULL);
		assert_string_equal(read_state(dirs, "blocked.list"),
				    "# mine\n1.1.1.1 # one\n2.2.2.2\n");
		drop(dirs, "1.1.1.1", 1);
		assert_string_equal(read_state(dirs, "blocked.list"), "# mine\n2.2.2.2\n");
		rg_list_edit_undo(dirs->state, BLOCKED);
		assert_string_equal(read_state(dirs, "blocked.list"),
				    "# mine\n1.1.1.1 # one\n2.2.2.2\n");
	}
	/* Other errors stay errors. */
	link_error = EACCES;
	assert_int_equal(rg_list_edit_remove(dirs->state, BLOCKED, "1.1.1.1", &error), -EACCES);
	assert_string_equal(read_state(dirs, "blocked.list"), "# mine\n1.1.1.1 # one\n2.2.2.2\n");
	assert_false(exists(dirs, "blocked.list.new"));
	link_error = 0;
}

/* A reader that has opened the file goes on with the old one, whole. */
static void test_replaced_as_a_whole(void **state)
{
	struct list_dirs *dirs = *state;
	char path[160], text[64] = "";
	struct stat before, after;
	FILE *reader;

	write_text(dirs->state, "blocked.list", "1.1.1.1\n2.2.2.2\n");
	snprintf(path, sizeof(path), "%s/blocked.list", dirs->state);
	assert_int_equal(stat(path, &before), 0);
	reader = fopen(path, "r");
	assert_non_null(reader);
	drop(dirs, "1.1.1.1", 1);
	assert_int_equal(fread(text, 1, sizeof(text), reader), 16);
	assert_string_equal(text, "1.1.1.1\n2.2.2.2\n");
	fclose(reader);
	assert_int_equal(stat(path, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	assert_string_equal(read_state(dirs, "blocked.list"), "2.2.2.2\n");
}

/* What can't be written leaves the file as it was, and no scraps. */
static void test_failures(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_error error = {};
	char path[160];

	write_text(dirs->state, "blocked.list", "1.1.1.1\n");
	/* The new file can't be made. */
	snprintf(path, sizeof(path), "%s/blocked.list.new", dirs->state);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(rg_list_edit_add(dirs->state, BLOCKED,
					  &(struct rg_list_edit_line){ .entry = "2.2.2.2" }, &error),
			 -EISDIR);
	assert_non_null(strstr(error.text, "blocked.list: Is a directory"));
	assert_int_equal(rmdir(path), 0);
	assert_string_equal(read_state(dirs, "blocked.list"), "1.1.1.1\n");

	/* The old one can't be kept: a directory is in its way. */
	snprintf(path, sizeof(path), "%s/blocked.list.before", dirs->state);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(rg_list_edit_remove(dirs->state, BLOCKED, "1.1.1.1", &error), -EISDIR);
	assert_string_equal(read_state(dirs, "blocked.list"), "1.1.1.1\n");
	assert_false(exists(dirs, "blocked.list.new"));
	assert_int_equal(rmdir(path), 0);

	/* The list itself is a directory. */
	snprintf(path, sizeof(path), "%s/approved.list", dirs->state);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(rg_list_edit_add(dirs->state, APPROVED,
					  &(struct rg_list_edit_line){ .entry = "2.2.2.2" }, &error),
			 -EISDIR);
	assert_false(exists(dirs, "approved.list.new"));
}

/* On a full disk the error says so, and the old file stays whole. */
static void test_full_disk(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_list_edit_line line = { .entry = "2.2.2.2" };
	static char comment[180], filler[1 << 16];
	struct rg_error error = {};

	if (mount("tmpfs", dirs->state, "tmpfs", 0, "size=64k"))
		skip();
	memset(comment, 'x', sizeof(comment) - 1);
	memset(filler, '#', sizeof(filler) - 1);
	add(dirs, "1.1.1.1", 0, comment);
	write_bytes(dirs->state, "filler", filler, 56 << 10);
	while (!error.text[0]) {
		char entry[32];

		snprintf(entry, sizeof(entry), "3.%ld.3.3", random() % 256);
		line = (struct rg_list_edit_line){ .entry = entry, .comment = comment };
		if (rg_list_edit_add(dirs->state, BLOCKED, &line, &error))
			assert_non_null(strstr(error.text, "blocked.list: No space left on device"));
	}
	assert_non_null(strstr(read_state(dirs, "blocked.list"), "1.1.1.1"));
	assert_false(exists(dirs, "blocked.list.new"));
	assert_int_equal(umount(dirs->state), 0);
}

static void check_entry(const char *text, int err)
{
	struct rg_error error = {};

	if (rg_list_edit_check(text, &error) != err)
		fail_msg("check of \"%s\"", text);
	assert_int_equal(!error.text[0], !err);
}

static void test_check_entry(void **state)
{
	static const char *const good[] = { "1.2.3.4",	   "1.2.3.4/24", "1.2.3.4-1.2.3.9",
					    "2001:db8::1", "::/0",	 "DE",
					    "de" };
	static const char *const refused[] = { "",
					       "1.2.3",
					       "1.2.3.4/33",
					       "USA",
					       "1.2.3.4\n",
					       "1.2.3.4 # x",
					       "# 1.2.3.4",
					       "1.2.3.9-1.2.3.4",
					       "1.2.3.4 until=1",
					       "1.2.3.4\n5.6.7.8",
					       ";" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		check_entry(good[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		check_entry(refused[i], -EINVAL);
}

/* What a slip makes wide is refused, and says what it comes to; with force the line says so. */
static void test_wide(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_list_edit_line line = { .entry = "203.0.113.0/2" };
	struct rg_error error = {};
	struct rg_lists *lists;

	assert_int_equal(rg_list_edit_add(dirs->state, BLOCKED, &line, &error), -EDOM);
	assert_string_equal(error.text, "203.0.113.0/2 comes to 192.0.0.0/2, 1,073,741,824 addresses. "
					"What is wider than /8 (IPv6: /19) needs --force");
	line.force = true;
	line.comment = "meant";
	assert_int_equal(rg_list_edit_add(dirs->state, BLOCKED, &line, &error), 0);
	assert_string_equal(read_state(dirs, "blocked.list"), "203.0.113.0/2 force # meant\n");
	lists = load_lists(dirs);
	assert_int_equal(class_of(lists, "192.0.0.1"), BLOCKED);
	rg_lists_free(lists);
	drop(dirs, "192.0.0.0/2", 1);
	add(dirs, "203.0.113.0/8", 0, NULL);
	assert_string_equal(read_state(dirs, "blocked.list"), "203.0.113.0/8\n");
}

static void check_extent(const char *entry, const char *want, bool wide)
{
	char text[RG_LIST_EXTENT_TEXT];
	struct rg_addr first, last;

	assert_int_equal(rg_list_parse_bounds(entry, strlen(entry), &first, &last), 0);
	assert_string_equal(rg_list_extent_describe(&first, &last, text), want);
	assert_int_equal(rg_list_extent_is_wide(&first, &last), wide);
}

static void test_extents(void **state)
{
	(void)state;
	check_extent("203.0.113.9", "203.0.113.9, 1 address", false);
	check_extent("203.0.113.77/24", "203.0.113.0/24, 256 addresses", false);
	check_extent("203.0.113.0-203.0.113.255", "203.0.113.0/24, 256 addresses", false);
	check_extent("203.0.113.1-203.0.113.255", "203.0.113.1-203.0.113.255, 255 addresses", false);
	check_extent("10.0.0.0/8", "10.0.0.0/8, 16,777,216 addresses", false);
	check_extent("10.0.0.0/7", "10.0.0.0/7, 33,554,432 addresses", true);
	check_extent("0.0.0.0/0", "0.0.0.0/0, 4,294,967,296 addresses", true);
	check_extent("2001:db8::1", "2001:db8::1, 1 address", false);
	check_extent("2001:db8::/120", "2001:db8::/120, 256 addresses", false);
	check_extent("2001:db8::/65", "2001:db8::/65, 9,223,372,036,854,775,808 addresses", false);
	check_extent("2001:db8::/64", "2001:db8::/64, 1 network of /64", false);
	check_extent("2001:db8::/32", "2001:db8::/32, 4,294,967,296 networks of /64", false);
	check_extent("2001:c000::/19", "2001:c000::/19, 35,184,372,088,832 networks of /64", false);
	check_extent("2001:c000::/18", "2001:c000::/18, 70,368,744,177,664 networks of /64", true);
	check_extent("::/0", "::/0, all of IPv6", true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, list_dirs_set_up, list_dirs_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_add),
		TEST(test_add_refused),
		TEST(test_add_keeps_the_rest),
		TEST(test_remove),
		TEST(test_remove_other_notation),
		TEST(test_undo),
		TEST(test_no_links),
		TEST(test_replaced_as_a_whole),
		TEST(test_failures),
		TEST(test_full_disk),
		TEST(test_check_entry),
		TEST(test_wide),
		TEST(test_extents),
	};

	return cmocka_run_group_tests_name("list_edit", tests, NULL, NULL);
}
