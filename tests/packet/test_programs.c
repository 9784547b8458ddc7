/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The running kernel takes every program, with room to spare.
 *
 * The verifier gives up after a million instructions, and how many it walks depends on the kernel: the same
 * program that needs 600,000 on Linux 6.18 was refused by 6.1. So there is a bound of our own, and `make
 * check-vm` runs this under each of Debian's kernels.
 */
#include "maps/config.h" /* before the skeleton */

#include "filter.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h> /* before cmocka.h */
#include <cmocka.h>

#define MOST_VERIFIED 250000 /* instructions that the verifier walks */
#define LOG_SIZE 65536
#define LOG_SUMMARY 4 /* BPF_LOG_STATS: errors, and one line */

static char log_text[LOG_SIZE];

/* A program alone: what the kernel says is then about it. Returns the instructions that were verified. */
static uint32_t load_alone(const char *name)
{
	struct filter_bpf *skeleton = filter_bpf__open();
	struct bpf_prog_info info = {};
	struct bpf_program *program;
	uint32_t len = sizeof(info);

	assert_non_null(skeleton);
	skeleton->rodata->rg_config.can_hold = 1;
	bpf_object__for_each_program(program, skeleton->obj) {
		bool is_meant = !strcmp(bpf_program__name(program), name);

		bpf_program__set_autoload(program, is_meant);
		if (is_meant) {
			bpf_program__set_log_buf(program, log_text, sizeof(log_text));
			bpf_program__set_log_level(program, LOG_SUMMARY);
		}
	}
	log_text[0] = '\0';
	if (bpf_object__load(skeleton->obj))
		fail_msg("%s: %s\n%s", name, strerror(errno), log_text);
	program = bpf_object__find_program_by_name(skeleton->obj, name);
	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len), 0);
	filter_bpf__destroy(skeleton);
	return info.verified_insns; /* 0 before Linux 5.16 */
}

static void test_programs(void **state)
{
	struct filter_bpf *skeleton = filter_bpf__open();
	struct bpf_program *program;
	unsigned int count = 0;

	(void)state;
	assert_non_null(skeleton);
	bpf_object__for_each_program(program, skeleton->obj) {
		const char *name = bpf_program__name(program);
		uint32_t verified = load_alone(name);

		printf("# %s: %u instructions verified\n", name, verified);
		assert_in_range(verified, 0, MOST_VERIFIED);
		count++;
	}
	filter_bpf__destroy(skeleton);
	assert_true(count >= 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	libbpf_set_print(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
