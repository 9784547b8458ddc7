/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "proto/dnsbl_query.h"

/* Text of the longest name: 255 octets with a length before each label and one for the root. */
#define LONGEST_NAME 253

#define ROW_CODES 4
#define ROW_RECORDS 5

static uint32_t ip(const char *text)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1)
		fail_msg("not an address: %s", text);
	return ntohl(in.s_addr);
}

static struct rg_addr addr(const char *text)
{
	struct rg_addr ret;

	if (rg_addr_parse(text, strlen(text), &ret))
		fail_msg("not an address: %s", text);
	return ret;
}

/* ---- names ---- */

static const struct {
	const char *addr, *suffix, *name;
} names[] = {
	/* RFC 5782, 2.1 and 2.4 */
	{ "192.0.2.99", "bad.example.com", "99.2.0.192.bad.example.com" },
	{ "2001:db8:1:2:3:4:567:89ab", "ugly.example.com",
	  "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com" },
	/* ERS */
	{ "192.0.2.1", "abcdefghijklmn.r.mail-abuse.com",
	  "1.2.0.192.abcdefghijklmn.r.mail-abuse.com" },
	{ "0.0.0.0", "abcdefghijklmn.r.mail-abuse.com", "0.0.0.0.abcdefghijklmn.r.mail-abuse.com" },
	{ "127.0.0.2", "z", "2.0.0.127.z" },
	{ "255.255.255.255", "z", "255.255.255.255.z" },
	{ "::ffff:192.0.2.99", "z", "99.2.0.192.z" },
	{ "::1", "z", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.z" },
};

static void test_names(void **state)
{
	char name[RG_DNSBL_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct rg_addr asked = addr(names[i].addr);

		assert_int_equal(rg_dnsbl_name(&asked, names[i].suffix, name), 0);
		assert_string_equal(name, names[i].name);
	}
}

/* A name that no resolver can ask for must be refused here, where the reason is known. */
static void test_name_lengths(void **state)
{
	static const char *const asked[] = { "192.0.2.99", "2001:db8::1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		struct rg_addr from = addr(asked[i]);
		size_t reversed = i ? 63 : 10;

		for (size_t len = 1; len < 400; len++) {
			char suffix[400], name[RG_DNSBL_NAME_SIZE];
			size_t total = reversed + 1 + len;

			for (size_t at = 0; at < len; at++)
				suffix[at] = at % 50 == 49 ? '.' : 'x';
			suffix[len] = '\0';
			if (rg_dnsbl_name(&from, suffix, name) !=
			    (total > LONGEST_NAME ? -ENAMETOOLONG : 0))
				fail_msg("%s: a name of %zu characters", asked[i], total);
			if (total <= LONGEST_NAME)
				assert_int_equal(strlen(name), total);
		}
	}
}

/* ---- which answers count ---- */

struct match_row {
	const char *what;
	const char *codes[ROW_CODES]; /* none: the default */
	const char *records[ROW_RECORDS];
	enum rg_listed listed;
	const char *code; /* the record that decided; NULL: none did */
};

#define STANDARD               \
	{                      \
		"127.1.0.0/24" \
	}
#define RBL_DUL                     \
	{                           \
		"127.1.0.0&0.0.0.3" \
	}
#define QIL                   \
	{                     \
		"127.0.0.0/8" \
	}

static const struct match_row matches[] = {
	{ "exact", { "127.0.0.2" }, { "127.0.0.2" }, RG_LISTED, "127.0.0.2" },
	{ "not exact", { "127.0.0.2" }, { "127.0.0.3" }, RG_NOT_LISTED, NULL },
	{ "exact, QIL", { "127.0.0.32" }, { "127.0.0.32" }, RG_LISTED, "127.0.0.32" },
	{ "range, first", { "127.0.0.2-127.0.0.11" }, { "127.0.0.2" }, RG_LISTED, "127.0.0.2" },
	{ "range, last", { "127.0.0.2-127.0.0.11" }, { "127.0.0.11" }, RG_LISTED, "127.0.0.11" },
	{ "range, past it", { "127.0.0.2-127.0.0.11" }, { "127.0.0.12" }, RG_NOT_LISTED, NULL },
	{ "range over octets", { "127.0.2.1-127.0.9.3" }, { "127.0.5.200" }, RG_LISTED, "127.0.5.200" },
	{ "range, before it", { "127.0.2.1-127.0.9.3" }, { "127.0.2.0" }, RG_NOT_LISTED, NULL },
	{ "over limit, between two ranges",
	  { "127.0.2.1-127.0.9.3", "127.0.11.1-127.0.20.3" },
	  { "127.0.10.3" },
	  RG_NOT_LISTED,
	  NULL },
	{ "second range",
	  { "127.0.2.1-127.0.9.3", "127.0.11.1-127.0.20.3" },
	  { "127.0.12.3" },
	  RG_LISTED,
	  "127.0.12.3" },
	{ "CIDR", STANDARD, { "127.1.0.255" }, RG_LISTED, "127.1.0.255" },
	{ "CIDR, beside it", STANDARD, { "127.1.1.1" }, RG_NOT_LISTED, NULL },
	{ "CIDR with host bits", { "127.1.0.77/24" }, { "127.1.0.1" }, RG_LISTED, "127.1.0.1" },
	{ "CIDR /32", { "127.1.0.1/32" }, { "127.1.0.1" }, RG_LISTED, "127.1.0.1" },
	{ "any positive answer", QIL, { "127.77.66.55" }, RG_LISTED, "127.77.66.55" },
	{ "bit mask, RBL", RBL_DUL, { "127.1.0.1" }, RG_LISTED, "127.1.0.1" },
	{ "bit mask, OPS only", RBL_DUL, { "127.1.0.8" }, RG_NOT_LISTED, NULL },
	{ "bit mask, DUL and OPS", RBL_DUL, { "127.1.0.10" }, RG_LISTED, "127.1.0.10" },
	{ "bit mask, none set", RBL_DUL, { "127.1.0.0" }, RG_NOT_LISTED, NULL },
	{ "bit mask, other net", RBL_DUL, { "127.0.0.3" }, RG_NOT_LISTED, NULL },
	{ "bit mask, third octet", RBL_DUL, { "127.1.1.3" }, RG_NOT_LISTED, NULL },
	{ "bit mask, low bits given", { "127.1.0.4&0.0.0.3" }, { "127.1.0.2" }, RG_LISTED, "127.1.0.2" },

	{ "no record", STANDARD, { NULL }, RG_NOT_LISTED, NULL },
	{ "the last of several",
	  STANDARD,
	  { "127.0.0.9", "127.0.0.10", "127.1.0.4" },
	  RG_LISTED,
	  "127.1.0.4" },
	{ "the first of several", STANDARD, { "127.1.0.2", "127.0.0.10" }, RG_LISTED, "127.1.0.2" },
	{ "none of several", STANDARD, { "127.0.0.9", "127.0.0.10" }, RG_NOT_LISTED, NULL },

	{ "default, first", { NULL }, { "127.0.0.2" }, RG_LISTED, "127.0.0.2" },
	{ "default, last", { NULL }, { "127.0.0.254" }, RG_LISTED, "127.0.0.254" },
	{ "default, not 255", { NULL }, { "127.0.0.255" }, RG_NOT_LISTED, NULL },
	{ "default, not 0", { NULL }, { "127.0.0.0" }, RG_NOT_LISTED, NULL },
	{ "default, Standard", { NULL }, { "127.1.0.1" }, RG_LISTED, "127.1.0.1" },
	{ "default, elsewhere", { NULL }, { "127.2.0.1" }, RG_NOT_LISTED, NULL },

	/* What a list answers when it is ill. QIL's "any answer" must not take it for a listing. */
	{ "127.0.0.1", QIL, { "127.0.0.1" }, RG_LIST_BROKEN, "127.0.0.1" },
	{ "typing error", QIL, { "127.255.255.252" }, RG_LIST_BROKEN, "127.255.255.252" },
	{ "open resolver", QIL, { "127.255.255.254" }, RG_LIST_BROKEN, "127.255.255.254" },
	{ "too many queries", QIL, { "127.255.255.255" }, RG_LIST_BROKEN, "127.255.255.255" },
	{ "key disabled, .250", QIL, { "127.255.255.250" }, RG_LIST_BROKEN, "127.255.255.250" },
	{ "key disabled, .251", QIL, { "127.255.255.251" }, RG_LIST_BROKEN, "127.255.255.251" },
	{ "127.255.255.0", QIL, { "127.255.255.0" }, RG_LIST_BROKEN, "127.255.255.0" },
	{ "127.255.254.255 is none", QIL, { "127.255.254.255" }, RG_LISTED, "127.255.254.255" },
	{ "a parked domain", { NULL }, { "192.0.2.80" }, RG_LIST_BROKEN, "192.0.2.80" },
	{ "128.0.0.2", QIL, { "128.0.0.2" }, RG_LIST_BROKEN, "128.0.0.2" },
	{ "126.255.255.255", QIL, { "126.255.255.255" }, RG_LIST_BROKEN, "126.255.255.255" },
	{ "0.0.0.0", QIL, { "0.0.0.0" }, RG_LIST_BROKEN, "0.0.0.0" },
	{ "an error code named by codes",
	  { "127.128.0.0/9", "127.0.0.0/16" },
	  { "127.255.255.254" },
	  RG_LIST_BROKEN,
	  "127.255.255.254" },
	{ "an error code after a listing",
	  STANDARD,
	  { "127.1.0.1", "127.255.255.255" },
	  RG_LIST_BROKEN,
	  "127.255.255.255" },
	{ "an error code before a listing",
	  STANDARD,
	  { "127.0.0.1", "127.1.0.1" },
	  RG_LIST_BROKEN,
	  "127.0.0.1" },
};

static void codes_of_row(const struct match_row *row, struct rg_dnsbl_codes *codes)
{
	struct rg_error error;

	*codes = (struct rg_dnsbl_codes){};
	if (!row->codes[0])
		rg_dnsbl_codes_default(codes);
	for (int i = 0; i < ROW_CODES && row->codes[i]; i++)
		if (rg_dnsbl_codes_add(codes, row->codes[i], &error))
			fail_msg("%s: %s", row->what, error.text);
}

static void test_matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		const struct match_row *row = &matches[i];
		uint32_t records[ROW_RECORDS], code = 0xdeadbeef;
		struct rg_dnsbl_codes codes;
		size_t count = 0;
		enum rg_listed listed;

		codes_of_row(row, &codes);
		for (; count < ROW_RECORDS && row->records[count]; count++)
			records[count] = ip(row->records[count]);
		listed = rg_dnsbl_match(&codes, records, count, &code);
		if (listed != row->listed)
			fail_msg("%s: %d, not %d", row->what, listed, row->listed);
		if (row->code && code != ip(row->code))
			fail_msg("%s: code %08x", row->what, code);
	}
}

/* ERS: 1 RBL, 2 DUL, 4 RSS, 8 OPS; the configuration chooses any of them. */
static void test_bit_masks(void **state)
{
	(void)state;
	for (uint32_t mask = 1; mask <= 15; mask++) {
		struct rg_dnsbl_codes codes = {};
		char text[40];

		snprintf(text, sizeof(text), "127.1.0.0&0.0.0.%u", mask);
		assert_int_equal(rg_dnsbl_codes_add(&codes, text, NULL), 0);
		for (uint32_t octet = 0; octet < 256; octet++) {
			uint32_t record = 0x7f010000 | octet, code = 0;
			bool listed = (octet % 16) & mask;

			assert_int_equal(rg_dnsbl_match(&codes, &record, 1, &code),
					 listed ? RG_LISTED : RG_NOT_LISTED);
			record |= 0x100;
			assert_int_equal(rg_dnsbl_match(&codes, &record, 1, &code), RG_NOT_LISTED);
		}
	}
}

/* Ranges and CIDRs against arithmetic on 24 bits, with the error codes taken out. */
static void test_random_rules(void **state)
{
	uint64_t seed = 0xc0de5eed;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint32_t first, last, record, code;
		struct rg_dnsbl_codes codes = {};
		enum rg_listed expected;
		char text[64];

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		first = 0x7f000000 | (seed >> 40 & 0x3ffff);
		if (i % 2) {
			last = first + (seed >> 20 & 0xffff);
			snprintf(text, sizeof(text), "127.%u.%u.%u-127.%u.%u.%u", first >> 16 & 255,
				 first >> 8 & 255, first & 255, last >> 16 & 255, last >> 8 & 255,
				 last & 255);
		} else {
			unsigned int bits = 8 + (seed >> 20) % 25;
			uint32_t hosts = (uint32_t)(0xffffffffULL >> bits);

			snprintf(text, sizeof(text), "127.%u.%u.%u/%u", first >> 16 & 255,
				 first >> 8 & 255, first & 255, bits);
			first &= ~hosts;
			last = first | hosts;
		}
		assert_int_equal(rg_dnsbl_codes_add(&codes, text, NULL), 0);
		record = 0x7f000000 | (seed >> 8 & 0x7ffff);
		expected = record == 0x7f000001		     ? RG_LIST_BROKEN :
			   record >= first && record <= last ? RG_LISTED :
							       RG_NOT_LISTED;
		if (rg_dnsbl_match(&codes, &record, 1, &code) != expected)
			fail_msg("%s and %08x", text, record);
	}
}

static const char *const bad_codes[] = {
	"",
	" ",
	"127",
	"127.0.0",
	"127.0.0.2 ",
	" 127.0.0.2",
	"127.0.0.02",
	"127.0.0.256",
	"::1",
	"::ffff:128.0.0.1",
	"127.0.0.*",
	"1.2.3.4",
	"126.255.255.255",
	"128.0.0.0",
	"0.0.0.0",
	"127.0.0.2-",
	"-127.0.0.2",
	"127.0.0.9-127.0.0.2",
	"127.0.0.2-127.0.0.4-127.0.0.8",
	"127.0.0.2-128.0.0.2",
	"126.0.0.2-127.0.0.2",
	"127.0.0.2-9",
	"127.0.0.2 - 127.0.0.9",
	"127.0.0.0/",
	"127.0.0.0/7",
	"127.0.0.0/0",
	"127.0.0.0/33",
	"127.0.0.0/-8",
	"127.0.0.0/+8",
	"127.0.0.0/ 8",
	"127.0.0.0/8 ",
	"127.0.0.0/24x",
	"127.0.0.0/99999999999999999999",
	"128.0.0.0/8",
	"127.1.0.0&",
	"127.1.0.0&3",
	"127.1.0.0&0.0.0.0",
	"127.1.0.0&127.0.0.1",
	"127.1.0.0&255.0.0.0",
	"128.1.0.0&0.0.0.3",
	"&0.0.0.3",
	"127.1.0.0&0.0.0.3&0.0.0.4",
};

static void test_bad_codes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_codes); i++) {
		struct rg_dnsbl_codes codes = {};
		struct rg_error error = {};

		if (rg_dnsbl_codes_add(&codes, bad_codes[i], &error) != -EINVAL)
			fail_msg("\"%s\" was taken", bad_codes[i]);
		assert_int_equal(codes.count, 0);
		assert_true(error.text[0]);
		assert_null(strchr(error.text, '\n'));
		if (!strstr(error.text, bad_codes[i]))
			fail_msg("\"%s\" is not named by: %s", bad_codes[i], error.text);
	}
}

/* 127.0.0.255 of an allow list: too many queries, whatever its codes say. */
static void test_allow_list(void **state)
{
	struct rg_dnsbl_codes codes = { .is_allow = true };
	uint32_t records[] = { ip("127.0.2.1"), ip("127.0.0.255") }, code = 0;
	struct rg_error error = {};

	(void)state;
	assert_int_equal(rg_dnsbl_codes_add(&codes, "127.0.0.255", &error), -EINVAL);
	assert_non_null(strstr(error.text, "can never list a peer"));
	assert_int_equal(rg_dnsbl_codes_add(&codes, "127.0.0.0/16", &error), 0);
	assert_int_equal(rg_dnsbl_match(&codes, records, 1, &code), RG_LISTED);
	assert_int_equal(rg_dnsbl_match(&codes, records, 2, &code), RG_LIST_BROKEN);
	assert_int_equal(code, records[1]);
	codes.is_allow = false;
	assert_int_equal(rg_dnsbl_match(&codes, records + 1, 1, &code), RG_LISTED);
	assert_int_equal(rg_dnsbl_codes_add(&codes, "127.0.0.255", &error), 0);
}

static void test_too_many_codes(void **state)
{
	struct rg_dnsbl_codes codes = {};
	struct rg_error error = {};

	(void)state;
	for (int i = 0; i < RG_MAX_CODES; i++)
		assert_int_equal(rg_dnsbl_codes_add(&codes, "127.0.0.2", &error), 0);
	assert_int_equal(rg_dnsbl_codes_add(&codes, "127.0.0.3", &error), -ENOSPC);
	assert_int_equal(codes.count, RG_MAX_CODES);
	assert_non_null(strstr(error.text, "16"));
	/* The default replaces what was there. */
	rg_dnsbl_codes_default(&codes);
	assert_int_equal(codes.count, 2);
}

static void test_ttl(void **state)
{
	(void)state;
	assert_int_equal(rg_clamp_ttl(0, 60, 3600), 60);
	assert_int_equal(rg_clamp_ttl(59, 60, 3600), 60);
	assert_int_equal(rg_clamp_ttl(60, 60, 3600), 60);
	assert_int_equal(rg_clamp_ttl(61, 60, 3600), 61);
	assert_int_equal(rg_clamp_ttl(3600, 60, 3600), 3600);
	assert_int_equal(rg_clamp_ttl(UINT32_MAX, 60, 3600), 3600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	     cmocka_unit_test(test_name_lengths),
		cmocka_unit_test(test_matches),	     cmocka_unit_test(test_bit_masks),
		cmocka_unit_test(test_random_rules), cmocka_unit_test(test_bad_codes),
		cmocka_unit_test(test_allow_list),   cmocka_unit_test(test_too_many_codes),
		cmocka_unit_test(test_ttl),
	};

	return cmocka_run_group_tests_name("dnsbl", tests, NULL, NULL);
}
