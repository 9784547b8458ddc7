/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of configuration and lists, one after the other: a load of the files takes its time, and what
 * comes meanwhile waits until it is over. Who only wants a load, of the same kind, shares one with
 * others: it begins after all of them asked.
 */
#ifndef REPGATE_CONTROL_RELOAD_QUEUE_H
#define REPGATE_CONTROL_RELOAD_QUEUE_H

#include "base/util.h"

struct rg_reload_queue;

enum rg_reload_kind {
	RG_RELOAD_LISTS, /* load the lists */
	RG_RELOAD_CONF, /* and the configuration */
	RG_RELOAD_KINDS
};

struct rg_reload_request {
	enum rg_reload_kind kind;
	/*
	 * What is to be done before the load. 0; 1: nothing is to be loaded; or a negative error, which
	 * done gets. NULL: nothing, and it may be one load with others.
	 */
	int (*begin)(void *arg, struct rg_error *error);
	/* Called once, maybe before rg_reload_queue_add() returns. err: 0, or negative and then with error. */
	void (*done)(void *arg, int err, const struct rg_error *error);
	void *arg;
};

/* load begins to load: 0, and rg_reload_queue_done() follows later, or a negative error. */
int rg_reload_queue_new(struct rg_reload_queue **ret,
			int (*load)(void *arg, enum rg_reload_kind kind, struct rg_error *error),
			void *arg);
/* All that wait are told that we stop (-ECANCELED), and can't ask again. */
void rg_reload_queue_free(struct rg_reload_queue *turns);

void rg_reload_queue_add(struct rg_reload_queue *turns, const struct rg_reload_request *turn);

/* The load is over. */
void rg_reload_queue_done(struct rg_reload_queue *turns, int err, const struct rg_error *error);

#endif
