/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/zone_names.h"

#include <bpf/bpf.h>

void rg_zone_names_open(struct rg_zone_names *names, int fd)
{
	*names = (struct rg_zone_names){ .fd = fd };
	for (uint32_t i = 0; i < RG_MAX_ZONES; i++)
		(void)bpf_map_lookup_elem(fd, &i, &names->slots[i]);
}

void rg_zone_names_copy(struct rg_zone_names *names, int from)
{
	for (uint32_t i = 0; i < RG_MAX_ZONES; i++) {
		(void)bpf_map_lookup_elem(from, &i, &names->slots[i]);
		(void)bpf_map_update_elem(names->fd, &i, &names->slots[i], BPF_ANY);
	}
}

static uint32_t find_slot(const struct rg_zone_names *names, const struct rg_zone_conf *zone)
{
	for (uint32_t i = 0; i < RG_MAX_ZONES; i++)
		if (names->slots[i].peer_class == zone->peer_class &&
		    !strcmp(names->slots[i].alias, zone->alias))
			return i;
	return RG_NO_ZONE;
}

/* RG_MAX_ZONES: none, because zones that left still have theirs. */
static uint32_t find_free_slot(const struct rg_zone_names *names)
{
	uint32_t slot = 0;

	while (slot < RG_MAX_ZONES && names->slots[slot].peer_class != RG_CLASS_NONE)
		slot++;
	return slot;
}

static int write_slot(struct rg_zone_names *names, uint32_t slot, const char *alias,
		      enum rg_class peer_class)
{
	struct rg_zone_name name = { .peer_class = peer_class };

	snprintf(name.alias, sizeof(name.alias), "%s", alias);
	names->slots[slot] = name;
	return bpf_map_update_elem(names->fd, &slot, &name, BPF_ANY) ? -errno : 0;
}

/* Slots that zones of conf have, and slots that are free or become free. */
static bool has_room(const struct rg_zone_names *names, const struct rg_conf *conf)
{
	unsigned int fresh = 0, room = 0;

	for (unsigned int i = 0; i < conf->zone_count; i++)
		fresh += conf->zones[i].slot == RG_NO_ZONE;
	for (uint32_t slot = 0; slot < RG_MAX_ZONES; slot++)
		room += names->slots[slot].peer_class == RG_CLASS_NONE;
	return fresh <= room;
}

/* Returns whether a zone has come back to a slot that it had left. */
static bool find_slots(struct rg_zone_names *names, struct rg_conf *conf)
{
	bool is_back = false;

	for (unsigned int i = 0; i < conf->zone_count; i++) {
		uint32_t slot = find_slot(names, &conf->zones[i]);

		conf->zones[i].slot = slot;
		is_back |= slot != RG_NO_ZONE && names->is_leaving[slot];
	}
	return is_back;
}

int rg_zone_names_assign(struct rg_zone_names *names, struct rg_conf *conf,
			 void (*leaves)(void *arg, uint32_t slot), void *arg)
{
	int err = 0, fresh = find_slots(names, conf);

	for (uint32_t slot = 0; slot < RG_MAX_ZONES; slot++) {
		bool is_used = rg_conf_zone_by_slot(conf, slot);

		if (names->slots[slot].peer_class == RG_CLASS_NONE ||
		    names->is_leaving[slot] == !is_used)
			continue;
		names->is_leaving[slot] = !is_used;
		if (!is_used)
			leaves(arg, slot);
	}
	if (!has_room(names, conf))
		return -EAGAIN;
	for (unsigned int i = 0; !err && i < conf->zone_count; i++) {
		struct rg_zone_conf *zone = &conf->zones[i];

		if (zone->slot != RG_NO_ZONE)
			continue;
		zone->slot = find_free_slot(names);
		err = write_slot(names, zone->slot, zone->alias, zone->peer_class);
		fresh = 1;
	}
	return err ? err : fresh;
}

void rg_zone_names_free(struct rg_zone_names *names, uint32_t slot)
{
	if (!names->is_leaving[slot])
		return;
	names->is_leaving[slot] = false;
	(void)write_slot(names, slot, "", RG_CLASS_NONE);
}

const char *rg_zone_names_alias(const struct rg_zone_names *names, uint32_t slot)
{
	return slot < RG_MAX_ZONES ? names->slots[slot].alias : "";
}
