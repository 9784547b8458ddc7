/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocations that fail when a test says so. A test includes this, then the .c file that it tests: that file's
 * allocations, and those of uthash in it, are counted and may fail.
 */
#ifndef REPGATE_TESTS_FAKES_MEMORY_H
#define REPGATE_TESTS_FAKES_MEMORY_H

#include "base/util.h"

#include <string.h>

static long memory_left = -1; /* allocations that succeed; then all fail. -1: none fails */

__attribute__((unused)) static bool memory_fails(void)
{
	if (memory_left < 0)
		return false;
	if (!memory_left) {
		errno = ENOMEM;
		return true;
	}
	memory_left--;
	return false;
}

__attribute__((unused)) static void *memory_malloc(size_t size)
{
	return memory_fails() ? NULL : malloc(size);
}

__attribute__((unused)) static void *memory_calloc(size_t count, size_t size)
{
	return memory_fails() ? NULL : calloc(count, size);
}

__attribute__((unused)) static void *memory_reallocarray(void *old, size_t count, size_t size)
{
	return memory_fails() ? NULL : reallocarray(old, count, size);
}

#define malloc memory_malloc
#define calloc memory_calloc
#define reallocarray memory_reallocarray

#endif
