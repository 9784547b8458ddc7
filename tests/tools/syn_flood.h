/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What syn_flood and its XDP program share: what the frames look like, and how many were made. */
#ifndef REPGATE_TESTS_SYN_FLOOD_H
#define REPGATE_TESTS_SYN_FLOOD_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define FLOOD_PREFIXES 16 /* power of two */

/* Whole words, so that they are copied as such; the last bytes are Ethernet's padding. */
#define FLOOD_FRAME4 64
#define FLOOD_FRAME6 80

/* Sources: the address, and 1 where its bits are random. Network order; IPv4 in the first 4 bytes. */
struct flood_prefix {
	__u64 addr[2];
	__u64 random[2];
	__u64 version; /* 4 or 6 */
};

/*
 * The template of a family: a SYN whose source address, source port, sequence number and checksums
 * are 0, and the sums (RFC 1071, not folded) of what the checksums cover of it.
 */
struct flood_frame {
	__u64 words[FLOOD_FRAME6 / 8];
	__u32 ip_sum; /* IPv4 */
	__u32 tcp_sum; /* with the pseudo header */
};

struct flood_config {
	struct flood_prefix prefixes[FLOOD_PREFIXES]; /* those that are given, again and again */
	struct flood_frame v4, v6;
	__u64 seed;
	__u64 flows; /* 0: each SYN is new; else so many SYNs, again and again */
	__u64 again; /* 0: no; else each so many SYNs are sent a second time after them */
	__u64 sources; /* in `flood_sources`, taken in turn; 0: out of the prefixes */
	__u64 frame_time; /* ns from one frame to the next; 0: full rate */
	__u32 ifindex;
	__u32 once; /* 1: each IPv4 source of the prefix once, in no order, before any comes again */
};

#endif
