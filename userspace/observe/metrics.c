/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "observe/metrics.h"

#include "base/names.h"
#include "kernel/attach.h"
#include "kernel/stats.h"

#include "observe/metrics_server.h"

struct rg_metrics {
	const struct rg_modules *modules;
	struct rg_metrics_server *server;
};

static void begin(struct evbuffer *page, const char *name, const char *type, const char *help)
{
	evbuffer_add_printf(page, "# HELP repgate_%s %s\n# TYPE repgate_%s %s\n", name, help, name,
			    type);
}

/* A metric that is one number. */
struct number {
	const char *name, *type, *help;
	double value;
};

static void add_numbers(struct evbuffer *page, const struct number *numbers, size_t count)
{
	for (const struct number *number = numbers; number < numbers + count; number++) {
		begin(page, number->name, number->type, number->help);
		evbuffer_add_printf(page, "repgate_%s %.15g\n", number->name, number->value);
	}
}

static void add_table(struct evbuffer *page, const struct rg_stats *stats, const char *name,
		      const char *help, unsigned int table, bool attempts)
{
	begin(page, name, "counter", help);
	for (unsigned int peer_class = RG_CLASS_APPROVED; peer_class < RG_CLASS_MAX; peer_class++) {
		for (unsigned int action = RG_ACTION_PASS; action < RG_ACTION_MAX; action++) {
			const struct rg_count *count = rg_stats_of(stats, table, peer_class, action);
			unsigned long long value = attempts ? count->attempts : count->packets;

			if (value)
				evbuffer_add_printf(page,
						    "repgate_%s{class=\"%s\",action=\"%s\"} %llu\n",
						    name, rg_class_name(peer_class),
						    rg_action_name(action), value);
		}
	}
}

static void add_losses(struct evbuffer *page, const struct rg_modules *modules)
{
	uint64_t losses[RG_LOSS_COUNTS];

	if (rg_losses_read(modules, losses))
		return;
	begin(page, "losses_total", "counter",
	      "Packets and events dropped, lost or degraded, by cause.");
	/* Comments: what each cause means. */
	for (unsigned int loss = 0; loss < RG_LOSS_COUNTS; loss++)
		evbuffer_add_printf(page, "# %s: %s\n", rg_losses_name(loss), rg_losses_help(loss));
	for (unsigned int loss = 0; loss < RG_LOSS_COUNTS; loss++)
		evbuffer_add_printf(page, "repgate_losses_total{cause=\"%s\"} %llu\n",
				    rg_losses_name(loss), (unsigned long long)losses[loss]);
}

static void add_guards(struct evbuffer *page, const struct rg_modules *modules)
{
	begin(page, "guard_open", "gauge", "1 while this limit turns something away.");
	for (enum rg_guard guard = 0; guard < RG_GUARD_MAX; guard++)
		evbuffer_add_printf(page, "repgate_guard_open{guard=\"%s\"} %d\n",
				    rg_guards_name(guard), rg_guards_is_open(modules->guards, guard));
}

static void add_answers(struct evbuffer *page, const char *zone, const struct rg_zone_count *count)
{
	static const char format[] = "repgate_zone_answers_total{zone=\"%s\",answer=\"%s\"} %llu\n";

	evbuffer_add_printf(page, format, zone, "listed", (unsigned long long)count->listed);
	evbuffer_add_printf(page, format, zone, "not listed", (unsigned long long)count->not_listed);
	for (unsigned int status = 0; status < RG_DNS_STATUS_MAX; status++)
		if (status != RG_DNS_NONE)
			evbuffer_add_printf(page, format, zone,
					    status == RG_DNS_OK ? "error code" :
								  rg_dns_status_name(status),
					    (unsigned long long)count->failed[status]);
}

static void add_states(struct evbuffer *page, const struct rg_modules *modules)
{
	const struct rg_conf *conf = modules->conf;

	begin(page, "zone_state", "gauge",
	      "1 for the state that the zone is in; the worse one of its families.");
	for (unsigned int i = 0; i < conf->zone_count; i++) {
		const char *family;
		const struct rg_zone_health *health =
			rg_zone_test_worst(modules->zone_test, &conf->zones[i], &family);

		for (enum rg_zone_health_state state = 0; state < RG_ZONE_HEALTH_STATES; state++)
			evbuffer_add_printf(page, "repgate_zone_state{zone=\"%s\",state=\"%s\"} %d\n",
					    conf->zones[i].alias, rg_zone_health_name(state),
					    health->state == state);
	}
}

/* The state that the zone is in for one family of addresses. */
static void add_family_state(struct evbuffer *page, const struct rg_modules *modules,
			     const struct rg_zone_conf *zone, enum rg_family family)
{
	static const char *const labels[RG_FAMILIES] = { "ipv4", "ipv6" };
	const struct rg_zone_health *health =
		rg_zone_test_health(modules->zone_test, zone->slot, family);

	for (enum rg_zone_health_state state = 0; state < RG_ZONE_HEALTH_STATES; state++)
		evbuffer_add_printf(
			page,
			"repgate_zone_family_state{zone=\"%s\",family=\"%s\",state=\"%s\"} %d\n",
			zone->alias, labels[family], rg_zone_health_name(state),
			health->state == state);
}

static void add_family_states(struct evbuffer *page, const struct rg_modules *modules)
{
	const struct rg_conf *conf = modules->conf;

	begin(page, "zone_family_state", "gauge",
	      "1 for the state that the zone is in for addresses of this family.");
	for (unsigned int i = 0; i < conf->zone_count; i++)
		for (enum rg_family family = 0; family < RG_FAMILIES; family++)
			if (rg_conf_zone_asks(&conf->zones[i], family))
				add_family_state(page, modules, &conf->zones[i], family);
}

static void add_interfaces(struct evbuffer *page, const struct rg_modules *modules)
{
	static const char *const states[] = { "missing", "attached" };
	const struct rg_attachment *at;

	begin(page, "interface_state", "gauge", "1 for the state that the interface is in.");
	for (unsigned int i = 0; (at = rg_attach_info(modules->loader, i)); i++)
		for (unsigned int state = 0; state < ARRAY_SIZE(states); state++)
			evbuffer_add_printf(
				page, "repgate_interface_state{interface=\"%s\",state=\"%s\"} %d\n",
				at->name, states[state], (at->ifindex != 0) == state);
}

/* number: in conf->zones */
static const struct rg_zone_count *zone_count(const struct rg_modules *modules, unsigned int number)
{
	return rg_inquiry_context_count(modules->inquiries, modules->conf->zones[number].slot);
}

static void add_zones(struct evbuffer *page, const struct rg_modules *modules)
{
	const struct rg_conf *conf = modules->conf;

	begin(page, "zone_asked_total", "counter", "Queries to each zone.");
	for (unsigned int i = 0; i < conf->zone_count; i++)
		evbuffer_add_printf(page, "repgate_zone_asked_total{zone=\"%s\"} %llu\n",
				    conf->zones[i].alias,
				    (unsigned long long)zone_count(modules, i)->asked);
	begin(page, "zone_late_total", "counter",
	      "Answers after hold_timeout: the peer's SYN was released before.");
	for (unsigned int i = 0; i < conf->zone_count; i++)
		evbuffer_add_printf(page, "repgate_zone_late_total{zone=\"%s\"} %llu\n",
				    conf->zones[i].alias,
				    (unsigned long long)zone_count(modules, i)->late);
	begin(page, "zone_late_share", "gauge", "The share of late answers lately, 0 to 1.");
	for (unsigned int i = 0; i < conf->zone_count; i++)
		evbuffer_add_printf(page, "repgate_zone_late_share{zone=\"%s\"} %.4g\n",
				    conf->zones[i].alias, zone_count(modules, i)->late_share);
	begin(page, "zone_answers_total", "counter", "Answers of each zone.");
	for (unsigned int i = 0; i < conf->zone_count; i++)
		add_answers(page, conf->zones[i].alias, zone_count(modules, i));
}

static size_t list_entries(const struct rg_modules *modules)
{
	size_t count;

	(void)rg_lists_items(modules->lists, &count);
	return count;
}

static void add_gauges(struct evbuffer *page, const struct rg_modules *modules)
{
	struct rg_judge_count judge = rg_judge_count(modules->judge);
	struct rg_verdicts_count verdicts = rg_verdicts_count(modules->verdicts);
	struct rg_dns_load dns = rg_dns_load(modules->dns);
	struct rg_list_faults faults = rg_lists_faults(modules->lists);
	const struct number numbers[] = {
		{ "monitor_mode", "gauge", "1 if nothing is refused.",
		  modules->conf->mode == RG_MODE_MONITOR },
		{ "uptime_seconds", "gauge", "Seconds since the agent started.",
		  (double)(rg_now() - modules->started) / 1e9 },
		{ "list_entries", "gauge", "Entries of the local lists in force.",
		  list_entries(modules) },
		{ "list_bad_lines", "gauge", "Lines of the local lists that are left out.",
		  faults.bad_lines },
		{ "list_bad_files", "gauge",
		  "Files of the local lists that are not in force as they are.", faults.files },
		{ "list_kept_files", "gauge",
		  "Files of the local lists whose last good version is in force instead.",
		  faults.kept },
		{ "verdict_entries", "gauge", "Verdicts in the map.", verdicts.entries },
		{ "verdicts_stored_total", "counter", "Verdicts and clean peers stored.",
		  verdicts.stored },
		{ "verdicts_expired_total", "counter", "Verdicts that expired.", verdicts.expired },
		{ "inquiries_total", "counter", "Peers that zones were asked about.",
		  judge.inquiries },
		{ "inquiries_open", "gauge", "Peers that zones are asked about now.", judge.open },
		{ "held_released_total", "counter", "Held SYNs that were released.", judge.released },
		{ "dns_in_flight", "gauge", "DNS queries without an answer yet.", dns.in_flight },
		{ "dns_waiting", "gauge", "DNS queries that wait until the resolver has answered others.",
		  dns.waiting },
		{ "dns_window", "gauge", "DNS queries that may be in flight now.", dns.window },
		{ "reloads_total", "counter", "Reloads.", modules->reloads },
		{ "reload_errors_total", "counter", "Reloads that were refused.",
		  modules->reload_errors },
	};

	add_numbers(page, numbers, ARRAY_SIZE(numbers));
}

static void add_part(struct evbuffer *page, const char *name, int part, size_t value)
{
	static const char *const parts[RG_INDEXES] = { "lists", "hosts", "peers" };

	evbuffer_add_printf(page, "repgate_%s{part=\"%s\"} %zu\n", name, parts[part], value);
}

static void add_index(struct evbuffer *page, const struct rg_modules *modules)
{
	struct rg_index_maps_count count = rg_verdicts_indexes(modules->verdicts);
	const struct number failed = { "index_failed_total", "counter",
				       "Indexes not built for lack of memory: the tries answer.",
				       (double)count.failed };

	begin(page, "index_entries", "gauge",
	      "Entries of the index, which are found without the trie.");
	for (int i = 0; i < RG_INDEXES; i++)
		add_part(page, "index_entries", i, count.parts[i].hosts4 + count.parts[i].nets6);
	begin(page, "index_crowded", "gauge",
	      "Entries without a slot in the index: the trie answers.");
	for (int i = 0; i < RG_INDEXES; i++)
		add_part(page, "index_crowded", i, count.parts[i].overflow);
	begin(page, "index_bytes", "gauge", "Memory of the index.");
	for (int i = 0; i < RG_INDEXES; i++)
		add_part(page, "index_bytes", i, count.parts[i].bytes);
	add_numbers(page, &failed, 1);
}

/* How long each kind of work has kept the event loop. */
static void add_loop(struct evbuffer *page, const struct rg_modules *modules)
{
	begin(page, "loop_longest_seconds", "gauge",
	      "The longest that the agent's event loop was at one piece of work, by kind.");
	for (unsigned int i = 0; i < RG_LOOP_WORKS; i++)
		evbuffer_add_printf(page, "repgate_loop_longest_seconds{work=\"%s\"} %g\n",
				    rg_loop_work_name((enum rg_loop_work)i),
				    (double)modules->loop->works[i].longest / 1e9);
	begin(page, "loop_seconds_total", "counter",
	      "Time that the event loop spent, by kind of work.");
	for (unsigned int i = 0; i < RG_LOOP_WORKS; i++)
		evbuffer_add_printf(page, "repgate_loop_seconds_total{work=\"%s\"} %g\n",
				    rg_loop_work_name((enum rg_loop_work)i),
				    (double)modules->loop->works[i].total / 1e9);
}

static void add_paths(struct evbuffer *page, const struct rg_modules *modules)
{
	const struct rg_path_info *path;

	begin(page, "path_lookups_total", "counter",
	      "Connections to filtered ports, by the interface on which they arrived.");
	for (size_t i = 0; (path = rg_paths_get(modules->paths, i)); i++)
		if (path->lookups)
			evbuffer_add_printf(page,
					    "repgate_path_lookups_total{interface=\"%s\"} %llu\n",
					    path->name, (unsigned long long)path->lookups);
	begin(page, "path_unseen_total", "counter", "Of these, the filter has not seen.");
	for (size_t i = 0; (path = rg_paths_get(modules->paths, i)); i++)
		if (path->lookups)
			evbuffer_add_printf(page,
					    "repgate_path_unseen_total{interface=\"%s\"} %llu\n",
					    path->name, (unsigned long long)path->unseen);
}

static void add_responder(struct evbuffer *page, const struct rg_modules *modules)
{
	const struct rg_responder_count count = modules->responder ?
							rg_responder_count(modules->responder) :
							(struct rg_responder_count){};
	const struct number numbers[] = {
		{ "responder_works", "gauge", "1 if tempfail and reject can be answered.",
		  rg_steering_works(&modules->steering) },
		{ "responder_open", "gauge", "SMTP sessions with refused peers that are open now.",
		  count.open },
		{ "responder_sessions_total", "counter", "SMTP sessions with refused peers.",
		  count.sessions },
		{ "responder_refused_total", "counter", "Sessions that got the refusal.",
		  count.refused },
		{ "responder_recipients_total", "counter", "Recipients refused.", count.recipients },
		{ "responder_lost_total", "counter", "Sessions that ended before the refusal.",
		  count.lost },
		{ "responder_timeouts_total", "counter", "Sessions that timed out.", count.timeouts },
		{ "responder_early_talkers_total", "counter",
		  "Peers that talked before the greeting.", count.early },
	};

	add_numbers(page, numbers, ARRAY_SIZE(numbers));
}

static int write_page(void *arg, struct evbuffer *page)
{
	const struct rg_modules *modules = ((const struct rg_metrics *)arg)->modules;
	struct rg_stats stats;
	int err = rg_stats_read(rg_loader_maps(modules->loader)->stats, &stats);

	if (err)
		return err;
	add_table(page, &stats, "packets_total", "SYNs by class and action.", RG_STAT_DONE, false);
	add_table(page, &stats, "attempts_total", "Connections tried, by class and action.",
		  RG_STAT_DONE, true);
	add_table(page, &stats, "monitored_packets_total", "SYNs that monitor mode let pass.",
		  RG_STAT_MONITORED, false);
	add_table(page, &stats, "monitored_attempts_total",
		  "Connections that monitor mode let pass.", RG_STAT_MONITORED, true);
	add_losses(page, modules);
	add_guards(page, modules);
	add_zones(page, modules);
	add_states(page, modules);
	add_family_states(page, modules);
	add_interfaces(page, modules);
	add_responder(page, modules);
	add_paths(page, modules);
	add_index(page, modules);
	add_loop(page, modules);
	add_gauges(page, modules);
	return 0;
}

int rg_metrics_new(struct rg_metrics **ret, const struct rg_modules *modules, struct rg_error *error)
{
	const char *where = modules->conf->metrics_listen;
	struct rg_metrics *metrics;
	int err;

	*ret = NULL;
	if (!*where)
		return 0;
	metrics = calloc(1, sizeof(*metrics));
	if (!metrics)
		return rg_fail(error, -ENOMEM, "out of memory");
	metrics->modules = modules;
	err = rg_metrics_server_new(&metrics->server, modules->base, &modules->conf->metrics_address,
				    write_page, metrics, &modules->clients->metrics_limit);
	if (err) {
		rg_metrics_free(metrics);
		return rg_fail(error, err, "metrics_listen %s: %s", where, strerror(-err));
	}
	*ret = metrics;
	return 0;
}

void rg_metrics_free(struct rg_metrics *metrics)
{
	if (!metrics)
		return;
	rg_metrics_server_free(metrics->server);
	free(metrics);
}
