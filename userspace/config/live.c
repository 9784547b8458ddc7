/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/live.h"

#include "base/nearest.h"
#include "base/replace.h"
#include "config/reader.h"
#include "config/zones.h"

#include <fcntl.h>

#define ZONE_ACTIONS "zone_actions" /* the group of the saved file for single zones */

/* Sets the same action for all zones of a class. No such zone is no error. */
static int set_class_action(struct rg_reader *reader, const struct rg_key *key,
			    const struct rg_node *node)
{
	unsigned int action;
	int err = rg_reader_action(reader, node, key->peer_class, &action);

	for (unsigned int i = 0; !err && i < reader->conf->zone_count; i++)
		if (reader->conf->zones[i].peer_class == key->peer_class)
			reader->conf->zones[i].action = (enum rg_action)action;
	return err;
}

/* The key that somebody probably meant: one that can be set. */
static const char *hint_of(const char *name, char hint[RG_NEAREST_TEXT])
{
	struct rg_nearest nearest = { .word = name };

	for (size_t i = 0; i < rg_keys_top.count; i++)
		if (rg_keys_find_live(rg_keys_top.keys[i].name))
			rg_nearest_try(&nearest, rg_keys_top.keys[i].name);
	for (size_t i = 0; i < rg_keys_ers.count; i++)
		if (rg_keys_find_live(rg_keys_ers.keys[i].name))
			rg_nearest_try(&nearest, rg_keys_ers.keys[i].name);
	return rg_nearest_hint(&nearest, hint);
}

static int refuse_set(struct rg_reader *reader, const struct rg_node *node)
{
	const char *name = rg_node_name(node);
	const struct rg_key *key = rg_keys_find(&rg_keys_top, name);
	char hint[RG_NEAREST_TEXT];

	if (!key)
		key = rg_keys_find(&rg_keys_ers, name);
	if (!key)
		return rg_reader_refuse(reader, node, "unknown key \"%s\"%s", name,
					hint_of(name, hint));
	return rg_reader_refuse(reader, node, "\"%s\" can't be set while repgated runs: %s", name,
				key->effect == RG_KEY_AT_RELOAD ? "change the file and reload" :
								  "it needs a restart");
}

static int set_node(struct rg_reader *reader, const struct rg_node *node)
{
	const char *name = rg_node_name(node);
	const struct rg_key *key = rg_keys_find_live(name);

	if (!key)
		return refuse_set(reader, node);
	if (key == rg_keys_find(&rg_keys_ers, name))
		return set_class_action(reader, key, node);
	return rg_reader_key(reader, key, node, reader->conf);
}

/* The zone's alias of "ALIAS.action", which the caller frees; NULL: the key is not of this form. */
static char *zone_of_key(const char *key)
{
	const char *dot = strrchr(key, '.');

	return dot && !strcmp(dot, ".action") ? strndup(key, (size_t)(dot - key)) : NULL;
}

/* Puts "name = value;" into a group, as the key's type wants it. -EINVAL: name is not a name. */
static int put_value(struct rg_node *group, const char *name, const struct rg_key *key,
		     const char *value)
{
	bool digits = *value && strspn(value, "0123456789") == strlen(value) && strlen(value) < 10;

	if (key && key->type == RG_KEY_NUMBER && digits)
		return rg_node_put_number(group, name, atoi(value));
	if (key && key->type == RG_KEY_BOOL && (!strcmp(value, "true") || !strcmp(value, "false")))
		return rg_node_put_bool(group, name, !strcmp(value, "true"));
	return rg_node_put_text(group, name, value);
}

int rg_live_set(struct rg_conf *conf, const char *key, const char *value, struct rg_error *error)
{
	RG_CLEANUP_FREE char *alias = zone_of_key(key);
	struct rg_error unused;
	struct rg_reader reader = { .conf = conf, .error = error ? error : &unused, .live = true };
	const char *name = alias ? "action" : key;
	struct rg_node_tree *tree;
	struct rg_node *root;
	int err;

	if (rg_conf_has_key(conf, key) || rg_conf_has_key(conf, value))
		return rg_fail(error, -EINVAL,
			       "a setting must not show the key in a zone's real name");
	if (rg_node_tree_new(&tree))
		return rg_fail(error, -ENOMEM, "out of memory");
	root = rg_node_root(tree);
	if (put_value(root, name, rg_keys_find_live(name), value))
		err = rg_fail(error, -EINVAL, "\"%.60s\" is not a setting's name", key);
	else if (alias)
		err = rg_zones_set_action(&reader, rg_node_member(root, name), alias);
	else
		err = set_node(&reader, rg_node_member(root, name));
	rg_node_tree_free(tree);
	return err;
}

/* ------------------------------------------------------------------ the saved file */

char *rg_live_saved_path(const char *path)
{
	size_t len = strlen(path);
	char *saved;

	if (len > 5 && !strcmp(path + len - 5, ".conf"))
		len -= 5;
	return asprintf(&saved, "%.*s.saved.conf", (int)len, path) < 0 ? NULL : saved;
}

/* An action that no longer fits its zone is no reason to refuse a start. */
static void set_zone_actions(struct rg_reader *reader, const struct rg_node *group)
{
	for (unsigned int i = 0; i < rg_node_count(group); i++) {
		const struct rg_node *node = rg_node_at(group, i);
		const char *alias = rg_node_name(node);

		if (rg_zones_set_action(reader, node, alias))
			fprintf(reader->warnings, "saved action of zone \"%s\" is ignored: %s\n",
				alias, reader->error->text);
	}
}

/* Classes come first, so that the action of a single zone wins. */
static int apply_saved(struct rg_reader *reader, const struct rg_node *root)
{
	const struct rg_node *zones = rg_node_member(root, ZONE_ACTIONS);
	int err = 0;

	for (unsigned int i = 0; !err && i < rg_node_count(root); i++)
		if (rg_node_at(root, i) != zones)
			err = set_node(reader, rg_node_at(root, i));
	if (err || !zones)
		return err;
	err = rg_reader_expect(reader, zones, RG_NODE_GROUP);
	if (!err)
		set_zone_actions(reader, zones);
	return err;
}

int rg_live_read_saved(struct rg_reader *reader)
{
	RG_CLEANUP_FREE char *path = rg_live_saved_path(reader->conf->path);
	struct rg_node_tree *tree;
	int err;

	if (!path)
		return rg_fail(reader->error, -ENOMEM, "out of memory");
	if (access(path, F_OK))
		return errno == ENOENT ? 0 : rg_fail(reader->error, -errno, "%s: %m", path);
	if (rg_node_tree_new(&tree))
		return rg_fail(reader->error, -ENOMEM, "out of memory");
	err = rg_node_tree_read(tree, path, reader->error);
	if (!err)
		err = apply_saved(reader, rg_node_root(tree));
	rg_node_tree_free(tree);
	return err;
}

static int write_tree(void *arg, FILE *to)
{
	rg_node_tree_write(arg, to);
	return ferror(to) ? -EIO : 0;
}

static int put_saved(struct rg_node *root, const char *key, const char *value,
		     const char *const *zones, size_t zone_count, struct rg_error *error)
{
	RG_CLEANUP_FREE char *alias = zone_of_key(key);
	struct rg_node *group = rg_node_member(root, ZONE_ACTIONS);
	int err = -EINVAL;

	for (size_t i = 0; group && i < zone_count; i++)
		rg_node_remove(group, zones[i]);
	if (alias)
		group = rg_node_put_group(root, ZONE_ACTIONS);
	if (!alias)
		err = put_value(root, key, rg_keys_find_live(key), value);
	else if (group)
		err = rg_node_put_text(group, alias, value);
	return err ? rg_fail(error, err, "\"%.60s\" is not a setting's name", key) : 0;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int rg_live_save(const char *path, const char *key, const char *value, const char *const *zones,
		 size_t zone_count, struct rg_error *error)
{
	RG_CLEANUP_FREE char *saved = rg_live_saved_path(path);
	RG_CLEANUP_CLOSE int dir = -1;
	struct rg_node_tree *tree = NULL;
	struct rg_error why;
	int err;

	if (!saved || rg_node_tree_new(&tree))
		return rg_fail(error, -ENOMEM, "out of memory");
	dir = rg_replace_open_dir(saved, &why);
	err = dir < 0 ? dir : rg_replace_check(dir, name_of(saved), &why);
	if (err) {
		rg_node_tree_free(tree);
		return rg_fail(error, err, "%s: can't be written: %s", saved, why.text);
	}
	if (!faccessat(dir, name_of(saved), F_OK, 0))
		err = rg_node_tree_read(tree, saved, error);
	else if (errno != ENOENT)
		err = rg_fail(error, -errno, "%s: can't be read: %m", saved);
	if (!err)
		err = put_saved(rg_node_root(tree), key, value, zones, zone_count, error);
	if (!err) {
		/* The agent reads the file, whoever writes it. It holds no secret. */
		err = rg_replace_file(dir, name_of(saved), 0644, true, write_tree, tree);
		if (err)
			(void)rg_fail(error, err, "%s: can't be written: %s", saved, strerror(-err));
	}
	rg_node_tree_free(tree);
	return err;
}
