/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the zones, of each family of addresses on its own (zone_health.h). A whole test asks for RFC 5782's test points: at the start, now and then, and while
 * a zone is off. A quick test confirms a listing. A zone that lists the world also lists 127.0.0.0/8, where
 * no mail comes from. So a listing counts only if a random address of 127.0.0.0/8, asked after the peer, is
 * not listed. No cache has that address. So a zone that lists the world refuses no clean peer.
 *
 * All functions are for the event loop's thread.
 */
#ifndef REPGATE_DNSBL_ZONE_TEST_H
#define REPGATE_DNSBL_ZONE_TEST_H

#include "config/config.h"
#include "dnsbl/dns.h"
#include "dnsbl/zone_health.h"

#include <sys/queue.h>

struct rg_zone_test;

/* A listing that waits for a quick test. Memory: the caller's, until it is done or cancelled. */
struct rg_zone_test_waiter {
	LIST_ENTRY(rg_zone_test_waiter) entry;
	void (*done)(void *arg, bool confirmed); /* once, later */
	void *arg;
	bool waits;
};

/* A zone's state has changed. */
struct rg_zone_change {
	const struct rg_zone_conf *zone;
	const struct rg_zone_health *health;
	enum rg_family family; /* that it is about */
	/* All families that the zone is asked about are in this state now. If both have just come into it, there is
	   one call. */
	bool is_whole;
};

/*
 * conf: points to the configuration in force, which a reload changes. changed is called after each
 * change of a zone's state. dns stays the caller's and outlives the tester. 0 or -ENOMEM.
 */
int rg_zone_test_new(struct rg_zone_test **ret, struct event_base *base, struct rg_dns *dns,
		     struct rg_conf **conf,
		     void (*changed)(void *arg, const struct rg_zone_change *change), void *arg);
/* Call when every waiter is done or cancelled. NULL-safe. */
void rg_zone_test_free(struct rg_zone_test *tester);
/* Starts the whole tests that are due. Call once a second. now: ns of CLOCK_BOOTTIME. */
void rg_zone_test_tick(struct rg_zone_test *tester, uint64_t now);
/* Call when this slot gets a new zone, or when no answer of before counts any more. */
void rg_zone_test_reset(struct rg_zone_test *tester, uint32_t slot);
/* Changes with each reset: an answer to a question of before is not this zone's. */
uint32_t rg_zone_test_serial(const struct rg_zone_test *tester, uint32_t slot);

const struct rg_zone_health *rg_zone_test_health(const struct rg_zone_test *tester, uint32_t slot,
						 enum rg_family family);
/*
 * The worse health of the families that the zone is asked about. family: set to its name for people, or to "" if
 * all of them are in the same state.
 */
const struct rg_zone_health *rg_zone_test_worst(const struct rg_zone_test *tester,
						const struct rg_zone_conf *zone, const char **family);
/* Seconds until a zone that is off may be good again; 0: it is not off. */
uint32_t rg_zone_test_retry_after(const struct rg_zone_test *tester, uint32_t slot,
				  enum rg_family family);

/* Of a question about a peer. */
struct rg_zone_question {
	const struct rg_zone_conf *zone;
	enum rg_family family; /* the peer's */
	uint64_t asked_at; /* ns of CLOCK_BOOTTIME */
};

/* A question is about to be sent. A slow zone gets its quick test at the same time. */
void rg_zone_test_note_question(struct rg_zone_test *tester, const struct rg_zone_question *question);
/* An answer came, now. */
void rg_zone_test_note_latency(struct rg_zone_test *tester, const struct rg_zone_question *question);
/* The results of peers' questions, see rg_zone_health_answer() and so on. */
void rg_zone_test_note_answer(struct rg_zone_test *tester, const struct rg_zone_question *question,
			      bool listed);
/* The zone did not list the peer; caches keep that for ttl s. It may be in a control group (zone_control.h). */
void rg_zone_test_note_clean(struct rg_zone_test *tester, const struct rg_zone_question *question,
			     const struct rg_addr *addr, uint32_t ttl);
void rg_zone_test_note_overdue(struct rg_zone_test *tester, const struct rg_zone_question *question);
void rg_zone_test_note_failure(struct rg_zone_test *tester, const struct rg_zone_question *question,
			       enum rg_dns_status status);
void rg_zone_test_note_invalid(struct rg_zone_test *tester, const struct rg_zone_question *question);

/*
 * The zone lists a peer. False: the listing counts, because a test that began after the question was sent was passed,
 * or because the zone is of kind allow. True: calls waiter's done when a test has ended. Not for zones with
 * selftest = off.
 */
bool rg_zone_test_wait(struct rg_zone_test *tester, const struct rg_zone_question *question,
		       struct rg_zone_test_waiter *waiter, void (*done)(void *arg, bool confirmed),
		       void *arg);
/* done is not called any more. For a waiter that does not wait it does nothing. */
void rg_zone_test_cancel(struct rg_zone_test_waiter *waiter);

#endif
