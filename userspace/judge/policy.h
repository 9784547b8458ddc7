/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what is known of a peer to its verdict. ERS's order, first match wins: approved address,
 * blocked address, approved country, blocked country, zones of kind allow, Standard zones, then QIL
 * zones. Pure.
 */
#ifndef REPGATE_JUDGE_POLICY_H
#define REPGATE_JUDGE_POLICY_H

#include "config/config.h"
#include "store/outcome.h"

enum rg_zone_state {
	RG_ZONE_NOT_ASKED, /* not needed, or not yet */
	RG_ZONE_NOT_LISTED,
	RG_ZONE_LISTED,
	RG_ZONE_FAILED, /* no answer, or one that means the zone is ill */
};

/* What one zone said. */
struct rg_finding {
	enum rg_zone_state state;
	uint32_t code; /* LISTED: the record; FAILED: the error code, 0 if none. Host order */
	uint32_t ttl; /* s, as the zone said */
	bool has_ttl;
	bool doubted; /* it lists the peer, but is not believed */
	uint32_t retry; /* s until an ill zone may be well again; 0: it is not ill */
	unsigned int status; /* enum rg_dns_status */
};

struct rg_evidence {
	enum rg_class list; /* local list: approved, blocked or none */
	enum rg_class country; /* local country: approved, blocked or none */
	bool never_block;
	bool overload; /* it was not asked about */
	struct rg_finding zones[RG_MAX_ZONES]; /* as conf->zones */
};

void rg_policy_decide(const struct rg_conf *conf, const struct rg_evidence *evidence,
		      struct rg_outcome *outcome);

/* Local evidence decides alone: no zone need be asked. */
bool rg_policy_needs_zones(const struct rg_evidence *evidence);

/* Allow and Standard zones are asked first; QIL ones only if none of them lists the peer. */
bool rg_policy_asks(const struct rg_conf *conf, const struct rg_evidence *evidence,
		    enum rg_class kind);

/* No answer that is still out can change the outcome. */
bool rg_policy_is_settled(const struct rg_conf *conf, const struct rg_evidence *evidence);

#endif
