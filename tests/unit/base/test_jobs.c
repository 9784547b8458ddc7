/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In which order jobs run, that a slice ends in time, and that each job ends once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/jobs.h"

#include <cmocka.h>

static char log[200]; /* what happened */
static unsigned int woken;
static struct rg_loop_times times;
static struct rg_jobs *jobs;

struct test_job {
	struct rg_job job;
	const char *name;
	unsigned int steps; /* left */
	uint64_t time; /* ns of each step */
	struct test_job *next; /* added at the end */
};

static void note(const char *what, const char *who)
{
	size_t len = strlen(log);

	snprintf(log + len, sizeof(log) - len, "%s%s%s", len ? " " : "", what, who);
}

static void check_log(const char *want)
{
	assert_string_equal(log, want);
	*log = '\0';
}

static bool step(struct rg_job *job)
{
	struct test_job *test = (struct test_job *)job;
	uint64_t start = rg_now();

	while (rg_now() - start < test->time)
		;
	note("", test->name);
	return --test->steps > 0;
}

static void end(struct rg_job *job, bool complete)
{
	struct test_job *test = (struct test_job *)job;

	note(complete ? "end:" : "stop:", test->name);
	if (complete && test->next)
		rg_jobs_add(jobs, RG_LANE_VERDICTS, &test->next->job);
}

static struct test_job job_of(const char *name, unsigned int steps, uint64_t time)
{
	return (struct test_job){ .job = { .work = RG_LOOP_FLUSH, .step = step, .end = end },
				  .name = name,
				  .steps = steps,
				  .time = time };
}

static void wake(void *arg)
{
	assert_ptr_equal(arg, &woken);
	woken++;
}

static int set_up(void **state)
{
	(void)state;
	*log = '\0';
	woken = 0;
	times = (struct rg_loop_times){};
	return rg_jobs_new(&jobs, wake, &woken, &times);
}

static int tear_down(void **state)
{
	(void)state;
	rg_jobs_free(jobs);
	return 0;
}

static void test_order(void **state)
{
	struct test_job a = job_of("a", 2, 0), b = job_of("b", 1, 0), index = job_of("i", 1, 0);

	(void)state;
	rg_jobs_add(jobs, RG_LANE_VERDICTS, &a.job);
	rg_jobs_add(jobs, RG_LANE_VERDICTS, &b.job);
	rg_jobs_add(jobs, RG_LANE_UPKEEP, &index.job);
	rg_jobs_add(jobs, RG_LANE_VERDICTS, &a.job); /* it is queued already */
	assert_int_equal(woken, 1);
	assert_int_equal(rg_jobs_added(jobs, RG_LANE_VERDICTS), 3);
	assert_ptr_equal(rg_jobs_first(jobs, RG_LANE_VERDICTS), &a.job);
	assert_true(rg_jobs_run(jobs));
	check_log("a a end:a");
	assert_true(rg_jobs_run(jobs)); /* the lanes take turns */
	check_log("i end:i");
	assert_false(rg_jobs_run(jobs));
	check_log("b end:b");
	assert_false(rg_jobs_run(jobs));
	b.steps = 1;
	rg_jobs_add(jobs, RG_LANE_SAVE, &b.job);
	assert_int_equal(woken, 2);
	assert_false(rg_jobs_run(jobs));
	check_log("b end:b");
}

/* A slice ends after RG_JOB_SLICE and the step that is under way; what follows waits for the next turn. */
static void test_slices(void **state)
{
	struct test_job slow = job_of("s", 3, RG_JOB_SLICE), next = job_of("n", 1, 0);
	struct rg_job waits = { .work = RG_LOOP_RELOAD };

	(void)state;
	slow.next = &next;
	rg_jobs_add(jobs, RG_LANE_VERDICTS, &slow.job);
	rg_jobs_add(jobs, RG_LANE_VERDICTS, &waits);
	for (int i = 0; i < 2; i++) {
		assert_true(rg_jobs_run(jobs));
		check_log("s");
	}
	assert_true(rg_jobs_run(jobs));
	check_log("s end:s");
	assert_true(rg_jobs_run(jobs)); /* it waited for the one before it, and nothing else */
	assert_false(waits.is_queued);
	assert_false(rg_jobs_run(jobs));
	check_log("n end:n");
	assert_int_equal(times.works[RG_LOOP_FLUSH].count, 4);
	assert_true(times.works[RG_LOOP_FLUSH].longest >= RG_JOB_SLICE);
	assert_true(times.works[RG_LOOP_FLUSH].total >= 3ULL * RG_JOB_SLICE);
	assert_int_equal(rg_loop_times_longest(&times), RG_LOOP_FLUSH);
}

static void test_stop(void **state)
{
	struct test_job a = job_of("a", 5, RG_JOB_SLICE), b = job_of("b", 1, 0);

	(void)state;
	rg_jobs_add(jobs, RG_LANE_VERDICTS, &a.job);
	rg_jobs_add(jobs, RG_LANE_UPKEEP, &b.job);
	assert_true(rg_jobs_run(jobs));
	rg_jobs_free(jobs);
	check_log("a stop:a stop:b");
	assert_int_equal(rg_jobs_new(&jobs, NULL, NULL, NULL), 0);
	b.steps = a.steps = 2;
	rg_jobs_add(jobs, RG_LANE_VERDICTS, &a.job);
	rg_jobs_add(jobs, RG_LANE_VERDICTS, &b.job);
	rg_jobs_finish(jobs);
	check_log("a a end:a b b end:b");
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < RG_LOOP_WORKS; i++)
		assert_true(*rg_loop_work_name((enum rg_loop_work)i));
	assert_string_equal(rg_loop_work_name(RG_LOOP_WORKS), "");
	rg_loop_times_add(NULL, RG_LOOP_TICK, 0);
	rg_loop_times_add(&times, RG_LOOP_TICK,
			  UINT64_MAX); /* the clock can't go back, but nothing breaks */
	assert_int_equal(times.works[RG_LOOP_TICK].longest, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_slices),
		TEST(test_stop),
		TEST(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
