/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "responder/listener.h"

#include <netinet/in.h>

#define BACKLOG 4096
/* Accepted in one iteration of the event loop: the held SYNs of clean peers must not wait for more. */
#define MAX_ACCEPTS 32

/* One listening socket. */
struct listening {
	struct rg_listener *listener;
	struct event *event;
	enum rg_action action;
	int fd; /* -1: not open */
};

struct rg_listener {
	struct event_base *base;
	struct listening sockets[RG_RESPONDER_SOCKETS];
	struct event *resume; /* after a pause of accepting */
	uint64_t failures;
	rg_listener_accepted *accepted;
	void *arg;
};

static void pause_accepting(struct rg_listener *listener)
{
	static const struct timeval pause = { .tv_sec = 1 };

	listener->failures++;
	for (int i = 0; i < RG_RESPONDER_SOCKETS; i++)
		if (listener->sockets[i].event)
			event_del(listener->sockets[i].event);
	event_add(listener->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct rg_listener *listener = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < RG_RESPONDER_SOCKETS; i++)
		if (listener->sockets[i].event)
			event_add(listener->sockets[i].event, NULL);
}

static bool is_exhaustion(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

static void on_connection(evutil_socket_t listen_fd, short what, void *arg)
{
	struct listening *listening = arg;

	(void)what;
	for (int i = 0; i < MAX_ACCEPTS; i++) {
		struct sockaddr_storage from = {};
		socklen_t len = sizeof(from);
		int fd = accept4(listen_fd, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			listening->listener->accepted(listening->listener->arg, fd, &from,
						      listening->action);
		} else if (is_exhaustion(errno)) {
			pause_accepting(listening->listener);
			return;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		}
	}
}

/* A socket on loopback and a port of the kernel's choice, or -errno. */
static int listen_on_loopback(int family)
{
	const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	const struct sockaddr_in in = { .sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, err;

	if (fd < 0)
		return -errno;
	/*
	 * Sessions inherit this. They have the mail server's port, so without it the server could not
	 * be started while there are any.
	 */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	err = family == AF_INET6 ? bind(fd, (const struct sockaddr *)&in6, sizeof(in6)) :
				   bind(fd, (const struct sockaddr *)&in, sizeof(in));
	if (!err && !listen(fd, BACKLOG))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Opens the socket of one slot of the map and puts it there. */
static int open_socket(struct rg_listener *listener, struct rg_loader *loader,
		       enum rg_responder_socket slot)
{
	struct listening *listening = &listener->sockets[slot];
	bool v6 = slot == RG_RESPONDER_TEMPFAIL6 || slot == RG_RESPONDER_REJECT6;

	listening->listener = listener;
	listening->action = slot == RG_RESPONDER_TEMPFAIL4 || slot == RG_RESPONDER_TEMPFAIL6 ?
				    RG_ACTION_TEMPFAIL :
				    RG_ACTION_REJECT;
	listening->fd = listen_on_loopback(v6 ? AF_INET6 : AF_INET);
	/* A host without IPv6 has no peers that use it. */
	if (v6 && (listening->fd == -EAFNOSUPPORT || listening->fd == -EADDRNOTAVAIL))
		return 0;
	if (listening->fd < 0)
		return listening->fd;
	listening->event = event_new(listener->base, listening->fd, EV_READ | EV_PERSIST,
				     on_connection, listening);
	if (!listening->event || event_priority_set(listening->event, RG_PRIORITY_LOW) ||
	    event_add(listening->event, NULL))
		return -ENOMEM;
	return rg_loader_set_responder(loader, slot, listening->fd);
}

int rg_listener_new(struct rg_listener **ret, struct event_base *base, struct rg_loader *loader,
		    rg_listener_accepted *accepted, void *arg)
{
	struct rg_listener *listener = calloc(1, sizeof(*listener));
	int err;

	if (!listener)
		return -ENOMEM;
	listener->base = base;
	listener->accepted = accepted;
	listener->arg = arg;
	for (int i = 0; i < RG_RESPONDER_SOCKETS; i++)
		listener->sockets[i].fd = -1;
	listener->resume = evtimer_new(base, on_resume, listener);
	err = listener->resume ? 0 : -ENOMEM;
	for (int i = 0; !err && i < RG_RESPONDER_SOCKETS; i++)
		err = open_socket(listener, loader, (enum rg_responder_socket)i);
	if (err)
		rg_listener_free(listener);
	else
		*ret = listener;
	return err;
}

void rg_listener_free(struct rg_listener *listener)
{
	if (!listener)
		return;
	for (int i = 0; i < RG_RESPONDER_SOCKETS; i++) {
		if (listener->sockets[i].event)
			event_free(listener->sockets[i].event);
		rg_closep(&listener->sockets[i].fd);
	}
	if (listener->resume)
		event_free(listener->resume);
	free(listener);
}

uint64_t rg_listener_failures(const struct rg_listener *listener)
{
	return listener->failures;
}
