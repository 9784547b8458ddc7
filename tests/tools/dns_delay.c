/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_delay - a slow way to a DNS server
 *
 * Forwards DNS queries by UDP and hands each answer back a set time after it
 * came. Put between repgated and its resolver it makes DNS as slow as a test
 * needs it, and its log tells which names were asked, and how often.
 *
 * It also tells how long each answer took, its delay included: from the
 * query's arrival, as the kernel noted it, until the answer is handed back.
 *
 * Queries get an id of their own on the way to the server, so that one socket
 * carries all of them: up to 65536 may be outstanding. TCP is not forwarded.
 */
#define _GNU_SOURCE 1 /* ppoll */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC 1000000000ULL
#define DNS_HEADER 12
#define DNS_NAME_MAX 255
#define DNS_LABEL_MAX 63
/* No answer is waited for longer than this; its id is free again then. */
#define QUERY_LIFE (10 * NSEC_PER_SEC)
/* Bytes that the kernel may hold for each socket: 10,000 queries at once. */
#define SOCKET_BUFFER (16 << 20)

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct query {
	union addr client;
	uint64_t asked; /* nanoseconds, CLOCK_MONOTONIC; 0: slot is free */
	uint64_t came; /* nanoseconds, CLOCK_REALTIME */
	uint16_t id; /* the client's, network byte order */
};

struct answer {
	struct answer *next;
	union addr client;
	uint64_t due; /* nanoseconds, CLOCK_MONOTONIC */
	uint64_t came; /* the query, nanoseconds, CLOCK_REALTIME */
	size_t len;
	uint8_t data[];
};

struct forwarder {
	int clients, server; /* sockets */
	uint64_t delay; /* nanoseconds */
	FILE *log, *times; /* NULL: none */
	uint16_t next_id;
	struct query queries[UINT16_MAX + 1];
	/* One delay for all, so answers become due in the order they come. */
	struct answer *first, **last;
};

static uint64_t nsec_of(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * NSEC_PER_SEC + (uint64_t)ts->tv_nsec;
}

static uint64_t clock_nsec(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return nsec_of(&ts);
}

static uint64_t now_nsec(void)
{
	return clock_nsec(CLOCK_MONOTONIC);
}

__attribute__((format(printf, 2, 3))) static void complain(int error, const char *format, ...)
{
	va_list args;

	fputs("dns_delay: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s", strerror(error));
	fputc('\n', stderr);
}

static socklen_t addr_len(const union addr *addr)
{
	return addr->sa.sa_family == AF_INET ? sizeof(addr->in) : sizeof(addr->in6);
}

/* ADDRESS:PORT, an IPv6 address in brackets. */
static bool parse_endpoint(const char *text, union addr *addr)
{
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	char *end;
	unsigned long port;

	memset(addr, 0, sizeof(*addr));
	if (!len || len >= sizeof(host))
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (!isdigit((unsigned char)colon[1]) || *end || !port || port > 65535)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &addr->in.sin_addr) == 1) {
		addr->in.sin_family = AF_INET;
		addr->in.sin_port = htons((uint16_t)port);
		return true;
	}
	if (host[0] != '[' || host[len - 1] != ']')
		return false;
	host[len - 1] = '\0';
	addr->in6.sin6_family = AF_INET6;
	addr->in6.sin6_port = htons((uint16_t)port);
	return inet_pton(AF_INET6, host + 1, &addr->in6.sin6_addr) == 1;
}

static int open_socket(const union addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int size = SOCKET_BUFFER;

	if (fd < 0)
		return -errno;
	/* Without CAP_NET_ADMIN the buffer is smaller: fit for small tests. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		complain(errno, "socket buffers of %d bytes", size);
	return fd;
}

/* The name in a query, lower case, without the last dot. */
static bool read_name(const uint8_t *data, size_t len, char *name, size_t *end)
{
	size_t at = DNS_HEADER, out = 0, label;

	while (at < len && data[at]) {
		label = data[at++];
		if (label > DNS_LABEL_MAX || at + label > len || out + label + 1 > DNS_NAME_MAX)
			return false;
		if (out)
			name[out++] = '.';
		for (; label; label--)
			name[out++] = (char)tolower(data[at++]);
	}
	name[out] = '\0';
	*end = at + 1;
	return at < len;
}

static const char *type_name(unsigned int type, char *number, size_t size)
{
	switch (type) {
	case 1:
		return "A";
	case 2:
		return "NS";
	case 6:
		return "SOA";
	case 16:
		return "TXT";
	case 28:
		return "AAAA";
	default:
		snprintf(number, size, "TYPE%u", type);
		return number;
	}
}

static void log_query(struct forwarder *f, const uint8_t *data, size_t len)
{
	char name[DNS_NAME_MAX + 1], number[16];
	size_t end;

	if (!f->log)
		return;
	if (!read_name(data, len, name, &end) || end + 2 > len) {
		fputs("malformed\t-\n", f->log);
		return;
	}
	fprintf(f->log, "%s\t%s\n", name,
		type_name((unsigned int)(data[end] << 8 | data[end + 1]), number, sizeof(number)));
}

/* A slot whose id is free, NULL if 65536 queries are outstanding. */
static struct query *take_slot(struct forwarder *f, uint64_t now)
{
	struct query *query;
	size_t tries;

	for (tries = 0; tries <= UINT16_MAX; tries++) {
		query = &f->queries[f->next_id++];
		if (!query->asked || now - query->asked > QUERY_LIFE)
			return query;
	}
	return NULL;
}

static void take_query(struct forwarder *f, uint8_t *data, size_t len, const union addr *client,
		       uint64_t came)
{
	uint64_t now = now_nsec();
	struct query *query;
	uint16_t id;

	if (len < DNS_HEADER)
		return;
	log_query(f, data, len);
	query = take_slot(f, now);
	if (!query) {
		complain(0, "65536 queries outstanding, one dropped");
		return;
	}
	query->client = *client;
	query->asked = now;
	query->came = came;
	memcpy(&query->id, data, sizeof(query->id));
	id = htons((uint16_t)(query - f->queries));
	memcpy(data, &id, sizeof(id));
	if (send(f->server, data, len, 0) < 0)
		complain(errno, "asking the server");
}

static void take_answer(struct forwarder *f, const uint8_t *data, size_t len)
{
	struct answer *answer;
	struct query *query;
	uint16_t id;

	if (len < DNS_HEADER)
		return;
	memcpy(&id, data, sizeof(id));
	query = &f->queries[ntohs(id)];
	if (!query->asked)
		return;
	query->asked = 0;
	answer = malloc(sizeof(*answer) + len);
	if (!answer) {
		complain(errno, "keeping an answer");
		return;
	}
	answer->next = NULL;
	answer->client = query->client;
	answer->due = now_nsec() + f->delay;
	answer->came = query->came;
	answer->len = len;
	memcpy(answer->data, data, len);
	memcpy(answer->data, &query->id, sizeof(query->id));
	*f->last = answer;
	f->last = &answer->next;
}

/* When the kernel had it, or now if it does not say. */
static uint64_t arrival(struct msghdr *message)
{
	struct cmsghdr *note = CMSG_FIRSTHDR(message);
	struct timespec ts;

	for (; note; note = CMSG_NXTHDR(message, note)) {
		if (note->cmsg_level != SOL_SOCKET || note->cmsg_type != SO_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(note), sizeof(ts));
		return nsec_of(&ts);
	}
	return clock_nsec(CLOCK_REALTIME);
}

static void read_clients(struct forwarder *f)
{
	_Alignas(struct cmsghdr) uint8_t notes[256];
	uint8_t data[UINT16_MAX];
	struct iovec part = { .iov_base = data, .iov_len = sizeof(data) };
	union addr client;
	ssize_t len;

	for (;;) {
		struct msghdr message = { .msg_name = &client,
					  .msg_namelen = sizeof(client),
					  .msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = notes,
					  .msg_controllen = sizeof(notes) };

		len = recvmsg(f->clients, &message, 0);
		if (len < 0)
			break;
		take_query(f, data, (size_t)len, &client, arrival(&message));
	}
	if (errno != EAGAIN)
		complain(errno, "reading a query");
}

static void read_server(struct forwarder *f)
{
	uint8_t data[UINT16_MAX];
	ssize_t len;

	while ((len = recv(f->server, data, sizeof(data), 0)) >= 0)
		take_answer(f, data, (size_t)len);
	if (errno != EAGAIN)
		complain(errno, "reading an answer");
}

static void note_time(struct forwarder *f, const struct answer *answer)
{
	uint64_t took = clock_nsec(CLOCK_REALTIME) - answer->came;
	char name[DNS_NAME_MAX + 1];
	size_t end;

	if (f->times && read_name(answer->data, answer->len, name, &end))
		fprintf(f->times, "%s\t%ju\n", name, (uintmax_t)took / 1000);
}

static void send_due(struct forwarder *f)
{
	struct answer *answer;
	uint64_t now = now_nsec();

	while ((answer = f->first) && answer->due <= now) {
		note_time(f, answer);
		if (sendto(f->clients, answer->data, answer->len, 0, &answer->client.sa,
			   addr_len(&answer->client)) < 0)
			complain(errno, "handing an answer back");
		f->first = answer->next;
		if (!f->first)
			f->last = &f->first;
		free(answer);
	}
}

static int forward(struct forwarder *f)
{
	struct pollfd fds[] = {
		{ .fd = f->clients, .events = POLLIN },
		{ .fd = f->server, .events = POLLIN },
	};
	struct timespec wait, *timeout;
	uint64_t now;

	for (;;) {
		timeout = NULL;
		/* When there is time for it. */
		if (!f->first && f->times)
			fflush(f->times);
		if (f->first) {
			now = now_nsec();
			now = f->first->due > now ? f->first->due - now : 0;
			wait.tv_sec = (time_t)(now / NSEC_PER_SEC);
			wait.tv_nsec = (long)(now % NSEC_PER_SEC);
			timeout = &wait;
		}
		if (ppoll(fds, 2, timeout, NULL) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			read_clients(f);
		if (fds[1].revents)
			read_server(f);
		send_due(f);
	}
}

static bool open_forwarder(struct forwarder *f, const char *listen_text, const char *server_text)
{
	union addr listen_addr, server_addr;
	int one = 1;

	f->last = &f->first;
	if (!parse_endpoint(listen_text, &listen_addr)) {
		complain(0, "'%s' is not ADDRESS:PORT", listen_text);
		return false;
	}
	if (!parse_endpoint(server_text, &server_addr)) {
		complain(0, "'%s' is not ADDRESS:PORT", server_text);
		return false;
	}
	f->clients = open_socket(&listen_addr);
	f->server = open_socket(&server_addr);
	if (f->clients < 0 || f->server < 0) {
		complain(-(f->clients < 0 ? f->clients : f->server), "opening a socket");
		return false;
	}
	if (f->times && setsockopt(f->clients, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one))) {
		complain(errno, "asking for times of arrival");
		return false;
	}
	if (bind(f->clients, &listen_addr.sa, addr_len(&listen_addr))) {
		complain(errno, "listening on %s", listen_text);
		return false;
	}
	if (connect(f->server, &server_addr.sa, addr_len(&server_addr))) {
		complain(errno, "connecting to %s", server_text);
		return false;
	}
	return true;
}

static bool parse_delay(const char *text, uint64_t *delay)
{
	char *end;
	unsigned long msec = strtoul(text, &end, 10);

	*delay = msec * NSEC_PER_MSEC;
	return isdigit((unsigned char)*text) && !*end && msec <= 60000;
}

static FILE *open_log(const char *path)
{
	FILE *log = fopen(path, "ae");

	/* Whole lines at once: a test reads the log while it grows. */
	if (log && setvbuf(log, NULL, _IOLBF, 0)) {
		fclose(log);
		return NULL;
	}
	return log;
}

static int usage(void)
{
	fputs("usage: dns_delay [options] LISTEN:PORT SERVER:PORT\n"
	      "  -d, --delay MS   hold each answer for MS, up to 60000 (0)\n"
	      "  -l, --log FILE   append one line a query: name, tab, type\n"
	      "  -t, --times FILE append one line an answer: name, tab,\n"
	      "                   microseconds that it took\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "delay", required_argument, NULL, 'd' },
						 { "log", required_argument, NULL, 'l' },
						 { "times", required_argument, NULL, 't' },
						 {} };
	static struct forwarder f;
	int option, err;

	while ((option = getopt_long(argc, argv, "d:l:t:", options, NULL)) >= 0) {
		if (option == 'd' && parse_delay(optarg, &f.delay))
			continue;
		if (option == 'l')
			f.log = open_log(optarg);
		else if (option == 't')
			f.times = fopen(optarg, "ae");
		else
			return usage();
		if (option == 'l' ? !f.log : !f.times) {
			complain(errno, "%s", optarg);
			return EXIT_FAILURE;
		}
	}
	if (argc - optind != 2)
		return usage();
	if (!open_forwarder(&f, argv[optind], argv[optind + 1]))
		return EXIT_FAILURE;
	err = forward(&f);
	complain(-err, "waiting for packets");
	return EXIT_FAILURE;
}
