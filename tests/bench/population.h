/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses to measure with: the same for the same seed, so that the one who fills the maps, the one
 * who writes a rule set and the generator agree. IPv4 in network order, spread evenly over what is
 * routed, in random order: any run of them is a random sample.
 */
#ifndef REPGATE_BENCH_POPULATION_H
#define REPGATE_BENCH_POPULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prefix4 {
	uint32_t addr; /* network order, bits past len are zero */
	uint32_t len;
};

enum group {
	GROUP_LISTED,
	GROUP_CLEAN,
	GROUP_UNKNOWN,
	GROUPS,
};

/* No address is in two groups or in a prefix. */
struct population {
	uint32_t *group[GROUPS];
	size_t count[GROUPS];
	struct prefix4 *prefixes;
	size_t prefix_count;
};

/*
 * As many known and unknown hosts as there are listed ones, but a million at most; known ones as many as
 * KNOWN in the environment says.
 */
void population_counts(size_t listed, size_t counts[GROUPS]);

/* counts: by enum group. prefix_count: as many as that, with lengths as routing tables have them. */
int population_make(struct population *ret, const size_t counts[GROUPS], size_t prefix_count);
void population_free(struct population *population);

/*
 * Fills draws with addresses of a group: each as likely as any other, or, if is_zipf, the one number r
 * as likely as 1/r, as in floods where a few sources send most.
 */
void population_draw(const struct population *population, enum group group, bool is_zipf,
		     uint32_t *draws, size_t count);

/* The next number of a sequence; *state is its place in it. */
uint64_t population_random(uint64_t *state);

#endif
