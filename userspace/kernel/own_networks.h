/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this host needs to reach: its own addresses, the networks that are connected to its interfaces, the gateways
 * of its routes, and the resolver. None of them is ever blocked. Special addresses (loopback, link-local) are not
 * here: rg_addr_is_special() knows them.
 */
#ifndef REPGATE_KERNEL_OWN_NETWORKS_H
#define REPGATE_KERNEL_OWN_NETWORKS_H

#include "base/util.h"

#include "maps/types.h"

#include <net/if.h>
#include <sys/socket.h>

enum rg_own_kind { RG_OWN_ADDRESS, RG_OWN_GATEWAY, RG_OWN_RESOLVER, RG_OWN_NETWORK };

struct rg_own_network {
	struct rg_prefix prefix; /* of a whole address, but for NETWORK */
	enum rg_own_kind kind;
	char interface[IF_NAMESIZE]; /* "" for GATEWAY and RESOLVER */
};

/* Zero it before the first use. */
struct rg_own_networks {
	struct rg_own_network *all; /* in the order of rg_prefix_compare(), each prefix once */
	size_t count;
};

/*
 * Reads them from the kernel, and replaces what is in own. Of a main routing table with more than 1000 routes,
 * only gateways of the first ones and of the IPv6 default route are found. May run in any thread. 0 or -errno; on
 * error own is as it was.
 */
int rg_own_networks_read(struct rg_own_networks *own, const struct sockaddr_storage *resolver);
/* A copy of from. 0 or -ENOMEM. */
int rg_own_networks_copy(struct rg_own_networks *own, const struct rg_own_networks *from);
void rg_own_networks_clear(struct rg_own_networks *own);

/* Whether this very prefix is one of them. */
bool rg_own_networks_has(const struct rg_own_networks *own, const struct rg_prefix *prefix);
/* The single address (ADDRESS, GATEWAY, RESOLVER) that is addr; NULL: none. */
const struct rg_own_network *rg_own_networks_find(const struct rg_own_networks *own,
						  const struct rg_addr *addr);
/* The connected network around addr; NULL: none. */
const struct rg_own_network *rg_own_networks_around(const struct rg_own_networks *own,
						    const struct rg_addr *addr);
/* The first that lies within first..last as a whole, at or behind *at, which is set behind it. NULL: no more. */
const struct rg_own_network *rg_own_networks_within(const struct rg_own_networks *own,
						    const struct rg_addr *first,
						    const struct rg_addr *last, size_t *at);

#define RG_OWN_TEXT 128
/* For people: "192.0.2.0/24, a network of mx0". Returns text. */
const char *rg_own_networks_describe(const struct rg_own_network *own, char text[RG_OWN_TEXT]);

#endif
