/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_settings.h"

#include "config/keys.h"

#define DEFAULT_WIDTH 26 /* columns; a longer default is cut in the list */

static json_t *string_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

/* "mode", "ers.lists", "zones.ALIAS.suffix" */
static void full_name(const struct rg_key_section *section, const struct rg_key *key, char *text,
		      size_t size)
{
	snprintf(text, size, "%s%s%s", section->name, *section->name ? "." : "", key->name);
}

/* What `repgatectl set` takes: "mode", "standard_action", "ALIAS.action"; "" if it can't set the key. */
static void set_name(const struct rg_key_section *section, const struct rg_key *key, char *text,
		     size_t size)
{
	snprintf(text, size, "%s%s", section == &rg_keys_zone ? "ALIAS." : "", key->name);
	if (key->effect != RG_KEY_AT_ONCE)
		*text = '\0';
}

static json_t *words_of(const struct rg_key *key)
{
	const struct rg_word *words = key->words;
	json_t *array;

	if (key->type == RG_KEY_ACTION && key->peer_class != RG_CLASS_NONE)
		words = rg_keys_actions(key->peer_class);
	if (!words)
		return json_null();
	array = json_array();
	for (; words->word; words++)
		json_array_append_new(array, json_string(words->word));
	return array;
}

static json_t *describe(const struct rg_key_section *section, const struct rg_key *key)
{
	char name[64], set[64], bounds[128];

	full_name(section, key, name, sizeof(name));
	set_name(section, key, set, sizeof(set));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:s, s:o, s:s}", "name", name,
			 "type", rg_keys_type_name(key), "default", string_or_null(key->value),
			 "default_qil", string_or_null(key->value_qil), "default_allow",
			 string_or_null(key->value_allow), "no_default",
			 string_or_null(key->no_value), "bounds",
			 rg_keys_bounds(key, bounds, sizeof(bounds)), "words", words_of(key),
			 "effect", rg_keys_effect_name(key), "set",
			 string_or_null(*set ? set : NULL), "help", key->help);
}

static bool is_named(const json_t *setting, const char *name)
{
	const char *set = json_string_value(json_object_get(setting, "set"));

	return !strcmp(json_string_value(json_object_get(setting, "name")), name) ||
	       (set && !strcmp(set, name));
}

json_t *rg_ctl_settings(const char *name)
{
	json_t *settings = json_array();

	for (size_t i = 0; i < RG_KEYS_SECTIONS; i++) {
		const struct rg_key_section *section = rg_keys_sections[i];

		for (size_t k = 0; k < section->count; k++) {
			json_t *setting = describe(section, &section->keys[k]);

			if (!name || is_named(setting, name))
				json_array_append(settings, setting);
			json_decref(setting);
		}
	}
	if (json_array_size(settings))
		return json_pack("{s:o}", "settings", settings);
	json_decref(settings);
	return NULL;
}

/* "" for null */
static const char *text_of(const json_t *setting, const char *field)
{
	const char *text = json_string_value(json_object_get(setting, field));

	return text ? text : "";
}

static void print_line(FILE *to, const json_t *setting)
{
	const char *value = text_of(setting, "default");
	bool cut = strlen(value) > DEFAULT_WIDTH;

	fprintf(to, "%-28s %-8s %.*s%-*s %s\n", text_of(setting, "name"),
		text_of(setting, "effect"), cut ? DEFAULT_WIDTH - 3 : DEFAULT_WIDTH, value,
		cut ? 3 : DEFAULT_WIDTH - (int)strlen(value), cut ? "..." : "",
		text_of(setting, "help"));
}

static void print_field(FILE *to, const json_t *setting, const char *title, const char *field)
{
	const char *text = text_of(setting, field);

	if (*text)
		fprintf(to, "%-14s %s\n", title, text);
}

static void print_one(FILE *to, const json_t *setting)
{
	const char *effect = text_of(setting, "effect");

	print_field(to, setting, "setting", "name");
	print_field(to, setting, "meaning", "help");
	print_field(to, setting, "type", "type");
	print_field(to, setting, "values", "bounds");
	print_field(to, setting, "default", "default");
	print_field(to, setting, "default", "no_default");
	print_field(to, setting, "qil zones", "default_qil");
	print_field(to, setting, "allow zones", "default_allow");
	fprintf(to, "%-14s %s\n", "takes effect",
		!strcmp(effect, "set")	  ? "at once, by `repgatectl set`" :
		!strcmp(effect, "reload") ? "at a reload" :
					    "at a restart");
	print_field(to, setting, "set", "set");
}

void rg_ctl_settings_print(FILE *to, const json_t *result)
{
	const json_t *settings = json_object_get(result, "settings");
	const json_t *setting;
	size_t i;

	if (json_array_size(settings) == 1) {
		print_one(to, json_array_get(settings, 0));
		return;
	}
	fprintf(to, "%-28s %-8s %-*s %s\n", "setting", "effect", DEFAULT_WIDTH, "default", "meaning");
	json_array_foreach(settings, i, setting)
		print_line(to, setting);
}
