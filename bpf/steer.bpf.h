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
#include "ticket.bpf.h"
#include "verdict.bpf.h"

/*
 * The index of the loopback interface in every network namespace. A connection of the host to itself passes no
 * filtered interface.
 */
#define LOOPBACK_INDEX 1

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

/* Fills in what decide() and take_ticket() read of a SYN, except the time. */
static __always_inline void describe_connection(const struct bpf_sk_lookup *ctx, struct rg_syn *syn)
{
	__u32 words[4] = { 0, 0, bpf_htonl(0xffff), ctx->remote_ip4 };
	__u32 dest[4] = { 0, 0, bpf_htonl(0xffff), ctx->local_ip4 };

	syn->version = 4;
	if (ctx->family != FAMILY_IPV4) {
		syn->version = 6;
		words[0] = ctx->remote_ip6[0];
		words[1] = ctx->remote_ip6[1];
		words[2] = ctx->remote_ip6[2];
		words[3] = ctx->remote_ip6[3];
		dest[0] = ctx->local_ip6[0];
		dest[1] = ctx->local_ip6[1];
		dest[2] = ctx->local_ip6[2];
		dest[3] = ctx->local_ip6[3];
	}
	__builtin_memcpy(&syn->source, words, sizeof(syn->source));
	__builtin_memcpy(&syn->dest, dest, sizeof(syn->dest));
	syn->source_port = bpf_ntohs(ctx->remote_port);
	syn->dest_port = ctx->local_port;
}

/* Counts the lookup on its interface. */
static __always_inline void note_path(const struct rg_settings *settings, const struct rg_cpu *cpu,
				      const struct rg_syn *syn, __u32 ifindex)
{
	struct rg_path *path = bpf_map_lookup_elem(&paths, &ifindex);

	if (!path)
		return;
	path->lookups++;
	if (!was_filtered(settings, cpu, syn))
		path->unseen++;
}

/*
 * 1: on this interface a SYN that is for the responder has a ticket. Without one, the lookup is not for a
 * packet that the filter let pass for the responder: it is a program's that asks sock_diag(7), or a stray
 * segment's. 0 is the interface of such a program, if it names none.
 */
static __always_inline int wants_ticket(__u32 ifindex)
{
	return !ifindex || bpf_map_lookup_elem(&host_links, &ifindex) != NULL;
}

/*
 * 1: the lookup may be for a packet of a refused peer. With SYN cookies the responder's socket does not know the
 * connection until its ACK comes, up to two minutes later. Its ticket may be forgotten by then, if others needed
 * the room. So `attempts` remembers the connection, too.
 */
static __always_inline int is_expected(const struct rg_settings *settings, const struct rg_syn *syn,
				       int arrival, __u32 ifindex)
{
	return arrival != RG_ARRIVAL_UNKNOWN || !rg_config.can_hold || !wants_ticket(ifindex) ||
	       was_noted(hash_answered(settings, syn), syn->second);
}

/* The decision's socket for the connection, or the refusal of it. */
static __always_inline int give_to_responder(struct bpf_sk_lookup *ctx,
					     const struct rg_settings *settings,
					     const struct rg_syn *syn, enum rg_action action,
					     int arrival)
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
	if (arrival == RG_ARRIVAL_FIRST) {
		note_attempt(hash_answered(settings, syn), syn->second);
		count(RG_STAT_STEERED);
	}
	return SK_PASS;
}

static __always_inline int steer_connection(struct bpf_sk_lookup *ctx)
{
	/* The field came with Linux 5.17; can_hold is 5.18. */
	__u32 ifindex = rg_config.can_hold ? ctx->ingress_ifindex : 0;
	struct rg_settings *settings = get_settings();
	const struct rg_cpu *cpu = this_cpu();
	struct rg_decision decision;
	struct rg_syn syn = {};
	int arrival;

	/* Not ours, or no valid settings: the socket that would have got it gets it. */
	if (ctx->protocol != IPPROTO_TCP || ifindex == LOOPBACK_INDEX || !settings || !cpu ||
	    settings->layout != RG_LAYOUT_VERSION || !port_is_filtered(settings, ctx->local_port))
		return SK_PASS;
	describe_connection(ctx, &syn);
	set_time(cpu, &syn);
	note_path(settings, cpu, &syn, ifindex);
	arrival = take_ticket(settings, &syn);
	if (settings->mode == RG_MODE_MONITOR)
		return SK_PASS;
	decision = decide(settings, NULL, &syn);
	if (!is_answered(decision.action) || !is_expected(settings, &syn, arrival, ifindex))
		return SK_PASS; /* to the mail server: XDP has let it pass */
	return give_to_responder(ctx, settings, &syn, decision.action, arrival);
}

#endif
