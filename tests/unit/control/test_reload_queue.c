/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which requests share a load, in which order they are served, and that each is answered once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "control/reload_queue.h"

#include <cmocka.h>

static struct rg_reload_queue *queue;
static char log[200]; /* what happened, word by word */
static int load_fails;

static void note(const char *what, const char *who)
{
	size_t len = strlen(log);

	snprintf(log + len, sizeof(log) - len, "%s%s%s", len ? " " : "", what, who);
}

static void check_log(const char *want)
{
	assert_string_equal(log, want);
	*log = '\0';
}

static int load(void *arg, enum rg_reload_kind kind, struct rg_error *error)
{
	assert_ptr_equal(arg, &load_fails);
	note("load:", kind == RG_RELOAD_CONF ? "conf" : "lists");
	return load_fails ? rg_fail(error, load_fails, "no load") : 0;
}

static int begin(void *arg, struct rg_error *error)
{
	const char *name = arg;

	note("begin:", name);
	if (*name == 'X')
		return rg_fail(error, -EPERM, "not begun");
	return *name == 'N';
}

static void done(void *arg, int err, const struct rg_error *error)
{
	note(err ? "failed:" : "done:", arg);
	if (err)
		note("", error->text);
}

static void ask_again(void *arg, int err, const struct rg_error *error)
{
	static char name[] = "again";
	const struct rg_reload_request request = { .kind = RG_RELOAD_LISTS, .done = done, .arg = name };

	done(arg, err, error);
	rg_reload_queue_add(queue, &request);
}

/* Capitals have a begin(): that of N says that nothing is to be loaded, that of X fails. */
static void ask(const char *name, enum rg_reload_kind kind)
{
	const struct rg_reload_request request = { .kind = kind,
						   .begin = *name >= 'A' && *name <= 'Z' ? begin :
											   NULL,
						   .done = done,
						   .arg = (void *)name };

	rg_reload_queue_add(queue, &request);
}

static void end(int err)
{
	struct rg_error error;

	(void)rg_fail(&error, err, "bad");
	rg_reload_queue_done(queue, err, &error);
}

static bool waits;

static bool must_wait(void *arg)
{
	assert_ptr_equal(arg, &load_fails);
	return waits;
}

static const struct rg_reload_queue_calls calls = { .load = load,
						    .must_wait = must_wait,
						    .arg = &load_fails };

static int set_up(void **state)
{
	(void)state;
	*log = '\0';
	load_fails = 0;
	waits = false;
	return rg_reload_queue_new(&queue, &calls);
}

static int tear_down(void **state)
{
	(void)state;
	rg_reload_queue_free(queue);
	return 0;
}

static void test_one(void **state)
{
	(void)state;
	ask("a", RG_RELOAD_LISTS);
	check_log("load:lists");
	end(0);
	check_log("done:a");
	ask("A", RG_RELOAD_CONF);
	check_log("begin:A load:conf");
	end(-EINVAL);
	check_log("failed:A bad");
}

/* A load in progress is not for requests that come later. The next one is for all of its kind. */
static void test_shared(void **state)
{
	(void)state;
	ask("a", RG_RELOAD_LISTS);
	ask("b", RG_RELOAD_LISTS);
	ask("c", RG_RELOAD_CONF);
	ask("d", RG_RELOAD_LISTS);
	ask("e", RG_RELOAD_CONF);
	check_log("load:lists");
	end(0);
	check_log("done:a load:lists");
	end(-EINVAL);
	check_log("failed:b bad failed:d bad load:conf");
	end(0);
	check_log("done:c done:e");
}

/* A request with begin() has a load alone, because its change may make the load fail. */
static void test_alone(void **state)
{
	(void)state;
	ask("a", RG_RELOAD_LISTS);
	ask("A", RG_RELOAD_LISTS);
	ask("b", RG_RELOAD_LISTS);
	ask("B", RG_RELOAD_LISTS);
	ask("c", RG_RELOAD_LISTS);
	check_log("load:lists");
	end(0);
	check_log("done:a begin:A load:lists");
	end(-ENOSPC);
	check_log("failed:A bad load:lists");
	end(0);
	check_log("done:b begin:B load:lists"); /* c came after B, so it wants the change of B loaded */
	end(0);
	check_log("done:B load:lists");
	end(0);
	check_log("done:c");
}

static void test_nothing_to_load(void **state)
{
	(void)state;
	ask("N", RG_RELOAD_LISTS);
	check_log("begin:N done:N");
	ask("X", RG_RELOAD_LISTS);
	check_log("begin:X failed:X not begun");
	ask("a", RG_RELOAD_CONF);
	ask("N", RG_RELOAD_LISTS);
	ask("X", RG_RELOAD_LISTS);
	ask("b", RG_RELOAD_CONF);
	check_log("load:conf");
	end(0);
	check_log("done:a begin:N done:N begin:X failed:X not begun load:conf");
	end(0);
	check_log("done:b");
}

static void test_load_fails(void **state)
{
	(void)state;
	load_fails = -EIO;
	ask("a", RG_RELOAD_LISTS);
	check_log("load:lists failed:a no load");
	ask("A", RG_RELOAD_LISTS);
	check_log("begin:A load:lists failed:A no load");
}

static void test_ask_again(void **state)
{
	const struct rg_reload_request request = { .kind = RG_RELOAD_LISTS,
						   .done = ask_again,
						   .arg = (void *)"a" };

	(void)state;
	rg_reload_queue_add(queue, &request);
	ask("b", RG_RELOAD_CONF);
	check_log("load:lists");
	end(0);
	check_log("done:a load:conf");
	end(0);
	check_log("done:b load:lists");
	end(0);
	check_log("done:again");
}

/* Requests whose verdicts have to follow are answered later; the next ones are served meanwhile. */
static void test_answered_later(void **state)
{
	(void)state;
	ask("a", RG_RELOAD_CONF);
	waits = true;
	end(0);
	check_log("load:conf");
	ask("N", RG_RELOAD_LISTS);
	check_log("begin:N");
	ask("B", RG_RELOAD_LISTS);
	waits = false;
	end(0);
	check_log("begin:B load:lists done:B");
	rg_reload_queue_release(queue);
	check_log("done:a");
	rg_reload_queue_release(queue);
	check_log("done:N");
	rg_reload_queue_release(queue); /* nobody waits */
	check_log("");
	/* What failed has changed nothing. */
	waits = true;
	ask("X", RG_RELOAD_LISTS);
	check_log("begin:X failed:X not begun");
	ask("c", RG_RELOAD_CONF);
	end(0);
	check_log("load:conf");
	rg_reload_queue_free(queue);
	queue = NULL;
	check_log("failed:c repgated stops");
}

static void test_stop(void **state)
{
	(void)state;
	ask("a", RG_RELOAD_LISTS);
	ask("A", RG_RELOAD_LISTS);
	ask("b", RG_RELOAD_CONF);
	check_log("load:lists");
	rg_reload_queue_free(queue);
	queue = NULL;
	check_log("failed:a repgated stops failed:A repgated stops failed:b repgated stops");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one),	       TEST(test_shared),
		TEST(test_alone),      TEST(test_nothing_to_load),
		TEST(test_load_fails), TEST(test_ask_again),
		TEST(test_stop),       TEST(test_answered_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
