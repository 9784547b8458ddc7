/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers that a compromised agent may send to root's terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "ctl/ctl_answer.h"

static json_t *read_text(const char *text, size_t size)
{
	FILE *from = fmemopen((void *)(uintptr_t)text, size, "r");
	json_t *answer;

	assert_non_null(from);
	answer = rg_ctl_answer_read(from);
	fclose(from);
	return answer;
}

static void test_control_characters(void **state)
{
	static const struct {
		const char *line, *clean; /* NULL: no answer */
	} rows[] = {
		{ "{\"a\":\"plain \xc3\xa4\"}\n", "{\"a\":\"plain \xc3\xa4\"}" },
		{ "{\"a\":\"x\\u001b[2Jy\"}\n", "{\"a\":\"x?[2Jy\"}" },
		{ "{\"a\":[{\"b\":\"\\u0007\\n\\u007f\"}]}\n", "{\"a\":[{\"b\":\"???\"}]}" },
		{ "[\"\\u009b31m\"]\n", "[\"??31m\"]" },
		{ "{\"\\u001b]0;x\":1,\"b\":2}\n", "{\"b\":2}" },
		{ "{\"a\":1}", NULL }, /* the agent ended in the middle */
		{ "\n", NULL },
		{ "nonsense\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *answer = read_text(rows[i].line, strlen(rows[i].line));
		char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

		if (rows[i].clean)
			assert_string_equal(text, rows[i].clean);
		else
			assert_null(answer);
		free(text);
		json_decref(answer);
	}
}

/* An answer without an end does not take all memory. */
static void test_endless(void **state)
{
	FILE *from = fopen("/dev/zero", "r");

	(void)state;
	assert_non_null(from);
	assert_null(rg_ctl_answer_read(from));
	fclose(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
