/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches the list directories, and calls back 0.2 s after the last change that inotify tells, and within some 1.2 s
 * of others (file_poll.h): wherever the content really is.
 */
#ifndef REPGATE_DAEMON_DIR_WATCH_H
#define REPGATE_DAEMON_DIR_WATCH_H

#include "base/util.h"

#include <event2/event.h>

struct rg_dir_watch;

/*
 * dirs are the caller's and outlive it; at most 4. A directory need not exist. 0 or -errno.
 */
int rg_dir_watch_new(struct rg_dir_watch **ret, struct event_base *base, const char *const *dirs,
		     size_t count, void (*changed)(void *arg), void *arg);
/* Call now and then: watches a directory that was created or replaced. watch may be NULL. */
void rg_dir_watch_refresh(struct rg_dir_watch *watch);
void rg_dir_watch_free(struct rg_dir_watch *watch);

#endif
