/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring buffer `events` in the event loop. Checks size and kind of each record, then calls a handler.
 */
#ifndef REPGATE_KERNEL_RING_H
#define REPGATE_KERNEL_RING_H

#include "base/loop_time.h"
#include "base/util.h"

#include "maps/event.h"

#include <event2/event.h>

struct rg_ring;

/* A record is valid only during the call. */
struct rg_ring_handlers {
	void (*syn)(void *arg, const struct rg_event_syn *syn);
	void (*refused)(void *arg, const struct rg_event_head *head);
	void *arg;
	struct rg_loop_times *times; /* where the time that the loop spends here is noted; NULL: nowhere */
};

/* fd: the ring buffer map; stays the caller's. handlers are copied. 0 or -errno. */
int rg_ring_new(struct rg_ring **ret, struct event_base *base, int fd,
		const struct rg_ring_handlers *handlers);
void rg_ring_free(struct rg_ring *ring);

/* Hands one record of size bytes to its handler. False: it is no valid record, and no handler is called. */
bool rg_ring_dispatch(const struct rg_ring_handlers *handlers, const void *record, size_t size);

/* How many records were not valid. */
uint64_t rg_ring_bad(const struct rg_ring *ring);

#endif
