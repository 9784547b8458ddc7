/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/commands.h"

#include "base/addr.h"
#include "daemon/agent.h"
#include "base/log.h"
#include "base/names.h"
#include "kernel/attach.h"
#include "lists/list_edit.h"
#include "observe/report.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <sys/utsname.h>

#ifndef RG_VERSION
#define RG_VERSION "unknown"
#endif

/* Entries in one answer of list and dump; more are counted, not shown. */
#define MAX_SHOWN 10000

static json_t *string_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

static json_t *format_addr(const struct rg_addr *addr)
{
	char text[RG_ADDR_TEXT];

	return json_string(rg_addr_format(addr, text));
}

static json_t *format_code(uint32_t code)
{
	struct in_addr in = { .s_addr = htonl(code) };
	char text[INET_ADDRSTRLEN];

	return code ? json_string(inet_ntop(AF_INET, &in, text, sizeof(text))) : json_null();
}

static json_t *seconds_left(uint64_t expiry)
{
	uint64_t now = rg_now();

	return expiry ? json_real(expiry > now ? (double)(expiry - now) / 1e9 : 0) : json_null();
}

json_t *rg_command_event(const struct rg_recent_event *event)
{
	bool judged = event->kind == RG_RECENT_JUDGED;
	json_t *json = json_pack("{s:s, s:f, s:o, s:s, s:s, s:o, s:b}", "event",
				 judged ? "judged" : "refused", "time", event->time, "address",
				 format_addr(&event->addr), "class", rg_class_name(event->peer_class),
				 "action", rg_action_name(event->action), "zone",
				 string_or_null(event->zone), "monitored", event->monitored);

	if (judged) {
		json_object_set_new(json, "reason", json_string(rg_reason_name(event->reason)));
		json_object_set_new(json, "code", format_code(event->code));
		json_object_set_new(json, "ttl", json_integer(event->ttl));
	} else {
		json_object_set_new(json, "port", json_integer(event->port));
		json_object_set_new(json, "local_port", json_integer(event->local_port));
	}
	return json;
}

/* ------------------------------------------------------------------ lookup */

struct lookup {
	struct rg_client *client; /* NULL: gone */
	struct rg_inquiry *inquiry;
	struct rg_conf *conf;
	struct rg_addr addr;
	struct rg_evidence evidence;
	char country[3];
	bool store;
};

/* What will be said, from whichever source. */
struct finding {
	enum rg_class peer_class;
	enum rg_action action;
	enum rg_reason reason;
	const char *zone; /* alias or "" */
	uint32_t code;
	uint64_t since, expiry, hits; /* 0: none */
	bool known; /* in the maps: the next SYN is not held */
};

static void free_lookup(void *arg)
{
	struct lookup *lookup = arg;

	rg_inquiry_cancel(lookup->inquiry);
	rg_conf_unref(lookup->conf);
	free(lookup);
}

static json_t *describe_lists(const struct rg_agent *agent, const struct lookup *lookup)
{
	const struct rg_list_item *item = rg_lists_find(agent->lists, &lookup->addr, rg_now());
	json_t *lists = json_array();
	char text[RG_PREFIX_TEXT];
	struct rg_prefix prefix;

	if (item) {
		prefix = rg_list_item_prefix(item);
		json_array_append_new(lists,
				      json_pack("{s:s, s:s, s:s, s:I, s:o}", "list",
						rg_class_name(item->peer_class), "entry",
						rg_prefix_format(&prefix, text), "file",
						rg_lists_source(agent->lists, item->source), "line",
						(json_int_t)item->line, "expires_in",
						seconds_left(rg_lists_expiry(agent->lists, item))));
	}
	item = *lookup->country ? rg_lists_find_country(agent->lists, lookup->country) : NULL;
	if (item)
		json_array_append_new(
			lists, json_pack("{s:s, s:s, s:s, s:I, s:o}", "list",
					 rg_class_name(item->peer_class), "entry", lookup->country,
					 "file", rg_lists_source(agent->lists, item->source),
					 "line", (json_int_t)item->line, "expires_in",
					 seconds_left(rg_lists_expiry(agent->lists, item))));
	return lists;
}

/* As the configuration has it. */
static const char *kind_name(const struct rg_zone_conf *zone)
{
	return zone->peer_class == RG_CLASS_APPROVED ? "allow" : rg_class_name(zone->peer_class);
}

static const char *answer_text(const struct rg_finding *finding)
{
	if (finding->status == RG_DNS_OFF)
		return rg_dns_status_name(RG_DNS_OFF);
	switch (finding->state) {
	case RG_ZONE_LISTED:
		return "listed";
	case RG_ZONE_NOT_LISTED:
		return "not listed";
	case RG_ZONE_FAILED:
		return finding->code ? "error code" : rg_dns_status_name(finding->status);
	default:
		return "not asked";
	}
}

static json_t *describe_zones(const struct rg_conf *conf, const struct lookup *lookup,
			      const struct finding *found)
{
	json_t *zones = json_array();

	for (unsigned int i = 0; i < conf->zone_count; i++) {
		const struct rg_zone_conf *zone = &conf->zones[i];
		struct rg_finding finding = lookup->evidence.zones[i];

		/* A stored verdict is what this zone said then. */
		if (found->known && !strcmp(found->zone, zone->alias))
			finding = (struct rg_finding){ .state = RG_ZONE_LISTED, .code = found->code };
		else if (found->known && found->reason == RG_REASON_NOT_LISTED)
			finding.state = RG_ZONE_NOT_LISTED;
		json_array_append_new(
			zones, json_pack("{s:s, s:s, s:s, s:o, s:o}", "zone", zone->alias, "kind",
					 kind_name(zone), "answer", answer_text(&finding), "code",
					 format_code(finding.code), "ttl",
					 finding.has_ttl ? json_integer(finding.ttl) : json_null()));
	}
	return zones;
}

/* The action that the peer's next SYN meets; a held one meets its verdict in the end. */
static enum rg_action next_syn(const struct rg_agent *agent, const struct rg_conf *conf,
			       const struct finding *found)
{
	if (conf->mode == RG_MODE_MONITOR)
		return RG_ACTION_PASS;
	if (!found->known && conf->unknown != RG_ACTION_HOLD)
		return (enum rg_action)conf->unknown;
	return rg_agent_action(agent, found->peer_class, found->action);
}

static void explain(const struct rg_agent *agent, const struct rg_conf *conf,
		    const struct finding *found, char *text, size_t size)
{
	enum rg_action action = rg_agent_action(agent, found->peer_class, found->action);

	if (conf->mode == RG_MODE_MONITOR && found->action != RG_ACTION_PASS)
		snprintf(text, size, "passes, as mode is monitor; would meet: %s",
			 rg_action_name(found->action));
	else if (found->known && action != found->action)
		snprintf(text, size, "meets: %s, as %s can't work (see status)",
			 rg_action_name(action), rg_action_name(found->action));
	else if (found->known)
		snprintf(text, size, "meets: %s", rg_action_name(found->action));
	else if (conf->unknown == RG_ACTION_HOLD)
		snprintf(text, size, "is held until the zones have answered, then meets: %s",
			 rg_action_name(found->action));
	else
		snprintf(text, size, "not known yet: unknown = %s", rg_action_name(conf->unknown));
}

static json_t *url_of(const struct rg_conf *conf, const struct lookup *lookup, const char *alias)
{
	const struct rg_zone_conf *zone = rg_conf_zone_by_alias(conf, alias);
	char url[512];

	if (!zone || !zone->url)
		return json_null();
	rg_reply_url(zone->url, &lookup->addr, url, sizeof(url));
	return json_string(url);
}

static json_t *describe_lookup(const struct rg_agent *agent, const struct lookup *lookup,
			       const struct finding *found)
{
	const struct rg_conf *conf = lookup->conf;
	char why[160];

	explain(agent, conf, found, why, sizeof(why));
	return json_pack(
		"{s:o, s:s, s:s, s:o, s:s, s:o, s:o, s:I, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o}",
		"address", format_addr(&lookup->addr), "class", rg_class_name(found->peer_class),
		"action", rg_action_name(found->action), "zone", string_or_null(found->zone),
		"reason", rg_reason_name(found->reason), "since",
		found->since ? json_real(rg_wall_time(found->since)) : json_null(), "expires_in",
		seconds_left(found->expiry), "hits", (json_int_t)found->hits, "next_syn",
		rg_action_name(next_syn(agent, conf, found)), "explanation", why, "known",
		found->known, "code", format_code(found->code), "country",
		string_or_null(lookup->country), "url", url_of(conf, lookup, found->zone), "lists",
		describe_lists(agent, lookup), "zones", describe_zones(conf, lookup, found));
}

/* From the lists and maps; false if nothing is known. */
static bool find_known(const struct rg_agent *agent, const struct lookup *lookup,
		       struct finding *found)
{
	struct rg_prefix peer = rg_peer_of(&lookup->addr, lookup->conf->ipv6_prefix);
	const struct rg_list_item *item = rg_lists_find(agent->lists, &lookup->addr, rg_now());
	uint64_t now = rg_now();
	struct rg_full_verdict verdict;
	struct rg_peer clean;

	*found = (struct finding){ .zone = "", .known = true };
	if (item) {
		found->peer_class = item->peer_class;
		found->action = item->peer_class == RG_CLASS_APPROVED ?
					RG_ACTION_PASS :
					(enum rg_action)lookup->conf->blocked_action;
		found->reason = RG_REASON_LIST;
		found->expiry = rg_lists_expiry(agent->lists, item);
	} else if (!rg_verdicts_find(agent->verdicts, &lookup->addr, now, NULL, &verdict)) {
		*found = (struct finding){ .peer_class = verdict.peer_class,
					   .action = verdict.action,
					   .reason = verdict.reason,
					   .zone = rg_verdicts_zone(agent->verdicts, verdict.zone),
					   .code = verdict.code,
					   .since = verdict.since,
					   .expiry = verdict.expiry,
					   .hits = verdict.hits,
					   .known = true };
	} else if (!rg_verdicts_find_peer(agent->verdicts, &peer.addr, now, &clean) &&
		   clean.state == RG_PEER_CLEAN) {
		found->peer_class = RG_CLASS_CLEAN;
		found->action = RG_ACTION_PASS;
		found->reason = clean.reason;
		found->since = clean.since;
		found->expiry = clean.expiry;
	} else {
		return false;
	}
	return true;
}

static void on_lookup(void *arg, const struct rg_evidence *evidence)
{
	struct lookup *lookup = arg;
	struct rg_client *client = lookup->client;
	const struct rg_agent *agent = rg_client_agent(client);
	struct rg_outcome outcome;
	struct finding found;

	lookup->evidence = *evidence;
	lookup->inquiry = NULL; /* gone when this returns */
	rg_policy_decide(lookup->conf, evidence, &outcome);
	if (lookup->store)
		(void)rg_judge_store(agent->verdicts, agent->conf, lookup->conf, &lookup->addr,
				     &outcome);
	if (!lookup->store || !find_known(agent, lookup, &found))
		found = (struct finding){ .peer_class = outcome.peer_class,
					  .action = outcome.action,
					  .reason = outcome.reason,
					  .code = outcome.code,
					  .zone = outcome.zone == RG_NO_ZONE ?
							  "" :
							  lookup->conf->zones[outcome.zone].alias };
	rg_client_wait(client, NULL, NULL);
	rg_client_answer(client, describe_lookup(agent, lookup, &found));
	free_lookup(lookup);
}

static const char *get_string(const json_t *request, const char *key)
{
	return json_string_value(json_object_get(request, key));
}

static void run_lookup(struct rg_client *client, const json_t *request)
{
	struct rg_agent *agent = rg_client_agent(client);
	const char *text = get_string(request, "address");
	struct lookup *lookup;
	struct finding found;

	lookup = calloc(1, sizeof(*lookup));
	if (!lookup || !text || rg_addr_parse(text, strlen(text), &lookup->addr)) {
		rg_client_refuse(client,
				 lookup && text ? "\"%.60s\" is not an IP address" :
						  "lookup wants an address",
				 text);
		free(lookup);
		return;
	}
	lookup->client = client;
	lookup->conf = rg_conf_ref(agent->conf);
	lookup->store = json_is_true(json_object_get(request, "store"));
	rg_judge_local(agent->judge, &lookup->addr, &lookup->evidence, lookup->country);
	if (find_known(agent, lookup, &found)) {
		rg_client_answer(client, describe_lookup(agent, lookup, &found));
		free_lookup(lookup);
	} else if (rg_inquiry_start(&lookup->inquiry, agent->inquiries, lookup->conf, &lookup->addr,
				    &lookup->evidence, on_lookup, lookup)) {
		rg_client_refuse(client, "out of memory");
		free_lookup(lookup);
	} else {
		rg_client_wait(client, lookup, free_lookup);
	}
}

/* ------------------------------------------------------------- status, stats */

static json_t *describe_interfaces(const struct rg_agent *agent)
{
	json_t *interfaces = json_array();
	const struct rg_attachment *at;

	for (unsigned int i = 0; (at = rg_attach_info(agent->loader, i)); i++)
		json_array_append_new(interfaces,
				      json_pack("{s:s, s:i, s:s, s:s, s:b, s:i}", "name", at->name,
						"ifindex", (int)at->ifindex, "state",
						at->ifindex ? "attached" : "missing", "mode",
						at->mode == RG_XDP_GENERIC ? "generic" : "native",
						"frags", at->frags, "program", (int)at->program));
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

static json_t *describe_zone(const struct rg_agent *agent, const struct rg_zone_conf *zone)
{
	const struct rg_zone_count *count = rg_inquiry_context_count(agent->inquiries, zone->slot);
	const struct rg_zone_health *health = rg_zone_test_health(agent->tester, zone->slot);

	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:f, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o, "
			 "s:i, s:i}",
			 "zone", zone->alias, "kind", kind_name(zone), "action",
			 rg_action_name(zone->action), "state", rg_zone_health_name(health->state),
			 "why", string_or_null(health->why), "since", rg_wall_time(health->since),
			 "number", (int)zone->slot, "asked", (json_int_t)count->asked, "listed",
			 (json_int_t)count->listed, "not_listed", (json_int_t)count->not_listed,
			 "off", (json_int_t)count->off, "doubted", (json_int_t)count->doubted,
			 "monitored", (json_int_t)count->monitored, "hit_share",
			 health->window_share, "failed", describe_failures(count), "ttl_min",
			 (int)zone->ttl_min, "ttl_max", (int)zone->ttl_max);
}

static json_t *describe_all_zones(const struct rg_agent *agent)
{
	json_t *zones = json_array();

	for (unsigned int i = 0; i < agent->conf->zone_count; i++)
		json_array_append_new(zones, describe_zone(agent, &agent->conf->zones[i]));
	return zones;
}

/* max: 0 for the map's own */
static json_t *describe_map(const char *name, int fd, json_t *entries, uint32_t max)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	(void)bpf_obj_get_info_by_fd(fd, &info, &len);
	return json_pack("{s:s, s:i, s:o, s:I}", "name", name, "id", (int)info.id, "entries",
			 entries, "max_entries", (json_int_t)(max ? max : info.max_entries));
}

static json_t *describe_maps(const struct rg_agent *agent)
{
	const struct rg_maps *maps = rg_loader_maps(agent->loader);
	struct rg_verdicts_count count = rg_verdicts_count(agent->verdicts);
	json_t *all = json_array();
	size_t list_entries;

	(void)rg_lists_items(agent->lists, &list_entries);
	json_array_append_new(all, describe_map("lists", maps->lists,
						json_integer((json_int_t)list_entries),
						agent->conf->max_list));
	json_array_append_new(all, describe_map("verdicts", maps->verdicts,
						json_integer((json_int_t)count.entries), 0));
	json_array_append_new(all, describe_map("verdict_details", maps->verdict_details,
						json_integer((json_int_t)count.details), 0));
	json_array_append_new(all, describe_map("peers", maps->peers, json_null(), 0));
	json_array_append_new(all,
			      describe_map("zones", maps->zones,
					   json_integer((json_int_t)agent->conf->zone_count), 0));
	json_array_append_new(all, describe_map("events", maps->events, json_null(), 0));
	json_array_append_new(all, describe_map("stats", maps->stats, json_null(), 0));
	json_array_append_new(all, describe_map("buckets", maps->buckets, json_null(), 0));
	json_array_append_new(all, describe_map("responder", maps->responder, json_null(), 0));
	return all;
}

/* The index of each part that has one; null: its trie answers. */
static json_t *describe_index(const struct rg_agent *agent)
{
	static const char *const parts[RG_INDEXES] = { "lists", "hosts", "peers" };
	struct rg_index_maps_count count = rg_verdicts_indexes(agent->verdicts);
	json_t *all = json_object();

	for (int i = 0; i < RG_INDEXES; i++) {
		const struct rg_index_count *part = &count.parts[i];

		json_object_set_new(all, parts[i],
				    part->bytes ? json_pack("{s:I, s:I, s:I, s:I}", "hosts",
							    (json_int_t)part->hosts4, "nets",
							    (json_int_t)part->nets6, "crowded",
							    (json_int_t)part->overflow, "bytes",
							    (json_int_t)part->bytes) :
						  json_null());
	}
	json_object_set_new(all, "failed", json_integer((json_int_t)count.failed));
	return all;
}

/* What this host can't do, in words (docs/platforms.md). */
static json_t *describe_lacks(const struct rg_agent *agent)
{
	const struct rg_attachment *at;
	json_t *lacks = json_array();

	if (!rg_loader_can_hold(agent->loader))
		json_array_append_new(lacks, json_string("hold: held SYNs can't be released before "
							 "Linux 5.18, the first one is dropped"));
	if (!agent->steering.attached)
		json_array_append_new(lacks, json_string("steering: no sk_lookup program, tempfail "
							 "resets and reject drops"));
	for (unsigned int i = 0; (at = rg_attach_info(agent->loader, i)); i++) {
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

static json_t *describe_agent(const struct rg_agent *agent)
{
	struct rg_judge_count judge = rg_judge_count(agent->judge);
	struct rg_dns_load dns = rg_dns_load(agent->dns);

	return json_pack(
		"{s:s, s:i, s:f, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:b, s:o}",
		"version", RG_VERSION, "pid", (int)getpid(), "uptime",
		(double)(rg_now() - agent->started) / 1e9, "config", agent->conf->path, "resolver",
		agent->conf->resolver_text, "pin_path", agent->conf->pin_path, "inquiries",
		(json_int_t)judge.inquiries, "inquiries_open", (json_int_t)judge.open, "dns_asked",
		(json_int_t)dns.asked, "dns_in_flight", (json_int_t)dns.in_flight, "dns_waiting",
		(json_int_t)dns.waiting, "reloads", (json_int_t)agent->reloads, "reload_errors",
		(json_int_t)agent->reload_errors, "reload_error", string_or_null(agent->reload_error),
		"can_hold", rg_loader_can_hold(agent->loader), "lacks", describe_lacks(agent));
}

static json_t *describe_oddities(const struct rg_smtp_oddities *odd)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "bare_lf", (int)odd->bare_lf, "nul",
			 (int)odd->nul, "long_lines", (int)odd->long_lines, "pipelined",
			 (int)odd->pipelined, "unknown", (int)odd->unknown, "syntax",
			 (int)odd->syntax, "sequence", (int)odd->sequence);
}

static json_t *describe_responder(const struct rg_agent *agent)
{
	struct rg_responder_count count = {};

	if (agent->responder)
		count = rg_responder_count(agent->responder);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "open",
			 (json_int_t)count.open, "sessions", (json_int_t)count.sessions, "refused",
			 (json_int_t)count.refused, "recipients", (json_int_t)count.recipients,
			 "lost", (json_int_t)count.lost, "timeouts", (json_int_t)count.timeouts,
			 "early_talkers", (json_int_t)count.early, "session_limit",
			 (json_int_t)count.over_sessions, "session_limit_per_peer",
			 (json_int_t)count.over_peer, "accept_failed",
			 (json_int_t)count.accept_failed, "oddities", describe_oddities(&count.odd));
}

/* How tempfail and reject are answered, and whether they can be. */
static json_t *describe_steering(const struct rg_agent *agent)
{
	enum rg_steering_state state = agent->steering.state;

	return json_pack("{s:s, s:b, s:o}", "state", rg_steering_name(state), "works",
			 rg_steering_works(&agent->steering), "advice",
			 string_or_null(rg_steering_advice(state)));
}

static void run_status(struct rg_client *client, const json_t *request)
{
	const struct rg_agent *agent = rg_client_agent(client);
	const struct rg_conf *conf = agent->conf;
	json_t *ports = json_array();
	size_t entries;

	(void)request;
	(void)rg_lists_items(agent->lists, &entries);
	for (unsigned int i = 0; i < conf->port_count; i++)
		json_array_append_new(ports, json_integer(conf->ports[i]));
	rg_client_answer(
		client,
		json_pack("{s:s, s:s, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I, s:I}, s:o}",
			  "mode", rg_mode_name(conf->mode), "unknown", rg_action_name(conf->unknown),
			  "ports", ports, "qil_level", (int)conf->qil_level, "interfaces",
			  describe_interfaces(agent), "steering", describe_steering(agent), "zones",
			  describe_all_zones(agent), "maps", describe_maps(agent), "index",
			  describe_index(agent), "lists", "entries", (json_int_t)entries, "written",
			  (json_int_t)rg_lists_written(agent->lists), "countries",
			  (json_int_t)rg_lists_countries(agent->lists), "agent",
			  describe_agent(agent)));
}

static void run_zones(struct rg_client *client, const json_t *request)
{
	(void)request;
	rg_client_answer(client,
			 json_pack("{s:o}", "zones", describe_all_zones(rg_client_agent(client))));
}

static json_t *describe_losses(const struct rg_agent *agent)
{
	struct rg_loss_count losses[RG_LOSS_COUNTS];
	json_t *json = json_object();

	if (rg_agent_losses(agent, losses))
		return json;
	for (size_t i = 0; i < RG_LOSS_COUNTS; i++)
		json_object_set_new(json, losses[i].cause, json_integer((json_int_t)losses[i].count));
	return json;
}

static void run_stats(struct rg_client *client, const json_t *request)
{
	const struct rg_agent *agent = rg_client_agent(client);
	struct rg_judge_count judge = rg_judge_count(agent->judge);
	struct rg_verdicts_count verdicts = rg_verdicts_count(agent->verdicts);
	struct rg_stats stats;
	int err = rg_stats_read(rg_loader_maps(agent->loader)->stats, &stats);

	(void)request;
	if (err) {
		rg_client_refuse(client, "stats map: %s", strerror(-err));
		return;
	}
	rg_client_answer(
		client,
		json_pack("{s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I}, "
			  "s:{s:I, s:I, s:I, s:I, s:I}}",
			  "packets", rg_report_table(&stats, RG_STAT_DONE, false), "attempts",
			  rg_report_table(&stats, RG_STAT_DONE, true), "monitored", "packets",
			  rg_report_table(&stats, RG_STAT_MONITORED, false), "attempts",
			  rg_report_table(&stats, RG_STAT_MONITORED, true), "losses",
			  describe_losses(agent), "responder", describe_responder(agent), "inquiries",
			  "events", (json_int_t)judge.events, "begun", (json_int_t)judge.inquiries,
			  "open", (json_int_t)judge.open, "joined", (json_int_t)judge.joined,
			  "released", (json_int_t)judge.released, "verdicts", "entries",
			  (json_int_t)verdicts.entries, "stored", (json_int_t)verdicts.stored,
			  "expired", (json_int_t)verdicts.expired, "evicted",
			  (json_int_t)verdicts.evicted, "removed", (json_int_t)verdicts.removed));
}

static void run_report(struct rg_client *client, const json_t *request)
{
	struct rg_agent *agent = rg_client_agent(client);
	const char *period = get_string(request, "period");
	json_t *report;
	int err = rg_agent_count(agent);

	if (err) {
		rg_client_refuse(client, "stats map: %s", strerror(-err));
		return;
	}
	report = rg_report(agent->history, period ? period : "", (int64_t)time(NULL));
	if (report)
		rg_client_answer(client, report);
	else
		rg_client_refuse(client, "report wants the period \"day\", \"week\" or \"month\"");
}

/* --------------------------------------------------------------------- lists */

static void run_list(struct rg_client *client, const json_t *request)
{
	const struct rg_agent *agent = rg_client_agent(client);
	const char *only = get_string(request, "class");
	const struct rg_list_item *items;
	size_t count, shown = 0;
	json_t *entries;

	if (only && strcmp(only, "approved") != 0 && strcmp(only, "blocked") != 0) {
		rg_client_refuse(client, "list: \"%.60s\" is not \"approved\" or \"blocked\"", only);
		return;
	}
	entries = json_array();
	items = rg_lists_items(agent->lists, &count);
	for (size_t i = 0; i < count && shown < MAX_SHOWN; i++) {
		const struct rg_prefix prefix = rg_list_item_prefix(&items[i]);
		char text[RG_PREFIX_TEXT];

		if (only && strcmp(only, rg_class_name(items[i].peer_class)) != 0)
			continue;
		shown++;
		json_array_append_new(
			entries, json_pack("{s:s, s:s, s:s, s:I, s:o}", "entry",
					   rg_prefix_format(&prefix, text), "class",
					   rg_class_name(items[i].peer_class), "file",
					   rg_lists_source(agent->lists, items[i].source), "line",
					   (json_int_t)items[i].line, "expires_in",
					   seconds_left(rg_lists_expiry(agent->lists, &items[i]))));
	}
	for (char a = 'A'; a <= 'Z'; a++) {
		for (char b = 'A'; b <= 'Z'; b++) {
			const char code[] = { a, b, '\0' };
			const struct rg_list_item *item = rg_lists_find_country(agent->lists, code);

			if (item && (!only || !strcmp(only, rg_class_name(item->peer_class))))
				json_array_append_new(
					entries,
					json_pack("{s:s, s:s, s:s, s:I, s:o}", "entry", code,
						  "class", rg_class_name(item->peer_class), "file",
						  rg_lists_source(agent->lists, item->source),
						  "line", (json_int_t)item->line, "expires_in",
						  seconds_left(rg_lists_expiry(agent->lists, item))));
		}
	}
	rg_client_answer(client,
			 json_pack("{s:o, s:I}", "entries", entries, "count", (json_int_t)count));
}

/* ------------------------------------------------------- changes, in their turn */

/* A command that changes lists or configuration. */
struct change {
	struct rg_client *client; /* NULL: gone, but what it asked for is done */
	struct rg_agent *agent;
	json_t *request;
	enum rg_class peer_class; /* approve and block: the list */
	int added, removed; /* lines of the class's file and of the other's, or both's: unlist */
};

static void forget_client(void *what)
{
	struct change *change = what;

	change->client = NULL;
}

/* Answers, as error says if err; answer is taken over. */
static void end_change(struct change *change, int err, const struct rg_error *error, json_t *answer)
{
	if (change->client)
		rg_client_wait(change->client, NULL, NULL);
	if (!change->client)
		json_decref(answer);
	else if (err)
		rg_client_refuse(change->client, "%s", error->text);
	else
		rg_client_answer(change->client, answer);
	json_decref(change->request);
	free(change);
}

static enum rg_class other_class(enum rg_class peer_class)
{
	return peer_class == RG_CLASS_APPROVED ? RG_CLASS_BLOCKED : RG_CLASS_APPROVED;
}

/* turn's arg is set here, to a new struct change. */
static void ask_turn(struct rg_client *client, const json_t *request, enum rg_class peer_class,
		     struct rg_reload_request turn)
{
	struct change *change = calloc(1, sizeof(*change));

	if (!change) {
		rg_client_refuse(client, "out of memory");
		return;
	}
	change->client = client;
	change->agent = rg_client_agent(client);
	change->request = json_incref((json_t *)request);
	change->peer_class = peer_class;
	turn.arg = change;
	rg_client_wait(client, change, forget_client);
	rg_agent_reload(change->agent, &turn);
}

/* Approved wins: a block inside of an approved prefix would do nothing. 0, or -EPERM: refused. */
static int check_approved(const struct rg_agent *agent, const char *entry, struct rg_error *error)
{
	const struct rg_list_item *item;
	struct rg_prefix prefix;

	if (rg_prefix_parse(entry, strlen(entry), &prefix))
		return 0;
	item = rg_lists_find(agent->lists, &prefix.addr, rg_now());
	/* The same entry, approved by repgatectl, moves from one list to the other. */
	if (!item || item->peer_class != RG_CLASS_APPROVED || item->len > prefix.len ||
	    (item->len == prefix.len &&
	     !strncmp(rg_lists_source(agent->lists, item->source), agent->conf->state_dir,
		      strlen(agent->conf->state_dir))))
		return 0;
	return rg_fail(error, -EPERM, "%s is approved by %s:%u, which wins", entry,
		       rg_lists_source(agent->lists, item->source), item->line);
}

/* Puts the entry into one of repgatectl's lists, and takes it out of the other. */
static int begin_add(void *arg, struct rg_error *error)
{
	struct change *change = arg;
	const char *state_dir = change->agent->conf->state_dir;
	const char *entry = get_string(change->request, "entry");
	json_int_t seconds = json_integer_value(json_object_get(change->request, "for"));
	struct rg_error ignored;
	int64_t until = 0;
	int err = 0;

	if (change->peer_class == RG_CLASS_BLOCKED)
		err = check_approved(change->agent, entry, error);
	if (err)
		return err;
	if (seconds)
		until = (int64_t)rg_wall_time(rg_now()) + seconds;
	err = rg_list_edit_add(state_dir, change->peer_class, entry, until,
			       get_string(change->request, "comment"), error);
	if (err)
		return err;
	change->added = 1;
	change->removed =
		rg_list_edit_remove(state_dir, other_class(change->peer_class), entry, &ignored);
	return 0;
}

static void end_add(void *arg, int err, const struct rg_error *error)
{
	struct change *change = arg;
	const char *state_dir = change->agent->conf->state_dir;
	const char *entry = get_string(change->request, "entry");
	json_t *seconds = json_object_get(change->request, "for"), *answer = NULL;

	if (err && change->added)
		rg_list_edit_undo(state_dir, change->peer_class);
	if (err && change->removed > 0)
		rg_list_edit_undo(state_dir, other_class(change->peer_class));
	if (!err) {
		rg_log_info("%s %s by repgatectl", rg_class_name(change->peer_class), entry);
		answer = json_pack("{s:s, s:s, s:o}", "entry", entry, "class",
				   rg_class_name(change->peer_class), "expires_in",
				   json_integer_value(seconds) ? json_incref(seconds) : json_null());
	}
	end_change(change, err, error, answer);
}

static void add_to_list(struct rg_client *client, const json_t *request, enum rg_class peer_class)
{
	const struct rg_reload_request turn = { .kind = RG_RELOAD_LISTS,
						.begin = begin_add,
						.done = end_add };
	json_int_t seconds = json_integer_value(json_object_get(request, "for"));

	if (!get_string(request, "entry") || seconds < 0 || seconds > 315360000)
		rg_client_refuse(client, "an entry is needed, and a time of at most 10 years");
	else
		ask_turn(client, request, peer_class, turn);
}

static void run_approve(struct rg_client *client, const json_t *request)
{
	add_to_list(client, request, RG_CLASS_APPROVED);
}

static void run_block(struct rg_client *client, const json_t *request)
{
	add_to_list(client, request, RG_CLASS_BLOCKED);
}

/* Not in repgatectl's lists: say where it is, if it is anywhere. */
static int refuse_unlist(const struct rg_agent *agent, const char *entry, struct rg_error *error)
{
	const struct rg_list_item *item = rg_lists_find_country(agent->lists, entry);
	struct rg_prefix prefix;

	if (!item && !rg_prefix_parse(entry, strlen(entry), &prefix))
		item = rg_lists_find(agent->lists, &prefix.addr, rg_now());
	if (!item)
		return rg_fail(error, -ENOENT, "%s is in no local list", entry);
	return rg_fail(error, -ENOENT, "%s was not added by repgatectl; %s:%u lists it as %s",
		       entry, rg_lists_source(agent->lists, item->source), item->line,
		       rg_class_name(item->peer_class));
}

static int begin_unlist(void *arg, struct rg_error *error)
{
	struct change *change = arg;
	const char *state_dir = change->agent->conf->state_dir;
	const char *entry = get_string(change->request, "entry");
	int approved = rg_list_edit_remove(state_dir, RG_CLASS_APPROVED, entry, error), blocked;

	if (approved < 0)
		return approved;
	blocked = rg_list_edit_remove(state_dir, RG_CLASS_BLOCKED, entry, error);
	if (blocked < 0)
		return blocked;
	change->removed = approved + blocked;
	return change->removed ? 0 : refuse_unlist(change->agent, entry, error);
}

static void end_unlist(void *arg, int err, const struct rg_error *error)
{
	struct change *change = arg;
	const char *entry = get_string(change->request, "entry");
	json_t *answer = NULL;

	if (!err) {
		rg_log_info("unlisted %s by repgatectl", entry);
		answer = json_pack("{s:s, s:i}", "entry", entry, "removed", change->removed);
	}
	end_change(change, err, error, answer);
}

static void run_unlist(struct rg_client *client, const json_t *request)
{
	const struct rg_reload_request turn = { .kind = RG_RELOAD_LISTS,
						.begin = begin_unlist,
						.done = end_unlist };

	if (get_string(request, "entry"))
		ask_turn(client, request, RG_CLASS_NONE, turn);
	else
		rg_client_refuse(client, "an entry is needed");
}

static void end_reload(void *arg, int err, const struct rg_error *error)
{
	end_change(arg, err, error, err ? NULL : json_pack("{s:b}", "reloaded", 1));
}

static void run_reload(struct rg_client *client, const json_t *request)
{
	const struct rg_reload_request turn = { .kind = RG_RELOAD_CONF, .done = end_reload };

	ask_turn(client, request, RG_CLASS_NONE, turn);
}

#define NOTHING_TO_LOAD 1

static int begin_monitor(void *arg, struct rg_error *error)
{
	struct change *change = arg;
	bool on = json_is_true(json_object_get(change->request, "on"));

	(void)error;
	rg_agent_set_mode(change->agent, on ? RG_MODE_MONITOR : RG_MODE_ENFORCE);
	return NOTHING_TO_LOAD;
}

static void end_monitor(void *arg, int err, const struct rg_error *error)
{
	struct change *change = arg;
	json_t *answer = NULL;

	if (!err)
		answer = json_pack("{s:s}", "mode", rg_mode_name(change->agent->conf->mode));
	end_change(change, err, error, answer);
}

static void run_monitor(struct rg_client *client, const json_t *request)
{
	const struct rg_reload_request turn = { .begin = begin_monitor, .done = end_monitor };

	if (json_is_boolean(json_object_get(request, "on")))
		ask_turn(client, request, RG_CLASS_NONE, turn);
	else
		rg_client_refuse(client, "monitor wants on or off");
}

/* The zones that a class's action changes: `repgatectl set --save` forgets what it saved of them. */
static json_t *zones_of(const struct rg_conf *conf, const char *key)
{
	enum rg_class peer_class = !strcmp(key, "standard_action") ? RG_CLASS_STANDARD :
				   !strcmp(key, "qil_action")	   ? RG_CLASS_QIL :
								     RG_CLASS_NONE;
	json_t *zones = json_array();

	for (unsigned int i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].peer_class == peer_class)
			json_array_append_new(zones, json_string(conf->zones[i].alias));
	return zones;
}

static int begin_set(void *arg, struct rg_error *error)
{
	struct change *change = arg;
	int err = rg_agent_set(change->agent, get_string(change->request, "key"),
			       get_string(change->request, "value"), error);

	return err ? err : NOTHING_TO_LOAD;
}

static void end_set(void *arg, int err, const struct rg_error *error)
{
	struct change *change = arg;
	const struct rg_conf *conf = change->agent->conf;
	const char *key = get_string(change->request, "key");
	json_t *answer = NULL;

	if (!err)
		answer = json_pack("{s:s, s:s, s:s, s:o}", "key", key, "value",
				   get_string(change->request, "value"), "config", conf->path,
				   "zones", zones_of(conf, key));
	end_change(change, err, error, answer);
}

static void run_set(struct rg_client *client, const json_t *request)
{
	const struct rg_reload_request turn = { .begin = begin_set, .done = end_set };

	if (get_string(request, "key") && get_string(request, "value"))
		ask_turn(client, request, RG_CLASS_NONE, turn);
	else
		rg_client_refuse(client, "set wants a key and a value");
}

/* ------------------------------------------------------ verdicts and the rest */

static void run_flush(struct rg_client *client, const json_t *request)
{
	struct rg_agent *agent = rg_client_agent(client);
	const char *what = get_string(request, "what");
	struct rg_prefix prefix, *within = NULL;
	const struct rg_zone_conf *zone = NULL;
	size_t count;

	if (what && !rg_prefix_parse(what, strlen(what), &prefix)) {
		within = &prefix;
		/* Part of an IPv6 peer stands for the whole. */
		if (!rg_addr_is_v4(&prefix.addr) && prefix.len > agent->conf->ipv6_prefix)
			prefix = rg_peer_of(&prefix.addr, agent->conf->ipv6_prefix);
	} else if (what) {
		zone = rg_conf_zone_by_alias(agent->conf, what);
	}
	if (what && !within && !zone) {
		rg_client_refuse(client, "\"%.60s\" is not an address, a prefix or a zone", what);
		return;
	}
	count = rg_verdicts_flush(agent->verdicts, within, zone ? zone->slot : RG_NO_ZONE);
	rg_log_info("flushed %zu entries by repgatectl", count);
	rg_client_answer(client, json_pack("{s:I}", "flushed", (json_int_t)count));
}

struct dump {
	const struct rg_agent *agent;
	json_t *entries;
	size_t shown;
};

static int dump_verdict(void *arg, const struct rg_prefix *key, const struct rg_full_verdict *value)
{
	struct dump *dump = arg;
	char text[RG_PREFIX_TEXT];

	json_array_append_new(
		dump->entries,
		json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:f, s:o, s:I}", "peer",
			  rg_prefix_format(key, text), "class", rg_class_name(value->peer_class),
			  "action", rg_action_name(value->action), "reason",
			  rg_reason_name(value->reason), "zone",
			  string_or_null(rg_verdicts_zone(dump->agent->verdicts, value->zone)),
			  "code", format_code(value->code), "since", rg_wall_time(value->since),
			  "expires_in", seconds_left(value->expiry), "hits", (json_int_t)value->hits));
	return ++dump->shown >= MAX_SHOWN;
}

static int dump_peer(void *arg, const struct rg_addr *peer, const struct rg_peer *value)
{
	struct dump *dump = arg;
	struct rg_prefix prefix = rg_peer_of(peer, dump->agent->conf->ipv6_prefix);
	char text[RG_PREFIX_TEXT];

	json_array_append_new(
		dump->entries,
		json_pack("{s:s, s:s, s:s, s:f, s:o}", "peer", rg_prefix_format(&prefix, text),
			  "class", value->state == RG_PEER_CLEAN ? "clean" : "pending", "reason",
			  rg_reason_name(value->reason), "since", rg_wall_time(value->since),
			  "expires_in", seconds_left(value->expiry)));
	return ++dump->shown >= MAX_SHOWN;
}

static void run_dump(struct rg_client *client, const json_t *request)
{
	const struct rg_agent *agent = rg_client_agent(client);
	struct dump verdicts = { .agent = agent, .entries = json_array() };
	struct dump peers = { .agent = agent, .entries = json_array() };
	int more;

	(void)request;
	more = rg_verdicts_each(agent->verdicts, dump_verdict, &verdicts);
	more |= rg_verdicts_each_peer(agent->verdicts, dump_peer, &peers);
	rg_client_answer(client, json_pack("{s:o, s:o, s:b}", "verdicts", verdicts.entries, "peers",
					   peers.entries, "truncated", more != 0));
}

static void add_event(void *arg, const struct rg_recent_event *event)
{
	json_array_append_new(arg, rg_command_event(event));
}

static void run_events(struct rg_client *client, const json_t *request)
{
	json_t *events = json_array();

	rg_recent_events_each(rg_client_agent(client)->recent, add_event, events);
	rg_client_answer(client, json_pack("{s:o}", "events", events));
	if (json_is_true(json_object_get(request, "follow")))
		rg_client_set_follower(client);
}

static void run_version(struct rg_client *client, const json_t *request)
{
	struct utsname kernel;

	(void)request;
	(void)uname(&kernel);
	rg_client_answer(client, json_pack("{s:s, s:i, s:s}", "version", RG_VERSION, "layout",
					   RG_LAYOUT_VERSION, "kernel", kernel.release));
}

enum argument_type { ARGUMENT_STRING = 1, ARGUMENT_NUMBER, ARGUMENT_BOOL };

static const struct command {
	const char *name;
	void (*run)(struct rg_client *client, const json_t *request);
	struct {
		const char *key;
		enum argument_type type;
	} arguments[4]; /* all that the command knows; the rest is refused */
} commands[] = {
	{ "status", run_status, {} },
	{ "lookup", run_lookup, { { "address", ARGUMENT_STRING }, { "store", ARGUMENT_BOOL } } },
	{ "stats", run_stats, {} },
	{ "report", run_report, { { "period", ARGUMENT_STRING } } },
	{ "list", run_list, { { "class", ARGUMENT_STRING } } },
	{ "approve",
	  run_approve,
	  { { "entry", ARGUMENT_STRING }, { "for", ARGUMENT_NUMBER }, { "comment", ARGUMENT_STRING } } },
	{ "block",
	  run_block,
	  { { "entry", ARGUMENT_STRING }, { "for", ARGUMENT_NUMBER }, { "comment", ARGUMENT_STRING } } },
	{ "unlist", run_unlist, { { "entry", ARGUMENT_STRING } } },
	{ "flush", run_flush, { { "what", ARGUMENT_STRING } } },
	{ "zones", run_zones, {} },
	{ "events", run_events, { { "follow", ARGUMENT_BOOL } } },
	{ "dump", run_dump, {} },
	{ "reload", run_reload, {} },
	{ "set", run_set, { { "key", ARGUMENT_STRING }, { "value", ARGUMENT_STRING } } },
	{ "monitor", run_monitor, { { "on", ARGUMENT_BOOL } } },
	{ "version", run_version, {} },
};

static bool has_type(const json_t *value, enum argument_type type)
{
	switch (type) {
	case ARGUMENT_STRING:
		return json_is_string(value);
	case ARGUMENT_NUMBER:
		return json_is_integer(value);
	default:
		return json_is_boolean(value);
	}
}

static const char *type_text(enum argument_type type)
{
	return type == ARGUMENT_STRING ? "a string" :
	       type == ARGUMENT_NUMBER ? "a whole number" :
					 "true or false";
}

/* Refuses what the command does not know; false then. */
static bool check_arguments(struct rg_client *client, const struct command *command,
			    const json_t *request)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)request, key, value) {
		size_t i = 0;

		if (!strcmp(key, "command"))
			continue;
		while (i < ARRAY_SIZE(command->arguments) && command->arguments[i].key &&
		       strcmp(command->arguments[i].key, key) != 0)
			i++;
		if (i == ARRAY_SIZE(command->arguments) || !command->arguments[i].key) {
			rg_client_refuse(client, "%s knows no \"%.60s\"", command->name, key);
			return false;
		}
		if (!has_type(value, command->arguments[i].type)) {
			rg_client_refuse(client, "%s: \"%s\" must be %s", command->name, key,
					 type_text(command->arguments[i].type));
			return false;
		}
	}
	return true;
}

void rg_command_run(struct rg_client *client, const json_t *request)
{
	const char *name = get_string(request, "command");

	for (size_t i = 0; name && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if (check_arguments(client, &commands[i], request))
			commands[i].run(client, request);
		return;
	}
	rg_client_refuse(client, name ? "no such command: %.60s" : "no command", name);
}
