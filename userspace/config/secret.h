/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The activation code and the other keys in the real names of zones. Reads the configured activation code,
 * and keeps keys out of all texts that senders and people see. The code that repgatectl saved: saved_code.h.
 */
#ifndef REPGATE_CONFIG_SECRET_H
#define REPGATE_CONFIG_SECRET_H

#include "base/util.h"

/* Of a buffer for a code, as people write it: with hyphens and blanks. */
#define RG_SECRET_SIZE 256
/* Letters and digits of a code. 63: it is one label of a DNS name (RFC 1035, 2.3.4). */
#define RG_SECRET_MIN 8
#define RG_SECRET_MAX 63
/* For errors: what a code looks like. */
#define RG_SECRET_FORM "8 to 63 letters and digits, with or without hyphens"

/* Where the activation code in use comes from. */
enum rg_secret_source {
	RG_SECRET_NONE, /* no group ers */
	RG_SECRET_FILE, /* activation_code_file */
	RG_SECRET_CREDENTIAL, /* of systemd */
	RG_SECRET_COMMAND, /* repgatectl activation-code (saved_code.h) */
};

/* "file", "credential", "command"; NULL for RG_SECRET_NONE. */
const char *rg_secret_source_name(enum rg_secret_source source);

/*
 * Normalises an activation code in place: removes hyphens and blanks, also typographic ones in UTF-8, makes
 * letters lower case. The text is one line, with or without its end. 0, or -EINVAL if it is no code.
 */
int rg_secret_normalise(char *code);

/* True if a normalised code has one of the lengths that the service gives out: 14 and 31. */
bool rg_secret_is_usual(const char *code);

/*
 * Text that somebody typed in the wrong place, for an error: text, or "(not shown)" if it could be an
 * activation code: it has a usual length, or 8 characters and a digit.
 */
const char *rg_secret_quote(const char *text);

/*
 * Reads the activation code from path. Reads the systemd credential "activation-code" if path is
 * NULL, or if only root may read the file. 0 with a normalised code, which the caller wipes, and with its
 * source; or -EINVAL with the reason, which does not show the file's contents.
 */
int rg_secret_read(const char *path, char code[RG_SECRET_SIZE], enum rg_secret_source *source,
		   struct rg_error *error);

/*
 * The length of the key that a zone's real name begins with; 0: it has none. The first label is a key
 * - of ERS's zones, r.mail-abuse.com and q.mail-abuse.com, always;
 * - of others, if it has 14 characters or more, or 8 or more with a digit that is not just a number of one
 *   or two digits before or behind a word ("dnsbl-1", "spamlist2", "zen", "blackholes" are words).
 */
size_t rg_secret_key_length(const char *suffix);

/*
 * True if text shows the letters and digits of the key in a zone's real name, in either case. Text and key may have
 * hyphens, dots and other characters between them, or none.
 */
bool rg_secret_holds_key(const char *text, const char *suffix);

/* The same for an activation code alone. */
bool rg_secret_holds_code(const char *text, const char *code);

/* Replaces the key in text by asterisks, wherever rg_secret_holds_key() would find it. */
void rg_secret_mask(char *text, const char *suffix);
/* The same for an activation code alone. */
void rg_secret_mask_code(char *text, const char *code);

#endif
