/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/loop_status.h"

static double ms(uint64_t ns)
{
	return (double)(ns / 1000) / 1000;
}

static json_t *describe_works(const struct rg_loop_times *times)
{
	json_t *works = json_object();

	for (unsigned int i = 0; i < RG_LOOP_WORKS; i++) {
		const struct rg_loop_time *time = &times->works[i];

		json_object_set_new(works, rg_loop_work_name((enum rg_loop_work)i),
				    json_pack("{s:f, s:f, s:I}", "longest_ms", ms(time->longest),
					      "total_ms", ms(time->total), "count",
					      (json_int_t)time->count));
	}
	return works;
}

/* The walk over the verdicts, as people wait for it; null: there is none. */
static json_t *describe_walk(const struct rg_modules *modules)
{
	const struct rg_job *job = rg_jobs_first(modules->jobs, RG_LANE_VERDICTS);

	return job ? json_string(rg_loop_work_name(job->work)) : json_null();
}

json_t *rg_loop_status(const struct rg_modules *modules)
{
	enum rg_loop_work longest = rg_loop_times_longest(modules->loop);

	return json_pack("{s:o, s:s, s:f, s:o}", "walk", describe_walk(modules), "longest_work",
			 rg_loop_work_name(longest), "longest_ms",
			 ms(modules->loop->works[longest].longest), "works",
			 describe_works(modules->loop));
}
