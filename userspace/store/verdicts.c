/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/verdicts.h"

#include "base/addr.h"
#include "index/index_maps.h"
#include "store/map_walk.h"
#include "store/peers.h"
#include "store/prefix_rule.h"
#include "store/zone_names.h"

struct rg_verdicts {
	const struct rg_maps *maps;
	struct rg_index_maps *indexes;
	struct rg_verdict_map *map;
	struct rg_peers peers;
	struct rg_prefix_rule *rule;
	struct rg_zone_names zones;
	struct rg_verdicts_count count; /* what is not counted in map */
};

/* From maps of an earlier agent that have this layout, but other sizes. */
static void copy_maps(struct rg_verdicts *verdicts, const struct rg_maps *from)
{
	rg_zone_names_copy(&verdicts->zones, from->zones);
	rg_verdict_map_copy(verdicts->map, from);
	rg_peers_copy(&verdicts->peers, from->peers);
}

static int build_map(struct rg_verdicts *verdicts, const struct rg_conf *conf)
{
	struct rg_verdict_map_observer observer = { .changed = rg_prefix_rule_on_verdict };

	if (rg_prefix_rule_new(&verdicts->rule, conf->ipv6_prefix))
		return -ENOMEM;
	observer.arg = verdicts->rule;
	if (rg_verdict_map_new(&verdicts->map, verdicts->maps, verdicts->indexes, &observer))
		return -ENOMEM;
	rg_prefix_rule_bind(verdicts->rule, verdicts->map, &verdicts->peers);
	return 0;
}

static int build(struct rg_verdicts *verdicts, struct rg_loader *loader, const struct rg_conf *conf,
		 struct rg_error *error)
{
	int err;

	verdicts->maps = rg_loader_maps(loader);
	rg_zone_names_open(&verdicts->zones, verdicts->maps->zones);
	err = rg_index_maps_new(&verdicts->indexes, loader, conf->index, conf->max_peers);
	if (err)
		return rg_fail(error, err, "index: %s", strerror(-err));
	verdicts->peers =
		(struct rg_peers){ .fd = verdicts->maps->peers, .indexes = verdicts->indexes };
	err = build_map(verdicts, conf);
	if (err)
		return rg_fail(error, err, "out of memory");
	err = rg_verdict_map_adopt(verdicts->map);
	return err ? rg_fail(error, err, "verdicts map: %s", strerror(-err)) : 0;
}

static int note_clean(void *arg, const struct rg_addr *addr, const struct rg_peer *value)
{
	struct rg_verdicts *verdicts = arg;

	if (value->state == RG_PEER_CLEAN)
		rg_prefix_rule_on_clean(verdicts->rule, addr, value->expiry);
	return 0;
}

int rg_verdicts_new(struct rg_verdicts **ret, struct rg_loader *loader, const struct rg_conf *conf,
		    struct rg_error *error)
{
	struct rg_verdicts *verdicts = calloc(1, sizeof(*verdicts));
	int err;

	if (!verdicts)
		return rg_fail(error, -ENOMEM, "out of memory");
	err = build(verdicts, loader, conf, error);
	if (err) {
		rg_verdicts_free(verdicts);
		return err;
	}
	if (rg_loader_took_over(loader))
		rg_peers_adopt(&verdicts->peers);
	else if (rg_loader_old_maps(loader))
		copy_maps(verdicts, rg_loader_old_maps(loader));
	(void)rg_verdicts_each_peer(verdicts, note_clean, verdicts);
	rg_prefix_rule_apply(verdicts->rule, rg_now());
	rg_index_maps_activate(verdicts->indexes);
	*ret = verdicts;
	return 0;
}

void rg_verdicts_free(struct rg_verdicts *verdicts)
{
	if (!verdicts)
		return;
	rg_verdict_map_free(verdicts->map);
	rg_prefix_rule_free(verdicts->rule);
	rg_index_maps_free(verdicts->indexes);
	free(verdicts);
}

/* ---- the names of zones ---- */

static void flush_slot(void *arg, uint32_t slot)
{
	rg_verdicts_flush(arg, NULL, slot);
}

int rg_verdicts_name_zones(struct rg_verdicts *verdicts, struct rg_conf *conf)
{
	return rg_zone_names_assign(&verdicts->zones, conf, flush_slot, verdicts);
}

const char *rg_verdicts_zone(const struct rg_verdicts *verdicts, uint32_t slot)
{
	return rg_zone_names_alias(&verdicts->zones, slot);
}

/* ---- storing ---- */

int rg_verdicts_restore(struct rg_verdicts *verdicts, const struct rg_prefix *key,
			const struct rg_full_verdict *value)
{
	struct rg_verdict old;
	int err;

	if (rg_prefix_has_v4(key))
		return -EADDRNOTAVAIL;
	/* An entry that is there already is newer. */
	if (!rg_verdict_map_get(verdicts->map, key, &old))
		return 0;
	err = rg_verdict_map_put(verdicts->map, key, value);
	rg_prefix_rule_apply(verdicts->rule, rg_now());
	return err;
}

static int write_clean(struct rg_verdicts *verdicts, const struct rg_prefix *key,
		       const struct rg_outcome *outcome, uint64_t now)
{
	const uint64_t expiry = now + outcome->ttl * RG_NSEC_PER_SEC;
	struct rg_verdict old;
	int err;

	/* XDP looks into `verdicts` first, so an earlier verdict must not stay. */
	if (!rg_verdict_map_get_indexed(verdicts->map, key, &old) &&
	    !rg_verdict_map_remove(verdicts->map, key, &old))
		verdicts->count.removed++;
	err = rg_peers_put(&verdicts->peers, &key->addr, outcome->reason, expiry, now);
	if (!err)
		rg_prefix_rule_on_clean(verdicts->rule, &key->addr, expiry);
	return err;
}

int rg_verdicts_put(struct rg_verdicts *verdicts, const struct rg_addr *addr,
		    const struct rg_outcome *outcome, uint32_t slot, uint64_t now)
{
	const struct rg_prefix key = { .len = RG_ADDR_BITS, .addr = *addr };
	struct rg_full_verdict full = {
		.expiry = now + outcome->ttl * RG_NSEC_PER_SEC,
		.peer_class = outcome->peer_class,
		.since = now,
		.action = outcome->action,
		.reason = outcome->reason,
		.zone = slot,
		.code = outcome->code,
	};
	int err = 0;

	if (outcome->ttl && outcome->peer_class == RG_CLASS_CLEAN)
		err = write_clean(verdicts, &key, outcome, now);
	else if (outcome->ttl)
		err = rg_verdict_map_put(verdicts->map, &key, &full);
	if (outcome->ttl && !err)
		verdicts->count.stored++;
	if (err)
		verdicts->count.failed++;
	rg_prefix_rule_apply(verdicts->rule, now);
	/* Last: until now the pending mark holds the address's other SYNs. */
	if (outcome->peer_class != RG_CLASS_CLEAN || err)
		(void)rg_peers_remove(&verdicts->peers, addr);
	return err;
}

/* ---- reading ---- */

int rg_verdicts_find(const struct rg_verdicts *verdicts, const struct rg_addr *addr, uint64_t now,
		     struct rg_prefix *key, struct rg_full_verdict *ret)
{
	struct rg_verdict value;
	int err = rg_verdict_map_find(verdicts->map, addr, now, &value);

	if (err)
		return err;
	if (key) {
		*key = (struct rg_prefix){ .len = value.prefix_len, .addr = *addr };
		rg_prefix_mask(key);
	}
	*ret = rg_verdict_map_full(verdicts->map, &value);
	return 0;
}

size_t rg_verdicts_evidence(const struct rg_verdicts *verdicts, const struct rg_prefix *key,
			    uint64_t now, struct rg_addr ret[RG_EVIDENCE])
{
	if (key->len < RG_ADDR_BITS)
		return rg_prefix_rule_evidence(verdicts->rule, key, now, ret);
	ret[0] = key->addr;
	return 1;
}

int rg_verdicts_find_peer(const struct rg_verdicts *verdicts, const struct rg_addr *addr,
			  uint64_t now, struct rg_peer *ret)
{
	return rg_peers_find(&verdicts->peers, addr, now, ret);
}

int rg_verdicts_at(const struct rg_verdicts *verdicts, size_t number, struct rg_prefix *key,
		   struct rg_full_verdict *ret)
{
	return rg_verdict_map_at(verdicts->map, number, key, ret);
}

uint64_t rg_verdicts_renumbered(const struct rg_verdicts *verdicts)
{
	return rg_verdict_map_renumbered(verdicts->map);
}

struct each {
	const struct rg_verdicts *verdicts;
	int (*call)(void *arg, const struct rg_prefix *key, const struct rg_full_verdict *value);
	int (*call_peer)(void *arg, const struct rg_addr *peer, const struct rg_peer *value);
	void *arg;
	uint64_t now;
};

static int each_verdict(void *arg, const void *key)
{
	struct each *each = arg;
	struct rg_full_verdict full;
	struct rg_verdict value;

	if (rg_verdict_map_get(each->verdicts->map, key, &value) || value.expiry <= each->now)
		return 0;
	full = rg_verdict_map_full(each->verdicts->map, &value);
	return each->call(each->arg, key, &full);
}

int rg_verdicts_each(const struct rg_verdicts *verdicts,
		     int (*call)(void *arg, const struct rg_prefix *key,
				 const struct rg_full_verdict *value),
		     void *arg)
{
	struct each each = { .verdicts = verdicts, .call = call, .arg = arg, .now = rg_now() };

	return rg_map_walk(verdicts->maps->verdicts, each_verdict, &each);
}

static int each_peer(void *arg, const void *key)
{
	struct each *each = arg;
	struct rg_peer value;

	if (rg_peers_find(&each->verdicts->peers, key, each->now, &value))
		return 0;
	return each->call_peer(each->arg, key, &value);
}

int rg_verdicts_each_peer(const struct rg_verdicts *verdicts,
			  int (*call)(void *arg, const struct rg_addr *peer,
				      const struct rg_peer *value),
			  void *arg)
{
	struct each each = { .verdicts = verdicts, .call_peer = call, .arg = arg, .now = rg_now() };

	return rg_map_walk(verdicts->maps->peers, each_peer, &each);
}

/* ---- removing ---- */

struct flush {
	struct rg_verdicts *verdicts;
	const struct rg_prefix *prefix;
	uint32_t slot;
	uint64_t since;
	bool countries;
	size_t count;
};

static bool flush_wants(const struct flush *flush, const struct rg_prefix *key,
			const struct rg_full_verdict *value)
{
	if (flush->countries)
		return value->reason == RG_REASON_COUNTRY;
	if (flush->slot != RG_NO_ZONE && value->zone != flush->slot)
		return false;
	if (value->since < flush->since)
		return false;
	return !flush->prefix ||
	       (key->len >= flush->prefix->len && rg_prefix_covers(flush->prefix, &key->addr));
}

static int flush_verdict(void *arg, const void *key)
{
	struct flush *flush = arg;
	struct rg_full_verdict full;
	struct rg_verdict value;

	if (rg_verdict_map_get(flush->verdicts->map, key, &value))
		return 0;
	full = rg_verdict_map_full(flush->verdicts->map, &value);
	if (flush_wants(flush, key, &full) &&
	    !rg_verdict_map_remove(flush->verdicts->map, key, &value))
		flush->count++;
	return 0;
}

static size_t run_flush(struct flush *flush, bool peers)
{
	struct rg_verdicts *verdicts = flush->verdicts;

	(void)rg_map_walk(verdicts->maps->verdicts, flush_verdict, flush);
	verdicts->count.removed += flush->count;
	if (peers) {
		flush->count += rg_peers_flush(&verdicts->peers, flush->prefix);
		rg_prefix_rule_on_flush(verdicts->rule, flush->prefix);
	}
	rg_prefix_rule_apply(verdicts->rule, rg_now());
	return flush->count;
}

size_t rg_verdicts_flush(struct rg_verdicts *verdicts, const struct rg_prefix *prefix, uint32_t slot)
{
	struct flush flush = { .verdicts = verdicts, .prefix = prefix, .slot = slot };
	struct rg_prefix around;

	/* An address whose prefix is refused is let go only with the evidence against the prefix. */
	if (prefix && !rg_addr_is_v4(&prefix->addr) &&
	    !rg_prefix_rule_find(verdicts->rule, &prefix->addr, &around) && prefix->len > around.len)
		flush.prefix = &around;
	return run_flush(&flush, slot == RG_NO_ZONE);
}

size_t rg_verdicts_flush_zone(struct rg_verdicts *verdicts, uint32_t slot, uint64_t since)
{
	/* A verdict's `since` is in whole seconds. */
	struct flush flush = { .verdicts = verdicts,
			       .slot = slot,
			       .since = since - since % RG_NSEC_PER_SEC };

	return run_flush(&flush, false);
}

size_t rg_verdicts_flush_countries(struct rg_verdicts *verdicts, bool peers)
{
	struct flush flush = { .verdicts = verdicts, .countries = true, .slot = RG_NO_ZONE };

	return run_flush(&flush, peers);
}

struct apply {
	struct rg_verdicts *verdicts;
	const struct rg_conf *conf;
};

/* The action that conf gives to a verdict; NONE: conf would not make this verdict any more. */
static enum rg_action wanted_action(const struct rg_conf *conf, const struct rg_full_verdict *value)
{
	const struct rg_zone_conf *zone;
	uint32_t code;

	if (value->peer_class == RG_CLASS_APPROVED && value->zone == RG_NO_ZONE)
		return RG_ACTION_PASS;
	if (value->reason == RG_REASON_DNS_FAILURE)
		return conf->on_dns_failure == RG_ACTION_TEMPFAIL ? RG_ACTION_TEMPFAIL :
								    RG_ACTION_NONE;
	if (value->zone == RG_NO_ZONE)
		return (enum rg_action)conf->blocked_action;
	zone = rg_conf_zone_by_slot(conf, value->zone);
	if (!zone || rg_dnsbl_match(&zone->codes, &value->code, 1, &code) != RG_LISTED)
		return RG_ACTION_NONE;
	return zone->action;
}

static int apply_to(void *arg, const void *key)
{
	struct apply *apply = arg;
	struct rg_full_verdict full;
	struct rg_verdict value;
	enum rg_action action;

	if (rg_verdict_map_get(apply->verdicts->map, key, &value))
		return 0;
	full = rg_verdict_map_full(apply->verdicts->map, &value);
	action = wanted_action(apply->conf, &full);
	if (action == RG_ACTION_NONE) {
		if (!rg_verdict_map_remove(apply->verdicts->map, key, &value))
			apply->verdicts->count.removed++;
	} else if (action != value.action) {
		if (rg_verdict_map_set_action(apply->verdicts->map, key, &value, action))
			apply->verdicts->count.failed++;
	}
	return 0;
}

void rg_verdicts_apply(struct rg_verdicts *verdicts, const struct rg_conf *conf)
{
	struct apply apply = { .verdicts = verdicts, .conf = conf };

	rg_map_walk(verdicts->maps->verdicts, apply_to, &apply);
	rg_prefix_rule_apply(verdicts->rule, rg_now());
}

void rg_verdicts_sweep(struct rg_verdicts *verdicts, uint64_t now)
{
	verdicts->count.expired += rg_verdict_map_expire(verdicts->map, now);
	rg_prefix_rule_apply(verdicts->rule, now);
	rg_prefix_rule_sweep(verdicts->rule, now);
	rg_index_maps_sweep(verdicts->indexes, now);
}

struct rg_index_maps *rg_verdicts_index_maps(const struct rg_verdicts *verdicts)
{
	return verdicts->indexes;
}

struct rg_index_maps_count rg_verdicts_indexes(const struct rg_verdicts *verdicts)
{
	return rg_index_maps_count(verdicts->indexes);
}

struct rg_verdicts_count rg_verdicts_count(const struct rg_verdicts *verdicts)
{
	struct rg_verdict_map_count map = rg_verdict_map_count(verdicts->map);
	struct rg_verdicts_count count = verdicts->count;

	count.entries = map.entries;
	count.details = map.details;
	count.evicted = map.evicted;
	count.failed += map.failed;
	count.surplus = rg_prefix_rule_surplus(verdicts->rule);
	return count;
}
