/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repgatectl's command line, read by the table of control/protocol.h. */
#ifndef REPGATE_CTL_CTL_ARGUMENTS_H
#define REPGATE_CTL_CTL_ARGUMENTS_H

#include "control/protocol.h"

struct rg_ctl_arguments {
	const char *socket, *config; /* as given, or NULL */
	bool json; /* set also if the command line is wrong: the error is JSON, too */
	bool version;
	/* For help: RG_COMMAND_HELP, and values[0] is the command that it is about, or NULL. */
	enum rg_command command;
	/* By the command's arguments; NULL: not given. A flag's value is "". argv's strings. */
	const char *values[RG_MAX_ARGUMENTS];
};

/*
 * Reads the whole command line. With --version nothing else is checked; with --help only the command that it
 * is about. 0, or -EINVAL with error: a wrong option, command, value or number of arguments.
 */
int rg_ctl_arguments_parse(struct rg_ctl_arguments *ret, int argc, char **argv,
			   struct rg_error *error);

/* True if the command was given the argument with this name. */
bool rg_ctl_arguments_has(const struct rg_ctl_arguments *arguments, const char *name);

/* The request for the agent: a new reference. NULL: no memory. */
json_t *rg_ctl_arguments_request(const struct rg_ctl_arguments *arguments);

#endif
