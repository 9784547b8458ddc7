/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers whose connections to the filtered ports are established in this network namespace (sock_diag(7)). */
#ifndef REPGATE_KERNEL_CONNECTED_H
#define REPGATE_KERNEL_CONNECTED_H

#include "base/util.h"

#include "maps/types.h"

/*
 * Calls for the peer of each established connection to one of the ports (host order), until a call returns
 * nonzero, which is returned. A peer with several connections is there as often. 0 or -errno. May run in any thread.
 */
int rg_connected_each(const uint16_t *ports, unsigned int count,
		      int (*call)(void *arg, const struct rg_addr *peer), void *arg);

#endif
