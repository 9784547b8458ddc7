/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports when interfaces or addresses of this network namespace change (rtnetlink(7)). */
#ifndef REPGATE_KERNEL_NETLINK_H
#define REPGATE_KERNEL_NETLINK_H

#include "base/util.h"

#include <event2/event.h>
#include <linux/netlink.h>

struct rg_netlink;

/*
 * Asks the kernel, and calls take for each message of its answer: all of a dump (NLM_F_DUMP), else one. Sets the
 * request's sequence number, and ignores what an earlier request has left unread. fd: a netlink socket that
 * blocks; may have a receive timeout.
 *
 * 0; take's first nonzero return, after which it is not called again; -EINTR: what was dumped changed
 * meanwhile; the kernel's error; or -errno.
 */
int rg_netlink_ask(int fd, struct nlmsghdr *request,
		   int (*take)(void *arg, const struct nlmsghdr *message), void *arg);

/*
 * changed is called, from the event loop, once for all changes of 20 ms. What has changed, the caller looks
 * up. 0 or -errno.
 */
int rg_netlink_new(struct rg_netlink **ret, struct event_base *base, void (*changed)(void *arg),
		   void *arg);
void rg_netlink_free(struct rg_netlink *netlink);

#endif
