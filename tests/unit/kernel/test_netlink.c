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

/* ---- questions, to a kernel that is a socket pair ---- */

#define STALE 0x1000000 /* in a reply's flags: it has the number of an earlier request */

struct reply {
	uint16_t type;
	uint32_t flags;
	int number; /* the body */
	bool begins; /* a datagram of its own */
};

static int ends[2];
static const struct reply *replies;

/* Answers each request at once. */
ssize_t send(int fd, const void *buffer, size_t len, int flags)
{
	const struct nlmsghdr *request = buffer;
	char out[4096] = {};
	size_t at = 0;

	(void)flags;
	assert_int_equal(fd, ends[0]);
	for (const struct reply *reply = replies; reply->type; reply++) {
		struct nlmsghdr head = { .nlmsg_len = NLMSG_LENGTH(sizeof(reply->number)),
					 .nlmsg_type = reply->type,
					 .nlmsg_flags = (uint16_t)reply->flags,
					 .nlmsg_seq = request->nlmsg_seq };

		if (reply->flags & STALE)
			head.nlmsg_seq--;
		if (reply->begins && at) {
			assert_int_equal(write(ends[1], out, at), at);
			at = 0;
		}
		memcpy(out + at, &head, sizeof(head));
		memcpy(out + at + NLMSG_HDRLEN, &reply->number, sizeof(reply->number));
		at += NLMSG_ALIGN(head.nlmsg_len);
	}
	assert_int_equal(write(ends[1], out, at), at);
	return (ssize_t)len;
}

#define DATA 77
#define MORE NLM_F_MULTI

static const struct question {
	uint16_t flags; /* of the request */
	struct reply replies[8];
	int stop_at; /* the sum at which take() returns 5 */
	int want, sum;
} questions[] = {
	{ NLM_F_DUMP,
	  { { DATA, MORE, 1, false }, { DATA, MORE, 2, true }, { NLMSG_DONE, MORE, 0, true } },
	  0,
	  0,
	  3 },
	{ NLM_F_DUMP, { { NLMSG_DONE, MORE, 0, false } }, 0, 0, 0 },
	{ NLM_F_DUMP, { { NLMSG_DONE, MORE, -ENOMEM, false } }, 0, -ENOMEM, 0 },
	{ NLM_F_DUMP, { { NLMSG_ERROR, 0, -EPERM, false } }, 0, -EPERM, 0 },
	/* What an earlier request has left. */
	{ NLM_F_DUMP,
	  { { DATA, MORE | STALE, 100, false },
	    { NLMSG_DONE, MORE | STALE, 0, false },
	    { DATA, MORE, 1, true },
	    { NLMSG_DONE, MORE, 0, false } },
	  0,
	  0,
	  1 },
	{ 0, { { NLMSG_ERROR, STALE, -EIO, false }, { DATA, 0, 4, true } }, 0, 0, 4 },
	/* The rest of a dump is read, and not taken. */
	{ NLM_F_DUMP,
	  { { DATA, MORE, 1, false },
	    { DATA, MORE, 2, true },
	    { DATA, MORE, 4, true },
	    { NLMSG_DONE, MORE, 0, true } },
	  3,
	  5,
	  3 },
	{ NLM_F_DUMP,
	  { { DATA, MORE | NLM_F_DUMP_INTR, 1, false },
	    { DATA, MORE, 2, true },
	    { NLMSG_DONE, MORE, 0, true } },
	  0,
	  -EINTR,
	  0 },
	{ 0, { { DATA, 0, 8, false } }, 0, 0, 8 },
	{ 0, { { NLMSG_ERROR, 0, -ENOENT, false } }, 0, -ENOENT, 0 },
	{ 0, { { NLMSG_ERROR, 0, 0, false } }, 0, 0, 0 },
};

struct sum {
	int sum, stop_at;
};

static int add_up(void *arg, const struct nlmsghdr *message)
{
	struct sum *sum = arg;
	int number;

	assert_int_equal(message->nlmsg_type, DATA);
	memcpy(&number, NLMSG_DATA(message), sizeof(number));
	sum->sum += number;
	return sum->stop_at && sum->sum == sum->stop_at ? 5 : 0;
}

static void test_questions(void **state)
{
	static const struct reply silence[] = { { 0, 0, 0, false } };
	const struct timeval timeout = { .tv_usec = 10000 };
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		struct nlmsghdr request = { .nlmsg_len = sizeof(request),
					    .nlmsg_flags = questions[i].flags };
		struct sum sum = { .stop_at = questions[i].stop_at };
		int err;

		replies = questions[i].replies;
		err = rg_netlink_ask(ends[0], &request, add_up, &sum);
		if (err != questions[i].want || sum.sum != questions[i].sum)
			fail_msg("question %zu: %d, sum %d", i, err, sum.sum);
		/* Nothing is left for the next one. */
		assert_int_equal(recv(ends[0], &byte, 1, MSG_DONTWAIT), -1);
	}
	{
		struct nlmsghdr request = { .nlmsg_len = sizeof(request) };
		struct sum sum = {};

		replies = silence;
		assert_int_equal(rg_netlink_ask(ends[0], &request, add_up, &sum),
				 -EIO); /* empty datagram */
		close(ends[1]);
		ends[1] = socket(AF_UNIX, SOCK_DGRAM, 0);
	}
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_lost_messages),
		cmocka_unit_test(test_questions),
	};

	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no network namespace: %m\n");
		return SKIPPED;
	}
	return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}
