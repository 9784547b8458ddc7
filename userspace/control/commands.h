/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a request to the function that runs it. */
#ifndef REPGATE_CONTROL_COMMANDS_H
#define REPGATE_CONTROL_COMMANDS_H

#include "control/control.h"
#include "control/protocol.h"

/* Runs a request that rg_protocol_check() accepted, and answers the client, now or later. */
typedef void rg_command_run(struct rg_client *client, const json_t *request);

/* The function of a command; NULL: repgatectl does it alone. */
rg_command_run *rg_commands_function(enum rg_command command);

/* Checks and runs a request, which stays the caller's, and may be changed. Answers client, now or later. */
void rg_commands_run(struct rg_client *client, json_t *request);

#endif
