/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "observe/history_counts.h"

/* s without a sample after which it counts as if no agent had run: the loop hung or the host slept. */
#define STILL (2 * RG_HISTORY_GAP)
/* s that the two clocks may differ by. A larger difference means that the wall clock was set. */
#define DRIFT 2

int rg_history_counts_new(struct rg_history_counts **ret)
{
	static const size_t
		max[] = { [RG_HISTORY_HOUR] = RG_HISTORY_HOURS, [RG_HISTORY_DAY] = RG_HISTORY_DAYS };
	struct rg_history_counts *history = calloc(1, sizeof(*history));

	if (!history)
		return -ENOMEM;
	for (unsigned int unit = 0; unit < RG_HISTORY_UNITS; unit++) {
		struct rg_history_track *track = &history->tracks[unit];

		*track = (struct rg_history_track){ .unit = unit, .max = max[unit] };
		track->rows = calloc(max[unit], sizeof(*track->rows));
		if (!track->rows) {
			rg_history_counts_free(history);
			return -ENOMEM;
		}
	}
	*ret = history;
	return 0;
}

void rg_history_counts_free(struct rg_history_counts *history)
{
	if (!history)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(history->tracks); i++)
		free(history->tracks[i].rows);
	free(history);
}

void rg_history_counts_clear(struct rg_history_counts *history)
{
	for (size_t i = 0; i < ARRAY_SIZE(history->tracks); i++)
		history->tracks[i].count = 0;
	history->span_count = 0;
	memset(history->zones, 0, sizeof(history->zones));
	history->before = (struct rg_tally){};
	history->last = (struct rg_moment){};
	history->map = 0;
}

/* ------------------------------------------------------------- hours and days */

/* The first second of the day, or of the day days_on days later; usually midnight. */
static int64_t midnight(const struct tm *day, int days_on, int64_t otherwise)
{
	struct tm tm = { .tm_year = day->tm_year,
			 .tm_mon = day->tm_mon,
			 .tm_mday = day->tm_mday + days_on,
			 .tm_isdst = -1 };
	time_t time = mktime(&tm);

	return time == (time_t)-1 ? otherwise : (int64_t)time;
}

int64_t rg_history_counts_start(enum rg_history_unit unit, int64_t time)
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
		start = 0; /* a clock without a battery, in a time zone east of Greenwich */
	return start < time ? start : time;
}

int64_t rg_history_counts_end(enum rg_history_unit unit, int64_t time)
{
	int64_t end = rg_history_counts_start(RG_HISTORY_HOUR, time) + 3600;
	time_t at = (time_t)time;
	struct tm tm;

	if (unit == RG_HISTORY_DAY && localtime_r(&at, &tm))
		end = midnight(&tm, 1, end);
	return end > time ? end : time + 1;
}

/*
 * Makes room for a row: evicts the one that was not used for the longest time. If the earliest row went
 * instead, a clock that is wrong for an hour would cost many rows.
 */
static void evict_row(struct rg_history_track *track)
{
	size_t oldest = 0;

	for (size_t i = 1; i < track->count; i++)
		if (track->rows[i].used < track->rows[oldest].used)
			oldest = i;
	track->count--;
	memmove(&track->rows[oldest], &track->rows[oldest + 1],
		(track->count - oldest) * sizeof(*track->rows));
}

/* The row that `time` is in. If there is none, makes one between its neighbours. */
static struct rg_history_row *find_row(struct rg_history_track *track, int64_t time)
{
	struct rg_history_row *row;
	size_t i = 0;

	while (i < track->count && track->rows[i].end <= time)
		i++;
	if (i < track->count && track->rows[i].start <= time)
		return &track->rows[i];
	if (track->count == track->max) {
		evict_row(track);
		return find_row(track, time);
	}
	row = &track->rows[i];
	memmove(row + 1, row, (track->count++ - i) * sizeof(*row));
	*row = (struct rg_history_row){ .start = rg_history_counts_start(track->unit, time),
					.end = rg_history_counts_end(track->unit, time) };
	/* After a change of the time zone, hours begin at another minute: rows must not overlap. */
	if (i && row->start < row[-1].end)
		row->start = row[-1].end;
	if (i + 1 < track->count && row->end > row[1].start)
		row->end = row[1].start;
	return row;
}

static struct rg_history_row *row_at(struct rg_history_track *track, int64_t time)
{
	struct rg_history_row *row = find_row(track, time);

	row->used = ++track->uses;
	return row;
}

/* Adds the time from `from` until `until` to the rows that it is in. */
static void pass_time(struct rg_history_track *track, int64_t from, int64_t until)
{
	while (from < until) {
		struct rg_history_row *row = row_at(track, from);
		int64_t end = until < row->end ? until : row->end;

		row->seconds += end - from;
		from = end;
	}
}

/* Removes the spans that ended before the first day that has a row. */
static void forget_spans(struct rg_history_counts *history)
{
	const struct rg_history_track *days = &history->tracks[RG_HISTORY_DAY];
	struct rg_history_span *spans = history->spans;
	size_t over = 0;

	while (over < history->span_count && days->count && spans[over].until <= days->rows[0].start)
		over++;
	history->span_count -= over;
	memmove(spans, spans + over, history->span_count * sizeof(*spans));
}

/* Makes room for a span: joins the two with the shortest gap between them. */
static void join_closest(struct rg_history_counts *history)
{
	struct rg_history_span *spans = history->spans;
	size_t best = 1;

	for (size_t i = 2; i < history->span_count; i++)
		if (spans[i].from - spans[i - 1].until < spans[best].from - spans[best - 1].until)
			best = i;
	spans[best - 1].until = spans[best].until;
	memmove(&spans[best], &spans[best + 1], (--history->span_count - best) * sizeof(*spans));
}

/* An agent counted from `from` until `until`: adds the span, and joins it with those it touches. */
static void cover(struct rg_history_counts *history, int64_t from, int64_t until, int64_t late)
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

static void forget_zone(struct rg_history_counts *history, unsigned int number)
{
	const size_t at = RG_TALLY_ZONES + number * RG_ASKED_MAX,
		     size = RG_ASKED_MAX * sizeof(uint64_t);

	for (size_t unit = 0; unit < ARRAY_SIZE(history->tracks); unit++)
		for (size_t i = 0; i < history->tracks[unit].count; i++)
			memset(&history->tracks[unit].rows[i].tally.own[at], 0, size);
	memset(&history->before.own[at], 0, size);
	history->zones[number][0] = '\0';
}

unsigned int rg_history_counts_find_zone(const struct rg_history_counts *history, const char *alias)
{
	unsigned int number = 0;

	while (number < RG_MAX_ZONES && strcmp(history->zones[number], alias) != 0)
		number++;
	return number;
}

/*
 * The number of a zone; a new one if it has none. If all numbers are taken, a zone that is not asked any
 * more loses its number and its counts.
 */
static unsigned int number_zone(struct rg_history_counts *history,
				const struct rg_history_sample *sample, const char *alias)
{
	unsigned int number = rg_history_counts_find_zone(history, alias);

	if (number < RG_MAX_ZONES)
		return number;
	number = rg_history_counts_find_zone(history, "");
	if (number == RG_MAX_ZONES) {
		number = 0;
		while (number < RG_MAX_ZONES - 1 && is_asked(sample, history->zones[number]))
			number++;
		forget_zone(history, number);
	}
	snprintf(history->zones[number], RG_ALIAS_SIZE, "%s", alias);
	return number;
}

static void tally_sample(struct rg_history_counts *history, const struct rg_history_sample *sample,
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

/* A counter that is smaller than before has started again at 0. */
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

/* Adds the growth since the last sample to the hour and the day that `time` is in. */
static void count(struct rg_history_counts *history, const struct rg_history_sample *sample,
		  int64_t time)
{
	struct rg_tally now;

	tally_sample(history, sample, &now);
	for (size_t unit = 0; unit < ARRAY_SIZE(history->tracks); unit++)
		add_growth(&row_at(&history->tracks[unit], time)->tally, &now, &history->before);
	history->before = now;
}

static void set_last(struct rg_history_counts *history, struct rg_moment now)
{
	history->last = now;
	history->hour_ends = row_at(&history->tracks[RG_HISTORY_HOUR], now.wall)->end;
}

void rg_history_counts_begin(struct rg_history_counts *history,
			     const struct rg_history_sample *sample, uint32_t was, uint32_t is,
			     struct rg_moment now)
{
	bool goes_on = was && was == history->map;

	/* The counters of an agent that left no history: when they counted is unknown. */
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

bool rg_history_counts_needs_sample(const struct rg_history_counts *history, struct rg_moment now)
{
	return seconds_since(history->last, now) >= RG_HISTORY_GAP ||
	       now.wall < history->last.wall || now.wall >= history->hour_ends;
}

void rg_history_counts_add(struct rg_history_counts *history,
			   const struct rg_history_sample *sample, struct rg_moment now)
{
	int64_t last = history->last.wall, passed = seconds_since(history->last, now),
		until = last + passed;

	if (passed > STILL) {
		count(history, sample, now.wall);
		cover(history, now.wall, now.wall, last);
	} else {
		/* If the clock was set, use the time that really passed. */
		if (now.wall >= until - DRIFT && now.wall <= until + DRIFT)
			until = now.wall;
		count(history, sample, last);
		for (size_t unit = 0; unit < ARRAY_SIZE(history->tracks); unit++)
			pass_time(&history->tracks[unit], last, until);
		cover(history, last, until, last);
	}
	set_last(history, now);
}

const struct rg_history_row *rg_history_counts_rows(const struct rg_history_counts *history,
						    enum rg_history_unit unit, size_t *count)
{
	*count = history->tracks[unit].count;
	return history->tracks[unit].rows;
}

const struct rg_history_span *rg_history_counts_spans(const struct rg_history_counts *history,
						      size_t *count)
{
	*count = history->span_count;
	return history->spans;
}

const char *rg_history_counts_zone(const struct rg_history_counts *history, unsigned int number)
{
	return history->zones[number];
}

uint64_t rg_tally_loss(const struct rg_tally *tally, unsigned int loss)
{
	return loss < RG_LOSS_MAX ? tally->kernel.counts[RG_STAT_LOSSES + loss].packets :
				    tally->own[RG_TALLY_LOSSES + loss - RG_LOSS_MAX];
}
