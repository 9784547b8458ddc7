/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * repgatectl's own lists, approved.list and blocked.list in the state directory: approve, block,
 * unlist. A change writes a new file and renames it, so a reader finds the old one or the new one. The
 * file before the change stays as *.list.before, for rg_list_edit_undo(). The caller loads the lists
 * again afterwards, and nobody else writes these files meanwhile.
 */
#ifndef REPGATE_LISTS_LIST_EDIT_H
#define REPGATE_LISTS_LIST_EDIT_H

#include "base/util.h"

#include "maps/verdict.h"

/* Checks one entry as people type it, without `until` and comment. 0, or -EINVAL with a reason. */
int rg_list_edit_check(const char *text, struct rg_error *error);

/* What is added. */
struct rg_list_edit_line {
	const char *entry;
	int64_t until; /* s since 1970, 0: for good */
	const char *comment; /* may be NULL */
	bool force; /* a wide entry (list_extent.h) is meant */
};

/*
 * Adds a line to the class's file, in place of lines that name the same. 0 or a negative error; then the file is
 * as it was. -EDOM: the entry is wide, and force is not set.
 */
int rg_list_edit_add(const char *state_dir, enum rg_class peer_class,
		     const struct rg_list_edit_line *line, struct rg_error *error);

/*
 * Removes all lines that name entry, in whatever notation. Returns how many, or a negative error; then
 * the file is as it was.
 */
int rg_list_edit_remove(const char *state_dir, enum rg_class peer_class, const char *entry,
			struct rg_error *error);

/* Takes back the last change of the class's file. Errors are ignored: the next load reports them. */
void rg_list_edit_undo(const char *state_dir, enum rg_class peer_class);

/* The class's file: state_dir/approved.list or blocked.list. The caller frees it; NULL: no memory. */
char *rg_list_edit_path(const char *state_dir, enum rg_class peer_class);

#endif
