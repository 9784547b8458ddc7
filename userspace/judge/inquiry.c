/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge/inquiry.h"

#include "base/addr.h"
#include "base/log.h"
#include "dnsbl/zone_answer.h"

#include <event2/event_struct.h>

#define UNTESTED_RETRY 2 /* s until a peer is asked about again whose listing was not tested */

/* A zone is slow if more than this share of its answers comes after hold_timeout; not slow any more: half of it. */
#define SLOW_SHARE 0.05
/* Fewer answers tell nothing. */
#define SLOW_LEAST 20

struct rg_inquiry_context {
	struct event_base *base;
	struct rg_dns *dns;
	struct rg_zone_test *tester;
	/* One timer queue each for all inquiries. */
	const struct timeval *half; /* of the time that a SYN is held */
	const struct timeval *rest; /* from then on; NULL: nothing is asked for longer */
	struct rg_zone_count counts[RG_MAX_ZONES];
};

/* The question to one zone. */
struct question {
	struct rg_inquiry *inquiry;
	struct rg_dns_query *query; /* NULL: not under way */
	struct rg_zone_test_waiter waiter; /* for a test, if the answer is a listing */
	uint64_t asked_at; /* ns of CLOCK_BOOTTIME */
	uint32_t serial; /* of the zone in its slot (rg_zone_test_serial()) */
};

enum stage {
	STAGE_BEGINNING, /* half of hold_timeout is not over */
	STAGE_HELD,
	STAGE_RELEASED, /* hold_timeout is over */
	STAGE_TESTED, /* all answers are in, or have failed; listings wait for tests of their zones */
};

struct rg_inquiry {
	struct rg_inquiry_context *context;
	struct rg_conf *conf;
	struct rg_addr addr;
	struct rg_evidence evidence;
	enum rg_class kind; /* of the zones that are being asked */
	enum rg_dns_priority priority; /* of its questions */
	unsigned int open; /* questions without an answer */
	enum stage stage;
	struct event timer; /* not a pointer: saves an allocation for each peer */
	rg_inquiry_callback *callback;
	void *arg;
	struct question questions[]; /* as conf->zones */
};

static const struct timeval *timer_queue(struct event_base *base, uint32_t ms)
{
	const struct timeval time = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	return event_base_init_common_timeout(base, &time);
}

int rg_inquiry_context_new(struct rg_inquiry_context **ret, struct event_base *base,
			   struct rg_dns *dns, struct rg_zone_test *tester, uint32_t hold_ms,
			   uint32_t total_ms)
{
	struct rg_inquiry_context *context = calloc(1, sizeof(*context));

	if (!context)
		return -ENOMEM;
	context->base = base;
	context->dns = dns;
	context->tester = tester;
	context->half = timer_queue(base, hold_ms / 2);
	if (total_ms > hold_ms)
		context->rest = timer_queue(base, total_ms - hold_ms);
	if (!context->half || (total_ms > hold_ms && !context->rest)) {
		free(context);
		return -ENOMEM;
	}
	*ret = context;
	return 0;
}

void rg_inquiry_context_reset(struct rg_inquiry_context *context, uint32_t slot)
{
	context->counts[slot] = (struct rg_zone_count){};
}

void rg_inquiry_context_free(struct rg_inquiry_context *context)
{
	free(context);
}

const struct rg_zone_count *rg_inquiry_context_count(const struct rg_inquiry_context *context,
						     uint32_t slot)
{
	return &context->counts[slot];
}

void rg_inquiry_cancel(struct rg_inquiry *inquiry)
{
	if (!inquiry)
		return;
	for (unsigned int i = 0; i < inquiry->conf->zone_count; i++) {
		rg_dns_cancel(inquiry->questions[i].query);
		rg_zone_test_cancel(&inquiry->questions[i].waiter);
	}
	evtimer_del(&inquiry->timer);
	rg_conf_unref(inquiry->conf);
	free(inquiry);
}

static void finish(struct rg_inquiry *inquiry)
{
	inquiry->callback(inquiry->arg, &inquiry->evidence, true);
	rg_inquiry_cancel(inquiry);
}

static struct rg_zone_count *count_of(struct rg_inquiry *inquiry, unsigned int zone)
{
	return &inquiry->context->counts[inquiry->conf->zones[zone].slot];
}

static enum rg_family family_of(const struct rg_inquiry *inquiry)
{
	return rg_addr_family(&inquiry->addr);
}

static struct rg_zone_question zone_question(const struct rg_inquiry *inquiry, unsigned int zone)
{
	return (struct rg_zone_question){ .zone = &inquiry->conf->zones[zone],
					  .family = family_of(inquiry),
					  .asked_at = inquiry->questions[zone].asked_at };
}

/* A zone that took this one's slot in a reload must not get its answers. */
static bool is_stale(const struct rg_inquiry *inquiry, unsigned int zone)
{
	return inquiry->questions[zone].serial !=
	       rg_zone_test_serial(inquiry->context->tester, inquiry->conf->zones[zone].slot);
}

static uint32_t retry_after(const struct rg_inquiry *inquiry, unsigned int zone)
{
	return rg_zone_test_retry_after(inquiry->context->tester, inquiry->conf->zones[zone].slot,
					family_of(inquiry));
}

/* The answer is about another zone than the one in force: the peer is soon asked about again. */
static void note_stale(struct rg_inquiry *inquiry, unsigned int zone)
{
	inquiry->evidence.zones[zone] = (struct rg_finding){ .state = RG_ZONE_FAILED,
							     .status = RG_DNS_OFF,
							     .retry = UNTESTED_RETRY };
}

static void note_failure(struct rg_inquiry *inquiry, unsigned int zone, enum rg_dns_status status)
{
	struct rg_finding *finding = &inquiry->evidence.zones[zone];
	struct rg_zone_count *count = count_of(inquiry, zone);
	char text[RG_ADDR_TEXT];

	finding->state = RG_ZONE_FAILED;
	finding->status = status;
	finding->retry = retry_after(inquiry, zone);
	count->failed[status]++;
	count->last_failure = rg_now();
	rg_log_debug("zone %s about %s: %s", inquiry->conf->zones[zone].alias,
		     rg_addr_format(&inquiry->addr, text),
		     status == RG_DNS_OK ? "error code" : rg_dns_status_name(status));
}

static void warn_of_slow(const struct rg_inquiry *inquiry, unsigned int zone,
			 struct rg_zone_count *count)
{
	bool was_slow = count->is_slow;

	count->is_slow = count->answered >= SLOW_LEAST &&
			 count->late_share > (was_slow ? SLOW_SHARE / 2 : SLOW_SHARE);
	if (count->is_slow && !was_slow)
		rg_log_warning("zone %s: %.0f %% of new peers pass before it has answered: it needs more "
			       "than hold_timeout (%u ms)",
			       inquiry->conf->zones[zone].alias, count->late_share * 100,
			       inquiry->conf->hold_timeout);
}

/* The zone has answered: in time, or after the peer's SYN was released. */
static void note_time(struct rg_inquiry *inquiry, unsigned int zone)
{
	struct rg_zone_count *count = count_of(inquiry, zone);
	double late = inquiry->stage >= STAGE_RELEASED, window = RG_INQUIRY_LATE_WINDOW;

	if (++count->answered < RG_INQUIRY_LATE_WINDOW)
		window = (double)count->answered;
	count->late += inquiry->stage >= STAGE_RELEASED;
	count->late_share += (late - count->late_share) / window;
	warn_of_slow(inquiry, zone, count);
}

/* What the zone says does not count: as if it did not list the peer, until it is asked again. */
static void note_doubtful(struct rg_inquiry *inquiry, unsigned int zone)
{
	struct rg_finding *finding = &inquiry->evidence.zones[zone];

	finding->state = RG_ZONE_NOT_LISTED;
	finding->status = RG_DNS_OFF;
	finding->has_ttl = false;
	finding->retry = retry_after(inquiry, zone);
}

/* The question waited for other questions all the time. That says nothing of the zone. */
static void note_not_asked(struct rg_inquiry *inquiry, unsigned int zone)
{
	struct rg_finding *finding = &inquiry->evidence.zones[zone];

	finding->state = RG_ZONE_FAILED;
	finding->status = RG_DNS_BUSY;
	inquiry->evidence.is_starved = true;
	count_of(inquiry, zone)->failed[RG_DNS_BUSY]++;
}

/* A record that can't be true: an error code, or an address outside 127/8. */
static void note_impossible(struct rg_inquiry *inquiry, unsigned int zone, uint32_t code)
{
	const struct rg_zone_question asked = zone_question(inquiry, zone);

	note_failure(inquiry, zone, RG_DNS_OK);
	note_doubtful(inquiry, zone);
	inquiry->evidence.zones[zone].code = code;
	inquiry->evidence.zones[zone].has_code = true;
	inquiry->evidence.zones[zone].is_error = true;
	rg_zone_test_note_invalid(inquiry->context->tester, &asked);
}

/* A listing, after the zone's test or without one. confirmed: false if the test failed. */
static void note_listed(struct rg_inquiry *inquiry, unsigned int zone, bool confirmed)
{
	const struct rg_zone_question asked = zone_question(inquiry, zone);
	const struct rg_zone_health *health =
		rg_zone_test_health(inquiry->context->tester, asked.zone->slot, asked.family);
	struct rg_finding *finding = &inquiry->evidence.zones[zone];
	struct rg_zone_count *count = count_of(inquiry, zone);

	note_time(inquiry, zone);
	if (!confirmed || health->state == RG_ZONE_HEALTH_DISABLED) {
		count->doubted++;
		note_doubtful(inquiry, zone);
		/* The resolver has the listing in its cache for this long, even if the zone recovers. */
		finding->doubted = true;
		return;
	}
	rg_zone_test_note_answer(inquiry->context->tester, &asked, true);
	if (health->state == RG_ZONE_HEALTH_MONITOR) {
		count->monitored++;
		finding->state = RG_ZONE_NOT_LISTED;
	} else {
		count->listed++;
		finding->state = RG_ZONE_LISTED;
	}
}

static void on_tested(void *arg, bool confirmed);

/* If the answer does not say for how long caches keep it. */
#define CACHED_SECONDS 3600

static void note_not_listed(struct rg_inquiry *inquiry, unsigned int zone,
			    const struct rg_dns_answer *answer)
{
	const struct rg_zone_question asked = zone_question(inquiry, zone);
	struct rg_zone_test *tester = inquiry->context->tester;

	note_time(inquiry, zone);
	inquiry->evidence.zones[zone].state = RG_ZONE_NOT_LISTED;
	count_of(inquiry, zone)->not_listed++;
	rg_zone_test_note_answer(tester, &asked, false);
	rg_zone_test_note_clean(tester, &asked, &inquiry->addr,
				answer->has_ttl ? answer->ttl : CACHED_SECONDS);
}

/* A listing. True if it waits for a test of its zone. */
static bool note_listing(struct rg_inquiry *inquiry, unsigned int zone, uint32_t code)
{
	const struct rg_zone_question asked = zone_question(inquiry, zone);
	struct question *question = &inquiry->questions[zone];

	inquiry->evidence.zones[zone].code = code;
	inquiry->evidence.zones[zone].has_code = true;
	if (asked.zone->selftest != RG_SELFTEST_OFF &&
	    rg_zone_test_wait(inquiry->context->tester, &asked, &question->waiter, on_tested,
			      question))
		return true;
	note_listed(inquiry, zone, true);
	return false;
}

/* True if the answer is a listing that waits for a test of its zone. */
static bool note_answer(struct rg_inquiry *inquiry, unsigned int zone,
			const struct rg_dns_answer *answer)
{
	const struct rg_zone_question asked = zone_question(inquiry, zone);
	const struct rg_zone_answer got = rg_zone_answer_read(&asked.zone->codes, answer);
	struct rg_finding *finding = &inquiry->evidence.zones[zone];

	finding->status = answer->status;
	finding->ttl = answer->ttl;
	finding->has_ttl = answer->has_ttl;
	switch (got.meaning) {
	case RG_ZONE_SAYS_LISTED:
		return note_listing(inquiry, zone, got.code);
	case RG_ZONE_SAYS_NOT_LISTED:
	case RG_ZONE_SAYS_OTHER:
		note_not_listed(inquiry, zone, answer);
		break;
	case RG_ZONE_SAYS_ERROR:
		note_impossible(inquiry, zone, got.code);
		break;
	default:
		note_failure(inquiry, zone, answer->status);
		rg_zone_test_note_failure(inquiry->context->tester, &asked, answer->status);
		break;
	}
	return false;
}

static void on_answer(void *arg, const struct rg_dns_answer *answer);

/* The zone is off: failed, or as if it did not list the peer. */
static void note_off(struct rg_inquiry *inquiry, unsigned int zone,
		     const struct rg_zone_health *health)
{
	count_of(inquiry, zone)->off++;
	if (health->state == RG_ZONE_HEALTH_DISABLED)
		note_doubtful(inquiry, zone);
	else
		note_failure(inquiry, zone, RG_DNS_OFF);
}

static void ask_zone(struct rg_inquiry *inquiry, unsigned int zone)
{
	struct rg_inquiry_context *context = inquiry->context;
	struct question *question = &inquiry->questions[zone];
	struct rg_zone_question asked;
	const struct rg_zone_health *health;
	char name[RG_DNSBL_NAME_SIZE];

	question->inquiry = inquiry;
	question->asked_at = rg_now();
	asked = zone_question(inquiry, zone);
	if (!rg_conf_zone_asks(asked.zone, asked.family)) {
		inquiry->evidence.zones[zone].state = RG_ZONE_EXCLUDED;
		return;
	}
	question->serial = rg_zone_test_serial(context->tester, asked.zone->slot);
	health = rg_zone_test_health(context->tester, asked.zone->slot, asked.family);
	if (!rg_zone_health_is_asked(health)) {
		note_off(inquiry, zone, health);
		return;
	}
	count_of(inquiry, zone)->asked++;
	rg_zone_test_note_question(context->tester, &asked);
	if (rg_dnsbl_name(&inquiry->addr, asked.zone->suffix, name) ||
	    rg_dns_query(context->dns, &question->query, asked.zone->slot, inquiry->priority, name,
			 on_answer, question))
		note_failure(inquiry, zone, RG_DNS_BAD);
	else
		inquiry->open++;
	explicit_bzero(name, sizeof(name)); /* the name may hold a key */
}

/* Asks the zones of this kind; with the Standard zones also those of kind allow. */
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

/* True if the evidence is complete. */
static bool go_on(struct rg_inquiry *inquiry)
{
	if (rg_policy_is_decided(inquiry->conf, &inquiry->evidence))
		return true;
	if (inquiry->open)
		return false;
	if (inquiry->kind == RG_CLASS_STANDARD &&
	    rg_policy_asks(inquiry->conf, &inquiry->evidence, RG_CLASS_QIL))
		ask_kind(inquiry, RG_CLASS_QIL);
	return !inquiry->open;
}

static void on_answer(void *arg, const struct rg_dns_answer *answer)
{
	struct question *question = arg;
	struct rg_inquiry *inquiry = question->inquiry;
	unsigned int zone = (unsigned int)(question - inquiry->questions);
	struct rg_zone_question asked;

	/* The time in the queue is no time of the zone's. */
	question->asked_at = rg_dns_sent_at(question->query);
	asked = zone_question(inquiry, zone);
	question->query = NULL;
	if (is_stale(inquiry, zone)) {
		note_stale(inquiry, zone);
	} else {
		rg_zone_test_note_latency(inquiry->context->tester, &asked);
		if (note_answer(inquiry, zone, answer))
			return;
	}
	inquiry->open--;
	if (go_on(inquiry))
		finish(inquiry);
}

static void on_tested(void *arg, bool confirmed)
{
	struct question *question = arg;
	struct rg_inquiry *inquiry = question->inquiry;
	unsigned int zone = (unsigned int)(question - inquiry->questions);

	if (is_stale(inquiry, zone))
		note_stale(inquiry, zone);
	else
		note_listed(inquiry, zone, confirmed);
	inquiry->open--;
	if (go_on(inquiry))
		finish(inquiry);
}

/*
 * Half of hold_timeout is over. The QIL zones are asked now, because a silent Standard zone must not
 * prevent it. The answer of the Standard zone still counts if it comes.
 */
static void on_half(struct rg_inquiry *inquiry)
{
	inquiry->stage = STAGE_HELD;
	if (inquiry->kind == RG_CLASS_STANDARD &&
	    rg_policy_asks(inquiry->conf, &inquiry->evidence, RG_CLASS_QIL))
		ask_kind(inquiry, RG_CLASS_QIL);
	evtimer_add(&inquiry->timer, inquiry->context->half);
}

/* Whether our own load explains that the zone has not answered, or was not even asked. */
static bool is_starved(const struct rg_inquiry *inquiry, unsigned int zone)
{
	const struct question *question = &inquiry->questions[zone];

	return question->query &&
	       (!rg_dns_sent_at(question->query) ||
		rg_dns_is_busy(inquiry->context->dns, inquiry->conf->zones[zone].slot));
}

/*
 * Whether all questions still wait for room in the window. A question that was sent goes on after hold_timeout: its
 * answer is only late. The other questions of the same peer then go on waiting for room.
 */
static bool is_unasked(const struct rg_inquiry *inquiry)
{
	for (unsigned int i = 0; i < inquiry->conf->zone_count; i++)
		if (inquiry->questions[i].query && rg_dns_sent_at(inquiry->questions[i].query))
			return false;
	return true;
}

/* The SYN is decided by what is known, and the rest is waited for. */
static void decide_for_now(struct rg_inquiry *inquiry)
{
	struct rg_evidence so_far = inquiry->evidence;

	for (unsigned int i = 0; i < inquiry->conf->zone_count; i++)
		if (inquiry->questions[i].query || inquiry->questions[i].waiter.waits)
			so_far.zones[i] = (struct rg_finding){ .state = RG_ZONE_FAILED,
							       .status = RG_DNS_TIMEOUT };
	evtimer_add(&inquiry->timer, inquiry->context->rest);
	inquiry->callback(inquiry->arg, &so_far, false);
}

/* hold_timeout is over. A slow list is not a dead one. */
static void on_hold_over(struct rg_inquiry *inquiry)
{
	inquiry->stage = STAGE_RELEASED;
	for (unsigned int i = 0; i < inquiry->conf->zone_count; i++) {
		struct rg_zone_question asked;

		if (!inquiry->questions[i].query)
			continue;
		inquiry->questions[i].asked_at = rg_dns_sent_at(inquiry->questions[i].query);
		asked = zone_question(inquiry, i);
		if (!is_stale(inquiry, i))
			rg_zone_test_note_overdue(inquiry->context->tester, &asked);
	}
	decide_for_now(inquiry);
}

static void note_unanswered(struct rg_inquiry *inquiry, unsigned int zone)
{
	struct question *question = &inquiry->questions[zone];
	bool starved = is_starved(inquiry, zone);
	struct rg_zone_question asked;
	uint64_t sent_at;

	if (!question->query)
		return;
	sent_at = rg_dns_sent_at(question->query);
	rg_dns_cancel(question->query);
	question->query = NULL;
	inquiry->open--;
	if (is_stale(inquiry, zone)) {
		note_stale(inquiry, zone);
		return;
	}
	if (!sent_at) {
		note_not_asked(inquiry, zone);
		return;
	}
	question->asked_at = sent_at;
	asked = zone_question(inquiry, zone);
	note_failure(inquiry, zone, RG_DNS_TIMEOUT);
	inquiry->evidence.is_starved |= starved;
	if (!starved)
		rg_zone_test_note_failure(inquiry->context->tester, &asked, RG_DNS_TIMEOUT);
}

/*
 * The test did not end in time: the same as no answer. The peer is soon asked about again; then the zone
 * is known to be slow, and tested at once.
 */
static void note_untested(struct rg_inquiry *inquiry, unsigned int zone)
{
	if (!inquiry->questions[zone].waiter.waits)
		return;
	rg_zone_test_cancel(&inquiry->questions[zone].waiter);
	note_failure(inquiry, zone, RG_DNS_TIMEOUT);
	inquiry->evidence.zones[zone].retry = UNTESTED_RETRY;
}

/*
 * The time for answers is over. Listings may still wait for tests, as the test of a slow zone takes as long as its
 * answer.
 */
static void on_answers_over(struct rg_inquiry *inquiry)
{
	for (unsigned int i = 0; i < inquiry->conf->zone_count; i++)
		note_unanswered(inquiry, i);
	if (inquiry->stage == STAGE_RELEASED && inquiry->open &&
	    !rg_policy_is_decided(inquiry->conf, &inquiry->evidence)) {
		inquiry->stage = STAGE_TESTED;
		decide_for_now(inquiry);
		return;
	}
	for (unsigned int i = 0; i < inquiry->conf->zone_count; i++)
		note_untested(inquiry, i);
	finish(inquiry);
}

/*
 * A stage is over; or there is nothing to ask, and this comes at once. If no question found room until
 * hold_timeout, none runs on: the peer's next SYN is asked about before others.
 */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct rg_inquiry *inquiry = arg;

	(void)fd;
	(void)what;
	if (inquiry->open && inquiry->stage == STAGE_BEGINNING)
		on_half(inquiry);
	else if (inquiry->open && inquiry->stage == STAGE_HELD && inquiry->context->rest &&
		 !is_unasked(inquiry))
		on_hold_over(inquiry);
	else
		on_answers_over(inquiry);
}

int rg_inquiry_start(struct rg_inquiry **ret, struct rg_inquiry_context *context,
		     struct rg_conf *conf, const struct rg_addr *addr,
		     const struct rg_evidence *evidence, enum rg_dns_priority priority,
		     rg_inquiry_callback *callback, void *arg)
{
	struct rg_inquiry *inquiry =
		calloc(1, sizeof(*inquiry) + conf->zone_count * sizeof(inquiry->questions[0]));
	bool complete = true;

	if (!inquiry)
		return -ENOMEM;
	inquiry->context = context;
	inquiry->conf = rg_conf_ref(conf);
	inquiry->addr = *addr;
	inquiry->evidence = *evidence;
	inquiry->priority = priority;
	inquiry->callback = callback;
	inquiry->arg = arg;
	evtimer_assign(&inquiry->timer, context->base, on_timer, inquiry);
	if (rg_policy_needs_zones(evidence)) {
		ask_kind(inquiry, RG_CLASS_STANDARD);
		complete = go_on(inquiry);
	}
	if (complete)
		event_active(&inquiry->timer, EV_TIMEOUT, 0);
	else
		evtimer_add(&inquiry->timer, context->half);
	*ret = inquiry;
	return 0;
}

void rg_inquiry_hurry(struct rg_inquiry *inquiry)
{
	if (inquiry->priority <= RG_DNS_RETRY)
		return;
	inquiry->priority = RG_DNS_RETRY;
	for (unsigned int i = 0; i < inquiry->conf->zone_count; i++)
		rg_dns_hurry(inquiry->questions[i].query);
}
