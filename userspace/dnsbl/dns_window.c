/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/dns_window.h"

#include "maps/types.h"

#define MS(n) ((n)*1000000ULL)

#define INTERVAL MS(100)
#define USUAL_TIME (30 * RG_NSEC_PER_SEC) /* a bucket of `usual` */
#define SLOW_GROWTH 8 /* answers for one question more, above the threshold */
#define SAMPLE 64 /* answers: the fastest of fewer may be late by chance */
#define BUSY_TIME (2 * RG_NSEC_PER_SEC)

/* Fewer missing answers of an interval say nothing. */
#define MIN_MISSING 4

/* An answer is prompt if it takes as long again as is usual, within these bounds. */
#define MIN_SLACK MS(50)
#define MAX_SLACK MS(200)
#define UNKNOWN_PROMPT MS(450) /* while nothing is usual yet */

void rg_dns_window_init(struct rg_dns_window *window, uint32_t most, uint64_t now)
{
	*window = (struct rg_dns_window){
		.size = most < RG_DNS_WINDOW_START ? most : RG_DNS_WINDOW_START,
		.most = most,
		.floor = most < RG_DNS_WINDOW_FLOOR ? most : RG_DNS_WINDOW_FLOOR,
		.threshold = most,
		.began = now,
		.fastest = UINT64_MAX,
		.fastest_of_sample = UINT64_MAX,
		.usual_began = now,
	};
}

static uint64_t usual(const struct rg_dns_window *window)
{
	uint64_t a = window->usual[0], b = window->usual[1];

	return !a || (b && b < a) ? b : a;
}

/* ns that a prompt answer takes at most. */
static uint64_t prompt_time(const struct rg_dns_window *window)
{
	uint64_t base = usual(window), slack = base;

	if (!base)
		return UNKNOWN_PROMPT;
	slack = slack < MIN_SLACK ? MIN_SLACK : slack > MAX_SLACK ? MAX_SLACK : slack;
	return base + slack;
}

/* So few questions are under way that they do not delay each other. */
static void learn(struct rg_dns_window *window, uint64_t now)
{
	if (now - window->usual_began >= USUAL_TIME) {
		window->usual[1] = window->usual[0];
		window->usual[0] = 0;
		window->usual_began = now;
	}
	if (!window->usual[0] || window->fastest < window->usual[0])
		window->usual[0] = window->fastest;
}

static void reduce(struct rg_dns_window *window, uint32_t size, uint64_t now)
{
	window->threshold = window->size / 2;
	window->size = size > window->floor ? size : window->floor;
	window->credit = window->sample = 0;
	window->fastest_of_sample = UINT64_MAX;
	window->reduced_at = window->late_at = window->sampled_at = now;
}

static void grow(struct rg_dns_window *window, uint32_t answers)
{
	uint32_t step = window->size < window->threshold ? 1 : SLOW_GROWTH;

	window->credit += answers;
	window->size += window->credit / step;
	window->credit %= step;
	if (window->size > window->most)
		window->size = window->most;
}

/* True if the answers are late. Prompt ones let the window grow, if there was no room: else it changes nothing. */
static bool judge_sample(struct rg_dns_window *window, uint64_t now)
{
	bool is_late = window->fastest_of_sample > prompt_time(window);

	if (!is_late && window->limited_at >= window->sampled_at)
		grow(window, window->sample);
	window->sample = 0;
	window->sampled_at = now;
	window->fastest_of_sample = UINT64_MAX;
	return is_late && window->peak > window->floor;
}

/*
 * A zone that is silent is no fault of the resolver's. But if a third of all questions get no answer, it may
 * well drop them; if none does, more questions are of no use.
 */
static void end_interval(struct rg_dns_window *window, uint64_t now)
{
	uint32_t used = window->peak < window->size ? window->peak : window->size;
	bool is_late = window->sample >= SAMPLE && judge_sample(window, now);
	bool drops = window->missing >= MIN_MISSING && window->missing * 2 > window->answers;

	if (drops && !window->answers)
		reduce(window, window->floor, now);
	else if (is_late || drops)
		reduce(window, used / 2, now);
	else if (window->answers && window->peak <= window->floor)
		learn(window, now);
	window->began = now;
	window->fastest = UINT64_MAX;
	window->answers = window->missing = 0;
	window->peak = 0;
}

void rg_dns_window_sent(struct rg_dns_window *window, uint32_t in_flight)
{
	if (in_flight > window->peak)
		window->peak = in_flight;
}

void rg_dns_window_limited(struct rg_dns_window *window, uint64_t now)
{
	window->limited_at = now;
}

void rg_dns_window_answer(struct rg_dns_window *window, uint64_t sent_at, uint64_t now)
{
	uint64_t time = now - sent_at;

	if (sent_at < window->reduced_at)
		return;
	window->answers++;
	window->sample++;
	if (time < window->fastest)
		window->fastest = time;
	if (time < window->fastest_of_sample)
		window->fastest_of_sample = time;
	if (now - window->began >= INTERVAL)
		end_interval(window, now);
}

void rg_dns_window_missing(struct rg_dns_window *window, uint64_t sent_at, uint64_t now)
{
	if (sent_at < window->reduced_at)
		return;
	window->missing++;
	if (now - window->began >= INTERVAL)
		end_interval(window, now);
}

bool rg_dns_window_is_busy(const struct rg_dns_window *window, uint64_t now)
{
	return (window->limited_at && now - window->limited_at < BUSY_TIME) ||
	       (window->late_at && now - window->late_at < BUSY_TIME);
}
