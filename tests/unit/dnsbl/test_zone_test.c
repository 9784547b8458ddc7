/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of zones: which points are asked for, results as rows, quick tests, waiters, reload, reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsbl/zone_test.h"

#include "tests/unit/dnsbl/fake_dns.h"

#include <cmocka.h>

#define LISTED 0x7f000002
#define ERROR_CODE 0x7fffffff
#define SECONDS(n) ((n)*RG_NSEC_PER_SEC)

/* Zones at their slots: full, negative, off, allow. */
enum { FULL, NEGATIVE, OFF, ALLOW, ZONES };

static struct rg_conf conf = {
	.references = 1,
	.zone_count = ZONES,
	.hit_share_window = 100,
	.zones = {
		{ .alias = "full", .suffix = (char[]){ "full.test" }, .slot = FULL,
		  .peer_class = RG_CLASS_STANDARD, .selftest = RG_SELFTEST_FULL },
		{ .alias = "negative", .suffix = (char[]){ "negative.test" }, .slot = NEGATIVE,
		  .peer_class = RG_CLASS_QIL, .selftest = RG_SELFTEST_NEGATIVE },
		{ .alias = "off", .suffix = (char[]){ "off.test" }, .slot = OFF,
		  .peer_class = RG_CLASS_STANDARD, .selftest = RG_SELFTEST_OFF },
		{ .alias = "allow", .suffix = (char[]){ "allow.test" }, .slot = ALLOW,
		  .peer_class = RG_CLASS_APPROVED, .selftest = RG_SELFTEST_NEGATIVE },
	},
};

static struct event_base *base;
static struct rg_conf *in_force = &conf;
static struct rg_zone_test *tester;
static unsigned int changes;
static struct rg_zone_change last; /* the latest of them */
static unsigned int confirmed, disproved;

static void on_change(void *arg, const struct rg_zone_change *change)
{
	assert_ptr_equal(arg, &conf);
	assert_ptr_equal(change->health,
			 rg_zone_test_health(tester, change->zone->slot, change->family));
	changes++;
	last = *change;
}

static void on_done(void *arg, bool is_confirmed)
{
	(void)arg;
	confirmed += is_confirmed;
	disproved += !is_confirmed;
}

static int set_up(void **state)
{
	(void)state;
	fake_reset();
	in_force = &conf;
	conf.zone_count = ZONES;
	for (unsigned int i = 0; i < ZONES; i++) {
		conf.zones[i].ipv4 = conf.zones[i].ipv6 = true;
		conf.zones[i].codes = (struct rg_dnsbl_codes){ .is_allow = i == ALLOW };
		rg_dnsbl_codes_default(&conf.zones[i].codes);
	}
	changes = confirmed = disproved = 0;
	fake_ahead += SECONDS(10000);
	base = event_base_new();
	return rg_zone_test_new(&tester, base, NULL, &in_force, on_change, &conf);
}

static int tear_down(void **state)
{
	(void)state;
	rg_zone_test_free(tester);
	rg_zone_test_free(NULL);
	event_base_free(base);
	assert_int_equal(fake_open, 0); /* all cancelled */
	assert_int_equal(conf.references, 1);
	return 0;
}

static enum rg_zone_health_state state_of(unsigned int slot)
{
	return rg_zone_test_health(tester, slot, RG_FAMILY_V4)->state;
}

static enum rg_zone_health_state state6_of(unsigned int slot)
{
	return rg_zone_test_health(tester, slot, RG_FAMILY_V6)->state;
}

/* A question about an IPv4 peer, sent at asked_at. */
static struct rg_zone_question sent(unsigned int slot, uint64_t asked_at)
{
	return (struct rg_zone_question){ &conf.zones[slot], RG_FAMILY_V4, asked_at };
}

static struct rg_zone_question sent_now(unsigned int slot)
{
	return sent(slot, rg_now());
}

static void note_answers(unsigned int slot, unsigned int count, bool listed)
{
	const struct rg_zone_question asked = sent_now(slot);

	for (unsigned int i = 0; i < count; i++)
		rg_zone_test_note_answer(tester, &asked, listed);
}

/* Time goes on, and what is due in the event loop happens. */
static void wait_ms(unsigned int ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

/* Answers a whole test of a zone that works. */
static void pass(unsigned int slot)
{
	struct rg_dns_query *positive = fake_find(slot, "2.0.0.127.");

	if (positive)
		fake_answer(positive, RG_DNS_OK, LISTED, 60);
	(void)fake_answer_all(slot, RG_DNS_NONE, 0, 60);
}

static void pass_all(void)
{
	rg_zone_test_tick(tester, rg_now());
	for (unsigned int slot = 0; slot < ZONES; slot++)
		pass(slot);
}

static unsigned int open_queries(unsigned int slot)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < FAKE_QUERIES; i++)
		count += fake_queries[i].open && fake_queries[i].lane == slot;
	return count;
}

static bool wait_for(unsigned int slot, uint64_t asked_at, struct rg_zone_test_waiter *waiter)
{
	const struct rg_zone_question asked = sent(slot, asked_at);

	return rg_zone_test_wait(tester, &asked, waiter, on_done, NULL);
}

/* ::ffff:127..., in nibbles; the random address has any before. */
#define NIBBLES ".f.7.f.f.f.f.0.0.0.0."

static unsigned int open_queries6(unsigned int slot)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < FAKE_QUERIES; i++)
		count += fake_queries[i].open && fake_queries[i].lane == slot &&
			 strstr(fake_queries[i].name, NIBBLES) != NULL;
	return count;
}

static void check_points(void **state)
{
	(void)state;
	rg_zone_test_tick(tester, rg_now());
	assert_int_equal(open_queries6(FULL), 2);
	assert_int_equal(open_queries6(OFF), 1);
	assert_int_equal(open_queries(FULL), 5);
	assert_non_null(fake_find(FULL, "2.0.0.127.full.test"));
	assert_non_null(fake_find(FULL, "1.0.0.127.full.test"));
	assert_non_null(fake_find(FULL, "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0."));
	assert_int_equal(open_queries(NEGATIVE), 4);
	assert_null(fake_find(NEGATIVE, "2.0.0.127.negative.test"));
	assert_int_equal(open_queries(OFF), 2);
	rg_zone_test_tick(tester, rg_now()); /* none is begun twice */
	assert_int_equal(open_queries(FULL), 5);
	pass_all();
	assert_int_equal(fake_open, 0);
	assert_int_equal(changes, 0);
	rg_zone_test_tick(tester, rg_now() + SECONDS(299));
	assert_int_equal(fake_open, 0);
	rg_zone_test_tick(tester, rg_now() + SECONDS(1801));
	assert_int_equal(fake_open, 15);
	pass_all();
}

/* A zone that is asked about one family only is tested for that one. */
static void check_one_family(void **state)
{
	(void)state;
	conf.zones[FULL].ipv4 = false;
	conf.zones[NEGATIVE].ipv6 = false;
	rg_zone_test_tick(tester, rg_now());
	assert_int_equal(open_queries(FULL), 3);
	assert_int_equal(open_queries6(FULL), 3);
	assert_non_null(fake_find(FULL, "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0."));
	assert_int_equal(open_queries(NEGATIVE), 2);
	assert_int_equal(open_queries6(NEGATIVE), 0);
	fake_answer(fake_find(FULL, "2.0.0.0."), RG_DNS_NONE, 0, 60);
	fake_answer(fake_find(NEGATIVE, "1.0.0.127."), RG_DNS_OK, LISTED, 60);
	pass_all();
	assert_int_equal(state6_of(FULL), RG_ZONE_HEALTH_DISABLED);
	assert_string_equal(rg_zone_test_health(tester, FULL, RG_FAMILY_V6)->why,
			    "does not list ::ffff:127.0.0.2");
	assert_int_equal(state_of(NEGATIVE), RG_ZONE_HEALTH_DISABLED);
	assert_true(last.is_whole);
}

/* What a zone does with IPv6 names, and what becomes of its IPv4; and the other way round. */
static const struct family_row {
	enum rg_dns_status status;
	uint32_t record;
	enum rg_zone_health_state want;
	const char *why;
} family_rows[] = {
	{ RG_DNS_REFUSED, 0, RG_ZONE_HEALTH_OPEN, "refused" },
	{ RG_DNS_SERVFAIL, 0, RG_ZONE_HEALTH_OPEN, "servfail" },
	{ RG_DNS_BAD, 0, RG_ZONE_HEALTH_OPEN, "bad answer" }, /* NOTIMP */
	{ RG_DNS_TIMEOUT, 0, RG_ZONE_HEALTH_OPEN, "timeout" },
	{ RG_DNS_OK, LISTED, RG_ZONE_HEALTH_DISABLED, "lists addresses of 127.0.0.0/8" },
	{ RG_DNS_OK, 0, RG_ZONE_HEALTH_DISABLED, "answers 0.0.0.0" },
	{ RG_DNS_OK, ERROR_CODE, RG_ZONE_HEALTH_DISABLED, "answers 127.255.255.255" },
};

static void check_family(const struct family_row *row, enum rg_family broken)
{
	const struct rg_zone_health *health = rg_zone_test_health(tester, FULL, broken);
	const char *name;

	for (unsigned int round = 0; round < 5; round++, fake_ahead += SECONDS(20)) {
		struct rg_dns_query *query;

		rg_zone_test_tick(tester, rg_now());
		for (unsigned int i = 0; i < FAKE_QUERIES; i++) {
			query = &fake_queries[i];
			if (query->open && query->lane == FULL &&
			    (strstr(query->name, NIBBLES) != NULL) == (broken == RG_FAMILY_V6))
				fake_answer(query, row->status, row->record, 60);
		}
		for (unsigned int slot = 0; slot < ZONES; slot++)
			pass(slot);
		note_answers(FULL, 1, false); /* IPv4 peers */
	}
	assert_int_equal(health->state, row->want);
	assert_string_equal(health->why, row->why);
	assert_int_equal(rg_zone_test_health(tester, FULL, !broken)->state, RG_ZONE_HEALTH_GOOD);
	assert_ptr_equal(rg_zone_test_worst(tester, &conf.zones[FULL], &name), health);
	assert_string_equal(name, broken == RG_FAMILY_V6 ? "IPv6" : "IPv4");
	assert_int_equal(last.family, broken);
	assert_false(last.is_whole);
}

static void check_families(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(family_rows) * 2; i++) {
		const struct family_row *row = &family_rows[i / 2];

		if (i)
			assert_int_equal(set_up(state), 0);
		if (i % 2 == 0 || row->want == RG_ZONE_HEALTH_DISABLED)
			check_family(row, i % 2 ? RG_FAMILY_V4 : RG_FAMILY_V6);
		if (i + 1 < ARRAY_SIZE(family_rows) * 2)
			tear_down(state);
	}
}

/* One point is answered so, the others as they should be. */
static const struct row {
	const char *name;
	unsigned int slot;
	const char *point; /* beginning of the name; "": the random address */
	enum rg_dns_status status;
	uint32_t record;
	enum rg_zone_health_state want;
	const char *why;
} rows[] = {
	{ "lists 127.0.0.1", FULL, "1.0.0.127.", RG_DNS_OK, LISTED, RG_ZONE_HEALTH_DISABLED,
	  "lists 127.0.0.1" },
	{ "lists a random address", NEGATIVE, "", RG_DNS_OK, LISTED, RG_ZONE_HEALTH_DISABLED,
	  "lists addresses of 127.0.0.0/8" },
	{ "does not list 127.0.0.2", FULL, "2.0.0.127.", RG_DNS_NONE, 0, RG_ZONE_HEALTH_DISABLED,
	  "does not list 127.0.0.2" },
	{ "an error code", NEGATIVE, "1.0.0.127.", RG_DNS_OK, ERROR_CODE, RG_ZONE_HEALTH_DISABLED,
	  "answers 127.255.255.255" },
	{ "an address outside 127/8", OFF, "", RG_DNS_OK, 0x0a000001, RG_ZONE_HEALTH_DISABLED,
	  "answers 10.0.0.1" },
	{ "0.0.0.0, to the random address", NEGATIVE, "", RG_DNS_OK, 0, RG_ZONE_HEALTH_DISABLED,
	  "answers 0.0.0.0" },
	{ "0.0.0.0, to 127.0.0.1", FULL, "1.0.0.127.", RG_DNS_OK, 0, RG_ZONE_HEALTH_DISABLED,
	  "answers 0.0.0.0" },
	{ "0.0.0.0, where a listing should be", FULL, "2.0.0.127.", RG_DNS_OK, 0,
	  RG_ZONE_HEALTH_DISABLED, "answers 0.0.0.0" },
	{ "an allow list's error code", ALLOW, "", RG_DNS_OK, 0x7f0000ff, RG_ZONE_HEALTH_DISABLED,
	  "answers 127.0.0.255" },
	{ "the same record of another list is no error", NEGATIVE, "", RG_DNS_OK, 0x7f0000ff,
	  RG_ZONE_HEALTH_GOOD, "" },
	{ "127.0.0.2 has another code than the zone's", FULL, "2.0.0.127.", RG_DNS_OK, 0x7f020001,
	  RG_ZONE_HEALTH_GOOD, "" },
	{ "no answer about the random address", NEGATIVE, "", RG_DNS_TIMEOUT, 0,
	  RG_ZONE_HEALTH_FAILING, "timeout" },
	{ "no answer about another point", NEGATIVE, "1.0.0.127.", RG_DNS_SERVFAIL, 0,
	  RG_ZONE_HEALTH_GOOD, "" },
	{ "selftest = off, and it lists all", OFF, "", RG_DNS_OK, LISTED, RG_ZONE_HEALTH_GOOD, "" },
	{ "an answer that the codes do not select", NEGATIVE, "1.0.0.127.", RG_DNS_OK, 0x7f020001,
	  RG_ZONE_HEALTH_GOOD, "" },
};

static void check_rows(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct rg_dns_query *query;

		if (i)
			assert_int_equal(set_up(state), 0);
		rg_zone_test_tick(tester, rg_now());
		/* The random address is asked for first. */
		query = fake_find(row->slot, row->point);
		assert_non_null(query);
		fake_answer(query, row->status, row->record, 60);
		pass_all();
		if (state_of(row->slot) != row->want ||
		    strcmp(rg_zone_test_health(tester, row->slot, RG_FAMILY_V4)->why, row->why) != 0 ||
		    changes != (row->want != RG_ZONE_HEALTH_GOOD))
			fail_msg("%s: %s, \"%s\"", row->name,
				 rg_zone_health_name(state_of(row->slot)),
				 rg_zone_test_health(tester, row->slot, RG_FAMILY_V4)->why);
		if (i + 1 < ARRAY_SIZE(rows))
			tear_down(state);
	}
}

/* Disabled: only what no cache has is asked for; and it comes back. */
static void check_recovery(void **state)
{
	(void)state;
	rg_zone_test_tick(tester, rg_now());
	fake_answer(fake_find(NEGATIVE, "1.0.0.127."), RG_DNS_OK, LISTED, 60);
	pass_all();
	assert_int_equal(state_of(NEGATIVE), RG_ZONE_HEALTH_DISABLED);
	assert_int_equal(rg_zone_test_retry_after(tester, NEGATIVE, RG_FAMILY_V4), 6);
	assert_int_equal(rg_zone_test_retry_after(tester, FULL, RG_FAMILY_V4), 0);
	fake_ahead += SECONDS(6);
	assert_int_equal(rg_zone_test_retry_after(tester, NEGATIVE, RG_FAMILY_V4), 2);
	rg_zone_test_tick(tester, rg_now());
	assert_int_equal(open_queries(NEGATIVE), 1);
	pass(NEGATIVE);
	assert_int_equal(state_of(NEGATIVE), RG_ZONE_HEALTH_GOOD);
	assert_int_equal(changes, 2);
}

static void check_results_of_peers(void **state)
{
	const struct rg_zone_question full = sent_now(FULL), negative = sent_now(NEGATIVE);

	(void)state;
	pass_all();
	for (unsigned int i = 0; i < 5; i++)
		rg_zone_test_note_failure(tester, &full, RG_DNS_SERVFAIL);
	assert_int_equal(state_of(FULL), RG_ZONE_HEALTH_OPEN);
	assert_int_equal(changes, 2); /* failing, open */
	rg_zone_test_note_answer(tester, &negative, false);
	assert_true(rg_zone_test_health(tester, NEGATIVE, RG_FAMILY_V4)->answers == 1);
	fake_ahead += SECONDS(20);
	rg_zone_test_note_invalid(tester, &negative);
	rg_zone_test_tick(tester, rg_now());
	assert_int_equal(open_queries(NEGATIVE), 2);
}

/* A zone that is silent about both families opens once, for both. */
static void check_silence(void **state)
{
	(void)state;
	pass_all();
	fake_ahead += SECONDS(20);
	for (unsigned int i = 0; i < 5; i++) {
		struct rg_zone_question asked = sent(FULL, rg_now() - SECONDS(4));

		asked.family = i % 2 ? RG_FAMILY_V6 : RG_FAMILY_V4;
		rg_zone_test_note_failure(tester, &asked, RG_DNS_TIMEOUT);
	}
	assert_int_equal(state_of(FULL), RG_ZONE_HEALTH_OPEN);
	assert_int_equal(state6_of(FULL), RG_ZONE_HEALTH_OPEN);
	assert_int_equal(changes, 3); /* failing, failing, open */
	assert_true(last.is_whole);
}

/* Twenty peers at once, nobody answers: open as soon as the first one has failed. */
static void check_twenty(void **state)
{
	struct rg_zone_question asked;

	(void)state;
	pass_all();
	fake_ahead += SECONDS(20);
	asked = sent_now(FULL);
	fake_ahead += SECONDS(1);
	for (unsigned int i = 0; i < 20; i++)
		rg_zone_test_note_overdue(tester, &asked);
	assert_int_equal(state_of(FULL), RG_ZONE_HEALTH_GOOD);
	fake_ahead += SECONDS(3);
	rg_zone_test_note_failure(tester, &asked, RG_DNS_TIMEOUT);
	assert_int_equal(state_of(FULL), RG_ZONE_HEALTH_OPEN);
}

/* The share of listed peers jumps: the control group is asked about, and again while the listings pass. */
static void check_control(void **state)
{
	struct rg_addr addr = { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 } };
	const struct rg_zone_question asked = sent_now(NEGATIVE);

	(void)state;
	pass_all();
	conf.hit_share_jump = 40;
	for (unsigned int i = 0; i < 1000; i++) {
		addr.bytes[14] = (uint8_t)i;
		rg_zone_test_note_answer(tester, &asked, false);
		rg_zone_test_note_clean(tester, &asked, &addr, 60);
	}
	note_answers(NEGATIVE, 400, true);
	assert_int_equal(state_of(NEGATIVE), RG_ZONE_HEALTH_GOOD);
	assert_int_equal(open_queries(NEGATIVE), 16);
	fake_answer_all(NEGATIVE, RG_DNS_OK, LISTED, 60);
	assert_int_equal(state_of(NEGATIVE), RG_ZONE_HEALTH_MONITOR);
	rg_zone_test_tick(tester, rg_now());
	assert_int_equal(open_queries(NEGATIVE), 0);
	fake_ahead += SECONDS(61);
	rg_zone_test_tick(tester, rg_now());
	assert_int_equal(open_queries(NEGATIVE), 16);
	fake_answer_all(NEGATIVE, RG_DNS_NONE, 0, 60);
	assert_int_equal(state_of(NEGATIVE), RG_ZONE_HEALTH_GOOD);
	/* Under way when the slot gets another zone. */
	for (unsigned int i = 0; i < 8000 && !open_queries(NEGATIVE); i++)
		rg_zone_test_note_answer(tester, &asked, i > 5000);
	assert_int_equal(open_queries(NEGATIVE), 16);
	rg_zone_test_reset(tester, NEGATIVE);
	assert_int_equal(open_queries(NEGATIVE), 0);
	conf.hit_share_jump = 0;
}

static void check_quick(void **state)
{
	struct rg_zone_test_waiter waiters[3] = {};
	uint64_t asked_at;

	(void)state;
	pass_all();
	asked_at = rg_now();
	assert_true(wait_for(FULL, asked_at, &waiters[0]));
	assert_true(wait_for(FULL, asked_at, &waiters[1]));
	wait_ms(1);
	assert_int_equal(open_queries(FULL), 1); /* one test for both */
	/* A third one, of a question that was sent before the test: the same test is enough. */
	assert_true(wait_for(FULL, asked_at, &waiters[2]));
	fake_answer_all(FULL, RG_DNS_NONE, 0, 60);
	assert_int_equal(confirmed, 3);
	/* The test began after this question: no need to wait. */
	assert_false(wait_for(FULL, asked_at, &waiters[0]));
	/* A newer question needs a newer test, which does not come at once. */
	assert_true(wait_for(FULL, rg_now(), &waiters[0]));
	wait_ms(20);
	assert_int_equal(fake_open, 0);
	wait_ms(300);
	assert_int_equal(open_queries(FULL), 1);
	/* One that comes while it is under way, for a question after it began, waits for the next. */
	assert_true(wait_for(FULL, rg_now(), &waiters[1]));
	fake_answer_all(FULL, RG_DNS_TIMEOUT, 0, 0); /* no answer: the listing counts */
	assert_int_equal(confirmed, 4);
	wait_ms(300);
	fake_answer_all(FULL, RG_DNS_OK, LISTED, 60);
	assert_int_equal(confirmed, 4);
	assert_int_equal(disproved, 1);
	assert_int_equal(state_of(FULL), RG_ZONE_HEALTH_DISABLED);
	assert_int_equal(changes, 1);
}

static void check_quick_exceptions(void **state)
{
	struct rg_zone_test_waiter waiter = {};

	(void)state;
	pass_all();
	/* An allow list's listing counts at once; the test follows. */
	assert_false(wait_for(ALLOW, rg_now(), &waiter));
	wait_ms(1);
	assert_int_equal(open_queries(ALLOW), 1);
	fake_answer_all(ALLOW, RG_DNS_OK, LISTED, 60);
	assert_int_equal(state_of(ALLOW), RG_ZONE_HEALTH_DISABLED);
	/* Cancelled: nobody is called. */
	assert_true(wait_for(FULL, rg_now(), &waiter));
	rg_zone_test_cancel(&waiter);
	rg_zone_test_cancel(&waiter);
	wait_ms(1);
	fake_answer_all(FULL, RG_DNS_NONE, 0, 60);
	/* No memory for the question: the listing counts. */
	fake_ahead += SECONDS(1);
	fake_error = -ENOMEM;
	assert_true(wait_for(FULL, rg_now(), &waiter));
	wait_ms(1);
	assert_int_equal(confirmed, 1);
	/* A whole test without any question passes. */
	rg_zone_test_tick(tester, rg_now() + SECONDS(3600));
	assert_int_equal(state_of(FULL), RG_ZONE_HEALTH_GOOD);
	fake_error = 0;
}

/* The zone has gone with a reload: what waits for it does not count. */
static void check_reload(void **state)
{
	struct rg_zone_test_waiter waiters[2] = {};
	struct rg_conf other = conf;

	(void)state;
	pass_all();
	assert_true(wait_for(FULL, rg_now(), &waiters[0]));
	other.zone_count = 0;
	in_force = &other;
	wait_ms(1);
	assert_int_equal(fake_open, 0);
	assert_int_equal(disproved, 1);
	/* A test under way ends with the configuration that it began with; its result is nobody's. */
	in_force = &conf;
	rg_zone_test_tick(tester, rg_now() + SECONDS(3600));
	assert_int_equal(conf.references, 1 + ZONES * RG_FAMILIES);
	in_force = &other;
	for (unsigned int slot = 0; slot < ZONES; slot++)
		fake_answer_all(slot, RG_DNS_OK, ERROR_CODE, 60);
	assert_int_equal(changes, 0);
	assert_int_equal(conf.references, 1);
	rg_zone_test_tick(tester, rg_now() + SECONDS(7200));
	assert_int_equal(fake_open, 0);
	in_force = &conf;
	/* The state is the slot's, until a new zone resets it. */
	assert_int_equal(state_of(NEGATIVE), RG_ZONE_HEALTH_DISABLED);
}

/* Another zone in the slot: nothing of the one before counts. */
static void check_reset(void **state)
{
	struct rg_zone_test_waiter waiters[2] = {};

	(void)state;
	pass_all();
	assert_true(wait_for(FULL, rg_now(), &waiters[0]));
	wait_ms(1);
	assert_true(wait_for(FULL, rg_now(), &waiters[1]));
	rg_zone_test_tick(tester, rg_now() + SECONDS(3600));
	rg_zone_test_reset(tester, FULL);
	assert_int_equal(open_queries(FULL), 0);
	assert_int_equal(confirmed, 1);
	wait_ms(300);
	assert_int_equal(open_queries(FULL), 1);
	fake_answer_all(FULL, RG_DNS_NONE, 0, 60);
	assert_int_equal(confirmed, 2);
}

/* A slow zone gets its quick test together with the question. */
static void check_slow(void **state)
{
	const struct rg_zone_question now[] = { sent_now(FULL), sent_now(NEGATIVE), sent_now(OFF),
						sent_now(ALLOW) };
	struct rg_zone_test_waiter waiter = {};
	uint64_t asked_at;

	(void)state;
	pass_all();
	rg_zone_test_note_question(tester, &now[FULL]);
	wait_ms(1);
	assert_int_equal(fake_open, 0);
	fake_ahead += SECONDS(1) / 5;
	for (unsigned int i = 0; i < 3; i++)
		for (unsigned int slot = 0; slot < ZONES; slot++)
			rg_zone_test_note_latency(tester, &now[slot]);
	asked_at = rg_now();
	rg_zone_test_note_question(tester, &now[FULL]);
	rg_zone_test_note_question(tester, &now[OFF]);
	wait_ms(1);
	assert_int_equal(open_queries(FULL), 1);
	assert_int_equal(open_queries(OFF), 0);
	fake_answer_all(FULL, RG_DNS_NONE, 0, 60);
	assert_false(wait_for(FULL, asked_at, &waiter));
}

/* unbound with private-address: the name is there, its record and the SOA are not. */
static void check_stripped(void **state)
{
	const struct rg_dns_answer answer = { .status = RG_DNS_NONE, .exists = true };
	struct rg_dns_query *query;

	(void)state;
	rg_zone_test_tick(tester, rg_now());
	query = fake_find(FULL, "2.0.0.127.");
	assert_non_null(query);
	query->open = false;
	fake_open--;
	query->callback(query->arg, &answer);
	pass_all();
	assert_int_equal(state_of(FULL), RG_ZONE_HEALTH_DISABLED);
	assert_string_equal(rg_zone_test_health(tester, FULL, RG_FAMILY_V4)->why,
			    "the resolver removes 127.0.0.0/8 from answers (private-address)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(check_stripped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_points, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_one_family, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_families, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_silence, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_twenty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_rows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_recovery, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_control, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_results_of_peers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_quick, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_quick_exceptions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_reload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_reset, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_slow, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
