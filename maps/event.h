/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of the ring buffer `events`, from XDP to the agent. */
#ifndef REPGATE_MAPS_EVENT_H
#define REPGATE_MAPS_EVENT_H

#include "limits.h"
#include "types.h"

enum rg_event_kind {
	RG_EVENT_NONE = 0,
	RG_EVENT_SYN, /* struct rg_event_syn: a peer to judge, with its SYN if it is held */
	RG_EVENT_REFUSED, /* struct rg_event_head: a refusal, for the log; a sample of them */
};

struct rg_event_head {
	__u64 time; /* ns of CLOCK_BOOTTIME */
	struct rg_addr source; /* whole, also of IPv6 */
	struct rg_addr dest;
	enum rg_event_kind kind;
	__u32 zone; /* index into `zones` or RG_NO_ZONE */
	__u32 ifindex; /* where it arrived */
	__u16 source_port; /* host order */
	__u16 dest_port; /* host order */
	enum rg_class peer_class;
	enum rg_action action;
	__u8 is_retry; /* 1: in a flood, a SYN that came before */
	__u8 pad[1]; /* zero */
	enum rg_mode mode; /* in which XDP decided: with MONITOR, the SYN passed */
};

struct rg_event_syn {
	struct rg_event_head head;
	__u32 frame_len; /* bytes of the frame; 0: none is sent, judge the peer only */
	__u32 seq; /* TCP sequence number, host order: tells a retransmission from a new SYN */
	__u8 frame[RG_FRAME_SIZE]; /* from the Ethernet header on, as it arrived */
};

#endif
