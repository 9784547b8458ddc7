/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: accepts clients, reads one request a line, and sends the answers (protocol.h). A
 * client that follows events gets a line {"event": {...}} for each. The mode and the group of the socket
 * decide who may connect.
 */
#ifndef REPGATE_CONTROL_CONTROL_H
#define REPGATE_CONTROL_CONTROL_H

#include "control/reload_queue.h"
#include "observe/modules.h"

#include <jansson.h>

struct rg_control;
struct rg_client;

/* What commands may change in the agent. */
struct rg_control_ops {
	/* Queues a request (reload_queue.h); done may be called before this returns. */
	void (*reload)(void *arg, const struct rg_reload_request *request);
	/* Changes one setting. Only from a request's begin(). 0 or negative with error. */
	int (*set)(void *arg, const char *key, const char *value, struct rg_error *error);
	/* Puts another activation code in force. Only from a request's begin(). 0 or negative with error. */
	int (*set_code)(void *arg, const char *code, struct rg_error *error);
	/* Changes the mode. Only from a request's begin(). */
	void (*set_mode)(void *arg, enum rg_mode mode);
	void *arg;
};

/*
 * Listens on modules->conf->control_socket. modules and ops->arg are the caller's and outlive it; ops is
 * copied. 0, or negative with error.
 */
int rg_control_new(struct rg_control **ret, const struct rg_modules *modules,
		   const struct rg_control_ops *ops, struct rg_error *error);
/* Disconnects all clients, cancels what they wait for, removes the socket. control may be NULL. */
void rg_control_free(struct rg_control *control);

/* Sends an event to every client that follows. */
void rg_control_follow(struct rg_control *control, const struct rg_recent_event *event);

/*
 * For the commands. Each request gets exactly one answer. Takes over the reference of result. In all that
 * is sent, keys in the zones' real names are masked: people may have written one somewhere.
 */
void rg_control_answer(struct rg_client *client, json_t *result);
/* The other kind of answer: an error, as one line of text. */
__attribute__((format(printf, 2, 3))) void rg_control_refuse(struct rg_client *client,
							     const char *format, ...);
/* The client gets all events within `within` from now on; of all addresses with length 0. */
void rg_control_set_follower(struct rg_client *client, const struct rg_prefix *within);

/*
 * For a command that answers later: keeps `what`, and calls cancel(what) if the client disconnects first.
 * The client's next request waits. Call again with NULL before the answer.
 */
void rg_control_wait(struct rg_client *client, void *what, void (*cancel)(void *what));

const struct rg_modules *rg_control_modules(const struct rg_client *client);
const struct rg_control_ops *rg_control_ops(const struct rg_client *client);

#endif
