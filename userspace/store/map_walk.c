/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/map_walk.h"

#include "base/util.h"

#include "maps/types.h"

#include <bpf/bpf.h>

#define WALK_LIMIT (4 * 16777216) /* four times the largest map that can be configured */

_Static_assert(RG_MAP_WALK_KEY == sizeof(struct rg_prefix), "size of a key");

/* 0, 1: there is none, or a negative error. */
static int next_key(int fd, const void *key, void *next)
{
	if (!bpf_map_get_next_key(fd, key, next))
		return 0;
	return errno == ENOENT ? 1 : -errno;
}

int rg_map_walk(int fd, int (*call)(void *arg, const void *key), void *arg)
{
	char keys[2][RG_MAP_WALK_KEY];
	size_t left = WALK_LIMIT;
	int now = 0, ret = 0, end = next_key(fd, NULL, keys[now]);

	while (!end && !ret && left--) {
		/* First the next one: the call may delete this one. */
		end = next_key(fd, keys[now], keys[!now]);
		ret = call(arg, keys[now]);
		now = !now;
	}
	return ret || end > 0 ? ret : end;
}
