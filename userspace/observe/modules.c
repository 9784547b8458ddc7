/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "observe/modules.h"

#include "kernel/stats.h"

static void read_zone(const struct rg_modules *modules, unsigned int number,
		      struct rg_history_sample *sample)
{
	const struct rg_zone_conf *zone = &modules->conf->zones[number];
	const struct rg_zone_count *count = rg_inquiry_context_count(modules->inquiries, zone->slot);
	uint64_t *to = sample->zones[number].counts;

	sample->zones[number].alias = zone->alias;
	to[RG_ASKED] = count->asked;
	to[RG_ASKED_LISTED] = count->listed;
	to[RG_ASKED_CLEAN] = count->not_listed;
	for (unsigned int status = 0; status < RG_DNS_STATUS_MAX; status++)
		if (status != RG_DNS_OFF) /* the zone was not asked */
			to[RG_ASKED_FAILED] += count->failed[status];
}

int rg_modules_read_counters(const struct rg_modules *modules, struct rg_history_sample *sample)
{
	int err;

	*sample = (struct rg_history_sample){ .zone_count = modules->conf->zone_count };
	err = rg_stats_read(rg_loader_maps(modules->loader)->stats, &sample->kernel);
	if (err)
		return err;
	rg_losses_read_own(modules, sample->losses);
	memcpy(sample->inquiries, modules->asked, sizeof(sample->inquiries));
	for (unsigned int i = 0; i < sample->zone_count; i++)
		read_zone(modules, i, sample);
	return 0;
}

int rg_modules_sample(const struct rg_modules *modules)
{
	struct rg_history_sample sample;
	int err = rg_modules_read_counters(modules, &sample);

	if (!err)
		rg_history_counts_add(modules->history, &sample, rg_moment_now());
	return err;
}
