/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An address's country, from a MaxMind DB file. The only module that knows libmaxminddb. */
#ifndef REPGATE_LISTS_COUNTRY_H
#define REPGATE_LISTS_COUNTRY_H

#include "base/util.h"

#include "maps/types.h"

struct rg_country_db;

int rg_country_db_new(struct rg_country_db **ret, const char *path, struct rg_error *error);
void rg_country_db_free(struct rg_country_db *geo);

/* ISO 3166-1 alpha-2 code of addr's country into code; false if the database knows none. */
bool rg_country_db_find(const struct rg_country_db *geo, const struct rg_addr *addr, char code[3]);

#endif
