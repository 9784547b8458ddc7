/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entries of a setting in the manual page and in the sample file, made from its row. */
#ifndef REPGATE_TESTS_CONFIG_PAGES_H
#define REPGATE_TESTS_CONFIG_PAGES_H

#include "tests/unit/config/files.h"

#include "config/keys.h"

#include <ctype.h>

/* Appends text with the quotes that mdoc wants. */
static inline void append_mdoc(char *line, size_t size, const char *text)
{
	size_t len = strlen(line);

	for (; *text && len + 5 < size; text++)
		len += (size_t)snprintf(line + len, size - len, *text == '"' ? "\\(dq" : "%c", *text);
}

/* The entry in repgate.conf(5): ".It Ic mode", and the line with type, bounds, default and effect. */
static inline void man_entry(const struct rg_key *key, char *line, size_t size)
{
	const char *parts[16] = { "\n.It Ic ", key->name, "\n[", rg_keys_type_name(key) };
	char bounds[128];
	size_t n = 4, type_at;

	rg_keys_bounds(key, bounds, sizeof(bounds));
	parts[n++] = *bounds ? ": " : "";
	parts[n++] = bounds;
	parts[n++] = key->value ? "; default " : key->no_value ? "; default: " : "; no default";
	parts[n++] = key->value ? key->value : key->no_value ? key->no_value : "";
	parts[n++] = key->value_qil ? ", of a qil zone " : "";
	parts[n++] = key->value_qil ? key->value_qil : "";
	if (key->value_allow && *key->value_allow) {
		parts[n++] = ", of an allow zone ";
		parts[n++] = key->value_allow;
	}
	parts[n++] = "; ";
	parts[n++] = rg_keys_effect_name(key);
	parts[n++] = "]\n";
	*line = '\0';
	for (size_t i = 0; i < n; i++)
		append_mdoc(line, size, parts[i]);
	type_at = strlen("\n.It Ic ") + strlen(key->name) + strlen("\n[");
	line[type_at] = (char)toupper((unsigned char)line[type_at]);
}

/* True if the page has the entry of a row. A group has a section of its own, which names it. */
static inline bool page_has(const char *page, const struct rg_key *key)
{
	char entry[1024];

	if (key->type == RG_KEY_GROUP)
		snprintf(entry, sizeof(entry), "\nThe group\n.Ic %s\n", key->name);
	else
		man_entry(key, entry, sizeof(entry));
	return strstr(page, entry) != NULL;
}

/* The value that the sample gives a key, commented out or not. NULL: the sample does not have it. */
static inline const char *sample_value(const char *sample, const char *name, bool *commented,
				       char *value, size_t size)
{
	for (const char *line = sample; line; line = strchr(line, '\n')) {
		const char *at = line += *line == '\n', *end;
		size_t len = strlen(name);

		at += strspn(at, " \t");
		*commented = *at == '#';
		at += strspn(at, "# \t");
		if (strncmp(at, name, len) != 0 || at[len + strspn(at + len, " \t")] != '=')
			continue;
		at += len + strspn(at + len, " \t=");
		end = *at == '"' ? strchr(at + 1, '"') : at; /* ";" may be in a string */
		end = strpbrk(end, ";{\n");
		snprintf(value, size, "%.*s", (int)(end - at), at);
		return value;
	}
	return NULL;
}

#endif
