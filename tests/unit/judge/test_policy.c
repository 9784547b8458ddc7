/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ERS's order, first match wins, as rows: what is known -> verdict, TTL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "judge/policy.h"

#include <cmocka.h>

static struct rg_conf conf = {
	.blocked_action = RG_ACTION_RESET,
	.clean_ttl_min = 60,
	.clean_ttl_max = 3600,
	.failure_ttl = 30,
	.zone_count = 4,
	.zones = {
		{ .peer_class = RG_CLASS_QIL, .action = RG_ACTION_RESET, .ttl_min = 300, .ttl_max = 43200 },
		{ .peer_class = RG_CLASS_STANDARD, .action = RG_ACTION_DROP, .ttl_min = 600, .ttl_max = 86400 },
		{ .peer_class = RG_CLASS_STANDARD, .action = RG_ACTION_RESET, .ttl_min = 60, .ttl_max = 120 },
		{ .peer_class = RG_CLASS_APPROVED, .action = RG_ACTION_PASS, .ttl_min = 60, .ttl_max = 7200 },
	},
};

#define NOT(seconds)                                                           \
	{                                                                      \
		.state = RG_ZONE_NOT_LISTED, .ttl = (seconds), .has_ttl = true \
	}
#define NOT_WITHOUT_SOA                     \
	{                                   \
		.state = RG_ZONE_NOT_LISTED \
	}
#define LISTED(seconds)                                                                        \
	{                                                                                      \
		.state = RG_ZONE_LISTED, .code = 0x7f000002, .ttl = (seconds), .has_ttl = true \
	}
#define FAILED                          \
	{                               \
		.state = RG_ZONE_FAILED \
	}

static const struct row {
	const char *name;
	struct rg_evidence evidence;
	struct rg_outcome want;
} rows[] = {
	{ "nothing listed: the shortest negative TTL",
	  { .zones = { NOT(900), NOT(500), NOT(700) } },
	  { RG_CLASS_CLEAN, RG_ACTION_PASS, RG_REASON_NOT_LISTED, RG_NO_ZONE, 0, 500 } },
	{ "negative TTL below the floor",
	  { .zones = { NOT(900), NOT(5), NOT(700) } },
	  { RG_CLASS_CLEAN, RG_ACTION_PASS, RG_REASON_NOT_LISTED, RG_NO_ZONE, 0, 60 } },
	{ "negative TTL above the ceiling",
	  { .zones = { NOT(9000), NOT(9000), NOT(9000) } },
	  { RG_CLASS_CLEAN, RG_ACTION_PASS, RG_REASON_NOT_LISTED, RG_NO_ZONE, 0, 3600 } },
	{ "a negative answer without SOA: the floor",
	  { .zones = { NOT(900), NOT_WITHOUT_SOA, NOT(700) } },
	  { RG_CLASS_CLEAN, RG_ACTION_PASS, RG_REASON_NOT_LISTED, RG_NO_ZONE, 0, 60 } },
	{ "Standard wins over QIL, though QIL stands first",
	  { .zones = { LISTED(600), LISTED(1000), NOT(60) } },
	  { RG_CLASS_STANDARD, RG_ACTION_DROP, RG_REASON_ZONE, 1, 0x7f000002, 1000 } },
	{ "of two Standard zones the first",
	  { .zones = { NOT(60), LISTED(1000), LISTED(100) } },
	  { RG_CLASS_STANDARD, RG_ACTION_DROP, RG_REASON_ZONE, 1, 0x7f000002, 1000 } },
	{ "Standard's TTL has a ceiling",
	  { .zones = { NOT(60), NOT(60), LISTED(1000) } },
	  { RG_CLASS_STANDARD, RG_ACTION_RESET, RG_REASON_ZONE, 2, 0x7f000002, 120 } },
	{ "QIL: at least 5 minutes",
	  { .zones = { LISTED(10), NOT(60), NOT(60) } },
	  { RG_CLASS_QIL, RG_ACTION_RESET, RG_REASON_ZONE, 0, 0x7f000002, 300 } },
	{ "QIL: at most 12 hours",
	  { .zones = { LISTED(100000), NOT(60), NOT(60) } },
	  { RG_CLASS_QIL, RG_ACTION_RESET, RG_REASON_ZONE, 0, 0x7f000002, 43200 } },
	{ "a failure is no listing: pass, for a short time",
	  { .zones = { NOT(900), FAILED, NOT(900) } },
	  { RG_CLASS_CLEAN, RG_ACTION_PASS, RG_REASON_DNS_FAILURE, RG_NO_ZONE, 0, 30 } },
	{ "a listing counts though another zone failed",
	  { .zones = { LISTED(600), FAILED, NOT(900) } },
	  { RG_CLASS_QIL, RG_ACTION_RESET, RG_REASON_ZONE, 0, 0x7f000002, 600 } },
	{ "approved address: before everything, not stored",
	  { .list = RG_CLASS_APPROVED, .country = RG_CLASS_BLOCKED, .zones = { LISTED(9), LISTED(9) } },
	  { RG_CLASS_APPROVED, RG_ACTION_PASS, RG_REASON_LIST, RG_NO_ZONE, 0, 0 } },
	{ "blocked address: before an approved country",
	  { .list = RG_CLASS_BLOCKED, .country = RG_CLASS_APPROVED },
	  { RG_CLASS_BLOCKED, RG_ACTION_RESET, RG_REASON_LIST, RG_NO_ZONE, 0, 0 } },
	{ "approved country: before the zones",
	  { .country = RG_CLASS_APPROVED, .zones = { LISTED(9), LISTED(9), LISTED(9) } },
	  { RG_CLASS_APPROVED, RG_ACTION_PASS, RG_REASON_COUNTRY, RG_NO_ZONE, 0, 3600 } },
	{ "approved country whose entry ends",
	  { .country = RG_CLASS_APPROVED, .country_ttl = 90 },
	  { RG_CLASS_APPROVED, RG_ACTION_PASS, RG_REASON_COUNTRY, RG_NO_ZONE, 0, 90 } },
	{ "blocked country whose entry ends",
	  { .country = RG_CLASS_BLOCKED, .country_ttl = 4000 },
	  { RG_CLASS_BLOCKED, RG_ACTION_RESET, RG_REASON_COUNTRY, RG_NO_ZONE, 0, 4000 } },
	{ "blocked country whose entry ends later than the verdict",
	  { .country = RG_CLASS_BLOCKED, .country_ttl = 100000 },
	  { RG_CLASS_BLOCKED, RG_ACTION_RESET, RG_REASON_COUNTRY, RG_NO_ZONE, 0, 86400 } },
	{ "blocked country: the Standard action, never a temporary one",
	  { .country = RG_CLASS_BLOCKED, .zones = { LISTED(9) } },
	  { RG_CLASS_BLOCKED, RG_ACTION_RESET, RG_REASON_COUNTRY, RG_NO_ZONE, 0, 86400 } },
	{ "never blocked: before countries and zones",
	  { .never_block = true, .country = RG_CLASS_BLOCKED, .zones = { LISTED(9) } },
	  { RG_CLASS_APPROVED, RG_ACTION_PASS, RG_REASON_NEVER_BLOCK, RG_NO_ZONE, 0, 3600 } },
	{ "never blocked, but for the postmaster's own list",
	  { .never_block = true, .list = RG_CLASS_BLOCKED },
	  { RG_CLASS_BLOCKED, RG_ACTION_RESET, RG_REASON_LIST, RG_NO_ZONE, 0, 0 } },
	{ "the resolver is busy",
	  { .is_starved = true, .zones = { NOT(900), FAILED, NOT(900), NOT(900) } },
	  { RG_CLASS_CLEAN, RG_ACTION_PASS, RG_REASON_OVERLOAD, RG_NO_ZONE, 0, 30 } },
	{ "the resolver is busy, but a zone that was asked lists the peer",
	  { .is_starved = true, .zones = { NOT(900), FAILED, LISTED(100), NOT(900) } },
	  { RG_CLASS_STANDARD, RG_ACTION_RESET, RG_REASON_ZONE, 2, 0x7f000002, 100 } },
	{ "private: before countries and zones",
	  { .is_private = true, .country = RG_CLASS_BLOCKED, .zones = { LISTED(9) } },
	  { RG_CLASS_APPROVED, RG_ACTION_PASS, RG_REASON_PRIVATE, RG_NO_ZONE, 0, 3600 } },
	{ "private, but for the postmaster's own list",
	  { .is_private = true, .list = RG_CLASS_BLOCKED },
	  { RG_CLASS_BLOCKED, RG_ACTION_RESET, RG_REASON_LIST, RG_NO_ZONE, 0, 0 } },
	{ "an allow list: before Standard zones",
	  { .zones = { NOT(9), LISTED(9), LISTED(9), LISTED(900) } },
	  { RG_CLASS_APPROVED, RG_ACTION_PASS, RG_REASON_ZONE, 3, 0x7f000002, 900 } },
	{ "an allow list: after the local lists",
	  { .list = RG_CLASS_BLOCKED, .zones = { NOT(9), NOT(9), NOT(9), LISTED(900) } },
	  { RG_CLASS_BLOCKED, RG_ACTION_RESET, RG_REASON_LIST, RG_NO_ZONE, 0, 0 } },
	{ "an allow list that fails decides nothing",
	  { .zones = { NOT(900), NOT(900), NOT(900), FAILED } },
	  { RG_CLASS_CLEAN, RG_ACTION_PASS, RG_REASON_NOT_LISTED, RG_NO_ZONE, 0, 900 } },
	{ "not asked about",
	  { .overload = true },
	  { RG_CLASS_CLEAN, RG_ACTION_PASS, RG_REASON_OVERLOAD, RG_NO_ZONE, 0, 30 } },
};

static void check_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_outcome got;

		rg_policy_decide(&conf, &rows[i].evidence, &got);
		if (memcmp(&got, &rows[i].want, sizeof(got)) != 0)
			fail_msg("%s: class %d action %d reason %d zone %d ttl %u", rows[i].name,
				 got.peer_class, got.action, got.reason, (int)got.zone, got.ttl);
	}
}

/* on_dns_failure = "tempfail" */
static void check_failure(void **state)
{
	const struct rg_evidence failed = { .zones = { NOT(900), FAILED, NOT(900), NOT(900) } };
	const struct rg_evidence listed = { .zones = { LISTED(900), FAILED, NOT(900), NOT(900) } };
	struct rg_outcome got;

	(void)state;
	conf.on_dns_failure = RG_ACTION_TEMPFAIL;
	rg_policy_decide(&conf, &failed, &got);
	assert_int_equal(got.peer_class, RG_CLASS_QIL);
	assert_int_equal(got.action, RG_ACTION_TEMPFAIL);
	assert_int_equal(got.reason, RG_REASON_DNS_FAILURE);
	assert_int_equal(got.ttl, 30);
	rg_policy_decide(&conf, &listed, &got);
	assert_int_equal(got.action, RG_ACTION_RESET);
	assert_int_equal(got.reason, RG_REASON_ZONE);
	conf.on_dns_failure = RG_ACTION_PASS;
}

/* When answers that are still out can't change anything. */
static void check_settled(void **state)
{
	struct rg_evidence evidence = {};

	(void)state;
	assert_false(rg_policy_is_decided(&conf, &evidence));
	evidence.zones[1].state = RG_ZONE_LISTED;
	assert_false(rg_policy_is_decided(&conf, &evidence)); /* the allow list may still say so */
	evidence.zones[3].state = RG_ZONE_FAILED;
	assert_true(rg_policy_is_decided(&conf, &evidence));
	evidence = (struct rg_evidence){ .zones = { [3] = { .state = RG_ZONE_LISTED } } };
	assert_true(rg_policy_is_decided(&conf, &evidence));
	assert_false(rg_policy_asks(&conf, &evidence, RG_CLASS_QIL));
}

static void check_questions(void **state)
{
	struct rg_evidence evidence = {};

	(void)state;
	assert_true(rg_policy_needs_zones(&evidence));
	assert_true(rg_policy_asks(&conf, &evidence, RG_CLASS_STANDARD));
	assert_true(rg_policy_asks(&conf, &evidence, RG_CLASS_QIL));
	evidence.zones[1].state = RG_ZONE_FAILED;
	assert_true(rg_policy_asks(&conf, &evidence, RG_CLASS_QIL));
	evidence.zones[1].state = RG_ZONE_LISTED;
	assert_false(rg_policy_asks(&conf, &evidence, RG_CLASS_QIL));
	evidence = (struct rg_evidence){ .list = RG_CLASS_APPROVED };
	assert_false(rg_policy_needs_zones(&evidence));
	evidence = (struct rg_evidence){ .country = RG_CLASS_BLOCKED };
	assert_false(rg_policy_needs_zones(&evidence));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_rows),
		cmocka_unit_test(check_failure),
		cmocka_unit_test(check_settled),
		cmocka_unit_test(check_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
