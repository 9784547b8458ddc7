/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses that are never blocked, whatever a zone or a country says: special ones (loopback,
 * link-local, multicast), this host's own, and the resolver.
 */
#ifndef REPGATE_JUDGE_EXEMPT_H
#define REPGATE_JUDGE_EXEMPT_H

#include "base/util.h"

#include "maps/types.h"

#include <sys/socket.h>

/* Zero it before the first use. */
struct rg_exempt {
	struct rg_addr *addrs; /* sorted */
	size_t count;
};

/* Reads the host's addresses again. 0 or -errno; on error the ones of before stay. */
int rg_exempt_refresh(struct rg_exempt *exempt, const struct sockaddr_storage *resolver);
void rg_exempt_clear(struct rg_exempt *exempt);
bool rg_exempt_has(const struct rg_exempt *exempt, const struct rg_addr *addr);

#endif
