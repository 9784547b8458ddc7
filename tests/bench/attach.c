/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach - a filter on a device, with a population in its maps and no agent
 *
 *   repgate     the filter as it is built, with COUNT listed and COUNT known clean hosts
 *   xdp-filter  the program of Debian's xdp-tools (OBJECT), its map made large enough for COUNT hosts,
 *               on the device without libxdp's dispatcher, which would only make it slower
 *
 * Says "ready" on standard output and stays until it is killed. Then the program leaves the
 * device.
 */
#include "fill.h"

#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "filter.skel.h"

/* What a value of xdp-filter's map says, as its user-space tool writes it: drop this source. */
#define XDP_FILTER_SOURCE 1
#define FILTERED_PORT 25
/* More than a flood of new peers can mark: all of them are refused at the gate. */
#define SPARE_PEERS 4096

__attribute__((format(printf, 2, 3), noreturn)) static void die(int error, const char *format, ...)
{
	va_list args;

	fputs("attach: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s", strerror(error));
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

static struct bpf_program *load_repgate(const struct population *population, bool with_index)
{
	struct fill_sizes sizes = fill_sizes(population, SPARE_PEERS);
	struct filter_bpf *skel = filter_bpf__open();
	struct rg_settings *settings;
	struct fill_maps maps;
	uint32_t index = 0;
	int err;

	if (!skel)
		die(errno, "opening the filter");
	bpf_map__set_max_entries(skel->maps.lists_now, sizes.list);
	bpf_map__set_max_entries(skel->maps.verdicts, sizes.verdicts);
	bpf_map__set_max_entries(skel->maps.verdict_details, sizes.verdicts);
	bpf_map__set_max_entries(skel->maps.peers, sizes.peers);
	skel->rodata->rg_config.can_hold = 1;
	if (filter_bpf__load(skel))
		die(errno, "loading the filter");
	maps = (struct fill_maps){ .lists_now = bpf_map__fd(skel->maps.lists_now),
				   .verdicts = bpf_map__fd(skel->maps.verdicts),
				   .verdict_details = bpf_map__fd(skel->maps.verdict_details),
				   .peers = bpf_map__fd(skel->maps.peers),
				   .indexes = bpf_map__fd(skel->maps.indexes),
				   .presence = bpf_map__fd(skel->maps.presence) };
	err = fill_maps(&maps, population, with_index ? &index : NULL);
	settings = mmap(NULL, sizeof(*settings), PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(skel->maps.settings), 0);
	if (err || settings == MAP_FAILED)
		die(err ? -err : errno, "filling the maps");
	fill_settings(settings, FILTERED_PORT, index);
	return skel->progs.filter;
}

/* Its map is per CPU: a value for each. */
static int fill_xdp_filter(int map, const struct population *population)
{
	int cpus = libbpf_num_possible_cpus(), err = 0;
	uint64_t *values = calloc(cpus > 0 ? (size_t)cpus : 1, sizeof(*values));

	for (int i = 0; values && i < cpus; i++)
		values[i] = XDP_FILTER_SOURCE;
	for (size_t i = 0; !err && i < population->count[GROUP_LISTED]; i++)
		err = bpf_map_update_elem(map, &population->group[GROUP_LISTED][i], values, BPF_ANY);
	free(values);
	return err;
}

static struct bpf_program *load_xdp_filter(const struct population *population, const char *path)
{
	struct bpf_object *object = bpf_object__open(path);
	struct bpf_map *map,
		*hosts = object ? bpf_object__find_map_by_name(object, "filter_ipv4") : NULL;

	if (!hosts)
		die(errno, "%s", path);
	bpf_object__for_each_map(map, object) bpf_map__set_pin_path(map, NULL);
	bpf_map__set_max_entries(hosts, (uint32_t)population->count[GROUP_LISTED] + 16);
	if (bpf_object__load(object))
		die(errno, "loading %s", path);
	if (fill_xdp_filter(bpf_map__fd(hosts), population))
		die(errno, "filling the map of xdp-filter");
	return bpf_object__next_program(object, NULL);
}

__attribute__((noreturn)) static void usage(void)
{
	fputs("usage: attach [--index] DEVICE COUNT repgate\n"
	      "       attach DEVICE COUNT xdp-filter OBJECT\n",
	      stderr);
	exit(2);
}

static void hold_on(struct bpf_program *program, const char *device)
{
	unsigned int ifindex = if_nametoindex(device);
	struct bpf_link *link = ifindex ? bpf_program__attach_xdp(program, (int)ifindex) : NULL;

	if (!link)
		die(errno, "%s", device);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "index", no_argument, NULL, 'i' }, {} };
	size_t counts[GROUPS];
	struct population population;
	bool with_index = false;
	int option;

	while ((option = getopt_long(argc, argv, "i", options, NULL)) >= 0) {
		if (option != 'i')
			usage();
		with_index = true;
	}
	argv += optind;
	argc -= optind;
	if (argc != 3 && argc != 4)
		usage();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	population_counts(strtoul(argv[1], NULL, 10), counts);
	if (population_make(&population, counts, 0))
		die(ENOMEM, "addresses");
	if (argc == 3 && !strcmp(argv[2], "repgate"))
		hold_on(load_repgate(&population, with_index), argv[0]);
	if (argc == 4 && !strcmp(argv[2], "xdp-filter"))
		hold_on(load_xdp_filter(&population, argv[3]), argv[0]);
	usage();
}
