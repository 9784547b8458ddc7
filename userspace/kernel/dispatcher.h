/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our program beside others on one interface, in libxdp's dispatcher; and who else is on it. The only
 * file that knows libxdp. Needs CAP_SYS_ADMIN and a kernel that has BPF_PROG_TYPE_EXT (Linux 5.10,
 * CONFIG_BPF_JIT and trampolines).
 */
#ifndef REPGATE_KERNEL_DISPATCHER_H
#define REPGATE_KERNEL_DISPATCHER_H

#include "base/util.h"

#include "maps/config.h"

struct bpf_object;

/* What is put into dispatchers: the programs' ELF image, and the maps that they are to use. */
struct rg_dispatched {
	const void *elf;
	size_t elf_size;
	struct bpf_object *loaded; /* the caller's, with all maps */
	struct rg_config config; /* read-only data */
	/* Of `settings`, and of the one of an agent before, or 0: tell our programs from others. */
	uint32_t map_ids[2];
};

/* libxdp's messages go to print (libxdp_set_print()). */
void rg_dispatcher_set_print(int (*print)(int level, const char *format, va_list args));

/*
 * Puts the program into the interface's dispatcher, then takes out those of an agent before, so that
 * no packet goes unfiltered. 0 and the program's id, or a negative error; -EOPNOTSUPP: this kernel
 * has no dispatcher.
 */
int rg_dispatcher_attach(const struct rg_dispatched *what, int ifindex, bool native, uint32_t *id,
			 bool *frags);
/* Takes our programs out, but for the one with the id keep (0: all). 0 or a negative error. */
int rg_dispatcher_detach(const uint32_t map_ids[2], int ifindex, uint32_t keep);

/* One of our programs is in the interface's dispatcher. */
bool rg_dispatcher_has(const uint32_t map_ids[2], int ifindex);

/* Names of the programs on an interface, for people; "" if there are none or they can't be read. */
void rg_dispatcher_names(int ifindex, char *names, size_t size);

#endif
