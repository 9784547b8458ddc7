/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/agent.h"

#include "base/addr.h"
#include "control/control.h"
#include "config/live.h"
#include "kernel/attach.h"
#include "kernel/ring.h"
#include "kernel/netlink.h"
#include "kernel/settings.h"
#include "base/log.h"
#include "observe/metrics.h"
#include "base/names.h"
#include "daemon/notify.h"
#include "kernel/stats.h"
#include "daemon/dir_watch.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>

/* Sign of life to XDP and to systemd, sweep of what expired. */
static const struct timeval tick_time = { .tv_sec = 1 };

/* Addresses of this host come and go; they are read again after so many ticks. */
#define OWN_ADDRESS_TICKS 10

/*
 * Verdicts and history are saved after so many. What comes later is lost in a power failure: verdicts
 * are asked again, counts are gone.
 */
#define SAVE_TICKS 300

/* A timed entry has ended, but the lists could not be loaded: try again after so many ticks. */
#define LISTS_RETRY_TICKS 60

/* Free memory goes back to the kernel after so many, unless so many inquiries are under way. */
#define TRIM_TICKS 30
#define TRIM_MAX_OPEN 1000

static void write_settings(struct rg_agent *agent)
{
	rg_settings_write(rg_loader_maps(agent->loader)->settings, agent->conf,
			  rg_steering_works(&agent->steering), rg_loader_can_hold(agent->loader));
}

static void describe_judged(struct rg_recent_event *event, const struct rg_conf *conf,
			    const struct rg_outcome *outcome)
{
	event->peer_class = outcome->peer_class;
	event->action = outcome->action;
	event->reason = outcome->reason;
	event->code = outcome->code;
	event->ttl = outcome->ttl;
	event->monitored = conf->mode == RG_MODE_MONITOR && outcome->action != RG_ACTION_PASS;
	if (outcome->zone != RG_NO_ZONE)
		memcpy(event->zone, conf->zones[outcome->zone].alias, sizeof(event->zone));
}

/* A country, or this host itself, needs no question; in an overload there is none. */
static void count_judged(struct rg_agent *agent, enum rg_reason reason)
{
	enum rg_asked result = reason == RG_REASON_ZONE	      ? RG_ASKED_LISTED :
			       reason == RG_REASON_NOT_LISTED ? RG_ASKED_CLEAN :
								RG_ASKED_FAILED;

	if (reason == RG_REASON_LIST || reason == RG_REASON_COUNTRY ||
	    reason == RG_REASON_NEVER_BLOCK || reason == RG_REASON_OVERLOAD)
		return;
	agent->asked[RG_ASKED]++;
	agent->asked[result]++;
}

static void on_judged(void *arg, const struct rg_addr *addr, const struct rg_conf *conf,
		      const struct rg_outcome *outcome)
{
	struct rg_agent *agent = arg;
	struct rg_recent_event event = { .kind = RG_RECENT_JUDGED,
					 .time = rg_wall_now(),
					 .addr = *addr };
	char text[RG_ADDR_TEXT];

	count_judged(agent, outcome->reason);
	describe_judged(&event, conf, outcome);
	rg_recent_events_add(agent->recent, &event);
	rg_log_debug("%s is %s (%s%s%s) for %us: %s", rg_addr_format(addr, text),
		     rg_class_name(outcome->peer_class), rg_reason_name(outcome->reason),
		     *event.zone ? " by " : "", event.zone, outcome->ttl,
		     rg_action_name(outcome->action));
}

static void on_syn(void *arg, const struct rg_event_syn *syn)
{
	struct rg_agent *agent = arg;

	rg_judge_syn(agent->judge, syn);
}

/* XDP has bounded the rate; one line for each connection that was refused. */
static void on_refused(void *arg, const struct rg_event_head *head)
{
	struct rg_agent *agent = arg;
	bool monitored = agent->conf->mode == RG_MODE_MONITOR;
	struct rg_recent_event event = { .kind = RG_RECENT_REFUSED,
					 .time = rg_wall_time(head->time),
					 .addr = head->source,
					 .port = head->source_port,
					 .local_port = head->dest_port,
					 .peer_class = head->peer_class,
					 .action = head->action,
					 .monitored = monitored };
	char peer[RG_ADDR_TEXT], local[RG_ADDR_TEXT];

	snprintf(event.zone, sizeof(event.zone), "%s", rg_verdicts_zone(agent->verdicts, head->zone));
	rg_recent_events_add(agent->recent, &event);
	rg_log_info("%s: client=[%s]:%u server=[%s]:%u class=%s action=%s list=%s",
		    monitored ? "would refuse" : "refused", rg_addr_format(&head->source, peer),
		    head->source_port, rg_addr_format(&head->dest, local), head->dest_port,
		    rg_class_name(head->peer_class), rg_action_name(head->action),
		    *event.zone ? event.zone : "local");
}

static void find_refusal(void *arg, const struct rg_conf *conf, const struct rg_addr *addr,
			 enum rg_action action, struct rg_refusal *refusal)
{
	const struct rg_agent *agent = arg;

	rg_refusals_find(agent->verdicts, agent->lists, conf, addr, action, refusal);
}

/* The responder refused a connection: the same event as if XDP had, and a line of its own style. */
static void on_session_ended(void *arg, const struct rg_session_report *report)
{
	struct rg_agent *agent = arg;
	const struct rg_refusal *refusal = report->smtp->refusal;
	struct rg_recent_event event = { .kind = RG_RECENT_REFUSED,
					 .time = rg_wall_now(),
					 .addr = report->smtp->addr,
					 .port = report->port,
					 .local_port = report->local_port,
					 .peer_class = report->action == RG_ACTION_TEMPFAIL ?
							       RG_CLASS_QIL :
						       !strcmp(refusal->alias, "local") ?
							       RG_CLASS_BLOCKED :
							       RG_CLASS_STANDARD,
					 .action = report->action };

	snprintf(event.zone, sizeof(event.zone), "%s", refusal->alias);
	rg_recent_events_add(agent->recent, &event);
	rg_refusals_log(&agent->refusals, report, agent->conf->log_per_second, rg_now());
}

/* SYNs that XDP passed on to the responder since the start. */
static uint64_t passed_to_responder(const struct rg_stats *stats)
{
	uint64_t sum = 0;

	for (unsigned int peer_class = RG_CLASS_APPROVED; peer_class < RG_CLASS_MAX; peer_class++)
		sum += rg_stats_of(stats, RG_STAT_DONE, peer_class, RG_ACTION_TEMPFAIL)->packets +
		       rg_stats_of(stats, RG_STAT_DONE, peer_class, RG_ACTION_REJECT)->packets;
	return sum;
}

static bool uses_responder(const struct rg_conf *conf)
{
	return rg_conf_uses(conf, RG_ACTION_TEMPFAIL) || rg_conf_uses(conf, RG_ACTION_REJECT);
}

/* Whether connections reach the responder; said when it changes, and when it first matters. */
static void look_at_steering(struct rg_agent *agent, uint64_t now)
{
	struct rg_steering *steering = &agent->steering;
	struct rg_stats stats;
	bool changed;

	if (rg_stats_read(rg_loader_maps(agent->loader)->stats, &stats))
		return;
	changed = rg_steering_update(
		steering, agent->conf,
		rg_steering_listener(agent->conf->ports, agent->conf->port_count),
		passed_to_responder(&stats), stats.counts[RG_STAT_STEERED].packets, now);
	rg_settings_set_steering(rg_loader_maps(agent->loader)->settings,
				 rg_steering_works(steering));
	if (!changed || !uses_responder(agent->conf))
		return;
	if (steering->state == RG_STEERING_READY)
		rg_log_info("connections can be steered to the responder");
	else
		rg_log_warning("%s", rg_steering_advice(steering->state));
}

enum rg_action rg_agent_action(const struct rg_agent *agent, enum rg_class peer_class,
			       enum rg_action action)
{
	if ((action != RG_ACTION_TEMPFAIL && action != RG_ACTION_REJECT) ||
	    rg_steering_works(&agent->steering))
		return action;
	return peer_class == RG_CLASS_QIL ? RG_ACTION_RESET : RG_ACTION_DROP;
}

void rg_agent_reload(struct rg_agent *agent, const struct rg_reload_request *turn)
{
	rg_reload_queue_add(agent->turns, turn);
}

static void on_reloaded(void *arg, int err, const struct rg_error *error)
{
	struct rg_agent *agent = arg;

	if (err == -ECANCELED)
		return; /* systemd knows that we stop */
	if (err)
		rg_log_error("reload refused, the old state stays: %s", error->text);
	if (!--agent->hangups)
		rg_notify_ready("filtering");
}

static void reload_and_say(struct rg_agent *agent)
{
	const struct rg_reload_request turn = { .kind = RG_RELOAD_CONF,
						.done = on_reloaded,
						.arg = agent };

	agent->hangups++;
	rg_notify_reloading();
	rg_agent_reload(agent, &turn);
}

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
	struct rg_agent *agent = arg;

	(void)what;
	if (signal == SIGHUP)
		reload_and_say(agent);
	else
		event_base_loopbreak(agent->base);
}

static void on_lists_reloaded(void *arg, int err, const struct rg_error *error)
{
	(void)arg;
	if (err && err != -ECANCELED)
		rg_log_error("lists not reloaded, the old ones stay: %s", error->text);
}

static void on_lists_changed(void *arg)
{
	const struct rg_reload_request turn = { .kind = RG_RELOAD_LISTS, .done = on_lists_reloaded };

	rg_agent_reload(arg, &turn);
}

/* Interfaces and own addresses. Also now and then, for what no message tells. */
static void on_links_changed(void *arg)
{
	struct rg_agent *agent = arg;

	rg_attach_refresh(agent->loader);
	(void)rg_exempt_refresh(&agent->never, &agent->conf->resolver);
}

static void on_saved(void *arg, int err)
{
	struct rg_agent *agent = arg;

	if (err && err != agent->save_error)
		rg_log_warning("verdicts can't be saved in %s: %s", agent->conf->state_dir,
			       strerror(-err));
	agent->save_error = err;
}

static void own_losses(const struct rg_agent *agent, uint64_t losses[RG_OWN_LOSS_MAX])
{
	struct rg_judge_count judge = rg_judge_count(agent->judge);
	struct rg_verdicts_count verdicts = rg_verdicts_count(agent->verdicts);
	struct rg_responder_count responder = {};

	if (agent->responder)
		responder = rg_responder_count(agent->responder);
	losses[RG_OWN_RELEASE_FAILED] = judge.release_failed;
	losses[RG_OWN_HELD_LOST] = judge.held_lost;
	losses[RG_OWN_OVERLOAD] = judge.overload;
	losses[RG_OWN_VERDICTS_EVICTED] = verdicts.evicted;
	losses[RG_OWN_VERDICTS_FAILED] = verdicts.failed;
	losses[RG_OWN_BAD_EVENTS] = rg_ring_bad(agent->events);
	losses[RG_OWN_SESSION_LIMIT] = responder.over_sessions;
	losses[RG_OWN_SESSION_LIMIT_PER_PEER] = responder.over_peer;
	losses[RG_OWN_ACCEPT_FAILED] = responder.accept_failed;
	losses[RG_OWN_SESSION_LOG_LIMIT] = agent->refusals.suppressed;
}

int rg_agent_losses(const struct rg_agent *agent, struct rg_loss_count losses[RG_LOSS_COUNTS])
{
	uint64_t own[RG_OWN_LOSS_MAX];
	struct rg_stats stats;
	int err = rg_stats_read(rg_loader_maps(agent->loader)->stats, &stats);

	if (err)
		return err;
	own_losses(agent, own);
	for (unsigned int loss = 0; loss < RG_LOSS_COUNTS; loss++)
		losses[loss] =
			(struct rg_loss_count){ rg_loss_name(loss),
						loss < RG_LOSS_MAX ?
							stats.counts[RG_STAT_LOSSES + loss].packets :
							own[loss - RG_LOSS_MAX] };
	return 0;
}

static void sample_zone(const struct rg_agent *agent, unsigned int number,
			struct rg_history_sample *sample)
{
	const struct rg_zone_conf *zone = &agent->conf->zones[number];
	const struct rg_zone_count *count = rg_inquiry_context_count(agent->inquiries, zone->slot);
	uint64_t *to = sample->zones[number].counts;

	sample->zones[number].alias = zone->alias;
	to[RG_ASKED] = count->asked;
	to[RG_ASKED_LISTED] = count->listed;
	to[RG_ASKED_CLEAN] = count->not_listed;
	for (unsigned int status = 0; status < RG_DNS_STATUS_MAX; status++)
		if (status != RG_DNS_OFF) /* nobody asked it */
			to[RG_ASKED_FAILED] += count->failed[status];
}

/* What all counters say now. */
static int take_sample(const struct rg_agent *agent, struct rg_history_sample *sample)
{
	int err;

	*sample = (struct rg_history_sample){ .zone_count = agent->conf->zone_count };
	err = rg_stats_read(rg_loader_maps(agent->loader)->stats, &sample->kernel);
	if (err)
		return err;
	own_losses(agent, sample->losses);
	memcpy(sample->inquiries, agent->asked, sizeof(sample->inquiries));
	for (unsigned int i = 0; i < sample->zone_count; i++)
		sample_zone(agent, i, sample);
	return 0;
}

int rg_agent_count(struct rg_agent *agent)
{
	struct rg_history_sample sample;
	int err = take_sample(agent, &sample);

	if (!err)
		rg_history_add(agent->history, &sample, rg_moment_now());
	return err;
}

static void write_history(struct rg_agent *agent, bool sync)
{
	int err = rg_history_write(agent->history, sync);

	if (err && err != agent->history_error)
		rg_log_warning("the history can't be written in %s: %s", agent->conf->state_dir,
			       strerror(-err));
	agent->history_error = err;
}

static void look_at_indexes(struct rg_agent *agent)
{
	uint64_t failed = rg_verdicts_indexes(agent->verdicts).failed;

	if (failed != agent->indexes_failed)
		rg_log_warning("an index can't be made: the tries answer, slowly");
	agent->indexes_failed = failed;
}

/*
 * After a burst of inquiries a few small things that live long keep malloc from giving back 8 MB and more
 * below them. 0.5 ms after a burst, else 0.1; not in the midst of one, which would take it all again.
 */
static void trim_memory(const struct rg_agent *agent)
{
	if (rg_judge_count(agent->judge).open < TRIM_MAX_OPEN)
		(void)malloc_trim(0);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct rg_agent *agent = arg;
	uint64_t now = rg_now(), next = rg_lists_next_expiry(agent->lists);

	(void)fd;
	(void)what;
	rg_settings_set_heartbeat(rg_loader_maps(agent->loader)->settings, now);
	rg_notify_watchdog();
	rg_verdicts_sweep(agent->verdicts, now);
	look_at_indexes(agent);
	if (agent->responder)
		rg_responder_tick(agent->responder, now);
	rg_zone_test_tick(agent->tester, now);
	look_at_steering(agent, now);
	if (++agent->ticks % OWN_ADDRESS_TICKS == 0) {
		on_links_changed(agent);
		rg_dir_watch_refresh(agent->watch);
	}
	if (rg_history_is_due(agent->history, rg_moment_now()))
		(void)rg_agent_count(agent); /* what is missed now is in the next one */
	if (agent->ticks % SAVE_TICKS == 0) {
		rg_verdict_file_save(agent->saver, on_saved, agent);
		write_history(agent, false);
	}
	if (agent->ticks % TRIM_TICKS == 0)
		trim_memory(agent);
	/* Again only after a while, if the lists can't be read now. */
	if (next && next <= now && agent->ticks >= agent->lists_retry) {
		agent->lists_retry = agent->ticks + LISTS_RETRY_TICKS;
		on_lists_changed(agent);
	}
}

int rg_agent_check(const struct rg_conf *conf, struct rg_error *error)
{
	struct rg_lists *lists = NULL;
	struct rg_country_db *geo = NULL;
	int err = rg_list_load_files(conf, &lists, &geo, error);

	rg_country_db_free(geo);
	rg_lists_free(lists);
	return err;
}

const char *rg_agent_advice(const struct rg_conf *conf)
{
	struct rg_steering steering = { .attached = true };

	if (!uses_responder(conf))
		return NULL;
	rg_steering_update(&steering, conf, rg_steering_listener(conf->ports, conf->port_count), 0,
			   0, 0);
	return steering.state == RG_STEERING_READY ? NULL : rg_steering_advice(steering.state);
}

static void warn_of_countries(const struct rg_lists *lists)
{
	if (rg_lists_countries(lists))
		rg_log_warning("the lists name %zu countries; an approved country lets its spammers in",
			       rg_lists_countries(lists));
}

static struct rg_list_map list_map(const struct rg_agent *agent)
{
	return (struct rg_list_map){ .loader = agent->loader,
				     .indexes = rg_verdicts_index_maps(agent->verdicts) };
}

/* Puts fresh's lists in force; the agent owns them and geo from then on. On error the old ones stay. */
static int adopt_lists(struct rg_agent *agent, struct rg_list_load_result *fresh,
		       struct rg_error *error)
{
	bool same = agent->lists && rg_lists_same_countries(agent->lists, fresh->lists);
	const struct rg_list_map map = list_map(agent);
	int err = rg_list_map_publish(&map, fresh->staged, error);

	if (err)
		return err;
	if (!same) {
		/* What countries decided is asked again, and what passed may be blocked now. */
		if (agent->lists)
			rg_verdicts_flush(agent->verdicts, NULL, RG_NO_ZONE);
		warn_of_countries(fresh->lists);
	}
	rg_lists_free(agent->lists);
	rg_country_db_free(agent->geo);
	agent->lists = fresh->lists;
	agent->geo = fresh->countries;
	fresh->lists = NULL;
	fresh->countries = NULL;
	return 0;
}

static void note_reload(struct rg_agent *agent, int err, const struct rg_error *error)
{
	agent->reloads++;
	if (err)
		agent->reload_errors++;
	snprintf(agent->reload_error, sizeof(agent->reload_error), "%s", err ? error->text : "");
}

static void log_warnings(const struct rg_conf *conf)
{
	const char *line = conf->warnings;

	while (line && *line) {
		size_t len = strcspn(line, "\n");

		rg_log_warning("%s: %.*s", conf->path, (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* A zone that was not asked before, or is read differently: every verdict is in question. */
static bool has_new_zone(const struct rg_conf *old, const struct rg_conf *fresh)
{
	for (unsigned int i = 0; i < fresh->zone_count; i++)
		if (!rg_conf_find_zone(old, &fresh->zones[i]))
			return true;
	return false;
}

/* Counts of a zone that was there under another name are not this one's. */
static void reset_counts(struct rg_agent *agent, const struct rg_conf *old)
{
	for (unsigned int i = 0; i < agent->conf->zone_count; i++) {
		const struct rg_zone_conf *zone = &agent->conf->zones[i];
		const struct rg_zone_conf *before = rg_conf_zone_by_slot(old, zone->slot);

		if (!before || strcmp(before->alias, zone->alias) != 0) {
			rg_inquiry_context_reset(agent->inquiries, zone->slot);
			rg_zone_test_reset(agent->tester, zone->slot);
		}
	}
}

static void adopt_conf(struct rg_agent *agent, struct rg_conf *conf)
{
	struct rg_conf *old = agent->conf;
	const struct rg_conf_actions before = rg_conf_actions(old);

	(void)rg_agent_count(agent); /* as long as the zones are what they were */
	agent->conf = conf;
	write_settings(agent);
	if (has_new_zone(old, conf))
		rg_verdicts_flush(agent->verdicts, NULL, RG_NO_ZONE);
	else if (rg_conf_changes_actions(&before, conf))
		rg_verdicts_apply(agent->verdicts, conf);
	reset_counts(agent, old);
	(void)rg_agent_count(agent);
	rg_conf_unref(old);
	log_warnings(conf);
	(void)rg_exempt_refresh(&agent->never, &conf->resolver);
}

/* The lists' part is in force already: nothing but a broken map can stop it now. */
static int finish_conf(struct rg_agent *agent, struct rg_conf *conf, struct rg_error *error)
{
	if (rg_verdicts_name_zones(agent->verdicts, conf) < 0)
		return rg_fail(error, -EIO, "%s: the zones map can't be written",
			       agent->conf->pin_path);
	adopt_conf(agent, rg_conf_ref(conf));
	rg_log_info("reloaded");
	return 0;
}

static void finish_lists(struct rg_agent *agent)
{
	size_t count;

	agent->lists_retry = 0;
	(void)rg_lists_items(agent->lists, &count);
	rg_log_info("lists: %zu entries in force, %zu written, %zu countries", count,
		    rg_lists_written(agent->lists), rg_lists_countries(agent->lists));
}

/* All is read, and ready to be put in force. */
static void on_listed(void *arg, struct rg_list_load_result *fresh)
{
	struct rg_agent *agent = arg;
	int err = fresh->err;

	agent->listing = NULL; /* gone when this returns */
	if (!err)
		err = adopt_lists(agent, fresh, &fresh->error);
	if (!err && fresh->conf != agent->conf)
		err = finish_conf(agent, fresh->conf, &fresh->error);
	else if (!err)
		finish_lists(agent);
	note_reload(agent, err, &fresh->error);
	rg_reload_queue_done(agent->turns, err, &fresh->error);
}

/* Another one than that in force. */
static int read_conf(const struct rg_agent *agent, struct rg_conf **ret, struct rg_error *error)
{
	int err = rg_conf_load(ret, agent->conf->path, error);
	const char *key;

	if (err)
		return err;
	key = rg_conf_needs_restart(agent->conf, *ret);
	if (key) {
		err = rg_fail(error, -EINVAL, "%s: %s changed, which needs a restart", (*ret)->path,
			      key);
		rg_conf_unref(*ret);
	}
	return err;
}

static int start_load(void *arg, enum rg_reload_kind kind, struct rg_error *error)
{
	struct rg_agent *agent = arg;
	struct rg_list_load_request order = { .map = list_map(agent), .old = agent->lists };
	int err = 0;

	if (kind == RG_RELOAD_CONF)
		err = read_conf(agent, &order.conf, error);
	else
		order.conf = rg_conf_ref(agent->conf);
	if (!err) {
		err = rg_list_load_start(&agent->listing, agent->base, &order, on_listed, agent,
					 error);
		rg_conf_unref(order.conf);
	}
	if (err)
		note_reload(agent, err, error);
	return err;
}

int rg_agent_set(struct rg_agent *agent, const char *key, const char *value, struct rg_error *error)
{
	const struct rg_conf_actions before = rg_conf_actions(agent->conf);
	int err = rg_live_set(agent->conf, key, value, error);

	if (err)
		return err;
	write_settings(agent);
	if (rg_conf_changes_actions(&before, agent->conf))
		rg_verdicts_apply(agent->verdicts, agent->conf);
	rg_log_info("%s is %s, set by repgatectl", key, value);
	return 0;
}

void rg_agent_set_mode(struct rg_agent *agent, enum rg_mode mode)
{
	agent->conf->mode = mode;
	write_settings(agent);
	rg_log_info("mode is %s", rg_mode_name(mode));
}

static int make_state_dir(const struct rg_conf *conf, struct rg_error *error)
{
	if (mkdir(conf->state_dir, 0750) && errno != EEXIST)
		return rg_fail(error, -errno, "state_dir %s: %m", conf->state_dir);
	return 0;
}

/* A zone fell ill or is well again. What one said that can't be believed is not enforced any more. */
static void on_health(void *arg, const struct rg_zone_conf *zone, const struct rg_zone_health *health)
{
	struct rg_agent *agent = arg;
	size_t count;

	if (health->state == RG_ZONE_HEALTH_FAILING || health->before == RG_ZONE_HEALTH_FAILING)
		rg_log_debug("zone %s: %s: %s", zone->alias, rg_zone_health_name(health->state),
			     health->why);
	if (health->state == RG_ZONE_HEALTH_GOOD && health->before != RG_ZONE_HEALTH_FAILING)
		rg_log_info("zone %s: good again", zone->alias);
	if (health->state == RG_ZONE_HEALTH_GOOD || health->state == RG_ZONE_HEALTH_FAILING)
		return;
	rg_log_warning("zone %s: %s: %s", zone->alias, rg_zone_health_name(health->state),
		       health->why);
	if (health->state == RG_ZONE_HEALTH_OPEN)
		return;
	/* Of one that lists too much, only what it said since it does. */
	count = rg_verdicts_flush_zone(agent->verdicts, zone->slot,
				       health->state == RG_ZONE_HEALTH_MONITOR ? health->usual_at :
										 0);
	rg_log_warning("zone %s: %zu entries removed", zone->alias, count);
}

/*
 * A held SYN waits for hold_timeout at most: then a retransmission comes anyway. Every try begins
 * in time for an answer before that (c-ares doubles its time from try to try).
 */
static uint32_t inquiry_deadline(const struct rg_conf *conf)
{
	uint32_t all = conf->dns_timeout * conf->dns_tries;

	return conf->hold_timeout < all ? conf->hold_timeout : all;
}

static uint32_t first_try(const struct rg_conf *conf)
{
	uint32_t part = inquiry_deadline(conf) / conf->dns_tries;

	return part < 50 ? 50 : part < conf->dns_timeout ? part : conf->dns_timeout;
}

static int build_dns(struct rg_agent *agent, struct rg_error *error)
{
	const struct rg_conf *conf = agent->conf;
	const struct rg_dns_options options = { .resolver = conf->resolver,
						.timeout = first_try(conf),
						.tries = conf->dns_tries,
						.in_flight = conf->dns_in_flight,
						.lanes = RG_MAX_ZONES };
	int err = rg_dns_new(&agent->dns, agent->base, &options, error);

	if (err)
		return err;
	err = rg_zone_test_new(&agent->tester, agent->base, agent->dns, &agent->conf, on_health,
			       agent);
	if (!err)
		err = rg_inquiry_context_new(&agent->inquiries, agent->base, agent->dns,
					     agent->tester, inquiry_deadline(conf));
	return err ? rg_fail(error, err, "out of memory") : 0;
}

static int build_judge(struct rg_agent *agent, struct rg_error *error)
{
	const struct rg_judge_deps deps = { .inquiries = agent->inquiries,
					    .verdicts = agent->verdicts,
					    .loader = agent->loader,
					    .conf = &agent->conf,
					    .lists = &agent->lists,
					    .countries = &agent->geo,
					    .exempt = &agent->never,
					    .judged = on_judged,
					    .arg = agent };
	const struct rg_ring_handlers calls = { .syn = on_syn, .refused = on_refused, .arg = agent };
	int err = rg_judge_new(&agent->judge, &deps);

	if (!err)
		err = rg_ring_new(&agent->events, agent->base,
				  rg_loader_maps(agent->loader)->events, &calls);
	return err ? rg_fail(error, err, "event loop: %s", strerror(-err)) : 0;
}

/*
 * Without the responder the filter still does its work, so this is no error. The heartbeat is older
 * than what XDP asks for until the loop runs; write_settings() came before.
 */
static void build_responder(struct rg_agent *agent)
{
	const struct rg_responder_calls calls = { .find = find_refusal,
						  .ended = on_session_ended,
						  .arg = agent };
	struct rg_error error;
	int err = rg_attach_steering(agent->loader);

	if (err)
		rg_log_warning("the kernel refuses the steering program (%s): tempfail resets, reject "
			       "drops",
			       strerror(-err));
	else if (rg_responder_new(&agent->responder, agent->base, agent->loader, &agent->conf,
				  &calls, &error))
		rg_log_warning("%s: tempfail resets, reject drops", error.text);
	else if (rg_responder_limit(agent->conf) < agent->conf->max_sessions)
		rg_log_warning("max_sessions is %u, but the limit of open files allows %u",
			       agent->conf->max_sessions, rg_responder_limit(agent->conf));
	agent->steering.attached = agent->responder != NULL;
	look_at_steering(agent, rg_now());
}

/* Maps of an earlier agent are made to say what this configuration says. */
static void take_over(struct rg_agent *agent, bool new_zone)
{
	rg_verdicts_apply(agent->verdicts, agent->conf);
	rg_verdicts_flush_countries(agent->verdicts,
				    new_zone || rg_lists_countries(agent->lists) > 0);
	rg_log_info("took over %llu verdicts from before",
		    (unsigned long long)rg_verdicts_count(agent->verdicts).entries);
}

/* After a reboot, or a change of the maps' layout. */
static void load_saved(struct rg_agent *agent)
{
	struct rg_verdict_file_count count;
	int err = rg_verdict_file_load(agent->conf->state_dir, agent->verdicts, agent->conf, &count);

	if (err)
		rg_log_warning("saved verdicts can't be read: %s", strerror(-err));
	if (count.bad)
		rg_log_warning("saved verdicts: %zu lines are bad, ignoring them", count.bad);
	if (count.loaded)
		rg_log_info("loaded %zu saved verdicts, %zu are over", count.loaded, count.ended);
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* The kernel's counters are an earlier agent's, or copied from them, or new. */
static int build_history(struct rg_agent *agent, struct rg_error *error)
{
	uint32_t is = map_id(rg_loader_maps(agent->loader)->stats), was = 0;
	struct rg_history_sample sample;
	struct rg_error bad;
	int err = rg_history_new(&agent->history, agent->conf->state_dir);

	if (!err)
		err = take_sample(agent, &sample);
	if (err)
		return rg_fail(error, err, "history: %s", strerror(-err));
	if (rg_loader_took_over(agent->loader))
		was = is;
	else if (rg_loader_old_maps(agent->loader))
		was = map_id(rg_loader_old_maps(agent->loader)->stats);
	if (rg_history_load(agent->history, &bad))
		rg_log_warning("history: %s", bad.text);
	rg_history_begin(agent->history, &sample, was, is, rg_moment_now());
	write_history(agent, false);
	return 0;
}

/* The first ones: nothing is answered yet, so nobody waits. */
static int build_lists(struct rg_agent *agent, struct rg_list_load_result *fresh,
		       struct rg_error *error)
{
	const atomic_bool never = false;
	const struct rg_list_map map = list_map(agent);
	int err = rg_list_map_stage(&fresh->staged, &map, NULL, fresh->lists, &never, error);

	if (!err)
		err = adopt_lists(agent, fresh, error);
	rg_list_map_drop(fresh->staged);
	return err;
}

/*
 * The maps with everything in them that the first packet needs. Lists first: what is wrong with them
 * must not touch a filter that is in force.
 */
static int build_maps(struct rg_agent *agent, struct rg_error *error)
{
	struct rg_list_load_result fresh = {};
	int err = rg_list_load_files(agent->conf, &fresh.lists, &fresh.countries, error), new_zone;

	if (err)
		return err;
	err = rg_loader_new(&agent->loader, agent->conf, error);
	if (!err)
		err = rg_verdicts_new(&agent->verdicts, agent->loader, agent->conf, error);
	if (!err)
		err = build_lists(agent, &fresh, error);
	rg_lists_free(fresh.lists); /* NULL, unless it failed */
	rg_country_db_free(fresh.countries);
	if (err)
		return err;
	new_zone = rg_verdicts_name_zones(agent->verdicts, agent->conf);
	if (new_zone < 0)
		return rg_fail(error, new_zone, "zones map: %s", strerror(-new_zone));
	err = rg_exempt_refresh(&agent->never, &agent->conf->resolver);
	if (err)
		rg_log_warning("own addresses unknown: %s", strerror(-err));
	write_settings(agent);
	if (rg_loader_took_over(agent->loader) || rg_loader_old_maps(agent->loader))
		take_over(agent, new_zone);
	else
		load_saved(agent);
	return 0;
}

/* First of all: a stop while we start is a stop when we have started, not a death in between. */
static int build_signals(struct rg_agent *agent, struct rg_error *error)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		agent->signals[i] = evsignal_new(agent->base, signals[i], on_signal, agent);
		if (!agent->signals[i] || event_add(agent->signals[i], NULL))
			return rg_fail(error, -ENOMEM, "out of memory");
	}
	return 0;
}

static int build_loop(struct rg_agent *agent, struct rg_error *error)
{
	const char *dirs[] = { agent->conf->approved_dir, agent->conf->blocked_dir };
	int err;

	agent->tick = event_new(agent->base, -1, EV_PERSIST, on_tick, agent);
	if (!agent->tick || event_add(agent->tick, &tick_time) ||
	    rg_verdict_file_new(&agent->saver, agent->base, agent->verdicts, agent->conf->state_dir))
		return rg_fail(error, -ENOMEM, "out of memory");
	err = rg_netlink_new(&agent->links, agent->base, on_links_changed, agent);
	if (err)
		rg_log_warning("interfaces are not watched (%s), but looked at every %d s",
			       strerror(-err), OWN_ADDRESS_TICKS);
	err = rg_dir_watch_new(&agent->watch, agent->base, dirs, ARRAY_SIZE(dirs), on_lists_changed,
			       agent);
	if (err)
		rg_log_warning("list directories are not watched (%s): reload by hand",
			       strerror(-err));
	return 0;
}

static int build(struct rg_agent *agent, struct rg_error *error)
{
	int err = build_signals(agent, error);

	if (!err && rg_reload_queue_new(&agent->turns, start_load, agent))
		err = rg_fail(error, -ENOMEM, "out of memory");
	if (!err)
		err = make_state_dir(agent->conf, error);
	if (!err)
		err = build_maps(agent, error);
	if (!err)
		err = build_dns(agent, error);
	if (!err)
		err = build_judge(agent, error);
	if (!err)
		build_responder(agent);
	if (!err)
		err = build_history(agent, error);
	if (!err)
		err = build_loop(agent, error);
	if (!err)
		err = rg_control_new(&agent->control, agent, error);
	if (!err)
		err = rg_metrics_new(&agent->metrics, agent, error);
	if (!err)
		err = rg_attach_all(agent->loader, error);
	if (!err)
		rg_zone_test_tick(agent->tester, rg_now());
	return err;
}

static void on_recent(void *arg, const struct rg_recent_event *event)
{
	struct rg_agent *agent = arg;

	if (agent->control)
		rg_control_follow(agent->control, event);
}

/* Half deadlines of a second or less want timers that are exact to the millisecond. */
static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (!config)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	/* Of the refused sessions' events 16 at a time, then a look at what comes before them. */
	event_config_set_max_dispatch_interval(config, NULL, 16, RG_PRIORITY_LOW);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (base)
		event_base_priority_init(base, RG_PRIORITIES);
	return base;
}

int rg_agent_new(struct rg_agent **ret, struct rg_conf *conf, struct rg_error *error)
{
	struct rg_agent *agent = calloc(1, sizeof(*agent));
	int err;

	if (!agent)
		return rg_fail(error, -ENOMEM, "out of memory");
	agent->started = rg_now();
	agent->conf = rg_conf_ref(conf);
	agent->base = new_base();
	if (!agent->base || rg_recent_events_new(&agent->recent, on_recent, agent))
		err = rg_fail(error, -ENOMEM, "out of memory");
	else
		err = build(agent, error);
	if (err) {
		/* An agent that was there before may still be in force with these pins. */
		bool keep = !agent->loader || rg_loader_was_attached(agent->loader);

		rg_agent_free(agent, keep);
		return err;
	}
	log_warnings(conf);
	if (conf->unknown == RG_ACTION_HOLD && !rg_loader_can_hold(agent->loader))
		rg_log_warning(
			"this kernel can't release held SYNs (Linux 5.18 can): unknown = \"drop\"");
	*ret = agent;
	return 0;
}

int rg_agent_run(struct rg_agent *agent)
{
	rg_notify_ready("filtering");
	rg_log_info("ready");
	if (event_base_dispatch(agent->base) < 0)
		return -EIO;
	rg_notify_stopping();
	on_saved(agent, rg_verdict_file_save_now(agent->saver));
	(void)rg_agent_count(agent);
	write_history(agent, true);
	return 0;
}

void rg_agent_free(struct rg_agent *agent, bool keep_pins)
{
	if (!agent)
		return;
	rg_responder_free(agent->responder); /* its last sessions are told to those who follow events */
	rg_metrics_free(agent->metrics);
	rg_control_free(agent->control);
	rg_list_load_cancel(agent->listing); /* reads what is freed below */
	rg_reload_queue_free(agent->turns);
	rg_netlink_free(agent->links);
	rg_dir_watch_free(agent->watch);
	rg_verdict_file_free(agent->saver);
	rg_history_free(agent->history);
	if (agent->tick)
		event_free(agent->tick);
	for (size_t i = 0; i < ARRAY_SIZE(agent->signals); i++)
		if (agent->signals[i])
			event_free(agent->signals[i]);
	rg_ring_free(agent->events);
	rg_judge_free(agent->judge);
	rg_inquiry_context_free(agent->inquiries);
	rg_zone_test_free(agent->tester);
	rg_dns_free(agent->dns);
	rg_recent_events_free(agent->recent);
	rg_verdicts_free(agent->verdicts);
	if (agent->loader && !keep_pins)
		rg_attach_detach_all(agent->loader);
	rg_loader_free(agent->loader);
	rg_exempt_clear(&agent->never);
	rg_lists_free(agent->lists);
	rg_country_db_free(agent->geo);
	rg_conf_unref(agent->conf);
	if (agent->base)
		event_base_free(agent->base);
	free(agent);
}
