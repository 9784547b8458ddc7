/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which routing rules count: those before the rule that looks into the table local for all packets, unless
 * they only drop.
 */
#include "kernel/routing_rules.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

#define CONDITION(type) (1U << (type))
#define MOST_RULES 4

struct rule {
	int table, action;
	unsigned int conditions; /* CONDITION() of attributes */
	int dst_len;
};

#define TO(...)                                  \
	{                                        \
		__VA_ARGS__, FR_ACT_TO_TBL, 0, 0 \
	}
#define LOCAL TO(RT_TABLE_LOCAL)
#define MAIN TO(RT_TABLE_MAIN)

static const struct row {
	const char *what;
	struct rule rules[MOST_RULES]; /* ends with action 0 */
	bool before_local;
} rows[] = {
	{ "as the kernel makes them", { LOCAL, MAIN, TO(RT_TABLE_DEFAULT) }, false },
	{ "behind local", { LOCAL, { 100, FR_ACT_TO_TBL, CONDITION(FRA_FWMARK), 0 }, MAIN }, false },
	{ "before local", { { 100, FR_ACT_TO_TBL, CONDITION(FRA_IIFNAME), 32 }, LOCAL }, true },
	{ "the one of VRFs", { { 0, FR_ACT_TO_TBL, CONDITION(FRA_L3MDEV), 0 }, LOCAL }, true },
	{ "a jump", { { 0, FR_ACT_GOTO, CONDITION(FRA_GOTO), 0 }, LOCAL }, true },
	{ "it drops", { { 0, FR_ACT_BLACKHOLE, 0, 24 }, { 0, FR_ACT_PROHIBIT, 0, 0 }, LOCAL }, false },
	{ "local for some ports only",
	  { { RT_TABLE_LOCAL, FR_ACT_TO_TBL, CONDITION(FRA_DPORT_RANGE), 0 }, MAIN },
	  true },
	{ "local for some addresses only",
	  { { RT_TABLE_LOCAL, FR_ACT_TO_TBL, 0, 24 }, MAIN, LOCAL },
	  true },
	{ "no local at all", { MAIN }, true },
	{ "none", { { 0, 0, 0, 0 } }, false },
};

struct message {
	struct nlmsghdr head;
	struct fib_rule_hdr body;
	char attributes[128];
};

static void add(struct message *message, unsigned short type, unsigned int value)
{
	struct rtattr *attribute = (void *)((char *)message + NLMSG_ALIGN(message->head.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(sizeof(value));
	memcpy(RTA_DATA(attribute), &value, sizeof(value));
	message->head.nlmsg_len = NLMSG_ALIGN(message->head.nlmsg_len) + attribute->rta_len;
}

static struct rg_routing_rules read_rules(const struct rule *rules)
{
	struct rg_routing_rules_scan scan = {};

	for (size_t i = 0; i < MOST_RULES && rules[i].action; i++) {
		struct message message = {
			.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(message.body)),
				  .nlmsg_type = RTM_NEWRULE },
			.body = { .action = (uint8_t)rules[i].action,
				  .table = (uint8_t)rules[i].table,
				  .dst_len = (uint8_t)rules[i].dst_len },
		};

		/* The kernel adds these to each rule. */
		add(&message, FRA_TABLE, (unsigned int)rules[i].table);
		add(&message, FRA_SUPPRESS_PREFIXLEN, ~0U);
		add(&message, FRA_PROTOCOL, 0);
		for (unsigned short type = 1; type < 32; type++)
			if (rules[i].conditions & CONDITION(type))
				add(&message, type, 1);
		rg_routing_rules_take(&scan, &message.head);
	}
	return scan.rules;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (read_rules(rows[i].rules).before_local != rows[i].before_local)
			fail_msg("%s", rows[i].what);
}

/* What is behind local changes nothing. */
static void test_hash(void **state)
{
	static const struct rule one[MOST_RULES] = { { 100, FR_ACT_TO_TBL, 0, 32 }, LOCAL },
				 longer[MOST_RULES] = { { 100, FR_ACT_TO_TBL, 0, 32 }, LOCAL, MAIN },
				 other[MOST_RULES] = { { 101, FR_ACT_TO_TBL, 0, 32 }, LOCAL };

	(void)state;
	assert_true(read_rules(one).hash == read_rules(longer).hash);
	assert_true(read_rules(one).hash != read_rules(other).hash);
}

/* Of this network namespace. */
static void test_kernel(void **state)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct rg_routing_rules first, second;

	(void)state;
	assert_true(fd >= 0);
	first = rg_routing_rules_read(fd);
	second = rg_routing_rules_read(fd);
	assert_true(first.hash == second.hash && first.before_local == second.before_local);
	close(fd);
	assert_true(rg_routing_rules_read(-1).before_local);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
