/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steering: the connection of a SYN that passed as tempfail or reject goes to the agent's responder,
 * which answers 450 or 550 in place of the mail server (sk_lookup, Documentation/bpf/prog_sk_lookup.rst).
 * decide() is asked again, so a refused peer never reaches the mail server: if the responder can't be
 * reached, the connection is refused.
 */
#ifndef REPGATE_STEER_BPF_H
#define REPGATE_STEER_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "clock.bpf.h"
#include "compiler.bpf.h"
#include "config.bpf.h"
#include "decision.bpf.h"
#include "host.bpf.h"
#include "parse.bpf.h"
#include "stats.bpf.h"
#include "verdict.bpf.h"

#define LOOPBACK_INDEX 1 /* of the loopback interface in every network namespace */

/* The responder answers it. */
static __always_inline int is_answered(enum rg_action action)
{
	return action == RG_ACTION_TEMPFAIL || action == RG_ACTION_REJECT;
}

static __always_inline __u32 responder_key(const struct rg_syn *syn, enum rg_action action)
{
	__u32 key = action == RG_ACTION_TEMPFAIL ? RG_RESPONDER_TEMPFAIL4 : RG_RESPONDER_REJECT4;

	return syn->version == 4 ? key : key + 1;
}

/* 1: the responder will answer this SYN if it passes now. 0: it can't; a loss counter says why. */
__attribute__((noinline)) int responder_listens(struct xdp_md *ctx,
						const struct rg_settings *settings,
						const struct rg_syn *syn, enum rg_action action)
{
	struct bpf_sock *socket;
	__u32 key;

	if (impossible(!settings || !syn))
		return 0;
	key = responder_key(syn, action);
	socket = NULL;
	if (settings->steering && !agent_is_silent(settings, syn->now))
		socket = bpf_map_lookup_elem(&responder, &key);
	if (!socket) {
		count_loss(RG_LOSS_RESPONDER_GONE);
		return 0;
	}
	bpf_sk_release(socket);
	if (!is_own_address(ctx, syn)) {
		count_loss(RG_LOSS_NOT_LOCAL);
		return 0;
	}
	return 1;
}

/* Fills in what decide() reads of a SYN, except the time. */
static __always_inline void describe_connection(const struct bpf_sk_lookup *ctx, struct rg_syn *syn)
{
	__u32 words[4] = { 0, 0, bpf_htonl(0xffff), ctx->remote_ip4 };

	syn->version = 4;
	if (ctx->family != FAMILY_IPV4) {
		syn->version = 6;
		words[0] = ctx->remote_ip6[0];
		words[1] = ctx->remote_ip6[1];
		words[2] = ctx->remote_ip6[2];
		words[3] = ctx->remote_ip6[3];
	}
	__builtin_memcpy(&syn->source, words, sizeof(syn->source));
}

/* A connection of the host to itself: it passes no filtered interface. */
static __always_inline int is_loopback(const struct bpf_sk_lookup *ctx)
{
	/* The field came with Linux 5.17; can_hold is 5.18. */
	return rg_config.can_hold && ctx->ingress_ifindex == LOOPBACK_INDEX;
}

/* The decision's socket for the connection, or the refusal of it. */
static __always_inline int give_to_responder(struct bpf_sk_lookup *ctx, const struct rg_syn *syn,
					     enum rg_action action)
{
	__u32 key = responder_key(syn, action);
	struct bpf_sock *socket = bpf_map_lookup_elem(&responder, &key);
	long err;

	if (!socket) {
		/* The agent died since XDP let the SYN pass: it is refused (reset), never accepted. */
		count_loss(RG_LOSS_STEER_FAILED);
		return SK_DROP;
	}
	err = bpf_sk_assign(ctx, socket, 0);
	bpf_sk_release(socket);
	if (err) {
		/* The socket closes this moment, or another program has chosen one: the same. */
		count_loss(RG_LOSS_STEER_FAILED);
		return SK_DROP;
	}
	count(RG_STAT_STEERED);
	return SK_PASS;
}

static __always_inline int steer_connection(struct bpf_sk_lookup *ctx)
{
	struct rg_settings *settings = get_settings();
	const struct rg_cpu *cpu = this_cpu();
	struct rg_decision decision;
	struct rg_syn syn = {};

	/* Not ours, monitor mode, or no valid settings: the socket that would have got it gets it. */
	if (ctx->protocol != IPPROTO_TCP || is_loopback(ctx) || !settings || !cpu ||
	    settings->layout != RG_LAYOUT_VERSION || settings->mode == RG_MODE_MONITOR ||
	    !port_is_filtered(settings, ctx->local_port))
		return SK_PASS;
	describe_connection(ctx, &syn);
	set_time(cpu, &syn);
	decision = decide(settings, NULL, &syn);
	if (!is_answered(decision.action))
		return SK_PASS; /* to the mail server: XDP has let it pass */
	return give_to_responder(ctx, &syn, decision.action);
}

#endif
