/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of the control socket, in one table for the agent and for repgatectl: names, arguments
 * with their types, help. The agent checks requests against it. repgatectl builds requests, its usage
 * text and the data of the shell completion from it. A test compares the manual page with it.
 *
 * A request is one line, a JSON object {"command": NAME, ARGUMENT: VALUE, ...}. The answer is one line,
 * {"ok": true, "result": {...}} or {"ok": false, "error": TEXT}; docs/json.md describes the results.
 */
#ifndef REPGATE_CONTROL_PROTOCOL_H
#define REPGATE_CONTROL_PROTOCOL_H

#include "base/util.h"

#include <jansson.h>

enum rg_command {
	RG_COMMAND_STATUS,
	RG_COMMAND_LOOKUP,
	RG_COMMAND_STATS,
	RG_COMMAND_REPORT,
	RG_COMMAND_LIST,
	RG_COMMAND_APPROVE,
	RG_COMMAND_BLOCK,
	RG_COMMAND_UNLIST,
	RG_COMMAND_FLUSH,
	RG_COMMAND_ZONES,
	RG_COMMAND_EVENTS,
	RG_COMMAND_DUMP,
	RG_COMMAND_RELOAD,
	RG_COMMAND_SET,
	RG_COMMAND_SETTINGS,
	RG_COMMAND_ACTIVATION_CODE,
	RG_COMMAND_MONITOR,
	RG_COMMAND_TEST_CONFIG,
	RG_COMMAND_VERSION,
	RG_COMMAND_HELP,
	RG_COMMANDS
};

/* The type of an argument; in comments: in a request, and as repgatectl is given it. */
enum rg_argument_type {
	RG_ARGUMENT_TEXT, /* string; the same */
	RG_ARGUMENT_ADDRESS, /* string; the same: may be an address as logs print it (rg_addr_find()) */
	RG_ARGUMENT_WORD, /* string, one of `words`; the same */
	RG_ARGUMENT_SECONDS, /* integer, 0: none; a duration such as "7d" */
	RG_ARGUMENT_SWITCH, /* true or false; "on" or "off" */
	RG_ARGUMENT_FLAG, /* true or false; an option without a value */
};

/* How repgatectl is given an argument. */
enum rg_argument_form {
	RG_FORM_REQUIRED, /* by position; a request without it is refused, too */
	RG_FORM_OPTIONAL, /* by position, may be left out */
	RG_FORM_OPTION, /* --name */
	/* From standard input, as it is secret: a command line is public. A request without it is refused. */
	RG_FORM_INPUT,
};

#define RG_MAX_ARGUMENTS 4
#define RG_MAX_SECONDS 315360000 /* 10 years */

struct rg_argument {
	const char *name; /* key in the request, and name of the option; NULL ends the list */
	const char *shown; /* in the usage text; NULL for a flag */
	enum rg_argument_type type;
	enum rg_argument_form form;
	/*
	 * WORD: the allowed values, separated by "|". Else NULL, or the word that means "left out": in a
	 * request such an argument is never required.
	 */
	const char *words;
	bool local; /* for repgatectl alone: not in the request */
};

struct rg_command_info {
	const char *name;
	const char *help; /* one line */
	bool local; /* repgatectl does it without the agent */
	struct rg_argument arguments[RG_MAX_ARGUMENTS];
};

/* The row of a command. command < RG_COMMANDS. */
const struct rg_command_info *rg_protocol_command(enum rg_command command);
/* The command with this name, or RG_COMMANDS. */
enum rg_command rg_protocol_find(const char *name);

/* True if word is one of words, which are separated by "|". */
bool rg_protocol_has_word(const char *words, const char *word);

/*
 * Checks a request for the agent: a known command, no unknown argument, right types and words, nothing
 * missing. 0 with *command set, or -EINVAL with the reason.
 */
int rg_protocol_check(const json_t *request, enum rg_command *command, struct rg_error *error);

/* Takes off what logs print around addresses (RG_ARGUMENT_ADDRESS) in a request that was checked. */
void rg_protocol_strip(json_t *request, enum rg_command command);

/* The arguments of a command for people, e.g. "IP [--store]". The caller frees it; NULL: no memory. */
char *rg_protocol_usage(enum rg_command command);

#endif
