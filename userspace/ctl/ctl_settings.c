/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_settings.h"

#include "base/nearest.h"
#include "config/keys.h"
#include "config/secret.h"
#include "ctl/ctl_text.h"

#define INDENT 4 /* of the lines below a setting */

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

/* "" for null */
static const char *text_of(const json_t *setting, const char *field)
{
	const char *text = json_string_value(json_object_get(setting, field));

	return text ? text : "";
}

static bool is_named(const json_t *setting, const char *name)
{
	const char *set = json_string_value(json_object_get(setting, "set"));

	return !strcmp(json_string_value(json_object_get(setting, "name")), name) ||
	       (set && !strcmp(set, name));
}

/* Its name in the file, or what `set` takes, may be near to what was typed. */
static int refuse(const char *name, struct rg_error *error)
{
	json_t *settings = rg_ctl_settings(NULL, NULL), *setting;
	struct rg_nearest nearest = { .word = name };
	char hint[RG_NEAREST_TEXT];
	size_t i;
	int err;

	json_array_foreach(json_object_get(settings, "settings"), i, setting) {
		rg_nearest_try(&nearest, text_of(setting, "name"));
		rg_nearest_try(&nearest, text_of(setting, "set"));
	}
	err = rg_fail(error, -ENOENT, "no such setting: %s%s", rg_secret_quote(name),
		      nearest.best ? rg_nearest_hint(&nearest, hint) :
				     "; `repgatectl settings` names all");
	json_decref(settings);
	return err;
}

json_t *rg_ctl_settings(const char *name, struct rg_error *error)
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
	(void)refuse(name, error);
	return NULL;
}

static void print_line(FILE *to, const json_t *setting)
{
	rg_ctl_line(to, INDENT, "%-28s %-8s %s", text_of(setting, "name"),
		    text_of(setting, "effect"), text_of(setting, "default"));
	rg_ctl_line(to, INDENT, "%*s%s", INDENT, "", text_of(setting, "help"));
}

static void print_field(FILE *to, const json_t *setting, const char *title, const char *field)
{
	const char *text = text_of(setting, field);

	if (*text)
		rg_ctl_line(to, 15, "%-14s %s", title, text);
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
	fprintf(to, "%-28s %-8s %s\n", "SETTING", "EFFECT", "DEFAULT");
	json_array_foreach(settings, i, setting)
		print_line(to, setting);
}
