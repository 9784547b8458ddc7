/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recent.h"

struct rg_recent {
	void (*follow)(void *arg, const struct rg_recent_event *event);
	void *arg;
	size_t count; /* since the start */
	struct rg_recent_event events[RG_RECENT_SIZE];
};

int rg_recent_new(struct rg_recent **ret,
		  void (*follow)(void *arg, const struct rg_recent_event *event), void *arg)
{
	struct rg_recent *recent = calloc(1, sizeof(*recent));

	if (!recent)
		return -ENOMEM;
	recent->follow = follow;
	recent->arg = arg;
	*ret = recent;
	return 0;
}

void rg_recent_free(struct rg_recent *recent)
{
	free(recent);
}

void rg_recent_add(struct rg_recent *recent, const struct rg_recent_event *event)
{
	recent->events[recent->count++ % RG_RECENT_SIZE] = *event;
	recent->follow(recent->arg, event);
}

void rg_recent_each(const struct rg_recent *recent,
		    void (*call)(void *arg, const struct rg_recent_event *event), void *arg)
{
	size_t first = recent->count > RG_RECENT_SIZE ? recent->count - RG_RECENT_SIZE : 0;

	for (size_t i = first; i < recent->count; i++)
		call(arg, &recent->events[i % RG_RECENT_SIZE]);
}
