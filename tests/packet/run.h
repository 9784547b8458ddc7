/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The XDP programs under BPF_PROG_TEST_RUN: a packet in; an action, a packet, counters and events
 * out. Nothing is attached or pinned: the kernel removes all of it when the process ends.
 */
#ifndef REPGATE_TESTS_RUN_H
#define REPGATE_TESTS_RUN_H

#include "packet.h"

#include "maps/layout.h"

#include <linux/bpf.h>

#define RUN_MAX_EVENTS 64
#define RUN_VERDICTS 4096 /* entries, and details of them */
#define RUN_INTERFACE 1 /* a test run's packets arrive at the loopback interface */

enum run_program {
	RUN_FILTER,
	RUN_FILTER_FRAGS,
	RUN_RELEASE,
	RUN_MONITOR,
	RUN_STEER,
	RUN_FILTER_IP, /* for links whose frames begin with an IP header */
	RUN_FILTER_IP_FRAGS,
	RUN_PROGRAMS
};

#define RUN_BIT(program) (1U << (program))
#define RUN_ALL ((1U << RUN_PROGRAMS) - 1)
#define RUN_FILTERS (RUN_BIT(RUN_FILTER) | RUN_BIT(RUN_FILTER_FRAGS))
#define RUN_IP_FILTERS (RUN_BIT(RUN_FILTER_IP) | RUN_BIT(RUN_FILTER_IP_FRAGS))

/* How the programs are loaded; 0 is as usual. */
struct run_options {
	uint32_t programs; /* RUN_BIT() of each that is used; 0: all. The verifier takes long for each */
	uint32_t ring_size; /* bytes */
	uint32_t max_peers;
	bool plain_peers; /* `peers` as a hash that can be full: an LRU map hardly fails */
	uint32_t max_buckets;
	bool plain_buckets; /* the same for `buckets` */
	bool no_hold; /* a kernel that can't hold */
};

struct run_counts {
	struct rg_count at[RG_STAT_MAX]; /* sums over all CPUs */
};

struct run_event {
	size_t size;
	struct rg_event_syn event; /* as much of it as size says */
};

struct run_events {
	unsigned int count; /* also of those past RUN_MAX_EVENTS */
	struct run_event at[RUN_MAX_EVENTS];
};

struct run_map_fds {
	int lists, lists_now, verdicts, verdict_details, peers, buckets, admission, responder,
		host_links, host_routes, tickets, destinations;
};

struct run;

/* 0 or a negative error: -EPERM where bpf() is not allowed. */
int run_open(struct run **ret, const struct run_options *options);
void run_close(struct run *run);

/*
 * Runs packet and puts the result into it. Returns the XDP action, or a negative error where the
 * program takes no such packet.
 */
int run_packet(struct run *run, enum run_program program, struct packet *packet);

/*
 * From now on, the first buffer of each packet has only so many bytes, and other buffers have the rest.
 * SIZE_MAX: one buffer has all. Linux 6.18.
 */
void run_split(struct run *run, size_t linear);

/*
 * Runs packet so many times for its effect on the maps alone; for several threads at once. 0 or an
 * error.
 */
int run_blind(const struct run *run, enum run_program program, const struct packet *packet,
	      int times);

/*
 * Runs `steer` on ctx and puts the result into it: the cookie of the socket, or 0. Returns SK_PASS,
 * SK_DROP or a negative error.
 */
int run_steer(const struct run *run, struct bpf_sk_lookup *ctx);

int run_program_fd(const struct run *run, enum run_program program);
int run_steer_fd(const struct run *run); /* the program, to attach it */

/* Makes every attempt that was noted older. */
void run_age_attempts(struct run *run, uint32_t seconds);

/* Empties every map but `settings`, and forgets the events. 0 or a negative error. */
int run_reset(struct run *run);

struct rg_settings *run_settings(struct run *run); /* the live ones, mapped */
struct run_map_fds run_maps(const struct run *run);
int run_counts(const struct run *run, struct run_counts *counts);

/* Takes what is in the ring buffer. */
int run_events(struct run *run, struct run_events *events);

uint64_t run_now(void); /* ns of CLOCK_BOOTTIME */
#define RUN_TICK 20000000ULL /* ns: how old the programs' clock may be, two ticks of HZ = 100 */

/* An empty trie that may be put into `lists`: with types, as Linux 6.1 compares them. Or -errno. */
int run_new_list(const struct run *run);

#endif
