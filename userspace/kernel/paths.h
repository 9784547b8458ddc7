/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By which interfaces connections to the filtered ports arrive, and whether the filter has seen them. The
 * sk_lookup program counts both, of all interfaces of the network namespace but lo. Stray segments that
 * belong to no connection count like connections.
 */
#ifndef REPGATE_KERNEL_PATHS_H
#define REPGATE_KERNEL_PATHS_H

#include "base/util.h"
#include "kernel/loader.h"

#include "maps/steer.h"

#include <net/if.h>

struct rg_paths;

struct rg_path_info {
	char name[IF_NAMESIZE];
	uint32_t ifindex;
	bool is_filtered; /* the filter is attached to this very interface */
	uint64_t lookups, unseen; /* since the map was made */
	uint64_t since; /* ns of CLOCK_BOOTTIME: connections go past the filter since then; 0: they don't */
};

/* loader must outlive it. 0 or -ENOMEM. */
int rg_paths_new(struct rg_paths **ret, const struct rg_loader *loader);
void rg_paths_free(struct rg_paths *paths);

/* Takes the interfaces that are there now. Call when they change, and now and then. 0 or -errno. */
int rg_paths_refresh(struct rg_paths *paths);

/*
 * Reads the counters; call about once a second. is_flood: XDP counts by samples, so it can't be known what
 * the filter saw on its own interfaces. Calls `changed` for each path whose `since` changed. now: ns of
 * CLOCK_BOOTTIME.
 */
void rg_paths_tick(struct rg_paths *paths, bool is_flood, uint64_t now,
		   void (*changed)(const struct rg_path_info *path));

/*
 * The path with this number, from 0; paths keeps it until the next refresh. NULL: past the last,
 * or paths is NULL.
 */
const struct rg_path_info *rg_paths_get(const struct rg_paths *paths, size_t number);

/* One sentence for people: what to do about connections that go past the filter. */
const char *rg_paths_advice(const struct rg_path_info *path);

/* ---- for tests: one path, without a map ---- */

struct rg_path_watch {
	struct rg_path_info info;
	bool has_counts; /* of an earlier call, or the map's entry is new */
	bool seen; /* in the loop over the interfaces */
	uint64_t window_began, last_unseen; /* ns of CLOCK_BOOTTIME */
	uint64_t lookups, unseen; /* in this window, and the one before */
	uint64_t old_lookups, old_unseen;
};

/* True: info.since changed. */
bool rg_path_watch_update(struct rg_path_watch *watch, const struct rg_path *count, bool is_flood,
			  uint64_t now);

#endif
