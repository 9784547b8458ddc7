/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `set` for zones, and the file of saved settings. test_keys has each key of the top level. */
#include "tests/unit/config/files.h"

#include <sys/stat.h>

static const char *const all_zones[] = { "a", "b", "c" };

static void save(const char *key, const char *value, size_t zone_count)
{
	struct rg_error error;

	if (rg_live_save(path_of("repgate.conf"), key, value, all_zones, zone_count, &error))
		fail_msg("%s", error.text);
}

static void check_zone_action(void **state)
{
	static const struct {
		const char *key, *value, *words; /* words: of the error, NULL: none */
	} rows[] = {
		{ "a.action", "throttle", NULL },
		{ "b.action", "reject", NULL },
		{ "a.action", "reject", "is permanent" },
		{ "b.action", "tempfail", "qil lists only" },
		{ "b.action", "pass", "not an action" },
		{ "c.action", "drop", "is an allow list" },
		{ "d.action", "drop", "there is no zone \"d\"" },
		{ ".action", "drop", "there is no zone \"\"" },
		{ "a.b", "drop", "\"a.b\" is not a setting's name" },
		{ "", "drop", "\"\" is not a setting's name" },
		{ "two words", "drop", "not a setting's name" },
		{ "action", "drop", "unknown key" },
		{ "kind", "qil", "unknown key" },
	};
	struct rg_conf *conf = loaded(IF ZONES);
	struct rg_error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int err = rg_live_set(conf, rows[i].key, rows[i].value, &error);

		assert_int_equal(err, rows[i].words ? -EINVAL : 0);
		if (err && !strstr(error.text, rows[i].words))
			fail_msg("%s: \"%s\"", rows[i].key, error.text);
	}
	assert_int_equal(conf->zones[0].action, RG_ACTION_THROTTLE);
	assert_int_equal(conf->zones[1].action, RG_ACTION_REJECT);
	assert_int_equal(rg_live_set(conf, "nonsense", "1", NULL), -EINVAL);
	rg_conf_unref(conf);
}

/* What was saved last wins, and a class forgets what was saved of its zones. */
static void check_saved_actions(void **state)
{
	struct rg_conf *conf = loaded(IF ZONES);
	struct stat st;
	char *text;

	(void)state;
	rg_conf_unref(conf);
	save("b.action", "reject", 0);
	save("standard_action", "reset", 0);
	conf = loaded(IF ZONES);
	assert_int_equal(conf->zones[1].action, RG_ACTION_REJECT);
	rg_conf_unref(conf);
	save("standard_action", "tag", 3);
	save("tag_dscp", "9", 0);
	save("qil_throttle", "1/s burst 1", 0);
	conf = loaded(IF ZONES);
	assert_int_equal(conf->zones[1].action, RG_ACTION_TAG);
	assert_int_equal(conf->zones[0].action, RG_ACTION_TEMPFAIL);
	assert_int_equal(conf->tag_dscp, 9);
	rg_conf_unref(conf);
	text = read_whole(path_of("repgate.saved.conf"));
	assert_non_null(strstr(text, "tag_dscp = 9;"));
	assert_non_null(strstr(text, "qil_throttle = \"1/s burst 1\";"));
	free(text);
	assert_int_equal(stat(path_of("repgate.saved.conf"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(unlink(path_of("repgate.saved.conf")), 0);
}

/* A saved file that people wrote. Each mistake names its file and line. */
static void check_saved_file(void **state)
{
	static const struct {
		const char *text, *place, *words;
	} rows[] = {
		{ "mode = \"strict\";\n", "saved.conf:1: ", "mode = \"strict\" is not one of" },
		{ "\nports = [ 25 ];\n", "saved.conf:2: ", "can't be set while repgated runs" },
		{ "nonsense = 1;\n", "saved.conf:1: ", "unknown key" },
		{ "mode = \n", "saved.conf:", "syntax error" },
		{ "zone_actions = 1;\n", "saved.conf:1: ", "must be a group { }" },
		{ "standard_action = 1;\n", "saved.conf:1: ", "must be a string, not a number" },
	};
	struct rg_error error;
	struct rg_conf *conf;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		write_file("repgate.saved.conf", rows[i].text);
		assert_int_not_equal(load(IF ZONES, &conf, &error), 0);
		if (!strstr(error.text, rows[i].place) || !strstr(error.text, rows[i].words))
			fail_msg("%s -> \"%s\"", rows[i].text, error.text);
	}
	/* A zone that is gone, or of another kind now, is no reason to refuse a start. */
	write_file("repgate.saved.conf",
		   "zone_actions = { gone = \"drop\"; a = \"reject\"; b = \"tag\"; };\n");
	conf = loaded(IF ZONES);
	assert_non_null(strstr(conf->warnings, "saved action of zone \"gone\" is ignored"));
	assert_non_null(strstr(conf->warnings, "saved action of zone \"a\" is ignored"));
	assert_int_equal(conf->zones[1].action, RG_ACTION_TAG);
	rg_conf_unref(conf);
	assert_int_equal(unlink(path_of("repgate.saved.conf")), 0);
}

static void check_save_fails(void **state)
{
	struct rg_error error;
	char *text;

	(void)state;
	/* What can't be read is not overwritten. */
	write_file("repgate.saved.conf", "mode = ;\n");
	assert_int_equal(rg_live_save(path_of("repgate.conf"), "mode", "enforce", NULL, 0, &error),
			 -EINVAL);
	assert_non_null(strstr(error.text, "saved.conf:1: "));
	text = read_whole(path_of("repgate.saved.conf"));
	assert_string_equal(text, "mode = ;\n");
	free(text);
	write_file("repgate.saved.conf", "zone_actions = 1;\n");
	assert_int_equal(rg_live_save(path_of("repgate.conf"), "a.action", "drop", NULL, 0, &error),
			 -EINVAL);
	assert_non_null(strstr(error.text, "not a setting's name"));
	assert_int_equal(unlink(path_of("repgate.saved.conf")), 0);
	assert_int_equal(rg_live_save(path_of("repgate.conf"), "a b", "drop", NULL, 0, &error),
			 -EINVAL);
	assert_int_not_equal(access(path_of("repgate.saved.conf"), F_OK), 0);
	/* A file of another name: NAME.saved.conf. */
	assert_int_equal(rg_live_save(path_of("nowhere/x.conf"), "mode", "enforce", NULL, 0, &error),
			 -ENOENT);
	assert_non_null(strstr(error.text, "/nowhere/x.saved.conf: can't be written: No such file"));
	assert_int_equal(rg_live_save(path_of("other"), "mode", "enforce", NULL, 0, &error), 0);
	assert_int_equal(unlink(path_of("other.saved.conf")), 0);
}

static void refuse_save(const char *words)
{
	struct rg_error error;

	assert_int_not_equal(
		rg_live_save(path_of("repgate.conf"), "mode", "enforce", NULL, 0, &error), 0);
	if (!strstr(error.text, words))
		fail_msg("\"%s\"", error.text);
}

/* Links that somebody planted where root writes: none is followed, and what they point to stays. */
static void check_save_links(void **state)
{
	char target[400], link_path[400], *text;
	struct stat st;

	(void)state;
	write_file("target", "precious");
	strcpy(target, path_of("target"));
	strcpy(link_path, path_of("repgate.saved.conf.new"));
	assert_int_equal(symlink(target, link_path), 0);
	save("mode", "enforce", 0); /* the planted name goes */
	assert_int_equal(lstat(link_path, &st), -1);
	assert_int_equal(unlink(path_of("repgate.saved.conf")), 0);
	strcpy(link_path, path_of("repgate.saved.conf"));
	assert_int_equal(symlink(target, link_path), 0);
	refuse_save("repgate.saved.conf: can't be written: it is not a regular file");
	text = read_whole(target);
	assert_string_equal(text, "precious");
	free(text);
	assert_int_equal(unlink(link_path), 0);
	assert_int_equal(mkfifo(link_path, 0600), 0);
	refuse_save("it is not a regular file");
	assert_int_equal(unlink(link_path), 0);
	/* Others could exchange what is in the directory. */
	assert_int_equal(chmod(dir, 0777), 0);
	refuse_save("others may write to it");
	assert_int_equal(chmod(dir, 0700), 0);
	if (geteuid())
		return;
	assert_int_equal(chown(dir, 65534, 0), 0);
	refuse_save("belongs to another user");
	assert_int_equal(chown(dir, 0, 0), 0);
	save("mode", "enforce", 0);
	assert_int_equal(chown(path_of("repgate.saved.conf"), 65534, 0), 0);
	refuse_save("it belongs to another user");
	assert_int_equal(unlink(path_of("repgate.saved.conf")), 0);
}

/* The mode and the group that the postmaster gave the file stay. */
static void check_save_keeps_mode(void **state)
{
	struct stat st;

	(void)state;
	save("mode", "enforce", 0);
	assert_int_equal(chmod(path_of("repgate.saved.conf"), 0640), 0);
	if (!geteuid())
		assert_int_equal(chown(path_of("repgate.saved.conf"), 0, 65534), 0);
	save("tag_dscp", "9", 0);
	assert_int_equal(stat(path_of("repgate.saved.conf"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	if (!geteuid())
		assert_int_equal(st.st_gid, 65534);
	assert_int_equal(unlink(path_of("repgate.saved.conf")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_zone_action), cmocka_unit_test(check_saved_actions),
		cmocka_unit_test(check_saved_file),  cmocka_unit_test(check_save_fails),
		cmocka_unit_test(check_save_links),  cmocka_unit_test(check_save_keeps_mode),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
