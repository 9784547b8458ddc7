/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/list_status.h"

#include "base/names.h"
#include "control/describe.h"

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
			all, json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:b, s:I, s:I}", "path",
				       file->path, "class", rg_class_name(file->peer_class),
				       "entries", (json_int_t)file->entries, "bad_lines",
				       (json_int_t)file->bad_lines, "bad", describe_bad_lines(file),
				       "fault", rg_describe_text(file->fault), "kept", file->kept,
				       "since", (json_int_t)file->kept_since, "version",
				       (json_int_t)file->version));
	}
	return all;
}

json_t *rg_list_status_describe(const struct rg_modules *modules)
{
	struct rg_list_faults faults = rg_lists_faults(modules->lists);
	size_t entries;

	(void)rg_lists_items(modules->lists, &entries);
	return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "entries", (json_int_t)entries,
			 "written", (json_int_t)rg_lists_written(modules->lists), "countries",
			 (json_int_t)rg_lists_countries(modules->lists), "bad_lines",
			 (json_int_t)faults.bad_lines, "files", describe_list_files(modules->lists),
			 "country_fault", rg_describe_text(modules->country_fault.text));
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
	for (char a = 'A'; a <= 'Z'; a++) {
		for (char b = 'A'; b <= 'Z'; b++) {
			const char code[] = { a, b, '\0' };
			const struct rg_list_item *item = rg_lists_find_country(lists, code);

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
