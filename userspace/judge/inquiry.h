/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the zones about one address, in ERS's order: all Standard zones (and those of kind allow) at once, then, if none of
 * them lists it, or does not answer in half the time, all QIL zones. Answers within dns_timeout x dns_tries, whatever DNS does.
 */
#ifndef REPGATE_JUDGE_INQUIRY_H
#define REPGATE_JUDGE_INQUIRY_H

#include "judge/policy.h"
#include "dnsbl/zone_test.h"

/* What a zone answered since the start, by its slot. */
struct rg_zone_count {
	uint64_t asked, listed, not_listed;
	uint64_t off; /* not asked: the zone was off (health.h) */
	uint64_t doubted; /* listings that were not believed */
	uint64_t monitored; /* listings that count as none, see RG_ZONE_HEALTH_MONITOR */
	uint64_t failed[RG_DNS_STATUS_MAX]; /* by status; RG_DNS_OK: an error code instead of a listing */
	uint64_t last_failure; /* ns of CLOCK_BOOTTIME, 0: never */
};

struct rg_asker;
struct rg_inquiry;

/* dns and tester are the caller's, and outlive the asker. */
int rg_asker_new(struct rg_asker **ret, struct event_base *base, struct rg_dns *dns,
		 struct rg_zone_test *tester, uint32_t deadline_ms);
/* After every inquiry has ended or was cancelled. */
void rg_asker_free(struct rg_asker *asker);
/* For a zone that is new in this slot. */
void rg_asker_reset(struct rg_asker *asker, uint32_t slot);
const struct rg_zone_count *rg_asker_count(const struct rg_asker *asker, uint32_t slot);

/* evidence is valid during the call; the inquiry is gone after it. */
typedef void rg_inquiry_callback(void *arg, const struct rg_evidence *evidence);

/* evidence: what is known already (lists, country). Calls back once, later. 0 or -ENOMEM. */
int rg_inquiry_start(struct rg_inquiry **ret, struct rg_asker *asker, struct rg_conf *conf,
		     const struct rg_addr *addr, const struct rg_evidence *evidence,
		     rg_inquiry_callback *callback, void *arg);
void rg_inquiry_cancel(struct rg_inquiry *inquiry);

#endif
