/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_answer.h"

#include "base/util.h"

/* Replaces ASCII's control characters and those of ISO 6429 in UTF-8 (U+0080 to U+009F). */
static bool clean_text(char *text, size_t len)
{
	bool changed = false;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool c1 = c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0;

		if (c >= ' ' && c != 0x7f && !c1)
			continue;
		text[i] = '?';
		if (c1)
			text[++i] = '?';
		changed = true;
	}
	return changed;
}

static void clean_string(json_t *string)
{
	size_t len = json_string_length(string);
	RG_CLEANUP_FREE char *text = malloc(len + 1);

	if (!text)
		abort(); /* never print what was not looked at */
	memcpy(text, json_string_value(string), len + 1);
	if (clean_text(text, len))
		(void)json_string_setn(string, text, len);
}

static void clean(json_t *value);

static void clean_object(json_t *object)
{
	const char *name;
	json_t *member;
	void *next;

	json_object_foreach_safe(object, next, name, member)
	{
		RG_CLEANUP_FREE char *copy = strdup(name);

		if (!copy)
			abort();
		if (clean_text(copy, strlen(copy)))
			json_object_del(object, name); /* the agent has no such names */
		else
			clean(member);
	}
}

/* The depth is bounded by jansson (2048). */
static void clean(json_t *value)
{
	size_t i;
	json_t *element;

	if (json_is_string(value)) {
		clean_string(value);
	} else if (json_is_object(value)) {
		clean_object(value);
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, element)
			clean(element);
	}
}

json_t *rg_ctl_answer_read(FILE *from)
{
	RG_CLEANUP_FREE char *line = NULL;
	size_t len = 0, size = 0;
	json_t *answer;
	int c;

	while ((c = getc_unlocked(from)) != EOF && c != '\n' && len < RG_CTL_MAX_ANSWER) {
		if (len == size) {
			char *more = realloc(line, size = size ? 2 * size : 4096);

			if (!more)
				return NULL;
			line = more;
		}
		line[len++] = (char)c;
	}
	if (c != '\n' || !len)
		return NULL;
	answer = json_loadb(line, len, 0, NULL);
	clean(answer);
	return answer;
}
