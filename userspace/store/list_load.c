/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/list_load.h"

#include "base/thread.h"

#include <sys/eventfd.h>

struct rg_list_load {
	struct rg_list_map map;
	const struct rg_lists *old;
	unsigned int how;
	struct rg_list_load_result result; /* the thread's until it is joined */
	pthread_t thread;
	bool has_thread;
	atomic_bool stop;
	int ready; /* eventfd, written when the thread is done */
	struct event *event;
	void (*done)(void *arg, struct rg_list_load_result *result);
	void *arg;
};

static void mask(const void *conf, char *text)
{
	rg_conf_mask(conf, text);
}

int rg_list_load_files(const struct rg_conf *conf, unsigned int how, struct rg_list_load_result *ret)
{
	const struct rg_list_paths paths = { .approved_dir = conf->approved_dir,
					     .blocked_dir = conf->blocked_dir,
					     .state_dir = conf->state_dir,
					     .max_entries = conf->max_list,
					     .no_countries = !conf->country_database,
					     .keep = how & RG_LIST_LOAD_KEEP,
					     .all_bad = how & RG_LIST_LOAD_ALL_BAD,
					     .force = how & RG_LIST_LOAD_FORCE };

	*ret->country_fault.text = '\0';
	if (rg_lists_load(&ret->lists, &paths))
		return rg_fail(&ret->error, -ENOMEM, "out of memory");
	rg_lists_mask(ret->lists, mask, conf);
	if (conf->country_database &&
	    rg_country_db_new(&ret->countries, conf->country_database, &ret->country_fault))
		ret->countries = NULL;
	return 0;
}

/* In the thread, or in the loop if no thread can be made. */
static void *work(void *arg)
{
	struct rg_list_load *load = arg;
	struct rg_list_load_result *result = &load->result;

	result->err = rg_list_load_files(result->conf, load->how, result);
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
	load->how = request->how;
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
