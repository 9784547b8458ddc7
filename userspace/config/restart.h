/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings that change at a restart only, as texts: what the agent runs with, and what a file says. */
#ifndef REPGATE_CONFIG_RESTART_H
#define REPGATE_CONFIG_RESTART_H

#include "config/config.h"
#include "config/keys.h"

/* The setting with this number, from 0; NULL: past the last. */
const struct rg_key *rg_restart_key(size_t index);

/* Its value: the same text for the same value. Times are in ms. Returns text, cut if it is too long. */
const char *rg_restart_text(const struct rg_key *key, const struct rg_conf *conf, char *text,
			    size_t size);

#endif
