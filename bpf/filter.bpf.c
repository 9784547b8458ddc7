/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way of a SYN: parse, decide, hold or act, count, report. Only this file names XDP_* codes.
 *
 * filter        attached to the interface
 * filter_frags  the same, for drivers that hand over frames in several buffers (large MTU)
 * release       decides about a held SYN again. The agent runs it once the verdict is there: the SYN
 *               passes, is dropped or reset, and is counted like any other
 * preview       says whether `filter` would act on a held SYN, or ask the agent about it again. Nothing is
 *               counted. The agent asks it in generic mode, in which a SYN that is sent on meets `filter`
 * monitor       counts a SYN that passed in monitor mode while nothing was known of its peer. The agent
 *               runs it once the verdict is there
 * *_ip          the same programs for links whose frames begin with an IP header (tun, ipip, wg, ppp)
 * send_on       sends a SYN that release let pass into the stack, or a reset back. The agent runs it
 * steer         gives the connection of a SYN that passed as tempfail or reject to the responder
 */
#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "attempt.bpf.h"
#include "checksum.bpf.h"
#include "clock.bpf.h"
#include "compiler.bpf.h"
#include "config.bpf.h"
#include "decision.bpf.h"
#include "event.bpf.h"
#include "frame.bpf.h"
#include "hash.bpf.h"
#include "hold.bpf.h"
#include "host.bpf.h"
#include "parse.bpf.h"
#include "reset.bpf.h"
#include "sample.bpf.h"
#include "stats.bpf.h"
#include "steer.bpf.h"
#include "tag.bpf.h"
#include "throttle.bpf.h"
#include "ticket.bpf.h"
#include "verdict.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum rg_stage { RG_STAGE_ARRIVED, RG_STAGE_RELEASED, RG_STAGE_MONITORED, RG_STAGE_PREVIEWED };

static __always_inline int is_refusal(enum rg_action action)
{
	return action != RG_ACTION_PASS && action != RG_ACTION_HOLD;
}

/* The peer gets a packet back: a reset from the filter, or what the responder sends. */
static __always_inline int brings_answer(enum rg_action action)
{
	return action == RG_ACTION_RESET || is_answered(action);
}

/* Whether the refusal goes to the log. The responder itself logs the sessions that it refuses. */
static __always_inline int is_reported(enum rg_action action, __u32 table)
{
	return is_refusal(action) && (table == RG_STAT_MONITORED || !is_answered(action));
}

/* The table of `stats` that counts the action: in monitor mode refusals have their own. */
static __always_inline __u32 table_of(const struct rg_decision *decision)
{
	return unlikely(decision->mode == RG_MODE_MONITOR) && is_refusal(decision->action) ?
		       RG_STAT_MONITORED :
		       RG_STAT_DONE;
}

/*
 * Counts an attempt, unless the SYN is a retransmission, and reports a refusal. weight: how many
 * attempts the SYN stands for. Returns 0.
 */
__attribute__((noinline)) int account_attempt(struct xdp_md *ctx, const struct rg_settings *settings,
					      const struct rg_syn *syn,
					      const struct rg_decision *decision, __u32 weight)
{
	__u32 table;

	if (impossible(!settings || !syn || !decision))
		return 0;
	if (!note_attempt(hash_source(syn, syn->source_port), syn->second))
		return 0;
	table = table_of(decision);
	count_attempts(table + decision->peer_class * RG_ACTION_MAX + decision->action, weight);
	if (is_reported(decision->action, table))
		report_refusal(ctx, settings, syn, decision);
	return 0;
}

/* Counts the decision. A SYN that waits is counted as an attempt once it is judged. */
static __always_inline void account(struct xdp_md *ctx, const struct rg_settings *settings,
				    struct rg_cpu *cpu, const struct rg_syn *syn,
				    const struct rg_decision *decision)
{
	__u32 table = table_of(decision);
	__u32 weight = attempt_weight(settings, cpu, syn);

	count(table + decision->peer_class * RG_ACTION_MAX + decision->action);
	if (unlikely(decision->waits)) {
		note_waiting(syn);
		return;
	}
	if (decision->action != RG_ACTION_PASS &&
	    (decision->peer_class == RG_CLASS_UNKNOWN || decision->peer_class == RG_CLASS_PENDING))
		return;
	if (unlikely(weight))
		account_attempt(ctx, settings, syn, decision, weight);
}

/*
 * Turns the verdict's action into what is done with this SYN. A throttled SYN within the rate passes. If
 * a 450 or 550 reply can't be delivered, a QIL peer (tempfail) is reset, so that it retries soon, and
 * others (reject) are dropped. A SYN that a host would drop gets no answer. whom: for_whom()
 */
static __always_inline void resolve_action(struct xdp_md *ctx, const struct rg_settings *settings,
					   const struct rg_syn *syn, enum rg_for whom,
					   struct rg_decision *decision)
{
	if (unlikely(decision->action == RG_ACTION_THROTTLE)) {
		if (take_token(settings, syn))
			decision->action = RG_ACTION_PASS;
		return;
	}
	if (likely(!brings_answer(decision->action)) || decision->mode == RG_MODE_MONITOR)
		return;
	if (!make_right(ctx, syn)) {
		count_loss(RG_LOSS_BAD_CHECKSUM);
		decision->action = RG_ACTION_DROP;
	} else if (!has_host(ctx, settings, syn, whom)) {
		count_loss(RG_LOSS_NO_HOST);
		decision->action = RG_ACTION_DROP;
	} else if (is_answered(decision->action) &&
		   (!responder_listens(ctx, settings, syn, decision->action) ||
		    !issue_ticket(settings, syn))) {
		decision->action = decision->peer_class == RG_CLASS_QIL ? RG_ACTION_RESET :
									  RG_ACTION_DROP;
	}
}

/* What judge() returns besides actions. */
enum {
	NOT_OURS = -1, /* the frame is for another host */
	NOT_KNOWN = -2, /* judge_unknown() has to decide */
};

/* What is done with the frame. In monitor mode every SYN passes. */
static __always_inline int action_of(const struct rg_decision *decision)
{
	return unlikely(decision->mode == RG_MODE_MONITOR) ? RG_ACTION_PASS : decision->action;
}

/* A SYN that monitor mode let pass is counted as such, even if the mode has changed since. */
static __always_inline __u32 mode_of(const struct rg_settings *settings, enum rg_stage stage)
{
	return stage == RG_STAGE_MONITORED ? RG_MODE_MONITOR : settings->mode;
}

/*
 * Decides about a SYN of a known peer, counts and reports it. Returns the action to carry out, NOT_OURS or
 * NOT_KNOWN.
 */
__attribute__((noinline)) int judge(struct xdp_md *ctx, const struct rg_settings *settings,
				    struct rg_syn *syn, enum rg_stage stage)
{
	enum rg_for whom = RG_FOR_HOST;
	struct rg_cpu *cpu = this_cpu();
	struct rg_decision decision;

	if (impossible(!syn || !settings || !cpu))
		return RG_ACTION_PASS;
	set_time(cpu, syn);
	decision = decide(settings, cpu, syn);
	decision.mode = mode_of(settings, stage);
	if (unlikely(decision.action != RG_ACTION_PASS)) {
		whom = for_whom_mostly(ctx, settings, cpu, syn);
		if (whom == RG_FOR_OTHER_MAC) {
			count_loss(RG_LOSS_OTHER_MAC);
			return NOT_OURS;
		}
	}
	if (unlikely(decision.peer_class == RG_CLASS_NONE))
		return NOT_KNOWN;
	resolve_action(ctx, settings, syn, whom, &decision);
	account(ctx, settings, cpu, syn, &decision);
	return action_of(&decision);
}

/*
 * The same for a SYN of which judge() says NOT_KNOWN. The caller calls both, one after the other: the stack
 * has no room for one within the other (tests/build/test_stack.sh).
 */
__attribute__((noinline)) int judge_unknown(struct xdp_md *ctx, const struct rg_settings *settings,
					    struct rg_syn *syn, enum rg_stage stage)
{
	struct rg_cpu *cpu = this_cpu();
	struct rg_decision decision;

	if (impossible(!syn || !settings || !cpu))
		return RG_ACTION_PASS;
	decision = decide_unknown(ctx, settings, syn, stage != RG_STAGE_ARRIVED,
				  mode_of(settings, stage));
	decision.mode = mode_of(settings, stage);
	account(ctx, settings, cpu, syn, &decision);
	return action_of(&decision);
}

/*
 * The action that judge() would decide on without the agent, before resolve_action(). 0: it would hold the
 * SYN, or drop it as unknown.
 */
__attribute__((noinline)) int is_decided(const struct rg_settings *settings, struct rg_syn *syn)
{
	const struct rg_cpu *cpu = this_cpu();
	const struct rg_peer *peer;
	struct rg_decision decision;

	if (impossible(!settings || !syn || !cpu))
		return 0;
	set_time(cpu, syn);
	decision = decide(settings, NULL, syn);
	if (decision.peer_class != RG_CLASS_NONE)
		return decision.action;
	peer = find_peer(syn);
	return (peer && peer->state == RG_PEER_CLEAN) || passes_unknown(settings, syn) ?
		       RG_ACTION_PASS :
		       RG_ACTION_NONE;
}

/* Carries the action out. Each SYN of a filtered port that is well-formed leaves here. */
static __always_inline int act(struct xdp_md *ctx, const struct rg_settings *settings,
			       const struct rg_syn *syn, int action)
{
	switch (action) {
	case NOT_OURS:
		return XDP_PASS;
	case RG_ACTION_PASS: /* to the mail server */
	case RG_ACTION_TEMPFAIL: /* to the responder: `steer` gives it the connection */
	case RG_ACTION_REJECT:
		if (!clear_tag(ctx, settings, syn))
			return XDP_PASS;
		count_loss(RG_LOSS_TAG_FAILED); /* a firewall would take it for a listed peer */
		return XDP_DROP;
	case RG_ACTION_TAG: /* to the firewall behind, which acts on the tag */
		if (!write_tag(ctx, settings, syn))
			return XDP_PASS;
		count_loss(RG_LOSS_TAG_FAILED); /* refused all the same: a listed peer without its tag */
		return XDP_DROP;
	case RG_ACTION_RESET: /* the sender's connect() fails at once */
		if (!reset_in_place(ctx, syn))
			return XDP_TX;
		count_loss(RG_LOSS_RESET_FAILED); /* refused all the same: its connect() times out */
		return XDP_DROP;
	default: /* drop, over the rate, or held: the sender retransmits, or the agent has the SYN */
		return XDP_DROP;
	}
}

/* For a SYN of a filtered port that is well-formed. A preview decides nothing. */
static __always_inline int judge_and_act(struct xdp_md *ctx, const struct rg_settings *settings,
					 struct rg_syn *syn, enum rg_stage stage)
{
	int action;

	if (stage == RG_STAGE_PREVIEWED) {
		action = is_decided(settings, syn);
		if (action == RG_ACTION_PASS)
			note_released(settings, syn);
		return action ? XDP_PASS : XDP_DROP;
	}
	action = judge(ctx, settings, syn, stage);
	if (unlikely(action == NOT_KNOWN))
		action = judge_unknown(ctx, settings, syn, stage);
	if (stage == RG_STAGE_RELEASED && (action == RG_ACTION_PASS || is_answered(action)))
		note_released(settings, syn);
	return act(ctx, settings, syn, action);
}

/*
 * A malformed frame passes: the kernel drops it. What may be a SYN to a filtered port, but can't be judged,
 * is dropped; in monitor mode it passes. There is no class, so only the loss is counted, in all cases.
 */
__attribute__((noinline)) int leave_unjudged(enum rg_parsed parsed, enum rg_loss loss)
{
	const struct rg_settings *settings = get_settings();

	count_loss(loss);
	if (parsed == RG_PARSED_BAD)
		return XDP_PASS;
	return settings && settings->layout == RG_LAYOUT_VERSION && settings->mode == RG_MODE_MONITOR ?
		       XDP_PASS :
		       XDP_DROP;
}

/* What is in the map `scratch`. */
struct copied_frame {
	struct rg_copies copies;
	struct rg_syn syn;
	enum rg_loss loss;
};
_Static_assert(sizeof(struct copied_frame) <= sizeof(struct rg_scratch), "scratch");

/* The entry of `scratch` and `chunks` that a program works with. */
static __always_inline __u32 run_of(enum rg_stage stage)
{
	return stage == RG_STAGE_ARRIVED ? RG_RUN_PACKET : RG_RUN_TEST;
}

/* Whether the SYN's packet is right; if so, fills *syn in. */
static __always_inline enum rg_parsed describe(struct rg_packet *packet,
					       const struct rg_cursor *cursor, struct rg_syn *syn,
					       __u32 run)
{
	enum rg_parsed parsed = rg_check_syn(packet, cursor);

	if (likely(parsed == RG_PARSED_SYN)) {
		rg_describe(packet, syn);
		syn->run = run;
	}
	return parsed;
}

/* Between load and the agent's first settings, or maps of another version: fail open. */
static __always_inline int settings_fit(const struct rg_settings *settings)
{
	if (likely(settings && settings->layout == RG_LAYOUT_VERSION))
		return 1;
	count_loss(RG_LOSS_NO_SETTINGS);
	return 0;
}

/*
 * Reads the headers by copies. Returns enum rg_parsed, with frame->loss, or RG_PARSED_OTHER if no filtered port
 * is concerned; fills frame->syn in if it is RG_PARSED_SYN. run: enum rg_run. A global function because of its stack.
 */
__attribute__((noinline)) int parse_copies(struct xdp_md *ctx, enum rg_link link, __u32 run)
{
	struct copied_frame *frame = bpf_map_lookup_elem(&scratch, &run);
	const struct rg_settings *settings = get_settings();
	struct rg_cursor cursor = { .reading = RG_READING_COPIES, .frame = ctx };
	struct rg_packet packet = {};
	enum rg_parsed parsed;

	if (!rg_config.can_hold || impossible(!frame))
		return RG_PARSED_OTHER;
	cursor.len = frame_length(ctx);
	cursor.copies = &frame->copies;
	parsed = rg_parse(&packet, &cursor, link);
	if (parsed == RG_PARSED_SYN || parsed == RG_PARSED_SYN_FRAGMENT) {
		if (!settings_fit(settings) ||
		    !port_is_filtered(settings, bpf_ntohs(frame->copies.tcp.dest)))
			return RG_PARSED_OTHER;
	}
	if (parsed == RG_PARSED_SYN)
		parsed = describe(&packet, &cursor, &frame->syn, run);
	if (parsed == RG_PARSED_CUT)
		parsed = packet.otherwise; /* the frame itself ends there */
	frame->loss = packet.loss;
	return parsed;
}

/*
 * The whole filter again, for a frame whose headers can't be read in place. Drivers may leave the first
 * buffer short, or empty. Slower: each header is a call of a helper.
 */
static __always_inline int filter_copies(struct xdp_md *ctx, enum rg_stage stage, enum rg_link link)
{
	__u32 run = run_of(stage);
	struct copied_frame *frame = bpf_map_lookup_elem(&scratch, &run);
	const struct rg_settings *settings = get_settings();
	int parsed = parse_copies(ctx, link, run);

	if (parsed == RG_PARSED_OTHER || impossible(!frame || !settings))
		return XDP_PASS;
	if (parsed != RG_PARSED_SYN)
		return leave_unjudged(parsed, frame->loss);
	return judge_and_act(ctx, settings, &frame->syn, stage);
}

/* The first buffer has not all headers. Kernels that can't read the others get frames in one buffer only. */
static __always_inline int filter_cut(struct xdp_md *ctx, enum rg_stage stage, enum rg_link link,
				      const struct rg_packet *packet)
{
	if (rg_config.can_hold)
		return filter_copies(ctx, stage, link);
	if (packet->otherwise == RG_PARSED_OTHER)
		return XDP_PASS;
	return leave_unjudged(packet->otherwise, packet->loss);
}

static __always_inline int filter_frame(struct xdp_md *ctx, enum rg_stage stage, enum rg_link link)
{
	struct rg_copies unused;
	struct rg_cursor cursor = { .reading = RG_READING_IN_PLACE,
				    .pos = (void *)(long)ctx->data,
				    .end = (void *)(long)ctx->data_end,
				    .len = ctx->data_end - ctx->data,
				    .copies = &unused };
	const struct rg_settings *settings;
	struct rg_packet packet = {};
	enum rg_parsed parsed;
	struct rg_syn syn;

	parsed = rg_parse(&packet, &cursor, link);
	if (parsed == RG_PARSED_OTHER)
		return XDP_PASS; /* most traffic: no TCP SYN. Not counted */
	if (unlikely(parsed == RG_PARSED_CUT))
		return filter_cut(ctx, stage, link, &packet);
	if (unlikely(parsed == RG_PARSED_BAD || parsed == RG_PARSED_OBSCURE))
		return leave_unjudged(parsed, packet.loss); /* its port is unknown */
	settings = get_settings();
	if (unlikely(!settings_fit(settings)))
		return XDP_PASS;
	if (!port_is_filtered(settings, bpf_ntohs(packet.tcp->dest)))
		return XDP_PASS; /* a SYN to another service. Not counted */
	/* From here on, the SYN is for a mail port. */
	if (likely(parsed == RG_PARSED_SYN))
		parsed = describe(&packet, &cursor, &syn, run_of(stage));
	if (unlikely(parsed == RG_PARSED_CUT))
		return filter_cut(ctx, stage, link, &packet);
	if (unlikely(parsed != RG_PARSED_SYN))
		return leave_unjudged(parsed, packet.loss);
	return judge_and_act(ctx, settings, &syn, stage);
}

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_ARRIVED, RG_LINK_ETHERNET);
}

SEC("xdp.frags")
int filter_frags(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_ARRIVED, RG_LINK_ETHERNET);
}

SEC("xdp")
int release(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_RELEASED, RG_LINK_ETHERNET);
}

SEC("xdp")
int monitor(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_MONITORED, RG_LINK_ETHERNET);
}

SEC("xdp")
int preview(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_PREVIEWED, RG_LINK_ETHERNET);
}

/* The same for links without an Ethernet header. */
SEC("xdp")
int filter_ip(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_ARRIVED, RG_LINK_IP);
}

SEC("xdp.frags")
int filter_ip_frags(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_ARRIVED, RG_LINK_IP);
}

SEC("xdp")
int release_ip(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_RELEASED, RG_LINK_IP);
}

SEC("xdp")
int monitor_ip(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_MONITORED, RG_LINK_IP);
}

SEC("xdp")
int preview_ip(struct xdp_md *ctx)
{
	return filter_frame(ctx, RG_STAGE_PREVIEWED, RG_LINK_IP);
}

/*
 * skb->ifindex is the frame's interface. cb[0]: BPF_F_INGRESS to let the frame arrive there, 0 to send it
 * out there. In generic mode the frame passes the filter again. 0: done; -1: the kernel refused it.
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
