/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of `lists`, `verdicts`, `peers` and `zones`. Times are ns of CLOCK_BOOTTIME, where they are not
 * said to be seconds.
 */
#ifndef REPGATE_MAPS_VERDICT_H
#define REPGATE_MAPS_VERDICT_H

#include "limits.h"
#include "types.h"

/*
 * How every trie value begins. prefix_len repeats the key's length, because a lookup does not tell
 * which entry matched, and the search must go on below an expired one.
 */
struct rg_lease {
	__u64 expiry; /* 0: for good */
	__u32 word; /* each kind's own */
	__u16 half; /* each kind's own */
	__u8 prefix_len; /* bits */
	enum rg_class peer_class;
};

/* `lists`: a local entry. Only approved entries, and blocked ones that none of them covers. */
struct rg_list_entry {
	__u64 expiry; /* 0: for good */
	__u32 line; /* line in its file */
	__u16 source; /* number of that file, see repgatectl list */
	__u8 prefix_len;
	enum rg_class peer_class; /* RG_CLASS_APPROVED or RG_CLASS_BLOCKED */
};

/* `verdicts`: what the zones or the countries said of a peer, as far as its SYN needs it. */
struct rg_verdict {
	__u64 expiry; /* never 0 */
	__u32 details; /* index into `verdict_details`, of this verdict alone */
	enum rg_action action;
	__u8 zone; /* index into `zones`; RG_NO_ZONE if no zone said it */
	__u8 prefix_len;
	enum rg_class peer_class;
};

#define RG_NO_ZONE 255

/* `verdict_details`: what people want to know of it. What is free is not zeroed. */
struct rg_verdict_details {
	__u64 hits; /* SYNs that met it; XDP alone counts here, see bpf/verdict.bpf.h */
	__u32 since; /* when the peer was judged, in s; a renewed verdict keeps it */
	__u8 code[3]; /* the A record that counted, without its 127 (RFC 5782, 2.1); of zones only */
	enum rg_reason reason;
};

/* `peers`: a peer that may pass, or one that is being asked about. */
enum rg_peer_state {
	RG_PEER_NONE = 0,
	RG_PEER_CLEAN, /* written by the agent */
	RG_PEER_PENDING, /* written by XDP when it tells the agent */
};

struct rg_peer {
	__u64 expiry; /* pending: when the peer may be asked about again */
	__u64 since;
	enum rg_peer_state state;
	__u32 held; /* flows taken so far, may pass RG_HELD_FLOWS; atomic add by XDP */
	__u32 flows[RG_HELD_FLOWS]; /* hashes of the connections that are held */
	enum rg_reason reason;
	__u8 pad[7]; /* zero */
};

/*
 * `buckets`: the token bucket of a throttled peer or network. It is full when nothing has been taken
 * for so long, and each token taken moves that moment on by token_time: one word, so that CPUs which
 * take at once agree by compare-and-swap (the generic cell rate algorithm, ITU-T I.371).
 */
struct rg_bucket {
	__u64 full_at; /* ns of CLOCK_BOOTTIME */
};

/* `zones`: what the zone numbers of `verdicts` mean. The alias, never the zone's real name. */
struct rg_zone_name {
	char alias[RG_ALIAS_SIZE];
	enum rg_class peer_class; /* what its listing makes of a peer; RG_CLASS_NONE: unused slot */
	__u8 pad[3]; /* zero */
};

#endif
