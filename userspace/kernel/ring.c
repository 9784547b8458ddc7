/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/ring.h"

#include <bpf/libbpf.h>

#define RECORDS_PER_BATCH 64

struct rg_ring {
	struct ring_buffer *buffer;
	struct event *event;
	struct rg_ring_handlers handlers;
	unsigned int batch; /* records since the loop called us */
	uint64_t bad;
};

bool rg_ring_dispatch(const struct rg_ring_handlers *handlers, const void *record, size_t size)
{
	const struct rg_event_head *head = record;
	const struct rg_event_syn *syn = record;

	if (size < sizeof(*head))
		return false;
	switch (head->kind) {
	case RG_EVENT_SYN:
		if (size < sizeof(*syn) || syn->frame_len > RG_FRAME_SIZE)
			return false;
		handlers->syn(handlers->arg, syn);
		return true;
	case RG_EVENT_REFUSED:
		handlers->refused(handlers->arg, head);
		return true;
	default:
		return false;
	}
}

static int on_record(void *arg, void *record, size_t size)
{
	struct rg_ring *ring = arg;

	if (!rg_ring_dispatch(&ring->handlers, record, size))
		ring->bad++;
	/* In a flood, the loop must still get to DNS answers and timers; it calls us again for the rest. */
	return ++ring->batch >= RECORDS_PER_BATCH ? -EAGAIN : 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct rg_ring *ring = arg;
	const uint64_t start = rg_now();

	(void)fd;
	(void)what;
	ring->batch = 0;
	ring_buffer__consume(ring->buffer);
	rg_loop_times_add(ring->handlers.times, RG_LOOP_PEERS, start);
}

int rg_ring_new(struct rg_ring **ret, struct event_base *base, int fd,
		const struct rg_ring_handlers *handlers)
{
	struct rg_ring *ring = calloc(1, sizeof(*ring));
	int err;

	if (!ring)
		return -ENOMEM;
	ring->handlers = *handlers;
	ring->buffer = ring_buffer__new(fd, on_record, ring, NULL);
	if (!ring->buffer) {
		err = -errno;
		free(ring);
		return err;
	}
	ring->event = event_new(base, ring_buffer__epoll_fd(ring->buffer), EV_READ | EV_PERSIST,
				on_readable, ring);
	if (!ring->event || event_add(ring->event, NULL)) {
		rg_ring_free(ring);
		return -ENOMEM;
	}
	*ret = ring;
	return 0;
}

void rg_ring_free(struct rg_ring *ring)
{
	if (!ring)
		return;
	if (ring->event)
		event_free(ring->event);
	ring_buffer__free(ring->buffer);
	free(ring);
}

uint64_t rg_ring_bad(const struct rg_ring *ring)
{
	return ring->bad;
}
