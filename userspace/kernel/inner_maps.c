/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/inner_maps.h"

#include "kernel/loader_private.h"
#include "kernel/settings.h"

#include "maps/pin.h"

#include <bpf/btf.h>

int rg_inner_maps_new_list(const struct rg_loader *loader)
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

/* With the types of the inner map's template: before Linux 6.2 the kernel compares them. */
int rg_inner_maps_new_index(const struct rg_loader *loader, uint32_t lines)
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

/* settings.index has 1 + the number of the part's bank in force; 0: none. */
uint32_t rg_inner_maps_index_bank(const struct rg_loader *loader, enum rg_index_part part)
{
	return rg_index_next_bank(loader->maps.settings->index, part);
}

static int empty_bank(const struct rg_loader *loader, uint32_t bank)
{
	int map = bpf_map__fd(loader->skeleton->maps.indexes);

	return bpf_map_delete_elem(map, &bank) && errno != ENOENT ? -errno : 0;
}

/*
 * First the table, then the byte in `settings` that leads packets to it. Last, the other bank is emptied:
 * the kernel then waits for packets that still look there, so that bank is free when this returns.
 */
int rg_inner_maps_set_index(struct rg_loader *loader, enum rg_index_part part, int fd, uint32_t force)
{
	uint32_t bank = rg_inner_maps_index_bank(loader, part), other = bank ^ 1;
	int map = bpf_map__fd(loader->skeleton->maps.indexes), err;

	if (fd >= 0 && bpf_map_update_elem(map, &bank, &fd, BPF_ANY))
		return -errno;
	rg_settings_set_index(loader->maps.settings, part, force);
	err = fd >= 0 ? 0 : empty_bank(loader, bank);
	return err ? err : empty_bank(loader, other);
}

int rg_inner_maps_current_list(const struct rg_loader *loader)
{
	return rg_pin_get(loader->pin_path, "lists_now");
}

int rg_inner_maps_pin_list(const struct rg_loader *loader, int fd)
{
	return rg_pin_put(loader->pin_path, "lists_now", fd);
}
