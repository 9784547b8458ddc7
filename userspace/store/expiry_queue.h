/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of prefixes by the time at which they end. There may be millions: an IPv4 host takes 8 bytes,
 * anything else 28. What has ended before its time, or was prolonged, stays in the queue as it is:
 * whether an entry is out of date its owner knows. Knows no map, so that it can be tested by itself.
 */
#ifndef REPGATE_STORE_EXPIRY_QUEUE_H
#define REPGATE_STORE_EXPIRY_QUEUE_H

#include "base/util.h"

#include "maps/types.h"

struct rg_expiry_queue;

/* Ticks of 268 ms since boot, which last for 36 years. */
#define RG_EXPIRY_TICK_SHIFT 28
#define RG_EXPIRY_TICK (1ULL << RG_EXPIRY_TICK_SHIFT) /* ns */

struct rg_expiry_entry {
	struct rg_prefix key;
	uint32_t tick; /* rg_expiry_tick() of its end */
};

/* Rounded up, so that in this tick it is certainly over. time: ns of CLOCK_BOOTTIME. */
uint32_t rg_expiry_tick(uint64_t time);

/* 0 or -ENOMEM. */
int rg_expiry_queue_new(struct rg_expiry_queue **ret);
void rg_expiry_queue_free(struct rg_expiry_queue *due);

size_t rg_expiry_queue_count(const struct rg_expiry_queue *due);

/* 0 or -ENOMEM. What is there already is there twice then. */
int rg_expiry_queue_add(struct rg_expiry_queue *due, const struct rg_prefix *key, uint64_t expiry);

/* Takes the soonest one out, if it is over at now (UINT64_MAX: in any case). False: there is none. */
bool rg_expiry_queue_pop(struct rg_expiry_queue *due, uint64_t now, struct rg_expiry_entry *ret);

/* The entry number index, in no order that lasts. False: past the last. */
bool rg_expiry_queue_at(const struct rg_expiry_queue *due, size_t index, struct rg_expiry_entry *ret);

#endif
