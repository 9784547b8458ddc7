/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_help.h"

#include "config/config.h"
#include "ctl/ctl_text.h"

#include <ctype.h>

#define HELP_COLUMN 24 /* where the help of a command begins, if its arguments leave room */

/* What the line in the table of commands does not say: a paragraph, and an example or NULL. */
static const struct {
	const char *more, *example;
} details[RG_COMMANDS] = {
	[RG_COMMAND_STATUS] = { "With --check, prints only what is wrong, and exits with 1 if anything is: an "
				"interface that is not filtered, a zone that is not good, a reload that was "
				"refused, a list file that is not in force as it is.",
				"status --check" },
	[RG_COMMAND_LOOKUP] = { "IP is an address, also as the logs print it. If nothing is known of it, the "
				"zones are asked; --store keeps the verdict. Exit code 0: the next SYN passes, "
				"10: it meets another action.",
				"lookup 203.0.113.25" },
	[RG_COMMAND_STATS] = { "--watch prints them each second until it is stopped.",
			       "stats --watch" },
	[RG_COMMAND_REPORT] = { "day has a line for each of the last 24 hours, week and month a line for each "
				"day.",
				"report week" },
	[RG_COMMAND_LIST] = { "Each entry with the file and line that it is from, and its comment.",
			      "list approved" },
	[RG_COMMAND_APPROVE] = { "The entry is one argument: an address, FIRST-LAST, a prefix or a country code. "
				 "It is in force at once, and wins over all else. --for ends it after a time "
				 "such as 12h or 7d. --comment says why, and `list` shows it. --force takes a "
				 "prefix wider than /8 (IPv6: /19).",
				 "approve 203.0.113.25 --for 7d --comment \"ticket 4711\"" },
	[RG_COMMAND_BLOCK] = { "The entry is one argument: an address, FIRST-LAST, a prefix or a country code. "
			       "It meets blocked_action at once. An approved entry around it wins. --for ends "
			       "it after a time such as 12h or 7d. --comment says why, and `list` shows it. "
			       "--force takes a prefix wider than /8 (IPv6: /19).",
			       "block 203.0.113.0/24 --for 12h" },
	[RG_COMMAND_UNLIST] = { "Only what approve or block wrote is removed; entries of files in approved_dir "
				"and blocked_dir are yours.",
				"unlist 203.0.113.25" },
	[RG_COMMAND_FLUSH] = { "All of them, those of an address or prefix, or the verdicts of a zone. They are "
			       "judged again when they come.",
			       "flush 203.0.113.0/24" },
	[RG_COMMAND_ZONES] = { "If a zone is not good, a line says since when and why.", NULL },
	[RG_COMMAND_EVENTS] = { "The last 1000, oldest first, of all peers or of an address or prefix. --follow "
				"goes on with new ones.",
				"events 203.0.113.25 --follow" },
	[RG_COMMAND_DUMP] = { "At most 10,000 of each.", NULL },
	[RG_COMMAND_RELOAD] = { "If the configuration is wrong, the old one stays in force. --force takes list "
				"files as they are, also if most of their entries are gone.",
				NULL },
	[RG_COMMAND_SET] = { "`repgatectl settings` names the keys. ALIAS.action is the action of one zone. "
			     "Without --save the change ends with the next reload or restart.",
			     "set standard_action reject --save" },
	[RG_COMMAND_SETTINGS] = { "With KEY, all about one of them. The agent need not run.",
				  "settings hold_timeout" },
	[RG_COMMAND_ACTIVATION_CODE] = { "The code is never an argument, as others can see those. The Standard "
					 "zone is asked with it first; --force saves it whatever the zone says.",
					 NULL },
	[RG_COMMAND_MONITOR] = { "It lasts until the next reload or restart, which set mode again.",
				 "monitor on" },
	[RG_COMMAND_TEST_CONFIG] = { "FILE is " RG_DEFAULT_CONFIG
				     " if it is left out. The agent need not run; "
				     "if it does, the settings that need a restart are named. `repgated --check` "
				     "reads the local lists, too.",
				     NULL },
	[RG_COMMAND_VERSION] = { "Of repgatectl, of the agent, of its maps, and of the kernel.",
				 NULL },
	[RG_COMMAND_HELP] = { "The agent need not run.", "help approve" },
};

json_t *rg_ctl_help(enum rg_command about)
{
	json_t *commands = json_array();

	for (enum rg_command command = 0; command < RG_COMMANDS; command++) {
		RG_CLEANUP_FREE char *usage = rg_protocol_usage(command);
		const struct rg_command_info *info = rg_protocol_command(command);

		if (about == RG_COMMANDS || about == command)
			json_array_append_new(commands,
					      json_pack("{s:s, s:s, s:s}", "name", info->name,
							"arguments", usage ? usage : "", "help",
							info->help));
	}
	return json_pack("{s:o}", "commands", commands);
}

static void print_one(FILE *to, enum rg_command command)
{
	RG_CLEANUP_FREE char *usage = rg_protocol_usage(command);
	const struct rg_command_info *info = rg_protocol_command(command);

	rg_ctl_line(to, 4, "Usage: repgatectl %s %s", info->name, usage ? usage : "");
	fprintf(to, "\n%c%s.\n", toupper((unsigned char)*info->help), info->help + 1);
	if (details[command].more)
		rg_ctl_line(to, 0, "%s", details[command].more);
	if (details[command].example)
		fprintf(to, "\nExample: repgatectl %s\n", details[command].example);
}

static void print_row(FILE *to, enum rg_command command)
{
	RG_CLEANUP_FREE char *usage = rg_protocol_usage(command);
	const struct rg_command_info *info = rg_protocol_command(command);
	int width = fprintf(to, "  %s %s", info->name, usage ? usage : "");

	if (width >= HELP_COLUMN) {
		fputc('\n', to);
		width = 0;
	}
	fprintf(to, "%*s%s\n", HELP_COLUMN - width, "", info->help);
}

void rg_ctl_help_print(FILE *to, enum rg_command about)
{
	if (about < RG_COMMANDS) {
		print_one(to, about);
		return;
	}
	fputs("Usage: repgatectl [--socket PATH] [--json] COMMAND [ARGUMENT...]\n\n", to);
	for (enum rg_command command = 0; command < RG_COMMANDS; command++)
		print_row(to, command);
	fputs("\n"
	      "  --socket PATH         control socket, default /run/repgate/control.sock\n"
	      "  --config FILE         of set --save and test-config,\n"
	      "                        default " RG_DEFAULT_CONFIG "\n"
	      "  --json                print JSON, errors too (docs/json.md)\n"
	      "  -V, --version         print the version\n"
	      "  -h, --help            print this; with a command, what it does\n"
	      "\n"
	      "Exit code: 0 done, 1 refused or failed, 2 wrong usage;\n"
	      "lookup: 0 the next SYN passes, 10 it meets another action.\n",
	      to);
}
