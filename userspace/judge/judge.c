/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/judge.h"

#include "base/addr.h"
#include "base/hash.h"
#include "base/log.h"
#include "kernel/release.h"

#include <uthash.h>

#define MAX_HELD (RG_HELD_FLOWS + 1) /* of one peer; XDP allows no more for an inquiry's time */

/* A SYN that waits. */
struct held {
	struct held *next;
	uint32_t ifindex;
	uint32_t seq; /* with addr and port: tells a retransmission */
	struct rg_addr addr;
	uint16_t port;
	uint16_t len;
	uint8_t frame[];
};

/* A peer that is being asked about. */
struct suspect {
	struct rg_addr key; /* the peer: IPv6 cut */
	struct rg_prefix peer;
	struct rg_addr addr; /* whom the zones are asked about: the first that came */
	struct rg_judge *judge;
	struct rg_conf *conf; /* of the inquiry */
	struct rg_inquiry *inquiry;
	struct held *held;
	unsigned int held_count;
	UT_hash_handle hh;
};

/* When a peer whose address has this hash was judged last; ns of CLOCK_BOOTTIME. */
#define JUDGED_SLOTS 65536

struct rg_judge {
	struct rg_judge_deps court;
	struct rg_release *releaser;
	uint64_t judged_at[JUDGED_SLOTS];
	struct suspect *suspects;
	struct rg_judge_count count;
};

int rg_judge_new(struct rg_judge **ret, const struct rg_judge_deps *court)
{
	struct rg_judge *judge = calloc(1, sizeof(*judge));

	if (!judge)
		return -ENOMEM;
	if (rg_release_new(&judge->releaser, court->loader)) {
		free(judge);
		return -ENOMEM;
	}
	judge->court = *court;
	/* Of what happened before, an earlier agent knew. */
	for (size_t i = 0; i < JUDGED_SLOTS; i++)
		judge->judged_at[i] = rg_now();
	*ret = judge;
	return 0;
}

static void free_suspect(struct suspect *suspect)
{
	while (suspect->held) {
		struct held *held = suspect->held;

		suspect->held = held->next;
		free(held);
	}
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
		free_suspect(suspect);
	}
	rg_release_free(judge->releaser);
	free(judge);
}

void rg_judge_local(const struct rg_judge *judge, const struct rg_addr *addr,
		    struct rg_evidence *evidence, char country[3])
{
	const struct rg_lists *lists = *judge->court.lists;
	const struct rg_country_db *geo = *judge->court.geo;
	const struct rg_list_item *item = rg_lists_find(lists, addr, rg_now());

	*evidence = (struct rg_evidence){};
	*country = '\0';
	if (item)
		evidence->list = item->peer_class;
	evidence->never_block = rg_exempt_has(judge->court.never, addr);
	if (geo && rg_country_db_find(geo, addr, country)) {
		item = rg_lists_find_country(lists, country);
		if (item)
			evidence->country = item->peer_class;
	}
}

/* The verdict is in force: what waited for it goes on, and meets it. */
static void release_held(struct suspect *suspect, bool is_clean)
{
	/* In the order of arrival; new ones were put in front. */
	struct held *held = suspect->held, *in_order = NULL, *next;

	for (; held; held = next) {
		next = held->next;
		held->next = in_order;
		in_order = held;
	}
	suspect->held = in_order;
	for (held = in_order; held; held = held->next)
		rg_release_put(suspect->judge->releaser, held->ifindex, held->frame, held->len,
			       is_clean);
}

static uint64_t *judged_at(struct rg_judge *judge, const struct rg_addr *key)
{
	return &judge->judged_at[rg_hash(key, sizeof(*key)) % JUDGED_SLOTS];
}

/*
 * Stores what was decided. A reload may have come while the zones were asked: then the zone of today
 * counts, and one that is gone says nothing any more (-ENOENT).
 */
static int store(struct suspect *suspect, struct rg_outcome *outcome)
{
	struct rg_judge *judge = suspect->judge;
	struct rg_prefix peer = suspect->peer;
	const struct rg_zone_conf *zone = NULL;
	struct rg_outcome none = {};
	int err;

	if (outcome->zone != RG_NO_ZONE) {
		zone = rg_conf_find_zone(*judge->court.conf, &suspect->conf->zones[outcome->zone]);
		if (!zone) {
			(void)rg_verdicts_put(judge->court.verdicts, &peer, &none, RG_NO_ZONE,
					      rg_now());
			return -ENOENT;
		}
		outcome->action = zone->action;
	}
	/* This very address, not its neighbours: anybody can send a SYN in its name. */
	if (outcome->reason == RG_REASON_NEVER_BLOCK) {
		(void)rg_verdicts_put(judge->court.verdicts, &peer, &none, RG_NO_ZONE, rg_now());
		peer = (struct rg_prefix){ .len = RG_ADDR_BITS, .addr = suspect->addr };
	}
	err = rg_verdicts_put(judge->court.verdicts, &peer, outcome, zone ? zone->slot : RG_NO_ZONE,
			      rg_now());
	if (err)
		rg_log_debug("verdict not stored: %s", strerror(-err));
	return err;
}

static void conclude(struct suspect *suspect, const struct rg_evidence *evidence)
{
	struct rg_judge *judge = suspect->judge;
	const struct rg_conf *conf = suspect->conf;
	struct rg_outcome outcome;
	int err;

	rg_policy_decide(conf, evidence, &outcome);
	if (outcome.reason == RG_REASON_OVERLOAD && conf->on_overload == RG_ACTION_DROP)
		return; /* the pending mark ends by itself, then the peer is asked about again */
	err = store(suspect, &outcome);
	/* Without its verdict in the map a listed peer's SYN would pass. */
	if (!err || outcome.action == RG_ACTION_PASS)
		release_held(suspect, outcome.action == RG_ACTION_PASS);
	*judged_at(judge, &suspect->key) = rg_now();
	judge->court.judged(judge->court.arg, &suspect->addr, conf, &outcome);
}

static void on_evidence(void *arg, const struct rg_evidence *found)
{
	struct suspect *suspect = arg;
	struct rg_judge *judge = suspect->judge;
	struct rg_evidence evidence = *found;
	const struct rg_list_item *item;

	/* The local lists may have changed while the zones were asked. */
	item = rg_lists_find(*judge->court.lists, &suspect->addr, rg_now());
	evidence.list = item ? item->peer_class : RG_CLASS_NONE;
	HASH_DEL(judge->suspects, suspect);
	judge->count.open--;
	conclude(suspect, &evidence);
	free_suspect(suspect);
}

static bool is_held(const struct suspect *suspect, const struct rg_event_syn *syn)
{
	for (const struct held *held = suspect->held; held; held = held->next)
		if (held->seq == syn->seq && held->port == syn->head.source_port &&
		    !rg_addr_compare(&held->addr, &syn->head.source))
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
	held->addr = syn->head.source;
	held->port = syn->head.source_port;
	held->len = (uint16_t)syn->frame_len;
	memcpy(held->frame, syn->frame, syn->frame_len);
	suspect->held = held;
	suspect->held_count++;
}

static struct suspect *new_suspect(struct rg_judge *judge, const struct rg_prefix *peer,
				   const struct rg_event_syn *syn)
{
	struct suspect *suspect = calloc(1, sizeof(*suspect));

	if (!suspect)
		return NULL;
	suspect->judge = judge;
	suspect->peer = *peer;
	suspect->key = peer->addr;
	suspect->addr = syn->head.source;
	suspect->conf = rg_conf_ref(*judge->court.conf);
	hold(suspect, syn);
	return suspect;
}

/* on_overload decides about this peer, now. */
static void judge_overloaded(struct suspect *suspect, struct rg_evidence *evidence)
{
	suspect->judge->count.overload++;
	evidence->overload = true;
	conclude(suspect, evidence);
	free_suspect(suspect);
}

static void begin(struct rg_judge *judge, const struct rg_prefix *peer, const struct rg_event_syn *syn)
{
	struct suspect *suspect = new_suspect(judge, peer, syn);
	struct rg_evidence evidence;
	char country[3];

	if (!suspect) {
		judge->count.held_lost++;
		return;
	}
	rg_judge_local(judge, &suspect->addr, &evidence, country);
	if (judge->count.open >= suspect->conf->max_inquiries ||
	    rg_inquiry_start(&suspect->inquiry, judge->court.asker, suspect->conf, &suspect->addr,
			     &evidence, on_evidence, suspect)) {
		judge_overloaded(suspect, &evidence);
		return;
	}
	judge->count.inquiries++;
	judge->count.open++;
	HASH_ADD(hh, judge->suspects, key, sizeof(suspect->key), suspect);
}

/*
 * Judged between the SYN's arrival and now: the verdict waits for it. The maps need not be asked about
 * one that arrived since the last that could be meant: XDP has, and there was nothing. (If repgatectl
 * had a peer judged just now, it is asked about once more.)
 */
static bool is_judged(struct rg_judge *judge, const struct rg_event_syn *syn,
		      const struct rg_prefix *peer)
{
	uint64_t now;
	struct rg_full_verdict verdict;
	struct rg_peer known;

	if (syn->head.time > *judged_at(judge, &peer->addr))
		return false;
	now = rg_now();
	if (!rg_verdicts_find(judge->court.verdicts, &syn->head.source, now, NULL, &verdict))
		return true;
	return !rg_verdicts_find_peer(judge->court.verdicts, &peer->addr, now, &known) &&
	       known.state == RG_PEER_CLEAN;
}

void rg_judge_syn(struct rg_judge *judge, const struct rg_event_syn *syn)
{
	struct rg_prefix peer = rg_peer_of(&syn->head.source, (*judge->court.conf)->ipv6_prefix);
	struct suspect *suspect;

	judge->count.events++;
	HASH_FIND(hh, judge->suspects, &peer.addr, sizeof(peer.addr), suspect);
	if (suspect) {
		judge->count.joined++;
		hold(suspect, syn);
	} else if (is_judged(judge, syn, &peer)) {
		judge->count.known++;
		if (syn->frame_len)
			rg_release_put(judge->releaser, syn->head.ifindex, syn->frame,
				       syn->frame_len, false);
	} else {
		begin(judge, &peer, syn);
	}
}

struct rg_judge_count rg_judge_count(const struct rg_judge *judge)
{
	struct rg_release_count releaser = rg_release_count(judge->releaser);
	struct rg_judge_count count = judge->count;

	count.released = releaser.released;
	count.release_failed = releaser.failed;
	return count;
}
