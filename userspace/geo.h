/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An address's country, from a MaxMind DB file. The only module that knows libmaxminddb. */
#ifndef REPGATE_GEO_H
#define REPGATE_GEO_H

#include "util.h"

#include "../maps/types.h"

struct rg_geo;

int rg_geo_new(struct rg_geo **ret, const char *path, struct rg_error *error);
void rg_geo_free(struct rg_geo *geo);

/* ISO 3166-1 alpha-2 code of addr's country into code; false if the database knows none. */
bool rg_geo_country(const struct rg_geo *geo, const struct rg_addr *addr, char code[3]);

#endif
