/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of policy routing (ip rule) that come before the table `local`. Such a rule may route a SYN for an
 * own address to another host or container, where no socket lookup happens here.
 */
#ifndef REPGATE_KERNEL_ROUTING_RULES_H
#define REPGATE_KERNEL_ROUTING_RULES_H

#include "base/util.h"

#include <linux/netlink.h>

struct rg_routing_rules {
	bool before_local; /* there is such a rule; also true if it can't be found out */
	uint64_t hash; /* changes when these rules do */
};

/* What one family's rules come to so far. */
struct rg_routing_rules_scan {
	struct rg_routing_rules rules;
	bool is_past_local; /* the rule that looks into `local` for all packets was seen */
};

/* Reads the rules of IPv4 and IPv6 now: some 0.05 ms. fd: a blocking socket of NETLINK_ROUTE. */
struct rg_routing_rules rg_routing_rules_read(int fd);

/* Takes one RTM_NEWRULE. The kernel sends them in the order in which it asks them. */
void rg_routing_rules_take(struct rg_routing_rules_scan *scan, const struct nlmsghdr *message);

#endif
