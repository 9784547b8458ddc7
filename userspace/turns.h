/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of configuration and lists, one after the other: a load of the files takes its time, and what
 * comes meanwhile waits until it is over. Who only wants a load, of the same kind, shares one with
 * others: it begins after all of them asked.
 */
#ifndef REPGATE_TURNS_H
#define REPGATE_TURNS_H

#include "util.h"

struct rg_turns;

enum rg_turn_kind {
	RG_TURN_LISTS, /* load the lists */
	RG_TURN_CONF, /* and the configuration */
	RG_TURN_KINDS
};

struct rg_turn {
	enum rg_turn_kind kind;
	/*
	 * What is to be done before the load. 0; 1: nothing is to be loaded; or a negative error, which
	 * done gets. NULL: nothing, and it may be one load with others.
	 */
	int (*begin)(void *arg, struct rg_error *error);
	/* Called once, maybe before rg_turns_ask() returns. err: 0, or negative and then with error. */
	void (*done)(void *arg, int err, const struct rg_error *error);
	void *arg;
};

/* load begins to load: 0, and rg_turns_end() follows later, or a negative error. */
int rg_turns_new(struct rg_turns **ret,
		 int (*load)(void *arg, enum rg_turn_kind kind, struct rg_error *error), void *arg);
/* All that wait are told that we stop (-ECANCELED), and can't ask again. */
void rg_turns_free(struct rg_turns *turns);

void rg_turns_ask(struct rg_turns *turns, const struct rg_turn *turn);

/* The load is over. */
void rg_turns_end(struct rg_turns *turns, int err, const struct rg_error *error);

#endif
