/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the zones about one address, in ERS's order. It first asks all Standard and allow zones. If none
 * of them lists the address, or one has not answered when half of hold_timeout is over, it asks all QIL zones.
 *
 * After hold_timeout the held SYN is decided by what is known then. The questions go on: what a slow zone answers
 * later meets the peer's next SYN. All answers are in within dns_timeout x dns_tries, whatever DNS does; a listing that
 * has to wait for a test of its zone may take that long again. If our own load is why there is no answer, the inquiry ends with hold_timeout.
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
	uint64_t answered; /* questions about peers */
	uint64_t late; /* of these, after the peer's SYN was released */
	double late_share; /* of the latest RG_INQUIRY_LATE_WINDOW answers, 0..1; a moving average */
	bool is_slow; /* late_share is over 5 %: a warning told so */
};

/* The latest answers from which a zone's share of late ones is taken. */
#define RG_INQUIRY_LATE_WINDOW 200

/* What all inquiries share: resolver, tests of the zones, time limit, counters. */
struct rg_inquiry_context;
struct rg_inquiry;

/*
 * dns and tester stay the caller's and outlive the context. hold_ms: until the held SYN is decided; total_ms: until an
 * inquiry ends, no less than hold_ms. 0 or -ENOMEM.
 */
int rg_inquiry_context_new(struct rg_inquiry_context **ret, struct event_base *base,
			   struct rg_dns *dns, struct rg_zone_test *tester, uint32_t hold_ms,
			   uint32_t total_ms);
/* Call when every inquiry has ended or was cancelled. */
void rg_inquiry_context_free(struct rg_inquiry_context *context);
/* Call when this slot gets a new zone: its counters begin at 0. */
void rg_inquiry_context_reset(struct rg_inquiry_context *context, uint32_t slot);
const struct rg_zone_count *rg_inquiry_context_count(const struct rg_inquiry_context *context,
						     uint32_t slot);

/*
 * evidence is valid during the call. is_final: the inquiry is freed after it. Else hold_timeout is over, and zones that
 * have not answered yet count as failed; the call comes again.
 */
typedef void rg_inquiry_callback(void *arg, const struct rg_evidence *evidence, bool is_final);

/*
 * evidence: what is known already (lists, country, exemption); if that decides, no zone is asked. Calls
 * back, at the end or before, after this returns. priority: of its questions. Holds a reference to conf. 0 or -ENOMEM.
 */
int rg_inquiry_start(struct rg_inquiry **ret, struct rg_inquiry_context *context,
		     struct rg_conf *conf, const struct rg_addr *addr,
		     const struct rg_evidence *evidence, enum rg_dns_priority priority,
		     rg_inquiry_callback *callback, void *arg);
/* The peer sent its SYN again: what waits to be asked about it comes first. */
void rg_inquiry_hurry(struct rg_inquiry *inquiry);
/* Ends it without calling back. NULL-safe. */
void rg_inquiry_cancel(struct rg_inquiry *inquiry);

#endif
