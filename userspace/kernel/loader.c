/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/loader.h"

#include "kernel/dispatcher.h"
#include "kernel/settings.h"
#include "filter.skel.h"
#include "base/log.h"

#include "maps/pin.h"
#include "maps/stats.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define LINK_PREFIX "link_" /* rg_pin_link_name() */
#define STEER_PIN "steer_link" /* of the network namespace */
#define MAP_COUNT 16 /* with a NULL at the end */

struct attachment {
	struct rg_attachment shown;
	int link; /* descriptor, -1: none */
	char why[sizeof(struct rg_error)]; /* it is not attached, as was said */
};

struct rg_loader {
	struct filter_bpf *skeleton;
	struct rg_maps maps;
	char *pin_path;
	int lock; /* of pin_path */
	bool took_over;
	bool has_old;
	uint32_t old_settings; /* id of that map of an agent before, if ours is a new one */
	struct rg_maps old; /* the loader's descriptors, see rg_loader_old_maps() */
	bool was_attached;
	bool can_hold;
	int steer_link; /* -1: not attached */
	unsigned int xdp_mode; /* enum rg_xdp_mode */
	unsigned int xdp_attach; /* enum rg_xdp_attach */
	struct attachment attachments[RG_MAX_INTERFACES];
	unsigned int count;
};

/* The maps that an agent hands on to the next. */
static struct bpf_map *const *pinned_maps(const struct filter_bpf *skeleton,
					  struct bpf_map *maps[MAP_COUNT])
{
	struct bpf_map *all[] = { skeleton->maps.settings,	  skeleton->maps.lists,
				  skeleton->maps.lists_now,	  skeleton->maps.verdicts,
				  skeleton->maps.peers,		  skeleton->maps.zones,
				  skeleton->maps.events,	  skeleton->maps.stats,
				  skeleton->maps.attempts,	  skeleton->maps.buckets,
				  skeleton->maps.responder,	  skeleton->maps.admission,
				  skeleton->maps.indexes,	  skeleton->maps.presence,
				  skeleton->maps.verdict_details, NULL };

	_Static_assert(ARRAY_SIZE(all) == MAP_COUNT, "size of the list");

	memcpy(maps, all, sizeof(all));
	return maps;
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		rg_closep(&fds[i]);
}

/* What is pinned fits the map as we would make it. */
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

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* The values are ours, if not the number of them. */
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

/* `verdict_details` in fd, as many as there are of them. 0 or -errno. */
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

/* The counters go on from where they were. */
static void carry_stats(const struct rg_loader *loader)
{
	int cpus = libbpf_num_possible_cpus();
	RG_CLEANUP_FREE struct rg_count *each = calloc(cpus > 0 ? (size_t)cpus : 1, sizeof(*each));

	for (uint32_t i = 0; each && cpus > 0 && i < RG_STAT_MAX; i++)
		if (!bpf_map_lookup_elem(loader->old.stats, &i, each))
			(void)bpf_map_update_elem(loader->maps.stats, &i, each, BPF_ANY);
}

/* All pinned maps or none: half a set would be misread. */
static int take_over_maps(struct rg_loader *loader)
{
	struct bpf_map *maps[MAP_COUNT];
	int fds[MAP_COUNT], err = 0;
	size_t count = 0;

	pinned_maps(loader->skeleton, maps);
	for (; maps[count]; count++) {
		fds[count] = rg_pin_get(loader->pin_path, bpf_map__name(maps[count]));
		if (fds[count] < 0 || !same_shape(maps[count], fds[count]) ||
		    (!count && !layout_fits(fds[0]))) {
			if (count || fds[0] >= 0)
				rg_log_warning("%s: the maps there do not fit this version or its "
					       "configuration (%s): made anew",
					       loader->pin_path, bpf_map__name(maps[count]));
			loader->old_settings = map_id(fds[0]);
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
	if (!maps->settings || rg_settings_draw_seed(maps->settings))
		return -errno;
	maps->presence = map_memory(bpf_map__fd(skeleton->maps.presence), sizeof(*maps->presence),
				    PROT_READ | PROT_WRITE);
	if (!maps->presence)
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
	if (!loader->can_hold)
		bpf_program__set_autoload(skeleton->progs.filter_frags, false);
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
		return rg_fail(error, err, "maps: %s", strerror(-err));
	err = filter_bpf__load(loader->skeleton);
	if (err)
		return rg_fail(
			error, err,
			"the kernel refuses the programs: %s%s (--log-level debug shows more)",
			strerror(-err),
			err == -EPERM ? "; CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed" : "");
	name_maps(loader);
	err = map_all(loader);
	if (loader->has_old)
		carry_stats(loader);
	if (!err && !loader->took_over)
		err = pin_maps(loader);
	if (!err)
		err = pin_programs(loader);
	if (err)
		return rg_fail(error, err, "%s: %s", loader->pin_path, strerror(-err));
	return 0;
}

/* libbpf's and libxdp's words are for whoever debugs; what matters comes back as an error. */
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
	loader->lock = rg_pin_open(loader->pin_path);
	if (loader->lock >= 0)
		return 0;
	if (loader->lock == -EWOULDBLOCK)
		return rg_fail(error, -EBUSY, "another repgated runs with pin_path %s",
			       loader->pin_path);
	if (loader->lock == -ENOTSUP)
		return rg_fail(error, -ENOTSUP, "pin_path %s is not on a BPF file system",
			       loader->pin_path);
	return rg_fail(error, loader->lock, "pin_path %s: %s", loader->pin_path,
		       strerror(-loader->lock));
}

static void name_interfaces(struct rg_loader *loader, const struct rg_conf *conf)
{
	loader->count = conf->interface_count;
	for (unsigned int i = 0; i < loader->count; i++) {
		loader->attachments[i].shown.name = strdup(conf->interfaces[i]);
		loader->attachments[i].link = -1;
	}
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
	name_interfaces(loader, conf);
	loader->pin_path = strdup(conf->pin_path);
	if (!loader->pin_path)
		err = rg_fail(error, -ENOMEM, "out of memory");
	else
		err = lock_pins(loader, error);
	if (!err) {
		rg_pin_each(loader->pin_path, LINK_PREFIX, note_link, loader);
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
	for (unsigned int i = 0; i < loader->count; i++) {
		rg_closep(&loader->attachments[i].link);
		free((char *)loader->attachments[i].shown.name);
	}
	if (loader->maps.settings)
		munmap(loader->maps.settings, (size_t)sysconf(_SC_PAGESIZE));
	if (loader->maps.presence)
		munmap(loader->maps.presence, sizeof(*loader->maps.presence));
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

bool rg_loader_can_hold(const struct rg_loader *loader)
{
	return loader->can_hold;
}

static uint32_t program_id(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len) ? 0 : info.id;
}

/* The link that an earlier agent left for this very interface, or -1. */
static int adopt_link(const struct rg_loader *loader, const char *name, unsigned int ifindex)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	char pin[RG_PIN_NAME];
	int fd = rg_pin_get(loader->pin_path, rg_pin_link_name(name, pin));

	if (fd < 0)
		return -1;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.type == BPF_LINK_TYPE_XDP &&
	    info.xdp.ifindex == ifindex)
		return fd;
	close(fd); /* its interface went away */
	(void)rg_pin_remove(loader->pin_path, pin);
	return -1;
}

static bool is_attached_as(unsigned int ifindex, enum rg_xdp_mode mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);

	if (bpf_xdp_query((int)ifindex, 0, &opts))
		return false;
	return opts.attach_mode == (mode == RG_XDP_NATIVE ? XDP_ATTACHED_DRV : XDP_ATTACHED_SKB);
}

/* 0 or -errno; on success at->link is a link in this mode with this program. */
static int attach_program(struct rg_loader *loader, struct attachment *at, enum rg_xdp_mode mode,
			  struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = mode == RG_XDP_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	char pin[RG_PIN_NAME];
	int fd;

	if (bpf_program__fd(program) < 0)
		return -EOPNOTSUPP;
	if (at->link >= 0 && is_attached_as(at->shown.ifindex, mode))
		return bpf_link_update(at->link, bpf_program__fd(program), NULL) ? -errno : 0;
	if (at->link >= 0) {
		/* The other mode: the kernel does not allow both, so this one leaves a gap. */
		rg_log_warning("%s: changes its XDP mode, unfiltered for a moment", at->shown.name);
		(void)bpf_link_detach(at->link);
		close(at->link);
		at->link = -1;
	}
	fd = bpf_link_create(bpf_program__fd(program), (int)at->shown.ifindex, BPF_XDP, &opts);
	if (fd < 0)
		return -errno;
	at->link = fd;
	return rg_pin_put(loader->pin_path, rg_pin_link_name(at->shown.name, pin), fd);
}

static int attach_in_mode(struct rg_loader *loader, struct attachment *at, enum rg_xdp_mode mode)
{
	struct bpf_program *frags = loader->skeleton->progs.filter_frags;
	struct bpf_program *plain = loader->skeleton->progs.filter, *used = frags;
	int err = attach_program(loader, at, mode, frags);

	if (err && err != -EBUSY && err != -EEXIST) {
		used = plain;
		err = attach_program(loader, at, mode, plain);
	}
	if (err)
		return err;
	at->shown.mode = mode;
	at->shown.frags = used == frags;
	at->shown.program = program_id(used);
	return 0;
}

/* Somebody else's program on the interface, alone or in libxdp's dispatcher: say which. */
static int complain_busy(const struct attachment *at, struct rg_error *error)
{
	char names[256];
	__u32 id = 0;

	rg_dispatcher_names((int)at->shown.ifindex, names, sizeof(names));
	/* Without CAP_SYS_ADMIN names can't be read; the id can. */
	if (!*names && !bpf_xdp_query_id((int)at->shown.ifindex, 0, &id))
		snprintf(names, sizeof(names), "id %u", id);
	return rg_fail(error, -EBUSY,
		       "interface %s has an XDP program already: %s; remove it first (xdp-loader status, "
		       "ip link set %s xdp off)",
		       at->shown.name, *names ? names : "unknown", at->shown.name);
}

/* With "auto" an interface that had to be in generic mode stays there: trying again leaves a gap. */
static enum rg_xdp_mode first_mode(const struct rg_loader *loader, const struct attachment *at)
{
	if (loader->xdp_mode == RG_XDP_GENERIC || (loader->xdp_mode == RG_XDP_AUTO && at->link >= 0 &&
						   is_attached_as(at->shown.ifindex, RG_XDP_GENERIC)))
		return RG_XDP_GENERIC;
	return RG_XDP_NATIVE;
}

/* In libxdp's dispatcher: no link of ours, libxdp's pins hold it. */
static int dispatch_in_mode(struct rg_loader *loader, struct attachment *at, enum rg_xdp_mode mode)
{
	struct rg_dispatched what = { .loaded = loader->skeleton->obj,
				      .config = { .can_hold = loader->can_hold },
				      .map_ids = {
					      map_id(bpf_map__fd(loader->skeleton->maps.settings)),
					      loader->old_settings } };
	int err;

	what.elf = filter_bpf__elf_bytes(&what.elf_size);
	err = rg_dispatcher_attach(&what, (int)at->shown.ifindex, mode == RG_XDP_NATIVE,
				   &at->shown.program, &at->shown.frags);
	if (!err)
		at->shown.mode = mode;
	return err;
}

static int dispatch_interface(struct rg_loader *loader, struct attachment *at, struct rg_error *error)
{
	int err = dispatch_in_mode(
		loader, at, loader->xdp_mode == RG_XDP_GENERIC ? RG_XDP_GENERIC : RG_XDP_NATIVE);

	if (err && err != -EOPNOTSUPP && loader->xdp_mode == RG_XDP_AUTO)
		err = dispatch_in_mode(loader, at, RG_XDP_GENERIC);
	if (err)
		return rg_fail(error, err, "interface %s: libxdp's dispatcher: %s%s",
			       at->shown.name, strerror(-err),
			       err == -EOPNOTSUPP ? "; this kernel can't replace BPF functions, use "
						    "xdp_attach = \"link\"" :
			       err == -EPERM	  ? "; CAP_SYS_ADMIN is needed" :
			       err == -EINVAL	  ? "; libxdp 1.3 can't do it on new kernels "
						    "(docs/platforms.md), use xdp_attach = \"link\"" :
						    "");
	return 0;
}

static int attach_interface(struct rg_loader *loader, struct attachment *at, struct rg_error *error)
{
	int err;

	at->shown.ifindex = if_nametoindex(at->shown.name);
	if (!at->shown.ifindex)
		return rg_fail(error, -ENODEV, "interface %s: %m", at->shown.name);
	if (loader->xdp_attach == RG_ATTACH_DISPATCHER)
		return dispatch_interface(loader, at, error);
	at->link = adopt_link(loader, at->shown.name, at->shown.ifindex);
	err = attach_in_mode(loader, at, first_mode(loader, at));
	if (err == -EBUSY || err == -EEXIST)
		return complain_busy(at, error);
	if (err && loader->xdp_mode == RG_XDP_AUTO) {
		rg_log_warning("interface %s refuses native XDP (%s): generic mode, which is slower",
			       at->shown.name, strerror(-err));
		err = attach_in_mode(loader, at, RG_XDP_GENERIC);
	}
	if (err)
		return rg_fail(error, err, "interface %s refuses %s XDP: %s%s", at->shown.name,
			       loader->xdp_mode == RG_XDP_GENERIC ? "generic" : "native",
			       strerror(-err),
			       loader->xdp_mode == RG_XDP_NATIVE ?
				       "; xdp_mode = \"auto\" allows generic mode" :
				       "");
	return 0;
}

/* A link of an interface that is not in the configuration any more. */
static void detach_other(void *arg, const char *name)
{
	struct rg_loader *loader = arg;
	char pin[RG_PIN_NAME];
	int fd;

	for (unsigned int i = 0; i < loader->count; i++)
		if (!strcmp(rg_pin_link_name(loader->attachments[i].shown.name, pin), name))
			return;
	fd = rg_pin_get(loader->pin_path, name);
	if (fd >= 0) {
		(void)bpf_link_detach(fd);
		close(fd);
	}
	(void)rg_pin_remove(loader->pin_path, name);
	rg_log_info("%s: not in the configuration any more, detached", name + strlen(LINK_PREFIX));
}

/* The link that an earlier agent left for this very network namespace, or -1. */
static int adopt_steer_link(const struct rg_loader *loader, int netns)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	struct stat st;
	int fd = rg_pin_get(loader->pin_path, STEER_PIN);

	if (fd < 0)
		return -1;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.type == BPF_LINK_TYPE_NETNS &&
	    !fstat(netns, &st) && info.netns.netns_ino == st.st_ino)
		return fd;
	(void)bpf_link_detach(fd);
	close(fd);
	(void)rg_pin_remove(loader->pin_path, STEER_PIN);
	return -1;
}

int rg_loader_attach_steer(struct rg_loader *loader)
{
	RG_CLEANUP_CLOSE int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int program = bpf_program__fd(loader->skeleton->progs.steer);

	if (netns < 0)
		return -errno;
	loader->steer_link = adopt_steer_link(loader, netns);
	if (loader->steer_link >= 0)
		return bpf_link_update(loader->steer_link, program, NULL) ? -errno : 0;
	loader->steer_link = bpf_link_create(program, netns, BPF_SK_LOOKUP, NULL);
	if (loader->steer_link < 0) {
		loader->steer_link = -1;
		return -errno;
	}
	return rg_pin_put(loader->pin_path, STEER_PIN, loader->steer_link);
}

int rg_loader_set_responder(struct rg_loader *loader, enum rg_responder_socket slot, int fd)
{
	uint64_t value = (uint64_t)fd;
	uint32_t key = slot;

	return bpf_map_update_elem(loader->maps.responder, &key, &value, BPF_ANY) ? -errno : 0;
}

int rg_loader_attach(struct rg_loader *loader, struct rg_error *error)
{
	for (unsigned int i = 0; i < loader->count; i++) {
		struct attachment *at = &loader->attachments[i];
		int err = attach_interface(loader, at, error);

		if (err) {
			at->shown.ifindex = 0;
			return err;
		}
		rg_log_info("interface %s: filtering in %s mode", at->shown.name,
			    at->shown.mode == RG_XDP_NATIVE ? "native" : "generic");
	}
	rg_pin_each(loader->pin_path, LINK_PREFIX, detach_other, loader);
	return 0;
}

/* The link holds the interface that we know, and the interface is the one of that name. */
static bool is_attached(const struct rg_loader *loader, const struct attachment *at)
{
	struct bpf_link_info info = {};
	const uint32_t ids[2] = { map_id(bpf_map__fd(loader->skeleton->maps.settings)) };
	__u32 len = sizeof(info);

	if (!at->shown.ifindex || if_nametoindex(at->shown.name) != at->shown.ifindex)
		return false;
	if (loader->xdp_attach == RG_ATTACH_DISPATCHER)
		return rg_dispatcher_has(ids, (int)at->shown.ifindex);
	return !bpf_obj_get_info_by_fd(at->link, &info, &len) &&
	       info.xdp.ifindex == at->shown.ifindex;
}

static void note_missing(struct attachment *at, const char *why)
{
	if (at->shown.ifindex || strcmp(at->why, why) != 0)
		rg_log_warning("interface %s: not filtered: %s", at->shown.name, why);
	snprintf(at->why, sizeof(at->why), "%s", why);
	at->shown.ifindex = 0;
}

void rg_loader_refresh(struct rg_loader *loader)
{
	for (unsigned int i = 0; i < loader->count; i++) {
		struct attachment *at = &loader->attachments[i];
		struct rg_error error;

		if (is_attached(loader, at))
			continue;
		rg_closep(&at->link);
		at->link = -1;
		if (!if_nametoindex(at->shown.name)) {
			note_missing(at, "it is not there");
		} else if (attach_interface(loader, at, &error)) {
			note_missing(at, error.text);
		} else {
			*at->why = '\0';
			rg_log_info("interface %s: filtering again in %s mode", at->shown.name,
				    at->shown.mode == RG_XDP_NATIVE ? "native" : "generic");
		}
	}
}

void rg_loader_detach(struct rg_loader *loader)
{
	const uint32_t ids[2] = { map_id(bpf_map__fd(loader->skeleton->maps.settings)),
				  loader->old_settings };
	int err;

	for (unsigned int i = 0; i < loader->count; i++) {
		struct attachment *at = &loader->attachments[i];

		if (loader->xdp_attach == RG_ATTACH_DISPATCHER && at->shown.ifindex &&
		    rg_dispatcher_detach(ids, (int)at->shown.ifindex, 0))
			rg_log_warning("interface %s: not taken out of libxdp's dispatcher",
				       at->shown.name);
		if (at->link >= 0) {
			(void)bpf_link_detach(at->link);
			close(at->link);
			at->link = -1;
		}
		at->shown.ifindex = 0;
	}
	/* After the interfaces: until then a SYN that passes as tempfail must find the responder. */
	if (loader->steer_link >= 0)
		(void)bpf_link_detach(loader->steer_link);
	err = rg_pin_remove_all(loader->pin_path);
	if (err)
		rg_log_warning("%s: %s", loader->pin_path, strerror(-err));
}

const struct rg_attachment *rg_loader_attachment(const struct rg_loader *loader, unsigned int index)
{
	return index < loader->count ? &loader->attachments[index].shown : NULL;
}

/* In generic mode the injected frame meets the filter on its way. */
static bool is_generic(const struct rg_loader *loader, unsigned int ifindex)
{
	for (unsigned int i = 0; i < loader->count; i++)
		if (loader->attachments[i].shown.ifindex == ifindex &&
		    loader->attachments[i].shown.mode == RG_XDP_GENERIC)
			return true;
	return false;
}

int rg_loader_judge(const struct rg_loader *loader, unsigned int ifindex, const void *frame,
		    size_t len, struct rg_release_frame *ret)
{
	struct xdp_md context = { .data_end = (__u32)len, .ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (__u32)len,
		    .data_out = ret->frame, .data_size_out = sizeof(ret->frame), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	ret->ifindex = ifindex;
	ret->arrives = true;
	if (is_generic(loader, ifindex)) {
		ret->len = (uint32_t)len;
		memcpy(ret->frame, frame, len);
		return 1;
	}
	if (bpf_prog_test_run_opts(bpf_program__fd(loader->skeleton->progs.release), &opts))
		return -errno;
	ret->len = opts.data_size_out;
	ret->arrives = opts.retval == XDP_PASS;
	return opts.retval == XDP_PASS || opts.retval == XDP_TX;
}

/*
 * Not on live frames: for each call the kernel makes a page pool, fills it and takes it down again,
 * which is three quarters of what it costs.
 */
int rg_loader_send_on(const struct rg_loader *loader, const struct rg_release_frame *passage)
{
	struct __sk_buff context = { .ifindex = passage->ifindex,
				     .cb = { passage->arrives ? BPF_F_INGRESS : 0 } };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = passage->frame, .data_size_in = passage->len,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(loader->skeleton->progs.send_on), &opts))
		return -errno;
	return opts.retval ? -ENOBUFS : 0;
}

int rg_loader_new_list(const struct rg_loader *loader)
{
	struct bpf_map *map = loader->skeleton->maps.lists_now;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = bpf_map__map_flags(map),
		    .btf_fd = (__u32)bpf_object__btf_fd(loader->skeleton->obj),
		    .btf_key_type_id = bpf_map__btf_key_type_id(map),
		    .btf_value_type_id = bpf_map__btf_value_type_id(map));
	int fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "lists_now", bpf_map__key_size(map),
				bpf_map__value_size(map), bpf_map__max_entries(map), &opts);

	return fd < 0 ? -errno : fd;
}

/* With types as the inner map's template: before Linux 6.2 it would not be taken for the same. */
int rg_loader_new_index(const struct rg_loader *loader, uint32_t lines)
{
	const struct bpf_object *object = loader->skeleton->obj;
	const struct btf *btf = bpf_object__btf(object);
	int key = btf__find_by_name_kind(btf, "__u32", BTF_KIND_TYPEDEF);
	int value = btf__find_by_name_kind(btf, "rg_index_line", BTF_KIND_STRUCT);
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP,
		    .btf_fd = (__u32)bpf_object__btf_fd(object), .btf_key_type_id = (__u32)key,
		    .btf_value_type_id = (__u32)value);
	int fd;

	if (key < 0 || value < 0)
		return -ENOENT;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "index_lines", sizeof(uint32_t),
			    sizeof(struct rg_index_line), lines, &opts);
	return fd < 0 ? -errno : fd;
}

/* settings.index has 1 + which of the part's places is in force. */
uint32_t rg_loader_index_bank(const struct rg_loader *loader, enum rg_index_part part)
{
	return RG_INDEX_BANK(part, (loader->maps.settings->index >> 8 * part & 3) == 1);
}

static int empty_place(const struct rg_loader *loader, uint32_t place)
{
	int map = bpf_map__fd(loader->skeleton->maps.indexes);

	return bpf_map_delete_elem(map, &place) && errno != ENOENT ? -errno : 0;
}

/*
 * First the map, then the byte that sends packets there, then away with the one before: with that the
 * kernel waits for the packets that are still looking there, so the place is free when it returns.
 */
int rg_loader_set_index(struct rg_loader *loader, enum rg_index_part part, int fd, uint32_t force)
{
	uint32_t place = rg_loader_index_bank(loader, part), other = place ^ 1;
	int map = bpf_map__fd(loader->skeleton->maps.indexes), err;

	if (fd >= 0 && bpf_map_update_elem(map, &place, &fd, BPF_ANY))
		return -errno;
	rg_settings_set_index(loader->maps.settings, part, force);
	err = fd >= 0 ? 0 : empty_place(loader, place);
	return err ? err : empty_place(loader, other);
}

int rg_loader_current_list(const struct rg_loader *loader)
{
	return rg_pin_get(loader->pin_path, "lists_now");
}

int rg_loader_pin_list(const struct rg_loader *loader, int fd)
{
	return rg_pin_put(loader->pin_path, "lists_now", fd);
}
