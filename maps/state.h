/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the XDP programs remember for themselves, in the maps `attempts`, `cpus`, `chunks`, `samples` and
 * `scratch`. The agent neither reads nor writes it; tests and bpftool do.
 */
#ifndef REPGATE_MAPS_STATE_H
#define REPGATE_MAPS_STATE_H

#include "limits.h"
#include "types.h"

/*
 * `attempts`: SYNs that came lately. A slot is a tag, then the low 12 bits of the time in seconds; 0: empty.
 * The tag of a connection has 20 bits. That of a SYN, by which admission knows a retransmission, has 15; the
 * 5 bits after it are the part of the second, in units of 2^25 ns.
 */
struct rg_attempt_set {
	__u32 slots[RG_ATTEMPT_WAYS];
};

/* `cpus`: what a CPU knows for one tick of the kernel (1/HZ s): the time, and how busy it is. */
struct rg_cpu {
	__u64 jiffies; /* when now and second were written */
	__u64 now; /* ns of CLOCK_BOOTTIME */
	__u64 second; /* the same in seconds */
	__u64 syns; /* SYNs of filtered ports in this second */
	/* A MAC address that this host takes on the interface, for one tick. */
	__u64 mac_jiffies; /* when the others were written */
	__u64 mac; /* mac_word() */
	__u32 mac_ifindex;
	__u32 pad; /* zero */
};

/*
 * Key of `chunks` and `scratch`: who works with the entry. Before Linux 6.3, a packet may interrupt a test run
 * on the same CPU, so each of them has an entry of its own.
 */
enum rg_run {
	RG_RUN_PACKET = 0, /* filter */
	RG_RUN_TEST, /* release, monitor, preview: the agent runs them, one after the other */
	RG_RUNS
};

/* `chunks`: a part of a frame, while a checksum is added up. */
struct rg_chunk {
	__u64 words[8];
};

/* `samples`: how many refusals this CPU has reported in the current second. */
struct rg_sample_window {
	__u64 second; /* of CLOCK_BOOTTIME */
	__u64 count;
};

/* `scratch`: memory for one frame, which would not fit on the stack. bpf/filter.bpf.c says what is in it. */
struct rg_scratch {
	__u64 words[32];
};

#endif
