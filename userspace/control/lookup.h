/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command `lookup`: what is known of an address, and what happens to its next SYN. */
#ifndef REPGATE_CONTROL_LOOKUP_H
#define REPGATE_CONTROL_LOOKUP_H

#include "control/commands.h"

/* Asks the zones if the maps know nothing; then it answers later. */
rg_command_run rg_lookup_run;

#endif
