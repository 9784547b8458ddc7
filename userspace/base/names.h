/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words that people see for classes, actions, reasons and modes. */
#ifndef REPGATE_BASE_NAMES_H
#define REPGATE_BASE_NAMES_H

#include "maps/verdict.h"

/* "?" for a value out of range. */
const char *rg_class_name(enum rg_class peer_class);
const char *rg_action_name(enum rg_action action);
const char *rg_reason_name(enum rg_reason reason);
const char *rg_mode_name(enum rg_mode mode);

/* The reverse; 0 or -EINVAL. */
int rg_action_parse(const char *text, enum rg_action *ret);

#endif
