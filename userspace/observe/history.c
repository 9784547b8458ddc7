/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "observe/history.h"

#include "base/names.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>

#define FILE_NAME "history"
#define VERSION 1

/* Seconds without a sample: the loop stood still, or the host slept. As if no agent had run. */
#define STILL (2 * RG_HISTORY_GAP)
/* Seconds that both clocks may differ by without one having jumped. */
#define DRIFT 2

/* What a file may say: counts that every reader of JSON can hold, and the year 36812. */
#define LAST_COUNT ((json_int_t)1 << 53)
#define LAST_TIME ((json_int_t)1 << 40)

struct track {
	enum rg_history_unit unit;
	size_t count, max;
	int64_t uses; /* of rows */
	struct rg_history_row *rows; /* by start; they don't overlap */
};

struct rg_history {
	char *path, *fresh, *bad;
	struct track tracks[2]; /* by unit */
	size_t span_count;
	struct rg_history_span spans[RG_HISTORY_SPANS]; /* by from; RG_HISTORY_GAP apart */
	char zones[RG_MAX_ZONES][RG_ALIAS_SIZE]; /* "": free */
	struct rg_tally before; /* what the counters said at `last` */
	struct rg_moment last;
	int64_t hour_ends; /* that `last` is in */
	uint32_t map; /* id of the one that before.kernel is of; 0: unknown */
};

/* s: an hour has no more; a day with its clock put back, and then some */
static const int64_t longest_rows[] = { [RG_HISTORY_HOUR] = 3600, [RG_HISTORY_DAY] = 50 * 3600 };

static const char *const track_names[] = { [RG_HISTORY_HOUR] = "hours", [RG_HISTORY_DAY] = "days" };

int rg_history_new(struct rg_history **ret, const char *state_dir)
{
	static const size_t
		max[] = { [RG_HISTORY_HOUR] = RG_HISTORY_HOURS, [RG_HISTORY_DAY] = RG_HISTORY_DAYS };
	struct rg_history *history = calloc(1, sizeof(*history));
	bool good = history != NULL;

	if (!good)
		return -ENOMEM;
	for (unsigned int unit = 0; unit < ARRAY_SIZE(max); unit++) {
		struct track *track = &history->tracks[unit];

		*track = (struct track){ .unit = unit, .max = max[unit] };
		track->rows = calloc(max[unit], sizeof(*track->rows));
		good = good && track->rows;
	}
	if (asprintf(&history->path, "%s/%s", state_dir, FILE_NAME) < 0)
		history->path = NULL;
	if (asprintf(&history->fresh, "%s/%s.new", state_dir, FILE_NAME) < 0)
		history->fresh = NULL;
	if (asprintf(&history->bad, "%s/%s.bad", state_dir, FILE_NAME) < 0)
		history->bad = NULL;
	if (!good || !history->path || !history->fresh || !history->bad) {
		rg_history_free(history);
		return -ENOMEM;
	}
	*ret = history;
	return 0;
}

void rg_history_free(struct rg_history *history)
{
	if (!history)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(history->tracks); i++)
		free(history->tracks[i].rows);
	free(history->path);
	free(history->fresh);
	free(history->bad);
	free(history);
}

/* ------------------------------------------------------------- hours and days */

/* Midnight, or the first moment of a day that has none; days_on: of a later day. */
static int64_t midnight(const struct tm *day, int days_on, int64_t otherwise)
{
	struct tm tm = { .tm_year = day->tm_year,
			 .tm_mon = day->tm_mon,
			 .tm_mday = day->tm_mday + days_on,
			 .tm_isdst = -1 };
	time_t time = mktime(&tm);

	return time == (time_t)-1 ? otherwise : (int64_t)time;
}

int64_t rg_history_start(enum rg_history_unit unit, int64_t time)
{
	time_t at = (time_t)time;
	int64_t start;
	struct tm tm;

	if (!localtime_r(&at, &tm))
		return time;
	start = time - tm.tm_min * 60 - tm.tm_sec;
	if (unit == RG_HISTORY_DAY)
		start = midnight(&tm, 0, start);
	if (start < 0)
		start = 0; /* of a clock without a battery, east of Greenwich */
	return start < time ? start : time;
}

int64_t rg_history_end(enum rg_history_unit unit, int64_t time)
{
	int64_t end = rg_history_start(RG_HISTORY_HOUR, time) + 3600;
	time_t at = (time_t)time;
	struct tm tm;

	if (unit == RG_HISTORY_DAY && localtime_r(&at, &tm))
		end = midnight(&tm, 1, end);
	return end > time ? end : time + 1;
}

/*
 * Makes room. Not the earliest goes but the one not used for longest: a clock that is wrong for an hour
 * costs the oldest hour and no other.
 */
static void drop_oldest(struct track *track)
{
	size_t oldest = 0;

	for (size_t i = 1; i < track->count; i++)
		if (track->rows[i].used < track->rows[oldest].used)
			oldest = i;
	track->count--;
	memmove(&track->rows[oldest], &track->rows[oldest + 1],
		(track->count - oldest) * sizeof(*track->rows));
}

/* The row that `time` is in; a new one between its neighbours, if there is none. */
static struct rg_history_row *find_row(struct track *track, int64_t time)
{
	struct rg_history_row *row;
	size_t i = 0;

	while (i < track->count && track->rows[i].end <= time)
		i++;
	if (i < track->count && track->rows[i].start <= time)
		return &track->rows[i];
	if (track->count == track->max) {
		drop_oldest(track);
		return find_row(track, time);
	}
	row = &track->rows[i];
	memmove(row + 1, row, (track->count++ - i) * sizeof(*row));
	*row = (struct rg_history_row){ .start = rg_history_start(track->unit, time),
					.end = rg_history_end(track->unit, time) };
	/* Where the time zone was another one hours began elsewhere. */
	if (i && row->start < row[-1].end)
		row->start = row[-1].end;
	if (i + 1 < track->count && row->end > row[1].start)
		row->end = row[1].start;
	return row;
}

static struct rg_history_row *row_at(struct track *track, int64_t time)
{
	struct rg_history_row *row = find_row(track, time);

	row->used = ++track->uses;
	return row;
}

static void pass_time(struct track *track, int64_t from, int64_t until)
{
	while (from < until) {
		struct rg_history_row *row = row_at(track, from);
		int64_t end = until < row->end ? until : row->end;

		row->seconds += end - from;
		from = end;
	}
}

/* What ended before the first day that there is a row of would only take the place of later ones. */
static void forget_spans(struct rg_history *history)
{
	const struct track *days = &history->tracks[RG_HISTORY_DAY];
	struct rg_history_span *spans = history->spans;
	size_t over = 0;

	while (over < history->span_count && days->count && spans[over].until <= days->rows[0].start)
		over++;
	history->span_count -= over;
	memmove(spans, spans + over, history->span_count * sizeof(*spans));
}

/* Room for one more: the two spans with the shortest gap in between become one. */
static void join_closest(struct rg_history *history)
{
	struct rg_history_span *spans = history->spans;
	size_t best = 1;

	for (size_t i = 2; i < history->span_count; i++)
		if (spans[i].from - spans[i - 1].until < spans[best].from - spans[best - 1].until)
			best = i;
	spans[best - 1].until = spans[best].until;
	memmove(&spans[best], &spans[best + 1], (--history->span_count - best) * sizeof(*spans));
}

/* An agent counts from `from` until `until`; what touches it becomes one span with it. */
static void cover(struct rg_history *history, int64_t from, int64_t until, int64_t late)
{
	struct rg_history_span fresh = { .from = from,
					 .until = until > from ? until : from,
					 .late = late < from ? late : from };
	struct rg_history_span *spans = history->spans;
	size_t kept = 0, at = 0;

	forget_spans(history);
	for (size_t i = 0; i < history->span_count; i++) {
		if (spans[i].until + RG_HISTORY_GAP < fresh.from ||
		    fresh.until + RG_HISTORY_GAP < spans[i].from) {
			spans[kept++] = spans[i];
			continue;
		}
		if (spans[i].from <= fresh.from) {
			fresh.from = spans[i].from;
			fresh.late = spans[i].late;
		}
		if (spans[i].until > fresh.until)
			fresh.until = spans[i].until;
	}
	history->span_count = kept;
	if (kept == RG_HISTORY_SPANS)
		join_closest(history);
	while (at < history->span_count && spans[at].from < fresh.from)
		at++;
	memmove(&spans[at + 1], &spans[at], (history->span_count++ - at) * sizeof(*spans));
	spans[at] = fresh;
}

/* -------------------------------------------------------------------- counting */

static bool is_asked(const struct rg_history_sample *sample, const char *alias)
{
	for (unsigned int i = 0; i < sample->zone_count; i++)
		if (!strcmp(sample->zones[i].alias, alias))
			return true;
	return false;
}

static void forget_zone(struct rg_history *history, unsigned int number)
{
	const size_t at = RG_TALLY_ZONES + number * RG_ASKED_MAX,
		     size = RG_ASKED_MAX * sizeof(uint64_t);

	for (size_t unit = 0; unit < ARRAY_SIZE(history->tracks); unit++)
		for (size_t i = 0; i < history->tracks[unit].count; i++)
			memset(&history->tracks[unit].rows[i].tally.own[at], 0, size);
	memset(&history->before.own[at], 0, size);
	history->zones[number][0] = '\0';
}

static unsigned int find_zone(const struct rg_history *history, const char *alias)
{
	unsigned int number = 0;

	while (number < RG_MAX_ZONES && strcmp(history->zones[number], alias) != 0)
		number++;
	return number;
}

/* If all numbers are taken, a zone that was asked once is forgotten: there is always one. */
static unsigned int number_zone(struct rg_history *history, const struct rg_history_sample *sample,
				const char *alias)
{
	unsigned int number = find_zone(history, alias);

	if (number < RG_MAX_ZONES)
		return number;
	number = find_zone(history, "");
	if (number == RG_MAX_ZONES) {
		number = 0;
		while (number < RG_MAX_ZONES - 1 && is_asked(sample, history->zones[number]))
			number++;
		forget_zone(history, number);
	}
	snprintf(history->zones[number], RG_ALIAS_SIZE, "%s", alias);
	return number;
}

static void tally_sample(struct rg_history *history, const struct rg_history_sample *sample,
			 struct rg_tally *tally)
{
	*tally = (struct rg_tally){ .kernel = sample->kernel };
	memcpy(&tally->own[RG_TALLY_LOSSES], sample->losses, sizeof(sample->losses));
	memcpy(&tally->own[RG_TALLY_INQUIRIES], sample->inquiries, sizeof(sample->inquiries));
	for (unsigned int i = 0; i < sample->zone_count; i++) {
		unsigned int number = number_zone(history, sample, sample->zones[i].alias);

		memcpy(&tally->own[RG_TALLY_ZONES + number * RG_ASKED_MAX], sample->zones[i].counts,
		       sizeof(sample->zones[i].counts));
	}
}

/* A counter that says less than before has begun anew. */
static uint64_t growth(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static void add_growth(struct rg_tally *to, const struct rg_tally *now, const struct rg_tally *before)
{
	for (size_t i = 0; i < RG_STAT_MAX; i++) {
		const struct rg_count *count = &now->kernel.counts[i],
				      *old = &before->kernel.counts[i];

		to->kernel.counts[i].packets += growth(count->packets, old->packets);
		to->kernel.counts[i].attempts += growth(count->attempts, old->attempts);
	}
	for (size_t i = 0; i < RG_TALLY_MAX; i++)
		to->own[i] += growth(now->own[i], before->own[i]);
}

/* What was counted since the last sample is of the hour and day that `time` is in. */
static void count(struct rg_history *history, const struct rg_history_sample *sample, int64_t time)
{
	struct rg_tally now;

	tally_sample(history, sample, &now);
	for (size_t unit = 0; unit < ARRAY_SIZE(history->tracks); unit++)
		add_growth(&row_at(&history->tracks[unit], time)->tally, &now, &history->before);
	history->before = now;
}

static void set_last(struct rg_history *history, struct rg_moment now)
{
	history->last = now;
	history->hour_ends = row_at(&history->tracks[RG_HISTORY_HOUR], now.wall)->end;
}

void rg_history_begin(struct rg_history *history, const struct rg_history_sample *sample,
		      uint32_t was, uint32_t is, struct rg_moment now)
{
	bool goes_on = was && was == history->map;

	/* Counters of an agent that left no history: nobody knows when it was that they counted. */
	if (!goes_on)
		history->before.kernel = was ? sample->kernel : (struct rg_stats){};
	memset(history->before.own, 0, sizeof(history->before.own));
	history->map = is;
	count(history, sample, now.wall);
	cover(history, now.wall, now.wall, goes_on ? history->last.wall : now.wall);
	set_last(history, now);
}

static int64_t seconds_since(struct rg_moment before, struct rg_moment now)
{
	return (int64_t)(now.boot / RG_NSEC_PER_SEC) - (int64_t)(before.boot / RG_NSEC_PER_SEC);
}

bool rg_history_is_due(const struct rg_history *history, struct rg_moment now)
{
	return seconds_since(history->last, now) >= RG_HISTORY_GAP ||
	       now.wall < history->last.wall || now.wall >= history->hour_ends;
}

void rg_history_add(struct rg_history *history, const struct rg_history_sample *sample,
		    struct rg_moment now)
{
	int64_t last = history->last.wall, passed = seconds_since(history->last, now),
		until = last + passed;

	if (passed > STILL) {
		count(history, sample, now.wall);
		cover(history, now.wall, now.wall, last);
	} else {
		/* Not so far as a clock that was set says, but as time went. */
		if (now.wall >= until - DRIFT && now.wall <= until + DRIFT)
			until = now.wall;
		count(history, sample, last);
		for (size_t unit = 0; unit < ARRAY_SIZE(history->tracks); unit++)
			pass_time(&history->tracks[unit], last, until);
		cover(history, last, until, last);
	}
	set_last(history, now);
}

const struct rg_history_row *rg_history_rows(const struct rg_history *history,
					     enum rg_history_unit unit, size_t *count)
{
	*count = history->tracks[unit].count;
	return history->tracks[unit].rows;
}

const struct rg_history_span *rg_history_spans(const struct rg_history *history, size_t *count)
{
	*count = history->span_count;
	return history->spans;
}

const char *rg_history_zone(const struct rg_history *history, unsigned int number)
{
	return history->zones[number];
}

/* --------------------------------------------------------------------- writing */

static json_t *write_count(uint64_t count)
{
	return json_integer(count < (uint64_t)LAST_COUNT ? (json_int_t)count : LAST_COUNT);
}

/* What grows, and must be read again. */
static json_int_t at_most(int64_t value)
{
	return value < LAST_TIME ? value : LAST_TIME;
}

/* Only what was met: {class: {action: [packets, attempts]}} */
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

static uint64_t loss_of(const struct rg_tally *tally, unsigned int loss)
{
	return loss < RG_LOSS_MAX ? tally->kernel.counts[RG_STAT_LOSSES + loss].packets :
				    tally->own[RG_TALLY_LOSSES + loss - RG_LOSS_MAX];
}

static json_t *write_losses(const struct rg_tally *tally)
{
	json_t *losses = json_object();

	for (unsigned int loss = 0; loss < RG_LOSS_COUNTS; loss++)
		if (loss_of(tally, loss))
			json_object_set_new(losses, rg_loss_name(loss),
					    write_count(loss_of(tally, loss)));
	return losses;
}

static json_t *write_asked(const uint64_t counts[RG_ASKED_MAX])
{
	return json_pack("[o, o, o, o]", write_count(counts[RG_ASKED]),
			 write_count(counts[RG_ASKED_LISTED]), write_count(counts[RG_ASKED_CLEAN]),
			 write_count(counts[RG_ASKED_FAILED]));
}

static json_t *write_zones(const struct rg_history *history, const struct rg_tally *tally)
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

static json_t *write_tally(const struct rg_history *history, const struct rg_tally *tally)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "done",
			 write_table(&tally->kernel, RG_STAT_DONE), "monitored",
			 write_table(&tally->kernel, RG_STAT_MONITORED), "losses",
			 write_losses(tally), "inquiries",
			 write_asked(&tally->own[RG_TALLY_INQUIRIES]), "zones",
			 write_zones(history, tally));
}

static json_t *write_row(const struct rg_history *history, const struct rg_history_row *row)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:o}", "start", (json_int_t)row->start, "end",
			 (json_int_t)row->end, "seconds", at_most(row->seconds), "used",
			 at_most(row->used), "counts", write_tally(history, &row->tally));
}

static json_t *write_rows(const struct rg_history *history, const struct track *track)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < track->count; i++)
		json_array_append_new(rows, write_row(history, &track->rows[i]));
	return rows;
}

static json_t *write_spans(const struct rg_history *history)
{
	json_t *spans = json_array();

	for (size_t i = 0; i < history->span_count; i++)
		json_array_append_new(spans, json_pack("[I, I, I]", (json_int_t)history->spans[i].from,
						       (json_int_t)history->spans[i].until,
						       (json_int_t)history->spans[i].late));
	return spans;
}

static json_t *write_all(const struct rg_history *history)
{
	return json_pack(
		"{s:s, s:i, s:I, s:I, s:o, s:o, s:o, s:o}", "repgate", FILE_NAME, "version",
		VERSION, "time", (json_int_t)history->last.wall, "map", (json_int_t)history->map,
		"counters", write_tally(history, &history->before), "spans", write_spans(history),
		track_names[RG_HISTORY_HOUR], write_rows(history, &history->tracks[RG_HISTORY_HOUR]),
		track_names[RG_HISTORY_DAY], write_rows(history, &history->tracks[RG_HISTORY_DAY]));
}

/* Closes file whatever happens. */
static int put_json(FILE *file, const json_t *json, bool sync)
{
	int err = 0;

	if (json_dumpf(json, file, JSON_COMPACT) || fputc('\n', file) == EOF || fflush(file))
		err = errno ? -errno : -EIO;
	if (!err && sync && fsync(fileno(file)))
		err = -errno;
	/*
	 * On its way to the disk, not waited for: XFS may have its new name there half a minute before its
	 * bytes, and an empty file after a power failure. (ext4 does the same at the rename.)
	 */
	if (!err && !sync)
		(void)sync_file_range(fileno(file), 0, 0, SYNC_FILE_RANGE_WRITE);
	if (fclose(file) && !err)
		err = -errno;
	return err;
}

int rg_history_write(const struct rg_history *history, bool sync)
{
	int fd = open(history->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
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
	if (!err && rename(history->fresh, history->path))
		err = -errno;
	if (err)
		(void)unlink(history->fresh);
	return err;
}

/* --------------------------------------------------------------------- reading */

static bool read_number(const json_t *json, json_int_t last, int64_t *ret)
{
	*ret = json_integer_value(json);
	return json_is_integer(json) && *ret >= 0 && *ret <= last;
}

/* So many counts in an array. */
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
		const json_t *value = json_object_get(json, rg_loss_name(loss));
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

/* As in a configuration: nothing that a terminal would obey. */
static bool is_alias(const char *text)
{
	size_t len = strlen(text);

	return len && len < RG_ALIAS_SIZE &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_*") ==
		       len;
}

static bool read_zones(struct rg_history *history, json_t *json, struct rg_tally *tally)
{
	const char *alias;
	json_t *value;

	json_object_foreach(json, alias, value) {
		unsigned int number = find_zone(history, alias);

		if (!is_alias(alias))
			return false;
		if (number == RG_MAX_ZONES)
			number = find_zone(history, "");
		if (number == RG_MAX_ZONES ||
		    !read_counts(value, &tally->own[RG_TALLY_ZONES + number * RG_ASKED_MAX],
				 RG_ASKED_MAX))
			return false;
		strcpy(history->zones[number], alias);
	}
	return json_is_object(json);
}

/* What names it does not know it leaves out: of a cause that newer versions lose by. */
static bool read_tally(struct rg_history *history, const json_t *json, struct rg_tally *tally)
{
	*tally = (struct rg_tally){};
	return read_table(json_object_get(json, "done"), &tally->kernel, RG_STAT_DONE) &&
	       read_table(json_object_get(json, "monitored"), &tally->kernel, RG_STAT_MONITORED) &&
	       read_losses(json_object_get(json, "losses"), tally) &&
	       read_counts(json_object_get(json, "inquiries"), &tally->own[RG_TALLY_INQUIRIES],
			   RG_ASKED_MAX) &&
	       read_zones(history, json_object_get(json, "zones"), tally);
}

static bool read_rows(struct rg_history *history, const json_t *json, struct track *track)
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

static bool read_spans(struct rg_history *history, const json_t *json)
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

static int read_all(struct rg_history *history, const json_t *json, struct rg_error *error)
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
		struct track *track = &history->tracks[unit];

		if (!read_rows(history, json_object_get(json, track_names[unit]), track))
			return rg_fail(error, -EINVAL, "\"%s\" is damaged at number %zu",
				       track_names[unit], track->count);
	}
	history->map = (uint32_t)map;
	return 0;
}

/* 1: there is none. */
static int read_file(struct rg_history *history, struct rg_error *error)
{
	RG_CLEANUP_CLOSE int fd = open(history->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	json_error_t json_error;
	struct stat st;
	json_t *json;
	int err;

	if (fd < 0)
		return errno == ENOENT ? 1 : rg_fail(error, -errno, "%m");
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return rg_fail(error, -EINVAL, "not a regular file");
	if (st.st_size > RG_HISTORY_SIZE)
		return rg_fail(error, -EFBIG, "%lld bytes, more than a history has",
			       (long long)st.st_size);
	json = json_loadfd(fd, JSON_REJECT_DUPLICATES, &json_error);
	json_error.text[strcspn(json_error.text, "'")] =
		'\0'; /* whatever the file says: not in a log */
	if (!json)
		return rg_fail(error, -EINVAL, "damaged at byte %d of %lld: %s",
			       json_error.position, (long long)st.st_size, json_error.text);
	err = read_all(history, json, error);
	json_decref(json);
	return err;
}

static void clear(struct rg_history *history)
{
	for (size_t i = 0; i < ARRAY_SIZE(history->tracks); i++)
		history->tracks[i].count = 0;
	history->span_count = 0;
	memset(history->zones, 0, sizeof(history->zones));
	history->before = (struct rg_tally){};
	history->last = (struct rg_moment){};
	history->map = 0;
}

int rg_history_load(struct rg_history *history, struct rg_error *error)
{
	struct rg_error why;
	int err = read_file(history, &why);

	if (err >= 0)
		return 0;
	clear(history);
	if (rename(history->path, history->bad))
		return rg_fail(error, err, "%s: %s; ignoring it", history->path, why.text);
	return rg_fail(error, err, "%s: %s; set aside as %s, and begun anew", history->path,
		       why.text, history->bad);
}
