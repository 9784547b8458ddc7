/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/queue.h>
#include <sys/uio.h>

/* Datagrams that one system call sends, or reads. */
#define OUT_BATCH 64
#define IN_BATCH 32
/* Answers in one turn of the loop, then a look at what else there is. */
#define ANSWERS_PER_TURN 256
#define OUT_SIZE 288 /* a question: header, name of 255, type and class (RFC 1035, 4.1) */
#define IN_SIZE 4096 /* more than anybody may answer without EDNS */

struct rg_dns_query {
	TAILQ_ENTRY(rg_dns_query) entry;
	struct rg_dns *dns;
	rg_dns_callback *callback; /* NULL: cancelled */
	void *arg;
	unsigned int lane;
	bool waits; /* in its lane's list */
	char name[]; /* may hold a key: never logged */
};

TAILQ_HEAD(query_list, rg_dns_query);

/* Datagrams that c-ares has sent, and the kernel does not know of yet. */
struct outgoing {
	unsigned int count;
	struct mmsghdr messages[OUT_BATCH];
	struct iovec parts[OUT_BATCH];
	uint8_t bytes[OUT_BATCH][OUT_SIZE]; /* names: may hold a key */
};

/* Datagrams that the kernel gave, and c-ares has not read yet. Of one socket: they are read at once. */
struct incoming {
	unsigned int count, next;
	unsigned int turn; /* in this turn of the loop */
	struct mmsghdr messages[IN_BATCH];
	struct iovec parts[IN_BATCH];
	struct sockaddr_storage from[IN_BATCH];
	uint8_t bytes[IN_BATCH][IN_SIZE];
};

/* A zone's queries. A channel each: c-ares drops a server's sockets all together, TCP's and UDP's. */
struct lane {
	struct rg_dns *dns;
	ares_channel channel; /* NULL: none yet */
	struct event *timer; /* c-ares's retries */
	bool timer_runs;
	struct query_list waiting;
	uint32_t in_flight;
	int udp; /* c-ares's socket, -1: none */
	int error; /* of sending, for c-ares to read; 0: none */
	struct outgoing *out; /* NULL until the lane is first used */
};

/* One of c-ares's sockets in the event loop. */
struct watch {
	LIST_ENTRY(watch) entry;
	struct lane *lane;
	struct event *event;
	int fd;
};

struct rg_dns {
	struct event_base *base;
	struct event *pump; /* sends what waits, from the loop */
	LIST_HEAD(, watch) watches;
	struct incoming in;
	struct lane *lanes;
	unsigned int lane_count;
	unsigned int turn; /* the lane that comes next */
	uint32_t max_in_flight;
	uint32_t max_lane;
	struct timeval tick; /* how exactly c-ares keeps its timeouts */
	struct rg_dns_load load;
	bool ending;
};

const char *rg_dns_status_name(enum rg_dns_status status)
{
	static const char *const names[RG_DNS_STATUS_MAX] = {
		[RG_DNS_OK] = "answer",	      [RG_DNS_NONE] = "no record",
		[RG_DNS_TIMEOUT] = "timeout", [RG_DNS_SERVFAIL] = "servfail",
		[RG_DNS_REFUSED] = "refused", [RG_DNS_BAD] = "bad answer",
		[RG_DNS_OFF] = "zone off",
	};

	return status < RG_DNS_STATUS_MAX ? names[status] : "?";
}

/* ------------------------------------------------------------------ c-ares's sockets */

/*
 * By itself c-ares sends and reads one datagram with each system call, and each one sent may let the
 * server run at once, in our place. So what it sends is collected, and goes out before the loop waits
 * again; what came is read in one go.
 */

static ares_socket_t open_socket(int family, int type, int protocol, void *arg)
{
	struct lane *lane = arg;
	int fd, on = 1;

	if (!lane->out)
		lane->out = calloc(1, sizeof(*lane->out));
	if (!lane->out)
		return ARES_SOCKET_BAD;
	fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0)
		return ARES_SOCKET_BAD;
	if (type == SOCK_DGRAM)
		lane->udp = fd;
	else
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static int close_socket(ares_socket_t fd, void *arg)
{
	struct lane *lane = arg;

	if (fd == lane->udp) {
		lane->udp = -1;
		lane->error = 0;
		lane->out->count = 0;
		lane->dns->in.count = lane->dns->in.next = 0;
	}
	return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t len, void *arg)
{
	(void)arg;
	return connect(fd, to, len);
}

/* Sends what was collected. What a full buffer does not take is asked again, as if it had been lost. */
static void send_collected(struct lane *lane)
{
	struct outgoing *out = lane->out;
	unsigned int sent = 0;

	while (sent < out->count && !lane->error) {
		int count = sendmmsg(lane->udp, out->messages + sent, out->count - sent, 0);

		if (count > 0)
			sent += (unsigned int)count;
		else if (errno == EAGAIN || errno == ENOBUFS)
			break;
		else if (errno != EINTR)
			lane->error = errno;
	}
	explicit_bzero(out->bytes, out->count * sizeof(out->bytes[0]));
	out->count = 0;
}

static ares_ssize_t send_parts(ares_socket_t fd, const struct iovec *parts, int count, void *arg)
{
	struct lane *lane = arg;
	struct outgoing *out = lane->out;
	unsigned int at;

	if (fd != lane->udp || count != 1 || parts->iov_len > OUT_SIZE)
		return writev(fd, parts, count);
	if (out->count == OUT_BATCH)
		send_collected(lane);
	at = out->count++;
	memcpy(out->bytes[at], parts->iov_base, parts->iov_len);
	out->parts[at] = (struct iovec){ out->bytes[at], parts->iov_len };
	out->messages[at].msg_hdr = (struct msghdr){ .msg_iov = &out->parts[at], .msg_iovlen = 1 };
	return (ares_ssize_t)parts->iov_len;
}

/* Reads as many datagrams as there are, up to IN_BATCH. 0 or -1 with errno. */
static int read_batch(struct rg_dns *dns, int fd)
{
	struct incoming *in = &dns->in;
	int count;

	if (in->turn >= ANSWERS_PER_TURN) {
		errno = EAGAIN;
		return -1;
	}
	for (unsigned int i = 0; i < IN_BATCH; i++) {
		in->parts[i] = (struct iovec){ in->bytes[i], IN_SIZE };
		in->messages[i].msg_hdr = (struct msghdr){ .msg_name = &in->from[i],
							   .msg_namelen = sizeof(in->from[i]),
							   .msg_iov = &in->parts[i],
							   .msg_iovlen = 1 };
	}
	count = recvmmsg(fd, in->messages, IN_BATCH, 0, NULL);
	if (count < 0)
		return -1;
	in->next = 0;
	in->count = (unsigned int)count;
	in->turn += in->count;
	return 0;
}

static ares_ssize_t read_part(ares_socket_t fd, void *to, size_t size, int flags,
			      struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
	struct lane *lane = arg;
	struct incoming *in = &lane->dns->in;
	const struct msghdr *header;
	size_t len;

	if (fd != lane->udp)
		return recvfrom(fd, to, size, flags, from, from_len);
	if (lane->error) {
		errno = lane->error;
		lane->error = 0;
		return -1;
	}
	if (in->next == in->count && read_batch(lane->dns, fd))
		return -1;
	header = &in->messages[in->next].msg_hdr;
	len = in->messages[in->next].msg_len < size ? in->messages[in->next].msg_len : size;
	memcpy(to, in->bytes[in->next], len);
	if (from && from_len) {
		memcpy(from, &in->from[in->next],
		       *from_len < header->msg_namelen ? *from_len : header->msg_namelen);
		*from_len = header->msg_namelen;
	}
	in->next++;
	return (ares_ssize_t)len;
}

static const struct ares_socket_functions socket_functions = {
	.asocket = open_socket,
	.aclose = close_socket,
	.aconnect = connect_socket,
	.arecvfrom = read_part,
	.asendv = send_parts,
};

/*
 * c-ares's timeouts, while it has something to wait for. At fixed times: ares_timeout() would look at
 * each query in flight.
 */
static void arm_timer(struct lane *lane)
{
	if (lane->timer_runs || !lane->in_flight)
		return;
	lane->timer_runs = true;
	event_add(lane->timer, &lane->dns->tick);
}

/* After c-ares was called: what it sends goes out, and what went wrong with it comes back. */
static void settle(struct lane *lane)
{
	while (lane->out && lane->out->count) {
		send_collected(lane);
		if (lane->error)
			ares_process_fd(lane->channel, lane->udp, ARES_SOCKET_BAD);
	}
	arm_timer(lane);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	struct lane *lane = watch->lane;

	lane->dns->in.turn = 0;
	/* watch may be gone after this. */
	ares_process_fd(lane->channel, what & EV_READ ? fd : ARES_SOCKET_BAD,
			what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	settle(lane);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct lane *lane = arg;

	(void)fd;
	(void)what;
	lane->timer_runs = false;
	ares_process_fd(lane->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	settle(lane);
}

static void drop_watch(struct watch *watch)
{
	LIST_REMOVE(watch, entry);
	event_free(watch->event);
	free(watch);
}

static struct watch *find_watch(struct rg_dns *dns, int fd)
{
	struct watch *watch;

	LIST_FOREACH(watch, &dns->watches, entry)
		if (watch->fd == fd)
			return watch;
	return NULL;
}

/* c-ares opened, closed or changed its interest in a socket. */
static void on_sock_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct lane *lane = arg;
	struct rg_dns *dns = lane->dns;
	struct watch *watch = find_watch(dns, fd);

	if (watch)
		drop_watch(watch);
	if (!readable && !writable)
		return;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return; /* the query times out, which is counted */
	watch->lane = lane;
	watch->fd = fd;
	watch->event =
		event_new(dns->base, fd,
			  (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0)),
			  on_socket, watch);
	if (!watch->event || event_add(watch->event, NULL)) {
		if (watch->event)
			event_free(watch->event);
		free(watch);
		return;
	}
	LIST_INSERT_HEAD(&dns->watches, watch, entry);
}

static uint32_t get32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Past one name (RFC 1035, 4.1.4), or SIZE_MAX. Pointers are not followed: they end a name. */
static size_t skip_name(const uint8_t *message, size_t len, size_t at)
{
	while (at < len) {
		uint8_t label = message[at];

		if (!label)
			return at + 1;
		if ((label & 0xc0) == 0xc0)
			return at + 2 <= len ? at + 2 : SIZE_MAX;
		if (label & 0xc0)
			return SIZE_MAX;
		at += 1u + label;
	}
	return SIZE_MAX;
}

#define RR_FIXED 10 /* type, class, TTL, length */

/* The record at *at; false if it is cut short. Moves *at past it. */
static bool next_record(const uint8_t *message, size_t len, size_t *at, uint16_t *type,
			uint32_t *ttl, const uint8_t **data, size_t *data_len)
{
	size_t fixed = skip_name(message, len, *at);

	if (fixed == SIZE_MAX || fixed > len || len - fixed < RR_FIXED)
		return false;
	*type = get16(message + fixed);
	*ttl = get32(message + fixed + 4);
	*data_len = get16(message + fixed + 8);
	*data = message + fixed + RR_FIXED;
	if (len - fixed - RR_FIXED < *data_len)
		return false;
	*at = fixed + RR_FIXED + *data_len;
	return true;
}

bool rg_dns_negative_ttl(const uint8_t *message, size_t len, uint32_t *ret)
{
	unsigned int questions, answers, authorities;
	const uint8_t *data;
	size_t at = 12, data_len;
	uint16_t type;
	uint32_t ttl;

	if (len < at)
		return false;
	questions = get16(message + 4);
	answers = get16(message + 6);
	authorities = get16(message + 8);
	while (questions--) {
		at = skip_name(message, len, at);
		if (at == SIZE_MAX || len < at || len - at < 4)
			return false;
		at += 4;
	}
	for (unsigned int i = 0; i < answers + authorities; i++) {
		if (!next_record(message, len, &at, &type, &ttl, &data, &data_len))
			return false;
		/* MINIMUM is the last of five numbers behind two names. */
		if (i >= answers && type == ns_t_soa && data_len >= 22) {
			uint32_t minimum = get32(data + data_len - 4);

			*ret = ttl < minimum ? ttl : minimum;
			return true;
		}
	}
	return false;
}

static void read_records(struct rg_dns_answer *answer, unsigned char *message, int len)
{
	struct ares_addrttl records[RG_DNS_MAX_RECORDS];
	int count = RG_DNS_MAX_RECORDS;

	int err = ares_parse_a_reply(message, len, NULL, records, &count);

	if (err != ARES_SUCCESS && err != ARES_ENODATA)
		return; /* BAD */
	if (err != ARES_SUCCESS || !count) {
		answer->status = RG_DNS_NONE; /* an answer of other types, a CNAME to nowhere */
		answer->has_ttl = rg_dns_negative_ttl(message, (size_t)len, &answer->ttl);
		return;
	}
	answer->status = RG_DNS_OK;
	answer->count = (size_t)count;
	answer->has_ttl = true;
	answer->ttl = UINT32_MAX;
	for (int i = 0; i < count; i++) {
		uint32_t ttl = records[i].ttl < 0 ? 0 : (uint32_t)records[i].ttl;

		answer->records[i] = ntohl(records[i].ipaddr.s_addr);
		if (ttl < answer->ttl)
			answer->ttl = ttl;
	}
}

static void read_answer(struct rg_dns_answer *answer, int status, unsigned char *message, int len)
{
	*answer = (struct rg_dns_answer){ .status = RG_DNS_BAD };
	switch (status) {
	case ARES_SUCCESS:
		read_records(answer, message, len);
		break;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
		answer->status = RG_DNS_NONE;
		if (message)
			answer->has_ttl = rg_dns_negative_ttl(message, (size_t)len, &answer->ttl);
		break;
	case ARES_ETIMEOUT:
	case ARES_ECONNREFUSED: /* nobody listens: to a peer the same as silence */
		answer->status = RG_DNS_TIMEOUT;
		break;
	case ARES_ESERVFAIL:
		answer->status = RG_DNS_SERVFAIL;
		break;
	case ARES_EREFUSED:
		answer->status = RG_DNS_REFUSED;
		break;
	default:
		break;
	}
}

static void free_query(struct rg_dns_query *query)
{
	explicit_bzero(query->name, strlen(query->name));
	free(query);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *message, int len)
{
	struct rg_dns_query *query = arg;
	struct rg_dns *dns = query->dns;
	struct rg_dns_answer answer;

	(void)timeouts;
	dns->load.in_flight--;
	dns->lanes[query->lane].in_flight--;
	if (query->callback && !dns->ending) {
		read_answer(&answer, status, message, len);
		query->callback(query->arg, &answer);
	}
	free_query(query);
	if (dns->load.waiting)
		event_active(dns->pump, EV_TIMEOUT, 0);
}

static bool lane_is_ready(const struct rg_dns *dns, const struct lane *lane)
{
	return !TAILQ_EMPTY(&lane->waiting) && lane->in_flight < dns->max_lane;
}

/* The next lane, round robin, that has something to send and may send it. */
static struct lane *next_lane(struct rg_dns *dns)
{
	for (unsigned int i = 0; i < dns->lane_count; i++) {
		struct lane *lane = &dns->lanes[(dns->turn + i) % dns->lane_count];

		if (lane_is_ready(dns, lane)) {
			dns->turn = (dns->turn + i + 1) % dns->lane_count;
			return lane;
		}
	}
	return NULL;
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct rg_dns *dns = arg;

	(void)fd;
	(void)what;
	while (dns->load.in_flight < dns->max_in_flight) {
		struct lane *lane = next_lane(dns);
		struct rg_dns_query *query;

		if (!lane)
			break;
		query = TAILQ_FIRST(&lane->waiting);
		TAILQ_REMOVE(&lane->waiting, query, entry);
		query->waits = false;
		dns->load.waiting--;
		dns->load.in_flight++;
		dns->load.asked++;
		lane->in_flight++;
		/* May call on_answer() at once, for a name that can't be asked for. */
		ares_query(lane->channel, query->name, ns_c_in, ns_t_a, on_answer, query);
	}
	for (unsigned int i = 0; i < dns->lane_count; i++)
		if (dns->lanes[i].in_flight)
			settle(&dns->lanes[i]);
}

/* Large bursts go through one socket: its buffers must hold them (the kernel may give less). */
static int enlarge_buffer(ares_socket_t fd, int type, void *arg)
{
	int size = 4 * 1024 * 1024;

	(void)type;
	(void)arg;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

static int set_resolver(struct lane *lane, const struct sockaddr_storage *resolver)
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
	return ares_set_servers_ports(lane->channel, &node);
}

static int open_channel(struct lane *lane, const struct rg_dns_options *options,
			struct rg_error *error)
{
	struct ares_options ares = {
		/* Names are whole; SERVFAIL and REFUSED are answers; the socket stays open. */
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP |
			 ARES_FLAG_STAYOPEN,
		.timeout = (int)options->timeout,
		.tries = (int)options->tries,
		.sock_state_cb = on_sock_state,
		.sock_state_cb_data = lane,
		.lookups = (char[]){ "b" },
	};
	int status = ares_init_options(&lane->channel, &ares,
				       ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
					       ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS);

	if (status != ARES_SUCCESS)
		return rg_fail(error, -EIO, "c-ares: %s", ares_strerror(status));
	ares_set_socket_functions(lane->channel, &socket_functions, lane);
	ares_set_socket_callback(lane->channel, enlarge_buffer, NULL);
	status = set_resolver(lane, &options->resolver);
	if (status != ARES_SUCCESS)
		return rg_fail(error, -EIO, "c-ares: %s", ares_strerror(status));
	return 0;
}

/* A twentieth of the timeout, but no less than 2 ms and no more than 20. */
static struct timeval tick_of(uint32_t timeout_ms)
{
	uint32_t ms = timeout_ms / 20;

	ms = ms < 2 ? 2 : ms > 20 ? 20 : ms;
	return (struct timeval){ .tv_usec = (suseconds_t)(ms * 1000) };
}

int rg_dns_new(struct rg_dns **ret, struct event_base *base, const struct rg_dns_options *options,
	       struct rg_error *error)
{
	struct rg_dns *dns = calloc(1, sizeof(*dns));
	int err;

	if (!dns)
		return rg_fail(error, -ENOMEM, "out of memory");
	LIST_INIT(&dns->watches);
	dns->base = base;
	dns->max_in_flight = options->in_flight;
	/* A lane may not fill more than three quarters, so that another one always has room. */
	dns->max_lane = options->in_flight > 3 ? options->in_flight * 3 / 4 : options->in_flight;
	dns->tick = tick_of(options->timeout);
	dns->lane_count = options->lanes;
	dns->lanes = calloc(options->lanes, sizeof(*dns->lanes));
	dns->pump = evtimer_new(base, on_pump, dns);
	err = dns->lanes && dns->pump ? 0 : rg_fail(error, -ENOMEM, "out of memory");
	for (unsigned int i = 0; dns->lanes && i < dns->lane_count; i++) {
		struct lane *lane = &dns->lanes[i];

		lane->dns = dns;
		lane->udp = -1;
		TAILQ_INIT(&lane->waiting);
		lane->timer = evtimer_new(base, on_timer, lane);
		if (!err)
			err = lane->timer ? open_channel(lane, options, error) :
					    rg_fail(error, -ENOMEM, "out of memory");
	}
	if (err)
		rg_dns_free(dns);
	else
		*ret = dns;
	return err;
}

void rg_dns_free(struct rg_dns *dns)
{
	struct watch *watch;

	if (!dns)
		return;
	dns->ending = true;
	for (unsigned int i = 0; dns->lanes && i < dns->lane_count; i++)
		if (dns->lanes[i].channel)
			ares_destroy(dns->lanes[i].channel); /* ends every query in flight */
	for (unsigned int i = 0; dns->lanes && i < dns->lane_count; i++) {
		struct rg_dns_query *query;

		while ((query = TAILQ_FIRST(&dns->lanes[i].waiting))) {
			TAILQ_REMOVE(&dns->lanes[i].waiting, query, entry);
			free_query(query);
		}
		free(dns->lanes[i].out);
		if (dns->lanes[i].timer)
			event_free(dns->lanes[i].timer);
	}
	while ((watch = LIST_FIRST(&dns->watches)))
		drop_watch(watch);
	if (dns->pump)
		event_free(dns->pump);
	free(dns->lanes);
	free(dns);
}

int rg_dns_query(struct rg_dns *dns, struct rg_dns_query **ret, unsigned int lane, const char *name,
		 rg_dns_callback *callback, void *arg)
{
	size_t size = strlen(name) + 1;
	struct rg_dns_query *query;

	if (lane >= dns->lane_count)
		return -EINVAL;
	query = calloc(1, sizeof(*query) + size);
	if (!query)
		return -ENOMEM;
	query->dns = dns;
	query->callback = callback;
	query->arg = arg;
	query->lane = lane;
	memcpy(query->name, name, size);
	TAILQ_INSERT_TAIL(&dns->lanes[lane].waiting, query, entry);
	query->waits = true;
	dns->load.waiting++;
	event_active(dns->pump, EV_TIMEOUT, 0);
	*ret = query;
	return 0;
}

void rg_dns_cancel(struct rg_dns_query *query)
{
	if (!query)
		return;
	query->callback = NULL;
	if (!query->waits)
		return; /* c-ares has it until its answer or its last timeout */
	TAILQ_REMOVE(&query->dns->lanes[query->lane].waiting, query, entry);
	query->dns->load.waiting--;
	free_query(query);
}

struct rg_dns_load rg_dns_load(const struct rg_dns *dns)
{
	return dns->load;
}
