/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_arguments.h"

#include "config/config.h"
#include "config/secret.h"

#include <getopt.h>

/* The program's own options, then those of all commands, then the end of the list. */
#define MAX_OPTIONS 16

enum {
	OPTION_SOCKET = 256,
	OPTION_CONFIG,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_OF_COMMAND
};

/* An option of a command, as given. */
struct given {
	const char *name, *value;
};

static bool has_option(const struct option *options, const char *name)
{
	for (; options->name; options++)
		if (!strcmp(options->name, name))
			return true;
	return false;
}

/* Adds the options of all commands; each name once. */
static void add_command_options(struct option options[MAX_OPTIONS], size_t count)
{
	for (enum rg_command command = 0; command < RG_COMMANDS; command++) {
		const struct rg_argument *argument = rg_protocol_command(command)->arguments;

		for (size_t i = 0; i < RG_MAX_ARGUMENTS && argument[i].name; i++)
			if (argument[i].form == RG_FORM_OPTION && count < MAX_OPTIONS - 1 &&
			    !has_option(options, argument[i].name))
				options[count++] =
					(struct option){ argument[i].name,
							 argument[i].type == RG_ARGUMENT_FLAG ?
								 no_argument :
								 required_argument,
							 NULL, OPTION_OF_COMMAND };
	}
}

/* Reads the options; those of commands go to given. Returns how many of these, or -EINVAL. */
static int read_options(struct rg_ctl_arguments *ret, int argc, char **argv,
			struct given given[MAX_OPTIONS], struct rg_error *error)
{
	struct option options[MAX_OPTIONS] = { { "socket", required_argument, NULL, OPTION_SOCKET },
					       { "config", required_argument, NULL, OPTION_CONFIG },
					       { "json", no_argument, NULL, OPTION_JSON },
					       { "help", no_argument, NULL, OPTION_HELP },
					       { "version", no_argument, NULL, OPTION_VERSION } };
	int option, index = 0, count = 0;

	add_command_options(options, OPTION_VERSION - OPTION_SOCKET + 1);
	optind = 0; /* start over: a process may read several command lines */
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", options, &index)) >= 0) {
		switch (option) {
		case OPTION_SOCKET:
			ret->socket = optarg;
			break;
		case OPTION_CONFIG:
			ret->config = optarg;
			break;
		case OPTION_JSON:
			ret->json = true;
			break;
		case OPTION_HELP:
			ret->help = true;
			break;
		case OPTION_VERSION:
			ret->version = true;
			break;
		case OPTION_OF_COMMAND:
			if (count < MAX_OPTIONS)
				given[count++] =
					(struct given){ options[index].name, optarg ? optarg : "" };
			break;
		case ':':
			return rg_fail(error, -EINVAL, "%s wants a value", argv[optind - 1]);
		default:
			return rg_fail(error, -EINVAL, "no such option: %s",
				       rg_secret_quote(argv[optind - 1]));
		}
	}
	return count;
}

static int check_value(const struct rg_command_info *info, const struct rg_argument *argument,
		       const char *value, struct rg_error *error)
{
	const char *words = argument->type == RG_ARGUMENT_SWITCH ? argument->shown : argument->words;
	uint64_t ms;

	switch (argument->type) {
	case RG_ARGUMENT_WORD:
	case RG_ARGUMENT_SWITCH:
		if (!rg_protocol_has_word(words, value))
			return rg_fail(error, -EINVAL, "%s: \"%s\" is none of %s", info->name,
				       rg_secret_quote(value), words);
		return 0;
	case RG_ARGUMENT_SECONDS:
		if (rg_value_parse_time(value, &ms) || ms < 1000)
			return rg_fail(error, -EINVAL,
				       "--%s: \"%s\" is no time; write a whole number and s, m, h or d",
				       argument->name, rg_secret_quote(value));
		return 0;
	default:
		return 0;
	}
}

/* Sets the values of the options that were given. */
static int read_given(struct rg_ctl_arguments *ret, const struct given *given, int count,
		      struct rg_error *error)
{
	const struct rg_command_info *info = rg_protocol_command(ret->command);

	for (int k = 0; k < count; k++) {
		size_t i = 0;

		while (i < RG_MAX_ARGUMENTS && info->arguments[i].name &&
		       (info->arguments[i].form != RG_FORM_OPTION ||
			strcmp(info->arguments[i].name, given[k].name) != 0))
			i++;
		if (i == RG_MAX_ARGUMENTS || !info->arguments[i].name)
			return rg_fail(error, -EINVAL, "%s has no option --%s", info->name,
				       given[k].name);
		ret->values[i] = given[k].value;
	}
	return 0;
}

static int fail_usage(enum rg_command command, struct rg_error *error)
{
	RG_CLEANUP_FREE char *usage = rg_protocol_usage(command);

	return rg_fail(error, -EINVAL, "wrong number of arguments; usage: repgatectl %s%s%s",
		       rg_protocol_command(command)->name, usage && *usage ? " " : "",
		       usage ? usage : "");
}

static int read_positional(struct rg_ctl_arguments *ret, char **words, int count,
			   struct rg_error *error)
{
	const struct rg_argument *arguments = rg_protocol_command(ret->command)->arguments;
	int used = 0;

	for (size_t i = 0; i < RG_MAX_ARGUMENTS && arguments[i].name; i++) {
		if (arguments[i].form == RG_FORM_OPTION || arguments[i].form == RG_FORM_INPUT)
			continue;
		if (used < count)
			ret->values[i] = words[used++];
		else if (arguments[i].form == RG_FORM_REQUIRED)
			return fail_usage(ret->command, error);
	}
	return used == count ? 0 : fail_usage(ret->command, error);
}

int rg_ctl_arguments_parse(struct rg_ctl_arguments *ret, int argc, char **argv, struct rg_error *error)
{
	struct given given[MAX_OPTIONS];
	const struct rg_command_info *info;
	int count, err;

	*ret = (struct rg_ctl_arguments){ .command = RG_COMMANDS };
	count = read_options(ret, argc, argv, given, error);
	if (count < 0 || ret->help || ret->version)
		return count < 0 ? count : 0;
	if (optind == argc)
		return rg_fail(error, -EINVAL, "a command is missing; see repgatectl --help");
	ret->command = rg_protocol_find(argv[optind]);
	if (ret->command == RG_COMMANDS)
		return rg_fail(error, -EINVAL, "no such command: %s; see repgatectl --help",
			       rg_secret_quote(argv[optind]));
	err = read_given(ret, given, count, error);
	if (!err)
		err = read_positional(ret, argv + optind + 1, argc - optind - 1, error);
	info = rg_protocol_command(ret->command);
	for (size_t i = 0; !err && i < RG_MAX_ARGUMENTS; i++)
		if (ret->values[i])
			err = check_value(info, &info->arguments[i], ret->values[i], error);
	return err;
}

bool rg_ctl_arguments_has(const struct rg_ctl_arguments *arguments, const char *name)
{
	const struct rg_command_info *info = rg_protocol_command(arguments->command);

	for (size_t i = 0; i < RG_MAX_ARGUMENTS && info->arguments[i].name; i++)
		if (!strcmp(info->arguments[i].name, name))
			return arguments->values[i] != NULL;
	return false;
}

/* A value of the request; NULL: the argument is left out. */
static json_t *request_value(const struct rg_argument *argument, const char *value)
{
	uint64_t ms = 0;

	switch (argument->type) {
	case RG_ARGUMENT_SECONDS:
		(void)rg_value_parse_time(value, &ms); /* checked */
		return json_integer((json_int_t)(ms / 1000));
	case RG_ARGUMENT_SWITCH:
		return json_boolean(!strcmp(value, "on"));
	case RG_ARGUMENT_FLAG:
		return json_true();
	case RG_ARGUMENT_TEXT:
	case RG_ARGUMENT_ADDRESS:
		if (argument->words && rg_protocol_has_word(argument->words, value))
			return NULL;
		return json_string(value);
	default:
		return json_string(value);
	}
}

json_t *rg_ctl_arguments_request(const struct rg_ctl_arguments *arguments)
{
	const struct rg_command_info *info = rg_protocol_command(arguments->command);
	json_t *request = json_pack("{s:s}", "command", info->name);

	for (size_t i = 0; i < RG_MAX_ARGUMENTS && info->arguments[i].name; i++) {
		json_t *value = NULL;

		if (arguments->values[i] && !info->arguments[i].local)
			value = request_value(&info->arguments[i], arguments->values[i]);
		if (value)
			json_object_set_new(request, info->arguments[i].name, value);
	}
	return request;
}

void rg_ctl_arguments_print_usage(FILE *to)
{
	fputs("Usage: repgatectl [--socket PATH] [--config FILE] [--json] COMMAND [ARGUMENTS]\n\n",
	      to);
	for (enum rg_command command = 0; command < RG_COMMANDS; command++) {
		RG_CLEANUP_FREE char *usage = rg_protocol_usage(command);
		const struct rg_command_info *info = rg_protocol_command(command);

		fprintf(to, "  %-15s %-50s %s\n", info->name, usage ? usage : "", info->help);
	}
	fputs("\n"
	      "  --socket PATH  control socket, default /run/repgate/control.sock\n"
	      "  --config FILE  configuration that set --save writes beside, default " RG_DEFAULT_CONFIG
	      "\n"
	      "  --json         print JSON (docs/json.md)\n"
	      "  --version      print the version\n"
	      "  --help         print this\n\n"
	      "Exit code: 0 done, 1 refused or failed, 2 wrong usage;\n"
	      "lookup: 0 the next SYN passes, 10 it meets another action.\n",
	      to);
}
