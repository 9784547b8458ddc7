/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring buffer in the event loop: validates each record, then calls back. */
#ifndef REPGATE_KERNEL_RING_H
#define REPGATE_KERNEL_RING_H

#include "base/util.h"

#include "maps/event.h"

#include <event2/event.h>

struct rg_ring;

struct rg_ring_handlers {
	void (*syn)(void *arg, const struct rg_event_syn *syn);
	void (*refused)(void *arg, const struct rg_event_head *head);
	void *arg;
};

/* fd: the ring buffer map, the caller's. */
int rg_ring_new(struct rg_ring **ret, struct event_base *base, int fd,
		const struct rg_ring_handlers *calls);
void rg_ring_free(struct rg_ring *events);

/* One record of size bytes, from anywhere: false if it is none of ours. */
bool rg_ring_dispatch(const struct rg_ring_handlers *calls, const void *record, size_t size);

/* Records that were none. */
uint64_t rg_ring_bad(const struct rg_ring *events);

#endif
