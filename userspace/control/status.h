/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that only show something: status, stats, report, zones, events, dump, version. */
#ifndef REPGATE_CONTROL_STATUS_H
#define REPGATE_CONTROL_STATUS_H

#include "control/commands.h"

rg_command_run rg_status_run;
rg_command_run rg_status_run_stats;
rg_command_run rg_status_run_report;
rg_command_run rg_status_run_zones;
rg_command_run rg_status_run_events;
rg_command_run rg_status_run_dump;
rg_command_run rg_status_run_version;

#endif
