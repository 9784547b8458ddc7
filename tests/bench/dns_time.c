/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_time - how long a DNS list takes to answer
 *
 * Reads IPv4 addresses, asks for the A record of each below ZONE, one question at a time, and
 * prints for each how many microseconds the answer took.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_QUESTIONS 4096
#define PATIENCE_MS 3000
#define DNS_MAX 512
#define DNS_HEADER 12

struct run {
	int fd;
	const char *zone;
	uint8_t addresses[MAX_QUESTIONS][4];
	uint64_t asked[MAX_QUESTIONS]; /* ns; 0: answered */
	unsigned int count;
};

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list args;

	fputs("dns_time: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* NAME's labels, each with its length before it. Returns the end. */
static uint8_t *put_name(uint8_t *to, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");

		*to++ = (uint8_t)len;
		memcpy(to, name, len);
		to += len;
		name += len + (name[len] == '.');
	}
	*to++ = 0;
	return to;
}

static void ask(struct run *run, unsigned int id)
{
	static const uint8_t type_a_class_in[] = { 0, 1, 0, 1 };
	const uint8_t *byte = run->addresses[id];
	uint8_t query[DNS_MAX] = { (uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1 };
	char name[300];
	uint8_t *end;

	snprintf(name, sizeof(name), "%u.%u.%u.%u.%s", byte[3], byte[2], byte[1], byte[0], run->zone);
	end = put_name(query + DNS_HEADER, name);
	memcpy(end, type_a_class_in, sizeof(type_a_class_in));
	end += sizeof(type_a_class_in);
	run->asked[id] = now_ns();
	if (send(run->fd, query, (size_t)(end - query), 0) < 0)
		die("asking: %s", strerror(errno));
}

/* Waits for one answer. */
static void hear(struct run *run)
{
	struct pollfd pollfd = { .fd = run->fd, .events = POLLIN };
	uint8_t answer[DNS_MAX];
	unsigned int id;

	if (poll(&pollfd, 1, PATIENCE_MS) != 1)
		die("no answer");
	if (recv(run->fd, answer, sizeof(answer), 0) < DNS_HEADER)
		die("a bad answer: %s", strerror(errno));
	id = (unsigned int)answer[0] << 8 | answer[1];
	if (id >= run->count || !run->asked[id])
		die("an answer to no question");
	printf("%" PRIu64 "\n", (now_ns() - run->asked[id]) / 1000);
	run->asked[id] = 0;
}

static void read_addresses(struct run *run)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (run->count == MAX_QUESTIONS)
			die("more than %d addresses", MAX_QUESTIONS);
		if (inet_pton(AF_INET, line, run->addresses[run->count]) != 1)
			die("'%s' is not an IPv4 address", line);
		run->count++;
	}
}

static int reach(const char *host, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (inet_pton(AF_INET, host, &to.sin_addr) != 1 || !to.sin_port)
		die("%s port %s is not a server", host, port);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("%s: %s", host, strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	static struct run run;

	if (argc != 4) {
		fputs("usage: dns_time HOST PORT ZONE <ADDRESSES\n", stderr);
		return 2;
	}
	run.zone = argv[3];
	run.fd = reach(argv[1], argv[2]);
	read_addresses(&run);
	for (unsigned int id = 0; id < run.count; id++) {
		ask(&run, id);
		hear(&run);
	}
	return EXIT_SUCCESS;
}
