/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/zones.h"

#include "config/reader.h"
#include "config/secret.h"
#include "proto/reply.h"

#include <ctype.h>

#define QIL_TTL_MIN 300 /* s: a qil list changes every five minutes */
#define QIL_TTL_MAX 43200 /* s: an entry of a qil list lasts 12 hours at most */

/* A DNS name of labels. */
static bool is_domain(const char *suffix)
{
	size_t label = 0;

	for (const char *c = suffix; *c; c++) {
		if (*c == '.') {
			if (!label)
				return false;
			label = 0;
		} else if ((!isalnum((unsigned char)*c) && *c != '-' && *c != '_') || ++label > 63) {
			return false;
		}
	}
	return label > 0;
}

int rg_zones_read_suffix(struct rg_reader *reader, const struct rg_key *key,
			 const struct rg_node *node)
{
	const char *text = rg_node_text(node);
	size_t len;

	if (!text)
		return rg_reader_expect(reader, node, RG_NODE_STRING);
	len = strlen(text);
	if (len && text[len - 1] == '.')
		len--;
	free(reader->zone.suffix);
	reader->zone.suffix = strndup(text, len);
	if (!reader->zone.suffix)
		return rg_reader_refuse(reader, node, "out of memory");
	if (len > key->max || !is_domain(reader->zone.suffix))
		return rg_reader_refuse(reader, node,
					"suffix is not a domain name (it is not shown, as it "
					"may hold a key)");
	return 0;
}

int rg_zones_read_kind(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node)
{
	unsigned int peer_class;
	int err = rg_reader_word(reader, key, node, &peer_class);

	if (!err)
		reader->zone.peer_class = (enum rg_class)peer_class;
	reader->zone.codes.is_allow = reader->zone.peer_class == RG_CLASS_APPROVED;
	return err;
}

static int read_code(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node,
		     const char *text)
{
	struct rg_error why;

	(void)key;
	if (rg_dnsbl_codes_add(&reader->zone.codes, text, &why))
		return rg_reader_refuse(reader, node, "%s", why.text);
	return 0;
}

int rg_zones_read_codes(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node)
{
	return rg_reader_strings(reader, key, node, read_code);
}

/* read_group() has read the kind before. */
int rg_zones_read_action(struct rg_reader *reader, const struct rg_key *key,
			 const struct rg_node *node)
{
	enum rg_class peer_class = reader->zone.peer_class;
	unsigned int action;
	int err;

	(void)key;
	if (peer_class == RG_CLASS_NONE || peer_class == RG_CLASS_APPROVED)
		return 0; /* read_group() and check_allow() refuse the zone */
	err = rg_reader_action(reader, node, peer_class, &action);
	if (!err)
		reader->zone.action = (enum rg_action)action;
	return err;
}

/* Where a listing can be looked up ends the default reply. */
static int append_url(struct rg_reader *reader, const struct rg_node *node)
{
	RG_CLEANUP_FREE char *reply = reader->zone.reply;

	if (asprintf(&reader->zone.reply, "%s, see %%u", reply) >= 0)
		return 0;
	reader->zone.reply = NULL;
	return rg_reader_refuse(reader, node, "out of memory");
}

static int check_reply(struct rg_reader *reader, const struct rg_node *node, const char *alias)
{
	struct rg_zone_conf *zone = &reader->zone;
	struct rg_refusal refusal = { .alias = alias,
				      .url = zone->url ? zone->url : "",
				      .permanent = zone->peer_class != RG_CLASS_QIL };
	struct rg_error why;

	if (rg_secret_holds_key(zone->reply, zone->suffix) ||
	    rg_secret_holds_key(refusal.url, zone->suffix))
		return rg_reader_refuse(reader, node,
					"zone \"%s\": its reply or url shows the key in its real "
					"name (not shown here); %%z is the zone's name for people",
					alias);
	refusal.text = zone->reply;
	if (rg_reply_check(&refusal, &why))
		return rg_reader_refuse(reader, node, "zone \"%s\": %s", alias, why.text);
	return 0;
}

int rg_zones_add(struct rg_reader *reader, const struct rg_node *node, const char *alias)
{
	struct rg_conf *conf = reader->conf;
	struct rg_zone_conf *zone = &reader->zone;

	if (conf->zone_count == RG_MAX_ZONES)
		return rg_reader_refuse(reader, node, "more than %d zones", RG_MAX_ZONES);
	if (strlen(alias) >= RG_ALIAS_SIZE)
		return rg_reader_refuse(reader, node, "zone name \"%s\" is longer than %d characters",
					alias, RG_ALIAS_SIZE - 1);
	/* Log lines name local lists so; `flush all` forgets everything. */
	if (!strcmp(alias, "local") || !strcmp(alias, "all"))
		return rg_reader_refuse(reader, node,
					"zone name \"%s\" has another meaning: choose another one",
					alias);
	if (rg_conf_zone_by_alias(conf, alias))
		return rg_reader_refuse(reader, node, "zone name \"%s\" is taken", alias);
	if (!zone->ipv4 && !zone->ipv6)
		return rg_reader_refuse(reader, node,
					"zone \"%s\": ipv4 and ipv6 are both false, so it would never be "
					"asked: take it out",
					alias);
	if (zone->ttl_min > zone->ttl_max)
		return rg_reader_refuse(reader, node, "zone \"%s\": ttl_min is more than ttl_max",
					alias);
	if (check_reply(reader, node, alias))
		return -EINVAL;
	snprintf(zone->alias, sizeof(zone->alias), "%s", alias);
	conf->zones[conf->zone_count++] = *zone;
	*zone = (struct rg_zone_conf){};
	return 0;
}

static int check_allow(struct rg_reader *reader, const struct rg_node *node, const char *alias)
{
	const struct rg_node *action = rg_node_member(node, "action");
	const struct rg_node *reply = rg_node_member(node, "reply");

	if (action || reply)
		return rg_reader_refuse(
			reader, action ? action : reply,
			"zone \"%s\": peers of an allow list pass: no action, no reply", alias);
	reader->zone.action = RG_ACTION_PASS;
	return 0;
}

static int check_qil(struct rg_reader *reader, const struct rg_node *node, const char *alias)
{
	if (reader->zone.ttl_min < QIL_TTL_MIN)
		fprintf(reader->warnings, "zone \"%s\": ttl_min of less than 5m\n", alias);
	if (reader->zone.ttl_max > QIL_TTL_MAX)
		return rg_reader_refuse(
			reader, node, "zone \"%s\": a qil entry lasts 12h at most: ttl_max", alias);
	return 0;
}

/* The kind first: what the other keys may be, and their defaults, depend on it. */
static int read_group(struct rg_reader *reader, const struct rg_node *node, const char *alias)
{
	struct rg_zone_conf *zone = &reader->zone;
	const struct rg_node *kind = rg_node_member(node, "kind");
	char where[80];
	int err = 0;

	if (kind)
		err = rg_reader_key(reader, rg_keys_find(&rg_keys_zone, "kind"), kind, zone);
	snprintf(where, sizeof(where), " in zone \"%s\"", alias);
	if (!err)
		err = rg_reader_section(reader, &rg_keys_zone, node, zone, where);
	if (err)
		return err;
	if (!zone->suffix)
		return rg_reader_refuse(reader, node, "zone \"%s\" has no suffix", alias);
	if (!kind)
		return rg_reader_refuse(reader, node,
					"zone \"%s\" has no kind: \"standard\", \"qil\" or \"allow\"",
					alias);
	err = rg_reader_defaults(reader, &rg_keys_zone, node, zone, zone->peer_class);
	if (!err && zone->url && !rg_node_member(node, "reply"))
		err = append_url(reader, node);
	return err;
}

static int read_zone(struct rg_reader *reader, const struct rg_node *node)
{
	const char *alias = rg_node_name(node);
	int err = rg_reader_expect(reader, node, RG_NODE_GROUP);

	if (!err)
		err = read_group(reader, node, alias);
	if (!err && reader->zone.peer_class == RG_CLASS_APPROVED)
		err = check_allow(reader, node, alias);
	else if (!err && reader->zone.peer_class == RG_CLASS_QIL)
		err = check_qil(reader, node, alias);
	return err ? err : rg_zones_add(reader, node, alias);
}

int rg_zones_read(struct rg_reader *reader, const struct rg_key *key, const struct rg_node *node)
{
	int err = rg_reader_expect(reader, node, RG_NODE_GROUP);

	(void)key;
	for (unsigned int i = 0; !err && i < rg_node_count(node); i++)
		err = read_zone(reader, rg_node_at(node, i));
	return err;
}

int rg_zones_set_action(struct rg_reader *reader, const struct rg_node *node, const char *alias)
{
	const struct rg_zone_conf *zone = rg_conf_zone_by_alias(reader->conf, alias);
	char hint[RG_NEAREST_TEXT];
	unsigned int action;
	int err;

	if (!zone)
		return rg_reader_refuse(reader, node, "there is no zone \"%s\"%s", alias,
					rg_conf_zone_hint(reader->conf, alias, hint));
	if (zone->peer_class == RG_CLASS_APPROVED)
		return rg_reader_refuse(reader, node,
					"zone \"%s\" is an allow list: its peers pass", alias);
	err = rg_reader_action(reader, node, zone->peer_class, &action);
	if (!err)
		reader->conf->zones[zone - reader->conf->zones].action = (enum rg_action)action;
	return err;
}
