/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/reply.h"

#include "base/addr.h"

#define LINE_TEXT (RG_REPLY_LINE - 2) /* without CRLF */
#define LONGEST_ADDR "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

/* The parts of a template: code, enhanced code, text. */
struct head {
	unsigned int code;
	char enhanced[sizeof("5.999.999")];
	const char *text;
};

/* Text, cut to its size. len counts what was cut, too, so that a check sees how much it was. */
struct line {
	char *out;
	size_t size;
	size_t len;
};

/* Octets that are not printable become '?': a CR or LF in the text would begin another reply. */
static void put(struct line *line, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++, line->len++)
		if (line->len < line->size)
			line->out[line->len] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
}

static void put_text(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

/* Replaces %a only: other percent signs are part of the URL, as in %20. */
static void put_url(struct line *line, const char *url, const char *addr)
{
	for (; *url; url++) {
		if (url[0] == '%' && url[1] == 'a') {
			put_text(line, addr);
			url++;
		} else {
			put(line, url, 1);
		}
	}
}

/* What %a stands for. */
struct addrs {
	const char *peer;
	const char *in_url;
};

static void put_template(struct line *line, const char *text, const char *end,
			 const struct rg_refusal *refusal, const struct addrs *addrs)
{
	for (; text < end; text++) {
		char sequence = *text == '%' ? text[1] : '\0';

		if (sequence == 'a')
			put_text(line, addrs->peer);
		else if (sequence == 'z')
			put_text(line, refusal->alias);
		else if (sequence == 'u')
			put_url(line, refusal->url, addrs->in_url);
		else
			put(line, text, 1);
		if (sequence && strchr("azu%", sequence))
			text++;
	}
}

/* Where the line that begins at text ends: at a newline or the NUL. */
static const char *line_end(const char *text)
{
	return text + strcspn(text, "\n");
}

static void put_codes(struct line *line, const struct head *head, bool last)
{
	char codes[32];

	snprintf(codes, sizeof(codes), "%03u%c%s ", head->code, last ? ' ' : '-', head->enhanced);
	put_text(line, codes);
}

static void put_line(struct line *line, const struct head *head, const char *text,
		     const struct rg_refusal *refusal, const struct addrs *addrs, bool last)
{
	put_codes(line, head, last);
	put_template(line, text, line_end(text), refusal, addrs);
}

static bool has_network(const struct rg_refusal *refusal)
{
	return refusal->network.len;
}

/* The last line of a refusal because of other addresses. */
static void put_listed(struct line *line, const struct head *head, const struct rg_refusal *refusal)
{
	char text[RG_REPLY_LISTED_TEXT];

	put_codes(line, head, true);
	put_text(line, rg_reply_listed(refusal, text));
}

/* Length of one to three digits without a leading zero (RFC 3463, 2); 0 if it is none. */
static size_t subcode_length(const char *text)
{
	size_t len = strspn(text, "0123456789");

	return len > 3 || (len > 1 && text[0] == '0') ? 0 : len;
}

/* Length of the enhanced code that text begins with; 0 if it does not. */
static size_t enhanced_length(const char *text)
{
	size_t subject, detail;

	if (!strchr("245", text[0]) || !text[0] || text[1] != '.')
		return 0;
	subject = subcode_length(text + 2);
	if (!subject || text[2 + subject] != '.')
		return 0;
	detail = subcode_length(text + 3 + subject);
	return detail ? 3 + subject + detail : 0;
}

static bool right_code(unsigned int code, bool permanent)
{
	return permanent ? code == 550 || code == 554 : code == 450 || code == 451;
}

static int parse_head(const struct rg_refusal *refusal, struct head *head, struct rg_error *error)
{
	const char *text = refusal->text, *enhanced;
	size_t len;

	if (strspn(text, "0123456789") != 3 || text[3] != ' ')
		return rg_fail(error, -EINVAL, "a reply begins with a code, as \"%s text\"",
			       refusal->permanent ? "550 5.7.1" : "450 4.7.1");
	head->code = (unsigned int)strtoul(text, NULL, 10);
	if (!right_code(head->code, refusal->permanent))
		return rg_fail(error, -EINVAL, "reply code %.3s is not %s", text,
			       refusal->permanent ? "550 or 554, the permanent ones" :
						    "450 or 451, the temporary ones");
	enhanced = text + 4;
	len = enhanced_length(enhanced);
	if (!len || !strchr(" \n", enhanced[len]))
		return rg_fail(error, -EINVAL,
			       "after reply code %.3s an enhanced code (RFC 3463) is missing, as %s",
			       text, refusal->permanent ? "5.7.1" : "4.7.1");
	if (enhanced[0] != text[0])
		return rg_fail(error, -EINVAL,
			       "enhanced code %.*s is of another class than code %.3s", (int)len,
			       enhanced, text);
	if (enhanced[len] != ' ')
		return rg_fail(error, -EINVAL, "line 1 of the reply has no text");
	memcpy(head->enhanced, enhanced, len);
	head->enhanced[len] = '\0';
	head->text = enhanced + len + 1;
	return 0;
}

/* allowed: octets besides printable ASCII. */
static int check_ascii(const char *what, const char *text, const char *allowed, struct rg_error *error)
{
	for (const char *at = text; *at; at++) {
		unsigned int octet = (unsigned char)*at;

		if ((octet >= ' ' && octet <= '~') || strchr(allowed, *at))
			continue;
		return rg_fail(error, -EINVAL,
			       "%s has %s 0x%02x at octet %zu: only printable ASCII", what,
			       octet > '~' + 1 ? "the non-ASCII octet" : "the control character",
			       octet, (size_t)(at - text) + 1);
	}
	return 0;
}

static int check_sequences(const struct rg_refusal *refusal, struct rg_error *error)
{
	const char *at = refusal->text;

	for (at = strchr(at, '%'); at; at = strchr(at + 2, '%')) {
		if (!at[1] || at[1] == '\n')
			return rg_fail(
				error, -EINVAL,
				"a single %% ends a line of the reply (a percent sign is %%%%)");
		if (!strchr("azu%", at[1]))
			return rg_fail(error, -EINVAL,
				       "unknown sequence %%%c in the reply (known: %%a %%z %%u %%%%)",
				       at[1]);
		if (at[1] == 'u' && !*refusal->url)
			return rg_fail(error, -EINVAL, "the reply has %%u, but there is no url");
	}
	return 0;
}

static int check_url(const char *url, struct rg_error *error)
{
	static const char hex[] = "0123456789abcdefABCDEF";

	if (strchr(url, ' '))
		return rg_fail(error, -EINVAL, "the url has a space");
	for (const char *at = strchr(url, '%'); at; at = strchr(at + 1, '%')) {
		if (at[1] == 'a' || (at[1] && strchr(hex, at[1]) && at[2] && strchr(hex, at[2])))
			continue;
		return rg_fail(error, -EINVAL,
			       "unknown sequence %.2s in the url (known: %%a, and octets as %%20)",
			       at);
	}
	return 0;
}

static int check_lines(const struct rg_refusal *refusal, const struct head *head,
		       struct rg_error *error)
{
	const char *text = head->text;

	for (unsigned int number = 1;; number++) {
		const char *end = line_end(text);
		const struct addrs longest = { LONGEST_ADDR, LONGEST_ADDR };
		struct line line = {};

		if (number > RG_REPLY_LINES)
			return rg_fail(error, -EINVAL, "the reply has more than %d lines",
				       RG_REPLY_LINES);
		if (text + strspn(text, " ") == end)
			return rg_fail(error, -EINVAL, "line %u of the reply has no text", number);
		put_line(&line, head, text, refusal, &longest, !*end);
		if (line.len > LINE_TEXT)
			return rg_fail(error, -EINVAL,
				       "line %u of the reply has %zu octets with the longest address, "
				       "%d at most (RFC 5321, 4.5.3.1.5)",
				       number, line.len + 2, RG_REPLY_LINE);
		if (!*end)
			return 0;
		text = end + 1;
	}
}

int rg_reply_check(const struct rg_refusal *refusal, struct rg_error *error)
{
	struct head head;
	int err;

	err = check_ascii("the reply", refusal->text, "\n", error);
	if (!err)
		err = check_ascii("the alias", refusal->alias, "", error);
	if (!err)
		err = check_ascii("the url", refusal->url, "", error);
	if (!err)
		err = check_url(refusal->url, error);
	if (!err)
		err = parse_head(refusal, &head, error);
	if (!err)
		err = check_sequences(refusal, error);
	if (!err)
		err = check_lines(refusal, &head, error);
	return err;
}

static void end_line(char *out, size_t *total, const struct line *line)
{
	*total += line->len < line->size ? line->len : line->size;
	out[(*total)++] = '\r';
	out[(*total)++] = '\n';
}

const char *rg_reply_listed(const struct rg_refusal *refusal, char text[RG_REPLY_LISTED_TEXT])
{
	char one[RG_ADDR_TEXT], two[RG_ADDR_TEXT], network[RG_PREFIX_TEXT];

	*text = '\0';
	if (has_network(refusal))
		snprintf(text, RG_REPLY_LISTED_TEXT, "%s and %s of %s are listed",
			 rg_addr_format(&refusal->listed[0], one),
			 rg_addr_format(&refusal->listed[1], two),
			 rg_prefix_format(&refusal->network, network));
	return text;
}

size_t rg_reply_render(const struct rg_refusal *refusal, const struct rg_addr *addr,
		       unsigned int code, char out[RG_REPLY_SIZE])
{
	char addr_text[RG_ADDR_TEXT], listed_text[RG_ADDR_TEXT];
	struct addrs addrs = { addr_text, addr_text };
	struct head head;
	const char *text;
	size_t total = 0;
	bool last = false;

	rg_addr_format(addr, addr_text);
	if (has_network(refusal))
		addrs.in_url = rg_addr_format(&refusal->listed[0], listed_text);
	/* A template that was not checked must not become a 250. */
	if (parse_head(refusal, &head, NULL))
		head = (struct head){ .code = refusal->permanent ? 550 : 450,
				      .enhanced = { refusal->permanent ? '5' : '4', '.', '7', '.',
						    '1' },
				      .text = refusal->text };
	if (code)
		head.code = code;
	text = head.text;
	for (unsigned int number = 1; !last; number++) {
		struct line line = { .out = out + total, .size = LINE_TEXT };
		const char *end = line_end(text);

		last = !*end || number == RG_REPLY_LINES;
		put_line(&line, &head, text, refusal, &addrs, last && !has_network(refusal));
		end_line(out, &total, &line);
		text = end + 1;
	}
	if (has_network(refusal)) {
		struct line line = { .out = out + total, .size = LINE_TEXT };

		put_listed(&line, &head, refusal);
		end_line(out, &total, &line);
	}
	out[total] = '\0';
	return total;
}

void rg_reply_url(const char *url, const struct rg_addr *addr, char *out, size_t size)
{
	char addr_text[RG_ADDR_TEXT];
	struct line line = { .out = out, .size = size ? size - 1 : 0 };

	if (!size)
		return;
	rg_addr_format(addr, addr_text);
	put_url(&line, url, addr_text);
	out[line.len < line.size ? line.len : line.size] = '\0';
}
