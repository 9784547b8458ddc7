/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/replace.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

static bool is_trusted(const struct stat *st)
{
	return (!st->st_uid || st->st_uid == geteuid()) &&
	       (!(st->st_mode & (S_IWGRP | S_IWOTH)) || (st->st_mode & S_ISVTX));
}

/* Walks down from / without following links, and checks each directory. full: an absolute path. */
static int open_trusted(char *full, struct rg_error *error)
{
	int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), next;
	char *rest = full, *part;
	struct stat st;

	while (dir >= 0 && (part = strsep(&rest, "/"))) {
		if (*part) {
			next = openat(dir, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			close(dir);
			dir = next;
		}
		if (dir < 0 || fstat(dir, &st))
			break;
		if (!is_trusted(&st)) {
			close(dir);
			return rg_fail(error, -EPERM,
				       "directory \"%s\" of the path belongs to another user, or others "
				       "may write to it",
				       *part ? part : "/");
		}
	}
	return dir < 0 ? rg_fail(error, -errno, "%m") : dir;
}

int rg_replace_open_dir(const char *path, struct rg_error *error)
{
	const char *slash = strrchr(path, '/');
	RG_CLEANUP_FREE char *dir = NULL, *full = NULL;

	dir = !slash	    ? strdup(".") :
	      slash == path ? strdup("/") :
			      strndup(path, (size_t)(slash - path));
	if (!dir)
		return rg_fail(error, -ENOMEM, "out of memory");
	full = realpath(dir, NULL);
	if (!full)
		return rg_fail(error, -errno, "%m");
	return open_trusted(full, error);
}

int rg_replace_check(int dir, const char *name, struct rg_error *error)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : rg_fail(error, -errno, "%m");
	if (!S_ISREG(st.st_mode))
		return rg_fail(error, -EEXIST, "it is not a regular file");
	if (st.st_uid && st.st_uid != geteuid())
		return rg_fail(error, -EEXIST, "it belongs to another user");
	return 0;
}

/* Gives the new file the mode, or the old one's owner and mode. */
static int set_owner(int dir, const char *name, int fresh, mode_t mode, bool keep)
{
	struct stat now, st;

	if (fstat(fresh, &now))
		return -errno;
	if (!keep || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return fchmod(fresh, mode) ? -errno : 0;
	if ((now.st_uid != st.st_uid || now.st_gid != st.st_gid) &&
	    fchown(fresh, st.st_uid, st.st_gid))
		return -errno;
	return fchmod(fresh, st.st_mode & 0777) ? -errno : 0;
}

/* What a new file gets. */
struct content {
	mode_t mode;
	bool keep;
	int (*write)(void *arg, FILE *to);
	void *arg;
};

/* All of text. 0 or -errno: a stream would forget which. */
static int write_text(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t done = write(fd, text, len);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (!done)
			return -EIO;
		if (done > 0) {
			text += done;
			len -= (size_t)done;
		}
	}
	return 0;
}

/* The content in memory, which the caller wipes and frees: it may be a secret. 0 or -errno. */
static int make_text(const struct content *content, char **text, size_t *len)
{
	FILE *to = open_memstream(text, len);
	int err;

	if (!to)
		return -ENOMEM;
	err = content->write(content->arg, to);
	if (fclose(to) && !err)
		err = -ENOMEM;
	return err;
}

/* Takes over fd. */
static int write_fresh(int dir, const char *name, int fd, const struct content *content)
{
	char *text = NULL;
	size_t len = 0;
	int err = make_text(content, &text, &len);

	if (!err)
		err = write_text(fd, text, len);
	if (text)
		explicit_bzero(text, len);
	free(text);
	if (!err)
		err = set_owner(dir, name, fd, content->mode, content->keep);
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err) /* a quota or a network file system may tell only now */
		err = -errno;
	return err;
}

int rg_replace_file(int dir, const char *name, mode_t mode, bool keep,
		    int (*write)(void *arg, FILE *to), void *arg)
{
	const struct content content = { mode, keep, write, arg };
	char fresh[NAME_MAX + 1];
	int fd, err;

	if (snprintf(fresh, sizeof(fresh), "%s.new", name) >= (int)sizeof(fresh))
		return -ENAMETOOLONG;
	/* Of a process that died here, or planted: the name goes, what a link points to stays. */
	if (unlinkat(dir, fresh, 0) && errno != ENOENT)
		return -errno;
	fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_fresh(dir, name, fd, &content);
	if (!err && renameat(dir, fresh, dir, name))
		err = -errno;
	if (err)
		(void)unlinkat(dir, fresh, 0);
	else
		(void)fsync(dir); /* the rename outlasts a power failure */
	return err;
}
