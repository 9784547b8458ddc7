/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The questions about one peer: order of zones, the time limit, QIL asked at half time when Standard is
 * silent, cancelled inquiries, zones that are off, listings that a test disproves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "judge/inquiry.h"

#include "tests/unit/dnsbl/fake_dns.h"

#include <cmocka.h>

#define LISTED 0x7f000002
#define ERROR_CODE 0x7fffffff
#define DEADLINE 200 /* ms: hold_timeout */
#define TOTAL 700 /* ms */

/* Zones at their slots; QIL stands first, which must not matter. */
enum { QIL, STANDARD, ALLOW, ZONES };

static struct rg_conf conf = {
	.references = 1,
	.zone_count = ZONES,
	.hit_share_window = 100,
	.zones = {
		{ .alias = "qil", .suffix = (char[]){ "qil.test" }, .slot = QIL,
		  .peer_class = RG_CLASS_QIL, .selftest = RG_SELFTEST_OFF },
		{ .alias = "standard", .suffix = (char[]){ "standard.test" }, .slot = STANDARD,
		  .peer_class = RG_CLASS_STANDARD, .selftest = RG_SELFTEST_OFF },
		{ .alias = "allow", .suffix = (char[]){ "allow.test" }, .slot = ALLOW,
		  .peer_class = RG_CLASS_APPROVED, .selftest = RG_SELFTEST_OFF },
	},
};

/* 192.0.2.1 */
static const struct rg_addr peer = { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 } };
#define NAME "1.2.0.192."

static struct event_base *base;
static struct rg_conf *in_force = &conf;
static struct rg_zone_test *tester;
static struct rg_inquiry_context *context;
static struct rg_inquiry *inquiry;
static struct rg_evidence got;
static struct rg_evidence early; /* when hold_timeout was over */
static unsigned int calls, early_calls;

static void on_change(void *arg, const struct rg_zone_change *change)
{
	(void)arg;
	(void)change;
}

static void on_evidence(void *arg, const struct rg_evidence *evidence, bool is_final)
{
	assert_ptr_equal(arg, &conf);
	if (!is_final) {
		early = *evidence;
		early_calls++;
		return;
	}
	got = *evidence;
	calls++;
	inquiry = NULL;
}

static int set_up(void **state)
{
	(void)state;
	fake_reset();
	calls = early_calls = 0;
	inquiry = NULL;
	for (unsigned int i = 0; i < ZONES; i++) {
		conf.zones[i].ipv4 = conf.zones[i].ipv6 = true;
		conf.zones[i].selftest = RG_SELFTEST_OFF;
		conf.zones[i].codes = (struct rg_dnsbl_codes){ .is_allow = i == ALLOW };
		rg_dnsbl_codes_default(&conf.zones[i].codes);
	}
	fake_ahead += 10000 * RG_NSEC_PER_SEC;
	base = event_base_new();
	return rg_zone_test_new(&tester, base, NULL, &in_force, on_change, NULL) ||
	       rg_inquiry_context_new(&context, base, NULL, tester, DEADLINE, TOTAL);
}

static int tear_down(void **state)
{
	(void)state;
	rg_inquiry_cancel(inquiry);
	rg_inquiry_context_free(context);
	rg_zone_test_free(tester);
	event_base_free(base);
	assert_int_equal(fake_open, 0);
	assert_int_equal(conf.references, 1);
	return 0;
}

static void wait_ms(unsigned int ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static void start_with(const struct rg_evidence *evidence)
{
	assert_int_equal(rg_inquiry_start(&inquiry, context, &conf, &peer, evidence, RG_DNS_NEW,
					  on_evidence, &conf),
			 0);
	assert_int_equal(calls, 0); /* never before it returns */
}

static void start(void)
{
	const struct rg_evidence nothing = {};

	start_with(&nothing);
}

static struct rg_zone_question asked_now(unsigned int zone)
{
	return (struct rg_zone_question){ &conf.zones[zone], RG_FAMILY_V4, rg_now() };
}

static const struct rg_zone_health *health_of(unsigned int zone)
{
	return rg_zone_test_health(tester, zone, RG_FAMILY_V4);
}

static void answer(unsigned int zone, enum rg_dns_status status, uint32_t record)
{
	struct rg_dns_query *query = fake_find(zone, NAME);

	assert_non_null(query);
	fake_answer(query, status, record, 60);
}

static const struct rg_zone_count *count_of(unsigned int zone)
{
	return rg_inquiry_context_count(context, zone);
}

static void check_not_listed(void **state)
{
	(void)state;
	start();
	assert_non_null(fake_find(STANDARD, "1.2.0.192.standard.test"));
	assert_non_null(fake_find(ALLOW, "1.2.0.192.allow.test"));
	assert_null(fake_find(QIL, ""));
	answer(STANDARD, RG_DNS_NONE, 0);
	assert_null(fake_find(QIL, ""));
	answer(ALLOW, RG_DNS_NONE, 0);
	answer(QIL, RG_DNS_NONE, 0);
	assert_int_equal(calls, 1);
	for (unsigned int zone = 0; zone < ZONES; zone++) {
		assert_int_equal(got.zones[zone].state, RG_ZONE_NOT_LISTED);
		assert_int_equal(got.zones[zone].ttl, 60);
		assert_true(got.zones[zone].has_ttl);
		assert_true(count_of(zone)->asked == 1 && count_of(zone)->not_listed == 1);
	}
	rg_inquiry_context_reset(context, QIL);
	assert_true(count_of(QIL)->asked == 0);
}

/* Nobody is asked more than is needed: what is listed, in which order -> which zones are asked. */
static void check_order(void **state)
{
	(void)state;
	/* Standard lists it, but the allow list may still let it in. */
	start();
	answer(STANDARD, RG_DNS_OK, LISTED);
	assert_int_equal(calls, 0);
	answer(ALLOW, RG_DNS_NONE, 0);
	assert_int_equal(calls, 1);
	assert_int_equal(got.zones[STANDARD].state, RG_ZONE_LISTED);
	assert_int_equal(got.zones[STANDARD].code, LISTED);
	assert_int_equal(got.zones[QIL].state, RG_ZONE_NOT_ASKED);
	/* An allow list decides at once; the question to the other zone is dropped. */
	calls = 0;
	start();
	answer(ALLOW, RG_DNS_OK, LISTED);
	assert_int_equal(calls, 1);
	assert_int_equal(fake_open, 0);
	/* A listing that the codes do not select is none. */
	calls = 0;
	start();
	answer(STANDARD, RG_DNS_OK, 0x7f020001);
	answer(ALLOW, RG_DNS_NONE, 0);
	answer(QIL, RG_DNS_OK, LISTED);
	assert_int_equal(got.zones[STANDARD].state, RG_ZONE_NOT_LISTED);
	assert_int_equal(got.zones[QIL].state, RG_ZONE_LISTED);
	assert_true(count_of(QIL)->listed == 1);
}

static void check_local(void **state)
{
	const struct rg_evidence rows[] = { { .list = RG_CLASS_APPROVED },
					    { .country = RG_CLASS_BLOCKED },
					    { .never_block = true },
					    { .overload = true } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		calls = 0;
		start_with(&rows[i]);
		assert_int_equal(fake_count, 0);
		wait_ms(1);
		assert_int_equal(calls, 1);
		assert_memory_equal(&got, &rows[i], sizeof(got));
	}
}

/*
 * Half of hold_timeout: QIL is asked though Standard is silent. All of it: the SYN is decided without Standard. The
 * whole time: what is silent has failed.
 */
static void check_silence(void **state)
{
	(void)state;
	start();
	answer(ALLOW, RG_DNS_NONE, 0);
	wait_ms(DEADLINE / 4);
	assert_null(fake_find(QIL, ""));
	wait_ms(DEADLINE / 2);
	assert_non_null(fake_find(QIL, NAME));
	answer(QIL, RG_DNS_NONE, 0);
	assert_int_equal(calls, 0); /* Standard may still answer */
	assert_int_equal(early_calls, 0);
	wait_ms(DEADLINE / 2);
	assert_int_equal(early_calls, 1);
	assert_int_equal(early.zones[STANDARD].state, RG_ZONE_FAILED);
	assert_int_equal(early.zones[QIL].state, RG_ZONE_NOT_LISTED);
	assert_int_equal(calls, 0);
	assert_int_equal(health_of(STANDARD)->failures, 0); /* late is not failed */
	wait_ms(TOTAL - DEADLINE);
	assert_int_equal(calls, 1);
	assert_int_equal(early_calls, 1);
	assert_int_equal(got.zones[STANDARD].state, RG_ZONE_FAILED);
	assert_int_equal(got.zones[STANDARD].status, RG_DNS_TIMEOUT);
	assert_int_equal(got.zones[QIL].state, RG_ZONE_NOT_LISTED);
	assert_true(count_of(STANDARD)->failed[RG_DNS_TIMEOUT] == 1);
	assert_true(count_of(STANDARD)->last_failure > 0);
	assert_int_equal(health_of(STANDARD)->failures, 1);
	/* Late, but in time. */
	calls = early_calls = 0;
	start();
	answer(ALLOW, RG_DNS_NONE, 0);
	wait_ms(DEADLINE * 3 / 4);
	answer(STANDARD, RG_DNS_OK, LISTED);
	assert_int_equal(calls, 1);
	assert_int_equal(early_calls, 0);
	assert_int_equal(got.zones[STANDARD].state, RG_ZONE_LISTED);
	assert_int_equal(got.zones[QIL].state, RG_ZONE_NOT_ASKED);
	assert_true(count_of(STANDARD)->answered == 1 && count_of(STANDARD)->late == 0);
}

/* After hold_timeout: the answer counts, the zone is good, and the share of late answers is known. */
static void check_slow(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		calls = early_calls = 0;
		start();
		answer(ALLOW, RG_DNS_NONE, 0);
		wait_ms(DEADLINE * 3 / 2);
		assert_int_equal(early_calls, 1);
		assert_int_equal(health_of(STANDARD)->overdue, 1);
		answer(STANDARD, RG_DNS_OK, LISTED);
		assert_int_equal(calls, 1);
		assert_int_equal(got.zones[STANDARD].state, RG_ZONE_LISTED);
		assert_int_equal(health_of(STANDARD)->state, RG_ZONE_HEALTH_GOOD);
		assert_int_equal(health_of(STANDARD)->overdue, 0);
	}
	assert_true(count_of(STANDARD)->late == 3 && count_of(STANDARD)->answered == 3);
	assert_true(count_of(STANDARD)->late_share > 0.99);
	assert_false(count_of(STANDARD)->is_slow); /* too few to tell */
	assert_true(count_of(ALLOW)->late == 0 && count_of(ALLOW)->late_share == 0);
	for (unsigned int i = 0; i < 20; i++) {
		calls = 0;
		start();
		answer(ALLOW, RG_DNS_NONE, 0);
		answer(STANDARD, RG_DNS_OK, LISTED);
	}
	assert_true(count_of(STANDARD)->is_slow); /* 3 of 23 */
	for (unsigned int i = 0; i < 400; i++) {
		calls = 0;
		start();
		answer(ALLOW, RG_DNS_NONE, 0);
		answer(STANDARD, RG_DNS_OK, LISTED);
	}
	assert_false(count_of(STANDARD)->is_slow);
}

/* A zone is not asked about a family that its configuration excludes, and nobody waits for it. */
static void check_excluded(void **state)
{
	(void)state;
	conf.zones[ALLOW].ipv4 = conf.zones[QIL].ipv4 = false;
	start();
	assert_null(fake_find(ALLOW, ""));
	answer(STANDARD, RG_DNS_NONE, 0);
	assert_null(fake_find(QIL, ""));
	assert_int_equal(calls, 1);
	assert_int_equal(got.zones[ALLOW].state, RG_ZONE_EXCLUDED);
	assert_int_equal(got.zones[QIL].state, RG_ZONE_EXCLUDED);
	assert_true(count_of(ALLOW)->asked == 0);
}

/* In a reload another zone takes the slot: it does not get the answers of the one before. */
static void check_taken_over(void **state)
{
	static const enum rg_dns_status statuses[] = { RG_DNS_OK, RG_DNS_NONE, RG_DNS_SERVFAIL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		calls = 0;
		start();
		answer(ALLOW, RG_DNS_NONE, 0);
		rg_inquiry_context_reset(context, STANDARD);
		rg_zone_test_reset(tester, STANDARD);
		answer(STANDARD, statuses[i], LISTED);
		answer(QIL, RG_DNS_NONE, 0);
		assert_int_equal(calls, 1);
		assert_int_equal(got.zones[STANDARD].state, RG_ZONE_FAILED);
		assert_true(got.zones[STANDARD].retry > 0); /* soon asked about again */
		assert_true(count_of(STANDARD)->listed == 0 && count_of(STANDARD)->not_listed == 0 &&
			    count_of(STANDARD)->failed[RG_DNS_SERVFAIL] == 0);
		assert_int_equal(health_of(STANDARD)->state, RG_ZONE_HEALTH_GOOD);
		assert_true(health_of(STANDARD)->answers == 0);
	}
}

/* What waits for other questions until the time is over says nothing of the zone. */
static void check_busy(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2 * RG_ZONE_HEALTH_FAILURES; i++) {
		calls = 0;
		fake_waits = true;
		start();
		wait_ms(DEADLINE * 3 / 2);
		assert_int_equal(calls, 1);
		assert_true(got.is_starved);
		assert_int_equal(got.zones[STANDARD].state, RG_ZONE_FAILED);
		assert_int_equal(got.zones[STANDARD].status, RG_DNS_BUSY);
		fake_ahead += RG_NSEC_PER_SEC;
	}
	assert_true(count_of(STANDARD)->failed[RG_DNS_BUSY] == 2 * RG_ZONE_HEALTH_FAILURES);
	assert_true(count_of(STANDARD)->failed[RG_DNS_TIMEOUT] == 0);
	assert_int_equal(health_of(STANDARD)->state, RG_ZONE_HEALTH_GOOD);
	assert_int_equal(health_of(STANDARD)->failures, 0);
	/* So does what was sent, while the resolver has too much to do. */
	fake_waits = false;
	fake_is_busy = true;
	for (unsigned int i = 0; i < 2 * RG_ZONE_HEALTH_FAILURES; i++) {
		calls = 0;
		start();
		wait_ms(TOTAL + DEADLINE / 2);
		assert_true(got.is_starved);
		fake_ahead += RG_NSEC_PER_SEC;
	}
	assert_true(count_of(STANDARD)->failed[RG_DNS_TIMEOUT] == 2 * RG_ZONE_HEALTH_FAILURES);
	assert_int_equal(health_of(STANDARD)->state, RG_ZONE_HEALTH_GOOD);
}

/* A retransmission raises what waits, and what is asked later. */
static void check_hurry(void **state)
{
	(void)state;
	fake_waits = true;
	start();
	assert_int_equal(fake_find(STANDARD, NAME)->priority, RG_DNS_NEW);
	rg_inquiry_hurry(inquiry);
	assert_int_equal(fake_find(STANDARD, NAME)->priority, RG_DNS_RETRY);
	answer(ALLOW, RG_DNS_NONE, 0);
	answer(STANDARD, RG_DNS_NONE, 0);
	assert_int_equal(fake_find(QIL, NAME)->priority, RG_DNS_RETRY);
	answer(QIL, RG_DNS_NONE, 0);
	assert_int_equal(calls, 1);
}

static void check_failures(void **state)
{
	static const enum rg_dns_status statuses[] = { RG_DNS_TIMEOUT, RG_DNS_SERVFAIL,
						       RG_DNS_REFUSED, RG_DNS_BAD };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		calls = 0;
		start();
		answer(ALLOW, RG_DNS_NONE, 0);
		answer(STANDARD, statuses[i], 0);
		answer(QIL, RG_DNS_NONE, 0);
		assert_int_equal(calls, 1);
		assert_int_equal(got.zones[STANDARD].state, RG_ZONE_FAILED);
		assert_int_equal(got.zones[STANDARD].status, statuses[i]);
		assert_true(count_of(STANDARD)->failed[statuses[i]] == 1);
	}
	/* A question that can't be sent. */
	fake_error = -ENOMEM;
	calls = 0;
	start();
	wait_ms(1);
	assert_int_equal(calls, 1);
	assert_int_equal(got.zones[STANDARD].status, RG_DNS_BAD);
	assert_int_equal(got.zones[QIL].status, RG_DNS_BAD);
}

/* Open: failed at once. Disabled: as if it did not list the peer. */
static void check_off(void **state)
{
	const struct rg_zone_question asked = asked_now(STANDARD);

	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		rg_zone_test_note_failure(tester, &asked, RG_DNS_SERVFAIL);
	rg_zone_test_tick(tester, rg_now());
	while (fake_find(ALLOW, ""))
		fake_answer(fake_find(ALLOW, ""), RG_DNS_OK, ERROR_CODE, 60);
	(void)fake_answer_all(QIL, RG_DNS_NONE, 0, 60);
	start();
	assert_null(fake_find(STANDARD, NAME));
	assert_null(fake_find(ALLOW, NAME));
	answer(QIL, RG_DNS_NONE, 0);
	assert_int_equal(calls, 1);
	assert_int_equal(got.zones[STANDARD].state, RG_ZONE_FAILED);
	assert_int_equal(got.zones[STANDARD].status, RG_DNS_OFF);
	assert_true(got.zones[STANDARD].retry > 0);
	assert_int_equal(got.zones[ALLOW].state, RG_ZONE_NOT_LISTED);
	assert_int_equal(got.zones[ALLOW].status, RG_DNS_OFF);
	assert_false(got.zones[ALLOW].has_ttl);
	assert_true(got.zones[ALLOW].retry > 0);
	assert_true(count_of(STANDARD)->off == 1 && count_of(ALLOW)->off == 1);
	assert_true(count_of(STANDARD)->asked == 0);
}

/* A record that can't be true is no listing, and the zone is tested. */
static void check_invalid(void **state)
{
	(void)state;
	start();
	answer(STANDARD, RG_DNS_OK, ERROR_CODE);
	answer(ALLOW, RG_DNS_OK, 0x7f0000ff); /* an allow list's "too many queries" */
	answer(QIL, RG_DNS_OK, 0); /* 0.0.0.0 */
	assert_int_equal(calls, 1);
	for (unsigned int zone = 0; zone < ZONES; zone++) {
		assert_int_equal(got.zones[zone].state, RG_ZONE_NOT_LISTED);
		assert_false(got.zones[zone].has_ttl);
		assert_true(count_of(zone)->failed[RG_DNS_OK] == 1);
		assert_true(got.zones[zone].is_error && got.zones[zone].has_code);
	}
	assert_int_equal(got.zones[QIL].code, 0);
	assert_int_equal(got.zones[STANDARD].code, ERROR_CODE);
	assert_int_equal(got.zones[ALLOW].code, 0x7f0000ff);
	rg_zone_test_tick(tester, rg_now());
	assert_non_null(fake_find(STANDARD, ""));
}

/* With self-tests a listing waits until the zone has shown that it does not list everybody. */
static void check_tested(void **state)
{
	(void)state;
	conf.zones[STANDARD].selftest = RG_SELFTEST_NEGATIVE;
	start();
	answer(ALLOW, RG_DNS_NONE, 0);
	answer(STANDARD, RG_DNS_OK, LISTED);
	assert_int_equal(calls, 0);
	wait_ms(1);
	fake_answer(fake_find(STANDARD, ""), RG_DNS_NONE, 0, 60);
	assert_int_equal(calls, 1);
	assert_int_equal(got.zones[STANDARD].state, RG_ZONE_LISTED);
	/* It lists the random address, too: the listing is disproved, QIL is asked. */
	fake_ahead += RG_NSEC_PER_SEC;
	calls = 0;
	start();
	answer(ALLOW, RG_DNS_NONE, 0);
	answer(STANDARD, RG_DNS_OK, LISTED);
	wait_ms(1);
	fake_answer(fake_find(STANDARD, ""), RG_DNS_OK, LISTED, 60);
	answer(QIL, RG_DNS_NONE, 0);
	assert_int_equal(calls, 1);
	assert_int_equal(got.zones[STANDARD].state, RG_ZONE_NOT_LISTED);
	assert_true(got.zones[STANDARD].doubted);
	assert_int_equal(got.zones[STANDARD].ttl, 60);
	assert_true(count_of(STANDARD)->doubted == 1 && count_of(STANDARD)->listed == 1);
}

/* The test may take as long as the answer. If it does not end then, it is the same as no answer. */
static void check_untested(void **state)
{
	(void)state;
	conf.zones[STANDARD].selftest = RG_SELFTEST_NEGATIVE;
	start();
	answer(ALLOW, RG_DNS_NONE, 0);
	answer(STANDARD, RG_DNS_OK, LISTED);
	wait_ms(TOTAL + DEADLINE / 2);
	assert_int_equal(early_calls, 2); /* hold_timeout, and the time for answers */
	assert_int_equal(calls, 0);
	wait_ms(TOTAL - DEADLINE);
	assert_int_equal(calls, 1);
	assert_int_equal(got.zones[STANDARD].state, RG_ZONE_FAILED);
	assert_int_equal(got.zones[STANDARD].retry, 2);
	fake_answer(fake_find(STANDARD, ""), RG_DNS_NONE, 0, 60); /* the zone's, nobody waits */
	fake_ahead += RG_NSEC_PER_SEC;
	calls = early_calls = 0;
	start();
	answer(ALLOW, RG_DNS_NONE, 0);
	answer(STANDARD, RG_DNS_OK, LISTED);
	wait_ms(TOTAL + DEADLINE / 2);
	fake_answer(fake_find(STANDARD, ""), RG_DNS_NONE, 0, 60);
	assert_int_equal(calls, 1);
	assert_int_equal(early_calls, 2);
	assert_int_equal(got.zones[STANDARD].state, RG_ZONE_LISTED);
}

/* A zone whose share jumped: its listings count as none. */
static void check_monitor(void **state)
{
	const struct rg_zone_question asked = asked_now(STANDARD);

	(void)state;
	conf.hit_share_jump = 40;
	for (unsigned int i = 0; i < 1000; i++)
		rg_zone_test_note_answer(tester, &asked, false);
	for (unsigned int i = 0; i < 400; i++)
		rg_zone_test_note_answer(tester, &asked, true);
	assert_int_equal(health_of(STANDARD)->state, RG_ZONE_HEALTH_MONITOR);
	start();
	answer(ALLOW, RG_DNS_NONE, 0);
	answer(STANDARD, RG_DNS_OK, LISTED);
	answer(QIL, RG_DNS_NONE, 0);
	assert_int_equal(got.zones[STANDARD].state, RG_ZONE_NOT_LISTED);
	assert_true(count_of(STANDARD)->monitored == 1 && count_of(STANDARD)->listed == 0);
	conf.hit_share_jump = 0;
}

/* Cancelled at every stage: no call, no question left. */
static void check_cancelled(void **state)
{
	(void)state;
	rg_inquiry_cancel(NULL);
	conf.zones[STANDARD].selftest = RG_SELFTEST_NEGATIVE;
	for (unsigned int stage = 0; stage < 4; stage++) {
		start();
		if (stage >= 1)
			answer(ALLOW, RG_DNS_NONE, 0);
		if (stage >= 2)
			answer(STANDARD, stage == 2 ? RG_DNS_NONE : RG_DNS_OK,
			       stage == 2 ? 0 : LISTED);
		rg_inquiry_cancel(inquiry);
		inquiry = NULL;
		for (unsigned int zone = 0; zone < ZONES; zone++)
			assert_null(fake_find(zone, NAME));
	}
	wait_ms(TOTAL + DEADLINE / 2);
	assert_int_equal(calls, 0);
	(void)fake_answer_all(STANDARD, RG_DNS_NONE, 0, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(check_not_listed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_local, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_silence, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_slow, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_excluded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_taken_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_busy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_hurry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_failures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_invalid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_tested, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_untested, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_monitor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_cancelled, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
