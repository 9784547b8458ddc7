/* SPDX-License-Identifier: GPL-2.0-only */
/* Throttling: a rate of SYNs for each throttled peer or network. */
#ifndef REPGATE_THROTTLE_BPF_H
#define REPGATE_THROTTLE_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "bucket.bpf.h"
#include "compiler.bpf.h"
#include "parse.bpf.h"
#include "stats.bpf.h"

/* The source, cut to throttle_ipv4_prefix or throttle_ipv6_prefix. */
static __always_inline struct rg_addr bucket_key(const struct rg_settings *settings,
						 const struct rg_syn *syn)
{
	const __u64 *mask = syn->version == 4 ? settings->bucket_mask4 : settings->bucket_mask6;
	struct rg_addr key;
	__u64 half[2];

	__builtin_memcpy(half, &syn->source, sizeof(half));
	half[0] &= mask[0];
	half[1] &= mask[1];
	__builtin_memcpy(&key, half, sizeof(key));
	return key;
}

/* 1: the SYN is within the rate, or there was no room for a bucket (counted). 0: it is over the rate. */
__attribute__((noinline)) int take_token(const struct rg_settings *settings, const struct rg_syn *syn)
{
	__u64 now = bpf_ktime_get_boot_ns(); /* not syn->now: a tick may be worth several tokens */
	struct rg_bucket fresh, *bucket;
	struct rg_addr key;

	if (impossible(!settings || !syn))
		return 0;
	key = bucket_key(settings, syn);
	bucket = bpf_map_lookup_elem(&buckets, &key);
	if (!bucket) {
		fresh.full_at = now + settings->throttle.token_time;
		if (!bpf_map_update_elem(&buckets, &key, &fresh, BPF_NOEXIST))
			return 1;
		bucket = bpf_map_lookup_elem(&buckets, &key); /* another CPU was first */
	}
	if (!bucket) {
		count_loss(RG_LOSS_BUCKET_FAILED);
		return 1;
	}
	return take_from(bucket, now, &settings->throttle, 0);
}

#endif
