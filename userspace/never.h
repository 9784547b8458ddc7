/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is never blocked, whatever a zone says: special addresses, this host's own, the resolver. */
#ifndef REPGATE_NEVER_H
#define REPGATE_NEVER_H

#include "util.h"

#include "../maps/types.h"

#include <sys/socket.h>

struct rg_never {
	struct rg_addr *addrs;
	size_t count;
};

/* Reads the host's addresses anew. 0 or -errno; on error the old ones stay. */
int rg_never_refresh(struct rg_never *never, const struct sockaddr_storage *resolver);
void rg_never_clear(struct rg_never *never);
bool rg_never_has(const struct rg_never *never, const struct rg_addr *addr);

#endif
