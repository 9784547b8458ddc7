/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `repgatectl report`: sums of the history of a period, as JSON (docs/json.md). */
#ifndef REPGATE_OBSERVE_REPORT_H
#define REPGATE_OBSERVE_REPORT_H

#include "observe/history_counts.h"

#include <jansson.h>

/*
 * name: "day": this hour and the 23 before it; "week": today and the 6 days before; "month": today and
 * the 29 days before. now: s since 1970. A new reference; NULL: no such period, or no memory.
 */
json_t *rg_report(const struct rg_history_counts *history, const char *name, int64_t now);

/* {class: {action: number}} of a table, e.g. RG_STAT_DONE; attempts, or else packets. */
json_t *rg_report_table(const struct rg_stats *stats, unsigned int table, bool attempts);
/* {cause: number} of all losses. */
json_t *rg_report_losses(const uint64_t losses[RG_LOSS_COUNTS]);

#endif
