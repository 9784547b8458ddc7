/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/list_file.h"

#include <fcntl.h>
#include <sys/stat.h>

/*
 * A list that a postmaster writes by hand has a few lines, and he may well take most of them out, or spell one
 * wrong. Below these numbers a file is what he means.
 */
#define SHRUNK_MIN 10 /* entries of the last good version */
#define BAD_MIN 2 /* bad lines */

/* A file's text; NULL if it is empty. */
struct text {
	char *bytes;
	size_t len;
	struct timespec written;
};

static void clear_comments(struct rg_list_file *file)
{
	for (size_t i = 0; i < file->comment_count; i++)
		free(file->comments[i].text);
	free(file->comments);
	file->comments = NULL;
	file->comment_count = 0;
}

void rg_list_file_clear(struct rg_list_file *file)
{
	clear_comments(file);
	free(file->path);
	free(file->bad);
	*file = (struct rg_list_file){};
}

bool rg_list_file_same(const struct rg_list_file *a, const struct rg_list_file *b)
{
	if (a->bad_lines != b->bad_lines || a->bad_shown != b->bad_shown || a->kept != b->kept ||
	    strcmp(a->fault, b->fault) != 0 || strcmp(a->path, b->path) != 0)
		return false;
	for (size_t i = 0; i < a->bad_shown; i++)
		if (a->bad[i].line != b->bad[i].line || strcmp(a->bad[i].why, b->bad[i].why) != 0)
			return false;
	return true;
}

/* ---- reading and copying ---- */

/*
 * The whole of a regular file. It is read, not mapped: if an editor truncates a mapped file, we die of SIGBUS.
 * 0 or negative: -EINVAL for what is no regular file.
 */
static int read_fd(int fd, struct text *text)
{
	struct stat st;
	ssize_t got = 1;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > UINT32_MAX)
		return -EFBIG;
	text->written = st.st_mtim;
	if (!st.st_size)
		return 0;
	text->bytes = malloc((size_t)st.st_size);
	if (!text->bytes)
		return -ENOMEM;
	while (text->len < (size_t)st.st_size &&
	       (got = read(fd, text->bytes + text->len, (size_t)st.st_size - text->len)) > 0)
		text->len += (size_t)got;
	return got < 0 ? -errno : 0;
}

static int read_file(const char *path, struct text *text)
{
	RG_CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : read_fd(fd, text);
}

static const char *read_error(int err)
{
	switch (err) {
	case -EINVAL:
		return "not a regular file";
	case -EFBIG:
		return "larger than 4 GiB";
	case -ENOENT:
		return "leads nowhere"; /* a link: its name is in the directory */
	default:
		return strerror(-err);
	}
}

/* The copy of a file's last good version, or its mark with suffix. The caller frees it; NULL: no memory. */
static char *copy_path(const struct rg_list_keep *keep, const struct rg_list_file *file,
		       const char *suffix)
{
	const char *name = strrchr(file->path, '/');
	char *path;

	return asprintf(&path, "%s/%s%s", keep->dir, name ? name + 1 : file->path, suffix) < 0 ?
		       NULL :
		       path;
}

static bool is_copy_of(const char *path, const struct text *text)
{
	struct stat st;

	return !stat(path, &st) && st.st_size == (off_t)text->len &&
	       st.st_mtim.tv_sec == text->written.tv_sec &&
	       st.st_mtim.tv_nsec == text->written.tv_nsec;
}

/* Writes text to a new file, with the time that the list was written at. Closes fd. 0 or -errno. */
static int write_copy(int fd, const struct text *text)
{
	const struct timespec times[2] = { text->written, text->written };
	size_t at = 0;
	int err = 0;

	while (!err && at < text->len) {
		ssize_t done = write(fd, text->bytes + at, text->len - at);

		if (done > 0)
			at += (size_t)done;
		else if (!done)
			err = -EIO;
		else if (errno != EINTR)
			err = -errno;
	}
	if (!err && (futimens(fd, times) || fsync(fd)))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static int replace_copy(const char *copy, const char *fresh, const struct text *text)
{
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), err;

	if (fd < 0)
		return -errno;
	err = write_copy(fd, text);
	if (!err && rename(fresh, copy))
		err = -errno;
	if (err)
		(void)unlink(fresh);
	return err;
}

/* Keeps this version for a time when the file has a fault. */
static void keep_version(const struct rg_list_keep *keep, struct rg_list_file *file,
			 const struct text *text)
{
	RG_CLEANUP_FREE char *copy = NULL, *fresh = NULL, *mark = NULL;

	if (!keep->dir || !keep->write)
		return;
	copy = copy_path(keep, file, "");
	fresh = copy_path(keep, file, ".new");
	mark = copy_path(keep, file, ".kept");
	if (!copy || !fresh || !mark) {
		file->keep_error = ENOMEM;
		return;
	}
	(void)unlink(mark);
	if (!is_copy_of(copy, text))
		file->keep_error = -replace_copy(copy, fresh, text);
}

/* When the fault was first met: a mark beside the copy tells, across restarts. */
static int64_t fault_time(const struct rg_list_keep *keep, const struct rg_list_file *file)
{
	RG_CLEANUP_FREE char *mark = copy_path(keep, file, ".kept");
	struct stat st;

	if (!mark)
		return time(NULL);
	if (keep->write) {
		RG_CLEANUP_CLOSE int fd =
			open(mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

		(void)fd;
	}
	return stat(mark, &st) ? time(NULL) : st.st_mtim.tv_sec;
}

/* ---- parsing ---- */

/* What note_bad_line() is called with. */
struct notes {
	struct rg_list_file *file;
	size_t most; /* lines that are quoted */
};

/* Without memory the line is counted, and not quoted. */
static void note_bad_line(void *arg, uint32_t line, const char *why, bool wide)
{
	const struct notes *notes = arg;
	struct rg_list_file *file = notes->file;
	struct rg_list_bad_line *bad = file->bad;
	size_t count = file->bad_shown;

	file->bad_lines++;
	file->wide_lines += wide;
	if (count == notes->most)
		return;
	if (!(count & (count - 1))) /* the array has room for a power of two, and is full */
		bad = reallocarray(bad, count ? 2 * count : 1, sizeof(*bad));
	if (!bad)
		return;
	file->bad = bad;
	bad[count].line = line;
	snprintf(bad[count].why, sizeof(bad[count].why), "%s", why);
	file->bad_shown++;
}

/* Without memory the comment is not kept. */
static void note_comment(void *arg, uint32_t line, const char *text, size_t len)
{
	const struct notes *notes = arg;
	struct rg_list_file *file = notes->file;
	struct rg_list_comment *comments = file->comments;
	size_t count = file->comment_count;
	char *copy;

	if (count == RG_LIST_COMMENTS)
		return;
	if (len > RG_LIST_COMMENT_MAX) {
		len = RG_LIST_COMMENT_MAX;
		while (len && ((unsigned char)text[len] & 0xc0) == 0x80) /* within a character of UTF-8 */
			len--;
	}
	if (!(count & (count - 1))) /* the array has room for a power of two, and is full */
		comments = reallocarray(comments, count ? 2 * count : 1, sizeof(*comments));
	if (!comments)
		return;
	file->comments = comments;
	copy = strndup(text, len);
	if (!copy)
		return;
	rg_one_line(copy);
	comments[count] = (struct rg_list_comment){ line, copy };
	file->comment_count++;
}

const char *rg_list_file_comment(const struct rg_list_file *file, uint32_t line)
{
	size_t low = 0, high = file->comment_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (file->comments[middle].line == line)
			return file->comments[middle].text;
		if (file->comments[middle].line < line)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Forgets what was added since before. */
static void roll_back(struct rg_list_parser *parser, const struct rg_list_parser *before)
{
	struct rg_list_parsed *entries = parser->entries;
	size_t allocated = parser->allocated;

	*parser = *before;
	parser->entries = entries;
	parser->allocated = allocated;
}

/* How many entries the last good version has. 0: there is none. */
static size_t count_kept(const struct rg_list_parser *like, const struct text *kept)
{
	struct rg_list_parser parser = { .max = SIZE_MAX,
					 .now = like->now,
					 .wall_offset = like->wall_offset };
	const struct rg_list_text from = { .peer_class = RG_CLASS_BLOCKED };
	int err = kept->len ? rg_list_parse(&parser, &from, kept->bytes, kept->len) : 0;

	free(parser.entries);
	return err ? 0 : parser.lines;
}

/* lines, entries: of the file. Sets file->fault if the last good version is more to be believed. */
static void judge(struct rg_list_file *file, size_t lines, const struct rg_list_parser *parser,
		  const struct text *now, const struct text *kept)
{
	size_t bad = file->bad_lines - file->wide_lines, good = lines - bad, before;

	if (bad * 10 > lines && (bad >= BAD_MIN || !good)) {
		snprintf(file->fault, sizeof(file->fault), "%zu of %zu lines are bad", bad, lines);
		return;
	}
	/* Fewer entries take fewer bytes, as a rule; the count is only needed then. */
	if (now->len >= kept->len)
		return;
	before = count_kept(parser, kept);
	if (before >= SHRUNK_MIN && good < before / 2)
		snprintf(file->fault, sizeof(file->fault),
			 "it has %zu entries, and had %zu: more than half are gone", good, before);
}

/* Puts the last good version in force instead of the file. 0 or -ENOMEM. */
static int use_kept(struct rg_list_file *file, struct rg_list_parser *parser,
		    struct rg_list_text *from, const struct rg_list_keep *keep,
		    const struct text *kept)
{
	const struct rg_list_parser before = *parser;
	int err;

	from->bad_line = NULL;
	clear_comments(file);
	err = kept->len ? rg_list_parse(parser, from, kept->bytes, kept->len) : 0;
	if (err) {
		roll_back(parser, &before);
		return err == -ENOMEM ? err : 0;
	}
	file->kept = true;
	file->kept_since = fault_time(keep, file);
	file->entries = parser->written - before.written;
	file->version = kept->written.tv_sec;
	return 0;
}

/* Parses what was read, and judges it. 0 or -ENOMEM. */
static int take_text(struct rg_list_file *file, struct rg_list_parser *parser,
		     struct rg_list_text *from, const struct rg_list_keep *keep,
		     const struct text *now, const struct text *kept)
{
	const struct rg_list_parser before = *parser;
	int err = now->len ? rg_list_parse(parser, from, now->bytes, now->len) : 0;

	if (err == -ENOMEM)
		return err;
	if (err) {
		roll_back(parser, &before);
		snprintf(file->fault, sizeof(file->fault),
			 "with it the local lists have more than max_list = %zu entries",
			 parser->max);
		return 0;
	}
	file->entries = parser->written - before.written;
	file->version = now->written.tv_sec;
	if (!keep->force)
		judge(file, parser->lines - before.lines, parser, now, kept);
	if (*file->fault && kept->written.tv_sec)
		roll_back(parser, &before);
	return 0;
}

static int load(struct rg_list_file *file, struct rg_list_parser *parser, struct rg_list_text *from,
		const struct rg_list_keep *keep, struct text *now, struct text *kept, bool missing_ok)
{
	RG_CLEANUP_FREE char *copy = keep->dir ? copy_path(keep, file, "") : NULL;
	int err = read_file(file->path, now);

	if (err == -ENOMEM || (keep->dir && !copy))
		return -ENOMEM;
	if (err == -ENOENT && missing_ok)
		return 0;
	if (copy && read_file(copy, kept) == -ENOMEM)
		return -ENOMEM;
	if (err) {
		snprintf(file->fault, sizeof(file->fault), "%s", read_error(err));
	} else {
		err = take_text(file, parser, from, keep, now, kept);
		if (err)
			return err;
	}
	if (!*file->fault)
		keep_version(keep, file, now);
	else if (kept->written.tv_sec)
		return use_kept(file, parser, from, keep, kept);
	else
		file->kept_since = keep->dir ? fault_time(keep, file) : time(NULL);
	return 0;
}

int rg_list_file_load(struct rg_list_file *file, struct rg_list_parser *parser, uint16_t source,
		      const struct rg_list_keep *keep, bool no_countries, bool missing_ok)
{
	struct notes notes = { file, keep->all_bad ? SIZE_MAX : RG_LIST_BAD_SHOWN };
	struct rg_list_text from = { .source = source,
				     .peer_class = file->peer_class,
				     .no_countries = no_countries,
				     .bad_line = note_bad_line,
				     .comment = note_comment,
				     .arg = &notes };
	struct text now = {}, kept = {};
	int err = load(file, parser, &from, keep, &now, &kept, missing_ok);

	free(now.bytes);
	free(kept.bytes);
	return err;
}
