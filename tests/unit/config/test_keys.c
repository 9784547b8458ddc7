/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each row of the table of settings, in everything that must follow from it: parser, default, `set`,
 * saved settings, restart, manual page, sample file, `repgatectl settings`, shell completion.
 */
#include "tests/unit/config/pages.h"

#include <jansson.h>

#define MAN_PAGE "man/repgate.conf.5"
#define SAMPLE "dist/repgate.conf"

/* ------------------------------------------------------------------ values for a row */

static bool is_quoted(const struct rg_key *key)
{
	return key->type != RG_KEY_BOOL && key->type != RG_KEY_NUMBER &&
	       key->type != RG_KEY_STRINGS && key->type != RG_KEY_NUMBERS &&
	       key->type != RG_KEY_GROUP;
}

static const struct rg_word *words_of(const struct rg_key *key)
{
	return key->type == RG_KEY_ACTION ? rg_keys_actions(key->peer_class) : key->words;
}

static const char *other_word(const struct rg_key *key)
{
	for (const struct rg_word *word = words_of(key); word->word; word++)
		if (!key->value || !strstr(key->value, word->word))
			return word->word;
	fail_msg("%s has one word only", key->name);
	return NULL;
}

/* A number or a time beside the default and within the bounds, without quotes. */
static void other_number(const struct rg_key *key, char *text, size_t size)
{
	bool is_number = key->type == RG_KEY_NUMBER;
	uint64_t step = key->type == RG_KEY_SECONDS ? 1000 : 1, value;
	char unquoted[64];

	assert_int_equal(sscanf(key->value, is_number ? "%63[0-9]" : "\"%63[^\"]", unquoted), 1);
	if (is_number)
		value = strtoull(unquoted, NULL, 10);
	else
		assert_int_equal(rg_value_parse_time(unquoted, &value), 0);
	value = value + step <= key->max ? value + step : value - step;
	snprintf(text, size, is_number ? "%llu" : "%llums", (unsigned long long)value);
}

/* Another good value than the default, without quotes. */
static void other_value(const struct rg_key *key, char *text, size_t size)
{
	switch (key->type) {
	case RG_KEY_STRING:
		snprintf(text, size, "%s", !strcmp(key->name, "suffix") ? "c.d" : "127.0.0.3:9");
		break;
	case RG_KEY_REPLY:
		snprintf(text, size, "%s",
			 !strncmp(key->name, "qil", 3) ? "450 4.7.1 other" : "550 5.7.1 other");
		break;
	case RG_KEY_PATH:
		snprintf(text, size, "%s/other", dir);
		break;
	case RG_KEY_BOOL:
		snprintf(text, size, "%s", !strcmp(key->value, "true") ? "false" : "true");
		break;
	case RG_KEY_NUMBER:
	case RG_KEY_SECONDS:
	case RG_KEY_TIME:
		other_number(key, text, size);
		break;
	case RG_KEY_WORD:
	case RG_KEY_ACTION:
		snprintf(text, size, "%s", other_word(key));
		break;
	case RG_KEY_RATE:
		snprintf(text, size, "61/h burst 6");
		break;
	case RG_KEY_STRINGS:
		snprintf(text, size, "[ \"%s\" ]", !strcmp(key->name, "codes") ? "127.0.0.9" : "rbl");
		break;
	default:
		snprintf(text, size, "[ 26 ]");
	}
}

/* A configuration in which a row of this section has this value, as written in the file. */
static const char *conf_with(const struct rg_key_section *section, const struct rg_key *key,
			     const char *value)
{
	static char text[2000];
	bool is_suffix = !strcmp(key->name, "suffix"), is_kind = !strcmp(key->name, "kind");
	bool is_code = !strcmp(key->name, "activation_code_file");

	if (section == &rg_keys_top)
		snprintf(text, sizeof(text), "%s%s = %s;\n",
			 strcmp(key->name, "interfaces") != 0 ? IF : "\n", key->name, value);
	else if (section == &rg_keys_ers)
		snprintf(text, sizeof(text), IF "ers = { %s = %s; %s%s%s };\n", key->name, value,
			 is_code ? "" : "activation_code_file = \"", is_code ? "" : dir,
			 is_code ? "" : "/other\";");
	else
		snprintf(text, sizeof(text), IF "zones = { x = { %s = %s; %s %s }; };\n", key->name,
			 value, is_suffix ? "" : "suffix = \"a.b\";",
			 is_kind ? "" : "kind = \"standard\";");
	return text;
}

static const char *conf_with_other(const struct rg_key_section *section, const struct rg_key *key)
{
	char value[200], quoted[210];

	other_value(key, value, sizeof(value));
	snprintf(quoted, sizeof(quoted), is_quoted(key) ? "\"%s\"" : "%s", value);
	return conf_with(section, key, quoted);
}

static bool has_member(const struct rg_key *key)
{
	return key->same || (key->type != RG_KEY_STRINGS && key->type != RG_KEY_NUMBERS &&
			     key->type != RG_KEY_GROUP);
}

/* Calls check for each row. */
static void each_row(void (*check)(const struct rg_key_section *section, const struct rg_key *key))
{
	for (size_t i = 0; i < RG_KEYS_SECTIONS; i++)
		for (size_t k = 0; k < rg_keys_sections[i]->count; k++)
			check(rg_keys_sections[i], &rg_keys_sections[i]->keys[k]);
}

/* ------------------------------------------------------------------ the table itself */

static void check_row(const struct rg_key_section *section, const struct rg_key *key)
{
	assert_non_null(key->help);
	assert_true(strlen(key->help) < 80);
	assert_ptr_equal(rg_keys_find(section, key->name), key); /* no name twice */
	/* What can't be compared can't need a restart. */
	if (key->effect == RG_KEY_AT_RESTART && !has_member(key))
		fail_msg("%s needs a restart, and has no `same`", key->name);
	/* set_class_action() knows actions only, rg_zones_set_action() one key only. */
	if (key->effect == RG_KEY_AT_ONCE && section != &rg_keys_top)
		assert_int_equal(key->type, RG_KEY_ACTION);
	/* A value that `set` can write down without quotes and brackets. */
	if (key->effect == RG_KEY_AT_ONCE)
		assert_true(is_quoted(key) || key->type == RG_KEY_NUMBER || key->type == RG_KEY_BOOL);
	if (key->type == RG_KEY_WORD)
		assert_non_null(key->words);
	if (key->type == RG_KEY_GROUP)
		assert_non_null(key->read);
}

static void check_table(void **state)
{
	(void)state;
	each_row(check_row);
}

/* ------------------------------------------------------------------ the parser */

static void refuse(const struct rg_key_section *section, const struct rg_key *key, const char *value)
{
	struct rg_error error = {};
	struct rg_conf *conf;

	if (!load(conf_with(section, key, value), &conf, &error))
		fail_msg("%s = %s was accepted", key->name, value);
	if (!strstr(error.text, "repgate.conf:2: ") || !strstr(error.text, key->name))
		fail_msg("%s = %s: \"%s\"", key->name, value, error.text);
}

static void refuse_bounds(const struct rg_key_section *section, const struct rg_key *key)
{
	bool is_time = key->type != RG_KEY_NUMBER;
	char value[64];

	snprintf(value, sizeof(value), is_time ? "\"%llus\"" : "%llu",
		 (unsigned long long)(is_time ? key->max / 1000 + 1 : key->max + 1));
	refuse(section, key, value);
	if (!key->min)
		return;
	snprintf(value, sizeof(value), is_time ? "\"%llums\"" : "%llu",
		 (unsigned long long)key->min - 1);
	refuse(section, key, value);
}

static void check_bad_value(const struct rg_key_section *section, const struct rg_key *key)
{
	refuse(section, key, is_quoted(key) || key->type == RG_KEY_GROUP ? "17" : "{ }");
	refuse(section, key, "1.5");
	if (key->type == RG_KEY_NUMBER || key->type == RG_KEY_SECONDS || key->type == RG_KEY_TIME)
		refuse_bounds(section, key);
	if (key->type == RG_KEY_SECONDS)
		refuse(section, key, "\"1500ms\"");
	if (key->type == RG_KEY_WORD || key->type == RG_KEY_ACTION || key->type == RG_KEY_RATE)
		refuse(section, key, "\"nonsense\"");
	if (key->type == RG_KEY_PATH)
		refuse(section, key, "\"not/absolute\"");
	if (key->type == RG_KEY_STRING && strcmp(key->name, "suffix") != 0)
		refuse(section, key, "\"a\\nb\"");
	if (key->type == RG_KEY_PATH || key->type == RG_KEY_REPLY)
		refuse(section, key, "\"/a\\tb\"");
}

static void check_good_value(const struct rg_key_section *section, const struct rg_key *key)
{
	struct rg_conf *conf, *by_default;

	if (key->type == RG_KEY_GROUP)
		return;
	conf = loaded(conf_with_other(section, key));
	by_default = loaded(IF);
	if (section == &rg_keys_top && has_member(key))
		assert_false(rg_keys_same(key, conf, by_default));
	rg_conf_unref(conf);
	/* A default that is written out changes nothing. */
	if (section == &rg_keys_top && key->value) {
		conf = loaded(conf_with(section, key, key->value));
		for (size_t i = 0; i < rg_keys_top.count; i++)
			assert_true(rg_keys_same(&rg_keys_top.keys[i], conf, by_default));
		rg_conf_unref(conf);
	}
	rg_conf_unref(by_default);
}

static void check_parser(void **state)
{
	(void)state;
	write_file("other", CODE);
	each_row(check_bad_value);
	each_row(check_good_value);
}

/* ------------------------------------------------------------------ set, saved settings, restart */

/* Sets a top-level key. What that says must be what a file with the value says. */
static void set_top(const struct rg_key *key, const char *value)
{
	struct rg_conf *conf = loaded(IF), *before = loaded(IF);
	struct rg_conf *file = loaded(conf_with_other(&rg_keys_top, key)), *saved;
	struct rg_error error;

	if (rg_live_set(conf, key->name, value, &error))
		fail_msg("%s", error.text);
	for (size_t i = 0; i < rg_keys_top.count; i++)
		assert_true(rg_keys_same(&rg_keys_top.keys[i], conf, file));
	assert_int_equal(rg_live_set(conf, key->name, "non sense", &error), -EINVAL);
	assert_non_null(strstr(error.text, key->name));
	assert_true(rg_keys_same(key, conf, file));
	assert_int_equal(rg_live_save(path_of("repgate.conf"), key->name, value, NULL, 0, &error), 0);
	saved = loaded(IF);
	assert_true(rg_keys_same(key, saved, file));
	assert_int_equal(unlink(path_of("repgate.saved.conf")), 0);
	rg_conf_unref(saved);
	rg_conf_unref(file);
	rg_conf_unref(before);
	rg_conf_unref(conf);
}

static void refuse_set(const char *name, const char *value, const char *words)
{
	struct rg_conf *conf = loaded(IF ZONES), *before = loaded(IF ZONES);
	struct rg_error error;

	assert_int_equal(rg_live_set(conf, name, value, &error), -EINVAL);
	if (!strstr(error.text, name) || !strstr(error.text, words))
		fail_msg("set %s: \"%s\"", name, error.text);
	for (size_t i = 0; i < rg_keys_top.count; i++)
		assert_true(rg_keys_same(&rg_keys_top.keys[i], conf, before));
	rg_conf_unref(before);
	rg_conf_unref(conf);
}

/* The action of all zones of the row's class, and of no other. */
static void set_class(const struct rg_key *key, const char *value)
{
	struct rg_conf *conf = loaded(IF ZONES), *before = loaded(IF ZONES);
	struct rg_error error;

	assert_int_equal(rg_live_set(conf, key->name, value, &error), 0);
	for (unsigned int i = 0; i < conf->zone_count; i++)
		assert_int_equal(conf->zones[i].action != before->zones[i].action,
				 conf->zones[i].peer_class == key->peer_class);
	assert_int_equal(rg_live_set(conf, key->name, "nonsense", &error), -EINVAL);
	rg_conf_unref(before);
	rg_conf_unref(conf);
}

static void check_set_row(const struct rg_key_section *section, const struct rg_key *key)
{
	char value[200], name[80];

	other_value(key, value, sizeof(value));
	if (section == &rg_keys_zone) {
		snprintf(name, sizeof(name), "b.%s", key->name);
		if (key->effect != RG_KEY_AT_ONCE)
			refuse_set(name, value, "not a setting's name");
		return; /* test_live has ALIAS.action */
	}
	assert_int_equal(rg_keys_find_live(key->name) != NULL, key->effect == RG_KEY_AT_ONCE);
	if (key->effect == RG_KEY_AT_RELOAD)
		refuse_set(key->name, value, "change the file and reload");
	else if (key->effect == RG_KEY_AT_RESTART)
		refuse_set(key->name, value, "needs a restart");
	else if (section == &rg_keys_top)
		set_top(key, value);
	else
		set_class(key, value);
}

static void check_set(void **state)
{
	(void)state;
	each_row(check_set_row);
	refuse_set("nonsense", "1", "unknown key");
}

static void check_restart(void **state)
{
	struct rg_conf *old = loaded(IF), *fresh;

	(void)state;
	assert_null(rg_conf_needs_restart(old, old));
	for (size_t i = 0; i < rg_keys_top.count; i++) {
		const struct rg_key *key = &rg_keys_top.keys[i];
		const char *changed;

		if (key->type == RG_KEY_GROUP)
			continue;
		fresh = loaded(conf_with_other(&rg_keys_top, key));
		changed = rg_conf_needs_restart(old, fresh);
		if (key->effect != RG_KEY_AT_RESTART)
			assert_null(changed);
		else
			assert_string_equal(changed, key->name);
		rg_conf_unref(fresh);
	}
	rg_conf_unref(old);
}

/* ------------------------------------------------------------------ pages and programs */

static char *page;

static void check_in_page(const struct rg_key_section *section, const struct rg_key *key)
{
	char entry[1024];

	(void)section;
	if (page_has(page, key))
		return;
	man_entry(key, entry, sizeof(entry));
	fail_msg("%s lacks, or has otherwise:%s", MAN_PAGE, entry);
}

static void check_man(void **state)
{
	(void)state;
	page = read_whole(MAN_PAGE);
	each_row(check_in_page);
	free(page);
}

/*
 * Commented out, a key shows its default. The others, and those of the example zone, only have to be
 * there.
 */
static void check_in_sample(const struct rg_key_section *section, const struct rg_key *key)
{
	bool commented = false;
	char value[300];

	if (!sample_value(page, key->name, &commented, value, sizeof(value)))
		fail_msg(SAMPLE " lacks %s", key->name);
	if (commented && key->value && section != &rg_keys_zone)
		assert_string_equal(value, key->value);
}

static void check_sample(void **state)
{
	static const char at_path[] = "/etc/repgate/activation-code\"";
	struct rg_conf *conf;
	char *code, *text;

	(void)state;
	page = read_whole(SAMPLE);
	each_row(check_in_sample);
	/* As it is installed, with the code elsewhere. */
	write_file("code", CODE);
	code = strstr(page, at_path);
	assert_non_null(code);
	assert_true(asprintf(&text, "%.*s%s/code%s", (int)(code - page), page, dir,
			     code + strlen(at_path) - 1) > 0);
	conf = loaded(text);
	assert_int_equal(conf->zone_count, 2);
	assert_string_equal(conf->warnings, "");
	rg_conf_unref(conf);
	free(text);
	free(page);
}

/* The output of a command that finds repgatectl of this build, which the caller frees. */
static char *output_of(const char *command)
{
	const char *build = getenv("BUILD");
	char *line = NULL, *text = NULL;
	size_t size = 0;
	FILE *pipe;

	assert_true(asprintf(&line, "PATH=\"$PWD/%s:$PATH\"; %s", build ? build : ".build",
			     command) > 0);
	pipe = popen(line, "r");
	assert_non_null(pipe);
	if (getdelim(&text, &size, '\0', pipe) < 0)
		fail_msg("%s prints nothing", line);
	assert_int_equal(pclose(pipe), 0);
	free(line);
	return text;
}

static const json_t *printed;

static void check_printed(const struct rg_key_section *section, const struct rg_key *key)
{
	const json_t *settings = json_object_get(printed, "settings");
	const json_t *setting = NULL;
	char name[80];
	size_t i;

	snprintf(name, sizeof(name), "%s%s%s", section->name, *section->name ? "." : "", key->name);
	json_array_foreach(settings, i, setting)
		if (!strcmp(json_string_value(json_object_get(setting, "name")), name))
			break;
	assert_true(i < json_array_size(settings));
	assert_string_equal(json_string_value(json_object_get(setting, "effect")),
			    rg_keys_effect_name(key));
	assert_string_equal(json_string_value(json_object_get(setting, "type")),
			    rg_keys_type_name(key));
	assert_string_equal(json_string_value(json_object_get(setting, "help")), key->help);
	assert_int_equal(json_is_string(json_object_get(setting, "set")),
			 key->effect == RG_KEY_AT_ONCE);
	if (key->value)
		assert_string_equal(json_string_value(json_object_get(setting, "default")),
				    key->value);
}

static void check_settings(void **state)
{
	char *text = output_of("repgatectl --json settings");
	json_t *json = json_loads(text, 0, NULL);

	(void)state;
	assert_non_null(json);
	printed = json;
	each_row(check_printed);
	json_decref(json);
	free(text);
	text = output_of("repgatectl settings qil_action");
	assert_non_null(strstr(text, "tempfail, throttle, drop, reset, tag"));
	assert_non_null(strstr(text, "at once"));
	free(text);
	text = output_of("! repgatectl settings nonsense 2>&1");
	assert_non_null(strstr(text, "no such setting: nonsense"));
	free(text);
}

/* What bash offers after these words, between blanks. */
static char *completed(const char *words)
{
	char command[400];

	snprintf(command, sizeof(command),
		 "bash -c '. dist/repgatectl.bash; COMP_WORDS=(repgatectl %s \"\"); "
		 "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _repgatectl; echo \" ${COMPREPLY[*]} \"'",
		 words);
	return output_of(command);
}

static void check_completed_words(const struct rg_key *key)
{
	char words[80], one[80], *offered;
	size_t count = 0;

	snprintf(words, sizeof(words), "set %s", key->name);
	offered = completed(words);
	for (const struct rg_word *word = words_of(key); word->word; word++, count++) {
		snprintf(one, sizeof(one), " %s ", word->word);
		if (!strstr(offered, one))
			fail_msg("completion of set %s lacks %s", key->name, word->word);
	}
	for (const char *c = offered; *c; c++)
		count -= *c == ' ';
	assert_int_equal(count, (size_t)-1); /* no other */
	free(offered);
}

static char *offered_keys;

static void check_completed_key(const struct rg_key_section *section, const struct rg_key *key)
{
	char name[80];

	snprintf(name, sizeof(name), " %s ", key->name);
	if (section == &rg_keys_zone)
		return; /* aliases come from a running agent */
	assert_int_equal(strstr(offered_keys, name) != NULL, key->effect == RG_KEY_AT_ONCE);
	if (key->effect == RG_KEY_AT_ONCE && words_of(key))
		check_completed_words(key);
}

static void check_completion(void **state)
{
	(void)state;
	offered_keys = completed("set");
	each_row(check_completed_key);
	free(offered_keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_table),	  cmocka_unit_test(check_parser),
		cmocka_unit_test(check_set),	  cmocka_unit_test(check_restart),
		cmocka_unit_test(check_man),	  cmocka_unit_test(check_sample),
		cmocka_unit_test(check_settings), cmocka_unit_test(check_completion),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
