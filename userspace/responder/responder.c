/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "responder/responder.h"

#include "base/addr.h"
#include "base/hash.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <uthash.h>

#define IDLE_SECONDS 30
#define SESSION_SECONDS 300
#define LINGER_SECONDS \
	2 /* for the peer to read the last reply: closing at once could reset it away */
#define BACKLOG 4096
/* The held SYNs of clean peers must not wait for a crowd of refused ones. */
#define ACCEPTS_PER_TURN 32
#define INPUT_PIECE 4096

_Static_assert(INPUT_PIECE >= RG_SMTP_LINE, "rg_smtp_feed() takes something of every full piece");

/* Sessions of one peer. */
struct crowd {
	struct rg_addr key; /* IPv6 cut to ipv6_prefix */
	unsigned int open;
	UT_hash_handle hh;
};

struct session {
	TAILQ_ENTRY(session) entry; /* oldest first */
	struct rg_responder *responder;
	struct bufferevent *io;
	struct event *greeting; /* NULL: not delayed */
	struct crowd *crowd;
	struct rg_conf *conf;
	uint64_t started;
	uint16_t port, local_port;
	enum rg_action action;
	bool early;
	bool lingers; /* the last reply is sent, the peer's end is awaited */
	enum rg_session_end end;
	struct rg_refusal refusal;
	struct rg_smtp smtp;
};

TAILQ_HEAD(session_list, session);

struct door {
	struct rg_responder *responder;
	struct event *event;
	enum rg_action action;
	int fd;
};

struct rg_responder {
	struct event_base *base;
	struct rg_conf **conf;
	struct rg_responder_calls calls;
	struct door doors[RG_RESPONDER_SOCKETS];
	struct event *resume; /* after a pause of accepting */
	struct session_list sessions;
	struct crowd *crowds;
	const struct timeval *idle, *linger;
	struct rg_responder_count count;
	char out[8192]; /* replies of one turn, sent by one system call */
	size_t out_len;
};

static void leave_crowd(struct rg_responder *responder, struct crowd *crowd)
{
	if (--crowd->open)
		return;
	HASH_DEL(responder->crowds, crowd);
	free(crowd);
}

/* NULL: too many of this peer are here already, or no memory. */
static struct crowd *join_crowd(struct rg_responder *responder, const struct rg_addr *addr)
{
	const struct rg_conf *conf = *responder->conf;
	struct rg_prefix peer = rg_peer_of(addr, conf->ipv6_prefix);
	struct crowd *crowd;

	HASH_FIND(hh, responder->crowds, &peer.addr, sizeof(peer.addr), crowd);
	if (crowd && crowd->open >= conf->max_sessions_per_peer)
		return NULL;
	if (!crowd) {
		crowd = calloc(1, sizeof(*crowd));
		if (!crowd)
			return NULL;
		crowd->key = peer.addr;
		HASH_ADD(hh, responder->crowds, key, sizeof(crowd->key), crowd);
	}
	crowd->open++;
	return crowd;
}

static void add_oddities(struct rg_smtp_oddities *sum, const struct rg_smtp_oddities *odd)
{
	sum->bare_lf += odd->bare_lf;
	sum->nul += odd->nul;
	sum->long_lines += odd->long_lines;
	sum->pipelined += odd->pipelined;
	sum->unknown += odd->unknown;
	sum->syntax += odd->syntax;
	sum->sequence += odd->sequence;
}

static void count_end(struct rg_responder_count *count, const struct session *session)
{
	count->open--;
	count->refused += session->smtp.refused;
	count->recipients += session->smtp.recipients;
	count->lost += session->end == RG_SESSION_LOST && !session->smtp.refused;
	count->timeouts += session->end == RG_SESSION_TIMEOUT;
	add_oddities(&count->odd, &session->smtp.odd);
}

static void free_session(struct session *session)
{
	struct rg_responder *responder = session->responder;
	const struct rg_session_report report = { .smtp = &session->smtp,
						  .action = session->action,
						  .end = session->end,
						  .early = session->early,
						  .port = session->port,
						  .local_port = session->local_port,
						  .started = session->started };

	count_end(&responder->count, session);
	responder->calls.ended(responder->calls.arg, &report);
	TAILQ_REMOVE(&responder->sessions, session, entry);
	leave_crowd(responder, session->crowd);
	if (session->greeting)
		event_free(session->greeting);
	bufferevent_free(session->io);
	rg_conf_unref(session->conf);
	free(session);
}

/* Sends what the turn's replies are; what the socket does not take waits in the bufferevent. */
static void flush_replies(struct session *session)
{
	struct rg_responder *responder = session->responder;
	struct evbuffer *waiting = bufferevent_get_output(session->io);
	size_t sent = 0;

	if (!evbuffer_get_length(waiting)) {
		ssize_t len = send(bufferevent_getfd(session->io), responder->out,
				   responder->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);

		sent = len > 0 ? (size_t)len : 0;
	}
	if (sent < responder->out_len)
		(void)bufferevent_write(session->io, responder->out + sent,
					responder->out_len - sent);
	responder->out_len = 0;
}

static void on_reply(void *arg, enum rg_smtp_verb verb, const char *reply, size_t len)
{
	struct session *session = arg;
	struct rg_responder *responder = session->responder;

	if (verb == RG_SMTP_VERB_QUIT && *reply == '2')
		session->end = RG_SESSION_QUIT;
	if (responder->out_len + len > sizeof(responder->out))
		flush_replies(session);
	if (len > sizeof(responder->out))
		return; /* can't happen: RG_REPLY_SIZE is less */
	memcpy(responder->out + responder->out_len, reply, len);
	responder->out_len += len;
}

/*
 * The last reply is under way. Closing with unread input would reset the connection, and the peer
 * might never see the reply: so our direction is closed, and the peer gets a moment to close its own.
 */
static void linger(struct session *session)
{
	session->lingers = true;
	(void)shutdown(bufferevent_getfd(session->io), SHUT_WR);
	bufferevent_set_timeouts(session->io, session->responder->linger, session->responder->linger);
}

/* After replies: true if the session is gone. */
static bool finish_turn(struct session *session)
{
	flush_replies(session);
	if (session->smtp.state != RG_SMTP_CLOSING || session->lingers ||
	    evbuffer_get_length(bufferevent_get_output(session->io)))
		return false;
	if (session->end == RG_SESSION_QUIT || session->end == RG_SESSION_STOPPED) {
		free_session(session);
		return true;
	}
	linger(session);
	return false;
}

static void take_input(struct session *session)
{
	struct evbuffer *input = bufferevent_get_input(session->io);
	size_t len, taken;

	while ((len = evbuffer_get_length(input))) {
		if (len > INPUT_PIECE)
			len = INPUT_PIECE;
		taken = rg_smtp_feed(&session->smtp,
				     (const char *)evbuffer_pullup(input, (ssize_t)len), len);
		evbuffer_drain(input, taken);
		if (!taken)
			break;
	}
}

static void on_input(struct bufferevent *io, void *arg)
{
	struct session *session = arg;
	struct rg_smtp *smtp = &session->smtp;

	if (smtp->state == RG_SMTP_CONNECTED) {
		/* Before the greeting: it waits until then, and no more is read. */
		session->early = true;
		session->responder->count.early++;
		bufferevent_disable(io, EV_READ);
		return;
	}
	if (smtp->state == RG_SMTP_CLOSING) {
		evbuffer_drain(bufferevent_get_input(io),
			       evbuffer_get_length(bufferevent_get_input(io)));
		return;
	}
	take_input(session);
	(void)finish_turn(session);
}

/* What had waited is sent. */
static void on_written(struct bufferevent *io, void *arg)
{
	(void)io;
	(void)finish_turn(arg);
}

static void on_trouble(struct bufferevent *io, short what, void *arg)
{
	struct session *session = arg;

	if (what & BEV_EVENT_TIMEOUT && session->smtp.state != RG_SMTP_CLOSING &&
	    !evbuffer_get_length(bufferevent_get_output(io))) {
		session->end = RG_SESSION_TIMEOUT;
		rg_smtp_close(&session->smtp, "4.4.2", "Timeout exceeded");
		bufferevent_enable(io, EV_READ);
		(void)finish_turn(session);
		return;
	}
	if (session->smtp.state != RG_SMTP_CLOSING)
		session->end = what & BEV_EVENT_TIMEOUT ? RG_SESSION_TIMEOUT : RG_SESSION_LOST;
	free_session(session);
}

static void greet(struct session *session)
{
	rg_smtp_greet(&session->smtp);
	if (finish_turn(session))
		return;
	bufferevent_enable(session->io, EV_READ);
	if (evbuffer_get_length(bufferevent_get_input(session->io)))
		on_input(session->io, session);
}

static void on_greeting_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	greet(arg);
}

/* Waits for greet_delay; without memory for a timer it does not. */
static void greet_later(struct session *session)
{
	const struct timeval delay = { .tv_sec = session->conf->greet_delay / 1000,
				       .tv_usec = session->conf->greet_delay % 1000 * 1000 };

	session->greeting = evtimer_new(session->responder->base, on_greeting_due, session);
	if (!session->greeting || event_add(session->greeting, &delay))
		greet(session);
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;

	return ntohs(address->ss_family == AF_INET ? in->sin_port : in6->sin6_port);
}

/* Instead of a session: the peer may come again (RFC 5321, 3.8). */
static void turn_away(struct rg_responder *responder, int fd)
{
	char reply[RG_REPLY_LINE];
	int len = snprintf(reply, sizeof(reply), "421 4.7.0 %s Too many connections, try later\r\n",
			   (*responder->conf)->responder_name);

	(void)send(fd, reply, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/* Refused peers must not take the descriptors that DNS and repgatectl need. */
#define SPARE_FILES 256

uint32_t rg_responder_limit(const struct rg_conf *conf)
{
	struct rlimit files;
	rlim_t spare = SPARE_FILES, limit;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur == RLIM_INFINITY)
		return conf->max_sessions;
	if (files.rlim_cur / 2 < spare)
		spare = files.rlim_cur / 2;
	limit = files.rlim_cur - spare;
	return limit < conf->max_sessions ? (uint32_t)limit : conf->max_sessions;
}

/* Owns fd if it returns a session. */
static struct session *new_session(struct door *door, int fd, const struct rg_addr *addr,
				   struct crowd *crowd)
{
	struct rg_responder *responder = door->responder;
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->io = bufferevent_socket_new(responder->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!session->io) {
		free(session);
		return NULL;
	}
	session->responder = responder;
	session->crowd = crowd;
	session->conf = rg_conf_ref(*responder->conf);
	session->started = rg_now();
	session->action = door->action;
	session->end = RG_SESSION_CLOSED;
	responder->calls.find(responder->calls.arg, session->conf, addr, door->action,
			      &session->refusal);
	rg_smtp_init(&session->smtp, session->conf->reply_stage, session->conf->responder_name,
		     &session->refusal, addr, on_reply, session);
	(void)bufferevent_priority_set(session->io, RG_PRIORITY_LOW);
	bufferevent_setcb(session->io, on_input, on_written, on_trouble, session);
	bufferevent_set_timeouts(session->io, responder->idle, responder->idle);
	bufferevent_setwatermark(session->io, EV_READ, 0, INPUT_PIECE);
	TAILQ_INSERT_TAIL(&responder->sessions, session, entry);
	responder->count.sessions++;
	responder->count.open++;
	return session;
}

static void welcome(struct door *door, int fd, const struct sockaddr_storage *from)
{
	struct rg_responder *responder = door->responder;
	struct sockaddr_storage to = {};
	socklen_t len = sizeof(to);
	struct session *session;
	struct crowd *crowd;
	struct rg_addr addr;

	if (rg_addr_from_sockaddr((const struct sockaddr *)from, &addr)) {
		close(fd);
		return;
	}
	if (responder->count.open >= rg_responder_limit(*responder->conf)) {
		responder->count.over_sessions++;
		turn_away(responder, fd);
		return;
	}
	crowd = join_crowd(responder, &addr);
	session = crowd ? new_session(door, fd, &addr, crowd) : NULL;
	if (!session) {
		responder->count.over_peer++;
		if (crowd)
			leave_crowd(responder, crowd);
		turn_away(responder, fd);
		return;
	}
	(void)getsockname(fd, (struct sockaddr *)&to, &len);
	session->port = port_of(from);
	session->local_port = port_of(&to);
	if (session->conf->greet_delay) {
		bufferevent_enable(session->io, EV_READ);
		greet_later(session);
	} else {
		greet(session);
	}
}

static void pause_accepting(struct rg_responder *responder)
{
	static const struct timeval pause = { .tv_sec = 1 };

	responder->count.accept_failed++;
	for (int i = 0; i < RG_RESPONDER_SOCKETS; i++)
		if (responder->doors[i].event)
			event_del(responder->doors[i].event);
	event_add(responder->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct rg_responder *responder = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < RG_RESPONDER_SOCKETS; i++)
		if (responder->doors[i].event)
			event_add(responder->doors[i].event, NULL);
}

static bool is_exhaustion(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

static void on_knock(evutil_socket_t listener, short what, void *arg)
{
	struct door *door = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from = {};
		socklen_t len = sizeof(from);
		int fd = accept4(listener, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			welcome(door, fd, &from);
		} else if (is_exhaustion(errno)) {
			pause_accepting(door->responder);
			return;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		}
	}
}

/* On loopback and a port of the kernel's choice: only steered connections are meant to come. */
static int listen_on_loopback(int family)
{
	const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	const struct sockaddr_in in = { .sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, err;

	if (fd < 0)
		return -errno;
	/* Sessions have the mail server's port, and inherit this: without it the server could not be
	 * started while there are any. */
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

static int open_door(struct rg_responder *responder, struct rg_loader *loader,
		     enum rg_responder_socket slot)
{
	struct door *door = &responder->doors[slot];
	bool v6 = slot == RG_RESPONDER_TEMPFAIL6 || slot == RG_RESPONDER_REJECT6;
	int err;

	door->responder = responder;
	door->action = slot == RG_RESPONDER_TEMPFAIL4 || slot == RG_RESPONDER_TEMPFAIL6 ?
			       RG_ACTION_TEMPFAIL :
			       RG_ACTION_REJECT;
	door->fd = listen_on_loopback(v6 ? AF_INET6 : AF_INET);
	/* A host without IPv6 has no such peers either. */
	if (v6 && (door->fd == -EAFNOSUPPORT || door->fd == -EADDRNOTAVAIL))
		return 0;
	if (door->fd < 0)
		return door->fd;
	door->event = event_new(responder->base, door->fd, EV_READ | EV_PERSIST, on_knock, door);
	if (!door->event || event_priority_set(door->event, RG_PRIORITY_LOW) ||
	    event_add(door->event, NULL))
		return -ENOMEM;
	err = rg_loader_set_responder(loader, slot, door->fd);
	return err;
}

int rg_responder_new(struct rg_responder **ret, struct event_base *base, struct rg_loader *loader,
		     struct rg_conf **conf, const struct rg_responder_calls *calls,
		     struct rg_error *error)
{
	static const struct timeval idle = { .tv_sec = IDLE_SECONDS },
				    linger = { .tv_sec = LINGER_SECONDS };
	struct rg_responder *responder = calloc(1, sizeof(*responder));
	int err = 0;

	if (!responder)
		return rg_fail(error, -ENOMEM, "out of memory");
	responder->base = base;
	responder->conf = conf;
	responder->calls = *calls;
	/* Timers of one length in a queue of their own: 10,000 of them cost nothing to renew. */
	responder->idle = event_base_init_common_timeout(base, &idle);
	responder->linger = event_base_init_common_timeout(base, &linger);
	TAILQ_INIT(&responder->sessions);
	for (int i = 0; i < RG_RESPONDER_SOCKETS; i++)
		responder->doors[i].fd = -1;
	responder->resume = evtimer_new(base, on_resume, responder);
	if (!responder->idle || !responder->linger || !responder->resume)
		err = -ENOMEM;
	for (int i = 0; !err && i < RG_RESPONDER_SOCKETS; i++)
		err = open_door(responder, loader, (enum rg_responder_socket)i);
	if (err) {
		rg_responder_free(responder);
		return rg_fail(error, err, "SMTP responder: %s", strerror(-err));
	}
	*ret = responder;
	return 0;
}

static void stop_session(struct session *session)
{
	session->end = RG_SESSION_STOPPED;
	if (session->smtp.state != RG_SMTP_CLOSING)
		rg_smtp_close(&session->smtp, "4.3.2", "Service shutting down");
	flush_replies(session);
	free_session(session);
}

void rg_responder_free(struct rg_responder *responder)
{
	struct session *session;

	if (!responder)
		return;
	for (int i = 0; i < RG_RESPONDER_SOCKETS; i++) {
		if (responder->doors[i].event)
			event_free(responder->doors[i].event);
		rg_closep(&responder->doors[i].fd);
	}
	while ((session = TAILQ_FIRST(&responder->sessions)))
		stop_session(session);
	if (responder->resume)
		event_free(responder->resume);
	free(responder);
}

void rg_responder_tick(struct rg_responder *responder, uint64_t now)
{
	struct session *session, *next;

	for (session = TAILQ_FIRST(&responder->sessions); session; session = next) {
		next = TAILQ_NEXT(session, entry);
		if (now - session->started < SESSION_SECONDS * RG_NSEC_PER_SEC)
			break;
		if (session->smtp.state != RG_SMTP_CLOSING) {
			session->end = RG_SESSION_TIMEOUT;
			rg_smtp_close(&session->smtp, "4.4.2", "Session too long");
		}
		flush_replies(session);
		free_session(session);
	}
}

struct rg_responder_count rg_responder_count(const struct rg_responder *responder)
{
	return responder->count;
}
