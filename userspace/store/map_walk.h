/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A walk over all keys of a kernel map. */
#ifndef REPGATE_STORE_MAP_WALK_H
#define REPGATE_STORE_MAP_WALK_H

/* Keys may be as large as a struct rg_prefix. */
#define RG_MAP_WALK_KEY 20

/*
 * Calls for each key of the map fd; the call may delete the key that it gets. A nonzero return ends the
 * walk and is returned. Otherwise 0, or a negative error: the kernel needs memory to find a key.
 *
 * A hash map starts a walk over when somebody else removes the key that it stands on. So a key may come
 * twice, and the walk ends after four times as many keys as a map can have.
 */
int rg_map_walk(int fd, int (*call)(void *arg, const void *key), void *arg);

#endif
