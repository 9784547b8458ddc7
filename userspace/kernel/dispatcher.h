/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our program beside others on one interface, in libxdp's dispatcher. The only file that uses libxdp.
 * Needs CAP_SYS_ADMIN and a kernel with BPF_PROG_TYPE_EXT (Linux 5.10, CONFIG_BPF_JIT, trampolines).
 */
#ifndef REPGATE_KERNEL_DISPATCHER_H
#define REPGATE_KERNEL_DISPATCHER_H

#include "base/util.h"

struct bpf_object;

/* What is attached: the ELF image of the programs, and the loaded maps that they share. */
struct rg_dispatched {
	const void *elf;
	size_t elf_size;
	struct bpf_object *loaded; /* the caller's; its maps are shared, its read-only data copied */
	bool begins_with_ip; /* the interface's frames have no Ethernet header */
	bool can_hold; /* also: the kernel has frames in several buffers */
	/*
	 * Ids of our map `settings` and of an earlier agent's, or 0. A program that uses one of them is ours.
	 */
	uint32_t map_ids[2];
};

/* Sends libxdp's messages to print. Call before everything else here. */
void rg_dispatcher_set_print(int (*print)(int level, const char *format, va_list args));

/*
 * Puts the program into the interface's dispatcher, then removes an earlier agent's, so no packet goes
 * unfiltered. Sets id to the program's id and frags to whether it takes frames in several buffers. 0 or a
 * negative error; -EOPNOTSUPP: this kernel has no dispatcher.
 */
int rg_dispatcher_attach(const struct rg_dispatched *what, int ifindex, bool native, uint32_t *id,
			 bool *frags);
/* Removes our programs, except the one with the id keep (0: all). 0 or a negative error. */
int rg_dispatcher_detach(const uint32_t map_ids[2], int ifindex, uint32_t keep);

/* Whether one of our programs is in the interface's dispatcher. */
bool rg_dispatcher_has(const uint32_t map_ids[2], int ifindex);

/* Writes the names of the programs on an interface, for an error text; "": none, or not readable. */
void rg_dispatcher_names(int ifindex, char *names, size_t size);

#endif
