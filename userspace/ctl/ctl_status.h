/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `repgatectl status` and `zones` as text for people. */
#ifndef REPGATE_CTL_CTL_STATUS_H
#define REPGATE_CTL_CTL_STATUS_H

#include <jansson.h>
#include <stdio.h>

void rg_ctl_status_print(FILE *to, const json_t *result);
void rg_ctl_status_print_zones(FILE *to, const json_t *result);

/*
 * What somebody should look at, as an array of texts: interfaces that are not filtered, connections that go
 * past the filter, a reload that was refused, files that are not in force as they are, a responder that can't
 * be reached, zones that are not good, open guards. A new reference; empty: all is well.
 */
json_t *rg_ctl_status_problems(const json_t *result);
void rg_ctl_status_print_problems(FILE *to, const json_t *problems);

#endif
