/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of interfaces and addresses, in a network namespace of the test's own (as root). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/netlink.h"

#include <arpa/inet.h>
#include <cmocka.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define SKIPPED 77

static unsigned int calls;

static void on_changed(void *arg)
{
	assert_ptr_equal(arg, &calls);
	calls++;
}

static void set_loopback(bool up)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = up ? IFF_UP : 0 };
	RG_CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
}

static void set_address(const char *text)
{
	struct ifreq request = { .ifr_name = "lo" };
	struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
	RG_CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	in->sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
}

/* Runs the loop for as long. */
static void run(struct event_base *base, unsigned int ms)
{
	const struct timeval time = { .tv_usec = ms * 1000 };

	event_base_loopexit(base, &time);
	event_base_dispatch(base);
}

static void test_changes(void **state)
{
	struct event_base *base = event_base_new();
	struct rg_netlink *netlink = NULL;

	(void)state;
	assert_int_equal(rg_netlink_new(&netlink, base, on_changed, &calls), 0);
	run(base, 60);
	assert_int_equal(calls, 0); /* nothing happened */

	set_loopback(true);
	run(base, 100);
	assert_true(calls >= 1);

	/* Many at once are one. */
	calls = 0;
	for (int i = 0; i < 100; i++)
		set_loopback(i % 2);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(calls, 0); /* it waits for more */
	run(base, 100);
	assert_int_equal(calls, 1);

	calls = 0;
	set_address("192.0.2.1");
	run(base, 100);
	assert_int_equal(calls, 1);

	/* Freed while a call is due. */
	calls = 0;
	set_address("192.0.2.2");
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	rg_netlink_free(netlink);
	run(base, 60);
	assert_int_equal(calls, 0);
	rg_netlink_free(NULL);
	event_base_free(base);
}

/* More messages than the socket holds: they are lost, but the change is reported. */
static void test_lost_messages(void **state)
{
	struct event_base *base = event_base_new();
	struct rg_netlink *netlink = NULL;

	(void)state;
	assert_int_equal(rg_netlink_new(&netlink, base, on_changed, &calls), 0);
	calls = 0;
	for (int i = 0; i < 3000; i++)
		set_loopback(i % 2);
	run(base, 300);
	assert_true(calls >= 1);
	calls = 0;
	set_address("192.0.2.3");
	run(base, 200);
	assert_true(calls >= 1); /* it still reports */
	rg_netlink_free(netlink);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_lost_messages),
	};

	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no network namespace: %m\n");
		return SKIPPED;
	}
	return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}
