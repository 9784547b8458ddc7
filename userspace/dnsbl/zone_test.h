/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the zones: RFC 5782's test points at start, now and then, and while a zone is ill; and a
 * quick one before a listing is believed. A zone that begins to list the world lists 127.0.0.0/8 too,
 * where no mail comes from: a listing counts when an address there, chosen at random so that no cache
 * knows it, was asked for since the peer was, and is not listed. So such a zone refuses no clean peer.
 */
#ifndef REPGATE_DNSBL_ZONE_TEST_H
#define REPGATE_DNSBL_ZONE_TEST_H

#include "dnsbl/dns.h"
#include "dnsbl/zone_health.h"

#include <sys/queue.h>

struct rg_zone_test;

/* A listing that waits for its zone's test. The caller's memory. */
struct rg_zone_check {
	LIST_ENTRY(rg_zone_check) entry;
	void (*done)(void *arg, bool believed); /* once, later */
	void *arg;
	bool waits;
};

/* conf: the one in force. changed is called after each change of a zone's health. */
int rg_zone_test_new(struct rg_zone_test **ret, struct event_base *base, struct rg_dns *dns,
		     struct rg_conf **conf,
		     void (*changed)(void *arg, const struct rg_zone_conf *zone,
				     const struct rg_zone_health *health),
		     void *arg);
/* After every check has ended or was cancelled. */
void rg_zone_test_free(struct rg_zone_test *tester);
/* Starts the tests that are due. */
void rg_zone_test_tick(struct rg_zone_test *tester, uint64_t now);
/* For a zone that is new in this slot. */
void rg_zone_test_reset(struct rg_zone_test *tester, uint32_t slot);

/* Seconds until an ill zone's next test; 0: it is not ill. */
uint32_t rg_zone_test_retry(const struct rg_zone_test *tester, uint32_t slot);
const struct rg_zone_health *rg_zone_test_health(const struct rg_zone_test *tester, uint32_t slot);
/* What peers' questions met; listed: an answer with a listing, believed or not. */
void rg_zone_test_answer(struct rg_zone_test *tester, const struct rg_zone_conf *zone, bool listed);
void rg_zone_test_failure(struct rg_zone_test *tester, const struct rg_zone_conf *zone,
			  enum rg_dns_status status, uint64_t time);
void rg_zone_test_nonsense(struct rg_zone_test *tester, const struct rg_zone_conf *zone);

/* A peer is asked about now; an answer took so long (ns): a slow zone is tested with the question. */
void rg_zone_test_asked(struct rg_zone_test *tester, const struct rg_zone_conf *zone);
void rg_zone_test_took(struct rg_zone_test *tester, const struct rg_zone_conf *zone, uint64_t time);

/*
 * A listing, of which was asked at asked_at (ns of CLOCK_BOOTTIME). False: it is believed, as a test
 * that began since then was passed. True: calls done when one has ended. Not if selftest is off.
 */
bool rg_zone_test_check(struct rg_zone_test *tester, const struct rg_zone_conf *zone,
			uint64_t asked_at, struct rg_zone_check *check,
			void (*done)(void *arg, bool believed), void *arg);
void rg_zone_check_cancel(struct rg_zone_check *check);

#endif
