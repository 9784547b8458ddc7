/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of requests that change configuration or lists. One request is served at a time, because a load
 * of the files takes seconds. Requests that only want a load share one with others of the same kind: it
 * begins after all of them asked. Use it from one thread only.
 */
#ifndef REPGATE_CONTROL_RELOAD_QUEUE_H
#define REPGATE_CONTROL_RELOAD_QUEUE_H

#include "base/util.h"

struct rg_reload_queue;

enum rg_reload_kind {
	RG_RELOAD_LISTS, /* load the lists */
	RG_RELOAD_CONF, /* load the configuration and the lists */
	RG_RELOAD_FORCE, /* the same, and take list files that shrank or have many bad lines */
	RG_RELOAD_KINDS
};

struct rg_reload_request {
	enum rg_reload_kind kind;
	/*
	 * Called before the load, to change what is loaded. Returns 0; 1 if nothing has to be loaded;
	 * or negative with error, which done gets. A request with begin() is a barrier: requests after
	 * it wait for the next load. NULL: there is nothing to change, and the load may be shared.
	 */
	int (*begin)(void *arg, struct rg_error *error);
	/*
	 * Called once, maybe before rg_reload_queue_add() returns. err: 0, or negative with error. It
	 * may add requests.
	 */
	void (*done)(void *arg, int err, const struct rg_error *error);
	void *arg;
};

struct rg_reload_queue_calls {
	/*
	 * Starts a load. It returns 0, and rg_reload_queue_done() is called later; or negative with error,
	 * which is the answer to the request.
	 */
	int (*load)(void *arg, enum rg_reload_kind kind, struct rg_error *error);
	/*
	 * Called when requests have succeeded. True: the stored verdicts still have to follow. Then these requests are answered by
	 * rg_reload_queue_release(), once for each true; meanwhile the next ones are served. NULL: never.
	 */
	bool (*must_wait)(void *arg);
	void *arg;
};

/* 0 or -ENOMEM. */
int rg_reload_queue_new(struct rg_reload_queue **ret, const struct rg_reload_queue_calls *calls);
/* Answers all requests with -ECANCELED; they must not add any. queue may be NULL. */
void rg_reload_queue_free(struct rg_reload_queue *queue);

/* Adds a request; it is copied. Without memory done gets -ENOMEM at once. */
void rg_reload_queue_add(struct rg_reload_queue *queue, const struct rg_reload_request *request);

/* The load has ended, with err and error. Answers its requests, then starts the next load. */
void rg_reload_queue_done(struct rg_reload_queue *queue, int err, const struct rg_error *error);
/* Answers the requests that have waited longest since must_wait() was true for them. */
void rg_reload_queue_release(struct rg_reload_queue *queue);

#endif
