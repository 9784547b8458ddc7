/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person who blocks an entry should know: that it covers what is never blocked, or who is connected now. */
#ifndef REPGATE_CONTROL_BLOCK_CHECK_H
#define REPGATE_CONTROL_BLOCK_CHECK_H

#include "observe/modules.h"

#include <jansson.h>

/*
 * Refuses an entry that would block nothing, because all of it is never blocked: an own address, a connected network, a
 * gateway or the resolver. 0 or -EPERM with the reason.
 */
int rg_block_check(const struct rg_modules *modules, const char *entry, struct rg_error *error);

/* A new array of sentences: what of the entry is not blocked, and which peers in it are connected now. */
json_t *rg_block_check_warnings(const struct rg_modules *modules, const char *entry);

#endif
