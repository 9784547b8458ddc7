/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lookups in the index as it is, and in copies of it that lack one mechanism each. See ablation.c.
 *
 * find() is a copy of the reader in bpf/index.bpf.h, for IPv4, in which each mechanism can be left out.
 * The filter itself is built without any of this. The copy that lacks nothing must cost what the
 * filter's own reader costs: both are measured.
 */
#include "bpf/filter.bpf.c"

#include "tests/bench/ablation.h"

/* Sources in the order in which they are looked up, network order. Written through mmap. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ABLATION_DRAWS);
	__type(key, __u32);
	__type(value, __u64);
} ablation_draws SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2 * ABLATION_TABLES);
	__type(key, __u32);
	__array(values, struct index_lines);
} ablation_tables SEC(".maps");

struct ablation_hash {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ablation_value);
};
struct ablation_hash ablation_hosts SEC(".maps"), ablation_peers SEC(".maps");

__u32 ablation_lookups; /* of one run */
__u32 ablation_wide_buckets[2]; /* hosts, peers */
__u64 ablation_found; /* by all lookups so far; so that nothing is optimised away */
__u64 ablation_next; /* how many sources were drawn */

/* What a reader lacks. */
enum {
	WHOLE = 0,
	NO_FILTERS = 1 << 0,
	FIXED_FILTERS = 1 << 1, /* always the most: bank 1 has them */
	NO_NEAR = 1 << 2, /* the lists' table is looked into for every address */
	NO_CHECK_BIT = 1 << 3, /* the near bits are read for every address */
	NO_PAIRS = 1 << 4,
	WIDE_SLOTS = 1 << 5, /* no quotient keys, no answer table, no time scales */
	KERNEL_HASH = 1 << 6
};

/* ---- a table ---- */

#define BOTH(bits) ((bits)*0x100000001ULL)
#define KEYS_OF_BOTH BOTH(RG_INDEX_KEY4_MASK << RG_INDEX_KEY4_SHIFT)
#define TOPS_OF_BOTH BOTH(1ULL << 31)
#define SEARCH_ENDS 0
#define SEARCH_GOES_ON 1

static __always_inline __u64 zero_halves(__u64 word, __u64 mask)
{
	__u64 rest = mask & ~TOPS_OF_BOTH;

	return ~(((word & rest) + rest) | word) & TOPS_OF_BOTH;
}

static __always_inline __u32 search_line(const struct rg_index_line *line, __u32 pair, __u64 keys)
{
	if (!line)
		return SEARCH_GOES_ON;
	for (__u32 i = 0; i < RG_INDEX_WORDS; i++) {
		__u64 word = line->words[pair + i & (RG_INDEX_WORDS - 1)];
		__u64 tops = zero_halves(word ^ keys, KEYS_OF_BOTH);
		__u64 found = word & ((tops >> (31 - RG_INDEX_PAYLOAD_BITS)) - (tops >> 31));

		if (likely(found))
			return (found | found >> 32) & RG_INDEX_PAYLOAD_MASK;
		if (zero_halves(word, ~0ULL))
			return SEARCH_ENDS;
	}
	return SEARCH_GOES_ON;
}

static __always_inline __u32 answer_in(const struct rg_index_header *header, __u32 payload, __u64 now)
{
	__u32 code = payload >> RG_INDEX_CODE_SHIFT;

	if ((payload & RG_INDEX_TIME_MASK) != RG_INDEX_FOREVER &&
	    rg_index_until_units(payload, header->epoch) <= now >> RG_INDEX_UNIT_SHIFT)
		return RG_INDEX_ASK;
	if (code == 0 || code > RG_INDEX_ANSWERS)
		return RG_INDEX_ASK;
	return header->answers[code - 1];
}

static __always_inline int find_compact(void *map, const struct rg_index_header *header, __u32 hash,
					int has_pairs, __u64 now)
{
	__u32 key = hash & RG_INDEX_KEY4_MASK, home = rg_index_home(hash, header->buckets4);

	if (unlikely(!key))
		return RG_INDEX_ASK;
	for (__u32 i = 0; i < RG_INDEX_PROBES && i < header->probes4; i++) {
		__u32 at = header->hosts4 + home + i;
		__u32 payload = search_line(bpf_map_lookup_elem(map, &at), has_pairs ? key : 0,
					    BOTH((__u64)key << RG_INDEX_KEY4_SHIFT));

		if (payload == SEARCH_ENDS)
			return RG_INDEX_NONE;
		if (payload != SEARCH_GOES_ON)
			return answer_in(header, payload, now);
	}
	return RG_INDEX_ASK;
}

/* Global functions, as in the filter, so that the verifier walks each search once. */
__attribute__((noinline)) int ablation_find_pairs(__u32 bank, __u32 hash, __u64 now)
{
	__u32 zero = 0;
	struct rg_index_presence *table = bpf_map_lookup_elem(&presence, &zero);
	void *map = bpf_map_lookup_elem(&indexes, &bank);

	return map && table ?
		       find_compact(map, &table->headers[bank & (RG_INDEX_BANKS - 1)], hash, 1, now) :
		       RG_INDEX_ASK;
}

__attribute__((noinline)) int ablation_find_first(__u32 bank, __u32 hash, __u64 now)
{
	__u32 zero = 0,
	      key = ABLATION_TABLE(ABLATION_FIRST, bank >= RG_INDEX_BANK(RG_INDEX_PEERS, 0));
	struct rg_index_presence *table = bpf_map_lookup_elem(&presence, &zero);
	void *map = bpf_map_lookup_elem(&ablation_tables, &key);

	return map && table ?
		       find_compact(map, &table->headers[bank & (RG_INDEX_BANKS - 1)], hash, 0, now) :
		       RG_INDEX_ASK;
}

/* A slot that was found, or that ends the search; else 0. */
static __always_inline __u64 search_wide(const struct rg_index_line *line, __u32 addr, __u32 first,
					 int *ends)
{
	if (!line)
		return 0;
	for (__u32 i = 0; i < RG_INDEX_WORDS; i++) {
		__u64 word = line->words[first + i & (RG_INDEX_WORDS - 1)];

		if (word >> ABLATION_WIDE_ADDR_SHIFT == addr && word)
			return word;
		if (!word) {
			*ends = 1;
			return 0;
		}
	}
	return 0;
}

__attribute__((noinline)) int ablation_find_wide(__u32 is_peers, __u32 addr, __u32 hash, __u64 now)
{
	__u32 key = ABLATION_TABLE(ABLATION_WIDE, is_peers & 1);
	__u32 home = rg_index_home(hash, ablation_wide_buckets[is_peers & 1]);
	void *map = bpf_map_lookup_elem(&ablation_tables, &key);
	int ends = 0;

	if (!map)
		return RG_INDEX_ASK;
	for (__u32 i = 0; i < RG_INDEX_PROBES; i++) {
		__u32 at = home + i;
		__u64 word = search_wide(bpf_map_lookup_elem(map, &at), addr, hash, &ends);

		if (word)
			return (word >> ABLATION_WIDE_TIME_SHIFT &
				((1 << ABLATION_WIDE_TIME_BITS) - 1)) > now >>
					       RG_INDEX_UNIT_SHIFT ?
				       word & RG_INDEX_ANSWER_MASK :
				       RG_INDEX_ASK;
		if (ends)
			return RG_INDEX_NONE;
	}
	return RG_INDEX_ASK;
}

static __always_inline int find_in_hash(int is_peers, __u32 addr, __u64 now)
{
	void *map = is_peers ? (void *)&ablation_peers : (void *)&ablation_hosts;
	struct ablation_value *value = bpf_map_lookup_elem(map, &addr);

	return value && value->expiry > now ? value->answer : RG_INDEX_NONE;
}

/* ---- the parts ---- */

struct lookup {
	const struct rg_index_filters *filters;
	__u64 seed, bits, now;
	__u32 index; /* settings.index */
	__u32 addr, hash;
};

static __always_inline int is_filtered(const struct lookup *look, __u32 bank, __u32 filter_bits)
{
	__u64 at = rg_index_filter_of(look->addr, look->seed, filter_bits);
	__u32 set = rg_index_filters_of(bank);

	at = keep_value(at) & (RG_INDEX_FILTERS - 1);
	if (set >= RG_INDEX_FILTERED)
		return 0;
	return (look->bits & ~look->filters->banks[set][at]) != 0;
}

static __always_inline __u32 find_part(const int lacks, const struct lookup *look, const int is_peers)
{
	__u32 part = is_peers ? RG_INDEX_PEERS : RG_INDEX_HOSTS,
	      byte = look->index >> 8 * part & 0xff;
	__u32 bank = RG_INDEX_BANK(part, (byte & 3) - 1);

	if (lacks & FIXED_FILTERS && is_filtered(look, RG_INDEX_BANK(part, 1), RG_INDEX_FILTER_BITS))
		return RG_INDEX_NONE;
	if (!(lacks & (FIXED_FILTERS | NO_FILTERS)) && is_filtered(look, bank, byte >> 2))
		return RG_INDEX_NONE;
	if (lacks & KERNEL_HASH)
		return find_in_hash(is_peers, look->addr, look->now);
	if (lacks & WIDE_SLOTS)
		return ablation_find_wide(is_peers, look->addr, look->hash, look->now);
	if (lacks & NO_PAIRS)
		return ablation_find_first(bank, look->hash, look->now);
	return ablation_find_pairs(bank, look->hash, look->now);
}

/* The bench's lists have networks, no hosts. */
static __always_inline __u32 find_lists(const int lacks, const struct lookup *look)
{
	__u32 bank = RG_INDEX_BANK(RG_INDEX_LISTS, 0), bit = rg_index_near4(look->addr);
	__u32 net = look->addr >> 8, at = RG_INDEX_NET_LINE(net);
	struct rg_index_presence *table;
	struct rg_index_line *line;
	__u32 zero = 0;
	void *map;

	table = lacks & NO_NEAR ? NULL : bpf_map_lookup_elem(&presence, &zero);
	if (table && !(table->near4[bit / 64] >> bit % 64 & 1))
		return RG_INDEX_NONE;
	map = bpf_map_lookup_elem(&indexes, &bank);
	line = map ? bpf_map_lookup_elem(map, &at) : NULL;
	if (!line)
		return RG_INDEX_ASK;
	return line->words[RG_INDEX_NET_WORD(net)] >> RG_INDEX_NET_SHIFT(net) & 3 ?
		       RG_CLASS_BLOCKED << RG_INDEX_CLASS_SHIFT :
		       RG_INDEX_NONE;
}

static __always_inline int must_check(const int lacks, __u32 answer)
{
	return lacks & (NO_NEAR | NO_CHECK_BIT) || answer <= RG_INDEX_ASK ||
	       answer & RG_INDEX_CHECK_LISTS;
}

static __always_inline int find(const int lacks, const struct rg_settings *settings, __u32 addr,
				__u64 now)
{
	__u32 zero = 0, hosts, peers = RG_INDEX_NONE;
	struct lookup look = {
		.filters = bpf_map_lookup_elem(&filters, &zero),
		.seed = settings->index_seed,
		.now = now,
		.index = settings->index,
		.addr = addr,
		.hash = rg_index_mix4(addr, settings->index_seed),
	};

	if (!look.filters)
		return 0;
	look.bits = rg_index_filter_bits(look.hash);
	hosts = find_part(lacks, &look, 0);
	if (hosts <= RG_INDEX_ASK)
		peers = find_part(lacks, &look, 1);
	if (must_check(lacks, hosts) && must_check(lacks, peers) &&
	    find_lists(lacks, &look) != RG_INDEX_NONE)
		return 1;
	return hosts > RG_INDEX_ASK || peers > RG_INDEX_ASK;
}

/* ---- the programs ---- */

static __always_inline __u32 next_draw(void)
{
	__u32 key = ablation_next++ & (ABLATION_DRAWS - 1);
	__u64 *source = bpf_map_lookup_elem(&ablation_draws, &key);

	return source ? (__u32)*source : 0;
}

#define READER(name, lacks)                                                            \
	static long look_up_##name(__u32 i __attribute__((unused)), __u64 *now)        \
	{                                                                              \
		struct rg_settings *settings = get_settings();                         \
                                                                                       \
		if (!settings)                                                         \
			return 1;                                                      \
		ablation_found += find(lacks, settings, bpf_ntohl(next_draw()), *now); \
		return 0;                                                              \
	}                                                                              \
	PROGRAM(name)

#define PROGRAM(name)                                                                            \
	SEC("xdp") int ablation_##name(struct xdp_md *ctx __attribute__((unused)))               \
	{                                                                                        \
		__u64 now = bpf_ktime_get_boot_ns();                                             \
                                                                                                 \
		return bpf_loop(ablation_lookups, look_up_##name, &now, 0) == ablation_lookups ? \
			       XDP_PASS :                                                        \
			       XDP_ABORTED;                                                      \
	}

static long look_up_nothing(__u32 i __attribute__((unused)), __u64 *now __attribute__((unused)))
{
	__u32 source = next_draw();

	if (!get_settings())
		return 1;
	asm volatile("" ::"r"(source));
	return 0;
}
PROGRAM(nothing)

/* The filter's own reader; with settings.index 0 the tries. */
static long look_up_filter(__u32 i __attribute__((unused)), __u64 *now)
{
	struct rg_settings *settings = get_settings();
	__be32 source = next_draw();
	struct rg_syn syn = { .version = 4, .now = *now };

	if (!settings)
		return 1;
	map_v4(&source, &syn.source);
	if (decide(settings, NULL, &syn).peer_class != RG_CLASS_NONE ||
	    (!settings->index && find_peer(&syn)))
		ablation_found++;
	return 0;
}
PROGRAM(filter)

READER(whole, WHOLE)
READER(no_filters, NO_FILTERS)
READER(fixed_filters, FIXED_FILTERS)
READER(no_near, NO_NEAR)
READER(no_check_bit, NO_CHECK_BIT)
READER(no_pairs, NO_PAIRS)
READER(wide_slots, WIDE_SLOTS)
READER(hash_and_filters, KERNEL_HASH)
READER(hash, KERNEL_HASH | NO_FILTERS)
