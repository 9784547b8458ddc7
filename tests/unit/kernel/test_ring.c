/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of the ring buffer: which are handed on, and how many in one go. libbpf's ring is a fake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/ring.h"

#include <bpf/libbpf.h>
#include <cmocka.h>
#include <sys/eventfd.h>

#define MAP 42

/* ---- libbpf's ring buffer, with any number of records of one kind ---- */

struct ring_buffer {
	ring_buffer_sample_fn call;
	void *ctx;
	int ready; /* eventfd: readable as long as there are records */
};

static struct ring_buffer fake;
static struct rg_event_syn record;
static size_t record_size;
static unsigned int left, opened; /* records; rings */
static int open_error;

struct ring_buffer *ring_buffer__new(int fd, ring_buffer_sample_fn call, void *ctx,
				     const struct ring_buffer_opts *opts)
{
	(void)opts;
	assert_int_equal(fd, MAP);
	if (open_error) {
		errno = open_error;
		return NULL;
	}
	opened++;
	fake.call = call;
	fake.ctx = ctx;
	fake.ready = eventfd(1, EFD_CLOEXEC);
	return &fake;
}

int ring_buffer__epoll_fd(const struct ring_buffer *ring)
{
	return ring->ready;
}

int ring_buffer__consume(struct ring_buffer *ring)
{
	uint64_t value;

	while (left) {
		int err;

		left--;
		err = ring->call(ring->ctx, &record, record_size);
		if (err < 0)
			return err;
	}
	assert_int_equal(read(ring->ready, &value, sizeof(value)), sizeof(value));
	return 0;
}

void ring_buffer__free(struct ring_buffer *ring)
{
	if (!ring)
		return;
	opened--;
	close(ring->ready);
}

/* ---- handlers ---- */

static unsigned int syns, refused;

static void on_syn(void *arg, const struct rg_event_syn *syn)
{
	assert_ptr_equal(arg, &syns);
	assert_ptr_equal(syn, &record);
	syns++;
}

static void on_refused(void *arg, const struct rg_event_head *head)
{
	assert_ptr_equal(arg, &syns);
	assert_ptr_equal(head, &record.head);
	refused++;
}

static const struct rg_ring_handlers handlers = { on_syn, on_refused, &syns, NULL };

static int set_up(void **state)
{
	(void)state;
	record = (struct rg_event_syn){ .head.kind = RG_EVENT_SYN, .frame_len = 60 };
	record_size = sizeof(record);
	syns = refused = left = 0;
	open_error = 0;
	return 0;
}

#define HEAD sizeof(struct rg_event_head)
#define WHOLE sizeof(struct rg_event_syn)

static const struct {
	const char *what;
	unsigned int kind;
	size_t size;
	uint32_t frame_len;
	unsigned int syns, refused;
} rows[] = {
	{ "a SYN that is held", RG_EVENT_SYN, WHOLE, 60, 1, 0 },
	{ "a SYN that is not held", RG_EVENT_SYN, WHOLE, 0, 1, 0 },
	{ "the longest frame", RG_EVENT_SYN, WHOLE, RG_FRAME_SIZE, 1, 0 },
	{ "a frame that is too long", RG_EVENT_SYN, WHOLE, RG_FRAME_SIZE + 1, 0, 0 },
	{ "a length that wraps", RG_EVENT_SYN, WHOLE, UINT32_MAX, 0, 0 },
	{ "a SYN that is cut", RG_EVENT_SYN, WHOLE - 1, 60, 0, 0 },
	{ "a SYN without a frame", RG_EVENT_SYN, HEAD, 0, 0, 0 },
	{ "a sample", RG_EVENT_REFUSED, HEAD, 0, 0, 1 },
	{ "a sample with more behind it", RG_EVENT_REFUSED, WHOLE, 0, 0, 1 },
	{ "a sample that is cut", RG_EVENT_REFUSED, HEAD - 1, 0, 0, 0 },
	{ "no kind", RG_EVENT_NONE, WHOLE, 0, 0, 0 },
	{ "an unknown kind", 77, WHOLE, 0, 0, 0 },
	{ "nothing", RG_EVENT_SYN, 0, 0, 0, 0 },
};

static void test_records(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool valid;

		set_up(state);
		record.head.kind = (enum rg_event_kind)rows[i].kind;
		record.frame_len = rows[i].frame_len;
		valid = rg_ring_dispatch(&handlers, &record, rows[i].size);
		if (syns != rows[i].syns || refused != rows[i].refused)
			fail_msg("%s: %u SYNs, %u samples", rows[i].what, syns, refused);
		assert_int_equal(valid, rows[i].syns + rows[i].refused);
	}
}

/* After 64 records the loop has time for other events. */
static void test_batches(void **state)
{
	struct event_base *base = event_base_new();
	struct rg_ring *ring = NULL;

	(void)state;
	left = 150;
	assert_int_equal(rg_ring_new(&ring, base, MAP, &handlers), 0);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(syns, 64);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(syns, 128);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(syns, 150);
	assert_int_equal(rg_ring_bad(ring), 0);
	rg_ring_free(ring);
	assert_int_equal(opened, 0);
	event_base_free(base);
}

static void test_bad_ones_are_counted(void **state)
{
	struct event_base *base = event_base_new();
	struct rg_ring *ring = NULL;

	(void)state;
	left = 3;
	record_size = 5;
	assert_int_equal(rg_ring_new(&ring, base, MAP, &handlers), 0);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(syns, 0);
	assert_int_equal(rg_ring_bad(ring), 3);
	rg_ring_free(ring);
	event_base_free(base);
}

static void test_no_ring(void **state)
{
	struct event_base *base = event_base_new();
	struct rg_ring *ring = NULL;

	(void)state;
	open_error = EPERM;
	assert_int_equal(rg_ring_new(&ring, base, MAP, &handlers), -EPERM);
	assert_null(ring);
	rg_ring_free(NULL);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_records, set_up),
		cmocka_unit_test_setup(test_batches, set_up),
		cmocka_unit_test_setup(test_bad_ones_are_counted, set_up),
		cmocka_unit_test_setup(test_no_ring, set_up),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
