/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/jobs.h"

STAILQ_HEAD(lane, rg_job);

struct rg_jobs {
	struct lane lanes[RG_JOB_LANES];
	uint64_t added[RG_JOB_LANES];
	unsigned int next; /* lane */
	void (*wake)(void *arg);
	void *arg;
	struct rg_loop_times *times;
};

int rg_jobs_new(struct rg_jobs **ret, void (*wake)(void *arg), void *arg, struct rg_loop_times *times)
{
	struct rg_jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs)
		return -ENOMEM;
	for (int i = 0; i < RG_JOB_LANES; i++)
		STAILQ_INIT(&jobs->lanes[i]);
	jobs->wake = wake;
	jobs->arg = arg;
	jobs->times = times;
	*ret = jobs;
	return 0;
}

static void end_first(struct lane *lane, bool complete)
{
	struct rg_job *job = STAILQ_FIRST(lane);

	STAILQ_REMOVE_HEAD(lane, next);
	job->is_queued = false;
	if (job->end)
		job->end(job, complete);
}

void rg_jobs_free(struct rg_jobs *jobs)
{
	if (!jobs)
		return;
	for (int i = 0; i < RG_JOB_LANES; i++)
		while (!STAILQ_EMPTY(&jobs->lanes[i]))
			end_first(&jobs->lanes[i], false);
	free(jobs);
}

static bool is_idle(const struct rg_jobs *jobs)
{
	for (int i = 0; i < RG_JOB_LANES; i++)
		if (!STAILQ_EMPTY(&jobs->lanes[i]))
			return false;
	return true;
}

void rg_jobs_add(struct rg_jobs *jobs, enum rg_job_lane lane, struct rg_job *job)
{
	bool was_idle = is_idle(jobs);

	jobs->added[lane]++;
	if (job->is_queued)
		return;
	job->is_queued = true;
	STAILQ_INSERT_TAIL(&jobs->lanes[lane], job, next);
	if (was_idle && jobs->wake)
		jobs->wake(jobs->arg);
}

static void run_slice(struct rg_jobs *jobs, struct lane *lane)
{
	const uint64_t start = rg_now();
	struct rg_job *job = STAILQ_FIRST(lane);
	bool more;

	do {
		more = job->step && job->step(job);
	} while (more && rg_now() - start < RG_JOB_SLICE);
	rg_loop_times_add(jobs->times, job->work, start);
	if (!more)
		end_first(lane, true);
}

bool rg_jobs_run(struct rg_jobs *jobs)
{
	for (int i = 0; i < RG_JOB_LANES; i++) {
		struct lane *lane = &jobs->lanes[jobs->next];

		jobs->next = (jobs->next + 1) % RG_JOB_LANES;
		if (!STAILQ_EMPTY(lane)) {
			run_slice(jobs, lane);
			break;
		}
	}
	return !is_idle(jobs);
}

void rg_jobs_finish(struct rg_jobs *jobs)
{
	while (rg_jobs_run(jobs))
		;
}

const struct rg_job *rg_jobs_first(const struct rg_jobs *jobs, enum rg_job_lane lane)
{
	return jobs ? STAILQ_FIRST(&jobs->lanes[lane]) : NULL;
}

uint64_t rg_jobs_added(const struct rg_jobs *jobs, enum rg_job_lane lane)
{
	return jobs->added[lane];
}
