/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the kernel's connection tracking for single connections (ctnetlink). */
#ifndef REPGATE_KERNEL_CONNTRACK_H
#define REPGATE_KERNEL_CONNTRACK_H

#include "base/util.h"

#include "maps/steer.h"

/*
 * 1: the connection has an entry, so its SYN was delivered somewhere; 0: it has none, so it was dropped on
 * the way, or is not tracked; or -errno, also if there is no connection tracking. fd: a socket of
 * NETLINK_NETFILTER, with a receive timeout.
 */
int rg_conntrack_has(int fd, const struct rg_connection *connection);

#endif
