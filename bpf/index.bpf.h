/* SPDX-License-Identifier: GPL-2.0-only */
/* Lookups in the index (maps/index.h). What it does not know for certain, the trie is asked. */
#ifndef REPGATE_INDEX_BPF_H
#define REPGATE_INDEX_BPF_H

#include "event.bpf.h"

static __always_inline struct rg_index_line *index_line(void *map, __u32 line)
{
	return bpf_map_lookup_elem(map, &line);
}

/*
 * Two slots of hosts at a time, one in each half of a word. All of this is without branches, which
 * nobody could foretell; and the verifier walks all combinations of them.
 */
#define HALVES(bits) ((bits)*0x100000001ULL)
#define KEY_BITS HALVES(RG_INDEX_KEY4_MASK << RG_INDEX_KEY4_SHIFT)
#define TOP_BITS HALVES(1ULL << 31)

/* The top bit of each half in which no other bits than those outside mask are set. */
static __always_inline __u64 tops_of_zeros(__u64 word, __u64 mask)
{
	__u64 rest = mask & ~TOP_BITS;

	/* Any bit of rest carries into the top one. */
	return ~(((word & rest) + rest) | word) & TOP_BITS;
}

/* The payload of the slot that has the key, in either half; 0: neither has. keys: in both halves. */
static __always_inline __u64 payloads_of(__u64 word, __u64 keys)
{
	__u64 tops = tops_of_zeros(word ^ keys, KEY_BITS);

	return word & ((tops >> (31 - RG_INDEX_PAYLOAD_BITS)) - (tops >> 31));
}

static __always_inline __u32 either_half(__u64 payloads)
{
	return (payloads | payloads >> 32) & RG_INDEX_PAYLOAD_MASK;
}

/* Not payloads: the search is over, or goes on. */
enum { PROBE_NOTHING = 0, PROBE_GOES_ON = RG_INDEX_TOMBSTONE };

/*
 * The payload of a key in this bucket, or what comes next. Most are found in the first word, and most
 * searches that find nothing end there.
 */
static __always_inline __u32 probe_hosts4(const struct rg_index_line *line, __u32 pair, __u64 keys)
{
	if (!line)
		return PROBE_GOES_ON;
	for (__u32 i = 0; i < RG_INDEX_PAIRS; i++) {
		__u64 word = line->words[pair + i & (RG_INDEX_PAIRS - 1)];
		__u64 found = payloads_of(word, keys);

		if (likely(found))
			return either_half(found);
		if (tops_of_zeros(word, ~0ULL))
			return PROBE_NOTHING;
	}
	return PROBE_GOES_ON;
}

/* All bits if value, which is below 2^63, is 0. Not a branch either. */
static __always_inline __u64 ones_if_zero(__u64 value)
{
	return keep_value((__s64)(value - 1) >> 63);
}

/* A word that is empty, and not only free, ends a search: its check is 0, and so is its lowest bit. */
static __always_inline __u64 ends_search(__u64 word)
{
	return ones_if_zero(word >> RG_INDEX_CHECK6_SHIFT) & ~word & RG_INDEX_TOMBSTONE;
}

/*
 * The same for a /64, whose key and word lie in two places. A global function, because clang describes
 * the line in BTF only if one takes it, and the map's definition needs that.
 */
__attribute__((noinline)) __u64 probe_nets6(const struct rg_index_line *line, __u64 key)
{
	__u64 found = 0, ends = 0, check = rg_index_check6(key);

	if (!line)
		return PROBE_GOES_ON;
#pragma unroll
	for (int i = 0; i < RG_INDEX_WORDS / 2; i++) {
		__u64 word = line->words[i + RG_INDEX_WORDS / 2];

		if (line->words[i] == key)
			found |= word & ones_if_zero(word >> RG_INDEX_CHECK6_SHIFT ^ check);
		ends |= ends_search(word);
	}
	return found ? found & RG_INDEX_PAYLOAD_MASK : ends ^ PROBE_GOES_ON;
}

/* The payload's answer if it is certainly alive. epoch: read before the payload. */
static __always_inline __u32 answer_of(const struct rg_index_header *header, __u32 payload,
				       __u64 epoch, __u64 now)
{
	__u32 code = payload >> RG_INDEX_CODE_SHIFT;

	if ((payload & RG_INDEX_TIME_MASK) != RG_INDEX_FOREVER &&
	    rg_index_until_units(payload, epoch) <= now >> RG_INDEX_UNIT_SHIFT)
		return RG_INDEX_ASK;
	if (code == 0 || code > RG_INDEX_ANSWERS)
		return RG_INDEX_ASK;
	return header->answers[code - 1];
}

/* 0, which a CPU knows only when it has read value: what depends on it, is read later. */
static __always_inline __u32 zero_after(__u64 value)
{
	asm volatile("%0 &= 0" : "+r"(value)::"memory");
	return value;
}

static __always_inline int answer_of_net4(void *map, const struct rg_index_header *header, __u32 net)
{
	struct rg_index_line *line;

	if (!header->nets4)
		return header->other4 ? RG_INDEX_ASK : RG_INDEX_NONE;
	line = index_line(map, RG_INDEX_NET_LINE(net));
	if (!line)
		return RG_INDEX_ASK;
	switch (line->words[RG_INDEX_NET_WORD(net)] >> RG_INDEX_NET_SHIFT(net) & 3) {
	case RG_INDEX_NET_NONE:
		return RG_INDEX_NONE;
	case RG_INDEX_NET_APPROVED:
		return RG_CLASS_APPROVED << RG_INDEX_CLASS_SHIFT;
	case RG_INDEX_NET_BLOCKED:
		return RG_CLASS_BLOCKED << RG_INDEX_CLASS_SHIFT;
	default:
		return RG_INDEX_ASK;
	}
}

/* hash: of the address, rg_index_mix4(); net: its /24, as a number. */
static __always_inline int find_addr4(void *map, const struct rg_index_header *header, __u32 hash,
				      __u32 net, __u64 now)
{
	__u32 key = hash & RG_INDEX_KEY4_MASK;
	__u64 epoch = header->epoch;
	__u32 home = header->hosts4 + rg_index_home(hash, header->buckets4) + zero_after(epoch);

	if (unlikely(!header->buckets4))
		return answer_of_net4(map, header, net);
	if (unlikely(!key))
		return RG_INDEX_ASK;
	for (__u32 i = 0; i < RG_INDEX_PROBES && i < header->probes4; i++) {
		__u32 payload = probe_hosts4(index_line(map, home + i), key,
					     HALVES((__u64)key << RG_INDEX_KEY4_SHIFT));

		if (payload == PROBE_NOTHING)
			return answer_of_net4(map, header, net);
		if (payload != PROBE_GOES_ON)
			return answer_of(header, payload, epoch, now);
	}
	return RG_INDEX_ASK;
}

/* key: the address's first 64 bits, host order. */
static __always_inline int find_key6(void *map, const struct rg_index_header *header, __u64 key,
				     __u64 now)
{
	__u64 epoch = header->epoch;
	__u32 home = header->nets6 + zero_after(epoch) +
		     rg_index_home(rg_index_hash(key ^ header->seed), header->buckets6);

	for (__u32 i = 0; i < RG_INDEX_PROBES; i++) {
		__u32 payload = probe_nets6(index_line(map, home + i), key);

		if (payload == PROBE_NOTHING)
			return RG_INDEX_NONE;
		if (payload != PROBE_GOES_ON)
			return answer_of(header, payload, epoch, now);
	}
	return RG_INDEX_ASK;
}

static __always_inline __u32 host4_of(const struct rg_syn *syn)
{
	return bpf_ntohl(syn->source_words[RG_ADDR_V4_OFFSET / 4]);
}

static __always_inline __u64 net6_of(const struct rg_syn *syn)
{
	return bpf_be64_to_cpu(syn->source_halves[0]);
}

/* What settings->index says of a part: its place, and how many filters it has. 0: the trie answers. */
struct in_force {
	__u32 place;
	__u32 filter_bits;
};

static __always_inline int get_in_force(__u32 index, enum rg_index_part part, struct in_force *ret)
{
	__u32 byte = index >> 8 * part & 0xff;

	ret->place = RG_INDEX_BANK(part, (byte & 3) - 1);
	ret->filter_bits = byte >> 2;
	return byte;
}

static __always_inline const struct rg_index_presence *get_seen(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&presence, &zero);
}

/* What is to be known of an IPv4 address before it is looked for. */
struct look4 {
	const struct rg_index_presence *seen;
	__u64 seed;
	__u64 bits; /* of its filters */
	__u32 addr; /* host order */
	__u32 hash;
};

static __always_inline struct look4 begin_look4(const struct rg_settings *settings,
						const struct rg_syn *syn,
						const struct rg_index_presence *table)
{
	__u32 addr = host4_of(syn), hash = rg_index_mix4(addr, settings->index_seed);

	return (struct look4){
		.seen = table,
		.seed = settings->index_seed,
		.bits = rg_index_filter_bits(hash),
		.addr = addr,
		.hash = hash,
	};
}

/* Whether a local list has anything in the address's /23. */
static __always_inline int lists_touch4(const struct look4 *look)
{
	__u32 bit = rg_index_near4(look->addr);

	return look->seen->near4[bit / 64] >> bit % 64 & 1;
}

/* Whether the filters say for certain that no host or peer is there. */
static __always_inline int is_filtered4(const struct look4 *look, const struct in_force *force)
{
	__u64 at = rg_index_filter_of(look->addr, look->seed, force->filter_bits);
	__u32 place = force->place - RG_INDEX_BANK(RG_INDEX_HOSTS, 0);

	/* Of a shift in 32 bits the verifier knows no bound. */
	at = keep_value(at) & (RG_INDEX_FILTERS - 1);
	if (place >= RG_INDEX_FILTERED)
		return 0; /* can't happen, the verifier wants it */
	return (look->bits & ~look->seen->filters4[place][at]) != 0;
}

/* For each part a bit that says "look", and RG_INDEX_ASKS further up one that says "ask". */
static __always_inline __u32 seen6(const struct rg_syn *syn)
{
	const struct rg_index_presence *table = get_seen();
	__u64 key = net6_of(syn);
	__u32 wide;

	if (!table)
		return RG_INDEX_ASK_ALL; /* can't happen, the verifier wants it */
	wide = key >> (64 - RG_INDEX_WIDE6_BITS);
	keep_check(&wide); /* or it is two bytes swapped, of which old verifiers know no bound */
	wide &= (1 << RG_INDEX_WIDE6_BITS) - 1;
	return table->nets6[rg_index_net6(key >> 32)] | table->wide6[wide];
}

/* Global functions, so that the verifier walks each search once. */
__attribute__((noinline)) int find_host4(__u32 place, __u32 hash, __u32 net, __u64 now)
{
	const struct rg_index_presence *table = get_seen();
	void *map = bpf_map_lookup_elem(&indexes, &place);

	if (unlikely(!map || !table || net >> RG_INDEX_NET4_BITS))
		return RG_INDEX_ASK;
	return find_addr4(map, &table->headers[place & (RG_INDEX_BANKS - 1)], hash, net, now);
}

__attribute__((noinline)) int find_net6(__u32 place, __u64 key, __u64 now)
{
	const struct rg_index_presence *table = get_seen();
	void *map = bpf_map_lookup_elem(&indexes, &place);

	if (!map || !table)
		return RG_INDEX_ASK;
	return find_key6(map, &table->headers[place & (RG_INDEX_BANKS - 1)], key, now);
}

/* RG_INDEX_NONE: there is no live entry. RG_INDEX_ASK: the trie knows. Else the answer. */
struct rg_found {
	__u32 lists;
	__u32 hosts; /* counts if lists has nothing */
	__u32 peers; /* counts if neither has */
};

static __always_inline __u32 find_part4(__u32 index, enum rg_index_part part,
					const struct look4 *look, __u64 now)
{
	struct in_force force;

	if (unlikely(!get_in_force(index, part, &force)))
		return RG_INDEX_ASK;
	if (part == RG_INDEX_LISTS ? !lists_touch4(look) : is_filtered4(look, &force))
		return RG_INDEX_NONE;
	return find_host4(force.place, look->hash, look->addr >> (32 - RG_INDEX_NET4_BITS), now);
}

static __always_inline int must_heed(__u32 answer)
{
	return answer <= RG_INDEX_ASK || answer & RG_INDEX_CHECK_LISTS;
}

/* Hosts and peers first: their answer says whether the lists need be looked into. */
static __always_inline void index_find4(const struct rg_settings *settings,
					const struct rg_syn *syn, struct rg_found *found)
{
	const struct rg_index_presence *table = get_seen();
	struct in_force force;
	struct look4 look;
	__u32 index;

	if (unlikely(!table))
		return; /* can't happen, the verifier wants it */
	index = settings->index; /* once: a place goes with its filters */
	look = begin_look4(settings, syn, table);
	found->hosts = find_part4(index, RG_INDEX_HOSTS, &look, syn->now);
	if (found->hosts <= RG_INDEX_ASK)
		found->peers = find_part4(index, RG_INDEX_PEERS, &look, syn->now);
	/* Lists without an index may have something anywhere. */
	if (!get_in_force(index, RG_INDEX_LISTS, &force) ||
	    (must_heed(found->hosts) && must_heed(found->peers)))
		found->lists = find_part4(index, RG_INDEX_LISTS, &look, syn->now);
	else
		found->lists = RG_INDEX_NONE;
	found->hosts &= ~RG_INDEX_CHECK_LISTS;
	found->peers &= ~RG_INDEX_CHECK_LISTS;
}

static __always_inline __u32 find_part6(const struct rg_settings *settings, enum rg_index_part part,
					__u32 where, const struct rg_syn *syn)
{
	struct in_force force;

	if (!get_in_force(settings->index, part, &force) || where >> (part + RG_INDEX_ASKS) & 1)
		return RG_INDEX_ASK;
	return where >> part & 1 ? find_net6(force.place, net6_of(syn), syn->now) : RG_INDEX_NONE;
}

static __always_inline void index_find(const struct rg_settings *settings, const struct rg_syn *syn,
				       struct rg_found *found)
{
	__u32 where;

	*found = (struct rg_found){ RG_INDEX_ASK, RG_INDEX_ASK, RG_INDEX_ASK };
	if (likely(syn->version == 4)) {
		index_find4(settings, syn, found);
		return;
	}
	where = seen6(syn);
	found->lists = find_part6(settings, RG_INDEX_LISTS, where, syn);
	if (found->lists > RG_INDEX_ASK)
		return;
	found->hosts = find_part6(settings, RG_INDEX_HOSTS, where, syn);
	if (found->hosts <= RG_INDEX_ASK)
		found->peers = find_part6(settings, RG_INDEX_PEERS, where, syn);
}

#endif
