/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports when interfaces or addresses of this network namespace change (rtnetlink(7)). */
#ifndef REPGATE_KERNEL_NETLINK_H
#define REPGATE_KERNEL_NETLINK_H

#include "base/util.h"

#include <event2/event.h>

struct rg_netlink;

/*
 * changed is called, from the event loop, once for all changes of 20 ms. What has changed, the caller looks
 * up. 0 or -errno.
 */
int rg_netlink_new(struct rg_netlink **ret, struct event_base *base, void (*changed)(void *arg),
		   void *arg);
void rg_netlink_free(struct rg_netlink *netlink);

#endif
