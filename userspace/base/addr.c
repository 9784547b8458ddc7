/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/addr.h"

#include "base/util.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const struct rg_addr v4_mapped = { .bytes = { [10] = 0xff, [11] = 0xff } };

/*
 * Parses the dotted quad at the start of text. Returns its end, or NULL. By hand, as lists have millions
 * of lines, but with inet_pton's rules: four decimal numbers up to 255. A leading zero is refused, because
 * some programs read such numbers as octal.
 */
static const char *scan_v4(const char *text, const char *end, uint8_t quad[4])
{
	for (int i = 0; i < 4; i++) {
		unsigned int number, digit;

		if (i && (text == end || *text++ != '.'))
			return NULL;
		if (text == end || (number = (unsigned int)(*text++ - '0')) > 9)
			return NULL;
		for (int digits = 1; text < end && (digit = (unsigned int)(*text - '0')) <= 9;
		     text++, digits++) {
			if (digits == 3 || !number)
				return NULL;
			number = number * 10 + digit;
		}
		if (number > 255)
			return NULL;
		quad[i] = (uint8_t)number;
	}
	return text;
}

/* The value of a hexadecimal digit; 16 or more: c is none. */
static unsigned int hex_digit(char c)
{
	unsigned int digit = (unsigned int)(c - '0');

	if (digit <= 9)
		return digit;
	digit = (unsigned int)((c | 0x20) - 'a');
	return digit <= 5 ? digit + 10 : 16;
}

/* Parses one to four hexadecimal digits. Returns their end, or NULL. */
static const char *scan_group(const char *text, const char *end, uint16_t *ret)
{
	const char *start = text;
	unsigned int number = 0, digit;

	for (; text < end && text - start < 4 && (digit = hex_digit(*text)) < 16; text++)
		number = number << 4 | digit;
	*ret = htons((uint16_t)number);
	return text == start ? NULL : text;
}

#define GROUPS 8

/*
 * Parses the IPv6 address at the start of text: groups of digits and at most one "::". Returns its end, or
 * NULL: inet_pton decides, for an address may end with a dotted quad.
 */
static const char *scan_v6(const char *text, const char *end, uint8_t bytes[16])
{
	uint16_t groups[GROUPS];
	int count = 0, gap = -1;

	while (count < GROUPS) {
		if (end - text >= 2 && text[0] == ':' && text[1] == ':') {
			if (gap >= 0)
				return NULL;
			gap = count;
			text += 2;
			if (text == end || hex_digit(*text) > 15)
				break;
		} else if (count) {
			if (text == end || *text != ':')
				break;
			text++;
		}
		text = scan_group(text, end, &groups[count++]);
		if (!text)
			return NULL;
	}
	if ((gap < 0) != (count == GROUPS))
		return NULL;
	if (gap < 0)
		gap = count;
	memset(bytes, 0, 2 * GROUPS);
	memcpy(bytes, groups, 2 * (size_t)gap);
	memcpy(bytes + 2 * (GROUPS - count + gap), groups + gap, 2 * (size_t)(count - gap));
	return text;
}

int rg_addr_parse(const char *text, size_t len, struct rg_addr *ret)
{
	const char *end = text + len;
	char copy[RG_ADDR_TEXT];
	struct in6_addr v6;

	*ret = v4_mapped;
	if (scan_v4(text, end, ret->bytes + RG_ADDR_V4_OFFSET) == end ||
	    scan_v6(text, end, ret->bytes) == end)
		return 0;
	if (len >= sizeof(copy) || !memchr(text, ':', len) || memchr(text, '\0', len))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET6, copy, &v6) != 1)
		return -EINVAL;
	memcpy(ret->bytes, &v6, sizeof(v6));
	return 0;
}

/* Whether text is empty, or a port after a colon. */
static bool is_port(const char *text, size_t len)
{
	if (!len)
		return true;
	if (*text != ':' || len < 2 || len > 6)
		return false;
	while (--len && *++text >= '0' && *text <= '9')
		;
	return !len;
}

const char *rg_addr_find(const char *text, size_t *len)
{
	static const char literal[] = "IPv6:"; /* as in an address literal of SMTP */
	const char *open, *close, *colon;
	struct rg_addr addr;

	for (; *len && strchr(" \t\r\n", *text); text++)
		--*len;
	while (*len && strchr(" \t\r\n,;", text[*len - 1]))
		--*len;
	open = memchr(text, '[', *len);
	close = open ? memchr(open, ']', *len - (size_t)(open - text)) : NULL;
	if (close && is_port(close + 1, *len - (size_t)(close + 1 - text))) {
		text = open + 1;
		*len = (size_t)(close - text);
		if (*len >= sizeof(literal) - 1 && !strncasecmp(text, literal, sizeof(literal) - 1)) {
			text += sizeof(literal) - 1;
			*len -= sizeof(literal) - 1;
		}
		return text;
	}
	colon = memchr(text, ':', *len);
	if (colon && is_port(colon, *len - (size_t)(colon - text)) &&
	    !rg_addr_parse(text, (size_t)(colon - text), &addr))
		*len = (size_t)(colon - text);
	return text;
}

int rg_addr_from_sockaddr(const struct sockaddr *from, struct rg_addr *ret)
{
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;

		*ret = v4_mapped;
		memcpy(ret->bytes + RG_ADDR_V4_OFFSET, &in->sin_addr, 4);
		return 0;
	}
	if (from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;

		memcpy(ret->bytes, &in6->sin6_addr, sizeof(ret->bytes));
		return 0;
	}
	return -EAFNOSUPPORT;
}

static int parse_length(const char *text, size_t len, unsigned int max, unsigned int *ret)
{
	unsigned int number = 0;

	if (!len || len > 3)
		return -ERANGE;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -ERANGE;
		number = number * 10 + (unsigned int)(text[i] - '0');
	}
	*ret = number;
	return number <= max ? 0 : -ERANGE;
}

int rg_prefix_parse(const char *text, size_t len, struct rg_prefix *ret)
{
	const char *slash = memchr(text, '/', len);
	size_t addr_len = slash ? (size_t)(slash - text) : len;
	unsigned int bits = 0;
	int err;

	err = rg_addr_parse(text, addr_len, &ret->addr);
	if (err)
		return err;
	ret->len = RG_ADDR_BITS;
	if (!slash)
		return 0;
	/* The notation decides: the length in ::ffff:0:0/96 is an IPv6 one. */
	if (memchr(text, ':', addr_len)) {
		err = parse_length(slash + 1, len - addr_len - 1, 128, &bits);
		ret->len = bits;
	} else {
		err = parse_length(slash + 1, len - addr_len - 1, 32, &bits);
		ret->len = RG_V4_PREFIX_BITS + bits;
	}
	if (err)
		return err;
	rg_prefix_mask(ret);
	return 0;
}

size_t rg_prefix_scan(const char *text, const char *end, struct rg_prefix *ret)
{
	const char *at, *digits;
	unsigned int bits = 0, base = RG_V4_PREFIX_BITS, digit;

	ret->addr = v4_mapped;
	ret->len = RG_ADDR_BITS;
	at = scan_v4(text, end, ret->addr.bytes + RG_ADDR_V4_OFFSET);
	if (!at) {
		base = 0;
		at = scan_v6(text, end, ret->addr.bytes);
	}
	if (!at)
		return 0;
	if (at == end || *at != '/')
		return (size_t)(at - text);
	for (digits = ++at; at < end && at - digits < 3 && (digit = (unsigned int)(*at - '0')) <= 9;
	     at++)
		bits = bits * 10 + digit;
	if (at == digits || bits > RG_ADDR_BITS - base)
		return 0;
	ret->len = base + bits;
	rg_prefix_mask(ret);
	return (size_t)(at - text);
}

int rg_range_parse(const char *text, size_t len, struct rg_addr *first, struct rg_addr *last)
{
	const char *dash = memchr(text, '-', len), *second;
	size_t first_len, second_len;

	if (!dash)
		return -EINVAL;
	first_len = (size_t)(dash - text);
	while (first_len && (text[first_len - 1] == ' ' || text[first_len - 1] == '\t'))
		first_len--;
	for (second = dash + 1; second < text + len && (*second == ' ' || *second == '\t'); second++)
		;
	second_len = (size_t)(text + len - second);
	if (rg_addr_parse(text, first_len, first) || rg_addr_parse(second, second_len, last))
		return -EINVAL;
	if (rg_addr_is_v4(first) != rg_addr_is_v4(last) || rg_addr_compare(first, last) > 0)
		return -ERANGE;
	return 0;
}

typedef unsigned __int128 u128;

static u128 to_number(const struct rg_addr *addr)
{
	return (u128)rg_addr_half(addr, 0) << 64 | rg_addr_half(addr, 1);
}

static struct rg_addr to_addr(u128 number)
{
	const uint64_t halves[2] = { htobe64((uint64_t)(number >> 64)), htobe64((uint64_t)number) };
	struct rg_addr addr;

	memcpy(addr.bytes, halves, sizeof(addr.bytes));
	return addr;
}

/* The bits behind a prefix of len. */
static u128 host_bits(unsigned int len)
{
	return len < RG_ADDR_BITS ? ~(u128)0 >> len : 0;
}

/* How many trailing bits of an address are zero: 128 for ::. */
static unsigned int trailing_zeros(u128 number)
{
	if ((uint64_t)number)
		return (unsigned int)__builtin_ctzll((uint64_t)number);
	number >>= 64;
	return number ? 64 + (unsigned int)__builtin_ctzll((uint64_t)number) : RG_ADDR_BITS;
}

struct rg_addr rg_prefix_last(const struct rg_prefix *prefix)
{
	return to_addr(to_number(&prefix->addr) | host_bits(prefix->len));
}

int rg_range_split(const struct rg_addr *first, const struct rg_addr *last,
		   int (*add)(const struct rg_prefix *prefix, void *arg), void *arg)
{
	u128 at = to_number(first), end = to_number(last);

	for (;;) {
		struct rg_prefix prefix = { .addr = to_addr(at) };
		int err;

		/* As wide as the alignment allows, then as the range's end allows. */
		prefix.len = RG_ADDR_BITS - trailing_zeros(at);
		while ((at | host_bits(prefix.len)) > end)
			prefix.len++;
		err = add(&prefix, arg);
		at |= host_bits(prefix.len);
		if (err || at == end)
			return err;
		at++;
	}
}

const char *rg_addr_format(const struct rg_addr *addr, char text[RG_ADDR_TEXT])
{
	if (rg_addr_is_v4(addr))
		inet_ntop(AF_INET, addr->bytes + RG_ADDR_V4_OFFSET, text, RG_ADDR_TEXT);
	else
		inet_ntop(AF_INET6, addr->bytes, text, RG_ADDR_TEXT);
	return text;
}

const char *rg_prefix_format(const struct rg_prefix *prefix, char text[RG_PREFIX_TEXT])
{
	bool v4 = rg_addr_is_v4(&prefix->addr) && prefix->len >= RG_V4_PREFIX_BITS;
	char addr[RG_ADDR_TEXT];

	if (v4)
		rg_addr_format(&prefix->addr, addr);
	else
		inet_ntop(AF_INET6, prefix->addr.bytes, addr, sizeof(addr));
	if (prefix->len == RG_ADDR_BITS)
		snprintf(text, RG_PREFIX_TEXT, "%s", addr);
	else
		snprintf(text, RG_PREFIX_TEXT, "%s/%u", addr,
			 v4 ? prefix->len - RG_V4_PREFIX_BITS : prefix->len);
	return text;
}

bool rg_addr_is_v4(const struct rg_addr *addr)
{
	return !memcmp(addr, &v4_mapped, RG_ADDR_V4_OFFSET);
}

enum rg_family rg_addr_family(const struct rg_addr *addr)
{
	return rg_addr_is_v4(addr) ? RG_FAMILY_V4 : RG_FAMILY_V6;
}

const char *rg_family_name(enum rg_family family)
{
	return family == RG_FAMILY_V4 ? "IPv4" : "IPv6";
}

void rg_prefix_mask(struct rg_prefix *prefix)
{
	prefix->addr = to_addr(to_number(&prefix->addr) & ~host_bits(prefix->len));
}

int rg_prefix_compare(const struct rg_prefix *a, const struct rg_prefix *b)
{
	int order = rg_addr_compare(&a->addr, &b->addr);

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

bool rg_prefix_has_v4(const struct rg_prefix *prefix)
{
	return prefix->len < RG_V4_PREFIX_BITS && rg_prefix_covers(prefix, &v4_mapped);
}

struct rg_prefix rg_peer_of(const struct rg_addr *addr, unsigned int v6_len)
{
	struct rg_prefix peer = { .len = RG_ADDR_BITS, .addr = *addr };

	if (!rg_addr_is_v4(addr)) {
		peer.len = v6_len;
		rg_prefix_mask(&peer);
	}
	return peer;
}

bool rg_addr_is_private(const struct rg_addr *addr)
{
	const uint8_t *quad = addr->bytes + RG_ADDR_V4_OFFSET;

	if (!rg_addr_is_v4(addr))
		return (addr->bytes[0] & 0xfe) == 0xfc;
	return quad[0] == 10 || (quad[0] == 172 && (quad[1] & 0xf0) == 16) ||
	       (quad[0] == 192 && quad[1] == 168) || (quad[0] == 100 && (quad[1] & 0xc0) == 64);
}

bool rg_addr_is_special(const struct rg_addr *addr)
{
	struct in6_addr in6;

	if (rg_addr_is_v4(addr)) {
		const uint8_t *quad = addr->bytes + RG_ADDR_V4_OFFSET;

		return quad[0] == 127 || quad[0] == 0 || quad[0] >= 224 ||
		       (quad[0] == 169 && quad[1] == 254);
	}
	memcpy(&in6, addr, sizeof(in6));
	return IN6_IS_ADDR_LOOPBACK(&in6) || IN6_IS_ADDR_UNSPECIFIED(&in6) ||
	       IN6_IS_ADDR_LINKLOCAL(&in6) || IN6_IS_ADDR_MULTICAST(&in6);
}
