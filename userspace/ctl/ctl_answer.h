/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's answers are untrusted input: root reads them, and the agent is not root. repgatectl opens no
 * path that an answer names.
 */
#ifndef REPGATE_CTL_CTL_ANSWER_H
#define REPGATE_CTL_CTL_ANSWER_H

#include <jansson.h>
#include <stdio.h>

#define RG_CTL_MAX_ANSWER (64 * 1024 * 1024) /* bytes: many times the largest one, of dump */

/*
 * Reads a line: one JSON value, a new reference. Control characters in its strings, which could steer a
 * terminal, are replaced by '?'. NULL: the end, a line that is too long, or no JSON.
 */
json_t *rg_ctl_answer_read(FILE *from);

#endif
