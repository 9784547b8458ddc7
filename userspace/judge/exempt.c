/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/exempt.h"

#include "base/addr.h"

int rg_exempt_refresh(struct rg_exempt *exempt, const struct sockaddr_storage *resolver)
{
	return rg_own_networks_read(&exempt->own, resolver);
}

void rg_exempt_clear(struct rg_exempt *exempt)
{
	rg_own_networks_clear(&exempt->own);
}

bool rg_exempt_has(const struct rg_exempt *exempt, const struct rg_addr *addr)
{
	return rg_addr_is_special(addr) || rg_own_networks_find(&exempt->own, addr);
}

bool rg_exempt_has_network(const struct rg_exempt *exempt, const struct rg_addr *addr)
{
	return rg_own_networks_around(&exempt->own, addr);
}
