/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/protocol.h"

#include "base/addr.h"

#define ENTRY                                                                                     \
	{                                                                                         \
		"entry", "IP|RANGE|PREFIX|CC", RG_ARGUMENT_ADDRESS, RG_FORM_REQUIRED, NULL, false \
	}
#define FOR                                                                     \
	{                                                                       \
		"for", "TIME", RG_ARGUMENT_SECONDS, RG_FORM_OPTION, NULL, false \
	}
#define COMMENT                                                                  \
	{                                                                        \
		"comment", "TEXT", RG_ARGUMENT_TEXT, RG_FORM_OPTION, NULL, false \
	}
#define FLAG(name, local)                                                 \
	{                                                                 \
		name, NULL, RG_ARGUMENT_FLAG, RG_FORM_OPTION, NULL, local \
	}

/* clang-format off */
/* In the order of the usage text. */
static const struct rg_command_info commands[RG_COMMANDS] = {
	[RG_COMMAND_STATUS] = { "status", "what runs, and in which state", false,
		{ FLAG("check", true) } },
	[RG_COMMAND_LOOKUP] = {
		"lookup", "what is known of an address, and what its next SYN meets", false,
		{ { "address", "IP", RG_ARGUMENT_ADDRESS, RG_FORM_REQUIRED, NULL, false },
		  FLAG("store", false) } },
	[RG_COMMAND_STATS] = {
		"stats", "counters by class and action, and losses", false,
		{ FLAG("watch", true) } },
	[RG_COMMAND_REPORT] = {
		"report", "what was refused and passed, by hour or by day", false,
		{ { "period", NULL, RG_ARGUMENT_WORD, RG_FORM_REQUIRED, "day|week|month", false } } },
	[RG_COMMAND_LIST] = {
		"list", "the local lists in force", false,
		{ { "class", NULL, RG_ARGUMENT_WORD, RG_FORM_OPTIONAL, "approved|blocked", false } } },
	[RG_COMMAND_APPROVE] = {
		"approve", "let an address pass, always", false,
		{ ENTRY, FOR, COMMENT, FLAG("force", false) } },
	[RG_COMMAND_BLOCK] = {
		"block", "refuse an address", false,
		{ ENTRY, FOR, COMMENT, FLAG("force", false) } },
	[RG_COMMAND_UNLIST] = {
		"unlist", "undo approve or block", false, { ENTRY } },
	[RG_COMMAND_FLUSH] = {
		"flush", "forget verdicts and known peers", false,
		{ { "what", "IP|PREFIX|ZONE", RG_ARGUMENT_ADDRESS, RG_FORM_REQUIRED, "all", false } } },
	[RG_COMMAND_ZONES] = { "zones", "the DNS lists and their answers", false, {} },
	[RG_COMMAND_EVENTS] = {
		"events", "the latest verdicts and refused connections", false,
		{ { "address", "IP|PREFIX", RG_ARGUMENT_ADDRESS, RG_FORM_OPTIONAL, NULL, false },
		  FLAG("follow", false) } },
	[RG_COMMAND_DUMP] = { "dump", "all verdicts and known peers", false, {} },
	[RG_COMMAND_RELOAD] = { "reload", "read configuration and lists again", false,
		{ FLAG("force", false) } },
	[RG_COMMAND_SET] = {
		"set", "change a setting; with --save it outlasts a restart", false,
		{ { "key", "KEY", RG_ARGUMENT_TEXT, RG_FORM_REQUIRED, NULL, false },
		  { "value", "VALUE", RG_ARGUMENT_TEXT, RG_FORM_REQUIRED, NULL, false },
		  FLAG("save", true) } },
	[RG_COMMAND_SETTINGS] = {
		"settings", "all settings: default, bounds, when a change counts", true,
		{ { "key", "KEY", RG_ARGUMENT_TEXT, RG_FORM_OPTIONAL, NULL, true } } },
	[RG_COMMAND_ACTIVATION_CODE] = {
		"activation-code", "another ERS activation code, from standard input", false,
		{ { "code", NULL, RG_ARGUMENT_TEXT, RG_FORM_INPUT, NULL, false },
		  FLAG("force", false) } },
	[RG_COMMAND_MONITOR] = {
		"monitor", "let everything pass, but count and log", false,
		{ { "on", "on|off", RG_ARGUMENT_SWITCH, RG_FORM_REQUIRED, NULL, false } } },
	[RG_COMMAND_TEST_CONFIG] = {
		"test-config", "check a configuration file, but not the local lists", true,
		{ { "file", "FILE", RG_ARGUMENT_TEXT, RG_FORM_OPTIONAL, NULL, true } } },
	[RG_COMMAND_VERSION] = { "version", "versions of the parts", false, {} },
	[RG_COMMAND_HELP] = {
		"help", "what a command does, and its options", true,
		{ { "command", "COMMAND", RG_ARGUMENT_TEXT, RG_FORM_OPTIONAL, NULL, true } } },
};
/* clang-format on */

const struct rg_command_info *rg_protocol_command(enum rg_command command)
{
	return &commands[command];
}

enum rg_command rg_protocol_find(const char *name)
{
	enum rg_command command = 0;

	while (command < RG_COMMANDS && strcmp(commands[command].name, name) != 0)
		command++;
	return command;
}

bool rg_protocol_has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	while (len) {
		if (!strncmp(words, word, len) && (words[len] == '|' || !words[len]))
			return true;
		words = strchr(words, '|');
		if (!words)
			return false;
		words++;
	}
	return false;
}

static const struct rg_argument *find_argument(const struct rg_command_info *info, const char *name)
{
	for (size_t i = 0; i < RG_MAX_ARGUMENTS && info->arguments[i].name; i++)
		if (!info->arguments[i].local && !strcmp(info->arguments[i].name, name))
			return &info->arguments[i];
	return NULL;
}

static int check_value(const struct rg_command_info *info, const struct rg_argument *argument,
		       const json_t *value, struct rg_error *error)
{
	const char *wanted = NULL;

	switch (argument->type) {
	case RG_ARGUMENT_TEXT:
	case RG_ARGUMENT_ADDRESS:
		wanted = json_is_string(value) ? NULL : "a string";
		break;
	case RG_ARGUMENT_WORD:
		if (!json_is_string(value) ||
		    !rg_protocol_has_word(argument->words, json_string_value(value)))
			return rg_fail(error, -EINVAL, "%s: \"%s\" must be one of %s", info->name,
				       argument->name, argument->words);
		break;
	case RG_ARGUMENT_SECONDS:
		if (!json_is_integer(value))
			wanted = "a whole number of seconds";
		else if (json_integer_value(value) < 0 || json_integer_value(value) > RG_MAX_SECONDS)
			wanted = "a time of at most 10 years";
		break;
	case RG_ARGUMENT_SWITCH:
	case RG_ARGUMENT_FLAG:
		wanted = json_is_boolean(value) ? NULL : "true or false";
		break;
	}
	if (wanted)
		return rg_fail(error, -EINVAL, "%s: \"%s\" must be %s", info->name, argument->name,
			       wanted);
	return 0;
}

/* Whether a request must have it. */
static bool is_required(const struct rg_argument *argument)
{
	if (argument->form == RG_FORM_REQUIRED)
		return argument->type == RG_ARGUMENT_WORD || !argument->words;
	return argument->form == RG_FORM_INPUT;
}

static int check_arguments(const struct rg_command_info *info, const json_t *request,
			   struct rg_error *error)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)request, name, value) {
		const struct rg_argument *argument = find_argument(info, name);
		int err;

		if (!strcmp(name, "command"))
			continue;
		if (!argument)
			return rg_fail(error, -EINVAL, "%s has no argument \"%.60s\"", info->name,
				       name);
		err = check_value(info, argument, value, error);
		if (err)
			return err;
	}
	for (size_t i = 0; i < RG_MAX_ARGUMENTS && info->arguments[i].name; i++)
		if (is_required(&info->arguments[i]) &&
		    !json_object_get(request, info->arguments[i].name))
			return rg_fail(error, -EINVAL, "%s: \"%s\" is missing", info->name,
				       info->arguments[i].name);
	return 0;
}

int rg_protocol_check(const json_t *request, enum rg_command *command, struct rg_error *error)
{
	const char *name = json_string_value(json_object_get(request, "command"));

	if (!name)
		return rg_fail(error, -EINVAL, "the request has no command");
	*command = rg_protocol_find(name);
	if (*command == RG_COMMANDS || commands[*command].local)
		return rg_fail(error, -EINVAL, "no such command: %.60s", name);
	return check_arguments(&commands[*command], request, error);
}

void rg_protocol_strip(json_t *request, enum rg_command command)
{
	const struct rg_argument *arguments = commands[command].arguments;

	for (size_t i = 0; i < RG_MAX_ARGUMENTS && arguments[i].name; i++) {
		json_t *value = json_object_get(request, arguments[i].name);
		size_t len = json_string_length(value);
		const char *text;

		if (arguments[i].type != RG_ARGUMENT_ADDRESS || !len)
			continue;
		text = rg_addr_find(json_string_value(value), &len);
		json_object_set_new(request, arguments[i].name, json_stringn(text, len));
	}
}

static void print_argument(FILE *to, const struct rg_argument *argument)
{
	bool word = argument->type == RG_ARGUMENT_WORD;
	const char *all = argument->words ? argument->words : "", *bar = argument->words ? "|" : "";

	if (argument->form == RG_FORM_OPTION)
		fprintf(to, "[--%s%s%s]", argument->name, argument->shown ? " " : "",
			argument->shown ? argument->shown : "");
	else if (argument->form == RG_FORM_REQUIRED)
		fprintf(to, "%s%s%s", all, word ? "" : bar, word ? "" : argument->shown);
	else if (word)
		fprintf(to, "[%s]", argument->words);
	else
		fprintf(to, "[%s%s%s]", all, bar, argument->shown);
}

char *rg_protocol_usage(enum rg_command command)
{
	const struct rg_argument *arguments = commands[command].arguments;
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	for (size_t i = 0, printed = 0; i < RG_MAX_ARGUMENTS && arguments[i].name; i++) {
		if (arguments[i].form == RG_FORM_INPUT)
			continue;
		if (printed++)
			fputc(' ', to);
		print_argument(to, &arguments[i]);
	}
	return fclose(to) ? NULL : text;
}
