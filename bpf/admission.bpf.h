/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Admission: a flood of spoofed SYNs must not become a flood of DNS queries. The gates are token
 * buckets for all unknown peers together. Over the rate of new peers a first SYN is dropped. A real
 * sender sends it again a second later, and the gate for retransmissions lets that one in. A spoofed SYN
 * is usually not repeated. A SYN that is repeated at once does not count as a retransmission.
 *
 * One network must not use up the tokens of all. So the last half of each gate's bucket is kept for networks
 * (IPv4 /24, IPv6 /48) that are within a rate of their own. As long as more than half is left, nobody pays for
 * that, and a network may take what others do not need.
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

/* reserve: see take_from() */
static __always_inline int passes_gate(const struct rg_settings *settings, enum rg_gate gate,
				       __u64 now, __u64 reserve)
{
	__u32 key = gate;
	struct rg_bucket *bucket = bpf_map_lookup_elem(&admission, &key);

	if (impossible(!bucket))
		return 0;
	return take_from(bucket, now, &settings->gates[gate], reserve);
}

#define NETWORK4 bpf_htonl(~0U << (32 - RG_NETWORK_BITS4))
#define NETWORK6 bpf_cpu_to_be64(~0ULL << (64 - RG_NETWORK_BITS6))

/* The source's network. By a secret seed: who forges addresses must not hit the bucket of a certain network. */
static __always_inline struct rg_network *find_network(const struct rg_settings *settings,
						       const struct rg_syn *syn)
{
	__u64 network = syn->version == 4 ? syn->source_words[RG_ADDR_V4_OFFSET / 4] & NETWORK4 :
					    syn->source_halves[0] & NETWORK6;
	__u32 key = mix(network ^ settings->index_seed) & (RG_NETWORKS - 1);

	return bpf_map_lookup_elem(&networks, &key);
}

enum rg_passed { RG_PASSED, RG_OVER_RATE, RG_OVER_NETWORK };

/*
 * Takes a token of a gate that networks share, RG_GATE_NEW or RG_GATE_RETRY. Returns enum rg_passed. A
 * global function: the verifier walks it once for both gates.
 */
__attribute__((noinline)) int pass_shared_gate(const struct rg_settings *settings,
					       const struct rg_syn *syn, __u32 gate)
{
	struct rg_network *network;

	if (impossible(!settings || !syn || gate >= RG_NETWORK_GATES))
		return RG_OVER_RATE;
	if (likely(passes_gate(settings, gate, syn->now, settings->gates[gate].depth / 2)))
		return RG_PASSED;
	network = find_network(settings, syn);
	if (impossible(!network) ||
	    !take_from(&network->buckets[gate], syn->now, &settings->network_gates[gate], 0))
		return RG_OVER_NETWORK;
	return passes_gate(settings, gate, syn->now, 0) ? RG_PASSED : RG_OVER_RATE;
}

enum rg_admitted {
	RG_NOT_ADMITTED, /* the agent does not judge the peer; *action is what is done with the SYN */
	RG_ADMITTED,
	RG_ADMITTED_RETRY, /* a retransmission: the agent asks about it before others */
};

/* Whether the agent is to judge the peer. Returns enum rg_admitted. */
__attribute__((noinline)) int is_admitted(const struct rg_settings *settings,
					  const struct rg_syn *syn, __u32 *action)
{
	int passed;

	if (impossible(!settings || !syn || !action))
		return RG_NOT_ADMITTED;
	*action = RG_ACTION_DROP;
	passed = pass_shared_gate(settings, syn, RG_GATE_NEW);
	if (passed == RG_PASSED)
		return RG_ADMITTED;
	/* The complement: account_attempt() notes connections by the same hash, with another salt. */
	if (!is_retransmission(hash_source(syn, ~syn_salt(syn)), syn)) {
		count_loss(passed == RG_OVER_NETWORK ? RG_LOSS_FLOOD_NETWORK : RG_LOSS_FLOOD_FIRST);
		return RG_NOT_ADMITTED;
	}
	passed = pass_shared_gate(settings, syn, RG_GATE_RETRY);
	if (passed == RG_PASSED)
		return RG_ADMITTED_RETRY;
	count_loss(passed == RG_OVER_NETWORK ? RG_LOSS_FLOOD_NETWORK : RG_LOSS_FLOOD_RETRY);
	if (settings->overload != RG_ACTION_PASS)
		return RG_NOT_ADMITTED;
	if (passes_gate(settings, RG_GATE_PASS, syn->now, 0))
		*action = RG_ACTION_PASS;
	else
		count_loss(RG_LOSS_FLOOD_DROP);
	return RG_NOT_ADMITTED;
}

#endif
