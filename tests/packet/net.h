/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network namespace for one test program: test runs happen in the caller's. Addresses: 198.51.100.25
 * and 2001:db8:25::25 are the host's own; 203.0.113.0/24 and 2001:db8:f::/64 are reached through
 * another interface, .7 and ::7 by a known neighbour; to others there is no way.
 */
#ifndef REPGATE_TESTS_NET_H
#define REPGATE_TESTS_NET_H

#include <stdbool.h>
#include <stdint.h>

/* 0 or -errno; before the first thread starts. */
int net_isolate(void);

/* Makes the host a router, or not. 0 or -errno. */
int net_forward(bool on);

/* A socket that listens at address (port 0: any), of the address's family alone; or -errno. */
int net_listen(const char *address, uint16_t port);

/* Connects from one address to another, which takes a second at most. A socket, or -errno. */
int net_connect(const char *from, const char *to, uint16_t port);

uint64_t net_cookie(int fd); /* a socket's, never 0 */

#endif
