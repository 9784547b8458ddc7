/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/lookup.h"

#include "base/addr.h"
#include "base/names.h"
#include "control/describe.h"
#include "proto/reply.h"

struct lookup {
	struct rg_client *client;
	struct rg_inquiry *inquiry;
	struct rg_conf *conf;
	struct rg_addr addr;
	struct rg_evidence local; /* before the zones were asked */
	struct rg_evidence evidence;
	char country[3];
	bool store;
};

/* What is known of the address: from the lists, the maps or the inquiry. */
struct finding {
	enum rg_class peer_class;
	enum rg_action action;
	enum rg_reason reason;
	const char *zone; /* alias or "" */
	uint32_t code;
	uint64_t since, expiry, hits; /* 0: none */
	bool known; /* from lists or maps: the next SYN is not held */
	bool asks; /* not known, and zones are asked: neither a country nor an exemption decides */
	struct rg_prefix network; /* the address's, refused because of `evidence`; len 0: it is not */
	struct rg_addr evidence[RG_EVIDENCE];
};

static void free_lookup(void *arg)
{
	struct lookup *lookup = arg;

	rg_inquiry_cancel(lookup->inquiry);
	rg_conf_unref(lookup->conf);
	free(lookup);
}

/* The entries of the local lists that cover the address or name its country. */
static json_t *describe_lists(const struct rg_lists *lists, const struct lookup *lookup)
{
	const struct rg_list_item *item = rg_lists_find(lists, &lookup->addr, rg_now());
	json_t *json = json_array();

	if (item)
		json_array_append_new(json, rg_describe_list_item(lists, item, "list", NULL));
	item = *lookup->country ? rg_lists_find_country(lists, lookup->country, rg_now()) : NULL;
	if (item)
		json_array_append_new(json,
				      rg_describe_list_item(lists, item, "list", lookup->country));
	return json;
}

static const char *answer_text(const struct rg_finding *finding)
{
	if (finding->is_error)
		return "error code";
	if (finding->status == RG_DNS_OFF)
		return rg_dns_status_name(RG_DNS_OFF);
	switch (finding->state) {
	case RG_ZONE_LISTED:
		return "listed";
	case RG_ZONE_NOT_LISTED:
		return "not listed";
	case RG_ZONE_FAILED:
		return rg_dns_status_name(finding->status);
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

		/* A stored verdict is the answer that this zone gave then. */
		if (found->known && !strcmp(found->zone, zone->alias))
			finding = (struct rg_finding){ .state = RG_ZONE_LISTED,
						       .code = found->code,
						       .has_code = true };
		else if (found->known && found->reason == RG_REASON_NOT_LISTED)
			finding.state = RG_ZONE_NOT_LISTED;
		json_array_append_new(
			zones,
			json_pack("{s:s, s:s, s:s, s:o, s:o}", "zone", zone->alias, "kind",
				  rg_describe_kind(zone), "answer", answer_text(&finding), "code",
				  rg_describe_code(finding.has_code, finding.code), "ttl",
				  finding.has_ttl ? json_integer(finding.ttl) : json_null()));
	}
	return zones;
}

/* The action that the next SYN meets. A SYN that is held meets its verdict in the end. */
static enum rg_action next_syn(const struct rg_modules *modules, const struct rg_conf *conf,
			       const struct finding *found)
{
	if (conf->mode == RG_MODE_MONITOR)
		return RG_ACTION_PASS;
	if (!found->known && conf->unknown != RG_ACTION_HOLD)
		return (enum rg_action)conf->unknown;
	return rg_steering_action(&modules->steering, found->peer_class, found->action);
}

/* What an action does with a SYN, to follow a subject: "is dropped". */
static const char *done_by(enum rg_action action)
{
	switch (action) {
	case RG_ACTION_DROP:
		return "is dropped";
	case RG_ACTION_RESET:
		return "is reset";
	case RG_ACTION_TAG:
		return "passes with tag_dscp, for the firewall";
	case RG_ACTION_TEMPFAIL:
		return "goes to the responder, which refuses the mail with 450";
	case RG_ACTION_REJECT:
		return "goes to the responder, which refuses the mail with 550";
	case RG_ACTION_THROTTLE:
		return "passes within the rate of qil_throttle, and is dropped above it";
	case RG_ACTION_HOLD:
		return "is held";
	default:
		return "passes";
	}
}

/* The same with "would". */
static const char *would_be_done_by(enum rg_action action)
{
	switch (action) {
	case RG_ACTION_DROP:
		return "would be dropped";
	case RG_ACTION_RESET:
		return "would be reset";
	case RG_ACTION_TAG:
		return "would pass with tag_dscp, for the firewall";
	case RG_ACTION_TEMPFAIL:
		return "would go to the responder, which refuses the mail with 450";
	case RG_ACTION_REJECT:
		return "would go to the responder, which refuses the mail with 550";
	case RG_ACTION_THROTTLE:
		return "would pass within the rate of qil_throttle, and be dropped above it";
	default:
		return "would pass";
	}
}

/* Why the peer is never refused, or NULL. */
static const char *exemption(const struct finding *found)
{
	switch (found->reason) {
	case RG_REASON_NEVER_BLOCK:
		return "it is never refused";
	case RG_REASON_PRIVATE:
		return "it is private, and private_peers is exempt";
	default:
		return NULL;
	}
}

/* What becomes of a SYN by its verdict, to follow a subject: "passes", "is dropped". */
static void explain_verdict(const struct rg_modules *modules, const struct finding *found,
			    const char *(*words)(enum rg_action action), char *text, size_t size)
{
	enum rg_action action =
		rg_steering_action(&modules->steering, found->peer_class, found->action);

	if (action != found->action)
		snprintf(text, size, "%s, as %s can't work (see status)", words(action),
			 rg_action_name(found->action));
	else
		snprintf(text, size, "%s", words(action));
}

/* The same for mode monitor. With unknown = pass, mode enforce would let the first connection in too. */
static void explain_monitor(const struct rg_modules *modules, const struct rg_conf *conf,
			    const struct finding *found, char *text, size_t size)
{
	bool first_passes = !found->known && conf->unknown == RG_ACTION_PASS;
	char would[160];

	explain_verdict(modules, found, would_be_done_by, would, sizeof(would));
	if (found->action == RG_ACTION_PASS)
		snprintf(text, size, "passes%s%s", exemption(found) ? ": " : "",
			 exemption(found) ? exemption(found) : "");
	else
		snprintf(text, size, "passes, as mode is monitor; %s%s",
			 first_passes ? "once it is judged, the next one " : "else it ", would);
}

/* One sentence about the next SYN, whose subject is the SYN. */
static void explain(const struct rg_modules *modules, const struct rg_conf *conf,
		    const struct finding *found, char *text, size_t size)
{
	char then[160];

	explain_verdict(modules, found, done_by, then, sizeof(then));
	if (conf->mode == RG_MODE_MONITOR)
		explain_monitor(modules, conf, found, text, size);
	else if (exemption(found) && (found->known || conf->unknown != RG_ACTION_DROP))
		snprintf(text, size, "passes: %s", exemption(found));
	else if (found->known)
		snprintf(text, size, "%s", then);
	else if (conf->unknown == RG_ACTION_HOLD)
		snprintf(text, size, "is held %s, then %s",
			 found->asks ? "until the zones have answered" :
				       "until the agent has judged it, without asking a zone",
			 then);
	else if (conf->unknown == RG_ACTION_DROP)
		snprintf(text, size, "is dropped, as unknown = drop; its retransmission %s", then);
	else
		snprintf(text, size,
			 "passes, as unknown = pass; once it is judged, the next one %s", then);
}

/* Goes on with whose listing it is, if it is not the address's own. */
static void explain_evidence(const struct finding *found, char *text, size_t size)
{
	char one[RG_ADDR_TEXT], two[RG_ADDR_TEXT], network[RG_PREFIX_TEXT];
	size_t len = strlen(text);

	if (found->network.len)
		snprintf(text + len, size - len, "; %s and %s of %s are listed",
			 rg_addr_format(&found->evidence[0], one),
			 rg_addr_format(&found->evidence[1], two),
			 rg_prefix_format(&found->network, network));
}

static json_t *url_of(const struct rg_conf *conf, const struct lookup *lookup,
		      const struct finding *found)
{
	const struct rg_zone_conf *zone = rg_conf_zone_by_alias(conf, found->zone);
	char url[512];

	if (!zone || !zone->url)
		return json_null();
	rg_reply_url(zone->url, found->network.len ? &found->evidence[0] : &lookup->addr, url,
		     sizeof(url));
	return json_string(url);
}

static json_t *describe_lookup(const struct rg_modules *modules, const struct lookup *lookup,
			       const struct finding *found)
{
	const struct rg_conf *conf = lookup->conf;
	char why[512];
	json_t *json;

	explain(modules, conf, found, why, sizeof(why));
	explain_evidence(found, why, sizeof(why));
	json = json_pack(
		"{s:o, s:s, s:s, s:o, s:s, s:o, s:o, s:I, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o}",
		"address", rg_describe_addr(&lookup->addr), "class",
		rg_class_name(found->peer_class), "action", rg_action_name(found->action), "zone",
		rg_describe_text(found->zone), "reason", rg_reason_name(found->reason), "since",
		found->since ? json_real(rg_wall_time(found->since)) : json_null(), "expires_in",
		rg_describe_seconds_left(found->expiry), "hits", (json_int_t)found->hits, "next_syn",
		rg_action_name(next_syn(modules, conf, found)), "explanation", why, "known",
		found->known, "code", rg_describe_code(found->reason == RG_REASON_ZONE, found->code),
		"country", rg_describe_text(lookup->country), "url", url_of(conf, lookup, found),
		"lists", describe_lists(modules->lists, lookup), "zones",
		describe_zones(conf, lookup, found));
	if (found->network.len)
		json_object_set_new(json, "evidence_address", rg_describe_addr(&found->evidence[0]));
	return json;
}

/* Looks into lists and maps. False if they know nothing of the address. */
static bool find_known(const struct rg_modules *modules, const struct lookup *lookup,
		       struct finding *found)
{
	const struct rg_list_item *item = rg_lists_find(modules->lists, &lookup->addr, rg_now());
	uint64_t now = rg_now();
	struct rg_full_verdict verdict;
	struct rg_prefix key = {};
	struct rg_peer clean;

	*found = (struct finding){ .zone = "", .known = true };
	if (item) {
		found->peer_class = item->peer_class;
		found->action = item->peer_class == RG_CLASS_APPROVED ?
					RG_ACTION_PASS :
					(enum rg_action)lookup->conf->blocked_action;
		found->reason = RG_REASON_LIST;
		found->expiry = rg_lists_expiry(modules->lists, item);
	} else if (!rg_verdicts_find(modules->verdicts, &lookup->addr, now, &key, &verdict)) {
		*found = (struct finding){ .peer_class = verdict.peer_class,
					   .action = verdict.action,
					   .reason = verdict.reason,
					   .zone = rg_verdicts_zone(modules->verdicts, verdict.zone),
					   .code = verdict.code,
					   .since = verdict.since,
					   .expiry = verdict.expiry,
					   .hits = verdict.hits,
					   .known = true };
		if (key.len && key.len < RG_ADDR_BITS &&
		    rg_verdicts_evidence(modules->verdicts, &key, now, found->evidence) == RG_EVIDENCE)
			found->network = key;
	} else if (!rg_verdicts_find_peer(modules->verdicts, &lookup->addr, now, &clean) &&
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

static void on_lookup(void *arg, const struct rg_evidence *evidence, bool is_final)
{
	struct lookup *lookup = arg;
	struct rg_client *client = lookup->client;
	const struct rg_modules *modules = rg_control_modules(client);
	struct rg_outcome outcome;
	struct finding found;

	if (!is_final)
		return; /* who asks can wait longer than a SYN */
	lookup->evidence = *evidence;
	lookup->inquiry = NULL; /* it is freed when this returns */
	rg_policy_decide(lookup->conf, evidence, &outcome);
	if (lookup->store)
		(void)rg_judge_store(modules->verdicts, modules->conf, lookup->conf, &lookup->addr,
				     &outcome);
	if (!lookup->store || !find_known(modules, lookup, &found))
		found = (struct finding){ .asks = rg_policy_needs_zones(&lookup->local),
					  .peer_class = outcome.peer_class,
					  .action = outcome.action,
					  .reason = outcome.reason,
					  .code = outcome.code,
					  .zone = outcome.zone == RG_NO_ZONE ?
							  "" :
							  lookup->conf->zones[outcome.zone].alias };
	rg_control_wait(client, NULL, NULL);
	rg_control_answer(client, describe_lookup(modules, lookup, &found));
	free_lookup(lookup);
}

void rg_lookup_run(struct rg_client *client, const json_t *request)
{
	const struct rg_modules *modules = rg_control_modules(client);
	const char *text = json_string_value(json_object_get(request, "address"));
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	struct finding found;

	if (!lookup || rg_addr_parse(text, strlen(text), &lookup->addr)) {
		rg_control_refuse(client,
				  lookup ? "\"%.60s\" is not an IP address" : "out of memory", text);
		free(lookup);
		return;
	}
	lookup->client = client;
	lookup->conf = rg_conf_ref(modules->conf);
	lookup->store = json_is_true(json_object_get(request, "store"));
	rg_judge_local(modules->judge, &lookup->addr, &lookup->evidence, lookup->country);
	lookup->local = lookup->evidence;
	if (find_known(modules, lookup, &found)) {
		rg_control_answer(client, describe_lookup(modules, lookup, &found));
		free_lookup(lookup);
	} else if (rg_inquiry_start(&lookup->inquiry, modules->inquiries, lookup->conf, &lookup->addr,
				    &lookup->evidence, RG_DNS_RETRY, on_lookup, lookup)) {
		rg_control_refuse(client, "out of memory");
		free_lookup(lookup);
	} else {
		rg_control_wait(client, lookup, free_lookup);
	}
}
