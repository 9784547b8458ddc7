/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The group `zones`: DNS lists, a group for each. Its name is the zone's alias. */
#ifndef REPGATE_CONFIG_ZONES_H
#define REPGATE_CONFIG_ZONES_H

#include "maps/types.h"

#include <stdint.h>

struct rg_key;
struct rg_node;
struct rg_reader;

/* Readers of rows, see struct rg_key. Those of a zone's keys fill in reader->zone. */
int rg_zones_read(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node);
int rg_zones_read_suffix(struct rg_reader *reader, const struct rg_key *key,
			 const struct rg_node *node);
int rg_zones_read_kind(struct rg_reader *reader, const struct rg_key *key,
		       const struct rg_node *node);
int rg_zones_read_codes(struct rg_reader *reader, const struct rg_key *key,
			const struct rg_node *node);
int rg_zones_read_action(struct rg_reader *reader, const struct rg_key *key,
			 const struct rg_node *node);

/*
 * Checks reader->zone and moves it into the configuration under alias; its strings go with it.
 * 0, or -EINVAL with the reader's error, which names the node's place.
 */
int rg_zones_add(struct rg_reader *reader, const struct rg_node *node, const char *alias);

/*
 * Sets the action of one zone. An action that the zone's kind can't have, an allow zone and an
 * unknown alias are errors. 0, or -EINVAL with the reader's error.
 */
int rg_zones_set_action(struct rg_reader *reader, const struct rg_node *node, const char *alias);

#endif
