/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of a source, a function for each map: find_list(), find_verdict(), find_clean(). Each
 * takes the index's answer if there is one. Where the index says "ask", the trie answers. Nothing
 * outside this file needs to know which of them did.
 */
#ifndef REPGATE_KNOWN_BPF_H
#define REPGATE_KNOWN_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"
#include "decision.bpf.h"
#include "index.bpf.h"
#include "parse.bpf.h"
#include "sample.bpf.h"
#include "trie.bpf.h"

/* The class of the local list entry around the source; RG_CLASS_NONE: there is none. */
static __always_inline __u32 find_list(const struct rg_syn *syn,
				       const struct rg_index_answers *answers)
{
	struct rg_list_entry *entry;

	if (answers->lists == RG_INDEX_NONE)
		return RG_CLASS_NONE;
	if (likely(answers->lists != RG_INDEX_ASK))
		return rg_index_answer_class(answers->lists);
	entry = longest_live(RG_TRIE_LISTS, syn);
	return entry ? entry->peer_class : RG_CLASS_NONE;
}

static __always_inline void add_hits(const struct rg_verdict *verdict, __u32 hits)
{
	__u32 index = verdict->details;
	struct rg_verdict_details *details = bpf_map_lookup_elem(&verdict_details, &index);

	/* Two CPUs may lose a hit between them; an atomic add would cost every refused packet. */
	if (details)
		details->hits += hits;
}

/*
 * 1: there is a verdict, and it is in *decision. cpu: this SYN counts as a hit of the verdict, as
 * hit_weight() says; NULL: it does not. A hit needs the verdict's entry, so the trie is then searched
 * even if the index has the answer.
 */
static __always_inline int find_verdict(const struct rg_settings *settings,
					const struct rg_cpu *cpu, const struct rg_syn *syn,
					const struct rg_index_answers *answers,
					struct rg_decision *decision)
{
	__u32 answer = answers->hosts, hits;
	struct rg_verdict *verdict;

	if (answer == RG_INDEX_NONE)
		return 0;
	hits = cpu ? hit_weight(settings, cpu) : 0;
	if (likely(answer != RG_INDEX_ASK)) {
		decision->peer_class = rg_index_answer_class(answer);
		decision->action = rg_index_answer_action(answer);
		decision->zone = rg_index_answer_zone(answer);
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

/*
 * 1: the index has the source as a clean peer. 0: it has not; find_peer() finds those that the index
 * does not know, and pending ones.
 */
static __always_inline int find_clean(const struct rg_index_answers *answers)
{
	return answers->peers > RG_INDEX_ASK;
}

/* The live entry of the source in `peers`, clean or pending, or NULL. */
static __always_inline struct rg_peer *find_peer(const struct rg_syn *syn)
{
	struct rg_addr key = syn->source; /* up to Linux 6.1 a key must lie on the stack */
	struct rg_peer *peer = bpf_map_lookup_elem(&peers, &key);

	return peer && peer->expiry > syn->now ? peer : NULL;
}

#endif
