/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is never blocked, whatever a zone says: special addresses, this host's own, the resolver. */
#ifndef REPGATE_JUDGE_EXEMPT_H
#define REPGATE_JUDGE_EXEMPT_H

#include "base/util.h"

#include "maps/types.h"

#include <sys/socket.h>

struct rg_exempt {
	struct rg_addr *addrs;
	size_t count;
};

/* Reads the host's addresses anew. 0 or -errno; on error the old ones stay. */
int rg_exempt_refresh(struct rg_exempt *never, const struct sockaddr_storage *resolver);
void rg_exempt_clear(struct rg_exempt *never);
bool rg_exempt_has(const struct rg_exempt *never, const struct rg_addr *addr);

#endif
