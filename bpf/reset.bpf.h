/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turns a SYN into the answer of a closed port, in place: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
 * (RFC 9293, 3.10.7.1). Ethernet header and VLAN tags stay, addresses and ports swap, options,
 * extension headers and data go.
 */
#ifndef REPGATE_RESET_BPF_H
#define REPGATE_RESET_BPF_H

#include "parse.bpf.h"

#define RESET_TTL 64

struct rg_reset4 {
	struct iphdr ip;
	struct tcphdr tcp;
};

struct rg_reset6 {
	struct ipv6hdr ip;
	struct tcphdr tcp;
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

/* The Internet checksum (RFC 1071) of a sum of less than 2^16 words; works in either byte order. */
static __always_inline __sum16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline struct tcphdr reset_tcp(const struct rg_syn *syn)
{
	struct tcphdr tcp = {
		.source = bpf_htons(syn->local_port),
		.dest = bpf_htons(syn->port),
		.ack_seq = bpf_htonl(syn->seq + 1 + syn->data_len),
		.doff = 5,
		.rst = 1,
		.ack = 1,
	};

	return tcp;
}

static __always_inline void build_reset4(const struct rg_syn *syn, struct rg_reset4 *reset)
{
	__u32 sum = bpf_htons(IPPROTO_TCP) + bpf_htons(sizeof(reset->tcp));

	reset->ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(sizeof(*reset)),
		.frag_off = bpf_htons(0x4000), /* don't fragment */
		.ttl = RESET_TTL,
		.protocol = IPPROTO_TCP,
	};
	__builtin_memcpy(&reset->ip.saddr, syn->local.bytes + RG_ADDR_V4_OFFSET, 4);
	__builtin_memcpy(&reset->ip.daddr, syn->addr.bytes + RG_ADDR_V4_OFFSET, 4);
	reset->ip.check = fold(sum_words(&reset->ip, sizeof(reset->ip), 0));
	reset->tcp = reset_tcp(syn);
	sum = sum_words(&reset->ip.saddr, 8, sum);
	reset->tcp.check = fold(sum_words(&reset->tcp, sizeof(reset->tcp), sum));
}

static __always_inline void build_reset6(const struct rg_syn *syn, struct rg_reset6 *reset)
{
	__u32 sum = bpf_htons(IPPROTO_TCP) + bpf_htons(sizeof(reset->tcp));

	reset->ip = (struct ipv6hdr){
		.version = 6,
		.payload_len = bpf_htons(sizeof(reset->tcp)),
		.nexthdr = IPPROTO_TCP,
		.hop_limit = RESET_TTL,
	};
	__builtin_memcpy(&reset->ip.saddr, &syn->local, sizeof(syn->local));
	__builtin_memcpy(&reset->ip.daddr, &syn->addr, sizeof(syn->addr));
	reset->tcp = reset_tcp(syn);
	sum = sum_words(&reset->ip.saddr, 32, sum);
	reset->tcp.check = fold(sum_words(&reset->tcp, sizeof(reset->tcp), sum));
}

static __always_inline void swap_macs(struct ethhdr *eth)
{
	__u8 mac[6];

	__builtin_memcpy(mac, eth->h_dest, sizeof(mac));
	__builtin_memcpy(eth->h_dest, eth->h_source, sizeof(mac));
	__builtin_memcpy(eth->h_source, mac, sizeof(mac));
}

/*
 * 0: the frame is the answer, send it back. Negative: it can't be answered, and is unchanged but for
 * a failure to shorten it. A SYN is never shorter than its answer (rg_check_syn).
 */
__attribute__((noinline)) int reset_in_place(struct xdp_md *ctx, const struct rg_syn *syn)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	void *ip;
	__u32 len;

	if (!syn || syn->l3_offset > sizeof(*eth) + RG_MAX_VLAN_TAGS * sizeof(struct rg_vlan))
		return -1;
	ip = data + syn->l3_offset;
	if (data + sizeof(*eth) > end)
		return -1;
	/* Nobody's own address: answering for a group would tell the sender who belongs to it. */
	if (eth->h_dest[0] & 1)
		return -1;
	if (syn->version == 4) {
		struct rg_reset4 reset;

		if (ip + sizeof(reset) > end)
			return -1;
		build_reset4(syn, &reset);
		__builtin_memcpy(ip, &reset, sizeof(reset));
		len = syn->l3_offset + sizeof(reset);
	} else {
		struct rg_reset6 reset;

		if (ip + sizeof(reset) > end)
			return -1;
		build_reset6(syn, &reset);
		__builtin_memcpy(ip, &reset, sizeof(reset));
		len = syn->l3_offset + sizeof(reset);
	}
	swap_macs(eth);
	return bpf_xdp_adjust_tail(ctx, (int)(len - syn->frame_len));
}

#endif
