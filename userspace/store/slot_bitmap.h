/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which slots of an array are taken: a bit for each. Pure. */
#ifndef REPGATE_STORE_SLOT_BITMAP_H
#define REPGATE_STORE_SLOT_BITMAP_H

#include "base/util.h"

struct rg_slot_bitmap;

/* count slots, all free. 0 or -ENOMEM. */
int rg_slot_bitmap_new(struct rg_slot_bitmap **ret, uint32_t count);
void rg_slot_bitmap_free(struct rg_slot_bitmap *slots);

/* Takes any free slot and sets *ret to it. 0 or -ENOSPC. */
int rg_slot_bitmap_take(struct rg_slot_bitmap *slots, uint32_t *ret);
/* Takes this slot. False: it is taken already, or there is no such slot. */
bool rg_slot_bitmap_claim(struct rg_slot_bitmap *slots, uint32_t slot);
/* Whether the slot is taken; false if there is no such slot. */
bool rg_slot_bitmap_is_taken(const struct rg_slot_bitmap *slots, uint32_t slot);
/* Frees the slot. Does nothing if it is not taken. */
void rg_slot_bitmap_release(struct rg_slot_bitmap *slots, uint32_t slot);

/* How many are taken. */
uint32_t rg_slot_bitmap_taken(const struct rg_slot_bitmap *slots);

#endif
