/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decision about an address: local lists, then verdicts, then known peers (docs/architecture.md).
 * XDP and sk_lookup both decide by this function, so they do not disagree.
 */
#ifndef REPGATE_VERDICT_BPF_H
#define REPGATE_VERDICT_BPF_H

#include "vmlinux.h"

#include "../maps/layout.h"
#include "decision.bpf.h"
#include "index.bpf.h"
#include "known.bpf.h"
#include "parse.bpf.h"

static __always_inline struct rg_decision decided_by_list(const struct rg_settings *settings,
							  __u32 list_class)
{
	return decided(list_class,
		       list_class == RG_CLASS_APPROVED ? RG_ACTION_PASS : settings->blocked);
}

/*
 * Decides; class RG_CLASS_NONE: nothing is known but what `peers` may have, which judge_unknown() looks into.
 * syn->source, version and now are set. cpu: the SYN counts as a hit of the verdict; NULL: it does not.
 */
static __always_inline struct rg_decision decide(const struct rg_settings *settings,
						 const struct rg_cpu *cpu, const struct rg_syn *syn)
{
	struct rg_decision decision = decided(RG_CLASS_NONE, RG_ACTION_NONE);
	struct rg_index_answers answers;
	__u32 list_class;

	index_search(settings, syn, &answers);
	list_class = find_list(syn, &answers);
	if (list_class != RG_CLASS_NONE)
		return decided_by_list(settings, list_class);
	if (find_verdict(settings, cpu, syn, &answers, &decision))
		return decision;
	if (find_clean(&answers))
		return decided(RG_CLASS_CLEAN, RG_ACTION_PASS);
	return decision;
}

#endif
