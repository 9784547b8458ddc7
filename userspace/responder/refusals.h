/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why the responder refuses a peer, and the log line of each session: in the style of Postfix's smtpd,
 * which fail2ban and mail log tools read, with fields for journald.
 */
#ifndef REPGATE_RESPONDER_REFUSALS_H
#define REPGATE_RESPONDER_REFUSALS_H

#include "responder/responder.h"
#include "store/verdicts.h"

struct rg_refusals {
	uint64_t second; /* of the last line */
	uint32_t lines; /* in this second */
	uint64_t suppressed; /* lines over the limit, since the start */
};

/*
 * The reply to addr, from the verdicts and lists in force: the reply of the blocked lists or of the zone
 * that lists it. If they do not agree with action any more (the verdict has ended, the peer has been
 * approved), a temporary reply of our own: the peer's next try passes.
 */
void rg_refusals_find(const struct rg_verdicts *verdicts, const struct rg_lists *lists,
		      const struct rg_conf *conf, const struct rg_addr *addr, enum rg_action action,
		      struct rg_refusal *refusal);

/* Logs a session: at most per_second lines a second, the rest is counted. now: ns of any clock. */
void rg_refusals_log(struct rg_refusals *refusals, const struct rg_session_report *report,
		     uint32_t per_second, uint64_t now);

#endif
