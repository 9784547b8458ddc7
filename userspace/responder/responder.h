/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SMTP responder: sessions of refused peers, their limits and timeouts. What a session says: smtp.h.
 * Why a peer is refused: the caller. Where connections come from: listener.h.
 */
#ifndef REPGATE_RESPONDER_RESPONDER_H
#define REPGATE_RESPONDER_RESPONDER_H

#include "config/config.h"
#include "proto/smtp.h"
#include "responder/listener.h"

#include <event2/event.h>

struct rg_responder;

enum rg_session_end {
	RG_SESSION_QUIT, /* the peer sent QUIT */
	RG_SESSION_CLOSED, /* closed by us, after the last reply */
	RG_SESSION_LOST, /* the peer closed the connection without QUIT */
	RG_SESSION_TIMEOUT, /* 30 s without a byte, or 300 s in all */
	RG_SESSION_STOPPED, /* the agent stops */
};

/* A session that is over; valid during the call. */
struct rg_session_report {
	const struct rg_smtp *smtp;
	enum rg_action action;
	enum rg_session_end end;
	bool early; /* talked before the greeting */
	uint16_t port, local_port; /* host order; local_port: that the peer connected to */
	uint64_t started; /* ns of CLOCK_BOOTTIME */
};

struct rg_responder_calls {
	/*
	 * Fills in the reply to addr, which action refuses. Its strings may be conf's, which lives as
	 * long as the session.
	 */
	void (*find)(void *arg, const struct rg_conf *conf, const struct rg_addr *addr,
		     enum rg_action action, struct rg_refusal *refusal);
	void (*ended)(void *arg, const struct rg_session_report *report);
	void *arg;
};

struct rg_responder_count {
	uint64_t sessions; /* accepted */
	uint64_t open; /* now */
	uint64_t refused; /* sessions that got their refusal */
	uint64_t recipients; /* RCPTs refused */
	uint64_t lost; /* the peer went before its refusal */
	uint64_t timeouts;
	uint64_t early; /* talked before the greeting */
	uint64_t over_sessions, over_peer; /* got a 421 instead of a session */
	uint64_t no_memory; /* got a 421 instead, or were closed, for want of memory */
	uint64_t not_steered; /* from local users to the sockets themselves: closed */
	uint64_t accept_failed; /* no descriptor or memory: accepting paused for a second */
	struct rg_smtp_oddities odd;
};

/*
 * Opens the listening sockets. conf: points to the one in force, which a reload changes. loader is only
 * used in this call. 0 or a negative error with a reason.
 */
int rg_responder_new(struct rg_responder **ret, struct event_base *base, struct rg_loader *loader,
		     struct rg_conf **conf, const struct rg_responder_calls *calls,
		     struct rg_error *error);
/* Ends every session with 421 4.3.2, and reports it. NULL-safe. */
void rg_responder_free(struct rg_responder *responder);

/* How many sessions there can be: max_sessions, or fewer if the limit of open files is too low. */
uint32_t rg_responder_limit(const struct rg_conf *conf);

/* Ends the sessions that are too old. Call once a second. now: ns of CLOCK_BOOTTIME. */
void rg_responder_tick(struct rg_responder *responder, uint64_t now);

struct rg_responder_count rg_responder_count(const struct rg_responder *responder);

#endif
