/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of `lists`, `verdicts`, `peers`, `buckets` and `zones`. Times are ns of CLOCK_BOOTTIME, unless
 * the comment says seconds.
 */
#ifndef REPGATE_MAPS_VERDICT_H
#define REPGATE_MAPS_VERDICT_H

#include "limits.h"
#include "types.h"

/*
 * How every value of a trie begins. prefix_len repeats the key's length: a lookup does not tell which
 * entry matched, and below an expired entry the search must go on.
 */
struct rg_lease {
	__u64 expiry; /* 0: never */
	__u32 word; /* depends on the trie */
	__u16 half; /* depends on the trie */
	__u8 prefix_len; /* bits */
	enum rg_class peer_class;
};

/* `lists`: a local entry. Only approved entries, and blocked ones that none of them covers. */
struct rg_list_entry {
	__u64 expiry; /* 0: never */
	__u32 line; /* line in its file */
	__u16 source; /* number of that file, see repgatectl list */
	__u8 prefix_len;
	enum rg_class peer_class; /* RG_CLASS_APPROVED or RG_CLASS_BLOCKED */
};

/* `verdicts`: what zones or countries say of a peer; the part that a SYN needs. */
struct rg_verdict {
	__u64 expiry; /* never 0 */
	__u32 details; /* index into `verdict_details`; no other verdict has it */
	enum rg_action action;
	__u8 zone; /* index into `zones`, or RG_NO_ZONE */
	__u8 prefix_len;
	enum rg_class peer_class;
};

#define RG_NO_ZONE 255

/* `verdict_details`: the part of a verdict that people need. Of a free entry `since` is 0. */
struct rg_verdict_details {
	__u64 hits; /* SYNs that the verdict decided; only XDP counts them, see add_hits() */
	__u32 since; /* seconds: when the peer was judged; a renewed verdict keeps it */
	__u8 code[3]; /* the A record that counted, without its 127 (RFC 5782, 2.1); from zones only */
	enum rg_reason reason;
};

/* `peers`: a peer that may pass, or a peer that the agent is asking about. */
enum rg_peer_state {
	RG_PEER_NONE = 0,
	RG_PEER_CLEAN, /* written by the agent */
	RG_PEER_PENDING, /* written by XDP when it sends the agent the peer */
};

struct rg_peer {
	__u64 expiry; /* pending: then the peer may be asked about again */
	__u64 since;
	enum rg_peer_state state;
	__u32 held; /* flows used so far, may exceed RG_HELD_FLOWS; atomic add by XDP */
	__u32 flows[RG_HELD_FLOWS]; /* hashes of the connections that are held */
	enum rg_reason reason;
	__u8 pad[7]; /* zero */
};

/*
 * `buckets`, `admission`, `networks`: a token bucket, as the time at which it is full again. Each token taken moves
 * that time on by token_time. It is one word, so CPUs that take tokens at once agree by compare-and-swap
 * (the generic cell rate algorithm, ITU-T I.371).
 */
struct rg_bucket {
	__u64 full_at; /* ns of CLOCK_BOOTTIME */
};

/* `networks`: the buckets of the unknown peers of a network, for each gate that has any. */
struct rg_network {
	struct rg_bucket buckets[RG_NETWORK_GATES];
};

/* `host_links`: what decides whether a frame is for this host. */
struct rg_host_link {
	__u8 mac[6];
	__u8 any_mac; /* 1: frames to other MAC addresses are received, too: bridge port, bond, macvlan */
	__u8 pad; /* zero */
};

/* `host_routes`: an entry of the table `local`. */
struct rg_host_route {
	__u32 is_host; /* 1: an address of this host; 0: broadcast, multicast, anycast */
	__u32 round; /* in which the agent read it last */
};

/* `zones`: what the zone numbers of `verdicts` mean. The alias, never the zone's real name. */
struct rg_zone_name {
	char alias[RG_ALIAS_SIZE];
	enum rg_class peer_class; /* of a peer that the zone lists; RG_CLASS_NONE: unused slot */
	__u8 pad[3]; /* zero */
};

#endif
