/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an activation code is, where it is read from, and which texts show a key. */
#include "tests/unit/config/files.h"

#include "config/ers.h"
#include "config/saved_code.h"

#include <sys/stat.h>

#define LONG_CODE "AB-CDEF-12345-GHIJK-67890-LMNOP-QRSTU"
#define LONG_LABEL "abcdef12345ghijk67890lmnopqrstu"
#define ALL_63 "a23456789b123456789c123456789d123456789e123456789f123456789g123"

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
		{ "AB-CDEF-GHIJ-KLM", "abcdefghijklm" },
		{ "AB-CDEF-GHIJ-KLMNO", "abcdefghijklmno" },
		{ LONG_CODE, LONG_LABEL },
		{ LONG_LABEL, LONG_LABEL },
		{ "ab cdef 12345 GHIJK\t67890 lmnop qrstu\n\n", LONG_LABEL },
		{ "\n" LONG_CODE, LONG_LABEL },
		/* with a byte order mark; with dashes and no-break spaces, as a word processor writes them */
		{ "\xef\xbb\xbf" CODE "\r\n", LABEL },
		{ "AB\xe2\x80\x91"
		  "CDEF\xe2\x80\x93GHIJ\xe2\x88\x92KLMN",
		  LABEL },
		{ "AB\xc2\xa0"
		  "CDEF\xe2\x80\xafGHIJ\xe2\x80\x8bKLMN\n",
		  LABEL },
		{ "AB\xe2\x80"
		  "CDEF-GHIJ-KLMN",
		  NULL },
		{ "trial-7x", NULL },
		{ "trial-77x", "trial77x" },
		{ ALL_63, ALL_63 },
		{ ALL_63 "4", NULL },
		{ "AB_CDEF-GHIJ-KLMN", NULL },
		{ "AB.CDEF.GHIJ.KLMN", NULL },
		{ "AB-CDEF-GHIJ-KLM\xc3\xa4", NULL },
		{ CODE "\n" CODE, NULL }, /* two codes */
		{ CODE "\n# of 2026", NULL },
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
		{ "see ab cdef ghij klmn", LABEL ".r.example", true },
		{ "aab-cdef-ghij-klmn", LABEL ".r.example", true },
		{ "see abcdefghijklm", LABEL ".r.example", false },
		{ "", LABEL ".r.example", false },
		{ "x " LONG_CODE " y", LONG_LABEL ".q.mail-abuse.com", true },
		{ LONG_LABEL, LONG_LABEL ".r.mail-abuse.com", true },
		{ "Trial-77X", "trial77x.r.mail-abuse.com", true },
		{ "trialxxy", "trialxxy.q.mail-abuse.com",
		  true }, /* of ERS: a key, without a digit, too */
		{ ALL_63, ALL_63 ".r.mail-abuse.com", true },
		/* other zones: names of lists are no keys */
		{ "zen.spamhaus.org", "zen.spamhaus.org", false },
		{ "see dnsbl-1.uceprotect.net", "dnsbl-1.uceprotect.net", false },
		{ "see spamlist2.example", "spamlist2.example", false },
		{ "see blackholes.example", "blackholes.example", false },
		{ "see 2nd-blacklist.example", "2nd-blacklist.example", false },
		{ "truncate.gbudb.net", "truncate.gbudb.net", false },
		{ "key a1b2c3d4", "a1b2c3d4.dq.example", true },
		{ "key k3yofanother", "k3yofanother.bl.example", true },
		{ "key abcdefgh123", "abcdefgh123.bl.example", true },
		{ "a-hyphen-in-the-key", "a-hyphen-in-the-key.example", true },
		{ "ahypheninthekey", "a-hyphen-in-the-key.example", true },
		/* a label with hyphens, a text without, and the other way round */
		{ "x " LABEL, CODE ".r.mail-abuse.com", true },
		{ "x " CODE, CODE ".q.mail-abuse.com", true },
		{ "x " LABEL, CODE ".bl.example", true },
		{ "x/AB--CDEFGHIJ-KLMN", CODE ".bl.example", true },
		/* split over labels, or by what else is no letter or digit */
		{ "ab.cdef.ghij.klmn.example", LABEL ".r.example", true },
		{ "AB_CDEF_GHIJ_KLMN", LABEL ".r.example", true },
		{ "AB\xe2\x80\x93"
		  "CDEF GHIJ\xc2\xa0KLMN",
		  LABEL ".r.example", true },
		{ "ab.cdef.ghij.klm.example", LABEL ".r.example", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(rg_secret_holds_key(rows[i].text, rows[i].suffix), rows[i].holds);
}

static void check_mask(void **state)
{
	static const struct {
		const char *text, *suffix, *masked;
	} rows[] = {
		{ "a " CODE " b " LABEL, LABEL ".x", "a ***************** b **************" },
		{ "-- ab-cdef-ghij-klmn-", LABEL ".x", "-- *****************-" },
		{ "nothing", LABEL ".x", "nothing" },
		{ "zen", "zen.spamhaus.org", "zen" },
		{ "x-" LABEL ".y", CODE ".q.mail-abuse.com", "x-**************.y" },
		{ "ab.cdef.ghij.klmn.", LABEL ".x", "*****************." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[100];

		snprintf(text, sizeof(text), "%s", rows[i].text);
		rg_secret_mask(text, rows[i].suffix);
		assert_string_equal(text, rows[i].masked);
	}
}

static void check_quote(void **state)
{
	(void)state;
	assert_string_equal(rg_secret_quote("statuss"), "statuss");
	assert_string_equal(rg_secret_quote("activationcode1"), "(not shown)");
	assert_string_equal(rg_secret_quote("reloadeverything"), "reloadeverything");
	assert_string_equal(rg_secret_quote(CODE), "(not shown)");
	assert_string_equal(rg_secret_quote("--" LONG_CODE), "(not shown)");
	assert_string_equal(rg_secret_quote("198.51.100.77"), "198.51.100.77");
}

static enum rg_secret_source source;

static void refuse_read(const char *path, const char *words)
{
	char code[RG_SECRET_SIZE];
	struct rg_error error;

	assert_int_equal(rg_secret_read(path, code, &source, &error), -EINVAL);
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
	write_file("wrong", "NEARLY-A_CODE");
	refuse_read(path_of("wrong"), "does not hold an activation code");
	write_file("code", CODE "\n");
	assert_int_equal(rg_secret_read(path_of("code"), code, &source, &error), 0);
	assert_string_equal(code, LABEL);
	assert_int_equal(source, RG_SECRET_FILE);
	/* The path is shown in errors, so it must not be the code. */
	write_file(CODE, CODE);
	refuse_read(path_of(CODE), "***************** shows the activation code");
	assert_int_equal(unlink(path_of(CODE)), 0);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	refuse_read(NULL, "/activation-code: No such file");
	write_file("activation-code", "ZY-XWVU-TSRQ-PONM");
	assert_int_equal(rg_secret_read(NULL, code, &source, &error), 0);
	assert_string_equal(code, "zyxwvutsrqponm");
	assert_int_equal(source, RG_SECRET_CREDENTIAL);
	/* A file that is set wins over the credential. */
	assert_int_equal(rg_secret_read(path_of("code"), code, &source, &error), 0);
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
	assert_int_equal(rg_secret_read(path_of("code"), code, &source, &error), 0);
	assert_string_equal(code, "zyxwvutsrqponm");
	unsetenv("CREDENTIALS_DIRECTORY");
	refuse_read(path_of("code"), "code: Permission denied");
	if (!getuid())
		assert_int_equal(seteuid(0), 0);
}

/* ------------------------------------------------------------------ the code that repgatectl set */

#define OTHER "fedcba98765432"

static void check_activation(void **state)
{
	char code[RG_SECRET_SIZE], link_path[400], *text;
	struct rg_error error;
	struct stat st;

	(void)state;
	(void)unlink(path_of("activation-code"));
	assert_int_equal(rg_saved_code_load(dir, LABEL, code), -ENOENT);
	assert_int_equal(rg_saved_code_save(dir, OTHER, LABEL, &error), 0);
	assert_int_equal(lstat(path_of("activation-code"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(rg_saved_code_load(dir, LABEL, code), 0);
	assert_string_equal(code, OTHER);
	/* Somebody put another code into the configured file. */
	assert_int_equal(rg_saved_code_load(dir, LONG_LABEL, code), -ESTALE);
	assert_string_equal(code, "");
	/* A loose mode of the old file does not stay. */
	assert_int_equal(chmod(path_of("activation-code"), 0644), 0);
	assert_int_equal(rg_saved_code_save(dir, LONG_LABEL, LABEL, &error), 0);
	assert_int_equal(lstat(path_of("activation-code"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	/* Back to the configured one. */
	assert_int_equal(rg_saved_code_save(dir, LABEL, LABEL, &error), 0);
	assert_int_equal(lstat(path_of("activation-code"), &st), -1);
	assert_int_equal(rg_saved_code_save(dir, LABEL, LABEL, &error), 0);
	assert_int_equal(rg_saved_code_remove(dir), 0);
	/* Links and pipes: root reads this, too, in a directory of the agent. */
	write_file("target", OTHER "\n" LABEL "\n");
	strcpy(link_path, path_of("activation-code"));
	assert_int_equal(symlink(path_of("target"), link_path), 0);
	assert_int_equal(rg_saved_code_load(dir, LABEL, code), -EINVAL);
	assert_int_equal(rg_saved_code_save(dir, OTHER, LABEL, &error), -EEXIST);
	assert_non_null(strstr(error.text, "it is not a regular file"));
	text = read_whole(path_of("target"));
	assert_string_equal(text, OTHER "\n" LABEL "\n");
	free(text);
	assert_int_equal(unlink(link_path), 0);
	assert_int_equal(mkfifo(link_path, 0600), 0);
	assert_int_equal(rg_saved_code_load(dir, LABEL, code), -EINVAL);
	assert_int_equal(unlink(link_path), 0);
	assert_int_equal(rg_saved_code_save("/nonexistent", OTHER, LABEL, &error), -ENOENT);
	assert_null(strstr(error.text, OTHER));
}

static void check_damaged(void **state)
{
	static const char *const rows[] = { "",
					    "\n",
					    OTHER,
					    OTHER "\n",
					    OTHER "\n" LABEL,
					    OTHER "\nx\n",
					    "x\n" LABEL "\n",
					    OTHER "\n" LABEL "\n\nmore\n",
					    ALL_63 ALL_63 "\n" LABEL "\n" };
	char code[RG_SECRET_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		write_file("activation-code", rows[i]);
		if (rg_saved_code_load(dir, LABEL, code) != -EINVAL)
			fail_msg("row %zu", i);
	}
	assert_int_equal(unlink(path_of("activation-code")), 0);
}

static struct rg_conf *load_ers(const char *more)
{
	char text[1000];

	snprintf(text, sizeof(text),
		 IF "ers = { activation_code_file = \"%s/code\"; };\nstate_dir = \"%s\";\n%s", dir,
		 dir, more);
	return loaded(text);
}

static void check_configured(void **state)
{
	struct rg_error error;
	struct rg_conf *conf;

	(void)state;
	write_file("code", CODE);
	conf = load_ers("");
	assert_int_equal(conf->code_source, RG_SECRET_FILE);
	assert_string_equal(conf->warnings ? conf->warnings : "", "");
	assert_string_equal(conf->zones[0].suffix, LABEL ".r.mail-abuse.com");
	/* Another code, at once and at the next load. */
	assert_int_equal(rg_saved_code_save(dir, OTHER, conf->configured_code, &error), 0);
	assert_int_equal(rg_ers_set_code(conf, OTHER, &error), 0);
	assert_string_equal(conf->zones[0].suffix, OTHER ".r.mail-abuse.com");
	assert_string_equal(conf->zones[1].suffix, OTHER ".q.mail-abuse.com");
	assert_int_equal(conf->code_source, RG_SECRET_COMMAND);
	rg_conf_unref(conf);
	conf = load_ers("");
	assert_string_equal(conf->zones[1].suffix, OTHER ".q.mail-abuse.com");
	assert_int_equal(conf->code_source, RG_SECRET_COMMAND);
	assert_string_equal(conf->configured_code, LABEL);
	assert_false(conf->code_is_stale);
	rg_conf_unref(conf);
	/* The file is edited: it counts. */
	write_file("code", LONG_CODE);
	conf = load_ers("");
	assert_string_equal(conf->zones[0].suffix, LONG_LABEL ".r.mail-abuse.com");
	assert_int_equal(conf->code_source, RG_SECRET_FILE);
	assert_true(conf->code_is_stale);
	assert_non_null(strstr(conf->warnings, "the configured activation code was changed"));
	assert_null(strcasestr(conf->warnings, OTHER));
	rg_conf_unref(conf);
	assert_int_equal(rg_saved_code_remove(dir), 0);
	/* An odd length: one warning, without the code. */
	write_file("code", "trial-77x");
	conf = load_ers("");
	assert_string_equal(conf->warnings,
			    "the activation code has 8 letters and digits; the service's "
			    "codes have 14 or 31\n");
	rg_conf_unref(conf);
	conf = loaded(IF);
	assert_int_equal(conf->code_source, RG_SECRET_NONE);
	assert_int_equal(rg_ers_set_code(conf, OTHER, &error), -EINVAL);
	rg_conf_unref(conf);
}

/* Whatever people write is shown somewhere. Each row has the code where it must not be. */
static void check_shown(void **state)
{
	static const char *const codes[] = { LONG_CODE, LONG_LABEL };
	static const char *const rows[] = {
		"blocked_reply = \"550 5.7.1 %s\";",
		"responder_name = \"%s.example\";",
		"zones = { %s = { suffix = \"a.b\"; kind = \"standard\"; }; };",
		"zones = { a = { suffix = \"a.b\"; kind = \"standard\"; url = \"http://x/%s\"; }; };",
		"zones = { a = { suffix = \"a.b\"; kind = \"standard\"; reply = \"550 5.7.1 %s\"; }; };",
		"approved_dir = \"/etc/%s\";",
		"country_database = \"/etc/%s\";",
		"pin_path = \"/sys/fs/bpf/%s\";",
		"control_socket = \"/run/%s\";",
		"control_group = \"%s\";",
		/* mistakes that are quoted */
		"mode = \"%s\";",
		"resolver = \"%s\";",
		"metrics_listen = \"%s\";",
		"x%s = 1;",
		"zones = { a = { suffix = \"a.b\"; kind = \"%s\"; }; };",
		"zones = { a = { suffix = \"a.b\"; kind = \"standard\"; codes = [ \"%s\" ]; }; };",
		"unknown = \"%s\"; ",
	};
	struct rg_error error;
	struct rg_conf *conf;
	char text[1000];

	(void)state;
	write_file("code", LONG_CODE);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(codes); k++) {
			char line[400];

			snprintf(line, sizeof(line), rows[i], codes[k]);
			snprintf(text, sizeof(text),
				 IF "ers = { activation_code_file = \"%s/code\"; };\n%s\n", dir,
				 line);
			if (!load(text, &conf, &error))
				fail_msg("accepted: %s", line);
			if (strcasestr(error.text, codes[k]))
				fail_msg("shown: %s", error.text);
		}
	}
	conf = load_ers("blocked_reply = \"550 5.7.1 " OTHER "\";");
	/* A code that a text shows is refused at run time, too; the old one stays. */
	assert_int_equal(rg_ers_set_code(conf, OTHER, &error), -EINVAL);
	assert_non_null(strstr(error.text, "blocked_reply shows this code"));
	assert_null(strstr(error.text, OTHER));
	assert_string_equal(conf->zones[0].suffix, LONG_LABEL ".r.mail-abuse.com");
	assert_int_equal(rg_live_set(conf, "mode", LONG_CODE, &error), -EINVAL);
	assert_null(strcasestr(error.text, LONG_CODE));
	rg_conf_unref(conf);
	/* An interface's name has room for a short code. */
	write_file("code", "trial77x");
	snprintf(text, sizeof(text),
		 "interfaces = [ \"trial-77x\" ];\n"
		 "ers = { activation_code_file = \"%s/code\"; };\n",
		 dir);
	assert_int_equal(load(text, &conf, &error), -EINVAL);
	assert_non_null(strstr(error.text, "interfaces shows the key"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_normalise),  cmocka_unit_test(check_holds_key),
		cmocka_unit_test(check_read),	    cmocka_unit_test(check_unreadable),
		cmocka_unit_test(check_mask),	    cmocka_unit_test(check_quote),
		cmocka_unit_test(check_activation), cmocka_unit_test(check_damaged),
		cmocka_unit_test(check_configured), cmocka_unit_test(check_shown),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
