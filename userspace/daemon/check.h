/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of a configuration without an agent: `repgated --check` and `--prepare`. */
#ifndef REPGATE_DAEMON_CHECK_H
#define REPGATE_DAEMON_CHECK_H

#include "config/config.h"

/* Reads all files that the configuration names: lists, country database. 0 or negative with error. */
int rg_check_files(const struct rg_conf *conf, struct rg_error *error);
/* What conf asks for and can't work in this network namespace now: a sentence, or NULL. */
const char *rg_check_advice(const struct rg_conf *conf);

#endif
