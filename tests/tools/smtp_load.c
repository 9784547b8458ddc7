/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smtp_load - many senders, one process
 *
 * Opens SMTP sessions from many source addresses, all nonblocking in one epoll loop. Each behaves
 * as a sender does: it waits for every reply before the next command (220, EHLO, MAIL, RCPT, QUIT).
 * The addresses need not be configured on an interface: it is enough that answers to them come back
 * to this host.
 *
 * With --hold STAGE all sessions wait once they have the reply of that stage. A line on standard
 * input lets them go on to their end; end of file or SIGTERM closes them.
 *
 * The end, and with --hold the moment when no session is on its way any more, are one JSON object
 * on one line each:
 *
 *   phase               standing or end
 *   wanted, sessions    asked for (0: as many as fit in the time) and begun
 *   standing            open and held now
 *   refused, accepted   RCPT answered 4xx or 5xx, or 2xx, and QUIT answered
 *   turned_away         refused before RCPT, or by a 421
 *   released            closed here while held
 *   failed, errors      ended without the reply that was due; by kind
 *   failed_at           the same by kind and stage
 *   greeting helo mail rcpt quit unsolicited
 *                       replies by code and enhanced code, as "450 4.7.1"
 *   hosts               names in greetings of 220
 *   seconds, sessions_per_second, latency_us
 *                       of refused and accepted sessions, connect() to the reply to QUIT
 *   cpu_seconds         used by this process
 *   cpu_wait_seconds    how long we were ready to run and other processes did
 *
 * Silence is a failure, of kind timeout. Exit status: 0 if no session failed and all that was
 * wanted was done, 1 if not, 2 for wrong arguments.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78
#endif

#define USEC_PER_SEC 1000000ULL
#define EVENTS_AT_ONCE 256
/* Descriptors that are not sessions: standard streams, epoll, signals, the list. */
#define SPARE_FDS 64
/* Sessions begun before the loop looks for answers: a burst must not add to its own times. */
#define STARTS_AT_ONCE 32
#define REPLY_LINE 600 /* octets; 512 are allowed (RFC 5321, 4.5.3.1.5) */
#define TALLY_KEYS 16 /* different replies at one stage; further ones are "other" */
#define TALLY_KEY 48

/* What a session waits for: a reply, or to be let go on. */
enum stage { GREETING, HELO, MAIL, RCPT, QUIT, STANDING, STAGES };

static const char *const stage_names[STAGES] = { "greeting", "helo", "mail",
						 "rcpt",     "quit", "unsolicited" };

/* What is sent to get the reply of that stage. */
static const char *const commands[STAGES] = {
	[HELO] = "EHLO sender.example.net\r\n",
	[MAIL] = "MAIL FROM:<sender@example.net>\r\n",
	[RCPT] = "RCPT TO:<postmaster@example.org>\r\n",
	[QUIT] = "QUIT\r\n",
};

enum outcome { OUTCOME_NONE, REFUSED, ACCEPTED, TURNED_AWAY, RELEASED, FAILED, OUTCOMES };

static const char *const outcome_names[OUTCOMES] = { NULL,	    "refused",	"accepted",
						     "turned_away", "released", "failed" };

enum failure {
	CONNECT_REFUSED,
	RESET,
	TIMEOUT,
	CLOSED_EARLY,
	BAD_REPLY,
	UNFINISHED, /* still open when the time was over */
	OTHER_ERROR,
	FAILURES
};

static const char *const failure_names[FAILURES] = {
	"connect_refused", "reset", "timeout", "closed_early", "bad_reply", "unfinished", "other"
};

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Each address of a prefix in turn; of an IPv6 prefix shorter than /64, one of each /64. */
struct source {
	union addr first;
	uint64_t count;
	bool lower; /* counts in the lower half of IPv6 */
};

struct tally {
	struct {
		char key[TALLY_KEY];
		uint64_t count;
	} rows[TALLY_KEYS];
};

struct session {
	TAILQ_ENTRY(session) queue; /* waiting, standing or free */
	int fd;
	enum stage stage;
	enum stage reached; /* while it stands: the stage that it has behind it */
	enum outcome outcome; /* known before the end, which is the reply to QUIT */
	uint64_t started, deadline; /* microseconds, CLOCK_MONOTONIC */
	size_t len;
	char line[REPLY_LINE]; /* the beginning of a line of a reply */
};

TAILQ_HEAD(sessions, session);

struct run {
	union addr target4, target6; /* family 0 where not given */
	struct source *sources;
	size_t source_count;
	uint64_t wanted; /* sessions; 0: as many as fit */
	size_t at_once;
	uint64_t per_second; /* 0: no limit */
	uint64_t seconds, timeout; /* microseconds */
	enum stage hold; /* STAGES: don't */

	struct session *pool;
	struct sessions idle, waiting, standing; /* waiting: next deadline first */
	size_t open, held;
	bool stopping; /* begin no further session */
	bool announced; /* that all stand */
	bool release; /* standing sessions go on */
	int epoll, signals;
	uint64_t first_start, last_end;

	uint64_t started;
	uint64_t outcomes[OUTCOMES], failures[FAILURES];
	int last_error; /* errno of a failure */
	struct tally replies[STAGES], hosts, failed_at;
	uint32_t *times; /* microseconds of transactions */
	size_t time_count, time_capacity;
};

static uint64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

__attribute__((format(printf, 3, 4), noreturn)) static void die(int status, int error,
								const char *format, ...)
{
	va_list args;

	fputs("smtp_load: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s", strerror(error));
	fputc('\n', stderr);
	exit(status);
}

/* --- sources ------------------------------------------------------------------------------- */

static bool parse_addr(const char *text, uint16_t port, union addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET, text, &addr->in.sin_addr) == 1) {
		addr->in.sin_family = AF_INET;
		addr->in.sin_port = htons(port);
		return true;
	}
	if (inet_pton(AF_INET6, text, &addr->in6.sin6_addr) == 1) {
		addr->in6.sin6_family = AF_INET6;
		addr->in6.sin6_port = htons(port);
		return true;
	}
	return false;
}

static socklen_t addr_len(const union addr *addr)
{
	return addr->sa.sa_family == AF_INET ? sizeof(addr->in) : sizeof(addr->in6);
}

static uint64_t parse_number(const char *text, const char *what, uint64_t min, uint64_t max)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || number < min || number > max)
		die(2, 0, "%s: '%s' is not a number from %" PRIu64 " to %" PRIu64, what, text, min,
		    max);
	return number;
}

/* The word of an address that a prefix counts in, host order: all of IPv4, a half of IPv6. */
static uint64_t get_word(const union addr *addr, bool lower)
{
	uint64_t word;

	if (addr->sa.sa_family == AF_INET)
		return ntohl(addr->in.sin_addr.s_addr);
	memcpy(&word, addr->in6.sin6_addr.s6_addr + (lower ? 8 : 0), sizeof(word));
	return be64toh(word);
}

static void set_word(union addr *addr, bool lower, uint64_t word)
{
	if (addr->sa.sa_family == AF_INET) {
		addr->in.sin_addr.s_addr = htonl((uint32_t)word);
		return;
	}
	word = htobe64(word);
	memcpy(addr->in6.sin6_addr.s6_addr + (lower ? 8 : 0), &word, sizeof(word));
}

/* The prefix length in bits of the word that is counted in; an IPv6 source keeps the other half. */
static unsigned int read_prefix(struct source *source, char *text)
{
	char *slash = strchr(text, '/');
	unsigned int width, len;

	if (slash)
		*slash++ = '\0';
	if (!parse_addr(text, 0, &source->first))
		die(2, 0, "source '%s' is not an IPv4 or IPv6 address or prefix", text);
	width = source->first.sa.sa_family == AF_INET ? 32 : 128;
	len = slash ? (unsigned int)parse_number(slash, "prefix length", width / 4, width) : width;
	source->lower = len >= 64;
	return width == 32 ? 32 - len : (source->lower ? 128 : 64) - len;
}

static void add_source(struct run *run, char *text)
{
	struct source *source;
	unsigned int bits;

	run->sources = reallocarray(run->sources, run->source_count + 1, sizeof(*run->sources));
	if (!run->sources)
		die(1, errno, "%zu sources", run->source_count);
	source = &run->sources[run->source_count++];
	bits = read_prefix(source, text);
	if (bits > 32)
		die(2, 0, "source '%s' has too many addresses", text);
	source->count = 1ULL << bits;
	set_word(&source->first, source->lower,
		 get_word(&source->first, source->lower) & ~(source->count - 1));
}

/* The source of the nth session: all sources in turn, of a prefix its next address. */
static void source_addr(const struct run *run, uint64_t n, union addr *addr)
{
	const struct source *source = &run->sources[n % run->source_count];

	*addr = source->first;
	set_word(addr, source->lower,
		 get_word(addr, source->lower) + n / run->source_count % source->count);
}

static void read_sources(struct run *run, const char *path)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		die(2, errno, "%s", path);
	while (getline(&line, &size, file) >= 0) {
		line[strcspn(line, " \t\r\n#")] = '\0';
		if (*line)
			add_source(run, line);
	}
	if (ferror(file))
		die(1, errno, "%s", path);
	free(line);
	if (file != stdin)
		fclose(file);
}

/* --- counting ------------------------------------------------------------------------------ */

/* The key is shown in JSON: what would need escaping there becomes '?'. */
static void count_key(struct tally *tally, const char *key)
{
	char clean[TALLY_KEY];
	size_t i;

	for (i = 0; key[i] && i < sizeof(clean) - 1; i++)
		clean[i] = key[i] < ' ' || key[i] > '~' || strchr("\"\\", key[i]) ? '?' : key[i];
	clean[i] = '\0';
	for (i = 0; i < TALLY_KEYS - 1; i++) {
		if (!tally->rows[i].count)
			strcpy(tally->rows[i].key, clean);
		if (!strcmp(tally->rows[i].key, clean))
			break;
	}
	if (i == TALLY_KEYS - 1)
		strcpy(tally->rows[i].key, "other");
	tally->rows[i].count++;
}

static size_t count_digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* Length of the enhanced code (RFC 3463) that text begins with, or 0. */
static size_t enhanced_len(const char *text)
{
	size_t subject, len = 2;

	if (!strchr("245", *text) || !*text || text[1] != '.')
		return 0;
	subject = count_digits(text + len);
	if (!subject || subject > 3 || text[len + subject] != '.')
		return 0;
	len += subject + 1;
	subject = count_digits(text + len);
	if (!subject || subject > 3 || (text[len + subject] && text[len + subject] != ' '))
		return 0;
	return len + subject;
}

/* A reply's last line by its codes: "450 4.7.1", or "220". */
static void count_reply(struct run *run, enum stage stage, const char *line)
{
	char key[TALLY_KEY];
	size_t len = 3, enhanced;

	enhanced = line[len] ? enhanced_len(line + len + 1) : 0;
	if (enhanced)
		len += 1 + enhanced;
	snprintf(key, sizeof(key), "%.*s", (int)len, line);
	count_key(&run->replies[stage], key);
	if (stage == GREETING && !memcmp(line, "220 ", 4)) {
		snprintf(key, sizeof(key), "%.*s", (int)strcspn(line + 4, " "), line + 4);
		count_key(&run->hosts, key);
	}
}

static void keep_time(struct run *run, uint64_t took)
{
	if (run->time_count == run->time_capacity) {
		run->time_capacity = run->time_capacity ? 2 * run->time_capacity : 65536;
		run->times = reallocarray(run->times, run->time_capacity, sizeof(*run->times));
		if (!run->times)
			die(1, errno, "%zu times", run->time_capacity);
	}
	run->times[run->time_count++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
}

/* --- sessions ------------------------------------------------------------------------------ */

static void leave_queue(struct run *run, struct session *session)
{
	bool stands = session->stage == STANDING;

	TAILQ_REMOVE(stands ? &run->standing : &run->waiting, session, queue);
	run->held -= stands;
}

static void end_session(struct run *run, struct session *session, enum outcome outcome)
{
	leave_queue(run, session);
	close(session->fd);
	session->fd = -1;
	run->open--;
	run->outcomes[outcome]++;
	if (outcome == REFUSED || outcome == ACCEPTED) {
		run->last_end = now_usec();
		keep_time(run, run->last_end - session->started);
	}
	TAILQ_INSERT_HEAD(&run->idle, session, queue);
}

/* Until the connection stands, what fails at the greeting fails at connect. */
static const char *stage_now(const struct session *session, enum failure failure)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (session->stage == STANDING)
		return "standing";
	if (failure == CONNECT_REFUSED ||
	    (session->stage == GREETING &&
	     !getsockopt(session->fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
	     info.tcpi_state == TCP_SYN_SENT))
		return "connect";
	return stage_names[session->stage];
}

static void fail_session(struct run *run, struct session *session, enum failure failure)
{
	char key[TALLY_KEY];

	snprintf(key, sizeof(key), "%s at %s", failure_names[failure], stage_now(session, failure));
	count_key(&run->failed_at, key);
	run->failures[failure]++;
	end_session(run, session, FAILED);
}

static void fail_by_errno(struct run *run, struct session *session, int error)
{
	if (error == ECONNREFUSED)
		fail_session(run, session, CONNECT_REFUSED);
	else if (error == ECONNRESET || error == EPIPE)
		fail_session(run, session, RESET);
	else if (error == ETIMEDOUT)
		fail_session(run, session, TIMEOUT);
	else
		fail_session(run, session, OTHER_ERROR);
	run->last_error = error;
}

/* Waits for the next reply; deadlines are all equally far away, so the queue stays in order. */
static void await(struct run *run, struct session *session, enum stage stage)
{
	leave_queue(run, session);
	session->stage = stage;
	session->deadline = now_usec() + run->timeout;
	TAILQ_INSERT_TAIL(&run->waiting, session, queue);
}

/* Sends the command of that stage. False: the session has ended. */
static bool go_to(struct run *run, struct session *session, enum stage stage)
{
	size_t len = strlen(commands[stage]);
	ssize_t sent;

	await(run, session, stage);
	sent = send(session->fd, commands[stage], len, MSG_NOSIGNAL);
	if (sent == (ssize_t)len)
		return true;
	fail_by_errno(run, session, sent < 0 ? errno : ENOBUFS);
	return false;
}

/* False: the session has ended, as it can't be let go on any more. */
static bool stand(struct run *run, struct session *session)
{
	if (run->stopping) {
		end_session(run, session, RELEASED);
		return false;
	}
	leave_queue(run, session);
	session->reached = session->stage;
	session->stage = STANDING;
	TAILQ_INSERT_TAIL(&run->standing, session, queue);
	run->held++;
	return true;
}

static bool after_refusal(struct run *run, struct session *session, enum outcome outcome)
{
	session->outcome = outcome;
	return go_to(run, session, QUIT);
}

/* Takes the last line of a reply. False: the session has ended. */
static bool take_reply(struct run *run, struct session *session, const char *line)
{
	bool positive = line[0] == '2', closing = !strncmp(line, "421", 3);
	enum stage stage = session->stage;

	count_reply(run, stage, line);
	if (stage == QUIT || closing) {
		end_session(run, session, stage == QUIT ? session->outcome : TURNED_AWAY);
		return false;
	}
	if (stage == STANDING) {
		fail_session(run, session, BAD_REPLY);
		return false;
	}
	if (stage == RCPT)
		session->outcome = positive ? ACCEPTED : REFUSED;
	else if (!positive)
		return after_refusal(run, session, TURNED_AWAY);
	if (stage == run->hold && !run->release)
		return stand(run, session);
	return go_to(run, session, stage + 1);
}

static bool is_reply(const char *line)
{
	return count_digits(line) == 3 && strchr("2345", line[0]) && strchr(" -", line[3]);
}

/* Takes all whole lines, and keeps the rest. False: the session has ended. */
static bool take_lines(struct run *run, struct session *session)
{
	char *line = session->line, *end = line + session->len, *newline;

	for (; (newline = memchr(line, '\n', (size_t)(end - line))); line = newline + 1) {
		*newline = '\0';
		if (newline > line && newline[-1] == '\r')
			newline[-1] = '\0';
		if (!is_reply(line)) {
			fail_session(run, session, BAD_REPLY);
			return false;
		}
		if (line[3] != '-' && !take_reply(run, session, line))
			return false;
	}
	session->len = (size_t)(end - line);
	memmove(session->line, line, session->len);
	return true;
}

static void read_session(struct run *run, struct session *session)
{
	size_t room = sizeof(session->line) - session->len;
	ssize_t len = recv(session->fd, session->line + session->len, room, 0);

	if (len < 0 && errno != EAGAIN) {
		fail_by_errno(run, session, errno);
	} else if (len == 0) {
		fail_session(run, session, CLOSED_EARLY);
	} else if (len > 0) {
		session->len += (size_t)len;
		if (take_lines(run, session) && session->len == sizeof(session->line))
			fail_session(run, session, BAD_REPLY);
	}
}

/* A socket bound to the source; its port is chosen by connect(). */
static int open_socket(const union addr *source)
{
	bool v4 = source->sa.sa_family == AF_INET;
	int fd = socket(source->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		die(1, errno, "opening a socket");
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) ||
	    setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND, &one,
		       sizeof(one)) ||
	    bind(fd, &source->sa, addr_len(source)))
		die(1, errno, "binding to a source address");
	return fd;
}

static void start_session(struct run *run)
{
	struct session *session = TAILQ_FIRST(&run->idle);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = session };
	const union addr *target;
	union addr source;

	source_addr(run, run->started++, &source);
	target = source.sa.sa_family == AF_INET ? &run->target4 : &run->target6;
	TAILQ_REMOVE(&run->idle, session, queue);
	session->fd = open_socket(&source);
	session->stage = GREETING;
	session->outcome = OUTCOME_NONE;
	session->len = 0;
	session->started = now_usec();
	session->deadline = session->started + run->timeout;
	TAILQ_INSERT_TAIL(&run->waiting, session, queue);
	run->open++;
	if (connect(session->fd, &target->sa, addr_len(target)) && errno != EINPROGRESS)
		fail_by_errno(run, session, errno);
	else if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, session->fd, &event))
		die(1, errno, "watching a connection");
}

/* --- the report ---------------------------------------------------------------------------- */

static void print_tally(const char *name, const struct tally *tally)
{
	const char *comma = "";

	printf(",\"%s\":{", name);
	for (size_t i = 0; i < TALLY_KEYS && tally->rows[i].count; i++) {
		printf("%s\"%s\":%" PRIu64, comma, tally->rows[i].key, tally->rows[i].count);
		comma = ",";
	}
	putchar('}');
}

static int compare_times(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void print_times(struct run *run)
{
	static const struct {
		const char *name;
		unsigned int percent;
	} points[] = { { "p50", 50 }, { "p90", 90 }, { "p99", 99 }, { "max", 100 } };
	size_t count = run->time_count, at;

	if (count)
		qsort(run->times, count, sizeof(*run->times), compare_times);
	printf(",\"latency_us\":{");
	for (size_t i = 0; count && i < sizeof(points) / sizeof(*points); i++) {
		at = count * points[i].percent / 100;
		printf("%s\"%s\":%" PRIu32, i ? "," : "", points[i].name,
		       run->times[at < count ? at : count - 1]);
	}
	putchar('}');
}

static double cpu_seconds(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage))
		die(1, errno, "reading the time used");
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* 0 where the kernel does not say (CONFIG_SCHED_INFO). */
static double cpu_wait_seconds(void)
{
	FILE *file = fopen("/proc/self/schedstat", "re");
	uint64_t ran, waited = 0;

	if (file && fscanf(file, "%" SCNu64 " %" SCNu64, &ran, &waited) != 2)
		waited = 0;
	if (file)
		fclose(file);
	return (double)waited / 1e9;
}

static void print_rate(const struct run *run)
{
	uint64_t end = run->time_count ? run->last_end : now_usec();
	double seconds = (double)(end - run->first_start) / 1e6;

	printf(",\"seconds\":%.6f,\"sessions_per_second\":%.1f", seconds,
	       seconds > 0 ? (double)run->time_count / seconds : 0);
	printf(",\"cpu_seconds\":%.6f,\"cpu_wait_seconds\":%.6f", cpu_seconds(), cpu_wait_seconds());
}

static void report(struct run *run, const char *phase)
{
	printf("{\"phase\":\"%s\",\"wanted\":%" PRIu64 ",\"sessions\":%" PRIu64 ",\"standing\":%zu",
	       phase, run->wanted, run->started, run->held);
	for (int i = REFUSED; i < OUTCOMES; i++)
		printf(",\"%s\":%" PRIu64, outcome_names[i], run->outcomes[i]);
	printf(",\"errors\":{");
	for (int i = 0; i < FAILURES; i++)
		printf("%s\"%s\":%" PRIu64, i ? "," : "", failure_names[i], run->failures[i]);
	putchar('}');
	print_tally("failed_at", &run->failed_at);
	for (int i = 0; i < STAGES; i++)
		print_tally(stage_names[i], &run->replies[i]);
	print_tally("hosts", &run->hosts);
	print_rate(run);
	print_times(run);
	puts("}");
	if (fflush(stdout))
		die(1, errno, "writing the result");
}

/* --- the run ------------------------------------------------------------------------------- */

/* How many sessions may start now, by the rate and by what is open. */
static uint64_t may_start(const struct run *run, uint64_t now)
{
	uint64_t room = run->at_once - run->open, due;

	if (run->stopping)
		return 0;
	if (room > STARTS_AT_ONCE)
		room = STARTS_AT_ONCE;
	if (run->wanted && room > run->wanted - run->started)
		room = run->wanted - run->started;
	if (run->per_second) {
		due = (now - run->first_start) * run->per_second / USEC_PER_SEC + 1;
		due = due > run->started ? due - run->started : 0;
		room = room < due ? room : due;
	}
	return room;
}

static bool is_over(const struct run *run)
{
	return !run->open && (run->stopping || (run->wanted && run->started == run->wanted));
}

/* No session begins from now on, and those that stand are closed. */
static void stop(struct run *run, enum outcome outcome)
{
	struct session *session;

	run->stopping = true;
	while ((session = TAILQ_FIRST(&run->standing))) {
		if (outcome == FAILED)
			fail_session(run, session, UNFINISHED);
		else
			end_session(run, session, outcome);
	}
}

static void expire(struct run *run, uint64_t now)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&run->waiting)) && now >= session->deadline)
		fail_session(run, session, TIMEOUT);
	if (!run->stopping && now >= run->first_start + run->seconds)
		stop(run, FAILED);
	if (now < run->first_start + run->seconds + run->timeout)
		return;
	while ((session = TAILQ_FIRST(&run->waiting)))
		fail_session(run, session, UNFINISHED);
}

/* Milliseconds until something is due that is not an event, rounded up. */
static int time_to_wait(const struct run *run, uint64_t now)
{
	const struct session *session = TAILQ_FIRST(&run->waiting);
	uint64_t until = run->first_start + run->seconds, next;

	if (may_start(run, now))
		return 0;
	if (run->stopping)
		until += run->timeout;
	if (session && session->deadline < until)
		until = session->deadline;
	if (run->per_second && !run->stopping && run->open < run->at_once &&
	    (!run->wanted || run->started < run->wanted)) {
		next = run->first_start + run->started * USEC_PER_SEC / run->per_second;
		until = next < until ? next : until;
	}
	return until <= now ? 0 : (int)((until - now + 999) / 1000);
}

/* A line lets the standing sessions go on, end of file closes them. */
static void take_input(struct run *run)
{
	struct session *session;
	char text[256];
	ssize_t len = read(STDIN_FILENO, text, sizeof(text));

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		(void)epoll_ctl(run->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
		stop(run, RELEASED);
		return;
	}
	if (!memchr(text, '\n', (size_t)len))
		return;
	run->release = true;
	while ((session = TAILQ_FIRST(&run->standing)))
		(void)go_to(run, session, session->reached + 1);
}

static void take_signal(struct run *run)
{
	struct signalfd_siginfo info;
	struct session *session;

	if (read(run->signals, &info, sizeof(info)) != sizeof(info))
		return;
	stop(run, RELEASED);
	while ((session = TAILQ_FIRST(&run->waiting)))
		fail_session(run, session, UNFINISHED);
}

static void take_event(struct run *run, const struct epoll_event *event)
{
	struct session *session = event->data.ptr;

	if (event->data.ptr == &run->signals)
		take_signal(run);
	else if (event->data.ptr == &run->hold)
		take_input(run);
	else if (session->fd >= 0)
		read_session(run, session);
}

/* With --hold: says once that no session is on its way any more. */
static void announce(struct run *run)
{
	if (run->hold == STAGES || run->announced || run->started < run->wanted ||
	    run->open > run->held)
		return;
	run->announced = true;
	report(run, "standing");
}

static void run_all(struct run *run)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	uint64_t start;
	int n, i;

	run->first_start = now_usec();
	while (!is_over(run)) {
		for (start = may_start(run, now_usec()); start; start--)
			start_session(run);
		n = epoll_wait(run->epoll, events, EVENTS_AT_ONCE, time_to_wait(run, now_usec()));
		if (n < 0 && errno != EINTR)
			die(1, errno, "waiting for replies");
		for (i = 0; i < n; i++)
			take_event(run, &events[i]);
		expire(run, now_usec());
		announce(run);
	}
}

/* --- arguments ----------------------------------------------------------------------------- */

static void parse_targets(struct run *run, char *hosts, const char *port_text)
{
	uint16_t port = (uint16_t)parse_number(port_text, "port", 1, 65535);
	char *host, *save = NULL;
	union addr addr;

	for (host = strtok_r(hosts, ",", &save); host; host = strtok_r(NULL, ",", &save)) {
		if (!parse_addr(host, port, &addr))
			die(2, 0, "host '%s' is not an IPv4 or IPv6 address", host);
		if (addr.sa.sa_family == AF_INET)
			run->target4 = addr;
		else
			run->target6 = addr;
	}
}

static void check_sources(const struct run *run)
{
	if (!run->source_count)
		die(2, 0, "no source addresses");
	for (size_t i = 0; i < run->source_count; i++) {
		bool v4 = run->sources[i].first.sa.sa_family == AF_INET;

		if (!(v4 ? &run->target4 : &run->target6)->sa.sa_family)
			die(2, 0, "IPv%d sources, but no such host", v4 ? 4 : 6);
	}
}

static enum stage parse_stage(const char *text)
{
	for (int i = GREETING; i <= RCPT; i++)
		if (!strcmp(text, stage_names[i]))
			return (enum stage)i;
	die(2, 0, "--hold: '%s' is not greeting, helo, mail or rcpt", text);
}

__attribute__((noreturn)) static void usage(int status)
{
	fputs("usage: smtp_load [options] HOST[,HOST] PORT [SOURCE...]\n"
	      "  A SOURCE is an address, or a prefix: each of its addresses in turn, of an IPv6\n"
	      "  prefix shorter than /64 one address of each /64. All sources take turns.\n"
	      "  -f, --sources FILE     more sources, one a line (- is stdin)\n"
	      "  -c, --at-once N        N sessions open at once (100)\n"
	      "  -n, --sessions N       N sessions in all (as many as fit in the time)\n"
	      "  -s, --seconds S        begin none after S seconds (30); all ends a timeout later\n"
	      "  -r, --rate N           begin N a second (no limit)\n"
	      "  -t, --timeout MS       wait MS for each reply (10000)\n"
	      "  -H, --hold STAGE       open N sessions, and keep them after the reply to\n"
	      "                         greeting, helo, mail or rcpt until a line on stdin\n",
	      status ? stderr : stdout);
	exit(status);
}

static void parse_option(struct run *run, int option)
{
	switch (option) {
	case 'f':
		read_sources(run, optarg);
		break;
	case 'c':
		run->at_once = parse_number(optarg, "--at-once", 1, 1000000);
		break;
	case 'n':
		run->wanted = parse_number(optarg, "--sessions", 1, UINT32_MAX);
		break;
	case 's':
		run->seconds = USEC_PER_SEC * parse_number(optarg, "--seconds", 1, 3600);
		break;
	case 'r':
		run->per_second = parse_number(optarg, "--rate", 1, 1000000);
		break;
	case 't':
		run->timeout = 1000 * parse_number(optarg, "--timeout", 1, 600000);
		break;
	case 'H':
		run->hold = parse_stage(optarg);
		break;
	case 'h':
		usage(EXIT_SUCCESS);
	default:
		usage(2);
	}
}

static void parse_arguments(struct run *run, int argc, char **argv)
{
	static const struct option options[] = { { "sources", required_argument, NULL, 'f' },
						 { "at-once", required_argument, NULL, 'c' },
						 { "sessions", required_argument, NULL, 'n' },
						 { "seconds", required_argument, NULL, 's' },
						 { "rate", required_argument, NULL, 'r' },
						 { "timeout", required_argument, NULL, 't' },
						 { "hold", required_argument, NULL, 'H' },
						 { "help", no_argument, NULL, 'h' },
						 {} };
	int option;

	while ((option = getopt_long(argc, argv, "f:c:n:s:r:t:H:h", options, NULL)) >= 0)
		parse_option(run, option);
	if (argc - optind < 2)
		usage(2);
	parse_targets(run, argv[optind], argv[optind + 1]);
	for (optind += 2; optind < argc; optind++)
		add_source(run, argv[optind]);
	check_sources(run);
	if (run->hold != STAGES)
		run->wanted = run->at_once;
}

static void raise_fd_limit(const struct run *run)
{
	rlim_t need = run->at_once + SPARE_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		die(1, errno, "reading the limit of open files");
	if (limit.rlim_cur >= need)
		return;
	limit.rlim_cur = need;
	if (limit.rlim_max < need)
		limit.rlim_max = need;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die(1, errno, "raising the limit of open files to %ju", (uintmax_t)need);
}

static void watch(const struct run *run, int fd, const char *name, const void *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = (void *)(uintptr_t)what };

	if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, fd, &event))
		die(1, errno, "watching %s", name);
}

static void prepare(struct run *run)
{
	sigset_t signals;

	raise_fd_limit(run);
	run->pool = calloc(run->at_once, sizeof(*run->pool));
	if (!run->pool)
		die(1, errno, "%zu sessions", run->at_once);
	TAILQ_INIT(&run->idle);
	TAILQ_INIT(&run->waiting);
	TAILQ_INIT(&run->standing);
	for (size_t i = 0; i < run->at_once; i++) {
		run->pool[i].fd = -1;
		TAILQ_INSERT_TAIL(&run->idle, &run->pool[i], queue);
	}
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (run->epoll < 0)
		die(1, errno, "creating an epoll instance");
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL))
		die(1, errno, "blocking signals");
	run->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (run->signals < 0)
		die(1, errno, "taking signals");
	watch(run, run->signals, "signals", &run->signals);
	if (run->hold != STAGES)
		watch(run, STDIN_FILENO, "standard input (a pipe or terminal)", &run->hold);
}

int main(int argc, char **argv)
{
	struct run run = { .at_once = 100,
			   .seconds = 30 * USEC_PER_SEC,
			   .timeout = 10 * USEC_PER_SEC,
			   .hold = STAGES };
	bool all;

	parse_arguments(&run, argc, argv);
	prepare(&run);
	run_all(&run);
	report(&run, "end");
	if (run.last_error)
		fprintf(stderr, "smtp_load: the last error: %s\n", strerror(run.last_error));
	all = run.started && (!run.wanted || run.started == run.wanted);
	all = all && !run.outcomes[FAILED];
	close(run.signals);
	close(run.epoll);
	free(run.pool);
	free(run.sources);
	free(run.times);
	return all ? EXIT_SUCCESS : EXIT_FAILURE;
}
