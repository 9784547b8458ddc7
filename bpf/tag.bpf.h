/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tag for a firewall behind repgate: tag_dscp in the IP header (RFC 2474). A sender can set any
 * DSCP itself, so a SYN that passes without a tag must not carry it: the filter clears it.
 */
#ifndef REPGATE_TAG_BPF_H
#define REPGATE_TAG_BPF_H

#include "vmlinux.h"

#include "../maps/layout.h"
#include "compiler.bpf.h"
#include "frame.bpf.h"
#include "parse.bpf.h"

/* The checksum after a 16-bit word changed (RFC 1624, equation 3); in any byte order. */
static __always_inline __sum16 update_checksum(__sum16 check, __u16 from, __u16 to)
{
	__u32 sum = (__u16)~check + (__u32)(__u16)~from + to;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* The beginning of an IP header. */
struct rg_ip_start {
	__u8 bytes[10];
	__sum16 check; /* of IPv4 */
};

/*
 * On a link without an Ethernet header, generic XDP takes the frame's first byte for that of a MAC address.
 * If its group bit changes, the kernel looks for a new Ethernet type where there is none, and the packet is
 * lost (netif_receive_generic_xdp()). Of IPv6 this is the third lowest bit of the DSCP.
 */
static __always_inline int loses_protocol(const struct rg_syn *syn, __u8 before, __u8 after)
{
	return !syn->l3_offset && ((before ^ after) & 1);
}

/* 0, or negative: nothing was written. TCP's checksum does not cover the DSCP. */
__attribute__((noinline)) int set_dscp(struct xdp_md *ctx, const struct rg_syn *syn, __u32 dscp)
{
	struct rg_ip_start ip;
	__u16 word, old;

	if (impossible(!syn || syn->l3_offset > MAX_L3_OFFSET))
		return -1;
	if (impossible(read_frame(ctx, syn->l3_offset, &ip, sizeof(ip)))) /* the parser has read it */
		return -1;
	__builtin_memcpy(&old, ip.bytes, sizeof(old));
	if (syn->version == 4) {
		ip.bytes[1] = (ip.bytes[1] & 0x3) | (dscp & 0x3f) << 2;
		__builtin_memcpy(&word, ip.bytes, sizeof(word));
		ip.check = update_checksum(ip.check, old, word);
	} else {
		__u8 first = (ip.bytes[0] & 0xf0) | (dscp >> 2 & 0xf);

		if (loses_protocol(syn, ip.bytes[0], first))
			return -1;
		ip.bytes[0] = first;
		ip.bytes[1] = (ip.bytes[1] & 0x3f) | (dscp & 0x3) << 6;
	}
	return write_frame(ctx, syn->l3_offset, &ip, sizeof(ip));
}

/* 0, or negative: it can't be written here, or tag_dscp has just changed: the agent changes the verdict too. */
static __always_inline int write_tag(struct xdp_md *ctx, const struct rg_settings *settings,
				     const struct rg_syn *syn)
{
	return settings->tag_dscp ? set_dscp(ctx, syn, settings->tag_dscp) : -1;
}

/*
 * In monitor mode nothing is written, and no firewall should act on tags. 0, or negative: the SYN still has
 * the tag, which its sender has set.
 */
static __always_inline int clear_tag(struct xdp_md *ctx, const struct rg_settings *settings,
				     const struct rg_syn *syn)
{
	if (settings->tag_dscp && syn->dscp == settings->tag_dscp && settings->mode != RG_MODE_MONITOR)
		return set_dscp(ctx, syn, 0);
	return 0;
}

#endif
