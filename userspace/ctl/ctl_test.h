/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `repgatectl test-config`: checks a configuration, and compares it with the one that the agent runs with. */
#ifndef REPGATE_CTL_CTL_TEST_H
#define REPGATE_CTL_CTL_TEST_H

#include "base/util.h"

#include <jansson.h>

/*
 * {"ok": true, "file": PATH, "warnings": LINES, "hints": [...]}; docs/json.md has the fields. socket: of the
 * agent; NULL: the one that the configuration names. An agent that does not answer is no error. A new
 * reference; NULL with error: the configuration is wrong.
 */
json_t *rg_ctl_test(const char *path, const char *socket, struct rg_error *error);

#endif
