/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads the local lists and the country database in a thread: for a million lines that takes more than a
 * second, and the event loop answers new peers meanwhile. Nothing is in force until the caller publishes
 * the result (list_map.h).
 *
 * Until done is called, the loop must not change or free what the request names. The thread does not
 * log.
 */
#ifndef REPGATE_STORE_LIST_LOAD_H
#define REPGATE_STORE_LIST_LOAD_H

#include "config/config.h"
#include "lists/country.h"
#include "store/list_map.h"

#include <event2/event.h>

struct rg_list_load;

/* How files are read: flags. */
enum rg_list_load_how {
	RG_LIST_LOAD_KEEP = 1, /* copy good files to state_dir: only the agent does */
	RG_LIST_LOAD_FORCE = 2, /* take files that shrank or have many bad lines as they are */
	RG_LIST_LOAD_ALL_BAD = 4, /* quote all bad lines */
};

struct rg_list_load_request {
	struct rg_conf *conf; /* the load keeps a reference */
	unsigned int how; /* enum rg_list_load_how */
	struct rg_list_map map; /* where the lists will be published */
	const struct rg_lists *old; /* the lists in force */
};

#define RG_LIST_LOAD_CONNECTED 10

/* A peer that is connected now, and that the lists block, but did not block before. */
struct rg_list_load_peer {
	struct rg_addr addr;
	const struct rg_list_item *item; /* of lists */
};

/* done takes over a member by setting it to NULL here; the rest is freed when done returns. */
struct rg_list_load_result {
	int err; /* 0, or negative: then only error is set */
	struct rg_error error;
	struct rg_conf *conf; /* the request's */
	struct rg_lists *lists;
	struct rg_country_db *countries; /* NULL: no country_database, or country_fault */
	struct rg_error country_fault; /* why the country database can't be read; "": it can, or there is none */
	struct rg_staged_lists *staged; /* refers to lists */
	struct rg_list_load_peer connected[RG_LIST_LOAD_CONNECTED];
	size_t connected_count;
};

/*
 * Starts a load. done is called once, in the event loop; the load is freed after that. If no thread can
 * be made, the files are read at once, and the loop waits. 0, or a negative error with a reason; then
 * done is not called.
 */
int rg_list_load_start(struct rg_list_load **ret, struct event_base *base,
		       const struct rg_list_load_request *request,
		       void (*done)(void *arg, struct rg_list_load_result *result), void *arg,
		       struct rg_error *error);

/* Ends a load before it is done; done is not called. Waits for the thread, which stops after parsing. */
void rg_list_load_cancel(struct rg_list_load *load);

/*
 * Reads the files at once, in the calling thread: sets lists, countries and country_fault, which the caller frees.
 * What is wrong with a file is in lists, without keys of conf. 0 or -ENOMEM with error, and then nothing else is set.
 */
int rg_list_load_files(const struct rg_conf *conf, unsigned int how, struct rg_list_load_result *ret);

#endif
