/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of an address: local lists, then verdicts, then known peers. Each is looked for in
 * the index first, which may send us on to the trie. Expiry is enforced here, so that it holds even
 * when the agent is dead.
 */
#ifndef REPGATE_VERDICT_BPF_H
#define REPGATE_VERDICT_BPF_H

#include "index.bpf.h"

enum rg_trie { RG_TRIE_LISTS, RG_TRIE_VERDICTS };

static __always_inline void *get_trie(enum rg_trie which)
{
	__u32 zero = 0;

	return which == RG_TRIE_LISTS ? bpf_map_lookup_elem(&lists, &zero) : (void *)&verdicts;
}

/*
 * Below an expired entry of len bits: the length of the longest one that is alive, or -1. Entries
 * nest at most 129 deep. A global function, so that the verifier walks its loop once.
 */
__attribute__((noinline)) int live_below(enum rg_trie which, const struct rg_addr *addr, __u32 len,
					 __u64 now)
{
	void *trie = get_trie(which);
	struct rg_prefix key = { .len = len };

	if (!trie || !addr)
		return -1;
	key.addr = *addr;
	for (int i = 0; i <= RG_ADDR_BITS; i++) {
		struct rg_lease *lease;

		if (key.len == 0 || key.len > RG_ADDR_BITS)
			return -1;
		key.len--;
		lease = bpf_map_lookup_elem(trie, &key);
		if (!lease)
			return -1;
		if (!lease->expiry || lease->expiry > now)
			return lease->prefix_len;
		key.len = lease->prefix_len;
	}
	return -1;
}

/*
 * The longest entry that has not expired. An LPM trie knows only the longest one: in practice the
 * first lookup decides, and below an expired entry the search goes on.
 */
static __always_inline void *longest_live(enum rg_trie which, const struct rg_syn *syn)
{
	struct rg_prefix key = { .len = RG_ADDR_BITS, .addr = syn->source };
	void *trie = get_trie(which);
	struct rg_lease *lease;
	int len;

	if (!trie)
		return NULL;
	lease = bpf_map_lookup_elem(trie, &key);
	if (!lease || !lease->expiry || lease->expiry > syn->now)
		return lease;
	len = live_below(which, &syn->source, lease->prefix_len, syn->now);
	if (len < 0)
		return NULL;
	key.len = len;
	return bpf_map_lookup_elem(trie, &key);
}

static __always_inline void decide_class(const struct rg_settings *settings,
					 enum rg_class peer_class, struct rg_decision *decision)
{
	decision->peer_class = peer_class;
	decision->action = peer_class == RG_CLASS_APPROVED ? RG_ACTION_PASS : settings->blocked;
}

/* answer: the index's, as in rg_found. */
static __always_inline int decide_by_lists(const struct rg_settings *settings,
					   const struct rg_syn *syn, __u32 answer,
					   struct rg_decision *decision)
{
	struct rg_list_entry *entry;

	if (answer == RG_INDEX_NONE)
		return 0;
	if (likely(answer != RG_INDEX_ASK)) {
		decide_class(settings, answer >> RG_INDEX_CLASS_SHIFT, decision);
		return 1;
	}
	entry = longest_live(RG_TRIE_LISTS, syn);
	if (!entry)
		return 0;
	decide_class(settings, entry->peer_class, decision);
	return 1;
}

/*
 * How many SYNs this one counts for in an entry's hits, see weight_of(). The entry is looked for in
 * the trie, which in a flood costs as much as a hundred lookups in the index.
 */
static __always_inline __u32 hits_of(const struct rg_settings *settings, const struct rg_cpu *cpu)
{
	if (unlikely(cpu->syns < RG_EXACT_HITS(settings->exact_per_second)))
		return 1;
	/* Others in each second: at a steady rate an error would add up. */
	return is_sampled(cpu->syns + (cpu->second << 32), RG_SAMPLED_HITS) ? RG_SAMPLED_HITS : 0;
}

static __always_inline void read_answer(__u32 answer, struct rg_decision *decision)
{
	__u32 zone = answer & RG_INDEX_ZONE_MASK;

	decision->peer_class = answer >> RG_INDEX_CLASS_SHIFT;
	decision->action = answer >> RG_INDEX_ACTION_SHIFT & 15;
	decision->zone = zone == RG_INDEX_NO_ZONE ? RG_NO_ZONE : zone;
}

static __always_inline void add_hits(const struct rg_verdict *verdict, __u32 hits)
{
	__u32 index = verdict->details;
	struct rg_verdict_details *details = bpf_map_lookup_elem(&verdict_details, &index);

	/* Two CPUs may lose a hit between them; an atomic add would cost every refused packet. */
	if (details)
		details->hits += hits;
}

static __always_inline int decide_by_hosts(const struct rg_settings *settings,
					   const struct rg_cpu *cpu, const struct rg_syn *syn,
					   __u32 answer, struct rg_decision *decision)
{
	struct rg_verdict *verdict;
	__u32 hits;

	if (answer == RG_INDEX_NONE)
		return 0;
	hits = cpu ? hits_of(settings, cpu) : 0;
	if (likely(answer != RG_INDEX_ASK)) {
		read_answer(answer, decision);
		if (likely(!hits))
			return 1;
	}
	verdict = longest_live(RG_TRIE_VERDICTS, syn);
	if (!verdict)
		return answer != RG_INDEX_ASK;
	if (hits)
		add_hits(verdict, hits);
	if (answer == RG_INDEX_ASK) {
		decision->peer_class = verdict->peer_class;
		decision->action = verdict->action;
		decision->zone = verdict->zone;
	}
	return 1;
}

/* The peer's live entry, clean or pending, or NULL. */
static __always_inline struct rg_peer *known_peer(const struct rg_syn *syn)
{
	struct rg_addr key = syn->peer; /* up to Linux 6.1 a key must lie on the stack */
	struct rg_peer *peer = bpf_map_lookup_elem(&peers, &key);

	return peer && peer->expiry > syn->now ? peer : NULL;
}

static __always_inline void read_clock(const struct rg_cpu *cpu, struct rg_syn *syn)
{
	syn->now = cpu->now;
	syn->second = cpu->second;
}

/* Who it is that the agent judges. */
static __always_inline void find_peer(const struct rg_settings *settings, struct rg_syn *syn)
{
	__u64 half[2] = { syn->source_halves[0], syn->source_halves[1] };

	if (syn->version != 4) {
		half[0] &= settings->peer_mask6[0];
		half[1] &= settings->peer_mask6[1];
	}
	__builtin_memcpy(&syn->peer, half, sizeof(half));
}

static __always_inline struct rg_decision decided(enum rg_class peer_class, enum rg_action action)
{
	return (struct rg_decision){ .peer_class = peer_class, .action = action, .zone = RG_NO_ZONE };
}

/*
 * class NONE: nothing is known but what `peers` may say, which also has those that are pending.
 * cpu: a SYN meets the verdict, which counts as a hit; NULL: no packet of its own does.
 */
static __always_inline struct rg_decision decide(const struct rg_settings *settings,
						 const struct rg_cpu *cpu, const struct rg_syn *syn)
{
	struct rg_decision decision = { .zone = RG_NO_ZONE };
	struct rg_found found;

	index_find(settings, syn, &found);
	if (!decide_by_lists(settings, syn, found.lists, &decision) &&
	    !decide_by_hosts(settings, cpu, syn, found.hosts, &decision) &&
	    found.peers > RG_INDEX_ASK)
		read_answer(found.peers, &decision);
	return decision;
}

#endif
