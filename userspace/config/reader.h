/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From nodes of a file to values of the settings' types. A value that does not fit is an error with
 * file:line. All functions return 0, or -EINVAL with the reader's error filled in.
 */
#ifndef REPGATE_CONFIG_READER_H
#define REPGATE_CONFIG_READER_H

#include "config/config.h"
#include "config/ers.h"
#include "config/keys.h"
#include "config/node.h"

struct rg_reader {
	struct rg_conf *conf; /* what is filled in */
	struct rg_ers_conf ers; /* the group ers; it becomes zones when all is read */
	struct rg_zone_conf zone; /* the group of zones that is being read */
	bool live; /* a command, not a file: errors name no place */
	struct rg_error *error;
	FILE *warnings; /* one a line */
};

/* Fills in the error with the node's place in the file (node may be NULL). Returns -EINVAL. */
__attribute__((format(printf, 3, 4))) int rg_reader_refuse(struct rg_reader *reader,
							   const struct rg_node *node,
							   const char *format, ...);

int rg_reader_expect(struct rg_reader *reader, const struct rg_node *node, enum rg_node_type type);

/* The node's string, which is the node's; it is checked as a setting of the key's type. */
int rg_reader_string(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		     const char **text);

/* The value of one of the key's words. */
int rg_reader_word(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		   unsigned int *value);

/* An action that peers of this class may have. */
int rg_reader_action(struct rg_reader *reader, const struct rg_node *node, enum rg_class peer_class,
		     unsigned int *action);

/* Checks that a list has as many entries as the key allows. */
int rg_reader_list(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node);

/* Calls read for each string of a list. A single string counts as a list of one. */
int rg_reader_strings(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		      int (*read)(struct rg_reader *reader, const struct rg_key *key,
				  const struct rg_node *node, const char *text));

/* Reads a value by its type into values, the section's struct. For rows with a function of their own. */
int rg_reader_by_type(struct rg_reader *reader, const struct rg_key *key,
		      const struct rg_node *node, void *values);

/* Reads one setting into values, by the row's function or by its type. */
int rg_reader_key(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		  void *values);

/* Reads a group, in the file's order. `where` ends the message about an unknown key: " in ers". */
int rg_reader_section(struct rg_reader *reader, const struct rg_key_section *section,
		      const struct rg_node *group, void *values, const char *where);

/*
 * Reads the defaults of what group does not have (NULL: of all keys), in the same way as a file's
 * values. The class of a zone, else RG_CLASS_NONE.
 */
int rg_reader_defaults(struct rg_reader *reader, const struct rg_key_section *section,
		       const struct rg_node *group, void *values, enum rg_class peer_class);

#endif
