/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of the local lists. One entry a line:
 *
 *   ADDRESS | FIRST-LAST | PREFIX/LENGTH | CC   [until=SECONDS SINCE 1970] [force]   [# comment]
 *
 * A comment begins with # or ;. Empty lines and a byte order mark are ignored. A bad line is reported and left
 * out; so is a wide entry (list_extent.h) without "force". A parser collects the entries of all files; lists.c sorts them and packs them. No file is opened here.
 */
#ifndef REPGATE_LISTS_LIST_PARSE_H
#define REPGATE_LISTS_LIST_PARSE_H

#include "base/util.h"

#include "maps/verdict.h"

#define RG_LIST_COUNTRIES (26 * 26) /* every code of two letters */
#define RG_LIST_SHOWN 81 /* bytes of a text that an error quotes, with the NUL */

/* A prefix as it is read, sorted and resolved: 28 bytes. */
struct rg_list_parsed {
	struct rg_addr addr;
	uint32_t line;
	uint32_t until; /* s since 1970, 0: for good */
	uint16_t source;
	uint8_t len; /* bits; an IPv4 prefix counts from 96 */
	enum rg_class peer_class : 7;
	unsigned int nested : 1; /* within another one: rg_list_sort_resolve() sets it */
};

/* RG_CLASS_NONE: no list names the country. */
struct rg_list_parsed_country {
	uint32_t line;
	uint32_t until; /* s since 1970, 0: for good */
	uint16_t source;
	enum rg_class peer_class;
};

/* What has been read so far. Zero it, then set max and the clocks. */
struct rg_list_parser {
	size_t max; /* more entries are an error */
	uint64_t now; /* ns of CLOCK_BOOTTIME: entries that ended before it are left out */
	int64_t wall_offset; /* ns from CLOCK_BOOTTIME to CLOCK_REALTIME */

	struct rg_list_parsed *entries; /* the caller frees them */
	size_t count, allocated;
	size_t lines; /* with an entry, good or bad */
	size_t written; /* entries in force: a range is one, and several prefixes */
	uint32_t next_until; /* the soonest `until`, s since 1970; 0: none */
	/* Of each class the line that lasts longest: when an approval ends, the block is in force. */
	struct rg_list_parsed_country approved[RG_LIST_COUNTRIES], blocked[RG_LIST_COUNTRIES];
};

/* Where a text comes from. */
struct rg_list_text {
	uint16_t source; /* the number that its entries carry */
	enum rg_class peer_class; /* approved or blocked */
	bool no_countries; /* a country is a bad line: there is no database to look it up */
	/* Called for each line that is left out; why quotes it. wide: only "force" is missing. NULL: nobody wants to know. */
	void (*bad_line)(void *arg, uint32_t line, const char *why, bool wide);
	/* Called for the comment behind an entry, len bytes without its mark. NULL: nobody wants to know. */
	void (*comment)(void *arg, uint32_t line, const char *text, size_t len);
	void *arg;
};

/*
 * Adds the entries of a file's text, size bytes without a NUL. 0, -ENOSPC (more entries than max) or -ENOMEM;
 * then some of the entries were added.
 */
int rg_list_parse(struct rg_list_parser *parser, const struct rg_list_text *from, const char *text,
		  size_t size);

/* Adds an entry to those of the parser. 0, -ENOSPC: it has `max`, or -ENOMEM. */
int rg_list_parse_add(struct rg_list_parser *parser, const struct rg_list_parsed *entry);

/* The number of a country code of len bytes, below RG_LIST_COUNTRIES; -1: not two letters. */
int rg_list_parse_country(const char *text, size_t len);

/* What is wrong with a code of two letters that is none, as in "UK" is no country code. Returns why. */
const char *rg_list_parse_no_country(const char *code, char why[RG_LIST_SHOWN]);

/* First and last address of an entry that is no country. 0 or -EINVAL. */
int rg_list_parse_bounds(const char *text, size_t len, struct rg_addr *first, struct rg_addr *last);

/* The entry in a line, up to its NUL or line end, without `until` and comment: sets *len. */
const char *rg_list_parse_find_entry(const char *line, size_t *len);

/* Copies as much of text as fits, with '?' for what can't be printed. Returns shown. */
const char *rg_list_parse_printable(const char *text, size_t len, char shown[RG_LIST_SHOWN]);

#endif
