/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/saved_code.h"

#include "base/replace.h"

#include <fcntl.h>
#include <sys/stat.h>

static int open_dir(const char *state_dir)
{
	int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? -errno : dir;
}

/* Root reads the file, too (--prepare, test-config), in a directory that is the agent's: no link, no FIFO. */
static ssize_t read_file(const char *state_dir, char *text, size_t size)
{
	RG_CLEANUP_CLOSE int dir = open_dir(state_dir), fd = -1;
	struct stat st;
	ssize_t len;

	if (dir < 0)
		return dir;
	fd = openat(dir, RG_SAVED_CODE_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? -EINVAL : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	len = read(fd, text, size);
	return len < 0 ? -errno : len;
}

int rg_saved_code_load(const char *state_dir, const char *configured, char code[RG_SECRET_SIZE])
{
	char text[2 * RG_SECRET_MAX + 3] = "", *replaced = text;
	ssize_t len = read_file(state_dir, text, sizeof(text) - 1);
	int err = len < 0 ? (int)len : -EINVAL;
	const char *fresh;

	if (len > 0 && text[len - 1] == '\n') {
		text[len - 1] = '\0';
		fresh = strsep(&replaced, "\n");
		if (replaced && !rg_secret_normalise(replaced) && strlen(fresh) <= RG_SECRET_MAX) {
			strcpy(code, fresh);
			err = rg_secret_normalise(code);
			if (!err && strcmp(replaced, configured) != 0)
				err = -ESTALE;
		}
	}
	if (err)
		explicit_bzero(code, RG_SECRET_SIZE);
	explicit_bzero(text, sizeof(text));
	return err;
}

struct pair {
	const char *code, *configured;
};

static int write_codes(void *arg, FILE *to)
{
	const struct pair *pair = arg;

	return fprintf(to, "%s\n%s\n", pair->code, pair->configured) < 0 ? -EIO : 0;
}

int rg_saved_code_save(const char *state_dir, const char *code, const char *configured,
		       struct rg_error *error)
{
	struct pair pair = { code, configured };
	RG_CLEANUP_CLOSE int dir = open_dir(state_dir);
	struct rg_error why;
	int err = dir < 0 ? dir : 0;

	if (!err && !strcmp(code, configured))
		err = rg_saved_code_remove(state_dir);
	else if (!err && rg_replace_check(dir, RG_SAVED_CODE_FILE, &why))
		return rg_fail(error, -EEXIST, "%s/%s: %s", state_dir, RG_SAVED_CODE_FILE, why.text);
	else if (!err)
		err = rg_replace_file(dir, RG_SAVED_CODE_FILE, 0600, false, write_codes, &pair);
	return err ? rg_fail(error, err, "%s/%s: can't be written: %s", state_dir,
			     RG_SAVED_CODE_FILE, strerror(-err)) :
		     0;
}

int rg_saved_code_remove(const char *state_dir)
{
	RG_CLEANUP_CLOSE int dir = open_dir(state_dir);

	if (dir < 0)
		return dir;
	return unlinkat(dir, RG_SAVED_CODE_FILE, 0) && errno != ENOENT ? -errno : 0;
}
