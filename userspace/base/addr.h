/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses, prefixes and ranges: parsed, formatted, compared. IPv4 is v4-mapped everywhere
 * (maps/types.h), so the lengths of IPv4 prefixes count from 96; text has the usual lengths.
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

/* Parses len bytes of text, without a NUL. ::ffff:a.b.c.d is the IPv4 address. 0 or -EINVAL. */
int rg_addr_parse(const char *text, size_t len, struct rg_addr *ret);
/*
 * Finds the address in what logs print around it: "[203.0.113.11]:18947", "unknown[2001:db8::1]:25,",
 * "203.0.113.11:18947", "[IPv6:2001:db8::1]". Returns its start in text, and changes *len to its length. Other
 * text is only trimmed. The caller checks the result, which may be a prefix, or no address at all.
 */
const char *rg_addr_find(const char *text, size_t *len);
/* from: AF_INET or AF_INET6. 0 or -EAFNOSUPPORT. */
int rg_addr_from_sockaddr(const struct sockaddr *from, struct rg_addr *ret);

/*
 * Parses an address or a prefix. Host bits may be set, and are cleared: ERS accepts
 * "123.123.123.123/24". 0; -EINVAL: no address; -ERANGE: the length is no number or out of bounds.
 */
int rg_prefix_parse(const char *text, size_t len, struct rg_prefix *ret);

/*
 * A fast path for lists of millions: parses an address or prefix at the start of text, which ends at end.
 * Returns how many bytes it takes, or 0: it has none of the usual forms, and rg_prefix_parse() decides.
 * The caller checks what follows. Whatever is accepted here, rg_prefix_parse() accepts with the same
 * result.
 */
size_t rg_prefix_scan(const char *text, const char *end, struct rg_prefix *ret);

/* Parses "a-b"; both belong to the range. 0; -EINVAL; -ERANGE: b is before a or of another family. */
int rg_range_parse(const char *text, size_t len, struct rg_addr *first, struct rg_addr *last);

/*
 * Splits first..last into the fewest prefixes, and calls add for each, in order. A nonzero return of add
 * ends it and is returned.
 */
int rg_range_split(const struct rg_addr *first, const struct rg_addr *last,
		   int (*add)(const struct rg_prefix *prefix, void *arg), void *arg);

/* Both write text, with a NUL, and return it. */
const char *rg_addr_format(const struct rg_addr *addr, char text[RG_ADDR_TEXT]);
const char *rg_prefix_format(const struct rg_prefix *prefix, char text[RG_PREFIX_TEXT]);

bool rg_addr_is_v4(const struct rg_addr *addr);

/* The form in which DNS lists are asked: reversed octets or reversed nibbles. */
enum rg_family { RG_FAMILY_V4, RG_FAMILY_V6, RG_FAMILIES };

enum rg_family rg_addr_family(const struct rg_addr *addr);
/* "IPv4" or "IPv6". */
const char *rg_family_name(enum rg_family family);

/* Clears the host bits. */
void rg_prefix_mask(struct rg_prefix *prefix);
/* The last address of prefix, whose host bits are clear. */
struct rg_addr rg_prefix_last(const struct rg_prefix *prefix);

/*
 * The first (half 0) or last (half 1) 64 bits, in host order. Inline, as the next two, because lists of
 * millions are sorted and searched with them.
 */
static inline uint64_t rg_addr_half(const struct rg_addr *addr, unsigned int half)
{
	uint64_t number;

	memcpy(&number, addr->bytes + 8 * half, sizeof(number));
	return be64toh(number);
}

/* Compares as numbers: below, at or above 0. */
static inline int rg_addr_compare(const struct rg_addr *a, const struct rg_addr *b)
{
	uint64_t x = rg_addr_half(a, 0), y = rg_addr_half(b, 0);

	if (x == y) {
		x = rg_addr_half(a, 1);
		y = rg_addr_half(b, 1);
	}
	return (x > y) - (x < y);
}

/* Whether addr lies in prefix. */
static inline bool rg_prefix_covers(const struct rg_prefix *prefix, const struct rg_addr *addr)
{
	uint64_t high = rg_addr_half(&prefix->addr, 0) ^ rg_addr_half(addr, 0);
	uint64_t low = rg_addr_half(&prefix->addr, 1) ^ rg_addr_half(addr, 1);

	if (prefix->len <= 64)
		return !prefix->len || !(high >> (64 - prefix->len));
	return !high && !(low >> (RG_ADDR_BITS - prefix->len));
}
/* Whether an IPv6 prefix contains all of IPv4, as ::/0 and ::/64 do. ::ffff:0:0/96 itself does not count. */
bool rg_prefix_has_v4(const struct rg_prefix *prefix);

/* Compares in the order of a walk through the tree: by address, the shorter prefix first. */
int rg_prefix_compare(const struct rg_prefix *a, const struct rg_prefix *b);

/* The peer that addr belongs to: an IPv4 address, or the first v6_len bits of an IPv6 address. */
struct rg_prefix rg_peer_of(const struct rg_addr *addr, unsigned int v6_len);

/* Loopback, link-local, unspecified or multicast: no list can name such a peer. */
bool rg_addr_is_special(const struct rg_addr *addr);
/* Private or shared: RFC 1918, RFC 6598 (100.64.0.0/10), RFC 4193 (fc00::/7). Public lists say nothing about them. */
bool rg_addr_is_private(const struct rg_addr *addr);

#endif
