/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The negative TTL of DNS messages (RFC 2308), whole, cut short and mutated; and questions, more than
 * go out at once, to a server in this process that answers, loses some, or is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsbl/dns.h"

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>

/* NXDOMAIN for x.example with example's SOA: TTL 3600 (at 43), MINIMUM 900 (last). */
static const uint8_t nxdomain[] = {
	0x12, 0x34, 0x81, 0x83, 0,   1,	  0,   0,   0,	  1,	0, 0, /* header */
	1,    'x',  7,	  'e',	'x', 'a', 'm', 'p', 'l',  'e',	0, 0,  1, 0, 1, /* question */
	0xc0, 14,   0,	  6,	0,   1,	  0,   0,   0x0e, 0x10, 0, 24, /* example SOA, TTL, 24 bytes */
	0xc0, 14,   0xc0, 14,	0,   0,	  0,   1,   0,	  0,	0, 2,  0, 0, 0,
	3,    0,    0,	  0,	4,   0,	  0,   3,   0x84,
};

static void check_whole(void **state)
{
	uint8_t message[sizeof(nxdomain)];
	uint32_t ttl = 0;

	(void)state;
	assert_true(rg_dns_negative_ttl(nxdomain, sizeof(nxdomain), &ttl));
	assert_int_equal(ttl, 900);
	memcpy(message, nxdomain, sizeof(message));
	message[sizeof(message) - 2] = 0xff; /* MINIMUM above the TTL */
	assert_true(rg_dns_negative_ttl(message, sizeof(message), &ttl));
	assert_int_equal(ttl, 3600);
	memcpy(message, nxdomain, sizeof(message));
	message[30] = 2; /* NS instead of SOA */
	assert_int_equal(nxdomain[26 + 0], 1); /* end of the question: class IN */
	message[9] = 0; /* no authority */
	assert_false(rg_dns_negative_ttl(message, sizeof(message), &ttl));
}

/* Every length, in a block of exactly that size: ASan sees a byte too far. */
static void check_cut(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(nxdomain); len++) {
		uint8_t *message = malloc(len ? len : 1);
		uint32_t ttl;

		memcpy(message, nxdomain, len);
		assert_false(rg_dns_negative_ttl(message, len, &ttl));
		free(message);
	}
}

static void check_mutated(void **state)
{
	uint32_t seed = 1, ttl;

	(void)state;
	for (int round = 0; round < 1000000; round++) {
		uint8_t *message = malloc(sizeof(nxdomain));

		memcpy(message, nxdomain, sizeof(nxdomain));
		for (int i = 0; i < 4; i++) {
			seed = seed * 1664525 + 1013904223;
			message[(seed >> 16) % sizeof(nxdomain)] = (uint8_t)(seed >> 8);
		}
		(void)rg_dns_negative_ttl(message, sizeof(nxdomain), &ttl);
		free(message);
	}
}

/* ---- questions ---- */

#define QUESTIONS 3000
#define LANES 3

struct bed {
	struct event_base *base;
	struct event *readable;
	struct rg_dns *dns;
	int server;
	unsigned int served, lose; /* of `lose` questions one is lost; 0: none */
	unsigned int answered, wrong, unanswered, due;
};

/* n1.bed, n2.bed ...: even numbers are listed as 127.n, odd ones are not. */
struct asked {
	struct bed *bed;
	struct rg_dns_query *query;
	unsigned int number;
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
	struct bed *bed = arg;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t message[512];
	ssize_t len;

	(void)what;
	while ((len = recvfrom(fd, message, sizeof(message) - 16, MSG_DONTWAIT,
			       (struct sockaddr *)&from, &from_len)) > 12) {
		if (bed->lose && ++bed->served % bed->lose == 0)
			continue;
		len = (ssize_t)answer_to(message, (size_t)len);
		assert_int_equal(
			sendto(fd, message, (size_t)len, 0, (struct sockaddr *)&from, from_len), len);
	}
}

static void on_reply(void *arg, const struct rg_dns_answer *answer)
{
	struct asked *asked = arg;
	struct bed *bed = asked->bed;
	uint32_t record = 0x7f000000 | asked->number;

	asked->query = NULL;
	if (answer->status == RG_DNS_TIMEOUT)
		bed->unanswered++;
	else if (asked->number % 2 ? answer->status != RG_DNS_NONE :
				     answer->status != RG_DNS_OK || answer->count != 1 ||
					     answer->records[0] != record || answer->ttl != 60)
		bed->wrong++;
	if (++bed->answered == bed->due)
		event_base_loopbreak(bed->base);
}

static int set_up(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct rg_dns_options options = { .timeout = 100, .tries = 5, .in_flight = 100, .lanes = LANES };
	struct bed *bed = calloc(1, sizeof(*bed));
	socklen_t len = sizeof(addr);

	*state = bed;
	if (!bed || !(bed->base = event_base_new()))
		return -1;
	bed->server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bed->server < 0 || bind(bed->server, (struct sockaddr *)&addr, len) ||
	    getsockname(bed->server, (struct sockaddr *)&addr, &len))
		return -1;
	bed->readable = event_new(bed->base, bed->server, EV_READ | EV_PERSIST, on_question, bed);
	memcpy(&options.resolver, &addr, len);
	return !bed->readable || event_add(bed->readable, NULL) ||
	       rg_dns_new(&bed->dns, bed->base, &options, NULL);
}

static int tear_down(void **state)
{
	struct bed *bed = *state;

	rg_dns_free(bed->dns);
	event_free(bed->readable);
	if (bed->server >= 0)
		close(bed->server);
	event_base_free(bed->base);
	free(bed);
	return 0;
}

static void ask(struct bed *bed, struct asked *asked, unsigned int number)
{
	char name[32];

	*asked = (struct asked){ .bed = bed, .number = number };
	snprintf(name, sizeof(name), "n%u.bed", number);
	assert_int_equal(
		rg_dns_query(bed->dns, &asked->query, number % LANES, name, on_reply, asked), 0);
	bed->due++;
}

static void run(struct bed *bed, unsigned int seconds)
{
	const struct timeval limit = { .tv_sec = (time_t)seconds };

	event_base_loopexit(bed->base, &limit);
	event_base_dispatch(bed->base);
	assert_int_equal(bed->answered, bed->due);
	assert_int_equal(bed->wrong, 0);
	assert_true(rg_dns_load(bed->dns).in_flight == 0);
	assert_true(rg_dns_load(bed->dns).waiting == 0);
}

static void check_many(void **state)
{
	static struct asked asked[QUESTIONS];
	struct bed *bed = *state;

	for (unsigned int i = 0; i < QUESTIONS; i++)
		ask(bed, &asked[i], i);
	run(bed, 20);
	assert_int_equal(bed->unanswered, 0);
	assert_true(rg_dns_load(bed->dns).asked == QUESTIONS);
}

/* What is lost is asked again. */
static void check_lost(void **state)
{
	static struct asked asked[QUESTIONS];
	struct bed *bed = *state;

	bed->lose = 7;
	for (unsigned int i = 0; i < QUESTIONS; i++)
		ask(bed, &asked[i], i);
	run(bed, 60);
	assert_true(bed->unanswered < 3);
}

/* Nobody listens, and the kernel says so: no need to wait for a timeout. */
static void check_nobody(void **state)
{
	static struct asked asked[QUESTIONS];
	struct bed *bed = *state;

	event_del(bed->readable);
	close(bed->server);
	bed->server = -1;
	for (unsigned int i = 0; i < QUESTIONS; i++)
		ask(bed, &asked[i], i);
	run(bed, 20);
	assert_int_equal(bed->unanswered, QUESTIONS);
}

/* Cancelled at any moment; what is under way at the end is given up. */
static void check_cancelled(void **state)
{
	static struct asked asked[QUESTIONS];
	struct bed *bed = *state;

	for (unsigned int i = 0; i < QUESTIONS; i++)
		ask(bed, &asked[i], i);
	for (unsigned int turn = 0; turn < 5; turn++) {
		for (unsigned int i = turn; i < QUESTIONS; i += 7) {
			rg_dns_cancel(asked[i].query);
			asked[i].query = NULL;
		}
		event_base_loop(bed->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	assert_int_equal(bed->wrong, 0);
	assert_true(rg_dns_load(bed->dns).waiting > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_whole),
		cmocka_unit_test(check_cut),
		cmocka_unit_test(check_mutated),
		cmocka_unit_test_setup_teardown(check_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_cancelled, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
