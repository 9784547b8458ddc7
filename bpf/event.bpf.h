/* SPDX-License-Identifier: GPL-2.0-only */
/* Events for the agent, through the ring buffer. An event that can't be sent is counted. */
#ifndef REPGATE_EVENT_BPF_H
#define REPGATE_EVENT_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "checksum.bpf.h"
#include "compiler.bpf.h"
#include "config.bpf.h"
#include "decision.bpf.h"
#include "frame.bpf.h"
#include "parse.bpf.h"
#include "sample.bpf.h"
#include "stats.bpf.h"

static __always_inline void fill_head(struct rg_event_head *head, const struct xdp_md *ctx,
				      const struct rg_syn *syn, __u32 mode)
{
	head->time = bpf_ktime_get_boot_ns();
	head->source = syn->source;
	head->dest = syn->dest;
	head->ifindex = ctx->ingress_ifindex;
	head->source_port = syn->source_port;
	head->dest_port = syn->dest_port;
	head->mode = mode;
}

/* Copies the whole frame; it has at most RG_FRAME_SIZE bytes. 0 or a negative error. */
static __always_inline int copy_frame(struct xdp_md *ctx, struct rg_event_syn *event, __u32 len)
{
	/*
	 * Two comparisons of the very register that is passed on, neither with 0: the compiler would
	 * merge them or check a copy, and Linux 6.1 learns no minimum from "not 0".
	 */
	keep_check(&len);
	if (len < sizeof(struct ethhdr))
		return -1;
	keep_check(&len);
	if (len > RG_FRAME_SIZE)
		return -1;
	event->frame_len = len;
	return bpf_xdp_load_bytes(ctx, 0, event->frame, len);
}

enum rg_sent {
	RG_SENT_ALL, /* as requested */
	RG_SENT_WITHOUT_FRAME, /* the agent will judge the peer, but can't release this SYN */
	RG_SENT_NOTHING, /* the ring buffer is full */
};

/*
 * Sends the agent a peer to judge; with_frame: with its SYN, which the agent then keeps. is_retry: known to be a
 * retransmission.
 */
static __always_inline enum rg_sent send_syn(struct xdp_md *ctx, const struct rg_syn *syn,
					     __u32 mode, int with_frame, int is_retry)
{
	struct rg_event_syn *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	enum rg_sent sent = RG_SENT_ALL;
	__u32 len = frame_length(ctx);

	if (!event) {
		count_loss(RG_LOSS_RING_FULL);
		return RG_SENT_NOTHING;
	}
	__builtin_memset(event, 0, sizeof(*event));
	fill_head(&event->head, ctx, syn, mode);
	event->head.kind = RG_EVENT_SYN;
	event->head.peer_class = RG_CLASS_UNKNOWN;
	event->head.zone = RG_NO_ZONE;
	event->head.is_retry = is_retry;
	event->seq = syn->seq;
	if (with_frame && rg_config.can_hold) {
		if (len > RG_FRAME_SIZE) {
			count_loss(RG_LOSS_HOLD_TOO_LONG);
			sent = RG_SENT_WITHOUT_FRAME;
		} else if ((mode != RG_MODE_MONITOR && !make_right(ctx, syn)) ||
			   copy_frame(ctx, event, len)) {
			count_loss(RG_LOSS_HOLD_COPY);
			event->frame_len = 0;
			sent = RG_SENT_WITHOUT_FRAME;
		}
	}
	bpf_ringbuf_submit(event, 0);
	return sent;
}

/* Sends the agent a refusal for the log, within the rate of report_allowed(). */
static __always_inline void report_refusal(struct xdp_md *ctx, const struct rg_settings *settings,
					   const struct rg_syn *syn,
					   const struct rg_decision *decision)
{
	struct rg_event_head *event;

	if (!report_allowed(settings, syn->now)) {
		count_loss(RG_LOSS_SAMPLE_LIMIT);
		return;
	}
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_loss(RG_LOSS_RING_FULL_SAMPLE);
		return;
	}
	__builtin_memset(event, 0, sizeof(*event));
	fill_head(event, ctx, syn, decision->mode);
	event->kind = RG_EVENT_REFUSED;
	event->peer_class = decision->peer_class;
	event->action = decision->action;
	event->zone = decision->zone;
	bpf_ringbuf_submit(event, 0);
}

#endif
