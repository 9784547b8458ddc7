/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMTP sessions from any bytes. The first octet chooses the stage and the refusal, the second how the
 * stream is cut into pieces, the rest is what the peer sends; in text, "0a" begins an ordinary session.
 * The session is held twice, whole and in pieces, and must say the same.
 *
 *	make fuzz-smtp
 */
#include "base/addr.h"
#include "proto/smtp.h"

#define STREAM 4096 /* octets of a session at most, as of -max_len */
#define REPLIES (STREAM + 2) /* a line has one octet at least; the greeting; the 421 at the end */

struct session {
	struct rg_smtp smtp;
	unsigned int replies;
	size_t len;
	char said[REPLIES * 2 * RG_REPLY_LINE]; /* the templates have two lines at most */
	unsigned char verbs[REPLIES];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static bool is_line(const char *line, size_t len)
{
	if (len < 4 || len > RG_REPLY_LINE - 2)
		return false;
	if (line[0] < '2' || line[0] > '5' || line[1] < '0' || line[1] > '5' || line[2] < '0' ||
	    line[2] > '9' || (line[3] != ' ' && line[3] != '-'))
		return false;
	for (size_t i = 4; i < len; i++)
		if (line[i] < 0x20 || line[i] > 0x7e)
			return false;
	return true;
}

/* RFC 5321, 4.2: lines with CRLF and one code, a hyphen on all but the last. */
static bool is_reply(const char *reply, size_t len)
{
	for (size_t at = 0; at < len;) {
		const char *line = reply + at, *end = memmem(line, len - at, "\r\n", 2);

		if (!end || !is_line(line, (size_t)(end - line)) || memcmp(line, reply, 3) != 0)
			return false;
		at = (size_t)(end + 2 - reply);
		if ((line[3] == ' ') != (at == len))
			return false;
	}
	return len > 0;
}

static void take_reply(void *arg, enum rg_smtp_verb verb, const char *reply, size_t len)
{
	struct session *session = arg;

	must(is_reply(reply, len), "a reply is RFC 5321's");
	must(reply[0] != '3', "no 354");
	if (verb == RG_SMTP_VERB_RCPT || verb == RG_SMTP_VERB_DATA)
		must(reply[0] == '4' || reply[0] == '5', "RCPT and DATA are refused");
	must(session->smtp.state != RG_SMTP_CLOSING, "nothing is said after the last reply");
	must(session->replies < REPLIES, "a session ends");
	must(len <= sizeof(session->said) - session->len, "replies have two lines at most");
	memcpy(session->said + session->len, reply, len);
	session->len += len;
	session->verbs[session->replies++] = (unsigned char)verb;
}

static void start(struct session *session, uint8_t choice)
{
	static const struct rg_addr peer = { .bytes = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	static const struct rg_refusal refusals[] = {
		{ "450 4.7.1 Mail from %a refused by %z", "qil", "", .permanent = false },
		{ "550 5.7.1 Mail from %a refused by %z\nSee %u", "rbl", "https://x.example/%a",
		  .permanent = true },
	};

	session->replies = 0;
	session->len = 0;
	rg_smtp_init(&session->smtp, choice & 1 ? RG_SMTP_AT_GREETING : RG_SMTP_AT_RCPT,
		     "mx.example.org", &refusals[choice >> 1 & 1], &peer, take_reply, session);
	rg_smtp_greet(&session->smtp);
}

/* The next piece: 1, few or many octets, as the second octet of the input has it. */
static size_t piece_size(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	switch (*seed >> 30) {
	case 0:
		return 1;
	case 1:
		return 1 + (*seed >> 24 & 15);
	default:
		return 1 + (*seed >> 16 & 2047);
	}
}

/* As a caller does that has a buffer of RG_SMTP_LINE octets. */
static void feed_pieces(struct session *session, uint32_t seed, const char *bytes, size_t len)
{
	char buffer[RG_SMTP_LINE];
	size_t have = 0, at = 0;

	while (at < len) {
		size_t part = piece_size(&seed), taken;

		if (part > sizeof(buffer) - have)
			part = sizeof(buffer) - have;
		if (part > len - at)
			part = len - at;
		memcpy(buffer + have, bytes + at, part);
		at += part;
		have += part;
		taken = rg_smtp_feed(&session->smtp, buffer, have);
		must(taken <= have, "no more is taken than there is");
		have -= taken;
		must(have < sizeof(buffer), "a full buffer makes progress");
		memmove(buffer, buffer + taken, have);
	}
}

static void feed_whole(struct session *session, const char *bytes, size_t len)
{
	size_t taken = rg_smtp_feed(&session->smtp, bytes, len);

	must(taken <= len && len - taken < RG_SMTP_LINE, "the rest is less than a line");
	must(session->smtp.state != RG_SMTP_CLOSING || taken == len, "all is taken at the end");
}

/* Each line is one reply, and there are not too many of them. */
static void check_end(const struct session *session, const char *bytes, size_t len)
{
	bool closing = session->smtp.state == RG_SMTP_CLOSING;
	unsigned int ends = 0;

	for (const char *at = bytes; (at = memchr(at, '\n', len - (size_t)(at - bytes))); at++)
		ends++;
	must(closing || session->replies == ends + 1, "each line is answered once");
	must(session->replies <= ends + 1, "nothing but lines is answered");
	must(closing || session->smtp.commands == ends, "each line is a command");
	must(closing || ends <= RG_SMTP_SPARE + 3 * session->smtp.senders + session->smtp.recipients,
	     "commands that are no part of a mail end a session");
}

static void check_kept(const char text[RG_SMTP_TEXT])
{
	size_t len = strnlen(text, RG_SMTP_TEXT);

	must(len < RG_SMTP_TEXT, "what is kept has a NUL");
	for (size_t i = 0; i < len; i++)
		must(text[i] >= 0x20 && text[i] <= 0x7e, "what is kept is printable");
}

static void compare(struct session *a, struct session *b)
{
	must(a->len == b->len && !memcmp(a->said, b->said, a->len), "pieces get the same replies");
	must(a->replies == b->replies && !memcmp(a->verbs, b->verbs, a->replies), "the same verbs");
	must(a->smtp.state == b->smtp.state, "the same state");
	a->smtp.odd.pipelined = b->smtp.odd.pipelined = 0;
	must(!memcmp(&a->smtp.odd, &b->smtp.odd, sizeof(a->smtp.odd)), "the same oddities");
	must(!strcmp(a->smtp.helo, b->smtp.helo) && !strcmp(a->smtp.from, b->smtp.from) &&
		     !strcmp(a->smtp.to, b->smtp.to),
	     "the same is kept");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session whole, pieces;
	const char *bytes = (const char *)data + 2;

	if (size < 2 || size > STREAM)
		return 0;
	start(&whole, data[0]);
	feed_whole(&whole, bytes, size - 2);
	check_end(&whole, bytes, size - 2);
	check_kept(whole.smtp.helo);
	check_kept(whole.smtp.from);
	check_kept(whole.smtp.to);

	start(&pieces, data[0]);
	feed_pieces(&pieces, data[1], bytes, size - 2);
	compare(&whole, &pieces);
	return 0;
}
