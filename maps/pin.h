/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pin directory. A lock (flock) allows one agent at a time. Objects are replaced by rename, so a process
 * that opens a pin gets the old object or the new one. bpffs allows no dots in names.
 */
#ifndef REPGATE_PIN_H
#define REPGATE_PIN_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define RG_PIN_NAME 64

/*
 * Makes the directory (mode 0700, and its parents) and locks it. Mounts bpffs on /sys/fs/bpf if path
 * lies there and nothing is mounted. Returns a descriptor that holds the lock until it is closed;
 * -EWOULDBLOCK: another agent has it, -ENOTSUP: not on bpffs, or another errno. *private is true if the
 * pins end with this process: it has a mount namespace that is not the one of process 1, and shares no
 * bpffs with it (`ip netns exec`), or it is process 1 of a container and had to mount one.
 */
int rg_pin_open(const char *path, bool *private);

/* Whether path lies on /sys/fs/bpf and no bpffs is mounted there: rg_pin_open() could not mount one. */
bool rg_pin_lacks_bpffs(const char *path);

/*
 * Makes the directory if need be, and gives it and its pins to another user, who can then reach it
 * under /sys/fs/bpf: for an agent that is not root. Call as root. Follows no link in the directory. 0,
 * -EMLINK: a pin there has a second name, which may be another program's; or -errno.
 */
int rg_pin_give(const char *path, uid_t user, gid_t group);

/* Reads /proc/PID/mountinfo: whether the mount that path is in shares with one of another namespace. */
bool rg_pin_is_shared(FILE *mountinfo, const char *path);

/* Pins fd as path/name, in place of what is there. 0 or -errno. */
int rg_pin_put(const char *path, const char *name, int fd);

/* The object pinned as path/name: a descriptor that the caller owns, or -errno. */
int rg_pin_get(const char *path, const char *name);

/* Removes a pin. 0, also if there is none; or -errno. */
int rg_pin_remove(const char *path, const char *name);

/* Calls for the name of every pin that begins with prefix; the call may remove it. */
void rg_pin_each(const char *path, const char *prefix, void (*call)(void *arg, const char *name),
		 void *arg);

/* Removes every pin in path, and path. What else holds an object keeps it. 0 or -errno. */
int rg_pin_remove_all(const char *path);

/* "link_IFNAME", with ':' for '.', which interface names may hold and pins may not. */
const char *rg_pin_link_name(const char *interface, char name[RG_PIN_NAME]);

#endif
