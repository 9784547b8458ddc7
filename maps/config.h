/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of the XDP programs. struct rg_config is read-only data, fixed when the program is loaded:
 * the verifier removes the code that this kernel can't run. struct rg_settings is the one entry of the
 * map `settings`. The agent writes it through mmap while packets are judged. So each member is valid by
 * itself, and a reader that gets two members from two moments is still right.
 */
#ifndef REPGATE_MAPS_CONFIG_H
#define REPGATE_MAPS_CONFIG_H

#include "limits.h"
#include "types.h"

/* Raise it with any change of a map's key, value or meaning: the agent then replaces old pins. */
#define RG_LAYOUT_VERSION 20

struct rg_config {
	__u32 can_hold; /* bpf_xdp_load_bytes: Linux 5.18 */
	__u32 pad; /* zero */
};

/* A token bucket's rate, see struct rg_bucket. */
struct rg_token_rate {
	__u64 token_time; /* ns until the bucket gains a token */
	__u64 depth; /* ns until an empty bucket is full: token_time x burst */
};

struct rg_settings {
	/* A cache line: what every SYN needs. */
	__u64 index_seed; /* of all hashes in the index, random: peers choose their addresses; 0: not set */
	__u32 layout; /* RG_LAYOUT_VERSION of the agent that built the maps */
	enum rg_mode mode;
	__u32 index; /* RG_INDEX_IN_FORCE() of each part */
	__u32 exact_per_second; /* SYNs on each CPU; above it hits and attempts are estimated */
	__u16 ports[RG_MAX_PORTS]; /* host order */
	enum rg_action blocked; /* action for local lists */
	enum rg_action unknown; /* hold, pass or drop */
	enum rg_action overload; /* pass or drop: a peer that can't be judged */
	__u8 port_count;
	__u8 tag_dscp; /* 1..63; 0: no action tags */
	__u8 steering; /* 1: connections can reach the responder */
	__u8 bounded; /* 1: a SYN may reach another socket than the responder's: see RG_MAX_UNCONFIRMED */
	__u8 pad; /* zero */
	/* What fewer SYNs need. */
	__u64 heartbeat; /* ns of CLOCK_BOOTTIME, the agent's last sign of life */
	__u64 heartbeat_timeout; /* ns */
	__u64 pending_time; /* ns that a pending mark lasts, longer than any inquiry */
	__u64 bucket_mask4[2]; /* network order: the part of a mapped IPv4 address that has a bucket */
	__u64 bucket_mask6[2]; /* network order: the same of an IPv6 address */
	struct rg_token_rate throttle; /* of each throttled peer or network */
	struct rg_token_rate gates[RG_GATES]; /* of all unknown peers together */
	struct rg_token_rate network_gates[RG_NETWORK_GATES]; /* of those of one network */
	__u32 samples_per_second; /* refusals reported to the agent, on each CPU */
	__u32 round; /* changes with the rules that may lead a SYN elsewhere: proofs of another round are void */
	__u64 pending_since; /* ns of CLOCK_BOOTTIME, the agent's start: marks before it are void, their agent is gone */
};

#endif
