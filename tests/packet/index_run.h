/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Indexes as the agent makes them, in front of the programs under test: built, put in force, filled together with
 * the maps behind them, and compared with what the programs do without them.
 */
#ifndef REPGATE_TESTS_INDEX_RUN_H
#define REPGATE_TESTS_INDEX_RUN_H

#include "rows.h"

#include "index/index.h"

typedef unsigned __int128 u128;

#define UNIT (1ULL << RG_INDEX_UNIT_SHIFT)
#define DAY (24 * HOUR)
#define V4_BASE ((u128)0xffff << 32)
#define V6_BASE ((u128)0x20010db8 << 96)
#define HITS RUN_HITS
#define SEED 0x5eedULL /* with it some addresses are known to share a few buckets */
#define ALL_PARTS ((1U << RG_INDEXES) - 1)

struct part {
	struct rg_index *index;
	int fd;
};

extern struct part parts[RG_INDEXES]; /* in force */
extern struct rg_index_presence *presence;
extern struct rg_index_filters *filters;
extern int indexes; /* the map */
extern __u32 in_force; /* settings.index, when all parts are to be looked into */
extern size_t compared, refused, asked; /* by compare_parts() so far */

/*
 * How an index replaces another, in the order of the agent (userspace/index/index_maps.c). An
 * agent may die after each step. 0 or a negative error.
 */
enum step_of { STEP_LITTER, STEP_INSTALL, STEP_MAP, STEP_FLIP, STEP_EMPTY, STEP_RETIRE, STEPS_OF };

/* An agent died within STEP_INSTALL: a bank that is not in force may hold anything. */
void litter(uint32_t bank);

#define OVERFLOW4 3700 /* of overflowing4(), from 0 on */
#define OVERFLOW4_BUCKETS 16

uint64_t rnd(uint64_t below);
/* ns of CLOCK_BOOTTIME, unless the machine was not there yet. */
uint64_t ago(uint64_t span);
void close_part(struct part *part);
/* 0 or a negative error: not only for the thread that may fail a test. */
int make_part(enum rg_index_part which, const struct rg_index_size *size, struct part *ret);
/* A part's byte of settings.index. */
__u32 byte_of(enum rg_index_part which);
/* The bank that is not in force; see rg_inner_maps_index_bank(). */
uint32_t next_bank(enum rg_index_part which);
void set_in_force(struct run *run, __u32 index);
int take_step(struct run *run, enum step_of step, enum rg_index_part which, const struct part *fresh);
/* From now on packets look into it. */
int enforce(struct run *run, enum rg_index_part which, struct part *fresh);
/* Empty indexes in force, with empty maps behind them. */
struct run *indexed_run(const struct tuning *tuning, const struct rg_index_size sizes[]);
void let_go(struct run *run);
u128 number_of(const struct rg_addr *addr);
struct rg_addr addr_of(u128 number);
struct rg_prefix around(u128 number, uint32_t len);
/* IPv4 addresses whose searches begin in a few buckets of the smallest table. */
u128 overflowing4(uint32_t at);
/*
 * A SYN from any address and port, without building it from text. Its checksums are not right; the
 * filter leaves those to the kernel.
 */
void build_from(const struct rg_addr *from, uint16_t port, struct packet *packet);
/* settings.index with these parts alone; bit by enum rg_index_part. */
__u32 index_of(unsigned int which);
/*
 * With these parts of the index and without any of it the same is done. Time goes on between two
 * packets: only what differs twice from the one between is different.
 */
void compare_parts(struct run *run, u128 number, unsigned int which);
void compare(struct run *run, u128 number);
enum rg_index_part part_of(enum map_kind map);
void put_map(struct run *run, enum map_kind map, const struct rg_index_entry *entry);
/* The map first, then the index, as the agent does. */
void put_known(struct run *run, enum map_kind map, const struct rg_index_entry *entry);

#endif
