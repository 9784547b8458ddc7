/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counters of the XDP programs, one list for both sides. `stats` is a per-CPU array: first a table
 * class x action, then the same table for refusals that monitor mode let pass, then the losses.
 */
#ifndef REPGATE_MAPS_STATS_H
#define REPGATE_MAPS_STATS_H

#include "types.h"

struct rg_count {
	__u64 packets;
	__u64 attempts; /* connections: the SYNs of one address and port within two minutes are one */
};

/*
 * Everything that is refused, lost or degraded for another reason than a verdict. X(NAME, name, help).
 * The names are those of `repgatectl stats`, of the metrics and of inspect.sh, which has the order too.
 * The help ends with what became of the packet; in monitor mode every packet passes.
 */
#define RG_LOSSES(X)                                                                                    \
	X(BAD_IPV4, bad_ipv4, "IPv4 header malformed, passed")                                          \
	X(BAD_IPV6, bad_ipv6, "IPv6 header malformed, passed; SYN from a v4-mapped source, dropped")    \
	X(BAD_TCP, bad_tcp, "TCP header malformed or cut short, passed")                                \
	X(BAD_LENGTH, bad_length, "SYN shorter than its IP header says, passed")                        \
	X(BAD_CHECKSUM, bad_checksum,                                                                   \
	  "SYN of a refused or unknown peer with a wrong IP or TCP checksum, dropped")                  \
	X(OTHER_MAC, other_mac,                                                                         \
	  "SYN of a refused or unknown peer to another host's MAC address, passed")                     \
	X(NO_HOST, no_host,                                                                             \
	  "refused SYN to a broadcast or multicast address, or to nobody's, dropped without an answer") \
	X(EXT_HEADERS, ext_headers, "SYN behind too many IPv6 extension headers, dropped")              \
	X(VLAN_TAGS, vlan_tags, "more VLAN tags than are walked, dropped")                              \
	X(FRAGMENT_SHORT, fragment_short,                                                               \
	  "first fragment with a part of a TCP header, to a filtered port, dropped")                    \
	X(FRAGMENT_OVERLAP, fragment_overlap, "fragment that would overwrite a TCP header, dropped")    \
	X(FRAGMENT_SYN, fragment_syn, "fragmented SYN to a filtered port, dropped")                     \
	X(RING_FULL, ring_full,                                                                         \
	  "new peer not judged: ring buffer full, passed or dropped by on_overload")                    \
	X(RING_FULL_SAMPLE, ring_full_sample,                                                           \
	  "refusal not logged: ring buffer full, packet not affected")                                  \
	X(SAMPLE_LIMIT, sample_limit, "refusal not logged: rate limit, packet not affected")            \
	X(PENDING_FAILED, pending_failed,                                                               \
	  "new peer not marked pending: map error, judged all the same")                                \
	X(FLOOD_FIRST, flood_first, "flood: first SYN of an unknown peer, dropped")                     \
	X(FLOOD_RETRY, flood_retry,                                                                     \
	  "flood: over the rate for retransmissions, passed or dropped by on_overload")                 \
	X(FLOOD_NETWORK, flood_network,                                                                 \
	  "flood: over the share of its /24 or /48; first SYN dropped, retransmission by on_overload")  \
	X(FLOOD_DROP, flood_drop, "flood: over the rate of on_overload = pass, dropped")                \
	X(HOLD_FLOWS, hold_flows, "SYN not held: too many of this peer are held already, dropped")      \
	X(HOLD_TOO_LONG, hold_too_long, "SYN not held: longer than a held frame may be, dropped")       \
	X(HOLD_COPY, hold_copy, "SYN not held: its bytes could not be copied, dropped")                 \
	X(AGENT_SILENT, agent_silent,                                                                   \
	  "unknown peer not judged: no sign of life from the agent, passed")                            \
	X(RESET_FAILED, reset_failed, "reset could not be built, dropped")                              \
	X(TAG_FAILED, tag_failed, "tag could not be written, dropped")                                  \
	X(RESPONDER_GONE, responder_gone, "tempfail or reject without a responder, reset or dropped")   \
	X(NOT_LOCAL, not_local, "tempfail or reject of a SYN for another host, reset or dropped")       \
	X(UNCONFIRMED, unconfirmed,                                                                     \
	  "tempfail or reject, and earlier ones did not reach the responder, reset or dropped")         \
	X(STEER_FAILED, steer_failed, "connection could not be given to the responder, refused")        \
	X(BUCKET_FAILED, bucket_failed, "no room for a token bucket, passed")                           \
	X(BUCKET_BUSY, bucket_busy, "too many CPUs at one token bucket, dropped")                       \
	X(NO_SETTINGS, no_settings, "no settings, or those of another version, passed")

enum rg_loss {
#define RG_LOSS_ENUM(NAME, name, help) RG_LOSS_##NAME,
	RG_LOSSES(RG_LOSS_ENUM)
#undef RG_LOSS_ENUM
		RG_LOSS_MAX
};

#define RG_STAT_DONE 0 /* + class * RG_ACTION_MAX + action */
#define RG_STAT_MONITORED (RG_STAT_DONE + RG_CLASS_MAX * RG_ACTION_MAX)
#define RG_STAT_LOSSES (RG_STAT_MONITORED + RG_CLASS_MAX * RG_ACTION_MAX)
#define RG_STAT_STEERED (RG_STAT_LOSSES + RG_LOSS_MAX) /* packets: lookups that got the responder */
#define RG_STAT_RELEASED \
	(RG_STAT_STEERED + 1) /* packets: released SYNs for a socket of this host */
#define RG_STAT_RELEASE_SEEN (RG_STAT_RELEASED + 1) /* packets: of these, sk_lookup saw */
#define RG_STAT_MAX (RG_STAT_RELEASE_SEEN + 1)

#endif
