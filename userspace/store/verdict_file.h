/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listings in a file, for after a reboot or a change of layout: a line each, with times of the wall
 * clock. Written piece by piece from the event loop, in whole at the stop, always to a new file that
 * takes the old one's place.
 */
#ifndef REPGATE_STORE_VERDICT_FILE_H
#define REPGATE_STORE_VERDICT_FILE_H

#include "store/verdicts.h"

#include <event2/event.h>

struct rg_verdict_file;

int rg_verdict_file_new(struct rg_verdict_file **ret, struct event_base *base,
			const struct rg_verdicts *verdicts, const char *state_dir);
/* Begins to write, unless it is still writing. done is told of 0 or -errno when it is over. */
void rg_verdict_file_start(struct rg_verdict_file *saver, void (*done)(void *arg, int err),
			   void *arg);
/* Writes everything now. 0 or -errno. */
int rg_verdict_file_finish(struct rg_verdict_file *saver);
void rg_verdict_file_free(struct rg_verdict_file *saver);

struct rg_verdict_file_count {
	size_t loaded, ended, unknown,
		bad; /* lines: taken, over, of zones that are gone, unreadable */
};

/* Puts what is saved into force, as far as conf would still say it. 0, also if there is no file. */
int rg_verdict_file_load(const char *state_dir, struct rg_verdicts *verdicts,
			 const struct rg_conf *conf, struct rg_verdict_file_count *count);

#endif
