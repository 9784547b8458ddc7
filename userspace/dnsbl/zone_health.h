/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a zone is to be believed, from what it answers: a circuit breaker for failures, RFC 5782's
 * test points for a zone that lists the world, and the share of peers that it lists. Pure but for the
 * clock that it is given; inquiry.c asks.
 */
#ifndef REPGATE_DNSBL_ZONE_HEALTH_H
#define REPGATE_DNSBL_ZONE_HEALTH_H

#include "config/config.h"

enum rg_zone_health_state {
	RG_ZONE_HEALTH_GOOD = 0,
	RG_ZONE_HEALTH_FAILING, /* failed lately, still asked */
	RG_ZONE_HEALTH_OPEN, /* the breaker is open: not asked, so that nobody waits */
	RG_ZONE_HEALTH_DISABLED, /* its answers can't be true: not asked, its verdicts are removed */
	RG_ZONE_HEALTH_MONITOR, /* lists far more than it used to: asked, its listings let pass */
	RG_ZONE_HEALTH_STATES
};

/* Failures in a row that open the breaker. */
#define RG_ZONE_HEALTH_FAILURES 5
/* Answers after which the share of listed peers is known. */
#define RG_ZONE_HEALTH_BASELINE 500

struct rg_zone_health {
	enum rg_zone_health_state state, before; /* before: of the last change */
	char why[80]; /* "" if good */
	uint64_t since; /* of the state; ns of CLOCK_BOOTTIME */
	unsigned int failures; /* in a row */
	uint64_t failed_at; /* when the last failure was counted */
	uint64_t tested_at; /* when the last test ended */
	uint64_t probe_at; /* when the zone is to be tested next */
	uint64_t probe_gap; /* ns; grows while the zone is ill */
	/* Shares of listed peers, 0..1: of the window, and of all the time before. */
	double window_share, long_share;
	uint64_t usual_at; /* when the window's share was last as usual */
	uint64_t answers; /* about peers, since the start */
};

/* What a test of the zone said. */
enum rg_zone_test_result {
	RG_ZONE_TEST_PASSED,
	RG_ZONE_TEST_UNANSWERED, /* timeout, SERVFAIL, REFUSED... */
	RG_ZONE_TEST_LISTS_ALL, /* lists 127.0.0.1 or what nobody lists */
	RG_ZONE_TEST_LISTS_NOTHING, /* does not list 127.0.0.2 (selftest = full) */
	RG_ZONE_TEST_NONSENSE, /* an error code, or an address outside 127/8 */
};

void rg_zone_health_init(struct rg_zone_health *health, uint64_t now);

/* An answer about a peer. True if the state changed. */
bool rg_zone_health_answer(struct rg_zone_health *health, bool listed, uint32_t window,
			   uint32_t jump, uint64_t now);
/* No answer, for this reason; silent: nothing came at all. True if the state changed. */
bool rg_zone_health_failure(struct rg_zone_health *health, const char *why, bool silent,
			    uint64_t now);
/* An answer that can't be true. A test decides what to think of it, and is due now. */
void rg_zone_health_nonsense(struct rg_zone_health *health, uint64_t now);
/* A test has ended. True if the state changed. jitter: 0..1, spreads the regular tests. */
bool rg_zone_health_tested(struct rg_zone_health *health, enum rg_zone_test_result result,
			   const char *why, double jitter, uint64_t now);

/* Peers are asked about: else the zone counts as failed at once. */
bool rg_zone_health_is_asked(const struct rg_zone_health *health);
const char *rg_zone_health_name(enum rg_zone_health_state state);

#endif
