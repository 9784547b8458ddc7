/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS messages read by hand: whole, cut short at every length, and mutated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsbl/dns_message.h"

#include <cmocka.h>

/* NXDOMAIN for x.example with example's SOA: TTL 3600 (at 43), MINIMUM 900 (last). */
static const uint8_t nxdomain[] = {
	0x12, 0x34, 0x81, 0x83, 0,   1,	  0,   0,   0,	  1,	0, 0, /* header */
	1,    'x',  7,	  'e',	'x', 'a', 'm', 'p', 'l',  'e',	0, 0,  1, 0, 1, /* question */
	0xc0, 14,   0,	  6,	0,   1,	  0,   0,   0x0e, 0x10, 0, 24, /* example SOA, TTL, 24 bytes */
	0xc0, 14,   0xc0, 14,	0,   0,	  0,   1,   0,	  0,	0, 2,  0, 0, 0,
	3,    0,    0,	  0,	4,   0,	  0,   3,   0x84,
};

/* x: CNAME y (TTL 30), A 127.0.0.2 (TTL 3600), A 127.0.0.4 (TTL 60). */
static const uint8_t listed[] = {
	0x12, 0x34, 0x81, 0x80, 0, 1, 0, 3, 0, 0,    0,	   0, /* header */
	1,    'x',  0,	  0,	1, 0, 1, /* question */
	0xc0, 12,   0,	  5,	0, 1, 0, 0, 0, 30,   0,	   3, 1, 'y', 0, /* CNAME, at 19 */
	1,    'y',  0,	  0,	1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 127, 0, 0, 2, /* at 34 */
	1,    'y',  0,	  0,	1, 0, 1, 0, 0, 0,    60,   0, 4, 127, 0, 0, 4, /* at 51 */
};

static struct rg_dns_answer read_changed(const uint8_t *bytes, size_t len, size_t at, uint8_t value)
{
	struct rg_dns_answer answer;
	uint8_t message[128];

	memcpy(message, bytes, len);
	message[at] = value;
	rg_dns_message_read(message, len, &answer);
	return answer;
}

static void check_negative(void **state)
{
	struct rg_dns_answer answer;

	(void)state;
	rg_dns_message_read(nxdomain, sizeof(nxdomain), &answer);
	assert_int_equal(answer.status, RG_DNS_NONE);
	assert_true(answer.has_ttl);
	assert_int_equal(answer.ttl, 900);
	/* MINIMUM above the TTL */
	answer = read_changed(nxdomain, sizeof(nxdomain), sizeof(nxdomain) - 2, 0xff);
	assert_int_equal(answer.ttl, 3600);
	/* NS instead of SOA; another class; no authority; a shorter SOA than there can be */
	assert_false(read_changed(nxdomain, sizeof(nxdomain), 30, 2).has_ttl);
	assert_false(read_changed(nxdomain, sizeof(nxdomain), 32, 3).has_ttl);
	assert_false(read_changed(nxdomain, sizeof(nxdomain), 9, 0).has_ttl);
	assert_false(read_changed(nxdomain, sizeof(nxdomain), 38, 21).has_ttl);
	/* NOERROR without answers is the same as NXDOMAIN. */
	answer = read_changed(nxdomain, sizeof(nxdomain), 3, 0x80);
	assert_int_equal(answer.status, RG_DNS_NONE);
	assert_int_equal(answer.ttl, 900);
}

static void check_records(void **state)
{
	struct rg_dns_answer answer;

	(void)state;
	rg_dns_message_read(listed, sizeof(listed), &answer);
	assert_int_equal(answer.status, RG_DNS_OK);
	assert_int_equal(answer.count, 2);
	assert_int_equal(answer.records[0], 0x7f000002);
	assert_int_equal(answer.records[1], 0x7f000004);
	assert_int_equal(answer.ttl, 30); /* the alias's */
	answer = read_changed(listed, sizeof(listed), 28, 200);
	assert_int_equal(answer.ttl, 60); /* the smaller one of the records */
	answer = read_changed(listed, sizeof(listed), 58, 0x80);
	assert_int_equal(answer.ttl, 0); /* top bit set */
	answer = read_changed(listed, sizeof(listed), 38, 28);
	assert_int_equal(answer.count, 1); /* AAAA */
	answer = read_changed(listed, sizeof(listed), 7, 1);
	assert_int_equal(answer.status, RG_DNS_NONE); /* the alias only */
	assert_false(answer.has_ttl);
	answer = read_changed(listed, sizeof(listed), 7, 4);
	assert_int_equal(answer.status, RG_DNS_BAD); /* one more than there are */
	assert_int_equal(answer.count, 0);
	/* Records in an NXDOMAIN are none of the name's. */
	answer = read_changed(listed, sizeof(listed), 3, 0x83);
	assert_int_equal(answer.status, RG_DNS_NONE);
	assert_int_equal(answer.count, 0);
}

static void check_codes(void **state)
{
	static const struct {
		uint8_t rcode;
		enum rg_dns_status status;
	} rows[] = {
		{ 1, RG_DNS_BAD }, { 2, RG_DNS_SERVFAIL }, { 3, RG_DNS_NONE },
		{ 4, RG_DNS_BAD }, { 5, RG_DNS_REFUSED },  { 9, RG_DNS_BAD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_dns_answer answer =
			read_changed(listed, sizeof(listed), 3, rows[i].rcode | 0x80);

		assert_int_equal(answer.status, rows[i].status);
		assert_int_equal(answer.count, 0);
	}
}

/* More records than there is room for: the rest is left out, but bounds the TTL. */
static void check_too_many(void **state)
{
	struct rg_dns_answer answer;

	(void)state;
	rg_dns_message_begin(&answer, 0);
	for (uint32_t i = 0; i < RG_DNS_MAX_RECORDS + 10; i++)
		rg_dns_message_add(&answer, false, RG_DNS_TYPE_A, 1000 - i, i);
	assert_int_equal(answer.count, RG_DNS_MAX_RECORDS);
	assert_int_equal(answer.ttl, 1000 - RG_DNS_MAX_RECORDS - 9);
	rg_dns_message_add(&answer, false, RG_DNS_TYPE_CNAME, 5, 0);
	assert_int_equal(answer.ttl, 5);
	rg_dns_message_add(&answer, true, RG_DNS_TYPE_SOA, 1, 1); /* of no concern */
	assert_int_equal(answer.ttl, 5);
}

/* Every length, in a block of exactly that size: ASan sees a byte too far. */
static void check_cut(void **state)
{
	struct rg_dns_answer answer;

	(void)state;
	for (size_t len = 0; len < sizeof(nxdomain); len++) {
		uint8_t *message = malloc(len ? len : 1);

		memcpy(message, nxdomain, len);
		rg_dns_message_read(message, len, &answer);
		assert_int_equal(answer.status, len < 12 ? RG_DNS_BAD : RG_DNS_NONE);
		assert_false(answer.has_ttl);
		free(message);
	}
	for (size_t len = 0; len < sizeof(listed); len++) {
		uint8_t *message = malloc(len ? len : 1);

		memcpy(message, listed, len);
		rg_dns_message_read(message, len, &answer);
		assert_int_equal(answer.status, RG_DNS_BAD);
		assert_int_equal(answer.count, 0);
		free(message);
	}
}

static void check_mutated(void **state)
{
	struct rg_dns_answer answer;
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 1000000; round++) {
		const uint8_t *from = round % 2 ? nxdomain : listed;
		size_t size = round % 2 ? sizeof(nxdomain) : sizeof(listed);
		uint8_t *message = malloc(size);

		memcpy(message, from, size);
		for (int i = 0; i < 4; i++) {
			seed = seed * 1664525 + 1013904223;
			message[(seed >> 16) % size] = (uint8_t)(seed >> 8);
		}
		rg_dns_message_read(message, size, &answer);
		assert_true((answer.status == RG_DNS_OK) == (answer.count > 0));
		free(message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_negative), cmocka_unit_test(check_records),
		cmocka_unit_test(check_codes),	  cmocka_unit_test(check_too_many),
		cmocka_unit_test(check_cut),	  cmocka_unit_test(check_mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
