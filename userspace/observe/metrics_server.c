/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "observe/metrics_server.h"

#include "base/addr.h"
#include "responder/listener.h" /* priorities */

#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <sys/queue.h>

#define BACKLOG 64
/* Accepted in one iteration of the event loop: held SYNs must not wait for more. */
#define MAX_ACCEPTS 16
#define MAX_PER_SOURCE 8 /* connections of one address that is not this host's loopback */
#define MAX_REQUEST 8192 /* bytes */

/* From the accept to the end, whatever the client does. */
static const struct timeval life_time = { .tv_sec = 10 };

struct connection {
	TAILQ_ENTRY(connection) entry;
	struct rg_metrics_server *server;
	struct bufferevent *io;
	struct event *deadline;
	struct rg_addr from;
	bool answered;
};

struct rg_metrics_server {
	struct event_base *base;
	struct event *listening;
	struct event *resume; /* after a pause of accepting */
	int fd;
	TAILQ_HEAD(, connection) connections; /* the oldest first */
	unsigned int count;
	rg_metrics_page *page;
	void *arg;
	uint64_t *closed;
};

static void close_connection(struct connection *connection)
{
	struct rg_metrics_server *server = connection->server;

	TAILQ_REMOVE(&server->connections, connection, entry);
	server->count--;
	if (connection->io)
		bufferevent_free(connection->io);
	if (connection->deadline)
		event_free(connection->deadline);
	free(connection);
}

/* ------------------------------------------------------------------ the request */

static void send_answer(struct connection *connection, const char *status, const char *type,
			struct evbuffer *body, bool with_body)
{
	struct evbuffer *out = bufferevent_get_output(connection->io);

	connection->answered = true;
	evbuffer_add_printf(out,
			    "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
			    "Connection: close\r\n\r\n",
			    status, type, evbuffer_get_length(body));
	if (with_body)
		(void)evbuffer_add_buffer(out, body);
}

static void send_error(struct connection *connection, const char *status)
{
	struct evbuffer *body = evbuffer_new();

	if (!body) {
		close_connection(connection);
		return;
	}
	evbuffer_add_printf(body, "%s\n", status);
	send_answer(connection, status, "text/plain", body, true);
	evbuffer_free(body);
}

static void send_page(struct connection *connection, bool with_body)
{
	const struct rg_metrics_server *server = connection->server;
	struct evbuffer *body = evbuffer_new();

	if (!body || server->page(server->arg, body))
		send_error(connection, "500 Internal Server Error");
	else
		send_answer(connection, "200 OK", "text/plain; version=0.0.4", body, with_body);
	if (body)
		evbuffer_free(body);
}

/* True if the request asks for path, with or without a query. */
static bool asks_for(const char *target, const char *path)
{
	size_t len = strcspn(target, "?");

	return len == strlen(path) && !strncmp(target, path, len);
}

/* line: the first of the request, "GET /metrics HTTP/1.1". */
static void answer(struct connection *connection, char *line)
{
	char *rest = NULL, *method = strtok_r(line, " ", &rest),
	     *target = strtok_r(NULL, " ", &rest), *version = strtok_r(NULL, " ", &rest);
	bool head = method && !strcmp(method, "HEAD");

	if (!version || strncmp(version, "HTTP/1.", 7) != 0)
		send_error(connection, "400 Bad Request");
	else if (!head && strcmp(method, "GET") != 0)
		send_error(connection, "405 Method Not Allowed");
	else if (!asks_for(target, "/metrics"))
		send_error(connection, "404 Not Found");
	else
		send_page(connection, !head);
}

/* Headers are not needed; an empty line ends them. */
static void on_input(struct bufferevent *io, void *arg)
{
	struct connection *connection = arg;
	struct evbuffer *in = bufferevent_get_input(io);
	char *line;

	if (connection->answered) {
		(void)evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	if (evbuffer_search(in, "\r\n\r\n", 4, NULL).pos < 0 &&
	    evbuffer_search(in, "\n\n", 2, NULL).pos < 0) {
		if (evbuffer_get_length(in) >= MAX_REQUEST)
			close_connection(connection);
		return;
	}
	line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF);
	(void)evbuffer_drain(in, evbuffer_get_length(in));
	if (line)
		answer(connection, line);
	free(line);
}

/* The client closes after us: if we closed first, what it sent late would reset the connection. */
static void on_written(struct bufferevent *io, void *arg)
{
	const struct connection *connection = arg;

	if (connection->answered)
		(void)shutdown(bufferevent_getfd(io), SHUT_WR);
}

static void on_trouble(struct bufferevent *io, short what, void *arg)
{
	(void)io;
	(void)what;
	close_connection(arg);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	close_connection(arg);
}

/* ------------------------------------------------------------------ connections */

static bool is_loopback(const struct rg_addr *addr)
{
	return (rg_addr_is_v4(addr) && addr->bytes[RG_ADDR_V4_OFFSET] == 127) ||
	       !memcmp(addr->bytes, &in6addr_loopback, sizeof(in6addr_loopback));
}

/* Makes room for a connection from this address. */
static void make_room(struct rg_metrics_server *server, const struct rg_addr *from)
{
	struct connection *oldest = TAILQ_FIRST(&server->connections), *connection;
	unsigned int same = 0;

	if (server->count < RG_METRICS_CONNECTIONS) {
		oldest = NULL;
		TAILQ_FOREACH(connection, &server->connections, entry) {
			if (memcmp(&connection->from, from, sizeof(*from)) != 0)
				continue;
			if (!same++)
				oldest = connection;
		}
		if (is_loopback(from) || same < MAX_PER_SOURCE)
			return;
	}
	++*server->closed;
	close_connection(oldest);
}

/* Takes over fd. */
static void add_connection(struct rg_metrics_server *server, int fd, const struct rg_addr *from)
{
	struct connection *connection;

	make_room(server, from);
	connection = calloc(1, sizeof(*connection));
	if (!connection) {
		close(fd);
		return;
	}
	connection->server = server;
	connection->from = *from;
	TAILQ_INSERT_TAIL(&server->connections, connection, entry);
	server->count++;
	connection->io = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	connection->deadline = evtimer_new(server->base, on_deadline, connection);
	if (!connection->io)
		close(fd);
	if (!connection->io || !connection->deadline ||
	    evtimer_add(connection->deadline, &life_time)) {
		close_connection(connection);
		return;
	}
	(void)bufferevent_priority_set(connection->io, RG_PRIORITY_LOW);
	bufferevent_setwatermark(connection->io, EV_READ, 0, MAX_REQUEST);
	bufferevent_setcb(connection->io, on_input, on_written, on_trouble, connection);
	bufferevent_enable(connection->io, EV_READ | EV_WRITE);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	const struct rg_metrics_server *server = arg;

	(void)fd;
	(void)what;
	event_add(server->listening, NULL);
}

static void on_connection(evutil_socket_t listen_fd, short what, void *arg)
{
	static const struct timeval pause = { .tv_sec = 1 };
	struct rg_metrics_server *server = arg;

	(void)what;
	for (int i = 0; i < MAX_ACCEPTS; i++) {
		struct sockaddr_storage address = {};
		socklen_t len = sizeof(address);
		struct rg_addr from = {};
		int fd = accept4(listen_fd, (struct sockaddr *)&address, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			(void)rg_addr_from_sockaddr((const struct sockaddr *)&address, &from);
			add_connection(server, fd, &from);
		} else if (errno != ECONNABORTED && errno != EINTR) {
			/* Without a descriptor or memory the socket stays readable: wait. */
			if (errno != EAGAIN) {
				event_del(server->listening);
				event_add(server->resume, &pause);
			}
			return;
		}
	}
}

static int listen_on(const struct sockaddr_storage *address)
{
	socklen_t len = address->ss_family == AF_INET ? sizeof(struct sockaddr_in) :
							sizeof(struct sockaddr_in6);
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1,
	    err;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!bind(fd, (const struct sockaddr *)address, len) && !listen(fd, BACKLOG))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int rg_metrics_server_new(struct rg_metrics_server **ret, struct event_base *base,
			  const struct sockaddr_storage *address, rg_metrics_page *page, void *arg,
			  uint64_t *closed)
{
	struct rg_metrics_server *server = calloc(1, sizeof(*server));
	int err;

	if (!server)
		return -ENOMEM;
	TAILQ_INIT(&server->connections);
	server->base = base;
	server->page = page;
	server->arg = arg;
	server->closed = closed;
	server->fd = listen_on(address);
	err = server->fd < 0 ? server->fd : 0;
	if (!err) {
		server->listening =
			event_new(base, server->fd, EV_READ | EV_PERSIST, on_connection, server);
		server->resume = evtimer_new(base, on_resume, server);
		if (!server->listening || !server->resume)
			err = -ENOMEM;
	}
	if (!err) {
		(void)event_priority_set(server->listening, RG_PRIORITY_LOW);
		if (event_add(server->listening, NULL))
			err = -ENOMEM;
	}
	if (err)
		rg_metrics_server_free(server);
	else
		*ret = server;
	return err;
}

void rg_metrics_server_free(struct rg_metrics_server *server)
{
	struct connection *connection;

	if (!server)
		return;
	while ((connection = TAILQ_FIRST(&server->connections)))
		close_connection(connection);
	if (server->listening)
		event_free(server->listening);
	if (server->resume)
		event_free(server->resume);
	rg_closep(&server->fd);
	free(server);
}
