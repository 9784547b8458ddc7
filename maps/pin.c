/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pin.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BPFFS_ROOT "/sys/fs/bpf"

static int is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

bool rg_pin_lacks_bpffs(const char *path)
{
	return !strncmp(path, BPFFS_ROOT "/", sizeof(BPFFS_ROOT)) && !is_bpffs(BPFFS_ROOT);
}

/* Under `ip netns exec` and in containers /sys/fs/bpf is there, but bare. 1: mounted, 0: it was. */
static int mount_bpffs(const char *path)
{
	if (!rg_pin_lacks_bpffs(path))
		return 0;
	return mount("bpf", BPFFS_ROOT, "bpf", 0, "mode=0700") ? -errno : 1;
}

static bool is_within(const char *path, const char *mount_point)
{
	size_t len = strlen(mount_point);

	return !strncmp(path, mount_point, len) &&
	       (!path[len] || path[len] == '/' || (len && mount_point[len - 1] == '/'));
}

/* The deepest mount counts, and of several on one place the last. proc(5) has the fields. */
bool rg_pin_is_shared(FILE *mountinfo, const char *path)
{
	char line[2 * PATH_MAX], point[PATH_MAX];
	size_t deepest = 0;
	bool shared = false;

	while (fgets(line, sizeof(line), mountinfo)) {
		char *end = strstr(line, " - ");
		int fields = 0;

		if (!end || sscanf(line, "%*s %*s %*s %*s %4095s %*s%n", point, &fields) != 1 ||
		    !fields)
			continue;
		if (!is_within(path, point) || strlen(point) < deepest)
			continue;
		*end = '\0';
		deepest = strlen(point);
		shared = strstr(line + fields, " shared:") || strstr(line + fields, " master:");
	}
	return shared;
}

/* mounted: this process has mounted the file system. */
static bool is_private(const char *path, bool mounted)
{
	struct stat own, first;
	char there[PATH_MAX];
	FILE *mountinfo;
	bool shared;

	if (stat("/proc/self/ns/mnt", &own) || stat("/proc/1/ns/mnt", &first))
		return mounted;
	/* A container ends with its process 1. What was there before us comes from outside. */
	if (own.st_dev == first.st_dev && own.st_ino == first.st_ino)
		return mounted && getpid() == 1;
	if (snprintf(there, sizeof(there), "/proc/1/root%s", path) < (int)sizeof(there) &&
	    !stat(path, &own) && !stat(there, &first) && own.st_dev == first.st_dev)
		return false;
	mountinfo = fopen("/proc/self/mountinfo", "re");
	if (!mountinfo)
		return false;
	shared = rg_pin_is_shared(mountinfo, path);
	fclose(mountinfo);
	return !shared;
}

static int make_directories(const char *path)
{
	char part[PATH_MAX];

	if (strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	for (const char *slash = path + 1; slash; slash = strchr(slash + 1, '/')) {
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = '\0';
		if (slash > path + 1 && mkdir(part, 0700) && errno != EEXIST)
			return -errno;
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

int rg_pin_open(const char *path, bool *private)
{
	int fd, mounted = mount_bpffs(path), err = mounted;

	if (err >= 0)
		err = make_directories(path);
	if (err)
		return err;
	if (!is_bpffs(path)) {
		(void)rmdir(path);
		return -ENOTSUP;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = -errno;
		close(fd);
		return err;
	}
	*private = is_private(path, mounted);
	return fd;
}

/* Whoever may not read the directories above path may still pass them. */
static int let_pass(const char *path)
{
	char part[PATH_MAX];
	struct stat st;

	for (const char *slash = strchr(path + sizeof(BPFFS_ROOT) - 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = '\0';
		if (stat(part, &st) || chmod(part, (st.st_mode & 07777) | 0111))
			return -errno;
	}
	return 0;
}

/*
 * Gives one pin away. Not a link to it, and not a pin that has a second name: an agent may have planted
 * one of another program, to become its owner.
 */
static int give(int dir, const char *name, uid_t user, gid_t group)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), err = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		err = -errno;
	else if (S_ISREG(st.st_mode) && st.st_nlink > 1)
		err = -EMLINK;
	else if (fchownat(fd, "", user, group, AT_EMPTY_PATH))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

int rg_pin_give(const char *path, uid_t user, gid_t group)
{
	int err = mount_bpffs(path), fd;
	struct dirent *entry;
	DIR *dir;

	if (err >= 0)
		err = make_directories(path);
	if (err)
		return err;
	if (!is_bpffs(path))
		return -ENOTSUP;
	/* systemd mounts it for root alone; now others may pass, and still see no names. */
	if (!strncmp(path, BPFFS_ROOT "/", sizeof(BPFFS_ROOT)))
		err = let_pass(path);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	if (fchown(fd, user, group) || fchmod(fd, 0700))
		err = -errno;
	while (!err && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			err = give(fd, entry->d_name, user, group);
	closedir(dir);
	return err;
}

static int join(char full[PATH_MAX], const char *path, const char *prefix, const char *name)
{
	return snprintf(full, PATH_MAX, "%s/%s%s", path, prefix, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int rg_pin_put(const char *path, const char *name, int fd)
{
	char full[PATH_MAX], fresh[PATH_MAX];

	if (join(full, path, "", name) || join(fresh, path, "new_", name))
		return -ENAMETOOLONG;
	(void)unlink(fresh); /* of an agent that died here */
	if (bpf_obj_pin(fd, fresh))
		return -errno;
	if (rename(fresh, full)) {
		int err = -errno;

		(void)unlink(fresh);
		return err;
	}
	return 0;
}

int rg_pin_get(const char *path, const char *name)
{
	char full[PATH_MAX];
	int fd;

	if (join(full, path, "", name))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(full);
	return fd < 0 ? -errno : fd;
}

int rg_pin_remove(const char *path, const char *name)
{
	char full[PATH_MAX];

	if (join(full, path, "", name))
		return -ENAMETOOLONG;
	return unlink(full) && errno != ENOENT ? -errno : 0;
}

void rg_pin_each(const char *path, const char *prefix, void (*call)(void *arg, const char *name),
		 void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, prefix, strlen(prefix)))
			call(arg, entry->d_name);
	closedir(dir);
}

int rg_pin_remove_all(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && unlinkat(dirfd(dir), entry->d_name, 0) && !err)
			err = -errno;
	closedir(dir);
	/* An agent that was given the directory can't remove it: the unit does. */
	if (!err && rmdir(path) && errno != EACCES && errno != EPERM)
		err = -errno;
	return err;
}

const char *rg_pin_link_name(const char *interface, char name[RG_PIN_NAME])
{
	snprintf(name, RG_PIN_NAME, "link_%s", interface);
	for (char *c = name; *c; c++)
		if (*c == '.')
			*c = ':';
	return name;
}
