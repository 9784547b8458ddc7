/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorts the entries of the local lists and removes redundant ones. */
#ifndef REPGATE_LISTS_LIST_SORT_H
#define REPGATE_LISTS_LIST_SORT_H

#include "lists/list_parse.h"

/* A blocked entry that an approved one covers, until that ends. */
struct rg_list_sort_later {
	struct rg_list_parsed entry;
	uint32_t from; /* s since 1970: when the last approval around it ends */
};

/* In the order of rg_prefix_compare(); of equal prefixes there may be several. Zero it; the caller frees `all`. */
struct rg_list_sort_waiting {
	struct rg_list_sort_later *all;
	size_t count, allocated;
};

/*
 * Sorts entries in the order of rg_prefix_compare(), removes the needless ones, and sets `nested` in
 * those that lie within another one. In place. *count becomes how many are left. 0 or -ENOMEM.
 *
 * An entry is needless if it lies within an approved one and is blocked, or within one of its own class
 * that lasts as long. Of entries that are equal, the one that was written first stays. A blocked one that lasts
 * longer than all approved ones around it is added to waiting: it is needed later.
 */
int rg_list_sort_resolve(struct rg_list_parsed *entries, size_t *count,
			 struct rg_list_sort_waiting *waiting);

#endif
