/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A records of one resolver, asynchronously (c-ares in libevent). Queries belong to lanes, one for
 * each zone: a bounded number is in flight, the rest waits its turn, lane by lane, so that a slow
 * zone can't starve the others.
 */
#ifndef REPGATE_DNSBL_DNS_H
#define REPGATE_DNSBL_DNS_H

#include "base/util.h"

#include <event2/event.h>
#include <sys/socket.h>

#define RG_DNS_MAX_RECORDS 64

enum rg_dns_status {
	RG_DNS_OK, /* records */
	RG_DNS_NONE, /* NXDOMAIN, or a name without A records */
	RG_DNS_TIMEOUT,
	RG_DNS_SERVFAIL,
	RG_DNS_REFUSED,
	RG_DNS_BAD, /* no answer that can be read */
	RG_DNS_OFF, /* not asked: the zone is off for now (health.h); said by inquiry.c */
	RG_DNS_STATUS_MAX
};

struct rg_dns_answer {
	enum rg_dns_status status;
	uint32_t records[RG_DNS_MAX_RECORDS]; /* host order */
	size_t count;
	uint32_t ttl; /* s; OK: the smallest of the records, NONE: min(SOA TTL, SOA MINIMUM) */
	bool has_ttl; /* false: NONE without an SOA */
};

struct rg_dns_options {
	struct sockaddr_storage resolver;
	uint32_t timeout; /* ms for the first try, c-ares doubles it for the next */
	uint32_t tries;
	uint32_t in_flight;
	unsigned int lanes;
};

struct rg_dns;
struct rg_dns_query;

/* answer is valid during the call; query is gone after it. */
typedef void rg_dns_callback(void *arg, const struct rg_dns_answer *answer);

int rg_dns_new(struct rg_dns **ret, struct event_base *base, const struct rg_dns_options *options,
	       struct rg_error *error);
/* Calls back nobody. */
void rg_dns_free(struct rg_dns *dns);

/*
 * Asks for name's A records; calls back once, later (never before this returns), unless cancelled.
 * 0, -EINVAL (lane), -ENOMEM.
 */
int rg_dns_query(struct rg_dns *dns, struct rg_dns_query **ret, unsigned int lane, const char *name,
		 rg_dns_callback *callback, void *arg);
/* One that was sent already takes its place in in_flight until it is answered or times out. */
void rg_dns_cancel(struct rg_dns_query *query);

struct rg_dns_load {
	uint64_t asked, waiting, in_flight;
};
struct rg_dns_load rg_dns_load(const struct rg_dns *dns);

/*
 * The negative TTL of a DNS message (RFC 2308, 5): min of the authority SOA's TTL and its MINIMUM.
 * False if there is none that can be read. For any bytes.
 */
bool rg_dns_negative_ttl(const uint8_t *message, size_t len, uint32_t *ttl);

const char *rg_dns_status_name(enum rg_dns_status status);

#endif
