/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a zone's answer means. All who read answers use this function: questions about peers, tests, control
 * groups and the activation code. So a test finds whatever is not believed about a peer. Pure.
 */
#ifndef REPGATE_DNSBL_ZONE_ANSWER_H
#define REPGATE_DNSBL_ZONE_ANSWER_H

#include "dnsbl/dns_message.h"
#include "proto/dnsbl_query.h"

enum rg_zone_meaning {
	RG_ZONE_SAYS_NOTHING, /* no answer: timeout, SERVFAIL, REFUSED... */
	RG_ZONE_SAYS_NOT_LISTED, /* no record */
	RG_ZONE_SAYS_OTHER, /* a record that none of the zone's codes names: not listed */
	RG_ZONE_SAYS_LISTED,
	RG_ZONE_SAYS_ERROR, /* an error code, or a record that can't be true: outside 127/8 */
};

struct rg_zone_answer {
	enum rg_zone_meaning meaning;
	uint32_t code; /* LISTED, ERROR: the record that decided. Host order; 0.0.0.0 is a record, too */
};

/* codes: of the zone that was asked. */
struct rg_zone_answer rg_zone_answer_read(const struct rg_dnsbl_codes *codes,
					  const struct rg_dns_answer *answer);

#endif
