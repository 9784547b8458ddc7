/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether tempfail and reject can work: every state and transition as a row, and the listeners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/steering.h"

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define SECOND RG_NSEC_PER_SEC
#define START (1000 * SECOND)

/* The interface that is a bridge port, or NULL; access(2) is asked for it. */
static const char *bridge_port;

int access(const char *path, int mode)
{
	char want[64];

	(void)mode;
	if (!bridge_port)
		return -1;
	snprintf(want, sizeof(want), "/sys/class/net/%s/brport", bridge_port);
	return strcmp(path, want) ? -1 : 0;
}

/* ---- one update from each state ---- */

enum { NO_LISTENER = 0, LISTENER = 1, UNKNOWN = -EPERM };

static const struct {
	const char *what;
	enum rg_steering_state from;
	bool attached;
	int listener;
	const char *bridge_port;
	bool bypassed;
	enum rg_steering_state to;
} rows[] = {
	{ "all is well", RG_STEERING_READY, true, LISTENER, NULL, false, RG_STEERING_READY },
	{ "no program", RG_STEERING_READY, false, LISTENER, NULL, false, RG_STEERING_NO_PROGRAM },
	{ "still none", RG_STEERING_NO_PROGRAM, false, LISTENER, NULL, false, RG_STEERING_NO_PROGRAM },
	{ "a program now", RG_STEERING_NO_PROGRAM, true, LISTENER, NULL, false, RG_STEERING_READY },
	{ "no program comes before a bridge", RG_STEERING_BRIDGED, false, NO_LISTENER, "eth1",
	  false, RG_STEERING_NO_PROGRAM },
	{ "no program comes before a bypass", RG_STEERING_BYPASSED, false, LISTENER, NULL, true,
	  RG_STEERING_NO_PROGRAM },

	{ "no server", RG_STEERING_READY, true, NO_LISTENER, NULL, false, RG_STEERING_NO_SERVER },
	{ "a server starts", RG_STEERING_NO_SERVER, true, LISTENER, NULL, false, RG_STEERING_READY },
	{ "listeners unknown", RG_STEERING_READY, true, UNKNOWN, NULL, false, RG_STEERING_READY },
	{ "unknown and bridged", RG_STEERING_READY, true, UNKNOWN, "eth1", false, RG_STEERING_READY },

	{ "bridged", RG_STEERING_READY, true, NO_LISTENER, "eth1", false, RG_STEERING_BRIDGED },
	{ "another interface is bridged", RG_STEERING_READY, true, NO_LISTENER, "eth7", false,
	  RG_STEERING_NO_SERVER },
	{ "bridged, but the server is here", RG_STEERING_READY, true, LISTENER, "eth1", false,
	  RG_STEERING_READY },
	{ "a server starts on the bridge", RG_STEERING_BRIDGED, true, LISTENER, "eth1", false,
	  RG_STEERING_READY },
	{ "taken off the bridge", RG_STEERING_BRIDGED, true, NO_LISTENER, NULL, false,
	  RG_STEERING_NO_SERVER },

	{ "bypassed", RG_STEERING_READY, true, LISTENER, NULL, true, RG_STEERING_BYPASSED },
	{ "bypassed without a server", RG_STEERING_NO_SERVER, true, NO_LISTENER, NULL, true,
	  RG_STEERING_BYPASSED },
	{ "bypassed on a bridge", RG_STEERING_BRIDGED, true, NO_LISTENER, "eth1", true,
	  RG_STEERING_BYPASSED },
	{ "still bypassed", RG_STEERING_BYPASSED, true, LISTENER, NULL, true, RG_STEERING_BYPASSED },
	{ "no more", RG_STEERING_BYPASSED, true, LISTENER, NULL, false, RG_STEERING_READY },
	{ "no more, without a server", RG_STEERING_BYPASSED, true, NO_LISTENER, NULL, false,
	  RG_STEERING_NO_SERVER },
};

static const struct rg_conf conf = {
	.interfaces = { (char *)"eth0", (char *)"eth1" },
	.interface_count = 2,
};

static void test_transitions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_steering steering = {
			.state = rows[i].from,
			.attached = rows[i].attached,
		};
		bool changed;

		bridge_port = rows[i].bridge_port;
		changed = rg_steering_update(&steering, &conf, rows[i].listener, rows[i].bypassed);
		if (steering.state != rows[i].to)
			fail_msg("%s: %s", rows[i].what, rg_steering_name(steering.state));
		assert_int_equal(changed, rows[i].from != rows[i].to);
	}
	bridge_port = NULL;
}

/* ---- destinations to which no SYN passes any more ---- */

#define ROUND 7

static const struct {
	const char *what;
	bool unbounded;
	struct rg_destination dest; /* times: s ago; proven 0: never */
	bool bypassed;
} fulls[] = {
	{ "nothing yet", false, {}, false },
	{ "seven", false, { .counted = 1, .unconfirmed = 7 }, false },
	{ "eight", false, { .counted = 1, .unconfirmed = 8 }, true },
	{ "more than may pass", false, { .counted = 1, .unconfirmed = 300 }, true },
	{ "nothing leads elsewhere", true, { .counted = 1, .unconfirmed = 300 }, false },
	{ "before the retry", false, { .counted = 299, .unconfirmed = 8 }, true },
	{ "the next one tries again", false, { .counted = 300, .unconfirmed = 8 }, false },
	{ "proven", false, { .counted = 1, .proven = 59, .unconfirmed = 255, .round = ROUND }, false },
	{ "proven, and full",
	  false,
	  { .counted = 1, .proven = 59, .unconfirmed = 256, .round = ROUND },
	  true },
	{ "proven long ago",
	  false,
	  { .counted = 1, .proven = 60, .unconfirmed = 8, .round = ROUND },
	  true },
	{ "proven before the rules changed",
	  false,
	  { .counted = 1, .proven = 1, .unconfirmed = 8, .round = ROUND - 1 },
	  true },
};

static void test_full(void **state)
{
	static struct rg_destination all[RG_DESTINATIONS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fulls); i++) {
		const struct rg_settings settings = { .bounded = !fulls[i].unbounded, .round = ROUND };
		size_t slot = i * 100 % RG_DESTINATIONS;

		all[slot] = fulls[i].dest;
		all[slot].counted = START - all[slot].counted * SECOND;
		if (all[slot].proven)
			all[slot].proven = START - all[slot].proven * SECOND;
		if (rg_steering_is_bypassed(all, &settings, START) != fulls[i].bypassed)
			fail_msg("%s", fulls[i].what);
		all[slot] = (struct rg_destination){};
	}
}

/* ---- words, and whether it works ---- */

static void test_words(void **state)
{
	static const struct {
		enum rg_steering_state state;
		const char *name;
		bool works, has_advice;
	} words[] = {
		{ RG_STEERING_READY, "ready", true, false },
		{ RG_STEERING_NO_PROGRAM, "no program", false, true },
		{ RG_STEERING_NO_SERVER, "no server", true, true },
		{ RG_STEERING_BRIDGED, "bridged", false, true },
		{ RG_STEERING_BYPASSED, "bypassed", false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const struct rg_steering steering = { .state = words[i].state };

		assert_string_equal(rg_steering_name(words[i].state), words[i].name);
		assert_int_equal(rg_steering_works(&steering), words[i].works);
		assert_int_equal(rg_steering_may_work(&steering),
				 words[i].works || words[i].state == RG_STEERING_BYPASSED);
		assert_int_equal(*rg_steering_advice(words[i].state) != '\0', words[i].has_advice);
	}
}

/* ---- listeners, from the kernel ---- */

static int listen_on(int family, uint16_t *port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *address = family == AF_INET ? (void *)&four : (void *)&six;
	socklen_t len = family == AF_INET ? sizeof(four) : sizeof(six);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, address, len) || listen(fd, 1)) {
		rg_closep(&fd);
		return -1; /* no IPv6 here, for one */
	}
	assert_int_equal(getsockname(fd, address, &len), 0);
	*port = ntohs(family == AF_INET ? four.sin_port : six.sin6_port);
	return fd;
}

static void check_listener(int family)
{
	uint16_t ports[2] = { 1, 0 };
	int fd = listen_on(family, &ports[1]), found;

	if (fd < 0)
		return;
	found = rg_steering_listener(ports, 2);
	close(fd);
	if (found < 0)
		skip(); /* no sock_diag in this kernel */
	assert_int_equal(found, 1);
	assert_int_equal(rg_steering_listener(ports, 1), 0);
	assert_int_equal(rg_steering_listener(ports, 2), 0); /* it is closed */
}

static void test_listener(void **state)
{
	(void)state;
	check_listener(AF_INET);
	check_listener(AF_INET6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transitions),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_listener),
	};

	return cmocka_run_group_tests_name("steering", tests, NULL, NULL);
}
