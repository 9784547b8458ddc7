/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is never blocked: special addresses, this host's, the resolver; nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "judge/exempt.h"

#include "base/addr.h"

#include <cmocka.h>

#include <ifaddrs.h>
#include <netinet/in.h>

static int fail_with;
static struct ifaddrs interfaces[3];

int getifaddrs(struct ifaddrs **ret)
{
	errno = fail_with;
	*ret = interfaces;
	return fail_with ? -1 : 0;
}

void freeifaddrs(struct ifaddrs *which)
{
	assert_ptr_equal(which, interfaces);
}

static bool has(const struct rg_exempt *exempt, const char *text)
{
	struct rg_addr addr;

	assert_int_equal(rg_addr_parse(text, strlen(text), &addr), 0);
	return rg_exempt_has(exempt, &addr);
}

static bool has_network(const struct rg_exempt *exempt, const char *text)
{
	struct rg_addr addr;

	assert_int_equal(rg_addr_parse(text, strlen(text), &addr), 0);
	return rg_exempt_has_network(exempt, &addr);
}

static void check_all(void **state)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc6336401) };
	struct sockaddr_in6 own6 = { .sin6_family = AF_INET6,
				     .sin6_addr = { { { 0x20, 1, 0x0d, 0xb8, [15] = 1 } } } };
	struct sockaddr_in mask = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xfffffff0) };
	struct sockaddr_storage resolver = {};
	struct rg_exempt exempt = {};

	(void)state;
	assert_false(has(&exempt, "198.51.100.1"));
	assert_true(has(&exempt, "127.0.0.1"));
	assert_true(has(&exempt, "::1"));
	assert_true(has(&exempt, "fe80::1"));
	interfaces[0] = (struct ifaddrs){ .ifa_next = &interfaces[1],
					  .ifa_addr = (void *)&own,
					  .ifa_netmask = (void *)&mask };
	interfaces[1] = (struct ifaddrs){ .ifa_next = &interfaces[2] }; /* without an address */
	interfaces[2] = (struct ifaddrs){ .ifa_addr = (void *)&own6 };
	((struct sockaddr_in *)&resolver)->sin_family = AF_INET;
	((struct sockaddr_in *)&resolver)->sin_addr.s_addr = htonl(0xc6336435);
	assert_int_equal(rg_exempt_refresh(&exempt, &resolver), 0);
	assert_true(has(&exempt, "198.51.100.1"));
	assert_true(has(&exempt, "198.51.100.53"));
	assert_true(has(&exempt, "2001:db8::1"));
	assert_false(has(&exempt, "198.51.100.2"));
	assert_false(has(&exempt, "2001:db8::2"));
	/* A zone may list a neighbour; a country does not block it. */
	assert_true(has_network(&exempt, "198.51.100.15"));
	assert_false(has_network(&exempt, "198.51.100.16"));
	/* An error keeps what was known. */
	fail_with = EMFILE;
	assert_int_equal(rg_exempt_refresh(&exempt, &resolver), -EMFILE);
	assert_true(has(&exempt, "198.51.100.1"));
	/* An address that has gone is not exempt any more. */
	fail_with = 0;
	interfaces[0].ifa_addr = NULL;
	assert_int_equal(rg_exempt_refresh(&exempt, &resolver), 0);
	assert_false(has(&exempt, "198.51.100.1"));
	rg_exempt_clear(&exempt);
	assert_false(has(&exempt, "198.51.100.53"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(check_all) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
