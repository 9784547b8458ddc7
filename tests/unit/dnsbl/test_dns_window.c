/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The window against a simulated resolver: it answers in order, so many questions a second, and each answer
 * takes some time more on its way. Checked: the window follows the rate, so that answers stay prompt and
 * the resolver is never idle; a slow zone or a silent one does not hold others up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "dnsbl/dns_window.h"

#include "maps/types.h"

#include <cmocka.h>

#define MS 1000000ULL
#define MOST 2000

struct question {
	uint64_t sent_at, due; /* due: when its answer comes, or when it has timed out */
	bool is_silent;
};

static struct rg_dns_window window;
static struct question open_questions[4 * MOST];
static unsigned int in_flight;
static uint64_t now, free_at; /* free_at: when the resolver has answered all of its queue */
static unsigned int answered, missing;
static uint64_t slowest; /* ns, of the answers */

static int set_up(void **state)
{
	(void)state;
	now = free_at = 1000 * RG_NSEC_PER_SEC;
	in_flight = answered = missing = 0;
	slowest = 0;
	rg_dns_window_init(&window, MOST, now);
	return 0;
}

/* The resolver's: ns that it works for an answer; ns that the answer takes besides. */
static void send(uint64_t work, uint64_t way, bool is_silent)
{
	struct question *question = &open_questions[in_flight++];

	free_at = (free_at > now ? free_at : now) + work;
	*question = (struct question){ now, free_at + way, is_silent };
	if (is_silent)
		question->due = now + 1350 * MS;
	rg_dns_window_sent(&window, in_flight);
}

static void receive(void)
{
	for (unsigned int i = 0; i < in_flight;) {
		struct question question = open_questions[i];

		if (question.due > now) {
			i++;
			continue;
		}
		open_questions[i] = open_questions[--in_flight];
		if (question.is_silent) {
			missing++;
			rg_dns_window_missing(&window, question.sent_at, now);
			continue;
		}
		answered++;
		if (now - question.sent_at > slowest)
			slowest = now - question.sent_at;
		rg_dns_window_answer(&window, question.sent_at, now);
	}
}

/*
 * `rate` questions a second are asked for so many ms. One that finds no room is not asked. silent: of so many
 * questions one gets no answer; 0: none.
 */
static void run(unsigned int ms, unsigned int rate, uint64_t work, uint64_t way, unsigned int silent)
{
	static unsigned int number;
	double credit = 0;

	for (unsigned int i = 0; i < ms; i++) {
		now += MS;
		receive();
		for (credit += rate / 1000.0; credit >= 1; credit--) {
			if (in_flight < window.size)
				send(work, way, silent && ++number % silent == 0);
			else
				rg_dns_window_limited(&window, now);
		}
	}
}

/* What a resolver can answer, for one that does 400, 1500 and 20000 a second. */
static void check_starving(void **state)
{
	static const unsigned int rates[] = { 400, 1500, 20000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		set_up(NULL);
		run(2000, 10, RG_NSEC_PER_SEC / rates[i], MS / 2, 0); /* a quiet time */
		run(5000, 2 * rates[i], RG_NSEC_PER_SEC / rates[i], MS / 2, 0); /* it settles */
		answered = 0;
		slowest = 0;
		run(5000, 2 * rates[i], RG_NSEC_PER_SEC / rates[i], MS / 2, 0);
		if (answered < 5 * rates[i] * 9 / 10)
			fail_msg("%u a second: %u answers in 5 s", rates[i], answered);
		/* Well under half of hold_timeout: a peer is asked about in two rounds. */
		if (slowest > 350 * MS)
			fail_msg("%u a second: an answer took %llu ms", rates[i],
				 (unsigned long long)(slowest / MS));
		assert_true(rg_dns_window_is_busy(&window, now));
		assert_int_equal(missing, 0);
	}
}

/* Every answer takes 1.1 s, but as many as are asked for: that is a slow zone, and no queue. */
static void check_slow_zone(void **state)
{
	(void)state;
	run(20000, 10, 1000, 1100 * MS, 0);
	run(10000, 1500, 1000, 1100 * MS, 0);
	assert_true(window.size >= 1650); /* 1500 a second for 1.1 s */
	assert_false(rg_dns_window_is_busy(&window, now + 3 * RG_NSEC_PER_SEC));
}

/* Answers take 0.2 to 3 s, now so, now so: once that is known, hardly anything waits for room. */
static void check_uneven_zone(void **state)
{
	unsigned int asked = 0, limited = 0;

	(void)state;
	srandom(1);
	for (unsigned int i = 0; i < 60000; i++) {
		now += MS;
		receive();
		if (i % 6)
			continue;
		if (i >= 20000)
			asked++;
		if (in_flight < window.size) {
			send(1000, 200 * MS + (uint64_t)random() % (2800 * MS), false);
		} else {
			rg_dns_window_limited(&window, now);
			if (i >= 20000)
				limited++;
		}
	}
	if (limited > asked / 50)
		fail_msg("%u of %u questions had to wait", limited, asked);
}

/* A resolver that is far away, and a flood from the start: what is usual is learnt at the floor. */
static void check_far_and_flooded(void **state)
{
	(void)state;
	run(20000, 4000, 1000, 300 * MS, 0);
	answered = 0;
	run(5000, 4000, 1000, 300 * MS, 0);
	assert_true(answered > 5 * 3000);
}

/* One of five questions gets no answer: the others are asked as before. */
static void check_silent_zone(void **state)
{
	(void)state;
	run(2000, 10, MS / 10, MS, 5);
	run(5000, 1000, MS / 10, MS, 5);
	answered = 0;
	run(5000, 1000, MS / 10, MS, 5);
	assert_true(answered >= 5 * 800 * 9 / 10);
}

/* Nothing is answered: only the floor is asked. It comes back: within two seconds all is as before. */
static void check_outage(void **state)
{
	(void)state;
	run(2000, 10, MS / 10, MS, 0);
	run(3000, 3000, MS / 10, MS, 0);
	run(6000, 3000, MS / 10, MS, 1);
	assert_int_equal(window.size, RG_DNS_WINDOW_FLOOR);
	run(2000, 3000, MS / 10, MS, 0);
	answered = 0;
	run(1000, 3000, MS / 10, MS, 0);
	assert_true(answered > 2900);
}

/* A quiet host whose only zone is silent, then a burst. */
static void check_burst_after_silence(void **state)
{
	(void)state;
	run(10000, 2, MS / 10, MS, 1);
	run(2000, 5, MS / 10, MS, 0);
	answered = 0;
	run(1000, 2000, MS / 10, MS, 0);
	assert_true(answered > 1500);
}

/* dns_in_flight is the bound, also if it is less than the floor. */
static void check_bounds(void **state)
{
	(void)state;
	rg_dns_window_init(&window, 1, now);
	assert_int_equal(window.size, 1);
	run(3000, 1000, MS, MS, 1);
	assert_int_equal(window.size, 1);
	rg_dns_window_init(&window, MOST, now);
	run(5000, 100000, 1000, 20 * MS, 0);
	assert_true(window.size <= MOST);
	assert_true(window.size > MOST / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(check_starving, set_up),
		cmocka_unit_test_setup(check_slow_zone, set_up),
		cmocka_unit_test_setup(check_uneven_zone, set_up),
		cmocka_unit_test_setup(check_far_and_flooded, set_up),
		cmocka_unit_test_setup(check_silent_zone, set_up),
		cmocka_unit_test_setup(check_outage, set_up),
		cmocka_unit_test_setup(check_burst_after_silence, set_up),
		cmocka_unit_test_setup(check_bounds, set_up),
	};

	return cmocka_run_group_tests_name("dns_window", tests, NULL, NULL);
}
