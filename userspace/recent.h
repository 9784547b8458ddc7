/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened lately, for `repgatectl events`: a ring of the last few, and who follows it. */
#ifndef REPGATE_RECENT_H
#define REPGATE_RECENT_H

#include "util.h"

#include "../maps/verdict.h"

#define RG_RECENT_SIZE 1000

enum rg_recent_kind { RG_RECENT_JUDGED = 1, RG_RECENT_REFUSED };

struct rg_recent_event {
	enum rg_recent_kind kind;
	double time; /* s since 1970 */
	struct rg_addr addr;
	uint16_t port; /* the peer's; REFUSED only */
	uint16_t local_port;
	enum rg_class class;
	enum rg_action action;
	enum rg_reason reason; /* JUDGED only */
	char zone[RG_ALIAS_SIZE]; /* "" if none */
	uint32_t code; /* host order; JUDGED only */
	uint32_t ttl; /* s; JUDGED only */
	bool monitored; /* what would have been done */
};

struct rg_recent;

int rg_recent_new(struct rg_recent **ret,
		  void (*follow)(void *arg, const struct rg_recent_event *event), void *arg);
void rg_recent_free(struct rg_recent *recent);
void rg_recent_add(struct rg_recent *recent, const struct rg_recent_event *event);
/* Calls for each, oldest first. */
void rg_recent_each(const struct rg_recent *recent,
		    void (*call)(void *arg, const struct rg_recent_event *event), void *arg);

#endif
