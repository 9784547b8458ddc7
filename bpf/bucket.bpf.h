/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Token buckets. One is a single word, the time at which it is full again: taking a token moves it
 * on, and what would move it further ahead than the bucket is deep is over the rate. What is refused
 * takes nothing, and writes nothing.
 */
#ifndef REPGATE_BUCKET_BPF_H
#define REPGATE_BUCKET_BPF_H

#include "config.bpf.h"
#include "stats.bpf.h"

/* 1: taken. Several CPUs at once take what is there between them, and no more. */
static __always_inline int take_from(struct rg_bucket *bucket, __u64 now,
				     const struct rg_token_rate *rate)
{
	__u64 time = rate->token_time, depth = rate->depth;

	for (int i = 0; i < RG_BUCKET_TRIES; i++) {
		__u64 old = bucket->full_at, from = old;

		if (from < now)
			from = now;
		if (from + time > now + depth) {
			/* Far ahead: the rate was another one then. A little: another CPU's clock was. */
			if (old > now + depth + RG_NSEC_PER_SEC)
				__sync_val_compare_and_swap(&bucket->full_at, old, now + depth);
			return 0;
		}
		if (__sync_val_compare_and_swap(&bucket->full_at, old, from + time) == old)
			return 1;
	}
	count_loss(RG_LOSS_BUCKET_BUSY);
	return 0;
}

#endif
