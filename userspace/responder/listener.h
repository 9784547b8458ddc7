/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The responder's listening sockets, one for each action and address family. They are on loopback; the
 * sk_lookup program finds them in the map `responder` and steers connections to them.
 */
#ifndef REPGATE_RESPONDER_LISTENER_H
#define REPGATE_RESPONDER_LISTENER_H

#include "base/util.h"
#include "kernel/loader.h"

#include "maps/verdict.h"

#include <event2/event.h>
#include <sys/socket.h>

/* Priorities of the event loop: refused peers and repgatectl come last (event_base_priority_init()). */
#define RG_PRIORITIES 3
#define RG_PRIORITY_LOW 2

struct rg_listener;

/* A connection: fd is the callee's, nonblocking. action: the one that it was steered for. */
typedef void rg_listener_accepted(void *arg, int fd, const struct sockaddr_storage *from,
				  enum rg_action action);

/*
 * Opens the sockets and puts them into the map. loader: only used in this call. 0 or a negative error.
 * A host without IPv6 gets the sockets of IPv4 only.
 */
int rg_listener_new(struct rg_listener **ret, struct event_base *base, struct rg_loader *loader,
		    rg_listener_accepted *accepted, void *arg);
/* Closes the sockets; the kernel takes them out of the map. NULL-safe. */
void rg_listener_free(struct rg_listener *listener);

/* How often there was no descriptor or memory for a connection: each time accepting pauses for 1 s. */
uint64_t rg_listener_failures(const struct rg_listener *listener);

#endif
