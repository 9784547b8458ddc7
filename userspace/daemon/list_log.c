/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/list_log.h"

#include "base/addr.h"
#include "base/log.h"

#include <limits.h>

/* Lines of one kind in a reload. */
#define MAX_LINES 10

/* The name of a file, which may show a key. */
struct shown {
	char text[PATH_MAX];
};

static const char *show(const struct rg_conf *conf, const char *path, struct shown *shown)
{
	return rg_conf_masked(conf, path, shown->text, sizeof(shown->text));
}

static void log_file(const struct rg_conf *conf, const struct rg_list_file *file)
{
	struct shown shown;
	const char *path = show(conf, file->path, &shown);

	for (size_t i = 0; i < file->bad_shown; i++)
		rg_log_warning("%s:%u: %s", path, file->bad[i].line, file->bad[i].why);
	if (file->bad_lines > file->bad_shown)
		rg_log_warning("%s: %zu more bad lines", path, file->bad_lines - file->bad_shown);
	if (*file->fault)
		rg_log_warning("%s: %s; %s", path, file->fault,
			       file->kept    ? "its last good version stays in force" :
			       file->entries ? "its good lines are in force" :
					       "nothing of it is in force");
}

/* hint: where it may be, as the order of files seldom changes; set to the place behind it. */
static const struct rg_list_file *find_file(const struct rg_lists *lists, const char *path,
					    size_t *hint)
{
	size_t count = 0;
	const struct rg_list_file *files = lists ? rg_lists_files(lists, &count) : NULL;

	for (size_t i = 0; i < count; i++) {
		size_t at = (*hint + i) % count;

		if (!strcmp(files[at].path, path)) {
			*hint = at + 1;
			return &files[at];
		}
	}
	return NULL;
}

/* Its last good version is an older one, or none. */
static void log_keep_error(const struct rg_conf *conf, const struct rg_list_file *old,
			   const struct rg_list_file *file)
{
	struct shown path;

	if (file->keep_error && (!old || old->keep_error != file->keep_error))
		rg_log_warning("%s: can't be copied to the last good versions: %s",
			       show(conf, file->path, &path), strerror(file->keep_error));
}

static void log_files(const struct rg_conf *conf, const struct rg_lists *before,
		      const struct rg_lists *lists)
{
	size_t count, hint = 0;
	const struct rg_list_file *files = rg_lists_files(lists, &count);
	struct shown path;

	for (size_t i = 0; i < count; i++) {
		const struct rg_list_file *old = find_file(before, files[i].path, &hint);
		bool was_bad = old && (old->bad_lines || *old->fault);

		log_keep_error(conf, old, &files[i]);
		if (!files[i].bad_lines && !*files[i].fault) {
			if (was_bad)
				rg_log_info("%s: good again", show(conf, files[i].path, &path));
		} else if (!old || !rg_list_file_same(old, &files[i])) {
			log_file(conf, &files[i]);
		}
	}
}

static void log_unread(const struct rg_conf *conf, const struct rg_lists *before,
		       const struct rg_lists *lists)
{
	const struct rg_list_unread *unread = rg_lists_unread(lists);
	struct shown path;

	for (size_t i = 0; i < unread->shown; i++)
		if (!before || !rg_list_names_has_unread(rg_lists_unread(before), unread->paths[i]))
			rg_log_warning("%s is not read: its name does not end in .list",
				       show(conf, unread->paths[i], &path));
	if (unread->count > unread->shown &&
	    (!before || rg_lists_unread(before)->count != unread->count))
		rg_log_warning("%zu more files in the list directories are not read",
			       unread->count - unread->shown);
}

/* Whether the same line covered the same before. */
static bool was_covering(const struct rg_lists *before, const struct rg_lists *lists,
			 const struct rg_list_covering *covering)
{
	const struct rg_list_coverings *old = before ? rg_lists_coverings(before) : NULL;

	for (size_t i = 0; old && i < old->count; i++) {
		const struct rg_list_covering *one = &old->all[i];

		if (!rg_prefix_compare(&one->entry, &covering->entry) &&
		    !rg_prefix_compare(&one->own.prefix, &covering->own.prefix) &&
		    one->more == covering->more && one->dropped == covering->dropped &&
		    !strcmp(rg_lists_source(before, one->source),
			    rg_lists_source(lists, covering->source)))
			return true;
	}
	return false;
}

static void log_coverings(const struct rg_conf *conf, const struct rg_lists *before,
			  const struct rg_lists *lists)
{
	const struct rg_list_coverings *coverings = rg_lists_coverings(lists);
	char text[RG_LIST_COVERING_TEXT];
	struct shown path;
	size_t logged = 0;

	for (size_t i = 0; i < coverings->count && logged < MAX_LINES; i++) {
		const struct rg_list_covering *covering = &coverings->all[i];

		if (was_covering(before, lists, covering))
			continue;
		rg_log_warning("%s:%u: %s",
			       show(conf, rg_lists_source(lists, covering->source), &path),
			       covering->line, rg_list_own_describe(covering, text));
		logged++;
	}
	if (coverings->count > MAX_LINES && logged == MAX_LINES)
		rg_log_warning(
			"%zu blocked entries cover what is never blocked; repgated --check names all",
			coverings->count);
}

void rg_list_log_changes(const struct rg_conf *conf, const struct rg_lists *before,
			 const struct rg_lists *lists)
{
	log_files(conf, before, lists);
	log_unread(conf, before, lists);
	log_coverings(conf, before, lists);
}

/* A blocked country in which this host is does not block its networks. */
static void log_own_countries(const struct rg_conf *conf, const struct rg_lists *lists,
			      const struct rg_country_db *countries)
{
	struct rg_country_own found[RG_COUNTRY_OWN_MAX];
	size_t count = rg_country_db_find_own(countries, rg_lists_own(lists), found);
	char text[RG_OWN_TEXT];
	struct shown path;

	for (size_t i = 0; i < count; i++) {
		const struct rg_list_item *item =
			rg_lists_find_country(lists, found[i].code, rg_now());

		if (item && item->peer_class == RG_CLASS_BLOCKED)
			rg_log_warning("%s:%u: %s covers %s, which is never blocked",
				       show(conf, rg_lists_source(lists, item->source), &path),
				       item->line, found[i].code,
				       rg_own_networks_describe(found[i].own, text));
	}
}

void rg_list_log_countries(const struct rg_conf *conf, const struct rg_lists *lists,
			   const struct rg_country_db *countries)
{
	if (!rg_lists_countries(lists))
		return;
	rg_log_warning("the lists name %zu countries; an approved country lets its spammers in",
		       rg_lists_countries(lists));
	if (countries)
		log_own_countries(conf, lists, countries);
}

void rg_list_log_connected(const struct rg_conf *conf, const struct rg_list_load_result *fresh)
{
	struct shown path;
	char text[RG_ADDR_TEXT];

	for (size_t i = 0; i < fresh->connected_count; i++)
		rg_log_warning("%s:%u: blocks %s, which is connected now",
			       show(conf,
				    rg_lists_source(fresh->lists, fresh->connected[i].item->source),
				    &path),
			       fresh->connected[i].item->line,
			       rg_addr_format(&fresh->connected[i].addr, text));
}
