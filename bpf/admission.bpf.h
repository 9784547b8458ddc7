/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Admission: a flood of spoofed SYNs must not become a flood of DNS queries. The gates are token
 * buckets for all unknown peers together. Over the rate of new peers a first SYN is dropped. A real
 * sender sends it again a second later, and the gate for retransmissions lets that one in. A spoofed SYN
 * is usually not repeated. A SYN that is repeated at once does not count as a retransmission.
 */
#ifndef REPGATE_ADMISSION_BPF_H
#define REPGATE_ADMISSION_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "attempt.bpf.h"
#include "bucket.bpf.h"
#include "compiler.bpf.h"
#include "hash.bpf.h"
#include "parse.bpf.h"
#include "stats.bpf.h"

static __always_inline int passes_gate(const struct rg_settings *settings, enum rg_gate gate,
				       __u64 now)
{
	__u32 key = gate;
	struct rg_bucket *bucket = bpf_map_lookup_elem(&admission, &key);

	if (impossible(!bucket))
		return 0;
	return take_from(bucket, now, &settings->gates[gate]);
}

/* 1: the agent is to judge the peer. 0: it is not, and *action is what is done with the SYN. */
__attribute__((noinline)) int is_admitted(const struct rg_settings *settings,
					  const struct rg_syn *syn, __u32 *action)
{
	if (impossible(!settings || !syn || !action))
		return 0;
	*action = RG_ACTION_DROP;
	if (passes_gate(settings, RG_GATE_NEW, syn->now))
		return 1;
	/* The complement: account_attempt() notes connections by the same hash, with another salt. */
	if (!is_retransmission(hash_source(syn, ~syn_salt(syn)), syn)) {
		count_loss(RG_LOSS_FLOOD_FIRST);
		return 0;
	}
	if (passes_gate(settings, RG_GATE_RETRY, syn->now))
		return 1;
	count_loss(RG_LOSS_FLOOD_RETRY);
	if (settings->overload != RG_ACTION_PASS)
		return 0;
	if (passes_gate(settings, RG_GATE_PASS, syn->now))
		*action = RG_ACTION_PASS;
	else
		count_loss(RG_LOSS_FLOOD_DROP);
	return 0;
}

#endif
