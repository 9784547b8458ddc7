/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every size and bound that both sides must agree on, each with its reason. */
#ifndef REPGATE_MAPS_LIMITS_H
#define REPGATE_MAPS_LIMITS_H

/* Mail ports that one instance filters: 25, 465, 587 and a few private ones. A linear search. */
#define RG_MAX_PORTS 16

/* Zones of one configuration. The verdict's zone number is an index into the `zones` map. */
#define RG_MAX_ZONES 32
#define RG_ALIAS_SIZE 32 /* bytes, NUL included */

/* Entries; the agent sets the configured number before load (max_verdicts, max_peers, max_list). */
#define RG_DEFAULT_VERDICTS 1000000
#define RG_DEFAULT_PEERS 131072
#define RG_DEFAULT_LIST 1000000

/*
 * A held SYN: Ethernet, two VLAN tags, IPv4 and TCP with all their options are 142 bytes; IPv6
 * leaves 70 for extension headers. A longer one (TCP Fast Open data) is judged, not held: it is
 * retransmitted without its data (RFC 7413, 4.1.3).
 */
#define RG_FRAME_SIZE 192

/* 4 MiB are 16,000 held SYNs: a second of a busy host's new peers while the agent restarts. */
#define RG_EVENTS_SIZE (4 * 1024 * 1024)

/* Interfaces and entries of the table `local` that XDP knows. */
#define RG_MAX_LINKS 64
#define RG_MAX_HOST_ROUTES 16384

/*
 * Where a SYN may be led past the responder (destination NAT), so many pass to one address and port until
 * sk_lookup sees one of them. Then one passes after each RG_UNCONFIRMED_TIME.
 */
#define RG_MAX_UNCONFIRMED 8 /* power of two */
#define RG_UNCONFIRMED_TIME (300 * RG_NSEC_PER_SEC)
/*
 * So many if sk_lookup saw one in the last RG_PROVEN_TIME. A card's queue hands over 64 frames at once, and
 * the kernel may look at them later, on another CPU.
 */
#define RG_MAX_UNCONFIRMED_PROVEN 256
#define RG_PROVEN_TIME (60 * RG_NSEC_PER_SEC)
/* Addresses and ports with a bound of their own: power of two. Others share one. */
#define RG_DESTINATIONS 1024

/*
 * SYNs on their way to a socket, and those that have arrived lately. The least recently used is evicted. A
 * socket of the responder lives for 300 s, its SYN and its end may take as long.
 */
#define RG_MAX_TICKETS 65536
#define RG_TICKET_TIME (600 * RG_NSEC_PER_SEC)

/* Interfaces on which sk_lookup counts. */
#define RG_MAX_PATHS 1024

/* Connections of one pending peer that are held. Others wait for their retransmission. */
#define RG_HELD_FLOWS 8

/* Throttled peers or networks. The least recently used is evicted, and starts again with a full bucket. */
#define RG_DEFAULT_BUCKETS 65536

/*
 * Buckets of networks of unknown peers, an IPv4 /24 or an IPv6 /48 each. Networks with the same hash share one:
 * a network that is flooded spoils the share of one in so many others. 1 MiB.
 */
#define RG_NETWORKS 65536 /* power of two */
#define RG_NETWORK_BITS4 24
#define RG_NETWORK_BITS6 48

/* How often a CPU tries to take a token while other CPUs take from the same bucket. */
#define RG_BUCKET_TRIES 16

/* IPv6 extension headers that are walked; senders use none or one (RFC 8504, 5.3 allows a limit). */
#define RG_MAX_EXT_HEADERS 8
/* So many are walked to find out whether a SYN is behind them: a chain of 512 bytes. */
#define RG_MOST_EXT_HEADERS 64

/* Networks use none to two. The kernel removes any number, so with more than the maximum a frame is dropped. */
#define RG_VLAN_TAGS_IN_PLACE 2
#define RG_MAX_VLAN_TAGS 8

/* One attempt = the SYNs of one address and source port within this time (8-11 of Linux in 127 s). */
#define RG_ATTEMPT_SECONDS 120

/*
 * ns. In a flood, a SYN that is repeated earlier is no retransmission. Linux's first comes after 1 s, and the
 * programs' clock may be a tick old.
 */
#define RG_RETRY_TIME 900000000ULL

/* In a flood, one of so many connections or hits counts for all of them. */
#define RG_SAMPLED 256
#define RG_SAMPLED_HITS 16384
/* Up to so many SYNs a second on each CPU all are counted: two cache misses each, 0.2 % of its time. */
#define RG_EXACT_PER_SECOND 10000
/* Of hits fewer: each needs the entry in the trie, which costs 3 to 17 us if the trie is large. */
#define RG_EXACT_HITS(exact_per_second) ((exact_per_second) / 8)

/*
 * 16 MiB remember 4 million SYNs. In a flood of so many SYNs a second, a retransmission after one
 * second is still recognised.
 */
#define RG_ATTEMPT_SETS 262144 /* power of two; x 64 bytes */
#define RG_ATTEMPT_WAYS 16 /* one cache line */

#endif
