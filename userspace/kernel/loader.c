/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/loader.h"

#include "kernel/dispatcher.h"
#include "kernel/link_kind.h"
#include "kernel/loader_private.h"
#include "kernel/obstacle.h"
#include "kernel/settings.h"
#include "base/log.h"

#include "maps/pin.h"
#include "maps/stats.h"

#include <bpf/libbpf.h>
#include <sys/mman.h>

#define MAP_COUNT 22 /* of pinned maps, with a NULL at the end */

/* The maps that an agent leaves to the next one, and a NULL. */
static struct bpf_map *const *pinned_maps(const struct filter_bpf *skeleton,
					  struct bpf_map *maps[MAP_COUNT])
{
	struct bpf_map *all[] = { skeleton->maps.settings,   skeleton->maps.lists,
				  skeleton->maps.lists_now,  skeleton->maps.verdicts,
				  skeleton->maps.peers,	     skeleton->maps.zones,
				  skeleton->maps.events,     skeleton->maps.stats,
				  skeleton->maps.attempts,   skeleton->maps.buckets,
				  skeleton->maps.responder,  skeleton->maps.admission,
				  skeleton->maps.indexes,    skeleton->maps.filters,
				  skeleton->maps.presence,   skeleton->maps.verdict_details,
				  skeleton->maps.host_links, skeleton->maps.host_routes,
				  skeleton->maps.tickets,    skeleton->maps.destinations,
				  skeleton->maps.paths,	     NULL };

	_Static_assert(ARRAY_SIZE(all) == MAP_COUNT, "size of the list");

	memcpy(maps, all, sizeof(all));
	return maps;
}

/* "WHAT: reason; what is missing". Returns err. */
static int fail(struct rg_error *error, int err, const char *what)
{
	char advice[RG_OBSTACLE_TEXT];

	return rg_fail(error, err, "%s: %s%s", what, strerror(-err), rg_obstacle_advice(err, advice));
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		rg_closep(&fds[i]);
}

/* Whether the pinned map fd is as we would make it. */
static bool same_shape(struct bpf_map *map, int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &len) && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map) &&
	       info.map_flags == bpf_map__map_flags(map);
}

static bool layout_fits(int settings)
{
	struct rg_settings value = {};
	struct bpf_map_info info = {};
	__u32 zero = 0, len = sizeof(info);

	return !bpf_obj_get_info_by_fd(settings, &info, &len) && info.value_size == sizeof(value) &&
	       !bpf_map_lookup_elem(settings, &zero, &value) && value.layout == RG_LAYOUT_VERSION;
}

/* An earlier agent's map, if its entries are like ours; their number may differ. -1: there is none. */
static int open_old(const struct rg_loader *loader, const struct bpf_map *map)
{
	int fd = rg_pin_get(loader->pin_path, bpf_map__name(map));
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || info.type != bpf_map__type(map) ||
	    info.key_size != bpf_map__key_size(map) || info.value_size != bpf_map__value_size(map)) {
		rg_closep(&fd);
		return -1;
	}
	return fd;
}

/* NULL: errno says why. */
static void *map_memory(int fd, size_t size, int protection)
{
	void *memory = mmap(NULL, size, protection, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Maps `verdict_details` into memory, as many as fd has. 0 or -errno. */
static int map_details(struct rg_maps *maps, int fd, int protection)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	maps->details = map_memory(fd, (size_t)info.max_entries * sizeof(*maps->details), protection);
	if (!maps->details)
		return -errno;
	maps->details_count = info.max_entries;
	return 0;
}

static void unmap_details(const struct rg_maps *maps)
{
	if (maps->details)
		munmap(maps->details, (size_t)maps->details_count * sizeof(*maps->details));
}

static void keep_old_maps(struct rg_loader *loader, int settings)
{
	const struct filter_bpf *skeleton = loader->skeleton;
	RG_CLEANUP_CLOSE int details = open_old(loader, skeleton->maps.verdict_details);

	if (!layout_fits(settings))
		return;
	loader->old.verdicts = open_old(loader, skeleton->maps.verdicts);
	loader->old.peers = open_old(loader, skeleton->maps.peers);
	loader->old.zones = open_old(loader, skeleton->maps.zones);
	loader->old.stats = open_old(loader, skeleton->maps.stats);
	loader->has_old = loader->old.verdicts >= 0 && loader->old.peers >= 0 &&
			  loader->old.zones >= 0 && loader->old.stats >= 0 && details >= 0 &&
			  !map_details(&loader->old, details, PROT_READ);
}

/* The counters continue from an earlier agent's. */
static void carry_stats(const struct rg_loader *loader)
{
	int cpus = libbpf_num_possible_cpus();
	RG_CLEANUP_FREE struct rg_count *each = calloc(cpus > 0 ? (size_t)cpus : 1, sizeof(*each));

	for (uint32_t i = 0; each && cpus > 0 && i < RG_STAT_MAX; i++)
		if (!bpf_map_lookup_elem(loader->old.stats, &i, each))
			(void)bpf_map_update_elem(loader->maps.stats, &i, each, BPF_ANY);
}

/* Whether the reason that a pin can't be opened says nothing about the pin. */
static bool is_obstacle(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -EPERM || err == -EACCES;
}

/* Takes over all pinned maps or none: half a set would be misread. */
static int take_over_maps(struct rg_loader *loader)
{
	struct bpf_map *maps[MAP_COUNT];
	int fds[MAP_COUNT], err = 0;
	size_t count = 0;

	pinned_maps(loader->skeleton, maps);
	for (; maps[count]; count++) {
		fds[count] = rg_pin_get(loader->pin_path, bpf_map__name(maps[count]));
		if (is_obstacle(fds[count])) {
			err = fds[count];
			close_all(fds, count);
			return err;
		}
		if (fds[count] < 0 || !same_shape(maps[count], fds[count]) ||
		    (!count && !layout_fits(fds[0]))) {
			if (count || fds[0] >= 0)
				rg_log_warning("%s: the maps there do not fit this version or its "
					       "configuration (%s): made anew",
					       loader->pin_path, bpf_map__name(maps[count]));
			loader->old_settings = rg_loader_map_id(fds[0]);
			keep_old_maps(loader, fds[0]);
			close_all(fds, count + 1);
			return 0;
		}
	}
	for (size_t i = 0; !err && i < count; i++)
		err = bpf_map__reuse_fd(maps[i], fds[i]);
	close_all(fds, count);
	loader->took_over = !err;
	return err;
}

static int pin_maps(struct rg_loader *loader)
{
	struct bpf_map *maps[MAP_COUNT];

	pinned_maps(loader->skeleton, maps);
	for (size_t i = 0; maps[i]; i++) {
		int err = rg_pin_put(loader->pin_path, bpf_map__name(maps[i]), bpf_map__fd(maps[i]));

		if (err)
			return err;
	}
	return 0;
}

static int pin_programs(struct rg_loader *loader)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, loader->skeleton->obj) {
		char name[RG_PIN_NAME];
		int err;

		if (bpf_program__fd(program) < 0)
			continue;
		snprintf(name, sizeof(name), "program_%s", bpf_program__name(program));
		err = rg_pin_put(loader->pin_path, name, bpf_program__fd(program));
		if (err)
			return err;
	}
	return 0;
}

static int map_all(struct rg_loader *loader)
{
	const struct filter_bpf *skeleton = loader->skeleton;
	struct rg_maps *maps = &loader->maps;

	maps->settings = map_memory(bpf_map__fd(skeleton->maps.settings),
				    (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE);
	if (!maps->settings)
		return -errno;
	rg_settings_draw_seed(maps->settings);
	maps->filters = map_memory(bpf_map__fd(skeleton->maps.filters), sizeof(*maps->filters),
				   PROT_READ | PROT_WRITE);
	if (!maps->filters)
		return -errno;
	maps->presence = map_memory(bpf_map__fd(skeleton->maps.presence), sizeof(*maps->presence),
				    PROT_READ | PROT_WRITE);
	if (!maps->presence)
		return -errno;
	maps->on_the_way = map_memory(bpf_map__fd(skeleton->maps.destinations),
				      RG_DESTINATIONS * sizeof(*maps->on_the_way),
				      PROT_READ | PROT_WRITE);
	if (!maps->on_the_way)
		return -errno;
	return map_details(maps, maps->verdict_details, PROT_READ | PROT_WRITE);
}

static void name_maps(struct rg_loader *loader)
{
	const struct filter_bpf *skeleton = loader->skeleton;

	loader->maps.lists = bpf_map__fd(skeleton->maps.lists);
	loader->maps.verdicts = bpf_map__fd(skeleton->maps.verdicts);
	loader->maps.verdict_details = bpf_map__fd(skeleton->maps.verdict_details);
	loader->maps.peers = bpf_map__fd(skeleton->maps.peers);
	loader->maps.zones = bpf_map__fd(skeleton->maps.zones);
	loader->maps.events = bpf_map__fd(skeleton->maps.events);
	loader->maps.stats = bpf_map__fd(skeleton->maps.stats);
	loader->maps.buckets = bpf_map__fd(skeleton->maps.buckets);
	loader->maps.responder = bpf_map__fd(skeleton->maps.responder);
	loader->maps.host_links = bpf_map__fd(skeleton->maps.host_links);
	loader->maps.paths = bpf_map__fd(skeleton->maps.paths);
	loader->maps.host_routes = bpf_map__fd(skeleton->maps.host_routes);
}

/* Whether an interface of the configuration has, or may get, frames of this kind. */
static bool has_kind(const struct rg_conf *conf, enum rg_link_kind wanted)
{
	for (unsigned int i = 0; i < conf->interface_count; i++) {
		enum rg_link_kind kind;
		unsigned int type;

		if (rg_link_kind_of(conf->interfaces[i], &type, &kind) || kind == wanted)
			return true;
	}
	return false;
}

/* Loads only what is used: the verifier takes 0.1 s for each program. */
static void choose_programs(struct rg_loader *loader, const struct rg_conf *conf)
{
	const struct filter_bpf *skeleton = loader->skeleton;
	struct bpf_program *const programs[][2] = {
		{ skeleton->progs.filter, skeleton->progs.filter_ip },
		{ skeleton->progs.filter_frags, skeleton->progs.filter_ip_frags },
		{ skeleton->progs.release, skeleton->progs.release_ip },
		{ skeleton->progs.monitor, skeleton->progs.monitor_ip },
		{ skeleton->progs.preview, skeleton->progs.preview_ip },
	};
	bool ip = has_kind(conf, RG_LINK_KIND_IP), ethernet = has_kind(conf, RG_LINK_KIND_ETHERNET);

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		bool can_load = i != 1 || loader->can_hold;

		bpf_program__set_autoload(programs[i][0], can_load && (ethernet || !ip));
		bpf_program__set_autoload(programs[i][1], can_load && ip);
	}
}

static int open_skeleton(struct rg_loader *loader, const struct rg_conf *conf)
{
	struct filter_bpf *skeleton = filter_bpf__open();

	if (!skeleton)
		return -errno;
	loader->skeleton = skeleton;
	/* Linux 5.18 brought the helper, frames in several buffers and live frames together. */
	loader->can_hold =
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_load_bytes, NULL) == 1;
	skeleton->rodata->rg_config.can_hold = loader->can_hold;
	choose_programs(loader, conf);
	/* The inner map of `lists` is a template: its size need not agree (Linux 5.10). */
	if (bpf_map__set_max_entries(skeleton->maps.verdicts, conf->max_verdicts) ||
	    bpf_map__set_max_entries(skeleton->maps.verdict_details, conf->max_verdicts) ||
	    bpf_map__set_max_entries(skeleton->maps.peers, conf->max_peers) ||
	    bpf_map__set_max_entries(skeleton->maps.lists_now, conf->max_list))
		return -EINVAL;
	return 0;
}

static int load(struct rg_loader *loader, const struct rg_conf *conf, struct rg_error *error)
{
	int err = open_skeleton(loader, conf);

	if (!err)
		err = take_over_maps(loader);
	if (err)
		return fail(error, err, "maps");
	err = filter_bpf__load(loader->skeleton);
	if (err)
		return fail(error, err,
			    "the kernel refuses maps or programs (--log-level debug shows more)");
	name_maps(loader);
	err = map_all(loader);
	if (loader->has_old)
		carry_stats(loader);
	if (!err && !loader->took_over)
		err = pin_maps(loader);
	if (!err)
		err = pin_programs(loader);
	return err ? fail(error, err, loader->pin_path) : 0;
}

/* Messages of libbpf and libxdp are debug messages; what matters is returned as an error. */
static int print_library(int level, const char *format, va_list args)
{
	RG_CLEANUP_FREE char *text = NULL;
	char *line, *rest = NULL;

	if (rg_log_level() < RG_LOG_DEBUG || level > 1 || vasprintf(&text, format, args) < 0)
		return 0;
	/* The verifier's log comes as one string of many lines. */
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		rg_log_debug("%s", line);
	return 0;
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	return print_library((int)level, format, args);
}

static int lock_pins(struct rg_loader *loader, struct rg_error *error)
{
	loader->lock = rg_pin_open(loader->pin_path, &loader->private_pins);
	if (loader->lock >= 0) {
		if (loader->private_pins)
			rg_log_warning("%s is private to this mount namespace (ip netns exec, container): "
				       "after a kill -9 nothing is filtered",
				       loader->pin_path);
		return 0;
	}
	if (loader->lock == -EWOULDBLOCK)
		return rg_fail(error, -EBUSY, "another repgated runs with pin_path %s",
			       loader->pin_path);
	if (loader->lock == -ENOTSUP)
		return rg_fail(error, -ENOTSUP,
			       "pin_path %s is not on a BPF file system: mount one (mount -t bpf bpf DIR), "
			       "or use /sys/fs/bpf",
			       loader->pin_path);
	if (rg_pin_lacks_bpffs(loader->pin_path))
		return rg_fail(error, loader->lock,
			       "pin_path %s: no BPF file system is mounted on /sys/fs/bpf, and it can't be "
			       "mounted (%s); as root: mount -t bpf bpf /sys/fs/bpf",
			       loader->pin_path, strerror(-loader->lock));
	if (loader->lock == -EACCES || loader->lock == -EPERM)
		return rg_fail(error, loader->lock,
			       "pin_path %s: %s; as root, repgated --prepare USER gives it to USER",
			       loader->pin_path, strerror(-loader->lock));
	return fail(error, loader->lock, loader->pin_path);
}

/* 0 or -ENOMEM */
static int name_interfaces(struct rg_loader *loader, const struct rg_conf *conf)
{
	for (unsigned int i = 0; i < conf->interface_count; i++) {
		struct rg_loader_interface *at = &loader->interfaces[i];

		at->link = -1;
		loader->interface_count++;
		at->info.name = strdup(conf->interfaces[i]);
		if (!at->info.name)
			return -ENOMEM;
	}
	return 0;
}

int rg_loader_restore_pins(struct rg_loader *loader)
{
	int err, lock;

	if (!access(loader->pin_path, F_OK))
		return 0;
	lock = rg_pin_open(loader->pin_path, &loader->private_pins);
	if (lock < 0)
		return lock;
	rg_closep(&loader->lock);
	loader->lock = lock;
	err = pin_maps(loader);
	if (!err)
		err = rg_pin_remove(loader->pin_path, "lists_now");
	return err ? err : pin_programs(loader);
}

static void note_link(void *arg, const char *name)
{
	struct rg_loader *loader = arg;

	(void)name;
	loader->was_attached = true;
}

int rg_loader_new(struct rg_loader **ret, const struct rg_conf *conf, struct rg_error *error)
{
	struct rg_loader *loader = calloc(1, sizeof(*loader));
	int err;

	if (!loader)
		return rg_fail(error, -ENOMEM, "out of memory");
	loader->lock = -1;
	loader->steer_link = -1;
	loader->old = (struct rg_maps){ .verdicts = -1, .peers = -1, .zones = -1, .stats = -1 };
	loader->xdp_mode = conf->xdp_mode;
	loader->xdp_attach = conf->xdp_attach;
	loader->pin_path = strdup(conf->pin_path);
	if (!loader->pin_path || name_interfaces(loader, conf))
		err = rg_fail(error, -ENOMEM, "out of memory");
	else
		err = lock_pins(loader, error);
	if (!err) {
		rg_pin_each(loader->pin_path, RG_LINK_PREFIX, note_link, loader);
		libbpf_set_print(print_libbpf);
		rg_dispatcher_set_print(print_library);
		err = load(loader, conf, error);
	}
	if (err)
		rg_loader_free(loader);
	else
		*ret = loader;
	return err;
}

void rg_loader_free(struct rg_loader *loader)
{
	if (!loader)
		return;
	for (unsigned int i = 0; i < loader->interface_count; i++) {
		rg_closep(&loader->interfaces[i].link);
		free((char *)loader->interfaces[i].info.name);
	}
	if (loader->maps.settings)
		munmap(loader->maps.settings, (size_t)sysconf(_SC_PAGESIZE));
	if (loader->maps.filters)
		munmap(loader->maps.filters, sizeof(*loader->maps.filters));
	if (loader->maps.presence)
		munmap(loader->maps.presence, sizeof(*loader->maps.presence));
	if (loader->maps.on_the_way)
		munmap(loader->maps.on_the_way, RG_DESTINATIONS * sizeof(*loader->maps.on_the_way));
	unmap_details(&loader->maps);
	unmap_details(&loader->old);
	rg_closep(&loader->steer_link);
	rg_closep(&loader->old.verdicts);
	rg_closep(&loader->old.peers);
	rg_closep(&loader->old.zones);
	rg_closep(&loader->old.stats);
	filter_bpf__destroy(loader->skeleton);
	rg_closep(&loader->lock);
	free(loader->pin_path);
	free(loader);
}

const struct rg_maps *rg_loader_maps(const struct rg_loader *loader)
{
	return &loader->maps;
}

bool rg_loader_took_over(const struct rg_loader *loader)
{
	return loader->took_over;
}

const struct rg_maps *rg_loader_old_maps(const struct rg_loader *loader)
{
	return loader->has_old ? &loader->old : NULL;
}

bool rg_loader_was_attached(const struct rg_loader *loader)
{
	return loader->was_attached;
}

bool rg_loader_pins_are_private(const struct rg_loader *loader)
{
	return loader->private_pins;
}

bool rg_loader_can_hold(const struct rg_loader *loader)
{
	return loader->can_hold;
}

int rg_loader_set_responder(struct rg_loader *loader, enum rg_responder_socket slot, int fd)
{
	uint64_t value = (uint64_t)fd;
	uint32_t key = slot;

	return bpf_map_update_elem(loader->maps.responder, &key, &value, BPF_ANY) ? -errno : 0;
}
