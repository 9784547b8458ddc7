/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every transition of a zone's state as a row, the times of tests, and the alarm about its share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsbl/zone_health.h"

#include "base/util.h"

#include "maps/types.h"

#include <cmocka.h>

#define SECONDS(n) ((n)*RG_NSEC_PER_SEC)
#define NOW SECONDS(1000)

enum event { ANSWER, SILENCE, FAILURE, INVALID, TEST };

#define GOOD RG_ZONE_HEALTH_GOOD
#define FAILING RG_ZONE_HEALTH_FAILING
#define OPEN RG_ZONE_HEALTH_OPEN
#define DISABLED RG_ZONE_HEALTH_DISABLED
#define MONITOR RG_ZONE_HEALTH_MONITOR

static const struct row {
	const char *name;
	enum rg_zone_health_state state; /* before */
	unsigned int failures; /* before; the last one a second ago */
	enum event event;
	enum rg_zone_test_result result; /* of a TEST */
	enum rg_zone_health_state want;
	const char *why;
	unsigned int want_failures;
	uint64_t next; /* s from now until the next test; 0: as before */
} rows[] = {
	{ "an answer of a good zone", GOOD, 0, ANSWER, 0, GOOD, "", 0, 0 },
	{ "a first failure", GOOD, 0, FAILURE, 0, FAILING, "why", 1, 5 },
	{ "a first silence", GOOD, 0, SILENCE, 0, FAILING, "why", 1, 5 },
	{ "a failure more", FAILING, 3, FAILURE, 0, FAILING, "before", 4, 5 },
	{ "the fifth failure opens the breaker", FAILING, 4, FAILURE, 0, OPEN, "why", 5, 5 },
	{ "an answer ends failing", FAILING, 4, ANSWER, 0, GOOD, "", 0, 0 },
	{ "a failure while open does not count", OPEN, 5, FAILURE, 0, OPEN, "before", 5, 0 },
	{ "a failure while disabled does not count", DISABLED, 0, FAILURE, 0, DISABLED, "before", 0,
	  0 },
	{ "an answer on its way does not close the breaker", OPEN, 5, ANSWER, 0, OPEN, "before", 0,
	  0 },
	{ "nor enables a disabled zone", DISABLED, 0, ANSWER, 0, DISABLED, "before", 0, 0 },
	{ "a failure in monitor counts", MONITOR, 0, FAILURE, 0, MONITOR, "before", 1, 5 },
	{ "the fifth one in monitor opens the breaker", MONITOR, 4, FAILURE, 0, OPEN, "why", 5, 5 },
	{ "monitor ends when no alarm is configured", MONITOR, 0, ANSWER, 0, GOOD, "", 0, 0 },
	{ "an invalid record: a test, at once", GOOD, 0, INVALID, 0, GOOD, "before", 0, UINT64_MAX },
	{ "the same while failing", FAILING, 1, INVALID, 0, FAILING, "before", 1, UINT64_MAX },
	{ "not while open", OPEN, 5, INVALID, 0, OPEN, "before", 5, 0 },
	{ "a passed test of a good zone", GOOD, 0, TEST, RG_ZONE_TEST_PASSED, GOOD, "", 0, 300 },
	{ "a passed test ends failing", FAILING, 2, TEST, RG_ZONE_TEST_PASSED, GOOD, "", 0, 300 },
	{ "a passed test closes the breaker", OPEN, 5, TEST, RG_ZONE_TEST_PASSED, GOOD, "", 0, 300 },
	{ "a passed test enables", DISABLED, 0, TEST, RG_ZONE_TEST_PASSED, GOOD, "", 0, 300 },
	{ "a passed test does not end monitor", MONITOR, 0, TEST, RG_ZONE_TEST_PASSED, MONITOR,
	  "before", 0, 300 },
	{ "a test without an answer is a failure", GOOD, 0, TEST, RG_ZONE_TEST_UNANSWERED, FAILING,
	  "why", 1, 5 },
	{ "and may be the fifth", FAILING, 4, TEST, RG_ZONE_TEST_UNANSWERED, OPEN, "why", 5, 5 },
	{ "while open: still open", OPEN, 5, TEST, RG_ZONE_TEST_UNANSWERED, OPEN, "before", 5, 5 },
	{ "while disabled: still disabled", DISABLED, 0, TEST, RG_ZONE_TEST_UNANSWERED, DISABLED,
	  "before", 0, 5 },
	{ "a zone that lists all", GOOD, 0, TEST, RG_ZONE_TEST_LISTS_ALL, DISABLED, "why", 0, 5 },
	{ "a zone that lists nothing", GOOD, 0, TEST, RG_ZONE_TEST_LISTS_NOTHING, DISABLED, "why",
	  0, 5 },
	{ "an invalid record in a test", FAILING, 1, TEST, RG_ZONE_TEST_INVALID, DISABLED, "why", 1,
	  5 },
	{ "a test disables an open zone", OPEN, 5, TEST, RG_ZONE_TEST_INVALID, DISABLED, "why", 5, 5 },
	{ "a test disables one in monitor", MONITOR, 0, TEST, RG_ZONE_TEST_LISTS_ALL, DISABLED,
	  "why", 0, 5 },
	{ "a new reason is kept", DISABLED, 0, TEST, RG_ZONE_TEST_INVALID, DISABLED, "why", 0, 5 },
};

static void happen(struct rg_zone_health *health, const struct row *row)
{
	switch (row->event) {
	case ANSWER:
		rg_zone_health_answer(health, false, 100, 0, NOW);
		break;
	case SILENCE:
		rg_zone_health_failure(health, "why", NOW - SECONDS(4), false, NOW);
		break;
	case FAILURE:
		rg_zone_health_failure(health, "why", NOW - 1, true, NOW);
		break;
	case INVALID:
		rg_zone_health_invalid(health, NOW);
		break;
	default:
		rg_zone_health_tested(health, row->result, "why", 0, NOW - 1, NOW);
		break;
	}
}

static void check_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		const uint64_t due = NOW + SECONDS(1200);
		struct rg_zone_health health;
		uint64_t want;
		bool changed;

		rg_zone_health_init(&health, SECONDS(1));
		health.state = row->state;
		health.failures = row->failures;
		health.failed_at = NOW - SECONDS(1);
		health.test_at = due;
		snprintf(health.why, sizeof(health.why), "before");
		happen(&health, row);
		changed = health.state != row->state;
		want = !row->next ? due : row->next == UINT64_MAX ? NOW : NOW + SECONDS(row->next);
		if (row->event == ANSWER && row->state == GOOD)
			health.why[0] = '\0'; /* it stays what it was */
		if (health.state != row->want || strcmp(health.why, row->why) != 0 ||
		    health.failures != row->want_failures || changed != (row->state != row->want) ||
		    health.test_at != want ||
		    (changed && (health.since != NOW || health.before != row->state)))
			fail_msg("%s: state %s, why \"%s\", %u failures, test in %.1f s", row->name,
				 rg_zone_health_name(health.state), health.why, health.failures,
				 ((double)health.test_at - (double)NOW) / 1e9);
	}
}

static void check_asked(void **state)
{
	struct rg_zone_health health = {};

	(void)state;
	for (health.state = 0; health.state < RG_ZONE_HEALTH_STATES; health.state++)
		assert_int_equal(rg_zone_health_is_asked(&health),
				 health.state != OPEN && health.state != DISABLED);
}

#define SENT (NOW - SECONDS(4)) /* when questions were sent that nobody answered until NOW */
#define HOLD (RG_NSEC_PER_SEC * 9 / 10)

static void time_out(struct rg_zone_health *health, unsigned int count, uint64_t asked_at)
{
	for (unsigned int i = 0; i < count; i++)
		rg_zone_health_failure(health, "timeout", asked_at + i, false,
				       asked_at + i + SECONDS(4));
}

/* Silences of one burst are one failure if others were answered meanwhile; failures that were replied to count each. */
static void check_burst(void **state)
{
	struct rg_zone_health health;

	(void)state;
	rg_zone_health_init(&health, SECONDS(1));
	rg_zone_health_answer(&health, false, 100, 0, SENT + SECONDS(1));
	time_out(&health, 50, SENT);
	assert_int_equal(health.failures, 1);
	assert_int_equal(health.state, FAILING);
	rg_zone_health_failure(&health, "timeout", SENT, false, NOW + SECONDS(1));
	assert_int_equal(health.failures, 2);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(health.state, FAILING);
		rg_zone_health_failure(&health, "servfail", NOW, true, NOW + SECONDS(1));
	}
	assert_int_equal(health.state, OPEN);
}

/* Many questions at once, and none is answered meanwhile: an outage, not a lost burst. */
static void check_outage(void **state)
{
	struct rg_zone_health health;

	(void)state;
	rg_zone_health_init(&health, SECONDS(1));
	rg_zone_health_answer(&health, false, 100, 0, SENT - 1);
	for (unsigned int i = 0; i < 20; i++)
		rg_zone_health_overdue(&health, SENT + i, SENT + i + HOLD);
	assert_int_equal(health.state, GOOD); /* all of them may still be answered */
	time_out(&health, 1, SENT);
	assert_int_equal(health.state, OPEN);
	assert_string_equal(health.why, "timeout");
	/* The same without a hold_timeout before. */
	rg_zone_health_init(&health, SECONDS(1));
	time_out(&health, 4, SENT);
	assert_int_equal(health.state, FAILING);
	time_out(&health, 1, SENT + 4);
	assert_int_equal(health.state, OPEN);
}

/* One peer after the other: five that were released without an answer are enough once the first one has failed. */
static void check_one_by_one(void **state)
{
	struct rg_zone_health health;

	(void)state;
	rg_zone_health_init(&health, SECONDS(1));
	for (unsigned int i = 0; i < 4; i++)
		rg_zone_health_overdue(&health, SENT + i * HOLD, SENT + (i + 1) * HOLD);
	time_out(&health, 1, SENT);
	assert_int_equal(health.state, FAILING);
	rg_zone_health_overdue(&health, SENT + 4 * HOLD, SENT + 5 * HOLD);
	assert_int_equal(health.state, OPEN);
}

/* A slow zone answers in the end: no failure, however many wait, and whatever failed long before. */
static void check_slow(void **state)
{
	struct rg_zone_health health;
	uint64_t at = SENT;

	(void)state;
	rg_zone_health_init(&health, SECONDS(1));
	for (unsigned int round = 0; round < 10; round++, at += SECONDS(3)) {
		for (unsigned int i = 0; i < 100; i++)
			rg_zone_health_overdue(&health, at + i, at + i + HOLD);
		for (unsigned int i = 0; i < 100; i++)
			rg_zone_health_answer(&health, true, 100, 0, at + i + SECONDS(2));
		assert_int_equal(health.state, GOOD);
		assert_int_equal(health.overdue, 0);
	}
	/* One is lost; later the others are slow again. */
	rg_zone_health_failure(&health, "timeout", at, false, at + SECONDS(4));
	at += SECONDS(60);
	for (unsigned int i = 0; i < 100; i++)
		rg_zone_health_overdue(&health, at + i, at + i + HOLD);
	assert_int_equal(health.state, FAILING);
	rg_zone_health_answer(&health, true, 100, 0, at + SECONDS(2));
	assert_int_equal(health.state, GOOD);
}

/* Two families of a zone: one is silent, or both are. */
static void check_families(void **state)
{
	struct rg_zone_health v4, v6;

	(void)state;
	for (unsigned int both = 0; both < 2; both++) {
		rg_zone_health_init(&v4, SECONDS(1));
		rg_zone_health_init(&v6, SECONDS(1));
		v4.other = &v6;
		v6.other = &v4;
		for (unsigned int i = 0; i < 5; i++) {
			uint64_t at = SENT + i * SECONDS(1);

			if (both && i < 2)
				rg_zone_health_failure(&v4, "refused", at, true, at + 1);
			else if (!both)
				rg_zone_health_answer(&v4, false, 100, 0, at);
			if (i < 3)
				rg_zone_health_failure(&v6, "refused", at, true, at + 1);
		}
		assert_int_equal(v4.state, both ? OPEN : GOOD);
		assert_int_equal(v6.state, both ? OPEN : FAILING);
	}
	/* One family fails five times; a single failure of the other one does not open that. */
	rg_zone_health_init(&v4, SECONDS(1));
	rg_zone_health_init(&v6, SECONDS(1));
	v4.other = &v6;
	v6.other = &v4;
	for (unsigned int i = 0; i < 4; i++)
		rg_zone_health_failure(&v6, "servfail", SENT, true, SENT + i);
	rg_zone_health_failure(&v4, "servfail", SENT, true, SENT + 4);
	assert_int_equal(v4.state, FAILING);
	/* What is wrong with one may be so with both: the other one is tested at once. */
	rg_zone_health_tested(&v4, RG_ZONE_TEST_PASSED, "", 1, SENT + 5, SENT + 6);
	rg_zone_health_tested(&v6, RG_ZONE_TEST_INVALID, "answers 0.0.0.0", 1, NOW, NOW);
	assert_int_equal(v4.state, GOOD);
	assert_true(v4.test_at > NOW + SECONDS(60));
	rg_zone_health_tested(&v6, RG_ZONE_TEST_PASSED, "", 1, NOW, NOW);
	rg_zone_health_tested(&v6, RG_ZONE_TEST_INVALID, "answers 0.0.0.0", 1, NOW,
			      NOW + SECONDS(20));
	assert_true(v4.test_at == NOW + SECONDS(20));
}

/* 5, 10, then every 20 s; a good zone after 5 to 30 minutes, by jitter. */
static void check_times(void **state)
{
	static const unsigned int gaps[] = { 5, 10, 20, 20, 20 };
	struct rg_zone_health health;
	uint64_t now = NOW;

	(void)state;
	rg_zone_health_init(&health, now);
	assert_true(health.test_at == now);
	for (size_t i = 0; i < ARRAY_SIZE(gaps); i++) {
		(void)rg_zone_health_tested(&health, RG_ZONE_TEST_LISTS_ALL, "why", 0.5, 1, now);
		assert_true(health.test_at == now + SECONDS(gaps[i]));
		now = health.test_at;
	}
	(void)rg_zone_health_tested(&health, RG_ZONE_TEST_PASSED, "", 0, 1, now);
	assert_true(health.test_at == now + SECONDS(300));
	(void)rg_zone_health_tested(&health, RG_ZONE_TEST_PASSED, "", 1, 1, now);
	assert_true(health.test_at == now + SECONDS(1800));
	(void)rg_zone_health_tested(&health, RG_ZONE_TEST_LISTS_ALL, "why", 0, 1, now);
	assert_true(health.test_at == now + SECONDS(5)); /* begins anew */
}

/* Invalid records about some peers cause one test, not one for each of them. */
static void check_invalid(void **state)
{
	struct rg_zone_health health;

	(void)state;
	rg_zone_health_init(&health, SECONDS(1));
	(void)rg_zone_health_tested(&health, RG_ZONE_TEST_PASSED, "", 0, 1, NOW);
	rg_zone_health_invalid(&health, NOW + SECONDS(9));
	assert_true(health.test_at == NOW + SECONDS(300));
	rg_zone_health_invalid(&health, NOW + SECONDS(10));
	assert_true(health.test_at == NOW + SECONDS(10));
}

/* What the control group says if there is a suspicion. */
static enum rg_zone_control_result control;

static bool answers(struct rg_zone_health *health, unsigned int count, unsigned int listed_of_100,
		    uint32_t jump)
{
	enum rg_zone_health_state before = health->state;

	for (unsigned int i = 0; i < count && health->state == before; i++) {
		rg_zone_health_answer(health, i % 100 < listed_of_100, 200, jump,
				      NOW + health->answers);
		if (health->is_suspect)
			rg_zone_health_controlled(health, control, NOW + health->answers);
	}
	return health->state != before;
}

static void check_share(void **state)
{
	struct rg_zone_health health;

	(void)state;
	/* A zone that always listed nearly everybody is no alarm. */
	rg_zone_health_init(&health, SECONDS(1));
	assert_false(answers(&health, 5000, 95, 40));
	/* Nor is one that lists far more than before, but not nearly everybody. */
	rg_zone_health_init(&health, SECONDS(1));
	assert_false(answers(&health, 5000, 10, 40));
	assert_false(answers(&health, 400, 80, 40));
	/* One that lists everybody all at once is. */
	rg_zone_health_init(&health, SECONDS(1));
	assert_false(answers(&health, 5000, 10, 40));
	assert_true(answers(&health, 2000, 100, 40));
	assert_int_equal(health.state, MONITOR);
	assert_non_null(strstr(health.why, "of new peers, was"));
	assert_true(health.usual_at > 0 && health.usual_at < NOW + health.answers);
	/* It ends when the share is near the usual one. */
	assert_true(answers(&health, 2000, 10, 40));
	assert_int_equal(health.state, GOOD);
	/* Without enough answers nothing is known; with jump 0 nothing is done. */
	rg_zone_health_init(&health, SECONDS(1));
	assert_false(answers(&health, RG_ZONE_HEALTH_BASELINE - 1, 100, 40));
	rg_zone_health_init(&health, SECONDS(1));
	assert_false(answers(&health, 5000, 10, 0));
	assert_false(answers(&health, 2000, 100, 0));
}

/* Most of the control group is not listed: not the zone has changed, but who sends. */
static void check_control(void **state)
{
	struct rg_zone_health health;

	(void)state;
	for (control = RG_ZONE_CONTROL_UNKNOWN; control <= RG_ZONE_CONTROL_LISTED; control++) {
		rg_zone_health_init(&health, SECONDS(1));
		assert_false(answers(&health, 5000, 10, 40));
		assert_int_equal(answers(&health, 600, 100, 40), control != RG_ZONE_CONTROL_CLEAN);
		assert_int_equal(health.state, control == RG_ZONE_CONTROL_CLEAN ? GOOD : MONITOR);
		assert_true(health.controlled_at > 0);
		assert_false(health.is_suspect);
	}
	/* The share of now is the usual one: no further suspicion while it stays. */
	control = RG_ZONE_CONTROL_CLEAN;
	rg_zone_health_init(&health, SECONDS(1));
	(void)answers(&health, 5000, 10, 40);
	(void)answers(&health, 600, 100, 40);
	control = RG_ZONE_CONTROL_LISTED;
	assert_false(answers(&health, 5000, 100, 40));
	/* Later, in the other direction. */
	assert_false(answers(&health, 5000, 10, 40));
	assert_true(answers(&health, 2000, 100, 40));
	assert_int_equal(health.state, MONITOR);
	/* A control group ends the state, too. */
	rg_zone_health_controlled(&health, RG_ZONE_CONTROL_LISTED, NOW);
	rg_zone_health_controlled(&health, RG_ZONE_CONTROL_UNKNOWN, NOW);
	assert_int_equal(health.state, MONITOR);
	rg_zone_health_controlled(&health, RG_ZONE_CONTROL_CLEAN, NOW);
	assert_int_equal(health.state, GOOD);
	control = RG_ZONE_CONTROL_UNKNOWN;
}

/* What a disabled zone answered is no part of its usual share. */
static void check_share_after_disabled(void **state)
{
	struct rg_zone_health health;

	(void)state;
	rg_zone_health_init(&health, SECONDS(1));
	(void)answers(&health, 5000, 10, 40);
	(void)rg_zone_health_tested(&health, RG_ZONE_TEST_LISTS_ALL, "lists 127.0.0.1", 0, 1, NOW);
	(void)answers(&health, 300, 100, 40);
	assert_true(health.window_share > 0.5);
	(void)rg_zone_health_tested(&health, RG_ZONE_TEST_PASSED, "", 0, 1, NOW);
	assert_true(health.window_share == health.long_share);
	assert_true(health.window_share < 0.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_rows),	    cmocka_unit_test(check_asked),
		cmocka_unit_test(check_burst),	    cmocka_unit_test(check_outage),
		cmocka_unit_test(check_one_by_one), cmocka_unit_test(check_slow),
		cmocka_unit_test(check_families),   cmocka_unit_test(check_times),
		cmocka_unit_test(check_invalid),    cmocka_unit_test(check_share),
		cmocka_unit_test(check_control),    cmocka_unit_test(check_share_after_disabled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
