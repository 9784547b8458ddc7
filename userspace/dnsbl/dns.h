/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks one resolver for A records, asynchronously. Each zone has a lane of queries. A bounded number of
 * queries is in flight; the others wait. Lanes are served round robin, so a slow zone can't starve the
 * others. dns_channel.h sends and repeats the questions.
 */
#ifndef REPGATE_DNSBL_DNS_H
#define REPGATE_DNSBL_DNS_H

#include "dnsbl/dns_message.h"

#include <event2/event.h>
#include <sys/socket.h>

struct rg_dns_options {
	struct sockaddr_storage resolver;
	uint32_t timeout; /* ms until the first repeat, doubled for each further one */
	uint32_t tries;
	uint32_t in_flight; /* queries in flight at most, of all lanes */
	unsigned int lanes;
};

struct rg_dns;
struct rg_dns_query;

/* answer is valid during the call; query is freed after it. */
typedef void rg_dns_callback(void *arg, const struct rg_dns_answer *answer);

/* 0, -ENOMEM, or -EIO if c-ares fails. */
int rg_dns_new(struct rg_dns **ret, struct event_base *base, const struct rg_dns_options *options,
	       struct rg_error *error);
/* Drops all queries without calling back. */
void rg_dns_free(struct rg_dns *dns);

/*
 * Asks for name's A records; calls back once, later (never before this returns), unless cancelled.
 * 0, -EINVAL (no such lane), -ENOMEM.
 */
int rg_dns_query(struct rg_dns *dns, struct rg_dns_query **ret, unsigned int lane, const char *name,
		 rg_dns_callback *callback, void *arg);
/* NULL-safe. A query that was sent already counts as in flight until it is answered or times out. */
void rg_dns_cancel(struct rg_dns_query *query);

struct rg_dns_load {
	uint64_t asked, waiting, in_flight;
};
struct rg_dns_load rg_dns_load(const struct rg_dns *dns);

const char *rg_dns_status_name(enum rg_dns_status status);

#endif
