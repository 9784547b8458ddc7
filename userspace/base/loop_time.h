/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long each kind of work keeps the event loop: while it does, no new peer is judged. Pure but for the
 * clock.
 */
#ifndef REPGATE_BASE_LOOP_TIME_H
#define REPGATE_BASE_LOOP_TIME_H

#include "base/util.h"

enum rg_loop_work {
	RG_LOOP_TICK, /* what is done once a second */
	RG_LOOP_PEERS, /* new peers from the ring buffer */
	RG_LOOP_COMMANDS, /* of the control socket */
	RG_LOOP_RELOAD, /* new lists and settings are put in force */
	RG_LOOP_SAVE, /* verdicts are written to their file */
	/* Walks over all verdicts or clean peers, in slices; see base/jobs.h. */
	RG_LOOP_TAKE_OVER, /* of an earlier agent's verdicts */
	RG_LOOP_RESTORE, /* of saved verdicts */
	RG_LOOP_FLUSH,
	RG_LOOP_ACTIONS, /* new actions for stored verdicts */
	RG_LOOP_EXPIRY, /* verdicts that have ended, and the queue of those that will */
	RG_LOOP_INDEX, /* upkeep of the index */
	RG_LOOP_WORKS
};

struct rg_loop_times {
	struct rg_loop_time {
		uint64_t longest, total; /* ns */
		uint64_t count;
	} works[RG_LOOP_WORKS];
};

/* The name of a work, as status and metrics show it. */
const char *rg_loop_work_name(enum rg_loop_work work);

/* Notes that the loop has done this work since `start`, ns of rg_now(). times may be NULL. */
void rg_loop_times_add(struct rg_loop_times *times, enum rg_loop_work work, uint64_t start);

/* The work that kept the loop longest at one time. */
enum rg_loop_work rg_loop_times_longest(const struct rg_loop_times *times);

#endif
