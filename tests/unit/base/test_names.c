/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every class, action, reason and mode has a word, no two the same; actions can be read back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/names.h"
#include "base/util.h"

static const char *class_word(unsigned int value)
{
	return rg_class_name((enum rg_class)value);
}

static const char *action_word(unsigned int value)
{
	return rg_action_name((enum rg_action)value);
}

static const char *reason_word(unsigned int value)
{
	return rg_reason_name((enum rg_reason)value);
}

static void check_words(const char *(*word)(unsigned int value), unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		assert_string_not_equal(word(i), "?");
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(word(i), word(j));
	}
	assert_string_equal(word(count), "?");
	assert_string_equal(word(127), "?");
}

static void test_words(void **state)
{
	(void)state;
	check_words(class_word, RG_CLASS_MAX);
	check_words(action_word, RG_ACTION_MAX);
	check_words(reason_word, RG_REASON_MAX);
	assert_string_equal(rg_mode_name(RG_MODE_MONITOR), "monitor");
	assert_string_equal(rg_mode_name(RG_MODE_ENFORCE), "enforce");
}

static void test_actions_read_back(void **state)
{
	enum rg_action action = RG_ACTION_NONE;

	(void)state;
	for (unsigned int i = RG_ACTION_NONE + 1; i < RG_ACTION_MAX; i++) {
		assert_int_equal(rg_action_parse(action_word(i), &action), 0);
		assert_int_equal(action, i);
	}
	assert_int_equal(rg_action_parse("none", &action), -EINVAL); /* nobody may ask for it */
	assert_int_equal(rg_action_parse("", &action), -EINVAL);
	assert_int_equal(rg_action_parse("DROP", &action), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_actions_read_back),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
