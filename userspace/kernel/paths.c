/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/paths.h"

#include "kernel/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/*
 * On an interface with the filter, a late segment of an old connection looks like a connection that the
 * filter has not seen. So it takes some of them, and a tenth of all, in this time.
 */
#define WINDOW (60 * RG_NSEC_PER_SEC)
#define MIN_UNSEEN 3
#define MIN_SHARE 10
/* Without any for so long, it is over. */
#define OVER_TIME (600 * RG_NSEC_PER_SEC)

#define LOOPBACK_INDEX 1

struct rg_paths {
	const struct rg_loader *loader;
	struct rg_path *each; /* a value of the map: one for each CPU */
	int cpus;
	struct rg_path_watch *watches;
	size_t count, room;
};

int rg_paths_new(struct rg_paths **ret, const struct rg_loader *loader)
{
	struct rg_paths *paths = calloc(1, sizeof(*paths));

	if (!paths)
		return -ENOMEM;
	paths->loader = loader;
	paths->cpus = libbpf_num_possible_cpus();
	if (paths->cpus > 0)
		paths->each = calloc((size_t)paths->cpus, sizeof(*paths->each));
	if (!paths->each) {
		rg_paths_free(paths);
		return -ENOMEM;
	}
	*ret = paths;
	return 0;
}

void rg_paths_free(struct rg_paths *paths)
{
	if (!paths)
		return;
	free(paths->each);
	free(paths->watches);
	free(paths);
}

/* NULL: out of memory */
static struct rg_path_watch *find_or_add(struct rg_paths *paths, uint32_t ifindex)
{
	for (size_t i = 0; i < paths->count; i++)
		if (paths->watches[i].info.ifindex == ifindex)
			return &paths->watches[i];
	if (paths->count == paths->room) {
		size_t room = paths->room ? 2 * paths->room : 16;
		struct rg_path_watch *more = reallocarray(paths->watches, room, sizeof(*more));

		if (!more)
			return NULL;
		paths->watches = more;
		paths->room = room;
	}
	paths->watches[paths->count] = (struct rg_path_watch){ .info.ifindex = ifindex };
	return &paths->watches[paths->count++];
}

static bool is_filtered(const struct rg_loader *loader, uint32_t ifindex)
{
	const struct rg_attachment *at;

	for (unsigned int i = 0; (at = rg_attach_info(loader, i)); i++)
		if (at->ifindex == ifindex)
			return true;
	return false;
}

/* 0 or -errno. Full, or -EEXIST: no error. */
static int take_interface(struct rg_paths *paths, const struct if_nameindex *interface)
{
	int fd = rg_loader_maps(paths->loader)->paths;
	uint32_t ifindex = interface->if_index;
	struct rg_path_watch *watch;

	if (ifindex == LOOPBACK_INDEX)
		return 0;
	watch = find_or_add(paths, ifindex);
	if (!watch)
		return -ENOMEM;
	snprintf(watch->info.name, sizeof(watch->info.name), "%s", interface->if_name);
	watch->info.is_filtered = is_filtered(paths->loader, ifindex);
	watch->seen = true;
	memset(paths->each, 0, (size_t)paths->cpus * sizeof(*paths->each));
	if (!bpf_map_update_elem(fd, &ifindex, paths->each, BPF_NOEXIST))
		watch->has_counts = true; /* from 0 on */
	return 0;
}

/* Removes the map's entries of interfaces that are gone. */
static void remove_gone(const struct rg_paths *paths)
{
	int fd = rg_loader_maps(paths->loader)->paths;
	uint32_t key, next;
	bool has_key = !bpf_map_get_next_key(fd, NULL, &key);

	for (int i = 0; has_key && i < RG_MAX_PATHS; i++) {
		bool is_there = false;

		has_key = !bpf_map_get_next_key(fd, &key, &next);
		for (size_t j = 0; j < paths->count; j++)
			is_there |= paths->watches[j].info.ifindex == key;
		if (!is_there)
			(void)bpf_map_delete_elem(fd, &key);
		key = next;
	}
}

int rg_paths_refresh(struct rg_paths *paths)
{
	struct if_nameindex *interfaces = if_nameindex();
	size_t kept = 0;
	int err = 0;

	if (!interfaces)
		return -errno;
	for (size_t i = 0; i < paths->count; i++)
		paths->watches[i].seen = false;
	for (const struct if_nameindex *at = interfaces; !err && at->if_index; at++)
		err = take_interface(paths, at);
	if_freenameindex(interfaces);
	if (err)
		return err;
	for (size_t i = 0; i < paths->count; i++)
		if (paths->watches[i].seen)
			paths->watches[kept++] = paths->watches[i];
	paths->count = kept;
	remove_gone(paths);
	return 0;
}

static bool goes_past(const struct rg_path_watch *watch)
{
	uint64_t unseen = watch->unseen + watch->old_unseen;
	uint64_t lookups = watch->lookups + watch->old_lookups;

	/* An interface on which the filter sees nothing at all. */
	if (!watch->info.is_filtered && unseen == lookups)
		return unseen > 0;
	return unseen >= MIN_UNSEEN && unseen * MIN_SHARE >= lookups;
}

bool rg_path_watch_update(struct rg_path_watch *watch, const struct rg_path *count, bool is_flood,
			  uint64_t now)
{
	struct rg_path_info *info = &watch->info;
	uint64_t lookups = count->lookups - info->lookups, unseen = count->unseen - info->unseen;
	uint64_t since = info->since;

	info->lookups = count->lookups;
	info->unseen = count->unseen;
	if (!watch->has_counts) {
		watch->has_counts = true;
		return false;
	}
	if (now - watch->window_began >= WINDOW) {
		watch->old_lookups = watch->lookups;
		watch->old_unseen = watch->unseen;
		watch->lookups = watch->unseen = 0;
		watch->window_began = now;
	}
	if (is_flood && info->is_filtered)
		unseen = 0;
	watch->lookups += lookups;
	watch->unseen += unseen;
	if (unseen)
		watch->last_unseen = now;
	if (!since && goes_past(watch))
		info->since = now;
	else if (since && now - watch->last_unseen >= OVER_TIME)
		info->since = 0;
	return info->since != since;
}

/* False: the map has no entry. */
static bool read_count(const struct rg_paths *paths, uint32_t ifindex, struct rg_path *sum)
{
	*sum = (struct rg_path){};
	if (bpf_map_lookup_elem(rg_loader_maps(paths->loader)->paths, &ifindex, paths->each))
		return false;
	for (int i = 0; i < paths->cpus; i++) {
		sum->lookups += paths->each[i].lookups;
		sum->unseen += paths->each[i].unseen;
	}
	return true;
}

void rg_paths_tick(struct rg_paths *paths, bool is_flood, uint64_t now,
		   void (*changed)(const struct rg_path_info *path))
{
	for (size_t i = 0; i < paths->count; i++) {
		struct rg_path_watch *watch = &paths->watches[i];
		struct rg_path count;

		if (read_count(paths, watch->info.ifindex, &count) &&
		    rg_path_watch_update(watch, &count, is_flood, now))
			changed(&watch->info);
	}
}

const struct rg_path_info *rg_paths_get(const struct rg_paths *paths, size_t number)
{
	return paths && number < paths->count ? &paths->watches[number].info : NULL;
}

const char *rg_paths_advice(const struct rg_path_info *path)
{
	if (!path->is_filtered)
		return "the filter is not on this interface: add it to interfaces, or close the port there";
	return "a rule redirects another port to a filtered one: add that port to ports";
}
