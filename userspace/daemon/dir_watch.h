/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells when a file in one of the list directories changed (inotify), once things are quiet again. */
#ifndef REPGATE_DAEMON_DIR_WATCH_H
#define REPGATE_DAEMON_DIR_WATCH_H

#include "base/util.h"

#include <event2/event.h>

struct rg_dir_watch;

/* Directories that are not there are not watched (rg_dir_watch_refresh() looks again). */
int rg_dir_watch_new(struct rg_dir_watch **ret, struct event_base *base, const char *const *dirs,
		     size_t count, void (*changed)(void *arg), void *arg);
/* From time to time: notices a directory that was replaced or made anew. watch may be NULL. */
void rg_dir_watch_refresh(struct rg_dir_watch *watch);
void rg_dir_watch_free(struct rg_dir_watch *watch);

#endif
