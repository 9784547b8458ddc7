/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which connections connection tracking knows, in a network namespace of the test's own (as root, with nft). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "kernel/conntrack.h"
#include "kernel/redirects.h"

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define SKIPPED 77

static bool run_nft(const char *rules)
{
	FILE *nft = popen("nft -f - 2>&1", "w");

	assert_non_null(nft);
	fprintf(nft, "flush ruleset\n%s\n", rules);
	return !pclose(nft);
}

/* A connection over loopback, and the descriptors of its ends. */
static struct rg_connection connect_over_loopback(int family, int fds[3])
{
	struct sockaddr_storage to = { .ss_family = (sa_family_t)family }, from = {};
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to;
	struct sockaddr_in *in = (struct sockaddr_in *)&to;
	struct rg_connection connection = {};
	socklen_t len = sizeof(to), from_len = sizeof(from);

	if (family == AF_INET)
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		in6->sin6_addr = in6addr_loopback;
	fds[0] = socket(family, SOCK_STREAM, 0);
	fds[1] = socket(family, SOCK_STREAM, 0);
	assert_int_equal(bind(fds[0], (struct sockaddr *)&to, len), 0);
	assert_int_equal(listen(fds[0], 1), 0);
	assert_int_equal(getsockname(fds[0], (struct sockaddr *)&to, &len), 0);
	assert_int_equal(connect(fds[1], (struct sockaddr *)&to, len), 0);
	fds[2] = accept(fds[0], NULL, NULL);
	assert_int_equal(getsockname(fds[1], (struct sockaddr *)&from, &from_len), 0);
	assert_int_equal(rg_addr_from_sockaddr((struct sockaddr *)&from, &connection.source), 0);
	assert_int_equal(rg_addr_from_sockaddr((struct sockaddr *)&to, &connection.dest), 0);
	/* The port is at the same place in both. */
	connection.source_port = ntohs(((struct sockaddr_in *)&from)->sin_port);
	connection.dest_port = ntohs(in->sin_port);
	return connection;
}

static void check_family(int fd, int family)
{
	int fds[3];
	struct rg_connection connection = connect_over_loopback(family, fds), other = connection;

	assert_int_equal(rg_conntrack_has(fd, &connection), 1);
	other.source_port++;
	assert_int_equal(rg_conntrack_has(fd, &other), 0);
	other = connection;
	other.dest.bytes[15] ^= 1;
	assert_int_equal(rg_conntrack_has(fd, &other), 0);
	other = connection;
	other.dest_port++;
	assert_int_equal(rg_conntrack_has(fd, &other), 0);
	assert_int_equal(rg_conntrack_has(fd, &connection), 1);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void test_has(void **state)
{
	RG_CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	(void)state;
	assert_true(fd >= 0);
	check_family(fd, AF_INET);
	check_family(fd, AF_INET6);
}

/* As kernel/redirects asks: one that was delivered is enough. */
static void test_all_dropped(void **state)
{
	struct rg_redirects *redirects = NULL;
	struct rg_connection connections[3] = {};
	int fds[3];

	(void)state;
	assert_int_equal(rg_redirects_new(&redirects, NULL, NULL, NULL), 0);
	connections[1] = connect_over_loopback(AF_INET, fds);
	assert_false(rg_redirects_all_dropped(redirects, connections, 3));
	connections[1].source_port++;
	assert_true(rg_redirects_all_dropped(redirects, connections, 3));
	assert_true(rg_redirects_all_dropped(redirects, connections, 0));
	rg_redirects_free(redirects);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void test_not_there(void **state)
{
	const struct rg_connection connection = { .dest_port = 25 };
	RG_CLEANUP_CLOSE int other = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_true(rg_conntrack_has(-1, &connection) < 0);
	assert_true(rg_conntrack_has(other, &connection) < 0);
}

static bool set_up_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	RG_CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return !ioctl(fd, SIOCSIFFLAGS, &request);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_has),
					    cmocka_unit_test(test_all_dropped),
					    cmocka_unit_test(test_not_there) };

	/* A rule that asks for the state turns connection tracking on. */
	if (unshare(CLONE_NEWNET) || !set_up_loopback() ||
	    !run_nft("table inet t {\nchain c { type filter hook input priority 0; ct state new counter; }\n"
		     "chain d { type filter hook output priority 0; ct state new counter; }\n}")) {
		puts("skipped: no network namespaces, or no nft with connection tracking");
		return SKIPPED;
	}
	return cmocka_run_group_tests_name("conntrack", tests, NULL, NULL);
}
