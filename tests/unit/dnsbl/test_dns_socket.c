/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams in batches: whole, in order, more than a batch, too long, cut short, refused, lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsbl/dns_socket.h"

#include <cmocka.h>

#include <netinet/in.h>

static struct rg_dns_inbox *inbox;
static struct rg_dns_socket udp;
static int server = -1;
static struct sockaddr_in server_addr;

static int set_up(void **state)
{
	socklen_t len = sizeof(server_addr);

	(void)state;
	inbox = rg_dns_inbox_new();
	rg_dns_socket_init(&udp, inbox);
	server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	server_addr = (struct sockaddr_in){ .sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	return !inbox || server < 0 || bind(server, (struct sockaddr *)&server_addr, len) ||
	       getsockname(server, (struct sockaddr *)&server_addr, &len) ||
	       rg_dns_socket_open(&udp, AF_INET) < 0 ||
	       connect(udp.fd, (struct sockaddr *)&server_addr, len);
}

static int tear_down(void **state)
{
	(void)state;
	rg_dns_socket_clear(&udp);
	rg_dns_inbox_free(inbox);
	if (server >= 0)
		close(server);
	return 0;
}

/* The number of the datagram that has come to the server; -1: none. */
static int served(void)
{
	uint32_t number = 0;

	return recv(server, &number, sizeof(number), 0) == sizeof(number) ? (int)number : -1;
}

static void send_number(uint32_t number)
{
	assert_int_equal(rg_dns_socket_send(&udp, &number, sizeof(number)), sizeof(number));
}

static void check_send(void **state)
{
	const uint8_t large[1000] = {};
	uint8_t text[1000];

	(void)state;
	assert_false(rg_dns_socket_has_unsent(&udp));
	for (uint32_t i = 0; i < 150; i++)
		send_number(i);
	assert_true(rg_dns_socket_has_unsent(&udp));
	rg_dns_socket_flush(&udp);
	assert_false(rg_dns_socket_has_unsent(&udp));
	for (int i = 0; i < 150; i++)
		assert_int_equal(served(), i);
	assert_int_equal(served(), -1);
	/* One that is no question is not collected. */
	assert_int_equal(rg_dns_socket_send(&udp, large, sizeof(large)), sizeof(large));
	assert_false(rg_dns_socket_has_unsent(&udp));
	assert_int_equal(recv(server, text, sizeof(text), 0), sizeof(large));
}

static void check_receive(void **state)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	struct sockaddr_in to;
	socklen_t to_len = sizeof(to);
	uint32_t number;
	unsigned int count = 0;

	(void)state;
	assert_int_equal(getsockname(udp.fd, (struct sockaddr *)&to, &to_len), 0);
	for (uint32_t i = 0; i < 400; i++)
		assert_int_equal(sendto(server, &i, sizeof(i), 0, (struct sockaddr *)&to, to_len),
				 sizeof(i));
	rg_dns_inbox_begin(inbox);
	assert_false(rg_dns_socket_has_unread(&udp));
	assert_int_equal(rg_dns_socket_receive(&udp, &number, sizeof(number),
					       (struct sockaddr *)&from, &from_len),
			 sizeof(number));
	assert_int_equal(((struct sockaddr_in *)&from)->sin_port, server_addr.sin_port);
	assert_int_equal(from_len, sizeof(struct sockaddr_in));
	assert_true(rg_dns_socket_has_unread(&udp));
	for (count = 1; rg_dns_socket_receive(&udp, &number, sizeof(number), NULL, NULL) > 0; count++)
		assert_int_equal(number, count);
	/* As much as one iteration of the event loop may read; the rest in the next. */
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(count, 256);
	rg_dns_inbox_begin(inbox);
	for (; rg_dns_socket_receive(&udp, &number, 2, NULL, NULL) == 2; count++)
		assert_int_equal(number, count); /* cut to the size that there is, as recvfrom() does */
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(count, 400);
}

/* The kernel says that nobody listens: the next read has the error, once. */
static void check_refused(void **state)
{
	uint32_t number;

	(void)state;
	close(server);
	server = -1;
	rg_dns_inbox_begin(inbox);
	send_number(1);
	rg_dns_socket_flush(&udp);
	send_number(2);
	rg_dns_socket_flush(&udp);
	assert_int_equal(udp.error, ECONNREFUSED);
	assert_int_equal(rg_dns_socket_receive(&udp, &number, sizeof(number), NULL, NULL), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(rg_dns_socket_receive(&udp, &number, sizeof(number), NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
}

/* Opened again: what was collected goes out on the old socket, nothing of it is read on the new one. */
static void check_reopen(void **state)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	uint32_t number = 7;
	int old = udp.fd;

	(void)state;
	assert_int_equal(getsockname(old, (struct sockaddr *)&to, &len), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(sendto(server, &number, sizeof(number), 0, (struct sockaddr *)&to,
					len),
				 sizeof(number));
	rg_dns_inbox_begin(inbox);
	assert_int_equal(rg_dns_socket_receive(&udp, &number, sizeof(number), NULL, NULL),
			 sizeof(number));
	assert_true(rg_dns_socket_has_unread(&udp));
	send_number(3);
	assert_true(rg_dns_socket_open(&udp, AF_INET) >= 0);
	assert_int_not_equal(udp.fd, old);
	assert_int_equal(served(), 3);
	assert_false(rg_dns_socket_has_unread(&udp));
	assert_false(rg_dns_socket_has_unsent(&udp));
	assert_int_equal(close(old), 0); /* the test's */
	/* Closed: what is collected is lost. */
	assert_int_equal(connect(udp.fd, (struct sockaddr *)&server_addr, sizeof(server_addr)), 0);
	send_number(4);
	assert_int_equal(rg_dns_socket_close(&udp), 0);
	assert_int_equal(udp.fd, -1);
	assert_false(rg_dns_socket_has_unsent(&udp));
	assert_int_equal(served(), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(check_send, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_receive, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_reopen, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
