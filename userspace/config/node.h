/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration file as a tree of nodes: groups, lists and values. The only module that knows
 * libconfig. Nodes and their strings belong to the tree and live as long as it does.
 */
#ifndef REPGATE_CONFIG_NODE_H
#define REPGATE_CONFIG_NODE_H

#include "base/util.h"

enum rg_node_type {
	RG_NODE_NUMBER,
	RG_NODE_FRACTION,
	RG_NODE_STRING,
	RG_NODE_BOOL,
	RG_NODE_GROUP,
	RG_NODE_LIST,
};

struct rg_node_tree; /* a parsed file */
struct rg_node; /* one setting in it, or the root, which is a group */

/* An empty tree. 0 or -ENOMEM. */
int rg_node_tree_new(struct rg_node_tree **ret);
void rg_node_tree_free(struct rg_node_tree *tree);

/*
 * Reads a regular file; @include takes files beside it. 0, or negative with "file:line: reason", or
 * "file: reason" if it can't be read. The tree has no nodes then.
 */
int rg_node_tree_read(struct rg_node_tree *tree, const char *path, struct rg_error *error);
/* The same from a string. 0 or -EINVAL. */
int rg_node_tree_read_text(struct rg_node_tree *tree, const char *text);
/* Writes what rg_node_tree_read() can read; ferror(to) tells whether it went wrong. */
void rg_node_tree_write(struct rg_node_tree *tree, FILE *to);

struct rg_node *rg_node_root(const struct rg_node_tree *tree);
enum rg_node_type rg_node_type(const struct rg_node *node);
/* "a number", for messages. */
const char *rg_node_type_name(enum rg_node_type type);
/* Where it stands; NULL and 0 if it does not come from a file. */
const char *rg_node_file(const struct rg_node *node);
unsigned int rg_node_line(const struct rg_node *node);

/* NULL for the root and for entries of a list. */
const char *rg_node_name(const struct rg_node *node);
/* NULL if it is no string. */
const char *rg_node_text(const struct rg_node *node);
/* 0 if it is no number. */
long long rg_node_number(const struct rg_node *node);
bool rg_node_bool(const struct rg_node *node);

/* Children of a group or a list. */
unsigned int rg_node_count(const struct rg_node *node);
struct rg_node *rg_node_at(const struct rg_node *node, unsigned int index);
/* NULL if the group has none of this name. */
struct rg_node *rg_node_member(const struct rg_node *group, const char *name);

/*
 * Put a member into a group, in place of one of the same name. 0, or -EINVAL: libconfig does not
 * accept the name.
 */
int rg_node_put_text(struct rg_node *group, const char *name, const char *text);
int rg_node_put_number(struct rg_node *group, const char *name, int number);
int rg_node_put_bool(struct rg_node *group, const char *name, bool value);
/* The member of this name, made if there is none; NULL: it is no group. */
struct rg_node *rg_node_put_group(struct rg_node *group, const char *name);
void rg_node_remove(struct rg_node *group, const char *name);

#endif
