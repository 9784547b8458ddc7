/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history: what was counted in each hour and on each day, for `repgatectl report`. It is pure: the
 * caller gives it samples of the counters and the time. history_file.c reads and writes it.
 *
 * It keeps hours for two days and days for a month, which is what a report shows. A month of hours would
 * be ten times as much to write every five minutes in the event loop.
 *
 * The caller adds a sample of all counters from time to time, and the history adds their growth to the
 * hour and the day. The kernel's counters live as long as its maps. The history therefore stores their
 * last values too: an agent that takes over the same map continues from there, and what XDP counted in
 * between is not lost.
 */
#ifndef REPGATE_OBSERVE_HISTORY_COUNTS_H
#define REPGATE_OBSERVE_HISTORY_COUNTS_H

#include "kernel/stats.h"
#include "base/util.h"
#include "observe/losses.h"

#include "maps/limits.h"

#define RG_HISTORY_HOURS 48
#define RG_HISTORY_DAYS 31
#define RG_HISTORY_SPANS 128
/* The agent counts as absent if there is no sample for longer than this. s */
#define RG_HISTORY_GAP 60

/* What became of questions about a peer, or of queries to a zone. */
enum rg_asked { RG_ASKED, RG_ASKED_LISTED, RG_ASKED_CLEAN, RG_ASKED_FAILED, RG_ASKED_MAX };

/* The agent's own counters in one array. Each agent starts them at 0. */
#define RG_TALLY_LOSSES 0
#define RG_TALLY_INQUIRIES RG_OWN_LOSS_MAX
#define RG_TALLY_ZONES (RG_TALLY_INQUIRIES + RG_ASKED_MAX) /* + number of the zone * RG_ASKED_MAX */
#define RG_TALLY_MAX (RG_TALLY_ZONES + RG_MAX_ZONES * RG_ASKED_MAX)

/* Counts of some time span, or since the start. */
struct rg_tally {
	struct rg_stats kernel;
	uint64_t own[RG_TALLY_MAX];
};

/* The values of all counters at one time. */
struct rg_history_sample {
	struct rg_stats kernel;
	uint64_t losses[RG_OWN_LOSS_MAX];
	uint64_t inquiries[RG_ASKED_MAX];
	unsigned int zone_count;
	struct {
		const char *alias; /* the caller's; read during the call only */
		uint64_t counts[RG_ASKED_MAX];
	} zones[RG_MAX_ZONES];
};

/* Two clocks at the same time: the wall clock, which may jump, and the time that really passed. */
struct rg_moment {
	int64_t wall; /* s since 1970 */
	uint64_t boot; /* ns of CLOCK_BOOTTIME */
};

enum rg_history_unit { RG_HISTORY_HOUR, RG_HISTORY_DAY, RG_HISTORY_UNITS };

/* An hour or a day of the local clock. All times are s since 1970. */
struct rg_history_row {
	int64_t start, end; /* `end` is the first second that does not belong to the row */
	int64_t seconds; /* time counted; more than the row is long if the clock was set back */
	int64_t used; /* serial number of the last use; the row with the smallest is evicted */
	struct rg_tally tally;
};

/* A time in which an agent counted, without a gap longer than RG_HISTORY_GAP. s since 1970. */
struct rg_history_span {
	int64_t from, until;
	/* XDP's counts from `late` until `from` are in the row of `from`; late == from: there are none */
	int64_t late;
};

struct rg_history_track {
	enum rg_history_unit unit;
	size_t count, max;
	int64_t uses; /* the last serial number given, see rg_history_row.used */
	struct rg_history_row *rows; /* sorted by start; they do not overlap */
};

/* Read and written by history_counts.c and history_file.c only. */
struct rg_history_counts {
	struct rg_history_track tracks[RG_HISTORY_UNITS];
	size_t span_count;
	struct rg_history_span spans[RG_HISTORY_SPANS]; /* sorted; more than RG_HISTORY_GAP apart */
	char zones[RG_MAX_ZONES][RG_ALIAS_SIZE]; /* alias by number; "": free */
	struct rg_tally before; /* the counters at `last` */
	struct rg_moment last; /* time of the last sample */
	int64_t hour_ends; /* end of the hour that `last` is in */
	uint32_t map; /* id of the map that before.kernel was read from; 0: unknown */
};

/* An empty history. 0 or -ENOMEM. */
int rg_history_counts_new(struct rg_history_counts **ret);
/* history may be NULL. */
void rg_history_counts_free(struct rg_history_counts *history);
/* Forgets everything. */
void rg_history_counts_clear(struct rg_history_counts *history);

/*
 * Starts to count, once, after the file was read. is: the id of the map that the kernel's counters are
 * in. was: the id of an earlier agent's map that they were taken from; 0: they started at 0.
 */
void rg_history_counts_begin(struct rg_history_counts *history,
			     const struct rg_history_sample *sample, uint32_t was, uint32_t is,
			     struct rg_moment now);
/* True if the last sample is a minute old, or if the hour has ended. */
bool rg_history_counts_needs_sample(const struct rg_history_counts *history, struct rg_moment now);
/* Adds what the counters have grown by since the last sample. */
void rg_history_counts_add(struct rg_history_counts *history,
			   const struct rg_history_sample *sample, struct rg_moment now);

/* The rows of one unit, oldest first. Valid until the next change of the history. */
const struct rg_history_row *rg_history_counts_rows(const struct rg_history_counts *history,
						    enum rg_history_unit unit, size_t *count);
/* The times in which an agent counted, oldest first. Valid until the next change of the history. */
const struct rg_history_span *rg_history_counts_spans(const struct rg_history_counts *history,
						      size_t *count);
/* A zone's alias. number < RG_MAX_ZONES; "" if no zone has this number. */
const char *rg_history_counts_zone(const struct rg_history_counts *history, unsigned int number);
/* The number of the zone with this alias ("": of a free one), or RG_MAX_ZONES. */
unsigned int rg_history_counts_find_zone(const struct rg_history_counts *history, const char *alias);

/* A loss in a tally. loss < RG_LOSS_COUNTS (observe/losses.h). */
uint64_t rg_tally_loss(const struct rg_tally *tally, unsigned int loss);

/* Start and end of the hour or the day that `time` is in, by the local clock. s since 1970 */
int64_t rg_history_counts_start(enum rg_history_unit unit, int64_t time);
int64_t rg_history_counts_end(enum rg_history_unit unit, int64_t time);

static inline struct rg_moment rg_moment_now(void)
{
	return (struct rg_moment){ .wall = (int64_t)time(NULL), .boot = rg_now() };
}

#endif
