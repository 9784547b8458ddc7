/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Losses: everything that is dropped, lost or degraded for another reason than a verdict. The kernel's
 * are in maps/stats.h (RG_LOSSES), the agent's own are here. Both are numbered in one sequence: enum
 * rg_loss, then RG_LOSS_MAX + enum rg_own_loss.
 */
#ifndef REPGATE_OBSERVE_LOSSES_H
#define REPGATE_OBSERVE_LOSSES_H

#include "base/util.h"

#include "maps/stats.h"

/* clang-format off */
/* X(NAME, name, help): as RG_LOSSES. help says what happens to the SYN or connection. */
#define RG_OWN_LOSSES(X) \
	X(RELEASE_FAILED, release_failed, "held SYN could not be released: dropped, its retransmission meets the verdict") \
	X(RELEASE_UNSEEN, release_unseen, "released SYN that reached no socket within a second: a firewall or the kernel dropped it") \
	X(HELD_LOST, held_lost, "held SYN lost for lack of memory or room: dropped, its retransmission meets the verdict") \
	X(OVERLOAD, overload, "new peer not asked about, max_inquiries reached: passed or dropped by on_overload") \
	X(NO_MEMORY, no_memory, "no memory for an inquiry or a session: passed or dropped by on_overload, or answered 421") \
	X(STARVED, starved, "new peer not asked about in time, the resolver is busy: its SYN is dropped, its retransmission comes first, then on_overload decides") \
	X(VERDICTS_EVICTED, verdicts_evicted, "verdict removed before its end, the map is full: the peer is judged again") \
	X(VERDICTS_FAILED, verdicts_failed, "verdict could not be written: the peer is judged again") \
	X(PREFIX_SURPLUS, prefix_surplus, "IPv6 address forgotten before its end, 64 others of its prefix are known: it is judged again") \
	X(BAD_EVENTS, bad_events, "record of the ring buffer with a wrong size or kind: ignored") \
	X(SESSION_LIMIT, session_limit, "connection over max_sessions: answered 421") \
	X(SESSION_LIMIT_PER_PEER, session_limit_per_peer, "connection over max_sessions_per_peer: answered 421") \
	X(NOT_STEERED, not_steered, "connection of a local user to the responder's own port: closed") \
	X(ACCEPT_FAILED, accept_failed, "connection not accepted, no descriptor or memory: accepting pauses for a second") \
	X(SESSION_LOG_LIMIT, session_log_limit, "refused session not logged: over log_per_second") \
	X(CONTROL_LIMIT, control_limit, "connection to the control socket over 64 at once: closed") \
	X(CONTROL_UNREAD, control_unread, "client of the control socket that does not read its events or answers: closed") \
	X(METRICS_LIMIT, metrics_limit, "connection to the metrics page over the limit: the oldest one was closed")
/* clang-format on */

enum rg_own_loss {
#define RG_OWN_LOSS_ENUM(NAME, name, help) RG_OWN_##NAME,
	RG_OWN_LOSSES(RG_OWN_LOSS_ENUM)
#undef RG_OWN_LOSS_ENUM
		RG_OWN_LOSS_MAX
};

#define RG_LOSS_COUNTS (RG_LOSS_MAX + RG_OWN_LOSS_MAX)

struct rg_modules;

/* The word for a loss in JSON, metrics and the history. "?" if loss >= RG_LOSS_COUNTS. */
const char *rg_losses_name(unsigned int loss);
/* What a loss means, one line. "" if loss >= RG_LOSS_COUNTS. */
const char *rg_losses_help(unsigned int loss);

/* The agent's own losses since its start. */
void rg_losses_read_own(const struct rg_modules *modules, uint64_t losses[RG_OWN_LOSS_MAX]);
/* All losses. The kernel's are older than the agent if it took over the map. 0 or -errno. */
int rg_losses_read(const struct rg_modules *modules, uint64_t losses[RG_LOSS_COUNTS]);

#endif
