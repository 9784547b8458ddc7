/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/verdict_file.h"

#include "base/addr.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define FILE_NAME "verdicts"
#define HEADER "# repgate verdicts 1: prefix zone code since until hits\n"

/* Verdicts in one piece, 2 ms of work, and the pause for other events before the next. */
#define PIECE 1000
static const struct timeval pause_time = { .tv_usec = 10000 };

struct rg_verdict_file {
	const struct rg_verdicts *verdicts;
	char *path, *fresh;
	FILE *stream; /* NULL: no save is under way */
	size_t next; /* number of the next verdict */
	uint64_t renumbered; /* rg_verdicts_renumbered() when the save began */
	struct event *timer;
	void (*done)(void *arg, int err);
	void *arg;
};

static int open_file(struct rg_verdict_file *file)
{
	int fd = open(file->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	file->stream = fdopen(fd, "w");
	if (!file->stream) {
		close(fd);
		return -ENOMEM;
	}
	file->next = 0;
	file->renumbered = rg_verdicts_renumbered(file->verdicts);
	fputs(HEADER, file->stream);
	return 0;
}

/* The verdicts have new numbers. */
static void begin_again(struct rg_verdict_file *file)
{
	rewind(file->stream);
	if (ftruncate(fileno(file->stream), 0))
		return; /* a line that comes twice does no harm */
	file->next = 0;
	file->renumbered = rg_verdicts_renumbered(file->verdicts);
	fputs(HEADER, file->stream);
}

static void write_entry(FILE *stream, const struct rg_verdicts *verdicts,
			const struct rg_prefix *key, const struct rg_full_verdict *value)
{
	struct in_addr code = { .s_addr = htonl(value->code) };
	char prefix[RG_PREFIX_TEXT], text[INET_ADDRSTRLEN];

	/* A verdict on an IPv6 prefix comes of those on its addresses. */
	if (key->len != RG_ADDR_BITS)
		return;
	/* Only what a zone decided: everything else is decided again without a question. */
	if (value->reason != RG_REASON_ZONE || !*rg_verdicts_zone(verdicts, value->zone))
		return;
	fprintf(stream, "%s %s %s %.0f %.0f %llu\n", rg_prefix_format(key, prefix),
		rg_verdicts_zone(verdicts, value->zone),
		inet_ntop(AF_INET, &code, text, sizeof(text)), rg_wall_time(value->since),
		rg_wall_time(value->expiry), (unsigned long long)value->hits);
}

/* 1: there is more, 0: that was all. */
static int write_piece(struct rg_verdict_file *file, size_t count)
{
	struct rg_full_verdict value;
	struct rg_prefix key;
	int err = 0;

	if (file->renumbered != rg_verdicts_renumbered(file->verdicts))
		begin_again(file);
	for (; count; count--) {
		err = rg_verdicts_at(file->verdicts, file->next++, &key, &value);
		if (err == -ERANGE)
			return 0;
		if (!err)
			write_entry(file->stream, file->verdicts, &key, &value);
	}
	return 1;
}

/* Ends a save. sync: also write to the disk, which blocks. 0 or -errno. */
static int close_file(struct rg_verdict_file *file, bool sync)
{
	FILE *stream = file->stream;
	int err = 0;

	file->stream = NULL;
	if (fflush(stream) || ferror(stream))
		err = errno ? -errno : -EIO;
	if (!err && sync && fsync(fileno(stream)))
		err = -errno;
	if (fclose(stream) && !err)
		err = -errno;
	if (!err && rename(file->fresh, file->path))
		err = -errno;
	if (err)
		(void)unlink(file->fresh);
	return err;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct rg_verdict_file *file = arg;

	(void)fd;
	(void)what;
	if (write_piece(file, PIECE))
		evtimer_add(file->timer, &pause_time);
	else
		file->done(file->arg, close_file(file, false));
}

int rg_verdict_file_new(struct rg_verdict_file **ret, struct event_base *base,
			const struct rg_verdicts *verdicts, const char *state_dir)
{
	struct rg_verdict_file *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->verdicts = verdicts;
	if (asprintf(&file->path, "%s/%s", state_dir, FILE_NAME) < 0)
		file->path = NULL;
	if (asprintf(&file->fresh, "%s/%s.new", state_dir, FILE_NAME) < 0)
		file->fresh = NULL;
	file->timer = evtimer_new(base, on_timer, file);
	if (!file->path || !file->fresh || !file->timer) {
		rg_verdict_file_free(file);
		return -ENOMEM;
	}
	*ret = file;
	return 0;
}

void rg_verdict_file_save(struct rg_verdict_file *file, void (*done)(void *arg, int err), void *arg)
{
	int err;

	if (file->stream)
		return;
	file->done = done;
	file->arg = arg;
	err = open_file(file);
	if (err)
		done(arg, err);
	else
		evtimer_add(file->timer, &pause_time);
}

int rg_verdict_file_save_now(struct rg_verdict_file *file)
{
	int err;

	evtimer_del(file->timer);
	if (file->stream)
		(void)fclose(file->stream);
	err = open_file(file);
	if (err)
		return err;
	while (write_piece(file, PIECE))
		;
	return close_file(file, true);
}

void rg_verdict_file_free(struct rg_verdict_file *file)
{
	if (!file)
		return;
	if (file->stream) {
		(void)fclose(file->stream);
		(void)unlink(file->fresh);
	}
	if (file->timer)
		event_free(file->timer);
	free(file->path);
	free(file->fresh);
	free(file);
}

/* ---- loading ---- */

/* s since 1970: the year 36812. sscanf(3) does not report an overflow. */
#define LAST_TIME (1LL << 40)

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

/*
 * How long a saved verdict still lasts, in s; 0 or less: it has ended. The wall clock may have jumped since
 * the line was written, so it is neither longer than the zone allows nor than it was at first.
 */
static int64_t time_left(const struct saved_line *line, const struct rg_zone_conf *zone, int64_t wall)
{
	int64_t left = line->until - wall, most = line->until - line->since;

	if (most > zone->ttl_max)
		most = zone->ttl_max;
	return left < most ? left : most;
}

static int restore(const struct saved_line *line, const struct rg_zone_conf *zone, int64_t wall,
		   int64_t left, struct rg_verdicts *verdicts)
{
	uint64_t age = wall > line->since ? (uint64_t)(wall - line->since) * RG_NSEC_PER_SEC : 0;
	uint64_t now = rg_now();
	const struct rg_full_verdict value = {
		.expiry = now + (uint64_t)left * RG_NSEC_PER_SEC,
		.peer_class = zone->peer_class,
		.since = age < now ? now - age : 1,
		.hits = line->hits,
		.action = zone->action,
		.reason = RG_REASON_ZONE,
		.zone = zone->slot,
		.code = line->code,
	};

	return rg_verdicts_restore(verdicts, &line->prefix, &value);
}

static void take_line(const struct saved_line *line, struct rg_verdicts *verdicts,
		      const struct rg_conf *conf, struct rg_verdict_file_count *count)
{
	const struct rg_zone_conf *zone = rg_conf_zone_by_alias(conf, line->zone);
	int64_t wall = (int64_t)time(NULL), left;
	uint32_t code;

	if (line->prefix.len != RG_ADDR_BITS) {
		count->bad++; /* zones list addresses */
		return;
	}
	if (!zone || rg_dnsbl_match(&zone->codes, &line->code, 1, &code) != RG_LISTED) {
		count->unknown++;
		return;
	}
	left = time_left(line, zone, wall);
	if (left <= 0)
		count->ended++;
	else if (restore(line, zone, wall, left, verdicts))
		count->bad++;
	else
		count->loaded++;
}

int rg_verdict_file_load(const char *state_dir, struct rg_verdicts *verdicts,
			 const struct rg_conf *conf, struct rg_verdict_file_count *count)
{
	RG_CLEANUP_FREE char *path = NULL, *text = NULL;
	RG_CLEANUP_FCLOSE FILE *stream = NULL;
	size_t size = 0;

	*count = (struct rg_verdict_file_count){};
	if (asprintf(&path, "%s/%s", state_dir, FILE_NAME) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	stream = fopen(path, "re");
	if (!stream)
		return errno == ENOENT ? 0 : -errno;
	while (getline(&text, &size, stream) > 0) {
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
