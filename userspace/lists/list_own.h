/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Own networks are never blocked. A blocked entry that covers this host's addresses, a connected network, a gateway
 * or the resolver is in force for all other addresses: it is cut into the prefixes around them. An entry that lies
 * within a connected network is in force, but for single addresses that are never blocked.
 */
#ifndef REPGATE_LISTS_LIST_OWN_H
#define REPGATE_LISTS_LIST_OWN_H

#include "kernel/own_networks.h"
#include "lists/list_sort.h"

/* A blocked entry that covers what is never blocked. */
struct rg_list_covering {
	struct rg_prefix entry;
	uint32_t line;
	uint16_t source;
	struct rg_own_network own; /* the first that it covers */
	size_t more; /* how many others */
	bool dropped; /* nothing of it is in force: it is no more than own, or max_list leaves no room for its parts */
};

struct rg_list_coverings {
	struct rg_list_covering *all;
	size_t count;
};

/*
 * Cuts the parser's entries, which rg_list_sort_resolve() has sorted, and sorts them again if needed. Adds what it
 * cut to coverings, whose array the caller frees. waiting: as of the sort before. 0 or -ENOMEM.
 */
int rg_list_own_cut(struct rg_list_parser *parser, const struct rg_own_networks *own,
		    struct rg_list_sort_waiting *waiting, struct rg_list_coverings *coverings);

#define RG_LIST_COVERING_TEXT 256
/* For people: "192.0.0.0/8 covers 192.0.2.0/24, the network of mx0, which is never blocked; the rest of it is". */
const char *rg_list_own_describe(const struct rg_list_covering *covering,
				 char text[RG_LIST_COVERING_TEXT]);

#endif
