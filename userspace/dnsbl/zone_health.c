/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/zone_health.h"

#include "maps/types.h"

#define SECONDS(n) ((n)*RG_NSEC_PER_SEC)

/* Until a zone is good it is tested after 5, 10, then every 20 s: back within 30 s of its recovery. */
#define FIRST_GAP SECONDS(5)
#define LAST_GAP SECONDS(20)
/* A good zone is tested every 5 to 30 minutes; see docs/zones.md. */
#define MIN_GOOD_GAP SECONDS(300)
#define MAX_GOOD_GAP SECONDS(1800)

/* Silences closer to each other than this count once, if other questions were answered meanwhile. */
#define FAILURE_GAP (RG_NSEC_PER_SEC / 10)

/* Overdue questions count with a failure for so long after it. */
#define OVERDUE_TIME SECONDS(1)

/* Least time between two tests that invalid answers cause. */
#define INVALID_GAP SECONDS(10)

/* A share below this is no alarm, however small it was before. */
#define ALARM_SHARE 0.9

/* The other family is tested at once if it was not just now: what is wrong with one may be so with both. */
static void test_other(struct rg_zone_health *other, uint64_t now)
{
	if (other && rg_zone_health_is_asked(other) && now - other->tested_at >= INVALID_GAP &&
	    other->test_at > now)
		other->test_at = now;
}

static void change(struct rg_zone_health *health, enum rg_zone_health_state state, const char *why,
		   uint64_t now)
{
	if (health->state != state) {
		health->since = now;
		health->before = health->state;
		/* The answers that led to this state must not count as its usual share. */
		if (health->state == RG_ZONE_HEALTH_DISABLED)
			health->window_share = health->long_share;
		health->state = state;
		if (!rg_zone_health_is_asked(health))
			test_other(health->other, now);
	}
	snprintf(health->why, sizeof(health->why), "%s", why);
}

void rg_zone_health_init(struct rg_zone_health *health, uint64_t now)
{
	*health = (struct rg_zone_health){ .since = now,
					   .usual_at = now,
					   .test_at = now,
					   .test_gap = FIRST_GAP };
}

/* Exponential averages: the window's follows fast, the long one so slowly that a jump stands out. */
static void count_share(struct rg_zone_health *health, bool listed, uint32_t window)
{
	double value = listed ? 1 : 0, slow = window * 20.0;

	health->answers++;
	if (health->answers < slow)
		slow = (double)health->answers;
	health->window_share += (value - health->window_share) /
				(health->answers < window ? (double)health->answers : window);
	health->long_share += (value - health->long_share) / slow;
}

static bool lists_too_much(const struct rg_zone_health *health, uint32_t window, uint32_t jump)
{
	return jump && health->answers >= RG_ZONE_HEALTH_BASELINE && health->answers >= window &&
	       health->window_share >= ALARM_SHARE &&
	       health->window_share - health->long_share >= jump / 100.0;
}

static void note_answered(struct rg_zone_health *health, uint64_t now)
{
	health->failures = health->overdue = 0;
	health->answered_at = health->replied_at = now;
}

void rg_zone_health_answer(struct rg_zone_health *health, bool listed, uint32_t window,
			   uint32_t jump, uint64_t now)
{
	note_answered(health, now);
	count_share(health, listed, window);
	if (health->window_share - health->long_share < jump / 200.0)
		health->usual_at = now;
	if (health->state == RG_ZONE_HEALTH_FAILING)
		change(health, RG_ZONE_HEALTH_GOOD, "", now);
	else if (health->state == RG_ZONE_HEALTH_GOOD && !health->is_suspect &&
		 lists_too_much(health, window, jump)) {
		health->is_suspect = true;
		snprintf(health->suspicion, sizeof(health->suspicion),
			 "lists %.0f %% of new peers, was %.0f %%", health->window_share * 100,
			 health->long_share * 100);
	}
	/* Half of the jump, so that the state does not go back and forth. */
	if (health->state == RG_ZONE_HEALTH_MONITOR &&
	    (!jump || health->window_share - health->long_share < jump / 200.0))
		change(health, RG_ZONE_HEALTH_GOOD, "", now);
}

void rg_zone_health_controlled(struct rg_zone_health *health, enum rg_zone_control_result result,
			       uint64_t now)
{
	bool was_suspect = health->is_suspect;

	health->is_suspect = false;
	health->controlled_at = now;
	if (result == RG_ZONE_CONTROL_CLEAN) {
		health->long_share = health->window_share;
		health->usual_at = now;
		if (health->state == RG_ZONE_HEALTH_MONITOR)
			change(health, RG_ZONE_HEALTH_GOOD, "", now);
	} else if (was_suspect && health->state == RG_ZONE_HEALTH_GOOD) {
		change(health, RG_ZONE_HEALTH_MONITOR, health->suspicion, now);
	}
}

/* ------------------------------------------------------------------ the circuit breaker */

static void open_breaker(struct rg_zone_health *health, const char *why, uint64_t now)
{
	health->test_gap = FIRST_GAP;
	health->test_at = now + FIRST_GAP;
	health->overdue = 0;
	change(health, RG_ZONE_HEALTH_OPEN, why, now);
}

/* Since both rows began, the zone has answered about neither family. */
static bool shares_row(const struct rg_zone_health *health)
{
	const struct rg_zone_health *other = health->other;

	return other && rg_zone_health_is_asked(other) && health->row_from > other->answered_at &&
	       other->row_from > health->answered_at;
}

/*
 * Opens the breaker if enough questions in a row have no answer. Beside those that have failed, the ones count that
 * wait: but only just after a failure, as all of them may still be answered if the zone is slow. A zone that is
 * silent about both families opens for both.
 */
static void check_breaker(struct rg_zone_health *health, const char *why, uint64_t now)
{
	struct rg_zone_health *other = shares_row(health) ? health->other : NULL;
	uint64_t failed_at = other && other->failed_at > health->failed_at ? other->failed_at :
									     health->failed_at;
	bool is_recent = now - failed_at <= OVERDUE_TIME;
	unsigned int own = health->failures + (is_recent ? health->overdue : 0);
	unsigned int others = other ? other->failures + (is_recent ? other->overdue : 0) : 0;

	if (health->failures && own >= RG_ZONE_HEALTH_FAILURES) {
		open_breaker(health, why, now);
	} else if (own >= 2 && others >= 2 && own + others >= RG_ZONE_HEALTH_FAILURES &&
		   health->failures + other->failures) {
		open_breaker(health, why, now);
		open_breaker(other, why, now);
	}
}

static void begin_row(struct rg_zone_health *health, uint64_t asked_at)
{
	if (!health->failures && !health->overdue)
		health->row_from = asked_at;
}

void rg_zone_health_overdue(struct rg_zone_health *health, uint64_t asked_at, uint64_t now)
{
	char why[sizeof(health->why)];

	if (!rg_zone_health_is_asked(health) || asked_at <= health->replied_at)
		return;
	begin_row(health, asked_at);
	health->overdue++;
	snprintf(why, sizeof(why), "%s",
		 health->failures || !health->other ? health->why : health->other->why);
	check_breaker(health, why, now);
}

static void count_failure(struct rg_zone_health *health, const char *why, uint64_t asked_at,
			  uint64_t now)
{
	begin_row(health, asked_at);
	health->failures++;
	health->failed_at = now;
	if (health->test_at > now + FIRST_GAP)
		health->test_at = now + FIRST_GAP;
	if (health->state == RG_ZONE_HEALTH_GOOD)
		change(health, RG_ZONE_HEALTH_FAILING, why, now);
	check_breaker(health, why, now);
}

void rg_zone_health_failure(struct rg_zone_health *health, const char *why, uint64_t asked_at,
			    bool replied, uint64_t now)
{
	bool alone = asked_at > health->replied_at; /* nothing came since it was asked */

	if (!rg_zone_health_is_asked(health))
		return;
	if (!replied && alone && health->overdue)
		health->overdue--;
	if (!replied && !alone && health->failures && now - health->failed_at < FAILURE_GAP)
		return;
	if (replied) {
		health->overdue = 0;
		health->replied_at = now;
	}
	count_failure(health, why, asked_at, now);
}

/* ------------------------------------------------------------------ tests */

void rg_zone_health_invalid(struct rg_zone_health *health, uint64_t now)
{
	health->overdue = 0;
	health->replied_at = now; /* with a record that is no use, but with one */
	/* A list may answer so about some peers only: then its tests pass, and one test is enough. */
	if (rg_zone_health_is_asked(health) && now - health->tested_at >= INVALID_GAP)
		health->test_at = now;
}

static void schedule_test(struct rg_zone_health *health, double jitter, uint64_t now)
{
	if (health->state != RG_ZONE_HEALTH_GOOD && health->state != RG_ZONE_HEALTH_MONITOR) {
		health->test_at = now + health->test_gap;
		health->test_gap = health->test_gap * 2 < LAST_GAP ? health->test_gap * 2 : LAST_GAP;
	} else {
		health->test_gap = FIRST_GAP;
		health->test_at = now + MIN_GOOD_GAP +
				  (uint64_t)(jitter * (double)(MAX_GOOD_GAP - MIN_GOOD_GAP));
	}
}

void rg_zone_health_tested(struct rg_zone_health *health, enum rg_zone_test_result result,
			   const char *why, double jitter, uint64_t asked_at, uint64_t now)
{
	switch (result) {
	case RG_ZONE_TEST_PASSED:
		note_answered(health, now);
		if (health->state != RG_ZONE_HEALTH_MONITOR)
			change(health, RG_ZONE_HEALTH_GOOD, "", now);
		break;
	case RG_ZONE_TEST_UNANSWERED:
		/* A zone that is off stays so until a test passes. */
		if (rg_zone_health_is_asked(health))
			count_failure(health, why, asked_at, now);
		break;
	default:
		change(health, RG_ZONE_HEALTH_DISABLED, why, now);
		break;
	}
	health->tested_at = now;
	schedule_test(health, jitter, now);
}

bool rg_zone_health_is_asked(const struct rg_zone_health *health)
{
	return health->state != RG_ZONE_HEALTH_OPEN && health->state != RG_ZONE_HEALTH_DISABLED;
}

const char *rg_zone_health_name(enum rg_zone_health_state state)
{
	static const char *const names[RG_ZONE_HEALTH_STATES] = {
		[RG_ZONE_HEALTH_GOOD] = "good",	      [RG_ZONE_HEALTH_FAILING] = "failing",
		[RG_ZONE_HEALTH_OPEN] = "open",	      [RG_ZONE_HEALTH_DISABLED] = "disabled",
		[RG_ZONE_HEALTH_MONITOR] = "monitor",
	};

	return names[state];
}
