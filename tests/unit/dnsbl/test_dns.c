/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions, more than go out at once, to a server in this process that answers, answers late, loses
 * some, or is not there. The server counts: a question is sent once if it is answered in time, and as
 * often as configured if not, whatever the version of c-ares.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsbl/dns.h"

#include "maps/types.h"

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#define QUESTIONS 3000
#define LANES 3

struct fixture {
	struct event_base *base;
	struct event *readable;
	struct rg_dns *dns;
	int server;
	unsigned int served; /* questions that came */
	unsigned int lose; /* of `lose` questions one is lost; 0: none, 1: all */
	unsigned int answered, wrong, unanswered, due;
	/* An answer that comes after this time; the server has one at a time. */
	struct timeval delay; /* zero: at once */
	struct event *late;
	uint8_t message[512];
	size_t len;
	struct sockaddr_storage to;
	/* With truncate set an answer is cut to its header over UDP, and whole over TCP. */
	bool truncate;
	int tcp; /* listening, on the same port */
	struct event *tcp_readable, *session;
	unsigned int served_tcp;
};

/* n1.test, n2.test ...: even numbers are listed as 127.n, odd ones are not. */
struct asked {
	struct fixture *fixture;
	struct rg_dns_query *query;
	unsigned int number;
	unsigned int place; /* in the order of the answers, from 1 */
};

static unsigned int number_of(const uint8_t *message)
{
	return (unsigned int)strtoul((const char *)message + 14, NULL, 10);
}

static size_t answer_to(uint8_t *message, size_t len)
{
	unsigned int number = number_of(message);
	const uint8_t record[] = { 0xc0,
				   12,
				   0,
				   1,
				   0,
				   1,
				   0,
				   0,
				   0,
				   60,
				   0,
				   4,
				   127,
				   (uint8_t)(number >> 16),
				   (uint8_t)(number >> 8),
				   (uint8_t)number };

	message[2] |= 0x80;
	message[3] = number % 2 ? 3 : 0;
	if (number % 2)
		return len;
	message[7] = 1;
	memcpy(message + len, record, sizeof(record));
	return len + sizeof(record);
}

static void on_question(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *fixture = arg;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t message[512];
	ssize_t len;

	(void)what;
	while ((len = recvfrom(fd, message, sizeof(message) - 16, MSG_DONTWAIT,
			       (struct sockaddr *)&from, &from_len)) > 12) {
		if (++fixture->served && fixture->lose && fixture->served % fixture->lose == 0)
			continue;
		if (fixture->truncate)
			message[2] |= 0x82; /* an answer, TC */
		else
			len = (ssize_t)answer_to(message, (size_t)len);
		if (timerisset(&fixture->delay)) {
			memcpy(fixture->message, message, (size_t)len);
			fixture->len = (size_t)len;
			fixture->to = from;
			event_add(fixture->late, &fixture->delay);
			continue;
		}
		assert_int_equal(
			sendto(fd, message, (size_t)len, 0, (struct sockaddr *)&from, from_len), len);
	}
}

/* One question for each segment: enough for a test on loopback. */
static void on_tcp_question(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *fixture = arg;
	uint8_t message[512];
	ssize_t len = recv(fd, message, sizeof(message) - 16, MSG_DONTWAIT);
	size_t size;

	(void)what;
	if (len < 14)
		return;
	fixture->served_tcp++;
	size = answer_to(message + 2, (size_t)len - 2);
	message[0] = (uint8_t)(size >> 8);
	message[1] = (uint8_t)size;
	assert_int_equal(send(fd, message, size + 2, MSG_NOSIGNAL), size + 2);
}

static void on_tcp(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *fixture = arg;
	int session = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	assert_true(session >= 0 && !fixture->session);
	fixture->session =
		event_new(fixture->base, session, EV_READ | EV_PERSIST, on_tcp_question, fixture);
	event_add(fixture->session, NULL);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *fixture = arg;

	(void)fd;
	(void)what;
	(void)sendto(fixture->server, fixture->message, fixture->len, 0,
		     (struct sockaddr *)&fixture->to, sizeof(struct sockaddr_in));
}

static void on_reply(void *arg, const struct rg_dns_answer *answer)
{
	struct asked *asked = arg;
	struct fixture *fixture = asked->fixture;
	uint32_t record = 0x7f000000 | asked->number;

	asked->query = NULL;
	if (answer->status == RG_DNS_TIMEOUT)
		fixture->unanswered++;
	else if (asked->number % 2 ? answer->status != RG_DNS_NONE :
				     answer->status != RG_DNS_OK || answer->count != 1 ||
					     answer->records[0] != record || answer->ttl != 60)
		fixture->wrong++;
	asked->place = ++fixture->answered;
	if (fixture->answered == fixture->due)
		event_base_loopbreak(fixture->base);
}

static int set_up_with(void **state, uint32_t timeout, uint32_t tries)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct rg_dns_options options = { .timeout = timeout,
					  .tries = tries,
					  .in_flight = 100,
					  .lanes = LANES };
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	socklen_t len = sizeof(addr);

	*state = fixture;
	if (!fixture || !(fixture->base = event_base_new()))
		return -1;
	fixture->server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fixture->server < 0 || bind(fixture->server, (struct sockaddr *)&addr, len) ||
	    getsockname(fixture->server, (struct sockaddr *)&addr, &len))
		return -1;
	fixture->readable = event_new(fixture->base, fixture->server, EV_READ | EV_PERSIST,
				      on_question, fixture);
	fixture->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fixture->tcp, (struct sockaddr *)&addr, len) || listen(fixture->tcp, 8))
		return -1;
	fixture->tcp_readable =
		event_new(fixture->base, fixture->tcp, EV_READ | EV_PERSIST, on_tcp, fixture);
	if (event_add(fixture->tcp_readable, NULL))
		return -1;
	fixture->late = evtimer_new(fixture->base, on_late, fixture);
	memcpy(&options.resolver, &addr, len);
	return !fixture->readable || !fixture->late || event_add(fixture->readable, NULL) ||
	       rg_dns_new(&fixture->dns, fixture->base, &options, NULL);
}

static int set_up(void **state)
{
	return set_up_with(state, 100, 5);
}

/* Nothing is repeated but by mistake. */
static int set_up_slow(void **state)
{
	return set_up_with(state, 2000, 2);
}

static int set_up_middle(void **state)
{
	return set_up_with(state, 1000, 2);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	rg_dns_free(fixture->dns);
	event_free(fixture->readable);
	event_free(fixture->late);
	event_free(fixture->tcp_readable);
	close(fixture->tcp);
	if (fixture->session) {
		close(event_get_fd(fixture->session));
		event_free(fixture->session);
	}
	if (fixture->server >= 0)
		close(fixture->server);
	event_base_free(fixture->base);
	free(fixture);
	return 0;
}

static void ask_in(struct fixture *fixture, struct asked *asked, unsigned int number,
		   unsigned int lane, enum rg_dns_priority priority)
{
	char name[32];

	*asked = (struct asked){ .fixture = fixture, .number = number };
	snprintf(name, sizeof(name), "n%u.test", number);
	assert_int_equal(
		rg_dns_query(fixture->dns, &asked->query, lane, priority, name, on_reply, asked), 0);
	fixture->due++;
}

static void ask(struct fixture *fixture, struct asked *asked, unsigned int number)
{
	ask_in(fixture, asked, number, number % LANES, RG_DNS_NEW);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static void run(struct fixture *fixture, unsigned int seconds)
{
	const struct timeval limit = { .tv_sec = (time_t)seconds };
	struct event *timer = evtimer_new(fixture->base, on_limit, fixture->base);

	event_add(timer, &limit);
	event_base_dispatch(fixture->base);
	event_free(timer);
	assert_int_equal(fixture->answered, fixture->due);
	assert_int_equal(fixture->wrong, 0);
	assert_true(rg_dns_load(fixture->dns).in_flight == 0);
	assert_true(rg_dns_load(fixture->dns).waiting == 0);
}

static void check_many(void **state)
{
	static struct asked asked[QUESTIONS];
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < QUESTIONS; i++)
		ask(fixture, &asked[i], i);
	run(fixture, 20);
	assert_int_equal(fixture->unanswered, 0);
	assert_true(rg_dns_load(fixture->dns).asked == QUESTIONS);
}

/*
 * A datagram that was read ahead must not wait for the next event: it would until the question is
 * repeated. So nothing is repeated, and all is over before it could be.
 */
static void check_read_ahead(void **state)
{
	struct fixture *fixture = *state;
	uint64_t begun = rg_now();

	check_many(state);
	print_message("%d questions: %.0f ms, %u sent\n", QUESTIONS,
		      (double)(rg_now() - begun) / 1e6, fixture->served);
	assert_int_equal(fixture->served, QUESTIONS);
	assert_true(rg_now() - begun < 2 * RG_NSEC_PER_SEC);
}

/* The resolver has a cache, and `flush` must be the end of ours: c-ares keeps no answers. */
static void check_no_cache(void **state)
{
	struct fixture *fixture = *state;
	struct asked asked;

	for (unsigned int round = 1; round <= 3; round++) {
		ask(fixture, &asked, 6);
		run(fixture, 20);
		assert_int_equal(fixture->served, round);
	}
	for (unsigned int round = 4; round <= 6; round++) {
		ask(fixture, &asked, 9);
		run(fixture, 20);
		assert_int_equal(fixture->served, round);
	}
}

/* A fast resolver that is slow once: the timeout is what was configured, not what is usual. */
static void check_slow_answer(void **state)
{
	static struct asked asked[20];
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(asked); i++)
		ask(fixture, &asked[i], i * LANES);
	run(fixture, 20);
	assert_int_equal(fixture->served, ARRAY_SIZE(asked));
	fixture->delay.tv_usec = 800 * 1000;
	ask(fixture, &asked[0], 0);
	run(fixture, 20);
	assert_int_equal(fixture->unanswered, 0);
	assert_int_equal(fixture->served, ARRAY_SIZE(asked) + 1);
}

/* A fast resolver that falls silent: asked as often as configured, and waited for as long. */
static void check_silence(void **state)
{
	static struct asked asked[20];
	struct fixture *fixture = *state;
	uint64_t begun;

	for (unsigned int i = 0; i < ARRAY_SIZE(asked); i++)
		ask(fixture, &asked[i], i * LANES);
	run(fixture, 20);
	fixture->lose = 1;
	fixture->served = 0;
	begun = rg_now();
	ask(fixture, &asked[0], 0);
	run(fixture, 20);
	assert_int_equal(fixture->unanswered, 1);
	assert_int_equal(fixture->served, 2);
	assert_true(rg_now() - begun >= 2 * RG_NSEC_PER_SEC - RG_NSEC_PER_SEC / 10);
}

/* An answer that does not fit is asked for again over TCP. */
static void check_truncated(void **state)
{
	struct fixture *fixture = *state;
	struct asked asked;

	fixture->truncate = true;
	for (unsigned int i = 1; i <= 4; i++) {
		ask(fixture, &asked, i * LANES);
		run(fixture, 20);
		assert_int_equal(fixture->served_tcp, i);
	}
	assert_int_equal(fixture->unanswered, 0);
	assert_int_equal(fixture->served, 4);
}

/* What is lost is asked again. */
static void check_lost(void **state)
{
	static struct asked asked[QUESTIONS];
	struct fixture *fixture = *state;

	fixture->lose = 7;
	for (unsigned int i = 0; i < QUESTIONS; i++)
		ask(fixture, &asked[i], i);
	run(fixture, 60);
	assert_true(fixture->unanswered < 3);
}

/* Nobody listens, and the kernel says so: no need to wait for a timeout. */
static void check_nobody(void **state)
{
	static struct asked asked[QUESTIONS];
	struct fixture *fixture = *state;

	event_del(fixture->readable);
	close(fixture->server);
	fixture->server = -1;
	for (unsigned int i = 0; i < QUESTIONS; i++)
		ask(fixture, &asked[i], i);
	run(fixture, 20);
	assert_int_equal(fixture->unanswered, QUESTIONS);
}

/* Of 300 questions of a zone, 75 go out at once. Tests and retransmissions come next, though asked last. */
static void check_priority(void **state)
{
	static struct asked asked[300], retry, hurried, test;
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(asked); i++)
		ask_in(fixture, &asked[i], i, 0, RG_DNS_NEW);
	event_base_loop(fixture->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ask_in(fixture, &hurried, 1000, 0, RG_DNS_NEW);
	ask_in(fixture, &retry, 1001, 0, RG_DNS_RETRY);
	ask_in(fixture, &test, 1002, 0, RG_DNS_TEST);
	rg_dns_hurry(hurried.query);
	assert_true(rg_dns_sent_at(hurried.query) == 0);
	run(fixture, 20);
	assert_true(test.place < retry.place);
	assert_true(retry.place < 100);
	assert_true(hurried.place < 100);
	assert_true(asked[299].place > 290);
}

/* When questions have waited for long, the answer to the newest is the one that can still be in time. */
static void check_newest_first(void **state)
{
	static struct asked silent[75], waiting[10], newest;
	const struct timeval wait = { .tv_usec = 300000 };
	struct fixture *fixture = *state;

	fixture->lose = 1;
	for (unsigned int i = 0; i < ARRAY_SIZE(silent); i++)
		ask_in(fixture, &silent[i], i, 0, RG_DNS_NEW);
	for (unsigned int i = 0; i < ARRAY_SIZE(waiting); i++)
		ask_in(fixture, &waiting[i], 1000 + i, 0, RG_DNS_NEW);
	event_base_loopexit(fixture->base, &wait);
	event_base_dispatch(fixture->base);
	assert_true(rg_dns_load(fixture->dns).waiting == 10);
	assert_false(rg_dns_is_busy(fixture->dns, 0)); /* no answer yet: it may be dead */
	ask_in(fixture, &newest, 2000, 0, RG_DNS_NEW);
	fixture->lose = 0;
	run(fixture, 20);
	assert_int_equal(fixture->unanswered, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(waiting); i++)
		assert_true(newest.place < waiting[i].place);
	assert_true(rg_dns_is_busy(fixture->dns, 0));
	assert_false(rg_dns_is_busy(fixture->dns, 1)); /* was never answered */
}

/* Cancelled at any moment; what is under way at the end is given up. */
static void check_cancelled(void **state)
{
	static struct asked asked[QUESTIONS];
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < QUESTIONS; i++)
		ask(fixture, &asked[i], i);
	for (unsigned int turn = 0; turn < 5; turn++) {
		for (unsigned int i = turn; i < QUESTIONS; i += 7) {
			rg_dns_cancel(asked[i].query);
			asked[i].query = NULL;
		}
		event_base_loop(fixture->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	assert_int_equal(fixture->wrong, 0);
	assert_true(rg_dns_load(fixture->dns).waiting > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(check_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_read_ahead, set_up_slow, tear_down),
		cmocka_unit_test_setup_teardown(check_no_cache, set_up_slow, tear_down),
		cmocka_unit_test_setup_teardown(check_slow_answer, set_up_middle, tear_down),
		cmocka_unit_test_setup_teardown(check_silence, set_up_middle, tear_down),
		cmocka_unit_test_setup_teardown(check_truncated, set_up_slow, tear_down),
		cmocka_unit_test_setup_teardown(check_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_priority, set_up_slow, tear_down),
		cmocka_unit_test_setup_teardown(check_newest_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_cancelled, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
