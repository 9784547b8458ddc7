/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines about the local lists: what is not in force as its author may think. conf: keys that names of files
 * show are masked.
 */
#ifndef REPGATE_DAEMON_LIST_LOG_H
#define REPGATE_DAEMON_LIST_LOG_H

#include "store/list_load.h"

/*
 * Logs bad lines, files with a fault, files that are not read, and blocked entries that cover what is never blocked;
 * each once: not what was the same in `before`, which may be NULL.
 */
void rg_list_log_changes(const struct rg_conf *conf, const struct rg_lists *before,
			 const struct rg_lists *lists);

/* Logs how many countries the lists name, and which of them is this host's own. countries may be NULL. */
void rg_list_log_countries(const struct rg_conf *conf, const struct rg_lists *lists,
			   const struct rg_country_db *countries);

/* Logs the peers that are connected now, and that the fresh lists block. */
void rg_list_log_connected(const struct rg_conf *conf, const struct rg_list_load_result *fresh);

#endif
