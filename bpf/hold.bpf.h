/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A peer that nothing is known of: tell the agent once, mark the peer pending, and keep its SYN
 * waiting (the agent has a copy) until the verdict is in. Each further connection of a pending peer
 * is held as well, up to RG_HELD_FLOWS; retransmissions are dropped and not told again.
 */
#ifndef REPGATE_HOLD_BPF_H
#define REPGATE_HOLD_BPF_H

#include "bucket.bpf.h"
#include "verdict.bpf.h"

static __always_inline __u32 flow_of(const struct rg_syn *syn)
{
	__u64 salt = (__u64)syn->seq << 32 | (__u32)syn->source_port << 16 | syn->dest_port;
	__u32 flow = hash_flow(syn->source_halves, salt);

	return flow ? flow : 1; /* 0 is an empty slot */
}

/*
 * Takes an expired entry over. It comes to life by the swap of its expiry, pending from that moment
 * on; of several CPUs one succeeds, and the agent is told once. (Two connections of one peer in this
 * very moment: the other one waits for its retransmission.)
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

/* 1: this CPU marked the peer and must tell the agent. 0: another one did. */
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
	if (err == -17 /* EEXIST */)
		return 0;
	if (err)
		count_loss(RG_LOSS_PENDING_FAILED); /* told all the same; the agent asks once */
	return 1;
}

/* 1: a connection that the agent has not been told of yet. */
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

/* `unknown` of the configuration; in monitor mode nothing waits. */
static __always_inline enum rg_action unknown_action(const struct rg_settings *settings)
{
	return settings->mode == RG_MODE_MONITOR ? RG_ACTION_PASS : settings->unknown;
}

static __always_inline struct rg_decision hold_pending(struct xdp_md *ctx,
						       const struct rg_settings *settings,
						       const struct rg_syn *syn, struct rg_peer *peer)
{
	enum rg_action action = unknown_action(settings);

	if (action == RG_ACTION_PASS)
		return decided(RG_CLASS_PENDING, RG_ACTION_PASS);
	if (action == RG_ACTION_HOLD && take_flow(peer, flow_of(syn))) {
		if (tell_syn(ctx, syn, 1) == RG_EVENT_SENT)
			return decided(RG_CLASS_PENDING, RG_ACTION_HOLD);
	}
	return decided(RG_CLASS_PENDING, RG_ACTION_DROP);
}

static __always_inline int passes_gate(const struct rg_settings *settings, enum rg_gate gate,
				       __u64 now)
{
	__u32 key = gate;
	struct rg_bucket *bucket = bpf_map_lookup_elem(&admission, &key);

	return bucket && take_from(bucket, now, &settings->gates[gate]);
}

/*
 * A flood of spoofed SYNs must not become one of DNS questions. Over the rate of new peers a first
 * SYN is dropped: who is real sends it again, who is spoofed does not. 1: the agent is to judge it.
 * 0: *action is what becomes of it.
 */
__attribute__((noinline)) int is_admitted(const struct rg_settings *settings,
					  const struct rg_syn *syn, __u32 *action)
{
	__u64 salt;

	if (!settings || !syn || !action)
		return 0; /* can't happen, the verifier wants it */
	*action = RG_ACTION_DROP;
	if (passes_gate(settings, RG_GATE_NEW, syn->now))
		return 1;
	salt = ~((__u64)syn->seq << 32 | (__u32)syn->source_port << 16 | syn->dest_port);
	if (note_attempt(hash_flow(syn->source_halves, salt), syn->second)) {
		count_loss(RG_LOSS_FLOOD_FIRST);
		return 0;
	}
	if (passes_gate(settings, RG_GATE_RETRY, syn->now))
		return 1;
	count_loss(RG_LOSS_FLOOD_RETRY);
	if (settings->overload != RG_ACTION_PASS)
		return 0;
	if (passes_gate(settings, RG_GATE_PASS, syn->now))
		*action = RG_ACTION_PASS;
	else
		count_loss(RG_LOSS_FLOOD_DROP);
	return 0;
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
	switch (tell_syn(ctx, syn, action == RG_ACTION_HOLD)) {
	case RG_EVENT_SENT:
		return decided(RG_CLASS_UNKNOWN, action);
	case RG_EVENT_SENT_NOT_HELD:
		return decided(RG_CLASS_UNKNOWN, RG_ACTION_DROP);
	default:
		/* Without the mark the peer's next SYN tries again. */
		bpf_map_delete_elem(&peers, &key);
		return decided(RG_CLASS_UNKNOWN,
			       action == RG_ACTION_PASS ? RG_ACTION_PASS : settings->overload);
	}
}

/* For a SYN that decide() knows nothing of: its peer is in `peers` or unknown. */
__attribute__((noinline)) int hold(struct xdp_md *ctx, const struct rg_settings *settings,
				   const struct rg_syn *syn, int is_released,
				   struct rg_decision *decision)
{
	struct rg_peer *peer;

	if (!settings || !syn || !decision)
		return 0; /* can't happen, the verifier wants it */
	peer = known_peer(syn);
	if (peer && peer->state == RG_PEER_CLEAN) {
		*decision = decided(RG_CLASS_CLEAN, RG_ACTION_PASS);
		return 0;
	}
	if (is_released) { /* the agent let it go without a verdict */
		*decision = decided(RG_CLASS_UNKNOWN, RG_ACTION_PASS);
		return 0;
	}
	if (agent_is_silent(settings, syn->now)) {
		count_loss(RG_LOSS_AGENT_SILENT);
		*decision = decided(RG_CLASS_UNKNOWN, RG_ACTION_PASS);
		return 0;
	}
	if (peer)
		*decision = hold_pending(ctx, settings, syn, peer);
	else
		*decision = hold_unknown(ctx, settings, syn);
	return 0;
}

#endif
