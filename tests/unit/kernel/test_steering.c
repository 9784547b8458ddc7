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
	unsigned int missed; /* SYNs, since 10 s ago */
	unsigned int bypassed_for; /* s */
	enum rg_steering_state to;
} rows[] = {
	{ "all is well", RG_STEERING_READY, true, LISTENER, NULL, 0, 0, RG_STEERING_READY },
	{ "no program", RG_STEERING_READY, false, LISTENER, NULL, 0, 0, RG_STEERING_NO_PROGRAM },
	{ "still none", RG_STEERING_NO_PROGRAM, false, LISTENER, NULL, 0, 0, RG_STEERING_NO_PROGRAM },
	{ "a program now", RG_STEERING_NO_PROGRAM, true, LISTENER, NULL, 0, 0, RG_STEERING_READY },
	{ "no program comes before a bridge", RG_STEERING_BRIDGED, false, NO_LISTENER, "eth1", 0, 0,
	  RG_STEERING_NO_PROGRAM },
	{ "no program comes before a bypass", RG_STEERING_BYPASSED, false, LISTENER, NULL, 0, 10,
	  RG_STEERING_NO_PROGRAM },

	{ "no server", RG_STEERING_READY, true, NO_LISTENER, NULL, 0, 0, RG_STEERING_NO_SERVER },
	{ "a server starts", RG_STEERING_NO_SERVER, true, LISTENER, NULL, 0, 0, RG_STEERING_READY },
	{ "listeners unknown", RG_STEERING_READY, true, UNKNOWN, NULL, 0, 0, RG_STEERING_READY },
	{ "unknown and bridged", RG_STEERING_READY, true, UNKNOWN, "eth1", 0, 0, RG_STEERING_READY },

	{ "bridged", RG_STEERING_READY, true, NO_LISTENER, "eth1", 0, 0, RG_STEERING_BRIDGED },
	{ "another interface is bridged", RG_STEERING_READY, true, NO_LISTENER, "eth7", 0, 0,
	  RG_STEERING_NO_SERVER },
	{ "bridged, but the server is here", RG_STEERING_READY, true, LISTENER, "eth1", 0, 0,
	  RG_STEERING_READY },
	{ "a server starts on the bridge", RG_STEERING_BRIDGED, true, LISTENER, "eth1", 0, 0,
	  RG_STEERING_READY },
	{ "taken off the bridge", RG_STEERING_BRIDGED, true, NO_LISTENER, NULL, 0, 0,
	  RG_STEERING_NO_SERVER },

	{ "some SYNs are missed", RG_STEERING_READY, true, LISTENER, NULL, 7, 0, RG_STEERING_READY },
	{ "enough are missed", RG_STEERING_READY, true, LISTENER, NULL, 8, 0, RG_STEERING_BYPASSED },
	{ "missed without a server", RG_STEERING_NO_SERVER, true, NO_LISTENER, NULL, 8, 0,
	  RG_STEERING_BYPASSED },
	{ "missed on a bridge", RG_STEERING_BRIDGED, true, NO_LISTENER, "eth1", 8, 0,
	  RG_STEERING_BYPASSED },

	{ "bypassed for a while", RG_STEERING_BYPASSED, true, LISTENER, NULL, 0, 299,
	  RG_STEERING_BYPASSED },
	{ "tried again", RG_STEERING_BYPASSED, true, LISTENER, NULL, 0, 300, RG_STEERING_READY },
	{ "tried again without a server", RG_STEERING_BYPASSED, true, NO_LISTENER, NULL, 0, 300,
	  RG_STEERING_READY },
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
			.passed = 100,
			.steered = 50,
			.missed = rows[i].missed,
			.missed_since = START - 10 * SECOND,
			.bypassed_since = START - rows[i].bypassed_for * SECOND,
		};
		bool changed;

		bridge_port = rows[i].bridge_port;
		changed = rg_steering_update(&steering, &conf, rows[i].listener, 100, 50, START);
		if (steering.state != rows[i].to)
			fail_msg("%s: %s", rows[i].what, rg_steering_name(steering.state));
		assert_int_equal(changed, rows[i].from != rows[i].to);
	}
	bridge_port = NULL;
}

/* ---- SYNs that pass and are not steered, over time ---- */

struct look {
	unsigned int second;
	uint64_t passed, steered;
	enum rg_steering_state state;
};

static void run(const char *what, const struct look *looks, size_t count)
{
	struct rg_steering steering = { .attached = true };

	for (size_t i = 0; i < count; i++) {
		rg_steering_update(&steering, &conf, LISTENER, looks[i].passed, looks[i].steered,
				   START + looks[i].second * SECOND);
		if (steering.state != looks[i].state)
			fail_msg("%s: %s at %u s", what, rg_steering_name(steering.state),
				 looks[i].second);
	}
}

#define RUN(what, ...)                                              \
	do {                                                        \
		static const struct look looks[] = { __VA_ARGS__ }; \
		run(what, looks, ARRAY_SIZE(looks));                \
	} while (0)

static void test_bypass(void **state)
{
	(void)state;
	RUN("steered, all the time", { 0, 0, 0, RG_STEERING_READY }, { 1, 50, 50, RG_STEERING_READY },
	    { 5, 100, 100, RG_STEERING_READY }, { 9, 150, 150, RG_STEERING_READY });
	RUN("none is steered", { 0, 0, 0, RG_STEERING_READY }, { 1, 8, 0, RG_STEERING_READY },
	    { 3, 8, 0, RG_STEERING_READY }, { 4, 8, 0, RG_STEERING_BYPASSED });
	RUN("eight in an instant are not enough", { 0, 0, 0, RG_STEERING_READY },
	    { 1, 100, 0, RG_STEERING_READY }, { 3, 200, 0, RG_STEERING_READY });
	RUN("seven are not enough", { 0, 0, 0, RG_STEERING_READY }, { 1, 3, 0, RG_STEERING_READY },
	    { 60, 7, 0, RG_STEERING_READY });
	RUN("one that is steered ends it", { 0, 0, 0, RG_STEERING_READY },
	    { 1, 7, 0, RG_STEERING_READY }, { 2, 8, 1, RG_STEERING_READY },
	    { 5, 10, 1, RG_STEERING_READY });
	RUN("counters that begin again", { 0, 1000, 10, RG_STEERING_READY },
	    { 1, 1007, 10, RG_STEERING_READY }, { 5, 3, 10, RG_STEERING_READY },
	    { 9, 8, 10, RG_STEERING_READY });
	RUN("after five minutes, one SYN is enough", { 0, 0, 0, RG_STEERING_READY },
	    { 1, 8, 0, RG_STEERING_READY }, { 4, 8, 0, RG_STEERING_BYPASSED },
	    { 303, 8, 0, RG_STEERING_BYPASSED }, { 304, 8, 0, RG_STEERING_READY },
	    { 305, 9, 0, RG_STEERING_BYPASSED }, { 604, 9, 0, RG_STEERING_BYPASSED },
	    { 605, 9, 0, RG_STEERING_READY });
	RUN("after five minutes it works", { 0, 0, 0, RG_STEERING_READY },
	    { 1, 8, 0, RG_STEERING_READY }, { 4, 8, 0, RG_STEERING_BYPASSED },
	    { 304, 8, 0, RG_STEERING_READY }, { 305, 9, 1, RG_STEERING_READY },
	    { 306, 12, 1, RG_STEERING_READY }, { 310, 15, 1, RG_STEERING_READY });
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
		cmocka_unit_test(test_bypass),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_listener),
	};

	return cmocka_run_group_tests_name("steering", tests, NULL, NULL);
}
