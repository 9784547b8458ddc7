/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/list_extent.h"

#include "base/addr.h"

#include <stdio.h>

typedef unsigned __int128 u128;

static u128 to_number(const struct rg_addr *addr)
{
	return (u128)rg_addr_half(addr, 0) << 64 | rg_addr_half(addr, 1);
}

bool rg_list_extent_is_wide(const struct rg_addr *first, const struct rg_addr *last)
{
	unsigned int len = rg_addr_is_v4(first) ? RG_V4_PREFIX_BITS + RG_LIST_WIDE_V4 :
						  RG_LIST_WIDE_V6;

	return (to_number(last) - to_number(first)) >> (RG_ADDR_BITS - len);
}

/* With a comma between thousands. text: room for 27 bytes, more than the largest number needs. */
static const char *format_number(uint64_t number, char text[32])
{
	char *at = text + 31;

	*at = '\0';
	for (unsigned int digits = 0; number || !digits; number /= 10, digits++) {
		if (digits && digits % 3 == 0)
			*--at = ',';
		*--at = (char)('0' + number % 10);
	}
	return at;
}

/* The only prefix that is first..last. False: there is none. */
static bool to_prefix(const struct rg_addr *first, const struct rg_addr *last,
		      struct rg_prefix *prefix)
{
	u128 differ = to_number(first) ^ to_number(last), count = to_number(last) - to_number(first);

	*prefix = (struct rg_prefix){ .len = RG_ADDR_BITS, .addr = *first };
	if (differ != count || (differ & (differ + 1)))
		return false;
	for (; differ; differ >>= 1)
		prefix->len--;
	return true;
}

const char *rg_list_extent_describe(const struct rg_addr *first, const struct rg_addr *last,
				    char text[RG_LIST_EXTENT_TEXT])
{
	u128 more = to_number(last) - to_number(first); /* how many addresses besides the first */
	bool networks = !rg_addr_is_v4(first) && more >= UINT64_MAX;
	uint64_t count = networks ?
				 (uint64_t)(more >> 64) + (uint64_t)((uint64_t)more == UINT64_MAX) :
				 (uint64_t)more + 1;
	char from[RG_ADDR_TEXT], to[RG_ADDR_TEXT], name[2 * RG_ADDR_TEXT], number[32];
	struct rg_prefix prefix;

	if (to_prefix(first, last, &prefix))
		rg_prefix_format(&prefix, name);
	else
		snprintf(name, sizeof(name), "%s-%s", rg_addr_format(first, from),
			 rg_addr_format(last, to));
	if (networks && !count) /* all 2^64 networks of ::/0 */
		snprintf(text, RG_LIST_EXTENT_TEXT, "%s, all of IPv6", name);
	else
		snprintf(text, RG_LIST_EXTENT_TEXT, "%s, %s %s%s", name,
			 format_number(count, number), networks ? "network" : "address",
			 networks   ? count == 1 ? " of /64" : "s of /64" :
			 count == 1 ? "" :
				      "es");
	return text;
}
