/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What somebody probably meant, as rows: a word, and the known word that is suggested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/nearest.h"
#include "base/util.h"

static void test_rows(void **state)
{
	static const char *const known[] = { "status",	     "stats",  "lookup", "set",
					     "settings",     "reload", "report", "flush",
					     "ers-standard", "ers-qil" };
	static const struct {
		const char *word, *best; /* NULL: none is near */
	} rows[] = {
		{ "staus", "status" },
		{ "satus", "status" },
		{ "statuss", "status" },
		{ "statsu", "status" },
		{ "lokup", "lookup" },
		{ "lookpu", "lookup" },
		{ "STATS", "stats" },
		{ "relaod", "reload" },
		{ "repotr", "report" },
		{ "ers-standrad", "ers-standard" },
		{ "ers", "ers-standard" },
		{ "ers_qil", "ers-qil" },
		{ "set", "set" },
		{ "nonsense", NULL },
		{ "x", NULL },
		{ "", NULL },
		{ "se", NULL },
		{ "a-word-of-more-than-forty-letters-is-near-nothing", NULL },
	};
	char text[RG_NEAREST_TEXT], want[RG_NEAREST_TEXT] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_nearest nearest = { .word = rows[i].word };

		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			rg_nearest_try(&nearest, known[k]);
		if (rows[i].best)
			snprintf(want, sizeof(want), "; did you mean %s?", rows[i].best);
		else
			*want = '\0';
		assert_string_equal(rg_nearest_hint(&nearest, text), want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
