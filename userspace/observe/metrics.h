/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prometheus text on metrics_listen, path /metrics. The only module that knows evhttp. */
#ifndef REPGATE_OBSERVE_METRICS_H
#define REPGATE_OBSERVE_METRICS_H

#include "observe/modules.h"

struct rg_metrics;

/* *ret is NULL if metrics_listen is "". */
int rg_metrics_new(struct rg_metrics **ret, const struct rg_modules *modules, struct rg_error *error);
void rg_metrics_free(struct rg_metrics *metrics);

#endif
