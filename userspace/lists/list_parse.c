/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/list_parse.h"

#include "base/addr.h"
#include "lists/country_code.h"
#include "lists/list_extent.h"

#include <ctype.h>

/* The line that is parsed; what its entries remember. */
struct line {
	struct rg_list_parser *parser;
	const struct rg_list_text *from;
	uint32_t number;
	uint32_t until; /* s since 1970, 0: for good */
	bool force; /* a wide entry is meant */
};

int rg_list_parse_add(struct rg_list_parser *parser, const struct rg_list_parsed *entry)
{
	if (parser->count >= parser->max)
		return -ENOSPC;
	if (parser->count == parser->allocated) {
		size_t size = parser->allocated ? parser->allocated * 2 : 256;
		struct rg_list_parsed *entries =
			reallocarray(parser->entries, size, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		parser->entries = entries;
		parser->allocated = size;
	}
	parser->entries[parser->count++] = *entry;
	return 0;
}

static int add_item(const struct rg_prefix *prefix, void *arg)
{
	const struct line *line = arg;
	const struct rg_list_parsed entry = {
		.addr = prefix->addr,
		.line = line->number,
		.until = line->until,
		.source = line->from->source,
		.len = (uint8_t)prefix->len,
		.peer_class = line->from->peer_class,
	};

	return rg_list_parse_add(line->parser, &entry);
}

static int add_range(const struct rg_addr *first, const struct rg_addr *last, struct line *line)
{
	return rg_range_split(first, last, add_item, line);
}

/*
 * An IPv6 prefix or range may contain ::ffff:0:0/96, where the tries have IPv4. ::/0 means all of IPv6
 * and nothing of IPv4, so that part is left out.
 */
static int add_v6_range(const struct rg_addr *first, const struct rg_addr *last, struct line *line)
{
	struct rg_addr below = {
		.bytes = { [10] = 0xff, [11] = 0xfe, [12] = 0xff, [13] = 0xff, [14] = 0xff, [15] = 0xff }
	};
	struct rg_addr above = { .bytes = { [9] = 1 } };
	int err;

	if (rg_addr_compare(last, &below) <= 0 || rg_addr_compare(first, &above) >= 0)
		return add_range(first, last, line);
	if (rg_addr_compare(first, &below) <= 0) {
		err = add_range(first, &below, line);
		if (err)
			return err;
	}
	return rg_addr_compare(last, &above) < 0 ? 0 : add_range(&above, last, line);
}

static int add_prefix(const struct rg_prefix *prefix, struct line *line)
{
	struct rg_addr last;

	if (!rg_prefix_has_v4(prefix))
		return add_item(prefix, line);
	last = rg_prefix_last(prefix);
	return add_v6_range(&prefix->addr, &last, line);
}

int rg_list_parse_country(const char *text, size_t len)
{
	int index = 0;

	if (len != 2)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		int letter = (text[i] | 0x20) - 'a';

		if (letter < 0 || letter > 25)
			return -1;
		index = index * 26 + letter;
	}
	return index;
}

/* Of several lines of a class, the one that lasts longest counts, and of equal ones the first. */
static void add_country(int index, const struct line *line)
{
	struct rg_list_parser *parser = line->parser;
	bool is_approved = line->from->peer_class == RG_CLASS_APPROVED;
	struct rg_list_parsed_country *country = is_approved ? &parser->approved[index] :
							       &parser->blocked[index];

	/* 0 is later than any other: hence the subtraction. */
	if (country->peer_class != RG_CLASS_NONE && country->until - 1 >= line->until - 1)
		return;
	*country = (struct rg_list_parsed_country){ .line = line->number,
						    .until = line->until,
						    .source = line->from->source,
						    .peer_class = line->from->peer_class };
}

const char *rg_list_parse_printable(const char *text, size_t len, char shown[RG_LIST_SHOWN])
{
	len = len < RG_LIST_SHOWN ? len : RG_LIST_SHOWN - 1;
	for (size_t i = 0; i < len; i++)
		shown[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	shown[len] = '\0';
	return shown;
}

/* -EINVAL: the line is left out. */
static int bad_entry(const struct line *line, const char *text, size_t len, const char *what)
{
	char shown[RG_LIST_SHOWN], why[2 * RG_LIST_SHOWN];

	if (line->from->bad_line) {
		snprintf(why, sizeof(why), "\"%s\" %s", rg_list_parse_printable(text, len, shown),
			 what);
		line->from->bad_line(line->from->arg, line->number, why, false);
	}
	return -EINVAL;
}

/* 0: the entry may be in force. -EINVAL: it is wide, and the line has no "force". */
static int check_extent(const struct line *line, const struct rg_addr *first,
			const struct rg_addr *last)
{
	char extent[RG_LIST_EXTENT_TEXT], why[RG_LIST_EXTENT_TEXT + 80];

	if (line->force || !rg_list_extent_is_wide(first, last))
		return 0;
	if (line->from->bad_line) {
		snprintf(why, sizeof(why),
			 "%s: " RG_LIST_WIDE_RULE "; write force after it if it is meant",
			 rg_list_extent_describe(first, last, extent));
		line->from->bad_line(line->from->arg, line->number, why, true);
	}
	return -EINVAL;
}

const char *rg_list_parse_no_country(const char *code, char why[RG_LIST_SHOWN])
{
	const char *meant = rg_country_code_meant(code);

	snprintf(why, RG_LIST_SHOWN, "is no country code of ISO 3166%s%s%s",
		 meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
	return why;
}

static int add_entry(const char *text, size_t len, struct line *line)
{
	struct rg_addr first, last;
	struct rg_prefix prefix;
	int err, country = rg_list_parse_country(text, len);

	if (country >= 0) {
		char why[RG_LIST_SHOWN];

		if (!rg_country_code_exists(text))
			return bad_entry(line, text, len, rg_list_parse_no_country(text, why));
		if (line->from->no_countries)
			return bad_entry(line, text, len,
					 "is a country, but country_database is not set");
		add_country(country, line);
		return 0;
	}
	if (memchr(text, '-', len)) {
		err = rg_range_parse(text, len, &first, &last);
		if (err == -ERANGE)
			return bad_entry(line, text, len,
					 "is a range whose end is before its start "
					 "or of another family");
		if (err)
			return bad_entry(line, text, len, "is not a range of two addresses");
		if (check_extent(line, &first, &last))
			return -EINVAL;
		return rg_addr_is_v4(&first) ? add_range(&first, &last, line) :
					       add_v6_range(&first, &last, line);
	}
	err = rg_prefix_parse(text, len, &prefix);
	if (err == -ERANGE)
		return bad_entry(line, text, len,
				 "has no valid prefix length (IPv4 0-32, IPv6 0-128)");
	if (err)
		return bad_entry(line, text, len,
				 "is not an address, a range, a prefix or a country code");
	last = rg_prefix_last(&prefix);
	return check_extent(line, &prefix.addr, &last) ? -EINVAL : add_prefix(&prefix, line);
}

/* Sets line->until from "until=SECONDS". 1: the entry has ended; or a negative error. */
static int parse_until(const char *text, size_t len, struct line *line)
{
	static const char key[] = "until=";
	const struct rg_list_parser *parser = line->parser;
	uint64_t until = 0;

	if (len <= sizeof(key) - 1 || len > 20 || memcmp(text, key, sizeof(key) - 1))
		return bad_entry(line, text, len,
				 "after the entry is not until=SECONDS, force or a # comment");
	for (size_t i = sizeof(key) - 1; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return bad_entry(line, text, len, "is not a number of seconds since 1970");
		until = until * 10 + (uint64_t)(text[i] - '0');
	}
	/* After the year 2106: people write this to mean "never". */
	if (until > UINT32_MAX)
		return 0;
	if ((int64_t)(until * RG_NSEC_PER_SEC) <= parser->wall_offset + (int64_t)parser->now)
		return 1;
	line->until = (uint32_t)until;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static void trim(const char **text, size_t *len)
{
	while (*len && is_blank(**text)) {
		(*text)++;
		(*len)--;
	}
	while (*len && is_blank((*text)[*len - 1]))
		(*len)--;
}

/* The entry ends at the first blank that is not beside a range's dash. */
static size_t entry_length(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t next = i;

		if (!is_blank(text[i]))
			continue;
		while (next < len && is_blank(text[next]))
			next++;
		if (next < len && text[next] == '-')
			i = next;
		else if (!(i && text[i - 1] == '-'))
			return i;
		else
			i = next - 1;
	}
	return len;
}

/* What stands after the entry: `until` and "force". 0; 1: the entry has ended; or a negative error. */
static int parse_rest(const char *text, size_t len, struct line *line)
{
	static const char force[] = "force";
	int ended = 0;

	while (len) {
		size_t word = 0;
		int err = 0;

		while (word < len && !is_blank(text[word]))
			word++;
		if (word == sizeof(force) - 1 && !memcmp(text, force, word))
			line->force = true;
		else
			err = parse_until(text, word, line);
		if (err < 0)
			return err;
		ended |= err;
		text += word;
		len -= word;
		trim(&text, &len);
	}
	return ended;
}

/* How many bytes come before the comment, or len. */
static size_t comment_at(const char *text, size_t len)
{
	size_t at = 0;

	while (at < len && text[at] != '#' && text[at] != ';')
		at++;
	return at;
}

static int parse_line(const char *text, size_t len, struct line *line)
{
	struct rg_list_parser *parser = line->parser;
	size_t entry_len, rest_len;
	const char *rest;
	int err;

	len = comment_at(text, len);
	trim(&text, &len);
	if (!len)
		return 0;
	parser->lines++;
	line->until = 0;
	line->force = false;
	entry_len = entry_length(text, len);
	rest = text + entry_len;
	rest_len = len - entry_len;
	trim(&rest, &rest_len);
	if (rest_len) {
		err = parse_rest(rest, rest_len, line);
		if (err)
			return err > 0 ? 0 : err;
	}
	err = add_entry(text, entry_len, line);
	if (err)
		return err;
	parser->written++;
	/* 0 is later than any other: hence the subtraction. */
	if (line->until && line->until - 1 < parser->next_until - 1)
		parser->next_until = line->until;
	return 0;
}

/*
 * Most lines are only an address or prefix, perhaps with a comment, and this reads them in a third of
 * the time. Returns the line's length with its end, or 0: parse_line() must read it. Both accept the
 * same: a prefix that may be wide goes there.
 */
static size_t plain_line(const char *text, const char *end, struct rg_prefix *prefix)
{
	size_t len = rg_prefix_scan(text, end, prefix);
	const char *at = text + len;

	if (!len || prefix->len < RG_LIST_WIDE_V6 ||
	    (prefix->len >= RG_V4_PREFIX_BITS && prefix->len < RG_V4_PREFIX_BITS + RG_LIST_WIDE_V4))
		return 0;
	while (at < end && is_blank(*at))
		at++;
	if (at < end && (*at == '#' || *at == ';')) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			at = end;
	}
	if (at == end)
		return (size_t)(at - text);
	return *at == '\n' ? (size_t)(at - text) + 1 : 0;
}

/* Tells the comment of a line that had an entry. */
static void note_comment(const struct line *line, const char *text, size_t len)
{
	const char *newline = memchr(text, '\n', len);
	size_t at;

	if (newline)
		len = (size_t)(newline - text);
	at = comment_at(text, len);
	if (at == len)
		return;
	text += at;
	len -= at;
	while (len && (*text == '#' || *text == ';')) {
		text++;
		len--;
	}
	trim(&text, &len);
	if (len)
		line->from->comment(line->from->arg, line->number, text, len);
}

int rg_list_parse(struct rg_list_parser *parser, const struct rg_list_text *from, const char *text,
		  size_t size)
{
	static const char mark[] = "\xef\xbb\xbf"; /* U+FEFF, as editors of Windows begin a file */
	struct line line = { .parser = parser, .from = from, .number = 1 };
	size_t at = size >= 3 && !memcmp(text, mark, 3) ? 3 : 0;

	for (; at < size; line.number++) {
		struct rg_prefix prefix;
		size_t len = plain_line(text + at, text + size, &prefix), start = at;
		size_t written = parser->written;
		int err;

		if (len) {
			line.until = 0;
			parser->lines++;
			err = add_prefix(&prefix, &line);
			parser->written += !err;
			at += len;
		} else {
			const char *newline = memchr(text + at, '\n', size - at);

			len = newline ? (size_t)(newline - text) - at : size - at;
			err = parse_line(text + at, len, &line);
			at += len + 1;
		}
		if (err && err != -EINVAL)
			return err;
		if (from->comment && parser->written > written)
			note_comment(&line, text + start, (at < size ? at : size) - start);
	}
	return 0;
}

/* ---- one entry, as list_edit.c needs it ---- */

int rg_list_parse_bounds(const char *text, size_t len, struct rg_addr *first, struct rg_addr *last)
{
	struct rg_prefix prefix;

	if (!rg_range_parse(text, len, first, last))
		return 0;
	if (rg_prefix_parse(text, len, &prefix))
		return -EINVAL;
	*first = prefix.addr;
	*last = rg_prefix_last(&prefix);
	return 0;
}

const char *rg_list_parse_find_entry(const char *line, size_t *len)
{
	*len = strcspn(line, "#;\n");
	trim(&line, len);
	*len = entry_length(line, *len);
	return line;
}
