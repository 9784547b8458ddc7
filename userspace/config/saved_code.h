/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The activation code that `repgatectl activation-code` saved, in the file state_dir/activation-code. The
 * agent can write neither activation_code_file nor a systemd credential; secret.c reads those.
 *
 * The file has two lines: the new code, and the configured code that it replaces. The new code counts
 * while the configured one is still the same. If somebody configures another code, that one counts.
 */
#ifndef REPGATE_CONFIG_SAVED_CODE_H
#define REPGATE_CONFIG_SAVED_CODE_H

#include "config/secret.h"

#define RG_SAVED_CODE_FILE "activation-code" /* in state_dir */

/*
 * Reads the file. configured: the code of the configured file or credential. 0: code is the one that
 * counts, and the caller wipes it. -ENOENT: there is no file; -ESTALE: another code than configured was
 * replaced; -EINVAL: the file is damaged, or is none; or another errno. Follows no link.
 */
int rg_saved_code_load(const char *state_dir, const char *configured, char code[RG_SECRET_SIZE]);

/*
 * Writes the file (mode 0600), or removes it if code is the configured one. Both are normalised codes. 0,
 * or negative with a reason; then the old file is as it was.
 */
int rg_saved_code_save(const char *state_dir, const char *code, const char *configured,
		       struct rg_error *error);

/* Removes the file, if there is one. 0 or -errno. */
int rg_saved_code_remove(const char *state_dir);

#endif
