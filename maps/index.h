/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index: a second form of `lists`, `verdicts` and `peers`, in which a packet of a listed host
 * touches one cache line. User space derives it: it changes the trie first, then writes the index
 * through mmap (userspace/index/index.c). The index answers what it knows for certain. For anything
 * else it says "ask", and the trie answers.
 *
 *   settings.index          for each part: the bank in force, and how many filters it has
 *      |
 *      v
 *   filters                 most IPv4 lookups end here: nothing there
 *      banks[]              Bloom filters of IPv4 hosts and of clean peers
 *   presence                one value for all parts. Most IPv6 lookups end here
 *      headers[bank]        where the tables begin, the epoch, the answers
 *      near4                a bit for each IPv4 /23 that a local list touches
 *      nets6, wide6         bits of all parts for each IPv6 /32 (by hash) and /16
 *      |
 *      v  something may be there
 *   indexes[bank]           an array of lines; a line has 64 bytes, a cache line
 *      nets4                two bits for each IPv4 /24, enum rg_index_net; local lists only
 *      hosts4               buckets, a line each: 16 slots of 4 bytes, a slot for each IPv4 host
 *      nets6                buckets, a line each: 4 keys and their 4 words, for each IPv6 address or /64
 *
 * A slot of hosts4. A word of nets6 has a check above the same payload:
 *
 *    31               14 13   10    9   8        0
 *   +-------------------+-------+-------+---------+
 *   | key               | code  | scale | count   |
 *   +-------------------+-------+-------+---------+
 *                       |<-------- payload ------>|
 *
 *   code          1 to 14: header.answers[code - 1]; 15: ask
 *   scale, count  the time until which the entry is certainly alive, see RG_INDEX_SCALE
 *
 * Parts. There are three: local lists, hosts (`verdicts`) and clean peers (`peers`). A host's or a
 * peer's answer also says whether a local list has anything near it (RG_INDEX_CHECK_LISTS). If not,
 * the lists, which come first, need not be searched.
 *
 * Hash table. The address is mixed by a function that loses nothing. Its upper bits choose the bucket,
 * its lower 18 are the key: the bucket's number stands for the bits that the slot does not hold
 * (quotienting: Cleary, IEEE Trans. Computers C-33(9), 1984). A search begins at one of the bucket's
 * eight pairs of slots, where most hosts are. A full bucket overflows into the next one, over
 * header.probes4 buckets at most; then the answer is "ask". A slot that becomes free inside such a
 * search becomes a tombstone: free, but it does not end the search.
 *
 * Filters. Most addresses are in none of the parts. Bloom filters (Bloom, CACM 13(7), 1970) tell so
 * in one word of memory. A bit too many costs a search, and no wrong answer.
 *
 * Concurrency. User space stores each slot and each word at once, so a reader sees the old answer or
 * the new one. Times count from header.epoch. To move the epoch, user space first writes every slot
 * for the new epoch, which under the old one means an earlier time; then it writes the epoch. A reader
 * must therefore read the epoch before the slot.
 */
#ifndef REPGATE_MAPS_INDEX_H
#define REPGATE_MAPS_INDEX_H

#include "limits.h"
#include "types.h"
#include "verdict.h"

enum rg_index_part { RG_INDEX_LISTS = 0, RG_INDEX_HOSTS, RG_INDEX_PEERS, RG_INDEXES };

/*
 * A part has two banks. Each is an element of the map `indexes`, a header and filters. User space fills
 * the bank that is not in force, then switches to it by one store into settings.index.
 *
 * settings.index has a byte for each part. Its lowest two bits are the bank in force (1 or 2; 0: none,
 * the trie answers). The others are n: the bank has 2^n filters.
 */
#define RG_INDEX_BANKS 8 /* of all parts; a power of two */
#define RG_INDEX_BANK(part, which) (2 * (part) + (which)) /* key of `indexes`; which: 0 or 1 */
#define RG_INDEX_IN_FORCE(part, which, filter_bits) \
	((1U + (which) + ((filter_bits) << 2)) << 8 * (part))

/* A part's byte of settings.index, 0: the trie answers. Read settings.index once and unpack that. */
static inline __u32 rg_index_in_force(__u32 index, enum rg_index_part part)
{
	return index >> 8 * part & 0xff;
}

/* The bank and the number of filters (as a power of two) that such a byte, which is not 0, says. */
static inline __u32 rg_index_bank_of(enum rg_index_part part, __u32 in_force)
{
	return RG_INDEX_BANK(part, (in_force & 3) - 1);
}

static inline __u32 rg_index_filter_bits_of(__u32 in_force)
{
	return in_force >> 2;
}

/* The bank for the part's next index: the one that is not in force. */
static inline __u32 rg_index_next_bank(__u32 index, enum rg_index_part part)
{
	return RG_INDEX_BANK(part, (rg_index_in_force(index, part) & 3) == 1);
}

#define RG_INDEX_WORDS 8

struct rg_index_line {
	union {
		__u64 words[RG_INDEX_WORDS];
		__u32 hosts[2 * RG_INDEX_WORDS]; /* two in a word */
	};
};

#define RG_INDEX_ANSWERS 14

struct rg_index_header {
	__u64 epoch; /* times count from it; units of 2^33 ns of CLOCK_BOOTTIME */
	__u64 seed; /* settings.index_seed */
	__u32 hosts4; /* first line */
	__u32 buckets4; /* 0: there is no table of hosts */
	__u32 nets6; /* first line */
	__u32 buckets6;
	__u16 answers[RG_INDEX_ANSWERS]; /* by code - 1; rg_index_answer() */
	__u8 probes4; /* buckets that a search looks into, RG_INDEX_PROBES at most */
	__u8 nets4; /* not 0: there is a nets4, from line 0 on */
	__u8 other4; /* not 0: some IPv4 entries are neither hosts nor in nets4: ask */
	__u8 pad; /* zero */
};

#define RG_INDEX_NET4_BITS 24
#define RG_INDEX_NEAR4_BITS 23
#define RG_INDEX_NET6_BITS 19
#define RG_INDEX_WIDE6_BITS 16

/* In nets6 and wide6, bit `part`: search it; bit RG_INDEX_ASKS + part: ask. */
#define RG_INDEX_ASKS RG_INDEXES
#define RG_INDEX_ASK_ALL (((1U << RG_INDEXES) - 1) << RG_INDEX_ASKS)

/*
 * A Bloom filter is a word of 64 bits, and an address has three bits in one of them. With ten hosts a
 * word, one in 20 other addresses is searched for although it is not there; with a million hosts, one in
 * 30. The addresses of a /24 share a word, so a network with many listed hosts does not affect others.
 */
#define RG_INDEX_FILTER_BITS 17 /* at most: 1 MiB, which fits into the second level cache */
#define RG_INDEX_FILTERS (1 << RG_INDEX_FILTER_BITS)
#define RG_INDEX_FILTER_HOSTS 10
/* Banks of hosts and of peers; lists have no filters. */
#define RG_INDEX_FILTERED (RG_INDEX_BANK(RG_INDEX_PEERS, 2) - RG_INDEX_BANK(RG_INDEX_HOSTS, 0))

/*
 * Not in rg_index_presence: before Linux 6.0, the value of an array has at most KMALLOC_MAX_SIZE bytes, which
 * are the 4 MiB of this one.
 */
struct rg_index_filters {
	__u64 banks[RG_INDEX_FILTERED][RG_INDEX_FILTERS]; /* see rg_index_filters_of() */
};

/* Which filters belong to a bank of hosts or peers; for lists, RG_INDEX_FILTERED or more. */
static inline __u32 rg_index_filters_of(__u32 bank)
{
	return bank - RG_INDEX_BANK(RG_INDEX_HOSTS, 0);
}

struct rg_index_presence {
	struct rg_index_header headers[RG_INDEX_BANKS];
	__u64 near4[(1 << RG_INDEX_NEAR4_BITS) / 64]; /* IPv4 /23s that a list touches, lowest bit first */
	__u8 nets6[1 << RG_INDEX_NET6_BITS]; /* hashes of IPv6 /32s, see rg_index_net6() */
	__u8 wide6[1 << RG_INDEX_WIDE6_BITS]; /* IPv6 /16s that an entry shorter than /32 touches */
};

/* nets4: 32 /24s in a word. */
#define RG_INDEX_NETS4_LINES (1 << (RG_INDEX_NET4_BITS + 1 - 9))
#define RG_INDEX_NET_LINE(net) ((net) >> 8)
#define RG_INDEX_NET_WORD(net) ((net) >> 5 & 7)
#define RG_INDEX_NET_SHIFT(net) (((net)&31) * 2)
#define RG_INDEX_NET_MASK 3

/* Two bits of nets4: what the longest prefix up to /24 says of the whole /24, by rg_index_net_answer(). */
enum rg_index_net {
	RG_INDEX_NET_NONE = 0,
	RG_INDEX_NET_APPROVED,
	RG_INDEX_NET_BLOCKED,
	RG_INDEX_NET_ASK
};

#define RG_INDEX_PROBES 4

/* No key is 0: an address whose key would be 0 is left to the trie. */
#define RG_INDEX_KEY4_BITS 18
#define RG_INDEX_KEY4_MASK ((1U << RG_INDEX_KEY4_BITS) - 1)
#define RG_INDEX_KEY4_SHIFT RG_INDEX_PAYLOAD_BITS
#define RG_INDEX_PAIRS RG_INDEX_WORDS
/*
 * With fewer buckets, two hosts of one bucket could have the same key. A search over n buckets needs n
 * times as many.
 */
#define RG_INDEX_BUCKETS4_MIN (1U << (32 - RG_INDEX_KEY4_BITS))

/*
 * A word of nets6: a check above the payload. The key is an address's first 64 bits, exact. Of the others the
 * check has 49 bits of a hash, rg_index_mark6(); the seed is secret, so a peer can't choose a neighbour with
 * the same hash. The check of a /64 is rg_index_check6().
 */
#define RG_INDEX_CHECK6_SHIFT RG_INDEX_PAYLOAD_BITS

/* The payload of a slot that is free but not empty. Payloads of taken slots are larger. */
#define RG_INDEX_TOMBSTONE 1U

/*
 * A payload: a code, then the time until which the entry is certainly alive. The time is a count of
 * units, and a scale says how large a unit is. Times are rounded down to a unit.
 */
#define RG_INDEX_PAYLOAD_BITS 14
#define RG_INDEX_PAYLOAD_MASK ((1U << RG_INDEX_PAYLOAD_BITS) - 1)
#define RG_INDEX_CODE_SHIFT 10
#define RG_INDEX_CODE_ASK (RG_INDEX_ANSWERS + 1)
#define RG_INDEX_TIME_MASK ((1U << RG_INDEX_CODE_SHIFT) - 1)
#define RG_INDEX_FOREVER RG_INDEX_TIME_MASK
#define RG_INDEX_LATEST (RG_INDEX_FOREVER - 1)
#define RG_INDEX_UNIT_SHIFT 33
#define RG_INDEX_COUNT_BITS 9
#define RG_INDEX_COUNT_MASK ((1U << RG_INDEX_COUNT_BITS) - 1)
/* Units: 8.6 s up to 73 min, 275 s up to 39 h; an entry that lives longer is left to the trie then. */
#define RG_INDEX_SCALES 2
#define RG_INDEX_SCALE(scale) ((scale)*5)

/* What a search returns besides an answer. */
#define RG_INDEX_NONE 0 /* there is no live entry */
#define RG_INDEX_ASK 1 /* the trie knows */

/*
 * An answer: class, action and zone. It is neither RG_INDEX_NONE nor RG_INDEX_ASK, because no class is
 * RG_CLASS_NONE. Of a local list only the class counts: settings.blocked is the action.
 *
 *    15    14            13   10 9     6 5    0
 *   +---+---------------+-------+-------+------+
 *   | 0 | check lists   | class | action| zone |
 *   +---+---------------+-------+-------+------+
 */
#define RG_INDEX_CLASS_SHIFT 10
#define RG_INDEX_CLASS_MASK 15
#define RG_INDEX_ACTION_SHIFT 6
#define RG_INDEX_ACTION_MASK 15
#define RG_INDEX_ZONE_MASK 63
#define RG_INDEX_NO_ZONE 63
#define RG_INDEX_ANSWER_MASK ((1U << 14) - 1)
#define RG_INDEX_CHECK_LISTS (1U << 14) /* of a host or peer: a local list has something near it */

/* Packs an answer. zone: RG_NO_ZONE or a slot of `zones`. */
static inline __u32 rg_index_answer(enum rg_class peer_class, enum rg_action action, __u32 zone)
{
	return (__u32)peer_class << RG_INDEX_CLASS_SHIFT | (__u32)action << RG_INDEX_ACTION_SHIFT |
	       (zone < RG_MAX_ZONES ? zone : RG_INDEX_NO_ZONE);
}

/* These unpack it, with or without RG_INDEX_CHECK_LISTS. */
static inline enum rg_class rg_index_answer_class(__u32 answer)
{
	return (enum rg_class)(answer >> RG_INDEX_CLASS_SHIFT & RG_INDEX_CLASS_MASK);
}

static inline enum rg_action rg_index_answer_action(__u32 answer)
{
	return (enum rg_action)(answer >> RG_INDEX_ACTION_SHIFT & RG_INDEX_ACTION_MASK);
}

static inline __u32 rg_index_answer_zone(__u32 answer)
{
	__u32 zone = answer & RG_INDEX_ZONE_MASK;

	return zone == RG_INDEX_NO_ZONE ? RG_NO_ZONE : zone;
}

/* What the two bits of nets4 say, as a search returns it. */
static inline __u32 rg_index_net_answer(enum rg_index_net net)
{
	switch (net) {
	case RG_INDEX_NET_NONE:
		return RG_INDEX_NONE;
	case RG_INDEX_NET_APPROVED:
		return rg_index_answer(RG_CLASS_APPROVED, RG_ACTION_NONE, RG_NO_ZONE);
	case RG_INDEX_NET_BLOCKED:
		return rg_index_answer(RG_CLASS_BLOCKED, RG_ACTION_NONE, RG_NO_ZONE);
	default:
		return RG_INDEX_ASK;
	}
}

/* The end of a payload whose time is not RG_INDEX_FOREVER, units of 2^33 ns of CLOCK_BOOTTIME. */
static inline __u64 rg_index_until_units(__u32 payload, __u64 epoch)
{
	__u32 shift = RG_INDEX_SCALE(payload >> RG_INDEX_COUNT_BITS & (RG_INDEX_SCALES - 1));

	return ((epoch >> shift) + (payload & RG_INDEX_COUNT_MASK)) << shift;
}

/* Two rounds: after only one, consecutive addresses would overflow some buckets. */
static inline __u32 rg_index_hash(__u64 key)
{
	key = (key ^ key >> 32) * 0x9e3779b97f4a7c15ULL;
	return (__u32)(((key ^ key >> 32) * 0xd6e8feb86659fd93ULL) >> 32);
}

/*
 * Mixes an IPv4 address, host order. No two addresses have the same result; index_table.c in
 * userspace/index computes the address again.
 */
static inline __u32 rg_index_mix4(__u32 addr, __u64 seed)
{
	addr ^= (__u32)seed;
	addr = (addr ^ addr >> 16) * 0x7feb352dU;
	addr = (addr ^ addr >> 15) + (__u32)(seed >> 32);
	addr *= 0x846ca68bU;
	return addr ^ addr >> 16;
}

/* The bit of an IPv4 address in rg_index_presence.near4. */
static inline __u32 rg_index_near4(__u32 addr)
{
	return addr >> (32 - RG_INDEX_NEAR4_BITS);
}

/* The filter of an IPv4 address, of 2^bits; bits: 1 at least. */
static inline __u32 rg_index_filter_of(__u32 addr, __u64 seed, __u32 bits)
{
	return ((addr >> 8 ^ (__u32)(seed >> 16)) * 0x9e3779b1U) >> (32 - bits);
}

/* Its three bits there. hash: rg_index_mix4() */
static inline __u64 rg_index_filter_bits(__u32 hash)
{
	return 1ULL << (hash & 63) | 1ULL << (hash >> 6 & 63) | 1ULL << (hash >> 12 & 63);
}

/* The bucket, of so many, at which the search for a hash begins. */
static inline __u32 rg_index_home(__u32 hash, __u32 buckets)
{
	return (__u32)((__u64)hash * buckets >> 32);
}

/* The byte of an IPv6 /32, host order, in rg_index_presence.nets6. */
static inline __u32 rg_index_net6(__u32 net)
{
	return rg_index_hash(net) >> (32 - RG_INDEX_NET6_BITS);
}

/*
 * The check of a /64, never 0: a word and its key are two stores, and this tells whether they belong
 * together. Even, where that of an address is odd. key: the address's first 64 bits, host order.
 */
static inline __u64 rg_index_check6(__u64 key)
{
	return (__u64)(rg_index_hash(key * 0xff51afd7ed558ccdULL) | 1)
	       << (32 - RG_INDEX_CHECK6_SHIFT);
}

/* The check of an address, odd. key: its first 64 bits; rest: its last 64 bits; host order. */
static inline __u64 rg_index_mark6(__u64 key, __u64 rest, __u64 seed)
{
	rest = (rest ^ seed) * 0x9e3779b97f4a7c15ULL;
	rest = (rest ^ rest >> 32 ^ key) * 0xd6e8feb86659fd93ULL;
	rest = ((rest ^ rest >> 32) + seed) * 0xff51afd7ed558ccdULL;
	return (rest ^ rest >> 29) >> RG_INDEX_CHECK6_SHIFT | 1;
}

/* Where the search begins. mark: rg_index_mark6(), or 0 for a /64. */
static inline __u32 rg_index_hash6(__u64 key, __u64 mark, __u64 seed)
{
	return rg_index_hash(key ^ seed ^ mark);
}

#endif
