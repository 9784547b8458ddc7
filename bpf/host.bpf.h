/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether this host, or one that it forwards to, takes a SYN. A host answers nothing that was sent to
 * another MAC address, to a group of hosts, or to an address that it does not have. The agent keeps the
 * facts in `host_links` and `host_routes`. Without them, or if the agent is silent, every SYN counts as this
 * host's.
 */
#ifndef REPGATE_HOST_BPF_H
#define REPGATE_HOST_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"
#include "config.bpf.h"
#include "parse.bpf.h"

#define FAMILY_IPV4 2 /* AF_INET and AF_INET6: macros, so vmlinux.h lacks them */
#define FAMILY_IPV6 10

enum rg_for { RG_FOR_HOST, RG_FOR_OTHER_MAC, RG_FOR_GROUP };

/* Whom the frame's MAC address means, enum rg_for. */
__attribute__((noinline)) int for_whom(struct xdp_md *ctx, const struct rg_settings *settings,
				       const struct rg_syn *syn)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 ifindex = ctx->ingress_ifindex;
	struct rg_host_link *link;
	__u8 mac[6];

	if (impossible(!settings || !syn) || !syn->l3_offset) /* a link without Ethernet header */
		return RG_FOR_HOST;
	if (data + sizeof(mac) <= end)
		__builtin_memcpy(mac, data, sizeof(mac));
	else if (!rg_config.can_hold || bpf_xdp_load_bytes(ctx, 0, mac, sizeof(mac)))
		return RG_FOR_HOST;
	if (mac[0] & 1)
		return RG_FOR_GROUP;
	link = bpf_map_lookup_elem(&host_links, &ifindex);
	if (!link || link->any_mac || agent_is_silent(settings, syn->now))
		return RG_FOR_HOST;
	for (int i = 0; i < 6; i++)
		if (mac[i] != link->mac[i])
			return RG_FOR_OTHER_MAC;
	return RG_FOR_HOST;
}

/* A MAC address in one word. Two reads: of bytes that were written one by one, a CPU reads a word slowly. */
static __always_inline __u64 mac_word(const void *mac)
{
	return (__u64) * (const __u32 *)mac << 16 | *(const __u16 *)(mac + 4);
}

/* The same as for_whom(), which it asks once a tick for the address that most frames have. */
static __always_inline enum rg_for for_whom_mostly(struct xdp_md *ctx,
						   const struct rg_settings *settings,
						   struct rg_cpu *cpu, const struct rg_syn *syn)
{
	const void *data = (void *)(long)ctx->data;
	enum rg_for whom;
	__u64 mac;

	if (unlikely(data + sizeof(struct ethhdr) > (void *)(long)ctx->data_end))
		return for_whom(ctx, settings, syn);
	mac = mac_word(data);
	if (likely(cpu->mac == mac && cpu->mac_ifindex == ctx->ingress_ifindex &&
		   cpu->mac_jiffies == cpu->jiffies && syn->l3_offset))
		return RG_FOR_HOST;
	whom = for_whom(ctx, settings, syn);
	if (whom == RG_FOR_HOST && syn->l3_offset) {
		cpu->mac = mac;
		cpu->mac_ifindex = ctx->ingress_ifindex;
		cpu->mac_jiffies = cpu->jiffies;
	}
	return whom;
}

/*
 * 1: no host takes a packet from or to this address from outside: a group of hosts (224.0.0.0/4, ff00::/8; and
 * 240.0.0.0/4), loopback (127.0.0.0/8, ::1), 0.0.0.0, or :: and a mapped IPv4 address as destination.
 */
static __always_inline int is_never_taken(const struct rg_addr *addr, __u32 version, int is_dest)
{
	__u8 first = addr->bytes[version == 4 ? RG_ADDR_V4_OFFSET : 0];
	__u32 words[4];

	__builtin_memcpy(words, addr, sizeof(words));
	if (version == 4)
		return first >= 224 || first == 127 || !words[3];
	if (first == 0xff)
		return 1;
	if (words[0] || words[1])
		return 0;
	return (!words[2] && words[3] == bpf_htonl(1)) ||
	       (is_dest && (words[2] == bpf_htonl(0xffff) || (!words[2] && !words[3])));
}

#define PLAIN_OPTIONS bpf_htonl(0x01010101) /* four bytes of NOP; EOL is 0 */
#define MAX_OPTION_WORDS 10 /* an IPv4 header has 40 bytes of options at most */

/* 1: the IPv4 header has other options than padding. Hosts drop source routes, and what is malformed. */
static __always_inline int has_options(struct xdp_md *ctx, const struct rg_syn *syn)
{
	__u32 at = syn->l3_offset + sizeof(struct iphdr), word;

	for (int i = 0; i < MAX_OPTION_WORDS && at < syn->tcp_offset; i++, at += sizeof(word))
		if (bpf_xdp_load_bytes(ctx, at, &word, sizeof(word)) || word & ~PLAIN_OPTIONS)
			return 1;
	return 0;
}

/*
 * 1: an IPv6 extension header is none that every host skips: those are hop-by-hop and destination options, and one
 * fragment header. Hosts drop routing headers that lead on, and take others for an unknown protocol.
 */
static __always_inline int has_odd_headers(struct xdp_md *ctx, const struct rg_syn *syn)
{
	__u32 at = syn->l3_offset + sizeof(struct ipv6hdr), fragments = 0;
	__u8 next;

	if (bpf_xdp_load_bytes(ctx, at - sizeof(struct ipv6hdr) + 6, &next, sizeof(next)))
		return 1;
	for (int i = 0; i < RG_MAX_EXT_HEADERS && at < syn->tcp_offset; i++) {
		struct rg_ext_header header;

		if (next == NEXT_FRAGMENT)
			fragments++;
		else if (next != NEXT_HOP_BY_HOP && next != NEXT_DEST_OPTIONS)
			return 1;
		if (fragments > 1 || bpf_xdp_load_bytes(ctx, at, &header, sizeof(header)))
			return 1;
		at += EXT_HEADER_MIN;
		if (next != NEXT_FRAGMENT)
			at += header.len * 8;
		next = header.next;
	}
	return 0;
}

/* 1: no host answers the SYN, because of its addresses, or of what stands between the IP and the TCP header. */
__attribute__((noinline)) int is_odd(struct xdp_md *ctx, const struct rg_syn *syn)
{
	if (impossible(!syn) || is_never_taken(&syn->source, syn->version, 0) ||
	    is_never_taken(&syn->dest, syn->version, 1))
		return 1;
	if (!rg_config.can_hold)
		return 0;
	return syn->version == 4 ? has_options(ctx, syn) : has_odd_headers(ctx, syn);
}

/*
 * 1: the host would forward the SYN, so no socket of this network namespace can answer it.
 * bpf_fib_lookup() finds a route for it; for a local destination it finds none.
 */
static __always_inline int is_forwarded(struct xdp_md *ctx, const struct rg_syn *syn)
{
	struct bpf_fib_lookup route = { .ifindex = ctx->ingress_ifindex };
	long ret;

	if (syn->version == 4) {
		route.family = FAMILY_IPV4;
		__builtin_memcpy(&route.ipv4_src, syn->source.bytes + RG_ADDR_V4_OFFSET, 4);
		__builtin_memcpy(&route.ipv4_dst, syn->dest.bytes + RG_ADDR_V4_OFFSET, 4);
	} else {
		route.family = FAMILY_IPV6;
		__builtin_memcpy(route.ipv6_src, &syn->source, sizeof(syn->source));
		__builtin_memcpy(route.ipv6_dst, &syn->dest, sizeof(syn->dest));
	}
	ret = bpf_fib_lookup(ctx, &route, sizeof(route), 0);
	return ret == BPF_FIB_LKUP_RET_SUCCESS || ret == BPF_FIB_LKUP_RET_NO_NEIGH ||
	       ret == BPF_FIB_LKUP_RET_FRAG_NEEDED || ret == BPF_FIB_LKUP_RET_UNSUPP_LWT;
}

/* 1: a host answers SYNs to this address: this host, or one behind it. whom: for_whom() */
__attribute__((noinline)) int has_host(struct xdp_md *ctx, const struct rg_settings *settings,
				       const struct rg_syn *syn, enum rg_for whom)
{
	__u32 ifindex = ctx->ingress_ifindex;
	struct rg_prefix key = { .len = RG_ADDR_BITS };
	struct rg_host_route *route;
	struct rg_host_link *link;

	if (impossible(!settings || !syn))
		return 0;
	if (whom == RG_FOR_GROUP || is_odd(ctx, syn))
		return 0;
	link = bpf_map_lookup_elem(&host_links, &ifindex);
	if (!link || agent_is_silent(settings, syn->now))
		return 1;
	key.addr = syn->source;
	if (bpf_map_lookup_elem(&host_routes, &key))
		return 0; /* its own address, or a broadcast address */
	key.addr = syn->dest;
	route = bpf_map_lookup_elem(&host_routes, &key);
	if (route)
		return route->is_host;
	return link->any_mac || is_forwarded(ctx, syn);
}

/* 1: the host has this address, so a socket here can answer. Unless the agent told: it does not forward it. */
static __always_inline int is_own_address(struct xdp_md *ctx, const struct rg_syn *syn)
{
	struct rg_prefix key = { .len = RG_ADDR_BITS, .addr = syn->dest };
	__u32 ifindex = ctx->ingress_ifindex;
	struct rg_host_route *route;

	if (!bpf_map_lookup_elem(&host_links, &ifindex))
		return !is_forwarded(ctx, syn);
	route = bpf_map_lookup_elem(&host_routes, &key);
	return route && route->is_host;
}

#endif
