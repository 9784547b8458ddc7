/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/netlink.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

/* An interface comes with a row of messages. */
static const struct timeval quiet_time = { .tv_usec = 20000 };

struct rg_netlink {
	int fd;
	struct event *event, *quiet;
	void (*changed)(void *arg);
	void *arg;
};

/* What they say is looked up afresh, so lost ones (ENOBUFS) do no harm. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct rg_netlink *links = arg;
	char buffer[8192];

	(void)what;
	while (recv(fd, buffer, sizeof(buffer), 0) > 0 || errno == ENOBUFS)
		errno = 0;
	if (!evtimer_pending(links->quiet, NULL))
		evtimer_add(links->quiet, &quiet_time);
}

static void on_quiet(evutil_socket_t fd, short what, void *arg)
{
	struct rg_netlink *links = arg;

	(void)fd;
	(void)what;
	links->changed(links->arg);
}

int rg_netlink_new(struct rg_netlink **ret, struct event_base *base, void (*changed)(void *arg),
		   void *arg)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK,
					     .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
							  RTMGRP_IPV6_IFADDR };
	struct rg_netlink *links = calloc(1, sizeof(*links));
	int err;

	if (!links)
		return -ENOMEM;
	links->changed = changed;
	links->arg = arg;
	links->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (links->fd < 0 || bind(links->fd, (const struct sockaddr *)&address, sizeof(address))) {
		err = -errno;
		rg_netlink_free(links);
		return err;
	}
	links->event = event_new(base, links->fd, EV_READ | EV_PERSIST, on_readable, links);
	links->quiet = evtimer_new(base, on_quiet, links);
	if (!links->event || !links->quiet || event_add(links->event, NULL)) {
		rg_netlink_free(links);
		return -ENOMEM;
	}
	*ret = links;
	return 0;
}

void rg_netlink_free(struct rg_netlink *links)
{
	if (!links)
		return;
	if (links->event)
		event_free(links->event);
	if (links->quiet)
		event_free(links->quiet);
	rg_closep(&links->fd);
	free(links);
}
