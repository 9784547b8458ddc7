/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history of counts, and the report that is made of it: hours and days of the local clock, agents
 * that come and go with their counters or without, clocks that jump, files that are damaged.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "observe/history_file.h"
#include "base/names.h"
#include "observe/report.h"

#include <fcntl.h>
#include <sys/stat.h>

#define HOUR 3600
#define DAY (24 * HOUR)
#define BEGIN 1795996800 /* Monday 2026-11-30 00:00:00 UTC */

static char directory[] = "/dev/shm/test_history.XXXXXX";
static char path[64], bad[64];

/* The world: both clocks, and what the counters of the kernel and of the agent say. */
static struct rg_moment now;
static struct rg_history_sample counters;
static uint32_t map; /* id of that which the kernel's counters are in */
static struct rg_history_counts *history;

static void set_zone(const char *tz)
{
	setenv("TZ", tz, 1);
	tzset();
}

static void meet(unsigned int peer_class, unsigned int action, unsigned int attempts)
{
	struct rg_count *count =
		&counters.kernel.counts[RG_STAT_DONE + peer_class * RG_ACTION_MAX + action];

	count->attempts += attempts;
	count->packets += 3ULL * attempts;
}

static void drop(unsigned int attempts)
{
	meet(RG_CLASS_STANDARD, RG_ACTION_DROP, attempts);
}

static void pass_time(int64_t seconds)
{
	now.wall += seconds;
	now.boot += (uint64_t)seconds * RG_NSEC_PER_SEC;
}

/* As the agent does, once a second. */
static void run(int64_t seconds)
{
	for (; seconds > 0; seconds--) {
		pass_time(1);
		if (rg_history_counts_needs_sample(history, now))
			rg_history_counts_add(history, &counters, now);
	}
}

static void forget_own(void)
{
	memset(counters.losses, 0, sizeof(counters.losses));
	memset(counters.inquiries, 0, sizeof(counters.inquiries));
	for (unsigned int i = 0; i < counters.zone_count; i++)
		memset(counters.zones[i].counts, 0, sizeof(counters.zones[i].counts));
}

/* An agent begins: with the maps of one before (was), or new ones. */
static int start(uint32_t was)
{
	struct rg_error error = {};
	int err;

	assert_int_equal(rg_history_counts_new(&history), 0);
	err = rg_history_file_load(history, directory, &error);
	if (!was) {
		map++;
		memset(&counters.kernel, 0, sizeof(counters.kernel));
	}
	forget_own();
	rg_history_counts_begin(history, &counters, was, map, now);
	return err;
}

static void die(void)
{
	rg_history_counts_free(history);
	history = NULL;
}

/* As the agent does when it stops. */
static void stop(void)
{
	rg_history_counts_add(history, &counters, now);
	assert_int_equal(rg_history_file_write(history, directory, true), 0);
	die();
}

static json_t *report(const char *period)
{
	json_t *json;

	rg_history_counts_add(history, &counters, now);
	json = rg_report(history, period, now.wall);
	assert_non_null(json);
	return json;
}

/* A number by its path, "totals.attempts.refused"; of an array by its index. */
static const json_t *find(const json_t *json, const char *keys)
{
	char copy[100], *rest = NULL;

	snprintf(copy, sizeof(copy), "%s", keys);
	for (char *key = strtok_r(copy, ".", &rest); key; key = strtok_r(NULL, ".", &rest))
		json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key)) :
					     json_object_get(json, key);
	return json;
}

static long long number(const json_t *json, const char *keys)
{
	const json_t *value = find(json, keys);

	if (!json_is_number(value))
		fail_msg("no number: %s", keys);
	return (long long)json_number_value(value);
}

static void expect(const char *period, const char *keys, long long want)
{
	json_t *json = report(period);

	assert_int_equal(number(json, keys), want);
	json_decref(json);
}

static void expect_refused(long long want)
{
	expect("day", "totals.attempts.refused", want);
	expect("week", "totals.attempts.refused", want);
	expect("month", "totals.attempts.refused", want);
	expect("month", "attempts.standard.drop", want);
	expect("month", "packets.standard.drop", 3 * want);
}

static int set_up(void **state)
{
	(void)state;
	set_zone("UTC0");
	now = (struct rg_moment){ .wall = BEGIN + 10 * HOUR + 30 * 60, .boot = 12345678901ULL };
	counters = (struct rg_history_sample){ .zone_count = 2 };
	counters.zones[0].alias = "one";
	counters.zones[1].alias = "two";
	map = 7;
	(void)unlink(path);
	(void)unlink(bad);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	die();
	return 0;
}

/* ------------------------------------------------------------- hours and days */

static void test_hours(void **state)
{
	const struct rg_history_row *rows;
	size_t count;
	json_t *json;

	(void)state;
	assert_int_equal(start(0), 0);
	run(60);
	drop(2);
	run(29 * 60 - 1); /* 10:59:59 */
	drop(3);
	run(1); /* 11:00:00: what was counted is the hour's before */
	drop(4);
	run(HOUR + 61);
	rows = rg_history_counts_rows(history, RG_HISTORY_HOUR, &count);
	assert_int_equal(count, 3);
	assert_int_equal(rows[0].start, BEGIN + 10 * HOUR);
	assert_int_equal(rows[0].end, BEGIN + 11 * HOUR);
	assert_int_equal(rows[0].seconds, HOUR / 2);
	assert_int_equal(rows[1].seconds, HOUR);
	json = report("day");
	assert_int_equal(json_array_size(find(json, "lines")), 24);
	assert_int_equal(number(json, "lines.21.from"), BEGIN + 10 * HOUR);
	assert_int_equal(number(json, "lines.21.attempts.refused"), 5);
	assert_int_equal(number(json, "lines.21.packets.refused"), 15);
	assert_int_equal(number(json, "lines.21.counted"), HOUR / 2);
	assert_int_equal(number(json, "lines.22.attempts.refused"), 4);
	assert_int_equal(number(json, "lines.23.attempts.refused"), 0);
	assert_int_equal(number(json, "lines.23.until"), now.wall);
	assert_int_equal(number(json, "busiest.from"), BEGIN + 10 * HOUR);
	assert_int_equal(number(json, "from"), BEGIN - 11 * HOUR);
	assert_int_equal(number(json, "since"), BEGIN + 10 * HOUR + 30 * 60);
	/* Before the first agent. */
	assert_int_equal(json_array_size(find(json, "missing")), 1);
	assert_int_equal(number(json, "missing.0.from"), BEGIN - 11 * HOUR);
	assert_int_equal(number(json, "missing.0.until"), BEGIN + 10 * HOUR + 30 * 60);
	assert_true(json_is_null(find(json, "missing.0.counted_from")));
	json_decref(json);
	expect_refused(9);
	assert_null(rg_report(history, "year", now.wall));
}

static void test_local_clock(void **state)
{
	(void)state;
	set_zone("IST-5:30");
	assert_int_equal(rg_history_counts_start(RG_HISTORY_HOUR, BEGIN), BEGIN - 30 * 60);
	assert_int_equal(rg_history_counts_end(RG_HISTORY_HOUR, BEGIN), BEGIN + 30 * 60);
	assert_int_equal(rg_history_counts_start(RG_HISTORY_DAY, BEGIN), BEGIN - 5 * HOUR - 30 * 60);
	assert_int_equal(rg_history_counts_end(RG_HISTORY_DAY, BEGIN), BEGIN + 18 * HOUR + 30 * 60);
	/* 2026-10-25 has 25 hours in Berlin, 2026-03-29 has 23. */
	set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	assert_int_equal(rg_history_counts_start(RG_HISTORY_DAY, 1792920000), 1792879200);
	assert_int_equal(rg_history_counts_end(RG_HISTORY_DAY, 1792920000), 1792879200 + 25 * HOUR);
	assert_int_equal(rg_history_counts_end(RG_HISTORY_DAY, 1774780000) -
				 rg_history_counts_start(RG_HISTORY_DAY, 1774780000),
			 23 * HOUR);
	/* The hour that comes twice is two. */
	assert_int_equal(rg_history_counts_start(RG_HISTORY_HOUR, 1792886400 + 1800), 1792886400);
	assert_int_equal(rg_history_counts_start(RG_HISTORY_HOUR, 1792890000 + 1800), 1792890000);
	/* Whatever the time is: it is in its hour and in its day. */
	for (int64_t time = 0; time < (1LL << 40); time = time * 3 + 1799) {
		assert_in_range(time, rg_history_counts_start(RG_HISTORY_HOUR, time),
				rg_history_counts_end(RG_HISTORY_HOUR, time) - 1);
		assert_in_range(time, rg_history_counts_start(RG_HISTORY_DAY, time),
				rg_history_counts_end(RG_HISTORY_DAY, time) - 1);
	}
}

/* The time zone changes while rows of the old one are there: they don't overlap. */
static void test_zone_changes(void **state)
{
	const struct rg_history_row *rows;
	size_t count;

	(void)state;
	assert_int_equal(start(0), 0);
	for (int i = 0; i < 6; i++) {
		set_zone(i % 2 ? "IST-5:30" : "NST3:30");
		drop(1);
		run(40 * 60);
	}
	rows = rg_history_counts_rows(history, RG_HISTORY_HOUR, &count);
	for (size_t i = 0; i < count; i++) {
		assert_true(rows[i].start < rows[i].end);
		assert_true(!i || rows[i - 1].end <= rows[i].start);
		assert_in_range(rows[i].seconds, 0, rows[i].end - rows[i].start);
	}
	expect("day", "totals.attempts.refused", 6);
	stop();
	assert_int_equal(start(map), 0);
}

static void test_month(void **state)
{
	const struct rg_history_row *rows;
	size_t count;
	json_t *json;

	(void)state;
	now.wall = BEGIN + 1;
	assert_int_equal(start(0), 0);
	for (int hour = 0; hour < 40 * 24; hour++) {
		drop(1);
		if (hour == 35 * 24)
			drop(10);
		run(HOUR);
	}
	json = report("month"); /* one second into the 41st day */
	assert_int_equal(json_array_size(find(json, "lines")), 30);
	assert_int_equal(number(json, "from"), BEGIN + 11 * DAY);
	assert_int_equal(number(json, "totals.attempts.refused"), 29 * 24 + 10);
	assert_int_equal(number(json, "lines.0.attempts.refused"), 24);
	assert_int_equal(number(json, "busiest.from"), BEGIN + 35 * DAY);
	assert_int_equal(number(json, "counted"), 29 * DAY + 1);
	assert_int_equal(json_array_size(find(json, "missing")), 0);
	json_decref(json);
	expect("week", "totals.attempts.refused", 6 * 24 + 10);
	expect("day", "totals.attempts.refused", 23);
	rows = rg_history_counts_rows(history, RG_HISTORY_DAY, &count);
	assert_int_equal(count, RG_HISTORY_DAYS);
	assert_int_equal(rows[0].start, BEGIN + 10 * DAY);
	(void)rg_history_counts_rows(history, RG_HISTORY_HOUR, &count);
	assert_int_equal(count, RG_HISTORY_HOURS);
	stop();
	assert_int_equal(start(map), 0);
	expect("month", "totals.attempts.refused", 29 * 24 + 10);
}

/* ------------------------------------------------------------ agents come and go */

static void test_kept_counters(void **state)
{
	json_t *json;

	(void)state;
	assert_int_equal(start(0), 0);
	drop(5);
	counters.zones[0].counts[RG_ASKED] = 3;
	counters.inquiries[RG_ASKED] = 2;
	counters.losses[RG_OWN_OVERLOAD] = 1;
	counters.kernel.counts[RG_STAT_LOSSES + RG_LOSS_RING_FULL].packets = 4;
	run(600);
	stop();
	drop(7); /* the filter stays in force */
	pass_time(2 * HOUR);
	assert_int_equal(start(map), 0);
	drop(1);
	counters.zones[0].counts[RG_ASKED] = 1;
	run(600);
	json = report("day");
	assert_int_equal(number(json, "totals.attempts.refused"), 13);
	assert_int_equal(number(json, "zones.0.asked"), 4);
	assert_int_equal(number(json, "inquiries.asked"), 2);
	assert_int_equal(number(json, "losses.overload"), 1);
	assert_int_equal(number(json, "losses.ring_full"), 4);
	assert_int_equal(number(json, "counted"), 1200);
	assert_int_equal(json_array_size(find(json, "missing")), 2);
	assert_int_equal(number(json, "missing.1.until") - number(json, "missing.1.from"), 2 * HOUR);
	assert_int_equal(number(json, "missing.1.counted_from"), number(json, "missing.1.from"));
	json_decref(json);
	expect_refused(13);
}

static void test_fresh_counters(void **state)
{
	json_t *json;

	(void)state;
	assert_int_equal(start(0), 0);
	drop(5);
	run(600);
	stop();
	pass_time(2 * HOUR);
	assert_int_equal(start(0), 0); /* other maps, also if they count as far as the old ones did */
	drop(6);
	run(600);
	expect_refused(11);
	json = report("day");
	assert_true(json_is_null(find(json, "missing.1.counted_from")));
	json_decref(json);
	stop();
	assert_int_equal(start(0), 0);
	expect_refused(11);
	drop(1);
	expect_refused(12);
}

/* The file is of one map, the agent took over another: nobody knows when that one counted. */
static void test_other_counters(void **state)
{
	(void)state;
	assert_int_equal(start(0), 0);
	drop(5);
	stop();
	map++;
	drop(100);
	assert_int_equal(start(map), 0);
	expect_refused(5);
	drop(1);
	expect_refused(6);
	stop();
	(void)unlink(path);
	assert_int_equal(start(map), 0);
	expect_refused(0);
	drop(2);
	expect_refused(2);
}

static void test_killed(void **state)
{
	(void)state;
	assert_int_equal(start(0), 0);
	drop(5);
	run(300);
	assert_int_equal(rg_history_file_write(history, directory, false), 0);
	drop(7);
	counters.zones[1].counts[RG_ASKED] = 9;
	run(299);
	die();
	assert_int_equal(start(map), 0);
	expect_refused(12); /* the kernel's are all there, and once */
	assert_int_equal(rg_history_file_write(history, directory, false), 0);
	die();
	assert_int_equal(start(map), 0);
	expect_refused(12);
	die();
	assert_int_equal(start(0), 0); /* a power failure */
	expect_refused(12);
}

/* A zone has other numbers after a reload, or begins at 0 again. */
static void test_zones(void **state)
{
	static char names[3 * RG_MAX_ZONES][RG_ALIAS_SIZE];
	json_t *json;

	(void)state;
	assert_int_equal(start(0), 0);
	counters.zones[0].counts[RG_ASKED] = 10;
	counters.zones[1].counts[RG_ASKED] = 20;
	counters.zones[1].counts[RG_ASKED_CLEAN] = 19;
	counters.zones[1].counts[RG_ASKED_FAILED] = 1;
	rg_history_counts_add(history, &counters, now);
	counters.zones[0] = counters.zones[1];
	counters.zones[1].alias = "one";
	memset(counters.zones[1].counts, 0, sizeof(counters.zones[1].counts));
	counters.zones[0].counts[RG_ASKED] = 4; /* began anew, and asked 4 times */
	json = report("day");
	assert_string_equal(json_string_value(find(json, "zones.0.zone")), "one");
	assert_int_equal(number(json, "zones.0.asked"), 10);
	assert_int_equal(number(json, "zones.1.asked"), 24);
	assert_int_equal(number(json, "zones.1.not_listed"), 19);
	assert_int_equal(number(json, "zones.1.failed"), 1);
	json_decref(json);
	/* More names than there is room for: those not in use any more are forgotten. */
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(names[i], sizeof(names[i]), "%s%u", "zone", i);
		counters.zone_count = 1 + i % RG_MAX_ZONES;
		counters.zones[i % RG_MAX_ZONES].alias = names[i];
		counters.zones[i % RG_MAX_ZONES].counts[RG_ASKED] = 1000 + i;
		rg_history_counts_add(history, &counters, now);
	}
	json = report("month");
	assert_int_equal(json_array_size(find(json, "zones")), RG_MAX_ZONES);
	json_decref(json);
	stop();
	assert_int_equal(start(map), 0);
	json = report("month");
	assert_int_equal(json_array_size(find(json, "zones")), RG_MAX_ZONES);
	json_decref(json);
}

/* More gaps than there is room for: the shortest are joined, the seconds stay exact. */
static void test_many_gaps(void **state)
{
	json_t *json;
	size_t count;

	(void)state;
	assert_int_equal(start(0), 0);
	for (int i = 0; i < 2 * RG_HISTORY_SPANS; i++) {
		drop(1);
		run(200);
		stop();
		pass_time(i % 2 ? 300 : 100);
		assert_int_equal(start(map), 0);
	}
	(void)rg_history_counts_spans(history, &count);
	assert_int_equal(count, RG_HISTORY_SPANS);
	json = report("week");
	assert_int_equal(number(json, "counted"), 200 * 2 * RG_HISTORY_SPANS);
	assert_int_equal(number(json, "totals.attempts.refused"), 2 * RG_HISTORY_SPANS);
	json_decref(json);
}

/* Gaps of months ago don't take the place of those of this week. */
static void test_old_gaps(void **state)
{
	json_t *json;
	size_t count;

	(void)state;
	assert_int_equal(start(0), 0);
	for (int i = 0; i < 2 * RG_HISTORY_SPANS; i++) {
		run(200);
		stop();
		pass_time(600);
		assert_int_equal(start(map), 0);
	}
	run(40 * DAY);
	for (int i = 0; i < 5; i++) {
		stop();
		pass_time(100);
		assert_int_equal(start(map), 0);
		run(HOUR);
	}
	json = report("week");
	assert_int_equal(json_array_size(find(json, "missing")), 5);
	assert_int_equal(number(json, "missing.4.until") - number(json, "missing.4.from"), 100);
	json_decref(json);
	(void)rg_history_counts_spans(history, &count);
	assert_int_equal(count, 6);
}

/* The host slept, or the loop stood still: as if there had been no agent. */
static void test_still(void **state)
{
	json_t *json;

	(void)state;
	assert_int_equal(start(0), 0);
	drop(2);
	run(120);
	drop(3);
	pass_time(3 * HOUR);
	json = report("day");
	assert_int_equal(number(json, "totals.attempts.refused"), 5);
	assert_int_equal(number(json, "lines.23.attempts.refused"), 3);
	assert_int_equal(number(json, "counted"), 120);
	assert_int_equal(number(json, "missing.1.until") - number(json, "missing.1.from"), 3 * HOUR);
	json_decref(json);
}

/* ------------------------------------------------------------------ clocks jump */

static void check_rows(void)
{
	for (unsigned int unit = RG_HISTORY_HOUR; unit <= RG_HISTORY_DAY; unit++) {
		size_t count;
		const struct rg_history_row *rows = rg_history_counts_rows(history, unit, &count);

		for (size_t i = 1; i < count; i++)
			assert_true(rows[i - 1].end <= rows[i].start);
	}
}

static void test_clock_back(void **state)
{
	json_t *json;

	(void)state;
	assert_int_equal(start(0), 0);
	drop(1);
	run(2 * HOUR);
	drop(2);
	now.wall -= 90 * 60; /* an hour and a half that comes twice */
	assert_true(rg_history_counts_needs_sample(history, now));
	rg_history_counts_add(history, &counters, now);
	assert_false(rg_history_counts_needs_sample(history, now));
	drop(4);
	run(90 * 60);
	expect_refused(7);
	json = report("day");
	assert_true(number(json, "lines.22.counted") > HOUR);
	assert_int_equal(number(json, "counted"), 2 * HOUR + 90 * 60);
	json_decref(json);
	/* To 1970, as without a battery, and right again. */
	stop();
	pass_time(-now.wall + 100);
	assert_int_equal(start(map), 0);
	drop(8);
	run(600);
	expect("day", "totals.attempts.refused", 8);
	check_rows();
	now.wall = BEGIN + 13 * HOUR;
	rg_history_counts_add(history, &counters, now);
	run(600);
	drop(16);
	expect("day", "totals.attempts.refused", 23); /* but for the 8 of 1970 */
	check_rows();
	stop();
	assert_int_equal(start(map), 0);
	expect("day", "totals.attempts.refused", 23);
}

/* Each boot begins in 1970, until the time is known: it costs the oldest hour and day. */
static void test_no_battery(void **state)
{
	int64_t right;

	(void)state;
	now.wall = BEGIN + 1;
	assert_int_equal(start(0), 0);
	for (int hour = 0; hour < 40 * 24; hour++) {
		drop(1);
		run(HOUR);
	}
	for (int boot = 0; boot < 5; boot++) {
		right = now.wall;
		stop();
		now = (struct rg_moment){ .wall = 100, .boot = 100 };
		assert_int_equal(start(0), 0);
		drop(1);
		run(300);
		now.wall = right + 300;
		rg_history_counts_add(history, &counters, now);
		run(60);
		expect("day", "totals.attempts.refused", 23);
		expect("month", "totals.attempts.refused", 29 * 24);
		check_rows();
	}
}

static void test_clock_forward(void **state)
{
	int64_t right;
	json_t *json;

	(void)state;
	assert_int_equal(start(0), 0);
	drop(1);
	run(HOUR);
	drop(2);
	now.wall += 5 * HOUR;
	run(HOUR);
	json = report("day");
	assert_int_equal(number(json, "totals.attempts.refused"), 3);
	assert_int_equal(number(json, "counted"), 2 * HOUR);
	assert_int_equal(number(json, "missing.1.until") - number(json, "missing.1.from"), 5 * HOUR);
	json_decref(json);
	/* Ten years on for three days, then right: what was there is there. */
	right = now.wall;
	now.wall += 3650LL * DAY;
	rg_history_counts_add(history, &counters, now);
	for (int i = 0; i < 3 * 24; i++) {
		drop(100);
		run(HOUR);
	}
	now.wall = right;
	rg_history_counts_add(history, &counters, now);
	run(600);
	json = report("week");
	assert_int_equal(number(json, "totals.attempts.refused"), 3);
	json_decref(json);
	check_rows();
	for (int i = 0; i < 31 * 24; i++)
		run(HOUR);
	check_rows();
	expect("month", "counted", now.wall - (BEGIN + 2 * DAY));
	stop();
	assert_int_equal(start(map), 0);
}

/* Anything the clocks may do in between: no loop, no overlap, nothing lost. */
static void test_random_clock(void **state)
{
	uint64_t seed = 88172645463325252ULL, sum = 0, all = 0;
	const struct rg_history_row *rows;
	size_t count;

	(void)state;
	assert_int_equal(start(0), 0);
	for (int i = 0; i < 20000; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		pass_time((int64_t)(seed % 100));
		if (seed % 17 == 0)
			now.wall += (int64_t)(seed >> 40) % (20 * HOUR) - 10 * HOUR;
		drop(seed % 3);
		sum += seed % 3;
		if (rg_history_counts_needs_sample(history, now))
			rg_history_counts_add(history, &counters, now);
		if (seed % 501 == 0) {
			stop();
			assert_int_equal(start(map), 0);
		}
	}
	check_rows();
	rg_history_counts_add(history, &counters, now);
	rows = rg_history_counts_rows(history, RG_HISTORY_DAY, &count);
	for (size_t i = 0; i < count; i++)
		all += rg_stats_of(&rows[i].tally.kernel, RG_STAT_DONE, RG_CLASS_STANDARD,
				   RG_ACTION_DROP)
			       ->attempts;
	assert_true(count == RG_HISTORY_DAYS ? all <= sum : all == sum);
}

/* ------------------------------------------------------------------------ totals */

static void test_totals(void **state)
{
	json_t *json;

	(void)state;
	assert_int_equal(start(0), 0);
	meet(RG_CLASS_APPROVED, RG_ACTION_PASS, 1);
	meet(RG_CLASS_CLEAN, RG_ACTION_PASS, 2);
	meet(RG_CLASS_UNKNOWN, RG_ACTION_PASS, 4);
	meet(RG_CLASS_QIL, RG_ACTION_PASS, 8); /* within the rate */
	meet(RG_CLASS_BLOCKED, RG_ACTION_DROP, 16);
	meet(RG_CLASS_STANDARD, RG_ACTION_REJECT, 32);
	meet(RG_CLASS_QIL, RG_ACTION_TEMPFAIL, 64);
	meet(RG_CLASS_QIL, RG_ACTION_THROTTLE, 128);
	meet(RG_CLASS_STANDARD, RG_ACTION_RESET, 256);
	meet(RG_CLASS_QIL, RG_ACTION_TAG, 512);
	counters.kernel.counts[RG_CLASS_UNKNOWN * RG_ACTION_MAX + RG_ACTION_HOLD].packets = 7;
	counters.kernel.counts[RG_CLASS_PENDING * RG_ACTION_MAX + RG_ACTION_DROP].packets = 8;
	counters.kernel
		.counts[RG_STAT_MONITORED + RG_CLASS_QIL * RG_ACTION_MAX + RG_ACTION_TEMPFAIL]
		.attempts = 1024;
	json = report("day");
	assert_int_equal(number(json, "totals.attempts.passed"), 15 + 1024);
	assert_int_equal(number(json, "totals.attempts.refused"), 16 + 32 + 64 + 128 + 256);
	assert_int_equal(number(json, "totals.attempts.tagged"), 512);
	assert_int_equal(number(json, "totals.attempts.unjudged"), 0);
	assert_int_equal(number(json, "totals.packets.unjudged"), 15);
	assert_int_equal(number(json, "totals.packets.passed"), 45);
	assert_true(json_real_value(find(json, "totals.attempts.refused_share")) > 0.2422);
	assert_true(json_real_value(find(json, "totals.attempts.refused_share")) < 0.2424);
	assert_int_equal(number(json, "attempts.qil.tempfail"), 64);
	assert_int_equal(number(json, "monitored.attempts.qil.tempfail"), 1024);
	assert_int_equal(number(json, "packets.unknown.hold"), 7);
	json_decref(json);
	stop();
	assert_int_equal(start(map), 0);
	expect("day", "monitored.attempts.qil.tempfail", 1024);
	expect("day", "packets.pending.drop", 8);
}

static void test_nothing(void **state)
{
	json_t *json;

	(void)state;
	assert_int_equal(rg_history_counts_new(&history), 0);
	json = rg_report(history, "week", now.wall);
	assert_int_equal(json_array_size(find(json, "lines")), 7);
	assert_true(json_is_null(find(json, "since")));
	assert_true(json_is_null(find(json, "busiest")));
	assert_true(json_is_null(find(json, "totals.attempts.refused_share")));
	assert_int_equal(json_array_size(find(json, "missing")), 1);
	json_decref(json);
}

/* ---------------------------------------------------------------------- the file */

static char *read_file(size_t *size)
{
	char *text = malloc(RG_HISTORY_FILE_SIZE + 1);
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	assert_non_null(text);
	*size = fread(text, 1, RG_HISTORY_FILE_SIZE, file);
	text[*size] = '\0';
	fclose(file);
	return text;
}

static void write_file(const char *text, size_t size)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
	fclose(file);
}

static void test_size(void **state)
{
	struct stat st;

	(void)state;
	static char names[RG_MAX_ZONES][RG_ALIAS_SIZE];

	assert_int_equal(start(0), 0);
	counters.zone_count = RG_MAX_ZONES;
	for (unsigned int i = 0; i < RG_MAX_ZONES; i++) {
		snprintf(names[i], sizeof(names[i]), "%031u", i);
		counters.zones[i].alias = names[i];
	}
	for (uint64_t day = 0; day < 40; day++) {
		uint64_t counts = (1ULL << 60) + (day << 50);

		for (unsigned int i = 0; i < RG_STAT_MAX; i++)
			counters.kernel.counts[i] = (struct rg_count){ counts, counts };
		for (unsigned int i = 0; i < RG_OWN_LOSS_MAX; i++)
			counters.losses[i] = counts;
		for (unsigned int i = 0; i < RG_MAX_ZONES; i++)
			for (unsigned int k = 0; k < RG_ASKED_MAX; k++)
				counters.zones[i].counts[k] = counts;
		rg_history_counts_add(history, &counters, now);
		/* The hours of one day at a time: a jump each, so that all rows are full. */
		now.wall += day < 32 ? DAY : HOUR;
	}
	for (uint64_t hour = 1; hour < 60; hour++) {
		memset(&counters.kernel, 0xff, sizeof(counters.kernel));
		for (unsigned int i = 0; i < RG_STAT_MAX; i++)
			counters.kernel.counts[i].packets = counters.kernel.counts[i].attempts =
				(1ULL << 61) + (hour << 54);
		rg_history_counts_add(history, &counters, now);
		now.wall += HOUR;
	}
	assert_int_equal(rg_history_file_write(history, directory, false), 0);
	assert_int_equal(stat(path, &st), 0);
	print_message("# the largest file: %lld bytes\n", (long long)st.st_size);
	assert_in_range(st.st_size, 400000, RG_HISTORY_FILE_SIZE - 1);
	assert_int_equal(st.st_mode & 07777, 0600);
	die();
	assert_int_equal(start(0), 0);
}

/* Set aside, with a reason; the agent goes on with an empty one. */
static void expect_bad(const char *text, size_t size, const char *why)
{
	struct rg_error error = {};

	write_file(text, size);
	(void)unlink(bad);
	assert_int_equal(rg_history_counts_new(&history), 0);
	assert_true(rg_history_file_load(history, directory, &error) < 0);
	if (!strstr(error.text, why))
		fail_msg("\"%s\" has no \"%s\"", error.text, why);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(bad, F_OK), 0);
	rg_history_counts_begin(history, &counters, map, map, now);
	expect_refused(0);
	drop(1);
	expect_refused(1);
	die();
}

/* The text with `from` made `to`, once. */
static void expect_bad_with(const char *text, const char *from, const char *to, const char *why)
{
	const char *at = strstr(text, from);
	char *changed;

	assert_non_null(at);
	assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
	expect_bad(changed, strlen(changed), why);
	free(changed);
}

static char *make_file(size_t *size)
{
	assert_int_equal(start(0), 0);
	drop(5);
	counters.zones[0].counts[RG_ASKED] = 5;
	counters.losses[RG_OWN_OVERLOAD] = 3;
	run(2 * HOUR);
	stop();
	return read_file(size);
}

static void test_damaged(void **state)
{
	size_t size;
	char *text = make_file(&size);

	(void)state;
	for (size_t end = 0; end < size - 1; end += 13)
		expect_bad(text, end, "damaged at byte");
	expect_bad("\0\0\0\0", 4, "damaged at byte 1 of 4");
	expect_bad("127.0.0.1 verdicts\n", 19, "damaged");
	expect_bad("{}", 2, "not a history of repgate");
	expect_bad("[1]", 3, "not a history of repgate");
	expect_bad_with(text, "\"version\":1", "\"version\":2",
			"version 2, and this repgated reads 1");
	expect_bad_with(text, "\"hours\"", "\"hour\"", "\"hours\" is damaged at number 0");
	expect_bad_with(text, "\"drop\":[15,5]", "\"drop\":[15,-5]", "\"counters\"");
	expect_bad_with(text, "\"drop\":[15,5]", "\"drop\":[15]", "\"counters\"");
	expect_bad_with(text, "\"overload\":3", "\"overload\":\"3\"", "\"counters\"");
	expect_bad_with(text, "\"spans\":[[", "\"spans\":[[9", "\"spans\" is damaged at number 0");
	expect_bad_with(text, "\"seconds\":", "\"seconds\":-", "is damaged");
	expect_bad_with(text, "\"hours\":[{\"start\":1", "\"hours\":[{\"start\":2",
			"\"hours\" is damaged");
	/* What a terminal would obey, and what has no name. */
	expect_bad_with(text, "\"one\":[5", "\"\\u001b[2J\":[5", "\"counters\"");
	expect_bad_with(text, "\"one\":[5", "\"\":[5", "\"counters\"");
	/* An hour that would take what two others shall have. */
	expect_bad_with(text, "\"end\":1796036400", "\"end\":1796036401", "\"hours\" is damaged");
	free(text);
	text = calloc(1, RG_HISTORY_FILE_SIZE + 1);
	expect_bad(text, RG_HISTORY_FILE_SIZE + 1, "more than a history can have");
	free(text);
}

/* The largest numbers that are read grow, and can be read again. */
static void test_edge(void **state)
{
	static const char *const names[] = { "\"used\":", "\"seconds\":" };
	size_t size;
	char *text = make_file(&size);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *at = strstr(text, "\"days\""), *changed;

		at = strstr(at, names[i]) + strlen(names[i]);
		assert_true(asprintf(&changed, "%.*s%lld%s", (int)(at - text), text, 1LL << 40,
				     at + strspn(at, "0123456789")) > 0);
		write_file(changed, strlen(changed));
		free(changed);
		assert_int_equal(start(map), 0);
		run(HOUR);
		stop();
		assert_int_equal(start(map), 0);
		die();
	}
	free(text);
}

static void test_not_a_file(void **state)
{
	struct rg_error error = {};

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(rg_history_counts_new(&history), 0);
	assert_true(rg_history_file_load(history, directory, &error) < 0);
	assert_non_null(strstr(error.text, "not a regular file"));
	assert_int_equal(rmdir(bad), 0);
	die();
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(start(0), -EINVAL);
	die();
	/* A name that can't be written: the history goes on, in memory. */
	assert_int_equal(rg_history_counts_new(&history), 0);
	assert_int_equal(rg_history_file_load(history, "/nowhere/at/all", &error), 0);
	rg_history_counts_begin(history, &counters, 0, map, now);
	assert_int_equal(rg_history_file_write(history, "/nowhere/at/all", false), -ENOENT);
	expect_refused(0);
}

/* Any byte changed: read or set aside, and what is read can be reported and written. */
static void test_random_damage(void **state)
{
	uint64_t seed = 88172645463325252ULL;
	unsigned int read = 0;
	size_t size;
	char *text = make_file(&size);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct rg_history_sample saved = counters;
		char before;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		before = text[seed % size];
		text[seed % size] = i % 2 ? (char)('0' + (seed >> 32) % 10) : (char)(seed >> 40);
		write_file(text, size);
		read += !start(map);
		json_decref(report("month"));
		assert_int_equal(rg_history_file_write(history, directory, false), 0);
		die();
		counters = saved;
		text[seed % size] = before;
	}
	assert_in_range(read, 30, 970);
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hours),	   TEST(test_local_clock),   TEST(test_zone_changes),
		TEST(test_month),	   TEST(test_kept_counters), TEST(test_fresh_counters),
		TEST(test_other_counters), TEST(test_killed),	     TEST(test_zones),
		TEST(test_many_gaps),	   TEST(test_still),	     TEST(test_clock_back),
		TEST(test_no_battery),	   TEST(test_clock_forward), TEST(test_random_clock),
		TEST(test_totals),	   TEST(test_nothing),	     TEST(test_size),
		TEST(test_old_gaps),	   TEST(test_edge),	     TEST(test_damaged),
		TEST(test_not_a_file),	   TEST(test_random_damage),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/history", directory);
	snprintf(bad, sizeof(bad), "%s/history.bad", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	(void)unlink(bad);
	(void)rmdir(directory);
	return failed;
}
