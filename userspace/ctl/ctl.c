/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repgatectl: sends the request of the command line to the agent, and prints the answer. */
#include "config/live.h"
#include "ctl/ctl_answer.h"
#include "ctl/ctl_arguments.h"
#include "ctl/ctl_input.h"
#include "ctl/ctl_print.h"
#include "ctl/ctl_settings.h"

#include <sys/socket.h>
#include <sys/un.h>

#ifndef RG_VERSION
#define RG_VERSION "unknown"
#endif

#define EXIT_USAGE 2
#define EXIT_NOT_PASSED 10 /* lookup: the next SYN meets another action than pass */
#define DEFAULT_SOCKET "/run/repgate/control.sock"

struct ctl {
	struct rg_ctl_arguments arguments;
	FILE *stream; /* what the agent says; NULL: not connected */
};

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
	va_list args;

	fputs("repgatectl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_FAILURE;
}

/* ----------------------------------------------------------------- the agent */

static int connect_agent(struct ctl *ctl)
{
	const char *path = ctl->arguments.socket ? ctl->arguments.socket : DEFAULT_SOCKET;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return fail("socket path too long: %s", path);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fail("%s: %s%s", path, strerror(errno),
			    errno == ENOENT || errno == ECONNREFUSED ? " (is repgated running?)" :
								       "");
	ctl->stream = fdopen(fd, "r");
	return ctl->stream ? 0 : fail("%s", strerror(errno));
}

/*
 * Sends the request, not through the stream: one that both reads and writes needs a seek in between (ISO C,
 * 7.21.5.3), which a socket does not have. 0 or -errno. -EPIPE: the agent has closed the connection, and may
 * have said why.
 */
static int send_request(const struct ctl *ctl)
{
	json_t *request = rg_ctl_arguments_request(&ctl->arguments);
	RG_CLEANUP_FREE char *text = json_dumps(request, JSON_COMPACT), *line = NULL;
	int len = text ? asprintf(&line, "%s\n", text) : -1, err = 0;

	json_decref(request);
	if (len < 0) {
		line = NULL;
		return -ENOMEM;
	}
	for (int at = 0; !err && at < len;) {
		ssize_t sent = send(fileno(ctl->stream), line + at, (size_t)(len - at), MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			err = -errno;
		at += sent > 0 ? (int)sent : 0;
	}
	/* It may have an activation code. */
	explicit_bzero(text, strlen(text));
	explicit_bzero(line, (size_t)len);
	return err;
}

/* Sends the request of the command line. The result, a new reference, or NULL with *code set. */
static json_t *ask(struct ctl *ctl, int *code)
{
	json_t *answer, *result;
	int err;

	*code = ctl->stream ? 0 : connect_agent(ctl);
	if (*code)
		return NULL;
	err = send_request(ctl);
	if (err && err != -EPIPE) {
		*code = fail("the request can't be sent to repgated: %s", strerror(-err));
		return NULL;
	}
	answer = rg_ctl_answer_read(ctl->stream);
	if (!answer) {
		*code = fail("no answer from repgated");
		return NULL;
	}
	result = json_object_get(answer, "result");
	if (json_is_true(json_object_get(answer, "ok")) && result)
		json_incref(result);
	else if (ctl->arguments.json)
		*code = (json_dumpf(answer, stdout, JSON_COMPACT), puts(""), EXIT_FAILURE);
	else
		*code = fail("%s", json_string_value(json_object_get(answer, "error")));
	json_decref(answer);
	return *code ? NULL : result;
}

static void print_result(const struct ctl *ctl, const json_t *result)
{
	if (ctl->arguments.json) {
		json_dumpf(result, stdout,
			   JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
		puts("");
	} else {
		rg_ctl_print(stdout, ctl->arguments.command, result);
	}
}

/* --------------------------------------- what follows the answer of a command */

/* Prints events as they come. Returns when the agent has stopped. */
static int follow(struct ctl *ctl)
{
	json_t *line;

	fflush(stdout);
	while ((line = rg_ctl_answer_read(ctl->stream))) {
		const json_t *event = json_object_get(line, "event");

		if (ctl->arguments.json) {
			json_dumpf(event, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
			puts("");
		} else {
			rg_ctl_print_event(stdout, event);
		}
		fflush(stdout);
		json_decref(line);
	}
	return fail("repgated has stopped");
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/*
 * Saves a setting that the agent accepted, beside the configuration of this command line. The agent's answer
 * decides only which zones' saved actions are removed (the zones of a class), and never the path. So a
 * compromised agent can't make root write a file of its choice.
 */
static int save_setting(const struct ctl *ctl, const json_t *result)
{
	const char *given = ctl->arguments.config ? ctl->arguments.config : RG_DEFAULT_CONFIG;
	RG_CLEANUP_FREE char *path = realpath(given, NULL);
	const char *zones[RG_MAX_ZONES];
	struct rg_error error;
	size_t count = 0, i;
	json_t *zone;

	if (!path)
		return fail("set, but not saved: %s: %s; --config names the configuration", given,
			    strerror(errno));
	if (strcmp(path, text_of(result, "config")) != 0)
		return fail("set, but not saved: repgated runs with %s, not with %s; --config names the "
			    "configuration",
			    text_of(result, "config"), path);
	json_array_foreach(json_object_get(result, "zones"), i, zone)
		if (count < RG_MAX_ZONES && json_is_string(zone))
			zones[count++] = json_string_value(zone);
	if (rg_live_save(path, ctl->arguments.values[0], ctl->arguments.values[1], zones, count,
			 &error))
		return fail("set, but not saved: %s", error.text);
	return EXIT_SUCCESS;
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
	print_result(ctl, result);
	if (ctl->arguments.command == RG_COMMAND_LOOKUP &&
	    strcmp(text_of(result, "next_syn"), "pass") != 0)
		code = EXIT_NOT_PASSED;
	json_decref(result);
	return code;
}

/* stats --watch: once a second, until the agent stops. */
static int watch(struct ctl *ctl)
{
	const struct timespec second = { .tv_sec = 1 };
	int code;

	do {
		if (!ctl->arguments.json)
			fputs("\033[H\033[2J", stdout);
		code = run_once(ctl);
		fflush(stdout);
	} while (!code && !nanosleep(&second, NULL));
	return code;
}

/* Checks a configuration without the agent, as repgated --check does, but not the lists. */
static int test_config(const struct ctl *ctl)
{
	const char *path = ctl->arguments.values[0] ? ctl->arguments.values[0] : RG_DEFAULT_CONFIG;
	struct rg_conf *conf = NULL;
	struct rg_error error;
	json_t *result;
	int err = rg_conf_load(&conf, path, &error);

	if (err && !ctl->arguments.json)
		return fail("%s", error.text);
	if (err)
		result = json_pack("{s:b, s:s}", "ok", 0, "error", error.text);
	else
		result = json_pack("{s:b, s:s, s:s}", "ok", 1, "file", path, "warnings",
				   conf->warnings ? conf->warnings : "");
	print_result(ctl, result);
	json_decref(result);
	if (!err)
		rg_conf_unref(conf);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Prints the table of settings without the agent, which has the same. */
static int settings(const struct ctl *ctl)
{
	const char *key = ctl->arguments.values[0];
	json_t *result = rg_ctl_settings(key);

	if (!result)
		return fail("no such setting: %s", rg_secret_quote(key));
	print_result(ctl, result);
	json_decref(result);
	return EXIT_SUCCESS;
}

/* Sends the code, and prints what came of it. */
static int activation_code(struct ctl *ctl)
{
	char secret[RG_SECRET_SIZE];
	int err = rg_ctl_input_code(secret), code;

	if (err)
		return fail("standard input: %s",
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

	if (ctl->arguments.command == RG_COMMAND_ACTIVATION_CODE)
		return activation_code(ctl);
	if (ctl->arguments.command == RG_COMMAND_TEST_CONFIG)
		return test_config(ctl);
	if (ctl->arguments.command == RG_COMMAND_SETTINGS)
		return settings(ctl);
	if (rg_ctl_arguments_has(&ctl->arguments, "watch"))
		return watch(ctl);
	code = run_once(ctl);
	return code || !rg_ctl_arguments_has(&ctl->arguments, "follow") ? code : follow(ctl);
}

int main(int argc, char **argv)
{
	struct ctl ctl = {};
	struct rg_error error;
	int code;

	if (rg_ctl_arguments_parse(&ctl.arguments, argc, argv, &error)) {
		fail("%s", error.text);
		return EXIT_USAGE;
	}
	if (ctl.arguments.help) {
		rg_ctl_arguments_print_usage(stdout);
		return EXIT_SUCCESS;
	}
	if (ctl.arguments.version) {
		puts("repgatectl " RG_VERSION);
		return EXIT_SUCCESS;
	}
	code = run(&ctl);
	if (ctl.stream)
		fclose(ctl.stream);
	return code;
}
