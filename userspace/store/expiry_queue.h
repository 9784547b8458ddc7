/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of prefixes by expiry. There may be millions: an IPv4 host takes 8 bytes, anything else 28.
 * Entries are only added and taken out at their end. If a prefix is removed or renewed meanwhile, its old
 * entry stays; the owner finds out that it is outdated. Pure.
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
	uint32_t tick; /* rg_expiry_tick() of its expiry */
};

/* The tick of a time in ns of CLOCK_BOOTTIME, rounded up: in this tick the time has certainly passed. */
uint32_t rg_expiry_tick(uint64_t time);

/* 0 or -ENOMEM. */
int rg_expiry_queue_new(struct rg_expiry_queue **ret);
void rg_expiry_queue_free(struct rg_expiry_queue *queue);

/* How many entries there are, outdated ones too. */
size_t rg_expiry_queue_count(const struct rg_expiry_queue *queue);

/*
 * Adds an entry; expiry: ns of CLOCK_BOOTTIME. A key that is there already is there twice then. 0 or
 * -ENOMEM.
 */
int rg_expiry_queue_add(struct rg_expiry_queue *queue, const struct rg_prefix *key, uint64_t expiry);

/* Takes out the entry that ends first, if it has ended at now (UINT64_MAX: in any case). False: none. */
bool rg_expiry_queue_pop(struct rg_expiry_queue *queue, uint64_t now, struct rg_expiry_entry *ret);

/*
 * The entry with this index, from 0, in an order that changes with each add and pop. False: past the
 * last.
 */
bool rg_expiry_queue_at(const struct rg_expiry_queue *queue, size_t index,
			struct rg_expiry_entry *ret);

#endif
