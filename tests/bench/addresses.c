/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addresses - the population of the bench, for those who can't compute it
 *
 * As text, one address a line, or as draws for `syn_flood --sources`: 4 bytes each, network order,
 * each address as likely as any other (uniform), or some of them much more likely (zipf).
 */
#include "population.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noreturn)) static void usage(void)
{
	fputs("usage: addresses listed|clean|unknown LISTED [uniform|zipf DRAWS]\n", stderr);
	exit(2);
}

static size_t parse_count(const char *text)
{
	char *end;
	unsigned long long number = strtoull(text, &end, 10);

	if (end == text || *end || *text == '-' || !number || number > 1 << 26)
		usage();
	return number;
}

static enum group parse_crowd(const char *text)
{
	static const char *const names[GROUPS] = { "listed", "clean", "unknown" };

	for (int i = 0; i < GROUPS; i++)
		if (!strcmp(text, names[i]))
			return i;
	usage();
}

static void print_all(const struct population *population, enum group group)
{
	for (size_t i = 0; i < population->count[group]; i++) {
		const uint8_t *byte = (const uint8_t *)&population->group[group][i];

		printf("%u.%u.%u.%u\n", byte[0], byte[1], byte[2], byte[3]);
	}
}

static int write_draws(const struct population *population, enum group group, bool is_zipf,
		       size_t count)
{
	uint32_t *draws = calloc(count, sizeof(*draws));
	size_t written;

	if (!draws)
		return -1;
	population_draw(population, group, is_zipf, draws, count);
	written = fwrite(draws, sizeof(*draws), count, stdout);
	free(draws);
	return written == count ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct population population;
	size_t counts[GROUPS];
	enum group group;
	int err = 0;

	if (argc != 3 && argc != 5)
		usage();
	group = parse_crowd(argv[1]);
	population_counts(parse_count(argv[2]), counts);
	if (argc == 5 && strcmp(argv[3], "uniform") && strcmp(argv[3], "zipf"))
		usage();
	if (population_make(&population, counts, 0)) {
		fputs("addresses: no memory\n", stderr);
		return EXIT_FAILURE;
	}
	if (argc == 3)
		print_all(&population, group);
	else
		err = write_draws(&population, group, !strcmp(argv[3], "zipf"), parse_count(argv[4]));
	population_free(&population);
	return err || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
