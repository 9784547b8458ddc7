/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/reload_queue.h"

#include <sys/queue.h>

struct place {
	STAILQ_ENTRY(place) entry;
	struct rg_reload_request turn;
};

STAILQ_HEAD(queue, place);

struct rg_reload_queue {
	struct queue waiting;
	struct queue current; /* whose load it is; empty: none is under way */
	int (*load)(void *arg, enum rg_reload_kind kind, struct rg_error *error);
	void *arg;
};

int rg_reload_queue_new(struct rg_reload_queue **ret,
			int (*load)(void *arg, enum rg_reload_kind kind, struct rg_error *error),
			void *arg)
{
	struct rg_reload_queue *turns = calloc(1, sizeof(*turns));

	if (!turns)
		return -ENOMEM;
	STAILQ_INIT(&turns->waiting);
	STAILQ_INIT(&turns->current);
	turns->load = load;
	turns->arg = arg;
	*ret = turns;
	return 0;
}

/* Tells all in queue, which is the caller's alone. */
static void finish(struct queue *queue, int err, const struct rg_error *error)
{
	struct place *place;

	while ((place = STAILQ_FIRST(queue))) {
		STAILQ_REMOVE_HEAD(queue, entry);
		place->turn.done(place->turn.arg, err, error);
		free(place);
	}
}

static void finish_current(struct rg_reload_queue *turns, int err, const struct rg_error *error)
{
	struct queue over = STAILQ_HEAD_INITIALIZER(over);

	STAILQ_CONCAT(&over, &turns->current); /* done may ask again */
	finish(&over, err, error);
}

static void move(struct place *place, struct queue *from, struct queue *to)
{
	STAILQ_REMOVE(from, place, place, entry);
	STAILQ_INSERT_TAIL(to, place, entry);
}

/*
 * The first that waits, and who can share its load: nobody behind one who changes something, as that is
 * to be loaded, or to last no longer than until the load that was asked for after it.
 */
static const struct rg_reload_request *take_next(struct rg_reload_queue *turns)
{
	struct place *first = STAILQ_FIRST(&turns->waiting), *place = first, *next;

	for (; place; place = next) {
		next = STAILQ_NEXT(place, entry);
		if (place != first && place->turn.begin)
			break;
		if (place == first || (!first->turn.begin && place->turn.kind == first->turn.kind))
			move(place, &turns->waiting, &turns->current);
	}
	return &first->turn;
}

static void go_on(struct rg_reload_queue *turns)
{
	while (STAILQ_EMPTY(&turns->current) && !STAILQ_EMPTY(&turns->waiting)) {
		const struct rg_reload_request *turn = take_next(turns);
		struct rg_error error = {};
		int err = turn->begin ? turn->begin(turn->arg, &error) : 0;

		if (!err)
			err = turns->load(turns->arg, turn->kind, &error);
		if (err)
			finish_current(turns, err > 0 ? 0 : err, &error);
	}
}

void rg_reload_queue_add(struct rg_reload_queue *turns, const struct rg_reload_request *turn)
{
	struct place *place = calloc(1, sizeof(*place));
	struct rg_error error;

	if (!place) {
		turn->done(turn->arg, rg_fail(&error, -ENOMEM, "out of memory"), &error);
		return;
	}
	place->turn = *turn;
	STAILQ_INSERT_TAIL(&turns->waiting, place, entry);
	go_on(turns);
}

void rg_reload_queue_done(struct rg_reload_queue *turns, int err, const struct rg_error *error)
{
	finish_current(turns, err, error);
	go_on(turns);
}

void rg_reload_queue_free(struct rg_reload_queue *turns)
{
	struct rg_error error;

	if (!turns)
		return;
	(void)rg_fail(&error, -ECANCELED, "repgated stops");
	STAILQ_CONCAT(&turns->current, &turns->waiting);
	finish(&turns->current, -ECANCELED, &error);
	free(turns);
}
