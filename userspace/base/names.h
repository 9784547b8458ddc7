/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words that people see for classes, actions, reasons, modes and losses. */
#ifndef REPGATE_BASE_NAMES_H
#define REPGATE_BASE_NAMES_H

#include "kernel/stats.h"

/* "?" for a value out of range. */
const char *rg_class_name(enum rg_class peer_class);
const char *rg_action_name(enum rg_action action);
const char *rg_reason_name(enum rg_reason reason);
const char *rg_mode_name(enum rg_mode mode);
/* enum rg_loss, or RG_LOSS_MAX + enum rg_own_loss */
const char *rg_loss_name(unsigned int loss);

/* The reverse; 0 or -EINVAL. */
int rg_action_parse(const char *text, enum rg_action *ret);

#endif
