/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many questions may be under way to a resolver. If more are asked than it can answer, they queue in
 * its socket, and every answer is late. So the window grows with prompt answers and halves with late or
 * missing ones.
 *
 * The fastest of at least 64 answers tells whether answers are late. A queue delays all of them. A slow zone
 * delays only its own answers, and if their times vary, only some of these. The usual time is learnt while few
 * questions are under way. Pure: the caller gives the time, ns of CLOCK_BOOTTIME.
 */
#ifndef REPGATE_DNSBL_DNS_WINDOW_H
#define REPGATE_DNSBL_DNS_WINDOW_H

#include "base/util.h"

#define RG_DNS_WINDOW_FLOOR 128 /* questions; less only if dns_in_flight is */
#define RG_DNS_WINDOW_START 512

struct rg_dns_window {
	uint32_t size; /* questions that may be under way */
	uint32_t most, floor; /* its bounds */
	uint32_t threshold; /* half of the size that was too much: above it the window grows slowly */
	uint32_t credit; /* answers since the size grew */
	uint64_t reduced_at; /* answers to questions that were sent before that do not count */
	uint64_t limited_at; /* when a question last had to wait for the window; 0: never */
	uint64_t late_at; /* when answers were last found late or missing; 0: never */
	/* Of this interval. */
	uint64_t began;
	uint64_t fastest; /* ns */
	uint32_t answers, missing;
	uint32_t peak; /* questions under way at once */
	/* Of the intervals since answers were last found late or prompt. */
	uint64_t fastest_of_sample; /* ns */
	uint32_t sample;
	uint64_t sampled_at;
	/* ns: the fastest answer while few were under way, of this half minute and the one before; 0: none */
	uint64_t usual[2], usual_began;
};

/* most: dns_in_flight, at least 1. */
void rg_dns_window_init(struct rg_dns_window *window, uint32_t most, uint64_t now);
/* A question was sent; in_flight: under way now, with this one. */
void rg_dns_window_sent(struct rg_dns_window *window, uint32_t in_flight);
/* A question has to wait, because `size` are under way. */
void rg_dns_window_limited(struct rg_dns_window *window, uint64_t now);
/* The resolver answered, whatever it said. */
void rg_dns_window_answer(struct rg_dns_window *window, uint64_t sent_at, uint64_t now);
/* A question was sent as often as configured, and no answer came. */
void rg_dns_window_missing(struct rg_dns_window *window, uint64_t sent_at, uint64_t now);

/* True if questions had to wait, or answers were late or missing, in the last seconds. */
bool rg_dns_window_is_busy(const struct rg_dns_window *window, uint64_t now);

#endif
