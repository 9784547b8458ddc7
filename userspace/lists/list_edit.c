/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/list_edit.h"

#include "base/addr.h"
#include "lists/country_code.h"
#include "lists/list_extent.h"
#include "lists/list_parse.h"

char *rg_list_edit_path(const char *state_dir, enum rg_class peer_class)
{
	const char *name = peer_class == RG_CLASS_APPROVED ? "approved" : "blocked";
	char *path;

	return asprintf(&path, "%s/%s.list", state_dir, name) < 0 ? NULL : path;
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

/* Copies the lines that do not name entry. Returns how many do, or a negative error. */
static int copy_others(FILE *in, FILE *out, const char *entry)
{
	RG_CLEANUP_FREE char *line = NULL;
	size_t size = 0;
	int removed = 0;
	ssize_t len;

	while ((len = getline(&line, &size, in)) > 0) {
		if (line_names(line, entry)) {
			removed++;
			continue;
		}
		fputs(line, out);
		if (line[len - 1] != '\n') /* an editor left the last line without its end */
			fputc('\n', out);
	}
	return ferror(in) ? -EIO : removed;
}

/* Down to the disk: after a power failure there is the old file or the new one, and it is whole. */
static int flush(FILE *file)
{
	if (ferror(file))
		return -EIO;
	return fflush(file) || fsync(fileno(file)) ? -errno : 0;
}

/* Copies the rest of in. 0 or -errno. */
static int copy_all(FILE *in, FILE *out)
{
	char buffer[BUFSIZ];
	size_t len;

	while ((len = fread(buffer, 1, sizeof(buffer), in)))
		if (fwrite(buffer, 1, len, out) != len)
			return -errno;
	return ferror(in) ? -EIO : 0;
}

/*
 * Keeps the file as it is now under a second name, by a copy where the file system has no hard links (vfat,
 * many of FUSE, some network shares). 0 or -errno.
 */
static int keep_before(const char *path, const char *before)
{
	RG_CLEANUP_FCLOSE FILE *in = NULL, *out = NULL;
	int err;

	(void)unlink(before);
	if (!link(path, before))
		return 0;
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK &&
	    errno != EINVAL)
		return -errno;
	in = fopen(path, "re");
	out = in ? fopen(before, "we") : NULL;
	if (!out)
		return -errno;
	err = copy_all(in, out);
	if (!err)
		err = flush(out);
	if (err)
		(void)unlink(before);
	return err;
}

/*
 * Writes the class's file anew: its lines without those that name entry, then extra (may be NULL).
 * Returns how many lines were removed, or a negative error.
 */
static int rewrite(const char *state_dir, enum rg_class peer_class, const char *entry,
		   const char *extra, struct rg_error *error)
{
	RG_CLEANUP_FREE char *path = rg_list_edit_path(state_dir, peer_class);
	RG_CLEANUP_FREE char *fresh = NULL, *before = NULL;
	RG_CLEANUP_FCLOSE FILE *in = NULL, *out = NULL;
	int removed, err;

	if (!path || asprintf(&fresh, "%s.new", path) < 0 || asprintf(&before, "%s.before", path) < 0)
		return rg_fail(error, -ENOMEM, "out of memory");
	in = fopen(path, "re");
	if (!in && errno != ENOENT)
		return rg_fail(error, -errno, "%s: %m", path);
	out = fopen(fresh, "we");
	if (!out)
		return rg_fail(error, -errno, "%s: %m", fresh);
	removed = in ? copy_others(in, out, entry) : 0;
	if (extra)
		fputs(extra, out);
	err = removed < 0 ? removed : flush(out);
	if (!in)
		(void)unlink(before);
	else if (!err)
		err = keep_before(path, before);
	if (!err && rename(fresh, path))
		err = -errno;
	if (err) {
		(void)unlink(fresh);
		return rg_fail(error, err, "%s: %s", path, strerror(-err));
	}
	return removed;
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
	err = rewrite(state_dir, peer_class, line->entry, text, error);
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

	return err ? err : rewrite(state_dir, peer_class, entry, NULL, error);
}
