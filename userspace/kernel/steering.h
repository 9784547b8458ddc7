/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decides whether tempfail and reject can work here. They need the mail server in this network namespace:
 * sk_lookup sees only connections that end in it. The decision is pure; rg_steering_listener() asks the
 * kernel.
 */
#ifndef REPGATE_KERNEL_STEERING_H
#define REPGATE_KERNEL_STEERING_H

#include "config/config.h"

#include "maps/config.h"
#include "maps/steer.h"

enum rg_steering_state {
	RG_STEERING_READY = 0,
	RG_STEERING_NO_PROGRAM, /* the kernel refused the sk_lookup program or its sockets */
	RG_STEERING_NO_SERVER, /* nothing listens on a filtered port here: works, with a warning */
	RG_STEERING_BRIDGED, /* the same, and a filtered interface is a bridge port */
	RG_STEERING_BYPASSED, /* SYNs to an address pass XDP, but reach no socket here: XDP lets no more pass */
};

struct rg_steering {
	enum rg_steering_state state;
	bool attached; /* program and sockets are in place; the owner sets it */
};

/* Asks sock_diag(7) for listening sockets. 1: one listens on one of these ports, 0: none does, or -errno. */
int rg_steering_listener(const uint16_t *ports, unsigned int count);

/* Whether XDP lets no SYN pass to the responder for this address and port. now: ns of CLOCK_BOOTTIME. */
bool rg_steering_is_full(const struct rg_destination *dest, const struct rg_settings *settings,
			 uint64_t now);

/*
 * Whether XDP lets no SYN pass to the responder for at least one address and port. destinations: the map's
 * RG_DESTINATIONS entries. now: ns of CLOCK_BOOTTIME.
 */
bool rg_steering_is_bypassed(const struct rg_destination *destinations,
			     const struct rg_settings *settings, uint64_t now);

/*
 * Decides anew; call about once a second. listener: what rg_steering_listener() returned; an error counts
 * as a listener. bypassed: what rg_steering_is_bypassed() returned. True: the state changed.
 */
bool rg_steering_update(struct rg_steering *steering, const struct rg_conf *conf, int listener,
			bool bypassed);

/* False: tempfail resets and reject drops instead; with BYPASSED, for one address at least. */
bool rg_steering_works(const struct rg_steering *steering);
/* What XDP is told. True with BYPASSED, too: there XDP decides for each address and port. */
bool rg_steering_may_work(const struct rg_steering *steering);
/*
 * The action that a peer of this class meets, as bpf/filter.bpf.c decides it. If a tempfail or reject
 * can't be delivered, the SYN of a QIL peer is reset and any other is dropped. Otherwise: `action`.
 */
enum rg_action rg_steering_action(const struct rg_steering *steering, enum rg_class peer_class,
				  enum rg_action action);
/* The state in one word or two, as `repgatectl status` shows it. */
const char *rg_steering_name(enum rg_steering_state state);
/* One sentence for people: the problem, and what to use instead. "" for READY. */
const char *rg_steering_advice(enum rg_steering_state state);

#endif
