/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turns a SYN into the answer of a closed port, in place: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
 * (RFC 9293, 3.10.7.1). The Ethernet header and the VLAN tags stay. Addresses and ports are swapped.
 * Options, extension headers and data are removed.
 */
#ifndef REPGATE_RESET_BPF_H
#define REPGATE_RESET_BPF_H

#include "vmlinux.h"

#include "compiler.bpf.h"
#include "frame.bpf.h"
#include "parse.bpf.h"

#define RESET_TTL 64

/*
 * Our own structs of the headers that are written. Those of vmlinux.h may carry CO-RE relocations (the
 * Makefile turns them off), and libbpf 1.1 resolves the one for iphdr's anonymous union to offset 0.
 */
struct rg_ipv4_out {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_len;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__sum16 check;
	__u8 source[4];
	__u8 dest[4];
};

struct rg_ipv6_out {
	__be32 version_class_label;
	__be16 payload_len;
	__u8 next;
	__u8 hop_limit;
	struct rg_addr source;
	struct rg_addr dest;
};

struct rg_tcp_out {
	__be16 source;
	__be16 dest;
	__be32 seq;
	__be32 ack;
	__u8 offset; /* the header's length, in words of 4 bytes, in the upper four bits */
	__u8 flags;
	__be16 window;
	__sum16 check;
	__be16 urgent;
};

#define RESET_TCP_FLAGS 0x14 /* RST, ACK */
#define IPV4_DONT_FRAGMENT 0x4000

struct rg_reset4 {
	struct rg_ipv4_out ip;
	struct rg_tcp_out tcp;
};

struct rg_reset6 {
	struct rg_ipv6_out ip;
	struct rg_tcp_out tcp;
};

static __always_inline __u32 sum_words(const void *data, __u32 size, __u32 sum)
{
#pragma unroll
	for (__u32 i = 0; i < size; i += 2) {
		__u16 word;

		__builtin_memcpy(&word, data + i, sizeof(word));
		sum += word;
	}
	return sum;
}

/* The Internet checksum (RFC 1071) of a sum of less than 2^16 words; in either byte order. */
static __always_inline __sum16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline struct rg_tcp_out reset_tcp(const struct rg_syn *syn)
{
	return (struct rg_tcp_out){
		.source = bpf_htons(syn->dest_port),
		.dest = bpf_htons(syn->source_port),
		.ack = bpf_htonl(syn->seq + 1 + syn->data_len),
		.offset = sizeof(struct rg_tcp_out) / 4 << 4,
		.flags = RESET_TCP_FLAGS,
	};
}

/* Writes the checksum. sum: of the pseudo header's addresses (RFC 9293, 3.1) */
static __always_inline void seal_tcp(struct rg_tcp_out *tcp, __u32 sum)
{
	sum += bpf_htons(IPPROTO_TCP) + bpf_htons(sizeof(*tcp));
	tcp->check = fold(sum_words(tcp, sizeof(*tcp), sum));
}

static __always_inline void build_reset4(const struct rg_syn *syn, struct rg_reset4 *reset)
{
	*reset = (struct rg_reset4){
		.ip = {
			.version_ihl = 0x45,
			.total_len = bpf_htons(sizeof(*reset)),
			.fragment = bpf_htons(IPV4_DONT_FRAGMENT),
			.ttl = RESET_TTL,
			.protocol = IPPROTO_TCP,
		},
		.tcp = reset_tcp(syn),
	};
	__builtin_memcpy(reset->ip.source, syn->dest.bytes + RG_ADDR_V4_OFFSET, 4);
	__builtin_memcpy(reset->ip.dest, syn->source.bytes + RG_ADDR_V4_OFFSET, 4);
	reset->ip.check = fold(sum_words(&reset->ip, sizeof(reset->ip), 0));
	seal_tcp(&reset->tcp, sum_words(reset->ip.source, 8, 0));
}

static __always_inline void build_reset6(const struct rg_syn *syn, struct rg_reset6 *reset)
{
	*reset = (struct rg_reset6){
		.ip = {
			.version_class_label = bpf_htonl(6u << 28),
			.payload_len = bpf_htons(sizeof(reset->tcp)),
			.next = IPPROTO_TCP,
			.hop_limit = RESET_TTL,
			.source = syn->dest,
			.dest = syn->source,
		},
		.tcp = reset_tcp(syn),
	};
	seal_tcp(&reset->tcp, sum_words(&reset->ip.source, 32, 0));
}

struct rg_macs {
	__u8 dest[6];
	__u8 source[6];
};

/* Whether the frame is sent to a group of hosts. */
static __always_inline int is_group(const struct rg_macs *macs)
{
	return macs->dest[0] & 1;
}

static __always_inline int swap_macs(struct xdp_md *ctx, const struct rg_macs *macs)
{
	struct rg_macs swapped;

	__builtin_memcpy(swapped.dest, macs->source, sizeof(swapped.dest));
	__builtin_memcpy(swapped.source, macs->dest, sizeof(swapped.source));
	return write_frame(ctx, 0, &swapped, sizeof(swapped));
}

/*
 * 0: the frame is now the answer; the caller sends it back. Negative: there is no answer. The frame is
 * then unchanged, unless it could not be written or shortened as a whole. A SYN is never shorter than its
 * answer, see rg_check_syn(). Without an Ethernet header (l3_offset 0) there are no addresses to swap.
 */
__attribute__((noinline)) int reset_in_place(struct xdp_md *ctx, const struct rg_syn *syn)
{
	struct rg_macs macs = {};
	__u32 len;
	int err;

	if (impossible(!syn || syn->l3_offset > MAX_L3_OFFSET))
		return -1;
	/* A group address: an answer would tell the sender that this host belongs to the group. */
	if (syn->l3_offset && (read_frame(ctx, 0, &macs, sizeof(macs)) || is_group(&macs)))
		return -1;
	if (syn->version == 4) {
		struct rg_reset4 reset;

		build_reset4(syn, &reset);
		err = write_frame(ctx, syn->l3_offset, &reset, sizeof(reset));
		len = syn->l3_offset + sizeof(reset);
	} else {
		struct rg_reset6 reset;

		build_reset6(syn, &reset);
		err = write_frame(ctx, syn->l3_offset, &reset, sizeof(reset));
		len = syn->l3_offset + sizeof(reset);
	}
	if (!err && syn->l3_offset)
		err = swap_macs(ctx, &macs);
	return err ? err : (int)bpf_xdp_adjust_tail(ctx, (int)(len - frame_length(ctx)));
}

#endif
