/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repgatectl's command lines as rows: the request that each becomes, or why it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/ctl_arguments.h"
#include "ctl/ctl_help.h"

#define MAX_WORDS 12

static int parse(const char *line, struct rg_ctl_arguments *arguments, struct rg_error *error)
{
	static char copy[200], *argv[MAX_WORDS];
	int argc = 0;

	snprintf(copy, sizeof(copy), "repgatectl %s", line);
	for (char *word = strtok(copy, " "); word && argc < MAX_WORDS - 1; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return rg_ctl_arguments_parse(arguments, argc, argv, error);
}

static void test_requests(void **state)
{
	static const struct {
		const char *line, *request;
	} rows[] = {
		{ "status", "{'command':'status'}" },
		{ "--json status", "{'command':'status'}" },
		{ "status --json --socket /x", "{'command':'status'}" },
		{ "lookup 192.0.2.1", "{'command':'lookup','address':'192.0.2.1'}" },
		{ "lookup --store 192.0.2.1",
		  "{'command':'lookup','address':'192.0.2.1','store':true}" },
		{ "lookup 192.0.2.1 --store",
		  "{'command':'lookup','address':'192.0.2.1','store':true}" },
		{ "stats --watch", "{'command':'stats'}" },
		{ "report week", "{'command':'report','period':'week'}" },
		{ "list", "{'command':'list'}" },
		{ "list blocked", "{'command':'list','class':'blocked'}" },
		{ "approve DE --for 7d --comment x",
		  "{'command':'approve','entry':'DE','for':604800,'comment':'x'}" },
		{ "block 192.0.2.0/24", "{'command':'block','entry':'192.0.2.0/24'}" },
		{ "unlist 192.0.2.1", "{'command':'unlist','entry':'192.0.2.1'}" },
		{ "flush all", "{'command':'flush'}" },
		{ "flush one", "{'command':'flush','what':'one'}" },
		{ "events --follow", "{'command':'events','follow':true}" },
		{ "set mode monitor --save", "{'command':'set','key':'mode','value':'monitor'}" },
		{ "monitor on", "{'command':'monitor','on':true}" },
		{ "monitor off", "{'command':'monitor','on':false}" },
		{ "test-config /x", "{'command':'test-config'}" },
		{ "status --check", "{'command':'status'}" },
		{ "block 192.0.2.1 --for=7d --comment=a=b",
		  "{'command':'block','entry':'192.0.2.1','for':604800,'comment':'a=b'}" },
		{ "block --comment --for 192.0.2.1 --for 1m",
		  "{'command':'block','entry':'192.0.2.1','for':60,'comment':'--for'}" },
		{ "flush -- all", "{'command':'flush'}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_ctl_arguments arguments;
		struct rg_error error = {};
		json_t *request, *want;
		enum rg_command command;
		char text[200];

		if (parse(rows[i].line, &arguments, &error))
			fail_msg("%s: %s", rows[i].line, error.text);
		request = rg_ctl_arguments_request(&arguments);
		snprintf(text, sizeof(text), "%s", rows[i].request);
		for (char *at = text; *at; at++)
			*at = *at == '\'' ? '"' : *at;
		want = json_loads(text, 0, NULL);
		assert_non_null(want);
		if (!json_equal(request, want))
			fail_msg("%s: %s", rows[i].line, json_dumps(request, 0));
		/* The agent accepts what repgatectl sends. */
		if (!rg_protocol_command(arguments.command)->local)
			assert_int_equal(rg_protocol_check(request, &command, &error), 0);
		json_decref(request);
		json_decref(want);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *line, *why;
	} rows[] = {
		{ "", "a command is missing; see repgatectl help" },
		{ "--json", "a command is missing; see repgatectl help" },
		{ "x", "no such command: x; see repgatectl help" },
		{ "staus", "no such command: staus; did you mean status?" },
		{ "LOOKUP 1", "no such command: LOOKUP; did you mean lookup?" },
		{ "unblock 1", "no such command: unblock; did you mean block?" },
		{ "status x", "status: \"x\" is one argument too many; see repgatectl help status" },
		{ "lookup", "lookup: IP is missing; see repgatectl help lookup" },
		{ "lookup 1 2", "lookup: \"2\" is one argument too many; see repgatectl help lookup" },
		{ "approve", "approve: IP|RANGE|PREFIX|CC is missing; see repgatectl help approve" },
		{ "report", "report: day|week|month is missing; see repgatectl help report" },
		{ "monitor", "monitor: on|off is missing; see repgatectl help monitor" },
		{ "set", "set: KEY is missing; see repgatectl help set" },
		{ "set mode", "set: VALUE is missing; see repgatectl help set" },
		{ "flush", "flush: IP|PREFIX|ZONE is missing; for all of them: repgatectl flush all" },
		{ "status --follow", "status has no option --follow" },
		{ "events --save", "events has no option --save" },
		{ "monitor off --save", "monitor has no option --save" },
		{ "reload --for 1d", "reload has no option --for" },
		{ "status --config /c",
		  "status has no option --config: it is for set --save and test-config" },
		{ "set mode monitor --config /c",
		  "set has no option --config: it is for set --save and test-config" },
		{ "--nonsense status", "no such option: --nonsense; see repgatectl help" },
		{ "stats --wach", "no such option: --wach; did you mean --watch?" },
		{ "set mode monitor --sav", "no such option: --sav; did you mean --save?" },
		{ "-x status", "no such option: -x; see repgatectl help" },
		{ "status --socket", "--socket needs a value" },
		{ "status --json=yes", "--json takes no value" },
		{ "report year", "report: \"year\" is none of day|week|month" },
		{ "list x", "list: \"x\" is none of approved|blocked" },
		{ "monitor maybe", "monitor: \"maybe\" is none of on|off" },
		{ "block 192.0.2.1 --for x",
		  "--for: \"x\" is no time; write a whole number and s, m, h or d" },
		{ "block 192.0.2.1 --for 10ms",
		  "--for: \"10ms\" is no time; write a whole number and s, m, h or d" },
		{ "help staus", "no such command: staus; did you mean status?" },
		{ "help status zones",
		  "help: \"zones\" is one argument too many; see repgatectl help help" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_ctl_arguments arguments;
		struct rg_error error = {};

		if (!parse(rows[i].line, &arguments, &error))
			fail_msg("%s is accepted", rows[i].line);
		if (strcmp(error.text, rows[i].why) != 0)
			fail_msg("%s: %s", rows[i].line, error.text);
	}
}

static void test_options(void **state)
{
	static const struct {
		const char *line, *about;
	} helps[] = {
		{ "help", NULL },
		{ "help set", "set" },
		{ "-h", NULL },
		{ "--help", NULL },
		{ "--help status", "status" },
		{ "set --help", "set" },
		{ "monitor -h off", "monitor" },
		{ "help help", "help" },
	};
	struct rg_ctl_arguments arguments;
	struct rg_error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(helps); i++) {
		assert_int_equal(parse(helps[i].line, &arguments, &error), 0);
		assert_int_equal(arguments.command, RG_COMMAND_HELP);
		if (helps[i].about)
			assert_string_equal(arguments.values[0], helps[i].about);
		else
			assert_null(arguments.values[0]);
	}
	assert_int_equal(parse("-V", &arguments, &error), 0);
	assert_true(arguments.version);
	assert_int_equal(parse("--version x", &arguments, &error), 0);
	assert_true(arguments.version);
	assert_int_equal(parse("--json --socket /x --config /c set mode monitor --save", &arguments,
			       &error),
			 0);
	assert_true(arguments.json);
	assert_string_equal(arguments.socket, "/x");
	assert_string_equal(arguments.config, "/c");
	assert_true(rg_ctl_arguments_has(&arguments, "save"));
	assert_true(rg_ctl_arguments_has(&arguments, "key"));
	assert_false(rg_ctl_arguments_has(&arguments, "watch"));
	assert_int_equal(parse("set mode monitor", &arguments, &error), 0);
	assert_false(rg_ctl_arguments_has(&arguments, "save"));
	/* An error is JSON, wherever --json stands. */
	assert_int_equal(parse("--nonsense status --json", &arguments, &error), -EINVAL);
	assert_true(arguments.json);
}

static char *help_text(enum rg_command about)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	rg_ctl_help_print(to, about);
	fclose(to);
	return text;
}

static void check_width(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len > 80)
			fail_msg("%zu columns: %.*s", len, (int)len, text);
		text += len + (text[len] == '\n');
	}
}

/* Every command and its arguments, in 80 columns. */
static void test_help(void **state)
{
	char *text = help_text(RG_COMMANDS);

	(void)state;
	check_width(text);
	for (enum rg_command command = 0; command < RG_COMMANDS; command++) {
		const struct rg_command_info *info = rg_protocol_command(command);
		char *usage = rg_protocol_usage(command), *one = help_text(command);
		json_t *json = rg_ctl_help(command);

		assert_non_null(strstr(text, info->name));
		assert_non_null(strstr(text, info->help));
		assert_non_null(strstr(text, usage));
		check_width(one);
		assert_non_null(strstr(one, info->help + 1)); /* it begins with a capital */
		/* More than the line of the table: each option is named. */
		for (size_t i = 0; i < RG_MAX_ARGUMENTS && info->arguments[i].name; i++)
			assert_non_null(
				info->arguments[i].form != RG_FORM_OPTION ?
					one :
					strstr(strstr(one, info->help + 1), info->arguments[i].name));
		assert_int_equal(json_array_size(json_object_get(json, "commands")), 1);
		json_decref(json);
		free(one);
		free(usage);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
