/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which files of a list directory are read: *.list, but for hidden ones. Others are named, because a feed that is
 * called drop.netset or drop.txt would be missing without a word. Backups, and files that are being written, are
 * not named.
 */
#ifndef REPGATE_LISTS_LIST_NAMES_H
#define REPGATE_LISTS_LIST_NAMES_H

#include "base/util.h"

#include <dirent.h>

#define RG_LIST_UNREAD_SHOWN 10

/* Zero it before the first use. */
struct rg_list_unread {
	char *paths[RG_LIST_UNREAD_SHOWN]; /* the first of them, directory by directory */
	size_t shown, count;
};

/* For scandir(): whether the file is read. */
int rg_list_names_is_list(const struct dirent *entry);
/* The length of the list's name in the name of its copy, or of what belongs to the copy (list_file.h). */
size_t rg_list_names_of_copy(const char *name);

/* Adds the files in dir that are not read. Of a directory that can't be read, none. 0 or -ENOMEM. */
int rg_list_names_add_unread(struct rg_list_unread *unread, const char *dir);
void rg_list_names_clear_unread(struct rg_list_unread *unread);
bool rg_list_names_has_unread(const struct rg_list_unread *unread, const char *path);

#endif
