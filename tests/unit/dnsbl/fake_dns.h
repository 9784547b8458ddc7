/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In place of dns.c: notes what is asked for, and a test answers it. And CLOCK_BOOTTIME, which a test
 * moves. For one file of a test program: it defines functions.
 */
#ifndef REPGATE_FAKE_DNS_H
#define REPGATE_FAKE_DNS_H

#include "dnsbl/dns.h"

#include "maps/types.h"

#include <sys/syscall.h>

struct rg_dns_query {
	unsigned int lane;
	char name[256];
	rg_dns_callback *callback;
	void *arg;
	enum rg_dns_priority priority;
	uint64_t sent_at; /* 0: waits */
	bool open;
};

#define FAKE_QUERIES 512
static struct rg_dns_query fake_queries[FAKE_QUERIES];
static unsigned int fake_count, fake_open;
static bool fake_waits; /* queries wait until a test sends them */
static bool fake_is_busy; /* what rg_dns_is_busy() returns */
static int fake_error; /* what rg_dns_query() returns */
static uint64_t fake_ahead; /* ns that CLOCK_BOOTTIME is ahead of the real one */

/* Only CLOCK_BOOTTIME is ours: libevent's timers use others. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	int err = (int)syscall(SYS_clock_gettime, clock, now);

	if (!err && clock == CLOCK_BOOTTIME) {
		uint64_t ns = (uint64_t)now->tv_nsec + fake_ahead;

		now->tv_sec += (time_t)(ns / RG_NSEC_PER_SEC);
		now->tv_nsec = (long)(ns % RG_NSEC_PER_SEC);
	}
	return err;
}

int rg_dns_query(struct rg_dns *dns, struct rg_dns_query **ret, unsigned int lane,
		 enum rg_dns_priority priority, const char *name, rg_dns_callback *callback,
		 void *arg)
{
	struct rg_dns_query *query = &fake_queries[fake_count % FAKE_QUERIES];

	(void)dns;
	if (fake_error)
		return fake_error;
	*query = (struct rg_dns_query){ .lane = lane,
					.priority = priority,
					.callback = callback,
					.arg = arg,
					.sent_at = fake_waits ? 0 : rg_now(),
					.open = true };
	snprintf(query->name, sizeof(query->name), "%s", name);
	fake_count++;
	fake_open++;
	*ret = query;
	return 0;
}

void rg_dns_cancel(struct rg_dns_query *query)
{
	if (query && query->open) {
		query->open = false;
		fake_open--;
	}
}

void rg_dns_hurry(struct rg_dns_query *query)
{
	if (query && query->open && query->priority == RG_DNS_NEW)
		query->priority = RG_DNS_RETRY;
}

uint64_t rg_dns_sent_at(const struct rg_dns_query *query)
{
	return query->sent_at;
}

bool rg_dns_is_busy(const struct rg_dns *dns, unsigned int lane)
{
	(void)dns;
	(void)lane;
	return fake_is_busy;
}

const char *rg_dns_status_name(enum rg_dns_status status)
{
	static const char *const names[] = { "answer",	"no record",  "timeout",  "servfail",
					     "refused", "bad answer", "zone off", "resolver busy" };

	return names[status];
}

static inline void fake_reset(void)
{
	fake_count = fake_open = 0;
	fake_error = 0;
	fake_waits = fake_is_busy = false;
	memset(fake_queries, 0, sizeof(fake_queries));
}

/* The oldest open query of this lane whose name begins with start, or NULL. */
static inline struct rg_dns_query *fake_find(unsigned int lane, const char *start)
{
	for (unsigned int i = 0; i < FAKE_QUERIES; i++)
		if (fake_queries[i].open && fake_queries[i].lane == lane &&
		    !strncmp(fake_queries[i].name, start, strlen(start)))
			return &fake_queries[i];
	return NULL;
}

/* record: of an answer with RG_DNS_OK; host order. */
static inline void fake_answer(struct rg_dns_query *query, enum rg_dns_status status,
			       uint32_t record, uint32_t ttl)
{
	struct rg_dns_answer answer = { .status = status, .ttl = ttl, .has_ttl = ttl > 0 };

	if (status == RG_DNS_OK)
		answer.records[answer.count++] = record;
	query->open = false;
	fake_open--;
	query->callback(query->arg, &answer);
}

/* Answers all open queries of a lane in the same way. Returns how many. */
static inline unsigned int fake_answer_all(unsigned int lane, enum rg_dns_status status,
					   uint32_t record, uint32_t ttl)
{
	struct rg_dns_query *query;
	unsigned int count = 0;

	while ((query = fake_find(lane, ""))) {
		fake_answer(query, status, record, ttl);
		count++;
	}
	return count;
}

#endif
