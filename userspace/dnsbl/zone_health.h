/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a zone for one family of addresses, from what it answers: a circuit breaker for failures, the
 * results of tests (RFC 5782's test points), and the share of peers that it lists. A list may answer about IPv4
 * and break about IPv6, or the other way round, so each family has a state of its own. Pure: the caller gives
 * the time, ns of CLOCK_BOOTTIME, and asks the zone (zone_test.h).
 */
#ifndef REPGATE_DNSBL_ZONE_HEALTH_H
#define REPGATE_DNSBL_ZONE_HEALTH_H

#include "base/util.h"

/* The worse, the greater. */
enum rg_zone_health_state {
	RG_ZONE_HEALTH_GOOD = 0,
	RG_ZONE_HEALTH_FAILING, /* the last question failed; still asked */
	RG_ZONE_HEALTH_MONITOR, /* lists far more than it used to: asked, but its listings pass */
	RG_ZONE_HEALTH_OPEN, /* the circuit breaker is open: not asked, so that no peer waits */
	RG_ZONE_HEALTH_DISABLED, /* a test failed: not asked, its verdicts are removed */
	RG_ZONE_HEALTH_STATES
};

/* Questions in a row without an answer that open the breaker. */
#define RG_ZONE_HEALTH_FAILURES 5
/* Answers after which the share of listed peers is known. */
#define RG_ZONE_HEALTH_BASELINE 500

struct rg_zone_health {
	enum rg_zone_health_state state, before; /* before: until the last change */
	char why[80]; /* "" if good */
	uint64_t since; /* of the state */
	struct rg_zone_health *other; /* of the zone's other family; NULL: only one is asked for */
	/* The circuit breaker. */
	unsigned int failures; /* in a row */
	unsigned int overdue; /* questions without an answer yet, none of them answered meanwhile */
	uint64_t row_from; /* when the first question of the row was sent */
	uint64_t failed_at; /* when the last failure was counted */
	uint64_t answered_at; /* when the zone last answered */
	uint64_t replied_at; /* the same, also with SERVFAIL, REFUSED... */
	/* Tests. */
	uint64_t tested_at; /* when the last test ended */
	uint64_t test_at; /* when the next test is due */
	uint64_t test_gap; /* ns until the test after that; grows until the zone is good */
	/* Shares of listed peers, 0..1: of the window, and of a time twenty times as long. */
	double window_share, long_share;
	uint64_t usual_at; /* when the window's share was last near the long one */
	/* It lists far more than it used to. The caller asks about the control group (zone_control.h). */
	bool is_suspect;
	char suspicion[80]; /* in words */
	uint64_t controlled_at; /* when the last control group's answers were in; 0: never */
	uint64_t answers; /* about peers, since the start */
};

/* The result of a test. The worse, the greater. */
enum rg_zone_test_result {
	RG_ZONE_TEST_PASSED,
	RG_ZONE_TEST_UNANSWERED, /* timeout, SERVFAIL, REFUSED... */
	RG_ZONE_TEST_LISTS_ALL, /* lists 127.0.0.1 or a random address of 127/8 */
	RG_ZONE_TEST_LISTS_NOTHING, /* does not list 127.0.0.2 (selftest = full) */
	RG_ZONE_TEST_INVALID, /* a record that can't be true: an error code, or outside 127/8 */
};

/* What a control group says (zone_control.h). */
enum rg_zone_control_result {
	RG_ZONE_CONTROL_UNKNOWN, /* too few addresses or answers */
	RG_ZONE_CONTROL_CLEAN, /* most are not listed: the zone is right */
	RG_ZONE_CONTROL_LISTED, /* most are listed: the zone is wrong */
};

/* Good, with a test due at once. */
void rg_zone_health_init(struct rg_zone_health *health, uint64_t now);

/*
 * The functions below may change the state, also that of the other family. The caller compares.
 *
 * The zone answered about a peer. listed: with a listing, whether it counts or not. window: answers of
 * the window; jump: percent by which the share must grow for a suspicion, 0: never (hit_share_window,
 * hit_share_jump).
 */
void rg_zone_health_answer(struct rg_zone_health *health, bool listed, uint32_t window,
			   uint32_t jump, uint64_t now);
/*
 * A question about a peer, sent at asked_at, has waited for hold_timeout. It is not a failure yet: the list may be
 * slow. But where questions fail, those that are as old and unanswered count with them.
 */
void rg_zone_health_overdue(struct rg_zone_health *health, uint64_t asked_at, uint64_t now);
/*
 * A question about a peer, sent at asked_at, failed, for this reason. replied: with a reply such as SERVFAIL; false:
 * nothing came in all of its time. Silences within a tenth of a second count once if other questions were answered
 * meanwhile: then a buffer did not hold a burst. If none was, each of them counts.
 */
void rg_zone_health_failure(struct rg_zone_health *health, const char *why, uint64_t asked_at,
			    bool replied, uint64_t now);
/*
 * What the control group said, after a suspicion or in RG_ZONE_HEALTH_MONITOR. If most of it is still not listed,
 * the zone is right and the traffic has changed: the new share is the usual one now. If not, or if nobody could be
 * asked, its listings pass.
 */
void rg_zone_health_controlled(struct rg_zone_health *health, enum rg_zone_control_result result,
			       uint64_t now);
/* A record about a peer can't be true. A test is due at once, unless there was one just now. */
void rg_zone_health_invalid(struct rg_zone_health *health, uint64_t now);
/*
 * A test that began at asked_at has ended. jitter: 0..1, spreads the regular tests over 5 to 30 minutes.
 */
void rg_zone_health_tested(struct rg_zone_health *health, enum rg_zone_test_result result,
			   const char *why, double jitter, uint64_t asked_at, uint64_t now);

/* False while the zone is off: open or disabled. A question counts as failed at once. */
bool rg_zone_health_is_asked(const struct rg_zone_health *health);
const char *rg_zone_health_name(enum rg_zone_health_state state);

#endif
