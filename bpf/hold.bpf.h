/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hold: the first SYN of an unknown peer marks the peer pending, goes to the agent as a copy, and is
 * dropped. The agent releases the copy once it has the verdict. Each further connection of a pending
 * peer is held as well, up to RG_HELD_FLOWS. Retransmissions are dropped and not sent again. The copy has a
 * finished checksum: one that the sender left unfinished is right only on its way to this host.
 *
 * In monitor mode these SYNs pass, and their copies go to the agent, too. Once it has the verdict, they are
 * counted as what would have been done with them. Until then they are no attempts (decision.waits).
 */
#ifndef REPGATE_HOLD_BPF_H
#define REPGATE_HOLD_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "admission.bpf.h"
#include "checksum.bpf.h"
#include "compiler.bpf.h"
#include "config.bpf.h"
#include "decision.bpf.h"
#include "event.bpf.h"
#include "hash.bpf.h"
#include "known.bpf.h"
#include "parse.bpf.h"
#include "stats.bpf.h"

#define EEXIST 17

/* The connection, as rg_peer.flows has it. */
static __always_inline __u32 flow_of(const struct rg_syn *syn)
{
	__u32 flow = hash_source(syn, syn_salt(syn));

	return flow ? flow : 1; /* 0 is an empty slot */
}

/* The agent that was told of the mark is gone, and with it the SYNs that it held. */
static __always_inline int is_void(const struct rg_settings *settings, const struct rg_peer *peer)
{
	return peer->state == RG_PEER_PENDING && peer->since < settings->pending_since;
}

/*
 * Takes an entry over that has expired or is void. The swap of its expiry makes it live, and pending, in one step. Of
 * several CPUs one succeeds, so the agent gets one event. If two connections of the peer arrive at this
 * very moment, the other one waits for its retransmission.
 */
static __always_inline int revive_pending(struct rg_peer *peer, __u64 expiry,
					  const struct rg_settings *settings,
					  const struct rg_syn *syn, __u32 flow)
{
	__u64 fresh = syn->now + settings->pending_time;

	peer->state = RG_PEER_PENDING;
	peer->reason = RG_REASON_NONE;
	peer->since = syn->now;
	peer->held = 1;
	peer->flows[0] = flow;
	for (int i = 1; i < RG_HELD_FLOWS; i++)
		peer->flows[i] = 0;
	return __sync_val_compare_and_swap(&peer->expiry, expiry, fresh) == expiry;
}

/*
 * 1: this CPU marked the peer pending and must send the event. 0: another CPU did. A function of its own
 * because of its stack, which check_sums() does not need at the same time (tests/build/test_stack.sh).
 */
__attribute__((noinline)) int mark_pending(const struct rg_settings *settings,
					   const struct rg_syn *syn, __u32 flow)
{
	struct rg_peer fresh = {
		.state = RG_PEER_PENDING,
		.held = 1,
		.flows = { flow },
	};
	struct rg_addr key;
	struct rg_peer *old;
	int err; /* not long: before Linux 6.4 the upper half of a map function's error is missing */

	if (impossible(!settings || !syn))
		return 0;
	fresh.expiry = syn->now + settings->pending_time;
	fresh.since = syn->now;
	key = syn->source;
	old = bpf_map_lookup_elem(&peers, &key);
	if (old) {
		__u64 expiry = old->expiry;

		return (expiry <= syn->now || is_void(settings, old)) &&
		       revive_pending(old, expiry, settings, syn, flow);
	}
	err = bpf_map_update_elem(&peers, &key, &fresh, BPF_NOEXIST);
	if (err == -EEXIST)
		return 0;
	if (err)
		count_loss(RG_LOSS_PENDING_FAILED); /* the event is sent; the agent asks only once */
	return 1;
}

enum rg_flow { RG_FLOW_TOO_MANY, RG_FLOW_NEW, RG_FLOW_KNOWN };

/* A connection of a pending peer. NEW: it is noted now; KNOWN: the SYN is a retransmission. */
static __always_inline enum rg_flow take_flow(struct rg_peer *peer, __u32 flow)
{
	__u32 slot;

	for (int i = 0; i < RG_HELD_FLOWS; i++)
		if (peer->flows[i] == flow)
			return RG_FLOW_KNOWN;
	if (peer->held >= RG_HELD_FLOWS) {
		count_loss(RG_LOSS_HOLD_FLOWS);
		return 0;
	}
	slot = __sync_fetch_and_add(&peer->held, 1);
	if (slot >= RG_HELD_FLOWS) {
		count_loss(RG_LOSS_HOLD_FLOWS);
		return RG_FLOW_TOO_MANY;
	}
	peer->flows[slot] = flow;
	return RG_FLOW_NEW;
}

/* `unknown` of the configuration. In monitor mode nothing waits. */
static __always_inline enum rg_action unknown_action(const struct rg_settings *settings, __u32 mode)
{
	return mode == RG_MODE_MONITOR ? RG_ACTION_PASS : settings->unknown;
}

/* Whether a SYN of an unknown peer passes at once, without waiting for the agent. */
static __always_inline int passes_unknown(const struct rg_settings *settings, const struct rg_syn *syn)
{
	return unknown_action(settings, settings->mode) == RG_ACTION_PASS ||
	       agent_is_silent(settings, syn->now);
}

/*
 * Whether monitor mode counts the SYN by the verdict that is to come. Not with unknown = pass, where the
 * first connection would get through in mode enforce, too.
 */
static __always_inline int is_counted_later(const struct rg_settings *settings, __u32 mode)
{
	return mode == RG_MODE_MONITOR && settings->unknown != RG_ACTION_PASS && rg_config.can_hold;
}

static __always_inline struct rg_decision passes_and_waits(enum rg_class peer_class)
{
	struct rg_decision decision = decided(peer_class, RG_ACTION_PASS);

	decision.waits = 1;
	return decision;
}

static __always_inline struct rg_decision hold_pending(struct xdp_md *ctx,
						       const struct rg_settings *settings,
						       const struct rg_syn *syn,
						       struct rg_peer *peer, __u32 mode)
{
	enum rg_action action = unknown_action(settings, mode);
	int is_monitored = is_counted_later(settings, mode);
	enum rg_flow flow;

	if (action != RG_ACTION_HOLD && !is_monitored)
		return decided(RG_CLASS_PENDING,
			       action == RG_ACTION_PASS ? RG_ACTION_PASS : RG_ACTION_DROP);
	flow = take_flow(peer, flow_of(syn));
	if (flow == RG_FLOW_NEW && send_syn(ctx, syn, mode, 1, 0) != RG_SENT_ALL)
		flow = RG_FLOW_TOO_MANY; /* the same: nobody has this SYN */
	if (is_monitored)
		return flow == RG_FLOW_TOO_MANY ? decided(RG_CLASS_PENDING, RG_ACTION_PASS) :
						  passes_and_waits(RG_CLASS_PENDING);
	return decided(RG_CLASS_PENDING, flow == RG_FLOW_NEW ? RG_ACTION_HOLD : RG_ACTION_DROP);
}

static __always_inline struct rg_decision hold_unknown(struct xdp_md *ctx,
						       const struct rg_settings *settings,
						       const struct rg_syn *syn, __u32 mode)
{
	enum rg_action action = unknown_action(settings, mode);
	int is_monitored = is_counted_later(settings, mode);
	struct rg_addr key = syn->source;
	__u32 instead = RG_ACTION_DROP;
	int admitted = is_admitted(settings, syn, &instead);

	if (!admitted)
		return decided(RG_CLASS_UNKNOWN, action == RG_ACTION_PASS ? RG_ACTION_PASS : instead);
	if (!mark_pending(settings, syn, flow_of(syn)))
		return decided(RG_CLASS_PENDING,
			       action == RG_ACTION_PASS ? RG_ACTION_PASS : RG_ACTION_DROP);
	switch (send_syn(ctx, syn, mode, action == RG_ACTION_HOLD || is_monitored,
			 admitted == RG_ADMITTED_RETRY)) {
	case RG_SENT_ALL:
		return is_monitored ? passes_and_waits(RG_CLASS_UNKNOWN) :
				      decided(RG_CLASS_UNKNOWN, action);
	case RG_SENT_WITHOUT_FRAME:
		return decided(RG_CLASS_UNKNOWN, is_monitored ? RG_ACTION_PASS : RG_ACTION_DROP);
	default:
		/* Without the mark the peer's next SYN tries again. */
		bpf_map_delete_elem(&peers, &key);
		return decided(RG_CLASS_UNKNOWN,
			       action == RG_ACTION_PASS ? RG_ACTION_PASS : settings->overload);
	}
}

/*
 * Decides what decide() knows nothing of: a peer that is in `peers`, or unknown. is_released: the agent
 * has this SYN, so it is not held again.
 */
static __always_inline struct rg_decision decide_unknown(struct xdp_md *ctx,
							 const struct rg_settings *settings,
							 const struct rg_syn *syn, int is_released,
							 __u32 mode)
{
	struct rg_peer *peer = find_peer(syn);

	if (peer && peer->state == RG_PEER_CLEAN)
		return decided(RG_CLASS_CLEAN, RG_ACTION_PASS);
	if (is_released) /* there is no verdict: the agent could not write one, or it has expired */
		return decided(RG_CLASS_UNKNOWN, RG_ACTION_PASS);
	if (agent_is_silent(settings, syn->now)) {
		count_loss(RG_LOSS_AGENT_SILENT);
		return decided(RG_CLASS_UNKNOWN, RG_ACTION_PASS);
	}
	if (check_sums(ctx, syn) == RG_CHECKSUM_WRONG) { /* a host drops it: nobody is asked about */
		count_loss(RG_LOSS_BAD_CHECKSUM);
		return decided(RG_CLASS_UNKNOWN, unknown_action(settings, mode) == RG_ACTION_PASS ?
							 RG_ACTION_PASS :
							 RG_ACTION_DROP);
	}
	if (peer && !is_void(settings, peer))
		return hold_pending(ctx, settings, syn, peer, mode);
	return hold_unknown(ctx, settings, syn, mode);
}

#endif
