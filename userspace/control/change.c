/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/change.h"

#include "base/addr.h"
#include "base/log.h"
#include "base/names.h"
#include "control/block_check.h"
#include "lists/list_edit.h"
#include "lists/list_extent.h"
#include "lists/list_parse.h"

/* What begin() returns if there is nothing to load after it (reload_queue.h). */
#define NOTHING_TO_LOAD 1

/* A command in the reload queue. */
struct change {
	struct rg_client *client; /* NULL: it has disconnected */
	const struct rg_modules *modules;
	const struct rg_control_ops *ops;
	json_t *request;
	enum rg_class peer_class; /* approve and block: the class of the entry */
	int added; /* lines added to the file of peer_class */
	int64_t until; /* of approve and block: s since 1970; 0: for good */
	/* Lines removed from the file of each class: approve and block from the other one, unlist from both. */
	int unapproved, unblocked;
};

static const char *get_string(const json_t *request, const char *key)
{
	return json_string_value(json_object_get(request, key));
}

static json_int_t get_seconds(const json_t *request)
{
	return json_integer_value(json_object_get(request, "for"));
}

static void forget_client(void *what)
{
	struct change *change = what;

	change->client = NULL;
}

/* Answers with the error, or with `answer`, whose reference it takes over. Frees change. */
static void end_change(struct change *change, int err, const struct rg_error *error, json_t *answer)
{
	if (change->client)
		rg_control_wait(change->client, NULL, NULL);
	if (!change->client)
		json_decref(answer);
	else if (err)
		rg_control_refuse(change->client, "%s", error->text);
	else
		rg_control_answer(change->client, answer);
	json_decref(change->request);
	free(change);
}

/* Puts a new change into the reload queue. The change becomes the arg of `how`, which is complete otherwise. */
static void queue_change(struct rg_client *client, const json_t *request, enum rg_class peer_class,
			 struct rg_reload_request how)
{
	struct change *change = calloc(1, sizeof(*change));

	if (!change) {
		rg_control_refuse(client, "out of memory");
		return;
	}
	change->client = client;
	change->modules = rg_control_modules(client);
	change->ops = rg_control_ops(client);
	change->request = json_incref((json_t *)request);
	change->peer_class = peer_class;
	how.arg = change;
	rg_control_wait(client, change, forget_client);
	change->ops->reload(change->ops->arg, &how);
}

/* ------------------------------------------------------ approve, block, unlist */

static enum rg_class other_class(enum rg_class peer_class)
{
	return peer_class == RG_CLASS_APPROVED ? RG_CLASS_BLOCKED : RG_CLASS_APPROVED;
}

/*
 * Refuses to block an entry within an approved prefix, because approved wins and the entry would do
 * nothing. 0 or -EPERM.
 */
static int check_approved(const struct rg_modules *modules, const char *entry, struct rg_error *error)
{
	const char *state_dir = modules->conf->state_dir;
	const struct rg_list_item *item;
	struct rg_prefix prefix;

	if (rg_prefix_parse(entry, strlen(entry), &prefix))
		return 0;
	item = rg_lists_find(modules->lists, &prefix.addr, rg_now());
	/* The same entry, approved by repgatectl, is moved from one list to the other. */
	if (!item || item->peer_class != RG_CLASS_APPROVED || item->len > prefix.len ||
	    (item->len == prefix.len &&
	     !strncmp(rg_lists_source(modules->lists, item->source), state_dir, strlen(state_dir))))
		return 0;
	return rg_fail(error, -EPERM, "%s is approved by %s:%u, which wins", entry,
		       rg_lists_source(modules->lists, item->source), item->line);
}

static int *removed_from(struct change *change, enum rg_class peer_class)
{
	return peer_class == RG_CLASS_APPROVED ? &change->unapproved : &change->unblocked;
}

/* Adds the entry to repgatectl's list of its class and removes it from the other list. */
static int begin_add(void *arg, struct rg_error *error)
{
	struct change *change = arg;
	const char *state_dir = change->modules->conf->state_dir;
	const char *entry = get_string(change->request, "entry");
	json_int_t seconds = get_seconds(change->request);
	struct rg_list_edit_line line = { .entry = entry,
					  .comment = get_string(change->request, "comment"),
					  .force = json_is_true(
						  json_object_get(change->request, "force")) };
	struct rg_error ignored;
	int err = 0, removed;

	if (rg_conf_has_key(change->modules->conf, line.comment))
		return rg_fail(error, -EINVAL,
			       "the comment must not show the key in a zone's real name");
	if (change->peer_class == RG_CLASS_BLOCKED)
		err = check_approved(change->modules, entry, error);
	if (!err && change->peer_class == RG_CLASS_BLOCKED)
		err = rg_block_check(change->modules, entry, error);
	if (err)
		return err;
	if (seconds)
		change->until = line.until = (int64_t)rg_wall_time(rg_now()) + seconds;
	err = rg_list_edit_add(state_dir, change->peer_class, &line, error);
	if (err)
		return err;
	change->added = 1;
	removed = rg_list_edit_remove(state_dir, other_class(change->peer_class), entry, &ignored);
	*removed_from(change, other_class(change->peer_class)) = removed > 0 ? removed : 0;
	return 0;
}

/* What the entry comes to, e.g. "203.0.113.0/24, 256 addresses"; null for a single address or a country. */
static json_t *describe_extent(const char *entry)
{
	char text[RG_LIST_EXTENT_TEXT];
	struct rg_addr first, last;

	if (rg_list_parse_bounds(entry, strlen(entry), &first, &last) ||
	    !rg_addr_compare(&first, &last))
		return json_null();
	return json_string(rg_list_extent_describe(&first, &last, text));
}

static void end_add(void *arg, int err, const struct rg_error *error)
{
	struct change *change = arg;
	const char *state_dir = change->modules->conf->state_dir;
	const char *entry = get_string(change->request, "entry");
	json_int_t seconds = get_seconds(change->request);
	json_t *answer = NULL;

	if (err && change->added)
		rg_list_edit_undo(state_dir, change->peer_class);
	if (err && change->unapproved + change->unblocked)
		rg_list_edit_undo(state_dir, other_class(change->peer_class));
	if (!err) {
		rg_log_info("%s %s by repgatectl", rg_class_name(change->peer_class), entry);
		answer = json_pack("{s:s, s:s, s:o, s:o, s:i, s:o, s:o}", "entry", entry, "class",
				   rg_class_name(change->peer_class), "expires_in",
				   seconds ? json_integer(seconds) : json_null(), "until",
				   seconds ? json_integer(change->until) : json_null(), "removed",
				   change->unapproved + change->unblocked, "comes_to",
				   describe_extent(entry), "warnings",
				   change->peer_class == RG_CLASS_BLOCKED ?
					   rg_block_check_warnings(change->modules, entry) :
					   json_array());
	}
	end_change(change, err, error, answer);
}

static const struct rg_reload_request add_entry = { .kind = RG_RELOAD_LISTS,
						    .begin = begin_add,
						    .done = end_add };

void rg_change_run_approve(struct rg_client *client, const json_t *request)
{
	queue_change(client, request, RG_CLASS_APPROVED, add_entry);
}

void rg_change_run_block(struct rg_client *client, const json_t *request)
{
	queue_change(client, request, RG_CLASS_BLOCKED, add_entry);
}

/* The entry is not in repgatectl's lists. The error names the file that has it, if one has. */
static int refuse_unlist(const struct rg_modules *modules, const char *entry, struct rg_error *error)
{
	const struct rg_list_item *item = rg_lists_find_country(modules->lists, entry, rg_now());
	struct rg_prefix prefix;

	if (!item && !rg_prefix_parse(entry, strlen(entry), &prefix))
		item = rg_lists_find(modules->lists, &prefix.addr, rg_now());
	if (!item)
		return rg_fail(error, -ENOENT, "%s is in no local list", entry);
	return rg_fail(error, -ENOENT, "%s was not added by repgatectl; %s:%u lists it as %s",
		       entry, rg_lists_source(modules->lists, item->source), item->line,
		       rg_class_name(item->peer_class));
}

static int begin_unlist(void *arg, struct rg_error *error)
{
	struct change *change = arg;
	const char *state_dir = change->modules->conf->state_dir;
	const char *entry = get_string(change->request, "entry");
	int approved = rg_list_edit_remove(state_dir, RG_CLASS_APPROVED, entry, error), blocked;

	if (approved < 0)
		return approved;
	blocked = rg_list_edit_remove(state_dir, RG_CLASS_BLOCKED, entry, error);
	if (blocked < 0)
		return blocked;
	change->unapproved = approved;
	change->unblocked = blocked;
	return approved + blocked ? 0 : refuse_unlist(change->modules, entry, error);
}

static void end_unlist(void *arg, int err, const struct rg_error *error)
{
	struct change *change = arg;
	const char *entry = get_string(change->request, "entry");
	json_t *answer = NULL, *classes = json_array();

	if (change->unapproved)
		json_array_append_new(classes, json_string(rg_class_name(RG_CLASS_APPROVED)));
	if (change->unblocked)
		json_array_append_new(classes, json_string(rg_class_name(RG_CLASS_BLOCKED)));
	if (!err) {
		rg_log_info("unlisted %s by repgatectl", entry);
		answer = json_pack("{s:s, s:i, s:O}", "entry", entry, "removed",
				   change->unapproved + change->unblocked, "classes", classes);
	}
	json_decref(classes);
	end_change(change, err, error, answer);
}

void rg_change_run_unlist(struct rg_client *client, const json_t *request)
{
	const struct rg_reload_request how = { .kind = RG_RELOAD_LISTS,
					       .begin = begin_unlist,
					       .done = end_unlist };

	queue_change(client, request, RG_CLASS_NONE, how);
}

/* ------------------------------------------------------- reload, monitor, set */

static void end_reload(void *arg, int err, const struct rg_error *error)
{
	end_change(arg, err, error, err ? NULL : json_pack("{s:b}", "reloaded", 1));
}

void rg_change_run_reload(struct rg_client *client, const json_t *request)
{
	bool force = json_is_true(json_object_get(request, "force"));
	const struct rg_reload_request how = { .kind = force ? RG_RELOAD_FORCE : RG_RELOAD_CONF,
					       .done = end_reload };

	queue_change(client, request, RG_CLASS_NONE, how);
}

static int begin_monitor(void *arg, struct rg_error *error)
{
	const struct change *change = arg;
	bool on = json_is_true(json_object_get(change->request, "on"));

	(void)error;
	change->ops->set_mode(change->ops->arg, on ? RG_MODE_MONITOR : RG_MODE_ENFORCE);
	return NOTHING_TO_LOAD;
}

static void end_monitor(void *arg, int err, const struct rg_error *error)
{
	struct change *change = arg;
	json_t *answer = NULL;

	if (!err)
		answer = json_pack("{s:s}", "mode", rg_mode_name(change->modules->conf->mode));
	end_change(change, err, error, answer);
}

void rg_change_run_monitor(struct rg_client *client, const json_t *request)
{
	const struct rg_reload_request how = { .begin = begin_monitor, .done = end_monitor };

	queue_change(client, request, RG_CLASS_NONE, how);
}

/*
 * The zones that the action of a class applies to. `repgatectl set --save` removes what it saved for
 * them before.
 */
static json_t *zones_of(const struct rg_conf *conf, const char *key)
{
	enum rg_class peer_class = !strcmp(key, "standard_action") ? RG_CLASS_STANDARD :
				   !strcmp(key, "qil_action")	   ? RG_CLASS_QIL :
								     RG_CLASS_NONE;
	json_t *zones = json_array();

	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].peer_class == peer_class)
			json_array_append_new(zones, json_string(conf->zones[i].alias));
	return zones;
}

static int begin_set(void *arg, struct rg_error *error)
{
	const struct change *change = arg;
	int err = change->ops->set(change->ops->arg, get_string(change->request, "key"),
				   get_string(change->request, "value"), error);

	return err ? err : NOTHING_TO_LOAD;
}

static void end_set(void *arg, int err, const struct rg_error *error)
{
	struct change *change = arg;
	const struct rg_conf *conf = change->modules->conf;
	const char *key = get_string(change->request, "key");
	json_t *answer = NULL;

	if (!err)
		answer = json_pack("{s:s, s:s, s:s, s:o}", "key", key, "value",
				   get_string(change->request, "value"), "config", conf->path,
				   "zones", zones_of(conf, key));
	end_change(change, err, error, answer);
}

void rg_change_run_set(struct rg_client *client, const json_t *request)
{
	const struct rg_reload_request how = { .begin = begin_set, .done = end_set };

	queue_change(client, request, RG_CLASS_NONE, how);
}

/* --------------------------------------------------------------------- flush */

static void end_flush(void *arg, size_t count, bool complete)
{
	struct change *change = arg;
	const char *what = get_string(change->request, "what");
	struct rg_error error = { "repgated stops" };
	int err = complete ? 0 : -ECANCELED;
	struct rg_prefix prefix;

	if (!err && what && !count)
		err = rg_fail(&error, -ENOENT,
			      rg_prefix_parse(what, strlen(what), &prefix) ?
				      "no verdict of zone %s is known: nothing is forgotten" :
				      "nothing is known of %s: nothing is forgotten",
			      what);
	else if (!err)
		rg_log_info("flushed %zu entries by repgatectl", count);
	end_change(change, err, &error,
		   err ? NULL : json_pack("{s:I}", "flushed", (json_int_t)count));
}

/* The client is answered when no packet meets any of it. */
static void flush(struct rg_client *client, const json_t *request, const struct rg_prefix *within,
		  uint32_t slot)
{
	const struct rg_modules *modules = rg_control_modules(client);
	struct change *change = calloc(1, sizeof(*change));
	const struct rg_error error = { "out of memory" };

	if (!change) {
		rg_control_refuse(client, "%s", error.text);
		return;
	}
	change->client = client;
	change->request = json_incref((json_t *)request);
	rg_control_wait(client, change, forget_client);
	if (rg_verdicts_flush(modules->verdicts, within, slot, end_flush, change))
		end_change(change, -ENOMEM, &error, NULL);
}

void rg_change_run_flush(struct rg_client *client, const json_t *request)
{
	const struct rg_modules *modules = rg_control_modules(client);
	const char *what = get_string(request, "what");
	const struct rg_zone_conf *zone = NULL;
	struct rg_prefix prefix, *within = NULL;
	char hint[RG_NEAREST_TEXT];

	if (what && !rg_prefix_parse(what, strlen(what), &prefix))
		within = &prefix;
	else if (what)
		zone = rg_conf_zone_by_alias(modules->conf, what);
	if (what && !within && !zone) {
		rg_control_refuse(client, "\"%.60s\" is not an address, a prefix or a zone%s", what,
				  rg_conf_zone_hint(modules->conf, what, hint));
		return;
	}
	flush(client, request, within, zone ? zone->slot : RG_NO_ZONE);
}
