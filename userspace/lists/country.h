/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The country of an address, from a MaxMind DB file. The only file that uses libmaxminddb. */
#ifndef REPGATE_LISTS_COUNTRY_H
#define REPGATE_LISTS_COUNTRY_H

#include "kernel/own_networks.h"

struct rg_country_db;

/*
 * Reads the file at path, 512 MB at most, into memory of its own: what happens to the file afterwards does
 * not matter. 0, or -EINVAL or -ENOMEM with a reason, also if the file changes while it is read. In any
 * thread. Needs /proc.
 */
int rg_country_db_new(struct rg_country_db **ret, const char *path, struct rg_error *error);
void rg_country_db_free(struct rg_country_db *country_db);

/* Sets code to the ISO 3166-1 alpha-2 code of addr's country. False: the database has none. */
bool rg_country_db_find(const struct rg_country_db *country_db, const struct rg_addr *addr,
			char code[3]);

/* A country that this host is in. */
struct rg_country_own {
	char code[3];
	const struct rg_own_network *own; /* the first one that is there */
};
#define RG_COUNTRY_OWN_MAX 16

/* Fills found with the countries of own, each once. Returns how many; more than RG_COUNTRY_OWN_MAX are left out. */
size_t rg_country_db_find_own(const struct rg_country_db *country_db,
			      const struct rg_own_networks *own,
			      struct rg_country_own found[RG_COUNTRY_OWN_MAX]);

#endif
