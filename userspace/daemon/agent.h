/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent: owner of all modules. It builds them in order, wires their callbacks, and takes them
 * down in reverse. control.c, commands.c and metrics.c look at it and call its functions.
 */
#ifndef REPGATE_DAEMON_AGENT_H
#define REPGATE_DAEMON_AGENT_H

#include "observe/history.h"
#include "judge/judge.h"
#include "store/list_load.h"
#include "observe/recent_events.h"
#include "responder/refusals.h"
#include "store/verdict_file.h"
#include "kernel/steering.h"
#include "control/reload_queue.h"

struct rg_agent {
	struct event_base *base;
	struct rg_conf *conf;
	struct rg_loader *loader;
	struct rg_verdicts *verdicts;
	struct rg_lists *lists;
	struct rg_country_db *geo; /* NULL: no country_database */
	struct rg_exempt never;
	struct rg_dns *dns;
	struct rg_zone_test *tester;
	struct rg_inquiry_context *inquiries;
	struct rg_judge *judge;
	struct rg_ring *events;
	struct rg_responder *responder; /* NULL: it could not be */
	struct rg_refusals refusals;
	struct rg_steering steering;
	struct rg_recent_events *recent;
	struct rg_control *control;
	struct rg_metrics *metrics;
	struct rg_dir_watch *watch;
	struct rg_netlink *links;
	struct rg_verdict_file *saver;
	struct rg_history *history;
	uint64_t asked[RG_ASKED_MAX]; /* new peers, since the start */
	struct rg_reload_queue *turns;
	struct rg_list_load *listing; /* under way, or NULL */
	unsigned int hangups; /* SIGHUPs that are not answered yet */
	int save_error, history_error; /* of the last time: said when it changes */
	struct event *signals[3];
	struct event *tick;
	uint64_t started; /* ns of CLOCK_BOOTTIME */
	uint64_t ticks, lists_retry; /* ticks since the start; when to load lists again */
	uint64_t reloads, reload_errors;
	uint64_t indexes_failed; /* as was said */
	char reload_error[512]; /* "": the last reload went well */
};

/* One list for all who show losses. */
struct rg_loss_count {
	const char *cause;
	uint64_t count;
};
/* 0 or -errno; fills all RG_LOSS_COUNTS. */
int rg_agent_losses(const struct rg_agent *agent, struct rg_loss_count losses[RG_LOSS_COUNTS]);
/* Brings the history up to now. 0 or -errno. */
int rg_agent_count(struct rg_agent *agent);

/* Builds everything and attaches; the filter is in force when it returns. */
int rg_agent_new(struct rg_agent **ret, struct rg_conf *conf, struct rg_error *error);
/* Until SIGTERM or SIGINT. 0, or negative if the agent could not go on. */
int rg_agent_run(struct rg_agent *agent);
/* Stops; what is pinned goes too, unless it is to be kept. */
void rg_agent_free(struct rg_agent *agent, bool keep_pins);

/*
 * Lists anew, or all of the configuration, when its turn comes; it takes its time in a thread. turn's
 * done is told how it went: on error the old state stays in force. What changes the configuration, or
 * repgatectl's lists, does it in turn's begin: nobody reads them then.
 */
void rg_agent_reload(struct rg_agent *agent, const struct rg_reload_request *turn);
/* One setting, until the next reload or start; in its turn. error: why not. */
int rg_agent_set(struct rg_agent *agent, const char *key, const char *value, struct rg_error *error);
/* In its turn. */
void rg_agent_set_mode(struct rg_agent *agent, enum rg_mode mode);
/* What action comes to for a peer of this class now: without a responder tempfail is none. */
enum rg_action rg_agent_action(const struct rg_agent *agent, enum rg_class peer_class,
			       enum rg_action action);
/* What can't work with conf in this network namespace now, or NULL. */
const char *rg_agent_advice(const struct rg_conf *conf);
/* The database of a configuration and all files of its lists can be read. */
int rg_agent_check(const struct rg_conf *conf, struct rg_error *error);

#endif
