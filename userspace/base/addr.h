/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses, prefixes and ranges as text. IPv4 is v4-mapped throughout (maps/types.h), so prefix
 * lengths count from 96 for IPv4; text shows the customary ones.
 */
#ifndef REPGATE_BASE_ADDR_H
#define REPGATE_BASE_ADDR_H

#include "maps/types.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define RG_ADDR_TEXT 46 /* INET6_ADDRSTRLEN */
#define RG_PREFIX_TEXT 50

/* text of len bytes, no NUL needed. 0 or -EINVAL. A ::ffff:a.b.c.d is the IPv4 address. */
int rg_addr_parse(const char *text, size_t len, struct rg_addr *ret);
int rg_addr_from_sockaddr(const struct sockaddr *from, struct rg_addr *ret); /* 0, -EAFNOSUPPORT */

/*
 * An address or CIDR; host bits may be set and are cleared (ERS takes "123.123.123.123/24").
 * 0, -EINVAL (no address), -ERANGE (length not a number within the family's bounds).
 */
int rg_prefix_parse(const char *text, size_t len, struct rg_prefix *ret);

/*
 * The same for text that goes on after it, up to end: how many bytes it takes, 0 if it is in none of the
 * usual forms. Then, and if something follows that can't follow an address, rg_prefix_parse() has the
 * last word; what is taken here, it takes too, and the same. For lists of millions.
 */
size_t rg_prefix_scan(const char *text, const char *end, struct rg_prefix *ret);

/* "a-b", inclusive, one family. 0, -EINVAL, -ERANGE (b before a or of another family). */
int rg_range_parse(const char *text, size_t len, struct rg_addr *first, struct rg_addr *last);

/*
 * The fewest prefixes that are exactly first..last: calls add for each, in order; stops at the
 * first nonzero return and returns it.
 */
int rg_range_split(const struct rg_addr *first, const struct rg_addr *last,
		   int (*add)(const struct rg_prefix *prefix, void *arg), void *arg);

/* Both return text. */
const char *rg_addr_format(const struct rg_addr *addr, char text[RG_ADDR_TEXT]);
const char *rg_prefix_format(const struct rg_prefix *prefix, char text[RG_PREFIX_TEXT]);

bool rg_addr_is_v4(const struct rg_addr *addr);
void rg_prefix_mask(struct rg_prefix *prefix); /* clears the host bits */
struct rg_addr rg_prefix_last(const struct rg_prefix *prefix); /* its last address */

/* Here because lists of millions are sorted and searched by them: the first (0) or last (1) 64 bits. */
static inline uint64_t rg_addr_half(const struct rg_addr *addr, unsigned int half)
{
	uint64_t number;

	memcpy(&number, addr->bytes + 8 * half, sizeof(number));
	return be64toh(number);
}

/* The order of numbers: below, at or above 0. */
static inline int rg_addr_compare(const struct rg_addr *a, const struct rg_addr *b)
{
	uint64_t x = rg_addr_half(a, 0), y = rg_addr_half(b, 0);

	if (x == y) {
		x = rg_addr_half(a, 1);
		y = rg_addr_half(b, 1);
	}
	return (x > y) - (x < y);
}

static inline bool rg_prefix_covers(const struct rg_prefix *prefix, const struct rg_addr *addr)
{
	uint64_t high = rg_addr_half(&prefix->addr, 0) ^ rg_addr_half(addr, 0);
	uint64_t low = rg_addr_half(&prefix->addr, 1) ^ rg_addr_half(addr, 1);

	if (prefix->len <= 64)
		return !prefix->len || !(high >> (64 - prefix->len));
	return !high && !(low >> (RG_ADDR_BITS - prefix->len));
}
/* True if all of IPv4 lies in it, as in ::/0 and in ::/64; and it is not ::ffff:0:0/96 itself. */
bool rg_prefix_has_v4(const struct rg_prefix *prefix);

/* Order of a walk through the tree: by address, the shorter prefix first. */
int rg_prefix_compare(const struct rg_prefix *a, const struct rg_prefix *b);

/* The part of addr that makes a peer: IPv6 is cut to v6_len bits. */
struct rg_prefix rg_peer_of(const struct rg_addr *addr, unsigned int v6_len);

/* Loopback, link-local, unspecified, multicast: never a peer that a list may name. */
bool rg_addr_is_special(const struct rg_addr *addr);

#endif
