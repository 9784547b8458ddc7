/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "never.h"

#include "addr.h"

#include <ifaddrs.h>

static int compare(const void *a, const void *b)
{
	return rg_addr_compare(a, b);
}

int rg_never_refresh(struct rg_never *never, const struct sockaddr_storage *resolver)
{
	struct ifaddrs *all, *one;
	struct rg_addr *addrs;
	size_t count = 1;

	if (getifaddrs(&all))
		return -errno;
	for (one = all; one; one = one->ifa_next)
		count++;
	addrs = calloc(count, sizeof(*addrs));
	if (!addrs) {
		freeifaddrs(all);
		return -ENOMEM;
	}
	count = 0;
	if (!rg_addr_from_sockaddr((const struct sockaddr *)resolver, &addrs[count]))
		count++;
	for (one = all; one; one = one->ifa_next)
		if (one->ifa_addr && !rg_addr_from_sockaddr(one->ifa_addr, &addrs[count]))
			count++;
	freeifaddrs(all);
	qsort(addrs, count, sizeof(*addrs), compare);
	rg_never_clear(never);
	never->addrs = addrs;
	never->count = count;
	return 0;
}

void rg_never_clear(struct rg_never *never)
{
	free(never->addrs);
	*never = (struct rg_never){};
}

bool rg_never_has(const struct rg_never *never, const struct rg_addr *addr)
{
	return rg_addr_is_special(addr) ||
	       (never->count && bsearch(addr, never->addrs, never->count, sizeof(*addr), compare));
}
