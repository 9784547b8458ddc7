/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guards: the limits that protect the agent, the resolver and other peers from too much of something. A
 * guard is open while it turns something away. This module says which guards are open, since when and
 * why, and which were open before. It derives that from counters and states that exist already.
 *
 * A guard that has a counter is open while the counter grows, and for a minute after that. The others,
 * the responder and the zones, are open as long as their state says so.
 */
#ifndef REPGATE_OBSERVE_GUARDS_H
#define REPGATE_OBSERVE_GUARDS_H

#include "observe/losses.h"

#include <jansson.h>

/* s without a new event until a guard with a counter closes. */
#define RG_GUARDS_QUIET 60

/* X(NAME, name, reason): the guards that have counters; guards.c says which ones. */
/* clang-format off */
#define RG_GUARDS(X) \
	X(ADMISSION, admission, "SYNs of unknown peers came faster than new_peers_per_second allows") \
	X(ADMISSION_NETWORK, admission_network, "one network (an IPv4 /24 or IPv6 /48) had more than its share of SYNs of unknown peers") \
	X(ADMISSION_PASS, admission_pass, "ten times new_peers_per_second passed unjudged: SYNs above that were dropped") \
	X(MAX_INQUIRIES, max_inquiries, "max_inquiries peers were asked about at once: on_overload decided about others") \
	X(MEMORY, memory, "the agent had no memory for an inquiry or a session: on_overload decided about the peer, or it got 421") \
	X(RESOLVER, resolver, "the resolver was busy: peers that did not send their SYN again were not asked about") \
	X(RING, ring, "the ring buffer to the agent was full: on_overload decided about new peers") \
	X(AGENT_SILENT, agent_silent, "the filter saw no sign of life from the agent: unknown peers passed unjudged") \
	X(HELD_SYNS, held_syns, "one peer had as many held SYNs as it may have, or no more could be held") \
	X(VERDICTS, verdicts, "the map of verdicts was full: the verdicts nearest to their end were removed") \
	X(PREFIX_SURPLUS, prefix_surplus, "more than 64 addresses of one IPv6 prefix were known: some of them were forgotten") \
	X(SESSIONS, sessions, "the responder had max_sessions sessions: others got 421") \
	X(SESSIONS_PER_PEER, sessions_per_peer, "a peer had max_sessions_per_peer sessions: more of them got 421") \
	X(DESCRIPTORS, descriptors, "the responder had no descriptor or memory for a connection: it paused for a second") \
	X(LOG, log, "refusals came faster than log_per_second: the log does not have all of them") \
	X(CONTROL, control, "the control socket had 64 clients, or a client did not read: connections were closed") \
	X(METRICS, metrics, "the metrics page had 32 connections: the oldest ones were closed")
/* clang-format on */

enum rg_guard {
#define RG_GUARD_ENUM(NAME, name, reason) RG_GUARD_##NAME,
	RG_GUARDS(RG_GUARD_ENUM)
#undef RG_GUARD_ENUM
		RG_GUARD_MAX
};

struct rg_guards;
struct rg_modules;

/* No guard is open. 0 or -ENOMEM. */
int rg_guards_new(struct rg_guards **ret);
/* guards may be NULL. */
void rg_guards_free(struct rg_guards *guards);

/*
 * Takes the values of all losses. The first call sets what later ones are compared with: an agent that
 * took over the maps finds old counts in them. now: ns of CLOCK_BOOTTIME.
 */
void rg_guards_count(struct rg_guards *guards, const uint64_t losses[RG_LOSS_COUNTS], uint64_t now);

/*
 * Reads counters, zones and responder. Call once a second. uses_responder: a class has the action
 * tempfail or reject; otherwise nobody misses the responder. now: ns of CLOCK_BOOTTIME.
 */
void rg_guards_tick(struct rg_guards *guards, const struct rg_modules *modules, bool uses_responder,
		    uint64_t now);

/*
 * The guards that are open, or were since the agent started (docs/json.md, `guards`). A new reference.
 * guards may be NULL: an empty array.
 */
json_t *rg_guards_describe(const struct rg_guards *guards);
bool rg_guards_is_open(const struct rg_guards *guards, enum rg_guard guard);
/* The word for a guard in JSON and metrics. */
const char *rg_guards_name(enum rg_guard guard);

#endif
