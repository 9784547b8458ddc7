/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of struct rg_loader, for the files that do its work: loader.c, attach.c, inner_maps.c and
 * held_frame.c. Nobody else includes it.
 */
#ifndef REPGATE_KERNEL_LOADER_PRIVATE_H
#define REPGATE_KERNEL_LOADER_PRIVATE_H

#include "kernel/attach.h"
#include "kernel/loader.h"

#include "filter.skel.h"

#include <bpf/bpf.h>

#define RG_LINK_PREFIX "link_" /* pins of XDP links, see rg_pin_link_name() */

/* One interface of the configuration; attach.c's. */
struct rg_loader_interface {
	struct rg_attachment info; /* the name is allocated */
	int link; /* descriptor, -1: none */
};

struct rg_loader {
	struct filter_bpf *skeleton;
	struct rg_maps maps;
	char *pin_path;
	int lock; /* of pin_path */
	bool took_over;
	bool has_old;
	uint32_t old_settings; /* id of an earlier agent's map `settings`, if ours is new; 0: none */
	struct rg_maps old; /* see rg_loader_old_maps() */
	bool was_attached;
	bool can_hold;
	bool private_pins;
	int steer_link; /* -1: not attached */
	unsigned int xdp_mode; /* enum rg_xdp_mode */
	unsigned int xdp_attach; /* enum rg_xdp_attach */
	struct rg_loader_interface interfaces[RG_MAX_INTERFACES];
	unsigned int interface_count;
};

/*
 * Makes pin_path and its pins again, if it was removed. Not `lists_now`, which may be another trie by now: its
 * owner pins it. 0 or -errno.
 */
int rg_loader_restore_pins(struct rg_loader *loader);

/* The id of the map fd; 0: it can't be found out. */
static inline uint32_t rg_loader_map_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

#endif
