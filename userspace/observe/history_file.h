/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The history in a file of state_dir, as JSON. */
#ifndef REPGATE_OBSERVE_HISTORY_FILE_H
#define REPGATE_OBSERVE_HISTORY_FILE_H

#include "observe/history_counts.h"

/* The largest file that is read. The longest possible file is smaller. bytes */
#define RG_HISTORY_FILE_SIZE (1 << 20)

/*
 * Reads the file into an empty history. 0, also if there is no file. On error the history is empty, a
 * bad file is renamed to history.bad, and error says why. Call before rg_history_counts_begin().
 */
int rg_history_file_load(struct rg_history_counts *history, const char *state_dir,
			 struct rg_error *error);

/*
 * Writes a new file and renames it over the old one. sync: wait until it is on the disk; that blocks, so
 * use it at the stop only. 0 or -errno.
 */
int rg_history_file_write(const struct rg_history_counts *history, const char *state_dir, bool sync);

#endif
