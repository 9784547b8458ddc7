/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of a configuration without an agent: `repgated --check`. */
#ifndef REPGATE_DAEMON_CHECK_H
#define REPGATE_DAEMON_CHECK_H

#include "config/config.h"

/*
 * Reads all files that the configuration names: lists, country database. Prints a line for each bad line and each
 * file that is not in force as it is. Returns whether there was none.
 */
bool rg_check_files(const struct rg_conf *conf, FILE *to);
/* What conf asks for and can't work in this network namespace now: a sentence, or NULL. */
const char *rg_check_advice(const struct rg_conf *conf);

#endif
