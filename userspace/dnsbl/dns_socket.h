/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A UDP socket that sends and reads datagrams in batches. With a system call for each datagram, the
 * scheduler may run the name server after each one. So datagrams to send are collected until the owner
 * flushes them, and all that have arrived are read in one call. Knows nothing of DNS.
 */
#ifndef REPGATE_DNSBL_DNS_SOCKET_H
#define REPGATE_DNSBL_DNS_SOCKET_H

#include "base/util.h"

#include <sys/socket.h>

/* Datagrams that were read and not taken yet. Shared by sockets that are served one at a time. */
struct rg_dns_inbox;

struct rg_dns_inbox *rg_dns_inbox_new(void); /* NULL: no memory */
void rg_dns_inbox_free(struct rg_dns_inbox *inbox);
/* Call when the event loop reports a socket: limits what is read until the next call. */
void rg_dns_inbox_begin(struct rg_dns_inbox *inbox);

struct rg_dns_outbox;

struct rg_dns_socket {
	int fd; /* -1: not open */
	int error; /* of sending: errno that the next read returns; 0: none */
	struct rg_dns_outbox *out; /* NULL until the socket is first opened */
	struct rg_dns_inbox *in; /* the owner's */
};

void rg_dns_socket_init(struct rg_dns_socket *udp, struct rg_dns_inbox *inbox);
/* Closes the socket and frees the memory. */
void rg_dns_socket_clear(struct rg_dns_socket *udp);

/*
 * Opens it, with large buffers. Its descriptor, or -1 with errno. If it is open, the descriptor of
 * before is the caller's from now on.
 */
int rg_dns_socket_open(struct rg_dns_socket *udp, int family);
/* What was collected or read and not taken is lost. 0, or -1 with errno. */
int rg_dns_socket_close(struct rg_dns_socket *udp);

/* Collects a datagram; returns len. One that is too long for a question goes out at once. */
ssize_t rg_dns_socket_send(struct rg_dns_socket *udp, const void *bytes, size_t len);
/* Sends what was collected. What the kernel's buffer does not take is lost, as on the way. */
void rg_dns_socket_flush(struct rg_dns_socket *udp);
/* True if there is something to flush. */
bool rg_dns_socket_has_unsent(const struct rg_dns_socket *udp);

/* The next datagram, as recvfrom(2) gives it. -1 with EAGAIN: none, or enough for this iteration. */
ssize_t rg_dns_socket_receive(struct rg_dns_socket *udp, void *to, size_t size,
			      struct sockaddr *from, socklen_t *from_len);
/* Datagrams have been read from the kernel, so that no event tells of them, and were not taken. */
bool rg_dns_socket_has_unread(const struct rg_dns_socket *udp);

#endif
