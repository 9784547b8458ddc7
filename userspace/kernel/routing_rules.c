/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/routing_rules.h"

#include "base/hash.h"
#include "kernel/netlink.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

/* The rule is no more than "all packets: look into the table local". */
static bool is_local_rule(const struct fib_rule_hdr *rule, const struct rtattr *attribute, int len)
{
	if (rule->action != FR_ACT_TO_TBL || rule->table != RT_TABLE_LOCAL || rule->src_len ||
	    rule->dst_len || rule->tos || (rule->flags & FIB_RULE_INVERT))
		return false;
	/* Whatever else it has may be a condition. */
	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len))
		if (attribute->rta_type != FRA_TABLE && attribute->rta_type != FRA_PRIORITY &&
		    attribute->rta_type != FRA_PROTOCOL &&
		    attribute->rta_type != FRA_SUPPRESS_PREFIXLEN)
			return false;
	return true;
}

void rg_routing_rules_take(struct rg_routing_rules_scan *scan, const struct nlmsghdr *message)
{
	const size_t before = NLMSG_LENGTH(sizeof(struct fib_rule_hdr));
	const struct fib_rule_hdr *rule = NLMSG_DATA(message);
	size_t len = message->nlmsg_len > before ? message->nlmsg_len - before : 0;

	if (message->nlmsg_type != RTM_NEWRULE || message->nlmsg_len < before || scan->is_past_local)
		return;
	scan->is_past_local =
		is_local_rule(rule, (const void *)((const char *)message + before), (int)len);
	/* Rules that only drop lead nowhere. */
	if (scan->is_past_local || rule->action == FR_ACT_BLACKHOLE ||
	    rule->action == FR_ACT_UNREACHABLE || rule->action == FR_ACT_PROHIBIT)
		return;
	scan->rules.before_local = true;
	scan->rules.hash += rg_hash(rule, message->nlmsg_len - NLMSG_HDRLEN);
}

static int take(void *arg, const struct nlmsghdr *message)
{
	rg_routing_rules_take(arg, message);
	return 0;
}

static int read_family(int fd, unsigned char family, struct rg_routing_rules_scan *scan)
{
	struct {
		struct nlmsghdr head;
		struct fib_rule_hdr body;
	} request = { .head = { .nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_GETRULE,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		      .body = { .family = family } };

	return rg_netlink_ask(fd, &request.head, take, scan);
}

struct rg_routing_rules rg_routing_rules_read(int fd)
{
	static const unsigned char families[] = { AF_INET, AF_INET6 };
	struct rg_routing_rules rules = {};

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct rg_routing_rules_scan scan = {};
		int err = read_family(fd, families[i], &scan);

		/* Without policy routing, or without IPv6, there is nothing to ask about. */
		if (err && err != -EAFNOSUPPORT && err != -EOPNOTSUPP)
			rules.before_local = true;
		rules.before_local |= scan.rules.before_local;
		rules.hash += scan.rules.hash * (families[i] + 1U);
	}
	return rules;
}
