/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The activation code that `repgatectl activation-code` set: the file state_dir/activation-code, which the
 * agent writes, as it can write neither activation_code_file nor a systemd credential.
 *
 * It has two lines, the new code and the one that it replaces, which the file or credential of the
 * configuration has. It counts as long as that is so. If somebody puts another code into the configured
 * place, that one counts.
 */
#ifndef REPGATE_CONFIG_ACTIVATION_H
#define REPGATE_CONFIG_ACTIVATION_H

#include "config/secret.h"

#define RG_ACTIVATION_FILE "activation-code" /* in state_dir */

/*
 * Reads the file. configured: the code of the configured file or credential. 0: code is the one that
 * counts, and the caller wipes it. -ENOENT: there is no file; -ESTALE: another code than configured was
 * replaced; -EINVAL: the file is damaged, or is none; or another errno. Follows no link.
 */
int rg_activation_load(const char *state_dir, const char *configured, char code[RG_SECRET_SIZE]);

/*
 * Writes the file (mode 0600), or removes it if code is the configured one. Both are normalised codes. 0,
 * or negative with a reason; then the old file is as it was.
 */
int rg_activation_save(const char *state_dir, const char *code, const char *configured,
		       struct rg_error *error);

/* Removes the file, if there is one. 0 or -errno. */
int rg_activation_remove(const char *state_dir);

#endif
