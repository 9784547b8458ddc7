/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mode that was in force last, in a file of state_dir, so that an agent that goes back from enforce to
 * monitor can say so: by a reload or a restart after `repgatectl set mode enforce` without --save, or
 * because the file says monitor now.
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
