/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/check.h"

#include "kernel/steering.h"
#include "store/list_load.h"

static bool check_file(const struct rg_list_file *file, FILE *to)
{
	for (size_t i = 0; i < file->bad_shown; i++)
		fprintf(to, "%s:%u: %s\n", file->path, file->bad[i].line, file->bad[i].why);
	if (*file->fault)
		fprintf(to, "%s: %s%s\n", file->path, file->fault,
			file->kept ? "; its last good version is in force" : "");
	return !file->bad_lines && !*file->fault;
}

/* What is no fault, but may be another thing than people think. */
static void tell_notes(const struct rg_lists *lists, FILE *to)
{
	const struct rg_list_coverings *coverings = rg_lists_coverings(lists);
	const struct rg_list_unread *unread = rg_lists_unread(lists);
	char text[RG_LIST_COVERING_TEXT];

	for (size_t i = 0; i < coverings->count; i++)
		fprintf(to, "%s:%u: %s\n", rg_lists_source(lists, coverings->all[i].source),
			coverings->all[i].line, rg_list_own_describe(&coverings->all[i], text));
	for (size_t i = 0; i < unread->shown; i++)
		fprintf(to, "%s is not read: its name does not end in .list\n", unread->paths[i]);
	if (unread->count > unread->shown)
		fprintf(to, "%zu more files in the list directories are not read\n",
			unread->count - unread->shown);
}

static bool check_files(const struct rg_conf *conf, FILE *to)
{
	struct rg_list_load_result result = {};
	const struct rg_list_file *files;
	bool good = true;
	size_t count;

	if (rg_list_load_files(conf, RG_LIST_LOAD_ALL_BAD, &result)) {
		fprintf(to, "%s\n", result.error.text);
		return false;
	}
	files = rg_lists_files(result.lists, &count);
	for (size_t i = 0; i < count; i++)
		good = check_file(&files[i], to) && good;
	tell_notes(result.lists, to);
	if (*result.country_fault.text) {
		fprintf(to, "%s\n", result.country_fault.text);
		good = false;
	}
	rg_country_db_free(result.countries);
	rg_lists_free(result.lists);
	return good;
}

bool rg_check_files(const struct rg_conf *conf, FILE *to)
{
	char *text = NULL;
	size_t size = 0;
	FILE *whole = open_memstream(&text, &size);
	bool good;

	if (!whole) {
		fputs("out of memory\n", to);
		return false;
	}
	good = check_files(conf, whole);
	if (!fclose(whole)) {
		rg_conf_mask(conf, text); /* a file's name may show a key */
		fputs(text, to);
	}
	free(text);
	return good;
}

const char *rg_check_advice(const struct rg_conf *conf)
{
	struct rg_steering steering = { .attached = true };

	if (!rg_conf_uses(conf, RG_ACTION_TEMPFAIL) && !rg_conf_uses(conf, RG_ACTION_REJECT))
		return NULL;
	rg_steering_update(&steering, conf, rg_steering_listener(conf->ports, conf->port_count),
			   false);
	return steering.state == RG_STEERING_READY ? NULL : rg_steering_advice(steering.state);
}
