/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/verdict_file.h"

#include "base/addr.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define FILE_NAME "verdicts"
#define HEADER "# repgate verdicts 1: prefix zone code since until hits\n"

/* Entries in one turn of the loop: 2 ms of work, then others have theirs. */
#define PIECE 1000
static const struct timeval turn = { .tv_usec = 10000 };

struct rg_verdict_file {
	const struct rg_verdicts *verdicts;
	char *path, *fresh;
	FILE *file; /* NULL: not writing */
	size_t next; /* entry */
	uint64_t queues; /* rg_verdicts_queues() when the first one was written */
	struct event *timer;
	void (*done)(void *arg, int err);
	void *arg;
};

static int open_file(struct rg_verdict_file *saver)
{
	int fd = open(saver->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	saver->file = fdopen(fd, "w");
	if (!saver->file) {
		close(fd);
		return -ENOMEM;
	}
	saver->next = 0;
	saver->queues = rg_verdicts_queues(saver->verdicts);
	fputs(HEADER, saver->file);
	return 0;
}

/* The entries have other numbers: from the first one on again. */
static void begin_again(struct rg_verdict_file *saver)
{
	rewind(saver->file);
	if (ftruncate(fileno(saver->file), 0))
		return; /* some lines twice are no harm */
	saver->next = 0;
	saver->queues = rg_verdicts_queues(saver->verdicts);
	fputs(HEADER, saver->file);
}

static void write_entry(FILE *file, const struct rg_verdicts *verdicts, const struct rg_prefix *key,
			const struct rg_full_verdict *value)
{
	struct in_addr code = { .s_addr = htonl(value->code) };
	char prefix[RG_PREFIX_TEXT], text[INET_ADDRSTRLEN];

	/* Only what was asked for: the rest costs nothing to find out again. */
	if (value->reason != RG_REASON_ZONE || !*rg_verdicts_zone(verdicts, value->zone))
		return;
	fprintf(file, "%s %s %s %.0f %.0f %llu\n", rg_prefix_format(key, prefix),
		rg_verdicts_zone(verdicts, value->zone),
		inet_ntop(AF_INET, &code, text, sizeof(text)), rg_wall_time(value->since),
		rg_wall_time(value->expiry), (unsigned long long)value->hits);
}

/* 1: there is more. */
static int write_piece(struct rg_verdict_file *saver, size_t count)
{
	struct rg_full_verdict value;
	struct rg_prefix key;
	int err = 0;

	if (saver->queues != rg_verdicts_queues(saver->verdicts))
		begin_again(saver);
	for (; count; count--) {
		err = rg_verdicts_at(saver->verdicts, saver->next++, &key, &value);
		if (err == -ERANGE)
			return 0;
		if (!err)
			write_entry(saver->file, saver->verdicts, &key, &value);
	}
	return 1;
}

/* sync: down to the disk, which takes its time: at the stop, not in the event loop. */
static int close_file(struct rg_verdict_file *saver, bool sync)
{
	FILE *file = saver->file;
	int err = 0;

	saver->file = NULL;
	if (fflush(file) || ferror(file))
		err = errno ? -errno : -EIO;
	if (!err && sync && fsync(fileno(file)))
		err = -errno;
	if (fclose(file) && !err)
		err = -errno;
	if (!err && rename(saver->fresh, saver->path))
		err = -errno;
	if (err)
		(void)unlink(saver->fresh);
	return err;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct rg_verdict_file *saver = arg;

	(void)fd;
	(void)what;
	if (write_piece(saver, PIECE))
		evtimer_add(saver->timer, &turn);
	else
		saver->done(saver->arg, close_file(saver, false));
}

int rg_verdict_file_new(struct rg_verdict_file **ret, struct event_base *base,
			const struct rg_verdicts *verdicts, const char *state_dir)
{
	struct rg_verdict_file *saver = calloc(1, sizeof(*saver));

	if (!saver)
		return -ENOMEM;
	saver->verdicts = verdicts;
	if (asprintf(&saver->path, "%s/%s", state_dir, FILE_NAME) < 0)
		saver->path = NULL;
	if (asprintf(&saver->fresh, "%s/%s.new", state_dir, FILE_NAME) < 0)
		saver->fresh = NULL;
	saver->timer = evtimer_new(base, on_turn, saver);
	if (!saver->path || !saver->fresh || !saver->timer) {
		rg_verdict_file_free(saver);
		return -ENOMEM;
	}
	*ret = saver;
	return 0;
}

void rg_verdict_file_start(struct rg_verdict_file *saver, void (*done)(void *arg, int err), void *arg)
{
	int err;

	if (saver->file)
		return;
	saver->done = done;
	saver->arg = arg;
	err = open_file(saver);
	if (err)
		done(arg, err);
	else
		evtimer_add(saver->timer, &turn);
}

int rg_verdict_file_finish(struct rg_verdict_file *saver)
{
	int err;

	evtimer_del(saver->timer);
	if (saver->file)
		(void)fclose(saver->file);
	err = open_file(saver);
	if (err)
		return err;
	while (write_piece(saver, PIECE))
		;
	return close_file(saver, true);
}

void rg_verdict_file_free(struct rg_verdict_file *saver)
{
	if (!saver)
		return;
	if (saver->file) {
		(void)fclose(saver->file);
		(void)unlink(saver->fresh);
	}
	if (saver->timer)
		event_free(saver->timer);
	free(saver->path);
	free(saver->fresh);
	free(saver);
}

/* ------------------------------------------------------------------ loading */

#define LAST_TIME \
	(1LL << 40) /* s since 1970: the year 36812; sscanf(3) does not tell an overflow */

struct saved_line {
	struct rg_prefix prefix;
	char zone[RG_ALIAS_SIZE];
	uint32_t code; /* host order */
	int64_t since, until; /* s since 1970 */
	uint64_t hits;
};

static int parse_line(const char *text, struct saved_line *line)
{
	char prefix[RG_PREFIX_TEXT + 1], code[INET_ADDRSTRLEN + 1];
	struct in_addr in;
	int end = -1;

	_Static_assert(RG_PREFIX_TEXT == 50 && RG_ALIAS_SIZE == 32 && INET_ADDRSTRLEN == 16, "sizes");
	if (sscanf(text, "%50s %31s %16s %" SCNd64 " %" SCNd64 " %" SCNu64 " %n", prefix,
		   line->zone, code, &line->since, &line->until, &line->hits, &end) != 6 ||
	    end < 0 || text[end] || rg_prefix_parse(prefix, strlen(prefix), &line->prefix) ||
	    inet_pton(AF_INET, code, &in) != 1 || line->since < 0 || line->until < line->since ||
	    line->until > LAST_TIME)
		return -EINVAL;
	line->code = ntohl(in.s_addr);
	return 0;
}

/* Takes a line over; the clock may have jumped, so nothing lasts longer than its zone allows. */
static void take_line(const struct saved_line *line, struct rg_verdicts *verdicts,
		      const struct rg_conf *conf, struct rg_verdict_file_count *count)
{
	const struct rg_zone_conf *zone = rg_conf_zone_by_alias(conf, line->zone);
	uint64_t now = rg_now(), age;
	int64_t wall = (int64_t)time(NULL), left = line->until - wall;
	struct rg_full_verdict value;
	uint32_t code;

	if (line->prefix.len != rg_peer_of(&line->prefix.addr, conf->ipv6_prefix).len) {
		count->bad++; /* not a peer: a list would say so, not a zone */
		return;
	}
	if (!zone || rg_dnsbl_match(&zone->codes, &line->code, 1, &code) != RG_LISTED) {
		count->unknown++;
		return;
	}
	if (left <= 0) {
		count->ended++;
		return;
	}
	if (left > zone->ttl_max)
		left = zone->ttl_max;
	if (left > line->until - line->since)
		left = line->until - line->since;
	age = wall > line->since ? (uint64_t)(wall - line->since) * RG_NSEC_PER_SEC : 0;
	value = (struct rg_full_verdict){
		.expiry = now + (uint64_t)left * RG_NSEC_PER_SEC,
		.peer_class = zone->peer_class,
		.since = age < now ? now - age : 1,
		.hits = line->hits,
		.action = zone->action,
		.reason = RG_REASON_ZONE,
		.zone = zone->slot,
		.code = line->code,
	};
	if (rg_verdicts_restore(verdicts, &line->prefix, &value))
		count->bad++;
	else
		count->loaded++;
}

int rg_verdict_file_load(const char *state_dir, struct rg_verdicts *verdicts,
			 const struct rg_conf *conf, struct rg_verdict_file_count *count)
{
	RG_CLEANUP_FREE char *path = NULL, *text = NULL;
	RG_CLEANUP_FCLOSE FILE *file = NULL;
	size_t size = 0;

	*count = (struct rg_verdict_file_count){};
	if (asprintf(&path, "%s/%s", state_dir, FILE_NAME) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (getline(&text, &size, file) > 0) {
		struct saved_line line;

		if (*text == '#')
			continue;
		if (parse_line(text, &line))
			count->bad++;
		else
			take_line(&line, verdicts, conf, count);
	}
	return 0;
}
