/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to systemd, over a socket that the test reads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/util.h"
#include "daemon/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

static int manager = -1;
static char name[64];

/* An abstract address, which no file is left of. */
static int set_up(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len;

	(void)state;
	snprintf(name, sizeof(name), "@repgate-notify-%d", getpid());
	len = strlen(name);
	memcpy(addr.sun_path, name, len);
	addr.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return bind(manager, (struct sockaddr *)&addr,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static int tear_down(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	return close(manager);
}

static const char *message(void)
{
	static char text[256];
	ssize_t len = recv(manager, text, sizeof(text) - 1, 0);

	text[len < 0 ? 0 : len] = '\0';
	return text;
}

static void test_messages(void **state)
{
	(void)state;
	rg_notify_ready("7 peers");
	assert_string_equal(message(), "READY=1\nSTATUS=7 peers");
	rg_notify_stopping();
	assert_string_equal(message(), "STOPPING=1");
	rg_notify_watchdog();
	assert_string_equal(message(), "WATCHDOG=1");
}

/* systemd takes a reload's READY=1 only if it comes after this time, in µs of CLOCK_MONOTONIC. */
static void test_reloading(void **state)
{
	long long before, after, told = 0;
	struct timespec now;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &now);
	before = (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	rg_notify_reloading();
	clock_gettime(CLOCK_MONOTONIC, &now);
	after = (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	assert_int_equal(sscanf(message(), "RELOADING=1\nMONOTONIC_USEC=%lld", &told), 1);
	assert_in_range(told, before, after);
}

/* Without systemd nothing is sent, and a stop is no restart. */
static void test_without_systemd(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	rg_notify_ready("x");
	rg_notify_stopping();
	assert_string_equal(message(), "");
	assert_int_equal(rg_notify_is_restart(), 0);
}

/* A service manager whose bus can't be reached: the stop is taken for a stop. */
static void test_without_bus(void **state)
{
	(void)state;
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	assert_int_equal(rg_notify_is_restart(), 0);
	unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_messages),
		TEST(test_reloading),
		TEST(test_without_systemd),
		TEST(test_without_bus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
