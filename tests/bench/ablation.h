/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ablation and its programs share: tables that differ from the index's in one mechanism. */
#ifndef REPGATE_BENCH_ABLATION_H
#define REPGATE_BENCH_ABLATION_H

#include "maps/types.h"

#define ABLATION_DRAWS (1 << 20) /* a power of two */

/* Tables beside the index's own, of hosts and of peers. Key of ablation_tables: ABLATION_TABLE(). */
enum ablation_table {
	ABLATION_FIRST, /* four bytes a slot; a search begins at the first slot of its bucket */
	ABLATION_WIDE, /* eight bytes a slot: the address, the answer, the time */
	ABLATION_TABLES
};
#define ABLATION_TABLE(table, peers) (2 * (table) + (peers))

/* A slot of a wide table: address, time in units of 2^33 ns of CLOCK_BOOTTIME, answer. 0: empty. */
#define ABLATION_WIDE_TIME_SHIFT 14
#define ABLATION_WIDE_TIME_BITS 18
#define ABLATION_WIDE_ADDR_SHIFT 32

/* A value of the kernel's hash tables, whose key is an IPv4 address, host order. */
struct ablation_value {
	__u64 expiry; /* ns of CLOCK_BOOTTIME */
	__u32 answer;
	__u32 pad; /* zero */
};

#endif
