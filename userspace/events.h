/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring buffer in the event loop: validates each record, then calls back. */
#ifndef REPGATE_EVENTS_H
#define REPGATE_EVENTS_H

#include "util.h"

#include "../maps/event.h"

#include <event2/event.h>

struct rg_events;

struct rg_events_calls {
	void (*syn)(void *arg, const struct rg_event_syn *syn);
	void (*refused)(void *arg, const struct rg_event_head *head);
	void *arg;
};

/* fd: the ring buffer map, the caller's. */
int rg_events_new(struct rg_events **ret, struct event_base *base, int fd,
		  const struct rg_events_calls *calls);
void rg_events_free(struct rg_events *events);

/* One record of size bytes, from anywhere: false if it is none of ours. */
bool rg_events_dispatch(const struct rg_events_calls *calls, const void *record, size_t size);

/* Records that were none. */
uint64_t rg_events_bad(const struct rg_events *events);

#endif
