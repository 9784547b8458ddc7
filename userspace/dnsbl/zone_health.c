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

/* Silences closer to each other than this count once. */
#define FAILURE_GAP (RG_NSEC_PER_SEC / 10)

/* Least time between two tests that invalid answers cause. */
#define INVALID_GAP SECONDS(10)

/* A share below this is no alarm, however small it was before. */
#define ALARM_SHARE 0.9

static bool change(struct rg_zone_health *health, enum rg_zone_health_state state, const char *why,
		   uint64_t now)
{
	bool changed = health->state != state;

	if (changed) {
		health->since = now;
		health->before = health->state;
		/* The answers that led to this state must not count as its usual share. */
		if (health->state == RG_ZONE_HEALTH_DISABLED)
			health->window_share = health->long_share;
	}
	health->state = state;
	snprintf(health->why, sizeof(health->why), "%s", why);
	return changed;
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

bool rg_zone_health_answer(struct rg_zone_health *health, bool listed, uint32_t window,
			   uint32_t jump, uint64_t now)
{
	health->failures = 0;
	count_share(health, listed, window);
	if (health->window_share - health->long_share < jump / 200.0)
		health->usual_at = now;
	if (health->state == RG_ZONE_HEALTH_FAILING)
		return change(health, RG_ZONE_HEALTH_GOOD, "", now);
	if (health->state == RG_ZONE_HEALTH_GOOD && !health->is_suspect &&
	    lists_too_much(health, window, jump)) {
		health->is_suspect = true;
		snprintf(health->suspicion, sizeof(health->suspicion),
			 "lists %.0f %% of new peers, was %.0f %%", health->window_share * 100,
			 health->long_share * 100);
	}
	/* Half of the jump, so that the state does not go back and forth. */
	if (health->state == RG_ZONE_HEALTH_MONITOR &&
	    (!jump || health->window_share - health->long_share < jump / 200.0))
		return change(health, RG_ZONE_HEALTH_GOOD, "", now);
	return false;
}

bool rg_zone_health_controlled(struct rg_zone_health *health, enum rg_zone_control_result result,
			       uint64_t now)
{
	bool was_suspect = health->is_suspect;

	health->is_suspect = false;
	health->controlled_at = now;
	if (result == RG_ZONE_CONTROL_CLEAN) {
		health->long_share = health->window_share;
		health->usual_at = now;
		return health->state == RG_ZONE_HEALTH_MONITOR &&
		       change(health, RG_ZONE_HEALTH_GOOD, "", now);
	}
	return was_suspect && health->state == RG_ZONE_HEALTH_GOOD &&
	       change(health, RG_ZONE_HEALTH_MONITOR, health->suspicion, now);
}

bool rg_zone_health_failure(struct rg_zone_health *health, const char *why, bool silent, uint64_t now)
{
	if (!rg_zone_health_is_asked(health))
		return false;
	/* A burst of questions that a buffer did not hold is one failure, not many. */
	if (silent && health->failures && now - health->failed_at < FAILURE_GAP)
		return false;
	health->failed_at = now;
	if (health->test_at > now + FIRST_GAP)
		health->test_at = now + FIRST_GAP;
	if (++health->failures < RG_ZONE_HEALTH_FAILURES)
		return health->state == RG_ZONE_HEALTH_GOOD &&
		       change(health, RG_ZONE_HEALTH_FAILING, why, now);
	health->test_gap = FIRST_GAP;
	health->test_at = now + FIRST_GAP;
	return change(health, RG_ZONE_HEALTH_OPEN, why, now);
}

void rg_zone_health_invalid(struct rg_zone_health *health, uint64_t now)
{
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

bool rg_zone_health_tested(struct rg_zone_health *health, enum rg_zone_test_result result,
			   const char *why, double jitter, uint64_t now)
{
	bool changed = false;

	switch (result) {
	case RG_ZONE_TEST_PASSED:
		health->failures = 0;
		if (health->state != RG_ZONE_HEALTH_MONITOR)
			changed = change(health, RG_ZONE_HEALTH_GOOD, "", now);
		break;
	case RG_ZONE_TEST_UNANSWERED:
		changed = rg_zone_health_failure(health, why, false, now);
		/* A disabled zone stays disabled until a test passes. */
		break;
	default:
		changed = change(health, RG_ZONE_HEALTH_DISABLED, why, now);
		break;
	}
	health->tested_at = now;
	schedule_test(health, jitter, now);
	return changed;
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
