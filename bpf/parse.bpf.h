/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a frame to "a SYN, from here to there", or to what is wrong with it. No maps and no helpers:
 * the unit tests compile this file for the host, under ASan.
 *
 * What is not TCP, or no SYN, leaves as soon as that is known. Fragments must not be a way around
 * the filter: see parse_fragment_*(). A frame that is dropped here would be dropped by the IP or TCP
 * layer too, but for fragmented SYNs to a filtered port and chains of over 8 extension headers.
 */
#ifndef REPGATE_PARSE_BPF_H
#define REPGATE_PARSE_BPF_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#endif

#include "../maps/layout.h"
#include "compiler.bpf.h"

#include <bpf/bpf_endian.h>

#ifndef ETH_P_IP
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88A8
#endif

/* vmlinux.h has the IPPROTO_* enum, but not the extension headers (IANA protocol numbers). */
enum {
	NEXT_HOP_BY_HOP = 0,
	NEXT_ROUTING = 43,
	NEXT_FRAGMENT = 44,
	NEXT_AUTH = 51,
	NEXT_DEST_OPTIONS = 60,
	NEXT_MOBILITY = 135,
	NEXT_HIP = 139,
	NEXT_SHIM6 = 140,
};

#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff /* in units of 8 bytes */
#define IPV6_MORE_FRAGMENTS 0x0001
#define IPV6_FRAGMENT_OFFSET 0xfff8 /* in bytes, as it stands in the header */

#define TCP_HEADER_SIZE 20 /* without options: what flags and ports need */

struct rg_vlan {
	__be16 tag;
	__be16 proto;
};

struct rg_ext_header {
	__u8 next;
	__u8 len; /* units of 8 bytes past the first 8 (AH: of 4 past the first 8) */
};

struct rg_fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 id;
};

enum rg_parsed {
	RG_PARSED_OTHER, /* nothing to judge */
	RG_PARSED_SYN, /* TCP SYN without ACK */
	RG_PARSED_SYN_FRAGMENT, /* the same, but only the first part of it */
	RG_PARSED_BAD, /* see rg_packet.loss */
};

struct rg_packet {
	struct ethhdr *eth;
	void *ip; /* struct iphdr or struct ipv6hdr, as version says */
	struct tcphdr *tcp;
	__u32 version; /* 4 or 6 */
	__u32 l3_offset; /* bytes from the frame's start */
	__u32 l3_len; /* bytes, as the IP header says */
	__u32 tcp_len; /* TCP header with options and data, as the IP header says; may be < 0 as int */
	enum rg_loss loss; /* valid if RG_PARSED_BAD */
};

/*
 * A SYN by value. The stages after the parser are global functions, which the verifier walks once
 * each instead of once for each way through the parser; they can't be given packet pointers.
 */
struct rg_syn {
	union {
		struct rg_addr source; /* whole */
		__be32 source_words[4]; /* the same: clang would read the bytes one by one */
		__u64 source_halves[2];
	};
	struct rg_addr dest;
	struct rg_addr peer; /* the source; of IPv6 the first ipv6_prefix bits, the others zero */
	__u64 now; /* ns of CLOCK_BOOTTIME */
	__u32 second; /* the same in seconds */
	__u32 frame_len; /* bytes */
	__u32 l3_offset; /* bytes */
	__u32 version; /* 4 or 6 */
	__u32 seq; /* host order */
	__u32 data_len; /* sequence numbers that data and a FIN in the SYN take */
	__u32 dscp; /* of the IP header */
	__u16 source_port; /* host order */
	__u16 dest_port; /* host order */
	__u32 pad[2]; /* zero: all of it is an argument */
};

struct rg_cursor {
	void *pos;
	void *end;
};

static __always_inline void *take(struct rg_cursor *cursor, __u32 size)
{
	void *start = cursor->pos;

	if (start + size > cursor->end)
		return NULL;
	cursor->pos = start + size;
	return start;
}

static __always_inline enum rg_parsed bad(struct rg_packet *packet, enum rg_loss loss)
{
	packet->loss = loss;
	return RG_PARSED_BAD;
}

/*
 * What a listener takes for a new connection, also with ECE, CWR or PSH set. With RST it is dropped
 * there, and must not be answered by a reset of ours (RFC 9293, 3.10.7.2).
 */
static __always_inline int opens_connection(const struct tcphdr *tcp)
{
	return tcp->syn && !tcp->ack && !tcp->rst;
}

static __always_inline enum rg_parsed parse_tcp(struct rg_packet *packet, struct rg_cursor *cursor,
						int first_fragment)
{
	packet->tcp = take(cursor, TCP_HEADER_SIZE);
	if (unlikely(!packet->tcp))
		return bad(packet, first_fragment ? RG_LOSS_FRAGMENT_SHORT : RG_LOSS_BAD_TCP);
	if (!opens_connection(packet->tcp)) {
		/* Bytes past the IP length are padding, and the rest may come in a fragment. */
		if (first_fragment && (int)packet->tcp_len < TCP_HEADER_SIZE)
			return bad(packet, RG_LOSS_FRAGMENT_SHORT);
		return RG_PARSED_OTHER;
	}
	return first_fragment ? RG_PARSED_SYN_FRAGMENT : RG_PARSED_SYN;
}

/*
 * A later fragment carries no ports; without the first one it opens nothing. But one that begins
 * within the first 20 bytes of TCP could rewrite the flags of a harmless first fragment
 * (RFC 1858, 3.2.2; RFC 3128).
 */
static __always_inline enum rg_parsed parse_later_fragment(struct rg_packet *packet, __u8 protocol,
							   __u32 offset)
{
	if (protocol == IPPROTO_TCP && offset < TCP_HEADER_SIZE)
		return bad(packet, RG_LOSS_FRAGMENT_OVERLAP);
	return RG_PARSED_OTHER;
}

static __always_inline enum rg_parsed parse_ipv4(struct rg_packet *packet, struct rg_cursor *cursor)
{
	struct iphdr *ip = take(cursor, sizeof(*ip));
	__u16 fragment, offset;
	__u32 header_len;

	if (unlikely(!ip || ip->version != 4 || ip->ihl < 5))
		return bad(packet, RG_LOSS_BAD_IPV4);
	if (ip->protocol != IPPROTO_TCP)
		return RG_PARSED_OTHER;
	header_len = ip->ihl * 4;
	/* From the start again: the verifier takes a difference of lengths for unbounded. */
	cursor->pos = ip;
	if (unlikely(!take(cursor, header_len)))
		return bad(packet, RG_LOSS_BAD_IPV4);
	packet->ip = ip;
	packet->version = 4;
	packet->l3_len = bpf_ntohs(ip->tot_len);
	packet->tcp_len = packet->l3_len - header_len;

	fragment = bpf_ntohs(ip->frag_off);
	offset = fragment & IPV4_FRAGMENT_OFFSET;
	if (unlikely(offset))
		return parse_later_fragment(packet, ip->protocol, offset * 8);
	return parse_tcp(packet, cursor, fragment & IPV4_MORE_FRAGMENTS);
}

/*
 * Length of an extension header: 8 bytes and so many for each unit of its length field (RFC 8200, 4.2;
 * AH: RFC 4302, 2.2); 0: not one that can be walked over. A table, because the verifier walks every
 * comparison's two branches, in every turn of the loop below.
 */
static const __u8 ext_header_unit[256] = {
	[NEXT_HOP_BY_HOP] = 8, [NEXT_ROUTING] = 8, [NEXT_DEST_OPTIONS] = 8, [NEXT_AUTH] = 4,
	[NEXT_MOBILITY] = 8,   [NEXT_HIP] = 8,	   [NEXT_SHIM6] = 8,
};

#define EXT_HEADER_MIN 8
#define EXT_HEADER_MAX (8 + 255 * 8)

/* Walks to the TCP header; the chain must be whole in the first fragment (RFC 7112, 5). */
static __always_inline enum rg_parsed parse_ext_headers(struct rg_packet *packet,
							struct rg_cursor *cursor, __u8 next)
{
	int first_fragment = 0;

	for (int i = 0; i <= RG_MAX_EXT_HEADERS; i++) {
		struct rg_ext_header *ext = cursor->pos;
		__u32 size = EXT_HEADER_MIN, unit = ext_header_unit[next];

		if (next == IPPROTO_TCP)
			return parse_tcp(packet, cursor, first_fragment);
		if (next != NEXT_FRAGMENT && !unit)
			return RG_PARSED_OTHER;
		if (i == RG_MAX_EXT_HEADERS)
			return bad(packet, RG_LOSS_EXT_HEADERS);
		if (!take(cursor, EXT_HEADER_MIN))
			break;
		if (next == NEXT_FRAGMENT) {
			__u16 word = bpf_ntohs(((struct rg_fragment_header *)ext)->offset);

			if (word & IPV6_FRAGMENT_OFFSET)
				return parse_later_fragment(packet, ext->next,
							    word & IPV6_FRAGMENT_OFFSET);
			/* No more to come: an atomic fragment is a whole packet (RFC 6946). */
			first_fragment |= word & IPV6_MORE_FRAGMENTS;
		}
		/* The fragment header's second byte is reserved, and its unit is 0. */
		size += ext->len * unit;
		keep_check(&size); /* what the verifier of Linux 6.1 can't tell from the product */
		if (size > EXT_HEADER_MAX)
			break;
		next = ext->next;
		cursor->pos = ext;
		if (!take(cursor, size))
			break;
		packet->tcp_len -= size;
	}
	return bad(packet, first_fragment ? RG_LOSS_FRAGMENT_SHORT : RG_LOSS_BAD_IPV6);
}

/* A v4-mapped source on the wire would be taken for an IPv4 peer; the kernel drops it as well. */
static __always_inline int is_v4_mapped(const struct in6_addr *addr)
{
	const __be32 *word = (const __be32 *)addr;

	return !word[0] && !word[1] && word[2] == bpf_htonl(0xffff);
}

static __always_inline enum rg_parsed parse_ipv6(struct rg_packet *packet, struct rg_cursor *cursor)
{
	struct ipv6hdr *ip = take(cursor, sizeof(*ip));

	if (!ip || ip->version != 6 || is_v4_mapped(&ip->saddr))
		return bad(packet, RG_LOSS_BAD_IPV6);
	packet->ip = ip;
	packet->version = 6;
	packet->tcp_len = bpf_ntohs(ip->payload_len);
	packet->l3_len = sizeof(*ip) + packet->tcp_len;
	return parse_ext_headers(packet, cursor, ip->nexthdr);
}

static __always_inline int is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

/* data..end is the frame from its Ethernet header on. packet is filled as far as it was read. */
static __always_inline enum rg_parsed rg_parse(struct rg_packet *packet, void *data, void *end)
{
	struct rg_cursor cursor = { .pos = data, .end = end };
	__be16 proto;

	packet->eth = take(&cursor, sizeof(*packet->eth));
	if (unlikely(!packet->eth))
		return RG_PARSED_OTHER;
	proto = packet->eth->h_proto;
	for (int i = 0; i < RG_MAX_VLAN_TAGS && unlikely(is_vlan(proto)); i++) {
		struct rg_vlan *vlan = take(&cursor, sizeof(*vlan));

		if (!vlan)
			return RG_PARSED_OTHER;
		proto = vlan->proto;
	}
	packet->l3_offset = cursor.pos - data;
	if (likely(proto == bpf_htons(ETH_P_IP)))
		return parse_ipv4(packet, &cursor);
	if (proto == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(packet, &cursor);
	return RG_PARSED_OTHER;
}

/*
 * The lengths of a SYN that will be judged, against each other and the frame's (bytes, all
 * fragments of a multi-buffer frame). Here, not above: only SYNs pay for it, and the kernel's own
 * aggregated packets carry lengths that do not fit.
 */
static __always_inline enum rg_parsed rg_check_syn(struct rg_packet *packet, __u32 frame_len)
{
	if (unlikely((int)packet->tcp_len < TCP_HEADER_SIZE || packet->tcp->doff < 5 ||
		     packet->tcp_len < packet->tcp->doff * 4u))
		return bad(packet, RG_LOSS_BAD_TCP);
	if (unlikely(packet->l3_offset + packet->l3_len > frame_len))
		return bad(packet, RG_LOSS_BAD_LENGTH);
	return RG_PARSED_SYN;
}

static __always_inline void map_v4(const __be32 *v4, struct rg_addr *addr)
{
	*addr = (struct rg_addr){ .bytes = { [10] = 0xff, [11] = 0xff } };
	__builtin_memcpy(addr->bytes + RG_ADDR_V4_OFFSET, v4, sizeof(*v4));
}

static __always_inline void describe_addresses(const struct rg_packet *packet, struct rg_syn *syn)
{
	if (likely(packet->version == 4)) {
		const struct iphdr *ip = packet->ip;

		map_v4(&ip->saddr, &syn->source);
		map_v4(&ip->daddr, &syn->dest);
	} else {
		const struct ipv6hdr *ip = packet->ip;

		__builtin_memcpy(&syn->source, &ip->saddr, sizeof(syn->source));
		__builtin_memcpy(&syn->dest, &ip->daddr, sizeof(syn->dest));
	}
}

/* The DSCP: the upper six bits of IPv4's second byte, or of IPv6's traffic class (RFC 2474, 3). */
static __always_inline __u32 dscp_of(const struct rg_packet *packet)
{
	const __u8 *ip = packet->ip;

	return likely(packet->version == 4) ? ip[1] >> 2 : (__u32)(ip[0] << 2 & 0x3c) | ip[1] >> 6;
}

/* Fills what the packet says; peer, now and second are the caller's. After rg_check_syn(). */
static __always_inline void rg_describe(const struct rg_packet *packet, __u32 frame_len,
					struct rg_syn *syn)
{
	describe_addresses(packet, syn);
	syn->frame_len = frame_len;
	syn->l3_offset = packet->l3_offset;
	syn->version = packet->version;
	syn->dscp = dscp_of(packet);
	syn->seq = bpf_ntohl(packet->tcp->seq);
	syn->data_len = packet->tcp_len - packet->tcp->doff * 4 + packet->tcp->fin;
	syn->source_port = bpf_ntohs(packet->tcp->source);
	syn->dest_port = bpf_ntohs(packet->tcp->dest);
	/* A global function's argument is all initialised; here, so that only a SYN pays for it. */
	syn->peer = (struct rg_addr){};
	syn->now = 0;
	syn->second = 0;
	syn->pad[0] = 0;
	syn->pad[1] = 0;
}

#endif
