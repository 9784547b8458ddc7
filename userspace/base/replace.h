/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replaces a file in a directory where somebody else might plant links. It works on the directory's
 * descriptor, with O_EXCL and O_NOFOLLOW, and renames the new file. So a reader finds the whole old file or
 * the whole new one.
 */
#ifndef REPGATE_BASE_REPLACE_H
#define REPGATE_BASE_REPLACE_H

#include "base/util.h"

#include <sys/types.h>

/*
 * Opens the directory of path, for root's writing there. The directory and those above it must belong to
 * root or to this user, and nobody else may write to them (a sticky one such as /tmp may be shared).
 * Returns a descriptor, which the caller closes, or a negative error with a reason.
 */
int rg_replace_open_dir(const char *path, struct rg_error *error);

/*
 * Checks the file that will be replaced. 0: there is none, or it is a regular file that root or this user
 * owns; -EEXIST: it is a link, something else, or another user's; or -errno. The reason is in error.
 */
int rg_replace_check(int dir, const char *name, struct rg_error *error);

/*
 * Writes a new file and renames it to `name` in dir. It gets `mode`; with `keep`, the old file's owner and
 * mode if there is one. write puts the content into memory, and returns 0 or -errno. The file is on the disk
 * before it is renamed. 0 or the -errno of the step that failed; then the old file is as it was.
 */
int rg_replace_file(int dir, const char *name, mode_t mode, bool keep,
		    int (*write)(void *arg, FILE *to), void *arg);

#endif
