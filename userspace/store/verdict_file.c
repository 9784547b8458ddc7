/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/verdict_file.h"

#include "base/addr.h"
#include "base/thread.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#define FILE_NAME "verdicts"
#define HEADER "# repgate verdicts 1: prefix zone code since until hits\n"

#define PIECE 64 /* verdicts in a step: 0.1 ms */

struct rg_verdict_file {
	struct rg_job job;
	struct rg_jobs *jobs;
	struct event_base *base;
	const struct rg_verdicts *verdicts;
	char *path, *fresh;
	FILE *stream; /* NULL: no save is under way */
	uint32_t next; /* number of the next verdict */
	bool syncs; /* at its end the file is written to the disk, too: in a thread, as this blocks */
	pthread_t thread;
	int synced; /* eventfd, written when the thread is done; or -1 */
	int sync_error;
	struct event *event;
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
	fputs(HEADER, file->stream);
	return 0;
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

	for (; count; count--) {
		err = rg_verdicts_next(file->verdicts, &file->next, &key, &value);
		if (err == -ERANGE)
			return 0;
		if (!err)
			write_entry(file->stream, file->verdicts, &key, &value);
	}
	return 1;
}

/* Closes the file and puts it in place. sync: also write it to the disk, which blocks. 0 or -errno. */
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

/* ---- in the event loop ---- */

static void end_save(struct rg_verdict_file *file, int err)
{
	void (*done)(void *arg, int err) = file->done;

	file->done = NULL;
	file->syncs = false;
	if (done)
		done(file->arg, err);
}

static void *sync_file(void *arg)
{
	struct rg_verdict_file *file = arg;

	file->sync_error = close_file(file, true);
	(void)eventfd_write(file->synced, 1); /* the first write can't fail */
	return NULL;
}

static void on_synced(evutil_socket_t fd, short what, void *arg)
{
	struct rg_verdict_file *file = arg;

	(void)what;
	pthread_join(file->thread, NULL);
	event_free(file->event);
	file->event = NULL;
	close(fd);
	file->synced = -1;
	end_save(file, file->sync_error);
}

/* False: there is no thread. */
static bool start_sync(struct rg_verdict_file *file)
{
	file->synced = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (file->synced >= 0)
		file->event = event_new(file->base, file->synced, EV_READ, on_synced, file);
	if (file->event && !event_add(file->event, NULL) &&
	    !rg_thread_start(&file->thread, "verdicts", sync_file, file))
		return true;
	if (file->event)
		event_free(file->event);
	file->event = NULL;
	rg_closep(&file->synced);
	file->synced = -1;
	return false;
}

static bool save_step(struct rg_job *job)
{
	struct rg_verdict_file *file = (struct rg_verdict_file *)(void *)job;

	return file->stream && write_piece(file, PIECE); /* else it was given up */
}

static void save_ended(struct rg_job *job, bool complete)
{
	struct rg_verdict_file *file = (struct rg_verdict_file *)(void *)job;

	if (!complete || !file->stream || (file->syncs && start_sync(file)))
		return;
	end_save(file, close_file(file, file->syncs));
}

int rg_verdict_file_new(struct rg_verdict_file **ret, struct event_base *base, struct rg_jobs *jobs,
			const struct rg_verdicts *verdicts, const char *state_dir)
{
	struct rg_verdict_file *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->base = base;
	file->jobs = jobs;
	file->verdicts = verdicts;
	file->synced = -1;
	if (asprintf(&file->path, "%s/%s", state_dir, FILE_NAME) < 0)
		file->path = NULL;
	if (asprintf(&file->fresh, "%s/%s.new", state_dir, FILE_NAME) < 0)
		file->fresh = NULL;
	if (!file->path || !file->fresh) {
		rg_verdict_file_free(file);
		return -ENOMEM;
	}
	*ret = file;
	return 0;
}

void rg_verdict_file_save(struct rg_verdict_file *file, bool sync, void (*done)(void *arg, int err),
			  void *arg)
{
	int err;

	if (file->event || (file->stream && !sync))
		return;
	if (file->stream)
		(void)fclose(file->stream);
	file->stream = NULL;
	file->done = done;
	file->arg = arg;
	file->syncs = sync;
	err = open_file(file);
	if (err) {
		end_save(file, err);
		return;
	}
	if (!file->job.is_queued)
		file->job =
			(struct rg_job){ .work = RG_LOOP_SAVE, .step = save_step, .end = save_ended };
	rg_jobs_add(file->jobs, RG_LANE_SAVE, &file->job);
}

int rg_verdict_file_save_now(struct rg_verdict_file *file)
{
	int err;

	if (file->event) { /* a sync is under way, which is as good */
		on_synced(file->synced, 0, file);
		return file->sync_error;
	}
	if (file->stream)
		(void)fclose(file->stream);
	file->done = NULL;
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
	file->done = NULL;
	if (file->event)
		on_synced(file->synced, 0, file);
	if (file->stream) {
		(void)fclose(file->stream);
		(void)unlink(file->fresh);
	}
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
	if (!zone || rg_dnsbl_match(&zone->codes, &line->code, 1, &code) != RG_LISTED ||
	    (conf->private_peers == RG_PRIVATE_EXEMPT && rg_addr_is_private(&line->prefix.addr))) {
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

#define LINES 32 /* in a step: 0.1 ms */

struct load {
	struct rg_job job;
	FILE *stream;
	char *text;
	size_t size;
	struct rg_verdicts *verdicts;
	struct rg_conf *const *conf;
	struct rg_verdict_file_count count;
	void (*done)(void *arg, const struct rg_verdict_file_count *count);
	void *arg;
};

static bool load_step(struct rg_job *job)
{
	struct load *load = (struct load *)(void *)job;

	if (rg_verdicts_is_busy(load->verdicts))
		return true;
	for (int i = 0; i < LINES; i++) {
		struct saved_line line;

		if (getline(&load->text, &load->size, load->stream) <= 0)
			return false;
		if (*load->text == '#')
			continue;
		if (parse_line(load->text, &line))
			load->count.bad++;
		else
			take_line(&line, load->verdicts, *load->conf, &load->count);
	}
	return true;
}

static void load_end(struct rg_job *job, bool complete)
{
	struct load *load = (struct load *)(void *)job;

	if (complete)
		load->done(load->arg, &load->count);
	fclose(load->stream);
	free(load->text);
	free(load);
}

static FILE *open_saved(const char *state_dir)
{
	RG_CLEANUP_FREE char *path = NULL;

	if (asprintf(&path, "%s/%s", state_dir, FILE_NAME) < 0) {
		path = NULL;
		errno = ENOMEM;
		return NULL;
	}
	return fopen(path, "re");
}

int rg_verdict_file_load(const char *state_dir, struct rg_verdicts *verdicts, struct rg_jobs *jobs,
			 struct rg_conf *const *conf,
			 void (*done)(void *arg, const struct rg_verdict_file_count *count),
			 void *arg)
{
	FILE *stream = open_saved(state_dir);
	struct load *load;

	if (!stream)
		return errno == ENOENT ? 0 : -errno;
	load = calloc(1, sizeof(*load));
	if (!load) {
		fclose(stream);
		return -ENOMEM;
	}
	*load = (struct load){ .job = { .work = RG_LOOP_RESTORE, .step = load_step, .end = load_end },
			       .stream = stream,
			       .verdicts = verdicts,
			       .conf = conf,
			       .done = done,
			       .arg = arg };
	rg_jobs_add(jobs, RG_LANE_VERDICTS, &load->job);
	return 1;
}
