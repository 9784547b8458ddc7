/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of a peer: inquiry.c and judge.c collect it, policy.c decides by it. */
#ifndef REPGATE_JUDGE_EVIDENCE_H
#define REPGATE_JUDGE_EVIDENCE_H

#include "maps/limits.h"
#include "maps/verdict.h"

#include <stdbool.h>
#include <stdint.h>

enum rg_zone_state {
	RG_ZONE_NOT_ASKED, /* not needed, or not yet */
	RG_ZONE_NOT_LISTED,
	RG_ZONE_LISTED,
	RG_ZONE_FAILED, /* no answer */
	RG_ZONE_EXCLUDED, /* never asked about the peer's family of addresses */
};

/* What one zone answered. */
struct rg_finding {
	enum rg_zone_state state;
	uint32_t code; /* if has_code: the record that decided. Host order; 0.0.0.0 is a record, too */
	bool has_code; /* LISTED, or is_error */
	bool is_error; /* an error code, or a record that can't be true: NOT_LISTED */
	uint32_t ttl; /* s, as the zone gave it */
	bool has_ttl;
	bool doubted; /* the zone lists the peer, but its test failed: NOT_LISTED */
	uint32_t retry; /* s until a zone that is off may be asked again; 0: it is not off */
	unsigned int status; /* enum rg_dns_status */
};

struct rg_evidence {
	enum rg_class list; /* local list: approved, blocked or none */
	enum rg_class country; /* local country: approved, blocked or none */
	uint32_t country_ttl; /* s until that entry ends; 0: never */
	bool never_block; /* exempt.h */
	bool is_private; /* a private address, and private_peers = exempt */
	bool overload; /* no zone was asked, because too many inquiries are open */
	bool is_starved; /* a zone was not asked in time, because the resolver is busy */
	struct rg_finding zones[RG_MAX_ZONES]; /* as conf->zones */
};

#endif
