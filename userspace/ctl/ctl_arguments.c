/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_arguments.h"

#include "base/nearest.h"
#include "config/config.h"
#include "config/secret.h"

/* ------------------------------------------------------------------- options */

/* The program's own options, for every command. */
enum program_option { SOCKET, CONFIG, JSON, HELP, VERSION, PROGRAM_OPTIONS };

static const struct {
	const char *name;
	char letter; /* 0: it has none */
	bool has_value;
} program_options[PROGRAM_OPTIONS] = {
	[SOCKET] = { "socket", 0, true },      [CONFIG] = { "config", 0, true },
	[JSON] = { "json", 0, false },	       [HELP] = { "help", 'h', false },
	[VERSION] = { "version", 'V', false },
};

/* An option of a command, as given. */
struct given {
	const char *name, *value;
};

/* The command line while it is read. */
struct line {
	struct rg_ctl_arguments *arguments;
	char **words; /* of argv: those that are no option and no option's value */
	int word_count;
	struct given *given; /* options of commands */
	int given_count;
	bool help;
};

/* An option of any command with this name, or NULL. */
static const struct rg_argument *find_option(const char *name, size_t len)
{
	for (enum rg_command command = 0; command < RG_COMMANDS; command++) {
		const struct rg_argument *argument = rg_protocol_command(command)->arguments;

		for (size_t i = 0; i < RG_MAX_ARGUMENTS && argument[i].name; i++)
			if (argument[i].form == RG_FORM_OPTION && strlen(argument[i].name) == len &&
			    !strncmp(argument[i].name, name, len))
				return &argument[i];
	}
	return NULL;
}

/* text: "--name", "--name=value" or "-n". PROGRAM_OPTIONS: it is none of the program's. */
static enum program_option find_program_option(const char *text, size_t len)
{
	enum program_option option = 0;

	for (; option < PROGRAM_OPTIONS; option++) {
		const char *name = program_options[option].name;

		if (len == 2 && text[1] == program_options[option].letter)
			break;
		if (len == strlen(name) + 2 && text[1] == '-' && !strncmp(text + 2, name, len - 2))
			break;
	}
	return option;
}

static int refuse_option(const char *text, size_t len, struct rg_error *error)
{
	char name[64], hint[RG_NEAREST_TEXT];
	struct rg_nearest nearest = { .word = name };

	snprintf(name, sizeof(name), "%.*s", (int)(len < 2 ? 0 : len - 2), text + (len < 2 ? 0 : 2));
	for (enum program_option option = 0; option < PROGRAM_OPTIONS; option++)
		rg_nearest_try(&nearest, program_options[option].name);
	for (enum rg_command command = 0; command < RG_COMMANDS; command++) {
		const struct rg_argument *argument = rg_protocol_command(command)->arguments;

		for (size_t i = 0; i < RG_MAX_ARGUMENTS && argument[i].name; i++)
			if (argument[i].form == RG_FORM_OPTION)
				rg_nearest_try(&nearest, argument[i].name);
	}
	if (nearest.best)
		snprintf(hint, sizeof(hint), "; did you mean --%s?", nearest.best);
	else
		snprintf(hint, sizeof(hint), "; see repgatectl help");
	return rg_fail(error, -EINVAL, "no such option: %s%s", rg_secret_quote(text), hint);
}

static void set_program_option(struct line *line, enum program_option option, const char *value)
{
	switch (option) {
	case SOCKET:
		line->arguments->socket = value;
		break;
	case CONFIG:
		line->arguments->config = value;
		break;
	case HELP:
		line->help = true;
		break;
	case VERSION:
		line->arguments->version = true;
		break;
	default: /* --json was found before */
		break;
	}
}

/* argv[*at] is an option. Steps over its value, if it has one. */
static int read_option(struct line *line, char **argv, int *at, struct rg_error *error)
{
	const char *text = argv[*at], *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : strlen(text);
	enum program_option own = find_program_option(text, len);
	const struct rg_argument *argument = own == PROGRAM_OPTIONS && len > 2 && text[1] == '-' ?
						     find_option(text + 2, len - 2) :
						     NULL;
	bool has_value;

	if (own == PROGRAM_OPTIONS && !argument)
		return refuse_option(text, len, error);
	has_value = argument ? argument->type != RG_ARGUMENT_FLAG : program_options[own].has_value;
	if (equals && !has_value)
		return rg_fail(error, -EINVAL, "%.*s takes no value", (int)len, text);
	if (has_value && !equals && !argv[*at + 1])
		return rg_fail(error, -EINVAL, "%s needs a value", text);
	if (has_value)
		text = equals ? equals + 1 : argv[++*at];
	else
		text = "";
	if (argument)
		line->given[line->given_count++] = (struct given){ argument->name, text };
	else
		set_program_option(line, own, text);
	return 0;
}

/* Sorts the command line into options and words. -- ends the options. */
static int read_line(struct line *line, int argc, char **argv, struct rg_error *error)
{
	bool options = true;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json"))
			line->arguments->json = true;
		else if (!strcmp(argv[i], "--"))
			break;
	for (int i = 1; i < argc; i++) {
		int err = 0;

		if (options && !strcmp(argv[i], "--"))
			options = false;
		else if (options && argv[i][0] == '-' && argv[i][1])
			err = read_option(line, argv, &i, error);
		else
			line->words[line->word_count++] = argv[i];
		if (err)
			return err;
	}
	return 0;
}

/* ----------------------------------------------------------------- arguments */

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
static int take_options(struct rg_ctl_arguments *ret, const struct line *line, struct rg_error *error)
{
	const struct rg_command_info *info = rg_protocol_command(ret->command);

	for (int k = 0; k < line->given_count; k++) {
		const struct given *given = &line->given[k];
		size_t i = 0;

		while (i < RG_MAX_ARGUMENTS && info->arguments[i].name &&
		       (info->arguments[i].form != RG_FORM_OPTION ||
			strcmp(info->arguments[i].name, given->name) != 0))
			i++;
		if (i == RG_MAX_ARGUMENTS || !info->arguments[i].name)
			return rg_fail(error, -EINVAL, "%s has no option --%s", info->name,
				       given->name);
		ret->values[i] = given->value;
	}
	if (ret->config && ret->command != RG_COMMAND_TEST_CONFIG &&
	    !rg_ctl_arguments_has(ret, "save"))
		return rg_fail(error, -EINVAL,
			       "%s has no option --config: it is for set --save and "
			       "test-config",
			       info->name);
	return 0;
}

static int refuse_missing(const struct rg_command_info *info, const struct rg_argument *argument,
			  struct rg_error *error)
{
	const char *shown = argument->type == RG_ARGUMENT_WORD ? argument->words : argument->shown;

	if (argument->type != RG_ARGUMENT_WORD && argument->words)
		return rg_fail(error, -EINVAL, "%s: %s is missing; for all of them: repgatectl %s %s",
			       info->name, shown, info->name, argument->words);
	return rg_fail(error, -EINVAL, "%s: %s is missing; see repgatectl help %s", info->name,
		       shown, info->name);
}

static int take_words(struct rg_ctl_arguments *ret, char **words, int count, struct rg_error *error)
{
	const struct rg_command_info *info = rg_protocol_command(ret->command);
	const struct rg_argument *arguments = info->arguments;
	int used = 0;

	for (size_t i = 0; i < RG_MAX_ARGUMENTS && arguments[i].name; i++) {
		if (arguments[i].form == RG_FORM_OPTION || arguments[i].form == RG_FORM_INPUT)
			continue;
		if (used < count)
			ret->values[i] = words[used++];
		else if (arguments[i].form == RG_FORM_REQUIRED)
			return refuse_missing(info, &arguments[i], error);
	}
	if (used == count)
		return 0;
	return rg_fail(error, -EINVAL, "%s: \"%s\" is one argument too many; see repgatectl help %s",
		       info->name, rg_secret_quote(words[used]), info->name);
}

static int find_command(const char *name, enum rg_command *command, struct rg_error *error)
{
	struct rg_nearest nearest = { .word = name };
	char hint[RG_NEAREST_TEXT];

	*command = rg_protocol_find(name);
	if (*command < RG_COMMANDS)
		return 0;
	for (enum rg_command known = 0; known < RG_COMMANDS; known++)
		rg_nearest_try(&nearest, rg_protocol_command(known)->name);
	return rg_fail(error, -EINVAL, "no such command: %s%s", rg_secret_quote(name),
		       nearest.best ? rg_nearest_hint(&nearest, hint) : "; see repgatectl help");
}

/* --help, alone or with a command. */
static int take_help(struct rg_ctl_arguments *ret, const struct line *line, struct rg_error *error)
{
	enum rg_command about;

	ret->command = RG_COMMAND_HELP;
	ret->values[0] = line->word_count ? line->words[0] : NULL;
	if (line->word_count > 1 && !strcmp(line->words[0], "help"))
		ret->values[0] = line->words[1];
	return ret->values[0] ? find_command(ret->values[0], &about, error) : 0;
}

static int take_line(struct rg_ctl_arguments *ret, const struct line *line, struct rg_error *error)
{
	const struct rg_command_info *info;
	enum rg_command about;
	int err;

	if (ret->version)
		return 0;
	if (line->help)
		return take_help(ret, line, error);
	if (!line->word_count)
		return rg_fail(error, -EINVAL, "a command is missing; see repgatectl help");
	err = find_command(line->words[0], &ret->command, error);
	if (err)
		return err;
	info = rg_protocol_command(ret->command);
	err = take_options(ret, line, error);
	if (!err)
		err = take_words(ret, line->words + 1, line->word_count - 1, error);
	for (size_t i = 0; !err && i < RG_MAX_ARGUMENTS; i++)
		if (ret->values[i])
			err = check_value(info, &info->arguments[i], ret->values[i], error);
	if (!err && ret->command == RG_COMMAND_HELP && ret->values[0])
		err = find_command(ret->values[0], &about, error);
	return err;
}

int rg_ctl_arguments_parse(struct rg_ctl_arguments *ret, int argc, char **argv, struct rg_error *error)
{
	size_t room = (size_t)argc + 1;
	RG_CLEANUP_FREE char **words = calloc(room, sizeof(*words));
	RG_CLEANUP_FREE struct given *given = calloc(room, sizeof(*given));
	struct line line = { .arguments = ret, .words = words, .given = given };
	int err;

	*ret = (struct rg_ctl_arguments){ .command = RG_COMMANDS };
	if (!words || !given)
		return rg_fail(error, -ENOMEM, "out of memory");
	err = read_line(&line, argc, argv, error);
	return err ? err : take_line(ret, &line, error);
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
