/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells when interfaces or addresses of this network namespace change (rtnetlink(7)). */
#ifndef REPGATE_LINKS_H
#define REPGATE_LINKS_H

#include "util.h"

#include <event2/event.h>

struct rg_links;

/* changed is called soon after one change or several. */
int rg_links_new(struct rg_links **ret, struct event_base *base, void (*changed)(void *arg),
		 void *arg);
void rg_links_free(struct rg_links *links);

#endif
