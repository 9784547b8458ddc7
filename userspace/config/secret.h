/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys in the real names of zones: what an activation code is, where it is read from, and the
 * guard that keeps a key out of texts that senders and people see.
 */
#ifndef REPGATE_CONFIG_SECRET_H
#define REPGATE_CONFIG_SECRET_H

#include "base/util.h"

#define RG_SECRET_SIZE \
	64 /* of a buffer for a code: longer than any file that holds one should be */

/*
 * Normalises an activation code in place: removes hyphens and blanks, makes letters lower case.
 * 0, or -EINVAL if it is no code.
 */
int rg_secret_normalise(char *code);

/*
 * Reads the activation code from path. Reads the systemd credential "activation-code" if path is
 * NULL, or if only root may read the file. 0 with a normalised code, which the caller wipes; or
 * -EINVAL with the reason, which does not show the file's contents.
 */
int rg_secret_read(const char *path, char code[RG_SECRET_SIZE], struct rg_error *error);

/*
 * True if text shows the key in a zone's real name, with hyphens or without, in either case. The
 * first label is a key if it is as long as an activation code, or longer.
 */
bool rg_secret_holds_key(const char *text, const char *suffix);

#endif
