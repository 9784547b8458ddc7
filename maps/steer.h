/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steering: what XDP leaves for the sk_lookup program, and what that program finds out. Values of
 * `tickets`, `destinations` and `paths`.
 */
#ifndef REPGATE_MAPS_STEER_H
#define REPGATE_MAPS_STEER_H

#include "limits.h"
#include "types.h"

/* Key of `tickets`: a connection. */
struct rg_connection {
	struct rg_addr source;
	struct rg_addr dest;
	__u16 source_port; /* host order */
	__u16 dest_port; /* host order */
};

enum rg_ticket_state {
	RG_TICKET_NONE = 0,
	RG_TICKET_ISSUED, /* by XDP: the SYN is on its way to a socket */
	RG_TICKET_TAKEN, /* by sk_lookup: it has arrived */
};

/*
 * `tickets`: a SYN that XDP let pass for the responder, or a released one. A ticket that was taken stays: a
 * repeated SYN meets its own socket, and sk_lookup does not see it; with SYN cookies, the ACK is looked up
 * like a SYN.
 */
struct rg_ticket {
	__u64 time; /* ns of CLOCK_BOOTTIME, of the last change of the state */
	enum rg_ticket_state state;
	__u32 round; /* rg_settings.round when it was issued */
	__u32 is_released; /* 1: a SYN that was held, and sk_lookup has not seen it yet */
	__u32 pad; /* zero */
};

/* `destinations`: SYNs to one address and port of this host that passed for the responder. */
struct rg_destination {
	__u64 counted; /* ns of CLOCK_BOOTTIME, of the last SYN in `unconfirmed` */
	__u64 proven; /* ns of CLOCK_BOOTTIME, of the last one that sk_lookup saw; 0: none */
	__u32 unconfirmed; /* passed since then; atomic; may exceed the bound, but no SYN passes then */
	__u32 round; /* rg_settings.round of `proven` */
	struct rg_connection last[RG_MAX_UNCONFIRMED]; /* the last that passed, for the agent */
};

/* `paths`: what sk_lookup sees on an interface. Connections to filtered ports, and stray segments to them. */
struct rg_path {
	__u64 lookups;
	__u64 unseen; /* of these: the filter has not seen their SYN */
};

#endif
