/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened lately, for `repgatectl events`: a ring of the last few, and who follows it. */
#ifndef REPGATE_OBSERVE_RECENT_EVENTS_H
#define REPGATE_OBSERVE_RECENT_EVENTS_H

#include "base/util.h"

#include "maps/verdict.h"

#define RG_RECENT_SIZE 1000

enum rg_recent_kind { RG_RECENT_JUDGED = 1, RG_RECENT_REFUSED };

struct rg_recent_event {
	enum rg_recent_kind kind;
	double time; /* s since 1970 */
	struct rg_addr addr;
	uint16_t port; /* the peer's; REFUSED only */
	uint16_t local_port;
	enum rg_class peer_class;
	enum rg_action action;
	enum rg_reason reason; /* JUDGED only */
	char zone[RG_ALIAS_SIZE]; /* "" if none */
	uint32_t code; /* host order; JUDGED only */
	uint32_t ttl; /* s; JUDGED only */
	bool monitored; /* what would have been done */
};

struct rg_recent_events;

int rg_recent_events_new(struct rg_recent_events **ret,
			 void (*follow)(void *arg, const struct rg_recent_event *event), void *arg);
void rg_recent_events_free(struct rg_recent_events *recent);
void rg_recent_events_add(struct rg_recent_events *recent, const struct rg_recent_event *event);
/* Calls for each, oldest first. */
void rg_recent_events_each(const struct rg_recent_events *recent,
			   void (*call)(void *arg, const struct rg_recent_event *event), void *arg);

#endif
