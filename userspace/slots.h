/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which entries of an array are taken: a bit for each. Knows no map, so that it can be tested by itself.
 */
#ifndef REPGATE_SLOTS_H
#define REPGATE_SLOTS_H

#include "util.h"

struct rg_slots;

/* All are free. 0 or -ENOMEM. */
int rg_slots_new(struct rg_slots **ret, uint32_t count);
void rg_slots_free(struct rg_slots *slots);

/* Takes any free one. 0 or -ENOSPC. */
int rg_slots_take(struct rg_slots *slots, uint32_t *ret);
/* Takes this one. False: it is taken already, or there is none. */
bool rg_slots_claim(struct rg_slots *slots, uint32_t slot);
/* False also if there is none. */
bool rg_slots_is_taken(const struct rg_slots *slots, uint32_t slot);
/* Nothing, if it is not taken. */
void rg_slots_release(struct rg_slots *slots, uint32_t slot);

/* How many are taken. */
uint32_t rg_slots_taken(const struct rg_slots *slots);

#endif
