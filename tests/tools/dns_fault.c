/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_fault - a way to a DNS server on which each zone can break in its own way
 *
 * Forwards DNS queries, asked by UDP or TCP, and does to those of a zone what it
 * was told to. The faults are switched by datagrams to the control port, one
 * command each, which is answered "ok" once it is in force:
 *
 *   SUFFIX[/4|/6] [every N] FAULT [ARGUMENT...]
 *
 *   none                         what the server says
 *   drop                         nothing
 *   servfail, refused, notimp    that instead of an answer
 *   tc works|silent|closed       truncated by UDP; by TCP answered, not answered,
 *                                or the connection is closed
 *   wildcard ADDRESS [MS]        every name has this A record, said so much later
 *   garbage question|id|none     random bytes behind the query's question, behind
 *                                its id, or random from the first one on
 *   delay MS [MS]                what the server says, so much later; a random
 *                                time between the two
 *
 * SUFFIX is a zone's name, or "." for all names; the longest that fits counts.
 * With /4 or /6 it is the zone's names for IPv4 or IPv6 addresses (RFC 5782), which
 * count before the zone. "every 5": only each fifth query has the fault.
 * The server is always asked by UDP: its answers must be small ones.
 */
#define _GNU_SOURCE 1 /* ppoll, accept4 */
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
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC 1000000000ULL
#define MAX_DELAY_MS 60000
#define DNS_HEADER 12
#define DNS_NAME_MAX 255
#define DNS_LABEL_MAX 63
#define DNS_TYPE_A 1
/* Third and fourth byte of a header: answer, recursion desired and available. */
#define DNS_QR_RD 0x81
#define DNS_TC 0x02
#define DNS_RA 0x80
#define RCODE_SERVFAIL 2
#define RCODE_NOTIMP 4
#define RCODE_REFUSED 5
/* A query with its question; none that is asked of a list is longer. */
#define MESSAGE_MAX 1024
#define GARBAGE_LEN 100
#define WILDCARD_TTL 300
/* No answer is waited for longer than this; its id is free again then. */
#define QUERY_LIFE (10 * NSEC_PER_SEC)
#define MAX_FAULTS 64
#define MAX_CONNECTIONS 64
/* Bytes that the kernel may hold for each socket: thousands of queries. */
#define SOCKET_BUFFER (4 << 20)

enum kind { NONE, DROP, SERVFAIL, REFUSED, NOTIMP, TC, WILDCARD, GARBAGE, DELAY, KIND_MAX };
enum tcp { TCP_WORKS, TCP_SILENT, TCP_CLOSED, TCP_MAX };
enum garbage { GARBAGE_QUESTION, GARBAGE_ID, GARBAGE_NONE, GARBAGE_MAX };

static const char *const kind_names[KIND_MAX] = {
	"none", "drop", "servfail", "refused", "notimp", "tc", "wildcard", "garbage", "delay",
};
static const char *const tcp_names[TCP_MAX] = { "works", "silent", "closed" };
static const char *const garbage_names[GARBAGE_MAX] = { "question", "id", "none" };

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct fault {
	char suffix[DNS_NAME_MAX + 1]; /* lower case; "" is all names */
	enum kind kind;
	int choice; /* enum tcp or enum garbage */
	struct in_addr address; /* WILDCARD */
	uint64_t delay; /* DELAY, WILDCARD: nanoseconds */
	uint64_t spread; /* DELAY: up to so many nanoseconds more */
	int family; /* 4 or 6: only names for such addresses; 0: all names */
	unsigned long every; /* 1: each query has the fault */
	unsigned long queries; /* that could have had it */
};

/* Who asked: a UDP address, or a TCP connection. */
struct client {
	union addr addr;
	int connection; /* index; -1: UDP */
	uint32_t life; /* the connection's, when it asked */
};

struct connection {
	int fd; /* -1: free */
	uint32_t life; /* counts the clients that had this slot */
	size_t len;
	uint8_t data[2 + MESSAGE_MAX];
};

struct query {
	struct client client;
	uint64_t asked; /* nanoseconds, CLOCK_MONOTONIC; 0: slot is free */
	uint64_t delay;
	uint16_t id; /* the client's, network byte order */
};

struct answer {
	struct answer *next; /* due at the same time or later */
	struct client client;
	uint64_t due; /* nanoseconds, CLOCK_MONOTONIC */
	size_t len;
	uint8_t data[];
};

/* A query, read. */
struct message {
	uint8_t *data;
	size_t len;
	size_t question; /* where the question ends */
	unsigned int type;
	char name[DNS_NAME_MAX + 1]; /* lower case, without the last dot */
};

struct proxy {
	int udp, tcp, server, control; /* sockets */
	FILE *log; /* NULL: none */
	struct fault faults[MAX_FAULTS];
	size_t fault_count;
	struct connection connections[MAX_CONNECTIONS];
	uint16_t next_id;
	struct query queries[UINT16_MAX + 1];
	struct answer *answers; /* that are held back */
};

static uint64_t now_nsec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

__attribute__((format(printf, 2, 3))) static void complain(int error, const char *format, ...)
{
	va_list args;

	fputs("dns_fault: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s", strerror(error));
	fputc('\n', stderr);
}

/* --- handing answers back --------------------------------------------------- */

static socklen_t addr_len(const union addr *addr)
{
	return addr->sa.sa_family == AF_INET ? sizeof(addr->in) : sizeof(addr->in6);
}

static void close_connection(struct connection *connection)
{
	close(connection->fd);
	connection->fd = -1;
	connection->life++;
}

static void hand_back_tcp(struct proxy *p, const struct client *client, const uint8_t *data,
			  size_t len)
{
	struct connection *connection = &p->connections[client->connection];
	uint8_t frame[2 + UINT16_MAX];

	if (connection->life != client->life)
		return; /* hung up meanwhile */
	frame[0] = (uint8_t)(len >> 8);
	frame[1] = (uint8_t)len;
	memcpy(frame + 2, data, len);
	if (send(connection->fd, frame, len + 2, MSG_NOSIGNAL) == (ssize_t)len + 2)
		return;
	complain(errno, "handing an answer back by TCP");
	close_connection(connection);
}

static void hand_back(struct proxy *p, const struct client *client, const uint8_t *data, size_t len)
{
	if (client->connection >= 0)
		hand_back_tcp(p, client, data, len);
	else if (sendto(p->udp, data, len, 0, &client->addr.sa, addr_len(&client->addr)) < 0)
		complain(errno, "handing an answer back");
}

/* After delay nanoseconds, at once if that is 0. */
static void answer_after(struct proxy *p, const struct client *client, const uint8_t *data,
			 size_t len, uint64_t delay)
{
	struct answer *answer, **at = &p->answers;

	if (!delay) {
		hand_back(p, client, data, len);
		return;
	}
	answer = malloc(sizeof(*answer) + len);
	if (!answer) {
		complain(errno, "keeping an answer");
		return;
	}
	answer->client = *client;
	answer->due = now_nsec() + delay;
	answer->len = len;
	memcpy(answer->data, data, len);
	while (*at && (*at)->due <= answer->due)
		at = &(*at)->next;
	answer->next = *at;
	*at = answer;
}

static void send_due(struct proxy *p)
{
	struct answer *answer;
	uint64_t now = now_nsec();

	while ((answer = p->answers) && answer->due <= now) {
		p->answers = answer->next;
		hand_back(p, &answer->client, answer->data, answer->len);
		free(answer);
	}
}

/* --- answers made here ------------------------------------------------------ */

/* Header and question of an answer without records; returns their length. */
static size_t begin_answer(const struct message *query, uint8_t *out, unsigned int flags,
			   unsigned int rcode)
{
	static const uint8_t counts[] = { 0, 1, 0, 0, 0, 0, 0, 0 };

	memcpy(out, query->data, query->question);
	out[2] = (uint8_t)(DNS_QR_RD | flags);
	out[3] = (uint8_t)(DNS_RA | rcode);
	memcpy(out + 4, counts, sizeof(counts));
	return query->question;
}

static void answer_rcode(struct proxy *p, const struct message *query, const struct client *client,
			 unsigned int flags, unsigned int rcode)
{
	uint8_t out[MESSAGE_MAX];

	hand_back(p, client, out, begin_answer(query, out, flags, rcode));
}

static void answer_wildcard(struct proxy *p, const struct message *query,
			    const struct client *client, const struct fault *fault)
{
	/* Name of the question, type, class, TTL, length. */
	static const uint8_t record[] = {
		0xc0, DNS_HEADER, 0, DNS_TYPE_A, 0, 1, 0, 0, WILDCARD_TTL >> 8, WILDCARD_TTL & 0xff,
		0,    4,
	};
	uint8_t out[MESSAGE_MAX + sizeof(record) + sizeof(fault->address)];
	size_t len = begin_answer(query, out, 0, 0);

	if (query->type == DNS_TYPE_A) {
		out[7] = 1;
		memcpy(out + len, record, sizeof(record));
		len += sizeof(record);
		memcpy(out + len, &fault->address, sizeof(fault->address));
		len += sizeof(fault->address);
	}
	answer_after(p, client, out, len, fault->delay);
}

static void answer_garbage(struct proxy *p, const struct message *query,
			   const struct client *client, enum garbage right)
{
	uint8_t out[MESSAGE_MAX + GARBAGE_LEN];
	size_t len = 0, end;

	if (right == GARBAGE_QUESTION) {
		len = begin_answer(query, out, 0, 0);
		out[7] = 1;
	} else if (right == GARBAGE_ID) {
		memcpy(out, query->data, 2);
		len = 2;
	}
	end = len + GARBAGE_LEN;
	for (size_t i = len; i < end; i++)
		out[i] = (uint8_t)random();
	/* Not a name by chance: no label begins with these two bits. */
	if (right == GARBAGE_QUESTION)
		out[len] = 0x80;
	hand_back(p, client, out, end);
}

/* --- queries ---------------------------------------------------------------- */

static bool read_question(struct message *m)
{
	size_t at = DNS_HEADER, out = 0, label;

	while (at < m->len && m->data[at]) {
		label = m->data[at++];
		if (label > DNS_LABEL_MAX || at + label > m->len || out + label + 1 > DNS_NAME_MAX)
			return false;
		if (out)
			m->name[out++] = '.';
		for (; label; label--)
			m->name[out++] = (char)tolower(m->data[at++]);
	}
	m->name[out] = '\0';
	m->question = at + 5;
	if (m->question > m->len)
		return false;
	m->type = (unsigned int)(m->data[at + 1] << 8 | m->data[at + 2]);
	return true;
}

static void log_query(struct proxy *p, const struct message *query, const struct client *client)
{
	static const struct {
		unsigned int type;
		const char *name;
	} types[] = { { 1, "A" }, { 2, "NS" }, { 6, "SOA" }, { 16, "TXT" }, { 28, "AAAA" } };
	char type[16];

	if (!p->log)
		return;
	snprintf(type, sizeof(type), "TYPE%u", query->type);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == query->type)
			snprintf(type, sizeof(type), "%s", types[i].name);
	fprintf(p->log, "%s\t%s\t%s\n", query->name, type, client->connection < 0 ? "udp" : "tcp");
}

static bool is_under(const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);

	if (!tail)
		return true;
	return len >= tail && !strcmp(name + len - tail, suffix) &&
	       (len == tail || name[len - tail - 1] == '.');
}

/* 6: the name begins with 32 hexadecimal digits, each a label; 4: with four numbers (RFC 5782). Else 0. */
static int family_of(const char *name)
{
	int digits = 0, numbers = 0;

	for (const char *at = name; isxdigit((unsigned char)at[0]) && at[1] == '.'; at += 2)
		digits++;
	while (isdigit((unsigned char)*name) && name[strspn(name, "0123456789")] == '.') {
		name += strspn(name, "0123456789") + 1;
		numbers++;
	}
	return digits >= 32 ? 6 : numbers >= 4 ? 4 : 0;
}

static bool fits(const struct fault *fault, const char *name)
{
	return is_under(name, fault->suffix) && (!fault->family || fault->family == family_of(name));
}

/* The fault that this query has. */
static const struct fault *find_fault(struct proxy *p, const char *name)
{
	static const struct fault none = { .kind = NONE };
	struct fault *best = NULL;
	size_t len, best_len = 0;

	for (size_t i = 0; i < p->fault_count; i++) {
		len = strlen(p->faults[i].suffix) * 2 + !!p->faults[i].family;
		if (!fits(&p->faults[i], name) || (best && len < best_len))
			continue;
		best = &p->faults[i];
		best_len = len;
	}
	if (!best || ++best->queries % best->every)
		return &none;
	return best;
}

static uint64_t delay_of(const struct fault *fault)
{
	return fault->delay + (fault->spread ? (uint64_t)random() % fault->spread : 0);
}

/* A slot whose id is free, NULL if 65536 queries are outstanding. */
static struct query *take_slot(struct proxy *p, uint64_t now)
{
	struct query *query;
	size_t tries;

	for (tries = 0; tries <= UINT16_MAX; tries++) {
		query = &p->queries[p->next_id++];
		if (!query->asked || now - query->asked > QUERY_LIFE)
			return query;
	}
	return NULL;
}

static void ask_server(struct proxy *p, struct message *m, const struct client *client, uint64_t delay)
{
	uint64_t now = now_nsec();
	struct query *query = take_slot(p, now);
	uint16_t id;

	if (!query) {
		complain(0, "65536 queries outstanding, one dropped");
		return;
	}
	query->client = *client;
	query->asked = now;
	query->delay = delay;
	memcpy(&query->id, m->data, sizeof(query->id));
	id = htons((uint16_t)(query - p->queries));
	memcpy(m->data, &id, sizeof(id));
	if (send(p->server, m->data, m->len, 0) < 0)
		complain(errno, "asking the server");
}

static void answer_tc(struct proxy *p, struct message *query, const struct client *client,
		      enum tcp tcp)
{
	if (client->connection < 0)
		answer_rcode(p, query, client, DNS_TC, 0);
	else if (tcp == TCP_WORKS)
		ask_server(p, query, client, 0);
	else if (tcp == TCP_CLOSED)
		close_connection(&p->connections[client->connection]);
}

static void take_query(struct proxy *p, uint8_t *data, size_t len, const struct client *client)
{
	struct message query = { .data = data, .len = len };
	const struct fault *fault;

	if (len < DNS_HEADER || len > MESSAGE_MAX || !read_question(&query)) {
		complain(0, "a malformed query of %zu bytes", len);
		return;
	}
	log_query(p, &query, client);
	fault = find_fault(p, query.name);
	switch (fault->kind) {
	case SERVFAIL:
		answer_rcode(p, &query, client, 0, RCODE_SERVFAIL);
		break;
	case REFUSED:
		answer_rcode(p, &query, client, 0, RCODE_REFUSED);
		break;
	case NOTIMP:
		answer_rcode(p, &query, client, 0, RCODE_NOTIMP);
		break;
	case TC:
		answer_tc(p, &query, client, (enum tcp)fault->choice);
		break;
	case WILDCARD:
		answer_wildcard(p, &query, client, fault);
		break;
	case GARBAGE:
		answer_garbage(p, &query, client, (enum garbage)fault->choice);
		break;
	case DROP:
		break;
	default:
		ask_server(p, &query, client, delay_of(fault));
	}
}

static void take_answer(struct proxy *p, uint8_t *data, size_t len)
{
	struct query *query;
	uint16_t id;

	if (len < DNS_HEADER)
		return;
	memcpy(&id, data, sizeof(id));
	query = &p->queries[ntohs(id)];
	if (!query->asked)
		return;
	query->asked = 0;
	memcpy(data, &query->id, sizeof(query->id));
	answer_after(p, &query->client, data, len, query->delay);
}

/* --- sockets ---------------------------------------------------------------- */

static void read_udp(struct proxy *p)
{
	struct client client = { .connection = -1 };
	uint8_t data[UINT16_MAX];
	socklen_t size;
	ssize_t len;

	for (;;) {
		size = sizeof(client.addr);
		len = recvfrom(p->udp, data, sizeof(data), 0, &client.addr.sa, &size);
		if (len < 0)
			break;
		take_query(p, data, (size_t)len, &client);
	}
	if (errno != EAGAIN)
		complain(errno, "reading a query");
}

static void read_server(struct proxy *p)
{
	uint8_t data[UINT16_MAX];
	ssize_t len;

	while ((len = recv(p->server, data, sizeof(data), 0)) >= 0)
		take_answer(p, data, (size_t)len);
	if (errno != EAGAIN)
		complain(errno, "reading an answer");
}

static void accept_tcp(struct proxy *p)
{
	int fd;

	while ((fd = accept4(p->tcp, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		size_t i = 0;

		while (i < MAX_CONNECTIONS && p->connections[i].fd >= 0)
			i++;
		if (i == MAX_CONNECTIONS) {
			complain(0, "more than %d connections", MAX_CONNECTIONS);
			close(fd);
			continue;
		}
		p->connections[i].fd = fd;
		p->connections[i].len = 0;
	}
}

/* The queries that have come in whole. */
static void take_frames(struct proxy *p, struct connection *c)
{
	struct client client = { .connection = (int)(c - p->connections), .life = c->life };
	size_t len;

	while (c->len >= 2) {
		uint8_t query[MESSAGE_MAX];

		len = (size_t)(c->data[0] << 8 | c->data[1]);
		if (len > MESSAGE_MAX) {
			complain(0, "a query of %zu bytes by TCP", len);
			close_connection(c);
			return;
		}
		if (c->len < len + 2)
			return;
		memcpy(query, c->data + 2, len);
		c->len -= len + 2;
		memmove(c->data, c->data + 2 + len, c->len);
		take_query(p, query, len, &client);
		if (c->life != client.life)
			return; /* closed: that was its fault */
	}
}

static void read_tcp(struct proxy *p, struct connection *c)
{
	ssize_t len = recv(c->fd, c->data + c->len, sizeof(c->data) - c->len, 0);

	if (len < 0 && errno == EAGAIN)
		return;
	if (len <= 0) {
		close_connection(c);
		return;
	}
	c->len += (size_t)len;
	take_frames(p, c);
}

/* --- control ---------------------------------------------------------------- */

static int find_word(const char *const *words, int count, const char *word)
{
	for (int i = 0; i < count; i++)
		if (word && !strcasecmp(words[i], word))
			return i;
	return -1;
}

static bool parse_delay(const char *text, uint64_t *delay)
{
	char *end;
	unsigned long msec = strtoul(text, &end, 10);

	*delay = msec * NSEC_PER_MSEC;
	return isdigit((unsigned char)*text) && !*end && msec <= MAX_DELAY_MS;
}

/* The words behind a fault's name, NULL where there is none. */
static bool parse_arguments(struct fault *fault, const char *first, const char *second)
{
	switch (fault->kind) {
	case TC:
		fault->choice = find_word(tcp_names, TCP_MAX, first);
		return fault->choice >= 0 && !second;
	case GARBAGE:
		fault->choice = find_word(garbage_names, GARBAGE_MAX, first);
		return fault->choice >= 0 && !second;
	case WILDCARD:
		return first && inet_pton(AF_INET, first, &fault->address) == 1 &&
		       (!second || parse_delay(second, &fault->delay));
	case DELAY:
		if (!first || !parse_delay(first, &fault->delay))
			return false;
		if (!second)
			return true;
		if (!parse_delay(second, &fault->spread) || fault->spread < fault->delay)
			return false;
		fault->spread -= fault->delay;
		return true;
	default:
		return !first;
	}
}

static const char *set_fault(struct proxy *p, const struct fault *fault)
{
	size_t i = 0;

	while (i < p->fault_count && (strcmp(p->faults[i].suffix, fault->suffix) != 0 ||
				      p->faults[i].family != fault->family))
		i++;
	if (i == MAX_FAULTS)
		return "too many zones";
	p->faults[i] = *fault;
	if (i == p->fault_count)
		p->fault_count++;
	return "ok";
}

static const char space[] = " \t\r\n";

/* SUFFIX, SUFFIX/4 or SUFFIX/6 */
static bool parse_suffix(struct fault *fault, char *text)
{
	char *slash = text ? strchr(text, '/') : NULL;

	if (!text || strlen(text) > DNS_NAME_MAX)
		return false;
	if (slash) {
		fault->family = slash[1] - '0';
		if ((fault->family != 4 && fault->family != 6) || slash[2])
			return false;
		*slash = '\0';
	}
	if (strcmp(text, ".") != 0)
		for (size_t i = 0; text[i]; i++)
			fault->suffix[i] = (char)tolower((unsigned char)text[i]);
	return true;
}

/* Reads "every N" if it stands before the fault, and returns the fault's name. NULL: malformed. */
static const char *parse_every(struct fault *fault, char **save)
{
	const char *word = strtok_r(NULL, space, save), *number;
	char *end;

	fault->every = 1;
	if (!word || strcmp(word, "every") != 0)
		return word;
	number = strtok_r(NULL, space, save);
	if (!number || !isdigit((unsigned char)*number))
		return NULL;
	fault->every = strtoul(number, &end, 10);
	return *end || !fault->every ? NULL : strtok_r(NULL, space, save);
}

static const char *obey(struct proxy *p, char *command)
{
	struct fault fault = { .kind = NONE };
	const char *first, *second;
	char *save;
	int kind;

	if (!parse_suffix(&fault, strtok_r(command, space, &save)))
		return "want SUFFIX[/4|/6] [every N] FAULT [ARGUMENT...]";
	kind = find_word(kind_names, KIND_MAX, parse_every(&fault, &save));
	if (kind < 0)
		return "want SUFFIX[/4|/6] [every N] FAULT [ARGUMENT...]";
	fault.kind = (enum kind)kind;
	first = strtok_r(NULL, space, &save);
	second = strtok_r(NULL, space, &save);
	if (!parse_arguments(&fault, first, second) || strtok_r(NULL, space, &save))
		return "wrong argument";
	return set_fault(p, &fault);
}

static void read_control(struct proxy *p)
{
	char command[512], result[64];
	union addr from;
	socklen_t size = sizeof(from);
	ssize_t len = recvfrom(p->control, command, sizeof(command) - 1, 0, &from.sa, &size);

	if (len < 0)
		return;
	command[len] = '\0';
	len = snprintf(result, sizeof(result), "%s\n", obey(p, command));
	if (sendto(p->control, result, (size_t)len, 0, &from.sa, size) < 0)
		complain(errno, "answering a command");
}

/* --- the loop --------------------------------------------------------------- */

#define FIXED_FDS 4 /* udp, server, control, tcp; then the connections */

static size_t fill_fds(const struct proxy *p, struct pollfd *fds)
{
	const int sockets[FIXED_FDS] = { p->udp, p->server, p->control, p->tcp };
	size_t i;

	for (i = 0; i < FIXED_FDS; i++)
		fds[i] = (struct pollfd){ .fd = sockets[i], .events = POLLIN };
	/* poll() passes over an fd of -1. */
	for (i = 0; i < MAX_CONNECTIONS; i++)
		fds[FIXED_FDS + i] = (struct pollfd){ .fd = p->connections[i].fd, .events = POLLIN };
	return FIXED_FDS + MAX_CONNECTIONS;
}

/* Until the first answer is due that is held back; NULL: none is. */
static const struct timespec *time_to_wait(const struct proxy *p, struct timespec *wait)
{
	uint64_t now;

	if (!p->answers)
		return NULL;
	now = now_nsec();
	now = p->answers->due > now ? p->answers->due - now : 0;
	wait->tv_sec = (time_t)(now / NSEC_PER_SEC);
	wait->tv_nsec = (long)(now % NSEC_PER_SEC);
	return wait;
}

static int serve(struct proxy *p)
{
	struct pollfd fds[FIXED_FDS + MAX_CONNECTIONS];
	struct timespec wait;

	for (;;) {
		size_t count = fill_fds(p, fds);

		if (ppoll(fds, count, time_to_wait(p, &wait), NULL) < 0) {
			if (errno != EINTR)
				return -errno;
			continue;
		}
		/* A command that came first holds for what was asked after it. */
		if (fds[2].revents)
			read_control(p);
		if (fds[0].revents)
			read_udp(p);
		if (fds[1].revents)
			read_server(p);
		for (size_t i = 0; i < MAX_CONNECTIONS; i++)
			if (fds[FIXED_FDS + i].revents && p->connections[i].fd >= 0)
				read_tcp(p, &p->connections[i]);
		if (fds[3].revents)
			accept_tcp(p);
		send_due(p);
	}
}

/* --- start ------------------------------------------------------------------ */

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

/* Bound to the address of text, or connected to it. Says what failed: then -1. */
static int open_socket(const char *text, int type, bool is_server)
{
	int fd, size = SOCKET_BUFFER, one = 1;
	union addr addr;

	if (!parse_endpoint(text, &addr)) {
		complain(0, "'%s' is not ADDRESS:PORT", text);
		return -1;
	}
	fd = socket(addr.sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		complain(errno, "opening a socket");
		return -1;
	}
	/* Without CAP_NET_ADMIN the buffer is smaller: fit for small tests. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	/* One that was killed leaves TCP connections behind; the next takes its place. */
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (is_server ? connect(fd, &addr.sa, addr_len(&addr)) : bind(fd, &addr.sa, addr_len(&addr))) {
		complain(errno, "%s", text);
		close(fd);
		return -1;
	}
	return fd;
}

static bool open_proxy(struct proxy *p, char **endpoints)
{
	for (size_t i = 0; i < MAX_CONNECTIONS; i++)
		p->connections[i].fd = -1;
	p->udp = open_socket(endpoints[0], SOCK_DGRAM, false);
	p->tcp = open_socket(endpoints[0], SOCK_STREAM, false);
	p->control = open_socket(endpoints[1], SOCK_DGRAM, false);
	p->server = open_socket(endpoints[2], SOCK_DGRAM, true);
	if (p->udp < 0 || p->tcp < 0 || p->control < 0 || p->server < 0)
		return false;
	if (listen(p->tcp, MAX_CONNECTIONS)) {
		complain(errno, "listening on %s", endpoints[0]);
		return false;
	}
	return true;
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
	fputs("usage: dns_fault [--log FILE] LISTEN:PORT CONTROL:PORT SERVER:PORT\n"
	      "  -l, --log FILE   append one line a query: name, tab, type, tab, udp or tcp\n"
	      "Commands to the control port are at the top of dns_fault.c.\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "log", required_argument, NULL, 'l' }, {} };
	static struct proxy p;
	int option, err;

	while ((option = getopt_long(argc, argv, "l:", options, NULL)) >= 0) {
		if (option != 'l')
			return usage();
		p.log = open_log(optarg);
		if (!p.log) {
			complain(errno, "%s", optarg);
			return EXIT_FAILURE;
		}
	}
	if (argc - optind != 3)
		return usage();
	if (!open_proxy(&p, argv + optind))
		return EXIT_FAILURE;
	err = serve(&p);
	complain(-err, "waiting for packets");
	return EXIT_FAILURE;
}
