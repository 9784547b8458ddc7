/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mark for a firewall behind: tag_dscp in the IP header (RFC 2474). A sender may set any DSCP
 * itself, so a SYN that passes without a tag must not carry it: it is cleared then.
 */
#ifndef REPGATE_TAG_BPF_H
#define REPGATE_TAG_BPF_H

#include "config.bpf.h"
#include "parse.bpf.h"

/* The checksum after a 16-bit word changed (RFC 1624, equation 3); any byte order. */
static __always_inline __sum16 resum(__sum16 check, __u16 from, __u16 to)
{
	__u32 sum = (__u16)~check + (__u32)(__u16)~from + to;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* 0, or negative: nothing was written. TCP's checksum does not cover the DSCP. */
__attribute__((noinline)) int set_dscp(struct xdp_md *ctx, const struct rg_syn *syn, __u32 dscp)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u16 word, old;
	__sum16 check;
	__u8 *ip;

	if (!syn ||
	    syn->l3_offset > sizeof(struct ethhdr) + RG_MAX_VLAN_TAGS * sizeof(struct rg_vlan))
		return -1;
	ip = data + syn->l3_offset;
	if ((void *)ip + sizeof(struct iphdr) > end)
		return -1;
	__builtin_memcpy(&old, ip, sizeof(old));
	if (syn->version == 4) {
		ip[1] = (ip[1] & 0x3) | (dscp & 0x3f) << 2;
		__builtin_memcpy(&word, ip, sizeof(word));
		__builtin_memcpy(&check, ip + offsetof(struct iphdr, check), sizeof(check));
		check = resum(check, old, word);
		__builtin_memcpy(ip + offsetof(struct iphdr, check), &check, sizeof(check));
	} else {
		ip[0] = (ip[0] & 0xf0) | (dscp >> 2 & 0xf);
		ip[1] = (ip[1] & 0x3f) | (dscp & 0x3) << 6;
	}
	return 0;
}

static __always_inline int write_tag(struct xdp_md *ctx, const struct rg_settings *settings,
				     const struct rg_syn *syn)
{
	/* 0: the setting was changed this moment, and the verdict will be. */
	return settings->tag_dscp ? set_dscp(ctx, syn, settings->tag_dscp) : -1;
}

/* In monitor mode nothing is written, and nothing should act on tags. */
static __always_inline void clear_tag(struct xdp_md *ctx, const struct rg_settings *settings,
				      const struct rg_syn *syn)
{
	if (settings->tag_dscp && syn->dscp == settings->tag_dscp && settings->mode != RG_MODE_MONITOR)
		set_dscp(ctx, syn, 0);
}

#endif
