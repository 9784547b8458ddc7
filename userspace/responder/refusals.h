/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the responder's sessions leave behind: a log line each, in the style of Postfix's smtpd, which
 * fail2ban and the tools for mail logs read, and fields for journald.
 */
#ifndef REPGATE_RESPONDER_REFUSALS_H
#define REPGATE_RESPONDER_REFUSALS_H

#include "responder/responder.h"
#include "store/verdicts.h"

struct rg_refusals {
	uint64_t second;
	uint32_t lines; /* in this second */
	uint64_t suppressed; /* over the limit, since the start */
};

/*
 * Why addr is refused, from what is in force: the blocked lists' reply or its zone's. If that does not
 * agree with action any more (the verdict ended, the peer was approved meanwhile), a temporary reply
 * of ours, which a peer that is welcome now gets over.
 */
void rg_refusals_find(const struct rg_verdicts *verdicts, const struct rg_lists *lists,
		      const struct rg_conf *conf, const struct rg_addr *addr, enum rg_action action,
		      struct rg_refusal *refusal);

/* At most per_second lines a second; the rest is counted. now: ns of any clock. */
void rg_refusals_log(struct rg_refusals *refusals, const struct rg_session_report *report,
		     uint32_t per_second, uint64_t now);

#endif
