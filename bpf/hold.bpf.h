/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hold: the first SYN of an unknown peer marks the peer pending, goes to the agent as a copy, and is
 * dropped. The agent releases the copy once it has the verdict. Each further connection of a pending
 * peer is held as well, up to RG_HELD_FLOWS. Retransmissions are dropped and not sent again. The copy has a
 * finished checksum: one that the sender left unfinished is right only on its way to this host.
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

/*
 * Takes an expired entry over. The swap of its expiry makes it live, and pending, in one step. Of
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

/* 1: this CPU marked the peer pending and must send the event. 0: another CPU did. */
static __always_inline int mark_pending(const struct rg_settings *settings,
					const struct rg_syn *syn, __u32 flow)
{
	struct rg_peer fresh = {
		.expiry = syn->now + settings->pending_time,
		.since = syn->now,
		.state = RG_PEER_PENDING,
		.held = 1,
		.flows = { flow },
	};
	struct rg_addr key = syn->peer;
	struct rg_peer *old = bpf_map_lookup_elem(&peers, &key);
	int err; /* not long: before Linux 6.4 the upper half of a map function's error is missing */

	if (old) {
		__u64 expiry = old->expiry;

		return expiry <= syn->now && revive_pending(old, expiry, settings, syn, flow);
	}
	err = bpf_map_update_elem(&peers, &key, &fresh, BPF_NOEXIST);
	if (err == -EEXIST)
		return 0;
	if (err)
		count_loss(RG_LOSS_PENDING_FAILED); /* the event is sent; the agent asks only once */
	return 1;
}

/* 1: a new connection of a pending peer, noted. 0: a retransmission, or too many connections. */
static __always_inline int take_flow(struct rg_peer *peer, __u32 flow)
{
	__u32 slot;

	for (int i = 0; i < RG_HELD_FLOWS; i++)
		if (peer->flows[i] == flow)
			return 0;
	if (peer->held >= RG_HELD_FLOWS) {
		count_loss(RG_LOSS_HOLD_FLOWS);
		return 0;
	}
	slot = __sync_fetch_and_add(&peer->held, 1);
	if (slot >= RG_HELD_FLOWS) {
		count_loss(RG_LOSS_HOLD_FLOWS);
		return 0;
	}
	peer->flows[slot] = flow;
	return 1;
}

/* `unknown` of the configuration. In monitor mode nothing waits. */
static __always_inline enum rg_action unknown_action(const struct rg_settings *settings)
{
	return settings->mode == RG_MODE_MONITOR ? RG_ACTION_PASS : settings->unknown;
}

/* Whether a SYN of an unknown peer passes at once, without waiting for the agent. */
static __always_inline int passes_unknown(const struct rg_settings *settings, const struct rg_syn *syn)
{
	return unknown_action(settings) == RG_ACTION_PASS || agent_is_silent(settings, syn->now);
}

static __always_inline struct rg_decision hold_pending(struct xdp_md *ctx,
						       const struct rg_settings *settings,
						       const struct rg_syn *syn, struct rg_peer *peer)
{
	enum rg_action action = unknown_action(settings);

	if (action == RG_ACTION_PASS)
		return decided(RG_CLASS_PENDING, RG_ACTION_PASS);
	if (action == RG_ACTION_HOLD && take_flow(peer, flow_of(syn))) {
		if (send_syn(ctx, syn, 1) == RG_SENT_ALL)
			return decided(RG_CLASS_PENDING, RG_ACTION_HOLD);
	}
	return decided(RG_CLASS_PENDING, RG_ACTION_DROP);
}

static __always_inline struct rg_decision hold_unknown(struct xdp_md *ctx,
						       const struct rg_settings *settings,
						       const struct rg_syn *syn)
{
	enum rg_action action = unknown_action(settings);
	struct rg_addr key = syn->peer;
	__u32 instead = RG_ACTION_DROP;

	if (!is_admitted(settings, syn, &instead))
		return decided(RG_CLASS_UNKNOWN, action == RG_ACTION_PASS ? RG_ACTION_PASS : instead);
	if (!mark_pending(settings, syn, flow_of(syn)))
		return decided(RG_CLASS_PENDING,
			       action == RG_ACTION_PASS ? RG_ACTION_PASS : RG_ACTION_DROP);
	switch (send_syn(ctx, syn, action == RG_ACTION_HOLD)) {
	case RG_SENT_ALL:
		return decided(RG_CLASS_UNKNOWN, action);
	case RG_SENT_WITHOUT_FRAME:
		return decided(RG_CLASS_UNKNOWN, RG_ACTION_DROP);
	default:
		/* Without the mark the peer's next SYN tries again. */
		bpf_map_delete_elem(&peers, &key);
		return decided(RG_CLASS_UNKNOWN,
			       action == RG_ACTION_PASS ? RG_ACTION_PASS : settings->overload);
	}
}

/*
 * Decides what decide() knows nothing of: a peer that is in `peers`, or unknown. is_released: the agent
 * has let this SYN go, so it is not held again. Returns 0; the verifier wants a global function to
 * return a number.
 */
__attribute__((noinline)) int hold(struct xdp_md *ctx, const struct rg_settings *settings,
				   const struct rg_syn *syn, int is_released,
				   struct rg_decision *decision)
{
	struct rg_peer *peer;

	if (impossible(!settings || !syn || !decision))
		return 0;
	peer = find_peer(syn);
	if (peer && peer->state == RG_PEER_CLEAN) {
		*decision = decided(RG_CLASS_CLEAN, RG_ACTION_PASS);
		return 0;
	}
	if (is_released) { /* there is no verdict: the agent could not write one, or it has expired */
		*decision = decided(RG_CLASS_UNKNOWN, RG_ACTION_PASS);
		return 0;
	}
	if (agent_is_silent(settings, syn->now)) {
		count_loss(RG_LOSS_AGENT_SILENT);
		*decision = decided(RG_CLASS_UNKNOWN, RG_ACTION_PASS);
		return 0;
	}
	if (check_sums(ctx, syn) == RG_CHECKSUM_WRONG) { /* a host drops it: nobody is asked about */
		count_loss(RG_LOSS_BAD_CHECKSUM);
		*decision = decided(RG_CLASS_UNKNOWN, unknown_action(settings) == RG_ACTION_PASS ?
							      RG_ACTION_PASS :
							      RG_ACTION_DROP);
		return 0;
	}
	if (peer)
		*decision = hold_pending(ctx, settings, syn, peer);
	else
		*decision = hold_unknown(ctx, settings, syn);
	return 0;
}

#endif
