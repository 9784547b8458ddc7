/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/check.h"

#include "kernel/steering.h"
#include "store/list_load.h"

int rg_check_files(const struct rg_conf *conf, struct rg_error *error)
{
	struct rg_lists *lists = NULL;
	struct rg_country_db *countries = NULL;
	int err = rg_list_load_files(conf, &lists, &countries, error);

	rg_country_db_free(countries);
	rg_lists_free(lists);
	if (err && error)
		rg_conf_mask(conf, error->text); /* it may quote a line of a list */
	return err;
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
