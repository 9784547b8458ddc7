/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a DNS message says about a name: its A records, or for how long there are none (RFC 1035,
 * RFC 2308). Pure. Any bytes are safe input.
 */
#ifndef REPGATE_DNSBL_DNS_MESSAGE_H
#define REPGATE_DNSBL_DNS_MESSAGE_H

#include "base/util.h"

#define RG_DNS_MAX_RECORDS 64

enum rg_dns_status {
	RG_DNS_OK, /* records */
	RG_DNS_NONE, /* NXDOMAIN, or a name without A records */
	RG_DNS_TIMEOUT,
	RG_DNS_SERVFAIL,
	RG_DNS_REFUSED,
	RG_DNS_BAD, /* the answer can't be read, or has another response code */
	RG_DNS_OFF, /* not asked, because the zone is off (zone_health.h); set by inquiry.c */
	RG_DNS_BUSY, /* not asked in time, because the resolver is busy; set by inquiry.c */
	RG_DNS_STATUS_MAX
};

struct rg_dns_answer {
	enum rg_dns_status status;
	uint32_t records[RG_DNS_MAX_RECORDS]; /* host order; further ones are left out */
	size_t count;
	uint32_t ttl; /* s; OK: the smallest of the records, NONE: min(SOA TTL, SOA MINIMUM) */
	bool has_ttl; /* false: NONE without an SOA */
	bool exists; /* NOERROR: the name is there, with or without A records */
	uint32_t alias_ttl; /* s; the smallest of the CNAMEs before the records, UINT32_MAX: none */
};

/* The types of records that matter; the numbers are the wire's (RFC 1035, 3.2.2). */
enum rg_dns_type { RG_DNS_TYPE_A = 1, RG_DNS_TYPE_CNAME = 5, RG_DNS_TYPE_SOA = 6 };

/* Reads a whole message, by hand, into answer. The message need not be valid: see RG_DNS_BAD. */
void rg_dns_message_read(const uint8_t *message, size_t len, struct rg_dns_answer *answer);

/*
 * Where a library has parsed the message: begin with its response code (RCODE), then add its records
 * in their order. value: of an A record its address, of an SOA its MINIMUM, both host order. Other
 * types are ignored, and so is an SOA outside the authority section or any other record in it.
 */
void rg_dns_message_begin(struct rg_dns_answer *answer, unsigned int rcode);
void rg_dns_message_add(struct rg_dns_answer *answer, bool authority, unsigned int type,
			uint32_t ttl, uint32_t value);

#endif
