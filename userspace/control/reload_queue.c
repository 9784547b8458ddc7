/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/reload_queue.h"

#include <sys/queue.h>

struct entry {
	STAILQ_ENTRY(entry) next;
	struct rg_reload_request request;
	uint64_t group; /* rg_reload_queue_release() answers those of one group together */
};

STAILQ_HEAD(entries, entry);

struct rg_reload_queue {
	struct entries waiting;
	struct entries current; /* requests of the load in progress; empty: there is none */
	struct entries held; /* until rg_reload_queue_release() */
	uint64_t groups; /* so far */
	struct rg_reload_queue_calls calls;
};

int rg_reload_queue_new(struct rg_reload_queue **ret, const struct rg_reload_queue_calls *calls)
{
	struct rg_reload_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	STAILQ_INIT(&queue->waiting);
	STAILQ_INIT(&queue->current);
	STAILQ_INIT(&queue->held);
	queue->calls = *calls;
	*ret = queue;
	return 0;
}

/* Answers and frees all entries. */
static void answer(struct entries *entries, int err, const struct rg_error *error)
{
	struct entry *entry;

	while ((entry = STAILQ_FIRST(entries))) {
		STAILQ_REMOVE_HEAD(entries, next);
		entry->request.done(entry->request.arg, err, error);
		free(entry);
	}
}

static void answer_current(struct rg_reload_queue *queue, int err, const struct rg_error *error)
{
	struct entries ended = STAILQ_HEAD_INITIALIZER(ended);
	struct entry *entry;

	if (!err && queue->calls.must_wait && queue->calls.must_wait(queue->calls.arg)) {
		queue->groups++;
		STAILQ_FOREACH(entry, &queue->current, next)
		entry->group = queue->groups;
		STAILQ_CONCAT(&queue->held, &queue->current);
		return;
	}
	STAILQ_CONCAT(&ended, &queue->current); /* done() may add requests */
	answer(&ended, err, error);
}

void rg_reload_queue_release(struct rg_reload_queue *queue)
{
	struct entries ended = STAILQ_HEAD_INITIALIZER(ended);
	struct entry *entry = STAILQ_FIRST(&queue->held);
	uint64_t group = entry ? entry->group : 0;

	for (; entry && entry->group == group; entry = STAILQ_FIRST(&queue->held)) {
		STAILQ_REMOVE_HEAD(&queue->held, next);
		STAILQ_INSERT_TAIL(&ended, entry, next);
	}
	answer(&ended, 0, NULL);
}

/*
 * Moves the next request to `current`, and those that can share its load. A request with begin() is a
 * barrier: it changes files or settings, and a request behind it wants these loaded. Returns the first.
 */
static const struct rg_reload_request *take_next(struct rg_reload_queue *queue)
{
	struct entry *first = STAILQ_FIRST(&queue->waiting), *entry = first, *next;

	for (; entry; entry = next) {
		next = STAILQ_NEXT(entry, next);
		if (entry != first && entry->request.begin)
			break;
		if (entry != first &&
		    (first->request.begin || entry->request.kind != first->request.kind))
			continue;
		STAILQ_REMOVE(&queue->waiting, entry, entry, next);
		STAILQ_INSERT_TAIL(&queue->current, entry, next);
	}
	return &first->request;
}

/* Starts loads until one is in progress or no request waits. */
static void start_next(struct rg_reload_queue *queue)
{
	while (STAILQ_EMPTY(&queue->current) && !STAILQ_EMPTY(&queue->waiting)) {
		const struct rg_reload_request *request = take_next(queue);
		struct rg_error error = {};
		int err = request->begin ? request->begin(request->arg, &error) : 0;

		if (!err)
			err = queue->calls.load(queue->calls.arg, request->kind, &error);
		if (err)
			answer_current(queue, err > 0 ? 0 : err, &error);
	}
}

void rg_reload_queue_add(struct rg_reload_queue *queue, const struct rg_reload_request *request)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	struct rg_error error;

	if (!entry) {
		request->done(request->arg, rg_fail(&error, -ENOMEM, "out of memory"), &error);
		return;
	}
	entry->request = *request;
	STAILQ_INSERT_TAIL(&queue->waiting, entry, next);
	start_next(queue);
}

void rg_reload_queue_done(struct rg_reload_queue *queue, int err, const struct rg_error *error)
{
	answer_current(queue, err, error);
	start_next(queue);
}

void rg_reload_queue_free(struct rg_reload_queue *queue)
{
	struct rg_error error;

	if (!queue)
		return;
	(void)rg_fail(&error, -ECANCELED, "repgated stops");
	STAILQ_CONCAT(&queue->current, &queue->held);
	STAILQ_CONCAT(&queue->current, &queue->waiting);
	answer(&queue->current, -ECANCELED, &error);
	free(queue);
}
