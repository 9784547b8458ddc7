/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index: what the tries say, laid out so that a packet touches two cache lines. It has two parts:
 * local lists, and hosts, which are `verdicts` and the clean peers of `peers`; nobody is in both. It is
 * derived: user space writes it through mmap after the trie (userspace/index.c), and where it does not
 * know, it says "ask" and the trie answers.
 *
 * First `seen`, one for both: two bits for each IPv4 /24, a byte for each IPv6 /32 (by hash) and /16.
 * They say in which part there is anything, so that nothing more is read for most addresses. A bit too
 * many costs a look, no more.
 *
 * Then the part, an array of lines of 64 bytes:
 *
 *   line 0     the header
 *   nets4      two bits for each IPv4 /24, enum rg_index_net; only if the header names it
 *   hosts4     buckets of eight words, one for each IPv4 host
 *   nets6      buckets of four keys and their four words, one for each IPv6 /64
 *
 * A word is the address (of a /64: a hash of it), the time until which it is certainly alive, and
 * what it says. A bucket whose slots are all taken goes on in the next one; after RG_INDEX_PROBES of
 * them: ask. A slot that becomes free in a full bucket is marked as free but not as empty, for as
 * long as a search may have to go past it.
 *
 * Words are written and read as a whole, so a reader sees the old answer or the new one.
 */
#ifndef REPGATE_MAPS_INDEX_H
#define REPGATE_MAPS_INDEX_H

#include "types.h"

/* Keys of the map `indexes`; the trie answers unless settings.index has the part's bit. */
enum rg_index_part { RG_INDEX_LISTS = 0, RG_INDEX_HOSTS, RG_INDEXES };

#define RG_INDEX_WORDS 8

struct rg_index_line {
	__u64 words[RG_INDEX_WORDS];
};

/* Line 0, padded to a line. */
struct rg_index_header {
	__u64 epoch; /* ns of CLOCK_BOOTTIME from which words count */
	__u64 seed; /* of the buckets' numbers: peers choose their addresses */
	__u32 hosts4; /* first line */
	__u32 hosts4_mask; /* buckets - 1; their number is a power of two */
	__u32 nets6;
	__u32 nets6_mask;
	__u32 nets4; /* first line, 0: there is none */
	__u32 other4; /* not 0: there are IPv4 entries that are neither hosts nor in nets4: ask */
	__u32 pad[6]; /* zero */
};

#define RG_INDEX_NET4_BITS 24
#define RG_INDEX_NET6_BITS 19
#define RG_INDEX_WIDE6_BITS 16

/* In nets4 bit `part` of two: look. In nets6 and wide6 also bit RG_INDEX_ASKS + part: ask. */
#define RG_INDEX_ASKS RG_INDEXES
#define RG_INDEX_ALL ((1U << RG_INDEXES) - 1)

struct rg_index_seen {
	__u64 nets4[(1 << RG_INDEX_NET4_BITS) / 32]; /* IPv4 /24s, the lowest two bits first */
	__u8 nets6[1 << RG_INDEX_NET6_BITS]; /* hashes of IPv6 /32s, see rg_index_net6() */
	__u8 wide6[1 << RG_INDEX_WIDE6_BITS]; /* IPv6 /16s that an entry shorter than /32 touches */
};

/* nets4 of a part: 32 /24s in a word. */
#define RG_INDEX_TABLES 1 /* the line after the header */
#define RG_INDEX_NETS4_LINES (1 << (RG_INDEX_NET4_BITS + 1 - 9))
#define RG_INDEX_NET_LINE(net) ((net) >> 8)
#define RG_INDEX_NET_WORD(net) ((net) >> 5 & 7)
#define RG_INDEX_NET_SHIFT(net) (((net)&31) * 2)

/* Two bits of nets4: what the longest prefix up to /24 says of the whole /24. */
enum rg_index_net {
	RG_INDEX_NET_NONE = 0,
	RG_INDEX_NET_APPROVED,
	RG_INDEX_NET_BLOCKED,
	RG_INDEX_NET_ASK
};

#define RG_INDEX_PROBES 4

/* A word: key in the upper half, then the time in units of 2^32 ns (4.3 s), then the answer. */
#define RG_INDEX_KEY_SHIFT 32
#define RG_INDEX_TIME_SHIFT 14
#define RG_INDEX_TIME_BITS 18
#define RG_INDEX_FOREVER ((1U << RG_INDEX_TIME_BITS) - 1)
#define RG_INDEX_LATEST (RG_INDEX_FOREVER - 1) /* alive until then at least: 13 days from epoch */
#define RG_INDEX_UNIT_SHIFT 32
#define RG_INDEX_ANSWER_MASK ((1U << RG_INDEX_TIME_SHIFT) - 1)
#define RG_INDEX_FREED 1ULL /* no key is 0: a slot that is free, but not empty */

/* An answer: class, action and zone. Never 0 or 1, as class is neither NONE nor above 15. */
#define RG_INDEX_CLASS_SHIFT 10
#define RG_INDEX_ACTION_SHIFT 6
#define RG_INDEX_ZONE_MASK 63
#define RG_INDEX_NO_ZONE 63

/* The answer of a clean peer; everything else in that part is a verdict. */
#define RG_INDEX_CLEAN                                                                      \
	(RG_CLASS_CLEAN << RG_INDEX_CLASS_SHIFT | RG_ACTION_PASS << RG_INDEX_ACTION_SHIFT | \
	 RG_INDEX_NO_ZONE)

/* What a lookup returns besides an answer. */
#define RG_INDEX_NONE 0
#define RG_INDEX_ASK 1

/* Two rounds: after one, addresses in a row would crowd some buckets. */
static inline __u32 rg_index_hash(__u64 key)
{
	key = (key ^ key >> 32) * 0x9e3779b97f4a7c15ULL;
	return (__u32)(((key ^ key >> 32) * 0xd6e8feb86659fd93ULL) >> 32);
}

/* Where an IPv6 /32, host order, is in rg_index_seen.nets6. */
static inline __u32 rg_index_net6(__u32 net)
{
	return rg_index_hash(net) >> (32 - RG_INDEX_NET6_BITS);
}

/* The half of a /64's word that stands for it; never 0. key: the address's first 64 bits, host order. */
static inline __u32 rg_index_check6(__u64 key)
{
	return rg_index_hash(key * 0xff51afd7ed558ccdULL) | 1;
}

#endif
