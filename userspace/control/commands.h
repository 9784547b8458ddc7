/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of the control socket: request in, JSON out. */
#ifndef REPGATE_CONTROL_COMMANDS_H
#define REPGATE_CONTROL_COMMANDS_H

#include "control/control.h"

/* Runs request's command and answers client, now or later. request is the caller's. */
void rg_command_run(struct rg_client *client, const json_t *request);

json_t *rg_command_event(const struct rg_recent_event *event);

#endif
