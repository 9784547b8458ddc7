/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way of a SYN: parse, look up, hold or act, count, tell. Only this file names XDP_* codes.
 *
 * filter        attached to the interface
 * filter_frags  the same, for drivers that hand over frames in several buffers (large MTU)
 * release       judges a held SYN again, run by the agent when the verdict is in: it passes, is dropped
 *               or reset, and is counted like any other
 * send_on       sends what passed on its way, or the reset back, run by the agent too
 * steer         gives the connection of a SYN that passed as tempfail or reject to the responder
 */
#include "vmlinux.h"

#include "hold.bpf.h"
#include "reset.bpf.h"
#include "steer.bpf.h"
#include "tag.bpf.h"
#include "throttle.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum rg_stage { RG_STAGE_ARRIVED, RG_STAGE_RELEASED };

/* Constants where they are used. */
enum rg_buffers { RG_BUFFERS_ONE, RG_BUFFERS_ANY };

static __always_inline __u32 frame_length(struct xdp_md *ctx, enum rg_buffers buffers)
{
	if (buffers == RG_BUFFERS_ANY && rg_config.can_hold)
		return bpf_xdp_get_buff_len(ctx);
	return ctx->data_end - ctx->data;
}

static __always_inline int is_refusal(enum rg_action action)
{
	return action != RG_ACTION_PASS && action != RG_ACTION_HOLD;
}

/* The responder tells of the sessions that it refuses itself. */
static __always_inline int is_told(enum rg_action action, __u32 table)
{
	return is_refusal(action) && (table == RG_STAT_MONITORED || !is_answered(action));
}

static __always_inline __u32 table_of(const struct rg_settings *settings, enum rg_action action)
{
	return unlikely(settings->mode == RG_MODE_MONITOR) && is_refusal(action) ? RG_STAT_MONITORED :
										   RG_STAT_DONE;
}

/* Counts the connection, unless the SYN is a retransmission, and samples refusals. */
__attribute__((noinline)) int account_attempt(struct xdp_md *ctx, const struct rg_settings *settings,
					      const struct rg_syn *syn,
					      const struct rg_decision *decision, __u32 weight)
{
	__u32 table;

	if (!settings || !syn || !decision)
		return 0; /* can't happen, the verifier wants it */
	if (!note_attempt(hash_flow(syn->source_halves, syn->source_port), syn->second))
		return 0;
	table = table_of(settings, decision->action);
	count_attempts(table + decision->peer_class * RG_ACTION_MAX + decision->action, weight);
	if (is_told(decision->action, table))
		tell_refused(ctx, settings, syn, decision);
	return 0;
}

/* Counts the decision; what waits is counted as an attempt when it is judged. */
static __always_inline void account(struct xdp_md *ctx, const struct rg_settings *settings,
				    struct rg_cpu *cpu, const struct rg_syn *syn,
				    const struct rg_decision *decision)
{
	__u32 table = table_of(settings, decision->action);
	__u32 weight = weight_of(settings, cpu, syn->source_halves, syn->source_port);

	count(table + decision->peer_class * RG_ACTION_MAX + decision->action);
	if (decision->action != RG_ACTION_PASS &&
	    (decision->peer_class == RG_CLASS_UNKNOWN || decision->peer_class == RG_CLASS_PENDING))
		return;
	if (unlikely(weight))
		account_attempt(ctx, settings, syn, decision, weight);
}

/* What the action comes to for this very SYN: within the rate it passes; nobody to answer, a refusal. */
static __always_inline void settle(struct xdp_md *ctx, const struct rg_settings *settings,
				   const struct rg_syn *syn, struct rg_decision *decision)
{
	if (unlikely(decision->action == RG_ACTION_THROTTLE)) {
		if (take_token(settings, syn))
			decision->action = RG_ACTION_PASS;
	} else if (unlikely(is_answered(decision->action)) && settings->mode != RG_MODE_MONITOR &&
		   !responder_listens(ctx, settings, syn, decision->action)) {
		decision->action = decision->peer_class == RG_CLASS_QIL ? RG_ACTION_RESET :
									  RG_ACTION_DROP;
	}
}

/* What is to be done with the SYN. */
__attribute__((noinline)) int judge(struct xdp_md *ctx, const struct rg_settings *settings,
				    struct rg_syn *syn, enum rg_stage stage)
{
	struct rg_cpu *cpu = this_cpu();
	struct rg_decision decision;

	if (!syn || !settings || !cpu)
		return RG_ACTION_PASS; /* can't happen, the verifier wants it */
	read_clock(cpu, syn);
	decision = decide(settings, cpu, syn);
	if (likely(decision.peer_class != RG_CLASS_NONE)) {
		settle(ctx, settings, syn, &decision);
	} else {
		find_peer(settings, syn);
		hold(ctx, settings, syn, stage == RG_STAGE_RELEASED, &decision);
	}
	account(ctx, settings, cpu, syn, &decision);
	return unlikely(settings->mode == RG_MODE_MONITOR) ? RG_ACTION_PASS : decision.action;
}

static __always_inline int act(struct xdp_md *ctx, const struct rg_settings *settings,
			       const struct rg_syn *syn, enum rg_action action)
{
	switch (action) {
	case RG_ACTION_PASS:
	case RG_ACTION_TEMPFAIL:
	case RG_ACTION_REJECT:
		clear_tag(ctx, settings, syn);
		return XDP_PASS;
	case RG_ACTION_TAG:
		if (!write_tag(ctx, settings, syn))
			return XDP_PASS;
		count_loss(RG_LOSS_TAG_FAILED);
		return XDP_DROP;
	case RG_ACTION_RESET:
		if (!reset_in_place(ctx, syn))
			return XDP_TX;
		count_loss(RG_LOSS_RESET_FAILED);
		return XDP_DROP;
	default:
		return XDP_DROP;
	}
}

/* Not through the counters of verdicts: what is malformed has no class. Monitor mode drops nothing. */
__attribute__((noinline)) int drop_bad(enum rg_loss loss)
{
	const struct rg_settings *settings = get_settings();

	count_loss(loss);
	return settings && settings->layout == RG_LAYOUT_VERSION && settings->mode == RG_MODE_MONITOR ?
		       XDP_PASS :
		       XDP_DROP;
}

static __always_inline int filter_frame(struct xdp_md *ctx, enum rg_stage stage,
					enum rg_buffers buffers)
{
	const struct rg_settings *settings;
	struct rg_packet packet = {};
	enum rg_parsed parsed;
	struct rg_syn syn;
	__u32 len;

	parsed = rg_parse(&packet, (void *)(long)ctx->data, (void *)(long)ctx->data_end);
	if (parsed == RG_PARSED_OTHER)
		return XDP_PASS;
	if (unlikely(parsed == RG_PARSED_BAD))
		return drop_bad(packet.loss);
	settings = get_settings();
	if (unlikely(!settings || settings->layout != RG_LAYOUT_VERSION)) {
		count_loss(RG_LOSS_NO_SETTINGS);
		return XDP_PASS;
	}
	if (!port_is_filtered(settings, bpf_ntohs(packet.tcp->dest)))
		return XDP_PASS;
	if (unlikely(parsed == RG_PARSED_SYN_FRAGMENT))
		return drop_bad(RG_LOSS_FRAGMENT_SYN);
	len = frame_length(ctx, buffers);
	if (unlikely(rg_check_syn(&packet, len) == RG_PARSED_BAD))
		return drop_bad(packet.loss);
	rg_describe(&packet, len, &syn);
	return act(ctx, settings, &syn, judge(ctx, settings, &syn, stage));
}

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_ARRIVED, RG_BUFFERS_ONE);
}

SEC("xdp.frags")
int filter_frags(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_ARRIVED, RG_BUFFERS_ANY);
}

SEC("xdp")
int release(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_RELEASED, RG_BUFFERS_ONE);
}

/*
 * The frame is skb->ifindex's; cb[0]: BPF_F_INGRESS as if it had just arrived there, 0 to send it out
 * there. An interface in generic mode has its filter behind this.
 */
SEC("tc")
int send_on(struct __sk_buff *skb)
{
	return bpf_clone_redirect(skb, skb->ifindex, skb->cb[0]) ? -1 : 0;
}

SEC("sk_lookup")
int steer(struct bpf_sk_lookup *ctx)
{
	return steer_connection(ctx);
}
