/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses that are never blocked, whatever a zone or a country says: special ones (loopback,
 * link-local, multicast), this host's own, its gateways, and the resolver. A country does not block addresses of
 * connected networks either; a zone does, because it lists single addresses.
 */
#ifndef REPGATE_JUDGE_EXEMPT_H
#define REPGATE_JUDGE_EXEMPT_H

#include "kernel/own_networks.h"

/* Zero it before the first use. */
struct rg_exempt {
	struct rg_own_networks own;
};

/* Reads the host's addresses again. 0 or -errno; on error the ones of before stay. */
int rg_exempt_refresh(struct rg_exempt *exempt, const struct sockaddr_storage *resolver);
void rg_exempt_clear(struct rg_exempt *exempt);
/* Whether nothing blocks addr. */
bool rg_exempt_has(const struct rg_exempt *exempt, const struct rg_addr *addr);
/* Whether addr is in a connected network, which no country blocks. */
bool rg_exempt_has_network(const struct rg_exempt *exempt, const struct rg_addr *addr);

#endif
