/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why the kernel refuses what the agent needs, and what a person does about it: for messages at the start. */
#ifndef REPGATE_KERNEL_OBSTACLE_H
#define REPGATE_KERNEL_OBSTACLE_H

#include "base/util.h"

#define RG_OBSTACLE_TEXT 320

struct rg_obstacle_facts {
	uint64_t capabilities; /* effective: a bit for each CAP_* */
	uint64_t max_files; /* RLIMIT_NOFILE, soft; UINT64_MAX: no limit, as for max_locked */
	uint64_t max_locked; /* RLIMIT_MEMLOCK, soft, in bytes */
	unsigned int linux_major, linux_minor;
	bool has_own_users; /* in a user namespace that is not the host's: capabilities there do not count */
	bool is_locked_down; /* the kernel's lockdown mode refuses to read its memory, for root too */
};

void rg_obstacle_facts_read(struct rg_obstacle_facts *facts);

/*
 * Fills text with "; " and what is missing, or with "" if err (negative errno) has no such reason. Returns
 * text.
 */
const char *rg_obstacle_explain(const struct rg_obstacle_facts *facts, int err,
				char text[RG_OBSTACLE_TEXT]);

/* Both in one. */
const char *rg_obstacle_advice(int err, char text[RG_OBSTACLE_TEXT]);

/* Programs, maps, interfaces, DNS, clients of the control socket, without any session. */
#define RG_OBSTACLE_FILES 128

/*
 * 0, or -EMFILE with a reason: RLIMIT_NOFILE allows fewer than RG_OBSTACLE_FILES descriptors. With fewer, this
 * or that would fail later, each with a message about something else.
 */
int rg_obstacle_check_files(struct rg_error *error);

#endif
