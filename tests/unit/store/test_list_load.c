/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists are loaded in a thread: what is handed to the loop, errors, and a load that is cancelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "store/list_load.h"

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/stat.h>

/* ---- staging, pretended ---- */

struct rg_staged_lists {
	const struct rg_lists *lists;
};

static pthread_t loop;
static atomic_int staged_count; /* made and not dropped */
static int stage_error;
static bool stage_waits; /* until the load is cancelled */
static sem_t is_staging;
static const struct rg_lists *expected_old;

int rg_list_map_stage(struct rg_staged_lists **ret, const struct rg_list_map *map,
		      const struct rg_lists *old, const struct rg_lists *lists,
		      const atomic_bool *stop, struct rg_error *error)
{
	struct rg_staged_lists *staged;

	assert_false(pthread_equal(pthread_self(), loop));
	assert_ptr_equal(map->loader, &loop);
	assert_ptr_equal(old, expected_old);
	sem_post(&is_staging);
	while (stage_waits && !*stop)
		usleep(1000);
	if (*stop)
		return rg_fail(error, -ECANCELED, "cancelled");
	if (stage_error)
		return rg_fail(error, stage_error, "no memory for a trie");
	staged = malloc(sizeof(*staged));
	assert_non_null(staged);
	staged->lists = lists;
	staged_count++;
	*ret = staged;
	return 0;
}

void rg_list_map_drop(struct rg_staged_lists *staged)
{
	if (staged)
		staged_count--;
	free(staged);
}

/* ---- a configuration with its directories ---- */

static char dir[64];
static char paths[3][96]; /* approved.d, blocked.d, state */
static struct rg_conf conf;
static struct event_base *base;

static void write_list(const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/a.list", paths[1]);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	static const char *const names[] = { "approved.d", "blocked.d", "state" };

	(void)state;
	loop = pthread_self();
	stage_error = 0;
	stage_waits = false;
	expected_old = NULL;
	sem_init(&is_staging, 0, 0);
	snprintf(dir, sizeof(dir), "/tmp/repgate-load-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	for (int i = 0; i < 3; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", dir, names[i]);
		if (mkdir(paths[i], 0700))
			return -1;
	}
	conf = (struct rg_conf){ .references = 1,
				 .path = (char *)"repgate.conf",
				 .approved_dir = paths[0],
				 .blocked_dir = paths[1],
				 .state_dir = paths[2],
				 .max_list = 1000 };
	base = event_base_new();
	return 0;
}

static int tear_down(void **state)
{
	char path[128];

	(void)state;
	assert_int_equal(staged_count, 0);
	assert_int_equal(conf.references, 1);
	event_base_free(base);
	snprintf(path, sizeof(path), "%s/a.list", paths[1]);
	(void)unlink(path);
	for (int i = 0; i < 3; i++)
		rmdir(paths[i]);
	return rmdir(dir);
}

/* ---- a load ---- */

struct outcome {
	unsigned int done;
	int err;
	char error[sizeof(struct rg_error)];
	bool take; /* the lists and what is staged */
	struct rg_lists *lists;
	struct rg_staged_lists *staged;
};

static void on_done(void *arg, struct rg_list_load_result *result)
{
	struct outcome *outcome = arg;

	assert_true(pthread_equal(pthread_self(), loop));
	assert_ptr_equal(result->conf, &conf);
	outcome->done++;
	outcome->err = result->err;
	snprintf(outcome->error, sizeof(outcome->error), "%s",
		 result->err ? result->error.text : result->country_fault.text);
	if (!outcome->take)
		return;
	assert_ptr_equal(result->staged->lists, result->lists);
	outcome->lists = result->lists;
	outcome->staged = result->staged;
	result->lists = NULL;
	result->staged = NULL;
}

static struct rg_list_load *start(struct outcome *outcome)
{
	const struct rg_list_load_request request = { .conf = &conf,
						      .map.loader = (void *)&loop,
						      .old = expected_old };
	struct rg_list_load *load = NULL;
	struct rg_error error = {};

	if (rg_list_load_start(&load, base, &request, on_done, outcome, &error))
		fail_msg("%s", error.text);
	assert_int_equal(conf.references, 2);
	return load;
}

static void test_load(void **state)
{
	struct outcome outcome = { .take = true };
	size_t count;

	(void)state;
	write_list("198.51.100.1\n198.51.100.7\n");
	start(&outcome);
	assert_int_equal(outcome.done, 0); /* only the loop calls it */
	event_base_dispatch(base);
	assert_int_equal(outcome.done, 1);
	assert_int_equal(outcome.err, 0);
	(void)rg_lists_items(outcome.lists, &count);
	assert_int_equal(count, 2);
	/* What was taken stays; the next load knows what is in force. */
	expected_old = outcome.lists;
	struct outcome next = {};

	start(&next);
	event_base_dispatch(base);
	assert_int_equal(next.done, 1);
	assert_int_equal(next.err, 0);
	rg_list_map_drop(outcome.staged);
	rg_lists_free(outcome.lists);
}

/* What nobody takes is freed. */
static void test_not_taken(void **state)
{
	struct outcome outcome = {};

	(void)state;
	start(&outcome);
	event_base_dispatch(base);
	assert_int_equal(outcome.done, 1);
	assert_int_equal(outcome.err, 0);
}

static void test_errors(void **state)
{
	static const struct {
		const char *list;
		const char *country_database;
		int stage_error, err;
		const char *error;
	} rows[] = {
		{ "198.51.100.1\n", NULL, -ENOMEM, -ENOMEM, "no memory for a trie" },
		{ "198.51.100.\n", NULL, 0, 0, "" },
		{ "DE\n", NULL, 0, 0, "" },
		{ "", "/nonexistent.mmdb", 0, 0, "/nonexistent.mmdb" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome outcome = {};

		write_list(rows[i].list);
		conf.country_database = (char *)rows[i].country_database;
		stage_error = rows[i].stage_error;
		start(&outcome);
		event_base_dispatch(base);
		assert_int_equal(outcome.done, 1);
		assert_int_equal(outcome.err, rows[i].err);
		if (!strstr(outcome.error, rows[i].error))
			fail_msg("%s", outcome.error);
	}
}

/* done is not called, and the thread has ended when this returns. */
static void test_cancel(void **state)
{
	struct outcome outcome = {};
	struct rg_list_load *load;

	(void)state;
	stage_waits = true;
	load = start(&outcome);
	sem_wait(&is_staging);
	rg_list_load_cancel(load);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(outcome.done, 0);

	/* Cancelled when it is ready, before the loop has looked. */
	stage_waits = false;
	load = start(&outcome);
	sem_wait(&is_staging);
	usleep(20000);
	rg_list_load_cancel(load);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(outcome.done, 0);
	rg_list_load_cancel(NULL);
}

/* The files alone. */
static void test_files(void **state)
{
	struct rg_list_load_result result = {};

	(void)state;
	write_list("198.51.100.1\n");
	assert_int_equal(rg_list_load_files(&conf, 0, &result), 0);
	assert_null(result.countries);
	assert_string_equal(result.country_fault.text, "");
	assert_int_equal(rg_lists_written(result.lists), 1);
	rg_lists_free(result.lists);
	/* A country needs a database; the other line does not. */
	write_list("FR\n198.51.100.1\n");
	assert_int_equal(rg_list_load_files(&conf, 0, &result), 0);
	assert_int_equal(rg_lists_written(result.lists), 1);
	assert_true(rg_lists_faults(result.lists).bad_lines == 1);
	rg_lists_free(result.lists);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_load),   TEST(test_not_taken), TEST(test_errors),
		TEST(test_cancel), TEST(test_files),
	};

	return cmocka_run_group_tests_name("list_load", tests, NULL, NULL);
}
