/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key of each verdict, by the number of its details. A verdict keeps its number as long as it is in the map, so a
 * walk by number meets each verdict that is there all the while exactly once, whatever is stored and removed
 * meanwhile. An IPv4 host takes 5 bytes, anything else 25. Pure.
 */
#ifndef REPGATE_STORE_VERDICT_KEYS_H
#define REPGATE_STORE_VERDICT_KEYS_H

#include "base/util.h"

#include "maps/types.h"

struct rg_verdict_keys;

/* Numbers from 0 to count - 1, all without a key. 0 or -ENOMEM. */
int rg_verdict_keys_new(struct rg_verdict_keys **ret, uint32_t count);
/* NULL-safe. */
void rg_verdict_keys_free(struct rg_verdict_keys *keys);

/* Gives a number a key, in place of the one that it may have. It is fresh then. 0 or -ENOMEM. */
int rg_verdict_keys_set(struct rg_verdict_keys *keys, uint32_t number, const struct rg_prefix *key);
/* Takes the key of a number away. */
void rg_verdict_keys_clear(struct rg_verdict_keys *keys, uint32_t number);
/* False: the number has no key. */
bool rg_verdict_keys_get(const struct rg_verdict_keys *keys, uint32_t number, struct rg_prefix *ret);
/* The first number from *number on that has a key. False: none has. */
bool rg_verdict_keys_next(const struct rg_verdict_keys *keys, uint32_t *number);
/* How many have a key. */
size_t rg_verdict_keys_count(const struct rg_verdict_keys *keys);

/* From now on only keys that are set are fresh. */
void rg_verdict_keys_age(struct rg_verdict_keys *keys);
/* Whether the number's key was set since the last rg_verdict_keys_age(). */
bool rg_verdict_keys_is_fresh(const struct rg_verdict_keys *keys, uint32_t number);

#endif
