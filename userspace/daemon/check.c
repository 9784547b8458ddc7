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

bool rg_check_files(const struct rg_conf *conf, FILE *to)
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
	if (*result.country_fault.text) {
		fprintf(to, "%s\n", result.country_fault.text);
		good = false;
	}
	rg_country_db_free(result.countries);
	rg_lists_free(result.lists);
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
