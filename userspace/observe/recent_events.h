/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The latest verdicts and refused connections, for `repgatectl events`. */
#ifndef REPGATE_OBSERVE_RECENT_EVENTS_H
#define REPGATE_OBSERVE_RECENT_EVENTS_H

#include "base/util.h"

#include "maps/verdict.h"

#define RG_RECENT_SIZE 1000 /* events; a new one replaces the oldest */

enum rg_recent_kind { RG_RECENT_JUDGED = 1, RG_RECENT_REFUSED };

struct rg_recent_event {
	enum rg_recent_kind kind;
	double time; /* s since 1970 */
	struct rg_addr addr;
	struct rg_addr evidence; /* another address of its network, which is listed; all zero: none */
	uint16_t port; /* the peer's, host order; REFUSED only */
	uint16_t local_port; /* the mail host's, host order; REFUSED only */
	enum rg_class peer_class;
	enum rg_action action;
	enum rg_reason reason; /* JUDGED only */
	char zone[RG_ALIAS_SIZE]; /* "" if none */
	uint32_t code; /* host order; JUDGED only */
	uint32_t ttl; /* s; JUDGED only */
	bool monitored; /* monitor mode: the action was not taken */
};

struct rg_recent_events;

/* follow is called for each event that is added. 0 or -ENOMEM. */
int rg_recent_events_new(struct rg_recent_events **ret,
			 void (*follow)(void *arg, const struct rg_recent_event *event), void *arg);
/* recent may be NULL. */
void rg_recent_events_free(struct rg_recent_events *recent);
/* Adds a copy of event. */
void rg_recent_events_add(struct rg_recent_events *recent, const struct rg_recent_event *event);
/* Calls for each event, oldest first. */
void rg_recent_events_each(const struct rg_recent_events *recent,
			   void (*call)(void *arg, const struct rg_recent_event *event), void *arg);

#endif
