/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the zones about one address, in ERS's order. It first asks all Standard and allow zones. If none
 * of them lists the address, or one has not answered in half of the time, it asks all QIL zones. The
 * evidence is complete within dns_timeout x dns_tries, whatever DNS does.
 */
#ifndef REPGATE_JUDGE_INQUIRY_H
#define REPGATE_JUDGE_INQUIRY_H

#include "dnsbl/zone_test.h"
#include "judge/policy.h"

/* What a zone answered since the start. */
struct rg_zone_count {
	uint64_t asked, listed, not_listed;
	uint64_t off; /* not asked, because the zone was off (zone_health.h) */
	uint64_t doubted; /* listings that a test of the zone disproved */
	uint64_t monitored; /* listings that count as none, see RG_ZONE_HEALTH_MONITOR */
	uint64_t failed[RG_DNS_STATUS_MAX]; /* by status; RG_DNS_OK: a record that can't be true */
	uint64_t last_failure; /* ns of CLOCK_BOOTTIME, 0: never */
};

/* What all inquiries share: resolver, tests of the zones, time limit, counters. */
struct rg_inquiry_context;
struct rg_inquiry;

/* dns and tester stay the caller's and outlive the context. deadline_ms: of an inquiry. 0 or -ENOMEM. */
int rg_inquiry_context_new(struct rg_inquiry_context **ret, struct event_base *base,
			   struct rg_dns *dns, struct rg_zone_test *tester, uint32_t deadline_ms);
/* Call when every inquiry has ended or was cancelled. */
void rg_inquiry_context_free(struct rg_inquiry_context *context);
/* Call when this slot gets a new zone: its counters begin at 0. */
void rg_inquiry_context_reset(struct rg_inquiry_context *context, uint32_t slot);
const struct rg_zone_count *rg_inquiry_context_count(const struct rg_inquiry_context *context,
						     uint32_t slot);

/* evidence is valid during the call; the inquiry is freed after it. */
typedef void rg_inquiry_callback(void *arg, const struct rg_evidence *evidence);

/*
 * evidence: what is known already (lists, country, exemption); if that decides, no zone is asked. Calls
 * back once, after this returns. Holds a reference to conf. 0 or -ENOMEM.
 */
int rg_inquiry_start(struct rg_inquiry **ret, struct rg_inquiry_context *context,
		     struct rg_conf *conf, const struct rg_addr *addr,
		     const struct rg_evidence *evidence, rg_inquiry_callback *callback, void *arg);
/* Ends it without calling back. NULL-safe. */
void rg_inquiry_cancel(struct rg_inquiry *inquiry);

#endif
