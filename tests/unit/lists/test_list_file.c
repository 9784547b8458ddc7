/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a file is in force: bad lines, files with a fault, and the last good versions, which outlast the lists
 * that were loaded with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "list_dirs.h"

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#define NONE RG_CLASS_NONE
#define BLOCKED RG_CLASS_BLOCKED

/* The file b.list of the blocked directory, as lists have it. */
static const struct rg_list_file *file_b(const struct rg_lists *lists)
{
	size_t count;
	const struct rg_list_file *files = rg_lists_files(lists, &count);

	for (size_t i = 0; i < count; i++)
		if (strstr(files[i].path, "/b.list"))
			return &files[i];
	fail_msg("b.list was not found");
	return NULL;
}

/* So many lines "10.0.0.N". */
static void write_lines(const struct list_dirs *dirs, unsigned int count, const char *more)
{
	char text[8192] = "";

	for (unsigned int i = 0; i < count; i++)
		sprintf(text + strlen(text), "10.0.%u.%u\n", i / 256, i % 256);
	strcat(text, more);
	write_text(dirs->blocked, "b.list", text);
}

static void forget_copies(const struct list_dirs *dirs)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf '%s/lists'", dirs->state);
	assert_int_equal(system(command), 0);
}

static const struct {
	const char *what;
	unsigned int before; /* good lines of the version before; 0: there is none */
	unsigned int good; /* of the version now */
	const char *bad; /* its bad lines */
	bool kept;
	size_t bad_lines;
	const char *fault;
} rows[] = {
	{ "good", 20, 20, "", false, 0, "" },
	{ "one bad line of two", 0, 1, "x\n", false, 1, "" },
	{ "one bad line of two, and it was longer", 9, 1, "x\n", false, 1, "" },
	{ "not one good line", 1, 0, "x\n", true, 1, "1 of 1 lines are bad" },
	{ "a tenth is bad", 20, 18, "x\nx\n", false, 2, "" },
	{ "more than a tenth", 20, 17, "x\nx\n", true, 2, "2 of 19 lines are bad" },
	{ "more than a tenth at first sight", 0, 17, "x\nx\n", false, 2, "2 of 19 lines are bad" },
	{ "an error page", 20, 0, "<html>\n<h1>404</h1>\n<p>gone\n</html>\n", true, 4,
	  "4 of 4 lines are bad" },
	{ "half is gone", 20, 10, "", false, 0, "" },
	{ "more than half is gone", 20, 9, "", true, 0,
	  "it has 9 entries, and had 20: more than half are gone" },
	{ "all is gone", 20, 0, "", true, 0, "it has 0 entries, and had 20: more than half are gone" },
	{ "a short list was made shorter", 9, 1, "", false, 0, "" },
	{ "it grew", 20, 200, "", false, 0, "" },
};

static void test_rows(void **state)
{
	struct list_dirs *dirs = *state;

	dirs->paths.keep = true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct rg_list_file *file;
		struct rg_lists *lists;
		unsigned int in_force = rows[i].kept ? rows[i].before : rows[i].good;

		forget_copies(dirs);
		if (rows[i].before) {
			write_lines(dirs, rows[i].before, "");
			rg_lists_free(load_lists(dirs));
		}
		write_lines(dirs, rows[i].good, rows[i].bad);
		/* Twice: the second one begins where a restarted agent does. */
		for (int round = 0; round < 2; round++) {
			lists = load_lists(dirs);
			file = file_b(lists);
			if (file->kept != rows[i].kept || file->bad_lines != rows[i].bad_lines ||
			    file->entries != in_force || strcmp(file->fault, rows[i].fault) != 0)
				fail_msg("%s: kept %d, %zu bad, %zu entries, \"%s\"", rows[i].what,
					 file->kept, file->bad_lines, file->entries, file->fault);
			assert_int_equal(rg_lists_written(lists), in_force);
			assert_int_equal(rg_lists_faults(lists).kept, rows[i].kept);
			assert_int_equal(class_of(lists, "10.0.0.0"), in_force ? BLOCKED : NONE);
			rg_lists_free(lists);
		}
	}
}

/* Since when: the time at which the fault was first met, also over a restart. */
static void test_since(void **state)
{
	struct list_dirs *dirs = *state;
	const struct timespec old[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };
	struct rg_lists *lists;
	char path[300];

	dirs->paths.keep = true;
	write_lines(dirs, 20, "");
	snprintf(path, sizeof(path), "%s/b.list", dirs->blocked);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	lists = load_lists(dirs);
	assert_true(file_b(lists)->version == 1000000 && !file_b(lists)->kept_since);
	rg_lists_free(lists);
	write_lines(dirs, 0, "");
	rg_lists_free(load_lists(dirs));
	snprintf(path, sizeof(path), "%s/lists/blocked/b.list.kept", dirs->state);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	lists = load_lists(dirs);
	assert_true(file_b(lists)->kept_since == 1000000);
	assert_true(file_b(lists)->version == 1000000);
	rg_lists_free(lists);
	/* Good again: the mark goes. */
	write_lines(dirs, 30, "");
	lists = load_lists(dirs);
	assert_false(file_b(lists)->kept);
	assert_int_equal(access(path, F_OK), -1);
	rg_lists_free(lists);
}

/* What can't be read keeps its last good version: no file, a directory, a link that leads nowhere. */
static void test_unreadable(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;
	char path[300];

	dirs->paths.keep = true;
	write_lines(dirs, 2, "");
	rg_lists_free(load_lists(dirs));
	snprintf(path, sizeof(path), "%s/b.list", dirs->blocked);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	lists = load_lists(dirs);
	assert_true(file_b(lists)->kept);
	assert_string_equal(file_b(lists)->fault, "not a regular file");
	assert_int_equal(class_of(lists, "10.0.0.1"), BLOCKED);
	rg_lists_free(lists);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/nonexistent/repgate", path), 0);
	lists = load_lists(dirs);
	assert_string_equal(file_b(lists)->fault, "leads nowhere");
	assert_int_equal(class_of(lists, "10.0.0.1"), BLOCKED);
	rg_lists_free(lists);
	/* The directory itself. */
	assert_int_equal(unlink(path), 0);
	write_lines(dirs, 2, "");
	rg_lists_free(load_lists(dirs));
	assert_int_equal(rename(dirs->blocked, path), -1);
	snprintf(path, sizeof(path), "%s.away", dirs->blocked);
	assert_int_equal(rename(dirs->blocked, path), 0);
	write_text(dirs->root, "blocked.d", "");
	lists = load_lists(dirs);
	assert_int_equal(class_of(lists, "10.0.0.1"), BLOCKED);
	assert_non_null(strstr(first_fault(lists), "blocked.d: Not a directory"));
	rg_lists_free(lists);
	assert_int_equal(unlink(dirs->blocked), 0);
	assert_int_equal(rename(path, dirs->blocked), 0);
}

/* Who takes a file away means it; the same name later is another file. */
static void test_taken_away(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;
	char path[300];

	dirs->paths.keep = true;
	write_lines(dirs, 20, "");
	rg_lists_free(load_lists(dirs));
	snprintf(path, sizeof(path), "%s/b.list", dirs->blocked);
	assert_int_equal(unlink(path), 0);
	lists = load_lists(dirs);
	assert_int_equal(class_of(lists, "10.0.0.1"), NONE);
	rg_lists_free(lists);
	write_lines(dirs, 1, "");
	lists = load_lists(dirs);
	assert_false(file_b(lists)->kept);
	rg_lists_free(lists);
}

/* A name may have ".list" in it twice. Its copy is its own: it is there when the file has a fault. */
static void test_names(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;

	dirs->paths.keep = true;
	write_text(dirs->blocked, "a.list.old.list", "10.0.0.1\n");
	rg_lists_free(load_lists(dirs));
	write_text(dirs->blocked, "a.list.old.list", "<html>\n");
	lists = load_lists(dirs);
	assert_true(rg_lists_faults(lists).kept == 1);
	assert_int_equal(class_of(lists, "10.0.0.1"), BLOCKED);
	rg_lists_free(lists);
}

/* repgatectl reload --force: the file is what the postmaster means, from now on. */
static void test_force(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;

	dirs->paths.keep = true;
	write_lines(dirs, 20, "");
	rg_lists_free(load_lists(dirs));
	write_lines(dirs, 3, "x\nx\n");
	dirs->paths.force = true;
	lists = load_lists(dirs);
	assert_string_equal(file_b(lists)->fault, "");
	assert_true(file_b(lists)->bad_lines == 2);
	assert_int_equal(rg_lists_written(lists), 3);
	rg_lists_free(lists);
	dirs->paths.force = false;
	/* The version that is kept has its bad lines. */
	write_lines(dirs, 2, "x\nx\n");
	lists = load_lists(dirs);
	assert_true(file_b(lists)->kept);
	assert_int_equal(rg_lists_written(lists), 3);
	rg_lists_free(lists);
}

/* Only the agent writes copies: a check reads them. */
static void test_read_only(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;
	char path[300];

	write_lines(dirs, 20, "");
	rg_lists_free(load_lists(dirs));
	snprintf(path, sizeof(path), "%s/lists", dirs->state);
	assert_int_equal(access(path, F_OK), -1);
	dirs->paths.keep = true;
	rg_lists_free(load_lists(dirs));
	dirs->paths.keep = false;
	write_lines(dirs, 0, "");
	lists = load_lists(dirs);
	assert_true(file_b(lists)->kept);
	rg_lists_free(lists);
	snprintf(path, sizeof(path), "%s/lists/blocked/b.list.kept", dirs->state);
	assert_int_equal(access(path, F_OK), -1);
}

/* A comment by # or ;, a byte order mark, line ends of Windows, as files of other programs have them. */
static void test_shapes(void **state)
{
	static const char *const texts[] = {
		"1.2.3.0/24 ; SBL123\n5.6.7.8\n",
		"\xef\xbb\xbf"
		"1.2.3.0/24\r\n5.6.7.8\r\n",
		"; a comment\n1.2.3.0/24;x\n5.6.7.8#",
		"1.2.3.0/24 # a ; b\n\n5.6.7.8 ; # c",
		"\xef\xbb\xbf; x\n1.2.3.0-1.2.3.255 ; y\n5.6.7.8\n",
	};
	struct list_dirs *dirs = *state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct rg_lists *lists;

		write_text(dirs->blocked, "b.list", texts[i]);
		lists = load_lists(dirs);
		if (*first_fault(lists))
			fail_msg("%zu: %s", i, first_fault(lists));
		assert_int_equal(class_of(lists, "1.2.3.4"), BLOCKED);
		assert_int_equal(class_of(lists, "5.6.7.8"), BLOCKED);
		rg_lists_free(lists);
	}
}

static void test_same(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *a, *b;

	write_lines(dirs, 3, "x\n");
	a = load_lists(dirs);
	b = load_lists(dirs);
	assert_true(rg_list_file_same(file_b(a), file_b(b)));
	rg_lists_free(b);
	write_lines(dirs, 3, "y\n");
	b = load_lists(dirs);
	assert_false(rg_list_file_same(file_b(a), file_b(b)));
	rg_lists_free(b);
	write_lines(dirs, 4, "x\n");
	b = load_lists(dirs);
	assert_false(rg_list_file_same(file_b(a), file_b(b)));
	rg_lists_free(b);
	rg_lists_free(a);
}

/* The comments behind entries in force, by line: `list` shows them. */
static void test_comments(void **state)
{
	static const struct {
		uint32_t line;
		const char *comment;
	} wanted[] = {
		{ 1, NULL },	       { 2, "one" }, { 3, "two; of # them" },
		{ 4, NULL },	       { 5, NULL },  { 6, "M\xc3\xbcller??" },
		{ 7, "after an end" }, { 8, NULL },  { 9, "last" },
	};
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;
	char text[1200] =
		"# a line of its own\n10.0.0.1 # one\n10.0.0.2;two; of # them  \r\nbad # bad\n"
		"10.0.0.3 #\n10.0.0.4-10.0.0.9 ## M\xc3\xbcller\t\x01\n"
		"10.0.0.10 until=4000000000 # after an end\n10.0.0.11\n10.0.0.12 # last";

	dirs->paths.force = true;
	write_text(dirs->blocked, "b.list", text);
	lists = load_lists(dirs);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const char *comment = rg_list_file_comment(file_b(lists), wanted[i].line);

		if (wanted[i].comment)
			assert_string_equal(comment, wanted[i].comment);
		else
			assert_null(comment);
	}
	rg_lists_free(lists);
	/* A long one is cut off between two characters. */
	strcpy(text, "10.0.0.1 # ");
	for (int i = 0; i < 150; i++)
		strcat(text, i ? "\xc3\xbc" : "x");
	write_text(dirs->blocked, "b.list", text);
	lists = load_lists(dirs);
	assert_int_equal(strlen(rg_list_file_comment(file_b(lists), 1)), 199);
	rg_lists_free(lists);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, list_dirs_set_up, list_dirs_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rows),  TEST(test_since),    TEST(test_unreadable), TEST(test_taken_away),
		TEST(test_names), TEST(test_force),    TEST(test_read_only),  TEST(test_shapes),
		TEST(test_same),  TEST(test_comments),
	};

	return cmocka_run_group_tests_name("list_file", tests, NULL, NULL);
}
