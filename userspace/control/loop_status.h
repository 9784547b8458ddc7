/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `repgatectl status` says of the event loop. */
#ifndef REPGATE_CONTROL_LOOP_STATUS_H
#define REPGATE_CONTROL_LOOP_STATUS_H

#include "observe/modules.h"

#include <jansson.h>

/* The walk that is under way, and how long each kind of work has kept the loop. A new reference. */
json_t *rg_loop_status(const struct rg_modules *modules);

#endif
