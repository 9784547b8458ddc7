/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorts the entries of the local lists and removes redundant ones. */
#ifndef REPGATE_LISTS_LIST_SORT_H
#define REPGATE_LISTS_LIST_SORT_H

#include "lists/list_parse.h"

/*
 * Sorts entries in the order of rg_prefix_compare(), removes the needless ones, and sets `nested` in
 * those that lie within another one. In place, without memory: it can't fail. Returns how many are left.
 *
 * An entry is needless if it lies within an approved one and is blocked, or within one of its own class
 * that lasts as long. Of entries that are equal, the one that was written first stays.
 */
size_t rg_list_sort_resolve(struct rg_list_parsed *entries, size_t count);

#endif
