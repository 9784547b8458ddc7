/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the index share. A model keeps every entry in an array and looks at all of them, so
 * its answer is right by inspection: the longest live prefix. An index must answer the same, or "ask",
 * which is always right. So that "ask" is not all that an index says, each test states how often it may.
 *
 * A test program calls set_up() before each test. The seed, and so the slot of each entry, is random.
 */
#ifndef REPGATE_TESTS_UNIT_INDEX_MODEL_H
#define REPGATE_TESTS_UNIT_INDEX_MODEL_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/addr.h"
#include "index/index.h"

/* Of a clean peer, as the index has it. */
#define ANSWER_CLEAN rg_index_answer(RG_CLASS_CLEAN, RG_ACTION_PASS, RG_NO_ZONE)
#define UNIT (1ULL << RG_INDEX_UNIT_SHIFT)
#define EPOCH (1000 * UNIT)
#define NOW (EPOCH + 1)
#define DAY (86400 * RG_NSEC_PER_SEC)

typedef unsigned __int128 u128; /* an address, as a number */

#define V4_BASE ((u128)0xffff << 32)
#define V6_BASE ((u128)0x20010db8 << 96)

/* ---- the fixture: what all parts of an index share ---- */

extern struct rg_index_presence *presence;
extern struct rg_index_filters *filters;
extern uint64_t seed;
extern uint32_t in_force; /* settings.index */

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int set_up(void **state);
int tear_down(void **state);
/* Nothing is present, no bank is in force. */
void clear_presence(void);

/* A random number below a limit of at most 2^53; the sequence is the same in each run. */
uint64_t rnd(uint64_t below);

/* ---- addresses and prefixes ---- */

struct rg_prefix v4(uint32_t addr, uint32_t len); /* addr: host order */
struct rg_prefix v6(uint64_t net); /* a /64; net: its 64 bits, host order */
u128 number_of(const struct rg_addr *addr);
struct rg_addr addr_of(u128 number);
/* The prefix of len bits that number lies in. */
struct rg_prefix around(u128 number, uint32_t len);
/* No slot can hold this IPv4 host, as its key would be 0. The trie answers: one host of 262,144. */
bool is_unkeyed(const struct rg_addr *addr);

/* ---- an index alone ---- */

/* Empty, with the presence that all parts share; not in force. */
struct rg_index *new_index(enum rg_index_part part, const struct rg_index_size *size);
struct rg_index *new_lists(const struct rg_index_size *size);
/* The entry must find room, or be left to the trie. */
void put(struct rg_index *index, struct rg_prefix prefix, enum rg_class peer_class, uint64_t expiry);
/* The answer for a host at NOW. */
uint32_t find(const struct rg_index *index, struct rg_prefix host);
/* An answer as maps/index.h encodes it. */
uint32_t answer_for(const struct rg_index_entry *entry);
/*
 * The time until which an index made at `made` knows an entry to be alive: the rounding rules of
 * maps/index.h, written down a second time. Both in ns.
 */
uint64_t rounded(uint64_t expiry, uint64_t made);
/* Whether an index made at EPOCH knows at `now` that the entry is alive. */
bool is_known(uint64_t expiry, uint64_t now);
bool is_alive(const struct rg_index_entry *entry, uint64_t now);

/* ---- banks ---- */

/* Puts the index into the bank that is not in force, whatever lies there, and then in force. */
void put_in_force(struct rg_index *index, enum rg_index_part part);
bool is_in_force(const struct rg_index *index, enum rg_index_part part);
/* The byte of settings.index for a part; 0: no bank is in force. */
uint32_t in_force_of(enum rg_index_part part);
/* The bank in force; only if there is one. */
uint32_t bank_of(enum rg_index_part part);
__u64 *filters_of(uint32_t bank);
/* Fills a bank that is not in force with what a dead agent may have left there: anything. */
void scribble(uint32_t bank);

/* ---- presence, as XDP reads it ---- */

/* Whether XDP looks into the table. Of hosts and peers that are not in force it reads nothing. */
bool is_present4(uint32_t addr, enum rg_index_part part);
bool is_present4_anywhere(uint32_t addr);
/* The byte of an IPv6 /32, host order. */
uint8_t presence6(uint32_t net);

/* ---- an index beside its model ---- */

#define MODEL_ENTRIES 256

struct model {
	size_t count;
	struct rg_index_entry at[MODEL_ENTRIES];
};

/* The entry for exactly this prefix, or NULL. */
struct rg_index_entry *model_at(struct model *model, const struct rg_prefix *prefix);
void model_put(struct model *model, const struct rg_index_entry *entry);
/* The entry with the longest live prefix around addr, or NULL. */
const struct rg_index_entry *model_find(const struct model *model, const struct rg_addr *addr,
					uint64_t now);

struct checked {
	struct rg_index *index;
	enum rg_index_part part;
	uint64_t epoch;
	bool nets4;
	size_t looked, asked; /* lookups, and how many of them answered "ask" */
	struct model model;
};

/* In force, or not, at random: lookups in the index itself do not depend on it. */
void open_checked(struct checked *checked, enum rg_index_part part,
		  const struct rg_index_size *size, uint64_t epoch);
/* Not in force. common: the presence that it writes to, or NULL: none until it is published. */
void open_checked_with(struct checked *checked, enum rg_index_part part,
		       const struct rg_index_size *size, uint64_t epoch,
		       struct rg_index_presence *common);
void close_checked(struct checked *checked);
void put_checked(struct checked *checked, const struct rg_index_entry *entry);
/* Checks the answer for addr. want: the entry that holds for it, or NULL. Returns the answer. */
uint32_t check_one(struct checked *checked, const struct rg_addr *addr, uint64_t now,
		   const struct rg_index_entry *want);
/* The same; the model knows what holds. */
uint32_t check_at(struct checked *checked, u128 number, uint64_t now);
/* Checks both ends of a prefix, from within and from without, and some addresses in it. */
void check_around(struct checked *checked, const struct rg_prefix *prefix, uint64_t now);
/* Checks around every entry, at random times. */
void check_all(struct checked *checked);
/* Fails if more than `most` lookups answered "ask". */
void expect_asked(const struct checked *checked, size_t most, const char *what);

/* An entry of any kind among a few neighbouring networks. nets4: one that a local list may have. */
struct rg_index_entry random_entry(bool nets4);
/* For qsort(): shorter prefixes first. */
int by_length(const void *a, const void *b);
/* Replaces the index by a fresh one with other entries, as a reload of the local lists does. */
void reload(struct checked *checked);

#endif
