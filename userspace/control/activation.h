/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command that changes the activation code: asks the Standard zone with the new code, saves it, and puts
 * it in force. Whatever goes wrong, the code in use stays. The code itself is in no answer and no log line.
 */
#ifndef REPGATE_CONTROL_ACTIVATION_H
#define REPGATE_CONTROL_ACTIVATION_H

#include "control/commands.h"

rg_command_run rg_activation_run;

#endif
