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
#define LINGER_SECONDS 2 /* for the peer to read the last reply, see linger() */
#define INPUT_PIECE 4096

_Static_assert(INPUT_PIECE >= RG_SMTP_LINE, "rg_smtp_feed() takes something of every full piece");

/* How many sessions a peer has. Freed with the last one. */
struct peer {
	struct rg_addr key; /* IPv6 cut to ipv6_prefix */
	unsigned int open;
	UT_hash_handle hh;
};

struct session {
	TAILQ_ENTRY(session) entry; /* oldest first */
	struct rg_responder *responder;
	struct bufferevent *io;
	struct event *greeting; /* NULL: not delayed */
	struct peer *peer;
	struct rg_conf *conf;
	uint64_t started;
	uint16_t port, local_port;
	enum rg_action action;
	bool early;
	bool lingers; /* our direction is closed, the peer's is not yet */
	enum rg_session_end end;
	struct rg_refusal refusal;
	struct rg_smtp smtp;
};

TAILQ_HEAD(session_list, session);

struct rg_responder {
	struct event_base *base;
	struct rg_conf **conf;
	struct rg_responder_calls calls;
	struct rg_listener *listener;
	struct session_list sessions;
	struct peer *peers;
	const struct timeval *idle, *linger;
	struct rg_responder_count count;
	char out[8192]; /* replies to what was read at once, sent by one system call */
	size_t out_len;
};

static void release_peer(struct rg_responder *responder, struct peer *peer)
{
	if (--peer->open)
		return;
	HASH_DEL(responder->peers, peer);
	free(peer);
}

/* A peer without sessions. NULL: no memory. */
static struct peer *add_peer(struct rg_responder *responder, const struct rg_addr *key)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	peer->key = *key;
	HASH_ADD(hh, responder->peers, key, sizeof(peer->key), peer);
	if (peer->hh.tbl)
		return peer;
	free(peer);
	return NULL;
}

/* Counts one more session of addr's peer. NULL: it has as many as it may, or no memory; counted. */
static struct peer *take_peer(struct rg_responder *responder, const struct rg_addr *addr)
{
	const struct rg_conf *conf = *responder->conf;
	struct rg_prefix prefix = rg_peer_of(addr, conf->ipv6_prefix);
	struct peer *peer;

	HASH_FIND(hh, responder->peers, &prefix.addr, sizeof(prefix.addr), peer);
	if (peer && peer->open >= conf->max_sessions_per_peer) {
		responder->count.over_peer++;
		return NULL;
	}
	if (!peer)
		peer = add_peer(responder, &prefix.addr);
	if (peer)
		peer->open++;
	else
		responder->count.no_memory++;
	return peer;
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
	release_peer(responder, session->peer);
	if (session->greeting)
		event_free(session->greeting);
	bufferevent_free(session->io);
	rg_conf_unref(session->conf);
	free(session);
}

/* Sends the replies collected so far; what the socket does not take waits in the bufferevent. */
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
	/* A dialogue that lacks a reply is no use to the peer. */
	if (sent < responder->out_len &&
	    bufferevent_write(session->io, responder->out + sent, responder->out_len - sent)) {
		responder->count.no_memory++;
		session->smtp.state = RG_SMTP_CLOSING;
	}
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
 * Call when the last reply is sent. close() with unread input resets the connection, and the peer may
 * lose the reply. So only our direction is closed, and the peer has LINGER_SECONDS to close its own.
 */
static void linger(struct session *session)
{
	session->lingers = true;
	(void)shutdown(bufferevent_getfd(session->io), SHUT_WR);
	bufferevent_set_timeouts(session->io, session->responder->linger, session->responder->linger);
}

/* Call after replies. True if the session has ended. */
static bool finish_replies(struct session *session)
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
	const char *piece;
	size_t len, taken;

	while ((len = evbuffer_get_length(input))) {
		if (len > INPUT_PIECE)
			len = INPUT_PIECE;
		piece = (const char *)evbuffer_pullup(input, (ssize_t)len);
		if (!piece)
			break; /* no memory: the next input or the timeout goes on */
		taken = rg_smtp_feed(&session->smtp, piece, len);
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
		/* The peer talks before the greeting. What it sent waits until then, no more is read. */
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
	(void)finish_replies(session);
}

/* The replies that had to wait are sent. */
static void on_written(struct bufferevent *io, void *arg)
{
	(void)io;
	(void)finish_replies(arg);
}

static void on_trouble(struct bufferevent *io, short what, void *arg)
{
	struct session *session = arg;

	if (what & BEV_EVENT_TIMEOUT && session->smtp.state != RG_SMTP_CLOSING &&
	    !evbuffer_get_length(bufferevent_get_output(io))) {
		session->end = RG_SESSION_TIMEOUT;
		rg_smtp_close(&session->smtp, "4.4.2", "Timeout exceeded");
		bufferevent_enable(io, EV_READ);
		(void)finish_replies(session);
		return;
	}
	if (session->smtp.state != RG_SMTP_CLOSING)
		session->end = what & BEV_EVENT_TIMEOUT ? RG_SESSION_TIMEOUT : RG_SESSION_LOST;
	free_session(session);
}

static void greet(struct session *session)
{
	rg_smtp_greet(&session->smtp);
	if (finish_replies(session))
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

/*
 * Greets after greet_delay; at once if there is no memory for a timer. libevent counts from the beginning of
 * the loop's turn, which may be before the peer connected.
 */
static void greet_later(struct session *session)
{
	const struct timeval delay = { .tv_sec = session->conf->greet_delay / 1000,
				       .tv_usec = session->conf->greet_delay % 1000 * 1000 };

	(void)event_base_update_cache_time(session->responder->base);
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

/* Replies 421 and closes: the peer tries again later (RFC 5321, 3.8). */
static void refuse_connection(struct rg_responder *responder, int fd)
{
	char reply[RG_REPLY_LINE];
	int len = snprintf(reply, sizeof(reply), "421 4.7.0 %s Too many connections, try later\r\n",
			   (*responder->conf)->responder_name);

	(void)send(fd, reply, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/* File descriptors that sessions leave for DNS, repgatectl and the rest. */
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
static struct session *new_session(struct rg_responder *responder, int fd, const struct rg_addr *addr,
				   struct peer *peer, enum rg_action action)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->io = bufferevent_socket_new(responder->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!session->io) {
		free(session);
		return NULL;
	}
	session->responder = responder;
	session->peer = peer;
	session->conf = rg_conf_ref(*responder->conf);
	session->started = rg_now();
	session->action = action;
	session->end = RG_SESSION_CLOSED;
	responder->calls.find(responder->calls.arg, session->conf, addr, action, &session->refusal);
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

/* Steered connections keep the port that the peer connected to; the sockets' own ports are others. */
static bool is_steered(const struct rg_conf *conf, uint16_t local_port)
{
	for (unsigned int i = 0; i < conf->port_count; i++)
		if (conf->ports[i] == local_port)
			return true;
	return false;
}

/*
 * A session if the limits allow one, else a reply of 421. A local user can connect to the sockets
 * themselves: that is closed at once, or he could fill the sessions from 127.0.0.0/8.
 */
static void on_accepted(void *arg, int fd, const struct sockaddr_storage *from, enum rg_action action)
{
	struct rg_responder *responder = arg;
	struct sockaddr_storage to = {};
	socklen_t len = sizeof(to);
	struct session *session;
	struct peer *peer;
	struct rg_addr addr;

	if (rg_addr_from_sockaddr((const struct sockaddr *)from, &addr)) {
		close(fd);
		return;
	}
	(void)getsockname(fd, (struct sockaddr *)&to, &len);
	if (!is_steered(*responder->conf, port_of(&to))) {
		responder->count.not_steered++;
		close(fd);
		return;
	}
	if (responder->count.open >= rg_responder_limit(*responder->conf)) {
		responder->count.over_sessions++;
		refuse_connection(responder, fd);
		return;
	}
	peer = take_peer(responder, &addr);
	session = peer ? new_session(responder, fd, &addr, peer, action) : NULL;
	if (!session) {
		if (peer) {
			responder->count.no_memory++;
			release_peer(responder, peer);
		}
		refuse_connection(responder, fd);
		return;
	}
	session->port = port_of(from);
	session->local_port = port_of(&to);
	if (session->conf->greet_delay) {
		bufferevent_enable(session->io, EV_READ);
		greet_later(session);
	} else {
		greet(session);
	}
}

int rg_responder_new(struct rg_responder **ret, struct event_base *base, struct rg_loader *loader,
		     struct rg_conf **conf, const struct rg_responder_calls *calls,
		     struct rg_error *error)
{
	static const struct timeval idle = { .tv_sec = IDLE_SECONDS },
				    linger = { .tv_sec = LINGER_SECONDS };
	struct rg_responder *responder = calloc(1, sizeof(*responder));
	int err;

	if (!responder)
		return rg_fail(error, -ENOMEM, "out of memory");
	responder->base = base;
	responder->conf = conf;
	responder->calls = *calls;
	/* libevent keeps timers of one length in a queue: to renew one of 10,000 costs nothing. */
	responder->idle = event_base_init_common_timeout(base, &idle);
	responder->linger = event_base_init_common_timeout(base, &linger);
	TAILQ_INIT(&responder->sessions);
	err = responder->idle && responder->linger ?
		      rg_listener_new(&responder->listener, base, loader, on_accepted, responder) :
		      -ENOMEM;
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
	while ((session = TAILQ_FIRST(&responder->sessions)))
		stop_session(session);
	rg_listener_free(responder->listener);
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
	struct rg_responder_count count = responder->count;

	count.accept_failed = rg_listener_failures(responder->listener);
	return count;
}
