/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The results of commands (docs/json.md) as text for people. */
#ifndef REPGATE_CTL_CTL_PRINT_H
#define REPGATE_CTL_CTL_PRINT_H

#include "control/protocol.h"

/* Prints the result of a command. Fields that are missing are printed as "-" or 0. */
void rg_ctl_print(FILE *to, enum rg_command command, const json_t *result);
/* Prints one event, as `events --follow` gets it. */
void rg_ctl_print_event(FILE *to, const json_t *event);

#endif
