/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges new peers. There is one inquiry for each address, however many SYNs it sends. The order: collect local
 * evidence, ask the zones, decide (policy.h), write the verdict into the maps, release the held SYNs.
 */
#ifndef REPGATE_JUDGE_JUDGE_H
#define REPGATE_JUDGE_JUDGE_H

#include "judge/exempt.h"
#include "judge/inquiry.h"
#include "lists/country.h"
#include "lists/lists.h"
#include "store/verdicts.h"

#include "maps/event.h"

struct rg_judge;

/* What the judge works with. All of it is the caller's and outlives the judge. */
struct rg_judge_deps {
	struct rg_inquiry_context *inquiries;
	struct rg_verdicts *verdicts;
	struct rg_loader *loader;
	/* What these point to changes with a reload. */
	struct rg_conf **conf;
	struct rg_lists **lists;
	struct rg_country_db **countries; /* *countries may be NULL */
	const struct rg_exempt *exempt;
	/* Called after each inquiry. conf: the one that outcome->zone is an index of. */
	void (*judged)(void *arg, const struct rg_addr *addr, const struct rg_conf *conf,
		       const struct rg_outcome *outcome);
	void *arg;
};

struct rg_judge_count {
	uint64_t events; /* SYNs that XDP reported */
	uint64_t inquiries; /* peers asked about */
	uint64_t joined; /* SYNs of a peer whose inquiry was open */
	uint64_t known; /* SYNs whose peer had been judged meanwhile */
	uint64_t released; /* held SYNs sent on their way */
	uint64_t monitored; /* SYNs that passed in monitor mode, counted by their verdict */
	uint64_t release_failed; /* not sent: their retransmission is judged */
	uint64_t held_lost; /* held SYNs dropped, because there was no memory or no room */
	uint64_t overload; /* peers not asked about, because of max_inquiries */
	uint64_t no_memory; /* peers not asked about, for want of memory */
	uint64_t starved; /* peers not asked about in time, because the resolver was busy */
	uint64_t open; /* inquiries open now */
};

/* 0 or -ENOMEM. */
int rg_judge_new(struct rg_judge **ret, const struct rg_judge_deps *deps);
/* Cancels the inquiries that are open; their held SYNs are dropped. NULL-safe. */
void rg_judge_free(struct rg_judge *judge);

/* A SYN from the ring buffer. */
void rg_judge_syn(struct rg_judge *judge, const struct rg_event_syn *syn);

/* Fills in what is known of addr without asking a zone. country: "" if unknown. */
void rg_judge_local(const struct rg_judge *judge, const struct rg_addr *addr,
		    struct rg_evidence *evidence, char country[3]);

/*
 * Stores an outcome about addr. decided_by: the configuration that it was decided by; conf: the one in force,
 * which a reload may have changed meanwhile. The zone that decided counts as it is in conf: its action
 * replaces outcome's. Ends the pending mark of addr.
 *
 * 0; -ENOENT: conf does not have the zone any more, nothing was stored; or rg_verdicts_put()'s error.
 */
int rg_judge_store(struct rg_verdicts *verdicts, const struct rg_conf *conf,
		   const struct rg_conf *decided_by, const struct rg_addr *addr,
		   struct rg_outcome *outcome);

struct rg_judge_count rg_judge_count(const struct rg_judge *judge);

#endif
