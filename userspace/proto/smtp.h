/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's side of SMTP (RFC 5321) that never accepts mail: greeting, EHLO or HELO, MAIL, and a
 * refusal at RCPT or in the greeting. A pure state machine: bytes in, replies out. It knows no socket
 * and no clock. Timeouts and limits of sessions: responder.h.
 */
#ifndef REPGATE_PROTO_SMTP_H
#define REPGATE_PROTO_SMTP_H

#include "proto/reply.h"

#define RG_SMTP_LINE 2048 /* octets of a command line with its end */
#define RG_SMTP_SPARE 20 /* commands of one session besides its mails */
#define RG_SMTP_MAILS 100 /* of one session */
#define RG_SMTP_RECIPIENTS 1000 /* of one mail; RFC 5321, 4.5.3.1.8: at least 100 */
#define RG_SMTP_TEXT 256 /* kept of HELO, sender and recipient, NUL included */

enum rg_smtp_stage { RG_SMTP_AT_RCPT = 1, RG_SMTP_AT_GREETING };

enum rg_smtp_state {
	RG_SMTP_CONNECTED = 0, /* no greeting sent yet */
	RG_SMTP_GREETED, /* waits for EHLO or HELO */
	RG_SMTP_HELLO, /* waits for MAIL */
	RG_SMTP_MAIL, /* has a sender, waits for RCPT */
	RG_SMTP_DENIED, /* 554 was the greeting: 503 to all but QUIT (RFC 5321, 3.1) */
	RG_SMTP_CLOSING, /* the last reply was written: close when it is sent */
};

/* The verb that a reply answers. */
enum rg_smtp_verb {
	RG_SMTP_NO_VERB = 0, /* the greeting, a limit, a broken line */
	RG_SMTP_VERB_HELO,
	RG_SMTP_VERB_EHLO,
	RG_SMTP_VERB_MAIL,
	RG_SMTP_VERB_RCPT,
	RG_SMTP_VERB_DATA,
	RG_SMTP_VERB_RSET,
	RG_SMTP_VERB_NOOP,
	RG_SMTP_VERB_QUIT,
	RG_SMTP_VERB_OTHER, /* known but not offered (AUTH, STARTTLS, BDAT, VRFY...), or unknown */
};

/* What a peer did that mail servers do not do, in this session. */
struct rg_smtp_oddities {
	unsigned int bare_lf; /* lines that ended without CR */
	unsigned int nul; /* lines with a NUL */
	unsigned int long_lines; /* over RG_SMTP_LINE */
	unsigned int pipelined; /* commands sent before a reply that had to be waited for (RFC 2920) */
	unsigned int unknown; /* commands that are none */
	unsigned int syntax; /* commands with wrong arguments */
	unsigned int sequence; /* commands at the wrong time */
};

/* Sends a whole reply, CRLF at its end. verb: what it answers. */
typedef void rg_smtp_write(void *arg, enum rg_smtp_verb verb, const char *reply, size_t len);

struct rg_smtp {
	enum rg_smtp_state state;
	enum rg_smtp_stage stage;
	const char *host; /* our name in the greeting; the caller's */
	const struct rg_refusal *refusal; /* the caller's; valid as long as this is */
	struct rg_addr addr; /* of the peer */
	rg_smtp_write *write;
	void *arg;
	unsigned int commands;
	unsigned int spent; /* of RG_SMTP_SPARE */
	unsigned int senders; /* MAILs taken; tells a null sender from none */
	unsigned int recipients; /* RCPTs refused */
	unsigned int mail_recipients; /* those of the mail at hand */
	bool esmtp; /* EHLO, not HELO */
	bool refused; /* the refusal was sent */
	unsigned int refused_as; /* with this code; 0: the template's */
	bool waited_for; /* a sender has to wait for the last reply */
	bool discarding; /* the rest of a line that is too long */
	struct rg_smtp_oddities odd;
	/* The first of each session, unprintable characters as '?'; "" if none came. */
	char helo[RG_SMTP_TEXT], from[RG_SMTP_TEXT], to[RG_SMTP_TEXT];
};

void rg_smtp_init(struct rg_smtp *smtp, enum rg_smtp_stage stage, const char *host,
		  const struct rg_refusal *refusal, const struct rg_addr *addr,
		  rg_smtp_write *write, void *arg);

/* Sends the greeting; with RG_SMTP_AT_GREETING it is the refusal. */
void rg_smtp_greet(struct rg_smtp *smtp);

/*
 * Takes bytes of the peer, and answers each whole line. Returns how many were taken: the rest is the
 * beginning of a line and comes again with what follows it, so the caller keeps at most RG_SMTP_LINE
 * bytes. In RG_SMTP_CLOSING everything is taken and nothing answered. Not before the greeting.
 */
size_t rg_smtp_feed(struct rg_smtp *smtp, const char *bytes, size_t len);

/* The session ends for this reason: "421 4.3.2 HOST reason" (RFC 5321, 3.8), then RG_SMTP_CLOSING. */
void rg_smtp_close(struct rg_smtp *smtp, const char *enhanced, const char *reason);

#endif
