/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The checksums of a SYN. A host drops a SYN whose checksum is wrong, so nothing may answer it or act on
 * it. Only SYNs of refused and of unknown peers are checked: the kernel checks the others.
 *
 * A sender on the same machine (veth, virtio) may leave the TCP checksum unfinished: the field then has
 * the sum of the pseudo header alone (Documentation/networking/checksum-offloads.rst). XDP can't tell such
 * a frame from one that came over a wire like this, so the checksum is finished. Both are right then.
 */
#ifndef REPGATE_CHECKSUM_BPF_H
#define REPGATE_CHECKSUM_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"
#include "config.bpf.h"
#include "frame.bpf.h"
#include "parse.bpf.h"

enum rg_checksum { RG_CHECKSUM_RIGHT, RG_CHECKSUM_UNFINISHED, RG_CHECKSUM_WRONG };

#define SUM_CHUNK ((__u32)sizeof(struct rg_chunk)) /* bytes that are added at once */
#define SUM_CHUNKS 144 /* a jumbo frame */
#define SUM_MOST (SUM_CHUNKS * SUM_CHUNK)
#define SUM_WORDS 15 /* of 4 bytes, of a header with all its options */
#define SUM_RIGHT 0xffffU /* of a packet with its checksum */
#define TCP_CHECK_AT 16 /* the field's place in the TCP header */

/* The one's complement sum in 16 bits (RFC 1071), 0 as 0xffff; in either byte order. */
static __always_inline __u32 fold_sum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum ? sum : SUM_RIGHT;
}

/* The folded sum of len bytes of the frame, from offset on. run: enum rg_run. Negative: they can't be read. */
__attribute__((noinline)) int sum_frame(struct xdp_md *ctx, __u32 offset, __u32 len, __u32 run)
{
	__u32 sum = 0, size;
	struct rg_chunk *chunk = bpf_map_lookup_elem(&chunks, &run);

	if (impossible(!chunk) || len > SUM_MOST)
		return -1;
	for (int i = 0; i < SUM_CHUNKS && len >= SUM_CHUNK; i++) {
		if (bpf_xdp_load_bytes(ctx, offset, chunk, SUM_CHUNK))
			return -1;
		sum = bpf_csum_diff(NULL, 0, (void *)chunk, SUM_CHUNK, sum);
		offset += SUM_CHUNK;
		len -= SUM_CHUNK;
	}
	if (!len)
		return fold_sum(sum);
	__builtin_memset(chunk, 0, sizeof(*chunk));
	/* Linux 6.1 concludes from "size is not 0" nothing about its minimum: 1 to SUM_CHUNK by a mask. */
	size = len - 1;
	keep_check(&size);
	size = (size & (SUM_CHUNK - 1)) + 1;
	if (bpf_xdp_load_bytes(ctx, offset, chunk, size))
		return -1;
	return fold_sum(bpf_csum_diff(NULL, 0, (void *)chunk, SUM_CHUNK, sum));
}

/* The sum of len bytes, if they are whole words of the first buffer, and not too many. Negative: they are not. */
static __always_inline __s64 sum_in_place(const struct xdp_md *ctx, __u32 offset, __u32 len)
{
	void *end = (void *)(long)ctx->data_end;
	__u32 words = len / 4;
	__u64 sum = 0;
	void *at, *next;

	if (len % 4 || words > SUM_WORDS || offset > FRAME_OFFSET_MASK)
		return -1;
	at = frame_at(ctx, offset);
	for (__u32 i = 0; i < SUM_WORDS; i++) {
		if (i >= words)
			break;
		next = at + 4;
		asm volatile(""
			     : "+r"(next)); /* else clang computes end - 4, which the verifier refuses */
		if (next > end)
			return -1;
		sum += *(const __u32 *)at;
		at = next;
	}
	return sum;
}

/* The folded sum of a part of the frame. A SYN without data has it in place. Negative: it can't be read. */
static __always_inline int sum_part(struct xdp_md *ctx, __u32 offset, __u32 len, __u32 run)
{
	__s64 sum = sum_in_place(ctx, offset, len);

	return likely(sum >= 0) ? (int)fold_sum(sum) : sum_frame(ctx, offset, len, run);
}

/* Of the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1): both families' sums have the same form. */
static __always_inline __u64 sum_pseudo_header(const struct rg_syn *syn)
{
	__u64 sum = bpf_htons(IPPROTO_TCP) + bpf_htonl(syn->tcp_len);
	__u32 words[8];

	__builtin_memcpy(words, &syn->source, 16);
	__builtin_memcpy(words + 4, &syn->dest, 16);
	for (int i = 0; i < 8; i++)
		sum += words[i];
	/* A mapped IPv4 address has a word ::ffff: in front, which adds nothing to such a sum. */
	return sum;
}

/* Returns enum rg_checksum. Kernels before 5.18 lack the helper: there each checksum counts as right. */
__attribute__((noinline)) int check_sums(struct xdp_md *ctx, const struct rg_syn *syn)
{
	__u64 pseudo;
	__u16 check;
	int sum;

	if (impossible(!syn))
		return RG_CHECKSUM_WRONG;
	if (!rg_config.can_hold)
		return RG_CHECKSUM_RIGHT;
	if (syn->version == 4 &&
	    sum_part(ctx, syn->l3_offset, syn->tcp_offset - syn->l3_offset, syn->run) != SUM_RIGHT)
		return RG_CHECKSUM_WRONG;
	sum = sum_part(ctx, syn->tcp_offset, syn->tcp_len, syn->run);
	if (sum < 0)
		return RG_CHECKSUM_WRONG;
	pseudo = sum_pseudo_header(syn);
	if (fold_sum(pseudo + sum) == SUM_RIGHT)
		return RG_CHECKSUM_RIGHT;
	if (bpf_xdp_load_bytes(ctx, syn->tcp_offset + TCP_CHECK_AT, &check, sizeof(check)))
		return RG_CHECKSUM_WRONG;
	return fold_sum(check) == fold_sum(pseudo) ? RG_CHECKSUM_UNFINISHED : RG_CHECKSUM_WRONG;
}

/* Writes the checksum of a SYN that check_sums() calls unfinished. 0, or negative: nothing is written. */
__attribute__((noinline)) int finish_checksum(struct xdp_md *ctx, const struct rg_syn *syn)
{
	__u16 check;
	__u64 sum;
	int tcp;

	if (impossible(!syn) || !rg_config.can_hold)
		return -1;
	tcp = sum_part(ctx, syn->tcp_offset, syn->tcp_len, syn->run);
	if (tcp < 0 || bpf_xdp_load_bytes(ctx, syn->tcp_offset + TCP_CHECK_AT, &check, sizeof(check)))
		return -1;
	sum = sum_pseudo_header(syn) + tcp + (__u16)~check; /* the field itself counts as 0 */
	check = ~fold_sum(sum);
	return bpf_xdp_store_bytes(ctx, syn->tcp_offset + TCP_CHECK_AT, &check, sizeof(check));
}

/*
 * For a SYN that shall be answered, or asked about: 1, its checksums are right now, an unfinished one has
 * been finished; 0: a host would drop it, and so must the caller.
 */
static __always_inline int make_right(struct xdp_md *ctx, const struct rg_syn *syn)
{
	int sums = check_sums(ctx, syn);

	if (likely(sums == RG_CHECKSUM_RIGHT))
		return 1;
	return sums == RG_CHECKSUM_UNFINISHED && !finish_checksum(ctx, syn);
}

#endif
