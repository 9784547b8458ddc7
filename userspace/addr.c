/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "addr.h"

#include "util.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const struct rg_addr v4_mapped = { .bytes = { [10] = 0xff, [11] = 0xff } };

/*
 * Dotted quad, by hand: lists have millions of lines. inet_pton's rules: four decimal numbers up to
 * 255. Numbers with a leading zero are refused, because some programs read them as octal.
 */
static int parse_v4(const char *text, size_t len, uint8_t quad[4])
{
	const char *end = text + len;

	for (int i = 0; i < 4; i++) {
		unsigned int number = 0, digits = 0;

		if (i && (text == end || *text++ != '.'))
			return -EINVAL;
		for (; text < end && *text >= '0' && *text <= '9'; text++, digits++) {
			if (digits == 3 || (digits && !number))
				return -EINVAL;
			number = number * 10 + (unsigned int)(*text - '0');
		}
		if (!digits || number > 255)
			return -EINVAL;
		quad[i] = (uint8_t)number;
	}
	return text == end ? 0 : -EINVAL;
}

int rg_addr_parse(const char *text, size_t len, struct rg_addr *ret)
{
	char copy[RG_ADDR_TEXT];
	struct in6_addr v6;

	*ret = v4_mapped;
	if (!parse_v4(text, len, ret->bytes + RG_ADDR_V4_OFFSET))
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
	/* The notation decides: ::ffff:0:0/96 is an IPv6 length. */
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

/* Trailing zero bits of an address, 128 for ::. */
static unsigned int trailing_zeros(const struct rg_addr *addr)
{
	unsigned int bits = 0;

	for (int i = 15; i >= 0; i--, bits += 8)
		if (addr->bytes[i])
			return bits + (unsigned int)__builtin_ctz(addr->bytes[i]);
	return bits;
}

struct rg_addr rg_prefix_last(const struct rg_prefix *prefix)
{
	struct rg_addr last = prefix->addr;

	for (unsigned int i = prefix->len; i < RG_ADDR_BITS; i++)
		last.bytes[i / 8] |= (uint8_t)(0x80 >> (i % 8));
	return last;
}

/* addr + 1; false if it was the last of all. */
static bool increment(struct rg_addr *addr)
{
	for (int i = 15; i >= 0; i--)
		if (++addr->bytes[i])
			return true;
	return false;
}

int rg_range_split(const struct rg_addr *first, const struct rg_addr *last,
		   int (*add)(const struct rg_prefix *prefix, void *arg), void *arg)
{
	struct rg_prefix prefix = { .addr = *first };

	for (;;) {
		struct rg_addr end;
		int err;

		/* As wide as the alignment allows, then as the range's end allows. */
		prefix.len = RG_ADDR_BITS - trailing_zeros(&prefix.addr);
		for (end = rg_prefix_last(&prefix); rg_addr_compare(&end, last) > 0;
		     end = rg_prefix_last(&prefix))
			prefix.len++;
		err = add(&prefix, arg);
		if (err || !rg_addr_compare(&end, last))
			return err;
		prefix.addr = end;
		if (!increment(&prefix.addr))
			return 0;
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

int rg_addr_compare(const struct rg_addr *a, const struct rg_addr *b)
{
	return memcmp(a, b, sizeof(*a));
}

void rg_prefix_mask(struct rg_prefix *prefix)
{
	unsigned int byte = prefix->len / 8;

	if (byte >= sizeof(prefix->addr.bytes))
		return;
	prefix->addr.bytes[byte] &= (uint8_t)(0xff00 >> (prefix->len % 8));
	memset(prefix->addr.bytes + byte + 1, 0, sizeof(prefix->addr.bytes) - byte - 1);
}

bool rg_prefix_covers(const struct rg_prefix *prefix, const struct rg_addr *addr)
{
	unsigned int whole = prefix->len / 8, rest = prefix->len % 8;

	if (memcmp(prefix->addr.bytes, addr->bytes, whole))
		return false;
	return !rest || !((prefix->addr.bytes[whole] ^ addr->bytes[whole]) & (0xff00 >> rest) & 0xff);
}

int rg_prefix_compare(const struct rg_prefix *a, const struct rg_prefix *b)
{
	int order = rg_addr_compare(&a->addr, &b->addr);

	return order ? order : (a->len > b->len) - (a->len < b->len);
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
