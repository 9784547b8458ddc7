/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/dnsbl_query.h"

#include "base/addr.h"

#include <arpa/inet.h>

#define MAX_NAME 253 /* as text: 255 octets with the first length and the root (RFC 1035, 2.3.4) */
/* By this an allow list says "too many queries". As a listing it would let everybody in. */
#define ALLOW_REFUSES 0x7f0000ffU
#define LOOPBACK_NET 0x7f000000U /* 127.0.0.0/8: every answer of a DNSBL (RFC 5782, 2.1) */

/* One IPv4 address, whole string of len bytes; host order. */
static int parse_code(const char *text, size_t len, uint32_t *ret)
{
	struct rg_addr addr;
	uint32_t word;

	if (rg_addr_parse(text, len, &addr) || !rg_addr_is_v4(&addr))
		return -EINVAL;
	memcpy(&word, addr.bytes + RG_ADDR_V4_OFFSET, sizeof(word));
	*ret = ntohl(word);
	return 0;
}

static int parse_range(const char *text, const char *dash, struct rg_dnsbl_code_rule *rule)
{
	rule->mask = UINT32_MAX;
	if (parse_code(text, (size_t)(dash - text), &rule->first) ||
	    parse_code(dash + 1, strlen(dash + 1), &rule->last))
		return -EINVAL;
	return rule->first <= rule->last ? 0 : -ERANGE;
}

static int parse_cidr(const char *text, const char *slash, struct rg_dnsbl_code_rule *rule)
{
	char *end;
	unsigned long bits = strtoul(slash + 1, &end, 10);

	if (slash[1] < '0' || slash[1] > '9' || *end || bits > 32 || bits < 8)
		return -ERANGE;
	if (parse_code(text, (size_t)(slash - text), &rule->first))
		return -EINVAL;
	rule->mask = UINT32_MAX << (32 - bits);
	rule->first &= rule->mask;
	rule->last = rule->first;
	return 0;
}

static int parse_bit_mask(const char *text, const char *ampersand, struct rg_dnsbl_code_rule *rule)
{
	if (parse_code(text, (size_t)(ampersand - text), &rule->first) ||
	    parse_code(ampersand + 1, strlen(ampersand + 1), &rule->bits))
		return -EINVAL;
	if (!rule->bits || rule->bits > 0xffffff)
		return -ERANGE;
	/* The octets without any of the bits must be equal. */
	rule->mask = rule->bits > 0xffff ? 0xff000000U :
		     rule->bits > 0xff	 ? 0xffff0000U :
					   0xffffff00U;
	rule->first &= rule->mask;
	rule->last = rule->first;
	return 0;
}

/*
 * 127.0.0.1 is what a list must never answer (RFC 5782, 5), 127.255.255.0/24 are the error codes of
 * large lists (.252 typing error, .254 open resolver, .255 too many queries), the rest of the world
 * is a parked or hijacked domain (RFC 6471, 3.4).
 */
static bool is_error_code(uint32_t record, bool is_allow)
{
	if (is_allow && record == ALLOW_REFUSES)
		return true;
	return (record & 0xff000000U) != LOOPBACK_NET || record == 0x7f000001U ||
	       (record & 0xffffff00U) == 0x7fffff00U;
}

/* Whether all addresses of a rule mean an error: such a rule never lists anybody. */
static bool has_only_errors(const struct rg_dnsbl_code_rule *rule, bool is_allow)
{
	uint32_t last = rule->last | ~rule->mask;

	if (rule->bits)
		return false;
	return is_error_code(rule->first, is_allow) && is_error_code(last, is_allow) &&
	       last - rule->first < 256;
}

int rg_dnsbl_codes_add(struct rg_dnsbl_codes *codes, const char *text, struct rg_error *error)
{
	struct rg_dnsbl_code_rule rule = {};
	const char *sign = strpbrk(text, "-/&");
	int err;

	if (codes->count == RG_MAX_CODES)
		return rg_fail(error, -ENOSPC, "more than %d codes", RG_MAX_CODES);
	if (!sign) {
		rule.mask = UINT32_MAX;
		err = parse_code(text, strlen(text), &rule.first);
		rule.last = rule.first;
	} else if (*sign == '-') {
		err = parse_range(text, sign, &rule);
	} else if (*sign == '/') {
		err = parse_cidr(text, sign, &rule);
	} else {
		err = parse_bit_mask(text, sign, &rule);
	}
	if (err)
		return rg_fail(error, -EINVAL,
			       "code \"%s\" is not an address, a range a-b, a CIDR a/8..32 or a bit "
			       "mask a&b",
			       text);
	if ((rule.first & 0xff000000U) != LOOPBACK_NET || (rule.last & 0xff000000U) != LOOPBACK_NET)
		return rg_fail(error, -EINVAL, "code \"%s\" is outside 127.0.0.0/8 (RFC 5782, 2.1)",
			       text);
	if (has_only_errors(&rule, codes->is_allow))
		return rg_fail(error, -EINVAL,
			       "code \"%s\" can never list a peer: 127.0.0.1, 127.255.255.0/24%s are "
			       "answers that mean an error",
			       text, codes->is_allow ? " and, of an allow list, 127.0.0.255" : "");
	codes->rules[codes->count++] = rule;
	return 0;
}

void rg_dnsbl_codes_default(struct rg_dnsbl_codes *codes)
{
	codes->count = 0;
	(void)rg_dnsbl_codes_add(codes, "127.0.0.2-127.0.0.254", NULL);
	(void)rg_dnsbl_codes_add(codes, "127.1.0.0/24", NULL);
}

/* The reversed address, a dot behind each of its parts, is in name already, len bytes. */
static int join(char name[RG_DNSBL_NAME_SIZE], size_t len, const char *suffix)
{
	size_t suffix_len = strlen(suffix);

	if (len + suffix_len > MAX_NAME) {
		*name = '\0';
		return -ENAMETOOLONG;
	}
	memcpy(name + len, suffix, suffix_len + 1);
	return 0;
}

int rg_dnsbl_name6(const uint8_t addr[16], const char *suffix, char name[RG_DNSBL_NAME_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	char *out = name;

	for (int i = 15; i >= 0; i--) {
		*out++ = hex[addr[i] & 15];
		*out++ = '.';
		*out++ = hex[addr[i] >> 4];
		*out++ = '.';
	}
	return join(name, (size_t)(out - name), suffix);
}

static char *put_octet(char *out, unsigned int octet)
{
	if (octet > 99)
		*out++ = (char)('0' + octet / 100);
	if (octet > 9)
		*out++ = (char)('0' + octet / 10 % 10);
	*out++ = (char)('0' + octet % 10);
	*out++ = '.';
	return out;
}

int rg_dnsbl_name(const struct rg_addr *addr, const char *suffix, char name[RG_DNSBL_NAME_SIZE])
{
	const uint8_t *quad = addr->bytes + RG_ADDR_V4_OFFSET;
	char *out = name;

	if (!rg_addr_is_v4(addr))
		return rg_dnsbl_name6(addr->bytes, suffix, name);
	for (int i = 3; i >= 0; i--)
		out = put_octet(out, quad[i]);
	return join(name, (size_t)(out - name), suffix);
}

static bool rule_matches(const struct rg_dnsbl_code_rule *rule, uint32_t record)
{
	uint32_t part = record & rule->mask;

	return part >= rule->first && part <= rule->last && (!rule->bits || (record & rule->bits));
}

enum rg_listed rg_dnsbl_match(const struct rg_dnsbl_codes *codes, const uint32_t *records,
			      size_t count, uint32_t *code)
{
	/* With one error code the whole answer does not count. */
	for (size_t i = 0; i < count; i++) {
		if (is_error_code(records[i], codes->is_allow)) {
			*code = records[i];
			return RG_LIST_BROKEN;
		}
	}
	for (size_t i = 0; i < count; i++) {
		for (unsigned int r = 0; r < codes->count; r++) {
			if (rule_matches(&codes->rules[r], records[i])) {
				*code = records[i];
				return RG_LISTED;
			}
		}
	}
	return RG_NOT_LISTED;
}
