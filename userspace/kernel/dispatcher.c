/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/dispatcher.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

/* libxdp runs lower numbers first; 50 is its default. A filter runs before programs that count. */
#define RUN_PRIORITY 10
#define MAX_MAP_IDS 64
#define RODATA ".rodata"

static int (*print_text)(int level, const char *format, va_list args);

static int print_libxdp(enum libxdp_print_level level, const char *format, va_list args)
{
	return print_text((int)level, format, args);
}

void rg_dispatcher_set_print(int (*print)(int level, const char *format, va_list args))
{
	print_text = print;
	libxdp_set_print(print_libxdp);
}

/* Whether one of the program's maps is ours. */
static bool is_ours(const struct xdp_program *program, const uint32_t map_ids[2])
{
	__u32 ids[MAX_MAP_IDS] = {};
	struct bpf_prog_info info = { .map_ids = (uintptr_t)ids, .nr_map_ids = MAX_MAP_IDS };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(xdp_program__fd(program), &info, &len))
		return false;
	for (__u32 i = 0; i < info.nr_map_ids && i < MAX_MAP_IDS; i++)
		if (ids[i] && (ids[i] == map_ids[0] || ids[i] == map_ids[1]))
			return true;
	return false;
}

static int copy_value(struct bpf_map *map, struct bpf_map *loaded)
{
	size_t size = 0;
	const void *value = bpf_map__initial_value(loaded, &size);

	return value ? bpf_map__set_initial_value(map, value, size) : -ENOENT;
}

/*
 * Shares every map with the loaded object. The read-only data is copied as a whole: the settings that are
 * fixed at load (struct rg_config) are one variable of several there.
 */
static int share_maps(struct bpf_object *object, const struct rg_dispatched *what)
{
	struct bpf_map *map, *loaded;

	bpf_object__for_each_map(map, object)
	{
		bool is_rodata = strstr(bpf_map__name(map), RODATA) != NULL;
		int err = -ENOENT;

		/* The names of both begin with those of their objects, which differ. */
		loaded = bpf_object__find_map_by_name(what->loaded,
						      is_rodata ? RODATA : bpf_map__name(map));
		if (loaded)
			err = is_rodata ? copy_value(map, loaded) :
					  bpf_map__reuse_fd(map, bpf_map__fd(loaded));
		if (err)
			return err;
	}
	return 0;
}

/* 0: libxdp owns the object, as part of *program; or a negative error. */
static int open_program(const struct rg_dispatched *what, const char *name,
			struct xdp_program **program)
{
	LIBBPF_OPTS(bpf_object_open_opts, open, .object_name = "repgate");
	struct bpf_object *object = bpf_object__open_mem(what->elf, what->elf_size, &open);
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = object, .prog_name = name);
	struct bpf_program *each;
	int err;

	if (!object)
		return -errno;
	bpf_object__for_each_program(each, object)
		bpf_program__set_autoload(each, !strcmp(bpf_program__name(each), name));
	err = share_maps(object, what);
	if (err) {
		bpf_object__close(object);
		return err;
	}
	*program = xdp_program__create(&opts);
	err = (int)libxdp_get_error(*program);
	if (err)
		bpf_object__close(object);
	return err;
}

/* The program is on the interface without a dispatcher: libxdp could not make one, and gave no error. */
static bool is_alone(int ifindex)
{
	struct xdp_multiprog *there = xdp_multiprog__get_from_ifindex(ifindex);
	bool alone;

	if (libxdp_get_error(there))
		return false;
	alone = xdp_multiprog__is_legacy(there);
	xdp_multiprog__close(there);
	return alone;
}

static int attach_named(const struct rg_dispatched *what, const char *name, int ifindex,
			bool native, uint32_t *id)
{
	enum xdp_attach_mode mode = native ? XDP_MODE_NATIVE : XDP_MODE_SKB;
	struct xdp_program *program = NULL;
	int err = open_program(what, name, &program);

	if (err)
		return err;
	err = xdp_program__set_run_prio(program, RUN_PRIORITY);
	if (!err)
		err = xdp_program__set_chain_call_enabled(program, XDP_PASS, true);
	if (!err)
		err = xdp_program__attach(program, ifindex, mode, 0);
	if (!err && is_alone(ifindex)) {
		(void)xdp_program__detach(program, ifindex, mode, 0);
		err = -EOPNOTSUPP;
	}
	if (!err)
		*id = xdp_program__id(program);
	/* libxdp's pins keep it on the interface. */
	xdp_program__close(program);
	return err;
}

int rg_dispatcher_attach(const struct rg_dispatched *what, int ifindex, bool native, uint32_t *id,
			 bool *frags)
{
	int err = -EOPNOTSUPP;

	*frags = what->can_hold;
	if (*frags)
		err = attach_named(what, what->begins_with_ip ? "filter_ip_frags" : "filter_frags",
				   ifindex, native, id);
	if (err) {
		*frags = false;
		err = attach_named(what, what->begins_with_ip ? "filter_ip" : "filter", ifindex,
				   native, id);
	}
	if (!err)
		(void)rg_dispatcher_detach(what->map_ids, ifindex, *id);
	return err;
}

/* Removes one of our programs other than keep; crashes may leave several. 1: removed, 0: there is none. */
static int detach_one(const uint32_t map_ids[2], int ifindex, uint32_t keep)
{
	struct xdp_multiprog *there = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *program = NULL;
	int err = 0;

	if (libxdp_get_error(there))
		return 0;
	if (!xdp_multiprog__is_legacy(there))
		while ((program = xdp_multiprog__next_prog(program, there)))
			if (xdp_program__id(program) != keep && is_ours(program, map_ids))
				break;
	if (program)
		err = xdp_program__detach(program, ifindex, xdp_multiprog__attach_mode(there), 0);
	xdp_multiprog__close(there);
	return err ? err : program != NULL;
}

int rg_dispatcher_detach(const uint32_t map_ids[2], int ifindex, uint32_t keep)
{
	int done;

	do {
		done = detach_one(map_ids, ifindex, keep);
	} while (done > 0);
	return done;
}

bool rg_dispatcher_has(const uint32_t map_ids[2], int ifindex)
{
	struct xdp_multiprog *there = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *program = NULL;
	bool has = false;

	if (libxdp_get_error(there))
		return false;
	if (!xdp_multiprog__is_legacy(there))
		while (!has && (program = xdp_multiprog__next_prog(program, there)))
			has = is_ours(program, map_ids);
	xdp_multiprog__close(there);
	return has;
}

static void append_name(char *names, size_t size, const struct xdp_program *program)
{
	size_t len = strlen(names);

	if (program && len < size)
		snprintf(names + len, size - len, "%s\"%s\" (id %u)", len ? ", " : "",
			 xdp_program__name(program), xdp_program__id(program));
}

void rg_dispatcher_names(int ifindex, char *names, size_t size)
{
	struct xdp_multiprog *there = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *program = NULL;

	*names = '\0';
	if (libxdp_get_error(there))
		return;
	if (xdp_multiprog__is_legacy(there))
		append_name(names, size, xdp_multiprog__main_prog(there));
	else
		while ((program = xdp_multiprog__next_prog(program, there)))
			append_name(names, size, program);
	xdp_multiprog__close(there);
}
