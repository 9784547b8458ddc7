/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `repgatectl stats` and `report` as text for people. Parts without a count are left out. */
#ifndef REPGATE_CTL_CTL_COUNTS_H
#define REPGATE_CTL_CTL_COUNTS_H

#include <jansson.h>
#include <stdio.h>

void rg_ctl_counts_print_stats(FILE *to, const json_t *result);
void rg_ctl_counts_print_report(FILE *to, const json_t *result);

#endif
