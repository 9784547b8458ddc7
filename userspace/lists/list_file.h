/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One file of the local lists, and what of it is in force. A bad line costs that line: the others count. A file
 * that can't be read, that lost more than half of its entries, that has too many of them, or of whose lines more
 * than a tenth is bad (an error page in the place of a feed) has a fault: its last good version stays in force.
 * Copies of those are kept across restarts, see struct rg_list_keep.
 */
#ifndef REPGATE_LISTS_LIST_FILE_H
#define REPGATE_LISTS_LIST_FILE_H

#include "lists/list_parse.h"

#define RG_LIST_BAD_SHOWN 10 /* bad lines of a file that the log and `status` quote */
#define RG_LIST_BAD_SIZE 240 /* bytes of a reason, with the NUL */

struct rg_list_bad_line {
	uint32_t line;
	char why[RG_LIST_BAD_SIZE]; /* it quotes the line */
};

#define RG_LIST_COMMENTS \
	10000 /* comments of a file that are kept, as many as `list` shows entries */
#define RG_LIST_COMMENT_MAX 200 /* bytes of one, the rest is cut off */

struct rg_list_comment {
	uint32_t line;
	char *text;
};

struct rg_list_file {
	char *path;
	enum rg_class peer_class; /* approved or blocked */
	size_t entries; /* in force: of the file, or of its last good version */
	size_t bad_lines; /* of the file as it is; wide ones are among them */
	size_t wide_lines; /* a wide entry without "force" (list_extent.h): it is no sign of a broken file */
	struct rg_list_bad_line *bad; /* the first of them */
	size_t bad_shown; /* how many */
	char fault[RG_LIST_BAD_SIZE]; /* "": the file is in force as it is, but for its bad lines */
	/* Of what is in force: the comments behind its first entries that have one, by line. */
	struct rg_list_comment *comments;
	size_t comment_count;
	bool kept; /* the last good version is in force instead; else the good lines, if it could be read */
	int64_t kept_since; /* s since 1970: when the fault was first met */
	int keep_error; /* errno: the good version could not be copied to where the last good ones are; 0: it was */
	int64_t version; /* s since 1970: when what is in force was written; 0: nothing is */
};

/* Where the last good versions of the files of one class are. */
struct rg_list_keep {
	const char *dir; /* NULL: none are kept */
	bool write; /* good files are copied there; else what is there is only read */
	bool force; /* a file that could be read and is not too large is good, whatever is in it */
	bool all_bad; /* quote all bad lines, not only RG_LIST_BAD_SHOWN */
};

/*
 * Adds the file's entries to the parser's. file: zeroed, with its path and class set; source: its number.
 * missing_ok: a file that is not there has no entries, and no fault. 0 or -ENOMEM; what is in file is valid in
 * any case, rg_list_file_clear() frees it.
 */
int rg_list_file_load(struct rg_list_file *file, struct rg_list_parser *parser, uint16_t source,
		      const struct rg_list_keep *keep, bool no_countries, bool missing_ok);
void rg_list_file_clear(struct rg_list_file *file);

/* The comment of an entry in force, or NULL. It may be no UTF-8. */
const char *rg_list_file_comment(const struct rg_list_file *file, uint32_t line);

/* Whether both report the same about their lines: then nothing is logged again. */
bool rg_list_file_same(const struct rg_list_file *a, const struct rg_list_file *b);

#endif
