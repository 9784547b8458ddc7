/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Token buckets. A bucket is one word: the time at which it is full again. Taking a token moves that
 * time on by token_time. A SYN is over the rate if this would move it further ahead than the bucket is
 * deep; it then takes nothing and writes nothing.
 */
#ifndef REPGATE_BUCKET_BPF_H
#define REPGATE_BUCKET_BPF_H

#include "vmlinux.h"

#include "../maps/layout.h"
#include "stats.bpf.h"

/*
 * Takes a token; now: ns of CLOCK_BOOTTIME. Returns 1 if there was one, else 0. reserve: ns of the bucket's
 * depth that are left to others. Several CPUs at once take what is there between them, and no more.
 */
static __always_inline int take_from(struct rg_bucket *bucket, __u64 now,
				     const struct rg_token_rate *rate, __u64 reserve)
{
	__u64 time = rate->token_time, depth = rate->depth;

	for (int i = 0; i < RG_BUCKET_TRIES; i++) {
		__u64 old = bucket->full_at, from = old;

		if (from < now)
			from = now;
		if (from + time + reserve > now + depth) {
			/*
			 * A little too far ahead: another CPU's clock was ahead. Far too far: the rate
			 * has changed since, and the bucket starts again, empty.
			 */
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
