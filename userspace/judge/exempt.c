/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/exempt.h"

#include "base/addr.h"

#include <ifaddrs.h>

static int compare(const void *a, const void *b)
{
	return rg_addr_compare(a, b);
}

int rg_exempt_refresh(struct rg_exempt *exempt, const struct sockaddr_storage *resolver)
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
	rg_exempt_clear(exempt);
	exempt->addrs = addrs;
	exempt->count = count;
	return 0;
}

void rg_exempt_clear(struct rg_exempt *exempt)
{
	free(exempt->addrs);
	*exempt = (struct rg_exempt){};
}

bool rg_exempt_has(const struct rg_exempt *exempt, const struct rg_addr *addr)
{
	return rg_addr_is_special(addr) ||
	       (exempt->count && bsearch(addr, exempt->addrs, exempt->count, sizeof(*addr), compare));
}
