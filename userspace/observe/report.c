/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "observe/report.h"

#include "base/names.h"

#define MAX_LINES 30

static const struct period {
	const char *name;
	enum rg_history_unit unit;
	unsigned int lines;
} periods[] = {
	{ "day", RG_HISTORY_HOUR, 24 },
	{ "week", RG_HISTORY_DAY, 7 },
	{ "month", RG_HISTORY_DAY, MAX_LINES },
};

/* One hour or day of the report, or all of it. */
struct line {
	int64_t from, until; /* s since 1970 */
	int64_t counted; /* s that an agent counted in */
	struct rg_tally tally;
};

struct sums {
	uint64_t passed; /* including what monitor mode let pass */
	uint64_t refused;
	uint64_t tagged; /* the firewall decided */
	uint64_t unjudged; /* held or dropped until the peer was known; counted again then */
};

static uint64_t *sum_for(struct sums *sums, unsigned int peer_class, unsigned int action)
{
	if (action == RG_ACTION_PASS)
		return &sums->passed;
	if (peer_class == RG_CLASS_UNKNOWN || peer_class == RG_CLASS_PENDING ||
	    action == RG_ACTION_HOLD)
		return &sums->unjudged;
	return action == RG_ACTION_TAG ? &sums->tagged : &sums->refused;
}

static struct sums sum_up(const struct rg_stats *stats, bool attempts)
{
	struct sums sums = {};

	for (unsigned int peer_class = RG_CLASS_APPROVED; peer_class < RG_CLASS_MAX; peer_class++) {
		for (unsigned int action = RG_ACTION_PASS; action < RG_ACTION_MAX; action++) {
			const struct rg_count *done =
				rg_stats_of(stats, RG_STAT_DONE, peer_class, action);
			const struct rg_count *let_pass =
				rg_stats_of(stats, RG_STAT_MONITORED, peer_class, action);

			*sum_for(&sums, peer_class, action) += attempts ? done->attempts :
									  done->packets;
			sums.passed += attempts ? let_pass->attempts : let_pass->packets;
		}
	}
	return sums;
}

static void add_row(struct line *line, const struct rg_history_row *row)
{
	line->counted += row->seconds;
	for (size_t i = 0; i < RG_STAT_MAX; i++) {
		line->tally.kernel.counts[i].packets += row->tally.kernel.counts[i].packets;
		line->tally.kernel.counts[i].attempts += row->tally.kernel.counts[i].attempts;
	}
	for (size_t i = 0; i < RG_TALLY_MAX; i++)
		line->tally.own[i] += row->tally.own[i];
}

/* Adds the rows that begin within the line. After a change of the time zone rows and lines differ. */
static void fill_line(struct line *line, const struct rg_history_counts *history,
		      enum rg_history_unit unit, int64_t end)
{
	size_t count;
	const struct rg_history_row *rows = rg_history_counts_rows(history, unit, &count);

	for (size_t i = 0; i < count; i++)
		if (rows[i].start >= line->from && rows[i].start < end)
			add_row(line, &rows[i]);
}

/* lines[0] is the whole period; the lines follow, oldest first. */
static void fill_lines(struct line *lines, const struct rg_history_counts *history,
		       const struct period *period, int64_t now)
{
	struct line *line = lines + period->lines;
	int64_t end = now + 1; /* includes a row that begins in this second */

	line->until = now;
	for (; line > lines; line--) {
		line->from = rg_history_counts_start(period->unit, end - 1);
		fill_line(line, history, period->unit, end);
		end = line->from;
		line[-1].until = end;
	}
	*lines = (struct line){ .from = end, .until = now };
	fill_line(lines, history, period->unit, now + 1);
}

/* -------------------------------------------------------------------------- JSON */

json_t *rg_report_table(const struct rg_stats *stats, unsigned int table, bool attempts)
{
	json_t *classes = json_object();

	for (unsigned int peer_class = RG_CLASS_APPROVED; peer_class < RG_CLASS_MAX; peer_class++) {
		json_t *actions = json_object();

		for (unsigned int action = RG_ACTION_PASS; action < RG_ACTION_MAX; action++) {
			const struct rg_count *count = rg_stats_of(stats, table, peer_class, action);

			json_object_set_new(actions, rg_action_name(action),
					    json_integer((json_int_t)(attempts ? count->attempts :
										 count->packets)));
		}
		json_object_set_new(classes, rg_class_name(peer_class), actions);
	}
	return classes;
}

static json_t *describe_share(const struct sums *sums)
{
	uint64_t all = sums->passed + sums->refused + sums->tagged;

	return all ? json_real((double)sums->refused / (double)all) : json_null();
}

static json_t *describe_sums(const struct sums *sums)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:o}", "passed", (json_int_t)sums->passed, "refused",
			 (json_int_t)sums->refused, "tagged", (json_int_t)sums->tagged, "unjudged",
			 (json_int_t)sums->unjudged, "refused_share", describe_share(sums));
}

static json_t *describe_line(const struct line *line)
{
	const struct sums attempts = sum_up(&line->tally.kernel, true),
			  packets = sum_up(&line->tally.kernel, false);

	return json_pack("{s:I, s:I, s:I, s:o, s:o}", "from", (json_int_t)line->from, "until",
			 (json_int_t)line->until, "counted", (json_int_t)line->counted, "attempts",
			 describe_sums(&attempts), "packets", describe_sums(&packets));
}

static uint64_t attempts_of(const struct line *line)
{
	const struct sums sums = sum_up(&line->tally.kernel, true);

	return sums.passed + sums.refused + sums.tagged;
}

/* The line with the most attempts, the first of several; null if there were no attempts. */
static json_t *describe_busiest(const struct line *lines, unsigned int count)
{
	unsigned int best = 0;

	for (unsigned int i = 1; i < count; i++)
		if (attempts_of(&lines[i]) > attempts_of(&lines[best]))
			best = i;
	return attempts_of(&lines[best]) ? describe_line(&lines[best]) : json_null();
}

/* counted_from: start of the time whose XDP counts are in the report anyway; null: there are none. */
static void add_missing(json_t *missing, int64_t from, int64_t until, int64_t late)
{
	if (until - from > RG_HISTORY_GAP)
		json_array_append_new(missing,
				      json_pack("{s:I, s:I, s:o}", "from", (json_int_t)from,
						"until", (json_int_t)until, "counted_from",
						late <= from ? json_integer(late) : json_null()));
}

/* The times in which no agent counted. */
static json_t *describe_missing(const struct rg_history_counts *history, int64_t from, int64_t until)
{
	json_t *missing = json_array();
	size_t count;
	const struct rg_history_span *spans = rg_history_counts_spans(history, &count);

	for (size_t i = 0; i < count && spans[i].from < until; i++) {
		add_missing(missing, from, spans[i].from, spans[i].late);
		if (spans[i].until > from)
			from = spans[i].until;
	}
	add_missing(missing, from, until, until);
	return missing;
}

static json_t *describe_since(const struct rg_history_counts *history)
{
	size_t count;
	const struct rg_history_span *spans = rg_history_counts_spans(history, &count);

	return count ? json_integer(spans->from) : json_null();
}

static json_t *describe_asked(const uint64_t counts[RG_ASKED_MAX], const char *clean)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "asked", (json_int_t)counts[RG_ASKED], "listed",
			 (json_int_t)counts[RG_ASKED_LISTED], clean,
			 (json_int_t)counts[RG_ASKED_CLEAN], "failed",
			 (json_int_t)counts[RG_ASKED_FAILED]);
}

/* The zones that were asked, with the keys of `repgatectl zones`. */
static json_t *describe_zones(const struct rg_history_counts *history, const struct rg_tally *tally)
{
	json_t *zones = json_array();

	for (unsigned int i = 0; i < RG_MAX_ZONES; i++) {
		const uint64_t *counts = &tally->own[RG_TALLY_ZONES + i * RG_ASKED_MAX];
		json_t *zone;

		if (!*rg_history_counts_zone(history, i) || !counts[RG_ASKED])
			continue;
		zone = json_pack("{s:s}", "zone", rg_history_counts_zone(history, i));
		json_object_update_new(zone, describe_asked(counts, "not_listed"));
		json_array_append_new(zones, zone);
	}
	return zones;
}

json_t *rg_report_losses(const uint64_t losses[RG_LOSS_COUNTS])
{
	json_t *json = json_object();

	for (unsigned int loss = 0; loss < RG_LOSS_COUNTS; loss++)
		json_object_set_new(json, rg_losses_name(loss),
				    json_integer((json_int_t)losses[loss]));
	return json;
}

static json_t *describe_losses(const struct rg_tally *tally)
{
	uint64_t losses[RG_LOSS_COUNTS];

	for (unsigned int loss = 0; loss < RG_LOSS_COUNTS; loss++)
		losses[loss] = rg_tally_loss(tally, loss);
	return rg_report_losses(losses);
}

static json_t *describe_lines(const struct line *lines, unsigned int count)
{
	json_t *all = json_array();

	for (unsigned int i = 0; i < count; i++)
		json_array_append_new(all, describe_line(&lines[i]));
	return all;
}

static json_t *describe(const struct rg_history_counts *history, const struct period *period,
			const struct line *all, const struct line *lines)
{
	const struct rg_stats *stats = &all->tally.kernel;
	const struct sums attempts = sum_up(stats, true), packets = sum_up(stats, false);

	return json_pack(
		"{s:s, s:I, s:I, s:I, s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:o, "
		"s:s, s:o, s:o}",
		"period", period->name, "from", (json_int_t)all->from, "until",
		(json_int_t)all->until, "counted", (json_int_t)all->counted, "since",
		describe_since(history), "missing", describe_missing(history, all->from, all->until),
		"totals", "attempts", describe_sums(&attempts), "packets", describe_sums(&packets),
		"attempts", rg_report_table(stats, RG_STAT_DONE, true), "packets",
		rg_report_table(stats, RG_STAT_DONE, false), "monitored", "attempts",
		rg_report_table(stats, RG_STAT_MONITORED, true), "packets",
		rg_report_table(stats, RG_STAT_MONITORED, false), "inquiries",
		describe_asked(&all->tally.own[RG_TALLY_INQUIRIES], "clean"), "zones",
		describe_zones(history, &all->tally), "losses", describe_losses(&all->tally),
		"unit", period->unit == RG_HISTORY_HOUR ? "hour" : "day", "busiest",
		describe_busiest(lines, period->lines), "lines",
		describe_lines(lines, period->lines));
}

json_t *rg_report(const struct rg_history_counts *history, const char *name, int64_t now)
{
	RG_CLEANUP_FREE struct line *lines = calloc(1 + MAX_LINES, sizeof(*lines));
	const struct period *period = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(periods); i++)
		if (!strcmp(periods[i].name, name))
			period = &periods[i];
	if (!lines || !period)
		return NULL;
	fill_lines(lines, history, period, now);
	return describe(history, period, lines, lines + 1);
}
