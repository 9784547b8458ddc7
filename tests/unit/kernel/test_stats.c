/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters, summed over the CPUs. The map is an array of the test's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/util.h"
#include "kernel/stats.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define CPUS 3
#define MAP 9

static int cpus;
static uint32_t missing; /* this entry can't be read */

int libbpf_num_possible_cpus(void)
{
	return cpus;
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	uint32_t number = *(const uint32_t *)key;
	struct rg_count *each = value;

	assert_int_equal(fd, MAP);
	if (number == missing) {
		errno = ENOENT;
		return -1;
	}
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		each[cpu] = (struct rg_count){ .packets = number * 10 + cpu, .attempts = number };
	return 0;
}

static void test_sums(void **state)
{
	struct rg_stats stats = {};

	(void)state;
	cpus = CPUS;
	missing = UINT32_MAX;
	assert_int_equal(rg_stats_read(MAP, &stats), 0);
	for (uint32_t i = 0; i < RG_STAT_MAX; i++) {
		assert_int_equal(stats.counts[i].packets, CPUS * i * 10 + 0 + 1 + 2);
		assert_int_equal(stats.counts[i].attempts, CPUS * i);
	}
	/* A table of class and action. */
	assert_ptr_equal(rg_stats_of(&stats, RG_STAT_DONE, RG_CLASS_QIL, RG_ACTION_DROP),
			 &stats.counts[RG_STAT_DONE + RG_CLASS_QIL * RG_ACTION_MAX + RG_ACTION_DROP]);
}

static void test_errors(void **state)
{
	struct rg_stats stats;

	(void)state;
	cpus = CPUS;
	missing = 5;
	assert_int_equal(rg_stats_read(MAP, &stats), -ENOENT);
	cpus = -EIO;
	assert_int_equal(rg_stats_read(MAP, &stats), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
