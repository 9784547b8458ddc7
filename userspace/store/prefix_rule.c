/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/prefix_rule.h"

#include "base/addr.h"

#define EVIDENCE 2

struct rg_prefix_rule {
	struct rg_verdict_map *map;
	struct rg_peers *peers;
	struct rg_neighbours *neighbours;
	uint32_t prefix_len;
	struct rg_prefix *changed; /* to look at in the next rg_prefix_rule_apply() */
	size_t changed_count, changed_allocated;
	bool is_applied; /* rg_prefix_rule_apply() is under way */
	bool is_held;
	uint64_t surplus;
};

int rg_prefix_rule_new(struct rg_prefix_rule **ret, uint32_t prefix_len)
{
	struct rg_prefix_rule *rule = calloc(1, sizeof(*rule));

	if (!rule)
		return -ENOMEM;
	rule->prefix_len = prefix_len;
	if (rg_neighbours_new(&rule->neighbours, prefix_len)) {
		free(rule);
		return -ENOMEM;
	}
	*ret = rule;
	return 0;
}

void rg_prefix_rule_free(struct rg_prefix_rule *rule)
{
	if (!rule)
		return;
	rg_neighbours_free(rule->neighbours);
	free(rule->changed);
	free(rule);
}

void rg_prefix_rule_bind(struct rg_prefix_rule *rule, struct rg_verdict_map *map,
			 struct rg_peers *peers)
{
	rule->map = map;
	rule->peers = peers;
}

/* ---- what has changed ---- */

/* Without memory the prefix is looked at when one of its addresses changes again. */
static void queue_prefix(struct rg_prefix_rule *rule, const struct rg_prefix *prefix)
{
	if (rule->changed_count && !rg_prefix_compare(&rule->changed[rule->changed_count - 1], prefix))
		return;
	if (rule->changed_count == rule->changed_allocated) {
		size_t size = rule->changed_allocated ? 2 * rule->changed_allocated : 16;
		struct rg_prefix *changed = reallocarray(rule->changed, size, sizeof(*changed));

		if (!changed)
			return;
		rule->changed = changed;
		rule->changed_allocated = size;
	}
	rule->changed[rule->changed_count++] = *prefix;
}

static void queue_prefix_of(struct rg_prefix_rule *rule, const struct rg_addr *addr)
{
	const struct rg_prefix prefix = rg_peer_of(addr, rule->prefix_len);

	queue_prefix(rule, &prefix);
}

/* A zone lists the address. Countries, allow zones and failures of DNS say nothing of its neighbours. */
static bool is_listing(const struct rg_verdict *value)
{
	return value->zone != RG_NO_ZONE &&
	       (value->peer_class == RG_CLASS_STANDARD || value->peer_class == RG_CLASS_QIL);
}

void rg_prefix_rule_on_verdict(void *arg, const struct rg_prefix *key, const struct rg_verdict *value)
{
	struct rg_prefix_rule *rule = arg;

	if (rg_addr_is_v4(&key->addr))
		return;
	if (key->len < RG_ADDR_BITS) {
		/* Taken over from an earlier agent: it counts only with its evidence. */
		if (value && !rule->is_applied)
			queue_prefix(rule, key);
	} else if (!value) {
		if (rg_neighbours_remove(rule->neighbours, &key->addr))
			queue_prefix_of(rule, &key->addr);
	} else if (rg_neighbours_put(rule->neighbours, &key->addr, value->expiry, is_listing(value)) ||
		   is_listing(value)) {
		queue_prefix_of(rule, &key->addr);
	}
}

void rg_prefix_rule_on_clean(struct rg_prefix_rule *rule, const struct rg_addr *addr, uint64_t expiry)
{
	if (!rg_addr_is_v4(addr) && rg_neighbours_put(rule->neighbours, addr, expiry, false))
		queue_prefix_of(rule, addr);
}

void rg_prefix_rule_forget(struct rg_prefix_rule *rule, const struct rg_addr *addr)
{
	if (!rg_addr_is_v4(addr) && rg_neighbours_remove(rule->neighbours, addr))
		queue_prefix_of(rule, addr);
}

bool rg_prefix_rule_on_flush(struct rg_prefix_rule *rule, const struct rg_prefix *prefix,
			     struct rg_neighbours_walk *walk)
{
	return rg_neighbours_remove_unlisted(rule->neighbours, prefix, walk);
}

void rg_prefix_rule_hold(struct rg_prefix_rule *rule, bool on)
{
	rule->is_held = on;
}

/* ---- the verdict on a prefix ---- */

struct evidence {
	struct rg_addr addr;
	struct rg_verdict value;
};

/* Whether a decides about the prefix rather than b: the milder class, then the listing that ends first. */
static bool decides(const struct evidence *a, const struct evidence *b)
{
	if (a->value.peer_class != b->value.peer_class)
		return a->value.peer_class == RG_CLASS_QIL;
	return a->value.expiry <= b->value.expiry;
}

static void keep_latest(struct evidence evidence[EVIDENCE], size_t *count, const struct evidence *one)
{
	size_t first = *count == EVIDENCE && evidence[1].value.expiry < evidence[0].value.expiry;

	if (*count < EVIDENCE)
		evidence[(*count)++] = *one;
	else if (one->value.expiry > evidence[first].value.expiry)
		evidence[first] = *one;
}

/* The two listings in a prefix that end last, the one that decides first. Returns how many there are. */
static size_t find_evidence(const struct rg_prefix_rule *rule, const struct rg_prefix *prefix,
			    uint64_t now, struct evidence evidence[EVIDENCE])
{
	struct rg_addr listed[RG_NEIGHBOURS + 1];
	size_t found = rg_neighbours_listed(rule->neighbours, prefix, listed, ARRAY_SIZE(listed));
	size_t count = 0;

	for (size_t i = 0; i < found; i++) {
		const struct rg_prefix key = { .len = RG_ADDR_BITS, .addr = listed[i] };
		struct evidence one = { .addr = listed[i] };

		if (!rg_verdict_map_get(rule->map, &key, &one.value) && one.value.expiry > now &&
		    is_listing(&one.value))
			keep_latest(evidence, &count, &one);
	}
	if (count == EVIDENCE && !decides(&evidence[0], &evidence[1])) {
		const struct evidence other = evidence[0];

		evidence[0] = evidence[1];
		evidence[1] = other;
	}
	return count;
}

static void decide_prefix(struct rg_prefix_rule *rule, const struct rg_prefix *prefix, uint64_t now)
{
	struct evidence evidence[EVIDENCE];
	struct rg_full_verdict full;
	struct rg_verdict old;

	if (find_evidence(rule, prefix, now, evidence) < EVIDENCE) {
		if (!rg_verdict_map_get_indexed(rule->map, prefix, &old))
			(void)rg_verdict_map_remove(rule->map, prefix, &old);
		return;
	}
	full = rg_verdict_map_full(rule->map, &evidence[0].value);
	full.since = now;
	full.hits = 0;
	if (evidence[1].value.expiry < full.expiry)
		full.expiry = evidence[1].value.expiry;
	/* If it can't be stored, each address is judged by itself, as before. */
	(void)rg_verdict_map_put(rule->map, prefix, &full);
}

/* ---- the bound ---- */

static void forget(struct rg_prefix_rule *rule, const struct rg_addr *addr, uint64_t now)
{
	const struct rg_prefix key = { .len = RG_ADDR_BITS, .addr = *addr };
	struct rg_verdict verdict;
	struct rg_peer peer;

	if (!rg_verdict_map_get_indexed(rule->map, &key, &verdict))
		(void)rg_verdict_map_remove(rule->map, &key, &verdict);
	else if (!rg_peers_find(rule->peers, addr, now, &peer) && peer.state == RG_PEER_CLEAN)
		(void)rg_peers_remove(rule->peers, addr);
	else
		return; /* it has ended */
	rule->surplus++;
}

#define APPLY_STEP 64 /* prefixes */

bool rg_prefix_rule_apply(struct rg_prefix_rule *rule, uint64_t now)
{
	struct rg_verdict stray;
	struct rg_addr surplus;

	if (rule->is_held)
		return false;
	rule->is_applied = true;
	/* What is changed here is queued again. That ends: each round removes something or finds it right. */
	for (int i = 0; i < APPLY_STEP && rule->changed_count; i++) {
		const struct rg_prefix prefix = rule->changed[--rule->changed_count];

		if (prefix.len != rule->prefix_len) {
			if (!rg_verdict_map_get(rule->map, &prefix, &stray))
				(void)rg_verdict_map_remove(rule->map, &prefix, &stray);
			continue;
		}
		while (rg_neighbours_take_surplus(rule->neighbours, &prefix, &surplus))
			forget(rule, &surplus, now);
		if (prefix.len < RG_ADDR_BITS && !rg_prefix_has_v4(&prefix))
			decide_prefix(rule, &prefix, now);
	}
	rule->is_applied = false;
	return rule->changed_count > 0;
}

/* ---- reading ---- */

int rg_prefix_rule_find(const struct rg_prefix_rule *rule, const struct rg_addr *addr,
			struct rg_prefix *ret)
{
	struct rg_verdict value;

	*ret = rg_peer_of(addr, rule->prefix_len);
	if (ret->len == RG_ADDR_BITS)
		return -ENOENT;
	return rg_verdict_map_get_indexed(rule->map, ret, &value) ? -ENOENT : 0;
}

size_t rg_prefix_rule_evidence(const struct rg_prefix_rule *rule, const struct rg_prefix *key,
			       uint64_t now, struct rg_addr ret[EVIDENCE])
{
	struct evidence evidence[EVIDENCE];
	size_t count = key->len == rule->prefix_len ? find_evidence(rule, key, now, evidence) : 0;

	for (size_t i = 0; i < count; i++)
		ret[i] = evidence[i].addr;
	return count;
}

void rg_prefix_rule_sweep(struct rg_prefix_rule *rule, uint64_t now)
{
	rg_neighbours_sweep(rule->neighbours, now);
}

uint64_t rg_prefix_rule_surplus(const struct rg_prefix_rule *rule)
{
	return rule->surplus;
}
