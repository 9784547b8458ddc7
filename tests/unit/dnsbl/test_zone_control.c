/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control group of a zone: who is in it, what is asked, and what the answers come to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsbl/zone_control.h"

#include "tests/unit/dnsbl/fake_dns.h"

#include <cmocka.h>

#define LISTED 0x7f000002
#define ERROR_CODE 0x7fffffff
#define SECOND RG_NSEC_PER_SEC
#define ZONE 3

static struct rg_zone_conf zone = { .alias = "z", .suffix = (char[]){ "z.test" }, .slot = ZONE };
static struct rg_zone_control *control;
static enum rg_zone_control_result result;
static unsigned int calls;
static uint64_t now;

static void done(void *arg, enum rg_zone_control_result got)
{
	assert_ptr_equal(arg, &calls);
	result = got;
	calls++;
}

static int set_up(void **state)
{
	(void)state;
	fake_reset();
	calls = 0;
	now = 1000 * SECOND;
	rg_dnsbl_codes_default(&zone.codes);
	return rg_zone_control_new(&control, NULL, done, &calls);
}

static int tear_down(void **state)
{
	(void)state;
	rg_zone_control_free(control);
	assert_int_equal(fake_open, 0);
	rg_zone_control_free(NULL);
	return 0;
}

/* 192.0.N.7 was not listed, so many of them, one a second. */
static void note(unsigned int count, uint32_t ttl)
{
	struct rg_addr addr = { { [10] = 0xff, [11] = 0xff, 192, 0, 0, 7 } };

	for (unsigned int i = 0; i < count; i++) {
		addr.bytes[14] = (uint8_t)i;
		rg_zone_control_note(control, &addr, ttl, now);
		now += SECOND;
	}
}

/* Too few are no group. */
static void check_few(void **state)
{
	(void)state;
	assert_false(rg_zone_control_ask(control, &zone, now));
	note(RG_ZONE_CONTROL_LEAST - 1, 60);
	assert_false(rg_zone_control_ask(control, &zone, now));
	assert_int_equal(fake_count, 0);
	note(1, 60);
	assert_true(rg_zone_control_ask(control, &zone, now));
	assert_int_equal(fake_open, RG_ZONE_CONTROL_LEAST);
	/* Asked once, however often it is wanted meanwhile. */
	assert_true(rg_zone_control_ask(control, &zone, now));
	assert_int_equal(fake_open, RG_ZONE_CONTROL_LEAST);
	assert_int_equal(fake_answer_all(ZONE, RG_DNS_NONE, 0, 60), RG_ZONE_CONTROL_LEAST);
	assert_int_equal(calls, 1);
	assert_int_equal(result, RG_ZONE_CONTROL_CLEAN);
}

/* What caches have is not asked for: another address of the network is. */
static void check_caches(void **state)
{
	unsigned int same = 0;

	(void)state;
	note(RG_ZONE_CONTROL_LEAST, 3600);
	assert_true(rg_zone_control_ask(control, &zone, now));
	for (unsigned int i = 0; i < fake_count; i++) {
		same += !strncmp(fake_queries[i].name, "7.", 2);
		assert_non_null(strstr(fake_queries[i].name, ".0.192.z.test"));
	}
	assert_int_equal(same, 0);
	fake_answer_all(ZONE, RG_DNS_NONE, 0, 60);
	/* An hour later the addresses themselves. */
	fake_reset();
	assert_true(rg_zone_control_ask(control, &zone, now + 3600 * SECOND));
	for (unsigned int i = 0; i < fake_count; i++)
		same += !strncmp(fake_queries[i].name, "7.", 2);
	assert_int_equal(same, RG_ZONE_CONTROL_LEAST);
	fake_answer_all(ZONE, RG_DNS_NONE, 0, 60);
	assert_int_equal(calls, 2);
}

static const struct {
	unsigned int listed, other_code, not_listed, error, failed;
	enum rg_zone_control_result result;
} rows[] = {
	{ 16, 0, 0, 0, 0, RG_ZONE_CONTROL_LISTED },  { 9, 0, 7, 0, 0, RG_ZONE_CONTROL_LISTED },
	{ 8, 0, 8, 0, 0, RG_ZONE_CONTROL_CLEAN },    { 0, 0, 16, 0, 0, RG_ZONE_CONTROL_CLEAN },
	{ 0, 16, 0, 0, 0, RG_ZONE_CONTROL_CLEAN },   { 5, 0, 2, 9, 0, RG_ZONE_CONTROL_UNKNOWN },
	{ 5, 0, 3, 8, 0, RG_ZONE_CONTROL_LISTED },   { 0, 0, 0, 0, 16, RG_ZONE_CONTROL_UNKNOWN },
	{ 0, 0, 0, 16, 0, RG_ZONE_CONTROL_UNKNOWN }, { 0, 0, 8, 0, 8, RG_ZONE_CONTROL_CLEAN },
};

static void reply(unsigned int count, enum rg_dns_status status, uint32_t record)
{
	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(calls, 0);
		fake_answer(fake_find(ZONE, ""), status, record, 60);
	}
}

static void check_results(void **state)
{
	(void)state;
	note(40, 60);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		calls = 0;
		fake_reset();
		assert_true(rg_zone_control_ask(control, &zone, now));
		assert_int_equal(fake_open, RG_ZONE_CONTROL_ASKED);
		reply(rows[i].listed, RG_DNS_OK, LISTED);
		reply(rows[i].other_code, RG_DNS_OK, 0x7f020001); /* not one of the zone's codes */
		reply(rows[i].not_listed, RG_DNS_NONE, 0);
		reply(rows[i].error, RG_DNS_OK, ERROR_CODE);
		reply(rows[i].failed, RG_DNS_SERVFAIL, 0);
		assert_int_equal(calls, 1);
		if (result != rows[i].result)
			fail_msg("row %zu: %d, not %d", i, result, rows[i].result);
	}
}

/* A flood of clean addresses does not fill the group; old ones are replaced. */
static void check_times(void **state)
{
	struct rg_addr addr = { { [10] = 0xff, [11] = 0xff, 198, 51, 100, 1 } };
	unsigned int new_ones = 0;

	(void)state;
	note(RG_ZONE_CONTROL_ASKED, 60);
	for (unsigned int i = 0; i < 1000; i++)
		rg_zone_control_note(control, &addr, 60, now); /* one of them is taken */
	note(200, 60);
	assert_true(rg_zone_control_ask(control, &zone, now));
	fake_answer_all(ZONE, RG_DNS_NONE, 0, 60);
	now += 7 * 3600 * SECOND;
	for (unsigned int i = 0; i < RG_ZONE_CONTROL_GROUP; i++) {
		rg_zone_control_note(control, &addr, 60, now);
		now += SECOND;
	}
	now += 60 * SECOND;
	fake_reset();
	assert_true(rg_zone_control_ask(control, &zone, now));
	for (unsigned int i = 0; i < fake_count; i++)
		new_ones += !strcmp(fake_queries[i].name, "1.100.51.198.z.test");
	assert_int_equal(new_ones, RG_ZONE_CONTROL_ASKED);
	fake_answer_all(ZONE, RG_DNS_NONE, 0, 60);
}

/* Another zone: nobody is asked about, and what is under way has no result. */
static void check_reset(void **state)
{
	(void)state;
	note(20, 60);
	assert_true(rg_zone_control_ask(control, &zone, now));
	rg_zone_control_reset(control);
	assert_int_equal(fake_open, 0);
	assert_false(rg_zone_control_ask(control, &zone, now));
	assert_int_equal(calls, 0);
	note(20, 60);
	assert_true(rg_zone_control_ask(control, &zone, now));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(check_few),   TEST(check_caches), TEST(check_results),
		TEST(check_times), TEST(check_reset),
	};

	return cmocka_run_group_tests_name("zone_control", tests, NULL, NULL);
}
