/* SPDX-License-Identifier: GPL-2.0-only */
/* Hashes of connections and of SYNs. */
#ifndef REPGATE_HASH_BPF_H
#define REPGATE_HASH_BPF_H

#include "vmlinux.h"

#include "parse.bpf.h"

static __always_inline __u64 mix(__u64 x)
{
	/* The finalizer of a 64-bit multiplicative hash (Murmur3's constants). */
	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ULL;
	return x ^ (x >> 33);
}

/* Of the source address and whatever tells one connection, or one SYN, from another. */
static __always_inline __u64 hash_source(const struct rg_syn *syn, __u64 salt)
{
	return mix(syn->source_halves[1] + mix(syn->source_halves[0] + mix(salt)));
}

/* What a retransmission repeats and no other SYN of this source has: sequence number and ports. */
static __always_inline __u64 syn_salt(const struct rg_syn *syn)
{
	return (__u64)syn->seq << 32 | (__u32)syn->source_port << 16 | syn->dest_port;
}

#endif
