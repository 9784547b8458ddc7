/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saves the verdicts of zones in a file, and loads them after a reboot or a change of the maps' layout. The
 * file has a line for each verdict, with times of the wall clock. A save writes a new file, in pieces from
 * the event loop or as a whole at the stop, and renames it when it is complete.
 */
#ifndef REPGATE_STORE_VERDICT_FILE_H
#define REPGATE_STORE_VERDICT_FILE_H

#include "store/verdicts.h"

#include <event2/event.h>

struct rg_verdict_file;

/* The file is state_dir/verdicts. verdicts must outlive it. Nothing is written yet. 0 or -ENOMEM. */
int rg_verdict_file_new(struct rg_verdict_file **ret, struct event_base *base,
			const struct rg_verdicts *verdicts, const char *state_dir);
/* A save that is under way is given up; the file is as it was. */
void rg_verdict_file_free(struct rg_verdict_file *file);

/*
 * Starts to save, unless a save is under way. done is called with 0 or -errno when it ends, perhaps
 * before this returns. The file is not synced to the disk.
 */
void rg_verdict_file_save(struct rg_verdict_file *file, void (*done)(void *arg, int err), void *arg);

/*
 * Saves everything at once and syncs it to the disk; for the stop, as it blocks. A save that is under way
 * is given up, and its done is not called. 0 or -errno.
 */
int rg_verdict_file_save_now(struct rg_verdict_file *file);

/* What became of the lines of a file. */
struct rg_verdict_file_count {
	size_t loaded;
	size_t ended; /* the verdict's time is over */
	size_t unknown; /* conf has no such zone, or the zone's codes do not name the record */
	size_t bad; /* unreadable, or could not be stored */
};

/*
 * Stores the saved verdicts that conf would still make; call after rg_verdicts_name_zones(). A verdict
 * lasts no longer than its zone's ttl_max from now, even if the wall clock has jumped. Fills count. 0,
 * also if there is no file, or -errno.
 */
int rg_verdict_file_load(const char *state_dir, struct rg_verdicts *verdicts,
			 const struct rg_conf *conf, struct rg_verdict_file_count *count);

#endif
