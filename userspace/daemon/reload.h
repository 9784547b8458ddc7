/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of configuration and local lists in the running agent: a queue of requests, a thread that
 * loads the files, and what puts the result in force. On error the old state stays in force.
 */
#ifndef REPGATE_DAEMON_RELOAD_H
#define REPGATE_DAEMON_RELOAD_H

#include "control/reload_queue.h"
#include "observe/modules.h"
#include "store/list_load.h"

struct rg_reload;

/*
 * modules: the agent's; it outlives the reload object. This module is the only one that replaces conf,
 * lists and countries in it, and that writes the reload counts. 0 or -ENOMEM.
 */
int rg_reload_new(struct rg_reload **ret, struct rg_modules *modules);
/*
 * Answers all requests that wait with -ECANCELED. Waits for the thread of a load, which reads modules:
 * call it before they are freed. reload may be NULL.
 */
void rg_reload_free(struct rg_reload *reload);

/*
 * Loads the lists, or configuration and lists, once the requests before this one are done. Requests
 * without begin() share a load. See control/reload_queue.h.
 */
void rg_reload_add(struct rg_reload *reload, const struct rg_reload_request *request);
/*
 * Call before a change from a request's begin(): the request is answered when the walks over the verdicts that are
 * added from now on have ended.
 */
void rg_reload_mark(struct rg_reload *reload);
/* Loads the lists, because their files changed or an entry has expired; logs an error. */
void rg_reload_lists(struct rg_reload *reload);
/* Once a second: loads the lists if a timed entry has expired. now: ns of CLOCK_BOOTTIME. */
void rg_reload_tick(struct rg_reload *reload, uint64_t now);

/*
 * At the start: puts the first lists in force, without a thread, as no packet is judged yet. Sets
 * fresh's lists and countries to NULL if modules owns them now. 0 or negative with error.
 */
int rg_reload_first_lists(struct rg_modules *modules, struct rg_list_load_result *fresh,
			  struct rg_error *error);

/*
 * Changes one setting until the next reload of the configuration or restart. Call from a request's
 * begin() only. 0, or negative with error; then nothing changed.
 */
int rg_reload_set(struct rg_modules *modules, const char *key, const char *value,
		  struct rg_error *error);
/* Puts another activation code (normalised) in force, in the same way; config/saved_code.h saves it. */
int rg_reload_set_code(struct rg_modules *modules, const char *code, struct rg_error *error);
/* Removes a saved activation code that does not count any more. Call when conf is in force. */
void rg_reload_forget_code(const struct rg_conf *conf);
/* Changes the mode, in the same way. */
void rg_reload_set_mode(struct rg_modules *modules, enum rg_mode mode);
/* Writes the map `settings` from the configuration in force. */
void rg_reload_write_settings(const struct rg_modules *modules);

/* Logs the warnings that reading a configuration produced. */
void rg_reload_log_warnings(const struct rg_conf *conf);

#endif
