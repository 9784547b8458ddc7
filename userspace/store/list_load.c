/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/list_load.h"

#include "base/thread.h"

#include <sys/eventfd.h>

struct rg_list_load {
	const struct rg_verdicts *verdicts;
	const struct rg_lists *old;
	struct rg_list_load_result result; /* the thread's, until it has been joined */
	pthread_t thread;
	bool has_thread;
	atomic_bool stop;
	int ready; /* eventfd: the thread is done */
	struct event *event;
	void (*done)(void *arg, struct rg_list_load_result *result);
	void *arg;
};

static int load_geo(const struct rg_conf *conf, const struct rg_lists *lists,
		    struct rg_country_db **geo, struct rg_error *error)
{
	*geo = NULL;
	if (conf->country_database)
		return rg_country_db_new(geo, conf->country_database, error);
	if (rg_lists_countries(lists))
		return rg_fail(error, -EINVAL,
			       "%s: the lists name countries, but country_database is not set",
			       conf->path);
	return 0;
}

int rg_list_load_read(const struct rg_conf *conf, struct rg_lists **lists,
		      struct rg_country_db **geo, struct rg_error *error)
{
	const struct rg_list_paths paths = { .approved_dir = conf->approved_dir,
					     .blocked_dir = conf->blocked_dir,
					     .state_dir = conf->state_dir,
					     .max_entries = conf->max_list };
	int err = rg_lists_load(lists, &paths, error);

	if (err)
		return err;
	err = load_geo(conf, *lists, geo, error);
	if (err) {
		rg_lists_free(*lists);
		*lists = NULL;
	}
	return err;
}

/* In the thread, or in the loop if there can't be one. */
static void *make(void *arg)
{
	struct rg_list_load *listing = arg;
	struct rg_list_load_result *result = &listing->result;

	result->err = rg_list_load_read(result->conf, &result->lists, &result->geo, &result->error);
	if (!result->err)
		result->err = rg_list_draft_new(&result->draft, listing->verdicts, listing->old,
						result->lists, &listing->stop, &result->error);
	(void)eventfd_write(listing->ready, 1); /* can't fail: it is the first */
	return NULL;
}

static void join(struct rg_list_load *listing)
{
	if (listing->has_thread)
		pthread_join(listing->thread, NULL);
	listing->has_thread = false;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct rg_list_load *listing = arg;

	(void)fd;
	(void)what;
	join(listing);
	listing->done(listing->arg, &listing->result);
	rg_list_load_free(listing);
}

int rg_list_load_start(struct rg_list_load **ret, struct event_base *base,
		       const struct rg_list_load_request *order,
		       void (*done)(void *arg, struct rg_list_load_result *result), void *arg,
		       struct rg_error *error)
{
	struct rg_list_load *listing = calloc(1, sizeof(*listing));

	if (!listing)
		return rg_fail(error, -ENOMEM, "out of memory");
	listing->verdicts = order->verdicts;
	listing->old = order->old;
	listing->done = done;
	listing->arg = arg;
	listing->result.conf = rg_conf_ref(order->conf);
	listing->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (listing->ready >= 0)
		listing->event = event_new(base, listing->ready, EV_READ, on_ready, listing);
	if (!listing->event || event_add(listing->event, NULL)) {
		int err = listing->ready < 0 ? -errno : -ENOMEM;

		rg_list_load_free(listing);
		return rg_fail(error, err, "lists can't be loaded: %s", strerror(-err));
	}
	/* Where no thread may be made the loop waits, as it does at the start. */
	listing->has_thread = !rg_thread_start(&listing->thread, make, listing);
	if (!listing->has_thread)
		make(listing);
	*ret = listing;
	return 0;
}

void rg_list_load_free(struct rg_list_load *listing)
{
	if (!listing)
		return;
	listing->stop = true;
	join(listing);
	if (listing->event)
		event_free(listing->event);
	rg_closep(&listing->ready);
	rg_list_draft_free(listing->result.draft);
	rg_lists_free(listing->result.lists);
	rg_country_db_free(listing->result.geo);
	rg_conf_unref(listing->result.conf);
	free(listing);
}
