/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One subject: the life of the agent. Builds the modules in order, ticks once a second, frees them. */
#include "daemon/agent.h"

#include "base/log.h"
#include "control/control.h"
#include "daemon/dir_watch.h"
#include "daemon/event_log.h"
#include "daemon/last_mode.h"
#include "daemon/notify.h"
#include "daemon/reload.h"
#include "kernel/attach.h"
#include "kernel/host_facts.h"
#include "kernel/netlink.h"
#include "kernel/obstacle.h"
#include "kernel/settings.h"
#include "kernel/stats.h"
#include "observe/history_file.h"
#include "observe/metrics.h"
#include "observe/modules.h"
#include "store/verdict_file.h"

#include <bpf/bpf.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>

/* Heartbeat for XDP, watchdog of systemd, removal of what has expired. */
static const struct timeval tick_time = { .tv_sec = 1 };

/* Every so many ticks the interfaces and this host's addresses are read again. */
#define OWN_ADDRESS_TICKS 10

/* Every so many ticks verdicts and history are saved. A power failure loses what came later. */
#define SAVE_TICKS 300

/* Every so many ticks free memory goes back to the kernel, unless so many inquiries are open. */
#define TRIM_TICKS 30
#define TRIM_MAX_OPEN 1000

#define MAX_TRIES 10 /* of a DNS question: dns_tries is no more */

struct rg_agent {
	struct rg_modules modules;
	struct rg_client_limits clients;
	struct rg_loop_times loop;
	struct rg_reload *reload;
	struct rg_control *control;
	struct rg_metrics *metrics; /* NULL: metrics_listen is "" */
	struct rg_dir_watch *dir_watch;
	struct rg_netlink *netlink;
	struct rg_verdict_file *verdict_file;
	struct event *signals[3];
	struct event *tick;
	struct rg_job taken_over; /* the end of the take-over */
	struct event *work; /* runs the jobs, a slice in each turn of the loop */
	bool is_stopping; /* the loop ends once the verdicts are saved */
	uint64_t ticks; /* since the start */
	unsigned int hangups; /* SIGHUPs whose reload has not ended */
	int save_error, history_error; /* of the last write; a change is logged */
	uint64_t packets; /* that XDP had seen at the last tick */
	uint64_t indexes_failed; /* the number that was logged last */
};

static void on_syn(void *arg, const struct rg_event_syn *syn)
{
	struct rg_modules *modules = arg;

	rg_judge_syn(modules->judge, syn);
}

static void find_refusal(void *arg, const struct rg_conf *conf, const struct rg_addr *addr,
			 enum rg_action action, struct rg_refusal *refusal)
{
	const struct rg_modules *modules = arg;

	rg_refusals_find(modules->verdicts, modules->lists, conf, addr, action, refusal);
}

static bool uses_responder(const struct rg_conf *conf)
{
	return rg_conf_uses(conf, RG_ACTION_TEMPFAIL) || rg_conf_uses(conf, RG_ACTION_REJECT);
}

/*
 * SYNs that the kernel dropped on their way (rp_filter, a firewall) say nothing against the responder, and
 * anybody can send them: connection tracking has no entry of them. They do not count any longer.
 */
static void forgive_dropped(struct rg_modules *modules, uint64_t now)
{
	const struct rg_maps *maps = rg_loader_maps(modules->loader);

	for (unsigned int i = 0; i < RG_DESTINATIONS; i++) {
		struct rg_destination *dest = &maps->on_the_way[i];

		if (rg_steering_is_full(dest, maps->settings, now) &&
		    rg_redirects_all_dropped(modules->redirects, dest->last, ARRAY_SIZE(dest->last)))
			__atomic_store_n(&dest->unconfirmed, 0, __ATOMIC_RELAXED);
	}
}

/* Tells XDP whether something may lead SYNs past the responder. */
static void check_redirects(struct rg_modules *modules)
{
	struct rg_redirects_facts facts = rg_redirects_read(modules->redirects);

	rg_settings_set_bounded(rg_loader_maps(modules->loader)->settings, facts.possible,
				facts.round);
	if (facts.by_nat)
		forgive_dropped(modules, rg_now());
}

static void on_rules_changed(void *arg)
{
	check_redirects(arg);
}

/* Checks whether connections reach the responder, and logs a change if the configuration uses it. */
static void check_steering(struct rg_modules *modules, uint64_t now)
{
	const struct rg_maps *maps = rg_loader_maps(modules->loader);
	struct rg_steering *steering = &modules->steering;
	bool changed;

	check_redirects(modules);
	changed = rg_steering_update(
		steering, modules->conf,
		rg_steering_listener(modules->conf->ports, modules->conf->port_count),
		rg_steering_is_bypassed(maps->on_the_way, maps->settings, now));
	rg_settings_set_steering(maps->settings, rg_steering_may_work(steering));
	if (!changed || !uses_responder(modules->conf))
		return;
	if (steering->state == RG_STEERING_READY)
		rg_log_info("connections can be steered to the responder");
	else
		rg_log_warning("%s", rg_steering_advice(steering->state));
}

static void on_path_changed(const struct rg_path_info *path)
{
	if (path->since)
		rg_log_warning("interface %s: connections arrive that the filter has not seen: %s",
			       path->name, rg_paths_advice(path));
	else
		rg_log_info("interface %s: the filter sees all connections again", path->name);
}

/* SYNs of filtered ports that XDP has seen. */
static uint64_t all_packets(const struct rg_stats *stats)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < RG_STAT_LOSSES; i++)
		sum += stats->counts[i].packets;
	return sum;
}

/* Compares what the filter passed with what arrived at sockets. */
static void check_evidence(struct rg_agent *agent, uint64_t now)
{
	struct rg_modules *modules = &agent->modules;
	struct rg_stats stats;
	uint64_t packets;

	if (rg_stats_read(rg_loader_maps(modules->loader)->stats, &stats))
		return;
	rg_release_evidence_update(&modules->released, stats.counts[RG_STAT_RELEASED].packets,
				   stats.counts[RG_STAT_RELEASE_SEEN].packets);
	packets = all_packets(&stats);
	rg_paths_tick(modules->paths, packets - agent->packets >= RG_EXACT_PER_SECOND / 2, now,
		      on_path_changed);
	agent->packets = packets;
}

static void on_reloaded(void *arg, int err, const struct rg_error *error)
{
	struct rg_agent *agent = arg;

	if (err == -ECANCELED)
		return; /* the agent stops, and systemd knows that */
	if (err)
		rg_log_error("reload refused, the old state stays: %s", error->text);
	if (!--agent->hangups)
		rg_notify_ready("filtering");
}

static void reload_for_systemd(struct rg_agent *agent)
{
	const struct rg_reload_request request = { .kind = RG_RELOAD_CONF,
						   .done = on_reloaded,
						   .arg = agent };

	agent->hangups++;
	rg_notify_reloading();
	rg_reload_add(agent->reload, &request);
}

static void on_saved(void *arg, int err)
{
	struct rg_agent *agent = arg;

	if (err && err != agent->save_error)
		rg_log_warning("verdicts can't be saved in %s: %s", agent->modules.conf->state_dir,
			       strerror(-err));
	agent->save_error = err;
}

/* While verdicts are taken over or loaded, the file has more of them. */
static bool may_save(const struct rg_agent *agent)
{
	const struct rg_job *job = rg_jobs_first(agent->modules.jobs, RG_LANE_VERDICTS);

	return agent->verdict_file &&
	       !(job && (job->work == RG_LOOP_TAKE_OVER || job->work == RG_LOOP_RESTORE));
}

static void on_last_save(void *arg, int err)
{
	struct rg_agent *agent = arg;

	on_saved(agent, err);
	event_base_loopbreak(agent->modules.base);
}

/*
 * Peers are judged until the verdicts are saved, which takes a second for each million. A second signal stops the agent
 * at once.
 */
static void stop(struct rg_agent *agent)
{
	bool was_stopping = agent->is_stopping;

	agent->is_stopping = true;
	rg_notify_stopping();
	if (!was_stopping && may_save(agent))
		rg_verdict_file_save(agent->verdict_file, true, on_last_save, agent);
	else
		event_base_loopbreak(agent->modules.base);
}

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
	struct rg_agent *agent = arg;

	(void)what;
	if (signal == SIGHUP)
		reload_for_systemd(agent);
	else
		stop(agent);
}

/* Without facts about this host, all SYNs that arrive count as its own. */
static void refresh_host_facts(struct rg_loader *loader)
{
	int err = rg_host_facts_refresh(loader);

	if (err)
		rg_log_debug("facts about this host's addresses can't be read: %s", strerror(-err));
}

/* Interfaces or addresses of this host changed. Also called regularly, as some changes send no message. */
static void on_links_changed(void *arg)
{
	struct rg_agent *agent = arg;
	struct rg_modules *modules = &agent->modules;

	rg_attach_refresh(modules->loader);
	refresh_host_facts(modules->loader);
	(void)rg_paths_refresh(modules->paths); /* tried again soon */
	(void)rg_exempt_refresh(&modules->exempt, &modules->conf->resolver);
	if (rg_lists_needs_cut(modules->lists, &modules->exempt.own))
		rg_reload_lists(agent->reload);
}

static void on_lists_changed(void *arg)
{
	const struct rg_agent *agent = arg;

	rg_reload_lists(agent->reload);
}

static void write_history(struct rg_agent *agent, bool sync)
{
	int err = rg_history_file_write(agent->modules.history, agent->modules.conf->state_dir, sync);

	if (err && err != agent->history_error)
		rg_log_warning("the history can't be written in %s: %s",
			       agent->modules.conf->state_dir, strerror(-err));
	agent->history_error = err;
}

static void check_indexes(struct rg_agent *agent)
{
	uint64_t failed = rg_verdicts_indexes(agent->modules.verdicts).failed;

	if (failed != agent->indexes_failed)
		rg_log_warning(
			"an index can't be built for lack of memory: the tries answer, which is slower");
	agent->indexes_failed = failed;
}

/*
 * After a burst of inquiries some small long-lived allocations keep malloc from giving back 8 MB and more
 * below them. malloc_trim() takes 0.5 ms after a burst, else 0.1 ms. It is not called during a burst,
 * which would allocate everything again.
 */
static void trim_memory(const struct rg_modules *modules)
{
	if (rg_judge_count(modules->judge).open < TRIM_MAX_OPEN)
		(void)malloc_trim(0);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct rg_agent *agent = arg;
	struct rg_modules *modules = &agent->modules;
	uint64_t now = rg_now();

	(void)fd;
	(void)what;
	rg_settings_set_heartbeat(rg_loader_maps(modules->loader)->settings, now);
	rg_notify_watchdog();
	rg_verdicts_sweep(modules->verdicts, now);
	check_indexes(agent);
	if (modules->responder)
		rg_responder_tick(modules->responder, now);
	rg_zone_test_tick(modules->zone_test, now);
	check_steering(modules, now);
	check_evidence(agent, now);
	rg_guards_tick(modules->guards, modules, uses_responder(modules->conf), now);
	if (++agent->ticks % OWN_ADDRESS_TICKS == 0) {
		on_links_changed(agent);
		rg_dir_watch_refresh(agent->dir_watch);
	}
	if (rg_history_counts_needs_sample(modules->history, rg_moment_now()))
		(void)rg_modules_sample(modules); /* a failure is made good by the next sample */
	if (agent->ticks % SAVE_TICKS == 0) {
		if (may_save(agent) && !agent->is_stopping)
			rg_verdict_file_save(agent->verdict_file, false, on_saved, agent);
		write_history(agent, false);
	}
	if (agent->ticks % TRIM_TICKS == 0)
		trim_memory(modules);
	rg_reload_tick(agent->reload, now);
	rg_loop_times_add(modules->loop, RG_LOOP_TICK, now);
}

static int make_state_dir(const struct rg_conf *conf, struct rg_error *error)
{
	if (mkdir(conf->state_dir, 0750) && errno != EEXIST)
		return rg_fail(error, -errno, "state_dir %s: %m", conf->state_dir);
	return 0;
}

/* ms that a held SYN waits at most, because its retransmission comes then. */
static uint32_t hold_time(const struct rg_conf *conf)
{
	uint32_t all = conf->dns_timeout * conf->dns_tries;

	return conf->hold_timeout < all ? conf->hold_timeout : all;
}

/*
 * The tries of a question take dns_timeout x dns_tries together, each of them twice as long as the one before
 * (dns.h). The second one must begin early enough to be answered while a SYN is held, so there may be more than
 * dns_tries.
 */
static void plan_tries(const struct rg_conf *conf, struct rg_dns_options *options)
{
	uint32_t all = conf->dns_timeout * conf->dns_tries, latest = hold_time(conf) * 2 / 3;

	options->tries = conf->dns_tries;
	if (options->tries > 1)
		while (options->tries < MAX_TRIES && all / ((1U << options->tries) - 1) > latest)
			options->tries++;
	options->timeout = all / ((1U << options->tries) - 1);
	if (options->timeout < 50)
		options->timeout = 50;
}

static int build_dns(struct rg_modules *modules, struct rg_error *error)
{
	const struct rg_conf *conf = modules->conf;
	struct rg_dns_options options = { .resolver = conf->resolver,
					  .in_flight = conf->dns_in_flight,
					  .lanes = RG_MAX_ZONES };
	int err;

	plan_tries(conf, &options);
	err = rg_dns_new(&modules->dns, modules->base, &options, error);
	if (err)
		return err;
	err = rg_zone_test_new(&modules->zone_test, modules->base, modules->dns, &modules->conf,
			       rg_event_log_health, modules);
	if (!err)
		err = rg_inquiry_context_new(&modules->inquiries, modules->base, modules->dns,
					     modules->zone_test, hold_time(conf),
					     conf->dns_timeout * conf->dns_tries);
	return err ? rg_fail(error, err, "DNS: %s", strerror(-err)) : 0;
}

static int build_judge(struct rg_modules *modules, struct rg_error *error)
{
	const struct rg_judge_deps deps = { .inquiries = modules->inquiries,
					    .verdicts = modules->verdicts,
					    .loader = modules->loader,
					    .conf = &modules->conf,
					    .lists = &modules->lists,
					    .countries = &modules->countries,
					    .exempt = &modules->exempt,
					    .judged = rg_event_log_judged,
					    .arg = modules };
	const struct rg_ring_handlers calls = { .syn = on_syn,
						.refused = rg_event_log_refused,
						.times = modules->loop,
						.arg = modules };
	int err = rg_judge_new(&modules->judge, &deps);

	if (!err)
		err = rg_ring_new(&modules->ring, modules->base,
				  rg_loader_maps(modules->loader)->events, &calls);
	return err ? rg_fail(error, err, "event loop: %s", strerror(-err)) : 0;
}

/*
 * The filter works without the responder, so a failure is only a warning. Call after the settings were
 * written.
 */
static void build_responder(struct rg_agent *agent)
{
	struct rg_modules *modules = &agent->modules;
	const struct rg_responder_calls calls = { .find = find_refusal,
						  .ended = rg_event_log_session,
						  .arg = modules };
	struct rg_error error;
	int err = rg_redirects_new(&modules->redirects, modules->base, on_rules_changed, modules);

	if (err)
		rg_log_debug("rules of nftables can't be read: %s", strerror(-err));
	check_redirects(modules);
	err = rg_attach_steering(modules->loader);
	if (err)
		rg_log_warning("the kernel refuses the steering program (%s): tempfail resets, reject "
			       "drops",
			       strerror(-err));
	else if (rg_responder_new(&modules->responder, modules->base, modules->loader,
				  &modules->conf, &calls, &error))
		rg_log_warning("%s: tempfail resets, reject drops", error.text);
	else if (rg_responder_limit(modules->conf) < modules->conf->max_sessions)
		rg_log_warning("max_sessions is %u, but the limit of open files allows %u",
			       modules->conf->max_sessions, rg_responder_limit(modules->conf));
	modules->steering.attached = modules->responder != NULL;
	check_steering(modules, rg_now());
}

static void on_taken_over(struct rg_job *job, bool complete)
{
	const struct rg_agent *agent =
		(struct rg_agent *)(void *)((char *)job - offsetof(struct rg_agent, taken_over));

	if (complete)
		rg_log_info("took over %llu verdicts from before",
			    (unsigned long long)rg_verdicts_count(agent->modules.verdicts).entries);
}

/* Adapts the verdicts of an earlier agent to this configuration, once they are taken over. */
static void take_over(struct rg_agent *agent, bool new_zone)
{
	struct rg_modules *modules = &agent->modules;

	rg_verdicts_apply(modules->verdicts, &modules->conf);
	rg_verdicts_flush_countries(modules->verdicts,
				    new_zone || rg_lists_countries(modules->lists) > 0);
	agent->taken_over = (struct rg_job){ .work = RG_LOOP_TAKE_OVER, .end = on_taken_over };
	rg_jobs_add(modules->jobs, RG_LANE_VERDICTS, &agent->taken_over);
}

static void on_loaded(void *arg, const struct rg_verdict_file_count *count)
{
	(void)arg;
	if (count->bad)
		rg_log_warning("saved verdicts: %zu lines are bad, ignoring them", count->bad);
	if (count->loaded)
		rg_log_info("loaded %zu saved verdicts, %zu are over", count->loaded, count->ended);
}

/* Loads the saved verdicts: after a reboot, or after a change of the maps' layout. */
static void load_saved(struct rg_modules *modules)
{
	int err = rg_verdict_file_load(modules->conf->state_dir, modules->verdicts, modules->jobs,
				       &modules->conf, on_loaded, modules);

	if (err < 0)
		rg_log_warning("saved verdicts can't be read: %s", strerror(-err));
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* The kernel's counters are an earlier agent's, or a copy of them, or new. */
static int build_history(struct rg_agent *agent, struct rg_error *error)
{
	struct rg_modules *modules = &agent->modules;
	uint32_t is = map_id(rg_loader_maps(modules->loader)->stats), was = 0;
	struct rg_history_sample sample;
	struct rg_error bad;
	int err = rg_history_counts_new(&modules->history);

	if (!err)
		err = rg_modules_read_counters(modules, &sample);
	if (err)
		return rg_fail(error, err, "history: %s", strerror(-err));
	if (rg_loader_took_over(modules->loader))
		was = is;
	else if (rg_loader_old_maps(modules->loader))
		was = map_id(rg_loader_old_maps(modules->loader)->stats);
	if (rg_history_file_load(modules->history, modules->conf->state_dir, &bad))
		rg_log_warning("history: %s", bad.text);
	rg_history_counts_begin(modules->history, &sample, was, is, rg_moment_now());
	write_history(agent, false);
	return 0;
}

/*
 * Builds the maps with everything that the first packet needs. The lists are read first, so that an error
 * in them does not touch a filter that is in force.
 */
static int build_maps(struct rg_agent *agent, struct rg_error *error)
{
	struct rg_modules *modules = &agent->modules;
	struct rg_list_load_result fresh = {};
	int err = rg_list_load_files(modules->conf, RG_LIST_LOAD_KEEP, &fresh), new_zone;

	if (err)
		return rg_fail(error, err, "%s", fresh.error.text);
	err = rg_loader_new(&modules->loader, modules->conf, error);
	if (!err)
		err = rg_verdicts_new(&modules->verdicts, modules->loader, modules->conf,
				      modules->jobs, error);
	if (!err)
		err = rg_reload_first_lists(modules, &fresh, error);
	rg_lists_free(fresh.lists); /* NULL on success */
	rg_country_db_free(fresh.countries);
	if (err)
		return err;
	new_zone = rg_verdicts_name_zones(modules->verdicts, modules->conf);
	if (new_zone ==
	    -EAGAIN) { /* nearly all zones are others than before: wait until their slots are free */
		rg_jobs_finish(modules->jobs);
		new_zone = rg_verdicts_name_zones(modules->verdicts, modules->conf);
	}
	if (new_zone < 0)
		return rg_fail(error, new_zone, "zones map: %s", strerror(-new_zone));
	err = rg_exempt_refresh(&modules->exempt, &modules->conf->resolver);
	if (err)
		rg_log_warning("own addresses unknown: %s", strerror(-err));
	rg_settings_set_pending_since(rg_loader_maps(modules->loader)->settings, rg_now());
	rg_reload_write_settings(modules);
	if (rg_loader_took_over(modules->loader) || rg_loader_old_maps(modules->loader))
		take_over(agent, new_zone);
	else
		load_saved(modules);
	return 0;
}

/* Built first: a SIGTERM during the start stops the agent after the start, instead of killing it. */
static int build_signals(struct rg_agent *agent, struct rg_error *error)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		agent->signals[i] = evsignal_new(agent->modules.base, signals[i], on_signal, agent);
		if (!agent->signals[i] || event_add(agent->signals[i], NULL))
			return rg_fail(error, -ENOMEM, "out of memory");
	}
	return 0;
}

static int build_loop(struct rg_agent *agent, struct rg_error *error)
{
	struct rg_modules *modules = &agent->modules;
	const char *dirs[] = { modules->conf->approved_dir, modules->conf->blocked_dir };
	int err;

	agent->tick = event_new(modules->base, -1, EV_PERSIST, on_tick, agent);
	if (!agent->tick || event_add(agent->tick, &tick_time) ||
	    rg_verdict_file_new(&agent->verdict_file, modules->base, modules->jobs,
				modules->verdicts, modules->conf->state_dir))
		return rg_fail(error, -ENOMEM, "out of memory");
	err = rg_netlink_new(&agent->netlink, modules->base, on_links_changed, agent);
	if (err)
		rg_log_warning("interfaces are not watched (%s), but checked every %d s",
			       strerror(-err), OWN_ADDRESS_TICKS);
	err = rg_dir_watch_new(&agent->dir_watch, modules->base, dirs, ARRAY_SIZE(dirs),
			       on_lists_changed, agent);
	if (err)
		rg_log_warning("list directories are not watched (%s): use repgatectl reload",
			       strerror(-err));
	return 0;
}

static void add_reload(void *arg, const struct rg_reload_request *request)
{
	const struct rg_agent *agent = arg;

	rg_reload_add(agent->reload, request);
}

static int set_setting(void *arg, const char *key, const char *value, struct rg_error *error)
{
	struct rg_agent *agent = arg;

	rg_reload_mark(agent->reload);
	return rg_reload_set(&agent->modules, key, value, error);
}

static void set_mode(void *arg, enum rg_mode mode)
{
	struct rg_agent *agent = arg;

	rg_reload_mark(agent->reload);
	rg_reload_set_mode(&agent->modules, mode);
}

static int set_code(void *arg, const char *code, struct rg_error *error)
{
	struct rg_agent *agent = arg;

	rg_reload_mark(agent->reload);
	return rg_reload_set_code(&agent->modules, code, error);
}

static int build_control(struct rg_agent *agent, struct rg_error *error)
{
	const struct rg_control_ops ops = { .reload = add_reload,
					    .set = set_setting,
					    .set_code = set_code,
					    .set_mode = set_mode,
					    .arg = agent };

	return rg_control_new(&agent->control, &agent->modules, &ops, error);
}

static int build(struct rg_agent *agent, struct rg_error *error)
{
	int err = build_signals(agent, error);

	if (!err && rg_reload_new(&agent->reload, &agent->modules))
		err = rg_fail(error, -ENOMEM, "out of memory");
	if (!err)
		err = make_state_dir(agent->modules.conf, error);
	if (!err)
		err = build_maps(agent, error);
	if (!err)
		err = build_dns(&agent->modules, error);
	if (!err)
		err = build_judge(&agent->modules, error);
	if (!err && rg_paths_new(&agent->modules.paths, agent->modules.loader))
		err = rg_fail(error, -ENOMEM, "out of memory");
	if (!err)
		build_responder(agent);
	if (!err)
		err = build_history(agent, error);
	if (!err)
		err = build_loop(agent, error);
	if (!err)
		err = build_control(agent, error);
	if (!err)
		err = rg_metrics_new(&agent->metrics, &agent->modules, error);
	if (!err)
		check_evidence(agent, rg_now()); /* from here on counts what the counters gain */
	if (!err)
		err = rg_attach_all(agent->modules.loader, error);
	if (!err) {
		refresh_host_facts(agent->modules.loader);
		(void)rg_paths_refresh(agent->modules.paths);
	}
	if (!err)
		rg_zone_test_tick(agent->modules.zone_test, rg_now());
	return err;
}

static void on_event(void *arg, const struct rg_recent_event *event)
{
	struct rg_agent *agent = arg;

	if (agent->control)
		rg_control_follow(agent->control, event);
}

/* The deadlines of inquiries need timers that are exact to the millisecond. */
static struct event_base *new_base(void)
{
	static const struct timeval low_time = { .tv_usec = 5000 };
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (!config)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	/* After 16 events, or 5 ms, of the responder's sessions or of repgatectl, look for events of higher priority. */
	event_config_set_max_dispatch_interval(config, &low_time, 16, RG_PRIORITY_LOW);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (base)
		event_base_priority_init(base, RG_PRIORITIES);
	return base;
}

/* Without descriptors anything may fail, and its own message does not say what to do. */
static void add_advice(int err, struct rg_error *error)
{
	char advice[RG_OBSTACLE_TEXT];
	size_t len = strlen(error->text);

	if ((err != -EMFILE && err != -ENFILE) || strstr(error->text, "RLIMIT_NOFILE"))
		return;
	snprintf(error->text + len, sizeof(error->text) - len, "%s", rg_obstacle_advice(err, advice));
}

/* After a slice of 2 ms: a walk takes two thirds of a core at most, and leaves the rest to what answers the agent. */
static const struct timeval work_pause = { .tv_usec = 1000 };

static void on_work(evutil_socket_t fd, short what, void *arg)
{
	struct rg_agent *agent = arg;

	(void)fd;
	(void)what;
	if (rg_jobs_run(agent->modules.jobs))
		evtimer_add(agent->work, &work_pause);
}

static void on_jobs(void *arg)
{
	struct rg_agent *agent = arg;

	evtimer_add(agent->work, &work_pause);
}

/* A timer, because it comes once in each turn: after a slice the loop looks at everything else. */
static int build_jobs(struct rg_agent *agent)
{
	agent->work = evtimer_new(agent->modules.base, on_work, agent);
	if (!agent->work)
		return -ENOMEM;
	return rg_jobs_new(&agent->modules.jobs, on_jobs, agent, agent->modules.loop);
}

int rg_agent_new(struct rg_agent **ret, struct rg_conf *conf, struct rg_error *error)
{
	struct rg_agent *agent = calloc(1, sizeof(*agent));
	struct rg_modules *modules;
	int err;

	if (!agent)
		return rg_fail(error, -ENOMEM, "out of memory");
	err = rg_obstacle_check_files(error);
	if (err) {
		free(agent);
		return err;
	}
	modules = &agent->modules;
	modules->started = rg_now();
	modules->clients = &agent->clients;
	modules->loop = &agent->loop;
	modules->conf = rg_conf_ref(conf);
	errno = ENOMEM;
	modules->base = new_base();
	if (!modules->base)
		err = rg_fail(error, -errno, "event loop: %m");
	else if (build_jobs(agent) || rg_guards_new(&modules->guards) ||
		 rg_recent_events_new(&modules->recent_events, on_event, agent))
		err = rg_fail(error, -ENOMEM, "out of memory");
	else
		err = build(agent, error);
	if (err) {
		add_advice(err, error);
		rg_conf_mask(conf, error->text);
		/* An earlier agent's filter may be in force with these pins. */
		bool keep = !modules->loader || rg_loader_was_attached(modules->loader);

		rg_agent_free(agent, keep);
		return err;
	}
	rg_last_mode_check(conf);
	rg_reload_log_warnings(conf);
	rg_reload_forget_code(conf);
	if (conf->unknown == RG_ACTION_HOLD && !rg_loader_can_hold(modules->loader))
		rg_log_warning(
			"this kernel can't release held SYNs (Linux 5.18 can): unknown = \"drop\"");
	*ret = agent;
	return 0;
}

int rg_agent_run(struct rg_agent *agent)
{
	rg_notify_ready("filtering");
	rg_log_info("ready");
	if (event_base_dispatch(agent->modules.base) < 0)
		return -EIO;
	(void)rg_modules_sample(&agent->modules);
	write_history(agent, true);
	return 0;
}

void rg_agent_free(struct rg_agent *agent, bool keep_pins)
{
	struct rg_modules *modules;

	if (!agent)
		return;
	modules = &agent->modules;
	rg_responder_free(
		modules->responder); /* first: its last sessions are events for the clients of control */
	rg_metrics_free(agent->metrics);
	rg_control_free(agent->control);
	rg_reload_free(agent->reload);
	rg_netlink_free(agent->netlink);
	rg_dir_watch_free(agent->dir_watch);
	rg_jobs_free(modules->jobs);
	rg_verdict_file_free(agent->verdict_file);
	rg_history_counts_free(modules->history);
	if (agent->tick)
		event_free(agent->tick);
	if (agent->work)
		event_free(agent->work);
	for (size_t i = 0; i < ARRAY_SIZE(agent->signals); i++)
		if (agent->signals[i])
			event_free(agent->signals[i]);
	rg_redirects_free(modules->redirects);
	rg_paths_free(modules->paths);
	rg_ring_free(modules->ring);
	rg_judge_free(modules->judge);
	rg_inquiry_context_free(modules->inquiries);
	rg_zone_test_free(modules->zone_test);
	rg_dns_free(modules->dns);
	rg_recent_events_free(modules->recent_events);
	rg_guards_free(modules->guards);
	rg_verdicts_free(modules->verdicts);
	if (modules->loader && !keep_pins)
		rg_attach_detach_all(modules->loader);
	rg_loader_free(modules->loader);
	rg_exempt_clear(&modules->exempt);
	rg_lists_free(modules->lists);
	rg_country_db_free(modules->countries);
	rg_conf_unref(modules->conf);
	if (modules->base)
		event_base_free(modules->base);
	free(agent);
}

const struct rg_conf *rg_agent_conf(const struct rg_agent *agent)
{
	return agent->modules.conf;
}
