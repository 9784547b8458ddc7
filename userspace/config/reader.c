/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/reader.h"

#include "base/names.h"
#include "base/nearest.h"

#include <ctype.h>
#include <limits.h>

/* "file:line: ", or the path alone if the position of the node is not known. */
static size_t put_position(const struct rg_reader *reader, const struct rg_node *node, char *text,
			   size_t size)
{
	const char *file = node ? rg_node_file(node) : NULL;
	unsigned int line = node ? rg_node_line(node) : 0;
	int len;

	if (!file)
		file = reader->conf->path;
	if (line)
		len = snprintf(text, size, "%s:%u: ", file, line);
	else
		len = snprintf(text, size, "%s: ", file);
	return (size_t)len < size ? (size_t)len : size - 1;
}

int rg_reader_refuse(struct rg_reader *reader, const struct rg_node *node, const char *format, ...)
{
	size_t size = sizeof(reader->error->text), len = 0;
	char *text = reader->error->text;
	va_list args;

	if (!reader->live)
		len = put_position(reader, node, text, size);
	va_start(args, format);
	vsnprintf(text + len, size - len, format, args);
	va_end(args);
	rg_one_line(text);
	return -EINVAL;
}

int rg_reader_expect(struct rg_reader *reader, const struct rg_node *node, enum rg_node_type type)
{
	enum rg_node_type is = rg_node_type(node);

	if (is == type)
		return 0;
	return rg_reader_refuse(reader, node, "%s must be %s, not %s", rg_node_name(node),
				rg_node_type_name(type), rg_node_type_name(is));
}

/* ------------------------------------------------------------------ by type */

static int check_length(struct rg_reader *reader, const struct rg_key *key,
			const struct rg_node *node, const char *text)
{
	size_t len = strlen(text);

	if (!key->max || (len >= key->min && len <= key->max))
		return 0;
	return rg_reader_refuse(reader, node, "%s must have %llu to %llu characters", key->name,
				(unsigned long long)key->min, (unsigned long long)key->max);
}

int rg_reader_string(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		     const char **text)
{
	int err = rg_reader_expect(reader, node, RG_NODE_STRING);

	if (err)
		return err;
	*text = rg_node_text(node);
	for (const char *c = *text; *c; c++)
		if (iscntrl((unsigned char)*c) && (*c != '\n' || key->type != RG_KEY_REPLY))
			return rg_reader_refuse(reader, node, "%s contains a control character",
						key->name);
	if (key->type == RG_KEY_PATH && (**text != '/' || strlen(*text) >= PATH_MAX))
		return rg_reader_refuse(reader, node, "%s = \"%s\" is not an absolute path",
					key->name, *text);
	return key->type == RG_KEY_STRING ? check_length(reader, key, node, *text) : 0;
}

static int read_copy(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		     char **value)
{
	const char *text;
	int err = rg_reader_string(reader, key, node, &text);

	if (err)
		return err;
	free(*value);
	*value = strdup(text);
	return *value ? 0 : rg_reader_refuse(reader, node, "out of memory");
}

static int read_bool(struct rg_reader *reader, const struct rg_node *node, bool *value)
{
	int err = rg_reader_expect(reader, node, RG_NODE_BOOL);

	if (!err)
		*value = rg_node_bool(node);
	return err;
}

static int read_number(struct rg_reader *reader, const struct rg_key *key,
		       const struct rg_node *node, uint32_t *value)
{
	int err = rg_reader_expect(reader, node, RG_NODE_NUMBER);
	long long number;

	if (err)
		return err;
	number = rg_node_number(node);
	if (number < (long long)key->min || number > (long long)key->max)
		return rg_reader_refuse(reader, node, "%s = %lld is out of bounds: %llu to %llu",
					key->name, number, (unsigned long long)key->min,
					(unsigned long long)key->max);
	*value = (uint32_t)number;
	return 0;
}

static int read_time(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		     uint32_t *value)
{
	char min[RG_VALUE_TIME_SIZE], max[RG_VALUE_TIME_SIZE];
	const char *text = rg_node_text(node);
	uint64_t ms;

	if (!text)
		return rg_reader_refuse(reader, node,
					"%s must be a time with its unit, as in \"10m\"", key->name);
	if (rg_value_parse_time(text, &ms))
		return rg_reader_refuse(reader, node,
					"%s = \"%s\" is no time: a whole number and ms, s, m, h or d",
					key->name, text);
	if (ms < key->min || ms > key->max)
		return rg_reader_refuse(reader, node, "%s = \"%s\" is out of bounds: %s to %s",
					key->name, text, rg_value_format_time(key->min, min),
					rg_value_format_time(key->max, max));
	if (key->type == RG_KEY_TIME) {
		*value = (uint32_t)ms;
		return 0;
	}
	if (ms % RG_VALUE_SECOND)
		return rg_reader_refuse(reader, node, "%s = \"%s\" must be whole seconds",
					key->name, text);
	*value = (uint32_t)(ms / RG_VALUE_SECOND);
	return 0;
}

int rg_reader_word(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		   unsigned int *value)
{
	int err = rg_reader_expect(reader, node, RG_NODE_STRING);
	char choices[200] = "";
	const char *text;

	if (err)
		return err;
	text = rg_node_text(node);
	for (const struct rg_word *word = key->words; word->word; word++) {
		size_t len = strlen(choices);

		if (!strcmp(word->word, text)) {
			*value = word->value;
			return 0;
		}
		snprintf(choices + len, sizeof(choices) - len, "%s\"%s\"", len ? ", " : "",
			 word->word);
	}
	return rg_reader_refuse(reader, node, "%s = \"%s\" is not one of %s", key->name, text,
				choices);
}

/* "a", "b" or "c" */
static const char *list_actions(enum rg_class peer_class, char *text, size_t size)
{
	const struct rg_word *words = rg_keys_actions(peer_class);
	size_t len = 0;

	*text = '\0';
	for (size_t i = 0; words[i].word && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s\"%s\"",
					!i		  ? "" :
					words[i + 1].word ? ", " :
							    " or ",
					words[i].word);
	return text;
}

static bool has_action(enum rg_class peer_class, enum rg_action action)
{
	for (const struct rg_word *word = rg_keys_actions(peer_class); word->word; word++)
		if (word->value == action)
			return true;
	return false;
}

int rg_reader_action(struct rg_reader *reader, const struct rg_node *node, enum rg_class peer_class,
		     unsigned int *ret)
{
	int err = rg_reader_expect(reader, node, RG_NODE_STRING);
	const char *name = rg_node_name(node), *text;
	enum rg_action action;
	char choices[200];

	if (err)
		return err;
	text = rg_node_text(node);
	list_actions(peer_class, choices, sizeof(choices));
	if (rg_action_parse(text, &action) || action == RG_ACTION_PASS || action == RG_ACTION_HOLD)
		return rg_reader_refuse(reader, node, "%s = \"%s\" is not an action: use %s", name,
					text, choices);
	if (has_action(peer_class, action)) {
		*ret = action;
		return 0;
	}
	if (peer_class == RG_CLASS_QIL)
		return rg_reader_refuse(reader, node,
					"%s = \"%s\" is permanent, and a qil listing is not: use %s",
					name, text, choices);
	return rg_reader_refuse(reader, node, "%s = \"%s\" is for qil lists only: use %s", name,
				text, choices);
}

static int read_rate(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		     struct rg_rate *value)
{
	int err = rg_reader_expect(reader, node, RG_NODE_STRING);
	struct rg_rate rate;

	if (err)
		return err;
	if (rg_value_parse_rate(rg_node_text(node), &rate))
		return rg_reader_refuse(reader, node,
					"%s = \"%s\" is not a rate: a number, \"/s\", \"/min\" or "
					"\"/h\", and a burst, as in \"60/min burst 5\"",
					key->name, rg_node_text(node));
	*value = rate;
	return 0;
}

int rg_reader_by_type(struct rg_reader *reader, const struct rg_key *key,
		      const struct rg_node *node, void *values)
{
	void *member = (char *)values + key->offset;

	switch (key->type) {
	case RG_KEY_STRING:
	case RG_KEY_REPLY:
	case RG_KEY_PATH:
		return read_copy(reader, key, node, member);
	case RG_KEY_BOOL:
		return read_bool(reader, node, member);
	case RG_KEY_NUMBER:
		return read_number(reader, key, node, member);
	case RG_KEY_SECONDS:
	case RG_KEY_TIME:
		return read_time(reader, key, node, member);
	case RG_KEY_WORD:
		return rg_reader_word(reader, key, node, member);
	case RG_KEY_ACTION:
		return rg_reader_action(reader, node, key->peer_class, member);
	case RG_KEY_RATE:
		return read_rate(reader, key, node, member);
	default:
		return rg_reader_refuse(reader, node, "%s has no reader", key->name);
	}
}

/* ------------------------------------------------------------ lists and groups */

int rg_reader_list(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node)
{
	unsigned int count = rg_node_count(node);

	if (count >= key->min && count <= key->max)
		return 0;
	return rg_reader_refuse(reader, node, "%s must have %llu to %llu entries", key->name,
				(unsigned long long)key->min, (unsigned long long)key->max);
}

int rg_reader_strings(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		      int (*read)(struct rg_reader *reader, const struct rg_key *key,
				  const struct rg_node *node, const char *text))
{
	int err;

	if (rg_node_type(node) == RG_NODE_STRING)
		return read(reader, key, node, rg_node_text(node));
	if (rg_node_type(node) != RG_NODE_LIST)
		return rg_reader_refuse(reader, node,
					"%s must be a list of strings [ \"...\" ], not %s",
					key->name, rg_node_type_name(rg_node_type(node)));
	err = rg_reader_list(reader, key, node);
	for (unsigned int i = 0; !err && i < rg_node_count(node); i++) {
		const char *text = rg_node_text(rg_node_at(node, i));

		if (!text)
			return rg_reader_refuse(reader, node, "%s must be a list of strings",
						key->name);
		err = read(reader, key, node, text);
	}
	return err;
}

int rg_reader_key(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		  void *values)
{
	if (key->read)
		return key->read(reader, key, node);
	return rg_reader_by_type(reader, key, node, values);
}

static int refuse_key(struct rg_reader *reader, const struct rg_key_section *section,
		      const struct rg_node *node, const char *where)
{
	struct rg_nearest nearest = { .word = rg_node_name(node) };
	char hint[RG_NEAREST_TEXT];

	for (size_t i = 0; i < section->count; i++)
		rg_nearest_try(&nearest, section->keys[i].name);
	return rg_reader_refuse(reader, node, "unknown key \"%s\"%s%s", nearest.word, where,
				rg_nearest_hint(&nearest, hint));
}

int rg_reader_section(struct rg_reader *reader, const struct rg_key_section *section,
		      const struct rg_node *group, void *values, const char *where)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < rg_node_count(group); i++) {
		const struct rg_node *node = rg_node_at(group, i);
		const struct rg_key *key = rg_keys_find(section, rg_node_name(node));

		if (!key)
			return refuse_key(reader, section, node, where);
		err = rg_reader_key(reader, key, node, values);
	}
	return err;
}

/* The defaults as the lines of a file; NULL: out of memory. */
static char *default_lines(const struct rg_key_section *section, const struct rg_node *group,
			   enum rg_class peer_class)
{
	char *text = NULL;
	size_t size;
	FILE *lines = open_memstream(&text, &size);

	if (!lines)
		return NULL;
	for (size_t i = 0; i < section->count; i++) {
		const struct rg_key *key = &section->keys[i];
		const char *value = rg_keys_default(key, peer_class);

		if (value && !(group && rg_node_member(group, key->name)))
			fprintf(lines, "%s = %s;\n", key->name, value);
	}
	if (!fclose(lines))
		return text;
	free(text);
	return NULL;
}

int rg_reader_defaults(struct rg_reader *reader, const struct rg_key_section *section,
		       const struct rg_node *group, void *values, enum rg_class peer_class)
{
	RG_CLEANUP_FREE char *text = default_lines(section, group, peer_class);
	struct rg_node_tree *tree;
	int err;

	if (!text || rg_node_tree_new(&tree))
		return rg_reader_refuse(reader, group, "out of memory");
	if (rg_node_tree_read_text(tree, text))
		err = rg_reader_refuse(reader, group, "a default can't be read");
	else
		err = rg_reader_section(reader, section, rg_node_root(tree), values,
					" in the defaults");
	rg_node_tree_free(tree);
	return err;
}
