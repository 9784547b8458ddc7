/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Held SYNs: all that pass go on, in their order, and nobody waits for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "kernel/release.h"

#include "maps/limits.h"

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define IFINDEX 7
#define WAIT_AT_MOST 1024 /* frames, in the thread's queue */

/* What the kernel would be given, and by whom. */
static struct {
	uint32_t number[2 * WAIT_AT_MOST];
	bool by_thread[2 * WAIT_AT_MOST];
	atomic_uint count;
} sent;

static struct rg_release *releaser;
static pthread_t loop;
static sem_t gate; /* the thread goes through once for each frame, if it is shut */
static bool is_shut;
static int judge_says; /* of each frame */
static unsigned int judged;
static int error; /* of each that is sent on */
static atomic_uint warnings;

void rg_log(enum rg_log_level level, const char *format, ...)
{
	(void)format;
	assert_int_equal(level, RG_LOG_WARNING);
	warnings++;
}

int rg_held_frame_judge(const struct rg_loader *loader, unsigned int ifindex, const void *frame,
			size_t len, struct rg_held_frame *ret)
{
	uint8_t text[RG_FRAME_SIZE];
	uint32_t number;

	assert_null(loader);
	assert_true(pthread_equal(pthread_self(), loop));
	memcpy(&number, frame, sizeof(number));
	memset(text, (int)number & 0xff, sizeof(text));
	assert_int_equal(len, sizeof(number) + number % (RG_FRAME_SIZE - sizeof(number)));
	assert_memory_equal((const uint8_t *)frame + sizeof(number), text, len - sizeof(number));
	judged++;
	if (judge_says != 1)
		return judge_says;
	*ret = (struct rg_held_frame){ .ifindex = ifindex, .len = (uint32_t)len };
	memcpy(ret->bytes, &number, sizeof(number));
	return 1;
}

static unsigned int counted;

int rg_held_frame_count(const struct rg_loader *loader, unsigned int ifindex, const void *frame,
			size_t len)
{
	assert_null(loader);
	assert_int_equal(ifindex, IFINDEX);
	assert_non_null(frame);
	assert_int_equal(len, 60);
	counted++;
	return error;
}

int rg_held_frame_send(const struct rg_loader *loader, const struct rg_held_frame *frame)
{
	bool by_thread = !pthread_equal(pthread_self(), loop);
	unsigned int at;
	uint32_t number;

	assert_null(loader);
	if (by_thread && is_shut)
		sem_wait(&gate);
	memcpy(&number, frame->bytes, sizeof(number));
	assert_int_equal(frame->ifindex, IFINDEX);
	assert_int_equal(frame->len, sizeof(number) + number % (RG_FRAME_SIZE - sizeof(number)));
	at = sent.count;
	sent.number[at] = number;
	sent.by_thread[at] = by_thread;
	sent.count = at + 1;
	return error;
}

/* A frame of a length and bytes that its number tells. */
static void put_one(uint32_t number, bool is_clean)
{
	uint8_t frame[RG_FRAME_SIZE];

	memset(frame, (int)number & 0xff, sizeof(frame));
	memcpy(frame, &number, sizeof(number));
	rg_release_put(releaser, IFINDEX, frame,
		       sizeof(number) + number % (RG_FRAME_SIZE - sizeof(number)), is_clean);
}

static void put(uint32_t number)
{
	put_one(number, true);
}

static int set_up(void **state)
{
	(void)state;
	loop = pthread_self();
	sent.count = 0;
	warnings = 0;
	is_shut = false;
	error = 0;
	judge_says = 1;
	judged = 0;
	sem_init(&gate, 0, 0);
	return rg_release_new(&releaser, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	sem_destroy(&gate);
	return 0;
}

static void test_all_go_in_their_order(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WAIT_AT_MOST; i++)
		put(i);
	rg_release_free(releaser); /* those that still wait go first */
	assert_int_equal(sent.count, WAIT_AT_MOST);
	for (uint32_t i = 0; i < WAIT_AT_MOST; i++) {
		assert_int_equal(sent.number[i], i);
		assert_true(sent.by_thread[i]);
	}
	assert_int_equal(warnings, 0);
}

static void test_too_many_to_wait(void **state)
{
	(void)state;
	is_shut = true;
	for (uint32_t i = 0; i < WAIT_AT_MOST + 5; i++)
		put(i);
	/* The thread has the first one in hand, whose place is not free before it has gone. */
	assert_int_equal(sent.count, 5);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(sent.number[i], WAIT_AT_MOST + i);
		assert_false(sent.by_thread[i]);
	}
	for (uint32_t i = 0; i < WAIT_AT_MOST; i++)
		sem_post(&gate);
	rg_release_free(releaser);
	assert_int_equal(sent.count, WAIT_AT_MOST + 5);
	for (uint32_t i = 0; i < WAIT_AT_MOST; i++)
		assert_int_equal(sent.number[5 + i], i);
}

/* The numbers of places run over, and places are used again. */
static void test_more_than_there_are_places(void **state)
{
	struct rg_release_count count;

	(void)state;
	for (uint32_t i = 0; i < 2 * WAIT_AT_MOST; i++) {
		put(i);
		while (i % 16 == 15 && sent.count <= i)
			sched_yield();
	}
	while (sent.count < 2 * WAIT_AT_MOST)
		sched_yield();
	for (uint32_t i = 0; i < 2 * WAIT_AT_MOST; i++)
		assert_int_equal(sent.number[i], i);
	do
		count = rg_release_count(releaser);
	while (count.released < 2 * WAIT_AT_MOST);
	assert_int_equal(count.failed, 0);
	rg_release_free(releaser);
}

static void test_failures_are_counted_and_said_once(void **state)
{
	struct rg_release_count count;

	(void)state;
	error = -ENOBUFS;
	for (uint32_t i = 0; i < 3; i++)
		put(i);
	do
		count = rg_release_count(releaser);
	while (count.failed < 3);
	assert_int_equal(count.released, 0);
	rg_release_free(releaser);
	assert_int_equal(warnings, 1);
}

static void test_what_is_dropped_goes_nowhere(void **state)
{
	(void)state;
	judge_says = 0;
	put(1);
	assert_int_equal(judged, 1);
	assert_int_equal(rg_release_count(releaser).released, 1);
	judge_says = -EINVAL;
	put(2);
	assert_int_equal(rg_release_count(releaser).failed, 1);
	assert_int_equal(warnings, 1);
	/* The filter would hold it again. A peer can bring that about, so it is only counted. */
	judge_says = -ENOKEY;
	put(3);
	assert_int_equal(rg_release_count(releaser).failed, 2);
	assert_int_equal(warnings, 1);
	rg_release_free(releaser);
	assert_int_equal(sent.count, 0);
}

/* The verdict that decides about their way may be gone when the thread would come to them. */
static void test_others_do_not_wait(void **state)
{
	(void)state;
	is_shut = true;
	put(1);
	put_one(2, false);
	assert_int_equal(judged, 2);
	assert_int_equal(sent.count, 1);
	assert_int_equal(sent.number[0], 2);
	assert_false(sent.by_thread[0]);
	sem_post(&gate);
	rg_release_free(releaser);
	assert_int_equal(sent.number[1], 1);
	assert_true(sent.by_thread[1]);
}

/* What monitor mode let pass is counted, and never sent. */
static void test_monitored(void **state)
{
	const uint8_t frame[60] = {};

	(void)state;
	counted = 0;
	rg_release_count_monitored(releaser, IFINDEX, frame, sizeof(frame));
	assert_int_equal(counted, 1);
	assert_int_equal(rg_release_count(releaser).monitored, 1);
	error = -EINVAL;
	rg_release_count_monitored(releaser, IFINDEX, frame, sizeof(frame));
	assert_int_equal(rg_release_count(releaser).monitored, 1);
	assert_int_equal(rg_release_count(releaser).failed, 0);
	rg_release_free(releaser);
	assert_int_equal(sent.count, 0);
	assert_int_equal(judged, 0);
}

static void test_nothing_was_ever_held(void **state)
{
	(void)state;
	assert_int_equal(rg_release_count(releaser).released, 0);
	rg_release_free(releaser);
	rg_release_free(NULL);
	assert_int_equal(sent.count, 0);
}

/* Released SYNs against those that sk_lookup saw, second by second. */
static void test_evidence(void **state)
{
	static const struct {
		uint64_t released, seen, unseen;
	} seconds[] = {
		{ 100, 90, 0 }, /* what was before does not count */
		{ 110, 90, 0 }, /* they are on their way */
		{ 110, 100, 0 },  { 111, 100, 0 },  { 111, 100, 0 },
		{ 111, 100, 1 }, /* one did not arrive */
		{ 150, 139, 1 },  { 150, 139, 1 },  { 150, 139, 1 },
		{ 160, 140, 1 },  { 160, 140, 1 },  { 160, 140, 10 },
		{ 160, 141, 10 }, /* late: it was counted */
		{ 170, 151, 10 }, { 170, 151, 10 }, { 170, 151, 10 },
	};
	struct rg_release_evidence evidence = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		rg_release_evidence_update(&evidence, seconds[i].released, seconds[i].seen);
		if (evidence.unseen != seconds[i].unseen)
			fail_msg("second %zu: %d", i, (int)evidence.unseen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_go_in_their_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_to_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_more_than_there_are_places, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failures_are_counted_and_said_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_dropped_goes_nowhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_others_do_not_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_monitored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_was_ever_held, set_up, tear_down),
		cmocka_unit_test(test_evidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
