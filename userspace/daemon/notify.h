/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What systemd wants to know (sd_notify(3)); nothing happens without it. */
#ifndef REPGATE_DAEMON_NOTIFY_H
#define REPGATE_DAEMON_NOTIFY_H

#include <stdint.h>

void rg_notify_ready(const char *status);
void rg_notify_reloading(void);
void rg_notify_stopping(void);
void rg_notify_watchdog(void);

/* True while systemd has a restart of this very service queued: it stops only to start again. */
int rg_notify_is_restart(void);

#endif
