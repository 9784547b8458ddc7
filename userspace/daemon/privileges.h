/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent keeps what its work needs, whoever started it. */
#ifndef REPGATE_DAEMON_PRIVILEGES_H
#define REPGATE_DAEMON_PRIVILEGES_H

#include "config/config.h"

/*
 * As root, before an agent that is not: mounts bpffs if need be, makes pin_path, and gives it and
 * what is in it to user; others may then pass the BPF file system's root, but not read it. Then
 * checks the configuration as that user, who must be able to read it. 0 or a negative error; the
 * process is the user's afterwards.
 */
int rg_privileges_prepare(const struct rg_conf *conf, const char *user, struct rg_error *error);

/*
 * Everything is loaded and attached: from now on only CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, for
 * maps, links and interfaces that come back (and CAP_SYS_ADMIN, if libxdp's dispatcher is used). No
 * program that is run gains any. 0 or -errno.
 */
int rg_privileges_drop(const struct rg_conf *conf);

#endif
