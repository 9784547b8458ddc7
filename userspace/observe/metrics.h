/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics page: Prometheus text on metrics_listen, path /metrics (metrics_server.h). */
#ifndef REPGATE_OBSERVE_METRICS_H
#define REPGATE_OBSERVE_METRICS_H

#include "observe/modules.h"

struct rg_metrics;

/*
 * Listens on modules->conf->metrics_address. modules is the caller's and outlives it. *ret is NULL if
 * metrics_listen is "". 0, or negative with error.
 */
int rg_metrics_new(struct rg_metrics **ret, const struct rg_modules *modules, struct rg_error *error);
/* metrics may be NULL. */
void rg_metrics_free(struct rg_metrics *metrics);

#endif
