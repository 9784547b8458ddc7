/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The responder with real sockets on loopback: a test connects to its listening sockets itself. Limits,
 * the greeting's delay, early talkers, how sessions end, and what is reported of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "../../fakes/memory.h"
#include "responder/responder.c"

#include "maps/types.h"

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>

static struct rg_conf conf = {
	.references = 1,
	.ipv6_prefix = 64,
	.reply_stage = RG_SMTP_AT_RCPT,
	.responder_name = (char[]){ "mx.test" },
};
static struct rg_conf *in_force = &conf;
static const struct rg_refusal refusal = { "450 4.7.1 Refused", "qil", "", .permanent = false };
static const struct rg_refusal rejection = { "550 5.7.1 Refused", "rbl", "", .permanent = true };

static struct event_base *base;
static struct rg_responder *responder;
static int listening[RG_RESPONDER_SOCKETS];
static int loader_error;
static struct rg_session_report reported;
static char reported_helo[RG_SMTP_TEXT];
static unsigned int reports;

int rg_loader_set_responder(struct rg_loader *loader, enum rg_responder_socket slot, int fd)
{
	(void)loader;
	listening[slot] = fd;
	return loader_error;
}

static void find(void *arg, const struct rg_conf *with, const struct rg_addr *addr,
		 enum rg_action action, struct rg_refusal *ret)
{
	(void)addr;
	assert_ptr_equal(arg, &conf);
	assert_ptr_equal(with, &conf);
	*ret = action == RG_ACTION_REJECT ? rejection : refusal;
}

static void ended(void *arg, const struct rg_session_report *report)
{
	(void)arg;
	reported = *report;
	snprintf(reported_helo, sizeof(reported_helo), "%s", report->smtp->helo);
	reports++;
}

static const struct rg_responder_calls calls = { find, ended, &conf };

static uint16_t port_of_socket(int fd)
{
	struct sockaddr_storage at = {};
	socklen_t len = sizeof(at);

	(void)getsockname(fd, (struct sockaddr *)&at, &len);
	return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port :
						((struct sockaddr_in *)&at)->sin_port);
}

/* The sockets' own ports count as filtered ones here: nothing is steered in this test. */
static void filter_ports(void)
{
	conf.port_count = RG_RESPONDER_SOCKETS;
	for (int i = 0; i < RG_RESPONDER_SOCKETS; i++)
		conf.ports[i] = port_of_socket(listening[i]);
}

static int set_up(void **state)
{
	int err;

	(void)state;
	conf.max_sessions = 100;
	conf.max_sessions_per_peer = 3;
	conf.greet_delay = 0;
	conf.reply_stage = RG_SMTP_AT_RCPT;
	reports = 0;
	loader_error = 0;
	for (int i = 0; i < RG_RESPONDER_SOCKETS; i++)
		listening[i] = -1;
	base = event_base_new();
	event_base_priority_init(base, RG_PRIORITIES);
	err = rg_responder_new(&responder, base, NULL, &in_force, &calls, NULL);
	filter_ports();
	return err;
}

static int tear_down(void **state)
{
	(void)state;
	rg_responder_free(responder);
	event_base_free(base);
	assert_int_equal(conf.references, 1);
	return 0;
}

static void run_ms(unsigned int ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

/* Connects to a listening socket; the responder has taken it when this returns. */
static int dial(enum rg_responder_socket slot)
{
	struct sockaddr_storage to;
	socklen_t len = sizeof(to);
	int fd;

	assert_int_equal(getsockname(listening[slot], (struct sockaddr *)&to, &len), 0);
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
	run_ms(5);
	return fd;
}

/* What has come so far; "" if nothing, "EOF" at the end. */
static const char *heard(int fd)
{
	static char text[4096];
	ssize_t len = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (!len)
		return "EOF";
	text[len > 0 ? len : 0] = '\0';
	return text;
}

static const char *tell(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	run_ms(5);
	return heard(fd);
}

static void starts(const char *text, const char *want)
{
	if (strncmp(text, want, strlen(want)) != 0)
		fail_msg("\"%s\" instead of \"%s\"", text, want);
}

static void check_session(void **state)
{
	int fd = dial(RG_RESPONDER_TEMPFAIL4);

	(void)state;
	starts(heard(fd), "220 mx.test ");
	starts(tell(fd, "EHLO client.test\r\n"), "250-mx.test");
	starts(tell(fd, "MAIL FROM:<a@client.test>\r\n"), "250 ");
	starts(tell(fd, "RCPT TO:<b@mx.test>\r\n"), "450 4.7.1 Refused");
	starts(tell(fd, "QUIT\r\n"), "221 ");
	assert_string_equal(heard(fd), "EOF");
	assert_int_equal(reports, 1);
	assert_int_equal(reported.end, RG_SESSION_QUIT);
	assert_int_equal(reported.action, RG_ACTION_TEMPFAIL);
	assert_false(reported.early);
	assert_true(reported.port > 0 && reported.local_port > 0);
	assert_true(rg_responder_count(responder).refused == 1);
	assert_true(rg_responder_count(responder).recipients == 1);
	assert_true(rg_responder_count(responder).open == 0);
	close(fd);
	fd = dial(RG_RESPONDER_REJECT4);
	(void)heard(fd);
	starts(tell(fd, "HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@mx.test>\r\n"), "250 ");
	close(fd);
	run_ms(5);
	assert_int_equal(reported.action, RG_ACTION_REJECT);
	assert_int_equal(reported.end, RG_SESSION_LOST);
	assert_true(rg_responder_count(responder).lost == 0); /* it had its reply */
	assert_true(rg_responder_count(responder).odd.pipelined > 0);
}

/* Replies to many commands that came at once go out by and by, in order. */
static void check_many_commands(void **state)
{
	char text[4096] = "EHLO c\r\n";
	int fd = dial(RG_RESPONDER_TEMPFAIL4);

	(void)state;
	(void)heard(fd);
	for (unsigned int i = 0; i < RG_SMTP_SPARE + 5; i++)
		strcat(text, "NOOP\r\n");
	starts(tell(fd, text), "250-mx.test");
	run_ms(5);
	/* The limit of commands: 421, our direction is closed, the peer's may still send. */
	assert_string_equal(heard(fd), "EOF");
	assert_int_equal(reports, 0);
	(void)tell(fd, "NOOP\r\n");
	close(fd);
	run_ms(5);
	assert_int_equal(reports, 1);
	assert_int_equal(reported.end, RG_SESSION_CLOSED);
}

/* A peer that does not close after our last reply is closed after 2 s. */
static void check_linger(void **state)
{
	char text[4096] = "EHLO c\r\n";
	int fd = dial(RG_RESPONDER_TEMPFAIL4);

	(void)state;
	for (unsigned int i = 0; i < RG_SMTP_SPARE + 5; i++)
		strcat(text, "NOOP\r\n");
	(void)tell(fd, text);
	assert_int_equal(reports, 0);
	run_ms(2200);
	assert_int_equal(reports, 1);
	assert_int_equal(reported.end, RG_SESSION_CLOSED);
	close(fd);
}

/* Whatever allocation fails, the peer gets 421, and that counts as no limit. */
static void check_no_memory(void **state)
{
	const long allocations = 4; /* the peer, the table of peers and its buckets, the session */
	struct rg_responder_count count;

	(void)state;
	for (long left = 0; left < allocations; left++) {
		int fd;

		memory_left = left;
		fd = dial(RG_RESPONDER_TEMPFAIL4);
		memory_left = -1;
		starts(heard(fd), "421 4.7.0 mx.test Too many connections");
		assert_string_equal(heard(fd), "EOF");
		close(fd);
		count = rg_responder_count(responder);
		assert_true(count.no_memory == (uint64_t)left + 1);
		assert_true(count.over_peer == 0 && count.over_sessions == 0 && count.open == 0);
	}
	for (unsigned int i = 0; i < 3; i++) /* no peer has kept a count */
		starts(heard(dial(RG_RESPONDER_TEMPFAIL4)), "220 ");
}

static void check_limits(void **state)
{
	int fds[4], fd;

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		fds[i] = dial(RG_RESPONDER_TEMPFAIL4);
	starts(heard(fds[2]), "220 ");
	starts(heard(fds[3]), "421 4.7.0 mx.test Too many connections");
	assert_string_equal(heard(fds[3]), "EOF");
	assert_true(rg_responder_count(responder).over_peer == 1);
	/* A place is free again when a session ends. */
	close(fds[0]);
	run_ms(5);
	fd = dial(RG_RESPONDER_TEMPFAIL4);
	starts(heard(fd), "220 ");
	/* All sessions together. */
	conf.max_sessions = 3;
	if (listening[RG_RESPONDER_TEMPFAIL6] >= 0) {
		int other = dial(RG_RESPONDER_TEMPFAIL6);

		starts(heard(other), "421 ");
		assert_true(rg_responder_count(responder).over_sessions == 1);
		close(other);
		conf.max_sessions = 100;
		other = dial(RG_RESPONDER_TEMPFAIL6); /* another peer */
		starts(heard(other), "220 ");
		close(other);
	}
	for (unsigned int i = 1; i < 4; i++)
		close(fds[i]);
	close(fd);
	run_ms(5);
	assert_true(rg_responder_count(responder).open == 0);
}

static void check_files(void **state)
{
	struct rlimit old, few;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	conf.max_sessions = 10000;
	few.rlim_cur = 300;
	setrlimit(RLIMIT_NOFILE, &few);
	assert_int_equal(rg_responder_limit(&conf), 150);
	few.rlim_cur = 1000;
	if (!setrlimit(RLIMIT_NOFILE, &few))
		assert_int_equal(rg_responder_limit(&conf), 744);
	conf.max_sessions = 10;
	assert_int_equal(rg_responder_limit(&conf), 10);
	setrlimit(RLIMIT_NOFILE, &old);
}

/* No descriptor is left: accepting pauses for a second, and goes on. */
static void check_no_descriptor(void **state)
{
	struct rlimit old, few;
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(
		getsockname(listening[RG_RESPONDER_TEMPFAIL4], (struct sockaddr *)&to, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &few);
	run_ms(20);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_true(rg_responder_count(responder).accept_failed == 1);
	run_ms(20);
	assert_string_equal(heard(fd), "");
	run_ms(1100);
	starts(heard(fd), "220 ");
	close(fd);
	run_ms(5);
}

/* A local user who connects to the socket itself gets nothing, and no session. */
static void check_not_steered(void **state)
{
	int fd;

	(void)state;
	conf.port_count = 1;
	conf.ports[0] = 25;
	fd = dial(RG_RESPONDER_REJECT4);
	assert_string_equal(heard(fd), "EOF");
	assert_true(rg_responder_count(responder).not_steered == 1);
	assert_true(rg_responder_count(responder).sessions == 0);
	assert_int_equal(reports, 0);
	close(fd);
}

/* Who talks before the greeting is noted, and answered after it. */
static void check_early(void **state)
{
	int fd;

	(void)state;
	conf.greet_delay = 100;
	fd = dial(RG_RESPONDER_TEMPFAIL4);
	assert_string_equal(tell(fd, "EHLO early.test\r\n"), "");
	assert_true(rg_responder_count(responder).early == 1);
	run_ms(200);
	starts(heard(fd), "220 mx.test ");
	(void)tell(fd, "QUIT\r\n");
	close(fd);
	run_ms(5);
	assert_true(reported.early);
	assert_string_equal(reported_helo, "early.test");
	/* One that goes before the greeting has lost its refusal. */
	fd = dial(RG_RESPONDER_TEMPFAIL4);
	close(fd);
	run_ms(200);
	assert_int_equal(reported.end, RG_SESSION_LOST);
	assert_true(rg_responder_count(responder).lost == 1);
}

static void check_greeting(void **state)
{
	int fd;

	(void)state;
	conf.reply_stage = RG_SMTP_AT_GREETING;
	fd = dial(RG_RESPONDER_REJECT4);
	starts(heard(fd), "554 ");
	assert_true(rg_responder_count(responder).refused == 0); /* counted at the end */
	close(fd);
	run_ms(5);
	assert_true(rg_responder_count(responder).refused == 1);
}

/* Too old, and the agent's stop. */
static void check_end(void **state)
{
	int fd = dial(RG_RESPONDER_TEMPFAIL4), other;

	(void)state;
	(void)heard(fd);
	rg_responder_tick(responder, rg_now() + 299 * RG_NSEC_PER_SEC);
	assert_int_equal(reports, 0);
	rg_responder_tick(responder, rg_now() + 301 * RG_NSEC_PER_SEC);
	assert_int_equal(reports, 1);
	assert_int_equal(reported.end, RG_SESSION_TIMEOUT);
	starts(heard(fd), "421 4.4.2 mx.test Session too long");
	assert_true(rg_responder_count(responder).timeouts == 1);
	close(fd);
	other = dial(RG_RESPONDER_TEMPFAIL4);
	(void)heard(other);
	rg_responder_free(responder);
	responder = NULL;
	assert_int_equal(reported.end, RG_SESSION_STOPPED);
	starts(heard(other), "421 4.3.2 mx.test Service shutting down");
	close(other);
}

static void check_map_full(void **state)
{
	struct rg_responder *none = NULL;
	struct rg_error error = {};

	(void)state;
	loader_error = -ENOSPC;
	assert_int_equal(rg_responder_new(&none, base, NULL, &in_force, &calls, &error), -ENOSPC);
	assert_null(none);
	starts(error.text, "SMTP responder: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(check_session, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_many_commands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_linger, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_no_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_no_descriptor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_not_steered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_early, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_greeting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_map_full, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
