/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "population.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEED_PREFIXES 1
#define SEED_ADDRESSES 2
#define SEED_DRAWS 3
#define MILLION (1 << 20)
#define FIRST_ROUTED 0x01000000U /* 1.0.0.0 */
#define FIRST_MULTICAST 0xe0000000U

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
uint64_t population_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Host order. 192.0.0.0/8 holds the addresses of the bench itself. */
static bool is_usable(uint32_t addr)
{
	uint32_t octet = addr >> 24;

	return addr >= FIRST_ROUTED && addr < FIRST_MULTICAST && octet != 10 && octet != 127 &&
	       octet != 192;
}

/* ---- prefixes: non-overlapping is not asked for, routing tables overlap as well ---- */

static uint32_t random_length(uint64_t random)
{
	/* Per cent of an IPv4 routing table, roughly. */
	static const struct {
		uint32_t len, percent;
	} lengths[] = { { 24, 60 }, { 22, 12 }, { 23, 11 }, { 21, 5 }, { 20, 5 },
			{ 19, 3 },  { 18, 2 },	{ 16, 1 },  { 17, 1 } };
	uint32_t at = (uint32_t)(random % 100);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		if (at < lengths[i].percent)
			return lengths[i].len;
		at -= lengths[i].percent;
	}
	return 24;
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct prefix4 *left = a, *right = b;
	uint32_t x = ntohl(left->addr), y = ntohl(right->addr);

	return x != y ? (x < y ? -1 : 1) : left->len < right->len ? -1 : left->len > right->len;
}

static int make_prefixes(struct population *population, size_t count)
{
	uint64_t state = SEED_PREFIXES;
	size_t i = 0;

	population->prefixes = calloc(count + 1, sizeof(*population->prefixes));
	if (!population->prefixes)
		return -ENOMEM;
	while (i < count) {
		uint64_t random = population_random(&state);
		uint32_t len = random_length(random >> 32);
		uint32_t addr = (uint32_t)random & ~(0xffffffffU >> len);

		if (!is_usable(addr))
			continue;
		population->prefixes[i++] = (struct prefix4){ htonl(addr), len };
	}
	qsort(population->prefixes, count, sizeof(*population->prefixes), compare_prefixes);
	population->prefix_count = count;
	return 0;
}

/* A bit for each /24: whether a prefix covers it. None is longer. */
static uint8_t *covered_nets(const struct population *population)
{
	uint8_t *bits = calloc(1 << 21, 1);

	for (size_t i = 0; bits && i < population->prefix_count; i++) {
		uint32_t first = ntohl(population->prefixes[i].addr) >> 8;
		uint32_t nets = 1U << (24 - population->prefixes[i].len);

		for (uint32_t net = first; net < first + nets; net++)
			bits[net / 8] |= (uint8_t)(1 << net % 8);
	}
	return bits;
}

/* ---- addresses ---- */

/* Addresses that are taken, by open addressing; 0 is a free slot. */
struct taken {
	uint32_t *slots;
	size_t mask;
};

static int taken_make(struct taken *taken, size_t count)
{
	size_t size = 16;

	while (size < 2 * count)
		size *= 2;
	taken->slots = calloc(size, sizeof(*taken->slots));
	taken->mask = size - 1;
	return taken->slots ? 0 : -ENOMEM;
}

static bool take(struct taken *taken, uint32_t addr)
{
	size_t slot = (addr * 0x9e3779b97f4a7c15) >> 20 & taken->mask;

	while (taken->slots[slot]) {
		if (taken->slots[slot] == addr)
			return false;
		slot = (slot + 1) & taken->mask;
	}
	taken->slots[slot] = addr;
	return true;
}

static void pick(uint32_t *to, size_t count, const uint8_t *covered, struct taken *taken,
		 uint64_t *state)
{
	for (size_t i = 0; i < count;) {
		uint32_t addr = (uint32_t)population_random(state), net = addr >> 8;

		if (is_usable(addr) && !(covered[net / 8] & 1 << net % 8) && take(taken, addr))
			to[i++] = htonl(addr);
	}
}

void population_counts(size_t listed, size_t counts[GROUPS])
{
	const char *known = getenv("KNOWN");

	for (int i = 0; i < GROUPS; i++)
		counts[i] = i == GROUP_LISTED || listed < MILLION ? listed : MILLION;
	if (known && *known)
		counts[GROUP_CLEAN] = strtoul(known, NULL, 10);
}

int population_make(struct population *ret, const size_t counts[GROUPS], size_t prefix_count)
{
	struct taken taken = {};
	uint8_t *covered = NULL;
	size_t sum = 0;
	uint64_t state;
	int err;

	for (int i = 0; i < GROUPS; i++)
		sum += counts[i];
	memset(ret, 0, sizeof(*ret));
	err = make_prefixes(ret, prefix_count);
	covered = err ? NULL : covered_nets(ret);
	if (!covered || taken_make(&taken, sum))
		err = -ENOMEM;
	for (int i = 0; !err && i < GROUPS; i++) {
		ret->group[i] = calloc(counts[i] + 1, sizeof(*ret->group[i]));
		if (!ret->group[i]) {
			err = -ENOMEM;
			break;
		}
		/* So that a group is the same, however many are in the others. */
		state = ((uint64_t)i << 32) + SEED_ADDRESSES;
		pick(ret->group[i], counts[i], covered, &taken, &state);
		ret->count[i] = counts[i];
	}
	free(covered);
	free(taken.slots);
	if (err)
		population_free(ret);
	return err;
}

void population_free(struct population *population)
{
	for (int i = 0; i < GROUPS; i++)
		free(population->group[i]);
	free(population->prefixes);
	memset(population, 0, sizeof(*population));
}

/* Uniform in the logarithm of the rank is 1/r in the rank. */
static size_t zipf_rank(uint64_t random, size_t count)
{
	double uniform = (double)(random >> 11) / (double)(1ULL << 53);
	size_t rank = (size_t)exp(uniform * log((double)count + 1));

	return rank ? (rank <= count ? rank - 1 : count - 1) : 0;
}

void population_draw(const struct population *population, enum group group, bool is_zipf,
		     uint32_t *draws, size_t count)
{
	uint64_t state = SEED_DRAWS;
	size_t from = population->count[group];

	for (size_t i = 0; from && i < count; i++) {
		uint64_t random = population_random(&state);

		draws[i] =
			population->group[group][is_zipf ? zipf_rank(random, from) : random % from];
	}
}
