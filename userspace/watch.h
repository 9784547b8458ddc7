/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells when a file in one of the list directories changed (inotify), once things are quiet again. */
#ifndef REPGATE_WATCH_H
#define REPGATE_WATCH_H

#include "util.h"

#include <event2/event.h>

struct rg_watch;

/* Directories that are not there are not watched (rg_watch_refresh() looks again). */
int rg_watch_new(struct rg_watch **ret, struct event_base *base, const char *const *dirs,
		 size_t count, void (*changed)(void *arg), void *arg);
/* From time to time: notices a directory that was replaced or made anew. watch may be NULL. */
void rg_watch_refresh(struct rg_watch *watch);
void rg_watch_free(struct rg_watch *watch);

#endif
