/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/inquiry.h"

#include "base/addr.h"
#include "base/log.h"

#include <event2/event_struct.h>

#define UNCHECKED_RETRY 2 /* s */

struct rg_asker {
	struct event_base *base;
	struct rg_dns *dns;
	struct rg_zone_test *tester;
	const struct timeval *half; /* of the deadline; a common timeout of all inquiries */
	struct rg_zone_count counts[RG_MAX_ZONES];
};

/* One zone's question. */
struct question {
	struct rg_inquiry *inquiry;
	struct rg_dns_query *query; /* NULL: not under way */
	struct rg_zone_check check; /* of its answer, a listing */
	uint64_t asked_at; /* ns of CLOCK_BOOTTIME */
};

struct rg_inquiry {
	struct rg_asker *asker;
	struct rg_conf *conf;
	struct rg_addr addr;
	struct rg_evidence evidence;
	enum rg_class kind; /* of the zones that are being asked */
	unsigned int open; /* questions without an answer */
	bool late; /* half of the time is over */
	struct event timer; /* in here: an allocation less for each peer */
	rg_inquiry_callback *callback;
	void *arg;
	struct question questions[]; /* as conf->zones */
};

int rg_asker_new(struct rg_asker **ret, struct event_base *base, struct rg_dns *dns,
		 struct rg_zone_test *tester, uint32_t deadline_ms)
{
	const uint32_t half_ms = deadline_ms / 2;
	const struct timeval half = { .tv_sec = half_ms / 1000, .tv_usec = half_ms % 1000 * 1000 };
	struct rg_asker *asker = calloc(1, sizeof(*asker));

	if (!asker)
		return -ENOMEM;
	asker->base = base;
	asker->dns = dns;
	asker->tester = tester;
	asker->half = event_base_init_common_timeout(base, &half);
	if (!asker->half) {
		free(asker);
		return -ENOMEM;
	}
	*ret = asker;
	return 0;
}

void rg_asker_reset(struct rg_asker *asker, uint32_t slot)
{
	asker->counts[slot] = (struct rg_zone_count){};
}

void rg_asker_free(struct rg_asker *asker)
{
	free(asker);
}

const struct rg_zone_count *rg_asker_count(const struct rg_asker *asker, uint32_t slot)
{
	return &asker->counts[slot];
}

void rg_inquiry_cancel(struct rg_inquiry *inquiry)
{
	if (!inquiry)
		return;
	for (unsigned int i = 0; i < inquiry->conf->zone_count; i++) {
		rg_dns_cancel(inquiry->questions[i].query);
		rg_zone_check_cancel(&inquiry->questions[i].check);
	}
	evtimer_del(&inquiry->timer);
	rg_conf_unref(inquiry->conf);
	free(inquiry);
}

static void finish(struct rg_inquiry *inquiry)
{
	inquiry->callback(inquiry->arg, &inquiry->evidence);
	rg_inquiry_cancel(inquiry);
}

static struct rg_zone_count *count_of(struct rg_inquiry *inquiry, unsigned int zone)
{
	return &inquiry->asker->counts[inquiry->conf->zones[zone].slot];
}

static void note_failure(struct rg_inquiry *inquiry, unsigned int zone, enum rg_dns_status status)
{
	struct rg_finding *finding = &inquiry->evidence.zones[zone];
	struct rg_zone_count *count = count_of(inquiry, zone);
	char text[RG_ADDR_TEXT];

	finding->state = RG_ZONE_FAILED;
	finding->status = status;
	finding->retry = rg_zone_test_retry(inquiry->asker->tester, inquiry->conf->zones[zone].slot);
	count->failed[status]++;
	count->last_failure = rg_now();
	rg_log_debug("zone %s about %s: %s", inquiry->conf->zones[zone].alias,
		     rg_addr_format(&inquiry->addr, text),
		     status == RG_DNS_OK ? "error code" : rg_dns_status_name(status));
}

/* Not to be believed: as if the zone did not list the peer, and for no longer than need be. */
static void note_unbelieved(struct rg_inquiry *inquiry, unsigned int zone)
{
	struct rg_finding *finding = &inquiry->evidence.zones[zone];

	finding->state = RG_ZONE_NOT_LISTED;
	finding->status = RG_DNS_OFF;
	finding->has_ttl = false;
	finding->retry = rg_zone_test_retry(inquiry->asker->tester, inquiry->conf->zones[zone].slot);
}

/* An answer that can't be true. */
static void note_nonsense(struct rg_inquiry *inquiry, unsigned int zone, uint32_t code)
{
	note_failure(inquiry, zone, RG_DNS_OK);
	note_unbelieved(inquiry, zone);
	inquiry->evidence.zones[zone].code = code;
	rg_zone_test_nonsense(inquiry->asker->tester, &inquiry->conf->zones[zone]);
}

/* The last word on a listing. */
static void note_listed(struct rg_inquiry *inquiry, unsigned int zone, bool believed)
{
	const struct rg_zone_conf *conf = &inquiry->conf->zones[zone];
	const struct rg_zone_health *health = rg_zone_test_health(inquiry->asker->tester, conf->slot);
	struct rg_finding *finding = &inquiry->evidence.zones[zone];
	struct rg_zone_count *count = count_of(inquiry, zone);

	if (!believed || health->state == RG_ZONE_HEALTH_DISABLED) {
		count->doubted++;
		note_unbelieved(inquiry, zone);
		/* The resolver goes on saying so for this long, the zone being well or not. */
		finding->doubted = true;
		return;
	}
	rg_zone_test_answer(inquiry->asker->tester, conf, true);
	if (health->state == RG_ZONE_HEALTH_MONITOR) {
		count->monitored++;
		finding->state = RG_ZONE_NOT_LISTED;
	} else {
		count->listed++;
		finding->state = RG_ZONE_LISTED;
	}
}

static void on_checked(void *arg, bool believed);

/* An allow list's way to say "you ask too much": to be believed, it would let the world in. */
#define ALLOW_REFUSES 0x7f0000ffU

static bool allow_list_refuses(const struct rg_zone_conf *conf, const struct rg_dns_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++)
		if (conf->peer_class == RG_CLASS_APPROVED && answer->records[i] == ALLOW_REFUSES)
			return true;
	return false;
}

/* True if the answer has to be checked first. */
static bool note_records(struct rg_inquiry *inquiry, unsigned int zone,
			 const struct rg_dns_answer *answer)
{
	const struct rg_zone_conf *conf = &inquiry->conf->zones[zone];
	struct question *question = &inquiry->questions[zone];
	enum rg_listed listed;
	uint32_t code = ALLOW_REFUSES;

	listed = allow_list_refuses(conf, answer) ?
			 RG_LIST_BROKEN :
			 rg_dnsbl_match(&conf->codes, answer->records, answer->count, &code);
	if (listed == RG_LIST_BROKEN) {
		note_nonsense(inquiry, zone, code);
		return false;
	}
	if (listed == RG_NOT_LISTED) {
		rg_zone_test_answer(inquiry->asker->tester, conf, false);
		inquiry->evidence.zones[zone].state = RG_ZONE_NOT_LISTED;
		count_of(inquiry, zone)->not_listed++;
		return false;
	}
	inquiry->evidence.zones[zone].code = code;
	if (conf->selftest == RG_SELFTEST_OFF) {
		note_listed(inquiry, zone, true);
		return false;
	}
	if (rg_zone_test_check(inquiry->asker->tester, conf, question->asked_at, &question->check,
			       on_checked, question))
		return true;
	note_listed(inquiry, zone, true);
	return false;
}

/* True if the answer has to be checked first. */
static bool note_answer(struct rg_inquiry *inquiry, unsigned int zone,
			const struct rg_dns_answer *answer)
{
	const struct rg_zone_conf *conf = &inquiry->conf->zones[zone];
	struct rg_finding *finding = &inquiry->evidence.zones[zone];

	finding->status = answer->status;
	finding->ttl = answer->ttl;
	finding->has_ttl = answer->has_ttl;
	if (answer->status == RG_DNS_OK)
		return note_records(inquiry, zone, answer);
	if (answer->status == RG_DNS_NONE) {
		finding->state = RG_ZONE_NOT_LISTED;
		count_of(inquiry, zone)->not_listed++;
		rg_zone_test_answer(inquiry->asker->tester, conf, false);
	} else {
		note_failure(inquiry, zone, answer->status);
		rg_zone_test_failure(inquiry->asker->tester, conf, answer->status,
				     rg_now() - inquiry->questions[zone].asked_at);
	}
	return false;
}

static void on_answer(void *arg, const struct rg_dns_answer *answer);

static void ask_zone(struct rg_inquiry *inquiry, unsigned int zone)
{
	const struct rg_zone_conf *conf = &inquiry->conf->zones[zone];
	const struct rg_zone_health *health = rg_zone_test_health(inquiry->asker->tester, conf->slot);
	struct question *question = &inquiry->questions[zone];
	char name[RG_DNSBL_NAME_SIZE];

	question->inquiry = inquiry;
	if (!rg_zone_health_is_asked(health)) {
		inquiry->asker->counts[conf->slot].off++;
		if (health->state == RG_ZONE_HEALTH_DISABLED)
			note_unbelieved(inquiry, zone);
		else
			note_failure(inquiry, zone, RG_DNS_OFF);
		return;
	}
	inquiry->asker->counts[conf->slot].asked++;
	question->asked_at = rg_now();
	rg_zone_test_asked(inquiry->asker->tester, conf);
	if (rg_dnsbl_name(&inquiry->addr, conf->suffix, name) ||
	    rg_dns_query(inquiry->asker->dns, &question->query, conf->slot, name, on_answer, question))
		note_failure(inquiry, zone, RG_DNS_BAD);
	else
		inquiry->open++;
	explicit_bzero(name, sizeof(name)); /* may hold a key */
}

/* The zones of kind; those of kind allow go with Standard, as they decide together. */
static void ask_kind(struct rg_inquiry *inquiry, enum rg_class kind)
{
	inquiry->kind = kind;
	if (kind == RG_CLASS_STANDARD)
		for (unsigned int i = 0; i < inquiry->conf->zone_count; i++)
			if (inquiry->conf->zones[i].peer_class == RG_CLASS_APPROVED)
				ask_zone(inquiry, i);
	for (unsigned int i = 0; i < inquiry->conf->zone_count; i++)
		if (inquiry->conf->zones[i].peer_class == kind)
			ask_zone(inquiry, i);
}

/* 1: the evidence is complete. */
static int go_on(struct rg_inquiry *inquiry)
{
	if (rg_policy_is_settled(inquiry->conf, &inquiry->evidence))
		return 1;
	if (inquiry->open)
		return 0;
	if (inquiry->kind == RG_CLASS_STANDARD &&
	    rg_policy_asks(inquiry->conf, &inquiry->evidence, RG_CLASS_QIL))
		ask_kind(inquiry, RG_CLASS_QIL);
	return !inquiry->open;
}

static void on_answer(void *arg, const struct rg_dns_answer *answer)
{
	struct question *question = arg;
	struct rg_inquiry *inquiry = question->inquiry;

	question->query = NULL;
	rg_zone_test_took(inquiry->asker->tester,
			  &inquiry->conf->zones[question - inquiry->questions],
			  rg_now() - question->asked_at);
	if (note_answer(inquiry, (unsigned int)(question - inquiry->questions), answer))
		return;
	inquiry->open--;
	if (go_on(inquiry))
		finish(inquiry);
}

static void on_checked(void *arg, bool believed)
{
	struct question *question = arg;
	struct rg_inquiry *inquiry = question->inquiry;

	note_listed(inquiry, (unsigned int)(question - inquiry->questions), believed);
	inquiry->open--;
	if (go_on(inquiry))
		finish(inquiry);
}

/*
 * Half of the time is over: a Standard zone that does not answer must not keep the QIL zones from
 * being asked; its answer still counts if it comes.
 */
static void on_half(struct rg_inquiry *inquiry)
{
	inquiry->late = true;
	if (inquiry->kind == RG_CLASS_STANDARD &&
	    rg_policy_asks(inquiry->conf, &inquiry->evidence, RG_CLASS_QIL))
		ask_kind(inquiry, RG_CLASS_QIL);
	evtimer_add(&inquiry->timer, inquiry->asker->half);
}

/* The deadline, or at once for an inquiry that has nothing to ask. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct rg_inquiry *inquiry = arg;

	(void)fd;
	(void)what;
	if (!inquiry->late && inquiry->open) {
		on_half(inquiry);
		return;
	}
	for (unsigned int i = 0; i < inquiry->conf->zone_count; i++) {
		struct question *question = &inquiry->questions[i];

		if (question->query) {
			rg_dns_cancel(question->query);
			question->query = NULL;
			note_failure(inquiry, i, RG_DNS_TIMEOUT);
			rg_zone_test_failure(inquiry->asker->tester, &inquiry->conf->zones[i],
					     RG_DNS_TIMEOUT, rg_now() - question->asked_at);
		} else if (question->check.waits) {
			/*
			 * No time to check it: as good as no answer, but soon to be asked again, and
			 * then the zone is known to be slow.
			 */
			rg_zone_check_cancel(&question->check);
			note_failure(inquiry, i, RG_DNS_TIMEOUT);
			inquiry->evidence.zones[i].retry = UNCHECKED_RETRY;
		}
	}
	finish(inquiry);
}

int rg_inquiry_start(struct rg_inquiry **ret, struct rg_asker *asker, struct rg_conf *conf,
		     const struct rg_addr *addr, const struct rg_evidence *evidence,
		     rg_inquiry_callback *callback, void *arg)
{
	struct rg_inquiry *inquiry =
		calloc(1, sizeof(*inquiry) + conf->zone_count * sizeof(inquiry->questions[0]));
	bool complete = true;

	if (!inquiry)
		return -ENOMEM;
	inquiry->asker = asker;
	inquiry->conf = rg_conf_ref(conf);
	inquiry->addr = *addr;
	inquiry->evidence = *evidence;
	inquiry->callback = callback;
	inquiry->arg = arg;
	evtimer_assign(&inquiry->timer, asker->base, on_timer, inquiry);
	if (rg_policy_needs_zones(evidence)) {
		ask_kind(inquiry, RG_CLASS_STANDARD);
		complete = go_on(inquiry);
	}
	if (complete)
		event_active(&inquiry->timer, EV_TIMEOUT, 0);
	else
		evtimer_add(&inquiry->timer, asker->half);
	*ret = inquiry;
	return 0;
}
