/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random frames, all from one seed: mostly SYNs that are right in all but one thing. Addresses,
 * ports and sequence numbers come from small pools, so that frames meet what is in the maps, and
 * each other.
 */
#ifndef REPGATE_TESTS_FRAMES_H
#define REPGATE_TESTS_FRAMES_H

#include "model.h"

#define FRAMES_POOL 24
#define FRAMES_BUFFER 66000 /* more than the longest frame */

struct rng {
	uint64_t state[4]; /* xoshiro256** */
};

void rng_seed(struct rng *rng, uint64_t seed, uint64_t stream);
uint64_t rng_next(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t bound); /* bound > 0 */
bool rng_percent(struct rng *rng, uint32_t percent);

/* Where frames come from and go to. */
struct frames_world {
	model_addr from4[FRAMES_POOL], from6[FRAMES_POOL]; /* IPv4 mapped */
	model_addr to4[4], to6[4];
	uint16_t ports[4]; /* of the mail servers */
	unsigned int scatter; /* bits at the end of a source address that vary */
	unsigned int dscp; /* what senders like to set */
	bool bare; /* frames begin with an IP header, else with one of Ethernet */
	bool jumbo; /* any length; else what fits into one buffer */
};

struct frame {
	size_t len;
	bool bare; /* as it was made */
	size_t l3, l4; /* where they begin, as far as the generator knows */
	uint8_t data[FRAMES_BUFFER];
};

/* The next frame; what is in it is the one before, and may come again. */
void frames_next(struct rng *rng, const struct frames_world *world, struct frame *frame);

/* Random addresses of both families, and such as are special. */
model_addr frames_random_v4(struct rng *rng);
model_addr frames_random_v6(struct rng *rng);

#endif
