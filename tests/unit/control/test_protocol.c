/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of commands: its rows make sense, the manual page and the shell completion have every
 * command, option and word of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/protocol.h"

static const struct rg_argument *argument_at(enum rg_command command, size_t i)
{
	const struct rg_argument *argument = &rg_protocol_command(command)->arguments[i];

	return i < RG_MAX_ARGUMENTS && argument->name ? argument : NULL;
}

static void test_rows(void **state)
{
	const struct rg_argument *argument;

	(void)state;
	for (enum rg_command command = 0; command < RG_COMMANDS; command++) {
		const struct rg_command_info *info = rg_protocol_command(command);
		bool optional = false;

		assert_non_null(info->name);
		assert_int_equal(rg_protocol_find(info->name), command);
		assert_true(*info->help && info->help[strlen(info->help) - 1] != '.');
		for (size_t i = 0; (argument = argument_at(command, i)); i++) {
			/* words make a choice; a flag has no value; a required argument comes first */
			assert_int_equal(argument->type == RG_ARGUMENT_WORD,
					 !argument->shown && argument->words);
			if (argument->type == RG_ARGUMENT_FLAG)
				assert_true(argument->form == RG_FORM_OPTION && !argument->shown);
			assert_false(optional && argument->form == RG_FORM_REQUIRED);
			optional |= argument->form != RG_FORM_REQUIRED;
			if (info->local)
				assert_true(argument->local);
		}
	}
	assert_int_equal(rg_protocol_find("x"), RG_COMMANDS);
	assert_int_equal(rg_protocol_find(""), RG_COMMANDS);
}

static void test_words(void **state)
{
	(void)state;
	assert_true(rg_protocol_has_word("day|week|month", "day"));
	assert_true(rg_protocol_has_word("day|week|month", "week"));
	assert_true(rg_protocol_has_word("day|week|month", "month"));
	assert_true(rg_protocol_has_word("all", "all"));
	assert_false(rg_protocol_has_word("day|week|month", "da"));
	assert_false(rg_protocol_has_word("day|week|month", "days"));
	assert_false(rg_protocol_has_word("day|week|month", "eek"));
	assert_false(rg_protocol_has_word("day|week|month", ""));
}

static void test_usage(void **state)
{
	static const struct {
		enum rg_command command;
		const char *usage;
	} rows[] = {
		{ RG_COMMAND_STATUS, "[--check]" },
		{ RG_COMMAND_ZONES, "" },
		{ RG_COMMAND_LOOKUP, "IP [--store]" },
		{ RG_COMMAND_REPORT, "day|week|month" },
		{ RG_COMMAND_LIST, "[approved|blocked]" },
		{ RG_COMMAND_BLOCK, "IP|RANGE|PREFIX|CC [--for TIME] [--comment TEXT] [--force]" },
		{ RG_COMMAND_EVENTS, "[IP|PREFIX] [--follow]" },
		{ RG_COMMAND_FLUSH, "all|IP|PREFIX|ZONE" },
		{ RG_COMMAND_SET, "KEY VALUE [--save]" },
		{ RG_COMMAND_MONITOR, "on|off" },
		{ RG_COMMAND_TEST_CONFIG, "[FILE]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *usage = rg_protocol_usage(rows[i].command);

		assert_string_equal(usage, rows[i].usage);
		free(usage);
	}
}

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = calloc(1, 1 << 20);

	if (!file || !text)
		fail_msg("%s: %m", path);
	(void)!fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	return text;
}

static void expect(const char *text, const char *path, const char *format, ...)
{
	char wanted[200];
	va_list args;

	va_start(args, format);
	vsnprintf(wanted, sizeof(wanted), format, args);
	va_end(args);
	if (!strstr(text, wanted))
		fail_msg("%s has no \"%s\"", path, wanted);
}

/* Each word of "a|b|c". */
static void expect_words(const char *text, const char *path, const char *words)
{
	while (*words) {
		int len = (int)strcspn(words, "|");

		expect(text, path, "%.*s", len, words);
		words += len;
		words += *words == '|';
	}
}

/* Each command has an entry, each option stands in its entry's first line. */
static void test_manual_page(void **state)
{
	static const char path[] = "man/repgatectl.8";
	char *text = read_text(path), line[200];
	const struct rg_argument *argument;

	(void)state;
	for (enum rg_command command = 0; command < RG_COMMANDS; command++) {
		const char *entry;

		snprintf(line, sizeof(line), ".It Cm %s", rg_protocol_command(command)->name);
		expect(text, path, "%s", line);
		entry = strstr(text, line);
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(entry, "\n"), entry);
		for (size_t i = 0; (argument = argument_at(command, i)); i++) {
			const char *words = argument->type == RG_ARGUMENT_SWITCH ? argument->shown :
										   argument->words;

			if (argument->form == RG_FORM_OPTION)
				expect(line, path, "Fl -%s", argument->name);
			if (words)
				expect_words(line, path, words);
		}
	}
	free(text);
}

/* The completion takes command names from --help; options and words are its own list. */
static void test_completion(void **state)
{
	static const char path[] = "dist/repgatectl.bash";
	const struct rg_argument *argument;
	char *text = read_text(path);

	(void)state;
	for (enum rg_command command = 0; command < RG_COMMANDS; command++) {
		for (size_t i = 0; (argument = argument_at(command, i)); i++) {
			if (argument->form == RG_FORM_OPTION)
				expect(text, path, "--%s", argument->name);
			if (argument->type == RG_ARGUMENT_SWITCH)
				expect_words(text, path, argument->shown);
			else if (argument->words)
				expect_words(text, path, argument->words);
		}
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	   cmocka_unit_test(test_words),
		cmocka_unit_test(test_usage),	   cmocka_unit_test(test_manual_page),
		cmocka_unit_test(test_completion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
