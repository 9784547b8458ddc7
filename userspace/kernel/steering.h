/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether tempfail and reject can work here: they need the mail server in this network namespace, as
 * sk_lookup sees only connections that end in it.
 */
#ifndef REPGATE_KERNEL_STEERING_H
#define REPGATE_KERNEL_STEERING_H

#include "config/config.h"

enum rg_steering_state {
	RG_STEERING_READY = 0,
	RG_STEERING_NO_PROGRAM, /* the kernel refused the sk_lookup program or its sockets */
	RG_STEERING_NO_SERVER, /* nothing listens on a filtered port here: works, but warns */
	RG_STEERING_BRIDGED, /* a filtered interface is a bridge's port, and nothing listens here */
	RG_STEERING_BYPASSED, /* SYNs pass, and none comes to a socket: they go elsewhere */
};

struct rg_steering {
	enum rg_steering_state state;
	bool attached; /* program and sockets are in place */
	uint64_t passed, steered; /* at the last look */
	uint64_t astray; /* SYNs that passed since one was steered */
	uint64_t astray_since, bypassed_since; /* ns of CLOCK_BOOTTIME */
};

/* 1: a socket listens on one of these ports, 0: none does, or -errno. */
int rg_steering_listener(const uint16_t *ports, unsigned int count);

/*
 * Looks anew. passed: SYNs that XDP let through as tempfail or reject; steered: lookups that got the
 * responder; listener: rg_steering_listener(). True if the state changed.
 */
bool rg_steering_update(struct rg_steering *steering, const struct rg_conf *conf, int listener,
			uint64_t passed, uint64_t steered, uint64_t now);

/* False: XDP resets or drops instead. */
bool rg_steering_works(const struct rg_steering *steering);
const char *rg_steering_name(enum rg_steering_state state);
/* A sentence for people, with what to use instead; "" for READY. */
const char *rg_steering_advice(enum rg_steering_state state);

#endif
