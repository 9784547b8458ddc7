/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/commands.h"

#include "control/activation.h"
#include "control/change.h"
#include "control/list_status.h"
#include "control/lookup.h"
#include "control/status.h"

static rg_command_run *const functions[RG_COMMANDS] = {
	[RG_COMMAND_STATUS] = rg_status_run,
	[RG_COMMAND_LOOKUP] = rg_lookup_run,
	[RG_COMMAND_STATS] = rg_status_run_stats,
	[RG_COMMAND_REPORT] = rg_status_run_report,
	[RG_COMMAND_LIST] = rg_list_status_run,
	[RG_COMMAND_APPROVE] = rg_change_run_approve,
	[RG_COMMAND_BLOCK] = rg_change_run_block,
	[RG_COMMAND_UNLIST] = rg_change_run_unlist,
	[RG_COMMAND_FLUSH] = rg_change_run_flush,
	[RG_COMMAND_ZONES] = rg_status_run_zones,
	[RG_COMMAND_EVENTS] = rg_status_run_events,
	[RG_COMMAND_DUMP] = rg_status_run_dump,
	[RG_COMMAND_RELOAD] = rg_change_run_reload,
	[RG_COMMAND_SET] = rg_change_run_set,
	[RG_COMMAND_MONITOR] = rg_change_run_monitor,
	[RG_COMMAND_VERSION] = rg_status_run_version,
	[RG_COMMAND_ACTIVATION_CODE] = rg_activation_run,
};

rg_command_run *rg_commands_function(enum rg_command command)
{
	return functions[command];
}

void rg_commands_run(struct rg_client *client, json_t *request)
{
	enum rg_command command;
	struct rg_error error;

	if (rg_protocol_check(request, &command, &error)) {
		rg_control_refuse(client, "%s", error.text);
		return;
	}
	rg_protocol_strip(request, command);
	functions[command](client, request);
}
