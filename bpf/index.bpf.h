/* SPDX-License-Identifier: GPL-2.0-only */
/* Lookups in the index (maps/index.h). What it does not know for certain, the trie is asked. */
#ifndef REPGATE_INDEX_BPF_H
#define REPGATE_INDEX_BPF_H

#include "event.bpf.h"

static __always_inline struct rg_index_line *index_line(void *map, __u32 line)
{
	return bpf_map_lookup_elem(map, &line);
}

/* All bits if value, which is below 2^63, is 0. Not a branch: nobody could foretell where it goes. */
static __always_inline __u64 ones_if_zero(__u64 value)
{
	return keep_value((__s64)(value - 1) >> 63);
}

/* A slot that is empty, and not only free, ends a search: its key is 0, and so is its lowest bit. */
static __always_inline __u64 ends_search(__u64 word)
{
	return ones_if_zero(word >> RG_INDEX_KEY_SHIFT) & ~word & RG_INDEX_FREED;
}

/*
 * The word of addr, 0 if it is not there and the search ends here, RG_INDEX_FREED if it goes on in
 * the next bucket. Nearly without branches: the verifier walks all combinations of eight of them, for
 * each bucket.
 */
static __always_inline __u64 probe_hosts4(const struct rg_index_line *line, __u32 addr)
{
	__u64 found = 0, ends = 0;

	if (!line)
		return RG_INDEX_FREED;
#pragma unroll
	for (int i = 0; i < RG_INDEX_WORDS; i++)
		found |= line->words[i] & ones_if_zero(line->words[i] >> RG_INDEX_KEY_SHIFT ^ addr);
	if (found)
		return found;
#pragma unroll
	for (int i = 0; i < RG_INDEX_WORDS; i++)
		ends |= ends_search(line->words[i]);
	return ends ^ RG_INDEX_FREED;
}

/*
 * The same for a /64, whose key and word lie in two places. A global function, because clang describes
 * the line in BTF only if one takes it, and the map's definition needs that.
 */
__attribute__((noinline)) __u64 probe_nets6(const struct rg_index_line *line, __u64 key)
{
	__u64 found = 0, ends = 0, check = rg_index_check6(key);

	if (!line)
		return RG_INDEX_FREED;
#pragma unroll
	for (int i = 0; i < RG_INDEX_WORDS / 2; i++) {
		__u64 word = line->words[i + RG_INDEX_WORDS / 2];

		if (line->words[i] == key)
			found |= word & ones_if_zero(word >> RG_INDEX_KEY_SHIFT ^ check);
		ends |= ends_search(word);
	}
	return found ? found : ends ^ RG_INDEX_FREED;
}

/* The word's answer if it is certainly alive. */
static __always_inline int answer_of(const struct rg_index_header *header, __u64 word, __u64 now)
{
	__u32 until = word >> RG_INDEX_TIME_SHIFT & RG_INDEX_FOREVER;

	if (until != RG_INDEX_FOREVER && until <= (now - header->epoch) >> RG_INDEX_UNIT_SHIFT)
		return RG_INDEX_ASK;
	/* A verdict on a prefix around a clean peer would come first. */
	if (header->other4 && (word & RG_INDEX_ANSWER_MASK) == RG_INDEX_CLEAN)
		return RG_INDEX_ASK;
	return word & RG_INDEX_ANSWER_MASK;
}

static __always_inline int answer_of_net4(void *map, const struct rg_index_header *header, __u32 net)
{
	struct rg_index_line *line;

	if (!header->nets4)
		return header->other4 ? RG_INDEX_ASK : RG_INDEX_NONE;
	line = index_line(map, header->nets4 + RG_INDEX_NET_LINE(net));
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

/* addr: host order. */
static __always_inline int find_host4(void *map, const struct rg_index_header *header, __u32 addr,
				      __u64 now)
{
	__u32 bucket = rg_index_hash(addr ^ header->seed);

	for (__u32 i = 0; i < RG_INDEX_PROBES; i++) {
		__u32 line = header->hosts4 + (bucket + i & header->hosts4_mask);
		__u64 word = probe_hosts4(index_line(map, line), addr);

		if (!word)
			return answer_of_net4(map, header, addr >> (32 - RG_INDEX_NET4_BITS));
		if (word != RG_INDEX_FREED)
			return answer_of(header, word, now);
	}
	return RG_INDEX_ASK;
}

/* key: the address's first 64 bits, host order. */
static __always_inline int find_net6(void *map, const struct rg_index_header *header, __u64 key,
				     __u64 now)
{
	__u32 bucket = rg_index_hash(key ^ header->seed);

	for (__u32 i = 0; i < RG_INDEX_PROBES; i++) {
		__u32 line = header->nets6 + (bucket + i & header->nets6_mask);
		__u64 word = probe_nets6(index_line(map, line), key);

		if (!word)
			return RG_INDEX_NONE;
		if (word != RG_INDEX_FREED)
			return answer_of(header, word, now);
	}
	return RG_INDEX_ASK;
}

static __always_inline __u32 host4_of(const struct rg_syn *syn)
{
	return bpf_ntohl(syn->addr_words[RG_ADDR_V4_OFFSET / 4]);
}

static __always_inline __u64 net6_of(const struct rg_syn *syn)
{
	return bpf_be64_to_cpu(syn->addr_halves[0]);
}

/* For each part a bit that says "look", and RG_INDEX_ASKS further up one that says "ask". */
static __always_inline __u32 index_seen(const struct rg_settings *settings, const struct rg_syn *syn)
{
	__u32 off = (~settings->index & RG_INDEX_ALL) << RG_INDEX_ASKS, zero = 0, net4, wide;
	struct rg_index_seen *table = bpf_map_lookup_elem(&seen, &zero);
	__u64 key;

	if (!table)
		return RG_INDEX_ALL << RG_INDEX_ASKS; /* can't happen, the verifier wants it */
	if (syn->version == 4) {
		net4 = host4_of(syn) >> (32 - RG_INDEX_NET4_BITS);
		return off | (table->nets4[net4 / 32] >> net4 % 32 * 2 & RG_INDEX_ALL);
	}
	key = net6_of(syn);
	wide = key >> (64 - RG_INDEX_WIDE6_BITS);
	keep_check(&wide); /* or it is two bytes swapped, of which old verifiers know no bound */
	wide &= (1 << RG_INDEX_WIDE6_BITS) - 1;
	return off | table->nets6[rg_index_net6(key >> 32)] | table->wide6[wide];
}

__attribute__((noinline)) int look_into(__u32 part, const struct rg_syn *syn)
{
	void *map = bpf_map_lookup_elem(&indexes, &part);
	struct rg_index_header *header;

	if (!map || !syn)
		return RG_INDEX_ASK;
	header = (struct rg_index_header *)index_line(map, 0);
	if (!header)
		return RG_INDEX_ASK;
	if (syn->version == 4)
		return find_host4(map, header, host4_of(syn), syn->now);
	return find_net6(map, header, net6_of(syn), syn->now);
}

/* RG_INDEX_NONE: there is no live entry. RG_INDEX_ASK: the trie knows. Else the answer. */
static __always_inline __u32 index_find(__u32 part, __u32 where, const struct rg_syn *syn)
{
	if (where >> (part + RG_INDEX_ASKS) & 1)
		return RG_INDEX_ASK;
	return where >> part & 1 ? look_into(part, syn) : RG_INDEX_NONE;
}

#endif
