/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/list_load.h"

#include "base/addr.h"
#include "base/thread.h"
#include "kernel/connected.h"

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
	struct rg_own_networks own = {};
	const struct rg_list_paths paths = { .approved_dir = conf->approved_dir,
					     .blocked_dir = conf->blocked_dir,
					     .state_dir = conf->state_dir,
					     .own = &own,
					     .max_entries = conf->max_list,
					     .no_countries = !conf->country_database,
					     .keep = how & RG_LIST_LOAD_KEEP,
					     .all_bad = how & RG_LIST_LOAD_ALL_BAD,
					     .force = how & RG_LIST_LOAD_FORCE };

	int err;

	*ret->country_fault.text = '\0';
	/* Without them, what the lists name is blocked. It is tried again when addresses are read the next time. */
	(void)rg_own_networks_read(&own, &conf->resolver);
	err = rg_lists_load(&ret->lists, &paths);
	rg_own_networks_clear(&own);
	if (err)
		return rg_fail(&ret->error, -ENOMEM, "out of memory");
	rg_lists_mask(ret->lists, mask, conf);
	if (conf->country_database &&
	    rg_country_db_new(&ret->countries, conf->country_database, &ret->country_fault))
		ret->countries = NULL;
	return 0;
}

static bool is_blocked(const struct rg_lists *lists, const struct rg_addr *addr,
		       const struct rg_list_item **item)
{
	*item = rg_lists_find(lists, addr, rg_now());
	return *item && (*item)->peer_class == RG_CLASS_BLOCKED;
}

/* Nonzero: no more peers are wanted. */
static int take_connected(void *arg, const struct rg_addr *addr)
{
	const struct rg_list_load *load = arg;
	struct rg_list_load_result *result = &((struct rg_list_load *)arg)->result;
	const struct rg_list_item *item, *old;

	if (!is_blocked(result->lists, addr, &item) || is_blocked(load->old, addr, &old))
		return 0;
	for (size_t i = 0; i < result->connected_count; i++)
		if (!rg_addr_compare(&result->connected[i].addr, addr))
			return 0;
	result->connected[result->connected_count++] = (struct rg_list_load_peer){ *addr, item };
	return result->connected_count == RG_LIST_LOAD_CONNECTED;
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
	if (!result->err && load->old)
		(void)rg_connected_each(result->conf->ports, result->conf->port_count,
					take_connected, load);
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
