/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells when interfaces or addresses of this network namespace change (rtnetlink(7)). */
#ifndef REPGATE_KERNEL_NETLINK_H
#define REPGATE_KERNEL_NETLINK_H

#include "base/util.h"

#include <event2/event.h>

struct rg_netlink;

/* changed is called soon after one change or several. */
int rg_netlink_new(struct rg_netlink **ret, struct event_base *base, void (*changed)(void *arg),
		   void *arg);
void rg_netlink_free(struct rg_netlink *links);

#endif
