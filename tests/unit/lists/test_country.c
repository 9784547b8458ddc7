/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The country of an address, from databases that mmdb_make writes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/addr.h"
#include "lists/country.h"

#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>

static char path[64];

/* mmdb_make lies two folders above this test. */
static void make_database(const char *option, const char *lines)
{
	char self[PATH_MAX] = "", command[2 * PATH_MAX];
	FILE *tool;

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	snprintf(command, sizeof(command), "%s/../../mmdb_make %s >%s", dirname(self), option, path);
	tool = popen(command, "w");
	assert_non_null(tool);
	fputs(lines, tool);
	assert_int_equal(pclose(tool), 0);
}

static const char *country_of(const struct rg_country_db *db, const char *text)
{
	static char code[3];
	struct rg_addr addr;

	assert_int_equal(rg_addr_parse(text, strlen(text), &addr), 0);
	memset(code, 'x', sizeof(code));
	return rg_country_db_find(db, &addr, code) ? code : "";
}

static int set_up(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/repgate-country-XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

#define LINES "192.0.2.0/24 DE\n192.0.2.128/25 FR\n2001:db8::/32 US\n"

static void check_database(const char *option)
{
	struct rg_country_db *db = NULL;
	struct rg_error error = {};

	make_database(option, LINES);
	if (rg_country_db_new(&db, path, &error))
		fail_msg("%s", error.text);
	assert_string_equal(country_of(db, "192.0.2.1"), "DE");
	assert_string_equal(country_of(db, "192.0.2.200"), "FR");
	assert_string_equal(country_of(db, "2001:db8:7::1"), "US");
	assert_string_equal(country_of(db, "198.51.100.1"), "");
	assert_string_equal(country_of(db, "2001:db9::1"), "");
	rg_country_db_free(db);
}

/* The free databases, and MaxMind's own. */
static void test_both_forms(void **state)
{
	(void)state;
	check_database("");
	check_database("--nested");
}

static void test_refused(void **state)
{
	struct rg_country_db *db = NULL;
	struct rg_error error = {};
	FILE *file;

	(void)state;
	assert_int_equal(rg_country_db_new(&db, "/nonexistent.mmdb", &error), -EINVAL);
	assert_non_null(strstr(error.text, "/nonexistent.mmdb"));
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("this is no database\n", file);
	fclose(file);
	assert_int_equal(rg_country_db_new(&db, path, &error), -EINVAL);
	assert_null(db);
	rg_country_db_free(NULL);
}

/* The file is truncated while lookups go on: with a mapping of it they would end the program (SIGBUS). */
static void test_truncated(void **state)
{
	struct rg_country_db *db = NULL;
	struct rg_error error = {};

	(void)state;
	make_database("", LINES);
	assert_int_equal(rg_country_db_new(&db, path, &error), 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_string_equal(country_of(db, "192.0.2.200"), "FR");
	assert_string_equal(country_of(db, "2001:db8:7::1"), "US");
	rg_country_db_free(db);
	db = NULL;
	assert_int_equal(rg_country_db_new(&db, path, &error), -EINVAL);
	assert_null(db);
}

static void refuse(const char *file, const char *words)
{
	struct rg_country_db *db = NULL;
	struct rg_error error = {};

	assert_int_equal(rg_country_db_new(&db, file, &error), -EINVAL);
	if (!strstr(error.text, words))
		fail_msg("\"%s\"", error.text);
	assert_null(db);
}

/* What is no regular file, or too large. Nothing waits for the writer of a FIFO. */
static void test_odd_files(void **state)
{
	(void)state;
	refuse("/tmp", "not a regular file");
	refuse("/dev/zero", "not a regular file");
	assert_int_equal(truncate(path, (513LL << 20)), 0);
	refuse(path, "larger than 512 MB");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	refuse(path, "not a regular file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_forms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_odd_files, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("country", tests, NULL, NULL);
}
