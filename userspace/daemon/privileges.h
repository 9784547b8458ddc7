/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capabilities: the agent keeps those that it needs, whoever started it. */
#ifndef REPGATE_DAEMON_PRIVILEGES_H
#define REPGATE_DAEMON_PRIVILEGES_H

#include "config/config.h"

/*
 * Prepares the start of an agent that is not root; call as root. Mounts bpffs if necessary, creates
 * pin_path, and gives it and its content to user. Then checks the configuration as that user. 0 or a
 * negative error. The process runs as the user afterwards.
 */
int rg_privileges_prepare(const struct rg_conf *conf, const char *user, struct rg_error *error);

/*
 * Drops all capabilities but CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (and CAP_SYS_ADMIN with libxdp's
 * dispatcher), which maps and interfaces that come back need. Sets no_new_privs. Call after everything
 * is attached. 0 or -errno.
 */
int rg_privileges_drop(const struct rg_conf *conf);

#endif
