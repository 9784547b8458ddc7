/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * n SYNs a minute for each peer or network. A bucket is one word, the time at which it is full again:
 * taking a token moves it on, and what would move it further ahead than the bucket is deep is over
 * the rate. What is refused takes nothing.
 */
#ifndef REPGATE_THROTTLE_BPF_H
#define REPGATE_THROTTLE_BPF_H

#include "config.bpf.h"
#include "parse.bpf.h"
#include "stats.bpf.h"

static __always_inline struct rg_addr bucket_key(const struct rg_settings *settings,
						 const struct rg_syn *syn)
{
	const __u64 *mask = syn->version == 4 ? settings->bucket_mask4 : settings->bucket_mask6;
	struct rg_addr key;
	__u64 half[2];

	__builtin_memcpy(half, &syn->addr, sizeof(half));
	half[0] &= mask[0];
	half[1] &= mask[1];
	__builtin_memcpy(&key, half, sizeof(key));
	return key;
}

/* 1: taken. Several CPUs at once take what is there between them, and no more. */
static __always_inline int take_from(struct rg_bucket *bucket, __u64 now, __u64 time, __u64 depth)
{
	for (int i = 0; i < RG_BUCKET_TRIES; i++) {
		__u64 old = bucket->full_at, from = old;

		if (from < now)
			from = now;
		if (from > now + depth) /* the rate was another one then */
			from = now + depth;
		if (from + time > now + depth)
			return 0;
		if (__sync_val_compare_and_swap(&bucket->full_at, old, from + time) == old)
			return 1;
	}
	count_loss(RG_LOSS_BUCKET_BUSY);
	return 0;
}

/* 1: within the rate. */
__attribute__((noinline)) int take_token(const struct rg_syn *syn)
{
	const struct rg_settings *settings = get_settings();
	struct rg_bucket fresh, *bucket;
	struct rg_addr key;

	if (!settings || !syn)
		return 0; /* can't happen, the verifier wants it */
	key = bucket_key(settings, syn);
	bucket = bpf_map_lookup_elem(&buckets, &key);
	if (!bucket) {
		fresh.full_at = syn->now + settings->token_time;
		if (!bpf_map_update_elem(&buckets, &key, &fresh, BPF_NOEXIST))
			return 1;
		bucket = bpf_map_lookup_elem(&buckets, &key); /* another CPU was first */
	}
	if (!bucket) {
		count_loss(RG_LOSS_BUCKET_FAILED);
		return 1;
	}
	return take_from(bucket, syn->now, settings->token_time, settings->bucket_depth);
}

#endif
