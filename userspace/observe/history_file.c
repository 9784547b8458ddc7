/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "observe/history_file.h"

#include "base/names.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>

#define FILE_NAME "history"
#define VERSION 1

/* Bounds of what a file may say: a count that every JSON reader can hold, and the year 36812. */
#define LAST_COUNT ((json_int_t)1 << 53)
#define LAST_TIME ((json_int_t)1 << 40)

/* The longest row that a file may have, s. A day is longer than 24 h if the clock was set back. */
static const int64_t longest_rows[] = { [RG_HISTORY_HOUR] = 3600, [RG_HISTORY_DAY] = 50 * 3600 };

static const char *const track_names[] = { [RG_HISTORY_HOUR] = "hours", [RG_HISTORY_DAY] = "days" };

/* --------------------------------------------------------------------- writing */

static json_t *write_count(uint64_t count)
{
	return json_integer(count < (uint64_t)LAST_COUNT ? (json_int_t)count : LAST_COUNT);
}

/* A time within the bounds that the reader accepts. */
static json_int_t at_most(int64_t value)
{
	return value < LAST_TIME ? value : LAST_TIME;
}

/* {class: {action: [packets, attempts]}}, without zeros. */
static json_t *write_table(const struct rg_stats *stats, unsigned int table)
{
	json_t *classes = json_object();

	for (unsigned int peer_class = RG_CLASS_APPROVED; peer_class < RG_CLASS_MAX; peer_class++) {
		json_t *actions = json_object();

		for (unsigned int action = RG_ACTION_PASS; action < RG_ACTION_MAX; action++) {
			const struct rg_count *count = rg_stats_of(stats, table, peer_class, action);

			if (count->packets || count->attempts)
				json_object_set_new(actions, rg_action_name(action),
						    json_pack("[o, o]", write_count(count->packets),
							      write_count(count->attempts)));
		}
		if (json_object_size(actions))
			json_object_set(classes, rg_class_name(peer_class), actions);
		json_decref(actions);
	}
	return classes;
}

static json_t *write_losses(const struct rg_tally *tally)
{
	json_t *losses = json_object();

	for (unsigned int loss = 0; loss < RG_LOSS_COUNTS; loss++)
		if (rg_tally_loss(tally, loss))
			json_object_set_new(losses, rg_losses_name(loss),
					    write_count(rg_tally_loss(tally, loss)));
	return losses;
}

static json_t *write_asked(const uint64_t counts[RG_ASKED_MAX])
{
	return json_pack("[o, o, o, o]", write_count(counts[RG_ASKED]),
			 write_count(counts[RG_ASKED_LISTED]), write_count(counts[RG_ASKED_CLEAN]),
			 write_count(counts[RG_ASKED_FAILED]));
}

static json_t *write_zones(const struct rg_history_counts *history, const struct rg_tally *tally)
{
	static const uint64_t none[RG_ASKED_MAX];
	json_t *zones = json_object();

	for (unsigned int i = 0; i < RG_MAX_ZONES; i++) {
		const uint64_t *counts = &tally->own[RG_TALLY_ZONES + i * RG_ASKED_MAX];

		if (*history->zones[i] && memcmp(counts, none, sizeof(none)) != 0)
			json_object_set_new(zones, history->zones[i], write_asked(counts));
	}
	return zones;
}

static json_t *write_tally(const struct rg_history_counts *history, const struct rg_tally *tally)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "done",
			 write_table(&tally->kernel, RG_STAT_DONE), "monitored",
			 write_table(&tally->kernel, RG_STAT_MONITORED), "losses",
			 write_losses(tally), "inquiries",
			 write_asked(&tally->own[RG_TALLY_INQUIRIES]), "zones",
			 write_zones(history, tally));
}

static json_t *write_row(const struct rg_history_counts *history, const struct rg_history_row *row)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:o}", "start", (json_int_t)row->start, "end",
			 (json_int_t)row->end, "seconds", at_most(row->seconds), "used",
			 at_most(row->used), "counts", write_tally(history, &row->tally));
}

static json_t *write_rows(const struct rg_history_counts *history,
			  const struct rg_history_track *track)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < track->count; i++)
		json_array_append_new(rows, write_row(history, &track->rows[i]));
	return rows;
}

static json_t *write_spans(const struct rg_history_counts *history)
{
	json_t *spans = json_array();

	for (size_t i = 0; i < history->span_count; i++)
		json_array_append_new(spans, json_pack("[I, I, I]", (json_int_t)history->spans[i].from,
						       (json_int_t)history->spans[i].until,
						       (json_int_t)history->spans[i].late));
	return spans;
}

static json_t *write_all(const struct rg_history_counts *history)
{
	return json_pack(
		"{s:s, s:i, s:I, s:I, s:o, s:o, s:o, s:o}", "repgate", FILE_NAME, "version",
		VERSION, "time", (json_int_t)history->last.wall, "map", (json_int_t)history->map,
		"counters", write_tally(history, &history->before), "spans", write_spans(history),
		track_names[RG_HISTORY_HOUR], write_rows(history, &history->tracks[RG_HISTORY_HOUR]),
		track_names[RG_HISTORY_DAY], write_rows(history, &history->tracks[RG_HISTORY_DAY]));
}

/* Writes json, and closes file in any case. 0 or -errno. */
static int put_json(FILE *file, const json_t *json, bool sync)
{
	int err = 0;

	if (json_dumpf(json, file, JSON_COMPACT) || fputc('\n', file) == EOF || fflush(file))
		err = errno ? -errno : -EIO;
	if (!err && sync && fsync(fileno(file)))
		err = -errno;
	/*
	 * Start the write without waiting for it. Otherwise XFS may write the new name half a minute
	 * before the bytes, and a power failure leaves an empty file. (ext4 does this at the rename.)
	 */
	if (!err && !sync)
		(void)sync_file_range(fileno(file), 0, 0, SYNC_FILE_RANGE_WRITE);
	if (fclose(file) && !err)
		err = -errno;
	return err;
}

/* The file's path with a suffix; the caller frees it. NULL: no memory. */
static char *path_of(const char *state_dir, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s/" FILE_NAME "%s", state_dir, suffix) < 0 ? NULL : path;
}

static int write_file(const struct rg_history_counts *history, const char *path, bool sync)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	json_t *json;
	int err;

	if (!file) {
		err = -errno;
		rg_closep(&fd);
		return err;
	}
	json = write_all(history);
	errno = json ? 0 : ENOMEM;
	err = put_json(file, json, sync);
	json_decref(json);
	return err;
}

int rg_history_file_write(const struct rg_history_counts *history, const char *state_dir, bool sync)
{
	RG_CLEANUP_FREE char *path = path_of(state_dir, "");
	RG_CLEANUP_FREE char *fresh = path_of(state_dir, ".new");
	int err;

	if (!path || !fresh)
		return -ENOMEM;
	err = write_file(history, fresh, sync);
	if (!err && rename(fresh, path))
		err = -errno;
	if (err)
		(void)unlink(fresh);
	return err;
}

/* --------------------------------------------------------------------- reading */

static bool read_number(const json_t *json, json_int_t last, int64_t *ret)
{
	*ret = json_integer_value(json);
	return json_is_integer(json) && *ret >= 0 && *ret <= last;
}

/* Reads an array of exactly this many counts. */
static bool read_counts(const json_t *json, uint64_t *counts, size_t count)
{
	int64_t number;

	if (json_array_size(json) != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!read_number(json_array_get(json, i), LAST_COUNT, &number))
			return false;
		counts[i] = (uint64_t)number;
	}
	return true;
}

static bool read_table(const json_t *json, struct rg_stats *stats, unsigned int table)
{
	for (unsigned int peer_class = RG_CLASS_APPROVED; peer_class < RG_CLASS_MAX; peer_class++) {
		const json_t *actions = json_object_get(json, rg_class_name(peer_class));

		for (unsigned int action = RG_ACTION_PASS; action < RG_ACTION_MAX; action++) {
			const json_t *pair = json_object_get(actions, rg_action_name(action));
			uint64_t counts[2];

			if (!pair)
				continue;
			if (!read_counts(pair, counts, ARRAY_SIZE(counts)))
				return false;
			stats->counts[table + peer_class * RG_ACTION_MAX + action] =
				(struct rg_count){ .packets = counts[0], .attempts = counts[1] };
		}
	}
	return json_is_object(json);
}

static bool read_losses(const json_t *json, struct rg_tally *tally)
{
	for (unsigned int loss = 0; loss < RG_LOSS_COUNTS; loss++) {
		const json_t *value = json_object_get(json, rg_losses_name(loss));
		int64_t number;

		if (!value)
			continue;
		if (!read_number(value, LAST_COUNT, &number))
			return false;
		if (loss < RG_LOSS_MAX)
			tally->kernel.counts[RG_STAT_LOSSES + loss].packets = (uint64_t)number;
		else
			tally->own[RG_TALLY_LOSSES + loss - RG_LOSS_MAX] = (uint64_t)number;
	}
	return json_is_object(json);
}

/* The same characters as in a configuration, so that no terminal interprets them. */
static bool is_alias(const char *text)
{
	size_t len = strlen(text);

	return len && len < RG_ALIAS_SIZE &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_*") ==
		       len;
}

static bool read_zones(struct rg_history_counts *history, json_t *json, struct rg_tally *tally)
{
	const char *alias;
	json_t *value;

	json_object_foreach(json, alias, value) {
		unsigned int number = rg_history_counts_find_zone(history, alias);

		if (!is_alias(alias))
			return false;
		if (number == RG_MAX_ZONES)
			number = rg_history_counts_find_zone(history, "");
		if (number == RG_MAX_ZONES ||
		    !read_counts(value, &tally->own[RG_TALLY_ZONES + number * RG_ASKED_MAX],
				 RG_ASKED_MAX))
			return false;
		strcpy(history->zones[number], alias);
	}
	return json_is_object(json);
}

/* Ignores names that it does not know, such as a newer version's losses. */
static bool read_tally(struct rg_history_counts *history, const json_t *json, struct rg_tally *tally)
{
	*tally = (struct rg_tally){};
	return read_table(json_object_get(json, "done"), &tally->kernel, RG_STAT_DONE) &&
	       read_table(json_object_get(json, "monitored"), &tally->kernel, RG_STAT_MONITORED) &&
	       read_losses(json_object_get(json, "losses"), tally) &&
	       read_counts(json_object_get(json, "inquiries"), &tally->own[RG_TALLY_INQUIRIES],
			   RG_ASKED_MAX) &&
	       read_zones(history, json_object_get(json, "zones"), tally);
}

static bool read_rows(struct rg_history_counts *history, const json_t *json,
		      struct rg_history_track *track)
{
	int64_t before = 0;
	const json_t *item;
	size_t i;

	if (!json_is_array(json) || json_array_size(json) > track->max)
		return false;
	json_array_foreach(json, i, item) {
		struct rg_history_row *row = &track->rows[i];

		if (!read_number(json_object_get(item, "start"), LAST_TIME, &row->start) ||
		    !read_number(json_object_get(item, "end"), LAST_TIME, &row->end) ||
		    !read_number(json_object_get(item, "seconds"), LAST_TIME, &row->seconds) ||
		    !read_number(json_object_get(item, "used"), LAST_TIME, &row->used) ||
		    row->start < before || row->end <= row->start ||
		    row->end - row->start > longest_rows[track->unit] ||
		    !read_tally(history, json_object_get(item, "counts"), &row->tally))
			return false;
		before = row->end;
		if (track->uses < row->used)
			track->uses = row->used;
		track->count++;
	}
	return true;
}

static bool read_spans(struct rg_history_counts *history, const json_t *json)
{
	int64_t before = 0;
	const json_t *item;
	size_t i;

	if (!json_is_array(json) || json_array_size(json) > RG_HISTORY_SPANS)
		return false;
	json_array_foreach(json, i, item) {
		struct rg_history_span *span = &history->spans[i];

		if (json_array_size(item) != 3 ||
		    !read_number(json_array_get(item, 0), LAST_TIME, &span->from) ||
		    !read_number(json_array_get(item, 1), LAST_TIME, &span->until) ||
		    !read_number(json_array_get(item, 2), LAST_TIME, &span->late) ||
		    span->from < before || span->until < span->from || span->late > span->from)
			return false;
		before = span->until;
		history->span_count++;
	}
	return true;
}

static int read_all(struct rg_history_counts *history, const json_t *json, struct rg_error *error)
{
	const char *repgate = json_string_value(json_object_get(json, "repgate"));
	json_int_t version = json_integer_value(json_object_get(json, "version"));
	int64_t map;

	if (!repgate || strcmp(repgate, FILE_NAME) != 0)
		return rg_fail(error, -EINVAL, "not a history of repgate");
	if (version != VERSION)
		return rg_fail(error, -EINVAL, "version %lld, and this repgated reads %d",
			       (long long)version, VERSION);
	if (!read_number(json_object_get(json, "time"), LAST_TIME, &history->last.wall) ||
	    !read_number(json_object_get(json, "map"), UINT32_MAX, &map) ||
	    !read_tally(history, json_object_get(json, "counters"), &history->before))
		return rg_fail(error, -EINVAL, "\"time\", \"map\" or \"counters\" is damaged");
	if (!read_spans(history, json_object_get(json, "spans")))
		return rg_fail(error, -EINVAL, "\"spans\" is damaged at number %zu",
			       history->span_count);
	for (unsigned int unit = 0; unit < ARRAY_SIZE(history->tracks); unit++) {
		struct rg_history_track *track = &history->tracks[unit];

		if (!read_rows(history, json_object_get(json, track_names[unit]), track))
			return rg_fail(error, -EINVAL, "\"%s\" is damaged at number %zu",
				       track_names[unit], track->count);
	}
	history->map = (uint32_t)map;
	return 0;
}

/* json_load_callback_t. json_loadfd() makes a system call for each byte. */
static size_t read_some(void *buffer, size_t len, void *arg)
{
	ssize_t got = read(*(const int *)arg, buffer, len);

	return got < 0 ? (size_t)-1 : (size_t)got;
}

/* 0; 1 if there is no file; or negative with error. */
static int read_file(struct rg_history_counts *history, const char *path, struct rg_error *error)
{
	RG_CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	json_error_t json_error;
	struct stat st;
	json_t *json;
	int err;

	if (fd < 0)
		return errno == ENOENT ? 1 : rg_fail(error, -errno, "%m");
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return rg_fail(error, -EINVAL, "not a regular file");
	if (st.st_size > RG_HISTORY_FILE_SIZE)
		return rg_fail(error, -EFBIG, "%lld bytes, more than a history can have",
			       (long long)st.st_size);
	json = json_load_callback(read_some, &fd, JSON_REJECT_DUPLICATES, &json_error);
	json_error.text[strcspn(json_error.text, "'")] = '\0'; /* do not quote the file in the log */
	if (!json)
		return rg_fail(error, -EINVAL, "damaged at byte %d of %lld: %s",
			       json_error.position, (long long)st.st_size, json_error.text);
	err = read_all(history, json, error);
	json_decref(json);
	return err;
}

int rg_history_file_load(struct rg_history_counts *history, const char *state_dir,
			 struct rg_error *error)
{
	RG_CLEANUP_FREE char *path = path_of(state_dir, "");
	RG_CLEANUP_FREE char *bad = path_of(state_dir, ".bad");
	struct rg_error why;
	int err;

	if (!path || !bad)
		return rg_fail(error, -ENOMEM, "out of memory");
	err = read_file(history, path, &why);
	if (err >= 0)
		return 0;
	rg_history_counts_clear(history);
	if (rename(path, bad))
		return rg_fail(error, err, "%s: %s; ignoring it", path, why.text);
	return rg_fail(error, err, "%s: %s; set aside as %s, a new history begins", path, why.text,
		       bad);
}
