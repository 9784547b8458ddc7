/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions and answers of DNS lists (RFC 5782): the name to ask for, and which A records mean "listed".
 * Pure: no DNS, no clock, no log.
 */
#ifndef REPGATE_PROTO_DNSBL_QUERY_H
#define REPGATE_PROTO_DNSBL_QUERY_H

#include "base/util.h"

#include "maps/types.h"

#define RG_DNSBL_NAME_SIZE 256 /* RFC 1035, 2.3.4: 255 octets, and a NUL */
#define RG_MAX_CODES 16

/*
 * Which A records mean "listed". A record counts if (record & mask) is within first..last; for a bit mask
 * it must also have one of bits set. All in host order.
 */
struct rg_dnsbl_code_rule {
	uint32_t mask;
	uint32_t first;
	uint32_t last;
	uint32_t bits; /* 0: no bit needed */
};

struct rg_dnsbl_codes {
	struct rg_dnsbl_code_rule rules[RG_MAX_CODES];
	unsigned int count;
	bool is_allow; /* of an allow list: 127.0.0.255 means an error, whatever the rules say */
};

/*
 * "127.0.0.2", "127.0.0.2-127.0.0.11", "127.1.0.0/24" or "127.1.0.0&0.0.0.3" (listed if the upper
 * three octets agree and bit 1 or 2 of the last is set). Adds the rule to codes. 0; -EINVAL: the text is
 * wrong; -ENOSPC: there are RG_MAX_CODES rules. error gets the reason.
 */
int rg_dnsbl_codes_add(struct rg_dnsbl_codes *codes, const char *text, struct rg_error *error);

/* Removes all rules; adds 127.0.0.2-127.0.0.254 and 127.1.0.0/24, for zones without codes in the configuration. */
void rg_dnsbl_codes_default(struct rg_dnsbl_codes *codes);

/*
 * The name to ask for: addr's octets or nibbles reversed (RFC 5782, 2.1 and 2.4), then ".suffix". 0 or
 * -ENAMETOOLONG.
 */
int rg_dnsbl_name(const struct rg_addr *addr, const char *suffix, char name[RG_DNSBL_NAME_SIZE]);

/* The same for an IPv6 address; a mapped IPv4 address is written in nibbles, too (RFC 5782, 2.4, 5). */
int rg_dnsbl_name6(const uint8_t addr[16], const char *suffix, char name[RG_DNSBL_NAME_SIZE]);

enum rg_listed {
	RG_NOT_LISTED, /* no record counts */
	RG_LISTED,
	RG_LIST_BROKEN, /* an error code, or a record outside 127/8: no listing, the zone has a fault */
};

/* Looks at all records, not only the first. code gets the record that decided, host order. */
enum rg_listed rg_dnsbl_match(const struct rg_dnsbl_codes *codes, const uint32_t *records,
			      size_t count, uint32_t *code);

/* min(max, max(min, ttl)) */
static inline uint32_t rg_clamp_ttl(uint32_t ttl, uint32_t min, uint32_t max)
{
	return ttl < min ? min : ttl > max ? max : ttl;
}

#endif
