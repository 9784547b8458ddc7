/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Long work of the event loop, in slices: every walk over all verdicts or clean peers is a job here. A slice
 * lasts RG_JOB_SLICE and one step of a job; between two slices the loop does everything else, so a job must
 * stand any change of what it walks over. What each walk does about changes stands in its own file:
 *
 *   flush, new actions, names of zones   store/verdict_walk.h
 *   take-over of an earlier agent        store/verdict_map.h
 *   saved verdicts                       store/verdict_file.h
 *   upkeep of the index                  index/index_maps.h
 *
 * The jobs of a lane run one after the other, in the order in which they were added. Lanes take turns. Use it
 * from one thread only.
 */
#ifndef REPGATE_BASE_JOBS_H
#define REPGATE_BASE_JOBS_H

#include "base/loop_time.h"

#include <sys/queue.h>

#define RG_JOB_SLICE 2000000 /* ns */

enum rg_job_lane {
	RG_LANE_VERDICTS,
	RG_LANE_UPKEEP, /* of index and queues: does not wait for a walk over the verdicts */
	RG_LANE_SAVE,
	RG_JOB_LANES
};

/* A part of its owner's struct. It is in one lane at most, and stays where it is until end() is called. */
struct rg_job {
	STAILQ_ENTRY(rg_job) next;
	enum rg_loop_work work;
	/* Does about 0.1 ms of the work. True: there is more. NULL: nothing, the job waits for those before it. */
	bool (*step)(struct rg_job *job);
	/*
	 * Called once: complete, or the jobs are freed. It may free the job, or add it and others again.
	 * NULL: nobody wants to know.
	 */
	void (*end)(struct rg_job *job, bool complete);
	bool is_queued; /* zero before rg_jobs_add() */
};

struct rg_jobs;

/*
 * wake: called when the first job is added; then rg_jobs_run() must be called until it returns false. times:
 * where each slice is noted. Both may be NULL. 0 or -ENOMEM.
 */
int rg_jobs_new(struct rg_jobs **ret, void (*wake)(void *arg), void *arg,
		struct rg_loop_times *times);
/* Ends all jobs, as not complete. NULL-safe. */
void rg_jobs_free(struct rg_jobs *jobs);

/* Adds a job behind those of its lane. One that is queued stays where it is. */
void rg_jobs_add(struct rg_jobs *jobs, enum rg_job_lane lane, struct rg_job *job);
/* Runs a slice of one job. False: no job is left. */
bool rg_jobs_run(struct rg_jobs *jobs);
/* Runs all jobs to their end, without slices: before and after the event loop. */
void rg_jobs_finish(struct rg_jobs *jobs);

/* The job of a lane that runs now or next; NULL: none, or there are no jobs. */
const struct rg_job *rg_jobs_first(const struct rg_jobs *jobs, enum rg_job_lane lane);
/* How often rg_jobs_add() was called for a lane. */
uint64_t rg_jobs_added(const struct rg_jobs *jobs, enum rg_job_lane lane);

#endif
