/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What XDP must know of this host to tell which frames it takes: MAC addresses of the filtered interfaces,
 * and the routing table `local`. The only writer of the maps `host_links` and `host_routes`.
 */
#ifndef REPGATE_KERNEL_HOST_FACTS_H
#define REPGATE_KERNEL_HOST_FACTS_H

#include "kernel/loader.h"

/*
 * Reads the facts from the kernel (rtnetlink) and writes them into the maps. Call after the programs are
 * attached, when interfaces or addresses change, and now and then. 0 or -errno: the maps then have what they
 * had before, or a part of what is new.
 */
int rg_host_facts_refresh(struct rg_loader *loader);

#endif
