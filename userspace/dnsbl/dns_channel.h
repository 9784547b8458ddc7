/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to one resolver through one c-ares channel, in the event loop. The only module that knows
 * c-ares. It uses the API of c-ares 1.34 if that is installed, else that of 1.18 (Debian 12).
 */
#ifndef REPGATE_DNSBL_DNS_CHANNEL_H
#define REPGATE_DNSBL_DNS_CHANNEL_H

#include "dnsbl/dns_message.h"
#include "dnsbl/dns_socket.h"

#include <event2/event.h>

struct rg_dns_channel;

/* A question. Memory: the owner's, who keeps it until it is answered. */
struct rg_dns_question {
	void *arg; /* the owner's */
	struct rg_dns_channel *channel; /* set by rg_dns_channel_ask() */
};

/* answer is valid during the call. The question is the owner's again. */
typedef void rg_dns_channel_answered(struct rg_dns_question *question,
				     const struct rg_dns_answer *answer);

/*
 * timeout: ms until the first repeat, doubled for each further one; tries: times that a question is
 * sent. inbox: shared by all channels of a loop, outlives them. 0, -ENOMEM, or -EIO if c-ares fails.
 */
int rg_dns_channel_new(struct rg_dns_channel **ret, struct event_base *base,
		       struct rg_dns_inbox *inbox, const struct sockaddr_storage *resolver,
		       uint32_t timeout, uint32_t tries, rg_dns_channel_answered *answered,
		       struct rg_error *error);
/* Answers every question, with RG_DNS_BAD. */
void rg_dns_channel_free(struct rg_dns_channel *channel);

/*
 * Asks for name's A records. Answers once: later, or before this returns if the name can't be asked
 * for. The question is sent by rg_dns_channel_flush().
 */
void rg_dns_channel_ask(struct rg_dns_channel *channel, struct rg_dns_question *question,
			const char *name);
/* Call after one or more questions. */
void rg_dns_channel_flush(struct rg_dns_channel *channel);

#endif
