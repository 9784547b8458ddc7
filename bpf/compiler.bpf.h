/* SPDX-License-Identifier: GPL-2.0-only */
/* What the compiler is told. */
#ifndef REPGATE_COMPILER_BPF_H
#define REPGATE_COMPILER_BPF_H

/*
 * What is rare goes out of the way of the rest: after a packet has been through the stack, the filter's
 * code comes from the second level cache, line by line. Linux's words (include/linux/compiler.h).
 */
#ifndef likely
#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#endif

/* Makes the compiler forget what it knows of a value, so that it keeps the check that follows. */
static __always_inline void keep_check(__u32 *value)
{
	asm volatile("" : "+r"(*value));
}

/* The same, so that it does not make a branch of arithmetic. */
static __always_inline __u64 keep_value(__u64 value)
{
	asm volatile("" : "+r"(value));
	return value;
}

#endif
