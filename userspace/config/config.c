/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/config.h"

#include "config/live.h"
#include "config/reader.h"
#include "config/secret.h"
#include "proto/reply.h"

#include <ctype.h>
#include <limits.h>

#define LONG_DNS_WAIT 30000 /* ms: senders give up a connection after about that */

/* ------------------------------------------------------------------ checks of the whole file */

/* Takes the host's name if none is set. The name has the characters of RFC 5321's domains and literals. */
static int finish_responder_name(struct rg_reader *reader, const struct rg_node *root)
{
	struct rg_conf *conf = reader->conf;
	char name[HOST_NAME_MAX + 1] = "";

	if (!conf->responder_name) {
		(void)gethostname(name, sizeof(name) - 1);
		conf->responder_name = strdup(*name ? name : "localhost");
		if (!conf->responder_name)
			return rg_reader_refuse(reader, NULL, "out of memory");
	}
	for (const char *c = conf->responder_name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-._[]:", *c))
			return rg_reader_refuse(reader, rg_node_member(root, "responder_name"),
						"responder_name = \"%s\" is not a host name",
						conf->responder_name);
	return 0;
}

static int check_blocked_reply(struct rg_reader *reader, const struct rg_node *root)
{
	const struct rg_conf *conf = reader->conf;
	const struct rg_refusal refusal = { .text = conf->blocked_reply,
					    .alias = "local",
					    .url = "",
					    .permanent = true };
	struct rg_error why;

	if (rg_reply_check(&refusal, &why))
		return rg_reader_refuse(reader, rg_node_member(root, "blocked_reply"),
					"blocked_reply: %s", why.text);
	return 0;
}

/* Whatever people write is shown somewhere: in replies, logs, answers of commands. */
static int check_keys_hidden(struct rg_reader *reader, const struct rg_node *root)
{
	struct rg_error where;

	if (!rg_conf_shows_key(reader->conf, &where))
		return 0;
	return rg_reader_refuse(reader, rg_node_member(root, where.text),
				"%s shows the key in a zone's real name (not shown here)",
				where.text);
}

static void warn(struct rg_reader *reader)
{
	const struct rg_conf *conf = reader->conf;
	uint64_t wait = (uint64_t)conf->dns_timeout * conf->dns_tries;

	if (!conf->zone_count)
		fprintf(reader->warnings, "no zone is configured: only the local lists count\n");
	if (wait > LONG_DNS_WAIT)
		fprintf(reader->warnings,
			"dns_timeout x dns_tries is %llus: senders give up before that\n",
			(unsigned long long)wait / 1000);
}

/* What depends on several settings. */
static int finish(struct rg_reader *reader, const struct rg_node *root)
{
	const struct rg_conf *conf = reader->conf;
	int err;

	if (!conf->interface_count)
		return rg_reader_refuse(reader, NULL,
					"interfaces is missing: nothing would be filtered");
	if (conf->clean_ttl_min > conf->clean_ttl_max)
		return rg_reader_refuse(reader, rg_node_member(root, "clean_ttl_min"),
					"clean_ttl_min is more than clean_ttl_max");
	err = rg_ers_add_zones(reader);
	if (!err)
		err = finish_responder_name(reader, root);
	if (!err)
		err = check_blocked_reply(reader, root);
	if (!err)
		err = check_keys_hidden(reader, root);
	if (!err)
		warn(reader);
	return err;
}

/* ------------------------------------------------------------------ load and free */

static int read_file(struct rg_reader *reader, struct rg_node_tree *tree)
{
	struct rg_conf *conf = reader->conf;
	int err = rg_node_tree_read(tree, conf->path, reader->error);
	struct rg_node *root = rg_node_root(tree);

	if (!err)
		err = rg_reader_section(reader, &rg_keys_top, root, conf, "");
	if (!err)
		err = rg_reader_defaults(reader, &rg_keys_top, root, conf, RG_CLASS_NONE);
	if (!err)
		err = finish(reader, root);
	return err ? err : rg_live_read_saved(reader);
}

static struct rg_conf *new_conf(const char *path)
{
	struct rg_conf *conf = calloc(1, sizeof(*conf));

	if (!conf)
		return NULL;
	conf->references = 1;
	conf->path = strdup(path);
	if (conf->path)
		return conf;
	free(conf);
	return NULL;
}

/* An error may quote what people wrote in the wrong place: also a key. */
static void mask_error(const struct rg_reader *reader, const struct rg_node *root)
{
	const struct rg_node *zones = rg_node_member(root, "zones");
	char *text = reader->error->text;

	for (unsigned int i = 0; zones && i < rg_node_count(zones); i++) {
		const struct rg_node *zone = rg_node_at(zones, i), *suffix = NULL;

		if (rg_node_type(zone) == RG_NODE_GROUP)
			suffix = rg_node_member(zone, "suffix");
		if (suffix && rg_node_text(suffix))
			rg_secret_mask(text, rg_node_text(suffix));
	}
	rg_ers_mask(root, reader->conf->state_dir, text);
}

int rg_conf_load(struct rg_conf **ret, const char *path, struct rg_error *error)
{
	struct rg_error unused;
	struct rg_reader reader = { .error = error ? error : &unused };
	struct rg_node_tree *tree = NULL;
	size_t size;
	int err;

	reader.conf = new_conf(path);
	if (reader.conf)
		reader.warnings = open_memstream(&reader.conf->warnings, &size);
	if (!reader.warnings || rg_node_tree_new(&tree))
		err = rg_fail(error, -ENOMEM, "out of memory");
	else
		err = read_file(&reader, tree);
	if (err && tree)
		mask_error(&reader, rg_node_root(tree));
	rg_node_tree_free(tree);
	if (reader.warnings)
		fclose(reader.warnings);
	if (!err && reader.conf->warnings)
		rg_conf_mask(reader.conf, reader.conf->warnings);
	rg_keys_free(&rg_keys_ers, &reader.ers);
	rg_keys_free(&rg_keys_zone, &reader.zone);
	if (err)
		rg_conf_unref(reader.conf);
	else
		*ret = reader.conf;
	return err;
}

struct rg_conf *rg_conf_ref(struct rg_conf *conf)
{
	conf->references++;
	return conf;
}

void rg_conf_unref(struct rg_conf *conf)
{
	if (!conf || --conf->references)
		return;
	for (unsigned int i = 0; i < conf->interface_count; i++)
		free(conf->interfaces[i]);
	for (unsigned int i = 0; i < conf->zone_count; i++)
		rg_keys_free(&rg_keys_zone, &conf->zones[i]);
	rg_keys_free(&rg_keys_top, conf);
	if (conf->configured_code)
		explicit_bzero(conf->configured_code, strlen(conf->configured_code));
	free(conf->configured_code);
	free(conf->path);
	free(conf->warnings);
	free(conf);
}

/* ------------------------------------------------------------------ keys in texts */

bool rg_conf_has_key(const struct rg_conf *conf, const char *text)
{
	for (unsigned int i = 0; text && i < conf->zone_count; i++)
		if (rg_secret_holds_key(text, conf->zones[i].suffix))
			return true;
	/* One that repgatectl replaced may still be valid. */
	return text && conf->configured_code && rg_secret_holds_code(text, conf->configured_code);
}

void rg_conf_mask(const struct rg_conf *conf, char *text)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		rg_secret_mask(text, conf->zones[i].suffix);
	if (conf->configured_code)
		rg_secret_mask_code(text, conf->configured_code);
}

const char *rg_conf_masked(const struct rg_conf *conf, const char *text, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s", text);
	rg_conf_mask(conf, buffer);
	return buffer;
}

/* The key of a section whose text shows a key, or NULL. */
static const char *find_text(const struct rg_conf *conf, const struct rg_key_section *section,
			     const void *values)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct rg_key *key = &section->keys[i];
		bool is_text = key->type == RG_KEY_STRING || key->type == RG_KEY_REPLY ||
			       key->type == RG_KEY_PATH;

		if (is_text && strcmp(key->name, "suffix") != 0 &&
		    rg_conf_has_key(conf, *(char *const *)((const char *)values + key->offset)))
			return key->name;
	}
	return NULL;
}

static const char *find_zone_text(const struct rg_conf *conf, const struct rg_zone_conf *zone)
{
	return rg_conf_has_key(conf, zone->alias) ? "the name" : find_text(conf, &rg_keys_zone, zone);
}

bool rg_conf_shows_key(const struct rg_conf *conf, struct rg_error *where)
{
	const char *name = find_text(conf, &rg_keys_top, conf);

	if (!name && rg_conf_has_key(conf, conf->path))
		name = "the configuration's path";
	for (unsigned int i = 0; !name && i < conf->interface_count; i++)
		if (rg_conf_has_key(conf, conf->interfaces[i]))
			name = "interfaces";
	if (name) {
		snprintf(where->text, sizeof(where->text), "%s", name);
		return true;
	}
	for (unsigned int i = 0; i < conf->zone_count; i++) {
		name = find_zone_text(conf, &conf->zones[i]);
		if (!name)
			continue;
		/* By number: the name may be what shows the key. */
		snprintf(where->text, sizeof(where->text), "%s of zone %u", name, i + 1);
		return true;
	}
	return false;
}

/* ------------------------------------------------------------------ questions */

bool rg_conf_uses(const struct rg_conf *conf, enum rg_action action)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].action == action)
			return true;
	return conf->blocked_action == action || conf->on_dns_failure == action;
}

bool rg_conf_zone_asks(const struct rg_zone_conf *zone, enum rg_family family)
{
	return family == RG_FAMILY_V4 ? zone->ipv4 : zone->ipv6;
}

bool rg_conf_same_zone(const struct rg_zone_conf *a, const struct rg_zone_conf *b)
{
	return !strcmp(a->alias, b->alias) && a->peer_class == b->peer_class &&
	       !strcmp(a->suffix, b->suffix) && a->ipv4 == b->ipv4 && a->ipv6 == b->ipv6 &&
	       !memcmp(&a->codes, &b->codes, sizeof(a->codes));
}

const struct rg_zone_conf *rg_conf_find_zone(const struct rg_conf *conf,
					     const struct rg_zone_conf *zone)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (rg_conf_same_zone(&conf->zones[i], zone))
			return &conf->zones[i];
	return NULL;
}

const struct rg_zone_conf *rg_conf_zone_by_alias(const struct rg_conf *conf, const char *alias)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (!strcmp(conf->zones[i].alias, alias))
			return &conf->zones[i];
	return NULL;
}

const char *rg_conf_zone_hint(const struct rg_conf *conf, const char *alias,
			      char hint[RG_NEAREST_TEXT])
{
	struct rg_nearest nearest = { .word = alias };

	for (unsigned int i = 0; i < conf->zone_count; i++)
		rg_nearest_try(&nearest, conf->zones[i].alias);
	return rg_nearest_hint(&nearest, hint);
}

const struct rg_zone_conf *rg_conf_zone_by_slot(const struct rg_conf *conf, uint32_t slot)
{
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].slot == slot)
			return &conf->zones[i];
	return NULL;
}

struct rg_conf_actions rg_conf_actions(const struct rg_conf *conf)
{
	struct rg_conf_actions actions = { .blocked = conf->blocked_action,
					   .on_dns_failure = conf->on_dns_failure,
					   .private_peers = conf->private_peers };

	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].slot < RG_MAX_ZONES)
			actions.zones[conf->zones[i].slot] = conf->zones[i].action;
	return actions;
}

bool rg_conf_changes_actions(const struct rg_conf_actions *before, const struct rg_conf *conf)
{
	const struct rg_conf_actions now = rg_conf_actions(conf);

	for (uint32_t slot = 0; slot < RG_MAX_ZONES; slot++)
		if (now.zones[slot] != RG_ACTION_NONE && now.zones[slot] != before->zones[slot])
			return true;
	return now.blocked != before->blocked || now.on_dns_failure != before->on_dns_failure ||
	       now.private_peers != before->private_peers;
}

const char *rg_conf_needs_restart(const struct rg_conf *old, const struct rg_conf *fresh)
{
	for (size_t i = 0; i < rg_keys_top.count; i++) {
		const struct rg_key *key = &rg_keys_top.keys[i];

		if (key->effect == RG_KEY_AT_RESTART && !rg_keys_same(key, old, fresh))
			return key->name;
	}
	return NULL;
}
