/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/node.h"

#include <libconfig.h>
#include <sys/stat.h>
#include <unistd.h>

struct rg_node_tree {
	config_t file;
};

/* A node is libconfig's setting under a name of our own, so that nobody else needs its header. */
static config_setting_t *of(const struct rg_node *node)
{
	return (config_setting_t *)(uintptr_t)node;
}

static struct rg_node *node_of(config_setting_t *setting)
{
	return (struct rg_node *)setting;
}

int rg_node_tree_new(struct rg_node_tree **ret)
{
	struct rg_node_tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return -ENOMEM;
	config_init(&tree->file);
	*ret = tree;
	return 0;
}

void rg_node_tree_free(struct rg_node_tree *tree)
{
	if (!tree)
		return;
	config_destroy(&tree->file);
	free(tree);
}

static int set_include_dir(config_t *file, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = !slash || slash == path ? 1 : (size_t)(slash - path);
	RG_CLEANUP_FREE char *dir = slash ? strndup(path, len) : strdup(".");

	if (!dir)
		return -ENOMEM;
	config_set_include_dir(file, dir);
	return 0;
}

int rg_node_tree_read(struct rg_node_tree *tree, const char *path, struct rg_error *error)
{
	config_t *file = &tree->file;
	const char *at;
	struct stat st;

	if (stat(path, &st))
		return rg_fail(error, -errno, "%s: %m", path);
	if (!S_ISREG(st.st_mode))
		return rg_fail(error, -EINVAL, "%s: not a regular file", path);
	if (access(path, R_OK)) /* libconfig would not say why */
		return rg_fail(error, -errno, "%s: can't be read: %m", path);
	if (set_include_dir(file, path))
		return rg_fail(error, -ENOMEM, "out of memory");
	errno = 0;
	if (config_read_file(file, path))
		return 0;
	at = config_error_file(file);
	if (config_error_type(file) != CONFIG_ERR_PARSE)
		return rg_fail(error, errno ? -errno : -EIO, "%s: can't be read: %s", path,
			       strerror(errno ? errno : EIO));
	return rg_fail(error, -EINVAL, "%s:%d: %s", at ? at : path, config_error_line(file),
		       config_error_text(file));
}

int rg_node_tree_read_text(struct rg_node_tree *tree, const char *text)
{
	return config_read_string(&tree->file, text) ? 0 : -EINVAL;
}

void rg_node_tree_write(struct rg_node_tree *tree, FILE *to)
{
	config_write(&tree->file, to);
}

struct rg_node *rg_node_root(const struct rg_node_tree *tree)
{
	return node_of(config_root_setting(&tree->file));
}

enum rg_node_type rg_node_type(const struct rg_node *node)
{
	switch (config_setting_type(of(node))) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return RG_NODE_NUMBER;
	case CONFIG_TYPE_FLOAT:
		return RG_NODE_FRACTION;
	case CONFIG_TYPE_STRING:
		return RG_NODE_STRING;
	case CONFIG_TYPE_BOOL:
		return RG_NODE_BOOL;
	case CONFIG_TYPE_GROUP:
		return RG_NODE_GROUP;
	default:
		return RG_NODE_LIST;
	}
}

const char *rg_node_type_name(enum rg_node_type type)
{
	static const char *const names[] = {
		[RG_NODE_NUMBER] = "a number",	 [RG_NODE_FRACTION] = "a fraction",
		[RG_NODE_STRING] = "a string",	 [RG_NODE_BOOL] = "true or false",
		[RG_NODE_GROUP] = "a group { }", [RG_NODE_LIST] = "a list",
	};

	return names[type];
}

const char *rg_node_file(const struct rg_node *node)
{
	return config_setting_source_file(of(node));
}

unsigned int rg_node_line(const struct rg_node *node)
{
	return config_setting_source_line(of(node));
}

const char *rg_node_name(const struct rg_node *node)
{
	return config_setting_name(of(node));
}

const char *rg_node_text(const struct rg_node *node)
{
	return config_setting_get_string(of(node));
}

long long rg_node_number(const struct rg_node *node)
{
	return config_setting_get_int64(of(node));
}

bool rg_node_bool(const struct rg_node *node)
{
	return config_setting_get_bool(of(node));
}

unsigned int rg_node_count(const struct rg_node *node)
{
	return (unsigned int)config_setting_length(of(node));
}

struct rg_node *rg_node_at(const struct rg_node *node, unsigned int index)
{
	return node_of(config_setting_get_elem(of(node), index));
}

struct rg_node *rg_node_member(const struct rg_node *group, const char *name)
{
	return node_of(config_setting_get_member(of(group), name));
}

static config_setting_t *put(struct rg_node *group, const char *name, int type)
{
	(void)config_setting_remove(of(group), name);
	return config_setting_add(of(group), name, type);
}

int rg_node_put_text(struct rg_node *group, const char *name, const char *text)
{
	config_setting_t *setting = put(group, name, CONFIG_TYPE_STRING);

	return setting && config_setting_set_string(setting, text) ? 0 : -EINVAL;
}

int rg_node_put_number(struct rg_node *group, const char *name, int number)
{
	config_setting_t *setting = put(group, name, CONFIG_TYPE_INT);

	return setting && config_setting_set_int(setting, number) ? 0 : -EINVAL;
}

int rg_node_put_bool(struct rg_node *group, const char *name, bool value)
{
	config_setting_t *setting = put(group, name, CONFIG_TYPE_BOOL);

	return setting && config_setting_set_bool(setting, value) ? 0 : -EINVAL;
}

struct rg_node *rg_node_put_group(struct rg_node *group, const char *name)
{
	config_setting_t *member = config_setting_get_member(of(group), name);

	if (!member)
		member = config_setting_add(of(group), name, CONFIG_TYPE_GROUP);
	return member && config_setting_is_group(member) ? node_of(member) : NULL;
}

void rg_node_remove(struct rg_node *group, const char *name)
{
	(void)config_setting_remove(of(group), name);
}
