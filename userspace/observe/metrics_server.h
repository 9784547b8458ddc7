/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small HTTP server for one page, /metrics, with one request a connection. Clients are limited to 32
 * connections, 8 of them from one address (except loopback), 10 s each. A further connection closes the
 * oldest one, so a scrape gets its page even if somebody keeps connections open.
 */
#ifndef REPGATE_OBSERVE_METRICS_SERVER_H
#define REPGATE_OBSERVE_METRICS_SERVER_H

#include "base/util.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <sys/socket.h>

#define RG_METRICS_CONNECTIONS 32

struct rg_metrics_server;

/* Writes the page. 0; other: the client gets the error 500. */
typedef int rg_metrics_page(void *arg, struct evbuffer *page);

/*
 * Listens on address (AF_INET or AF_INET6). *closed is increased for each connection that is closed
 * because of the limits; it stays the caller's. 0 or -errno.
 */
int rg_metrics_server_new(struct rg_metrics_server **ret, struct event_base *base,
			  const struct sockaddr_storage *address, rg_metrics_page *page, void *arg,
			  uint64_t *closed);
/* Closes all connections. server may be NULL. */
void rg_metrics_server_free(struct rg_metrics_server *server);

#endif
