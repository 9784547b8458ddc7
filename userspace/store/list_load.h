/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local lists, read from their files and made ready for the kernel: for a million lines more than
 * a second's work. A thread does it, so that the event loop answers new peers meanwhile.
 *
 * Both look only at what neither changes: the loop leaves what the order names as it is, and the
 * listing alone, until done is called. The thread does not log, and touches nothing that is in force.
 */
#ifndef REPGATE_STORE_LIST_LOAD_H
#define REPGATE_STORE_LIST_LOAD_H

#include "lists/country.h"
#include "store/verdicts.h"

#include <event2/event.h>

struct rg_list_load;

struct rg_list_load_request {
	struct rg_conf *conf; /* a reference is kept */
	const struct rg_verdicts *verdicts;
	const struct rg_lists *old; /* in force */
};

/* What came of it. done takes over what it sets to NULL here. */
struct rg_list_load_result {
	int err; /* 0 or negative: then there is only the error */
	struct rg_error error;
	struct rg_conf *conf; /* the order's */
	struct rg_lists *lists;
	struct rg_country_db *geo; /* NULL: no country_database */
	struct rg_list_draft *draft;
};

/*
 * Calls done in the event loop, and frees the listing after that. 0, or a negative error; then done is
 * not called.
 */
int rg_list_load_start(struct rg_list_load **ret, struct event_base *base,
		       const struct rg_list_load_request *order,
		       void (*done)(void *arg, struct rg_list_load_result *result), void *arg,
		       struct rg_error *error);
/* Before its time: done is not called. Waits for the thread, for as long as it is in the files. */
void rg_list_load_free(struct rg_list_load *listing);

/* The files alone, here and now. The country database must be there if a list names a country. */
int rg_list_load_read(const struct rg_conf *conf, struct rg_lists **lists,
		      struct rg_country_db **geo, struct rg_error *error);

#endif
