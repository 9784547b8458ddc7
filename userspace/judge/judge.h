/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One inquiry for each peer, however many SYNs: local evidence, the zones, policy, the verdict into
 * the maps, then the held SYNs on their way, in this order.
 */
#ifndef REPGATE_JUDGE_JUDGE_H
#define REPGATE_JUDGE_JUDGE_H

#include "lists/country.h"
#include "judge/inquiry.h"
#include "judge/exempt.h"
#include "store/verdicts.h"

#include "maps/event.h"

struct rg_judge;

/* What the judge works with; all of it the agent's. The double pointers change on reload. */
struct rg_judge_deps {
	struct rg_asker *asker;
	struct rg_verdicts *verdicts;
	struct rg_loader *loader;
	struct rg_conf **conf;
	struct rg_lists **lists;
	struct rg_country_db **geo; /* *geo may be NULL */
	const struct rg_exempt *never;
	void (*judged)(void *arg, const struct rg_addr *addr, const struct rg_conf *conf,
		       const struct rg_outcome *outcome); /* after each inquiry of a peer */
	void *arg;
};

struct rg_judge_count {
	uint64_t events; /* SYNs told by XDP */
	uint64_t inquiries; /* peers asked about */
	uint64_t joined; /* SYNs of a peer that was being asked about */
	uint64_t known; /* SYNs whose peer had been judged meanwhile */
	uint64_t released; /* held SYNs sent on their way */
	uint64_t release_failed; /* not sent: their retransmission is judged */
	uint64_t held_lost; /* held SYNs dropped for want of memory or room */
	uint64_t overload; /* peers not asked about: max_inquiries */
	uint64_t open; /* inquiries under way now */
};

int rg_judge_new(struct rg_judge **ret, const struct rg_judge_deps *court);
void rg_judge_free(struct rg_judge *judge);

/* A SYN from the ring buffer. */
void rg_judge_syn(struct rg_judge *judge, const struct rg_event_syn *syn);

/* What is known here of addr, without asking anyone. country: "" if unknown. */
void rg_judge_local(const struct rg_judge *judge, const struct rg_addr *addr,
		    struct rg_evidence *evidence, char country[3]);

struct rg_judge_count rg_judge_count(const struct rg_judge *judge);

#endif
