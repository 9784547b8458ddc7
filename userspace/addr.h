/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses, prefixes and ranges as text. IPv4 is v4-mapped throughout (maps/types.h), so prefix
 * lengths count from 96 for IPv4; text shows the customary ones.
 */
#ifndef REPGATE_ADDR_H
#define REPGATE_ADDR_H

#include "../maps/types.h"

#include <stdbool.h>
#include <stddef.h>
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
int rg_addr_compare(const struct rg_addr *a, const struct rg_addr *b);
void rg_prefix_mask(struct rg_prefix *prefix); /* clears the host bits */
struct rg_addr rg_prefix_last(const struct rg_prefix *prefix); /* its last address */
bool rg_prefix_covers(const struct rg_prefix *prefix, const struct rg_addr *addr);

/* Order of a walk through the tree: by address, the shorter prefix first. */
int rg_prefix_compare(const struct rg_prefix *a, const struct rg_prefix *b);

/* The part of addr that makes a peer: IPv6 is cut to v6_len bits. */
struct rg_prefix rg_peer_of(const struct rg_addr *addr, unsigned int v6_len);

/* Loopback, link-local, unspecified, multicast: never a peer that a list may name. */
bool rg_addr_is_special(const struct rg_addr *addr);

#endif
