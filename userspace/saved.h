/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listings in a file, for after a reboot or a change of layout: a line each, with times of the wall
 * clock. Written piece by piece from the event loop, in whole at the stop, always to a new file that
 * takes the old one's place.
 */
#ifndef REPGATE_SAVED_H
#define REPGATE_SAVED_H

#include "verdicts.h"

#include <event2/event.h>

struct rg_saver;

int rg_saver_new(struct rg_saver **ret, struct event_base *base, const struct rg_verdicts *verdicts,
		 const char *state_dir);
/* Begins to write, unless it is still writing. done is told of 0 or -errno when it is over. */
void rg_saver_start(struct rg_saver *saver, void (*done)(void *arg, int err), void *arg);
/* Writes everything now. 0 or -errno. */
int rg_saver_finish(struct rg_saver *saver);
void rg_saver_free(struct rg_saver *saver);

struct rg_saved_count {
	size_t loaded, ended, unknown,
		bad; /* lines: taken, over, of zones that are gone, unreadable */
};

/* Puts what is saved into force, as far as conf would still say it. 0, also if there is no file. */
int rg_saved_load(const char *state_dir, struct rg_verdicts *verdicts, const struct rg_conf *conf,
		  struct rg_saved_count *count);

#endif
