/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/dns_message.h"

#define HEADER_SIZE 12 /* RFC 1035, 4.1.1 */
#define RCODE_NOERROR 0
#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3
#define RCODE_REFUSED 5
#define CLASS_IN 1
#define RR_FIXED 10 /* type, class, TTL, length */
#define SOA_SIZE 22 /* two names of one octet, five numbers */

static uint32_t get32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* A TTL with the top bit set counts as 0 (RFC 2181, 8). */
static uint32_t valid_ttl(uint32_t ttl)
{
	return ttl > INT32_MAX ? 0 : ttl;
}

void rg_dns_message_begin(struct rg_dns_answer *answer, unsigned int rcode)
{
	*answer = (struct rg_dns_answer){ .alias_ttl = UINT32_MAX };
	answer->exists = rcode == RCODE_NOERROR;
	switch (rcode) {
	case RCODE_NOERROR: /* until a record is added */
	case RCODE_NXDOMAIN:
		answer->status = RG_DNS_NONE;
		break;
	case RCODE_SERVFAIL:
		answer->status = RG_DNS_SERVFAIL;
		break;
	case RCODE_REFUSED:
		answer->status = RG_DNS_REFUSED;
		break;
	default:
		answer->status = RG_DNS_BAD;
		break;
	}
}

static void add_address(struct rg_dns_answer *answer, uint32_t ttl, uint32_t address)
{
	ttl = smaller(valid_ttl(ttl), answer->alias_ttl);
	answer->ttl = answer->count ? smaller(answer->ttl, ttl) : ttl;
	answer->has_ttl = true;
	answer->status = RG_DNS_OK;
	if (answer->count < RG_DNS_MAX_RECORDS)
		answer->records[answer->count++] = address;
}

void rg_dns_message_add(struct rg_dns_answer *answer, bool authority, unsigned int type,
			uint32_t ttl, uint32_t value)
{
	if (answer->status != RG_DNS_OK && answer->status != RG_DNS_NONE)
		return;
	if (authority) {
		if (type != RG_DNS_TYPE_SOA || answer->has_ttl)
			return;
		answer->ttl = smaller(ttl, value);
		answer->has_ttl = true;
	} else if (type == RG_DNS_TYPE_CNAME) {
		answer->alias_ttl = smaller(answer->alias_ttl, valid_ttl(ttl));
		if (answer->count)
			answer->ttl = smaller(answer->ttl, answer->alias_ttl);
	} else if (type == RG_DNS_TYPE_A) {
		add_address(answer, ttl, value);
	}
}

/* Past one name (RFC 1035, 4.1.4), or SIZE_MAX. Pointers are not followed: they end a name. */
static size_t skip_name(const uint8_t *message, size_t len, size_t at)
{
	while (at < len) {
		uint8_t label = message[at];

		if (!label)
			return at + 1;
		if ((label & 0xc0) == 0xc0)
			return at + 2 <= len ? at + 2 : SIZE_MAX;
		if (label & 0xc0)
			return SIZE_MAX;
		at += 1u + label;
	}
	return SIZE_MAX;
}

/* One record of a message. */
struct record {
	uint16_t type, class_in;
	uint32_t ttl;
	const uint8_t *data;
	size_t len;
};

/* The record at *at; false if it is cut short. Moves *at past it. */
static bool next_record(const uint8_t *message, size_t len, size_t *at, struct record *record)
{
	size_t fixed = skip_name(message, len, *at);

	if (fixed == SIZE_MAX || fixed > len || len - fixed < RR_FIXED)
		return false;
	record->type = get16(message + fixed);
	record->class_in = get16(message + fixed + 2) == CLASS_IN;
	record->ttl = get32(message + fixed + 4);
	record->len = get16(message + fixed + 8);
	record->data = message + fixed + RR_FIXED;
	if (len - fixed - RR_FIXED < record->len)
		return false;
	*at = fixed + RR_FIXED + record->len;
	return true;
}

static void add_record(struct rg_dns_answer *answer, bool authority, const struct record *record)
{
	uint32_t value = 0;

	if (!record->class_in)
		return;
	if (record->type == RG_DNS_TYPE_A) {
		if (record->len != sizeof(value))
			return;
		value = get32(record->data);
	} else if (record->type == RG_DNS_TYPE_SOA) {
		if (record->len < SOA_SIZE)
			return;
		value = get32(record->data + record->len - sizeof(value)); /* MINIMUM is the last */
	}
	rg_dns_message_add(answer, authority, record->type, record->ttl, value);
}

/* Past the question section, or SIZE_MAX. */
static size_t skip_questions(const uint8_t *message, size_t len)
{
	size_t at = HEADER_SIZE;

	for (unsigned int questions = get16(message + 4); questions; questions--) {
		at = skip_name(message, len, at);
		if (at == SIZE_MAX || len < at || len - at < 4)
			return SIZE_MAX;
		at += 4;
	}
	return at;
}

void rg_dns_message_read(const uint8_t *message, size_t len, struct rg_dns_answer *answer)
{
	unsigned int rcode, answers, all;
	struct record record;
	size_t at;

	rg_dns_message_begin(answer, UINT32_MAX);
	if (len < HEADER_SIZE)
		return;
	rcode = message[3] & 0xf;
	rg_dns_message_begin(answer, rcode);
	answers = get16(message + 6);
	all = answers + get16(message + 8);
	at = skip_questions(message, len);
	for (unsigned int i = 0; i < all; i++) {
		if (at == SIZE_MAX || !next_record(message, len, &at, &record)) {
			/* Without its answers NOERROR means nothing; NXDOMAIN has none. */
			if (i < answers && rcode == RCODE_NOERROR)
				rg_dns_message_begin(answer, UINT32_MAX);
			return;
		}
		if (i >= answers || rcode == RCODE_NOERROR)
			add_record(answer, i >= answers, &record);
	}
}
