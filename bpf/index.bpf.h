/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reader of the index. maps/index.h describes the layout and names the techniques. index_search()
 * is what the filter calls; known.bpf.h turns its answers into a decision.
 */
#ifndef REPGATE_INDEX_BPF_H
#define REPGATE_INDEX_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"
#include "parse.bpf.h"

static __always_inline const struct rg_index_filters *get_filters(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&filters, &zero);
}

static __always_inline const struct rg_index_presence *get_presence(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&presence, &zero);
}

static __always_inline struct rg_index_line *index_line(void *map, __u32 line)
{
	return bpf_map_lookup_elem(map, &line);
}

/* ---- buckets ---- */

/*
 * Two slots of hosts at a time, one in each half of a word. This code has no branches: no CPU could
 * predict them, and the verifier would walk all their combinations.
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

/* The payload of the slot that has the key, in its half; 0: no slot has it. keys: in both halves. */
static __always_inline __u64 payloads_of(__u64 word, __u64 keys)
{
	__u64 tops = tops_of_zeros(word ^ keys, KEY_BITS);

	return word & ((tops >> (31 - RG_INDEX_PAYLOAD_BITS)) - (tops >> 31));
}

static __always_inline __u32 either_half(__u64 payloads)
{
	return (payloads | payloads >> 32) & RG_INDEX_PAYLOAD_MASK;
}

/* Results of a probe that are no payloads. */
enum {
	PROBE_NOTHING = 0, /* the bucket has an empty slot: the key is nowhere */
	PROBE_GOES_ON = RG_INDEX_TOMBSTONE, /* the bucket is full: the key may be in the next one */
};

/*
 * Looks for a key in a bucket, from its pair on. Most keys are in the first word, and most searches that
 * find nothing end there. line: NULL if the map is another one
 * than the header was read for.
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

/* All bits if value, which is below 2^63, is 0; else none. Not a branch either. */
static __always_inline __u64 ones_if_zero(__u64 value)
{
	return keep_value((__s64)(value - 1) >> 63);
}

/* Not 0 if the word ends a search: it is empty (check and lowest bit are 0), and no tombstone. */
static __always_inline __u64 ends_search(__u64 word)
{
	return ones_if_zero(word >> RG_INDEX_CHECK6_SHIFT) & ~word & RG_INDEX_TOMBSTONE;
}

/*
 * The same for IPv6, whose key and word are apart. A global function: clang describes the line in BTF
 * only if a global function takes it, and the map's definition needs that description.
 */
__attribute__((noinline)) __u64 probe_nets6(const struct rg_index_line *line, __u64 key, __u64 check)
{
	__u64 found = 0, ends = 0;

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

/* ---- one bank ---- */

/*
 * The answer of a payload if its entry is certainly alive, else RG_INDEX_ASK. epoch: read before the
 * payload. now: ns of CLOCK_BOOTTIME.
 */
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

/* 0, but a CPU knows that only once it has read value: a read whose address depends on it comes later. */
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
	return rg_index_net_answer(line->words[RG_INDEX_NET_WORD(net)] >> RG_INDEX_NET_SHIFT(net) &
				   RG_INDEX_NET_MASK);
}

/* hash: rg_index_mix4() of the address; net: its /24, as a number. */
static __always_inline int search_host4(void *map, const struct rg_index_header *header, __u32 hash,
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

/* key: the address's first 64 bits, host order. mark: rg_index_mark6(), or 0: search its /64. */
static __always_inline int search_net6(void *map, const struct rg_index_header *header, __u64 key,
				       __u64 mark, __u64 now)
{
	__u64 epoch = header->epoch, check = mark ? mark : rg_index_check6(key);
	__u32 home = header->nets6 + zero_after(epoch) +
		     rg_index_home(rg_index_hash6(key, mark, header->seed), header->buckets6);

	for (__u32 i = 0; i < RG_INDEX_PROBES; i++) {
		__u32 payload = probe_nets6(index_line(map, home + i), key, check);

		if (payload == PROBE_NOTHING)
			return RG_INDEX_NONE;
		if (payload != PROBE_GOES_ON)
			return answer_of(header, payload, epoch, now);
	}
	return RG_INDEX_ASK;
}

/* Global functions, so that the verifier walks each search once. */
__attribute__((noinline)) int search_bank4(__u32 bank, __u32 hash, __u32 net, __u64 now)
{
	const struct rg_index_presence *table = get_presence();
	void *map = bpf_map_lookup_elem(&indexes, &bank);

	if (impossible(!table || net >> RG_INDEX_NET4_BITS) || unlikely(!map))
		return RG_INDEX_ASK; /* no map: the agent has just given this index up */
	return search_host4(map, &table->headers[bank & (RG_INDEX_BANKS - 1)], hash, net, now);
}

__attribute__((noinline)) int search_bank6(__u32 bank, __u64 key, __u64 mark, __u64 now)
{
	const struct rg_index_presence *table = get_presence();
	void *map = bpf_map_lookup_elem(&indexes, &bank);

	if (impossible(!table) || !map)
		return RG_INDEX_ASK;
	return search_net6(map, &table->headers[bank & (RG_INDEX_BANKS - 1)], key, mark, now);
}

/* ---- all parts ---- */

/* What the index says of a source: RG_INDEX_NONE, RG_INDEX_ASK or an answer (rg_index_answer()). */
struct rg_index_answers {
	__u32 lists;
	__u32 hosts; /* counts if lists has nothing */
	__u32 peers; /* counts if neither has */
};

/* The bank in force of a part. */
struct bank {
	__u32 number;
	__u32 filter_bits;
};

/* 0: none is in force, so the trie answers. */
static __always_inline int get_bank(__u32 index, enum rg_index_part part, struct bank *ret)
{
	__u32 in_force = rg_index_in_force(index, part);

	ret->number = rg_index_bank_of(part, in_force);
	ret->filter_bits = rg_index_filter_bits_of(in_force);
	return in_force;
}

/* An IPv4 source, prepared for the searches. */
struct search4 {
	const struct rg_index_filters *filters;
	__u64 seed;
	__u64 bits; /* of its filters */
	__u32 addr; /* host order */
	__u32 hash;
};

static __always_inline struct search4 begin_search4(const struct rg_settings *settings,
						    const struct rg_syn *syn,
						    const struct rg_index_filters *table)
{
	__u32 addr = bpf_ntohl(syn->source_words[RG_ADDR_V4_OFFSET / 4]);
	__u32 hash = rg_index_mix4(addr, settings->index_seed);

	return (struct search4){
		.filters = table,
		.seed = settings->index_seed,
		.bits = rg_index_filter_bits(hash),
		.addr = addr,
		.hash = hash,
	};
}

/* Whether a local list has anything in the address's /23. */
static __always_inline int is_near_lists(const struct search4 *search)
{
	const struct rg_index_presence *table = get_presence();
	__u32 bit = rg_index_near4(search->addr);

	return impossible(!table) || table->near4[bit / 64] >> bit % 64 & 1;
}

/* Whether the filters say for certain that the bank has no such host or peer. */
static __always_inline int is_filtered_out(const struct search4 *search, const struct bank *bank)
{
	__u64 at = rg_index_filter_of(search->addr, search->seed, bank->filter_bits);
	__u32 filtered = rg_index_filters_of(bank->number);

	/* The verifier knows no bound of a shift in 32 bits. */
	at = keep_value(at) & (RG_INDEX_FILTERS - 1);
	if (impossible(filtered >= RG_INDEX_FILTERED))
		return 0;
	return (search->bits & ~search->filters->banks[filtered][at]) != 0;
}

static __always_inline __u32 search_part4(__u32 index, enum rg_index_part part,
					  const struct search4 *search, __u64 now)
{
	struct bank bank;

	if (unlikely(!get_bank(index, part, &bank)))
		return RG_INDEX_ASK;
	if (part == RG_INDEX_LISTS ? !is_near_lists(search) : is_filtered_out(search, &bank))
		return RG_INDEX_NONE;
	return search_bank4(bank.number, search->hash, search->addr >> (32 - RG_INDEX_NET4_BITS),
			    now);
}

/* Whether the local lists must be searched, as far as this answer of hosts or peers says. */
static __always_inline int needs_lists(__u32 answer)
{
	return answer <= RG_INDEX_ASK || answer & RG_INDEX_CHECK_LISTS;
}

/* Hosts and peers first: their answer says whether the lists must be searched. */
static __always_inline void search4(const struct rg_settings *settings, const struct rg_syn *syn,
				    struct rg_index_answers *answers)
{
	const struct rg_index_filters *table = get_filters();
	struct search4 search;
	struct bank lists;
	__u32 index;

	if (impossible(!table))
		return;
	index = settings->index; /* read once: a bank goes with its number of filters */
	search = begin_search4(settings, syn, table);
	answers->hosts = search_part4(index, RG_INDEX_HOSTS, &search, syn->now);
	if (answers->hosts <= RG_INDEX_ASK)
		answers->peers = search_part4(index, RG_INDEX_PEERS, &search, syn->now);
	/* Without an index of the lists, they may have something anywhere. */
	if (!get_bank(index, RG_INDEX_LISTS, &lists) ||
	    (needs_lists(answers->hosts) && needs_lists(answers->peers)))
		answers->lists = search_part4(index, RG_INDEX_LISTS, &search, syn->now);
	else
		answers->lists = RG_INDEX_NONE;
}

/* For each part a bit that says "search it", and RG_INDEX_ASKS further up one that says "ask". */
static __always_inline __u32 presence6(__u64 key)
{
	const struct rg_index_presence *table = get_presence();
	__u32 wide;

	if (impossible(!table))
		return RG_INDEX_ASK_ALL;
	wide = key >> (64 - RG_INDEX_WIDE6_BITS);
	keep_check(&wide); /* else clang swaps two bytes, and old verifiers know no bound of that */
	wide &= (1 << RG_INDEX_WIDE6_BITS) - 1;
	return table->nets6[rg_index_net6(key >> 32)] | table->wide6[wide];
}

/* where: presence6(); mark: as search_net6() */
static __always_inline __u32 search_part6(__u32 index, enum rg_index_part part, __u32 where,
					  __u64 key, __u64 mark, __u64 now)
{
	struct bank bank;

	if (!get_bank(index, part, &bank) || where >> (part + RG_INDEX_ASKS) & 1)
		return RG_INDEX_ASK;
	return where >> part & 1 ? search_bank6(bank.number, key, mark, now) : RG_INDEX_NONE;
}

/* The address first, as the longer prefix; a verdict may also be on its /64, a clean peer may not. */
static __always_inline void search6(const struct rg_settings *settings, const struct rg_syn *syn,
				    struct rg_index_answers *answers)
{
	__u64 key = bpf_be64_to_cpu(syn->source_halves[0]), mark;
	__u32 where = presence6(key), index = settings->index;

	answers->lists = search_part6(index, RG_INDEX_LISTS, where, key, 0, syn->now);
	if (answers->lists > RG_INDEX_ASK)
		return;
	mark = rg_index_mark6(key, bpf_be64_to_cpu(syn->source_halves[1]), settings->index_seed);
	answers->hosts = search_part6(index, RG_INDEX_HOSTS, where, key, mark, syn->now);
	if (answers->hosts == RG_INDEX_NONE)
		answers->hosts = search_part6(index, RG_INDEX_HOSTS, where, key, 0, syn->now);
	if (answers->hosts <= RG_INDEX_ASK)
		answers->peers = search_part6(index, RG_INDEX_PEERS, where, key, mark, syn->now);
}

/* Searches all parts for the source, as far as their answers can count. */
static __always_inline void index_search(const struct rg_settings *settings,
					 const struct rg_syn *syn, struct rg_index_answers *answers)
{
	*answers = (struct rg_index_answers){ RG_INDEX_ASK, RG_INDEX_ASK, RG_INDEX_ASK };
	if (likely(syn->version == 4))
		search4(settings, syn, answers);
	else
		search6(settings, syn, answers);
}

#endif
