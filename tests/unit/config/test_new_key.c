/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A new setting is one row. The table is compiled here with three rows more, one of each effect, and
 * nothing else: parser, default, `set`, saved settings, restart, freeing, `repgatectl settings` (from
 * which completion comes) know them, and the checks of the pages miss them.
 *
 * Their values lie in metrics_address, which nobody fills in if metrics_listen is "".
 */
#define SCRATCH(at) (offsetof(struct rg_conf, metrics_address) + (at))
#define RG_KEYS_MORE                           \
	{ .name = "new_number",                \
	  .type = RG_KEY_NUMBER,               \
	  .offset = SCRATCH(0),                \
	  .min = 1,                            \
	  .max = 9,                            \
	  .value = "7",                        \
	  .effect = RG_KEY_AT_ONCE,            \
	  .help = "a number" },                \
		{ .name = "new_path",          \
		  .type = RG_KEY_PATH,         \
		  .offset = SCRATCH(8),        \
		  .value = "\"/new\"",         \
		  .effect = RG_KEY_AT_RESTART, \
		  .help = "a path" },          \
		{ .name = "new_time",          \
		  .type = RG_KEY_TIME,         \
		  .offset = SCRATCH(16),       \
		  .max = 1000,                 \
		  .value = "\"1ms\"",          \
		  .effect = RG_KEY_AT_RELOAD,  \
		  .help = "a time" },

#include "config/keys.c" /* NOLINT: with the rows above; it takes the place of the library's */
#include "ctl/ctl_settings.c" /* NOLINT: not in the library */

#include "tests/unit/config/pages.h"

#define START IF "metrics_listen = \"\";\n"

static uint32_t number_of(const struct rg_conf *conf)
{
	return *(const uint32_t *)((const char *)conf + SCRATCH(0));
}

static const char *path_in(const struct rg_conf *conf)
{
	return *(char *const *)((const char *)conf + SCRATCH(8));
}

static void check_parser(void **state)
{
	struct rg_conf *conf = loaded(START);
	struct rg_error error;

	(void)state;
	assert_int_equal(number_of(conf), 7);
	assert_string_equal(path_in(conf), "/new");
	rg_conf_unref(conf);
	conf = loaded(START "new_number = 9; new_path = \"/other\"; new_time = \"1s\";\n");
	assert_int_equal(number_of(conf), 9);
	assert_string_equal(path_in(conf), "/other");
	rg_conf_unref(conf);
	assert_int_equal(load(START "new_number = 10;\n", &conf, &error), -EINVAL);
	assert_non_null(
		strstr(error.text, "repgate.conf:3: new_number = 10 is out of bounds: 1 to 9"));
}

static void check_set(void **state)
{
	struct rg_conf *conf = loaded(START);
	struct rg_error error;

	(void)state;
	assert_int_equal(rg_live_set(conf, "new_number", "8", &error), 0);
	assert_int_equal(number_of(conf), 8);
	assert_int_equal(rg_live_set(conf, "new_number", "10", &error), -EINVAL);
	assert_int_equal(rg_live_set(conf, "new_path", "/x", &error), -EINVAL);
	assert_non_null(strstr(error.text, "needs a restart"));
	assert_int_equal(rg_live_set(conf, "new_time", "2ms", &error), -EINVAL);
	assert_non_null(strstr(error.text, "reload"));
	assert_int_equal(rg_live_save(conf->path, "new_number", "8", NULL, 0, &error), 0);
	rg_conf_unref(conf);
	conf = loaded(START);
	assert_int_equal(number_of(conf), 8);
	rg_conf_unref(conf);
	assert_int_equal(unlink(path_of("repgate.saved.conf")), 0);
}

static void check_restart(void **state)
{
	struct rg_conf *old = loaded(START);
	struct rg_conf *fresh = loaded(START "new_number = 9; new_time = \"1s\";\n");

	(void)state;
	assert_null(rg_conf_needs_restart(old, fresh));
	rg_conf_unref(fresh);
	fresh = loaded(START "new_path = \"/other\";\n");
	assert_string_equal(rg_conf_needs_restart(old, fresh), "new_path");
	rg_conf_unref(fresh);
	rg_conf_unref(old);
}

static const char *field(const json_t *result, const char *name)
{
	return text_of(json_array_get(json_object_get(result, "settings"), 0), name);
}

static void check_settings(void **state)
{
	json_t *result = rg_ctl_settings("new_number", NULL);

	(void)state;
	assert_non_null(result);
	assert_string_equal(field(result, "set"), "new_number");
	assert_string_equal(field(result, "bounds"), "1 to 9");
	assert_string_equal(field(result, "default"), "7");
	rg_ctl_settings_print(stderr, result);
	json_decref(result);
	result = rg_ctl_settings("new_path", NULL);
	assert_string_equal(field(result, "set"), "");
	assert_string_equal(field(result, "effect"), "restart");
	json_decref(result);
	assert_null(rg_ctl_settings("newer_number", NULL));
	result = rg_ctl_settings(NULL, NULL);
	rg_ctl_settings_print(stderr, result);
	json_decref(result);
}

/* test_keys fails for a row that the pages do not have, and prints what to add. */
static void check_pages(void **state)
{
	const struct rg_key *key = rg_keys_find(&rg_keys_top, "new_number");
	char *page = read_whole("man/repgate.conf.5"), *more, entry[200], value[80];
	bool commented = false;

	(void)state;
	assert_false(page_has(page, key));
	man_entry(key, entry, sizeof(entry));
	assert_string_equal(entry, "\n.It Ic new_number\n[Number: 1 to 9; default 7; set]\n");
	assert_true(asprintf(&more, "%s%s", page, entry) > 0);
	assert_true(page_has(more, key));
	free(more);
	free(page);
	page = read_whole("dist/repgate.conf");
	assert_null(sample_value(page, "new_number", &commented, value, sizeof(value)));
	assert_string_equal(sample_value("a = 1;\n\t#new_number  = 7;    # text\n", "new_number",
					 &commented, value, sizeof(value)),
			    "7");
	assert_true(commented);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_parser),	 cmocka_unit_test(check_set),
		cmocka_unit_test(check_restart), cmocka_unit_test(check_settings),
		cmocka_unit_test(check_pages),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
