/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an activation code is, where it is read from, and which texts show a key. */
#include "tests/unit/config/files.h"

#include "config/secret.h"

#include <sys/stat.h>

static void check_normalise(void **state)
{
	static const struct {
		const char *text, *code; /* NULL: it is none */
	} rows[] = {
		{ CODE, LABEL },
		{ LABEL "\n", LABEL },
		{ " ab-cdef-GHIJ-klmn\r\n", LABEL },
		{ "----" LABEL, LABEL },
		{ "", NULL },
		{ "--- ", NULL },
		{ "AB-CDEF-GHIJ-KLM", NULL },
		{ "AB-CDEF-GHIJ-KLMNO", NULL },
		{ "AB_CDEF-GHIJ-KLMN", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char code[RG_SECRET_SIZE];

		snprintf(code, sizeof(code), "%s", rows[i].text);
		assert_int_equal(rg_secret_normalise(code), rows[i].code ? 0 : -EINVAL);
		if (rows[i].code)
			assert_string_equal(code, rows[i].code);
	}
}

static void check_holds_key(void **state)
{
	static const struct {
		const char *text, *suffix;
		bool holds;
	} rows[] = {
		{ "see " LABEL, LABEL ".r.example", true },
		{ "see AB-CDEF-GHIJ-KLMN.", LABEL ".r.example", true },
		{ "see a-b-c-d-e-f-g-h-i-j-k-l-m-n", LABEL ".r.example", true },
		{ "aab-cdef-ghij-klmn", LABEL ".r.example", true },
		{ "see abcdefghijklm", LABEL ".r.example", false },
		{ "", LABEL ".r.example", false },
		{ "zen.spamhaus.org", "zen.spamhaus.org", false },
		{ "a-hyphen-in-the-key", "a-hyphen-in-the-key.example", true },
		{ "ahypheninthekey", "a-hyphen-in-the-key.example", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(rg_secret_holds_key(rows[i].text, rows[i].suffix), rows[i].holds);
}

static void refuse_read(const char *path, const char *words)
{
	char code[RG_SECRET_SIZE];
	struct rg_error error;

	assert_int_equal(rg_secret_read(path, code, &error), -EINVAL);
	if (!strstr(error.text, words))
		fail_msg("\"%s\"", error.text);
	assert_null(strcasestr(error.text, "nearly"));
}

static void check_read(void **state)
{
	char code[RG_SECRET_SIZE];
	struct rg_error error;

	(void)state;
	unsetenv("CREDENTIALS_DIRECTORY");
	refuse_read(NULL, "ers has no activation_code_file, and there is no systemd credential");
	refuse_read(path_of("missing"), "missing: No such file");
	refuse_read(dir, "Is a directory");
	write_file("wrong", "NEARLY-A-CODE");
	refuse_read(path_of("wrong"), "does not hold an activation code");
	write_file("code", CODE "\n");
	assert_int_equal(rg_secret_read(path_of("code"), code, &error), 0);
	assert_string_equal(code, LABEL);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	refuse_read(NULL, "/activation-code: No such file");
	write_file("activation-code", "ZY-XWVU-TSRQ-PONM");
	assert_int_equal(rg_secret_read(NULL, code, &error), 0);
	assert_string_equal(code, "zyxwvutsrqponm");
	/* A file that is set wins over the credential. */
	assert_int_equal(rg_secret_read(path_of("code"), code, &error), 0);
	assert_string_equal(code, LABEL);
}

/* Only root may read the file, and systemd has handed its contents to the agent. */
static void check_unreadable(void **state)
{
	char code[RG_SECRET_SIZE];
	struct rg_error error;

	(void)state;
	write_file("code", CODE);
	write_file("activation-code", "ZY-XWVU-TSRQ-PONM");
	assert_int_equal(chmod(path_of("code"), 0), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	if (!geteuid())
		assert_int_equal(seteuid(65534), 0);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	assert_int_equal(rg_secret_read(path_of("code"), code, &error), 0);
	assert_string_equal(code, "zyxwvutsrqponm");
	unsetenv("CREDENTIALS_DIRECTORY");
	refuse_read(path_of("code"), "code: Permission denied");
	if (!getuid())
		assert_int_equal(seteuid(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_normalise),
		cmocka_unit_test(check_holds_key),
		cmocka_unit_test(check_read),
		cmocka_unit_test(check_unreadable),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
