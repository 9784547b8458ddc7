/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directories are real ones; the event loop runs until the callback, or for a bounded time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/dir_watch.h"

#include <fcntl.h>
#include <sys/stat.h>

#define LONG 5000 /* ms: it must happen */
#define SHORT 600 /* ms: it must not; three times the quiet time */

static struct event_base *base;
static struct rg_dir_watch *watch;
static char root[] = "/dev/shm/repgate-watch-XXXXXX";
static char one[48], two[48], aside[48];
static unsigned int calls;

static void changed(void *arg)
{
	assert_ptr_equal(arg, &calls);
	calls++;
	event_base_loopbreak(base);
}

static void stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	event_base_loopbreak(base);
}

/* Whether the callback comes within ms. */
static bool comes(int ms)
{
	const struct timeval end = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct event *timer = evtimer_new(base, stop, NULL);
	unsigned int before = calls;

	assert_non_null(timer);
	evtimer_add(timer, &end);
	event_base_dispatch(base);
	event_free(timer); /* it must not end a later wait */
	return calls != before;
}

static void write_file(const char *dir, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void remove_file(const char *dir, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

static int set_up(void **state)
{
	const char *const dirs[] = { one, two };

	(void)state;
	calls = 0;
	base = event_base_new();
	return !base || mkdir(one, 0700) ||
	       rg_dir_watch_new(&watch, base, dirs, ARRAY_SIZE(dirs), changed, &calls);
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	rg_dir_watch_free(watch);
	event_base_free(base);
	snprintf(command, sizeof(command), "rm -rf %s/*", root);
	return system(command);
}

/* Several changes in a row are one; reading a file is none. */
static void test_changes(void **state)
{
	char path[128];

	(void)state;
	assert_false(comes(SHORT));
	write_file(one, "a");
	write_file(one, "b");
	remove_file(one, "b");
	assert_true(comes(LONG));
	assert_false(comes(SHORT));
	assert_int_equal(calls, 1);
	snprintf(path, sizeof(path), "%s/a", one);
	close(open(path, O_RDONLY | O_CLOEXEC));
	assert_false(comes(SHORT));
	remove_file(one, "a");
	assert_true(comes(LONG));
}

/* The second directory does not exist at first. */
static void test_created(void **state)
{
	(void)state;
	assert_int_equal(mkdir(two, 0700), 0);
	assert_true(comes(LONG)); /* what is in it is new */
	write_file(two, "a");
	assert_true(comes(LONG));
	rg_dir_watch_refresh(watch);
	assert_false(comes(SHORT));
}

/* Another directory in its place is noticed, and watched from then on. */
static void test_replaced(void **state)
{
	(void)state;
	assert_int_equal(rename(one, aside), 0);
	assert_int_equal(mkdir(one, 0700), 0);
	rg_dir_watch_refresh(watch);
	assert_true(comes(LONG));
	write_file(one, "a");
	assert_true(comes(LONG));
	assert_int_equal(rename(one, two), 0);
	rg_dir_watch_refresh(watch);
	assert_true(comes(LONG));
	rg_dir_watch_refresh(NULL);
}

static void make_link(const char *to, const char *from)
{
	(void)unlink(from);
	assert_int_equal(symlink(to, from), 0);
}

/* What a link leads to changes where inotify does not look: its content, its name, a directory on the way. */
static void test_links(void **state)
{
	char target[128], fresh[128], from[128], hop[128];

	(void)state;
	snprintf(hop, sizeof(hop), "%s/hop", root);
	snprintf(from, sizeof(from), "%s/a.list", one);
	snprintf(target, sizeof(target), "%s/hop/a.list", root);
	snprintf(fresh, sizeof(fresh), "%s/fresh", aside);
	assert_int_equal(mkdir(two, 0700), 0);
	assert_int_equal(mkdir(aside, 0700), 0);
	assert_true(comes(LONG));
	write_file(aside, "a.list");
	make_link(aside, hop);
	make_link(target, from);
	assert_true(comes(LONG));
	assert_false(comes(SHORT));
	write_file(aside, "a.list");
	assert_true(comes(LONG)); /* the same size */
	write_file(aside, "fresh");
	assert_int_equal(rename(fresh, target), 0);
	assert_true(comes(LONG));
	assert_int_equal(chmod(target, 0444), 0);
	assert_true(comes(LONG));
	write_file(two, "b.list"); /* this one is watched */
	assert_true(comes(LONG));
	make_link(two, hop);
	assert_true(comes(LONG)); /* it leads nowhere now */
	write_file(two, "a.list");
	assert_true(comes(LONG));
	unlink(hop);
	assert_true(comes(LONG));
}

/* A file or a directory that becomes readable. */
static void test_permissions(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/a.list", one);
	write_file(one, "a.list");
	assert_true(comes(LONG));
	assert_int_equal(chmod(path, 0), 0);
	assert_true(comes(LONG));
	assert_int_equal(chmod(path, 0444), 0);
	assert_true(comes(LONG));
	assert_int_equal(chmod(one, 0), 0);
	assert_true(comes(LONG));
	assert_int_equal(chmod(one, 0755), 0);
	assert_true(comes(LONG));
	assert_false(comes(SHORT));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_changes), TEST(test_created),	    TEST(test_replaced),
		TEST(test_links),   TEST(test_permissions),
	};
	int failed;

	if (!mkdtemp(root))
		return 1;
	snprintf(one, sizeof(one), "%s/one", root);
	snprintf(two, sizeof(two), "%s/two", root);
	snprintf(aside, sizeof(aside), "%s/aside", root);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(root);
	return failed;
}
