/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which program an interface gets, by its hardware type. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/link_kind.h"

#include <linux/if_tunnel.h>
#include <linux/rtnetlink.h>

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

struct message {
	struct nlmsghdr head;
	struct ifinfomsg body;
	char attributes[256];
};

static struct rtattr *add(struct message *message, unsigned short type, const void *data, size_t size)
{
	struct rtattr *attribute = (void *)((char *)message + NLMSG_ALIGN(message->head.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attribute), data, size);
	message->head.nlmsg_len =
		NLMSG_ALIGN(message->head.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static void close_nest(const struct message *message, struct rtattr *nest)
{
	nest->rta_len =
		(unsigned short)((const char *)message + message->head.nlmsg_len - (char *)nest);
}

static void test_outer_header(void **state)
{
	static const struct {
		const char *kind;
		uint8_t remote[4];
		bool metadata, has_outer;
	} rows[] = {
		{ "gre", { 192, 0, 2, 1 }, false, false },
		{ "gre", { 0 }, false, true },
		{ "gre", { 239, 1, 1, 1 }, false, true },
		{ "gre", { 0 }, true, false },
		{ "vti", { 192, 0, 2, 1 }, false, true },
		{ "vti6", { 0 }, false, true },
		{ "xfrm", { 0 }, false, true },
		{ "ipip", { 0 }, false, false },
		{ "sit", { 0 }, false, false },
		{ "wireguard", { 0 }, false, false },
		{ "tun", { 0 }, false, false },
		{ "xfrmx", { 0 }, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct message message = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(message.body)),
						     .nlmsg_type = RTM_NEWLINK } };
		struct rtattr *info, *data;

		add(&message, IFLA_IFNAME, "link0", 6);
		info = add(&message, IFLA_LINKINFO, NULL, 0);
		add(&message, IFLA_INFO_KIND, rows[i].kind, strlen(rows[i].kind) + 1);
		data = add(&message, IFLA_INFO_DATA, NULL, 0);
		add(&message, IFLA_GRE_REMOTE, rows[i].remote, sizeof(rows[i].remote));
		if (rows[i].metadata)
			add(&message, IFLA_GRE_COLLECT_METADATA, NULL, 0);
		close_nest(&message, data);
		close_nest(&message, info);
		if (rg_link_kind_has_outer_header(&message.head) != rows[i].has_outer)
			fail_msg("row %zu: %s", i, rows[i].kind);
	}
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
		cmocka_unit_test(test_outer_header),
		cmocka_unit_test(test_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
