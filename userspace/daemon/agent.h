/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent owns all modules: it builds them in order, connects their callbacks, runs the event loop,
 * and frees them in reverse order.
 */
#ifndef REPGATE_DAEMON_AGENT_H
#define REPGATE_DAEMON_AGENT_H

#include "config/config.h"

struct rg_agent;

/*
 * Builds all modules and attaches the programs; the filter is in force when it returns. The agent keeps
 * a reference of conf. 0, or negative with error; then an earlier agent's filter stays in force.
 */
int rg_agent_new(struct rg_agent **ret, struct rg_conf *conf, struct rg_error *error);
/* Runs until SIGTERM or SIGINT. 0, or negative if the event loop failed. */
int rg_agent_run(struct rg_agent *agent);
/* Frees everything; detaches the programs and removes the pins unless keep_pins. agent may be NULL. */
void rg_agent_free(struct rg_agent *agent, bool keep_pins);

/* The configuration in force; a reload may have replaced the one that the agent began with. */
const struct rg_conf *rg_agent_conf(const struct rg_agent *agent);

#endif
