/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secrets that repgatectl reads from standard input: a command line is shown to everybody. */
#ifndef REPGATE_CTL_CTL_INPUT_H
#define REPGATE_CTL_CTL_INPUT_H

#include "config/secret.h"

/*
 * Reads an activation code, normalised, which the caller wipes. On a terminal it prompts, and what is typed
 * is not shown. Also turns off core dumps of this process. 0, -EINVAL: it is none; or -errno.
 */
int rg_ctl_input_code(char code[RG_SECRET_SIZE]);

#endif
