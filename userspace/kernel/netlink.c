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
