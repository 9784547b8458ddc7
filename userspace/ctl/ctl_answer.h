/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection to the agent. Its answers are untrusted input: root reads them, and the agent is not root.
 * repgatectl opens no path that an answer names.
 */
#ifndef REPGATE_CTL_CTL_ANSWER_H
#define REPGATE_CTL_CTL_ANSWER_H

#include "base/util.h"

#include <jansson.h>

#define RG_CTL_MAX_ANSWER (64 * 1024 * 1024) /* bytes: many times the largest one, of dump */

/* Zero it and set fd. */
struct rg_ctl_reader {
	int fd; /* of the connection */
	bool watch_output; /* stop when nobody reads standard output any more */
	bool output_gone; /* that is why rg_ctl_answer_read() returned NULL */
	char *data;
	size_t size, begin, end;
};

/* Connects to the agent's socket. A descriptor, or negative with error, which says what to do. */
int rg_ctl_answer_connect(const char *path, struct rg_error *error);

/* Sends a request and a newline; request stays the caller's. 0 or -errno. */
int rg_ctl_answer_send(int fd, const json_t *request);

/*
 * Waits for a line, and reads it: one JSON value, a new reference. Control characters in its strings, which
 * could steer a terminal, are replaced by '?'. NULL: the end, a line that is too long, or no JSON.
 */
json_t *rg_ctl_answer_read(struct rg_ctl_reader *reader);

/* Frees the data and closes fd. */
void rg_ctl_answer_close(struct rg_ctl_reader *reader);

#endif
