/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words that people see for classes, actions, reasons, modes and losses. */
#ifndef REPGATE_NAMES_H
#define REPGATE_NAMES_H

#include "../maps/stats.h"

/* "?" for a value out of range. */
const char *rg_class_name(enum rg_class class);
const char *rg_action_name(enum rg_action action);
const char *rg_reason_name(enum rg_reason reason);
const char *rg_mode_name(enum rg_mode mode);
const char *rg_loss_name(enum rg_loss loss);

/* The reverse; 0 or -EINVAL. */
int rg_action_parse(const char *text, enum rg_action *ret);

#endif
