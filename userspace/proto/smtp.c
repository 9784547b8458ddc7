/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/smtp.h"

#include <strings.h>

#define HOST_TEXT \
	255 /* octets of a domain (RFC 5321, 4.5.3.1.2): keeps replies within their lines */

/* States as a set. */
#define IN(state) (1U << (state))
#define IN_SESSION (IN(RG_SMTP_GREETED) | IN(RG_SMTP_HELLO) | IN(RG_SMTP_MAIL))

/* A part of the caller's bytes; no NUL behind it. */
struct span {
	const char *text;
	size_t len;
};

/* What may follow a verb. A CR in it is wrong for all but ARGS_IGNORED. */
enum args { ARGS_IGNORED, ARGS_NONE, ARGS_OPTIONAL, ARGS_NEEDED };

struct command {
	const char *name; /* NULL: for lines that are no command */
	enum rg_smtp_verb verb;
	unsigned int states; /* in which it is allowed */
	enum args args;
	void (*run)(struct rg_smtp *smtp, const struct command *command, struct span args);
	const char *text; /* the reply to wrong arguments, or the only reply */
};

/* Sends a reply of one line, or of several with CRLF between them. */
__attribute__((format(printf, 3, 4))) static void say(struct rg_smtp *smtp, enum rg_smtp_verb verb,
						      const char *format, ...)
{
	char reply[RG_REPLY_LINE + 1];
	va_list args;
	size_t len;

	va_start(args, format);
	vsnprintf(reply, RG_REPLY_LINE - 1, format, args);
	va_end(args);
	len = strlen(reply);
	memcpy(reply + len, "\r\n", sizeof("\r\n"));
	smtp->write(smtp->arg, verb, reply, len + 2);
}

static void refuse(struct rg_smtp *smtp, enum rg_smtp_verb verb, unsigned int code)
{
	char reply[RG_REPLY_SIZE];
	size_t len = rg_reply_render(smtp->refusal, &smtp->addr, code, reply);

	smtp->refused = true;
	smtp->refused_as = code;
	smtp->write(smtp->arg, verb, reply, len);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span skip(struct span span, size_t len)
{
	return (struct span){ span.text + len, span.len - len };
}

static struct span skip_blanks(struct span span)
{
	while (span.len && is_blank(*span.text))
		span = skip(span, 1);
	return span;
}

static struct span trim(struct span span)
{
	span = skip_blanks(span);
	while (span.len && is_blank(span.text[span.len - 1]))
		span.len--;
	return span;
}

/* Copies for the log. Octets that are not printable become '?', so that a peer can't forge a line. */
static void keep(char out[RG_SMTP_TEXT], struct span span)
{
	size_t len = span.len < RG_SMTP_TEXT ? span.len : RG_SMTP_TEXT - 1;

	for (size_t i = 0; i < len; i++)
		out[i] = span.text[i] >= ' ' && span.text[i] <= '~' ? span.text[i] : '?';
	out[len] = '\0';
}

/* Where the path ends: at the first '>' that is not quoted (RFC 5321, 4.1.2: Quoted-string). */
static size_t path_length(struct span span)
{
	bool quoted = false;

	for (size_t i = 0; i < span.len; i++) {
		if (span.text[i] == '"')
			quoted = !quoted;
		else if (quoted && span.text[i] == '\\')
			i++;
		else if (!quoted && span.text[i] == '>')
			return i;
	}
	return span.len;
}

/* "FROM:<path> parameters", with blanks around the colon, as old clients write it. */
static bool parse_path(struct span args, const char *keyword, struct span *path)
{
	size_t word = strlen(keyword);

	if (args.len < word || strncasecmp(args.text, keyword, word))
		return false;
	args = skip_blanks(skip(args, word));
	if (!args.len || *args.text != ':')
		return false;
	args = skip_blanks(skip(args, 1));
	if (!args.len || *args.text != '<')
		return false;
	args = skip(args, 1);
	*path = (struct span){ args.text, path_length(args) };
	if (path->len == args.len)
		return false;
	args = skip(args, path->len + 1);
	return !args.len || is_blank(*args.text);
}

static void say_syntax(struct rg_smtp *smtp, const struct command *command)
{
	smtp->odd.syntax++;
	say(smtp, command->verb, "%s", command->text);
}

static void say_sequence(struct rg_smtp *smtp, const struct command *command)
{
	static const char *const hints[] = {
		[RG_SMTP_GREETED] = "EHLO or HELO comes first",
		[RG_SMTP_HELLO] = "MAIL comes first",
		[RG_SMTP_MAIL] = "There is a sender already",
		[RG_SMTP_DENIED] = "No service here, QUIT",
	};

	smtp->odd.sequence++;
	say(smtp, command->verb, "503 5.5.1 %s", hints[smtp->state]);
}

/*
 * What a mail may need. Without SMTPUTF8 or 8BITMIME, a sender bounces a mail that needs it, and never
 * hears the 450 (RFC 6531, 3.5; RFC 6152, 3). Every parameter of MAIL and RCPT is taken: no mail
 * is. SIZE without a number promises no limit (RFC 1870, 4).
 */
#define EXTENSIONS                    \
	"\r\n250-PIPELINING"          \
	"\r\n250-SIZE"                \
	"\r\n250-ENHANCEDSTATUSCODES" \
	"\r\n250-8BITMIME"            \
	"\r\n250-DSN"                 \
	"\r\n250 SMTPUTF8"

static void run_hello(struct rg_smtp *smtp, const struct command *command, struct span args)
{
	smtp->esmtp = command->verb == RG_SMTP_VERB_EHLO;
	smtp->state = RG_SMTP_HELLO;
	if (!smtp->helo[0])
		keep(smtp->helo, args);
	if (smtp->esmtp)
		say(smtp, command->verb, "250-%.*s" EXTENSIONS, HOST_TEXT, smtp->host);
	else
		say(smtp, command->verb, "250 %.*s", HOST_TEXT, smtp->host);
}

/* A mail is three commands beside its recipients: MAIL, DATA and RSET. */
static void credit_mail(struct rg_smtp *smtp)
{
	smtp->spent -= smtp->spent < 3 ? smtp->spent : 3;
}

static void run_mail(struct rg_smtp *smtp, const struct command *command, struct span args)
{
	struct span path;

	if (!parse_path(args, "FROM", &path)) {
		say_syntax(smtp, command);
		return;
	}
	if (smtp->senders == RG_SMTP_MAILS) {
		rg_smtp_close(smtp, "4.7.0", "Too many mails");
		return;
	}
	if (!smtp->senders++)
		keep(smtp->from, path);
	smtp->state = RG_SMTP_MAIL;
	smtp->mail_recipients = 0;
	credit_mail(smtp);
	say(smtp, command->verb, "250 2.1.0 Ok");
}

static void run_rcpt(struct rg_smtp *smtp, const struct command *command, struct span args)
{
	struct span path;

	if (!parse_path(args, "TO", &path) || !path.len) {
		say_syntax(smtp, command);
		return;
	}
	if (smtp->mail_recipients == RG_SMTP_RECIPIENTS) {
		say(smtp, command->verb, "452 4.5.3 Too many recipients");
		return;
	}
	smtp->mail_recipients++;
	smtp->spent--;
	if (!smtp->recipients++)
		keep(smtp->to, path);
	refuse(smtp, command->verb, 0);
}

static void run_data(struct rg_smtp *smtp, const struct command *command, struct span args)
{
	(void)args;
	say(smtp, command->verb, "554 5.5.1 No valid recipients");
}

static void run_rset(struct rg_smtp *smtp, const struct command *command, struct span args)
{
	(void)args;
	if (smtp->state == RG_SMTP_MAIL)
		smtp->state = RG_SMTP_HELLO;
	say(smtp, command->verb, "250 2.0.0 Ok");
}

static void run_noop(struct rg_smtp *smtp, const struct command *command, struct span args)
{
	(void)args;
	say(smtp, command->verb, "250 2.0.0 Ok");
}

static void run_quit(struct rg_smtp *smtp, const struct command *command, struct span args)
{
	(void)args;
	say(smtp, command->verb, "221 2.0.0 Bye");
	smtp->state = RG_SMTP_CLOSING;
}

static void run_text(struct rg_smtp *smtp, const struct command *command, struct span args)
{
	(void)args;
	say(smtp, command->verb, "%s", command->text);
}

/* clang-format off */
#define NOT_OFFERED(name) \
	{ name, RG_SMTP_VERB_OTHER, IN_SESSION, ARGS_IGNORED, run_text, "502 5.5.1 Command not offered" }

/* Replies to HELO and EHLO have no enhanced code (RFC 2034, 3). */
static const struct command commands[] = {
	{ "HELO", RG_SMTP_VERB_HELO, IN_SESSION, ARGS_NEEDED, run_hello, "501 Syntax: HELO hostname" },
	{ "EHLO", RG_SMTP_VERB_EHLO, IN_SESSION, ARGS_NEEDED, run_hello, "501 Syntax: EHLO hostname" },
	{ "MAIL", RG_SMTP_VERB_MAIL, IN(RG_SMTP_HELLO), ARGS_NEEDED, run_mail, "501 5.5.4 Syntax: MAIL FROM:<address>" },
	{ "RCPT", RG_SMTP_VERB_RCPT, IN(RG_SMTP_MAIL), ARGS_NEEDED, run_rcpt, "501 5.5.4 Syntax: RCPT TO:<address>" },
	{ "DATA", RG_SMTP_VERB_DATA, IN(RG_SMTP_MAIL), ARGS_NONE, run_data, "501 5.5.4 Syntax: DATA" },
	{ "RSET", RG_SMTP_VERB_RSET, IN_SESSION, ARGS_NONE, run_rset, "501 5.5.4 Syntax: RSET" },
	{ "NOOP", RG_SMTP_VERB_NOOP, IN_SESSION, ARGS_OPTIONAL, run_noop, "501 5.5.4 Syntax: NOOP" },
	{ "QUIT", RG_SMTP_VERB_QUIT, IN_SESSION | IN(RG_SMTP_DENIED), ARGS_NONE, run_quit, "501 5.5.4 Syntax: QUIT" },
	NOT_OFFERED("VRFY"), NOT_OFFERED("EXPN"), NOT_OFFERED("HELP"), NOT_OFFERED("ETRN"),
	NOT_OFFERED("AUTH"), NOT_OFFERED("STARTTLS"), NOT_OFFERED("BDAT"), NOT_OFFERED("TURN"),
};

static const struct command unknown = {
	NULL, RG_SMTP_VERB_OTHER, IN_SESSION, ARGS_IGNORED, run_text, "500 5.5.2 Command unknown"
};
static const struct command with_nul = {
	NULL, RG_SMTP_NO_VERB, IN_SESSION, ARGS_IGNORED, run_text, "500 5.5.2 NUL in the command"
};
static const struct command too_long = {
	NULL, RG_SMTP_NO_VERB, IN_SESSION, ARGS_IGNORED, run_text, "500 5.5.2 Line too long"
};
/* clang-format on */

static bool args_right(enum args rule, struct span args)
{
	if (rule == ARGS_IGNORED)
		return true;
	if (rule == ARGS_NONE && args.len)
		return false;
	if (rule == ARGS_NEEDED && !args.len)
		return false;
	return !args.len || !memchr(args.text, '\r', args.len);
}

/* What may follow these need not wait for the reply (RFC 2920, 3.1). */
static bool may_be_pipelined(enum rg_smtp_verb verb)
{
	return verb == RG_SMTP_VERB_MAIL || verb == RG_SMTP_VERB_RCPT || verb == RG_SMTP_VERB_RSET;
}

/*
 * Answers one line, exactly once. Each command is spent. MAIL and RCPT give back what a mail needs, so that
 * a mail to as many recipients as RFC 5321 wants is never refused in two halves.
 */
static void answer(struct rg_smtp *smtp, const struct command *command, struct span args)
{
	smtp->commands++;
	if (smtp->spent++ >= RG_SMTP_SPARE)
		rg_smtp_close(smtp, "4.7.0", "Too many commands");
	else if (!(command->states & IN(smtp->state)))
		say_sequence(smtp, command);
	else if (!args_right(command->args, args))
		say_syntax(smtp, command);
	else
		command->run(smtp, command, args);
	smtp->waited_for = !smtp->esmtp || !may_be_pipelined(command->verb);
}

static const struct command *find(struct span verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strlen(commands[i].name) == verb.len &&
		    !strncasecmp(commands[i].name, verb.text, verb.len))
			return &commands[i];
	return &unknown;
}

/* line: without its LF. */
static void answer_line(struct rg_smtp *smtp, struct span line)
{
	const struct command *command;
	struct span verb = { line.text, 0 };

	if (line.len && line.text[line.len - 1] == '\r')
		line.len--;
	else
		smtp->odd.bare_lf++;
	if (memchr(line.text, '\0', line.len)) {
		smtp->odd.nul++;
		answer(smtp, &with_nul, line);
		return;
	}
	while (verb.len < line.len && !is_blank(line.text[verb.len]))
		verb.len++;
	command = find(verb);
	if (command == &unknown)
		smtp->odd.unknown++;
	answer(smtp, command, trim(skip(line, verb.len)));
}

/*
 * Takes one line, or the part at hand of one that is too long. Returns its octets, 0 if the line is
 * not whole yet. A line that is too long is answered at its end, as any other, and is not looked into.
 */
static size_t take_line(struct rg_smtp *smtp, struct span rest)
{
	size_t window = rest.len < RG_SMTP_LINE ? rest.len : RG_SMTP_LINE;
	const char *end;

	if (!smtp->discarding) {
		end = memchr(rest.text, '\n', window);
		if (end) {
			answer_line(smtp, (struct span){ rest.text, (size_t)(end - rest.text) });
			return (size_t)(end - rest.text) + 1;
		}
		if (rest.len < RG_SMTP_LINE)
			return 0;
		smtp->discarding = true;
		smtp->odd.long_lines++;
	}
	end = memchr(rest.text, '\n', rest.len);
	if (!end)
		return rest.len;
	smtp->discarding = false;
	answer(smtp, &too_long, (struct span){ rest.text, 0 });
	return (size_t)(end - rest.text) + 1;
}

void rg_smtp_init(struct rg_smtp *smtp, enum rg_smtp_stage stage, const char *host,
		  const struct rg_refusal *refusal, const struct rg_addr *addr,
		  rg_smtp_write *write, void *arg)
{
	*smtp = (struct rg_smtp){
		.stage = stage,
		.host = host,
		.refusal = refusal,
		.addr = *addr,
		.write = write,
		.arg = arg,
	};
}

void rg_smtp_greet(struct rg_smtp *smtp)
{
	if (smtp->stage == RG_SMTP_AT_RCPT) {
		say(smtp, RG_SMTP_NO_VERB, "220 %.*s ESMTP", HOST_TEXT, smtp->host);
		smtp->state = RG_SMTP_GREETED;
	} else if (smtp->refusal->permanent) {
		refuse(smtp, RG_SMTP_NO_VERB, 554);
		smtp->state = RG_SMTP_DENIED;
	} else {
		refuse(smtp, RG_SMTP_NO_VERB, 421);
		smtp->state = RG_SMTP_CLOSING;
	}
}

size_t rg_smtp_feed(struct rg_smtp *smtp, const char *bytes, size_t len)
{
	size_t taken = 0;

	if (smtp->state == RG_SMTP_CONNECTED)
		return 0;
	while (taken < len && smtp->state != RG_SMTP_CLOSING) {
		size_t got = take_line(smtp, (struct span){ bytes + taken, len - taken });

		if (!got)
			return taken;
		taken += got;
		if (taken < len && smtp->waited_for && smtp->state != RG_SMTP_CLOSING)
			smtp->odd.pipelined++;
	}
	return len;
}

void rg_smtp_close(struct rg_smtp *smtp, const char *enhanced, const char *reason)
{
	if (smtp->state == RG_SMTP_CLOSING)
		return;
	say(smtp, RG_SMTP_NO_VERB, "421 %s %.*s %s", enhanced, HOST_TEXT, smtp->host, reason);
	smtp->state = RG_SMTP_CLOSING;
}
