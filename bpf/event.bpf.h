/* SPDX-License-Identifier: GPL-2.0-only */
/* What XDP tells the agent; what can't be told is counted. */
#ifndef REPGATE_EVENT_BPF_H
#define REPGATE_EVENT_BPF_H

#include "config.bpf.h"
#include "parse.bpf.h"
#include "stats.bpf.h"

struct rg_decision {
	/* No padding: it is a global function's argument. */
	__u32 peer_class; /* enum rg_class */
	__u32 action; /* enum rg_action */
	__u32 zone;
};

static __always_inline void fill_head(struct rg_event_head *head, const struct xdp_md *ctx,
				      const struct rg_syn *syn)
{
	head->time = bpf_ktime_get_boot_ns();
	head->source = syn->source;
	head->dest = syn->dest;
	head->ifindex = ctx->ingress_ifindex;
	head->source_port = syn->source_port;
	head->dest_port = syn->dest_port;
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

enum rg_event_result {
	RG_EVENT_SENT, /* as asked */
	RG_EVENT_SENT_NOT_HELD, /* the agent will judge the peer; its SYN is not in the event */
	RG_EVENT_SENT_NOTHING, /* the ring buffer is full */
};

static __always_inline enum rg_event_result tell_syn(struct xdp_md *ctx, const struct rg_syn *syn,
						     int with_frame)
{
	struct rg_event_syn *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	enum rg_event_result told = RG_EVENT_SENT;

	if (!event) {
		count_loss(RG_LOSS_RING_FULL);
		return RG_EVENT_SENT_NOTHING;
	}
	__builtin_memset(event, 0, sizeof(*event));
	fill_head(&event->head, ctx, syn);
	event->head.kind = RG_EVENT_SYN;
	event->head.peer_class = RG_CLASS_UNKNOWN;
	event->head.zone = RG_NO_ZONE;
	event->seq = syn->seq;
	if (with_frame && rg_config.can_hold) {
		if (syn->frame_len > RG_FRAME_SIZE) {
			count_loss(RG_LOSS_HOLD_TOO_LONG);
			told = RG_EVENT_SENT_NOT_HELD;
		} else if (copy_frame(ctx, event, syn->frame_len)) {
			count_loss(RG_LOSS_HOLD_COPY);
			event->frame_len = 0;
			told = RG_EVENT_SENT_NOT_HELD;
		}
	}
	bpf_ringbuf_submit(event, 0);
	return told;
}

/* At most samples_per_second on each CPU, whatever comes in: the log must not be the outage. */
static __always_inline int sample_allowed(const struct rg_settings *settings, __u64 now)
{
	__u64 second = now / RG_NSEC_PER_SEC;
	__u32 zero = 0;
	struct rg_sample_window *window = bpf_map_lookup_elem(&samples, &zero);

	if (!window)
		return 0;
	if (window->second != second) {
		window->second = second;
		window->count = 0;
	}
	return window->count++ < settings->samples_per_second;
}

static __always_inline void tell_refused(struct xdp_md *ctx, const struct rg_settings *settings,
					 const struct rg_syn *syn, const struct rg_decision *decision)
{
	struct rg_event_head *event;

	if (!sample_allowed(settings, syn->now)) {
		count_loss(RG_LOSS_SAMPLE_LIMIT);
		return;
	}
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count_loss(RG_LOSS_RING_FULL_SAMPLE);
		return;
	}
	__builtin_memset(event, 0, sizeof(*event));
	fill_head(event, ctx, syn);
	event->kind = RG_EVENT_REFUSED;
	event->peer_class = decision->peer_class;
	event->action = decision->action;
	event->zone = decision->zone;
	bpf_ringbuf_submit(event, 0);
}

#endif
