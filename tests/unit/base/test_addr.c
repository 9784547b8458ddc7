/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_PREFIXES 256 /* no range of 128-bit numbers needs more than 254 */

typedef unsigned __int128 u128;

#define ALL_ONES (~(u128)0)
#define V4_BASE ((u128)0xffff << 32)

/* ---- numbers instead of bytes: the arithmetic that addr.c does not use ---- */

static u128 to_number(const struct rg_addr *addr)
{
	u128 number = 0;

	for (int i = 0; i < 16; i++)
		number = number << 8 | addr->bytes[i];
	return number;
}

static struct rg_addr to_addr(u128 number)
{
	struct rg_addr addr;

	for (int i = 15; i >= 0; i--, number >>= 8)
		addr.bytes[i] = (uint8_t)number;
	return addr;
}

static u128 host_bits(unsigned int len)
{
	return len >= 128 ? 0 : ALL_ONES >> len;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static u128 random_number(uint64_t *seed)
{
	u128 high = next_random(seed);

	return high << 64 | next_random(seed);
}

/* ---- text ---- */

/* Text without a NUL behind it, in an allocation that ends where it does. */
static char *exact_copy(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return copy;
}

static int parse(const char *text, size_t len, struct rg_addr *addr)
{
	char *copy = exact_copy(text, len);
	int err = rg_addr_parse(copy, len, addr);

	free(copy);
	return err;
}

static const struct {
	const char *text;
	const char *shown;
	uint64_t high, low;
} addresses[] = {
	{ "0.0.0.0", "0.0.0.0", 0, 0xffff00000000 },
	{ "192.0.2.1", "192.0.2.1", 0, 0xffffc0000201 },
	{ "255.255.255.255", "255.255.255.255", 0, 0xffffffffffff },
	{ "123.123.123.123", "123.123.123.123", 0, 0xffff7b7b7b7b },
	{ "::ffff:192.0.2.1", "192.0.2.1", 0, 0xffffc0000201 },
	{ "::ffff:c000:201", "192.0.2.1", 0, 0xffffc0000201 },
	{ "::", "::", 0, 0 },
	{ "::1", "::1", 0, 1 },
	{ "2001:0db7:85a3:0000:0000:8a2e:0370:7334", "2001:db7:85a3::8a2e:370:7334",
	  0x20010db785a30000, 0x8a2e03707334 },
	{ "2001:db7:85a3:0:0:8a2e:370:7334", "2001:db7:85a3::8a2e:370:7334", 0x20010db785a30000,
	  0x8a2e03707334 },
	{ "2001:db7:85a3::8a2e:370:7334", "2001:db7:85a3::8a2e:370:7334", 0x20010db785a30000,
	  0x8a2e03707334 },
	{ "2001:DB8::ABCD", "2001:db8::abcd", 0x20010db800000000, 0xabcd },
	{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221", 0x0064ff9b00000000, 0xc0000221 },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", UINT64_MAX, UINT64_MAX },
	{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", 0x0001000200030004, 0x0005000600070008 },
	{ "1::", "1::", 0x0001000000000000, 0 },
};

static void test_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct rg_addr addr, again;
		char text[RG_ADDR_TEXT];

		if (parse(addresses[i].text, strlen(addresses[i].text), &addr))
			fail_msg("refused: %s", addresses[i].text);
		assert_true(to_number(&addr) == ((u128)addresses[i].high << 64 | addresses[i].low));
		assert_ptr_equal(rg_addr_format(&addr, text), text);
		assert_string_equal(text, addresses[i].shown);
		assert_int_equal(parse(text, strlen(text), &again), 0);
		assert_memory_equal(&addr, &again, sizeof(addr));
	}
}

#define REFUSED(text)                  \
	{                              \
		text, sizeof(text) - 1 \
	}

static const struct {
	const char *text;
	size_t len;
} no_addresses[] = {
	REFUSED(""),
	REFUSED(" "),
	REFUSED("."),
	REFUSED(":"),
	REFUSED("1"),
	REFUSED("1.2.3"),
	REFUSED("1.2.3.4.5"),
	REFUSED("1.2.3."),
	REFUSED(".1.2.3"),
	REFUSED("1..2.3"),
	REFUSED("1.2.3.4."),
	REFUSED("1.2.3.4 "),
	REFUSED(" 1.2.3.4"),
	REFUSED("1.2.3. 4"),
	REFUSED("1.2.3.4\n"),
	REFUSED("1.2.3.4\r"),
	REFUSED("01.2.3.4"),
	REFUSED("1.2.3.04"),
	REFUSED("1.2.3.00"),
	REFUSED("001.2.3.4"),
	REFUSED("256.1.1.1"),
	REFUSED("1.2.3.256"),
	REFUSED("1.2.3.999"),
	REFUSED("1.2.3.1000"),
	REFUSED("4294967296.1.1.1"),
	REFUSED("3232235777"),
	REFUSED("0x7f.0.0.1"),
	REFUSED("+1.2.3.4"),
	REFUSED("-1.2.3.4"),
	REFUSED("1.2.3.4/"),
	REFUSED("1.2.3.4/32"),
	REFUSED("1.2.3.4-5"),
	REFUSED("a.b.c.d"),
	REFUSED("1,2,3,4"),
	REFUSED("localhost"),
	REFUSED("1.2.3.4\0"),
	REFUSED("1.2\0.3.4"),
	REFUSED("\0"),
	REFUSED("1.2.3.4\0x"),
	REFUSED(":::"),
	REFUSED("1::2::3"),
	REFUSED("12345::"),
	REFUSED("g::"),
	REFUSED("1:2:3:4:5:6:7"),
	REFUSED("1:2:3:4:5:6:7:8:9"),
	REFUSED("1:2:3:4:5:6:7:"),
	REFUSED(":1:2:3:4:5:6:7"),
	REFUSED("fe80::1%eth0"),
	REFUSED("[::1]"),
	REFUSED("::1 "),
	REFUSED(" ::1"),
	REFUSED("::1\0"),
	REFUSED("::\0001"),
	REFUSED("::1/128"),
	REFUSED("::ffff:1.2.3.04"),
	REFUSED("::ffff:1.2.3.256"),
	REFUSED("::1.2.3"),
	REFUSED("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"),
	REFUSED("00000000000000000000000000000000000000000000::"),
};

static void test_no_addresses(void **state)
{
	struct rg_prefix prefix;
	struct rg_addr addr;
	char *huge;

	(void)state;
	for (size_t i = 0; i < COUNT(no_addresses); i++)
		if (parse(no_addresses[i].text, no_addresses[i].len, &addr) != -EINVAL)
			fail_msg("taken for an address: \"%s\"", no_addresses[i].text);
	huge = malloc(1 << 20);
	assert_non_null(huge);
	memset(huge, ':', 1 << 20);
	assert_int_equal(rg_addr_parse(huge, 1 << 20, &addr), -EINVAL);
	assert_int_equal(rg_prefix_parse(huge, 1 << 20, &prefix), -EINVAL);
	memset(huge, '1', 1 << 20);
	assert_int_equal(rg_addr_parse(huge, 1 << 20, &addr), -EINVAL);
	free(huge);
}

/* Every address that is shown is read again, and as inet_ntop would show it. */
static void test_round_trips(void **state)
{
	uint64_t seed = 0xadd5eed;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		u128 number = random_number(&seed);
		char text[RG_ADDR_TEXT], expected[INET6_ADDRSTRLEN];
		struct rg_addr addr, again;

		if (i % 2)
			number = V4_BASE | (uint32_t)number;
		else if (i % 4)
			number &= random_number(&seed) & random_number(&seed) & ~(V4_BASE >> 8);
		addr = to_addr(number);
		rg_addr_format(&addr, text);
		if (i % 2)
			inet_ntop(AF_INET, addr.bytes + 12, expected, sizeof(expected));
		else
			inet_ntop(AF_INET6, addr.bytes, expected, sizeof(expected));
		assert_string_equal(text, expected);
		assert_int_equal(rg_addr_is_v4(&addr), i % 2);
		assert_int_equal(parse(text, strlen(text), &again), 0);
		assert_memory_equal(&addr, &again, sizeof(addr));
	}
}

static void test_sockaddr(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_addr.s6_addr = { 0x20, 1, [15] = 9 } };
	struct sockaddr other = { .sa_family = AF_UNIX };
	struct rg_addr addr;

	(void)state;
	assert_int_equal(rg_addr_from_sockaddr((struct sockaddr *)&in, &addr), 0);
	assert_true(to_number(&addr) == (V4_BASE | 0xc0000201));
	assert_int_equal(rg_addr_from_sockaddr((struct sockaddr *)&in6, &addr), 0);
	assert_true(to_number(&addr) == ((u128)0x2001 << 112 | 9));
	assert_int_equal(rg_addr_from_sockaddr(&other, &addr), -EAFNOSUPPORT);
}

/* ---- prefixes ---- */

static const struct {
	const char *text;
	const char *shown; /* NULL: refused */
	int err;
} prefixes[] = {
	{ "192.0.2.0/24", "192.0.2.0/24", 0 },
	{ "123.123.123.123/24", "123.123.123.0/24", 0 },
	{ "123.123.123.123", "123.123.123.123", 0 },
	{ "123.123.123.123/32", "123.123.123.123", 0 },
	{ "255.255.255.255/1", "128.0.0.0/1", 0 },
	{ "255.255.255.255/31", "255.255.255.254/31", 0 },
	{ "1.2.3.4/0", "0.0.0.0/0", 0 },
	{ "10.255.255.255/9", "10.128.0.0/9", 0 },
	{ "2001:db8::1/32", "2001:db8::/32", 0 },
	{ "2001:db8:ffff:ffff:ffff::1/64", "2001:db8:ffff:ffff::/64", 0 },
	{ "2001:db8::1", "2001:db8::1", 0 },
	{ "2001:db8::1/128", "2001:db8::1", 0 },
	{ "2001:db8::ff/127", "2001:db8::fe/127", 0 },
	{ "ffff::/1", "8000::/1", 0 },
	{ "::/0", "::/0", 0 },
	{ "::ffff:0:0/96", "0.0.0.0/0", 0 },
	{ "::ffff:10.1.2.3/104", "10.0.0.0/8", 0 },
	{ "", NULL, -EINVAL },
	{ "/24", NULL, -EINVAL },
	{ "192.0.2/24", NULL, -EINVAL },
	{ "192.0.2.0 /24", NULL, -EINVAL },
	{ "x/24", NULL, -EINVAL },
	{ "192.0.2.0/", NULL, -ERANGE },
	{ "192.0.2.0/33", NULL, -ERANGE },
	{ "192.0.2.0/ 24", NULL, -ERANGE },
	{ "192.0.2.0/24 ", NULL, -ERANGE },
	{ "192.0.2.0/+24", NULL, -ERANGE },
	{ "192.0.2.0/-1", NULL, -ERANGE },
	{ "192.0.2.0/24/8", NULL, -ERANGE },
	{ "192.0.2.0/255.255.255.0", NULL, -ERANGE },
	{ "192.0.2.0/2x", NULL, -ERANGE },
	{ "192.0.2.0/128", NULL, -ERANGE },
	{ "192.0.2.0/4294967320", NULL, -ERANGE },
	{ "192.0.2.0/99999999999999999999", NULL, -ERANGE },
	{ "2001:db8::/129", NULL, -ERANGE },
	{ "2001:db8::/", NULL, -ERANGE },
	{ "2001:db8::/1000", NULL, -ERANGE },
	{ "::1/128/128", NULL, -ERANGE },
};

static void test_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		size_t len = strlen(prefixes[i].text);
		char *copy = exact_copy(prefixes[i].text, len), text[RG_PREFIX_TEXT];
		struct rg_prefix prefix;
		int err = rg_prefix_parse(copy, len, &prefix);

		free(copy);
		if (err != prefixes[i].err)
			fail_msg("%s: %d, not %d", prefixes[i].text, err, prefixes[i].err);
		if (err)
			continue;
		assert_ptr_equal(rg_prefix_format(&prefix, text), text);
		assert_string_equal(text, prefixes[i].shown);
	}
	/* A NUL ends neither the address nor the length. */
	assert_int_not_equal(rg_prefix_parse("1.2.3.0/24\0", 11, &(struct rg_prefix){}), 0);
	assert_int_not_equal(rg_prefix_parse("1.2.3.0\0/24", 11, &(struct rg_prefix){}), 0);
}

/* What inet_pton says of it, with our own rules: no NUL, at most 45 characters. */
static int parse_as_libc(const char *text, size_t len, struct rg_addr *ret)
{
	struct in_addr v4;
	char copy[64];

	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*ret = to_addr(V4_BASE);
	if (inet_pton(AF_INET, copy, &v4) == 1) {
		memcpy(ret->bytes + RG_ADDR_V4_OFFSET, &v4, sizeof(v4));
		return 0;
	}
	return inet_pton(AF_INET6, copy, ret->bytes) == 1 ? 0 : -EINVAL;
}

/* glibc's takes leading zeros in a dotted quad of IPv4, as long as they are not more than three digits. */
static bool has_leading_zero(const char *text, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++)
		if (text[i] == '0' && text[i + 1] >= '0' && text[i + 1] <= '9' &&
		    (!i || text[i - 1] == '.'))
			return true;
	return false;
}

static void check_scan(const char *text, size_t len)
{
	char *copy = exact_copy(text, len);
	struct rg_prefix scanned = {}, parsed = {};
	struct rg_addr addr, libc;
	size_t taken = rg_prefix_scan(copy, copy + len, &scanned);
	int err = rg_addr_parse(copy, len, &addr);

	if (taken > len)
		fail_msg("%.*s: more than there is", (int)len, text);
	if (taken && (rg_prefix_parse(copy, taken, &parsed) ||
		      memcmp(&scanned, &parsed, sizeof(parsed)) != 0))
		fail_msg("%.*s: %zu bytes are scanned, but not parsed", (int)len, text, taken);
	if (!has_leading_zero(text, len) || memchr(text, ':', len)) {
		if (err != parse_as_libc(copy, len, &libc))
			fail_msg("%.*s: %d, libc does not think so", (int)len, text, err);
		if (!err && memcmp(&addr, &libc, sizeof(addr)) != 0)
			fail_msg("%.*s: not libc's address", (int)len, text);
	}
	free(copy);
}

/* An address as text in one of its forms, perhaps with a length. */
static size_t random_text(char *text, size_t size, uint64_t *seed)
{
	u128 number = random_number(seed) & random_number(seed);
	uint64_t random = next_random(seed);
	struct rg_addr addr;

	if (random & 1)
		number = V4_BASE | (uint32_t)number;
	else if (random & 2)
		number &= ALL_ONES << (random >> 8) % 128 | ALL_ONES >> (random >> 16) % 128;
	addr = to_addr(number);
	if (random & 1 && random & 12)
		inet_ntop(AF_INET, addr.bytes + 12, text, (socklen_t)size);
	else
		inet_ntop(AF_INET6, addr.bytes, text, (socklen_t)size);
	if (random & 48)
		snprintf(text + strlen(text), size - strlen(text), "/%u",
			 (unsigned int)(random >> 24) % (random & 1 ? 36 : 132));
	return strlen(text);
}

/* The quick way takes nothing that the exact one does not take, and means the same by it. */
static void test_scan(void **state)
{
	static const char some[] = "0123456789abcdefABCDEFg.:/-# \n\r\t\0x";
	struct rg_prefix prefix;
	uint64_t seed = 0x5ca9;
	char text[80];

	(void)state;
	for (size_t i = 0; i < COUNT(no_addresses); i++)
		check_scan(no_addresses[i].text, no_addresses[i].len);
	for (size_t i = 0; i < COUNT(prefixes); i++)
		check_scan(prefixes[i].text, strlen(prefixes[i].text));
	for (int i = 0; i < 300000; i++) {
		size_t len = random_text(text, sizeof(text), &seed);
		bool slash = memchr(text, '/', len);

		if (!slash && !(strchr(text, ':') && strchr(text, '.')))
			assert_int_equal(rg_prefix_scan(text, text + len, &prefix), len);
		check_scan(text, len);
		for (unsigned int changes = i % 4; changes; changes--) {
			uint64_t random = next_random(&seed);
			size_t at = random % (len + 1);

			if (random & 256 && len < sizeof(text) - 1) {
				memmove(text + at + 1, text + at, len - at);
				len++;
			} else if (random & 512 && at < len) {
				memmove(text + at, text + at + 1, len - at - 1);
				len--;
				continue;
			}
			if (at < len)
				text[at] = some[(random >> 16) % (sizeof(some) - 1)];
		}
		check_scan(text, len);
		check_scan(text, next_random(&seed) % (len + 1));
	}
}

/* Mask, cover, format and parse against the same in numbers, at every length. */
static void test_every_length(void **state)
{
	uint64_t seed = 0x1e75eed;

	(void)state;
	for (unsigned int round = 0; round < 20 * 129; round++) {
		unsigned int len = round % 129;
		bool v4 = len >= RG_V4_PREFIX_BITS && round % 2;
		u128 number = v4 ? V4_BASE | (uint32_t)random_number(&seed) : random_number(&seed);
		struct rg_prefix prefix = { .len = len, .addr = to_addr(number) }, again;
		char text[RG_PREFIX_TEXT];
		u128 base = number & ~host_bits(len);

		rg_prefix_mask(&prefix);
		assert_int_equal(prefix.len, len);
		assert_true(to_number(&prefix.addr) == base);
		for (unsigned int bit = 0; bit < 128; bit++) {
			struct rg_addr near = to_addr(number ^ ((u128)1 << bit));

			if (rg_prefix_covers(&prefix, &near) != (128 - bit > len))
				fail_msg("bit %u of a /%u", bit, len);
		}
		rg_prefix_format(&prefix, text);
		assert_int_equal(rg_prefix_parse(text, strlen(text), &again), 0);
		assert_int_equal(again.len, prefix.len);
		assert_memory_equal(&again.addr, &prefix.addr, sizeof(prefix.addr));
	}
}

/* IPv4 lies in each prefix around ::ffff:0:0/96, and in no other; 0.0.0.0/0 is itself. */
static void test_has_v4(void **state)
{
	(void)state;
	for (uint32_t len = 0; len <= RG_ADDR_BITS; len++) {
		struct rg_prefix around = { .len = len, .addr = to_addr(V4_BASE) };
		struct rg_prefix beside = { .len = len, .addr = to_addr((u128)1 << 96) };

		rg_prefix_mask(&around);
		rg_prefix_mask(&beside);
		assert_int_equal(rg_prefix_has_v4(&around), len < 96);
		assert_int_equal(rg_prefix_has_v4(&beside), len < 32);
	}
}

static void test_order(void **state)
{
	static const char *const walk[] = {
		"::/0",		  "::/128",	     "0.0.0.0/0",     "0.0.0.0/8",
		"9.255.255.255",  "10.0.0.0/8",	     "10.0.0.0/9",    "10.0.0.0",
		"10.0.0.1",	  "255.255.255.255", "2001:db8::/32", "2001:db8::/64",
		"2001:db8::/128", "2001:db8::1",
	};
	struct rg_prefix sorted[COUNT(walk)];

	(void)state;
	for (size_t i = 0; i < COUNT(walk); i++)
		assert_int_equal(rg_prefix_parse(walk[i], strlen(walk[i]), &sorted[i]), 0);
	for (size_t i = 0; i < COUNT(walk); i++) {
		for (size_t j = 0; j < COUNT(walk); j++) {
			int order = rg_prefix_compare(&sorted[i], &sorted[j]);

			if ((order > 0) - (order < 0) != (i > j) - (i < j))
				fail_msg("%s and %s", walk[i], walk[j]);
		}
	}
}

/* ---- ranges ---- */

static const struct {
	const char *text;
	int err;
	const char *first, *last;
} ranges[] = {
	{ "123.123.123.123-223.223.223.223", 0, "123.123.123.123", "223.223.223.223" },
	{ "10.0.0.1 - 10.0.0.9", 0, "10.0.0.1", "10.0.0.9" },
	{ "10.0.0.1-10.0.0.1", 0, "10.0.0.1", "10.0.0.1" },
	{ "2001:db8::1-2001:db8::ff", 0, "2001:db8::1", "2001:db8::ff" },
	{ "::ffff:10.0.0.1-10.0.0.2", 0, "10.0.0.1", "10.0.0.2" },
	{ "10.0.0.2-10.0.0.1", -ERANGE, NULL, NULL },
	{ "2001:db8::2-2001:db8::1", -ERANGE, NULL, NULL },
	{ "10.0.0.1-2001:db8::1", -ERANGE, NULL, NULL },
	{ "::1-10.0.0.1", -ERANGE, NULL, NULL },
	{ "10.0.0.1", -EINVAL, NULL, NULL },
	{ "10.0.0.1-", -EINVAL, NULL, NULL },
	{ "-10.0.0.1", -EINVAL, NULL, NULL },
	{ "-", -EINVAL, NULL, NULL },
	{ "", -EINVAL, NULL, NULL },
	{ " - ", -EINVAL, NULL, NULL },
	{ "10.0.0.1-9", -EINVAL, NULL, NULL },
	{ "10.0.0.1--10.0.0.2", -EINVAL, NULL, NULL },
	{ "10.0.0.1-10.0.0.2-10.0.0.3", -EINVAL, NULL, NULL },
	{ "10.0.0.0/24-10.0.1.0/24", -EINVAL, NULL, NULL },
	{ " 10.0.0.1-10.0.0.2", -EINVAL, NULL, NULL },
	{ "10.0.0.1-10.0.0.2 ", -EINVAL, NULL, NULL },
};

static void test_range_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ranges); i++) {
		size_t len = strlen(ranges[i].text);
		char *copy = exact_copy(ranges[i].text, len), text[RG_ADDR_TEXT];
		struct rg_addr first, last;
		int err = rg_range_parse(copy, len, &first, &last);

		free(copy);
		if (err != ranges[i].err)
			fail_msg("\"%s\": %d, not %d", ranges[i].text, err, ranges[i].err);
		if (err)
			continue;
		assert_string_equal(rg_addr_format(&first, text), ranges[i].first);
		assert_string_equal(rg_addr_format(&last, text), ranges[i].last);
	}
}

struct collected {
	struct rg_prefix prefixes[MAX_PREFIXES];
	unsigned int count;
	unsigned int stop_at; /* returns 7 at that prefix; 0: never */
};

static int collect(const struct rg_prefix *prefix, void *arg)
{
	struct collected *collected = arg;

	assert_in_range(collected->count, 0, MAX_PREFIXES - 1);
	collected->prefixes[collected->count++] = *prefix;
	return collected->count == collected->stop_at ? 7 : 0;
}

/* The least number of prefixes for first..last, by walking down the tree from its root. */
static unsigned int fewest(u128 base, unsigned int len, u128 first, u128 last)
{
	u128 end = base | host_bits(len);

	if (base > last || end < first)
		return 0;
	if (base >= first && end <= last)
		return 1;
	return fewest(base, len + 1, first, last) +
	       fewest(base | ((u128)1 << (127 - len)), len + 1, first, last);
}

/* The prefixes are aligned, follow each other without gap or overlap, and are as few as can be. */
static void check_split(u128 first, u128 last)
{
	struct rg_addr from = to_addr(first), to = to_addr(last);
	struct collected collected = {};
	u128 next = first;

	assert_int_equal(rg_range_split(&from, &to, collect, &collected), 0);
	for (unsigned int i = 0; i < collected.count; i++) {
		const struct rg_prefix *prefix = &collected.prefixes[i];

		assert_true(prefix->len <= RG_ADDR_BITS);
		assert_true(to_number(&prefix->addr) == next);
		assert_true(!(next & host_bits(prefix->len)));
		next += host_bits(prefix->len) + 1;
	}
	assert_true(next == last + 1);
	assert_int_equal(collected.count, fewest(0, 0, first, last));
}

static void test_split_small(void **state)
{
	const u128 bases[] = { V4_BASE | 0x0a0000f0, (u128)0x20010db8 << 96 | 0xfff0,
			       V4_BASE - 16,	     V4_BASE | 0xfffffff0,
			       ALL_ONES - 47,	     0 };

	(void)state;
	for (size_t i = 0; i < COUNT(bases); i++)
		for (unsigned int first = 0; first < 48; first++)
			for (unsigned int last = first; last < 48; last++)
				check_split(bases[i] + first, bases[i] + last);
}

static void test_split_random(void **state)
{
	uint64_t seed = 0x5b117;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		u128 a = random_number(&seed), b = random_number(&seed);

		if (i % 2) {
			a = V4_BASE | (uint32_t)a;
			b = V4_BASE | (uint32_t)b;
		} else if (i % 4) {
			b = a ^ (b >> (next_random(&seed) % 128));
		}
		check_split(a < b ? a : b, a < b ? b : a);
	}
}

static void test_split_limits(void **state)
{
	struct rg_addr zero = to_addr(V4_BASE), last = to_addr(V4_BASE | UINT32_MAX);
	struct collected whole = {}, stopped = { .stop_at = 3 };

	(void)state;
	assert_int_equal(rg_range_split(&zero, &last, collect, &whole), 0);
	assert_int_equal(whole.count, 1);
	assert_int_equal(whole.prefixes[0].len, RG_V4_PREFIX_BITS);
	check_split(0, ALL_ONES);
	check_split(1, ALL_ONES - 1); /* 254 prefixes */
	check_split(V4_BASE + 1, V4_BASE + 0xfffffffe);
	check_split(ALL_ONES, ALL_ONES);
	check_split(0, 0);

	zero = to_addr(V4_BASE + 1);
	assert_int_equal(rg_range_split(&zero, &last, collect, &stopped), 7);
	assert_int_equal(stopped.count, 3);
}

/* ---- what an address is ---- */

static const struct {
	const char *text;
	bool special;
} kinds[] = {
	{ "0.0.0.0", true },
	{ "0.255.255.255", true },
	{ "1.0.0.0", false },
	{ "126.255.255.255", false },
	{ "127.0.0.1", true },
	{ "127.255.255.255", true },
	{ "128.0.0.0", false },
	{ "169.253.255.255", false },
	{ "169.254.0.0", true },
	{ "169.254.255.255", true },
	{ "169.255.0.0", false },
	{ "170.254.0.0", false },
	{ "223.255.255.255", false },
	{ "224.0.0.1", true },
	{ "239.255.255.255", true },
	{ "255.255.255.255", true },
	{ "10.0.0.1", false },
	{ "192.168.0.1", false },
	{ "::", true },
	{ "::1", true },
	{ "::2", false },
	{ "fe80::1", true },
	{ "febf:ffff::1", true },
	{ "fec0::1", false },
	{ "fe7f::1", false },
	{ "ff02::1", true },
	{ "ffff::", true },
	{ "feff::1", false },
	{ "fd00::1", false },
	{ "2001:db8::1", false },
	{ "::ffff:127.0.0.1", true },
	{ "::ffff:8.8.8.8", false },
};

static void test_special(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct rg_addr addr;

		assert_int_equal(rg_addr_parse(kinds[i].text, strlen(kinds[i].text), &addr), 0);
		if (rg_addr_is_special(&addr) != kinds[i].special)
			fail_msg("%s", kinds[i].text);
	}
}

static void test_private(void **state)
{
	static const struct {
		const char *text;
		bool is_private;
	} addrs[] = {
		{ "9.255.255.255", false },   { "10.0.0.0", true },
		{ "10.255.255.255", true },   { "11.0.0.0", false },
		{ "172.15.255.255", false },  { "172.16.0.0", true },
		{ "172.31.255.255", true },   { "172.32.0.0", false },
		{ "192.167.255.255", false }, { "192.168.0.0", true },
		{ "192.168.255.255", true },  { "192.169.0.0", false },
		{ "193.168.0.0", false },     { "100.63.255.255", false },
		{ "100.64.0.0", true },	      { "100.127.255.255", true },
		{ "100.128.0.0", false },     { "101.64.0.0", false },
		{ "fbff:ffff::", false },     { "fc00::", true },
		{ "fd00::1", true },	      { "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true },
		{ "fe00::", false },	      { "2001:db8::a00:1", false },
		{ "::ffff:10.0.0.1", true },  { "::ffff:8.8.8.8", false },
		{ "::10.0.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(addrs); i++) {
		struct rg_addr addr;

		assert_int_equal(rg_addr_parse(addrs[i].text, strlen(addrs[i].text), &addr), 0);
		if (rg_addr_is_private(&addr) != addrs[i].is_private)
			fail_msg("%s", addrs[i].text);
	}
}

static void check_peer(const char *text, unsigned int v6_len, const char *peer)
{
	char shown[RG_PREFIX_TEXT];
	struct rg_prefix prefix;
	struct rg_addr addr;

	assert_int_equal(rg_addr_parse(text, strlen(text), &addr), 0);
	prefix = rg_peer_of(&addr, v6_len);
	assert_string_equal(rg_prefix_format(&prefix, shown), peer);
}

static void test_peer(void **state)
{
	(void)state;
	check_peer("192.0.2.77", 64, "192.0.2.77");
	check_peer("192.0.2.77", 32, "192.0.2.77");
	check_peer("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64");
	check_peer("2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6");
	check_peer("2001:db8:1:ffff::1", 56, "2001:db8:1:ff00::/56");
	check_peer("2001:db8:1:ffff::1", 48, "2001:db8:1::/48");
	check_peer("2001:db8:1:ffff::1", 61, "2001:db8:1:fff8::/61");
}

static void test_find(void **state)
{
	static const struct {
		const char *text, *found;
	} rows[] = {
		{ "203.0.113.11", "203.0.113.11" },
		{ "[203.0.113.11]:18947", "203.0.113.11" },
		{ "[203.0.113.11]", "203.0.113.11" },
		{ "203.0.113.11:18947", "203.0.113.11" },
		{ "client=[203.0.113.12]:47369", "203.0.113.12" },
		{ "unknown[198.51.100.32]:19969", "198.51.100.32" },
		{ "unknown[198.51.100.32]:19969:", "unknown[198.51.100.32]:19969:" },
		{ "mail.example.org[198.51.100.32]", "198.51.100.32" },
		{ "[2001:db8::1]:25", "2001:db8::1" },
		{ " [2001:db8::1]:25,\n", "2001:db8::1" },
		{ "[IPv6:2001:db8::1]", "2001:db8::1" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "2001:db8::", "2001:db8::" },
		{ "::ffff:203.0.113.1", "::ffff:203.0.113.1" },
		{ "203.0.113.0/24", "203.0.113.0/24" },
		{ "203.0.113.1-203.0.113.9", "203.0.113.1-203.0.113.9" },
		{ "DE", "DE" },
		{ "203.0.113.11:", "203.0.113.11:" },
		{ "203.0.113.11:smtp", "203.0.113.11:smtp" },
		{ "203.0.113.11:123456", "203.0.113.11:123456" },
		{ "[203.0.113.11", "[203.0.113.11" },
		{ "[203.0.113.11]x", "[203.0.113.11]x" },
		{ "zone:25", "zone:25" },
		{ "[]", "" },
		{ " ,", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].text);
		const char *found = rg_addr_find(rows[i].text, &len);

		if (len != strlen(rows[i].found) || memcmp(found, rows[i].found, len) != 0)
			fail_msg("\"%s\" gave \"%.*s\"", rows[i].text, (int)len, found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),    cmocka_unit_test(test_no_addresses),
		cmocka_unit_test(test_round_trips),  cmocka_unit_test(test_sockaddr),
		cmocka_unit_test(test_prefixes),     cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_has_v4),	     cmocka_unit_test(test_order),
		cmocka_unit_test(test_range_text),   cmocka_unit_test(test_split_small),
		cmocka_unit_test(test_split_random), cmocka_unit_test(test_split_limits),
		cmocka_unit_test(test_special),	     cmocka_unit_test(test_peer),
		cmocka_unit_test(test_scan),	     cmocka_unit_test(test_find),
		cmocka_unit_test(test_private),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
