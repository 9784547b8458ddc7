/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules of nftables may do to a SYN, in a network namespace of the test's own (as root, with nft). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/redirects.h"

#include <cmocka.h>
#include <sched.h>

#define SKIPPED 77
#define NAT "type nat hook prerouting priority dstnat;"
#define RAW "type filter hook prerouting priority raw;"

static const struct row {
	const char *rules; /* of a table inet t */
	bool possible, by_nat;
} rows[] = {
	{ "", false, false },
	{ "chain c { type filter hook input priority 0; tcp dport 25 drop; }", false, false },
	{ "chain c { type nat hook postrouting priority srcnat; masquerade; }", false, false },
	{ "chain c { tcp dport 25 drop; }", false, false }, /* no base chain */
	{ "chain c { " NAT " }", true, true },
	{ "chain c { " NAT " tcp dport 25 redirect to :2525; }", true, true },
	{ "chain c { " RAW " tcp dport 25 counter; }", true, false },
	{ "chain c { " NAT " }\nchain d { " RAW " tcp dport 25 counter; }", true, true },
	/* A connection that is not tracked has no entry in the connection table, even if it is led elsewhere. */
	{ "chain c { " NAT " }\nchain d { " RAW " tcp dport 25 notrack; }", true, false },
	{ "chain c { " NAT " }\nchain d { " RAW
	  " jump e; }\nchain e { tcp dport 26 accept; tcp dport 25 notrack; }",
	  true, false },
	{ "chain c { " NAT " }\nchain d { " RAW " ip daddr set 192.0.2.9; }", true, false },
	{ "chain c { " NAT " }\nchain d { type filter hook output priority raw; notrack; }", true,
	  false },
	{ "chain c { " NAT " }\nchain d { " RAW " tcp dport 25 ct zone set 5; }", true, false },
	{ "chain c { " NAT " }\nchain d { " RAW " ct state new ct mark set 5; }", true, true },
	{ "chain c { " NAT " }\nchain d { " RAW " ct zone 5 counter; }", true, true },
	{ "chain c { " NAT " }\nchain d { type filter hook prerouting priority mangle; "
	  "tcp dport 25 tproxy ip to :2525; }",
	  true, false },
	{ "chain c { " NAT
	  " }\nchain d { type filter hook input priority 0; tcp dport 25 counter drop; }",
	  true, true },
};

/* Replaces all rules. False: nft refuses. */
static bool set_rules(const char *rules)
{
	FILE *nft = popen("nft -f - 2>&1", "w");

	assert_non_null(nft);
	fprintf(nft, "flush ruleset\ntable inet t {\n%s\n}\n", rules);
	return !pclose(nft);
}

static void test_rows(void **state)
{
	struct rg_redirects *redirects = NULL;
	uint32_t round;

	(void)state;
	assert_int_equal(rg_redirects_new(&redirects, NULL, NULL, NULL), 0);
	round = rg_redirects_read(redirects).round;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_redirects_facts facts;

		if (!set_rules(rows[i].rules)) {
			print_message("# nft refuses: %s\n", rows[i].rules);
			continue;
		}
		facts = rg_redirects_read(redirects);
		if (facts.possible != rows[i].possible || facts.by_nat != rows[i].by_nat)
			fail_msg("%s: possible %d, by NAT %d", rows[i].rules, facts.possible,
				 facts.by_nat);
		assert_int_not_equal(facts.round, round);
		round = facts.round;
		/* Nothing has changed. */
		facts = rg_redirects_read(redirects);
		assert_int_equal(facts.round, round);
		assert_int_equal(facts.by_nat, rows[i].by_nat);
	}
	rg_redirects_free(redirects);
}

/* Thousands of rules are more than one message. */
static void test_many_rules(void **state)
{
	struct rg_redirects *redirects = NULL;
	const size_t size = 400000;
	char *rules = malloc(size);
	int len;

	(void)state;
	assert_int_equal(rg_redirects_new(&redirects, NULL, NULL, NULL), 0);
	len = snprintf(rules, size, "chain c { " NAT " }\nchain d { " RAW "\n");
	for (int i = 0; i < 5000; i++)
		len += snprintf(rules + len, size - (size_t)len,
				"ip saddr 192.0.2.%d tcp dport %d counter\n", i % 250, i);
	snprintf(rules + len, size - (size_t)len, "}");
	assert_true(set_rules(rules));
	assert_true(rg_redirects_read(redirects).by_nat);
	snprintf(rules + len, size - (size_t)len, "notrack; }");
	assert_true(set_rules(rules));
	assert_false(rg_redirects_read(redirects).by_nat);
	assert_true(rg_redirects_read(redirects).possible);
	free(rules);
	rg_redirects_free(redirects);
}

static unsigned int calls;

static void on_changed(void *arg)
{
	calls++;
	event_base_loopbreak(arg);
}

static void test_changes(void **state)
{
	const struct timeval time = { .tv_sec = 5 };
	struct rg_redirects *redirects = NULL;
	struct event_base *base = event_base_new();

	(void)state;
	assert_int_equal(rg_redirects_new(&redirects, base, on_changed, base), 0);
	assert_true(set_rules(""));
	event_base_loopexit(base, &time);
	event_base_dispatch(base);
	assert_true(calls > 0);
	rg_redirects_free(redirects);
	event_base_free(base);
	/* Whoever has none can't find it out. */
	assert_true(rg_redirects_read(NULL).possible);
	assert_false(rg_redirects_read(NULL).by_nat);
	rg_redirects_free(NULL);
}

/* A rule of policy routing before the table local. */
static void test_routing(void **state)
{
	const struct timeval time = { .tv_sec = 5 };
	struct rg_redirects *redirects = NULL;
	struct event_base *base = event_base_new();
	struct rg_redirects_facts facts;
	uint32_t round;

	(void)state;
	assert_true(set_rules("chain c { " NAT " }"));
	assert_int_equal(rg_redirects_new(&redirects, base, on_changed, base), 0);
	facts = rg_redirects_read(redirects);
	assert_true(facts.by_nat);
	round = facts.round;
	if (system("ip rule add pref 10 lookup 100 && ip rule add pref 20 lookup local && "
		   "ip rule del pref 0")) {
		print_message("# ip refuses\n");
	} else {
		calls = 0;
		event_base_loopexit(base, &time);
		event_base_dispatch(base);
		assert_true(calls > 0);
		facts = rg_redirects_read(redirects);
		assert_true(facts.possible);
		assert_false(facts.by_nat);
		assert_int_not_equal(facts.round, round);
		assert_int_equal(system("ip rule add pref 0 lookup local"), 0);
		assert_true(rg_redirects_read(redirects).by_nat);
	}
	rg_redirects_free(redirects);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
					    cmocka_unit_test(test_many_rules),
					    cmocka_unit_test(test_changes),
					    cmocka_unit_test(test_routing) };

	if (unshare(CLONE_NEWNET) || !set_rules("chain c { " NAT " }")) {
		puts("skipped: no network namespaces, or no nft");
		return SKIPPED;
	}
	return cmocka_run_group_tests_name("redirects", tests, NULL, NULL);
}
