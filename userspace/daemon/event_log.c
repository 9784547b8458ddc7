/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/event_log.h"

#include "base/addr.h"
#include "base/log.h"
#include "base/names.h"

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

/* Counts peers that zones were asked about: not those that a list, a country or an overload decided. */
static void count_judged(struct rg_modules *modules, enum rg_reason reason)
{
	enum rg_asked result = reason == RG_REASON_ZONE	      ? RG_ASKED_LISTED :
			       reason == RG_REASON_NOT_LISTED ? RG_ASKED_CLEAN :
								RG_ASKED_FAILED;

	if (reason == RG_REASON_LIST || reason == RG_REASON_COUNTRY ||
	    reason == RG_REASON_NEVER_BLOCK || reason == RG_REASON_PRIVATE ||
	    reason == RG_REASON_OVERLOAD)
		return;
	modules->asked[RG_ASKED]++;
	modules->asked[result]++;
}

void rg_event_log_judged(void *arg, const struct rg_addr *addr, const struct rg_conf *conf,
			 const struct rg_outcome *outcome)
{
	struct rg_modules *modules = arg;
	struct rg_recent_event event = { .kind = RG_RECENT_JUDGED,
					 .time = rg_wall_now(),
					 .addr = *addr };
	char text[RG_ADDR_TEXT];

	count_judged(modules, outcome->reason);
	describe_judged(&event, conf, outcome);
	rg_recent_events_add(modules->recent_events, &event);
	rg_log_debug("%s is %s (%s%s%s) for %us: %s", rg_addr_format(addr, text),
		     rg_class_name(outcome->peer_class), rg_reason_name(outcome->reason),
		     *event.zone ? " by " : "", event.zone, outcome->ttl,
		     rg_action_name(outcome->action));
}

/* The listed address that has the prefix of addr refused. False: addr has a verdict of its own, or none now. */
static bool find_evidence(const struct rg_verdicts *verdicts, const struct rg_addr *addr,
			  struct rg_addr *ret)
{
	struct rg_addr evidence[RG_EVIDENCE];
	struct rg_full_verdict verdict;
	struct rg_prefix key;

	if (rg_addr_is_v4(addr) || rg_verdicts_find(verdicts, addr, rg_now(), &key, &verdict) ||
	    key.len == RG_ADDR_BITS || !rg_verdicts_evidence(verdicts, &key, rg_now(), evidence))
		return false;
	*ret = evidence[0];
	return true;
}

void rg_event_log_refused(void *arg, const struct rg_event_head *head)
{
	struct rg_modules *modules = arg;
	bool monitored = head->mode == RG_MODE_MONITOR; /* then, not now */
	struct rg_recent_event event = { .kind = RG_RECENT_REFUSED,
					 .time = rg_wall_time(head->time),
					 .addr = head->source,
					 .port = head->source_port,
					 .local_port = head->dest_port,
					 .peer_class = head->peer_class,
					 .action = head->action,
					 .monitored = monitored };
	char peer[RG_ADDR_TEXT], local[RG_ADDR_TEXT], evidence[RG_ADDR_TEXT];
	bool has_evidence = head->zone != RG_NO_ZONE &&
			    find_evidence(modules->verdicts, &head->source, &event.evidence);

	snprintf(event.zone, sizeof(event.zone), "%s",
		 rg_verdicts_zone(modules->verdicts, head->zone));
	rg_recent_events_add(modules->recent_events, &event);
	rg_log_info("%s: client=[%s]:%u server=[%s]:%u class=%s action=%s list=%s%s%s%s",
		    monitored ? "would refuse" : "refused", rg_addr_format(&head->source, peer),
		    head->source_port, rg_addr_format(&head->dest, local), head->dest_port,
		    rg_class_name(head->peer_class), rg_action_name(head->action),
		    *event.zone ? event.zone : "local", has_evidence ? " evidence=[" : "",
		    has_evidence ? rg_addr_format(&event.evidence, evidence) : "",
		    has_evidence ? "]" : "");
}

void rg_event_log_session(void *arg, const struct rg_session_report *report)
{
	struct rg_modules *modules = arg;
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
	if (refusal->network.len)
		event.evidence = refusal->listed[0];
	rg_recent_events_add(modules->recent_events, &event);
	rg_refusals_log(&modules->refusals, report, modules->conf->log_per_second, rg_now());
}

static void on_flushed(void *arg, uint32_t slot, size_t count)
{
	const struct rg_modules *modules = arg;

	rg_log_warning("zone %s: %zu entries removed", rg_verdicts_zone(modules->verdicts, slot),
		       count);
}

/* " (IPv6)" if the zone is in another state for the other family, else "". */
static const char *family_text(const struct rg_zone_change *change, char text[16])
{
	snprintf(text, 16, " (%s)", rg_family_name(change->family));
	return change->is_whole ? "" : text;
}

void rg_event_log_health(void *arg, const struct rg_zone_change *change)
{
	const struct rg_zone_health *health = change->health;
	const char *alias = change->zone->alias;
	struct rg_modules *modules = arg;
	char text[16];
	const char *family = family_text(change, text);

	if (health->state == RG_ZONE_HEALTH_FAILING || health->before == RG_ZONE_HEALTH_FAILING)
		rg_log_debug("zone %s: %s: %s%s", alias, rg_zone_health_name(health->state),
			     health->why, family);
	if (health->state == RG_ZONE_HEALTH_GOOD && health->before != RG_ZONE_HEALTH_FAILING)
		rg_log_info("zone %s: good again%s", alias, family);
	if (health->state == RG_ZONE_HEALTH_GOOD || health->state == RG_ZONE_HEALTH_FAILING)
		return;
	rg_log_warning("zone %s: %s: %s%s", alias, rg_zone_health_name(health->state), health->why,
		       family);
	if (health->state == RG_ZONE_HEALTH_OPEN)
		return;
	/* A zone that lists too much loses only its verdicts since it began to. */
	rg_verdicts_flush_zone(modules->verdicts, change->zone->slot, change->family,
			       health->state == RG_ZONE_HEALTH_MONITOR ? health->usual_at : 0,
			       on_flushed, modules);
}
