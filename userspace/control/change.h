/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that change something. All but flush wait in the reload queue and answer when the
 * change is in force. A client that disconnects first does not undo its change.
 */
#ifndef REPGATE_CONTROL_CHANGE_H
#define REPGATE_CONTROL_CHANGE_H

#include "control/commands.h"

rg_command_run rg_change_run_approve;
rg_command_run rg_change_run_block;
rg_command_run rg_change_run_unlist;
rg_command_run rg_change_run_reload;
rg_command_run rg_change_run_set;
rg_command_run rg_change_run_monitor;
rg_command_run rg_change_run_flush;

#endif
