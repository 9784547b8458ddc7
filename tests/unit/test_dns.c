/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The negative TTL of DNS messages (RFC 2308), whole, cut short and mutated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "../../userspace/dns.h"

#include <cmocka.h>

/* NXDOMAIN for x.example with example's SOA: TTL 3600 (at 43), MINIMUM 900 (last). */
static const uint8_t nxdomain[] = {
	0x12, 0x34, 0x81, 0x83, 0,   1,	  0,   0,   0,	  1,	0, 0, /* header */
	1,    'x',  7,	  'e',	'x', 'a', 'm', 'p', 'l',  'e',	0, 0,  1, 0, 1, /* question */
	0xc0, 14,   0,	  6,	0,   1,	  0,   0,   0x0e, 0x10, 0, 24, /* example SOA, TTL, 24 bytes */
	0xc0, 14,   0xc0, 14,	0,   0,	  0,   1,   0,	  0,	0, 2,  0, 0, 0,
	3,    0,    0,	  0,	4,   0,	  0,   3,   0x84,
};

static void check_whole(void **state)
{
	uint8_t message[sizeof(nxdomain)];
	uint32_t ttl = 0;

	(void)state;
	assert_true(rg_dns_negative_ttl(nxdomain, sizeof(nxdomain), &ttl));
	assert_int_equal(ttl, 900);
	memcpy(message, nxdomain, sizeof(message));
	message[sizeof(message) - 2] = 0xff; /* MINIMUM above the TTL */
	assert_true(rg_dns_negative_ttl(message, sizeof(message), &ttl));
	assert_int_equal(ttl, 3600);
	memcpy(message, nxdomain, sizeof(message));
	message[30] = 2; /* NS instead of SOA */
	assert_int_equal(nxdomain[26 + 0], 1); /* end of the question: class IN */
	message[9] = 0; /* no authority */
	assert_false(rg_dns_negative_ttl(message, sizeof(message), &ttl));
}

/* Every length, in a block of exactly that size: ASan sees a byte too far. */
static void check_cut(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(nxdomain); len++) {
		uint8_t *message = malloc(len ? len : 1);
		uint32_t ttl;

		memcpy(message, nxdomain, len);
		assert_false(rg_dns_negative_ttl(message, len, &ttl));
		free(message);
	}
}

static void check_mutated(void **state)
{
	uint32_t seed = 1, ttl;

	(void)state;
	for (int round = 0; round < 1000000; round++) {
		uint8_t *message = malloc(sizeof(nxdomain));

		memcpy(message, nxdomain, sizeof(nxdomain));
		for (int i = 0; i < 4; i++) {
			seed = seed * 1664525 + 1013904223;
			message[(seed >> 16) % sizeof(nxdomain)] = (uint8_t)(seed >> 8);
		}
		(void)rg_dns_negative_ttl(message, sizeof(nxdomain), &ttl);
		free(message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_whole),
		cmocka_unit_test(check_cut),
		cmocka_unit_test(check_mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
