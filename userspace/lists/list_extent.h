/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many addresses an entry of the local lists comes to, in words that people can check: "192.0.0.0/2,
 * 1,073,741,824 addresses". A wide entry is more often a slip than meant, so it needs the word "force".
 */
#ifndef REPGATE_LISTS_LIST_EXTENT_H
#define REPGATE_LISTS_LIST_EXTENT_H

#include "maps/types.h"

#include <stdbool.h>

/* More addresses than a prefix of this length has are wide. */
#define RG_LIST_WIDE_V4 8
#define RG_LIST_WIDE_V6 19
#define RG_LIST_WIDE_RULE "wider than /8 (IPv6: /19)"

#define RG_LIST_EXTENT_TEXT 160

/* first..last: both of one family, first <= last. */
bool rg_list_extent_is_wide(const struct rg_addr *first, const struct rg_addr *last);

/*
 * Writes the prefix or range in its usual form, and how many addresses it has; of IPv6 networks of /64 and more,
 * how many /64 networks. Returns text.
 */
const char *rg_list_extent_describe(const struct rg_addr *first, const struct rg_addr *last,
				    char text[RG_LIST_EXTENT_TEXT]);

#endif
