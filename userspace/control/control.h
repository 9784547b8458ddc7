/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: a line is a JSON object {"command": NAME, ...}, the answer is a line
 * {"ok": true, "result": ...} or {"ok": false, "error": TEXT}. `events` with "follow" goes on with a
 * line {"event": ...} for each. Access is the socket's mode and group.
 */
#ifndef REPGATE_CONTROL_CONTROL_H
#define REPGATE_CONTROL_CONTROL_H

#include "observe/recent_events.h"

#include <jansson.h>

struct rg_agent;
struct rg_control;
struct rg_client;

int rg_control_new(struct rg_control **ret, struct rg_agent *agent, struct rg_error *error);
void rg_control_free(struct rg_control *control);

/* To everyone who follows. */
void rg_control_follow(struct rg_control *control, const struct rg_recent_event *event);

/* For the commands: one answer to each request. Takes result over. */
void rg_client_answer(struct rg_client *client, json_t *result);
__attribute__((format(printf, 2, 3))) void rg_client_refuse(struct rg_client *client,
							    const char *format, ...);
void rg_client_set_follower(struct rg_client *client);
struct rg_agent *rg_client_agent(const struct rg_client *client);

/*
 * A command that answers later keeps what it waits for here; cancel is called if the client goes
 * first. NULL when it has answered. The client's next request waits until then.
 */
void rg_client_wait(struct rg_client *client, void *what, void (*cancel)(void *what));

#endif
