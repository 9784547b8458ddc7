/* SPDX-License-Identifier: GPL-2.0-only */
/* Hints for the compiler, and the checks that only the verifier needs. */
#ifndef REPGATE_COMPILER_BPF_H
#define REPGATE_COMPILER_BPF_H

#ifdef __bpf__
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#else
#include <linux/types.h>
#include <sys/cdefs.h>
#endif

/*
 * These move rare code out of the way. After a packet has been through the stack, the filter's code
 * comes from the second level cache, line by line. The names are Linux's (include/linux/compiler.h).
 */
#ifndef likely
#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#endif

/*
 * A condition that never holds. The verifier checks each global function by itself. It does not know
 * that every caller passes a valid pointer or a number within bounds, and it refuses a program without
 * the check. The branch behind it is dead: what it returns means nothing, and it counts nothing.
 */
#define impossible(condition) unlikely(condition)

/* Makes the compiler forget what it knows about a value, so that it keeps the check that follows. */
static __always_inline void keep_check(__u32 *value)
{
	asm volatile("" : "+r"(*value));
}

/* The same, so that the compiler does not turn arithmetic into a branch. */
static __always_inline __u64 keep_value(__u64 value)
{
	asm volatile("" : "+r"(value));
	return value;
}

#endif
