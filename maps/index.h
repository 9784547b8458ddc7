/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index: what the tries say, laid out so that a packet from a listed host touches one cache line.
 * It has three parts: local lists, hosts, which are `verdicts`, and the clean peers of `peers`. It is
 * derived: user space writes it through mmap after the trie (userspace/index/index.c), and where it does not
 * know, it says "ask" and the trie answers.
 *
 * A part has a header, which lies in `presence`, and an array of lines of 64 bytes:
 *
 *   nets4      two bits for each IPv4 /24, enum rg_index_net; only if the header says so
 *   hosts4     buckets of sixteen slots of four bytes, one for each IPv4 host
 *   nets6      buckets of four keys and their four words, one for each IPv6 /64
 *
 * What a slot says takes 14 bits, its payload: the time until which it is certainly alive, and a number
 * into the header's answers. A bucket whose slots are all taken goes on in the next one; after so many
 * as the header says: ask. A slot that becomes free where a search may have to go past it is marked as
 * free but not as empty.
 *
 * A slot of hosts4 has 18 bits of the address, mixed so that nothing is lost; the others follow from
 * the bucket. Most hosts lie in one of the two slots that the search begins with, their pair.
 *
 * Local lists come before hosts, and hosts before peers. So that a host or a peer need not be looked
 * for in the lists too, its answer says whether they have anything near it.
 *
 * `presence`, one for all parts, saves most looks for what is not there: it has filters of IPv4 hosts and
 * peers, a bit for each /23 that a list touches, and bits of all parts for each IPv6 /32 (by hash) and
 * /16. A bit too many costs a look, no more.
 *
 * Slots are written and read as a whole, so a reader sees the old answer or the new one. Times count
 * from the header's epoch. It moves on in steps: first every slot is written anew, for the new epoch,
 * for which it says less than it should; then the epoch. So a reader has to read the epoch first.
 */
#ifndef REPGATE_MAPS_INDEX_H
#define REPGATE_MAPS_INDEX_H

#include "types.h"

enum rg_index_part { RG_INDEX_LISTS = 0, RG_INDEX_HOSTS, RG_INDEX_PEERS, RG_INDEXES };

/*
 * A part has two places, each of them an element of the map `indexes`, a header and filters: a new index
 * comes into the one that is not in force. settings.index has a byte for each part: the lowest bits say
 * which place is in force (1 or 2; 0: none, the trie answers), the others how many filters it has: 2^n.
 */
#define RG_INDEX_BANKS 8 /* of all parts; a power of two */
#define RG_INDEX_BANK(part, which) (2 * (part) + (which))
#define RG_INDEX_IN_FORCE(part, which, filter_bits) \
	((1U + (which) + ((filter_bits) << 2)) << 8 * (part))

#define RG_INDEX_WORDS 8

struct rg_index_line {
	union {
		__u64 words[RG_INDEX_WORDS];
		__u32 hosts[2 * RG_INDEX_WORDS]; /* two in a word */
	};
};

#define RG_INDEX_ANSWERS 14

struct rg_index_header {
	__u64 epoch; /* from which times count, units of 2^33 ns of CLOCK_BOOTTIME */
	__u64 seed; /* settings.index_seed */
	__u32 hosts4; /* first line */
	__u32 buckets4; /* 0: there are no hosts */
	__u32 nets6;
	__u32 buckets6;
	__u16 answers[RG_INDEX_ANSWERS]; /* what payloads mean */
	__u8 probes4; /* buckets of a search, RG_INDEX_PROBES at most */
	__u8 nets4; /* not 0: there is one, from line 0 on */
	__u8 other4; /* not 0: there are IPv4 entries that are neither hosts nor in nets4: ask */
	__u8 pad; /* zero */
};

#define RG_INDEX_NET4_BITS 24
#define RG_INDEX_NEAR4_BITS 23
#define RG_INDEX_NET6_BITS 19
#define RG_INDEX_WIDE6_BITS 16

/* In nets6 and wide6 bit `part`: look; bit RG_INDEX_ASKS + part: ask. */
#define RG_INDEX_ASKS RG_INDEXES
#define RG_INDEX_ASK_ALL (((1U << RG_INDEXES) - 1) << RG_INDEX_ASKS)

/*
 * Bloom filters (Bloom, CACM 13(7), 1970), each address in one word: three bits of 64. With ten hosts
 * for each word one of 20 other addresses is looked for in vain, with a million hosts one of 30. Those
 * of a /24 share a word, so that a crowded network is no burden to others.
 */
#define RG_INDEX_FILTER_BITS 17 /* at most: 1 MiB, for which the second level cache has room */
#define RG_INDEX_FILTERS (1 << RG_INDEX_FILTER_BITS)
#define RG_INDEX_FILTER_HOSTS 10
/* Places of hosts and of peers; lists have no filters. */
#define RG_INDEX_FILTERED (RG_INDEX_BANK(RG_INDEX_PEERS, 2) - RG_INDEX_BANK(RG_INDEX_HOSTS, 0))

struct rg_index_presence {
	struct rg_index_header headers[RG_INDEX_BANKS];
	__u64 filters4[RG_INDEX_FILTERED][RG_INDEX_FILTERS];
	__u64 near4[(1 << RG_INDEX_NEAR4_BITS) / 64]; /* IPv4 /23s that a list touches, lowest bit first */
	__u8 nets6[1 << RG_INDEX_NET6_BITS]; /* hashes of IPv6 /32s, see rg_index_net6() */
	__u8 wide6[1 << RG_INDEX_WIDE6_BITS]; /* IPv6 /16s that an entry shorter than /32 touches */
};

/* nets4 of a part: 32 /24s in a word. */
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

/* A slot of hosts4: key, then payload. No key is 0: whose would be, is left to the trie. */
#define RG_INDEX_KEY4_BITS 18
#define RG_INDEX_KEY4_MASK ((1U << RG_INDEX_KEY4_BITS) - 1)
#define RG_INDEX_KEY4_SHIFT RG_INDEX_PAYLOAD_BITS
#define RG_INDEX_PAIRS RG_INDEX_WORDS
/* With fewer buckets a key does not tell one host from another; each probe wants so many more. */
#define RG_INDEX_BUCKETS4_MIN (1U << (32 - RG_INDEX_KEY4_BITS))

/* A word of nets6: a hash of the /64 in the upper half, then payload. */
#define RG_INDEX_CHECK6_SHIFT 32

/* Of a slot that is free, but not empty; payloads of others are larger. */
#define RG_INDEX_TOMBSTONE 1U

/*
 * A payload: a number, 1 for the first of the header's answers, then the time until which it is
 * certainly alive: eight bits, and how far they and the epoch are shifted, so that what lasts longer is
 * rounded down by 1 % or so.
 */
#define RG_INDEX_PAYLOAD_BITS 14
#define RG_INDEX_PAYLOAD_MASK ((1U << RG_INDEX_PAYLOAD_BITS) - 1)
#define RG_INDEX_CODE_SHIFT 10
#define RG_INDEX_CODE_ASK (RG_INDEX_ANSWERS + 1)
#define RG_INDEX_TIME_MASK ((1U << RG_INDEX_CODE_SHIFT) - 1)
#define RG_INDEX_FOREVER RG_INDEX_TIME_MASK
#define RG_INDEX_LATEST (RG_INDEX_FOREVER - 1)
#define RG_INDEX_UNIT_SHIFT 33
#define RG_INDEX_COUNT_BITS 8
#define RG_INDEX_COUNT_MASK ((1U << RG_INDEX_COUNT_BITS) - 1)
/* 8.6 s up to 37 min, 34 s up to 2.4 h, 275 s up to 19.5 h, 37 min up to 6.5 days. */
#define RG_INDEX_SCALES 4
#define RG_INDEX_SCALE(scale) (0x8520U >> (scale)*4 & 15)

/* An answer: class, action and zone. Never 0 or 1, as class is not NONE. */
#define RG_INDEX_CLASS_SHIFT 10
#define RG_INDEX_ACTION_SHIFT 6
#define RG_INDEX_ZONE_MASK 63
#define RG_INDEX_NO_ZONE 63

#define RG_INDEX_ANSWER_MASK ((1U << 14) - 1)
#define RG_INDEX_CHECK_LISTS (1U << 14) /* of a host: the local lists may have something to say */

/* The answer of a clean peer; everything else in that part is a verdict. */
#define RG_INDEX_CLEAN                                                                      \
	(RG_CLASS_CLEAN << RG_INDEX_CLASS_SHIFT | RG_ACTION_PASS << RG_INDEX_ACTION_SHIFT | \
	 RG_INDEX_NO_ZONE)

/* What a lookup returns besides an answer. */
#define RG_INDEX_NONE 0
#define RG_INDEX_ASK 1

/* Until when a payload that is not for ever is alive, units of 2^33 ns of CLOCK_BOOTTIME. */
static inline __u64 rg_index_until_units(__u32 payload, __u64 epoch)
{
	__u32 shift = RG_INDEX_SCALE(payload >> RG_INDEX_COUNT_BITS & (RG_INDEX_SCALES - 1));

	return ((epoch >> shift) + (payload & RG_INDEX_COUNT_MASK)) << shift;
}

/* Two rounds: after one, addresses in a row would crowd some buckets. */
static inline __u32 rg_index_hash(__u64 key)
{
	key = (key ^ key >> 32) * 0x9e3779b97f4a7c15ULL;
	return (__u32)(((key ^ key >> 32) * 0xd6e8feb86659fd93ULL) >> 32);
}

/* The upper bits make a bucket's number; see userspace/index/index_table.c for the way back. */
static inline __u32 rg_index_mix4(__u32 addr, __u64 seed)
{
	addr ^= (__u32)seed;
	addr = (addr ^ addr >> 16) * 0x7feb352dU;
	addr = (addr ^ addr >> 15) + (__u32)(seed >> 32);
	addr *= 0x846ca68bU;
	return addr ^ addr >> 16;
}

/* Where an IPv4 address is in rg_index_presence.near4. */
static inline __u32 rg_index_near4(__u32 addr)
{
	return addr >> (32 - RG_INDEX_NEAR4_BITS);
}

/* Which of 2^bits filters, one at least, an IPv4 address is in. */
static inline __u32 rg_index_filter_of(__u32 addr, __u64 seed, __u32 bits)
{
	return ((addr >> 8 ^ (__u32)(seed >> 16)) * 0x9e3779b1U) >> (32 - bits);
}

/* Its bits there. hash: rg_index_mix4() */
static inline __u64 rg_index_filter_bits(__u32 hash)
{
	return 1ULL << (hash & 63) | 1ULL << (hash >> 6 & 63) | 1ULL << (hash >> 12 & 63);
}

/* Which of so many buckets. */
static inline __u32 rg_index_home(__u32 hash, __u32 buckets)
{
	return (__u32)((__u64)hash * buckets >> 32);
}

/* Where an IPv6 /32, host order, is in rg_index_presence.nets6. */
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
