/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * syn_client - many peers, one process
 *
 * Opens one TCP connection per source address, all nonblocking in one epoll
 * loop, and says what each of them met. The addresses need not be configured
 * on an interface: it is enough that answers to them are routed here.
 *
 * One line per connection, fields separated by tabs:
 *
 *   source  outcome  microseconds  [banner]  [syns]
 *
 * outcome       connected, refused, timeout or error:NAME (an errno name)
 * microseconds  from connect() to the outcome
 * banner        with --banner: yes if a greeting beginning with 220 was read
 * syns          with --syns: SYNs sent, more than 1 means retransmission
 */
#define _GNU_SOURCE 1 /* strerrorname_np */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
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
/* Descriptors that are not connections: standard streams, epoll, the list. */
#define SPARE_FDS 64
/*
 * Connections opened before the loop looks for answers again, so that a burst
 * does not add its own length to the times it measures.
 */
#define STARTS_AT_ONCE 32

enum outcome {
	OUTCOME_NONE,
	OUTCOME_CONNECTED,
	OUTCOME_REFUSED,
	OUTCOME_TIMEOUT,
	OUTCOME_ERROR,
	OUTCOME_MAX,
};

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct peer {
	union addr source;
	char name[INET6_ADDRSTRLEN];
	int fd; /* -1 before the start and after the end */
	enum outcome outcome;
	int error; /* errno of OUTCOME_ERROR */
	uint64_t started; /* microseconds, CLOCK_MONOTONIC */
	uint64_t took; /* microseconds */
	unsigned int syns;
	bool banner;
};

struct run {
	union addr target4, target6; /* family 0 where not given */
	size_t at_once;
	uint64_t per_second; /* 0: no limit */
	uint64_t timeout; /* microseconds */
	bool want_banner, want_syns, want_summary, quiet;

	struct peer *peers;
	size_t count, capacity;
	size_t started; /* peers[0..started) have been tried */
	size_t oldest; /* no peer before this one is open */
	size_t open;
	uint64_t first_start;
	int epoll;
};

static uint64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

__attribute__((format(printf, 2, 3), noreturn)) static void die(int error, const char *format, ...)
{
	va_list args;

	fputs("syn_client: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s", strerror(error));
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

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

static uint64_t parse_number(const char *text, const char *what, uint64_t max)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || number > max)
		die(0, "%s: '%s' is not a number from 0 to %" PRIu64, what, text, max);
	return number;
}

static void add_source(struct run *run, const char *text)
{
	struct peer *peer;

	if (run->count == run->capacity) {
		run->capacity = run->capacity ? 2 * run->capacity : 1024;
		run->peers = reallocarray(run->peers, run->capacity, sizeof(*run->peers));
		if (!run->peers)
			die(errno, "%zu peers", run->capacity);
	}
	peer = &run->peers[run->count++];
	*peer = (struct peer){ .fd = -1 };
	if (!parse_addr(text, 0, &peer->source))
		die(0, "source '%s' is not an IPv4 or IPv6 address", text);
	snprintf(peer->name, sizeof(peer->name), "%s", text);
}

static void read_sources(struct run *run, const char *path)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		die(errno, "%s", path);
	while (getline(&line, &size, file) >= 0) {
		line[strcspn(line, " \t\r\n#")] = '\0';
		if (*line)
			add_source(run, line);
	}
	if (ferror(file))
		die(errno, "%s", path);
	free(line);
	if (file != stdin)
		fclose(file);
}

static void raise_fd_limit(const struct run *run)
{
	rlim_t need = run->at_once + SPARE_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		die(errno, "reading the limit of open files");
	if (limit.rlim_cur >= need)
		return;
	limit.rlim_cur = need;
	if (limit.rlim_max < need)
		limit.rlim_max = need;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die(errno, "raising the limit of open files to %ju", (uintmax_t)need);
}

static void print_peer(const struct run *run, const struct peer *peer)
{
	static const char *const names[OUTCOME_MAX] = {
		[OUTCOME_NONE] = "none",       [OUTCOME_CONNECTED] = "connected",
		[OUTCOME_REFUSED] = "refused", [OUTCOME_TIMEOUT] = "timeout",
		[OUTCOME_ERROR] = "error",
	};
	const char *error;

	if (run->quiet)
		return;
	printf("%s\t%s", peer->name, names[peer->outcome]);
	if (peer->outcome == OUTCOME_ERROR) {
		error = strerrorname_np(peer->error);
		printf(":%s", error ? error : "UNKNOWN");
	}
	printf("\t%" PRIu64, peer->took);
	if (run->want_banner)
		printf("\t%s", peer->banner ? "yes" : "no");
	if (run->want_syns)
		printf("\t%u", peer->syns);
	putchar('\n');
}

static void finish_peer(struct run *run, struct peer *peer)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(peer->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
		peer->syns = 1 + info.tcpi_total_retrans;
	close(peer->fd);
	peer->fd = -1;
	run->open--;
	print_peer(run, peer);
}

static void fail_peer(struct run *run, struct peer *peer, int error)
{
	peer->took = now_usec() - peer->started;
	peer->error = error;
	if (error == ECONNREFUSED)
		peer->outcome = OUTCOME_REFUSED;
	else if (error == ETIMEDOUT)
		peer->outcome = OUTCOME_TIMEOUT;
	else
		peer->outcome = OUTCOME_ERROR;
	finish_peer(run, peer);
}

/* A socket bound to the peer's address; the port is chosen by connect(). */
static int open_socket(const struct peer *peer)
{
	int family = peer->source.sa.sa_family, one = 1, error;
	bool v4 = family == AF_INET;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die(errno, "opening a socket for %s", peer->name);
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) ||
	    setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND, &one,
		       sizeof(one)) ||
	    bind(fd, &peer->source.sa, addr_len(&peer->source))) {
		error = errno;
		close(fd);
		die(error, "binding to %s", peer->name);
	}
	return fd;
}

static void start_peer(struct run *run)
{
	struct peer *peer = &run->peers[run->started++];
	const union addr *target = peer->source.sa.sa_family == AF_INET ? &run->target4 :
									  &run->target6;
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = peer };

	peer->fd = open_socket(peer);
	run->open++;
	if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, peer->fd, &event))
		die(errno, "watching the connection of %s", peer->name);
	peer->started = now_usec();
	if (connect(peer->fd, &target->sa, addr_len(target)) && errno != EINPROGRESS)
		fail_peer(run, peer, errno);
}

/* How many peers may start now, by the rate and by what is open. */
static size_t may_start(const struct run *run, uint64_t now)
{
	size_t room = run->at_once - run->open;
	size_t left = run->count - run->started;
	uint64_t due;

	if (room > STARTS_AT_ONCE)
		room = STARTS_AT_ONCE;
	if (run->per_second) {
		due = (now - run->first_start) * run->per_second / USEC_PER_SEC + 1;
		if (due <= run->started)
			return 0;
		if (room > due - run->started)
			room = due - run->started;
	}
	return room < left ? room : left;
}

static void expire_peers(struct run *run, uint64_t now)
{
	struct peer *peer;

	/* All have the same time to live, so the oldest ends first. */
	for (; run->oldest < run->started; run->oldest++) {
		peer = &run->peers[run->oldest];
		if (peer->fd < 0)
			continue;
		if (now < peer->started + run->timeout)
			return;
		if (peer->outcome == OUTCOME_CONNECTED)
			finish_peer(run, peer);
		else
			fail_peer(run, peer, ETIMEDOUT);
	}
}

static void read_banner(struct run *run, struct peer *peer)
{
	char text[512];
	ssize_t len = recv(peer->fd, text, sizeof(text), 0);

	if (len < 0 && errno == EAGAIN)
		return;
	peer->banner = len >= 3 && !memcmp(text, "220", 3);
	finish_peer(run, peer);
}

static void handle_event(struct run *run, struct peer *peer)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };
	socklen_t len = sizeof(int);
	int error = 0;

	if (peer->outcome == OUTCOME_CONNECTED) {
		read_banner(run, peer);
		return;
	}
	if (getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &len))
		error = errno;
	if (error) {
		fail_peer(run, peer, error);
		return;
	}
	peer->took = now_usec() - peer->started;
	peer->outcome = OUTCOME_CONNECTED;
	if (!run->want_banner) {
		finish_peer(run, peer);
		return;
	}
	if (epoll_ctl(run->epoll, EPOLL_CTL_MOD, peer->fd, &event))
		die(errno, "waiting for the greeting to %s", peer->name);
}

/* Milliseconds until something is due that is not an event, rounded up. */
static int time_to_wait(const struct run *run, uint64_t now)
{
	uint64_t until = now + USEC_PER_SEC, next;

	if (may_start(run, now))
		return 0;
	if (run->oldest < run->started) {
		next = run->peers[run->oldest].started + run->timeout;
		until = next < until ? next : until;
	}
	if (run->per_second && run->started < run->count && run->open < run->at_once) {
		next = run->first_start + run->started * USEC_PER_SEC / run->per_second;
		until = next < until ? next : until;
	}
	return until <= now ? 0 : (int)((until - now + 999) / 1000);
}

static void run_all(struct run *run)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	size_t start;
	int n, i;

	run->first_start = now_usec();
	while (run->started < run->count || run->open) {
		for (start = may_start(run, now_usec()); start; start--)
			start_peer(run);
		n = epoll_wait(run->epoll, events, EVENTS_AT_ONCE, time_to_wait(run, now_usec()));
		if (n < 0 && errno != EINTR)
			die(errno, "waiting for connections");
		for (i = 0; i < n; i++)
			handle_event(run, events[i].data.ptr);
		expire_peers(run, now_usec());
	}
}

static int compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_summary(const struct run *run, uint64_t elapsed)
{
	uint64_t *times = calloc(run->count + 1, sizeof(*times));
	size_t counts[OUTCOME_MAX] = {}, banners = 0, resent = 0, n = 0, i;

	if (!times)
		die(errno, "%zu times", run->count);
	for (i = 0; i < run->count; i++) {
		const struct peer *peer = &run->peers[i];

		counts[peer->outcome]++;
		banners += peer->banner;
		resent += peer->syns > 1;
		if (peer->outcome == OUTCOME_CONNECTED)
			times[n++] = peer->took;
	}
	qsort(times, n, sizeof(*times), compare_times);
	printf("# peers=%zu connected=%zu refused=%zu timeout=%zu error=%zu", run->count,
	       counts[OUTCOME_CONNECTED], counts[OUTCOME_REFUSED], counts[OUTCOME_TIMEOUT],
	       counts[OUTCOME_ERROR]);
	printf(" banners=%zu resent=%zu", banners, resent);
	printf(" median_us=%" PRIu64 " p99_us=%" PRIu64 " max_us=%" PRIu64, n ? times[n / 2] : 0,
	       n ? times[n * 99 / 100] : 0, n ? times[n - 1] : 0);
	printf(" elapsed_us=%" PRIu64 "\n", elapsed);
	free(times);
}

static void parse_targets(struct run *run, char *hosts, const char *port_text)
{
	uint16_t port = (uint16_t)parse_number(port_text, "port", 65535);
	char *host, *save = NULL;
	union addr addr;

	for (host = strtok_r(hosts, ",", &save); host; host = strtok_r(NULL, ",", &save)) {
		if (!parse_addr(host, port, &addr))
			die(0, "host '%s' is not an IPv4 or IPv6 address", host);
		if (addr.sa.sa_family == AF_INET)
			run->target4 = addr;
		else
			run->target6 = addr;
	}
}

static void check_families(const struct run *run)
{
	const struct peer *peer = run->peers;

	if (!run->count)
		die(0, "no source addresses");
	for (; peer < run->peers + run->count; peer++) {
		const union addr *target = peer->source.sa.sa_family == AF_INET ? &run->target4 :
										  &run->target6;

		if (!target->sa.sa_family)
			die(0, "no host of the family of source %s", peer->name);
	}
}

__attribute__((noreturn)) static void usage(int status)
{
	fputs("usage: syn_client [options] HOST[,HOST] PORT [SOURCE...]\n"
	      "  One connection per SOURCE; with an IPv4 and an IPv6 HOST,\n"
	      "  each source goes to the host of its family.\n"
	      "  -f, --sources FILE   more sources, one a line (- is stdin)\n"
	      "  -c, --at-once N      at most N connections open (1000)\n"
	      "  -r, --rate N         start N a second (no limit)\n"
	      "  -t, --timeout MS     give up after MS (3000)\n"
	      "  -b, --banner         wait for a 220 greeting as well\n"
	      "  -n, --syns           say how many SYNs were sent\n"
	      "  -s, --summary        counts and times in a last line\n"
	      "  -q, --quiet          no lines for single connections\n",
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
		run->at_once = parse_number(optarg, "--at-once", 1000000);
		if (!run->at_once)
			die(0, "--at-once: at least 1");
		break;
	case 'r':
		run->per_second = parse_number(optarg, "--rate", 1000000);
		break;
	case 't':
		run->timeout = 1000 * parse_number(optarg, "--timeout", 600000);
		break;
	case 'b':
		run->want_banner = true;
		break;
	case 'n':
		run->want_syns = true;
		break;
	case 's':
		run->want_summary = true;
		break;
	case 'q':
		run->quiet = true;
		break;
	case 'h':
		usage(EXIT_SUCCESS);
	default:
		usage(2);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "sources", required_argument, NULL, 'f' },
						 { "at-once", required_argument, NULL, 'c' },
						 { "rate", required_argument, NULL, 'r' },
						 { "timeout", required_argument, NULL, 't' },
						 { "banner", no_argument, NULL, 'b' },
						 { "syns", no_argument, NULL, 'n' },
						 { "summary", no_argument, NULL, 's' },
						 { "quiet", no_argument, NULL, 'q' },
						 { "help", no_argument, NULL, 'h' },
						 {} };
	struct run run = { .at_once = 1000, .timeout = 3 * USEC_PER_SEC };
	int option;

	while ((option = getopt_long(argc, argv, "f:c:r:t:bnsqh", options, NULL)) >= 0)
		parse_option(&run, option);
	if (argc - optind < 2)
		usage(2);
	parse_targets(&run, argv[optind], argv[optind + 1]);
	for (optind += 2; optind < argc; optind++)
		add_source(&run, argv[optind]);
	check_families(&run);
	raise_fd_limit(&run);

	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (run.epoll < 0)
		die(errno, "creating an epoll instance");
	run_all(&run);
	if (run.want_summary)
		print_summary(&run, now_usec() - run.first_start);
	close(run.epoll);
	free(run.peers);
	if (fflush(stdout))
		die(errno, "writing the result");
	return EXIT_SUCCESS;
}
