/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What IPv6 addresses of one prefix (ipv6_prefix) mean for each other. Each is judged by itself. But once
 * zones list two of them, the whole prefix is refused, by a verdict on the prefix that lasts as long as both
 * listings; and a prefix has RG_NEIGHBOURS addresses in the maps at most. Used by verdicts.c only.
 */
#ifndef REPGATE_STORE_PREFIX_RULE_H
#define REPGATE_STORE_PREFIX_RULE_H

#include "store/neighbours.h"
#include "store/peers.h"
#include "store/verdict_map.h"

struct rg_prefix_rule;

/* prefix_len: ipv6_prefix. 0 or -ENOMEM. */
int rg_prefix_rule_new(struct rg_prefix_rule **ret, uint32_t prefix_len);
/* NULL-safe. */
void rg_prefix_rule_free(struct rg_prefix_rule *rule);
/* The maps that the rule changes; the owner's. Call before rg_prefix_rule_apply(). */
void rg_prefix_rule_bind(struct rg_prefix_rule *rule, struct rg_verdict_map *map,
			 struct rg_peers *peers);

/* An observer of the map `verdicts`; arg: the rule. */
void rg_prefix_rule_on_verdict(void *arg, const struct rg_prefix *key,
			       const struct rg_verdict *value);
/* Call when `peers` has a clean address. expiry: ns of CLOCK_BOOTTIME. */
void rg_prefix_rule_on_clean(struct rg_prefix_rule *rule, const struct rg_addr *addr,
			     uint64_t expiry);
/* Call when the maps have lost an address. */
void rg_prefix_rule_forget(struct rg_prefix_rule *rule, const struct rg_addr *addr);
/* Call when `peers` has lost the clean addresses within prefix; as rg_neighbours_remove_unlisted(). */
bool rg_prefix_rule_on_flush(struct rg_prefix_rule *rule, const struct rg_prefix *prefix,
			     struct rg_neighbours_walk *walk);

/*
 * Brings the maps in line with what has changed since the last call, what changed last first: a step of it, 0.2 ms.
 * Returns whether there is more. Does nothing while the rule is held. Not within a walk over a map.
 */
bool rg_prefix_rule_apply(struct rg_prefix_rule *rule, uint64_t now);
/* Holds the rule while verdicts are taken over, because the evidence for a prefix may come late; or ends that. */
void rg_prefix_rule_hold(struct rg_prefix_rule *rule, bool on);

/* The prefix of addr, if there is a verdict on it. 0 or -ENOENT. */
int rg_prefix_rule_find(const struct rg_prefix_rule *rule, const struct rg_addr *addr,
			struct rg_prefix *ret);
/* See rg_verdicts_evidence(). key: not a host. */
size_t rg_prefix_rule_evidence(const struct rg_prefix_rule *rule, const struct rg_prefix *key,
			       uint64_t now, struct rg_addr ret[2]);

/* Forgets what has ended at now. */
void rg_prefix_rule_sweep(struct rg_prefix_rule *rule, uint64_t now);

/* Addresses that were forgotten before their end, since the start. */
uint64_t rg_prefix_rule_surplus(const struct rg_prefix_rule *rule);

#endif
