/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-1-3 (Aumasson and Bernstein) with a random key for each process: peers choose their addresses,
 * so they must not be able to choose collisions.
 *
 * Include it before uthash.h, which then uses it, and does not end the process for want of memory: what
 * HASH_ADD could not add has hh.tbl == NULL, and is not in the table.
 */
#ifndef REPGATE_BASE_HASH_H
#define REPGATE_BASE_HASH_H

#include "base/util.h"

/* The key, 16 bytes, drawn at the first call. The first call must come before other threads start. */
const uint64_t *rg_hash_key(void);

/* The hash of len bytes. */
uint64_t rg_hash(const void *data, size_t len);

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, len, hash)                     \
	do {                                              \
		(hash) = (unsigned int)rg_hash(key, len); \
	} while (0)

#endif
