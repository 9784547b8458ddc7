/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The running kernel takes every program, with room to spare.
 *
 * The verifier gives up after a million instructions, and how many it walks depends on the kernel: the same
 * program that needs 600,000 on Linux 6.18 was refused by 6.1. So there is a bound of our own, and `make
 * check-vm` runs this under each of Debian's kernels.
 */
#include "maps/config.h" /* before the skeleton */

#include "maps/layout.h"
#include "packet.h"

#include "filter.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h> /* before cmocka.h */
#include <cmocka.h>

#define MOST_VERIFIED 250000 /* instructions that the verifier walks */
#define LOG_SIZE 65536
#define LOG_SUMMARY 4 /* BPF_LOG_STATS: errors, and one line */

static char log_text[LOG_SIZE];

/* As the agent decides it: before Linux 5.18 not, and then it does not load programs for frames in several buffers. */
static bool can_hold(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_load_bytes, NULL) == 1;
}

/* A program alone: what the kernel says is then about it. Returns the instructions that were verified. */
static uint32_t load_alone(const char *name)
{
	struct filter_bpf *skeleton = filter_bpf__open();
	struct bpf_prog_info info = {};
	struct bpf_program *program;
	uint32_t len = sizeof(info);

	assert_non_null(skeleton);
	skeleton->rodata->rg_config.can_hold = can_hold();
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
		uint32_t verified;

		count++;
		if (!can_hold() && strstr(name, "_frags"))
			continue;
		verified = load_alone(name);
		printf("# %s: %u instructions verified\n", name, verified);
		assert_in_range(verified, 0, MOST_VERIFIED);
	}
	filter_bpf__destroy(skeleton);
	assert_true(count >= 12);
}

/* ---- test runs and packets on one CPU ---- */

static const char *const test_runs[] = { "release", "monitor", "preview" };

/* filter and the programs of test runs, and a blocked peer whose SYNs to port 25 get a reset. */
static struct filter_bpf *open_lab(void)
{
	struct filter_bpf *skel = filter_bpf__open();
	const struct rg_prefix peer = { .len = RG_ADDR_BITS, .addr = packet_addr("192.0.2.1") };
	const struct rg_list_entry entry = { .prefix_len = RG_ADDR_BITS,
					     .peer_class = RG_CLASS_BLOCKED };
	const struct rg_settings settings = { .layout = RG_LAYOUT_VERSION,
					      .ports = { 25 },
					      .port_count = 1,
					      .mode = RG_MODE_ENFORCE,
					      .blocked = RG_ACTION_RESET };
	struct bpf_program *program;
	uint32_t zero = 0;

	assert_non_null(skel);
	skel->rodata->rg_config.can_hold = can_hold();
	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, program == skel->progs.filter ||
							   program == skel->progs.release ||
							   program == skel->progs.monitor ||
							   program == skel->progs.preview);
	assert_int_equal(filter_bpf__load(skel), 0);
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(skel->maps.settings), &zero, &settings, BPF_ANY), 0);
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(skel->maps.lists_now), &peer, &entry, BPF_ANY), 0);
	return skel;
}

/* One entry of each CPU, filled with a byte, or compared with it: whether all still have it. */
static bool scratch_is(const struct bpf_map *map, uint32_t run, int byte, bool fill)
{
	size_t size = bpf_map__value_size(map) * (size_t)libbpf_num_possible_cpus();
	char *values = malloc(size), *same = malloc(size);
	bool equal;

	memset(same, byte, size);
	if (fill)
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &run, same, BPF_ANY), 0);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &run, values), 0);
	equal = !memcmp(values, same, size);
	free(values);
	free(same);
	return equal;
}

/*
 * The program writes to the entry of `map` that is its own, and not to the other one. On a kernel before 6.3 a
 * packet may come in the middle of a test run, on the same CPU.
 */
static void check_scratch(const struct filter_bpf *skel, const char *name,
			  const struct bpf_map *map, const struct packet *packet)
{
	const struct bpf_program *program = bpf_object__find_program_by_name(skel->obj, name);
	uint32_t own = strcmp(name, "filter") != 0 ? RG_RUN_TEST : RG_RUN_PACKET;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet->data,
		    .data_size_in = (uint32_t)packet->len);

	assert_int_equal(bpf_map__max_entries(map), RG_RUNS);
	for (uint32_t run = 0; run < RG_RUNS; run++)
		assert_true(scratch_is(map, run, 0x5a, true));
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &opts), 0);
	if (scratch_is(map, own, 0x5a, false) || !scratch_is(map, !own, 0x5a, false))
		fail_msg("%s has not written to its own entry of %s alone", name, bpf_map__name(map));
}

static void test_scratch(void **state)
{
	struct filter_bpf *skel;
	struct packet odd, cut;

	(void)state;
	if (!can_hold())
		skip(); /* it reads no headers by copies */
	skel = open_lab();
	packet_build(&(struct packet_spec){ .data = 5 }, &odd); /* not whole words */
	packet_build(&(struct packet_spec){}, &cut);
	cut.len = cut.l4 + 8;
	check_scratch(skel, "filter", skel->maps.chunks, &odd);
	check_scratch(skel, "filter", skel->maps.scratch, &cut);
	for (size_t i = 0; i < sizeof(test_runs) / sizeof(*test_runs); i++) {
		if (strcmp(test_runs[i], "release") == 0) /* the others change nothing of the frame */
			check_scratch(skel, test_runs[i], skel->maps.chunks, &odd);
		check_scratch(skel, test_runs[i], skel->maps.scratch, &cut);
	}
	filter_bpf__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_scratch),
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	libbpf_set_print(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
