/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-1-3 (Aumasson and Bernstein) under a key that is random for each process: peers choose
 * their addresses, but not the collisions. Include before uthash.h, which then uses it.
 */
#ifndef REPGATE_BASE_HASH_H
#define REPGATE_BASE_HASH_H

#include "base/util.h"

/* 16 bytes, read once from getrandom(2) (hash.c). */
const uint64_t *rg_hash_key(void);

uint64_t rg_hash(const void *data, size_t len);

#define HASH_FUNCTION(key, len, hash)                     \
	do {                                              \
		(hash) = (unsigned int)rg_hash(key, len); \
	} while (0)

#endif
