/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading and writing a few bytes of a frame, in its first buffer or in others. offset: within
 * MAX_L3_OFFSET, for the verifier.
 */
#ifndef REPGATE_FRAME_BPF_H
#define REPGATE_FRAME_BPF_H

#include "vmlinux.h"

#include "compiler.bpf.h"
#include "config.bpf.h"
#include "parse.bpf.h"

/* Bytes of all buffers. */
static __always_inline __u32 frame_length(struct xdp_md *ctx)
{
	return rg_config.can_hold ? (__u32)bpf_xdp_get_buff_len(ctx) : ctx->data_end - ctx->data;
}

#define FRAME_OFFSET_MASK 63 /* more than MAX_L3_OFFSET */
_Static_assert(MAX_L3_OFFSET <= FRAME_OFFSET_MASK, "offsets of frame_at()");

/* Where the bytes are. Opaque: the verifier wants the very pointer that is used compared with the end. */
static __always_inline void *frame_at(const struct xdp_md *ctx, __u32 offset)
{
	void *at;

	keep_check(&offset);
	at = (void *)(long)ctx->data + (offset & FRAME_OFFSET_MASK);
	asm volatile("" : "+r"(at));
	return at;
}

/* 0, or negative: the bytes are not there, or only in another buffer, which this kernel can't read. */
static __always_inline int read_frame(struct xdp_md *ctx, __u32 offset, void *to, __u32 size)
{
	void *at = frame_at(ctx, offset);

	if (likely(at + size <= (void *)(long)ctx->data_end)) {
		__builtin_memcpy(to, at, size);
		return 0;
	}
	return rg_config.can_hold ? (int)bpf_xdp_load_bytes(ctx, offset, to, size) : -1;
}

/* The same for writing. */
static __always_inline int write_frame(struct xdp_md *ctx, __u32 offset, void *from, __u32 size)
{
	void *at = frame_at(ctx, offset);

	if (likely(at + size <= (void *)(long)ctx->data_end)) {
		__builtin_memcpy(at, from, size);
		return 0;
	}
	return rg_config.can_hold ? (int)bpf_xdp_store_bytes(ctx, offset, from, size) : -1;
}

#endif
