/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/netlink.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

/* A new interface causes several messages: changed is called once for all of them. */
static const struct timeval delay_time = { .tv_usec = 20000 };

struct rg_netlink {
	int fd;
	struct event *event, *delay;
	void (*changed)(void *arg);
	void *arg;
};

/* Discards the messages: the callback looks everything up. So a lost message (ENOBUFS) does no harm. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct rg_netlink *netlink = arg;
	char buffer[8192];

	(void)what;
	while (recv(fd, buffer, sizeof(buffer), 0) > 0 || errno == ENOBUFS)
		errno = 0;
	if (!evtimer_pending(netlink->delay, NULL))
		evtimer_add(netlink->delay, &delay_time);
}

static void on_delay_over(evutil_socket_t fd, short what, void *arg)
{
	struct rg_netlink *netlink = arg;

	(void)fd;
	(void)what;
	netlink->changed(netlink->arg);
}

int rg_netlink_new(struct rg_netlink **ret, struct event_base *base, void (*changed)(void *arg),
		   void *arg)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK,
					     .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
							  RTMGRP_IPV6_IFADDR };
	struct rg_netlink *netlink = calloc(1, sizeof(*netlink));
	int err;

	if (!netlink)
		return -ENOMEM;
	netlink->changed = changed;
	netlink->arg = arg;
	netlink->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (netlink->fd < 0 || bind(netlink->fd, (const struct sockaddr *)&address, sizeof(address))) {
		err = -errno;
		rg_netlink_free(netlink);
		return err;
	}
	netlink->event = event_new(base, netlink->fd, EV_READ | EV_PERSIST, on_readable, netlink);
	netlink->delay = evtimer_new(base, on_delay_over, netlink);
	if (!netlink->event || !netlink->delay || event_add(netlink->event, NULL)) {
		rg_netlink_free(netlink);
		return -ENOMEM;
	}
	*ret = netlink;
	return 0;
}

void rg_netlink_free(struct rg_netlink *netlink)
{
	if (!netlink)
		return;
	if (netlink->event)
		event_free(netlink->event);
	if (netlink->delay)
		event_free(netlink->delay);
	rg_closep(&netlink->fd);
	free(netlink);
}

/* ---- questions ---- */

struct answer {
	uint32_t seq;
	bool is_dump;
	int (*take)(void *arg, const struct nlmsghdr *message);
	void *arg;
	int err; /* the first one; the rest of a dump is read, and left */
	bool ended;
};

/* Of the message that ends a dump (NLMSG_DONE), which may have no number, or of an error: 0 or negative. */
static int error_of(const struct nlmsghdr *message)
{
	int err = 0;

	if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(err)))
		memcpy(&err, NLMSG_DATA(message), sizeof(err));
	return err < 0 ? err : 0;
}

static void take_message(struct answer *answer, const struct nlmsghdr *message)
{
	bool is_end = message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR;

	if (message->nlmsg_seq != answer->seq || answer->ended)
		return;
	if (message->nlmsg_flags & NLM_F_DUMP_INTR && !answer->err)
		answer->err = -EINTR;
	if (!answer->err)
		answer->err = is_end ? error_of(message) : answer->take(answer->arg, message);
	answer->ended = is_end || !answer->is_dump;
}

int rg_netlink_ask(int fd, struct nlmsghdr *request,
		   int (*take)(void *arg, const struct nlmsghdr *message), void *arg)
{
	char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct answer answer = { .seq = (uint32_t)rg_now(),
				 .is_dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP,
				 .take = take,
				 .arg = arg };

	request->nlmsg_seq = answer.seq;
	if (send(fd, request, request->nlmsg_len, 0) < 0)
		return -errno;
	while (!answer.ended) {
		ssize_t len = recv(fd, buffer, sizeof(buffer), MSG_TRUNC);
		const struct nlmsghdr *message = (const void *)buffer;

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return len ? -errno : -EIO;
		if ((size_t)len > sizeof(buffer))
			return -EMSGSIZE;
		for (; NLMSG_OK(message, len); message = NLMSG_NEXT(message, len))
			take_message(&answer, message);
	}
	return answer.err;
}
