/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of prefixes by the time at which they end. There may be millions: an IPv4 host takes 8 bytes,
 * anything else 28. What has ended before its time, or was prolonged, stays in the queue as it is:
 * whether an entry is out of date its owner knows. Knows no map, so that it can be tested by itself.
 */
#ifndef REPGATE_DUE_H
#define REPGATE_DUE_H

#include "util.h"

#include "../maps/types.h"

struct rg_due;

/* Ticks of 268 ms since boot, which last for 36 years. */
#define RG_DUE_TICK_SHIFT 28
#define RG_DUE_TICK (1ULL << RG_DUE_TICK_SHIFT) /* ns */

struct rg_due_entry {
	struct rg_prefix key;
	uint32_t tick; /* rg_due_tick() of its end */
};

/* Rounded up, so that in this tick it is certainly over. time: ns of CLOCK_BOOTTIME. */
uint32_t rg_due_tick(uint64_t time);

/* 0 or -ENOMEM. */
int rg_due_new(struct rg_due **ret);
void rg_due_free(struct rg_due *due);

size_t rg_due_count(const struct rg_due *due);

/* 0 or -ENOMEM. What is there already is there twice then. */
int rg_due_add(struct rg_due *due, const struct rg_prefix *key, uint64_t expiry);

/* Takes the soonest one out, if it is over at now (UINT64_MAX: in any case). False: there is none. */
bool rg_due_pop(struct rg_due *due, uint64_t now, struct rg_due_entry *ret);

/* The entry number index, in no order that lasts. False: past the last. */
bool rg_due_at(const struct rg_due *due, size_t index, struct rg_due_entry *ret);

#endif
