/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group `ers`: Trend Micro Email Reputation Services. An activation code and a few settings make
 * two zones, ers-standard and ers-qil.
 */
#ifndef REPGATE_CONFIG_ERS_H
#define REPGATE_CONFIG_ERS_H

#include "base/util.h"

struct rg_conf;
struct rg_key;
struct rg_node;
struct rg_reader;
struct rg_zone_conf;

/* Values of the group; the strings are freed by rg_keys_free(). */
struct rg_ers_conf {
	const struct rg_node *node; /* the group, NULL if the file has none */
	const struct rg_node *code_node; /* activation_code_file */
	char *activation_code_file; /* NULL: the systemd credential */
	unsigned int lists; /* bits of Standard's last octet */
	unsigned int standard_action, qil_action; /* enum rg_action */
	uint32_t standard_ttl_min, standard_ttl_max, qil_ttl_min, qil_ttl_max; /* s */
	uint32_t qil_level;
	char *standard_reply, *qil_reply;
};

/* Readers of rows, see struct rg_key. */
int rg_ers_read(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node);
int rg_ers_read_code_file(struct rg_reader *reader, const struct rg_key *key,
			  const struct rg_node *node);
int rg_ers_read_lists(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node);

/*
 * Adds the two zones, behind those of the group `zones`, if the file has a group ers. Call when the
 * file is read. 0, or -EINVAL with the reader's error.
 */
int rg_ers_add_zones(struct rg_reader *reader);

/* True if conf has a group ers. */
bool rg_ers_is_used(const struct rg_conf *conf);
/* True if the zone is one of the two. */
bool rg_ers_has_zone(const struct rg_zone_conf *zone);
/* The zone of Standard; NULL: no group ers. */
const struct rg_zone_conf *rg_ers_standard(const struct rg_conf *conf);

/*
 * Puts another activation code (normalised) into the real names of the two zones, in place; the caller
 * removes what the zones answered before. 0; -EINVAL: there is no group ers, or a text of the configuration
 * shows this code; -ENOMEM. Then nothing has changed.
 */
int rg_ers_set_code(struct rg_conf *conf, const char *code, struct rg_error *error);

/* Replaces the activation code of the group ers by asterisks in text, as far as it can be read. */
void rg_ers_mask(const struct rg_node *root, const char *state_dir, char *text);

#endif
