/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `repgatectl settings`: the table of all settings (config/keys.c), for people and for programs. */
#ifndef REPGATE_CTL_CTL_SETTINGS_H
#define REPGATE_CTL_CTL_SETTINGS_H

#include "base/util.h"

#include <jansson.h>
#include <stdio.h>

/*
 * {"settings": [...]}: an object for each setting, in the order of repgate.conf(5); docs/json.md has
 * its fields. With a name, "mode", "ers.lists" or what `set` takes, only that one. The caller owns it;
 * NULL with error: there is no such setting.
 */
json_t *rg_ctl_settings(const char *name, struct rg_error *error);

/* Prints that: a line for each setting, or all about one if there is one. */
void rg_ctl_settings_print(FILE *to, const json_t *result);

#endif
