/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports each verdict, each refused connection and each change of a zone's state: in a log line, in
 * recent_events, in a count. The functions are callbacks of other modules; arg is the
 * agent's struct rg_modules.
 */
#ifndef REPGATE_DAEMON_EVENT_LOG_H
#define REPGATE_DAEMON_EVENT_LOG_H

#include "observe/modules.h"

/* struct rg_judge_deps.judged: a peer got its verdict. */
void rg_event_log_judged(void *arg, const struct rg_addr *addr, const struct rg_conf *conf,
			 const struct rg_outcome *outcome);
/* struct rg_ring_handlers.refused: XDP refused a connection. XDP limits the rate. */
void rg_event_log_refused(void *arg, const struct rg_event_head *head);
/* struct rg_responder_calls.ended: the responder refused a connection. */
void rg_event_log_session(void *arg, const struct rg_session_report *report);
/* A zone's health changed. Also removes the zone's verdicts that can no longer be trusted. */
void rg_event_log_health(void *arg, const struct rg_zone_change *change);

#endif
