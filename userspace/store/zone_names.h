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
};

/* Reads what the map fd says. */
void rg_zone_names_open(struct rg_zone_names *names, int fd);

/* Copies the names of an earlier agent's map into ours. */
void rg_zone_names_copy(struct rg_zone_names *names, int from);

/*
 * Gives every zone of conf its slot: the one that its alias and class had, otherwise a free one. Slots
 * of zones that conf no longer has become free; before that, freed is called with each, to remove what
 * refers to it. 1: a zone is new, 0: none is, or a negative error.
 */
int rg_zone_names_assign(struct rg_zone_names *names, struct rg_conf *conf,
			 void (*freed)(void *arg, uint32_t slot), void *arg);

/* The zone's alias; "" if the slot is free or there is no such slot. */
const char *rg_zone_names_alias(const struct rg_zone_names *names, uint32_t slot);

#endif
