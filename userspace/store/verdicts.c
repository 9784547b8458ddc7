/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One subject: which verdicts and clean peers there should be. The maps, the walks and the rule are in files of their own. */
#include "store/verdicts.h"

#include "base/addr.h"
#include "index/index_maps.h"
#include "store/map_walk.h"
#include "store/peers.h"
#include "store/prefix_rule.h"
#include "store/zone_names.h"

/* A flush of a zone's slot: because its listings are wrong, or because the zone has left. */
struct zone_flush {
	struct rg_flush flush;
	struct rg_verdicts *verdicts;
	uint32_t slot;
	void (*done)(void *arg, uint32_t slot, size_t count); /* NULL: nobody wants to know */
	void *arg;
};

/* Peers are taken over after the verdicts; then the rule for prefixes has its evidence. */
struct peer_adoption {
	struct rg_job job;
	struct rg_verdicts *verdicts;
	int from; /* copied from this map; -1: adopted */
	bool are_over; /* the peers; then the rule is applied */
	struct rg_peers_walk walk;
};

/* An index that there was no memory for is filled again: verdicts, then peers. */
struct refill {
	struct rg_job job;
	struct rg_verdicts *verdicts;
	uint32_t number;
	bool are_verdicts_over;
	struct rg_peers_walk walk;
};

struct expiry {
	struct rg_job job;
	struct rg_verdicts *verdicts;
	uint64_t now;
};

struct rg_verdicts {
	const struct rg_maps *maps;
	struct rg_index_maps *indexes;
	struct rg_jobs *jobs;
	struct rg_verdict_map *map;
	struct rg_peers peers;
	struct rg_prefix_rule *rule;
	struct rg_zone_names zones;
	struct rg_verdicts_count count; /* what is not counted in map */
	uint64_t started; /* ns: pending marks before it are an earlier agent's */

	struct rg_verdict_walk_deps deps; /* of the walks below */
	struct rg_flush all, countries;
	struct zone_flush of_zones[RG_MAX_ZONES];
	struct rg_new_actions actions;
	struct peer_adoption adoption;
	struct refill refill;
	struct expiry expiry;
};

/* ---- taking over, copying ---- */

static void note_clean(void *arg, const struct rg_addr *addr, uint64_t expiry)
{
	struct rg_verdicts *verdicts = arg;

	rg_prefix_rule_on_clean(verdicts->rule, addr, expiry);
}

static bool adopt_peers_step(struct rg_job *job)
{
	struct peer_adoption *adoption = (struct peer_adoption *)(void *)job;
	struct rg_verdicts *verdicts = adoption->verdicts;

	if (adoption->are_over)
		return rg_prefix_rule_apply(verdicts->rule, rg_now());
	if (rg_verdicts_is_busy(verdicts))
		return true;
	adoption->are_over = !rg_peers_adopt(&verdicts->peers, adoption->from, verdicts->started,
					     &adoption->walk, note_clean, verdicts);
	if (adoption->are_over) {
		rg_prefix_rule_hold(verdicts->rule, false);
		rg_index_maps_activate(verdicts->indexes);
	}
	return true;
}

static void begin_adoption(struct rg_verdicts *verdicts, int from)
{
	struct peer_adoption *adoption = &verdicts->adoption;

	rg_prefix_rule_hold(verdicts->rule, true);
	adoption->verdicts = verdicts;
	adoption->from = from;
	adoption->job = (struct rg_job){ .work = RG_LOOP_TAKE_OVER, .step = adopt_peers_step };
	rg_jobs_add(verdicts->jobs, RG_LANE_VERDICTS, &adoption->job);
}

static int take_over(struct rg_verdicts *verdicts, const struct rg_loader *loader)
{
	const struct rg_maps *old = rg_loader_old_maps(loader);
	int err;

	if (rg_loader_took_over(loader)) {
		rg_index_maps_withdraw(verdicts->indexes);
		err = rg_verdict_map_adopt(verdicts->map);
		if (!err) {
			rg_index_maps_expect(verdicts->indexes,
					     rg_verdict_map_count(verdicts->map).details);
			begin_adoption(verdicts, -1);
		}
		return err;
	}
	if (old) {
		rg_zone_names_copy(&verdicts->zones, old->zones);
		rg_verdict_map_copy(verdicts->map, old);
		begin_adoption(verdicts, old->peers);
	} else {
		rg_index_maps_activate(verdicts->indexes);
	}
	return 0;
}

/* ---- the whole ---- */

static int build_map(struct rg_verdicts *verdicts, const struct rg_conf *conf)
{
	struct rg_verdict_map_observer observer = { .changed = rg_prefix_rule_on_verdict };

	if (rg_prefix_rule_new(&verdicts->rule, conf->ipv6_prefix))
		return -ENOMEM;
	observer.arg = verdicts->rule;
	if (rg_verdict_map_new(&verdicts->map, verdicts->maps, verdicts->indexes, verdicts->jobs,
			       &observer))
		return -ENOMEM;
	rg_prefix_rule_bind(verdicts->rule, verdicts->map, &verdicts->peers);
	return 0;
}

static void prepare_walks(struct rg_verdicts *verdicts)
{
	verdicts->deps = (struct rg_verdict_walk_deps){ .map = verdicts->map,
							.peers = &verdicts->peers,
							.rule = verdicts->rule,
							.jobs = verdicts->jobs,
							.removed = &verdicts->count.removed,
							.failed = &verdicts->count.failed };
	verdicts->all.deps = verdicts->countries.deps = verdicts->actions.deps = &verdicts->deps;
	for (uint32_t slot = 0; slot < RG_MAX_ZONES; slot++) {
		verdicts->of_zones[slot].flush.deps = &verdicts->deps;
		verdicts->of_zones[slot].verdicts = verdicts;
		verdicts->of_zones[slot].slot = slot;
	}
	verdicts->expiry.verdicts = verdicts;
}

static int build(struct rg_verdicts *verdicts, struct rg_loader *loader, const struct rg_conf *conf,
		 struct rg_error *error)
{
	int err;

	verdicts->maps = rg_loader_maps(loader);
	rg_zone_names_open(&verdicts->zones, verdicts->maps->zones);
	err = rg_index_maps_new(&verdicts->indexes, loader, verdicts->jobs, conf->index,
				conf->max_peers);
	if (err)
		return rg_fail(error, err, "index: %s", strerror(-err));
	verdicts->peers =
		(struct rg_peers){ .fd = verdicts->maps->peers, .indexes = verdicts->indexes };
	err = build_map(verdicts, conf);
	if (err)
		return rg_fail(error, err, "out of memory");
	prepare_walks(verdicts);
	err = take_over(verdicts, loader);
	return err ? rg_fail(error, err, "verdicts map: %s", strerror(-err)) : 0;
}

int rg_verdicts_new(struct rg_verdicts **ret, struct rg_loader *loader, const struct rg_conf *conf,
		    struct rg_jobs *jobs, struct rg_error *error)
{
	struct rg_verdicts *verdicts = calloc(1, sizeof(*verdicts));
	int err;

	if (!verdicts)
		return rg_fail(error, -ENOMEM, "out of memory");
	verdicts->jobs = jobs;
	verdicts->started = rg_now();
	err = build(verdicts, loader, conf, error);
	if (err)
		rg_verdicts_free(verdicts);
	else
		*ret = verdicts;
	return err;
}

void rg_verdicts_free(struct rg_verdicts *verdicts)
{
	if (!verdicts)
		return;
	rg_peers_walk_end(&verdicts->adoption.walk);
	rg_peers_walk_end(&verdicts->refill.walk);
	rg_verdict_map_free(verdicts->map);
	rg_prefix_rule_free(verdicts->rule);
	rg_index_maps_free(verdicts->indexes);
	free(verdicts);
}

/* ---- the names of zones ---- */

static void on_zone_flushed(void *arg, size_t count, bool complete)
{
	struct zone_flush *flush = arg;
	void (*done)(void *arg, uint32_t slot, size_t count) = flush->done;

	flush->done = NULL;
	if (!complete)
		return;
	if (done)
		done(flush->arg, flush->slot, count);
	rg_zone_names_free(&flush->verdicts->zones, flush->slot);
}

/* what: for the zone in its slot. */
static struct zone_flush *add_zone_flush(struct rg_verdicts *verdicts,
					 const struct rg_flush_what *what)
{
	struct zone_flush *flush = &verdicts->of_zones[what->zone];
	struct rg_flush_what before = flush->flush.what;

	flush->flush.what = *what;
	/* One that is under way begins again, with the earlier of both times, for both families. */
	if (flush->flush.job.is_queued) {
		if (before.since < what->since)
			flush->flush.what.since = before.since;
		if (!before.one_family || before.family != what->family)
			flush->flush.what.one_family = false;
	}
	flush->flush.done = on_zone_flushed;
	flush->flush.arg = flush;
	rg_flush_add(&flush->flush);
	return flush;
}

static void flush_slot(void *arg, uint32_t slot)
{
	(void)add_zone_flush(arg, &(struct rg_flush_what){ .zone = slot });
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

bool rg_verdicts_is_busy(const struct rg_verdicts *verdicts)
{
	return rg_index_maps_is_busy(verdicts->indexes);
}

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
	(void)rg_prefix_rule_apply(verdicts->rule, rg_now()); /* what is left waits for the next one */
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
	(void)rg_prefix_rule_apply(verdicts->rule, now);
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

int rg_verdicts_next(const struct rg_verdicts *verdicts, uint32_t *number, struct rg_prefix *key,
		     struct rg_full_verdict *ret)
{
	struct rg_verdict value;
	int err = rg_verdict_map_next(verdicts->map, number, key, &value);

	if (!err)
		*ret = rg_verdict_map_full(verdicts->map, &value);
	return err;
}

struct each {
	const struct rg_verdicts *verdicts;
	int (*call)(void *arg, const struct rg_prefix *key, const struct rg_full_verdict *value);
	int (*call_peer)(void *arg, const struct rg_addr *peer, const struct rg_peer *value);
	void *arg;
	uint64_t now;
	unsigned int misses;
};

static int each_verdict(void *arg, const void *key)
{
	struct each *each = arg;
	struct rg_full_verdict full;
	struct rg_verdict value;

	if (rg_verdict_map_get(each->verdicts->map, key, &value) || value.expiry <= each->now)
		return ++each->misses > RG_EACH_MISSES;
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
		return ++each->misses > RG_EACH_MISSES;
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

/* One address needs no walk: it is let go at once, also while everything is flushed. */
static size_t flush_host(struct rg_verdicts *verdicts, const struct rg_prefix *key)
{
	struct rg_verdict value;
	bool was_clean = rg_index_maps_peer_until(verdicts->indexes, &key->addr, rg_now());
	size_t count = 0;

	if (!rg_verdict_map_get_indexed(verdicts->map, key, &value) &&
	    !rg_verdict_map_remove(verdicts->map, key, &value)) {
		verdicts->count.removed++;
		count++;
	}
	/* The index may have one that the map has lost. */
	count += !rg_peers_remove(&verdicts->peers, &key->addr) || was_clean;
	rg_prefix_rule_forget(verdicts->rule, &key->addr);
	(void)rg_prefix_rule_apply(verdicts->rule, rg_now());
	return count;
}

int rg_verdicts_flush(struct rg_verdicts *verdicts, const struct rg_prefix *prefix, uint32_t slot,
		      rg_flush_done *done, void *arg)
{
	struct rg_flush *flush;
	struct rg_prefix around;

	/* An address whose prefix is refused is let go only with the evidence against the prefix. */
	if (prefix && !rg_addr_is_v4(&prefix->addr) &&
	    !rg_prefix_rule_find(verdicts->rule, &prefix->addr, &around) && prefix->len > around.len)
		prefix = &around;
	if (prefix && prefix->len == RG_ADDR_BITS && slot == RG_NO_ZONE) {
		done(arg, flush_host(verdicts, prefix), true);
		return 0;
	}
	flush = calloc(1, sizeof(*flush));
	if (!flush)
		return -ENOMEM;
	*flush = (struct rg_flush){
		.deps = &verdicts->deps,
		.what = { .has_prefix = prefix, .zone = slot, .peers = slot == RG_NO_ZONE },
		.done = done,
		.arg = arg,
		.is_owned = true
	};
	if (prefix)
		flush->what.prefix = *prefix;
	rg_flush_add(flush);
	return 0;
}

void rg_verdicts_flush_all(struct rg_verdicts *verdicts)
{
	verdicts->all.what = (struct rg_flush_what){ .zone = RG_NO_ZONE, .peers = true };
	rg_flush_add(&verdicts->all);
}

void rg_verdicts_flush_zone(struct rg_verdicts *verdicts, uint32_t slot, enum rg_family family,
			    uint64_t since, void (*done)(void *arg, uint32_t slot, size_t count),
			    void *arg)
{
	/* A verdict's `since` is in whole seconds. */
	const struct rg_flush_what what = { .zone = slot,
					    .one_family = true,
					    .family = family,
					    .since = since - since % RG_NSEC_PER_SEC };
	struct zone_flush *flush = add_zone_flush(verdicts, &what);

	flush->done = done;
	flush->arg = arg;
}

void rg_verdicts_flush_countries(struct rg_verdicts *verdicts, bool peers)
{
	peers |= verdicts->countries.job.is_queued && verdicts->countries.what.peers;
	verdicts->countries.what =
		(struct rg_flush_what){ .zone = RG_NO_ZONE, .countries = true, .peers = peers };
	rg_flush_add(&verdicts->countries);
}

void rg_verdicts_apply(struct rg_verdicts *verdicts, struct rg_conf *const *conf)
{
	verdicts->actions.conf = conf;
	rg_new_actions_add(&verdicts->actions);
}

static bool expire_step(struct rg_job *job)
{
	struct expiry *expiry = (struct expiry *)(void *)job;
	struct rg_verdicts *verdicts = expiry->verdicts;
	size_t count = 0;
	bool more = rg_verdict_map_expire(verdicts->map, expiry->now, &count);

	verdicts->count.expired += count;
	more |= rg_prefix_rule_apply(verdicts->rule, expiry->now);
	return more;
}

#define REFILL_STEP 64 /* verdicts: 0.1 ms */

static void ignore_clean(void *arg, const struct rg_addr *addr, uint64_t expiry)
{
	(void)arg;
	(void)addr;
	(void)expiry;
}

/* What is stored, removed or changed meanwhile reaches the index by itself. */
static bool refill_step(struct rg_job *job)
{
	struct refill *refill = (struct refill *)(void *)job;
	struct rg_verdicts *verdicts = refill->verdicts;

	if (rg_verdicts_is_busy(verdicts))
		return true;
	for (int i = 0; !refill->are_verdicts_over && i < REFILL_STEP; i++)
		refill->are_verdicts_over =
			rg_verdict_map_index_next(verdicts->map, &refill->number) == -ERANGE;
	if (!refill->are_verdicts_over)
		return true;
	if (rg_peers_adopt(&verdicts->peers, -1, 0, &refill->walk, ignore_clean, NULL))
		return true;
	rg_index_maps_activate(verdicts->indexes);
	return false;
}

static void retry_indexes(struct rg_verdicts *verdicts, uint64_t now)
{
	struct refill *refill = &verdicts->refill;

	/* Each of them activates the indexes at its end. */
	if (refill->job.is_queued || verdicts->adoption.job.is_queued ||
	    rg_verdict_map_is_adopting(verdicts->map) || !rg_index_maps_retry(verdicts->indexes, now))
		return;
	*refill = (struct refill){ .job = { .work = RG_LOOP_INDEX, .step = refill_step },
				   .verdicts = verdicts };
	rg_jobs_add(verdicts->jobs, RG_LANE_VERDICTS, &refill->job);
}

void rg_verdicts_sweep(struct rg_verdicts *verdicts, uint64_t now)
{
	retry_indexes(verdicts, now);
	verdicts->expiry.now = now;
	if (!verdicts->expiry.job.is_queued)
		verdicts->expiry.job = (struct rg_job){ .work = RG_LOOP_EXPIRY, .step = expire_step };
	rg_jobs_add(verdicts->jobs, RG_LANE_UPKEEP, &verdicts->expiry.job);
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
	count.queued = map.queued;
	count.is_adopting = rg_verdict_map_is_adopting(verdicts->map);
	count.failed += map.failed;
	count.surplus = rg_prefix_rule_surplus(verdicts->rule);
	return count;
}
