/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/list_edit.h"

#include "base/addr.h"
#include "base/replace.h"
#include "lists/country_code.h"
#include "lists/list_extent.h"
#include "lists/list_parse.h"

#include <fcntl.h>

#define FILE_MODE 0640
#define NAME_SIZE 32

static const char *file_name(enum rg_class peer_class)
{
	return peer_class == RG_CLASS_APPROVED ? "approved.list" : "blocked.list";
}

char *rg_list_edit_path(const char *state_dir, enum rg_class peer_class)
{
	char *path;

	return asprintf(&path, "%s/%s", state_dir, file_name(peer_class)) < 0 ? NULL : path;
}

int rg_list_edit_check(const char *text, struct rg_error *error)
{
	struct rg_addr first, last;
	size_t len = strlen(text);
	char shown[RG_LIST_SHOWN];

	if (rg_list_parse_country(text, len) >= 0)
		return rg_country_code_exists(text) ? 0 :
						      rg_fail(error, -EINVAL, "\"%s\" %s", text,
							      rg_list_parse_no_country(text, shown));
	if (!rg_list_parse_bounds(text, len, &first, &last))
		return 0;
	return rg_fail(error, -EINVAL,
		       "\"%s\" is not an address, a range, a prefix or a country code",
		       rg_list_parse_printable(text, len, shown));
}

/* Whether two entries mean the same, in whatever notation. */
static bool same_entry(const char *a, size_t a_len, const char *b)
{
	struct rg_addr a_first, a_last, b_first, b_last;
	int country = rg_list_parse_country(a, a_len);
	size_t b_len = strlen(b);

	if (country >= 0)
		return country == rg_list_parse_country(b, b_len);
	return !rg_list_parse_bounds(a, a_len, &a_first, &a_last) &&
	       !rg_list_parse_bounds(b, b_len, &b_first, &b_last) &&
	       !rg_addr_compare(&a_first, &b_first) && !rg_addr_compare(&a_last, &b_last);
}

static bool line_names(const char *line, const char *entry)
{
	size_t len;
	const char *text = rg_list_parse_find_entry(line, &len);

	return same_entry(text, len, entry);
}

/* Copies the rest of the stream that arg is. 0 or -errno. */
static int copy_all(void *arg, FILE *out)
{
	FILE *in = arg;
	char buffer[BUFSIZ];
	size_t len;

	errno = 0;
	while ((len = fread(buffer, 1, sizeof(buffer), in)))
		if (fwrite(buffer, 1, len, out) != len)
			return -ENOMEM;
	return ferror(in) ? errno ? -errno : -EIO : 0;
}

/*
 * Keeps the file as it is now under a second name, by a copy where the file system has no hard links (vfat,
 * many of FUSE, some network shares). in: the open file. 0 or -errno.
 */
static int keep_before(int dir, const char *name, FILE *in)
{
	char before[NAME_SIZE];
	int err;

	snprintf(before, sizeof(before), "%s.before", name);
	if (unlinkat(dir, before, 0) && errno != ENOENT)
		return -errno;
	if (!in || !linkat(dir, name, dir, before, 0))
		return 0;
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK &&
	    errno != EINVAL)
		return -errno;
	err = rg_replace_file(dir, before, FILE_MODE, false, copy_all, in);
	rewind(in);
	return err;
}

/* The file did not change. */
static void forget_before(int dir, const char *name)
{
	char before[NAME_SIZE];

	snprintf(before, sizeof(before), "%s.before", name);
	(void)unlinkat(dir, before, 0);
}

/* The content of a new file. */
struct rewrite {
	FILE *in; /* NULL: there is no file yet */
	const char *entry; /* lines that name it are left out */
	const char *extra; /* the last line, or NULL */
	int removed; /* lines */
};

/* Puts the lines of the old file and the extra one. 0 or -errno. */
static int put_lines(void *arg, FILE *out)
{
	struct rewrite *rewrite = arg;
	RG_CLEANUP_FREE char *line = NULL;
	size_t size = 0;
	ssize_t len;

	errno = 0;
	while (rewrite->in && (len = getline(&line, &size, rewrite->in)) > 0) {
		if (line_names(line, rewrite->entry)) {
			rewrite->removed++;
			continue;
		}
		fputs(line, out);
		if (line[len - 1] != '\n') /* an editor left the last line without its end */
			fputc('\n', out);
	}
	if (rewrite->in && (ferror(rewrite->in) || !feof(rewrite->in)))
		return errno ? -errno : -EIO;
	if (rewrite->extra)
		fputs(rewrite->extra, out);
	return ferror(out) ? -ENOMEM : 0;
}

/* The open file, NULL: there is none. 0 or -errno. */
static int open_old(int dir, const char *name, FILE **ret)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	*ret = fdopen(fd, "r");
	if (*ret)
		return 0;
	close(fd);
	return -ENOMEM;
}

static int replace_file(int dir, const char *name, struct rewrite *rewrite)
{
	int err = open_old(dir, name, &rewrite->in);

	if (!err)
		err = keep_before(dir, name, rewrite->in);
	if (!err)
		err = rg_replace_file(dir, name, FILE_MODE, false, put_lines, rewrite);
	if (err)
		forget_before(dir, name);
	if (rewrite->in)
		fclose(rewrite->in);
	return err;
}

/*
 * Writes the class's file anew: its lines without those that name entry, then extra (may be NULL).
 * Returns how many lines were removed, or a negative error.
 */
static int rewrite_file(const char *state_dir, enum rg_class peer_class, const char *entry,
			const char *extra, struct rg_error *error)
{
	struct rewrite rewrite = { .entry = entry, .extra = extra };
	RG_CLEANUP_CLOSE int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *name = file_name(peer_class);
	int err = dir < 0 ? -errno : replace_file(dir, name, &rewrite);

	return err ? rg_fail(error, err, "%s/%s: %s", state_dir, name, strerror(-err)) :
		     rewrite.removed;
}

/* Whether the entry needs the word "force" in the file. 0, 1, or -EDOM: it does, and force is not set. */
static int check_extent(const struct rg_list_edit_line *line, struct rg_error *error)
{
	char extent[RG_LIST_EXTENT_TEXT];
	struct rg_addr first, last;

	if (rg_list_parse_bounds(line->entry, strlen(line->entry), &first, &last) ||
	    !rg_list_extent_is_wide(&first, &last))
		return 0;
	return line->force ? 1 :
			     rg_fail(error, -EDOM,
				     "%s comes to %s. What is " RG_LIST_WIDE_RULE " needs --force",
				     line->entry, rg_list_extent_describe(&first, &last, extent));
}

int rg_list_edit_add(const char *state_dir, enum rg_class peer_class,
		     const struct rg_list_edit_line *line, struct rg_error *error)
{
	RG_CLEANUP_FREE char *text = NULL;
	char until[40] = "", comment[200] = "";
	int err = rg_list_edit_check(line->entry, error), wide;

	if (err)
		return err;
	wide = check_extent(line, error);
	if (wide < 0)
		return wide;
	if (line->until)
		snprintf(until, sizeof(until), " until=%lld", (long long)line->until);
	snprintf(comment, sizeof(comment), "%s", line->comment ? line->comment : "");
	for (char *c = comment; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	if (asprintf(&text, "%s%s%s%s%s\n", line->entry, until, wide ? " force" : "",
		     *comment ? " # " : "", comment) < 0)
		return rg_fail(error, -ENOMEM, "out of memory");
	err = rewrite_file(state_dir, peer_class, line->entry, text, error);
	return err < 0 ? err : 0;
}

void rg_list_edit_undo(const char *state_dir, enum rg_class peer_class)
{
	RG_CLEANUP_FREE char *path = rg_list_edit_path(state_dir, peer_class), *before = NULL;

	if (!path || asprintf(&before, "%s.before", path) < 0)
		return;
	/* Without a file before the change, the change made the file. */
	if (rename(before, path) && errno == ENOENT)
		(void)unlink(path);
}

int rg_list_edit_remove(const char *state_dir, enum rg_class peer_class, const char *entry,
			struct rg_error *error)
{
	int err = rg_list_edit_check(entry, error);

	return err ? err : rewrite_file(state_dir, peer_class, entry, NULL, error);
}
