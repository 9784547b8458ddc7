/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether something in this network namespace may lead a SYN for an own address elsewhere, before the
 * sk_lookup program sees it: destination NAT, redirection, load balancers, policy routing. Rules that only drop
 * can't.
 */
#ifndef REPGATE_KERNEL_REDIRECTS_H
#define REPGATE_KERNEL_REDIRECTS_H

#include "base/util.h"

#include "maps/steer.h"

#include <event2/event.h>

struct rg_redirects;

struct rg_redirects_facts {
	bool possible; /* also true if it can't be found out */
	bool by_nat; /* and only by rules after which connection tracking has an entry */
	uint32_t round; /* changes when the rules of nftables or of routing do */
};

/*
 * changed is called, from the event loop, when the rules of nftables or of routing change; it may be called too
 * often.
 * Without it (event loop NULL) nothing is called. 0 or -errno.
 */
int rg_redirects_new(struct rg_redirects **ret, struct event_base *base, void (*changed)(void *arg),
		     void *arg);
void rg_redirects_free(struct rg_redirects *redirects);

/*
 * With facts.by_nat: whether all these SYNs were dropped on their way, and so led nowhere. connections: of
 * one destination, count of them.
 */
bool rg_redirects_all_dropped(struct rg_redirects *redirects,
			      const struct rg_connection *connections, size_t count);

/* Looks at the rules now: some 0.1 ms. redirects may be NULL: it can't be found out. */
struct rg_redirects_facts rg_redirects_read(struct rg_redirects *redirects);

#endif
