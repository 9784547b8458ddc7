/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks over all verdicts and clean peers: flush and new actions, as jobs (base/jobs.h). Used by verdicts.c only.
 *
 * What may change while a walk is under way:
 *
 *   A verdict or peer is stored or renewed.   A flush leaves it alone: its zones were asked after the flush began.
 *                                             New actions: it may be visited, which changes nothing.
 *   One is removed, expires, is evicted.      The walk does not meet it. All others are met once.
 *   A flush is asked for during another.      It runs behind it, and removes what was stored in between, too. One
 *                                             that the agent itself wants (all, a zone) begins again instead.
 *   Actions change again.                     The walk begins again, with the new ones.
 *   The configuration changes.                Each verdict gets what the one in force says. A verdict that has it
 *                                             already is left as it is.
 *   The agent stops.                          The walk ends; whoever waits learns that it is not complete. The next
 *                                             agent begins with new actions, by its own configuration.
 *
 * A walk is what a change waits for: "flushed" and "reloaded" are answered at its end, when no packet meets what was
 * there before.
 */
#ifndef REPGATE_STORE_VERDICT_WALK_H
#define REPGATE_STORE_VERDICT_WALK_H

#include "config/config.h"
#include "store/peers.h"
#include "store/prefix_rule.h"
#include "store/verdict_map.h"

struct rg_verdict_walk_deps {
	struct rg_verdict_map *map;
	struct rg_peers *peers;
	struct rg_prefix_rule *rule;
	struct rg_jobs *jobs;
	uint64_t *removed, *failed; /* counts of the owner */
};

/* Called once. complete: false: the agent stops. count: entries removed. */
typedef void rg_flush_done(void *arg, size_t count, bool complete);

struct rg_flush_what {
	struct rg_prefix prefix; /* within it */
	bool has_prefix; /* else anywhere */
	uint32_t zone; /* decided by this slot; RG_NO_ZONE: by anything */
	uint64_t since; /* only verdicts since then; ns */
	bool one_family; /* only addresses of `family` */
	enum rg_family family;
	bool countries; /* only verdicts by countries */
	bool peers; /* clean peers and pending marks, too */
};

struct rg_flush {
	struct rg_job job;
	struct rg_verdict_walk_deps *deps;
	struct rg_flush_what what;
	rg_flush_done *done; /* may be NULL */
	void *arg;
	bool is_owned; /* freed at its end */
	enum {
		RG_FLUSH_BEGIN,
		RG_FLUSH_VERDICTS,
		RG_FLUSH_PEERS,
		RG_FLUSH_INDEX,
		RG_FLUSH_RULE
	} phase;
	uint64_t begun; /* ns */
	size_t count;
	uint32_t number;
	struct rg_peers_walk peers;
	struct rg_index_cursor index;
	struct rg_neighbours_walk neighbours;
};

/* Adds a flush that the caller has filled down to is_owned, zero below; if it is queued it begins again. */
void rg_flush_add(struct rg_flush *flush);

struct rg_new_actions {
	struct rg_job job;
	struct rg_verdict_walk_deps *deps;
	struct rg_conf *const *conf; /* the one in force */
	uint32_t number;
};

/* Gives every verdict the action that the configuration says, and removes those that it would not make. */
void rg_new_actions_add(struct rg_new_actions *actions);

#endif
