/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to systemd (sd_notify(3)). Without systemd the functions do nothing. */
#ifndef REPGATE_DAEMON_NOTIFY_H
#define REPGATE_DAEMON_NOTIFY_H

#include <stdint.h>

void rg_notify_ready(const char *status);
void rg_notify_reloading(void);
void rg_notify_stopping(void);
void rg_notify_watchdog(void);

/*
 * True if systemd stops this service only to start it again. Asks over the system bus and blocks for up
 * to a second: at the stop only.
 */
int rg_notify_is_restart(void);

#endif
