/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/reload.h"

#include "base/log.h"
#include "base/names.h"
#include "config/ers.h"
#include "config/live.h"
#include "config/saved_code.h"
#include "daemon/last_mode.h"
#include "daemon/list_log.h"
#include "kernel/settings.h"

/* A timed entry has expired, but the lists could not be loaded: try again after this time. */
#define RETRY_TIME (60 * RG_NSEC_PER_SEC)

struct rg_reload {
	struct rg_modules *modules;
	struct rg_reload_queue *queue;
	struct rg_list_load *load; /* in progress, or NULL */
	uint64_t retry_at; /* do not load expired lists again before; ns of CLOCK_BOOTTIME */
	uint64_t jobs; /* walks over the verdicts that were added until rg_reload_mark() */
};

/* At the end of the walks that a request wanted. */
struct waiting {
	struct rg_job job;
	struct rg_reload *reload;
};

void rg_reload_write_settings(const struct rg_modules *modules)
{
	rg_settings_write(rg_loader_maps(modules->loader)->settings, modules->conf,
			  rg_steering_may_work(&modules->steering),
			  rg_loader_can_hold(modules->loader));
}

void rg_reload_log_warnings(const struct rg_conf *conf)
{
	const char *line = conf->warnings;

	while (line && *line) {
		size_t len = strcspn(line, "\n");

		rg_log_warning("%s: %.*s", conf->path, (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* -------------------------------------------------------------------- lists */

static struct rg_list_map list_map(const struct rg_modules *modules)
{
	return (struct rg_list_map){ .loader = modules->loader,
				     .indexes = rg_verdicts_index_maps(modules->verdicts) };
}

/* The database that can't be read does not take the one in force away. */
static void adopt_countries(struct rg_modules *modules, struct rg_list_load_result *fresh)
{
	const char *fault = fresh->country_fault.text;

	if (*fault && strcmp(fault, modules->country_fault.text) != 0)
		rg_log_error("%s; %s", fault,
			     modules->countries ? "the database before stays in force" :
						  "no country is approved or blocked");
	modules->country_fault = fresh->country_fault;
	if (*fault)
		return;
	rg_country_db_free(modules->countries);
	modules->countries = fresh->countries;
	fresh->countries = NULL;
}

/* Puts fresh's lists in force; modules owns them then. On error the old lists stay in force. */
static int adopt_lists(struct rg_modules *modules, struct rg_list_load_result *fresh,
		       struct rg_error *error)
{
	bool same = modules->lists && rg_lists_same_countries(modules->lists, fresh->lists);
	const struct rg_conf *conf = fresh->conf ? fresh->conf : modules->conf;
	const struct rg_list_map map = list_map(modules);
	int err = rg_list_map_publish(&map, fresh->staged, error);

	if (err)
		return err;
	/* A verdict by the old countries may be wrong now, so every peer is judged again. */
	if (!same && modules->lists)
		rg_verdicts_flush_all(modules->verdicts);
	rg_list_log_changes(conf, modules->lists, fresh->lists);
	rg_list_log_connected(conf, fresh);
	rg_lists_free(modules->lists);
	modules->lists = fresh->lists;
	fresh->lists = NULL;
	adopt_countries(modules, fresh);
	if (!same)
		rg_list_log_countries(conf, modules->lists, modules->countries);
	return 0;
}

int rg_reload_first_lists(struct rg_modules *modules, struct rg_list_load_result *fresh,
			  struct rg_error *error)
{
	const atomic_bool stop = false;
	const struct rg_list_map map = list_map(modules);
	int err = rg_list_map_stage(&fresh->staged, &map, NULL, fresh->lists, &stop, error);

	if (!err)
		err = adopt_lists(modules, fresh, error);
	rg_list_map_drop(fresh->staged);
	return err;
}

static void finish_lists(struct rg_reload *reload)
{
	const struct rg_lists *lists = reload->modules->lists;
	size_t count;

	reload->retry_at = 0;
	(void)rg_lists_items(lists, &count);
	rg_log_info("lists: %zu entries in force, %zu written, %zu countries", count,
		    rg_lists_written(lists), rg_lists_countries(lists));
}

/* ------------------------------------------------------------ configuration */

/* True if a zone is new or its answers are read differently. Then every verdict may be wrong. */
static bool has_new_zone(const struct rg_conf *old, const struct rg_conf *fresh)
{
	for (unsigned int i = 0; i < fresh->zone_count; i++)
		if (!rg_conf_find_zone(old, &fresh->zones[i]))
			return true;
	return false;
}

/*
 * A zone with another alias may use a slot again: the slot's counts start at 0 then. What is known of a zone holds
 * only for the same list, read in the same way; and answers that are under way are not about another one.
 */
static void reset_counts(const struct rg_modules *modules, const struct rg_conf *old)
{
	for (unsigned int i = 0; i < modules->conf->zone_count; i++) {
		const struct rg_zone_conf *zone = &modules->conf->zones[i];
		const struct rg_zone_conf *before = rg_conf_zone_by_slot(old, zone->slot);

		if (!before || strcmp(before->alias, zone->alias) != 0)
			rg_inquiry_context_reset(modules->inquiries, zone->slot);
		if (!before || !rg_conf_same_zone(before, zone))
			rg_zone_test_reset(modules->zone_test, zone->slot);
	}
}

static void adopt_conf(struct rg_modules *modules, struct rg_conf *conf)
{
	struct rg_conf *old = modules->conf;
	const struct rg_conf_actions before = rg_conf_actions(old);

	(void)rg_modules_sample(modules); /* the counts so far, by the old zones */
	modules->conf = conf;
	rg_reload_write_settings(modules);
	if (has_new_zone(old, conf))
		rg_verdicts_flush_all(modules->verdicts);
	else if (rg_conf_changes_actions(&before, conf))
		rg_verdicts_apply(modules->verdicts, &modules->conf);
	reset_counts(modules, old);
	(void)rg_modules_sample(modules);
	rg_conf_unref(old);
	rg_last_mode_check(conf);
	rg_reload_log_warnings(conf);
	rg_reload_forget_code(conf);
	(void)rg_exempt_refresh(&modules->exempt, &conf->resolver);
}

/* The new lists are in force already. Only a map that can't be written stops it now. */
static int finish_conf(struct rg_modules *modules, struct rg_conf *conf, struct rg_error *error)
{
	int err = rg_verdicts_name_zones(modules->verdicts, conf);

	if (err == -EAGAIN)
		return rg_fail(error, err,
			       "verdicts of zones that left before are still removed; try again soon");
	if (err < 0)
		return rg_fail(error, -EIO, "%s: the zones map can't be written",
			       modules->conf->pin_path);
	adopt_conf(modules, rg_conf_ref(conf));
	rg_log_info("reloaded");
	return 0;
}

/* Reads the configuration file again. */
static int read_conf(const struct rg_modules *modules, struct rg_conf **ret, struct rg_error *error)
{
	int err = rg_conf_load(ret, modules->conf->path, error);
	const char *key;

	if (err)
		return err;
	key = rg_conf_needs_restart(modules->conf, *ret);
	if (key) {
		err = rg_fail(error, -EINVAL, "%s: %s changed, which needs a restart", (*ret)->path,
			      key);
		rg_conf_unref(*ret);
	}
	return err;
}

int rg_reload_set(struct rg_modules *modules, const char *key, const char *value,
		  struct rg_error *error)
{
	const struct rg_conf_actions before = rg_conf_actions(modules->conf);
	int err = rg_live_set(modules->conf, key, value, error);

	if (err)
		return err;
	rg_reload_write_settings(modules);
	if (rg_conf_changes_actions(&before, modules->conf))
		rg_verdicts_apply(modules->verdicts, &modules->conf);
	(void)rg_last_mode_note(modules->conf);
	rg_log_info("%s is %s, set by repgatectl", key, value);
	return 0;
}

/*
 * The answers of the zones under the old code may be wrong, so every peer is judged again, and the zones are
 * tested again.
 */
int rg_reload_set_code(struct rg_modules *modules, const char *code, struct rg_error *error)
{
	struct rg_conf *conf = modules->conf;
	int err = rg_ers_set_code(conf, code, error);

	if (err)
		return err;
	rg_verdicts_flush_all(modules->verdicts);
	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (rg_ers_has_zone(&conf->zones[i]))
			rg_zone_test_reset(modules->zone_test, conf->zones[i].slot);
	rg_log_info("another activation code is in force, set by repgatectl");
	return 0;
}

void rg_reload_forget_code(const struct rg_conf *conf)
{
	int err = conf->code_is_stale ? rg_saved_code_remove(conf->state_dir) : 0;

	if (err)
		rg_log_warning("%s/" RG_SAVED_CODE_FILE " can't be removed: %s", conf->state_dir,
			       strerror(-err));
}

void rg_reload_set_mode(struct rg_modules *modules, enum rg_mode mode)
{
	modules->conf->mode = mode;
	rg_reload_write_settings(modules);
	(void)rg_last_mode_note(modules->conf);
	rg_log_info("mode is %s", rg_mode_name(mode));
}

/* ------------------------------------------------------------------ a reload */

static void count_reload(struct rg_modules *modules, int err, struct rg_error *error)
{
	modules->reloads++;
	if (err) {
		modules->reload_errors++;
		/* It may quote a line of a list or of the configuration. */
		rg_conf_mask(modules->conf, error->text);
	}
	snprintf(modules->reload_error, sizeof(modules->reload_error), "%s", err ? error->text : "");
}

/* The thread has ended. What it loaded is put in force here, in the event loop. */
static void on_loaded(void *arg, struct rg_list_load_result *fresh)
{
	struct rg_reload *reload = arg;
	struct rg_modules *modules = reload->modules;
	const uint64_t start = rg_now();
	int err = fresh->err;

	reload->load = NULL; /* freed by its owner when this returns */
	if (err && fresh->conf)
		rg_conf_mask(fresh->conf, fresh->error.text); /* by its own keys, which may be new */
	rg_reload_mark(reload);
	if (!err)
		err = adopt_lists(modules, fresh, &fresh->error);
	if (!err && fresh->conf != modules->conf)
		err = finish_conf(modules, fresh->conf, &fresh->error);
	else if (!err)
		finish_lists(reload);
	count_reload(modules, err, &fresh->error);
	rg_loop_times_add(modules->loop, RG_LOOP_RELOAD, start);
	rg_reload_queue_done(reload->queue, err, &fresh->error);
}

static void on_walked(struct rg_job *job, bool complete)
{
	struct waiting *waiting = (struct waiting *)(void *)job;

	/* Else the agent stops: rg_reload_free() answers. */
	if (complete)
		rg_reload_queue_release(waiting->reload->queue);
	free(waiting);
}

/*
 * Called by the queue: whether a request that succeeded has to wait until the stored verdicts follow. Without memory it
 * is answered at once.
 */
static bool must_wait(void *arg)
{
	struct rg_reload *reload = arg;
	uint64_t jobs = rg_jobs_added(reload->modules->jobs, RG_LANE_VERDICTS);
	struct waiting *waiting;

	if (jobs == reload->jobs)
		return false;
	waiting = calloc(1, sizeof(*waiting));
	if (!waiting)
		return false;
	waiting->reload = reload;
	waiting->job = (struct rg_job){ .work = RG_LOOP_RELOAD, .end = on_walked };
	rg_jobs_add(reload->modules->jobs, RG_LANE_VERDICTS, &waiting->job);
	return true;
}

/* Called by the queue for each load. */
static int start_load(void *arg, enum rg_reload_kind kind, struct rg_error *error)
{
	struct rg_reload *reload = arg;
	struct rg_modules *modules = reload->modules;
	struct rg_list_load_request request = { .map = list_map(modules),
						.old = modules->lists,
						.how = RG_LIST_LOAD_KEEP };
	int err = 0;

	if (kind == RG_RELOAD_FORCE)
		request.how |= RG_LIST_LOAD_FORCE;
	if (kind != RG_RELOAD_LISTS)
		err = read_conf(modules, &request.conf, error);
	else
		request.conf = rg_conf_ref(modules->conf);
	if (!err) {
		err = rg_list_load_start(&reload->load, modules->base, &request, on_loaded, reload,
					 error);
		rg_conf_unref(request.conf);
	}
	if (err)
		count_reload(modules, err, error);
	return err;
}

int rg_reload_new(struct rg_reload **ret, struct rg_modules *modules)
{
	struct rg_reload *reload = calloc(1, sizeof(*reload));
	const struct rg_reload_queue_calls calls = { .load = start_load,
						     .must_wait = must_wait,
						     .arg = reload };

	if (!reload)
		return -ENOMEM;
	reload->modules = modules;
	if (rg_reload_queue_new(&reload->queue, &calls)) {
		free(reload);
		return -ENOMEM;
	}
	*ret = reload;
	return 0;
}

void rg_reload_free(struct rg_reload *reload)
{
	if (!reload)
		return;
	rg_list_load_cancel(reload->load);
	rg_reload_queue_free(reload->queue);
	free(reload);
}

void rg_reload_mark(struct rg_reload *reload)
{
	reload->jobs = rg_jobs_added(reload->modules->jobs, RG_LANE_VERDICTS);
}

void rg_reload_add(struct rg_reload *reload, const struct rg_reload_request *request)
{
	rg_reload_queue_add(reload->queue, request);
}

static void on_lists_done(void *arg, int err, const struct rg_error *error)
{
	(void)arg;
	if (err && err != -ECANCELED)
		rg_log_error("lists not reloaded, the old ones stay: %s", error->text);
}

void rg_reload_lists(struct rg_reload *reload)
{
	const struct rg_reload_request request = { .kind = RG_RELOAD_LISTS, .done = on_lists_done };

	rg_reload_add(reload, &request);
}

void rg_reload_tick(struct rg_reload *reload, uint64_t now)
{
	const struct rg_list_map map = list_map(reload->modules);
	uint64_t next = rg_lists_next_expiry(reload->modules->lists);
	bool again = rg_index_maps_wants_lists(map.indexes, now);

	if (rg_lists_clock_was_set(reload->modules->lists) && now >= reload->retry_at) {
		rg_log_info("the clock was set: loading the lists again, as entries may end");
		again = true;
	}
	if (again && now >= reload->retry_at) {
		reload->retry_at = now + RETRY_TIME;
		rg_reload_lists(reload);
		return;
	}
	if (!next || next > now)
		return;
	(void)rg_list_map_begin(&map, reload->modules->lists, now); /* the next tick tries again */
	if (now < reload->retry_at)
		return;
	reload->retry_at = now + RETRY_TIME;
	rg_reload_lists(reload);
}
