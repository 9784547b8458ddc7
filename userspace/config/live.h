/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings that change while the agent runs, and the file that keeps them: repgate.saved.conf beside
 * repgate.conf, which is read after it and wins.
 */
#ifndef REPGATE_CONFIG_LIVE_H
#define REPGATE_CONFIG_LIVE_H

#include "config/config.h"

struct rg_reader;

/*
 * Changes one setting in place. The key is one of the top level that takes effect at once,
 * "standard_action" or "qil_action" for all zones of the class, or "ALIAS.action" for one zone. The
 * value has no quotes. 0, or -EINVAL with the reason; then nothing has changed.
 */
int rg_live_set(struct rg_conf *conf, const char *key, const char *value, struct rg_error *error);

/*
 * Writes one setting into the saved file of the configuration file path. Removes what was saved of
 * the actions of these zones. Does not check the value: call it after rg_live_set(). 0 or negative
 * with the reason.
 */
int rg_live_save(const char *path, const char *key, const char *value, const char *const *zones,
		 size_t zone_count, struct rg_error *error);

/* The path of the saved settings beside a configuration; the caller frees it. NULL: no memory. */
char *rg_live_saved_path(const char *path);

/*
 * Reads the saved file of reader->conf, if there is one. An action that does not fit its zone is a
 * warning, any other mistake an error. 0 or negative with the reader's error.
 */
int rg_live_read_saved(struct rg_reader *reader);

#endif
