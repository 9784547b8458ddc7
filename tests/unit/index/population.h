/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts and /64s that come and go in an index. No two overlap, so what holds for each is known at once;
 * between them lie addresses that are never put.
 */
#ifndef REPGATE_TESTS_UNIT_INDEX_POPULATION_H
#define REPGATE_TESTS_UNIT_INDEX_POPULATION_H

#include "model.h"

#define KEYS 1200 /* of each family; about half of them are in the index */

struct population {
	struct checked checked;
	bool there[2 * KEYS]; /* IPv4 hosts, then IPv6 /64s */
	struct rg_index_entry entries[2 * KEYS];
	size_t live; /* how many are there */
	uint64_t now;
};

struct population *population_new(const struct rg_index_size *size, enum rg_index_part part);
void population_free(struct population *population);

struct rg_prefix key_of(const struct population *population, size_t key);
/* Puts a key, with a random entry. */
void population_put(struct population *population, size_t key);
/* The index no longer has it: only the population is told. */
void population_forget(struct population *population, size_t key);
void population_remove(struct population *population, size_t key);
/* Puts or removes a random key, and checks it and another. filling: percent of puts. */
void population_churn(struct population *population, unsigned int filling);
/* Checks the answer for a key and for an address beside it that is never put. Returns the first. */
uint32_t population_check(struct population *population, size_t key);
void population_check_all(struct population *population);
/* Sweeps the index, which removes what is over, rounded to a unit, and nothing else. */
void population_sweep(struct population *population);
/* How many keys may be there without a slot: the overflow, and all of IPv4 without a table for it. */
size_t population_slotless(const struct population *population);
/* Flushes; returns how many. Keys without a slot stay, and answer "ask". */
size_t population_flush(struct population *population, const struct rg_prefix *prefix);
/* The same; checks that every key with a slot was counted, and no other. */
void population_flush_counted(struct population *population, const struct rg_prefix *prefix);
/*
 * Goes on with a copy of the index, whose times count from another epoch. retire: the copy is in force
 * and the presence of the index before is retired.
 */
void population_copy(struct population *population, const struct rg_index_size *size, bool retire);

#endif
