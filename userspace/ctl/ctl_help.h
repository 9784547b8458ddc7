/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `repgatectl help`: all commands, or one with its options. */
#ifndef REPGATE_CTL_CTL_HELP_H
#define REPGATE_CTL_CTL_HELP_H

#include "control/protocol.h"

/* {"commands": [...]}: name, arguments and help of each, or of one. RG_COMMANDS: all. A new reference. */
json_t *rg_ctl_help(enum rg_command about);

/* The same for people. */
void rg_ctl_help_print(FILE *to, enum rg_command about);

#endif
