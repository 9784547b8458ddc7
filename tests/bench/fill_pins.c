/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fill_pins - a population into the pinned maps of an agent that is not running, for the next one to
 * take over: a million verdicts are there at once, without asking a million questions.
 */
#include "fill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

static int open_pin(const char *directory, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = bpf_obj_get(path);
	if (fd < 0) {
		fprintf(stderr, "fill_pins: %s: %s\n", path, strerror(errno));
		exit(EXIT_FAILURE);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct population population;
	size_t counts[GROUPS];
	struct fill_maps maps;
	int err;

	if (argc != 3 && argc != 4) {
		fputs("usage: fill_pins DIRECTORY LISTED [KNOWN]\n", stderr);
		return 2;
	}
	population_counts(strtoul(argv[2], NULL, 10), counts);
	if (argc == 4)
		counts[GROUP_CLEAN] = strtoul(argv[3], NULL, 10);
	maps = (struct fill_maps){ .lists_now = open_pin(argv[1], "lists_now"),
				   .verdicts = open_pin(argv[1], "verdicts"),
				   .verdict_details = open_pin(argv[1], "verdict_details"),
				   .peers = open_pin(argv[1], "peers") };
	err = population_make(&population, counts, 0);
	if (!err)
		/* What is derived from the maps, the next agent derives itself. */
		err = fill_maps(&maps, &population, NULL);
	if (err)
		fprintf(stderr, "fill_pins: %s\n", strerror(-err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
