/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/dns_channel.h"

/* Versions before 1.34 have the old API only, and some of them call it deprecated. */
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/queue.h>
#include <sys/uio.h>

#define HAVE_ARES_DNSREC (ARES_VERSION >= 0x012200) /* 1.34.0 */

/* One of c-ares's sockets in the event loop. */
struct polled_socket {
	LIST_ENTRY(polled_socket) entry;
	struct rg_dns_channel *channel;
	struct event *event;
	int fd;
};

struct rg_dns_channel {
	struct event_base *base;
	rg_dns_channel_answered *answered;
#if HAVE_ARES_DNSREC
	ares_channel_t *ares; /* NULL: none yet */
#else
	ares_channel ares; /* NULL: none yet */
#endif
	struct event *timer; /* for c-ares's timeouts */
	bool timer_runs;
	struct timeval tick; /* how exactly c-ares keeps its timeouts */
	LIST_HEAD(, polled_socket) polled_sockets;
	struct rg_dns_socket udp;
	unsigned int open; /* questions without an answer */
};

/* ------------------------------------------------------------------ the event loop */

/*
 * At fixed times, while there is something to wait for: ares_timeout() would look at each question in
 * flight.
 */
static void arm_timer(struct rg_dns_channel *channel)
{
	if (channel->timer_runs || !channel->open)
		return;
	channel->timer_runs = true;
	event_add(channel->timer, &channel->tick);
}

static void process(struct rg_dns_channel *channel, int readable, int writable)
{
	ares_process_fd(channel->ares, readable < 0 ? ARES_SOCKET_BAD : readable,
			writable < 0 ? ARES_SOCKET_BAD : writable);
}

void rg_dns_channel_flush(struct rg_dns_channel *channel)
{
	while (rg_dns_socket_has_unsent(&channel->udp)) {
		rg_dns_socket_flush(&channel->udp);
		if (channel->udp.error)
			process(channel, channel->udp.fd, -1); /* reads the error */
	}
	arm_timer(channel);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct polled_socket *polled = arg; /* may be freed while c-ares is called */
	struct rg_dns_channel *channel = polled->channel;

	rg_dns_inbox_begin(channel->udp.in);
	process(channel, what & EV_READ ? fd : -1, what & EV_WRITE ? fd : -1);
	/*
	 * c-ares may take one datagram for each call (1.20 to 1.33 with socket functions; later ones
	 * stop at a datagram of a stranger). The event loop knows nothing of those in the inbox.
	 */
	while (rg_dns_socket_has_unread(&channel->udp))
		process(channel, channel->udp.fd, -1);
	rg_dns_channel_flush(channel);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct rg_dns_channel *channel = arg;

	(void)fd;
	(void)what;
	channel->timer_runs = false;
	process(channel, -1, -1);
	rg_dns_channel_flush(channel);
}

static void drop_polled(struct polled_socket *polled)
{
	LIST_REMOVE(polled, entry);
	event_free(polled->event);
	free(polled);
}

static struct polled_socket *find_polled(struct rg_dns_channel *channel, int fd)
{
	struct polled_socket *polled;

	LIST_FOREACH(polled, &channel->polled_sockets, entry)
		if (polled->fd == fd)
			return polled;
	return NULL;
}

/* c-ares opened, closed or changed its interest in a socket. */
static void on_sock_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct rg_dns_channel *channel = arg;
	struct polled_socket *polled = find_polled(channel, fd);

	if (polled)
		drop_polled(polled);
	if (!readable && !writable)
		return;
	polled = calloc(1, sizeof(*polled));
	if (!polled)
		return; /* the questions time out, which is counted */
	polled->channel = channel;
	polled->fd = fd;
	polled->event =
		event_new(channel->base, fd,
			  (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0)),
			  on_socket, polled);
	if (!polled->event || event_add(polled->event, NULL)) {
		if (polled->event)
			event_free(polled->event);
		free(polled);
		return;
	}
	LIST_INSERT_HEAD(&channel->polled_sockets, polled, entry);
}

/* ------------------------------------------------------------------ c-ares's sockets */

static ares_socket_t open_socket(int family, int type, int protocol, void *arg)
{
	struct rg_dns_channel *channel = arg;
	int fd, on = 1;

	if (type == SOCK_DGRAM) {
		fd = rg_dns_socket_open(&channel->udp, family);
		return fd < 0 ? ARES_SOCKET_BAD : fd;
	}
	fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0)
		return ARES_SOCKET_BAD;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static int close_socket(ares_socket_t fd, void *arg)
{
	struct rg_dns_channel *channel = arg;

	return fd == channel->udp.fd ? rg_dns_socket_close(&channel->udp) : close(fd);
}

static void finish(struct rg_dns_question *question, const struct rg_dns_answer *answer)
{
	struct rg_dns_channel *channel = question->channel;

	channel->open--;
	channel->answered(question, answer);
}

/* Of a question that got no message, by c-ares's status. */
static void read_status(struct rg_dns_answer *answer, int status)
{
	*answer = (struct rg_dns_answer){ .status = RG_DNS_BAD };
	/* Where nobody listens, the kernel may say so: the same as silence. */
	if (status == ARES_ETIMEOUT || status == ARES_ECONNREFUSED)
		answer->status = RG_DNS_TIMEOUT;
}

#if HAVE_ARES_DNSREC
/* ------------------------------------------------------------------ c-ares 1.34 and later */

/*
 * These versions measure how long the resolver takes for an answer of NOERROR or NXDOMAIN, and give a
 * question up after five times the average, which may be 250 ms, whatever the timeout: a slow answer
 * of a fast resolver would be lost. They do not measure other response codes. So datagrams are given
 * to c-ares with other codes, and read_message() turns them back. Answers over TCP are measured.
 */
#define SUCH_NAME ARES_RCODE_YXDOMAIN /* stands for NOERROR */
#define NO_SUCH_NAME ARES_RCODE_NXRRSET /* stands for NXDOMAIN */
#define LEAST_TIMEOUT 250 /* ms */
#define RCODE_AT 3 /* octet of the message, low half (RFC 1035, 4.1.1) */

static void hide_rcode(uint8_t *message, size_t len)
{
	unsigned int rcode;

	if (len <= RCODE_AT)
		return;
	rcode = message[RCODE_AT] & 0xf;
	if (rcode == ARES_RCODE_NOERROR)
		rcode = SUCH_NAME;
	else if (rcode == ARES_RCODE_NXDOMAIN)
		rcode = NO_SUCH_NAME;
	else if (rcode == SUCH_NAME || rcode == NO_SUCH_NAME)
		rcode = ARES_RCODE_FORMERR; /* no answer to a question */
	message[RCODE_AT] = (uint8_t)((message[RCODE_AT] & 0xf0) | rcode);
}

static ares_dns_rcode_t rcode_of(const ares_dns_record_t *message)
{
	ares_dns_rcode_t rcode = ares_dns_record_get_rcode(message);

	return rcode == SUCH_NAME    ? ARES_RCODE_NOERROR :
	       rcode == NO_SUCH_NAME ? ARES_RCODE_NXDOMAIN :
				       rcode;
}

static ares_ssize_t receive(ares_socket_t fd, void *to, size_t size, int flags,
			    struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
	struct rg_dns_channel *channel = arg;
	ares_ssize_t len;
	int type = SOCK_STREAM;
	socklen_t type_len = sizeof(type);

	if (fd == channel->udp.fd) {
		len = rg_dns_socket_receive(&channel->udp, to, size, from, from_len);
	} else {
		/* TCP, or a UDP socket that c-ares keeps for questions before a timeout. */
		len = recvfrom(fd, to, size, flags, from, from_len);
		(void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len);
	}
	if (len > 0 && (fd == channel->udp.fd || type == SOCK_DGRAM))
		hide_rcode(to, (size_t)len);
	return len;
}

static ares_ssize_t send_bytes(ares_socket_t fd, const void *bytes, size_t len, int flags,
			       const struct sockaddr *to, ares_socklen_t to_len, void *arg)
{
	struct rg_dns_channel *channel = arg;

	if (fd != channel->udp.fd)
		return sendto(fd, bytes, len, flags, to, to_len);
	return rg_dns_socket_send(&channel->udp, bytes, len);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t len,
			  unsigned int flags, void *arg)
{
	(void)flags;
	(void)arg;
	return connect(fd, to, len);
}

static int set_option(ares_socket_t fd, ares_socket_opt_t option, const void *value,
		      ares_socklen_t size, void *arg)
{
	(void)fd;
	(void)option;
	(void)value;
	(void)size;
	(void)arg;
	errno = ENOSYS; /* on purpose, c-ares goes on without */
	return -1;
}

static const struct ares_socket_functions_ex socket_functions = {
	.version = 1,
	.flags = ARES_SOCKFUNC_FLAG_NONBLOCKING, /* reads until there is nothing more */
	.asocket = open_socket,
	.aclose = close_socket,
	.asetsockopt = set_option,
	.aconnect = connect_socket,
	.arecvfrom = receive,
	.asendto = send_bytes,
};

static void add_record(struct rg_dns_answer *answer, bool authority, const ares_dns_rr_t *record)
{
	unsigned int type = (unsigned int)ares_dns_rr_get_type(record);
	uint32_t value = 0;

	if (ares_dns_rr_get_class(record) != ARES_CLASS_IN)
		return;
	if (type == RG_DNS_TYPE_A) {
		const struct in_addr *address = ares_dns_rr_get_addr(record, ARES_RR_A_ADDR);

		if (!address)
			return;
		value = ntohl(address->s_addr);
	} else if (type == RG_DNS_TYPE_SOA) {
		value = ares_dns_rr_get_u32(record, ARES_RR_SOA_MINIMUM);
	}
	rg_dns_message_add(answer, authority, type, ares_dns_rr_get_ttl(record), value);
}

static void read_message(struct rg_dns_answer *answer, const ares_dns_record_t *message)
{
	ares_dns_rcode_t rcode = rcode_of(message);
	size_t answers = ares_dns_record_rr_cnt(message, ARES_SECTION_ANSWER);
	size_t authorities = ares_dns_record_rr_cnt(message, ARES_SECTION_AUTHORITY);

	rg_dns_message_begin(answer, (unsigned int)rcode);
	for (size_t i = 0; rcode == ARES_RCODE_NOERROR && i < answers; i++)
		add_record(answer, false,
			   ares_dns_record_rr_get_const(message, ARES_SECTION_ANSWER, i));
	for (size_t i = 0; i < authorities; i++)
		add_record(answer, true,
			   ares_dns_record_rr_get_const(message, ARES_SECTION_AUTHORITY, i));
}

static void on_message(void *arg, ares_status_t status, size_t timeouts,
		       const ares_dns_record_t *message)
{
	struct rg_dns_answer answer;

	(void)timeouts;
	if (message)
		read_message(&answer, message);
	else
		read_status(&answer, (int)status);
	finish(arg, &answer);
}

void rg_dns_channel_ask(struct rg_dns_channel *channel, struct rg_dns_question *question,
			const char *name)
{
	question->channel = channel;
	channel->open++;
	(void)ares_query_dnsrec(channel->ares, name, ARES_CLASS_IN, ARES_REC_TYPE_A, on_message,
				question, NULL);
}

static int set_resolver(struct rg_dns_channel *channel, const struct sockaddr_storage *resolver)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)resolver;
	const struct sockaddr_in *in = (const struct sockaddr_in *)resolver;
	char address[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 16];

	if (resolver->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address));
		snprintf(text, sizeof(text), "%s:%u", address, ntohs(in->sin_port));
	} else {
		inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address));
		snprintf(text, sizeof(text), "[%s]:%u", address, ntohs(in6->sin6_port));
	}
	return ares_set_servers_ports_csv(channel->ares, text);
}

static int set_socket_functions(struct rg_dns_channel *channel)
{
	return (int)ares_set_socket_functions_ex(channel->ares, &socket_functions, channel);
}

#else
/* ------------------------------------------------------------------ c-ares 1.18 */

static ares_ssize_t receive(ares_socket_t fd, void *to, size_t size, int flags,
			    struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
	struct rg_dns_channel *channel = arg;

	if (fd == channel->udp.fd)
		return rg_dns_socket_receive(&channel->udp, to, size, from, from_len);
	return recvfrom(fd, to, size, flags, from, from_len);
}

static ares_ssize_t send_parts(ares_socket_t fd, const struct iovec *parts, int count, void *arg)
{
	struct rg_dns_channel *channel = arg;

	if (fd != channel->udp.fd || count != 1)
		return writev(fd, parts, count);
	return rg_dns_socket_send(&channel->udp, parts->iov_base, parts->iov_len);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t len, void *arg)
{
	(void)arg;
	return connect(fd, to, len);
}

static const struct ares_socket_functions socket_functions = {
	.asocket = open_socket,
	.aclose = close_socket,
	.aconnect = connect_socket,
	.arecvfrom = receive,
	.asendv = send_parts,
};

static void on_message(void *arg, int status, int timeouts, unsigned char *message, int len)
{
	struct rg_dns_answer answer;

	(void)timeouts;
	if (message && len > 0 && status != ARES_EBADRESP)
		rg_dns_message_read(message, (size_t)len, &answer);
	else
		read_status(&answer, status);
	finish(arg, &answer);
}

void rg_dns_channel_ask(struct rg_dns_channel *channel, struct rg_dns_question *question,
			const char *name)
{
	question->channel = channel;
	channel->open++;
	ares_query(channel->ares, name, ns_c_in, ns_t_a, on_message, question);
}

static int set_resolver(struct rg_dns_channel *channel, const struct sockaddr_storage *resolver)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)resolver;
	const struct sockaddr_in *in = (const struct sockaddr_in *)resolver;
	struct ares_addr_port_node node = { .family = resolver->ss_family };

	if (resolver->ss_family == AF_INET) {
		node.addr.addr4 = in->sin_addr;
		node.udp_port = node.tcp_port = ntohs(in->sin_port);
	} else {
		memcpy(&node.addr.addr6, &in6->sin6_addr, sizeof(node.addr.addr6));
		node.udp_port = node.tcp_port = ntohs(in6->sin6_port);
	}
	return ares_set_servers_ports(channel->ares, &node);
}

static int set_socket_functions(struct rg_dns_channel *channel)
{
	ares_set_socket_functions(channel->ares, &socket_functions, channel);
	return ARES_SUCCESS;
}

#endif

/* ------------------------------------------------------------------ a channel */

static int open_channel(struct rg_dns_channel *channel, const struct sockaddr_storage *resolver,
			uint32_t timeout, uint32_t tries, struct rg_error *error)
{
	struct ares_options options = {
		/* Names are whole; SERVFAIL and REFUSED are answers; the socket stays open. */
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP |
			 ARES_FLAG_STAYOPEN,
		.timeout = (int)timeout,
		.tries = (int)tries,
		.sock_state_cb = on_sock_state,
		.sock_state_cb_data = channel,
		.lookups = (char[]){ "b" },
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
		   ARES_OPT_LOOKUPS;
	int status;

#ifdef ARES_OPT_QUERY_CACHE
	/* On by default from 1.31 on: it takes memory, and answers after `flush`. 0: off. */
	options.qcache_max_ttl = 0;
	mask |= ARES_OPT_QUERY_CACHE;
#endif
#if HAVE_ARES_DNSREC
	/* By itself it takes no timeout under 250 ms or over 5 s, and this one more than either. */
	options.maxtimeout = (int)(timeout < LEAST_TIMEOUT ? timeout : timeout << (tries - 1));
	mask |= ARES_OPT_MAXTIMEOUTMS;
#endif
	status = ares_init_options(&channel->ares, &options, mask);
	if (status == ARES_SUCCESS)
		status = set_socket_functions(channel);
	if (status == ARES_SUCCESS)
		status = set_resolver(channel, resolver);
	return status == ARES_SUCCESS ? 0 : rg_fail(error, -EIO, "c-ares: %s", ares_strerror(status));
}

/* A twentieth of the timeout, but no less than 2 ms and no more than 20. */
static struct timeval tick_of(uint32_t timeout_ms)
{
	uint32_t ms = timeout_ms / 20;

	ms = ms < 2 ? 2 : ms > 20 ? 20 : ms;
	return (struct timeval){ .tv_usec = (suseconds_t)(ms * 1000) };
}

int rg_dns_channel_new(struct rg_dns_channel **ret, struct event_base *base,
		       struct rg_dns_inbox *inbox, const struct sockaddr_storage *resolver,
		       uint32_t timeout, uint32_t tries, rg_dns_channel_answered *answered,
		       struct rg_error *error)
{
	struct rg_dns_channel *channel = calloc(1, sizeof(*channel));
	int err;

	if (!channel)
		return rg_fail(error, -ENOMEM, "out of memory");
	channel->base = base;
	channel->answered = answered;
	channel->tick = tick_of(timeout);
	LIST_INIT(&channel->polled_sockets);
	rg_dns_socket_init(&channel->udp, inbox);
	channel->timer = evtimer_new(base, on_timer, channel);
	err = channel->timer ? open_channel(channel, resolver, timeout, tries, error) :
			       rg_fail(error, -ENOMEM, "out of memory");
	if (err)
		rg_dns_channel_free(channel);
	else
		*ret = channel;
	return err;
}

void rg_dns_channel_free(struct rg_dns_channel *channel)
{
	struct polled_socket *polled;

	if (!channel)
		return;
	if (channel->ares)
		ares_destroy(channel->ares);
	rg_dns_socket_clear(&channel->udp);
	while ((polled = LIST_FIRST(&channel->polled_sockets)))
		drop_polled(polled);
	if (channel->timer)
		event_free(channel->timer);
	free(channel);
}
