/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base types of everything that the XDP programs and the agent share.
 *
 * Rules for this directory: fixed width, biggest member first, padding named, no bool, no bit field, no
 * pointer. A member that holds an enum has its type, so that `bpftool map dump` prints the names.
 */
#ifndef REPGATE_MAPS_TYPES_H
#define REPGATE_MAPS_TYPES_H

#ifndef __bpf__
#include <linux/types.h>
#endif

/*
 * An address, network order. IPv4 is ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), so that one trie and one
 * code path serve both families. 16 bytes, aligned to 4.
 */
struct rg_addr {
	__u8 bytes[16];
};

/* Where the IPv4 part of a mapped address begins; 8 * this is what an IPv4 prefix length gains. */
#define RG_ADDR_V4_OFFSET 12
#define RG_ADDR_BITS 128
#define RG_V4_PREFIX_BITS 96

/* Key of every LPM trie. The kernel wants the length first (BPF_MAP_TYPE_LPM_TRIE). */
struct rg_prefix {
	__u32 len; /* bits, 0..128; an IPv4 prefix counts from 96 */
	struct rg_addr addr; /* network order; bits past len are zero */
};

/*
 * Class, action and reason are one byte each. So an entry of a list or a verdict has 16 bytes, and each
 * of its two nodes in the trie 64 bytes, not 96.
 */

/* What is known of a peer; docs/actions.md lists the actions of each class. */
enum rg_class {
	RG_CLASS_NONE = 0,
	RG_CLASS_APPROVED, /* local lists, countries */
	RG_CLASS_CLEAN, /* zones asked, not listed */
	RG_CLASS_BLOCKED, /* local lists, countries */
	RG_CLASS_STANDARD, /* a zone of kind standard lists it */
	RG_CLASS_QIL, /* a zone of kind qil lists it */
	RG_CLASS_UNKNOWN, /* nothing is known yet */
	RG_CLASS_PENDING, /* an inquiry is under way */
	RG_CLASS_MAX
} __attribute__((packed));

/* What is done to a SYN. */
enum rg_action {
	RG_ACTION_NONE = 0,
	RG_ACTION_PASS,
	RG_ACTION_DROP,
	RG_ACTION_RESET,
	RG_ACTION_TAG, /* passes with tag_dscp in its IP header */
	RG_ACTION_TEMPFAIL, /* passes to the responder, which answers 450 */
	RG_ACTION_REJECT, /* passes to the responder, which answers 550 */
	RG_ACTION_THROTTLE, /* over the rate: dropped; within it: passes, and counts as pass */
	RG_ACTION_HOLD, /* waits until the agent has judged the peer */
	RG_ACTION_MAX
} __attribute__((packed));

/* Why a verdict is what it is. `repgatectl` shows it with the class. */
enum rg_reason {
	RG_REASON_NONE = 0,
	RG_REASON_LIST, /* a local list entry covers the address */
	RG_REASON_COUNTRY, /* a local country entry covers the address's country */
	RG_REASON_ZONE, /* a zone lists the address */
	RG_REASON_NOT_LISTED, /* every zone asked answered "not listed" */
	RG_REASON_DNS_FAILURE, /* a zone did not answer: on_dns_failure decided */
	RG_REASON_NEVER_BLOCK, /* own address, loopback, link-local, resolver */
	RG_REASON_OVERLOAD, /* too much to ask about: on_overload decided */
	RG_REASON_PRIVATE, /* a private address, and private_peers = exempt */
	RG_REASON_MAX
} __attribute__((packed));

enum rg_mode { RG_MODE_NONE = 0, RG_MODE_ENFORCE, RG_MODE_MONITOR };

/* Keys of `admission`: rates of SYNs from unknown peers. */
enum rg_gate {
	RG_GATE_NEW = 0, /* new peers, to the agent */
	RG_GATE_RETRY, /* retransmissions over that rate, to the agent */
	RG_GATE_PASS, /* those over both, to the mail server if on_overload = pass */
	RG_GATES,
	RG_NETWORK_GATES = RG_GATE_PASS /* the first ones have a bucket for each network, too */
};

/* Keys of `responder`: what a listening socket answers, and its family. */
enum rg_responder_socket {
	RG_RESPONDER_TEMPFAIL4 = 0,
	RG_RESPONDER_TEMPFAIL6,
	RG_RESPONDER_REJECT4,
	RG_RESPONDER_REJECT6,
	RG_RESPONDER_SOCKETS
};

#define RG_NSEC_PER_SEC 1000000000ULL

#endif
