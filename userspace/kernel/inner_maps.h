/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps inside `lists` and `indexes`: created empty here, filled by others, then put in force as a whole.
 * The caller owns all descriptors that are returned.
 */
#ifndef REPGATE_KERNEL_INNER_MAPS_H
#define REPGATE_KERNEL_INNER_MAPS_H

#include "kernel/loader.h"

/* A new, empty trie for `lists`. A descriptor or -errno. In any thread. */
int rg_inner_maps_new_list(const struct rg_loader *loader);
/* The trie that is pinned as lists_now. A descriptor or -errno. */
int rg_inner_maps_current_list(const struct rg_loader *loader);
/* Pins the trie fd as lists_now, in place of the one there. 0 or -errno. */
int rg_inner_maps_pin_list(const struct rg_loader *loader, int fd);

/* A new, empty table of so many lines for `indexes`. A descriptor or -errno. In any thread. */
int rg_inner_maps_new_index(const struct rg_loader *loader, uint32_t lines);
/* The part's bank that is not in force, as RG_INDEX_BANK() has it: no packet looks there. */
uint32_t rg_inner_maps_index_bank(const struct rg_loader *loader, enum rg_index_part part);
/*
 * Puts the table fd into that bank, switches packets over to it, and empties the other bank. force: as
 * rg_index_install() says. fd -1 and force 0: the part has no index any more. 0 or -errno.
 */
int rg_inner_maps_set_index(struct rg_loader *loader, enum rg_index_part part, int fd,
			    uint32_t force);

#endif
