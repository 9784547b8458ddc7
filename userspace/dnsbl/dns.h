/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks one resolver for A records, asynchronously. Each zone has a lane of queries. As many queries are in
 * flight as the resolver can answer (dns_window.h); the others wait, in the order of their priority. Lanes
 * are served round robin, so a slow zone can't starve the others. dns_channel.h sends and repeats the
 * questions.
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

/* Which queries are sent first. */
enum rg_dns_priority {
	RG_DNS_TEST, /* a test of a zone: listings wait for it */
	RG_DNS_RETRY, /* about a peer that sent its SYN again: few forged ones do */
	RG_DNS_NEW, /* about any other peer */
	RG_DNS_PRIORITIES
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
int rg_dns_query(struct rg_dns *dns, struct rg_dns_query **ret, unsigned int lane,
		 enum rg_dns_priority priority, const char *name, rg_dns_callback *callback,
		 void *arg);
/* NULL-safe. A query that was sent already counts as in flight until it is answered or times out. */
void rg_dns_cancel(struct rg_dns_query *query);
/* The peer sent its SYN again: raises the query from RG_DNS_NEW to RG_DNS_RETRY. NULL-safe. */
void rg_dns_hurry(struct rg_dns_query *query);
/* When the query was sent first, ns of CLOCK_BOOTTIME. 0: it waits. Valid until its callback returns. */
uint64_t rg_dns_sent_at(const struct rg_dns_query *query);
/*
 * True if our own load explains that a question of this lane got no answer: queries had to wait, or answers
 * were late, and the lane was answered in the last two seconds.
 */
bool rg_dns_is_busy(const struct rg_dns *dns, unsigned int lane);

struct rg_dns_load {
	uint64_t asked, waiting, in_flight;
	uint32_t window; /* queries that may be in flight now */
};
struct rg_dns_load rg_dns_load(const struct rg_dns *dns);

const char *rg_dns_status_name(enum rg_dns_status status);

#endif
