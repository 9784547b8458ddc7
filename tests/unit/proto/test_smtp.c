/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/addr.h"
#include "proto/smtp.h"

#define HOST "mx.example.org"
#define PEER "192.0.2.99"

/* What RCPT gets from the two refusals of these tests. */
#define TEMPORARY "450 4.7.1 Mail from 192.0.2.99 refused by qil\r\n"
#define PERMANENT \
	"550-5.7.1 Mail from 192.0.2.99 refused by rbl\r\n550 5.7.1 See https://x.example/192.0.2.99\r\n"

static const struct rg_refusal temporary = { "450 4.7.1 Mail from %a refused by %z", "qil", "",
					     .permanent = false };
static const struct rg_refusal permanent = { "550 5.7.1 Mail from %a refused by %z\nSee %u", "rbl",
					     "https://x.example/%a", .permanent = true };

/* A session, its replies one after the other, and the last one. */
struct talk {
	struct rg_smtp smtp;
	enum rg_smtp_verb verb; /* of the last reply */
	unsigned int replies;
	size_t len, last; /* of all; where the last one begins */
	char all[65536];
	char verbs[256];
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "C.S.D " with the class of code (RFC 3463, 2; RFC 2034, 4). */
static bool has_enhanced(const char *text, char peer_class)
{
	size_t subject = strspn(text + 2, "0123456789");
	size_t detail = text[2 + subject] == '.' ? strspn(text + 3 + subject, "0123456789") : 0;

	return text[0] == peer_class && text[1] == '.' && subject && subject <= 3 && detail &&
	       detail <= 3 && text[3 + subject + detail] == ' ';
}

/*
 * RFC 5321, 4.2: Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF,
 * Reply-code = %x32-35 %x30-35 %x30-39, textstring = 1*(%d09 / %d32-126); 4.5.3.1.5: 512 octets.
 * RFC 2034, 3: an enhanced code in all replies but the greeting's and those to HELO and EHLO.
 */
static void must_be_reply(enum rg_smtp_verb verb, const char *reply, size_t len)
{
	const char *line = reply, *end;
	bool last = false;

	for (; !last; line = end + 2) {
		end = memmem(line, len - (size_t)(line - reply), "\r\n", 2);
		if (!end || end - line < 4 || end + 2 - line > 512)
			fail_msg("not a reply: %s", reply);
		if (line[0] < '2' || line[0] > '5' || line[1] < '0' || line[1] > '5' ||
		    !is_digit(line[2]))
			fail_msg("no reply code: %s", reply);
		for (const char *at = line; at < end; at++)
			if (*at != '\t' && (*at < 32 || *at > 126))
				fail_msg("0x%02x in: %s", (unsigned char)*at, reply);
		assert_memory_equal(line, reply, 3);
		assert_true(line[3] == ' ' || line[3] == '-');
		if (verb >= RG_SMTP_VERB_MAIL && !has_enhanced(line + 4, line[0]))
			fail_msg("no enhanced code: %s", reply);
		last = line[3] == ' ';
	}
	assert_int_equal(line - reply, len);
	assert_int_equal(strlen(reply), len);
}

static void take_reply(void *arg, enum rg_smtp_verb verb, const char *reply, size_t len)
{
	struct talk *talk = arg;

	must_be_reply(verb, reply, len);
	/* Never accept mail. */
	assert_int_not_equal(reply[0], '3');
	if (verb == RG_SMTP_VERB_RCPT || verb == RG_SMTP_VERB_DATA)
		assert_true(reply[0] == '4' || reply[0] == '5');
	assert_int_not_equal(talk->smtp.state, RG_SMTP_CLOSING);
	assert_true(talk->len + len < sizeof(talk->all));
	assert_true(talk->replies + 1 < sizeof(talk->verbs));
	talk->last = talk->len;
	memcpy(talk->all + talk->len, reply, len + 1);
	talk->len += len;
	talk->verb = verb;
	talk->verbs[talk->replies++] = (char)('0' + verb);
}

static void init(struct talk *talk, enum rg_smtp_stage stage, const struct rg_refusal *refusal)
{
	struct rg_addr peer;

	*talk = (struct talk){};
	assert_int_equal(rg_addr_parse(PEER, strlen(PEER), &peer), 0);
	rg_smtp_init(&talk->smtp, stage, HOST, refusal, &peer, take_reply, talk);
}

static void start(struct talk *talk, enum rg_smtp_stage stage, const struct rg_refusal *refusal)
{
	init(talk, stage, refusal);
	assert_int_equal(talk->smtp.state, RG_SMTP_CONNECTED);
	rg_smtp_greet(&talk->smtp);
}

/* Whole lines; returns the last reply. */
static const char *say_bytes(struct talk *talk, const char *bytes, size_t len)
{
	assert_int_equal(rg_smtp_feed(&talk->smtp, bytes, len), len);
	return talk->all + talk->last;
}

static const char *say(struct talk *talk, const char *lines)
{
	return say_bytes(talk, lines, strlen(lines));
}

#define assert_reply(reply, prefix) assert_memory_equal(reply, prefix, strlen(prefix))

/* ---- greetings ---- */

static void test_greetings(void **state)
{
	struct talk talk;

	(void)state;
	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	assert_string_equal(talk.all, "220 " HOST " ESMTP\r\n");
	assert_int_equal(talk.smtp.state, RG_SMTP_GREETED);
	assert_false(talk.smtp.refused);

	start(&talk, RG_SMTP_AT_GREETING, &temporary);
	assert_string_equal(talk.all, "421 4.7.1 Mail from 192.0.2.99 refused by qil\r\n");
	assert_int_equal(talk.smtp.state, RG_SMTP_CLOSING);
	assert_true(talk.smtp.refused);

	start(&talk, RG_SMTP_AT_GREETING, &permanent);
	assert_string_equal(talk.all, "554-5.7.1 Mail from 192.0.2.99 refused by rbl\r\n"
				      "554 5.7.1 See https://x.example/192.0.2.99\r\n");
	assert_int_equal(talk.smtp.state, RG_SMTP_DENIED);
	assert_true(talk.smtp.refused);
	assert_int_equal(talk.verb, RG_SMTP_NO_VERB);
	assert_int_equal(talk.replies, 1);
}

/* ---- whole dialogues ---- */

/* What EHLO offers: all that a mail may need, in one order. */
#define EXTENSIONS                    \
	"250-PIPELINING\r\n"          \
	"250-SIZE\r\n"                \
	"250-ENHANCEDSTATUSCODES\r\n" \
	"250-8BITMIME\r\n"            \
	"250-DSN\r\n"                 \
	"250 SMTPUTF8\r\n"

static void test_dialogue(void **state)
{
	struct talk talk;

	(void)state;
	start(&talk, RG_SMTP_AT_RCPT, &permanent);
	say(&talk, "EHLO client.example.com\r\n");
	say(&talk, "MAIL FROM:<a@example.com> BODY=8BITMIME\r\n");
	say(&talk, "RCPT TO:<b@example.org>\r\n");
	assert_true(talk.smtp.refused);
	say(&talk, "RCPT TO:<c@example.org>\r\n");
	say(&talk, "DATA\r\n");
	say(&talk, "RSET\r\n");
	say(&talk, "QUIT\r\n");
	assert_string_equal(talk.all,
			    "220 " HOST " ESMTP\r\n"
			    "250-" HOST "\r\n" EXTENSIONS "250 2.1.0 Ok\r\n" PERMANENT PERMANENT
			    "554 5.5.1 No valid recipients\r\n"
			    "250 2.0.0 Ok\r\n"
			    "221 2.0.0 Bye\r\n");
	assert_string_equal(talk.verbs, "02344568");
	assert_string_equal(talk.smtp.helo, "client.example.com");
	assert_string_equal(talk.smtp.from, "a@example.com");
	assert_string_equal(talk.smtp.to, "b@example.org");
	assert_int_equal(talk.smtp.senders, 1);
	assert_int_equal(talk.smtp.recipients, 2);
	assert_int_equal(talk.smtp.commands, 7);
	assert_true(talk.smtp.esmtp);
	assert_int_equal(talk.smtp.state, RG_SMTP_CLOSING);
	assert_memory_equal(&talk.smtp.odd, &(struct rg_smtp_oddities){}, sizeof(talk.smtp.odd));
}

static void test_helo_dialogue(void **state)
{
	struct talk talk;

	(void)state;
	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	assert_string_equal(say(&talk, "HELO client\r\n"), "250 " HOST "\r\n");
	assert_false(talk.smtp.esmtp);
	say(&talk, "MAIL FROM:<>\r\n");
	assert_false(talk.smtp.refused);
	assert_string_equal(say(&talk, "RCPT TO:<b@example.org>\r\n"), TEMPORARY);
	assert_true(talk.smtp.refused);
	assert_string_equal(talk.smtp.from, "");
	assert_int_equal(talk.smtp.senders, 1);
	assert_memory_equal(&talk.smtp.odd, &(struct rg_smtp_oddities){}, sizeof(talk.smtp.odd));
}

/* ---- each command in each state ---- */

enum { GREETED, HELLO, MAIL, DENIED, STATES };

static const char *const to_state[STATES] = {
	[GREETED] = "",
	[HELLO] = "EHLO c\r\n",
	[MAIL] = "HELO c\r\nMAIL FROM:<a@b>\r\n",
	[DENIED] = "",
};
static const enum rg_smtp_state states[STATES] = {
	[GREETED] = RG_SMTP_GREETED,
	[HELLO] = RG_SMTP_HELLO,
	[MAIL] = RG_SMTP_MAIL,
	[DENIED] = RG_SMTP_DENIED,
};

static void start_in(struct talk *talk, int state)
{
	start(talk, state == DENIED ? RG_SMTP_AT_GREETING : RG_SMTP_AT_RCPT, &permanent);
	(void)say(talk, to_state[state]);
	assert_int_equal(talk->smtp.state, states[state]);
	talk->smtp.odd = (struct rg_smtp_oddities){};
}

#define SAME            \
	{               \
		0, 0, 0 \
	}
#define G RG_SMTP_GREETED
#define H RG_SMTP_HELLO
#define M RG_SMTP_MAIL
#define C RG_SMTP_CLOSING

/* DENIED is 503 to all but QUIT, and stays. after: the state, 0 if it stays. */
static const struct {
	const char *line;
	enum rg_smtp_verb verb;
	const char *reply[3];
	enum rg_smtp_state after[3];
} matrix[] = {
	{ "EHLO c", RG_SMTP_VERB_EHLO, { "250-" HOST, "250-" HOST, "250-" HOST }, { H, H, H } },
	{ "HELO c", RG_SMTP_VERB_HELO, { "250 " HOST, "250 " HOST, "250 " HOST }, { H, H, H } },
	{ "MAIL FROM:<a@b>",
	  RG_SMTP_VERB_MAIL,
	  { "503 5.5.1 ", "250 2.1.0 ", "503 5.5.1 " },
	  { G, M, M } },
	{ "RCPT TO:<a@b>", RG_SMTP_VERB_RCPT, { "503 5.5.1 ", "503 5.5.1 ", PERMANENT }, SAME },
	{ "DATA",
	  RG_SMTP_VERB_DATA,
	  { "503 5.5.1 ", "503 5.5.1 ", "554 5.5.1 No valid recipients" },
	  SAME },
	{ "RSET", RG_SMTP_VERB_RSET, { "250 2.0.0 ", "250 2.0.0 ", "250 2.0.0 " }, { G, H, H } },
	{ "NOOP", RG_SMTP_VERB_NOOP, { "250 2.0.0 ", "250 2.0.0 ", "250 2.0.0 " }, SAME },
	{ "QUIT", RG_SMTP_VERB_QUIT, { "221 2.0.0 Bye", "221 2.0.0 ", "221 2.0.0 " }, { C, C, C } },
	{ "VRFY a", RG_SMTP_VERB_OTHER, { "502 5.5.1 ", "502 5.5.1 ", "502 5.5.1 " }, SAME },
	{ "EXPN a", RG_SMTP_VERB_OTHER, { "502 5.5.1 ", "502 5.5.1 ", "502 5.5.1 " }, SAME },
	{ "HELP", RG_SMTP_VERB_OTHER, { "502 5.5.1 ", "502 5.5.1 ", "502 5.5.1 " }, SAME },
	{ "ETRN a", RG_SMTP_VERB_OTHER, { "502 5.5.1 ", "502 5.5.1 ", "502 5.5.1 " }, SAME },
	{ "AUTH LOGIN", RG_SMTP_VERB_OTHER, { "502 5.5.1 ", "502 5.5.1 ", "502 5.5.1 " }, SAME },
	{ "STARTTLS", RG_SMTP_VERB_OTHER, { "502 5.5.1 ", "502 5.5.1 ", "502 5.5.1 " }, SAME },
	{ "BDAT 9 LAST", RG_SMTP_VERB_OTHER, { "502 5.5.1 ", "502 5.5.1 ", "502 5.5.1 " }, SAME },
	{ "TURN", RG_SMTP_VERB_OTHER, { "502 5.5.1 ", "502 5.5.1 ", "502 5.5.1 " }, SAME },
	{ "XYZZY a", RG_SMTP_VERB_OTHER, { "500 5.5.2 ", "500 5.5.2 ", "500 5.5.2 " }, SAME },
	{ "GET / HTTP/1.1", RG_SMTP_VERB_OTHER, { "500 5.5.2 ", "500 5.5.2 ", "500 5.5.2 " }, SAME },
	{ "", RG_SMTP_VERB_OTHER, { "500 5.5.2 ", "500 5.5.2 ", "500 5.5.2 " }, SAME },
	{ ".", RG_SMTP_VERB_OTHER, { "500 5.5.2 ", "500 5.5.2 ", "500 5.5.2 " }, SAME },
};

static void change_case(char *text, unsigned int way)
{
	for (size_t i = 0; text[i] && text[i] != ' '; i++)
		if (way == 1 || (way == 2 && i % 2))
			text[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
}

static void matrix_cell(size_t row, int state, unsigned int way)
{
	bool quit = matrix[row].verb == RG_SMTP_VERB_QUIT;
	const char *expected = state < DENIED ? matrix[row].reply[state] :
			       quit	      ? "221 2.0.0 Bye" :
						"503 5.5.1 ";
	enum rg_smtp_state after = state < DENIED ? matrix[row].after[state] : quit ? C : 0;
	struct talk talk;
	char line[64];
	unsigned int before;

	start_in(&talk, state);
	before = talk.replies;
	snprintf(line, sizeof(line), "%s\r\n", matrix[row].line);
	change_case(line, way);
	(void)say(&talk, line);
	assert_int_equal(talk.replies, before + 1);
	if (strncmp(talk.all + talk.last, expected, strlen(expected)) != 0)
		fail_msg("%s in state %d: %s", matrix[row].line, state, talk.all + talk.last);
	assert_int_equal(talk.verb, matrix[row].verb);
	assert_int_equal(talk.smtp.state, after ? after : states[state]);
	assert_int_equal(talk.smtp.odd.sequence, !strncmp(expected, "503", 3));
	assert_int_equal(talk.smtp.odd.unknown, !strncmp(matrix[row].reply[0], "500", 3));
	assert_int_equal(talk.smtp.odd.syntax, 0);
}

static void test_matrix(void **state)
{
	(void)state;
	for (size_t row = 0; row < ARRAY_SIZE(matrix); row++)
		for (int in = 0; in < STATES; in++)
			for (unsigned int way = 0; way < 3; way++)
				matrix_cell(row, in, way);
}

/* ---- arguments ---- */

static const struct {
	int state;
	const char *line; /* without CRLF */
	const char *reply;
	const char *kept; /* helo, from or to, as the verb has it; NULL if nothing is */
} lines[] = {
	{ GREETED, "EHLO", "501 ", NULL },
	{ GREETED, "HELO", "501 ", NULL },
	{ GREETED, "EHLO   ", "501 ", NULL },
	{ GREETED, "HELO\t", "501 ", NULL },
	{ GREETED, "EHLO [192.0.2.99]", "250-" HOST, "[192.0.2.99]" },
	{ GREETED, "HELO [IPv6:2001:db8::1]", "250 " HOST, "[IPv6:2001:db8::1]" },
	{ GREETED, "EHLO  client.example.com \t", "250-", "client.example.com" },
	{ GREETED, "EHLO\tclient", "250-", "client" },
	{ GREETED, "EHLO my laptop", "250-", "my laptop" },
	{ GREETED, "EHLO \x1b[2Jx\x7f\xff", "250-", "?[2Jx??" },
	{ GREETED, "EHLO cl\rient", "501 ", NULL },
	{ GREETED, "EHLO client\r", "501 ", NULL },
	{ GREETED, "EHLOclient", "500 5.5.2 ", NULL },
	{ GREETED, " EHLO client", "500 5.5.2 ", NULL },
	{ GREETED, "EHLO\r client", "500 5.5.2 ", NULL },
	{ GREETED, "\rEHLO client", "500 5.5.2 ", NULL },
	{ GREETED, "EHL client", "500 5.5.2 ", NULL },

	{ HELLO, "MAIL FROM:<a@example.com>", "250 2.1.0 ", "a@example.com" },
	{ HELLO, "mail from:<a@example.com>", "250 2.1.0 ", "a@example.com" },
	{ HELLO, "Mail From: <a@example.com>", "250 2.1.0 ", "a@example.com" },
	{ HELLO, "MAIL  FROM :\t<a@example.com>  ", "250 2.1.0 ", "a@example.com" },
	{ HELLO, "MAIL\tFROM:<a@example.com>", "250 2.1.0 ", "a@example.com" },
	{ HELLO, "MAIL FROM:<>", "250 2.1.0 ", "" },
	{ HELLO, "MAIL FROM: <> SIZE=0", "250 2.1.0 ", "" },
	{ HELLO, "MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME X=<y>", "250 2.1.0 ", "a@b" },
	{ HELLO, "MAIL FROM:<a@b>\tSIZE=1", "250 2.1.0 ", "a@b" },
	{ HELLO, "MAIL FROM:<@one,@two:joe@three>", "250 2.1.0 ", "@one,@two:joe@three" },
	{ HELLO, "MAIL FROM:<\"a>b\"@example.com>", "250 2.1.0 ", "\"a>b\"@example.com" },
	{ HELLO, "MAIL FROM:<\"a\\\">b\"@example.com>", "250 2.1.0 ", "\"a\\\">b\"@example.com" },
	{ HELLO, "MAIL FROM:<\"a b\"@example.com>", "250 2.1.0 ", "\"a b\"@example.com" },
	{ HELLO, "MAIL FROM:<j\xc3\xbcrgen@b>", "250 2.1.0 ", "j??rgen@b" },
	{ HELLO, "MAIL FROM:<a\x1b\x07@b>", "250 2.1.0 ", "a??@b" },
	{ HELLO, "MAIL", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL ", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:<", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:>", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:<a@b", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:a@b", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM<a@b>", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL <a@b>", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL TO:<a@b>", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:<a@b>SIZE=1", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:<a@b>>", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:<\"a>", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:<\"a\\\"@b>", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:<\"\\", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:<a\r@b>", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:<a@b>\r", "501 5.5.4 ", NULL },
	{ HELLO, "MAIL FROM:<a@b> \r ", "501 5.5.4 ", NULL },
	{ HELLO, "MAILFROM:<a@b>", "500 5.5.2 ", NULL },
	{ HELLO, "SEND FROM:<a@b>", "500 5.5.2 ", NULL },

	{ MAIL, "RCPT TO:<b@example.org>", PERMANENT, "b@example.org" },
	{ MAIL, "rcpt to: <b@example.org> NOTIFY=NEVER", PERMANENT, "b@example.org" },
	{ MAIL, "RCPT TO:<Postmaster>", PERMANENT, "Postmaster" },
	{ MAIL, "RCPT TO:<b\x01@c>", PERMANENT, "b?@c" },
	{ MAIL, "RCPT TO:<>", "501 5.5.4 ", NULL },
	{ MAIL, "RCPT TO:<b@c", "501 5.5.4 ", NULL },
	{ MAIL, "RCPT TO:b@c", "501 5.5.4 ", NULL },
	{ MAIL, "RCPT FROM:<b@c>", "501 5.5.4 ", NULL },
	{ MAIL, "RCPT", "501 5.5.4 ", NULL },
	{ MAIL, "RCPT TO:<b\r@c>", "501 5.5.4 ", NULL },

	{ MAIL, "DATA x", "501 5.5.4 ", NULL },
	{ MAIL, "DATA \t", "554 5.5.1 ", NULL },
	{ MAIL, "RSET x", "501 5.5.4 ", NULL },
	{ MAIL, "RSET ", "250 2.0.0 ", NULL },
	{ MAIL, "NOOP how are you", "250 2.0.0 ", NULL },
	{ MAIL, "NOOP a\rb", "501 5.5.4 ", NULL },
	{ MAIL, "QUIT x", "501 5.5.4 ", NULL },
	{ MAIL, "QUIT ", "221 2.0.0 ", NULL },
	{ MAIL, "QUIT\r", "500 5.5.2 ", NULL },
	{ MAIL, "QUI\rT", "500 5.5.2 ", NULL },
	{ MAIL, "VRFY a\rb", "502 5.5.1 ", NULL },
	{ MAIL, "\xff\xfe\x16\x03\x01", "500 5.5.2 ", NULL },
	{ DENIED, "QUIT x", "501 5.5.4 ", NULL },
};

/* What a line of the table leaves behind in the field of its state. */
static const char *kept(const struct talk *talk, int state)
{
	return state == GREETED ? talk->smtp.helo :
	       state == HELLO	? talk->smtp.from :
				  talk->smtp.to;
}

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		unsigned int commands, replies;
		struct talk talk;
		char line[128];

		start_in(&talk, lines[i].state);
		commands = talk.smtp.commands;
		replies = talk.replies;
		snprintf(line, sizeof(line), "%s\r\n", lines[i].line);
		(void)say(&talk, line);
		assert_int_equal(talk.replies, replies + 1);
		assert_int_equal(talk.smtp.commands, commands + 1);
		if (strncmp(talk.all + talk.last, lines[i].reply, strlen(lines[i].reply)) != 0)
			fail_msg("\"%s\": %s", lines[i].line, talk.all + talk.last);
		if (lines[i].state != DENIED)
			assert_string_equal(kept(&talk, lines[i].state), lines[i].kept ?: "");
		assert_int_equal(talk.smtp.odd.syntax, !strncmp(lines[i].reply, "501", 3));
		assert_int_equal(talk.smtp.odd.unknown, !strncmp(lines[i].reply, "500", 3));
		assert_int_equal(talk.smtp.odd.bare_lf + talk.smtp.odd.nul, 0);
		if (!strncmp(lines[i].reply, "501", 3))
			assert_int_equal(talk.smtp.state, states[lines[i].state]);
	}
}

static void test_first_is_kept(void **state)
{
	struct talk talk;

	(void)state;
	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	say(&talk, "EHLO\r\n");
	say(&talk, "EHLO one\r\n");
	say(&talk, "MAIL FROM:broken\r\n");
	say(&talk, "MAIL FROM:<>\r\n");
	say(&talk, "RSET\r\n");
	say(&talk, "HELO two\r\n");
	say(&talk, "MAIL FROM:<a@b>\r\n");
	say(&talk, "RCPT TO:<>\r\n");
	say(&talk, "RCPT TO:<c@d>\r\n");
	say(&talk, "RCPT TO:<e@f>\r\n");
	assert_string_equal(talk.smtp.helo, "one");
	assert_string_equal(talk.smtp.from, "");
	assert_int_equal(talk.smtp.senders, 2);
	assert_string_equal(talk.smtp.to, "c@d");
	assert_int_equal(talk.smtp.recipients, 2);
	assert_false(talk.smtp.esmtp);
}

static void test_kept_is_cut(void **state)
{
	char name[RG_SMTP_TEXT + 50], line[RG_SMTP_TEXT + 100];
	struct talk talk;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	snprintf(line, sizeof(line), "EHLO %s\r\n", name);
	say(&talk, line);
	snprintf(line, sizeof(line), "MAIL FROM:<%s>\r\n", name);
	say(&talk, line);
	snprintf(line, sizeof(line), "RCPT TO:<%s>\r\n", name);
	assert_string_equal(say(&talk, line), TEMPORARY);
	assert_int_equal(strlen(talk.smtp.helo), RG_SMTP_TEXT - 1);
	assert_int_equal(strlen(talk.smtp.from), RG_SMTP_TEXT - 1);
	assert_int_equal(strlen(talk.smtp.to), RG_SMTP_TEXT - 1);
}

/* ---- line ends, NUL, pipelining ---- */

#define BYTES(text) text, sizeof(text) - 1

static void test_bare_lf(void **state)
{
	struct talk talk;

	(void)state;
	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	assert_reply(say(&talk, "EHLO c\n"), "250-");
	assert_reply(say(&talk, "MAIL FROM:<a@b>\r\n"), "250 2.1.0");
	assert_string_equal(say(&talk, "RCPT TO:<a@b>\n"), TEMPORARY);
	assert_reply(say(&talk, "\n"), "500 5.5.2");
	assert_int_equal(talk.smtp.odd.bare_lf, 3);
	assert_int_equal(talk.smtp.odd.unknown, 1);
	assert_int_equal(talk.smtp.commands, 4);
	assert_string_equal(talk.smtp.helo, "c");
}

static void test_nul(void **state)
{
	struct talk talk;

	(void)state;
	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	assert_reply(say_bytes(&talk, BYTES("EHLO c\0d\r\n")), "500 5.5.2");
	assert_int_equal(talk.verb, RG_SMTP_NO_VERB);
	assert_reply(say_bytes(&talk, BYTES("\0\r\n")), "500 5.5.2");
	assert_reply(say_bytes(&talk, BYTES("QUIT\0\n")), "500 5.5.2");
	assert_int_equal(talk.smtp.odd.nul, 3);
	assert_int_equal(talk.smtp.odd.bare_lf, 1);
	assert_int_equal(talk.smtp.commands, 3);
	assert_int_equal(talk.smtp.state, RG_SMTP_GREETED);
	assert_string_equal(talk.smtp.helo, "");

	start(&talk, RG_SMTP_AT_GREETING, &permanent);
	assert_reply(say_bytes(&talk, BYTES("QUIT\0\r\n")), "503 5.5.1");
}

static void test_pipelined(void **state)
{
	struct talk talk;

	(void)state;
	/* Nothing may follow EHLO before its reply (RFC 2920, 3.1); much may follow MAIL, RCPT and RSET. */
	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	say(&talk, "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n");
	assert_int_equal(talk.smtp.odd.pipelined, 1);
	say(&talk, "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@b>\r\nDATA\r\n");
	assert_int_equal(talk.smtp.odd.pipelined, 1);
	assert_string_equal(talk.verbs, "023463445");
	/* A beginning counts too; its rest, with nothing behind, does not. */
	assert_int_equal(rg_smtp_feed(&talk.smtp, BYTES("NOOP\r\nNO")), 6);
	assert_int_equal(talk.smtp.odd.pipelined, 2);
	assert_int_equal(rg_smtp_feed(&talk.smtp, BYTES("NOOP\r\n")), 6);
	assert_int_equal(talk.smtp.odd.pipelined, 2);
	say(&talk, "DATA\r\nSubject: I did not wait\r\n");
	assert_int_equal(talk.smtp.odd.pipelined, 3);
	assert_int_equal(rg_smtp_feed(&talk.smtp, BYTES("QUIT\r\nNOOP\r\n")), 12);
	assert_int_equal(talk.smtp.odd.pipelined, 3);
	assert_string_equal(talk.all + talk.last, "221 2.0.0 Bye\r\n");

	/* HELO offers nothing. */
	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	say(&talk, "HELO c\r\n");
	say(&talk, "MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@b>\r\n");
	assert_int_equal(talk.smtp.odd.pipelined, 2);
}

/* ---- what a mail may need ---- */

static void test_parameters(void **state)
{
	static const char *const mails[] = {
		"MAIL FROM:<p\xc3\xb6st@example.com> SMTPUTF8\r\n",
		"MAIL FROM:<a@example.com> SMTPUTF8 BODY=8BITMIME SIZE=123456789012\r\n",
		"MAIL FROM:<a@example.com> BODY=BINARYMIME RET=HDRS ENVID=QQ314159\r\n",
		"MAIL FROM:<a@example.com> AUTH=<> MT-PRIORITY=3 X-UNKNOWN=1\r\n",
	};
	struct talk talk;

	(void)state;
	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	say(&talk, "EHLO client.example.com\r\n");
	for (size_t i = 0; i < ARRAY_SIZE(mails); i++) {
		assert_reply(say(&talk, mails[i]), "250 2.1.0");
		assert_string_equal(say(&talk, "RCPT TO:<p\xc3\xb6stmaster@example.org>\r\n"),
				    TEMPORARY);
		assert_string_equal(say(&talk, "RCPT TO:<b@example.org> NOTIFY=SUCCESS,FAILURE "
					       "ORCPT=utf-8;p\\x{F6}st@example.org\r\n"),
				    TEMPORARY);
		say(&talk, "RSET\r\n");
	}
	assert_int_equal(talk.smtp.odd.syntax, 0);
	assert_string_equal(talk.smtp.from, "p??st@example.com");
}

/* ---- limits ---- */

static void test_spare_commands(void **state)
{
	static const char *const kinds[] = { "NOOP\r\n",  "\r\n",     "\n",
					     "XYZZY\r\n", "EHLO\r\n", "RCPT TO:<a@b>\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct talk talk;

		start(&talk, RG_SMTP_AT_RCPT, &permanent);
		for (int n = 0; n < RG_SMTP_SPARE; n++) {
			const char *reply = say(&talk, kinds[i]);

			assert_int_not_equal(strncmp(reply, "421", 3), 0);
			assert_int_not_equal(talk.smtp.state, RG_SMTP_CLOSING);
		}
		assert_string_equal(say(&talk, kinds[i]), "421 4.7.0 " HOST " Too many commands\r\n");
		assert_int_equal(talk.verb, RG_SMTP_NO_VERB);
		assert_int_equal(talk.smtp.state, RG_SMTP_CLOSING);
		assert_int_equal(talk.replies, RG_SMTP_SPARE + 2);
	}
}

/* What was said before stays small; the count of commands tells all. */
static void forget(struct talk *talk)
{
	talk->len = talk->last = 0;
	talk->replies = 0;
}

/* Every recipient of a mail gets the same refusal, however many there are and whatever came before. */
static void test_recipients(void **state)
{
	struct talk talk;

	(void)state;
	start(&talk, RG_SMTP_AT_RCPT, &permanent);
	for (int i = 0; i < RG_SMTP_SPARE - 2; i++)
		say(&talk, "NOOP\r\n");
	say(&talk, "EHLO c\r\n");
	say(&talk, "MAIL FROM:<a@b>\r\n");
	for (int i = 0; i < RG_SMTP_RECIPIENTS; i++) {
		forget(&talk);
		assert_string_equal(say(&talk, "RCPT TO:<c@d>\r\n"), PERMANENT);
	}
	/* More than any sender puts into one mail: the rest comes in the next one (4.5.3.1.10). */
	assert_reply(say(&talk, "RCPT TO:<c@d>\r\n"), "452 4.5.3 ");
	say(&talk, "RSET\r\n");
	say(&talk, "MAIL FROM:<a@b>\r\n");
	assert_string_equal(say(&talk, "RCPT TO:<c@d>\r\n"), PERMANENT);
	assert_int_equal(talk.smtp.recipients, RG_SMTP_RECIPIENTS + 1);
}

/* A connection that a sender keeps for many mails ends between two of them. */
static void test_mails(void **state)
{
	struct talk talk;

	(void)state;
	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	say(&talk, "EHLO c\r\n");
	for (int i = 0; i < RG_SMTP_MAILS; i++) {
		forget(&talk);
		assert_reply(say(&talk, "MAIL FROM:<a@b>\r\n"), "250 2.1.0");
		for (int n = 0; n < 100; n++)
			assert_string_equal(say(&talk, "RCPT TO:<c@d>\r\n"), TEMPORARY);
		assert_reply(say(&talk, "DATA\r\n"), "554 5.5.1");
		assert_reply(say(&talk, "RSET\r\n"), "250 2.0.0");
	}
	assert_reply(say(&talk, "MAIL FROM:<a@b>\r\n"), "421 4.7.0 " HOST " Too many mails");
	assert_int_equal(talk.smtp.state, RG_SMTP_CLOSING);
	assert_int_equal(talk.smtp.senders, RG_SMTP_MAILS);
}

/* A line of len octets with its end. */
static void long_line(char *out, size_t len, const char *begin, const char *end)
{
	memset(out, 'x', len);
	memcpy(out, begin, strlen(begin));
	memcpy(out + len - strlen(end), end, strlen(end));
}

static void test_long_lines(void **state)
{
	char line[4 * RG_SMTP_LINE];
	struct talk talk;

	(void)state;
	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	long_line(line, RG_SMTP_LINE, "EHLO ", "\r\n");
	assert_reply(say_bytes(&talk, line, RG_SMTP_LINE), "250-");
	assert_int_equal(talk.smtp.odd.long_lines, 0);
	long_line(line, RG_SMTP_LINE + 1, "EHLO ", "\r\n");
	assert_reply(say_bytes(&talk, line, RG_SMTP_LINE + 1), "500 5.5.2 Line too long");
	assert_int_equal(talk.verb, RG_SMTP_NO_VERB);
	long_line(line, sizeof(line), "NOOP ", "\n");
	assert_reply(say_bytes(&talk, line, sizeof(line)), "500 5.5.2 Line too long");
	/* What is in it is not a command, and the next line is one again. */
	memcpy(line + RG_SMTP_LINE + 10, "\rQUIT\r", 6);
	memcpy(line + 3 * RG_SMTP_LINE, "\nNOOP\r\n", 7);
	assert_reply(say_bytes(&talk, line, 3 * RG_SMTP_LINE + 7), "250 2.0.0");
	assert_int_equal(talk.smtp.odd.long_lines, 3);
	assert_int_equal(talk.smtp.odd.pipelined, 1);
	assert_int_equal(talk.smtp.commands, 5);
	assert_int_equal(talk.replies, 6);
}

static void test_long_line_in_pieces(void **state)
{
	char line[RG_SMTP_LINE];
	struct talk talk;

	(void)state;
	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	memset(line, 'x', sizeof(line));
	assert_int_equal(rg_smtp_feed(&talk.smtp, line, sizeof(line) - 1), 0);
	assert_int_equal(rg_smtp_feed(&talk.smtp, line, sizeof(line)), sizeof(line));
	assert_true(talk.smtp.discarding);
	assert_int_equal(talk.replies, 1);
	assert_int_equal(rg_smtp_feed(&talk.smtp, line, 5), 5);
	assert_int_equal(talk.replies, 1);
	assert_reply(say(&talk, "tail\r\n"), "500 5.5.2 Line too long");
	assert_false(talk.smtp.discarding);
	assert_reply(say(&talk, "NOOP\r\n"), "250 2.0.0");
	assert_int_equal(talk.smtp.odd.long_lines, 1);
	assert_int_equal(talk.smtp.commands, 2);

	/* Long lines are commands of the limit, and of a session that is denied. */
	start(&talk, RG_SMTP_AT_GREETING, &permanent);
	for (int i = 0; i < RG_SMTP_SPARE; i++) {
		assert_int_equal(rg_smtp_feed(&talk.smtp, line, sizeof(line)), sizeof(line));
		assert_reply(say(&talk, "\r\n"), "503 5.5.1");
	}
	assert_int_equal(rg_smtp_feed(&talk.smtp, line, sizeof(line)), sizeof(line));
	assert_reply(say(&talk, "\r\n"), "421 4.7.0");
}

/* ---- the ends of a session ---- */

static void test_before_and_after(void **state)
{
	struct talk talk;
	unsigned int replies;

	(void)state;
	init(&talk, RG_SMTP_AT_RCPT, &temporary);
	assert_int_equal(rg_smtp_feed(&talk.smtp, BYTES("EHLO early\r\n")), 0);
	assert_int_equal(talk.replies, 0);

	start(&talk, RG_SMTP_AT_RCPT, &temporary);
	say(&talk, "QUIT\r\n");
	replies = talk.replies;
	say(&talk, "EHLO c\r\nMAIL FROM:<a@b>\r\npart");
	rg_smtp_close(&talk.smtp, "4.3.2", "again");
	assert_int_equal(talk.replies, replies);
	assert_int_equal(talk.smtp.commands, 1);
	assert_int_equal(rg_smtp_feed(&talk.smtp, "", 0), 0);

	start(&talk, RG_SMTP_AT_GREETING, &temporary);
	say(&talk, "EHLO c\r\n");
	assert_int_equal(talk.replies, 1);
}

static void test_close(void **state)
{
	char host[400], reason[700];
	struct talk talk;

	(void)state;
	/* Instead of a greeting, too. */
	init(&talk, RG_SMTP_AT_RCPT, &temporary);
	rg_smtp_close(&talk.smtp, "4.3.2", "Too many connections");
	assert_string_equal(talk.all, "421 4.3.2 " HOST " Too many connections\r\n");
	assert_int_equal(talk.smtp.state, RG_SMTP_CLOSING);
	assert_int_equal(talk.verb, RG_SMTP_NO_VERB);

	for (int i = 0; i < STATES; i++) {
		start_in(&talk, i);
		rg_smtp_close(&talk.smtp, "4.4.2", "Timeout");
		assert_string_equal(talk.all + talk.last, "421 4.4.2 " HOST " Timeout\r\n");
		assert_int_equal(talk.smtp.state, RG_SMTP_CLOSING);
	}

	/* Whatever the names are, a reply stays one: take_reply looks at it. */
	memset(host, 'h', sizeof(host));
	memset(reason, 'r', sizeof(reason));
	host[sizeof(host) - 1] = reason[sizeof(reason) - 1] = '\0';
	init(&talk, RG_SMTP_AT_RCPT, &temporary);
	talk.smtp.host = host;
	rg_smtp_greet(&talk.smtp);
	assert_reply(say(&talk, "EHLO c\r\n"), "250-hhhh");
	assert_non_null(strstr(talk.all, "\r\n" EXTENSIONS));
	say(&talk, "HELO c\r\n");
	rg_smtp_close(&talk.smtp, "4.3.2", reason);
	assert_int_equal(talk.len - talk.last, 512);
}

/* ---- streams, split in whatever way ---- */

#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X1000 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100

static const struct {
	const char *bytes;
	size_t len;
} streams[] = {
	{ BYTES("EHLO client\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\nQUIT\r\nNOOP\r\n") },
	{ BYTES("HELO c\nMAIL FROM:<>\n\n\r\n\rRSET\r\r\nNO\rOP\nNOOP \r\r\n\0\r\nQUIT\0\nHELP\r\nXYZZY") },
	{ BYTES("NOOP\r\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nQUIT\r\n") },
	{ BYTES("EHLO " X1000 X1000 X10 X10 X10 X10 "x\r\nNOOP\r\n") }, /* 2048: fits */
	{ BYTES("EHLO " X1000 X1000 X10 X10 X10 X10 "xx\r\nNOOP\r\n") }, /* 2049: does not */
	{ BYTES("EHLO " X1000 X1000 X10 X10 X10 X10 "xxx\nNOOP\n") },
	{ BYTES("EHLO " X1000 X1000 X1000 "\r\rNOOP\r\nNOOP\r\n" X1000 X1000 X1000 "\0\nQUIT\r\n") },
	{ BYTES(X1000 X1000 X1000) },
};

/* Feeds as a caller with a buffer of RG_SMTP_LINE bytes does, in pieces of at most piece bytes. */
static void feed_pieces(struct talk *talk, const char *bytes, size_t len, size_t first, size_t piece)
{
	char buffer[RG_SMTP_LINE];
	size_t have = 0, size = first;

	for (size_t at = 0; at < len; size = piece) {
		size_t room = sizeof(buffer) - have, taken;

		size = size < room ? size : room;
		size = size < len - at ? size : len - at;
		memcpy(buffer + have, bytes + at, size);
		at += size;
		have += size;
		taken = rg_smtp_feed(&talk->smtp, buffer, have);
		assert_true(taken <= have);
		have -= taken;
		assert_true(have < RG_SMTP_LINE);
		memmove(buffer, buffer + taken, have);
	}
}

static void compare_talks(struct talk *a, struct talk *b)
{
	assert_string_equal(a->all, b->all);
	assert_string_equal(a->verbs, b->verbs);
	/* Pieces hide what is already under way. */
	a->smtp.odd.pipelined = b->smtp.odd.pipelined = 0;
	assert_memory_equal(&a->smtp.odd, &b->smtp.odd, sizeof(a->smtp.odd));
	assert_int_equal(a->smtp.state, b->smtp.state);
	assert_int_equal(a->smtp.commands, b->smtp.commands);
	assert_int_equal(a->smtp.senders, b->smtp.senders);
	assert_int_equal(a->smtp.recipients, b->smtp.recipients);
	assert_int_equal(a->smtp.discarding, b->smtp.discarding);
	assert_string_equal(a->smtp.helo, b->smtp.helo);
	assert_string_equal(a->smtp.from, b->smtp.from);
	assert_string_equal(a->smtp.to, b->smtp.to);
}

static void test_splits(void **state)
{
	static struct talk whole, pieces;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(streams) * 2; i++) {
		const char *bytes = streams[i / 2].bytes;
		size_t len = streams[i / 2].len;
		enum rg_smtp_stage stage = i % 2 ? RG_SMTP_AT_GREETING : RG_SMTP_AT_RCPT;

		/* In two pieces at each place, and in pieces of each size. */
		for (size_t split = 1; split <= len; split += 1 + split / 64) {
			start(&whole, stage, &permanent);
			feed_pieces(&whole, bytes, len, len, len);
			start(&pieces, stage, &permanent);
			feed_pieces(&pieces, bytes, len, split, len);
			compare_talks(&whole, &pieces);
			start(&pieces, stage, &permanent);
			feed_pieces(&pieces, bytes, len, split, split);
			compare_talks(&whole, &pieces);
		}
		/* One call with all of it; the rest is the beginning of a line. */
		start(&pieces, stage, &permanent);
		assert_in_range(len - rg_smtp_feed(&pieces.smtp, bytes, len), 0, RG_SMTP_LINE - 1);
		compare_talks(&whole, &pieces);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greetings),
		cmocka_unit_test(test_dialogue),
		cmocka_unit_test(test_helo_dialogue),
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_first_is_kept),
		cmocka_unit_test(test_kept_is_cut),
		cmocka_unit_test(test_bare_lf),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_spare_commands),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_mails),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_long_line_in_pieces),
		cmocka_unit_test(test_before_and_after),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_splits),
	};

	return cmocka_run_group_tests_name("smtp", tests, NULL, NULL);
}
