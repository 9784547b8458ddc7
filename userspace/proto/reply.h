/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts of SMTP refusals: "CODE ENHANCED TEXT", as in "450 4.7.1 Mail from %a refused by %z, see %u".
 * %a is the peer's address, %z the alias of the list, %u where the listing can be looked up (%a in it
 * too), %% a percent sign; a newline begins a further line of the reply. If other addresses than the peer's
 * are listed, one more line names them, and the %a of %u is the first of them. Pure.
 */
#ifndef REPGATE_PROTO_REPLY_H
#define REPGATE_PROTO_REPLY_H

#include "base/util.h"

#include "maps/types.h"

#define RG_REPLY_LINES 8 /* of one template */
#define RG_REPLY_LINE 512 /* octets with CRLF (RFC 5321, 4.5.3.1.5) */
#define RG_REPLY_SIZE ((RG_REPLY_LINES + 1) * RG_REPLY_LINE + 1)
#define RG_REPLY_LISTED 2 /* addresses that a reply names */

/* What refuses a peer. The strings stay the owner's. */
struct rg_refusal {
	const char *text; /* a checked template */
	const char *alias; /* %z: the zone's alias, "local" for the blocked lists */
	const char *url; /* %u, "" if there is none */
	bool permanent; /* 5xx; else 4xx */
	struct rg_addr listed[RG_REPLY_LISTED]; /* valid if network.len is not 0 */
	struct rg_prefix network; /* the peer's, refused because these are listed; len 0: the peer itself is */
};

/*
 * Checks a template, for every address: code 450 or 451 if temporary, 550 or 554 if permanent; an enhanced
 * code (RFC 3463) whose class is the code's first digit; printable ASCII; a text on each line; lines of at
 * most 512 octets even if %a is the longest address; no unknown %-sequence. 0, or -EINVAL with the reason.
 */
int rg_reply_check(const struct rg_refusal *refusal, struct rg_error *error);

/*
 * The reply to addr as it is sent: CRLF after each line, code and enhanced code on each (RFC 5321,
 * 4.2.1; RFC 2034, 4), then a NUL. code: replaces the template's, 0: does not. Returns the length.
 */
size_t rg_reply_render(const struct rg_refusal *refusal, const struct rg_addr *addr,
		       unsigned int code, char out[RG_REPLY_SIZE]);

/* "A and B of NETWORK are listed"; "" if the peer itself is listed. Returns text. */
#define RG_REPLY_LISTED_TEXT 192
const char *rg_reply_listed(const struct rg_refusal *refusal, char text[RG_REPLY_LISTED_TEXT]);

/* url with its %a filled in, cut to size. */
void rg_reply_url(const char *url, const struct rg_addr *addr, char *out, size_t size);

#endif
