/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which entries of an array are taken: a bit for each. Knows no map, so that it can be tested by itself.
 */
#ifndef REPGATE_STORE_SLOT_BITMAP_H
#define REPGATE_STORE_SLOT_BITMAP_H

#include "base/util.h"

struct rg_slot_bitmap;

/* All are free. 0 or -ENOMEM. */
int rg_slot_bitmap_new(struct rg_slot_bitmap **ret, uint32_t count);
void rg_slot_bitmap_free(struct rg_slot_bitmap *slots);

/* Takes any free one. 0 or -ENOSPC. */
int rg_slot_bitmap_take(struct rg_slot_bitmap *slots, uint32_t *ret);
/* Takes this one. False: it is taken already, or there is none. */
bool rg_slot_bitmap_claim(struct rg_slot_bitmap *slots, uint32_t slot);
/* False also if there is none. */
bool rg_slot_bitmap_is_taken(const struct rg_slot_bitmap *slots, uint32_t slot);
/* Nothing, if it is not taken. */
void rg_slot_bitmap_release(struct rg_slot_bitmap *slots, uint32_t slot);

/* How many are taken. */
uint32_t rg_slot_bitmap_taken(const struct rg_slot_bitmap *slots);

#endif
