/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is shown of the local lists: the command list, and their part of `status`. */
#ifndef REPGATE_CONTROL_LIST_STATUS_H
#define REPGATE_CONTROL_LIST_STATUS_H

#include "control/commands.h"

rg_command_run rg_list_status_run;

/* The object "lists" of `status` (docs/json.md): how many entries, bad lines, files with a fault. */
json_t *rg_list_status_describe(const struct rg_modules *modules);

#endif
