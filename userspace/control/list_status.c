/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/list_status.h"

#include "base/names.h"
#include "control/describe.h"

#define COVERINGS_SHOWN 10

/* ---- the part of `status` ---- */

static json_t *describe_bad_lines(const struct rg_list_file *file)
{
	json_t *lines = json_array();

	for (size_t i = 0; i < file->bad_shown; i++)
		json_array_append_new(lines,
				      json_pack("{s:I, s:s%}", "line", (json_int_t)file->bad[i].line,
						"reason", file->bad[i].why,
						strnlen(file->bad[i].why, RG_LIST_BAD_SIZE)));
	return lines;
}

/* The files of the local lists with bad lines or a fault. */
static json_t *describe_list_files(const struct rg_lists *lists)
{
	json_t *all = json_array();
	size_t count;
	const struct rg_list_file *files = rg_lists_files(lists, &count);

	for (size_t i = 0; i < count; i++) {
		const struct rg_list_file *file = &files[i];

		if (!file->bad_lines && !*file->fault)
			continue;
		json_array_append_new(
			all, json_pack("{s:o, s:s, s:I, s:I, s:o, s:o, s:b, s:I, s:I}", "path",
				       rg_describe_path(file->path), "class",
				       rg_class_name(file->peer_class), "entries",
				       (json_int_t)file->entries, "bad_lines",
				       (json_int_t)file->bad_lines, "bad", describe_bad_lines(file),
				       "fault", rg_describe_text(file->fault), "kept", file->kept,
				       "since", (json_int_t)file->kept_since, "version",
				       (json_int_t)file->version));
	}
	return all;
}

/* Blocked entries that cover what is never blocked, and countries that are this host's own. */
static json_t *describe_coverings(const struct rg_modules *modules)
{
	const struct rg_lists *lists = modules->lists;
	const struct rg_list_coverings *coverings = rg_lists_coverings(lists);
	json_t *all = json_array();

	for (size_t i = 0; i < coverings->count && i < COVERINGS_SHOWN; i++) {
		const struct rg_list_covering *covering = &coverings->all[i];
		char text[RG_LIST_COVERING_TEXT];

		json_array_append_new(
			all, json_pack("{s:o, s:I, s:o, s:o, s:s, s:b}", "path",
				       rg_describe_path(rg_lists_source(lists, covering->source)),
				       "line", (json_int_t)covering->line, "entry",
				       rg_describe_prefix(&covering->entry), "covers",
				       rg_describe_prefix(&covering->own.prefix), "reason",
				       rg_list_own_describe(covering, text), "dropped",
				       covering->dropped));
	}
	return all;
}

static void add_own_countries(const struct rg_modules *modules, json_t *all)
{
	const struct rg_lists *lists = modules->lists;
	struct rg_country_own found[RG_COUNTRY_OWN_MAX];
	size_t count = 0;

	if (modules->countries && rg_lists_countries(lists))
		count = rg_country_db_find_own(modules->countries, rg_lists_own(lists), found);
	for (size_t i = 0; i < count; i++) {
		const struct rg_list_item *item =
			rg_lists_find_country(lists, found[i].code, rg_now());
		char text[RG_OWN_TEXT], reason[RG_OWN_TEXT + 20];

		if (!item || item->peer_class != RG_CLASS_BLOCKED)
			continue;
		snprintf(reason, sizeof(reason), "%.2s covers %s", found[i].code,
			 rg_own_networks_describe(found[i].own, text));
		json_array_append_new(
			all, json_pack("{s:o, s:I, s:s, s:o, s:s, s:b}", "path",
				       rg_describe_path(rg_lists_source(lists, item->source)),
				       "line", (json_int_t)item->line, "entry", found[i].code,
				       "covers", rg_describe_prefix(&found[i].own->prefix),
				       "reason", reason, "dropped", 0));
	}
}

static json_t *describe_unread(const struct rg_list_unread *unread)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < unread->shown; i++)
		json_array_append_new(paths, rg_describe_path(unread->paths[i]));
	return paths;
}

json_t *rg_list_status_describe(const struct rg_modules *modules)
{
	struct rg_list_faults faults = rg_lists_faults(modules->lists);
	json_t *coverings = describe_coverings(modules);
	size_t entries;

	add_own_countries(modules, coverings);
	(void)rg_lists_items(modules->lists, &entries);
	return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:o, s:I}", "entries",
			 (json_int_t)entries, "written", (json_int_t)rg_lists_written(modules->lists),
			 "countries", (json_int_t)rg_lists_countries(modules->lists), "bad_lines",
			 (json_int_t)faults.bad_lines, "files", describe_list_files(modules->lists),
			 "country_fault", rg_describe_text(modules->country_fault.text),
			 "never_blocked", coverings, "never_blocked_count",
			 (json_int_t)rg_lists_coverings(modules->lists)->count, "not_read",
			 describe_unread(rg_lists_unread(modules->lists)), "not_read_count",
			 (json_int_t)rg_lists_unread(modules->lists)->count);
}

/* ---- the command list ---- */

static bool is_wanted(const struct rg_list_item *item, const char *class_name)
{
	return !class_name || !strcmp(class_name, rg_class_name(item->peer_class));
}

static void list_prefixes(const struct rg_lists *lists, const char *class_name, json_t *entries)
{
	size_t count;
	const struct rg_list_item *items = rg_lists_items(lists, &count);

	for (size_t i = 0; i < count && json_array_size(entries) < RG_DESCRIBE_MAX; i++)
		if (is_wanted(&items[i], class_name))
			json_array_append_new(entries, rg_describe_list_item(lists, &items[i],
									     "class", NULL));
}

static void list_countries(const struct rg_lists *lists, const char *class_name, json_t *entries)
{
	uint64_t now = rg_now();

	for (char a = 'A'; a <= 'Z'; a++) {
		for (char b = 'A'; b <= 'Z'; b++) {
			const char code[] = { a, b, '\0' };
			const struct rg_list_item *item = rg_lists_find_country(lists, code, now);

			if (item && is_wanted(item, class_name))
				json_array_append_new(
					entries, rg_describe_list_item(lists, item, "class", code));
		}
	}
}

void rg_list_status_run(struct rg_client *client, const json_t *request)
{
	const struct rg_lists *lists = rg_control_modules(client)->lists;
	const char *class_name = json_string_value(json_object_get(request, "class"));
	json_t *entries = json_array();
	size_t count;

	(void)rg_lists_items(lists, &count);
	list_prefixes(lists, class_name, entries);
	list_countries(lists, class_name, entries);
	rg_control_answer(client,
			  json_pack("{s:o, s:I}", "entries", entries, "count", (json_int_t)count));
}
