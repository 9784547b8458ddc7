/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/judge.h"

#include "base/addr.h"
#include "base/hash.h"
#include "base/log.h"
#include "kernel/release.h"

#include <uthash.h>

#define MAX_HELD (RG_HELD_FLOWS + 1) /* of one peer; XDP allows no more for an inquiry's time */

/* A SYN that waits for the verdict. One of monitor mode has passed, and waits to be counted. */
struct held {
	struct held *next;
	uint32_t ifindex;
	uint32_t seq; /* with the port: the same in a retransmission */
	uint16_t port;
	uint16_t len;
	bool is_monitored;
	uint8_t frame[];
};

/* An address whose inquiry is open. */
struct suspect {
	struct rg_addr addr;
	struct rg_judge *judge;
	struct rg_conf *conf; /* in force when the inquiry began */
	struct rg_inquiry *inquiry;
	struct held *held;
	unsigned int held_count;
	bool is_released; /* hold_timeout is over: its SYNs meet what was decided then */
	bool passes; /* by that */
	bool is_retry; /* it sent a SYN again */
	UT_hash_handle hh;
};

#define JUDGED_SLOTS 65536

/* SYNs of peers that were not asked about: one for each hash, the last. */
#define STARVED_SLOTS 65536

struct rg_judge {
	struct rg_judge_deps deps;
	struct rg_release *release;
	uint64_t judged_at[JUDGED_SLOTS]; /* the last address with this hash; ns of CLOCK_BOOTTIME */
	uint64_t starved[STARVED_SLOTS]; /* hash of the last SYN with this hash's low bits; 0: none */
	struct suspect *suspects;
	struct rg_judge_count count;
};

int rg_judge_new(struct rg_judge **ret, const struct rg_judge_deps *deps)
{
	struct rg_judge *judge = calloc(1, sizeof(*judge));

	if (!judge)
		return -ENOMEM;
	if (rg_release_new(&judge->release, deps->loader)) {
		free(judge);
		return -ENOMEM;
	}
	judge->deps = *deps;
	/* SYNs from before now may have been judged by an earlier agent. */
	for (size_t i = 0; i < JUDGED_SLOTS; i++)
		judge->judged_at[i] = rg_now();
	*ret = judge;
	return 0;
}

static void count_monitored(struct suspect *suspect)
{
	for (const struct held *held = suspect->held; held; held = held->next)
		if (held->is_monitored)
			rg_release_count_monitored(suspect->judge->release, held->ifindex,
						   held->frame, held->len);
}

static void free_held(struct suspect *suspect)
{
	while (suspect->held) {
		struct held *held = suspect->held;

		suspect->held = held->next;
		free(held);
	}
	suspect->held_count = 0;
}

static void free_suspect(struct suspect *suspect)
{
	free_held(suspect);
	rg_conf_unref(suspect->conf);
	free(suspect);
}

void rg_judge_free(struct rg_judge *judge)
{
	struct suspect *suspect, *next;

	if (!judge)
		return;
	HASH_ITER(hh, judge->suspects, suspect, next) {
		HASH_DEL(judge->suspects, suspect);
		rg_inquiry_cancel(suspect->inquiry);
		count_monitored(suspect); /* as passed; no later agent knows them */
		free_suspect(suspect);
	}
	rg_release_free(judge->release);
	free(judge);
}

static void note_country(const struct rg_lists *lists, const struct rg_list_item *item,
			 uint64_t now, struct rg_evidence *evidence)
{
	uint64_t end = rg_lists_expiry(lists, item);

	evidence->country = item->peer_class;
	if (end)
		evidence->country_ttl = (uint32_t)((end - now) / RG_NSEC_PER_SEC) + 1;
}

void rg_judge_local(const struct rg_judge *judge, const struct rg_addr *addr,
		    struct rg_evidence *evidence, char country[3])
{
	const struct rg_lists *lists = *judge->deps.lists;
	const struct rg_country_db *countries = *judge->deps.countries;
	uint64_t now = rg_now();
	const struct rg_list_item *item = rg_lists_find(lists, addr, now);

	*evidence = (struct rg_evidence){};
	*country = '\0';
	if (item)
		evidence->list = item->peer_class;
	evidence->never_block = rg_exempt_has(judge->deps.exempt, addr);
	evidence->is_private = (*judge->deps.conf)->private_peers == RG_PRIVATE_EXEMPT &&
			       rg_addr_is_private(addr);
	if (countries && rg_country_db_find(countries, addr, country)) {
		item = rg_lists_find_country(lists, country, now);
		if (item && (item->peer_class == RG_CLASS_APPROVED ||
			     !rg_exempt_has_network(judge->deps.exempt, addr)))
			note_country(lists, item, now, evidence);
	}
}

/* Call when the verdict is in the maps: the held SYNs are looked up again, and find it. */
static void release_held(struct suspect *suspect, bool is_clean)
{
	/* The list is in reverse order of arrival. */
	struct held *held = suspect->held, *in_order = NULL, *next;

	for (; held; held = next) {
		next = held->next;
		held->next = in_order;
		in_order = held;
	}
	suspect->held = in_order;
	for (held = in_order; held; held = held->next)
		if (!held->is_monitored)
			rg_release_put(suspect->judge->release, held->ifindex, held->frame,
				       held->len, is_clean);
}

static uint64_t *judged_at(struct rg_judge *judge, const struct rg_addr *addr)
{
	return &judge->judged_at[rg_hash(addr, sizeof(*addr)) % JUDGED_SLOTS];
}

/* conf has a zone that nobody asked about the peer, as decided_by did not have it. */
static bool has_unasked_zone(const struct rg_conf *conf, const struct rg_conf *decided_by)
{
	for (unsigned int i = 0; conf != decided_by && i < conf->zone_count; i++)
		if (!rg_conf_find_zone(decided_by, &conf->zones[i]))
			return true;
	return false;
}

int rg_judge_store(struct rg_verdicts *verdicts, const struct rg_conf *conf,
		   const struct rg_conf *decided_by, const struct rg_addr *addr,
		   struct rg_outcome *outcome)
{
	const struct rg_outcome none = {}; /* only ends the pending mark */
	const struct rg_zone_conf *zone = NULL;

	if (outcome->zone != RG_NO_ZONE) {
		zone = rg_conf_find_zone(conf, &decided_by->zones[outcome->zone]);
		if (!zone) {
			(void)rg_verdicts_put(verdicts, addr, &none, RG_NO_ZONE, rg_now());
			return -ENOENT;
		}
		outcome->action = zone->action;
	}
	if (outcome->peer_class == RG_CLASS_CLEAN && outcome->ttl > conf->failure_ttl &&
	    has_unasked_zone(conf, decided_by))
		outcome->ttl = conf->failure_ttl;
	return rg_verdicts_put(verdicts, addr, outcome, zone ? zone->slot : RG_NO_ZONE, rg_now());
}

/* Puts the outcome into the maps, then lets the held SYNs meet it. 0 or a negative error. */
static int store_and_release(struct suspect *suspect, struct rg_outcome *outcome)
{
	struct rg_judge *judge = suspect->judge;
	int err = rg_judge_store(judge->deps.verdicts, *judge->deps.conf, suspect->conf,
				 &suspect->addr, outcome);

	if (err)
		rg_log_debug("verdict not stored: %s", strerror(-err));
	count_monitored(suspect); /* without a verdict in the maps: as passed */
	/* Without its verdict in the map a listed peer's SYN would pass. */
	if (!err || outcome->action == RG_ACTION_PASS)
		release_held(suspect, outcome->action == RG_ACTION_PASS);
	*judged_at(judge, &suspect->addr) = rg_now();
	return err;
}

/* s until the zones have answered, or failed, about a peer whose SYN was released before; and a little more. */
static uint32_t rest_of_inquiry(const struct rg_conf *conf)
{
	uint32_t all = conf->dns_timeout * conf->dns_tries;

	return (all > conf->hold_timeout ? (all - conf->hold_timeout + 999) / 1000 : 0) + 1;
}

/*
 * hold_timeout is over, and the zones have not answered. What is known now counts until they have: further SYNs of
 * the peer are not held, and nobody is asked twice.
 */
static void decide_for_now(struct suspect *suspect, const struct rg_evidence *evidence)
{
	struct rg_outcome outcome;

	rg_policy_decide(suspect->conf, evidence, &outcome);
	if (outcome.ttl > rest_of_inquiry(suspect->conf))
		outcome.ttl = rest_of_inquiry(suspect->conf);
	(void)store_and_release(suspect, &outcome);
	free_held(suspect);
	suspect->is_released = true;
	suspect->passes = outcome.action == RG_ACTION_PASS;
}

/* What a retransmission repeats and no other SYN has. */
static uint64_t hash_syn(const struct rg_addr *addr, uint16_t port, uint32_t seq)
{
	struct {
		struct rg_addr addr;
		uint32_t seq, port;
	} key = { *addr, seq, port };

	return rg_hash(&key, sizeof(key)) | 1;
}

/*
 * Nothing is known of the peer, as the resolver had no time. A first SYN is dropped, as admission does in
 * XDP: a real sender's retransmission is asked about before the first SYNs of others. There is nothing
 * better to come for a retransmission, so on_overload decides. No verdict: the next SYN is asked about.
 */
static void leave_unasked(struct suspect *suspect)
{
	const struct rg_outcome none = {}; /* only ends the pending mark */
	struct rg_judge *judge = suspect->judge;

	judge->count.starved++;
	count_monitored(suspect);
	(void)rg_verdicts_put(judge->deps.verdicts, &suspect->addr, &none, RG_NO_ZONE, rg_now());
	if (suspect->is_retry && suspect->conf->on_overload == RG_ACTION_PASS) {
		release_held(suspect, true);
		return;
	}
	for (const struct held *held = suspect->held; held; held = held->next) {
		uint64_t hash = hash_syn(&suspect->addr, held->port, held->seq);

		judge->starved[hash / 2 % STARVED_SLOTS] = hash;
	}
}

static void conclude(struct suspect *suspect, const struct rg_evidence *evidence)
{
	struct rg_judge *judge = suspect->judge;
	const struct rg_conf *conf = suspect->conf;
	struct rg_outcome outcome;

	rg_policy_decide(conf, evidence, &outcome);
	if (outcome.reason == RG_REASON_OVERLOAD && evidence->is_starved) {
		leave_unasked(suspect);
		return;
	}
	if (outcome.reason == RG_REASON_OVERLOAD && conf->on_overload == RG_ACTION_DROP) {
		count_monitored(suspect);
		return; /* the pending mark ends by itself, then the peer is asked about again */
	}
	(void)store_and_release(suspect, &outcome);
	judge->deps.judged(judge->deps.arg, &suspect->addr, conf, &outcome);
}

static void on_evidence(void *arg, const struct rg_evidence *found, bool is_final)
{
	struct suspect *suspect = arg;
	struct rg_judge *judge = suspect->judge;
	struct rg_evidence evidence = *found;
	const struct rg_list_item *item;

	/* The local lists may have changed while the zones were asked. */
	item = rg_lists_find(*judge->deps.lists, &suspect->addr, rg_now());
	evidence.list = item ? item->peer_class : RG_CLASS_NONE;
	if (!is_final) {
		decide_for_now(suspect, &evidence);
		return;
	}
	HASH_DEL(judge->suspects, suspect);
	judge->count.open--;
	conclude(suspect, &evidence);
	free_suspect(suspect);
}

static bool is_held(const struct suspect *suspect, const struct rg_event_syn *syn)
{
	for (const struct held *held = suspect->held; held; held = held->next)
		if (held->seq == syn->seq && held->port == syn->head.source_port)
			return true;
	return false;
}

static void hold(struct suspect *suspect, const struct rg_event_syn *syn)
{
	struct held *held;

	if (!syn->frame_len || is_held(suspect, syn))
		return;
	held = suspect->held_count < MAX_HELD ? malloc(sizeof(*held) + syn->frame_len) : NULL;
	if (!held) {
		suspect->judge->count.held_lost++;
		return;
	}
	held->next = suspect->held;
	held->ifindex = syn->head.ifindex;
	held->seq = syn->seq;
	held->port = syn->head.source_port;
	held->is_monitored = syn->head.mode == RG_MODE_MONITOR;
	held->len = (uint16_t)syn->frame_len;
	memcpy(held->frame, syn->frame, syn->frame_len);
	suspect->held = held;
	suspect->held_count++;
}

/* Whether the SYN came before: XDP says so in a flood, and who was not asked about is remembered here. */
static bool is_retry(struct rg_judge *judge, const struct rg_event_syn *syn)
{
	uint64_t hash = hash_syn(&syn->head.source, syn->head.source_port, syn->seq);

	return syn->head.is_retry || judge->starved[hash / 2 % STARVED_SLOTS] == hash;
}

static struct suspect *new_suspect(struct rg_judge *judge, const struct rg_event_syn *syn)
{
	struct suspect *suspect = calloc(1, sizeof(*suspect));

	if (!suspect)
		return NULL;
	suspect->judge = judge;
	suspect->addr = syn->head.source;
	suspect->conf = rg_conf_ref(*judge->deps.conf);
	suspect->is_retry = is_retry(judge, syn);
	hold(suspect, syn);
	return suspect;
}

/* Decides at once, by on_overload. */
static void judge_overloaded(struct suspect *suspect, struct rg_evidence *evidence)
{
	evidence->overload = true;
	conclude(suspect, evidence);
	free_suspect(suspect);
}

/* 0 or -ENOMEM: then the suspect is as it was. */
static int inquire(struct suspect *suspect, const struct rg_evidence *evidence)
{
	struct rg_judge *judge = suspect->judge;
	int err;

	HASH_ADD(hh, judge->suspects, addr, sizeof(suspect->addr), suspect);
	if (!suspect->hh.tbl)
		return -ENOMEM;
	err = rg_inquiry_start(&suspect->inquiry, judge->deps.inquiries, suspect->conf,
			       &suspect->addr, evidence,
			       suspect->is_retry ? RG_DNS_RETRY : RG_DNS_NEW, on_evidence, suspect);
	if (err)
		HASH_DEL(judge->suspects, suspect);
	return err;
}

static void begin(struct rg_judge *judge, const struct rg_event_syn *syn)
{
	struct suspect *suspect = new_suspect(judge, syn);
	struct rg_evidence evidence;
	char country[3];

	if (!suspect) {
		judge->count.held_lost++;
		return;
	}
	rg_judge_local(judge, &suspect->addr, &evidence, country);
	if (judge->count.open >= suspect->conf->max_inquiries) {
		judge->count.overload++;
		judge_overloaded(suspect, &evidence);
	} else if (inquire(suspect, &evidence)) {
		judge->count.no_memory++;
		judge_overloaded(suspect, &evidence);
	} else {
		judge->count.inquiries++;
		judge->count.open++;
	}
}

/*
 * True if the address was judged after XDP saw the SYN, so that its verdict is in the maps. The maps are
 * only asked about a SYN that came before the last verdict with the same hash: for a later one XDP has
 * asked them, and found nothing. (One that `repgatectl lookup --store` judged is asked about again, and so is
 * one whose prefix was refused meanwhile.)
 */
static bool is_judged(struct rg_judge *judge, const struct rg_event_syn *syn)
{
	uint64_t now;
	struct rg_full_verdict verdict;
	struct rg_peer known;

	if (syn->head.time > *judged_at(judge, &syn->head.source))
		return false;
	now = rg_now();
	if (!rg_verdicts_find(judge->deps.verdicts, &syn->head.source, now, NULL, &verdict))
		return true;
	return !rg_verdicts_find_peer(judge->deps.verdicts, &syn->head.source, now, &known) &&
	       known.state == RG_PEER_CLEAN;
}

/* The peer is decided: the SYN meets that. */
static void release_now(struct rg_judge *judge, const struct rg_event_syn *syn, bool is_clean)
{
	if (syn->frame_len && syn->head.mode == RG_MODE_MONITOR)
		rg_release_count_monitored(judge->release, syn->head.ifindex, syn->frame,
					   syn->frame_len);
	else if (syn->frame_len)
		rg_release_put(judge->release, syn->head.ifindex, syn->frame, syn->frame_len,
			       is_clean);
}

void rg_judge_syn(struct rg_judge *judge, const struct rg_event_syn *syn)
{
	struct suspect *suspect;

	judge->count.events++;
	HASH_FIND(hh, judge->suspects, &syn->head.source, sizeof(syn->head.source), suspect);
	if (suspect) {
		judge->count.joined++;
		if (!suspect->is_retry && is_retry(judge, syn)) {
			suspect->is_retry = true;
			rg_inquiry_hurry(suspect->inquiry);
		}
		if (suspect->is_released)
			release_now(judge, syn, suspect->passes);
		else
			hold(suspect, syn);
	} else if (is_judged(judge, syn)) {
		judge->count.known++;
		release_now(judge, syn, false);
	} else {
		begin(judge, syn);
	}
}

struct rg_judge_count rg_judge_count(const struct rg_judge *judge)
{
	struct rg_release_count release = rg_release_count(judge->release);
	struct rg_judge_count count = judge->count;

	count.released = release.released;
	count.release_failed = release.failed;
	count.monitored = release.monitored;
	return count;
}
