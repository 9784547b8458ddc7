/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repgatectl's command line, read by the table of control/protocol.h. */
#ifndef REPGATE_CTL_CTL_ARGUMENTS_H
#define REPGATE_CTL_CTL_ARGUMENTS_H

#include "control/protocol.h"

struct rg_ctl_arguments {
	const char *socket, *config; /* as given, or NULL */
	bool json, help, version;
	enum rg_command command;
	/* By the command's arguments; NULL: not given. A flag's value is "". argv's strings. */
	const char *values[RG_MAX_ARGUMENTS];
};

/*
 * Reads the whole command line. With --help or --version nothing else is checked. 0, or -EINVAL with
 * error: a wrong option, command, value or number of arguments.
 */
int rg_ctl_arguments_parse(struct rg_ctl_arguments *ret, int argc, char **argv,
			   struct rg_error *error);

/* True if the command was given the argument with this name. */
bool rg_ctl_arguments_has(const struct rg_ctl_arguments *arguments, const char *name);

/* The request for the agent: a new reference. NULL: no memory. */
json_t *rg_ctl_arguments_request(const struct rg_ctl_arguments *arguments);

/* Prints all commands with their arguments and help. */
void rg_ctl_arguments_print_usage(FILE *to);

#endif
