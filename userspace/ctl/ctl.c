/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repgatectl: sends the request of the command line to the agent, and prints the answer. */
#include "config/live.h"
#include "ctl/ctl_answer.h"
#include "ctl/ctl_arguments.h"
#include "ctl/ctl_help.h"
#include "ctl/ctl_input.h"
#include "ctl/ctl_print.h"
#include "ctl/ctl_settings.h"
#include "ctl/ctl_status.h"
#include "ctl/ctl_test.h"

#include <signal.h>

#ifndef RG_VERSION
#define RG_VERSION "unknown"
#endif

#define EXIT_USAGE 2
#define EXIT_NOT_PASSED 10 /* lookup: the next SYN meets another action than pass */
#define DEFAULT_SOCKET "/run/repgate/control.sock"
#define LINE_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15)) /* JSON that is one line of several */

struct ctl {
	struct rg_ctl_arguments arguments;
	struct rg_ctl_reader agent; /* fd -1: not connected */
	bool asked_before; /* the agent has answered: if it does not now, it has stopped */
};

/* ------------------------------------------------------------------- results */

static void print_json(const json_t *value, size_t flags)
{
	json_dumpf(value, stdout, flags);
	putchar('\n');
}

/* Every error: as text on standard error, or with --json on standard output. Returns EXIT_FAILURE. */
__attribute__((format(printf, 2, 3))) static int fail(const struct ctl *ctl, const char *format, ...)
{
	char text[1024];
	va_list args;
	json_t *json;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!ctl->arguments.json) {
		fprintf(stderr, "repgatectl: %s\n", text);
		return EXIT_FAILURE;
	}
	json = json_pack("{s:b, s:s%}", "ok", 0, "error", text, strlen(text));
	if (!json) /* not UTF-8 */
		json = json_pack("{s:b, s:s}", "ok", 0, "error", "the reason is not valid text");
	print_json(json, JSON_COMPACT);
	json_decref(json);
	return EXIT_FAILURE;
}

static void print_result(const struct ctl *ctl, const json_t *result)
{
	bool repeats = rg_ctl_arguments_has(&ctl->arguments, "watch");

	if (ctl->arguments.json)
		print_json(result,
			   repeats ? LINE_FLAGS :
				     JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	else
		rg_ctl_print(stdout, ctl->arguments.command, result);
}

/* ----------------------------------------------------------------- the agent */

static int fail_without_answer(const struct ctl *ctl)
{
	return ctl->asked_before ? fail(ctl, "repgated has stopped") :
				   fail(ctl, "repgated closed the connection without an answer");
}

/* Sends the request of the command line. The result, a new reference, or NULL with *code set. */
static json_t *ask(struct ctl *ctl, int *code)
{
	const char *path = ctl->arguments.socket ? ctl->arguments.socket : DEFAULT_SOCKET;
	json_t *request, *answer, *result;
	struct rg_error error;
	int err;

	*code = 0;
	if (ctl->agent.fd < 0)
		ctl->agent.fd = rg_ctl_answer_connect(path, &error);
	if (ctl->agent.fd < 0) {
		*code = fail(ctl, "%s", error.text);
		return NULL;
	}
	request = rg_ctl_arguments_request(&ctl->arguments);
	err = rg_ctl_answer_send(ctl->agent.fd, request);
	json_decref(request);
	if (err && err != -EPIPE && err != -ECONNRESET) { /* it may have said why */
		*code = fail(ctl, "the request can't be sent to repgated: %s", strerror(-err));
		return NULL;
	}
	answer = rg_ctl_answer_read(&ctl->agent);
	if (!answer) {
		*code = fail_without_answer(ctl);
		return NULL;
	}
	ctl->asked_before = true;
	result = json_object_get(answer, "result");
	if (json_is_true(json_object_get(answer, "ok")) && result) {
		json_incref(result);
	} else {
		const char *text = json_string_value(json_object_get(answer, "error"));

		*code = fail(ctl, "%s", text ? text : "repgated gives no reason");
	}
	json_decref(answer);
	return *code ? NULL : result;
}

/* --------------------------------------- what follows the answer of a command */

/* Prints events as they come. Returns when the agent has stopped, or nobody reads the output any more. */
static int follow(struct ctl *ctl)
{
	json_t *line;

	fflush(stdout);
	ctl->agent.watch_output = true;
	while ((line = rg_ctl_answer_read(&ctl->agent))) {
		const json_t *event = json_object_get(line, "event");

		if (ctl->arguments.json)
			print_json(event, LINE_FLAGS);
		else
			rg_ctl_print_event(stdout, event);
		json_decref(line);
		if (fflush(stdout))
			return EXIT_FAILURE; /* main() says why */
	}
	if (ctl->agent.output_gone)
		raise(SIGPIPE); /* as the next line would */
	return fail(ctl, "repgated has stopped");
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/*
 * Saves a setting that the agent accepted, beside the configuration of this command line. The agent's answer
 * decides only which zones' saved actions are removed (the zones of a class), and never the path. So a
 * compromised agent can't make root write a file of its choice. Adds the path to the result.
 */
static int save_setting(const struct ctl *ctl, json_t *result)
{
	const char *given = ctl->arguments.config ? ctl->arguments.config : RG_DEFAULT_CONFIG;
	RG_CLEANUP_FREE char *path = realpath(given, NULL), *saved = NULL;
	const char *zones[RG_MAX_ZONES];
	struct rg_error error;
	size_t count = 0, i;
	json_t *zone;

	if (!path)
		return fail(ctl, "set, but not saved: %s: %s; --config names the configuration",
			    given, strerror(errno));
	if (strcmp(path, text_of(result, "config")) != 0)
		return fail(ctl,
			    "set, but not saved: repgated runs with %s, not with %s; --config names the "
			    "configuration",
			    text_of(result, "config"), path);
	json_array_foreach(json_object_get(result, "zones"), i, zone)
		if (count < RG_MAX_ZONES && json_is_string(zone))
			zones[count++] = json_string_value(zone);
	if (rg_live_save(path, ctl->arguments.values[0], ctl->arguments.values[1], zones, count,
			 &error))
		return fail(ctl, "set, but not saved: %s", error.text);
	saved = rg_live_saved_path(path);
	if (saved)
		json_object_set_new(result, "saved", json_string(saved));
	return EXIT_SUCCESS;
}

/* status --check: only what is wrong. */
static int print_problems(const struct ctl *ctl, const json_t *status)
{
	json_t *problems = rg_ctl_status_problems(status);
	size_t count = json_array_size(problems);

	if (ctl->arguments.json) {
		json_t *json = json_pack("{s:b, s:O}", "ok", count == 0, "problems", problems);

		print_json(json, JSON_INDENT(2));
		json_decref(json);
	} else {
		rg_ctl_status_print_problems(stdout, problems);
	}
	json_decref(problems);
	return count ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Asks the agent, and prints the result. Returns the exit code. */
static int run_once(struct ctl *ctl)
{
	int code;
	json_t *result = ask(ctl, &code);

	if (!result)
		return code;
	if (rg_ctl_arguments_has(&ctl->arguments, "save"))
		code = save_setting(ctl, result);
	if (rg_ctl_arguments_has(&ctl->arguments, "check"))
		code = print_problems(ctl, result);
	else if (!code || !ctl->arguments.json) /* one JSON value: the error, if there is one */
		print_result(ctl, result);
	if (ctl->arguments.command == RG_COMMAND_LOOKUP &&
	    strcmp(text_of(result, "next_syn"), "pass") != 0)
		code = EXIT_NOT_PASSED;
	json_decref(result);
	return code;
}

/* Above each round of stats --watch: on a terminal a clear screen, else an empty line after the round before. */
static void begin_round(bool first)
{
	time_t now = time(NULL);
	char text[32] = "";
	struct tm tm;

	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	else if (!first)
		putchar('\n');
	if (localtime_r(&now, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	puts(text);
}

/* stats --watch: once a second, until the agent stops, or nobody reads the output any more. */
static int watch(struct ctl *ctl)
{
	const struct timespec second = { .tv_sec = 1 };
	bool first = true;
	int code;

	do {
		if (!ctl->arguments.json)
			begin_round(first);
		first = false;
		code = run_once(ctl);
		if (fflush(stdout))
			return EXIT_FAILURE; /* main() says why */
	} while (!code && !nanosleep(&second, NULL));
	return code;
}

/* ---------------------------------------------------------- without the agent */

/* Checks a configuration as repgated --check does, but not the lists. */
static int test_config(const struct ctl *ctl)
{
	const char *path = ctl->arguments.values[0] ? ctl->arguments.values[0] :
			   ctl->arguments.config    ? ctl->arguments.config :
						      RG_DEFAULT_CONFIG;
	struct rg_error error;
	json_t *result = rg_ctl_test(path, ctl->arguments.socket, &error);

	if (!result)
		return fail(ctl, "%s", error.text);
	print_result(ctl, result);
	json_decref(result);
	return EXIT_SUCCESS;
}

/* Prints the table of settings; the agent has the same. */
static int settings(const struct ctl *ctl)
{
	const char *key = ctl->arguments.values[0];
	struct rg_error error;
	json_t *result = rg_ctl_settings(key, &error);

	if (!result)
		return fail(ctl, "%s", error.text);
	print_result(ctl, result);
	json_decref(result);
	return EXIT_SUCCESS;
}

static int help(const struct ctl *ctl)
{
	const char *about = ctl->arguments.values[0];
	enum rg_command command = about ? rg_protocol_find(about) : RG_COMMANDS;
	json_t *json;

	if (!ctl->arguments.json) {
		rg_ctl_help_print(stdout, command);
		return EXIT_SUCCESS;
	}
	json = rg_ctl_help(command);
	print_json(json, JSON_INDENT(2));
	json_decref(json);
	return EXIT_SUCCESS;
}

/* Of repgatectl alone: `repgatectl version` asks the agent, too. */
static int version(const struct ctl *ctl)
{
	puts(ctl->arguments.json ? "{\"version\": \"" RG_VERSION "\"}" : "repgatectl " RG_VERSION);
	return EXIT_SUCCESS;
}

/* Sends the code, and prints what came of it. */
static int activation_code(struct ctl *ctl)
{
	char secret[RG_SECRET_SIZE];
	int err = rg_ctl_input_code(secret), code;

	if (err)
		return fail(ctl, "standard input: %s",
			    err == -EINVAL ? "not an activation code (" RG_SECRET_FORM ")" :
					     strerror(-err));
	ctl->arguments.values[0] = secret;
	code = run_once(ctl);
	explicit_bzero(secret, sizeof(secret));
	ctl->arguments.values[0] = NULL;
	return code;
}

static int run(struct ctl *ctl)
{
	int code;

	switch (ctl->arguments.command) {
	case RG_COMMAND_ACTIVATION_CODE:
		return activation_code(ctl);
	case RG_COMMAND_TEST_CONFIG:
		return test_config(ctl);
	case RG_COMMAND_SETTINGS:
		return settings(ctl);
	case RG_COMMAND_HELP:
		return help(ctl);
	case RG_COMMAND_VERSION:
		code = run_once(ctl);
		return code && !ctl->arguments.json ? (version(ctl), code) : code;
	default:
		break;
	}
	if (rg_ctl_arguments_has(&ctl->arguments, "watch"))
		return watch(ctl);
	code = run_once(ctl);
	return code || !rg_ctl_arguments_has(&ctl->arguments, "follow") ? code : follow(ctl);
}

/* What was printed has been written, or the reason why not is told. */
static int end_output(const struct ctl *ctl, int code)
{
	if (!ferror(stdout) && !fflush(stdout))
		return code;
	if (errno != EPIPE && !ctl->arguments.json)
		(void)fail(ctl, "standard output: %s", strerror(errno));
	return code ? code : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .agent.fd = -1 };
	struct rg_error error;
	int code;

	/* Whoever started this may ignore it: then `repgatectl events --follow | head` would never end. */
	signal(SIGPIPE, SIG_DFL);
	if (rg_ctl_arguments_parse(&ctl.arguments, argc, argv, &error)) {
		(void)fail(&ctl, "%s", error.text);
		code = EXIT_USAGE;
	} else if (ctl.arguments.version) {
		code = version(&ctl);
	} else {
		code = run(&ctl);
	}
	rg_ctl_answer_close(&ctl.agent);
	return end_output(&ctl, code);
}
