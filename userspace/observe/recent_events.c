/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "observe/recent_events.h"

struct rg_recent_events {
	void (*follow)(void *arg, const struct rg_recent_event *event);
	void *arg;
	size_t count; /* since the start */
	struct rg_recent_event events[RG_RECENT_SIZE];
};

int rg_recent_events_new(struct rg_recent_events **ret,
			 void (*follow)(void *arg, const struct rg_recent_event *event), void *arg)
{
	struct rg_recent_events *recent = calloc(1, sizeof(*recent));

	if (!recent)
		return -ENOMEM;
	recent->follow = follow;
	recent->arg = arg;
	*ret = recent;
	return 0;
}

void rg_recent_events_free(struct rg_recent_events *recent)
{
	free(recent);
}

void rg_recent_events_add(struct rg_recent_events *recent, const struct rg_recent_event *event)
{
	recent->events[recent->count++ % RG_RECENT_SIZE] = *event;
	recent->follow(recent->arg, event);
}

void rg_recent_events_each(const struct rg_recent_events *recent,
			   void (*call)(void *arg, const struct rg_recent_event *event), void *arg)
{
	size_t first = recent->count > RG_RECENT_SIZE ? recent->count - RG_RECENT_SIZE : 0;

	for (size_t i = first; i < recent->count; i++)
		call(arg, &recent->events[i % RG_RECENT_SIZE]);
}
