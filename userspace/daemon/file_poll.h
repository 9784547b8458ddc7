/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at the files of the list directories once a second, in a thread, for changes that inotify does not tell: in
 * what a link leads to, in permissions on the way to it, on a network file system. A look follows links, and compares
 * names, inode numbers, sizes and times; it reads no content.
 */
#ifndef REPGATE_DAEMON_FILE_POLL_H
#define REPGATE_DAEMON_FILE_POLL_H

#include "base/util.h"

struct rg_file_poll;

/* dirs are the caller's and outlive it. 0 or -errno, also if there can be no thread. */
int rg_file_poll_new(struct rg_file_poll **ret, const char *const *dirs, size_t count);
/* Waits for the look in progress. poll may be NULL. */
void rg_file_poll_free(struct rg_file_poll *poll);

/* Readable when something changed, or a look that was asked for is over; rg_file_poll_clear() ends that. */
int rg_file_poll_fd(const struct rg_file_poll *poll);
void rg_file_poll_clear(struct rg_file_poll *poll);

/* Looks at the files at once, not only in a second. A later change is reported as usual. */
void rg_file_poll_look(struct rg_file_poll *poll);

#endif
