/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parser: from a frame to a SYN with its addresses and ports, or to what is wrong with the frame.
 * It uses no maps: the unit tests compile this file for the host, under ASan.
 *
 * A frame's first buffer need not have all headers, so there are two ways to read them. Most frames are read
 * in place. If the first buffer ends too early, or has more headers than are walked in place, rg_parse()
 * returns RG_PARSED_CUT, and is called again to read by copies.
 *
 * The parser returns as soon as it knows that a frame is no TCP or no SYN. The filter may drop only a SYN
 * to a filtered port, and frames that may hide one: a fragment of a SYN, or a fragment that could overwrite
 * a TCP header. All other frames pass unchanged. Malformed ones pass, too: the kernel drops them.
 *
 * Fields smaller than a byte are read from their byte, by a mask: the bit fields of struct iphdr and
 * struct tcphdr depend on the machine's byte order.
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

#define TCP_HEADER_SIZE 20 /* bytes, without options; ports and flags are in it */
#define TCP_FRAGMENT_MIN \
	8 /* bytes, of a fragment that is not the last (RFC 791, 3.2); ports are in it */
#define TCP_OFFSET_AT 12 /* the byte whose upper four bits are the header's length in words */
#define TCP_FLAGS_AT 13 /* the byte of the flags */
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

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

/* How headers are read. Each caller passes a constant. */
enum rg_reading { RG_READING_IN_PLACE, RG_READING_COPIES };

/* What a frame begins with. */
enum rg_link { RG_LINK_ETHERNET, RG_LINK_IP };

/* The headers of one frame, if they are read by copies. */
struct rg_copies {
	union {
		struct iphdr ip4;
		struct ipv6hdr ip6;
	};
	struct tcphdr tcp;
	struct ethhdr eth;
	struct rg_vlan vlan;
	struct rg_fragment_header ext; /* or the first 8 bytes of another extension header */
};

/* Bytes from the frame's start to the IP header, at most. */
#define MAX_L3_OFFSET (sizeof(struct ethhdr) + RG_MAX_VLAN_TAGS * sizeof(struct rg_vlan))

enum rg_parsed {
	RG_PARSED_OTHER, /* no TCP SYN: nothing to judge */
	RG_PARSED_SYN, /* TCP SYN without ACK, RST and FIN */
	RG_PARSED_SYN_FRAGMENT, /* the same, or without readable flags, in the first fragment of several */
	RG_PARSED_BAD, /* malformed: no kernel takes it for a SYN */
	RG_PARSED_OBSCURE, /* may be a SYN to a filtered port, or become one, but can't be judged */
	RG_PARSED_CUT, /* not all headers can be read this way; rg_packet.otherwise: if there is no other */
};

struct rg_packet {
	void *ip; /* struct iphdr or struct ipv6hdr, as version says */
	struct tcphdr *tcp; /* if SYN_FRAGMENT, only its first 8 bytes can be read */
	__u32 version; /* 4 or 6 */
	__u32 l3_offset; /* bytes from the frame's start */
	__u32 l3_len; /* bytes, as the IP header says */
	__u32 tcp_len; /* bytes of TCP header, options and data, as the IP header says; < 0 as int if bad */
	__u32 too_many_headers; /* 1: more than RG_MAX_EXT_HEADERS are before TCP; only if read by copies */
	enum rg_parsed otherwise; /* what a frame is that ends where it was cut; valid if CUT */
	enum rg_loss loss; /* why; valid if SYN_FRAGMENT, BAD or OBSCURE */
};

/*
 * A SYN by value. The stages after the parser are global functions, which the verifier walks once each
 * instead of once for every way through the parser. A global function can't take packet pointers.
 */
struct rg_syn {
	union {
		struct rg_addr source; /* whole */
		__be32 source_words[4]; /* the same: clang would read the bytes one by one */
		__u64 source_halves[2];
	};
	struct rg_addr dest;
	__u64 now; /* ns of CLOCK_BOOTTIME */
	__u32 second; /* the same in seconds */
	__u32 l3_offset; /* bytes */
	__u32 version; /* 4 or 6 */
	__u32 seq; /* host order */
	__u32 tcp_offset; /* bytes from the frame's start to the TCP header */
	__u32 tcp_len; /* bytes of TCP header, options and data */
	__u32 data_len; /* bytes of data in the SYN */
	__u32 dscp; /* of the IP header */
	__u16 source_port; /* host order */
	__u16 dest_port; /* host order */
	__u32 run; /* enum rg_run */
};

/* Where the next header begins. Both ways have their own members. */
struct rg_cursor {
	enum rg_reading reading;
	/* in place */
	void *pos;
	void *end;
	/* by copies */
	struct xdp_md *frame; /* on the host: its bytes */
	__u32 offset;
	/* both */
	__u32 len; /* bytes of the first buffer, or of all */
	struct rg_copies *copies; /* not NULL; in place it is not used */
};

#ifdef __bpf__
static __always_inline int rg_load(struct rg_cursor *cursor, void *copy, __u32 size)
{
	return bpf_xdp_load_bytes(cursor->frame, cursor->offset, copy, size);
}
#else
static inline int rg_load(struct rg_cursor *cursor, void *copy, __u32 size)
{
	if (size > cursor->len || cursor->offset > cursor->len - size)
		return -1;
	__builtin_memcpy(copy, (const char *)cursor->frame + cursor->offset, size);
	return 0;
}
#endif

/* Goes on by size bytes. 0, or -1 if the frame (in place: its first buffer) ends before. */
static __always_inline int advance(struct rg_cursor *cursor, __u32 size)
{
	void *start = cursor->pos;

	if (cursor->reading == RG_READING_COPIES) {
		cursor->offset += size;
		return cursor->offset > cursor->len ? -1 : 0;
	}
	if (start + size > cursor->end)
		return -1;
	cursor->pos = start + size;
	return 0;
}

/* The next size bytes, or NULL like advance(). copy: room for them, one of cursor->copies. */
static __always_inline void *take(struct rg_cursor *cursor, __u32 size, void *copy)
{
	void *start = cursor->pos;

	if (cursor->reading == RG_READING_COPIES) {
		if (rg_load(cursor, copy, size))
			return NULL;
		cursor->offset += size;
		return copy;
	}
	if (start + size > cursor->end)
		return NULL;
	cursor->pos = start + size;
	return start;
}

/* loss: if otherwise is BAD or OBSCURE. */
static __always_inline enum rg_parsed cut(struct rg_packet *packet, enum rg_parsed otherwise,
					  enum rg_loss loss)
{
	packet->otherwise = otherwise;
	packet->loss = loss;
	return RG_PARSED_CUT;
}

static __always_inline enum rg_parsed bad(struct rg_packet *packet, enum rg_loss loss)
{
	packet->loss = loss;
	return RG_PARSED_BAD;
}

static __always_inline enum rg_parsed obscure(struct rg_packet *packet, enum rg_loss loss)
{
	packet->loss = loss;
	return RG_PARSED_OBSCURE;
}

static __always_inline __u8 tcp_flags(const struct tcphdr *tcp)
{
	return ((const __u8 *)tcp)[TCP_FLAGS_AT];
}

/* Bytes of the TCP header with its options, as it says itself. */
static __always_inline __u32 tcp_header_len(const struct tcphdr *tcp)
{
	return (((const __u8 *)tcp)[TCP_OFFSET_AT] >> 4) * 4u;
}

/* The version of an IP header, 4 or 6 if it is right. */
static __always_inline __u32 ip_version(const void *ip)
{
	return *(const __u8 *)ip >> 4;
}

/* Bytes of an IPv4 header with its options, as it says itself. */
static __always_inline __u32 ipv4_header_len(const struct iphdr *ip)
{
	return (*(const __u8 *)ip & 0xf) * 4u;
}

/*
 * A listener takes this for a new connection, also with ECE, CWR or PSH set. With RST or FIN it drops it,
 * and no reset of ours may answer an RST (RFC 9293, 3.10.7.2).
 */
static __always_inline int opens_connection(const struct tcphdr *tcp)
{
	return (tcp_flags(tcp) & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* Bytes of TCP that can be used, if there are as many. They end with the header, the flags, or the ports. */
static __always_inline __u32 usable_tcp(__u32 len)
{
	return len >= TCP_HEADER_SIZE ? TCP_HEADER_SIZE :
	       len > TCP_FLAGS_AT     ? TCP_FLAGS_AT + 1 :
					TCP_FRAGMENT_MIN;
}

/*
 * A first fragment may end before the TCP flags, and a later one bring them. Bytes past the IP length are
 * padding. With fewer than 8 bytes of TCP the kernel drops it, so there is always a port.
 */
static __always_inline enum rg_parsed parse_first_fragment(struct rg_packet *packet,
							   struct rg_cursor *cursor)
{
	__u32 size;

	if ((int)packet->tcp_len < TCP_FRAGMENT_MIN)
		return bad(packet, RG_LOSS_BAD_TCP);
	size = usable_tcp(packet->tcp_len);
	if (cursor->reading == RG_READING_COPIES) {
		__u32 left = cursor->len - cursor->offset; /* the cursor is within the frame */

		if (left < TCP_FRAGMENT_MIN)
			return bad(packet, RG_LOSS_BAD_TCP);
		if (left < size)
			size = usable_tcp(left);
	}
	packet->tcp =
		size == TCP_HEADER_SIZE	 ? take(cursor, TCP_HEADER_SIZE, &cursor->copies->tcp) :
		size == TCP_FLAGS_AT + 1 ? take(cursor, TCP_FLAGS_AT + 1, &cursor->copies->tcp) :
					   take(cursor, TCP_FRAGMENT_MIN, &cursor->copies->tcp);
	if (!packet->tcp)
		return cut(packet, RG_PARSED_OBSCURE, RG_LOSS_FRAGMENT_SHORT);
	packet->loss = size == TCP_HEADER_SIZE ? RG_LOSS_FRAGMENT_SYN : RG_LOSS_FRAGMENT_SHORT;
	if (size == TCP_FRAGMENT_MIN)
		return RG_PARSED_SYN_FRAGMENT;
	return opens_connection(packet->tcp) ? RG_PARSED_SYN_FRAGMENT : RG_PARSED_OTHER;
}

static __always_inline enum rg_parsed parse_tcp(struct rg_packet *packet, struct rg_cursor *cursor,
						int first_fragment)
{
	if (unlikely(first_fragment))
		return parse_first_fragment(packet, cursor);
	packet->tcp = take(cursor, TCP_HEADER_SIZE, &cursor->copies->tcp);
	if (unlikely(!packet->tcp))
		return cut(packet, RG_PARSED_BAD, RG_LOSS_BAD_TCP);
	return opens_connection(packet->tcp) ? RG_PARSED_SYN : RG_PARSED_OTHER;
}

/*
 * A later fragment has no ports, and without the first one it opens no connection. But a fragment that
 * begins within the first 20 bytes of TCP could overwrite the flags of a harmless first fragment
 * (RFC 1858, 3.2.2; RFC 3128). offset: bytes.
 */
static __always_inline enum rg_parsed parse_later_fragment(struct rg_packet *packet, __u8 protocol,
							   __u32 offset)
{
	if (protocol == IPPROTO_TCP && offset < TCP_HEADER_SIZE)
		return obscure(packet, RG_LOSS_FRAGMENT_OVERLAP);
	return RG_PARSED_OTHER;
}

static __always_inline enum rg_parsed parse_ipv4(struct rg_packet *packet, struct rg_cursor *cursor)
{
	struct rg_cursor start = *cursor;
	struct iphdr *ip = take(cursor, sizeof(*ip), &cursor->copies->ip4);
	__u16 fragment, offset;
	__u32 header_len;

	if (unlikely(!ip))
		return cut(packet, RG_PARSED_BAD, RG_LOSS_BAD_IPV4);
	if (unlikely(ip_version(ip) != 4 || ipv4_header_len(ip) < sizeof(*ip)))
		return bad(packet, RG_LOSS_BAD_IPV4);
	if (ip->protocol != IPPROTO_TCP)
		return RG_PARSED_OTHER;
	header_len = ipv4_header_len(ip);
	/* From the start again: for the verifier a difference of lengths has no bound. */
	*cursor = start;
	if (unlikely(advance(cursor, header_len)))
		return cut(packet, RG_PARSED_BAD, RG_LOSS_BAD_IPV4);
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
 * An extension header has 8 bytes, and for each unit of its length field so many more (RFC 8200, 4.2;
 * AH: RFC 4302, 2.2). 0: not a header that can be skipped. A table, because the verifier walks both
 * branches of every comparison, in every round of the loop below.
 */
static const __u8 ext_header_unit[256] = {
	[NEXT_HOP_BY_HOP] = 8, [NEXT_ROUTING] = 8, [NEXT_DEST_OPTIONS] = 8, [NEXT_AUTH] = 4,
	[NEXT_MOBILITY] = 8,   [NEXT_HIP] = 8,	   [NEXT_SHIM6] = 8,
};

#define EXT_HEADER_MIN 8
#define EXT_HEADER_MAX (8 + 255 * 8)

/* As many headers as are walked. More are never judged, but copies find out whether there is a SYN. */
static __always_inline int most_headers(const struct rg_cursor *cursor)
{
	return cursor->reading == RG_READING_COPIES ? RG_MOST_EXT_HEADERS : RG_MAX_EXT_HEADERS;
}

static __always_inline enum rg_parsed too_many(struct rg_packet *packet,
					       const struct rg_cursor *cursor, enum rg_loss loss)
{
	return cursor->reading == RG_READING_COPIES ? obscure(packet, loss) :
						      cut(packet, RG_PARSED_OBSCURE, loss);
}

/* Walks to the TCP header; the chain must be whole in the first fragment (RFC 7112, 5). */
static __always_inline enum rg_parsed parse_ext_headers(struct rg_packet *packet,
							struct rg_cursor *cursor, __u8 next)
{
	int first_fragment = 0;

	for (int i = 0; i <= most_headers(cursor); i++) {
		struct rg_cursor start = *cursor;
		struct rg_ext_header *ext;
		__u32 size = EXT_HEADER_MIN, unit = ext_header_unit[next];

		if (next == IPPROTO_TCP) {
			packet->too_many_headers = i > RG_MAX_EXT_HEADERS;
			return parse_tcp(packet, cursor, first_fragment);
		}
		if (next != NEXT_FRAGMENT && !unit)
			return RG_PARSED_OTHER;
		if (i == most_headers(cursor))
			return too_many(packet, cursor, RG_LOSS_EXT_HEADERS);
		ext = take(cursor, EXT_HEADER_MIN, &cursor->copies->ext);
		if (!ext)
			break;
		if (next == NEXT_FRAGMENT) {
			__u16 word = bpf_ntohs(((struct rg_fragment_header *)ext)->offset);

			if (word & IPV6_FRAGMENT_OFFSET)
				return parse_later_fragment(packet, ext->next,
							    word & IPV6_FRAGMENT_OFFSET);
			/* With no more fragments to come, it is a whole packet (RFC 6946). */
			first_fragment |= word & IPV6_MORE_FRAGMENTS;
		}
		/* The fragment header's second byte is reserved, and its unit is 0. */
		size += ext->len * unit;
		keep_check(&size); /* the verifier of Linux 6.1 can't tell the bound from the product */
		if (size > EXT_HEADER_MAX)
			break;
		next = ext->next;
		*cursor = start;
		if (advance(cursor, size))
			break;
		packet->tcp_len -= size;
	}
	return cut(packet, first_fragment ? RG_PARSED_OBSCURE : RG_PARSED_BAD,
		   first_fragment ? RG_LOSS_FRAGMENT_SHORT : RG_LOSS_BAD_IPV6);
}

/* What a walk by copies begins and ends with. */
struct rg_walk {
	__u32 next; /* protocol number of the header at offset, below 256 */
	/* As the members of the cursor and of the packet. */
	__u32 offset;
	__u32 len;
	__u32 tcp_len;
	__u32 too_many_headers;
	__u32 otherwise;
	__u32 loss;
};

/*
 * parse_ext_headers() by copies. A global function: the verifier walks the long loop once, not once for each
 * number of VLAN tags. Returns enum rg_parsed.
 */
__attribute__((noinline)) int walk_copies(struct xdp_md *frame, struct rg_walk *walk,
					  struct rg_copies *copies)
{
	struct rg_cursor cursor = { .reading = RG_READING_COPIES, .frame = frame };
	struct rg_packet packet = {};
	enum rg_parsed parsed;

	if (impossible(!walk || !copies))
		return RG_PARSED_OTHER;
	cursor.offset = walk->offset;
	cursor.len = walk->len;
	cursor.copies = copies;
	packet.tcp_len = walk->tcp_len;
	parsed = parse_ext_headers(&packet, &cursor, walk->next);
	walk->tcp_len = packet.tcp_len;
	walk->too_many_headers = packet.too_many_headers;
	walk->otherwise = packet.otherwise;
	walk->loss = packet.loss;
	return parsed;
}

static __always_inline enum rg_parsed parse_ext_copies(struct rg_packet *packet,
						       struct rg_cursor *cursor, __u8 next)
{
	struct rg_walk walk = { .next = next,
				.offset = cursor->offset,
				.len = cursor->len,
				.tcp_len = packet->tcp_len };
	enum rg_parsed parsed = walk_copies(cursor->frame, &walk, cursor->copies);

	packet->tcp = &cursor->copies->tcp;
	packet->tcp_len = walk.tcp_len;
	packet->too_many_headers = walk.too_many_headers;
	packet->otherwise = walk.otherwise;
	packet->loss = walk.loss;
	return parsed;
}

/* A v4-mapped source on the wire would look like an IPv4 peer. */
static __always_inline int is_v4_mapped(const struct in6_addr *addr)
{
	const __be32 *word = (const __be32 *)addr;

	return !word[0] && !word[1] && word[2] == bpf_htonl(0xffff);
}

static __always_inline enum rg_parsed parse_ipv6(struct rg_packet *packet, struct rg_cursor *cursor)
{
	struct ipv6hdr *ip = take(cursor, sizeof(*ip), &cursor->copies->ip6);

	if (!ip)
		return cut(packet, RG_PARSED_BAD, RG_LOSS_BAD_IPV6);
	if (ip_version(ip) != 6)
		return bad(packet, RG_LOSS_BAD_IPV6);
	packet->ip = ip;
	packet->version = 6;
	packet->tcp_len = bpf_ntohs(ip->payload_len);
	packet->l3_len = sizeof(*ip) + packet->tcp_len;
	return cursor->reading == RG_READING_COPIES ? parse_ext_copies(packet, cursor, ip->nexthdr) :
						      parse_ext_headers(packet, cursor, ip->nexthdr);
}

static __always_inline int is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

/* Of a frame that begins with an IP header. */
static __always_inline enum rg_parsed parse_ip(struct rg_packet *packet, struct rg_cursor *cursor)
{
	struct rg_cursor start = *cursor;
	__u8 *first = take(cursor, sizeof(*first), cursor->copies);
	__u32 version;

	if (unlikely(!first))
		return cut(packet, RG_PARSED_OTHER, 0);
	version = ip_version(first);
	*cursor = start;
	packet->l3_offset = 0;
	if (likely(version == 4))
		return parse_ipv4(packet, cursor);
	if (version == 6)
		return parse_ipv6(packet, cursor);
	return RG_PARSED_OTHER;
}

static __always_inline enum rg_parsed parse_ethernet(struct rg_packet *packet,
						     struct rg_cursor *cursor)
{
	__u32 most = cursor->reading == RG_READING_COPIES ? RG_MAX_VLAN_TAGS : RG_VLAN_TAGS_IN_PLACE;
	struct ethhdr *eth = take(cursor, sizeof(*eth), &cursor->copies->eth);
	__u32 tags = 0;
	__be16 proto;

	if (unlikely(!eth))
		return cut(packet, RG_PARSED_OTHER, 0);
	proto = eth->h_proto;
	for (; tags < most && unlikely(is_vlan(proto)); tags++) {
		struct rg_vlan *vlan = take(cursor, sizeof(*vlan), &cursor->copies->vlan);

		if (!vlan)
			return cut(packet, RG_PARSED_OTHER, 0);
		proto = vlan->proto;
	}
	packet->l3_offset = sizeof(*eth) + tags * sizeof(struct rg_vlan);
	if (likely(proto == bpf_htons(ETH_P_IP)))
		return parse_ipv4(packet, cursor);
	if (proto == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(packet, cursor);
	/* The kernel removes any number of tags, and takes what is behind them. */
	if (unlikely(is_vlan(proto)))
		return too_many(packet, cursor, RG_LOSS_VLAN_TAGS);
	return RG_PARSED_OTHER;
}

/*
 * Parses a frame; cursor: at its start. *packet: zero before; then filled as far as the frame was read.
 * packet->ip and packet->tcp point into the frame, or into cursor->copies.
 */
static __always_inline enum rg_parsed rg_parse(struct rg_packet *packet, struct rg_cursor *cursor,
					       enum rg_link link)
{
	return link == RG_LINK_IP ? parse_ip(packet, cursor) : parse_ethernet(packet, cursor);
}

/*
 * An IPv6 payload length of 0 before a hop-by-hop header means "see the jumbo option" (RFC 2675, 2). If there
 * is no such option, the kernel takes the rest of the frame.
 */
static __always_inline int has_no_length(const struct rg_packet *packet)
{
	const struct ipv6hdr *ip = packet->ip;

	return packet->version == 6 && !ip->payload_len && ip->nexthdr == NEXT_HOP_BY_HOP;
}

/*
 * Checks a SYN to a filtered port, its lengths against each other and against those that cursor has: of the
 * first buffer, or by copies of the frame. Separate from rg_parse(), so that only SYNs pay for it, and
 * because packets that the kernel has aggregated have lengths that do not fit.
 */
static __always_inline enum rg_parsed rg_check_syn(struct rg_packet *packet,
						   const struct rg_cursor *cursor)
{
	__u32 header_len = tcp_header_len(packet->tcp);

	if (unlikely((int)packet->tcp_len < TCP_HEADER_SIZE) && has_no_length(packet)) {
		if (cursor->reading == RG_READING_IN_PLACE)
			return cut(packet, RG_PARSED_OBSCURE, RG_LOSS_BAD_TCP);
		packet->tcp_len += cursor->len - packet->l3_offset - packet->l3_len;
		packet->l3_len = cursor->len - packet->l3_offset;
	}
	if (unlikely((int)packet->tcp_len < TCP_HEADER_SIZE || header_len < TCP_HEADER_SIZE ||
		     packet->tcp_len < header_len))
		return bad(packet, RG_LOSS_BAD_TCP);
	if (unlikely(packet->l3_offset + packet->l3_len > cursor->len))
		return cut(packet, RG_PARSED_BAD, RG_LOSS_BAD_LENGTH);
	if (unlikely(packet->too_many_headers))
		return obscure(packet, RG_LOSS_EXT_HEADERS);
	if (packet->version != 4 && is_v4_mapped(&((struct ipv6hdr *)packet->ip)->saddr))
		return obscure(packet, RG_LOSS_BAD_IPV6);
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

/* Fills in what the packet says. Call after rg_check_syn(). The caller sets now, second and run. */
static __always_inline void rg_describe(const struct rg_packet *packet, struct rg_syn *syn)
{
	describe_addresses(packet, syn);
	syn->l3_offset = packet->l3_offset;
	syn->version = packet->version;
	syn->dscp = dscp_of(packet);
	syn->seq = bpf_ntohl(packet->tcp->seq);
	syn->tcp_offset = packet->l3_offset + packet->l3_len - packet->tcp_len;
	syn->tcp_len = packet->tcp_len;
	syn->data_len = packet->tcp_len - tcp_header_len(packet->tcp);
	syn->source_port = bpf_ntohs(packet->tcp->source);
	syn->dest_port = bpf_ntohs(packet->tcp->dest);
	/* A global function's argument must be initialised as a whole; here, so that only a SYN pays. */
	syn->now = 0;
	syn->second = 0;
	syn->run = RG_RUN_PACKET;
}

#endif
