/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the mode that was in force last in a file of state_dir. The agent reads it to warn when it goes back
 * from enforce to monitor. That happens at a reload or restart after `repgatectl set mode enforce` without
 * --save, or when somebody changed the configuration.
 */
#ifndef REPGATE_DAEMON_LAST_MODE_H
#define REPGATE_DAEMON_LAST_MODE_H

#include "config/config.h"

/*
 * Notes the mode of conf as the one in force. True: the last one was enforce and this one is monitor. A
 * file that can't be read or written is ignored: then a restart does not notice the change.
 */
bool rg_last_mode_note(const struct rg_conf *conf);

/* The same, and warns. For a mode that a file set, not a command. */
void rg_last_mode_check(const struct rg_conf *conf);

#endif
