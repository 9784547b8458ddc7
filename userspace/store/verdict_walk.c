/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/verdict_walk.h"

#include "base/addr.h"

#define STEP 64 /* verdicts in a step: 0.1 ms */

/* ---- flush ---- */

static bool is_wanted(const struct rg_flush *flush, const struct rg_prefix *key,
		      const struct rg_verdict *value)
{
	const struct rg_flush_what *what = &flush->what;
	struct rg_full_verdict full;

	if (what->has_prefix &&
	    (key->len < what->prefix.len || !rg_prefix_covers(&what->prefix, &key->addr)))
		return false;
	if (what->one_family && rg_addr_family(&key->addr) != what->family)
		return false;
	if (what->zone != RG_NO_ZONE && value->zone != what->zone)
		return false;
	if (!what->countries && !what->since)
		return true;
	full = rg_verdict_map_full(flush->deps->map, value);
	return what->countries ? full.reason == RG_REASON_COUNTRY : full.since >= what->since;
}

static bool flush_verdicts(struct rg_flush *flush)
{
	struct rg_verdict_map *map = flush->deps->map;
	struct rg_verdict value;
	struct rg_prefix key;

	for (int i = 0; i < STEP; i++) {
		int err = rg_verdict_map_next(map, &flush->number, &key, &value);

		if (err == -ERANGE)
			return false;
		if (!err && is_wanted(flush, &key, &value) && !rg_verdict_map_is_fresh(map, &value) &&
		    !rg_verdict_map_remove(map, &key, &value)) {
			flush->count++;
			++*flush->deps->removed;
		}
	}
	return true;
}

static void begin(struct rg_flush *flush)
{
	flush->begun = rg_now();
	flush->number = 0;
	rg_peers_walk_end(&flush->peers);
	flush->index = (struct rg_index_cursor){};
	flush->neighbours = (struct rg_neighbours_walk){};
	rg_verdict_map_age(flush->deps->map);
}

/* Returns whether the phase has more to do. */
static bool run_phase(struct rg_flush *flush)
{
	const struct rg_prefix *prefix = flush->what.has_prefix ? &flush->what.prefix : NULL;

	switch (flush->phase) {
	case RG_FLUSH_BEGIN:
		begin(flush);
		return false;
	case RG_FLUSH_VERDICTS:
		return flush_verdicts(flush);
	case RG_FLUSH_PEERS:
		return rg_peers_flush(flush->deps->peers, prefix, flush->begun, &flush->peers,
				      &flush->count);
	case RG_FLUSH_INDEX:
		/* It may have some that the map has lost. */
		return rg_index_maps_flush(flush->deps->peers->indexes, prefix, &flush->index,
					   &flush->count);
	default:
		return rg_prefix_rule_on_flush(flush->deps->rule, prefix, &flush->neighbours);
	}
}

static bool flush_step(struct rg_job *job)
{
	struct rg_flush *flush = (struct rg_flush *)(void *)job;

	if (!run_phase(flush)) {
		if (flush->phase == RG_FLUSH_RULE ||
		    (flush->phase == RG_FLUSH_VERDICTS && !flush->what.peers))
			return rg_prefix_rule_apply(flush->deps->rule, rg_now());
		flush->phase++;
	}
	(void)rg_prefix_rule_apply(flush->deps->rule, rg_now()); /* the rest in the next step */
	return true;
}

static void flush_end(struct rg_job *job, bool complete)
{
	struct rg_flush *flush = (struct rg_flush *)(void *)job;
	rg_flush_done *done = flush->done;
	void *arg = flush->arg;
	size_t count = flush->count;

	rg_peers_walk_end(&flush->peers);
	flush->count = 0;
	flush->done = NULL;
	if (flush->is_owned)
		free(flush);
	if (done)
		done(arg, count, complete);
}

void rg_flush_add(struct rg_flush *flush)
{
	flush->phase = RG_FLUSH_BEGIN;
	if (!flush->job.is_queued)
		flush->job =
			(struct rg_job){ .work = RG_LOOP_FLUSH, .step = flush_step, .end = flush_end };
	rg_jobs_add(flush->deps->jobs, RG_LANE_VERDICTS, &flush->job);
}

/* ---- new actions ---- */

/* The action that conf gives to a verdict; NONE: conf would not make this verdict any more. */
static enum rg_action wanted_action(const struct rg_conf *conf, const struct rg_prefix *key,
				    const struct rg_full_verdict *value)
{
	bool exempt = conf->private_peers == RG_PRIVATE_EXEMPT && rg_addr_is_private(&key->addr);
	const struct rg_zone_conf *zone;
	uint32_t code;

	/* A blocked entry of a local list is in a map of its own. */
	if (value->reason == RG_REASON_PRIVATE ? !exempt :
						 exempt && value->peer_class != RG_CLASS_APPROVED)
		return RG_ACTION_NONE;
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

static void apply_to(struct rg_new_actions *actions, const struct rg_prefix *key,
		     const struct rg_verdict *value)
{
	const struct rg_verdict_walk_deps *deps = actions->deps;
	const struct rg_full_verdict full = rg_verdict_map_full(deps->map, value);
	enum rg_action action = wanted_action(*actions->conf, key, &full);

	if (action == RG_ACTION_NONE) {
		if (!rg_verdict_map_remove(deps->map, key, value))
			++*deps->removed;
	} else if (action != value->action) {
		if (rg_verdict_map_set_action(deps->map, key, value, action))
			++*deps->failed;
	}
}

static bool actions_step(struct rg_job *job)
{
	struct rg_new_actions *actions = (struct rg_new_actions *)(void *)job;
	struct rg_verdict value;
	struct rg_prefix key;

	for (int i = 0; i < STEP; i++) {
		int err = rg_verdict_map_next(actions->deps->map, &actions->number, &key, &value);

		if (err == -ERANGE)
			return rg_prefix_rule_apply(actions->deps->rule, rg_now());
		if (!err)
			apply_to(actions, &key, &value);
	}
	(void)rg_prefix_rule_apply(actions->deps->rule, rg_now());
	return true;
}

void rg_new_actions_add(struct rg_new_actions *actions)
{
	actions->number = 0;
	if (!actions->job.is_queued)
		actions->job = (struct rg_job){ .work = RG_LOOP_ACTIONS, .step = actions_step };
	rg_jobs_add(actions->deps->jobs, RG_LANE_VERDICTS, &actions->job);
}
