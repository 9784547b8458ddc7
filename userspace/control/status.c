/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/status.h"

#include "base/addr.h"
#include "base/names.h"
#include "config/restart.h"
#include "control/describe.h"
#include "control/list_status.h"
#include "control/loop_status.h"
#include "kernel/attach.h"
#include "observe/report.h"

#include <bpf/bpf.h>
#include <sys/utsname.h>

#ifndef RG_VERSION
#define RG_VERSION "unknown"
#endif

/* Of an interface that is not filtered, what was true when it was is null. */
static json_t *describe_interface(const struct rg_attachment *at)
{
	bool attached = at->ifindex;

	return json_pack("{s:s, s:o, s:i, s:s, s:f, s:o, s:o, s:o, s:o, s:o}", "name", at->name,
			 "present_name", rg_describe_text(at->present_name), "ifindex",
			 (int)at->ifindex, "state", attached ? "attached" : "missing", "since",
			 rg_wall_time(at->since), "reason", rg_describe_text(at->reason), "mode",
			 rg_describe_text(!attached		     ? NULL :
					  at->mode == RG_XDP_GENERIC ? "generic" :
								       "native"),
			 "link", rg_describe_text(attached ? rg_link_kind_name(at->link_kind) : NULL),
			 "frags", attached ? json_boolean(at->frags) : json_null(), "program",
			 attached ? json_integer(at->program) : json_null());
}

static json_t *describe_interfaces(const struct rg_modules *modules)
{
	json_t *interfaces = json_array();
	const struct rg_attachment *at;

	for (unsigned int i = 0; (at = rg_attach_info(modules->loader, i)); i++)
		json_array_append_new(interfaces, describe_interface(at));
	return interfaces;
}

static json_t *describe_failures(const struct rg_zone_count *count)
{
	json_t *failures = json_object();

	for (unsigned int status = 0; status < RG_DNS_STATUS_MAX; status++)
		if (count->failed[status])
			json_object_set_new(failures,
					    status == RG_DNS_OK ? "error code" :
								  rg_dns_status_name(status),
					    json_integer((json_int_t)count->failed[status]));
	return failures;
}

/* The states for the families that the zone is asked about. */
static json_t *describe_families(const struct rg_modules *modules, const struct rg_zone_conf *zone)
{
	static const char *const names[RG_FAMILIES] = { "ipv4", "ipv6" };
	json_t *families = json_object();

	for (enum rg_family family = 0; family < RG_FAMILIES; family++) {
		const struct rg_zone_health *health =
			rg_zone_test_health(modules->zone_test, zone->slot, family);

		if (rg_conf_zone_asks(zone, family))
			json_object_set_new(families, names[family],
					    json_pack("{s:s, s:o, s:f, s:f}", "state",
						      rg_zone_health_name(health->state), "why",
						      rg_describe_text(health->why), "since",
						      rg_wall_time(health->since), "hit_share",
						      health->window_share));
	}
	return families;
}

/* The larger one of the families' shares. */
static double hit_share(const struct rg_modules *modules, const struct rg_zone_conf *zone)
{
	double v4 = rg_zone_test_health(modules->zone_test, zone->slot, RG_FAMILY_V4)->window_share;
	double v6 = rg_zone_test_health(modules->zone_test, zone->slot, RG_FAMILY_V6)->window_share;

	return v4 > v6 ? v4 : v6;
}

static json_t *describe_zone(const struct rg_modules *modules, const struct rg_zone_conf *zone)
{
	const struct rg_zone_count *count = rg_inquiry_context_count(modules->inquiries, zone->slot);
	const char *family;
	const struct rg_zone_health *health = rg_zone_test_worst(modules->zone_test, zone, &family);
	char why[sizeof(health->why) + 16];

	snprintf(why, sizeof(why), *family && *health->why ? "%s (%s)" : "%s", health->why, family);
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:f, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o, "
			 "s:i, s:i, s:o, s:I, s:f, s:b}",
			 "zone", zone->alias, "kind", rg_describe_kind(zone), "action",
			 rg_action_name(zone->action), "state", rg_zone_health_name(health->state),
			 "why", rg_describe_text(why), "since", rg_wall_time(health->since),
			 "number", (int)zone->slot, "asked", (json_int_t)count->asked, "listed",
			 (json_int_t)count->listed, "not_listed", (json_int_t)count->not_listed,
			 "off", (json_int_t)count->off, "doubted", (json_int_t)count->doubted,
			 "monitored", (json_int_t)count->monitored, "hit_share",
			 hit_share(modules, zone), "failed", describe_failures(count), "ttl_min",
			 (int)zone->ttl_min, "ttl_max", (int)zone->ttl_max, "families",
			 describe_families(modules, zone), "late", (json_int_t)count->late,
			 "late_share", count->late_share, "slow", count->is_slow);
}

static json_t *describe_all_zones(const struct rg_modules *modules)
{
	json_t *zones = json_array();

	for (unsigned int i = 0; i < modules->conf->zone_count; i++)
		json_array_append_new(zones, describe_zone(modules, &modules->conf->zones[i]));
	return zones;
}

/* max: 0: the size of the map */
static json_t *describe_map(const char *name, int fd, json_t *entries, uint32_t max)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	(void)bpf_obj_get_info_by_fd(fd, &info, &len);
	return json_pack("{s:s, s:i, s:o, s:I}", "name", name, "id", (int)info.id, "entries",
			 entries, "max_entries", (json_int_t)(max ? max : info.max_entries));
}

static json_t *describe_maps(const struct rg_modules *modules)
{
	const struct rg_maps *maps = rg_loader_maps(modules->loader);
	struct rg_verdicts_count count = rg_verdicts_count(modules->verdicts);
	json_t *all = json_array();
	size_t list_entries;

	(void)rg_lists_items(modules->lists, &list_entries);
	json_array_append_new(all, describe_map("lists", maps->lists,
						json_integer((json_int_t)list_entries),
						modules->conf->max_list));
	json_array_append_new(all, describe_map("verdicts", maps->verdicts,
						json_integer((json_int_t)count.entries), 0));
	json_array_append_new(all, describe_map("verdict_details", maps->verdict_details,
						json_integer((json_int_t)count.details), 0));
	json_array_append_new(all, describe_map("peers", maps->peers, json_null(), 0));
	json_array_append_new(all,
			      describe_map("zones", maps->zones,
					   json_integer((json_int_t)modules->conf->zone_count), 0));
	json_array_append_new(all, describe_map("events", maps->events, json_null(), 0));
	json_array_append_new(all, describe_map("stats", maps->stats, json_null(), 0));
	json_array_append_new(all, describe_map("buckets", maps->buckets, json_null(), 0));
	json_array_append_new(all, describe_map("responder", maps->responder, json_null(), 0));
	return all;
}

/* The index of each part; null: the part has none, and its trie answers. */
static json_t *describe_index(const struct rg_modules *modules)
{
	static const char *const parts[RG_INDEXES] = { "lists", "hosts", "peers" };
	struct rg_index_maps_count count = rg_verdicts_indexes(modules->verdicts);
	json_t *all = json_object();

	for (int i = 0; i < RG_INDEXES; i++) {
		const struct rg_index_count *part = &count.parts[i];

		json_object_set_new(all, parts[i],
				    part->bytes ? json_pack("{s:I, s:I, s:I, s:I}", "hosts",
							    (json_int_t)part->hosts4, "nets",
							    (json_int_t)part->nets6, "overflow",
							    (json_int_t)part->overflow, "bytes",
							    (json_int_t)part->bytes) :
						  json_null());
	}
	json_object_set_new(all, "failed", json_integer((json_int_t)count.failed));
	return all;
}

/* Parts of the index that there was no memory for, and when they are tried again. */
static void add_missing_indexes(const struct rg_modules *modules, json_t *lacks)
{
	static const char *const parts[RG_INDEXES] = { "local lists", "verdicts", "clean peers" };
	struct rg_index_maps_count count = rg_verdicts_indexes(modules->verdicts);
	uint64_t now = rg_now();

	for (int i = 0; i < RG_INDEXES; i++)
		if (count.retry_at[i])
			json_array_append_new(
				lacks,
				json_sprintf("index: no memory for that of %s, lookups are slower; "
					     "tried again in %llu s",
					     parts[i],
					     count.retry_at[i] > now ?
						     (unsigned long long)((count.retry_at[i] - now) /
									  RG_NSEC_PER_SEC) :
						     0ULL));
}

/* What this host can't do, for people (docs/platforms.md). */
static json_t *describe_lacks(const struct rg_modules *modules)
{
	const struct rg_attachment *at;
	json_t *lacks = json_array();

	if (!rg_loader_can_hold(modules->loader))
		json_array_append_new(lacks, json_string("hold: held SYNs can't be released before "
							 "Linux 5.18, the first one is dropped"));
	if (rg_loader_pins_are_private(modules->loader))
		json_array_append_new(
			lacks,
			json_string("pins: the BPF file system belongs to this mount namespace "
				    "alone (ip netns exec, container): after a kill -9 nothing is "
				    "filtered"));
	add_missing_indexes(modules, lacks);
	if (!modules->steering.attached)
		json_array_append_new(lacks, json_string("steering: no sk_lookup program, tempfail "
							 "resets and reject drops"));
	for (unsigned int i = 0; (at = rg_attach_info(modules->loader, i)); i++) {
		if (at->ifindex && at->mode == RG_XDP_GENERIC)
			json_array_append_new(lacks,
					      json_sprintf("native: %s is in generic mode, which is "
							   "slower",
							   at->name));
		if (at->ifindex && !at->frags)
			json_array_append_new(lacks, json_sprintf("frags: %s takes no frames in several "
								  "buffers (large MTU)",
								  at->name));
	}
	return lacks;
}

/* What the agent runs with of the settings that a reload can't change. */
static json_t *describe_restart_settings(const struct rg_conf *conf)
{
	json_t *settings = json_object();
	const struct rg_key *key;
	char text[1024];

	for (size_t i = 0; (key = rg_restart_key(i)); i++)
		json_object_set_new(settings, key->name,
				    json_string(rg_restart_text(key, conf, text, sizeof(text))));
	return settings;
}

static json_t *describe_agent(const struct rg_modules *modules)
{
	struct rg_judge_count judge = rg_judge_count(modules->judge);
	struct rg_dns_load dns = rg_dns_load(modules->dns);

	return json_pack(
		"{s:s, s:i, s:f, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:b, s:o, s:o}",
		"version", RG_VERSION, "pid", (int)getpid(), "uptime",
		(double)(rg_now() - modules->started) / 1e9, "config", modules->conf->path,
		"resolver", modules->conf->resolver_text, "pin_path", modules->conf->pin_path,
		"inquiries", (json_int_t)judge.inquiries, "inquiries_open", (json_int_t)judge.open,
		"dns_asked", (json_int_t)dns.asked, "dns_in_flight", (json_int_t)dns.in_flight,
		"dns_waiting", (json_int_t)dns.waiting, "dns_window", (json_int_t)dns.window,
		"reloads", (json_int_t)modules->reloads, "reload_errors",
		(json_int_t)modules->reload_errors, "reload_error",
		rg_describe_text(modules->reload_error), "can_hold",
		rg_loader_can_hold(modules->loader), "lacks", describe_lacks(modules),
		"restart_settings", describe_restart_settings(modules->conf));
}

static json_t *describe_oddities(const struct rg_smtp_oddities *odd)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "bare_lf", (int)odd->bare_lf, "nul",
			 (int)odd->nul, "long_lines", (int)odd->long_lines, "pipelined",
			 (int)odd->pipelined, "unknown", (int)odd->unknown, "syntax",
			 (int)odd->syntax, "sequence", (int)odd->sequence);
}

static json_t *describe_responder(const struct rg_modules *modules)
{
	struct rg_responder_count count = {};

	if (modules->responder)
		count = rg_responder_count(modules->responder);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "open",
			 (json_int_t)count.open, "sessions", (json_int_t)count.sessions, "refused",
			 (json_int_t)count.refused, "recipients", (json_int_t)count.recipients,
			 "lost", (json_int_t)count.lost, "timeouts", (json_int_t)count.timeouts,
			 "early_talkers", (json_int_t)count.early, "session_limit",
			 (json_int_t)count.over_sessions, "session_limit_per_peer",
			 (json_int_t)count.over_peer, "accept_failed",
			 (json_int_t)count.accept_failed, "oddities", describe_oddities(&count.odd));
}

/* Whether connections reach the responder. */
static json_t *describe_steering(const struct rg_modules *modules)
{
	enum rg_steering_state state = modules->steering.state;

	return json_pack("{s:s, s:b, s:o}", "state", rg_steering_name(state), "works",
			 rg_steering_works(&modules->steering), "advice",
			 rg_describe_text(rg_steering_advice(state)));
}

/* The interfaces by which connections arrived. */
static json_t *describe_paths(const struct rg_modules *modules)
{
	const struct rg_path_info *path;
	json_t *all = json_array();

	for (size_t i = 0; (path = rg_paths_get(modules->paths, i)); i++)
		if (path->lookups)
			json_array_append_new(
				all,
				json_pack("{s:s, s:i, s:b, s:I, s:I, s:o, s:o}", "interface",
					  path->name, "ifindex", (int)path->ifindex, "filtered",
					  path->is_filtered, "lookups", (json_int_t)path->lookups,
					  "unseen", (json_int_t)path->unseen, "unseen_since",
					  path->since ? json_real(rg_wall_time(path->since)) :
							json_null(),
					  "advice",
					  rg_describe_text(path->since ? rg_paths_advice(path) : "")));
	return all;
}

void rg_status_run(struct rg_client *client, const json_t *request)
{
	const struct rg_modules *modules = rg_control_modules(client);
	const struct rg_conf *conf = modules->conf;
	json_t *ports = json_array();

	(void)request;
	for (unsigned int i = 0; i < conf->port_count; i++)
		json_array_append_new(ports, json_integer(conf->ports[i]));
	rg_control_answer(
		client,
		json_pack("{s:s, s:s, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			  "mode", rg_mode_name(conf->mode), "unknown", rg_action_name(conf->unknown),
			  "ports", ports, "qil_level", (int)conf->qil_level, "activation_code",
			  rg_describe_text(rg_secret_source_name(conf->code_source)), "interfaces",
			  describe_interfaces(modules), "steering", describe_steering(modules),
			  "paths", describe_paths(modules), "guards",
			  rg_guards_describe(modules->guards), "zones", describe_all_zones(modules),
			  "maps", describe_maps(modules), "index", describe_index(modules), "lists",
			  rg_list_status_describe(modules), "loop", rg_loop_status(modules),
			  "agent", describe_agent(modules)));
}

void rg_status_run_zones(struct rg_client *client, const json_t *request)
{
	(void)request;
	rg_control_answer(client, json_pack("{s:o}", "zones",
					    describe_all_zones(rg_control_modules(client))));
}

/* An empty object if the map can't be read. */
static json_t *describe_losses(const struct rg_modules *modules)
{
	uint64_t losses[RG_LOSS_COUNTS];

	return rg_losses_read(modules, losses) ? json_object() : rg_report_losses(losses);
}

void rg_status_run_stats(struct rg_client *client, const json_t *request)
{
	const struct rg_modules *modules = rg_control_modules(client);
	struct rg_judge_count judge = rg_judge_count(modules->judge);
	struct rg_verdicts_count verdicts = rg_verdicts_count(modules->verdicts);
	struct rg_stats stats;
	int err = rg_stats_read(rg_loader_maps(modules->loader)->stats, &stats);

	(void)request;
	if (err) {
		rg_control_refuse(client, "stats map: %s", strerror(-err));
		return;
	}
	rg_control_answer(
		client,
		json_pack("{s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I}, "
			  "s:{s:I, s:I, s:I, s:I, s:I}}",
			  "packets", rg_report_table(&stats, RG_STAT_DONE, false), "attempts",
			  rg_report_table(&stats, RG_STAT_DONE, true), "monitored", "packets",
			  rg_report_table(&stats, RG_STAT_MONITORED, false), "attempts",
			  rg_report_table(&stats, RG_STAT_MONITORED, true), "losses",
			  describe_losses(modules), "responder", describe_responder(modules),
			  "inquiries", "events", (json_int_t)judge.events, "begun",
			  (json_int_t)judge.inquiries, "open", (json_int_t)judge.open, "joined",
			  (json_int_t)judge.joined, "released", (json_int_t)judge.released,
			  "verdicts", "entries", (json_int_t)verdicts.entries, "stored",
			  (json_int_t)verdicts.stored, "expired", (json_int_t)verdicts.expired,
			  "evicted", (json_int_t)verdicts.evicted, "removed",
			  (json_int_t)verdicts.removed));
}

void rg_status_run_report(struct rg_client *client, const json_t *request)
{
	const struct rg_modules *modules = rg_control_modules(client);
	const char *period = json_string_value(json_object_get(request, "period"));
	json_t *report;
	int err = rg_modules_sample(modules);

	if (err) {
		rg_control_refuse(client, "stats map: %s", strerror(-err));
		return;
	}
	report = rg_report(modules->history, period, (int64_t)time(NULL));
	if (report)
		rg_control_answer(client, report);
	else
		rg_control_refuse(client, "out of memory");
}

struct dump {
	const struct rg_modules *modules;
	json_t *entries;
	size_t count;
};

/* The addresses that are the evidence against an IPv6 prefix. */
static json_t *describe_evidence(const struct rg_verdicts *verdicts, const struct rg_prefix *key)
{
	struct rg_addr evidence[RG_EVIDENCE];
	size_t count = rg_verdicts_evidence(verdicts, key, rg_now(), evidence);
	json_t *json = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(json, rg_describe_addr(&evidence[i]));
	return json;
}

static int dump_verdict(void *arg, const struct rg_prefix *key, const struct rg_full_verdict *value)
{
	struct dump *dump = arg;
	const struct rg_verdicts *verdicts = dump->modules->verdicts;
	json_t *entry = json_pack(
		"{s:o, s:s, s:s, s:s, s:o, s:o, s:f, s:o, s:I}", "peer", rg_describe_prefix(key),
		"class", rg_class_name(value->peer_class), "action", rg_action_name(value->action),
		"reason", rg_reason_name(value->reason), "zone",
		rg_describe_text(rg_verdicts_zone(verdicts, value->zone)), "code",
		rg_describe_code(value->reason == RG_REASON_ZONE, value->code), "since",
		rg_wall_time(value->since), "expires_in", rg_describe_seconds_left(value->expiry),
		"hits", (json_int_t)value->hits);

	if (key->len < RG_ADDR_BITS)
		json_object_set_new(entry, "evidence_addresses", describe_evidence(verdicts, key));
	json_array_append_new(dump->entries, entry);
	return ++dump->count >= RG_DESCRIBE_MAX;
}

static int dump_peer(void *arg, const struct rg_addr *peer, const struct rg_peer *value)
{
	struct dump *dump = arg;
	const struct rg_prefix prefix = { .len = RG_ADDR_BITS, .addr = *peer };

	json_array_append_new(
		dump->entries,
		json_pack("{s:o, s:s, s:s, s:f, s:o}", "peer", rg_describe_prefix(&prefix), "class",
			  value->state == RG_PEER_CLEAN ? "clean" : "pending", "reason",
			  rg_reason_name(value->reason), "since", rg_wall_time(value->since),
			  "expires_in", rg_describe_seconds_left(value->expiry)));
	return ++dump->count >= RG_DESCRIBE_MAX;
}

void rg_status_run_dump(struct rg_client *client, const json_t *request)
{
	const struct rg_modules *modules = rg_control_modules(client);
	struct dump verdicts = { .modules = modules, .entries = json_array() };
	struct dump peers = { .modules = modules, .entries = json_array() };
	int more;

	(void)request;
	more = rg_verdicts_each(modules->verdicts, dump_verdict, &verdicts);
	more |= rg_verdicts_each_peer(modules->verdicts, dump_peer, &peers);
	rg_control_answer(client, json_pack("{s:o, s:o, s:b}", "verdicts", verdicts.entries,
					    "peers", peers.entries, "truncated", more != 0));
}

struct wanted_events {
	struct rg_prefix within; /* length 0: of all addresses */
	json_t *events;
};

static void add_event(void *arg, const struct rg_recent_event *event)
{
	const struct wanted_events *wanted = arg;

	if (rg_prefix_covers(&wanted->within, &event->addr))
		json_array_append_new(wanted->events, rg_describe_event(event));
}

void rg_status_run_events(struct rg_client *client, const json_t *request)
{
	const char *text = json_string_value(json_object_get(request, "address"));
	struct wanted_events wanted = {};

	if (text && rg_prefix_parse(text, strlen(text), &wanted.within)) {
		rg_control_refuse(client, "\"%.60s\" is not an address or a prefix", text);
		return;
	}
	wanted.events = json_array();
	rg_recent_events_each(rg_control_modules(client)->recent_events, add_event, &wanted);
	rg_control_answer(client, json_pack("{s:o}", "events", wanted.events));
	if (json_is_true(json_object_get(request, "follow")))
		rg_control_set_follower(client, &wanted.within);
}

void rg_status_run_version(struct rg_client *client, const json_t *request)
{
	struct utsname kernel;

	(void)request;
	(void)uname(&kernel);
	rg_control_answer(client, json_pack("{s:s, s:i, s:s}", "version", RG_VERSION, "layout",
					    RG_LAYOUT_VERSION, "kernel", kernel.release));
}
