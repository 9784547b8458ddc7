/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/restart.h"

const struct rg_key *rg_restart_key(size_t index)
{
	for (size_t i = 0; i < rg_keys_top.count; i++)
		if (rg_keys_top.keys[i].effect == RG_KEY_AT_RESTART && !index--)
			return &rg_keys_top.keys[i];
	return NULL;
}

static const char *word_of(const struct rg_word *words, unsigned int value)
{
	for (; words && words->word; words++)
		if (words->value == value)
			return words->word;
	return "";
}

static void join_interfaces(const struct rg_conf *conf, char *text, size_t size)
{
	size_t len = 0;

	*text = '\0';
	for (unsigned int i = 0; i < conf->interface_count && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", i ? " " : "",
					conf->interfaces[i]);
}

const char *rg_restart_text(const struct rg_key *key, const struct rg_conf *conf, char *text,
			    size_t size)
{
	const void *value = (const char *)conf + key->offset;
	const char *string;

	switch (key->type) {
	case RG_KEY_STRINGS: /* no other row is one */
		join_interfaces(conf, text, size);
		break;
	case RG_KEY_STRING:
	case RG_KEY_PATH:
	case RG_KEY_REPLY:
		string = *(char *const *)value;
		snprintf(text, size, "%s", string ? string : "");
		break;
	case RG_KEY_BOOL:
		snprintf(text, size, "%s", *(const bool *)value ? "true" : "false");
		break;
	case RG_KEY_WORD:
		snprintf(text, size, "%s", word_of(key->words, *(const unsigned int *)value));
		break;
	default: /* numbers and times */
		snprintf(text, size, "%u", *(const uint32_t *)value);
		break;
	}
	return text;
}
