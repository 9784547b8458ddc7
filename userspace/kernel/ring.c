/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/ring.h"

#include <bpf/libbpf.h>

#define RECORDS_PER_TURN 64

struct rg_ring {
	struct ring_buffer *ring;
	struct event *event;
	struct rg_ring_handlers calls;
	unsigned int turn; /* records in this turn of the loop */
	uint64_t bad;
};

bool rg_ring_dispatch(const struct rg_ring_handlers *calls, const void *record, size_t size)
{
	const struct rg_event_head *head = record;
	const struct rg_event_syn *syn = record;

	if (size < sizeof(*head))
		return false;
	switch (head->kind) {
	case RG_EVENT_SYN:
		if (size < sizeof(*syn) || syn->frame_len > RG_FRAME_SIZE)
			return false;
		calls->syn(calls->arg, syn);
		return true;
	case RG_EVENT_REFUSED:
		calls->refused(calls->arg, head);
		return true;
	default:
		return false;
	}
}

static int on_record(void *arg, void *record, size_t size)
{
	struct rg_ring *events = arg;

	if (!rg_ring_dispatch(&events->calls, record, size))
		events->bad++;
	/* A flood must not keep the loop from answers and timers: the rest comes in its next turn. */
	return ++events->turn >= RECORDS_PER_TURN ? -EAGAIN : 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct rg_ring *events = arg;

	(void)fd;
	(void)what;
	events->turn = 0;
	ring_buffer__consume(events->ring);
}

int rg_ring_new(struct rg_ring **ret, struct event_base *base, int fd,
		const struct rg_ring_handlers *calls)
{
	struct rg_ring *events = calloc(1, sizeof(*events));
	int err;

	if (!events)
		return -ENOMEM;
	events->calls = *calls;
	events->ring = ring_buffer__new(fd, on_record, events, NULL);
	if (!events->ring) {
		err = -errno;
		free(events);
		return err;
	}
	events->event = event_new(base, ring_buffer__epoll_fd(events->ring), EV_READ | EV_PERSIST,
				  on_readable, events);
	if (!events->event || event_add(events->event, NULL)) {
		rg_ring_free(events);
		return -ENOMEM;
	}
	*ret = events;
	return 0;
}

void rg_ring_free(struct rg_ring *events)
{
	if (!events)
		return;
	if (events->event)
		event_free(events->event);
	ring_buffer__free(events->ring);
	free(events);
}

uint64_t rg_ring_bad(const struct rg_ring *events)
{
	return events->bad;
}
