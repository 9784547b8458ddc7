/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring of recent events: order, overwriting, and the follower. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "observe/recent_events.h"

static struct rg_recent_events *events;
static unsigned int followed, expected;

static void follow(void *arg, const struct rg_recent_event *event)
{
	assert_ptr_equal(arg, &followed);
	assert_int_equal(event->port, followed % 65536);
	followed++;
}

static void check_next(void *arg, const struct rg_recent_event *event)
{
	assert_int_equal(event->port, expected % 65536);
	expected++;
	(*(unsigned int *)arg)++;
}

/* Adds events up to this number. Then the last 1000 are there, oldest first. */
static void add_until(unsigned int number)
{
	unsigned int count = 0;

	while (followed < number) {
		const struct rg_recent_event event = { .port = (uint16_t)followed };

		rg_recent_events_add(events, &event);
	}
	expected = number > RG_RECENT_SIZE ? number - RG_RECENT_SIZE : 0;
	rg_recent_events_each(events, check_next, &count);
	assert_int_equal(count, number > RG_RECENT_SIZE ? RG_RECENT_SIZE : number);
}

static void test_ring(void **state)
{
	(void)state;
	assert_int_equal(rg_recent_events_new(&events, follow, &followed), 0);
	add_until(0);
	add_until(1);
	add_until(RG_RECENT_SIZE - 1);
	add_until(RG_RECENT_SIZE);
	add_until(RG_RECENT_SIZE + 1);
	add_until(3 * RG_RECENT_SIZE + 7);
	rg_recent_events_free(events);
	rg_recent_events_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ring) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
