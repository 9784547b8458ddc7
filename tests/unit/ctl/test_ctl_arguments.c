/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repgatectl's command lines as rows: the request that each becomes, or why it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/ctl_arguments.h"

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
		{ "flush", "{'command':'flush'}" },
		{ "flush all", "{'command':'flush'}" },
		{ "flush one", "{'command':'flush','what':'one'}" },
		{ "events --follow", "{'command':'events','follow':true}" },
		{ "set mode monitor --save", "{'command':'set','key':'mode','value':'monitor'}" },
		{ "monitor on", "{'command':'monitor','on':true}" },
		{ "monitor off", "{'command':'monitor','on':false}" },
		{ "test-config /x", "{'command':'test-config'}" },
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
		if (arguments.command != RG_COMMAND_TEST_CONFIG)
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
		{ "", "a command is missing; see repgatectl --help" },
		{ "--json", "a command is missing; see repgatectl --help" },
		{ "x", "no such command: x; see repgatectl --help" },
		{ "status x", "wrong number of arguments; usage: repgatectl status" },
		{ "lookup", "wrong number of arguments; usage: repgatectl lookup IP [--store]" },
		{ "lookup 1 2", "wrong number of arguments; usage: repgatectl lookup IP [--store]" },
		{ "set mode", "wrong number of arguments; usage: repgatectl set KEY VALUE [--save]" },
		{ "status --follow", "status has no option --follow" },
		{ "events --save", "events has no option --save" },
		{ "--nonsense status", "no such option: --nonsense" },
		{ "-x status", "no such option: -x" },
		{ "status --socket", "--socket wants a value" },
		{ "report year", "report: \"year\" is none of day|week|month" },
		{ "list x", "list: \"x\" is none of approved|blocked" },
		{ "monitor maybe", "monitor: \"maybe\" is none of on|off" },
		{ "block 192.0.2.1 --for x",
		  "--for: \"x\" is no time; write a whole number and s, m, h or d" },
		{ "block 192.0.2.1 --for 10ms",
		  "--for: \"10ms\" is no time; write a whole number and s, m, h or d" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_ctl_arguments arguments;
		struct rg_error error = {};

		if (!parse(rows[i].line, &arguments, &error))
			fail_msg("%s is accepted", rows[i].line);
		if (strcmp(error.text, rows[i].why) != 0 &&
		    /* which word an unknown short option stands in is up to getopt */
		    strncmp(rows[i].line, "-x", 2) != 0)
			fail_msg("%s: %s", rows[i].line, error.text);
	}
}

static void test_options(void **state)
{
	struct rg_ctl_arguments arguments;
	struct rg_error error;

	(void)state;
	assert_int_equal(parse("--help", &arguments, &error), 0);
	assert_true(arguments.help);
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
}

/* Every command and its arguments. */
static void test_usage(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	rg_ctl_arguments_print_usage(to);
	fclose(to);
	for (enum rg_command command = 0; command < RG_COMMANDS; command++) {
		char *usage = rg_protocol_usage(command);

		assert_non_null(strstr(text, rg_protocol_command(command)->name));
		assert_non_null(strstr(text, rg_protocol_command(command)->help));
		assert_non_null(strstr(text, usage));
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
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
