/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/zone_health.h"

#define SECONDS(n) ((n)*RG_NSEC_PER_SEC)

/* An ill zone is tested after 5, 10, then every 20 s: it is back within 30 s of its recovery. */
#define FIRST_GAP SECONDS(5)
#define LAST_GAP SECONDS(20)
/* A good zone is tested every 5 to 30 minutes; see docs/zones.md. */
#define MIN_GOOD_GAP SECONDS(300)
#define MAX_GOOD_GAP SECONDS(1800)

/* Silences closer to each other count as one. */
#define FAILURE_GAP (RG_NSEC_PER_SEC / 10)

/* Between two tests that answers asked for which can't be true. */
#define NONSENSE_GAP SECONDS(10)

/* A zone lists the world only if nearly everybody is on it, whatever its share was before. */
#define WORLD_SHARE 0.9

static bool change(struct rg_zone_health *health, enum rg_zone_health_state state, const char *why,
		   uint64_t now)
{
	bool changed = health->state != state;

	if (changed) {
		health->since = now;
		health->before = health->state;
		/* What it said while it was not to be believed is no share of anything. */
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
					   .probe_at = now,
					   .probe_gap = FIRST_GAP };
}

/* Exponential averages: the window's follows fast, the other one so slowly that a jump stands out. */
static void note_share(struct rg_zone_health *health, bool listed, uint32_t window)
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
	       health->window_share >= WORLD_SHARE &&
	       health->window_share - health->long_share >= jump / 100.0;
}

bool rg_zone_health_answer(struct rg_zone_health *health, bool listed, uint32_t window,
			   uint32_t jump, uint64_t now)
{
	char why[80];

	health->failures = 0;
	note_share(health, listed, window);
	if (health->window_share - health->long_share < jump / 200.0)
		health->usual_at = now;
	if (health->state == RG_ZONE_HEALTH_FAILING)
		return change(health, RG_ZONE_HEALTH_GOOD, "", now);
	if (health->state == RG_ZONE_HEALTH_GOOD && lists_too_much(health, window, jump)) {
		snprintf(why, sizeof(why), "lists %.0f %% of new peers, was %.0f %%",
			 health->window_share * 100, health->long_share * 100);
		return change(health, RG_ZONE_HEALTH_MONITOR, why, now);
	}
	/* Half of the jump, so that it does not go back and forth. */
	if (health->state == RG_ZONE_HEALTH_MONITOR &&
	    (!jump || health->window_share - health->long_share < jump / 200.0))
		return change(health, RG_ZONE_HEALTH_GOOD, "", now);
	return false;
}

bool rg_zone_health_failure(struct rg_zone_health *health, const char *why, bool silent, uint64_t now)
{
	if (!rg_zone_health_is_asked(health))
		return false;
	/* Many at once are one: a burst that a buffer did not hold is no failure of the zone. */
	if (silent && health->failures && now - health->failed_at < FAILURE_GAP)
		return false;
	health->failed_at = now;
	if (health->probe_at > now + FIRST_GAP)
		health->probe_at = now + FIRST_GAP;
	if (++health->failures < RG_ZONE_HEALTH_FAILURES)
		return health->state == RG_ZONE_HEALTH_GOOD &&
		       change(health, RG_ZONE_HEALTH_FAILING, why, now);
	health->probe_gap = FIRST_GAP;
	health->probe_at = now + FIRST_GAP;
	return change(health, RG_ZONE_HEALTH_OPEN, why, now);
}

void rg_zone_health_nonsense(struct rg_zone_health *health, uint64_t now)
{
	/* A list may say so of some peers only: then its tests pass, and need not be repeated. */
	if (rg_zone_health_is_asked(health) && now - health->tested_at >= NONSENSE_GAP)
		health->probe_at = now;
}

static void test_later(struct rg_zone_health *health, double jitter, uint64_t now)
{
	if (health->state != RG_ZONE_HEALTH_GOOD && health->state != RG_ZONE_HEALTH_MONITOR) {
		health->probe_at = now + health->probe_gap;
		health->probe_gap = health->probe_gap * 2 < LAST_GAP ? health->probe_gap * 2 :
								       LAST_GAP;
	} else {
		health->probe_gap = FIRST_GAP;
		health->probe_at = now + MIN_GOOD_GAP +
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
		/* One that was disabled stays so until a test passes. */
		break;
	default:
		changed = change(health, RG_ZONE_HEALTH_DISABLED, why, now);
		break;
	}
	health->tested_at = now;
	test_later(health, jitter, now);
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
