/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to systemd, over a socket that the test reads; and what it says about jobs, over a fake bus. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/util.h"
#include "daemon/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

static int manager = -1;
static char name[64];

/* ---- the bus ---- */

#define UNIT_PATH "/org/freedesktop/systemd1/unit/repgate_2eservice"
#define JOB_PATH "/org/freedesktop/systemd1/job/7"

static struct {
	int no_bus, no_unit, no_job_property, no_type; /* 0 or a negative error */
	uint32_t job; /* 0: the unit has none */
	const char *type;
	unsigned int opened, closed, messages; /* messages: not freed yet */
} bus;

int sd_bus_open_system(sd_bus **ret)
{
	if (bus.no_bus)
		return bus.no_bus;
	bus.opened++;
	*ret = (sd_bus *)&bus;
	return 0;
}

sd_bus *sd_bus_flush_close_unref(sd_bus *open)
{
	assert_ptr_equal(open, &bus);
	bus.closed++;
	return NULL;
}

int sd_bus_set_method_call_timeout(sd_bus *open, uint64_t usec)
{
	(void)open;
	assert_int_equal(usec, 1000000);
	return 0;
}

static sd_bus_message *new_message(void)
{
	bus.messages++;
	return (sd_bus_message *)&bus;
}

sd_bus_message *sd_bus_message_unref(sd_bus_message *message)
{
	if (message)
		bus.messages--;
	return NULL;
}

int sd_bus_call_method(sd_bus *open, const char *service, const char *path, const char *interface,
		       const char *member, sd_bus_error *error, sd_bus_message **reply,
		       const char *types, ...)
{
	va_list args;

	(void)open;
	(void)error;
	assert_string_equal(service, "org.freedesktop.systemd1");
	assert_string_equal(path, "/org/freedesktop/systemd1");
	assert_string_equal(interface, "org.freedesktop.systemd1.Manager");
	assert_string_equal(member, "GetUnitByPID");
	assert_string_equal(types, "u");
	va_start(args, types);
	assert_int_equal(va_arg(args, uint32_t), getpid());
	va_end(args);
	if (bus.no_unit)
		return bus.no_unit;
	*reply = new_message();
	return 1;
}

int sd_bus_get_property(sd_bus *open, const char *service, const char *path, const char *interface,
			const char *member, sd_bus_error *error, sd_bus_message **reply,
			const char *type)
{
	(void)open;
	(void)service;
	(void)error;
	assert_string_equal(path, UNIT_PATH);
	assert_string_equal(interface, "org.freedesktop.systemd1.Unit");
	assert_string_equal(member, "Job");
	assert_string_equal(type, "(uo)");
	if (bus.no_job_property)
		return bus.no_job_property;
	*reply = new_message();
	return 1;
}

int sd_bus_message_read(sd_bus_message *message, const char *types, ...)
{
	va_list args;

	(void)message;
	va_start(args, types);
	if (!strcmp(types, "(uo)")) {
		*va_arg(args, uint32_t *) = bus.job;
		*va_arg(args, const char **) = JOB_PATH;
	} else {
		assert_string_equal(types, "o");
		*va_arg(args, const char **) = UNIT_PATH;
	}
	va_end(args);
	return 1;
}

int sd_bus_get_property_string(sd_bus *open, const char *service, const char *path,
			       const char *interface, const char *member, sd_bus_error *error,
			       char **ret)
{
	(void)open;
	(void)service;
	(void)error;
	assert_string_equal(path, JOB_PATH);
	assert_string_equal(interface, "org.freedesktop.systemd1.Job");
	assert_string_equal(member, "JobType");
	if (bus.no_type)
		return bus.no_type;
	*ret = strdup(bus.type);
	return 0;
}

/* ---- the notification socket ---- */

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
	memset(&bus, 0, sizeof(bus));
	assert_int_equal(rg_notify_is_restart(), 0);
	assert_int_equal(bus.opened, 0);
}

/* If systemd does not say that it will start the service again, the stop is taken for a stop. */
static void test_is_restart(void **state)
{
	static const struct {
		int no_bus, no_unit, no_job_property, no_type;
		uint32_t job;
		const char *type;
		int restart;
	} rows[] = {
		{ .job = 7, .type = "restart", .restart = 1 },
		{ .job = 7, .type = "try-restart", .restart = 1 },
		{ .job = 7, .type = "stop" },
		{ .job = 0, .type = "restart" }, /* the process ends by itself */
		{ .no_bus = -ENOENT, .job = 7, .type = "restart" },
		{ .no_unit = -ESRCH, .job = 7, .type = "restart" },
		{ .no_job_property = -ETIMEDOUT, .job = 7, .type = "restart" },
		{ .no_type = -EACCES, .job = 7, .type = "restart" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(&bus, 0, sizeof(bus));
		bus.no_bus = rows[i].no_bus;
		bus.no_unit = rows[i].no_unit;
		bus.no_job_property = rows[i].no_job_property;
		bus.no_type = rows[i].no_type;
		bus.job = rows[i].job;
		bus.type = rows[i].type;
		assert_int_equal(rg_notify_is_restart(), rows[i].restart);
		assert_int_equal(bus.opened, !rows[i].no_bus);
		assert_int_equal(bus.closed, bus.opened);
		assert_int_equal(bus.messages, 0);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_messages),
		TEST(test_reloading),
		TEST(test_without_systemd),
		TEST(test_is_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
