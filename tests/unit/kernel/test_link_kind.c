/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which program an interface gets, by its hardware type. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/link_kind.h"

static void test_types(void **state)
{
	static const unsigned int ip[] = { 512, 519, 768, 769, 776, 778, 823, 0xfffe };
	/* InfiniBand, IEEE 1394, AX.25, void */
	static const unsigned int refused[] = { 32, 24, 3, 0xffff };
	enum rg_link_kind kind;

	(void)state;
	assert_int_equal(rg_link_kind_of_type(1, &kind), 0);
	assert_int_equal(kind, RG_LINK_KIND_ETHERNET);
	assert_int_equal(rg_link_kind_of_type(772, &kind), 0);
	assert_int_equal(kind, RG_LINK_KIND_ETHERNET);
	for (size_t i = 0; i < ARRAY_SIZE(ip); i++) {
		kind = RG_LINK_KIND_ETHERNET;
		assert_int_equal(rg_link_kind_of_type(ip[i], &kind), 0);
		assert_int_equal(kind, RG_LINK_KIND_IP);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_int_equal(rg_link_kind_of_type(refused[i], &kind), -EPROTONOSUPPORT);
}

static void test_interfaces(void **state)
{
	enum rg_link_kind kind = RG_LINK_KIND_IP;
	unsigned int type = 0;

	(void)state;
	assert_int_equal(rg_link_kind_of("lo", &type, &kind), 0);
	assert_int_equal(type, 772);
	assert_int_equal(kind, RG_LINK_KIND_ETHERNET);
	assert_int_equal(rg_link_kind_of("nothing0", &type, &kind), -ENODEV);
	assert_string_equal(rg_link_kind_name(RG_LINK_KIND_ETHERNET), "ethernet");
	assert_string_equal(rg_link_kind_name(RG_LINK_KIND_IP), "ip");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
