/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was counted, hour by hour and day by day, for `repgatectl report`; in a file of state_dir.
 *
 * Hours for two days and days for a month: that is what a report shows. A month of hours would be ten
 * times as much to write every five minutes, in the event loop.
 *
 * It is told now and then what the counters say, and adds what they have grown by. The kernel's live on
 * with its maps, so the file has them as they were when it was written: an agent that takes over the
 * same map goes on from there, and loses nothing of what XDP counted meanwhile.
 */
#ifndef REPGATE_OBSERVE_HISTORY_H
#define REPGATE_OBSERVE_HISTORY_H

#include "kernel/stats.h"
#include "base/util.h"

#include "maps/limits.h"

#define RG_HISTORY_HOURS 48
#define RG_HISTORY_DAYS 31
#define RG_HISTORY_SPANS 128
/* Bytes of the file, at most: every count of every row as long as it may be, see history.c. */
#define RG_HISTORY_SIZE (1 << 20)

/* What became of questions: about a peer, or to a zone. */
enum rg_asked { RG_ASKED, RG_ASKED_LISTED, RG_ASKED_CLEAN, RG_ASKED_FAILED, RG_ASKED_MAX };

/* The agent's own counts, in one array. They begin at 0 with each agent. */
#define RG_TALLY_LOSSES 0
#define RG_TALLY_INQUIRIES RG_OWN_LOSS_MAX
#define RG_TALLY_ZONES (RG_TALLY_INQUIRIES + RG_ASKED_MAX) /* + number of the zone * RG_ASKED_MAX */
#define RG_TALLY_MAX (RG_TALLY_ZONES + RG_MAX_ZONES * RG_ASKED_MAX)

/* What was counted in some time, or since the start. */
struct rg_tally {
	struct rg_stats kernel;
	uint64_t own[RG_TALLY_MAX];
};

/* What the counters say now. */
struct rg_history_sample {
	struct rg_stats kernel;
	uint64_t losses[RG_OWN_LOSS_MAX];
	uint64_t inquiries[RG_ASKED_MAX];
	unsigned int zone_count;
	struct {
		const char *alias;
		uint64_t counts[RG_ASKED_MAX];
	} zones[RG_MAX_ZONES];
};

/* Both clocks at one time: what people read, which may jump, and what has passed. */
struct rg_moment {
	int64_t wall; /* s since 1970 */
	uint64_t boot; /* ns of CLOCK_BOOTTIME */
};

enum rg_history_unit { RG_HISTORY_HOUR, RG_HISTORY_DAY };

/* An hour or a day of the local clock; times are s since 1970. */
struct rg_history_row {
	int64_t start, end; /* not counted in: end */
	int64_t seconds; /* an agent counted; more than there are: the clock was set back */
	int64_t used; /* grows: the row with the smallest makes room */
	struct rg_tally tally;
};

/* An agent counted, without a gap of more than RG_HISTORY_GAP. */
struct rg_history_span {
	int64_t from, until;
	int64_t late; /* what XDP counted between this and `from` is in the row of `from` */
};

#define RG_HISTORY_GAP 60 /* s */

struct rg_history;

int rg_history_new(struct rg_history **ret, const char *state_dir);
void rg_history_free(struct rg_history *history);

/*
 * Reads the file. 0, also if there is none, or negative with error: the file can't be read, or is not
 * one of ours; it is set aside then, and the history is empty.
 */
int rg_history_load(struct rg_history *history, struct rg_error *error);

/*
 * Begins to count. was: the id of the map of an earlier agent that the kernel's counters come from, 0:
 * they are new. is: that of the map they are in now.
 */
void rg_history_begin(struct rg_history *history, const struct rg_history_sample *sample,
		      uint32_t was, uint32_t is, struct rg_moment now);
/* A minute has passed since the last sample, or an hour is over. */
bool rg_history_is_due(const struct rg_history *history, struct rg_moment now);
void rg_history_add(struct rg_history *history, const struct rg_history_sample *sample,
		    struct rg_moment now);

/* Writes the file; sync: down to the disk, which takes its time: at the stop only. 0 or -errno. */
int rg_history_write(const struct rg_history *history, bool sync);

/* Oldest first; valid until the next rg_history_begin() or _add(). */
const struct rg_history_row *rg_history_rows(const struct rg_history *history,
					     enum rg_history_unit unit, size_t *count);
const struct rg_history_span *rg_history_spans(const struct rg_history *history, size_t *count);
/* The alias of a zone by its number; "": there is none. */
const char *rg_history_zone(const struct rg_history *history, unsigned int number);

/* Where the hour or day begins, by the local clock, that `time` is in, and where it ends. */
int64_t rg_history_start(enum rg_history_unit unit, int64_t time);
int64_t rg_history_end(enum rg_history_unit unit, int64_t time);

static inline struct rg_moment rg_moment_now(void)
{
	return (struct rg_moment){ .wall = (int64_t)time(NULL), .boot = rg_now() };
}

#endif
