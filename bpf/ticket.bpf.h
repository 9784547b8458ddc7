/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tickets: how XDP and the sk_lookup program learn of each other. XDP issues one for each SYN that it lets
 * pass for the responder; sk_lookup takes it. So a lookup without a ticket is no SYN that the filter saw, and
 * a ticket that is not taken is a SYN that did not reach a socket here: the kernel dropped it, or destination
 * NAT led it elsewhere. A destination to which too many are on their way gets no more.
 */
#ifndef REPGATE_TICKET_BPF_H
#define REPGATE_TICKET_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "attempt.bpf.h"
#include "compiler.bpf.h"
#include "config.bpf.h"
#include "hash.bpf.h"
#include "parse.bpf.h"
#include "stats.bpf.h"

#define SALT_WAITING (1U << 16) /* past all ports */

static __always_inline void fill_connection(const struct rg_syn *syn, struct rg_connection *key)
{
	key->source = syn->source;
	key->dest = syn->dest;
	key->source_port = syn->source_port;
	key->dest_port = syn->dest_port;
}

/* The destination's entry of `destinations`. NULL: impossible. */
static __always_inline struct rg_destination *find_destination(const struct rg_syn *syn)
{
	__u64 half[2];
	__u32 slot;

	__builtin_memcpy(half, &syn->dest, sizeof(half));
	slot = mix(half[1] + mix(half[0] + syn->dest_port)) & (RG_DESTINATIONS - 1);
	return bpf_map_lookup_elem(&destinations, &slot);
}

/*
 * Counts one more SYN on its way to the destination. 0: too many are on their way already. Until sk_lookup
 * sees one, at most `limit` callers get 1, on all CPUs together, then one after each RG_UNCONFIRMED_TIME.
 */
static __always_inline int add_unconfirmed(struct rg_destination *dest,
					   const struct rg_settings *settings,
					   const struct rg_connection *key, __u64 now)
{
	__u32 limit = RG_MAX_UNCONFIRMED, number;
	__u64 counted = dest->counted;

	if (dest->proven && dest->round == settings->round && now < dest->proven + RG_PROVEN_TIME)
		limit = RG_MAX_UNCONFIRMED_PROVEN;
	if (dest->unconfirmed >= limit) {
		if (now < counted + RG_UNCONFIRMED_TIME ||
		    __sync_val_compare_and_swap(&dest->counted, counted, now) != counted)
			return 0;
		dest->unconfirmed = limit - 1; /* one tries again */
	}
	number = __sync_fetch_and_add(&dest->unconfirmed, 1);
	if (number >= limit)
		return 0;
	dest->last[number & (RG_MAX_UNCONFIRMED - 1)] = *key;
	dest->counted = now;
	return 1;
}

/*
 * For a SYN that is to pass for the responder. 1: it may. 0: earlier ones to this destination did not arrive;
 * counted. A repeated SYN of a connection that arrived is not counted against the destination: it meets its
 * own socket.
 */
__attribute__((noinline)) int issue_ticket(const struct rg_settings *settings,
					   const struct rg_syn *syn)
{
	struct rg_connection key = {};
	struct rg_ticket fresh = { .state = RG_TICKET_ISSUED }, *ticket;
	struct rg_destination *dest;

	if (impossible(!settings || !syn))
		return 0;
	fill_connection(syn, &key);
	ticket = bpf_map_lookup_elem(&tickets, &key);
	if (ticket && ticket->state == RG_TICKET_TAKEN && ticket->round == settings->round &&
	    syn->now < ticket->time + RG_TICKET_TIME)
		return 1;
	dest = find_destination(syn);
	if (impossible(!dest))
		return 0;
	fresh.time = syn->now;
	fresh.round = settings->round;
	if ((settings->bounded && !add_unconfirmed(dest, settings, &key, syn->now)) ||
	    bpf_map_update_elem(&tickets, &key, &fresh, BPF_ANY)) {
		count_loss(RG_LOSS_UNCONFIRMED);
		return 0;
	}
	return 1;
}

/*
 * For a released SYN that passes: sk_lookup must see it, if its address is this host's. Counted. Returns 0;
 * the verifier wants a global function to return a number.
 */
__attribute__((noinline)) int note_released(const struct rg_settings *settings,
					    const struct rg_syn *syn)
{
	struct rg_ticket fresh = { .state = RG_TICKET_ISSUED, .is_released = 1 }, *ticket;
	struct rg_connection key = {};
	struct rg_prefix dest = { .len = RG_ADDR_BITS };
	struct rg_destination *way;
	struct rg_host_route *route;

	if (impossible(!settings || !syn))
		return 0;
	dest.addr = syn->dest;
	route = bpf_map_lookup_elem(&host_routes, &dest);
	if (!route || !route->is_host)
		return 0;
	fill_connection(syn, &key);
	ticket = bpf_map_lookup_elem(&tickets, &key);
	if (ticket && ticket->state == RG_TICKET_TAKEN)
		return 0;
	way = find_destination(syn);
	if (impossible(!way))
		return 0;
	/* Where a rule may lead it elsewhere, it is expected only if others arrived. */
	if (settings->bounded && !(way->proven && way->round == settings->round))
		fresh.is_released = 0;
	fresh.time = syn->now;
	fresh.round = settings->round;
	if (!bpf_map_update_elem(&tickets, &key, &fresh, BPF_ANY) && fresh.is_released)
		count(RG_STAT_RELEASED);
	return 0;
}

/* In monitor mode, a SYN that passes and whose attempt is counted later: the filter has seen it. */
static __always_inline void note_waiting(const struct rg_syn *syn)
{
	note_attempt(hash_source(syn, SALT_WAITING | syn->source_port), syn->second);
}

/* 1: the filter has seen a SYN of this connection, or it can't be known: a flood is counted by samples. */
static __always_inline int was_filtered(const struct rg_settings *settings,
					const struct rg_cpu *cpu, const struct rg_syn *syn)
{
	if (was_noted(hash_source(syn, syn->source_port), syn->second))
		return 1;
	if (settings->mode == RG_MODE_MONITOR &&
	    was_noted(hash_source(syn, SALT_WAITING | syn->source_port), syn->second))
		return 1;
	return cpu->syns >= settings->exact_per_second;
}

/*
 * Of a connection that the responder got. With a secret salt, as who forges addresses must not choose the set of
 * `attempts` that has it.
 */
static __always_inline __u64 hash_answered(const struct rg_settings *settings,
					   const struct rg_syn *syn)
{
	return hash_source(syn,
			   settings->index_seed + ((__u32)syn->dest_port << 16 | syn->source_port));
}

enum rg_arrival {
	RG_ARRIVAL_UNKNOWN, /* without a ticket */
	RG_ARRIVAL_FIRST, /* its SYN is seen for the first time */
	RG_ARRIVAL_AGAIN, /* the ticket had been taken: SYN again, or the ACK of a SYN cookie */
};

/*
 * For sk_lookup: takes the connection's ticket, if there is one; its destination is proven then. Returns enum
 * rg_arrival.
 */
__attribute__((noinline)) int take_ticket(const struct rg_settings *settings, const struct rg_syn *syn)
{
	struct rg_connection key = {};
	struct rg_destination *dest;
	struct rg_ticket *ticket;

	if (impossible(!settings || !syn))
		return RG_ARRIVAL_UNKNOWN;
	fill_connection(syn, &key);
	ticket = bpf_map_lookup_elem(&tickets, &key);
	if (!ticket || syn->now > ticket->time + RG_TICKET_TIME)
		return RG_ARRIVAL_UNKNOWN;
	if (ticket->state == RG_TICKET_TAKEN)
		return RG_ARRIVAL_AGAIN;
	if (ticket->is_released) {
		ticket->is_released = 0;
		count(RG_STAT_RELEASE_SEEN);
	}
	ticket->state = RG_TICKET_TAKEN;
	ticket->time = syn->now;
	dest = find_destination(syn);
	if (impossible(!dest) || ticket->round != settings->round)
		return RG_ARRIVAL_FIRST;
	dest->unconfirmed = 0;
	dest->round = ticket->round;
	dest->proven = syn->now;
	return RG_ARRIVAL_FIRST;
}

#endif
