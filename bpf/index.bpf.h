/* SPDX-License-Identifier: GPL-2.0-only */
/* Lookups in the index (maps/index.h). What it does not know for certain, the trie is asked. */
#ifndef REPGATE_INDEX_BPF_H
#define REPGATE_INDEX_BPF_H

#include "event.bpf.h"

static __always_inline struct rg_index_line *index_line(void *map, __u32 line)
{
	return bpf_map_lookup_elem(map, &line);
}

/* 1: the bit is set. */
static __always_inline int index_bit(void *map, __u32 table, __u32 bit)
{
	struct rg_index_line *line = index_line(map, table + RG_INDEX_BIT_LINE(bit));

	return line && line->words[RG_INDEX_BIT_WORD(bit)] >> RG_INDEX_BIT_SHIFT(bit) & 1;
}

static __always_inline __u64 is_zero(__u64 value)
{
	return ~(value | -value) >> 63;
}

/*
 * The word of addr, 0 if it is not there and the search ends here, RG_INDEX_FREED if it goes on in
 * the next bucket. Without branches, and a global function: the verifier walks all combinations of
 * eight branches for each bucket otherwise.
 */
__attribute__((noinline)) __u64 probe_hosts4(const struct rg_index_line *line, __u32 addr)
{
	__u64 found = 0, empty = 0;

	if (!line)
		return 0;
	for (int i = 0; i < RG_INDEX_WORDS; i++) {
		__u64 word = line->words[i];

		found |= word & -is_zero(word >> RG_INDEX_KEY_SHIFT ^ addr);
		empty |= is_zero(word);
	}
	return found | (is_zero(found) & (empty ^ 1));
}

/* The same for a /64, whose key and word lie in two places. */
__attribute__((noinline)) __u64 probe_nets6(const struct rg_index_line *line, __u64 key)
{
	__u64 found = 0, empty = 0, check = rg_index_check6(key);

	if (!line)
		return 0;
	for (int i = 0; i < RG_INDEX_WORDS / 2; i++) {
		__u64 word = line->words[i + RG_INDEX_WORDS / 2];

		found |= word &
			 -is_zero((line->words[i] ^ key) | (word >> RG_INDEX_KEY_SHIFT ^ check));
		empty |= is_zero(word);
	}
	return found | (is_zero(found) & (empty ^ 1));
}

/* The word's answer if it is certainly alive. */
static __always_inline int answer_of(const struct rg_index_header *header, __u64 word, __u64 now)
{
	__u32 until = word >> RG_INDEX_TIME_SHIFT & RG_INDEX_FOREVER;

	if (until != RG_INDEX_FOREVER && until <= (now - header->epoch) >> RG_INDEX_UNIT_SHIFT)
		return RG_INDEX_ASK;
	return word & RG_INDEX_ANSWER_MASK;
}

static __always_inline int answer_of_net4(void *map, const struct rg_index_header *header, __u32 net)
{
	struct rg_index_line *line;

	if (!header->nets4)
		return header->other4 ? RG_INDEX_ASK : RG_INDEX_NONE;
	line = index_line(map, header->nets4 + RG_INDEX_BIT_LINE(net * 2));
	if (!line)
		return RG_INDEX_ASK;
	switch (line->words[RG_INDEX_BIT_WORD(net * 2)] >> RG_INDEX_BIT_SHIFT(net * 2) & 3) {
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

static __always_inline int index_find4(void *map, __u32 addr, __u64 now)
{
	__u32 net = addr >> (32 - RG_INDEX_SEEN4_BITS), bucket;
	struct rg_index_header *header;

	if (!index_bit(map, RG_INDEX_SEEN4, net))
		return RG_INDEX_NONE;
	header = (struct rg_index_header *)index_line(map, 0);
	if (!header)
		return RG_INDEX_ASK;
	bucket = rg_index_hash(addr ^ header->seed);
	for (__u32 i = 0; i < RG_INDEX_PROBES; i++) {
		__u32 line = header->hosts4 + (bucket + i & header->hosts4_mask);
		__u64 word = probe_hosts4(index_line(map, line), addr);

		if (!word)
			return answer_of_net4(map, header, net);
		if (word != RG_INDEX_FREED)
			return answer_of(header, word, now);
	}
	return RG_INDEX_ASK;
}

static __always_inline int index_find6(void *map, __u64 key, __u64 now)
{
	__u32 bit = rg_index_bit6(key >> 32), bucket;
	struct rg_index_header *header;

	if (index_bit(map, RG_INDEX_WIDE6, key >> (64 - RG_INDEX_WIDE6_BITS)) ||
	    index_bit(map, RG_INDEX_OTHER6, bit))
		return RG_INDEX_ASK;
	if (!index_bit(map, RG_INDEX_SEEN6, bit))
		return RG_INDEX_NONE;
	header = (struct rg_index_header *)index_line(map, 0);
	if (!header)
		return RG_INDEX_ASK;
	bucket = rg_index_hash(key ^ header->seed);
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

/* RG_INDEX_NONE: there is no live entry. RG_INDEX_ASK: the trie knows. Else the answer. */
__attribute__((noinline)) int index_find(__u32 part, const struct rg_syn *syn)
{
	void *map = bpf_map_lookup_elem(&indexes, &part);
	__be64 half;
	__be32 word;

	if (!map || !syn)
		return RG_INDEX_ASK;
	if (syn->version == 4) {
		__builtin_memcpy(&word, syn->addr.bytes + RG_ADDR_V4_OFFSET, sizeof(word));
		return index_find4(map, bpf_ntohl(word), syn->now);
	}
	__builtin_memcpy(&half, &syn->addr, sizeof(half));
	return index_find6(map, bpf_be64_to_cpu(half), syn->now);
}

#endif
