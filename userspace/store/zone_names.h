/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only writer of the map `zones`: a zone's number, its slot, and the name that people see. Verdicts
 * have the slot only. A zone keeps its slot through reloads and restarts.
 */
#ifndef REPGATE_STORE_ZONE_NAMES_H
#define REPGATE_STORE_ZONE_NAMES_H

#include "config/config.h"

struct rg_zone_names {
	int fd; /* the map, the loader's */
	struct rg_zone_name slots[RG_MAX_ZONES]; /* a copy of it; class NONE: free */
	bool is_leaving[RG_MAX_ZONES]; /* the zone is gone, but verdicts may still refer to its slot */
};

/* Reads what the map fd says. */
void rg_zone_names_open(struct rg_zone_names *names, int fd);

/* Copies the names of an earlier agent's map into ours. */
void rg_zone_names_copy(struct rg_zone_names *names, int from);

/*
 * Gives every zone of conf its slot: the one that its alias and class had, otherwise a free one. For each slot of a zone
 * that conf no longer has, leaves is called: to remove what refers to it, and then to call rg_zone_names_free().
 * 1: a zone is new, 0: none is, -EAGAIN: too many slots are not free yet; or another negative error.
 */
int rg_zone_names_assign(struct rg_zone_names *names, struct rg_conf *conf,
			 void (*leaves)(void *arg, uint32_t slot), void *arg);

/* Frees the slot of a zone that left, unless it has come back meanwhile. */
void rg_zone_names_free(struct rg_zone_names *names, uint32_t slot);

/* The zone's alias; "" if the slot is free or there is no such slot. */
const char *rg_zone_names_alias(const struct rg_zone_names *names, uint32_t slot);

#endif
