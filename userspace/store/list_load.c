/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/list_load.h"

#include "base/thread.h"

#include <sys/eventfd.h>

struct rg_list_load {
	struct rg_list_map map;
	const struct rg_lists *old;
	struct rg_list_load_result result; /* the thread's until it is joined */
	pthread_t thread;
	bool has_thread;
	atomic_bool stop;
	int ready; /* eventfd, written when the thread is done */
	struct event *event;
	void (*done)(void *arg, struct rg_list_load_result *result);
	void *arg;
};

static int load_countries(const struct rg_conf *conf, const struct rg_lists *lists,
			  struct rg_country_db **countries, struct rg_error *error)
{
	*countries = NULL;
	if (conf->country_database)
		return rg_country_db_new(countries, conf->country_database, error);
	if (rg_lists_countries(lists))
		return rg_fail(error, -EINVAL,
			       "%s: the lists name countries, but country_database is not set",
			       conf->path);
	return 0;
}

int rg_list_load_files(const struct rg_conf *conf, struct rg_lists **lists,
		       struct rg_country_db **countries, struct rg_error *error)
{
	const struct rg_list_paths paths = { .approved_dir = conf->approved_dir,
					     .blocked_dir = conf->blocked_dir,
					     .state_dir = conf->state_dir,
					     .max_entries = conf->max_list };
	int err = rg_lists_load(lists, &paths, error);

	if (err)
		return err;
	err = load_countries(conf, *lists, countries, error);
	if (err) {
		rg_lists_free(*lists);
		*lists = NULL;
	}
	return err;
}

/* In the thread, or in the loop if no thread can be made. */
static void *work(void *arg)
{
	struct rg_list_load *load = arg;
	struct rg_list_load_result *result = &load->result;

	result->err =
		rg_list_load_files(result->conf, &result->lists, &result->countries, &result->error);
	if (!result->err)
		result->err = rg_list_map_stage(&result->staged, &load->map, load->old,
						result->lists, &load->stop, &result->error);
	(void)eventfd_write(load->ready, 1); /* the first write can't fail */
	return NULL;
}

static void join(struct rg_list_load *load)
{
	if (load->has_thread)
		pthread_join(load->thread, NULL);
	load->has_thread = false;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct rg_list_load *load = arg;

	(void)fd;
	(void)what;
	join(load);
	load->done(load->arg, &load->result);
	rg_list_load_cancel(load);
}

int rg_list_load_start(struct rg_list_load **ret, struct event_base *base,
		       const struct rg_list_load_request *request,
		       void (*done)(void *arg, struct rg_list_load_result *result), void *arg,
		       struct rg_error *error)
{
	struct rg_list_load *load = calloc(1, sizeof(*load));

	if (!load)
		return rg_fail(error, -ENOMEM, "out of memory");
	load->map = request->map;
	load->old = request->old;
	load->done = done;
	load->arg = arg;
	load->result.conf = rg_conf_ref(request->conf);
	load->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (load->ready >= 0)
		load->event = event_new(base, load->ready, EV_READ, on_ready, load);
	if (!load->event || event_add(load->event, NULL)) {
		int err = load->ready < 0 ? -errno : -ENOMEM;

		rg_list_load_cancel(load);
		return rg_fail(error, err, "lists can't be loaded: %s", strerror(-err));
	}
	/* Without a thread the loop waits, as it does at the start. */
	load->has_thread = !rg_thread_start(&load->thread, "lists", work, load);
	if (!load->has_thread)
		work(load);
	*ret = load;
	return 0;
}

void rg_list_load_cancel(struct rg_list_load *load)
{
	if (!load)
		return;
	load->stop = true;
	join(load);
	if (load->event)
		event_free(load->event);
	rg_closep(&load->ready);
	rg_list_map_drop(load->result.staged);
	rg_lists_free(load->result.lists);
	rg_country_db_free(load->result.countries);
	rg_conf_unref(load->result.conf);
	free(load);
}
