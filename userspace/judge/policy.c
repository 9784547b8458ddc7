/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/policy.h"

/* The first zone of kind, in the configuration's order, that lists the peer; -1 if none does. */
static int listing_zone(const struct rg_conf *conf, const struct rg_evidence *evidence,
			enum rg_class kind)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].peer_class == kind && evidence->zones[i].state == RG_ZONE_LISTED)
			return (int)i;
	return -1;
}

/* A zone that might list the peer did not answer. */
static bool any_failed(const struct rg_conf *conf, const struct rg_evidence *evidence)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].peer_class != RG_CLASS_APPROVED &&
		    evidence->zones[i].state == RG_ZONE_FAILED)
			return true;
	return false;
}

/*
 * How long a peer stays clean: the shortest of the zones' negative TTLs. Without an SOA it is
 * clean_ttl_min, because such an answer must not be cached (RFC 2308, 5).
 */
static uint32_t clean_ttl(const struct rg_conf *conf, const struct rg_evidence *evidence)
{
	uint32_t ttl = conf->clean_ttl_max;

	for (unsigned int i = 0; i < conf->zone_count; i++) {
		const struct rg_finding *finding = &evidence->zones[i];
		uint32_t negative = finding->has_ttl ? finding->ttl : conf->clean_ttl_min;

		if (finding->state == RG_ZONE_NOT_LISTED && negative < ttl)
			ttl = negative;
	}
	return rg_clamp_ttl(ttl, conf->clean_ttl_min, conf->clean_ttl_max);
}

/* An allow list that might list the peer did not answer. */
static bool allow_failed(const struct rg_conf *conf, const struct rg_evidence *evidence)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].peer_class == RG_CLASS_APPROVED &&
		    evidence->zones[i].state == RG_ZONE_FAILED)
			return true;
	return false;
}

static void decide_listed(const struct rg_conf *conf, const struct rg_evidence *evidence, int index,
			  struct rg_outcome *outcome)
{
	const struct rg_zone_conf *zone = &conf->zones[index];
	const struct rg_finding *finding = &evidence->zones[index];

	outcome->peer_class = zone->peer_class;
	outcome->action = zone->action;
	outcome->reason = RG_REASON_ZONE;
	outcome->zone = (unsigned int)index;
	outcome->code = finding->code;
	outcome->ttl = rg_clamp_ttl(finding->ttl, zone->ttl_min, zone->ttl_max);
	if (allow_failed(conf, evidence) && outcome->ttl > conf->failure_ttl)
		outcome->ttl = conf->failure_ttl;
}

static void decide_pass(struct rg_outcome *outcome, enum rg_class peer_class, enum rg_reason reason,
			uint32_t ttl)
{
	outcome->peer_class = peer_class;
	outcome->action = RG_ACTION_PASS;
	outcome->reason = reason;
	outcome->ttl = ttl;
}

static void decide_blocked(const struct rg_conf *conf, struct rg_outcome *outcome,
			   enum rg_reason reason, uint32_t ttl)
{
	outcome->peer_class = RG_CLASS_BLOCKED;
	outcome->action = conf->blocked_action;
	outcome->reason = reason;
	outcome->ttl = ttl;
}

/*
 * ttl, shortened while a zone is off: the peer is asked about again when the zone is. But a listing that
 * was disproved stays in the resolver's cache for its TTL, so an earlier question would get it again.
 */
static uint32_t ttl_with_zones_off(const struct rg_conf *conf, const struct rg_evidence *evidence,
				   uint32_t ttl)
{
	uint32_t doubt = 0;

	for (unsigned int i = 0; i < conf->zone_count; i++) {
		const struct rg_finding *finding = &evidence->zones[i];

		if (finding->doubted && finding->ttl > doubt)
			doubt = finding->ttl;
		if (finding->retry && finding->retry < ttl)
			ttl = finding->retry;
	}
	return doubt ? rg_clamp_ttl(doubt, ttl, conf->clean_ttl_max) : ttl;
}

static void decide_unanswered(const struct rg_conf *conf, const struct rg_evidence *evidence,
			      struct rg_outcome *outcome)
{
	decide_pass(outcome, RG_CLASS_CLEAN, RG_REASON_DNS_FAILURE,
		    ttl_with_zones_off(conf, evidence, conf->failure_ttl));
	if (conf->on_dns_failure != RG_ACTION_TEMPFAIL)
		return;
	/* The same as a QIL listing: a real mail server tries again. */
	outcome->peer_class = RG_CLASS_QIL;
	outcome->action = RG_ACTION_TEMPFAIL;
}

static void decide_by_zones(const struct rg_conf *conf, const struct rg_evidence *evidence,
			    struct rg_outcome *outcome)
{
	int zone = listing_zone(conf, evidence, RG_CLASS_APPROVED);

	if (zone < 0)
		zone = listing_zone(conf, evidence, RG_CLASS_STANDARD);
	if (zone < 0)
		zone = listing_zone(conf, evidence, RG_CLASS_QIL);
	if (zone >= 0)
		decide_listed(conf, evidence, zone, outcome);
	else if (evidence->is_starved)
		decide_pass(outcome, RG_CLASS_CLEAN, RG_REASON_OVERLOAD, conf->failure_ttl);
	else if (any_failed(conf, evidence))
		decide_unanswered(conf, evidence, outcome);
	else
		decide_pass(outcome, RG_CLASS_CLEAN, RG_REASON_NOT_LISTED,
			    ttl_with_zones_off(conf, evidence, clean_ttl(conf, evidence)));
}

/* A verdict by a country's entry ends with the entry, whether the lists can be loaded again then or not. */
static uint32_t country_ttl(const struct rg_evidence *evidence, uint32_t most)
{
	uint32_t left = evidence->country_ttl;

	return left && left < most ? left : most;
}

void rg_policy_decide(const struct rg_conf *conf, const struct rg_evidence *evidence,
		      struct rg_outcome *outcome)
{
	*outcome = (struct rg_outcome){ .zone = RG_NO_ZONE };
	if (evidence->list == RG_CLASS_APPROVED)
		decide_pass(outcome, RG_CLASS_APPROVED, RG_REASON_LIST, 0);
	else if (evidence->list == RG_CLASS_BLOCKED)
		decide_blocked(conf, outcome, RG_REASON_LIST, 0);
	else if (evidence->never_block)
		decide_pass(outcome, RG_CLASS_APPROVED, RG_REASON_NEVER_BLOCK, conf->clean_ttl_max);
	else if (evidence->is_private)
		decide_pass(outcome, RG_CLASS_APPROVED, RG_REASON_PRIVATE, conf->clean_ttl_max);
	else if (evidence->country == RG_CLASS_APPROVED)
		decide_pass(outcome, RG_CLASS_APPROVED, RG_REASON_COUNTRY,
			    country_ttl(evidence, conf->clean_ttl_max));
	else if (evidence->country == RG_CLASS_BLOCKED)
		decide_blocked(conf, outcome, RG_REASON_COUNTRY, country_ttl(evidence, 86400));
	else if (evidence->overload)
		decide_pass(outcome, RG_CLASS_CLEAN, RG_REASON_OVERLOAD, conf->failure_ttl);
	else
		decide_by_zones(conf, evidence, outcome);
}

bool rg_policy_needs_zones(const struct rg_evidence *evidence)
{
	return evidence->list == RG_CLASS_NONE && evidence->country == RG_CLASS_NONE &&
	       !evidence->never_block && !evidence->is_private && !evidence->overload;
}

bool rg_policy_asks(const struct rg_conf *conf, const struct rg_evidence *evidence, enum rg_class kind)
{
	return kind != RG_CLASS_QIL || (listing_zone(conf, evidence, RG_CLASS_STANDARD) < 0 &&
					listing_zone(conf, evidence, RG_CLASS_APPROVED) < 0);
}

bool rg_policy_is_decided(const struct rg_conf *conf, const struct rg_evidence *evidence)
{
	if (listing_zone(conf, evidence, RG_CLASS_APPROVED) >= 0)
		return true;
	if (listing_zone(conf, evidence, RG_CLASS_STANDARD) < 0)
		return false;
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].peer_class == RG_CLASS_APPROVED &&
		    evidence->zones[i].state == RG_ZONE_NOT_ASKED)
			return false;
	return true;
}
