/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The modules of a running agent, for those who look at them: metrics, history, control commands. The
 * agent owns the struct and everything in it, and hands it out const: others may call the modules, but
 * may not replace them. Pointers change at a reload; do not keep them over a return to the event loop
 * (keep a reference of conf instead).
 */
#ifndef REPGATE_OBSERVE_MODULES_H
#define REPGATE_OBSERVE_MODULES_H

#include "base/jobs.h"
#include "dnsbl/zone_test.h"
#include "judge/judge.h"
#include "kernel/ring.h"
#include "kernel/paths.h"
#include "kernel/redirects.h"
#include "kernel/release.h"
#include "kernel/steering.h"
#include "observe/guards.h"
#include "observe/history_counts.h"
#include "observe/recent_events.h"
#include "responder/refusals.h"

/* Connections to the control socket and the metrics page that their limits closed, since the start. */
struct rg_client_limits {
	uint64_t control_limit, control_unread, metrics_limit;
};

struct rg_modules {
	struct event_base *base;
	struct rg_conf *conf; /* in force */
	struct rg_jobs *jobs; /* walks in slices */
	struct rg_loop_times *loop; /* how long each kind of work keeps the event loop; control/ notes in it, too */
	struct rg_loader *loader;
	struct rg_verdicts *verdicts;
	struct rg_lists *lists; /* in force */
	struct rg_error country_fault; /* why the country database can't be read now; "": it can */
	struct rg_country_db *countries; /* NULL: no country_database */
	struct rg_exempt exempt;
	struct rg_dns *dns;
	struct rg_zone_test *zone_test;
	struct rg_inquiry_context *inquiries;
	struct rg_judge *judge;
	struct rg_ring *ring;
	struct rg_responder *responder; /* NULL: the kernel or the host does not allow one */
	struct rg_refusals refusals;
	struct rg_steering steering;
	struct rg_redirects *redirects; /* NULL: the kernel does not allow it */
	struct rg_paths *paths;
	struct rg_release_evidence released;
	struct rg_recent_events *recent_events;
	struct rg_history_counts *history;
	struct rg_guards *guards;
	struct rg_client_limits *clients; /* control/ and observe/metrics.c count in it */

	uint64_t started; /* ns of CLOCK_BOOTTIME */
	uint64_t asked[RG_ASKED_MAX]; /* new peers, since the start */
	uint64_t reloads, reload_errors; /* since the start */
	char reload_error[sizeof(((struct rg_error *)0)->text)]; /* "": the last reload succeeded */
};

/* Adds a sample of all counters to the history. 0 or -errno: the map `stats` can't be read. */
int rg_modules_sample(const struct rg_modules *modules);
/* The values of all counters now, e.g. for rg_history_counts_begin(). 0 or -errno, as above. */
int rg_modules_read_counters(const struct rg_modules *modules, struct rg_history_sample *sample);

#endif
