/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saves the verdicts of zones in a file, and loads them after a reboot or a change of the maps' layout. The
 * file has a line for each verdict, with times of the wall clock. A save writes a new file, in pieces from
 * the event loop or as a whole at the stop, and renames it when it is complete.
 */
#ifndef REPGATE_STORE_VERDICT_FILE_H
#define REPGATE_STORE_VERDICT_FILE_H

#include "base/jobs.h"
#include "store/verdicts.h"

#include <event2/event.h>

struct rg_verdict_file;

/*
 * The file is state_dir/verdicts. verdicts and jobs must outlive it; the jobs are freed first. Nothing is written yet. 0 or
 * -ENOMEM.
 */
int rg_verdict_file_new(struct rg_verdict_file **ret, struct event_base *base, struct rg_jobs *jobs,
			const struct rg_verdicts *verdicts, const char *state_dir);
/* A save that is under way is given up; the file is as it was. */
void rg_verdict_file_free(struct rg_verdict_file *file);

/*
 * Starts to save, in a job. Each verdict that is there from the start to the end is in the file. sync: also writes the file
 * to the disk, in a thread. If a save is under way, this one takes its place if sync is set, and is not begun otherwise.
 * done is called with 0 or -errno when it ends, perhaps before this returns; not if another one takes its place.
 */
void rg_verdict_file_save(struct rg_verdict_file *file, bool sync, void (*done)(void *arg, int err),
			  void *arg);

/*
 * Saves everything at once and syncs it to the disk; when the event loop has ended, as it blocks. A save that is
 * under way is given up, and its done is not called. 0 or -errno.
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
 * Stores the saved verdicts that the configuration in force would still make, in a job; call after
 * rg_verdicts_name_zones(). A verdict lasts no longer than its zone's ttl_max from now, even if the wall clock has jumped. One
 * that is stored meanwhile is newer, and stays. conf: where the configuration in force is found. done: called at the end, unless the agent
 * stops before, with the counts. 0 if there is no file, then done is not called; 1; or -errno.
 */
int rg_verdict_file_load(const char *state_dir, struct rg_verdicts *verdicts, struct rg_jobs *jobs,
			 struct rg_conf *const *conf,
			 void (*done)(void *arg, const struct rg_verdict_file_count *count),
			 void *arg);

#endif
