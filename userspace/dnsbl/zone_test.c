/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/zone_test.h"

#include "base/addr.h"
#include "base/log.h"
#include "base/random.h"
#include "dnsbl/zone_answer.h"
#include "dnsbl/zone_control.h"

/*
 * Least time between two quick tests of a zone, ns. Listings that come in this time share a test,
 * because no cache answers it and the zone's operator may have a quota. A listed peer can wait.
 */
#define QUICK_GAP (250 * 1000000ULL)

/*
 * A zone whose answers take longer, ns, gets its quick test together with a peer's question: after the
 * answer there would be no time for it.
 */
#define SLOW_ANSWER (150 * 1000000ULL)

/* While a zone's listings pass, its control group is asked about so often, ns. */
#define CONTROL_GAP (60 * RG_NSEC_PER_SEC)

/* If the resolver has too much to do, a test begins again after this time, ns. */
#define BUSY_GAP (5 * RG_NSEC_PER_SEC)

/* The questions of a test (RFC 5782, 5). */
enum point {
	POINT_RANDOM, /* of 127/8: must not be listed; the only one of a quick test */
	POINT_NEGATIVE, /* 127.0.0.1: must not be listed */
	POINT_POSITIVE, /* 127.0.0.2: must be listed; selftest = full */
	POINTS
};
/* About IPv6 they are asked as ::ffff:127.0.0.1 and so on, in nibbles. */

struct zone_state;

/* A question of a test. */
struct test_query {
	struct zone_state *state;
	struct rg_dns_query *query; /* NULL: not under way */
};

LIST_HEAD(waiter_list, rg_zone_test_waiter);

/* What is known of the zone in one slot for one family, and its tests. */
struct zone_state {
	struct rg_zone_test *tester;
	uint32_t slot;
	enum rg_family family;
	struct rg_zone_health health;
	enum rg_zone_health_state reported; /* to `changed` */
	uint64_t began_at; /* of the whole test */
	struct test_query points[POINTS]; /* of a whole test */
	struct test_query quick;
	unsigned int open; /* points without an answer */
	enum rg_zone_test_result result; /* so far */
	bool timed_out; /* the random address got no answer */
	char why[80];
	struct rg_zone_control *control;
	struct waiter_list waiting; /* for the next quick test */
	struct waiter_list tested; /* by the quick test under way */
	struct event *timer; /* until the next quick test */
	uint64_t asked_at; /* when the last quick test began; ns of CLOCK_BOOTTIME */
	uint64_t passed_at; /* when the last quick test began that was passed */
	uint64_t latency; /* ns of its answers, a moving average */
	const struct rg_zone_conf *zone; /* of conf, while a whole test is under way */
	struct rg_conf *conf; /* a reference; NULL: no whole test is under way */
};

struct rg_zone_test {
	struct event_base *base;
	struct rg_dns *dns;
	struct rg_conf **conf;
	void (*changed)(void *arg, const struct rg_zone_change *change);
	void *arg;
	struct zone_state zones[RG_MAX_ZONES][RG_FAMILIES];
	uint32_t serials[RG_MAX_ZONES];
};

static const struct rg_zone_conf *zone_in(const struct zone_state *state)
{
	const struct rg_zone_conf *zone = rg_conf_zone_by_slot(*state->tester->conf, state->slot);

	return zone && rg_conf_zone_asks(zone, state->family) ? zone : NULL;
}

/* Tells the states of both families of each other: a reload may have changed who is asked about. */
static struct zone_state *linked(struct zone_state *state)
{
	struct zone_state *other = &state->tester->zones[state->slot][!state->family];
	bool both = zone_in(state) && zone_in(other);

	state->health.other = both ? &other->health : NULL;
	other->health.other = both ? &state->health : NULL;
	return state;
}

static struct zone_state *state_of(struct rg_zone_test *tester,
				   const struct rg_zone_question *question)
{
	return linked(&tester->zones[question->zone->slot][question->family]);
}

/* Calls `changed` for each family whose state is another one than before; once if both came into the same state. */
static void report_changes(struct rg_zone_test *tester, uint32_t slot)
{
	const struct rg_zone_conf *zone = rg_conf_zone_by_slot(*tester->conf, slot);

	for (enum rg_family family = 0; zone && family < RG_FAMILIES; family++) {
		struct zone_state *state = &tester->zones[slot][family];
		struct zone_state *other = &tester->zones[slot][!family];
		bool has_other = rg_conf_zone_asks(zone, other->family);
		struct rg_zone_change change = { zone, &state->health, family, true };

		if (!rg_conf_zone_asks(zone, family) || state->health.state == state->reported)
			continue;
		if (has_other)
			change.is_whole = other->health.state == state->health.state;
		/* The verdicts of each family are removed on their own. */
		if (has_other && change.is_whole && state->health.state == RG_ZONE_HEALTH_OPEN)
			other->reported = state->health.state;
		state->reported = state->health.state;
		tester->changed(tester->arg, &change);
	}
}

/* ------------------------------------------------------------------ questions */

/* A random address of 127/8, mapped: no cache knows it. */
static struct rg_addr random_loopback(void)
{
	uint32_t random = rg_random_number();
	struct rg_addr addr = { { [10] = 0xff, [11] = 0xff, 127 } };

	addr.bytes[13] = (uint8_t)(1 + random % 254);
	addr.bytes[14] = (uint8_t)(random >> 8);
	addr.bytes[15] = (uint8_t)(random >> 16);
	return addr;
}

static int name_point(enum point point, enum rg_family family, const char *suffix,
		      char name[RG_DNSBL_NAME_SIZE])
{
	struct rg_addr addr = { { [10] = 0xff, [11] = 0xff, 127, 0, 0, 1 } };

	if (point == POINT_POSITIVE)
		addr.bytes[15] = 2;
	if (point == POINT_RANDOM)
		addr = random_loopback();
	return family == RG_FAMILY_V6 ? rg_dnsbl_name6(addr.bytes, suffix, name) :
					rg_dnsbl_name(&addr, suffix, name);
}

static void on_point(void *arg, const struct rg_dns_answer *answer);
static void on_quick(void *arg, const struct rg_dns_answer *answer);

/* 0 or a negative error */
static int ask(struct zone_state *state, const struct rg_zone_conf *zone, struct test_query *query,
	       enum point point, rg_dns_callback *callback)
{
	char name[RG_DNSBL_NAME_SIZE];
	int err = name_point(point, state->family, zone->suffix, name);

	query->state = state;
	if (!err)
		err = rg_dns_query(state->tester->dns, &query->query, zone->slot, RG_DNS_TEST, name,
				   callback, query);
	explicit_bzero(name, sizeof(name)); /* the name may hold a key */
	return err;
}

static const char *code_text(uint32_t code, char text[RG_ADDR_TEXT])
{
	struct rg_addr addr = { { [10] = 0xff,
				  [11] = 0xff,
				  (uint8_t)(code >> 24),
				  (uint8_t)(code >> 16),
				  (uint8_t)(code >> 8),
				  (uint8_t)code } };

	return rg_addr_format(&addr, text);
}

/* The result of one answer; why it is no success goes into why. */
static enum rg_zone_test_result read_point(const struct rg_zone_conf *zone, enum rg_family family,
					   enum point point, const struct rg_dns_answer *answer,
					   char why[80])
{
	const struct rg_zone_answer got = rg_zone_answer_read(&zone->codes, answer);
	const char *mapped = family == RG_FAMILY_V6 ? "::ffff:" : "";
	char text[RG_ADDR_TEXT];

	switch (got.meaning) {
	case RG_ZONE_SAYS_ERROR:
		snprintf(why, 80, "answers %s", code_text(got.code, text));
		return RG_ZONE_TEST_INVALID;
	case RG_ZONE_SAYS_NOTHING:
		snprintf(why, 80, "%s", rg_dns_status_name(answer->status));
		return RG_ZONE_TEST_UNANSWERED;
	case RG_ZONE_SAYS_LISTED:
		if (point == POINT_POSITIVE)
			return RG_ZONE_TEST_PASSED;
		if (point == POINT_RANDOM)
			snprintf(why, 80, "lists addresses of 127.0.0.0/8");
		else
			snprintf(why, 80, "lists %s127.0.0.1", mapped);
		return RG_ZONE_TEST_LISTS_ALL;
	case RG_ZONE_SAYS_NOT_LISTED:
		if (point != POINT_POSITIVE)
			return RG_ZONE_TEST_PASSED;
		/*
		 * A name that is there, without records and without an SOA: no server answers so
		 * (RFC 2308, 2.2). The resolver has removed the records.
		 */
		if (answer->exists && answer->status == RG_DNS_NONE && !answer->has_ttl)
			snprintf(why, 80,
				 "the resolver removes 127.0.0.0/8 from answers (private-address)");
		else
			snprintf(why, 80, "does not list %s127.0.0.2", mapped);
		return RG_ZONE_TEST_LISTS_NOTHING;
	default: /* a list may answer about everybody; its codes tell which answers are listings */
		return RG_ZONE_TEST_PASSED;
	}
}

/* ------------------------------------------------------------------ whole tests */

static void end_test(struct zone_state *state)
{
	double jitter = rg_random_number() / (double)UINT32_MAX;

	rg_conf_unref(state->conf);
	state->conf = NULL;
	/* A resolver that has too much to do is no dead zone. */
	if (state->result == RG_ZONE_TEST_UNANSWERED && state->timed_out &&
	    rg_dns_is_busy(state->tester->dns, state->slot)) {
		state->health.test_at = rg_now() + BUSY_GAP;
		return;
	}
	rg_zone_health_tested(&linked(state)->health, state->result, state->why, jitter,
			      state->began_at, rg_now());
	report_changes(state->tester, state->slot);
}

/*
 * The worst result counts. Only the random address shows whether the zone answers, because no cache
 * does so for it. With selftest = off the answer only has to be valid.
 */
static void note_point(struct zone_state *state, enum point point, const struct rg_dns_answer *answer)
{
	char why[80] = "";
	enum rg_zone_test_result result = read_point(state->zone, state->family, point, answer, why);

	if (result == RG_ZONE_TEST_UNANSWERED && point != POINT_RANDOM)
		return;
	state->timed_out |= answer->status == RG_DNS_TIMEOUT;
	if (state->zone->selftest == RG_SELFTEST_OFF && result == RG_ZONE_TEST_LISTS_ALL)
		return;
	if (result > state->result) {
		state->result = result;
		memcpy(state->why, why, sizeof(why));
	}
}

static void on_point(void *arg, const struct rg_dns_answer *answer)
{
	struct test_query *query = arg;
	struct zone_state *state = query->state;

	query->query = NULL;
	note_point(state, (enum point)(query - state->points), answer);
	if (!--state->open)
		end_test(state);
}

static bool wants_point(const struct zone_state *state, enum point point)
{
	bool is_disabled = state->health.state == RG_ZONE_HEALTH_DISABLED;

	switch (point) {
	case POINT_RANDOM:
		return true;
	case POINT_NEGATIVE:
		/* The answers that disabled the zone are in caches, the resolver's too. */
		return state->zone->selftest != RG_SELFTEST_OFF && !is_disabled;
	default:
		/* Many lists have no IPv6 address at all, not even this one. */
		return state->zone->selftest == RG_SELFTEST_FULL &&
		       (state->family == RG_FAMILY_V4 || !state->zone->ipv4);
	}
}

static void begin_test(struct zone_state *state)
{
	struct rg_conf *conf = *state->tester->conf;

	state->zone = zone_in(state);
	if (!state->zone)
		return;
	state->conf = rg_conf_ref(conf);
	state->result = RG_ZONE_TEST_PASSED;
	state->began_at = rg_now();
	*state->why = '\0';
	state->timed_out = false;
	state->open = 1; /* until all points are asked */
	for (enum point point = 0; point < POINTS; point++)
		if (wants_point(state, point) &&
		    !ask(state, state->zone, &state->points[point], point, on_point))
			state->open++;
	if (!--state->open)
		end_test(state);
}

/* ------------------------------------------------------------------ quick tests */

static void finish_waiters(struct waiter_list *waiters, bool confirmed)
{
	struct rg_zone_test_waiter *waiter;

	while ((waiter = LIST_FIRST(waiters))) {
		rg_zone_test_cancel(waiter);
		waiter->done(waiter->arg, confirmed);
	}
}

/* Starts the next quick test as soon as QUICK_GAP allows. */
static void schedule_quick(struct zone_state *state)
{
	uint64_t now = rg_now(), due = state->asked_at + QUICK_GAP;
	uint64_t wait = due > now ? due - now : 0;
	const struct timeval tv = { .tv_sec = (time_t)(wait / RG_NSEC_PER_SEC),
				    .tv_usec = (suseconds_t)(wait % RG_NSEC_PER_SEC / 1000) };

	if (!state->quick.query && !evtimer_pending(state->timer, NULL))
		evtimer_add(state->timer, &tv);
}

static void on_quick(void *arg, const struct rg_dns_answer *answer)
{
	struct zone_state *state = ((struct test_query *)arg)->state;
	const struct rg_zone_conf *zone = zone_in(state);
	char why[80] = "";
	enum rg_zone_test_result result =
		zone ? read_point(zone, state->family, POINT_RANDOM, answer, why) :
		       RG_ZONE_TEST_PASSED;
	/* If the zone answered the peer's question, but not this one, the listing counts. */
	bool confirmed = result == RG_ZONE_TEST_PASSED || result == RG_ZONE_TEST_UNANSWERED;

	state->quick.query = NULL;
	if (result == RG_ZONE_TEST_PASSED)
		state->passed_at = state->asked_at;
	if (!confirmed) {
		rg_zone_health_tested(&linked(state)->health, result, why, 0, state->asked_at,
				      rg_now());
		report_changes(state->tester, state->slot);
	}
	finish_waiters(&state->tested, confirmed);
	if (!LIST_EMPTY(&state->waiting))
		schedule_quick(state);
}

static void on_quick_due(evutil_socket_t fd, short what, void *arg)
{
	struct zone_state *state = arg;
	const struct rg_zone_conf *zone = zone_in(state);
	struct rg_zone_test_waiter *waiter;

	(void)fd;
	(void)what;
	while ((waiter = LIST_FIRST(&state->waiting))) {
		LIST_REMOVE(waiter, entry);
		LIST_INSERT_HEAD(&state->tested, waiter, entry);
	}
	state->asked_at = rg_now();
	if (!zone || ask(state, zone, &state->quick, POINT_RANDOM, on_quick))
		finish_waiters(&state->tested, zone != NULL);
}

void rg_zone_test_note_question(struct rg_zone_test *tester, const struct rg_zone_question *question)
{
	struct zone_state *state = state_of(tester, question);

	if (state->latency > SLOW_ANSWER && question->zone->selftest != RG_SELFTEST_OFF)
		schedule_quick(state);
}

void rg_zone_test_note_latency(struct rg_zone_test *tester, const struct rg_zone_question *question)
{
	struct zone_state *state = state_of(tester, question);
	uint64_t time = rg_now() - question->asked_at;

	state->latency = state->latency ? (7 * state->latency + time) / 8 : time;
}

bool rg_zone_test_wait(struct rg_zone_test *tester, const struct rg_zone_question *question,
		       struct rg_zone_test_waiter *waiter, void (*done)(void *arg, bool confirmed),
		       void *arg)
{
	struct zone_state *state = state_of(tester, question);

	if (state->passed_at >= question->asked_at)
		return false;
	/* An allow list that lists the world loses no mail: it is tested, but nobody waits. */
	if (question->zone->peer_class == RG_CLASS_APPROVED) {
		schedule_quick(state);
		return false;
	}
	waiter->done = done;
	waiter->arg = arg;
	waiter->waits = true;
	if (state->quick.query && state->asked_at >= question->asked_at) {
		LIST_INSERT_HEAD(&state->tested, waiter, entry);
	} else {
		LIST_INSERT_HEAD(&state->waiting, waiter, entry);
		schedule_quick(state);
	}
	return true;
}

void rg_zone_test_cancel(struct rg_zone_test_waiter *waiter)
{
	if (waiter->waits)
		LIST_REMOVE(waiter, entry);
	waiter->waits = false;
}

/* ------------------------------------------------------------------ state of the zones */

uint32_t rg_zone_test_retry_after(const struct rg_zone_test *tester, uint32_t slot,
				  enum rg_family family)
{
	const struct rg_zone_health *health = rg_zone_test_health(tester, slot, family);
	uint64_t now = rg_now();

	if (rg_zone_health_is_asked(health))
		return 0;
	return (uint32_t)(health->test_at > now ? (health->test_at - now) / RG_NSEC_PER_SEC + 2 : 2);
}

const struct rg_zone_health *rg_zone_test_health(const struct rg_zone_test *tester, uint32_t slot,
						 enum rg_family family)
{
	return &tester->zones[slot][family].health;
}

const struct rg_zone_health *rg_zone_test_worst(const struct rg_zone_test *tester,
						const struct rg_zone_conf *zone, const char **family)
{
	const struct rg_zone_health *v4 = rg_zone_test_health(tester, zone->slot, RG_FAMILY_V4);
	const struct rg_zone_health *v6 = rg_zone_test_health(tester, zone->slot, RG_FAMILY_V6);
	bool is_v6 = !zone->ipv4 || (zone->ipv6 && v6->state > v4->state);

	*family = !zone->ipv4 || !zone->ipv6 || v4->state == v6->state ?
			  "" :
			  rg_family_name(is_v6 ? RG_FAMILY_V6 : RG_FAMILY_V4);
	return is_v6 ? v6 : v4;
}

static void on_controlled(void *arg, enum rg_zone_control_result result)
{
	struct zone_state *state = arg;
	const struct rg_zone_conf *zone = zone_in(state);

	if (zone && state->health.is_suspect && result == RG_ZONE_CONTROL_CLEAN)
		rg_log_info("zone %s: %s; but it does not list peers that it did not list before: the "
			    "traffic has changed",
			    zone->alias, state->health.suspicion);
	rg_zone_health_controlled(&state->health, result, rg_now());
	report_changes(state->tester, state->slot);
}

static void ask_control_group(struct zone_state *state, const struct rg_zone_conf *zone)
{
	if (!rg_zone_control_ask(state->control, zone, rg_now()))
		on_controlled(state, RG_ZONE_CONTROL_UNKNOWN);
}

void rg_zone_test_note_answer(struct rg_zone_test *tester, const struct rg_zone_question *question,
			      bool listed)
{
	const struct rg_conf *conf = *tester->conf;
	struct zone_state *state = state_of(tester, question);

	rg_zone_health_answer(&state->health, listed, conf->hit_share_window, conf->hit_share_jump,
			      rg_now());
	report_changes(tester, state->slot);
	if (state->health.is_suspect)
		ask_control_group(state, question->zone);
}

void rg_zone_test_note_clean(struct rg_zone_test *tester, const struct rg_zone_question *question,
			     const struct rg_addr *addr, uint32_t ttl)
{
	struct zone_state *state = state_of(tester, question);

	/* While it lists too much, what it does not list is no measure. */
	if (state->health.state == RG_ZONE_HEALTH_GOOD && !state->health.is_suspect)
		rg_zone_control_note(state->control, addr, ttl, rg_now());
}

void rg_zone_test_note_overdue(struct rg_zone_test *tester, const struct rg_zone_question *question)
{
	struct zone_state *state = state_of(tester, question);

	rg_zone_health_overdue(&state->health, question->asked_at, rg_now());
	report_changes(tester, state->slot);
}

void rg_zone_test_note_failure(struct rg_zone_test *tester, const struct rg_zone_question *question,
			       enum rg_dns_status status)
{
	struct zone_state *state = state_of(tester, question);
	uint64_t now = rg_now();
	/* Where nobody listens, that may be known at once. */
	bool replied = status != RG_DNS_TIMEOUT || now - question->asked_at <= SLOW_ANSWER;

	rg_zone_health_failure(&state->health, rg_dns_status_name(status), question->asked_at,
			       replied, now);
	report_changes(tester, state->slot);
}

void rg_zone_test_note_invalid(struct rg_zone_test *tester, const struct rg_zone_question *question)
{
	rg_zone_health_invalid(&state_of(tester, question)->health, rg_now());
}

static void tick(struct zone_state *state, uint64_t now)
{
	const struct rg_zone_conf *zone = zone_in(state);

	if (!state->conf && state->health.test_at <= now)
		begin_test(state);
	if (zone && state->health.state == RG_ZONE_HEALTH_MONITOR &&
	    now - state->health.controlled_at >= CONTROL_GAP)
		ask_control_group(state, zone);
}

void rg_zone_test_tick(struct rg_zone_test *tester, uint64_t now)
{
	for (uint32_t slot = 0; slot < RG_MAX_ZONES; slot++)
		for (enum rg_family family = 0; family < RG_FAMILIES; family++)
			tick(&tester->zones[slot][family], now);
}

static void stop_tests(struct zone_state *state)
{
	for (enum point point = 0; point < POINTS; point++) {
		rg_dns_cancel(state->points[point].query);
		state->points[point].query = NULL;
	}
	rg_dns_cancel(state->quick.query);
	state->quick.query = NULL;
	if (state->control)
		rg_zone_control_reset(state->control);
	state->open = 0;
	rg_conf_unref(state->conf);
	state->conf = NULL;
}

static void reset(struct zone_state *state)
{
	stop_tests(state);
	state->passed_at = state->latency = 0;
	rg_zone_health_init(&state->health, rg_now());
	state->reported = state->health.state;
	finish_waiters(&state->tested, true);
	if (!LIST_EMPTY(&state->waiting))
		schedule_quick(state);
}

void rg_zone_test_reset(struct rg_zone_test *tester, uint32_t slot)
{
	tester->serials[slot]++;
	for (enum rg_family family = 0; family < RG_FAMILIES; family++)
		reset(&tester->zones[slot][family]);
}

uint32_t rg_zone_test_serial(const struct rg_zone_test *tester, uint32_t slot)
{
	return tester->serials[slot];
}

static int init_state(struct rg_zone_test *tester, uint32_t slot, enum rg_family family)
{
	struct zone_state *state = &tester->zones[slot][family];

	state->tester = tester;
	state->slot = slot;
	state->family = family;
	rg_zone_health_init(&state->health, rg_now());
	LIST_INIT(&state->waiting);
	LIST_INIT(&state->tested);
	state->timer = evtimer_new(tester->base, on_quick_due, state);
	return state->timer ?
		       rg_zone_control_new(&state->control, tester->dns, on_controlled, state) :
		       -ENOMEM;
}

int rg_zone_test_new(struct rg_zone_test **ret, struct event_base *base, struct rg_dns *dns,
		     struct rg_conf **conf,
		     void (*changed)(void *arg, const struct rg_zone_change *change), void *arg)
{
	struct rg_zone_test *tester = calloc(1, sizeof(*tester));

	if (!tester)
		return -ENOMEM;
	tester->base = base;
	tester->dns = dns;
	tester->conf = conf;
	tester->changed = changed;
	tester->arg = arg;
	for (uint32_t i = 0; i < RG_MAX_ZONES * RG_FAMILIES; i++) {
		if (init_state(tester, i / RG_FAMILIES, (enum rg_family)(i % RG_FAMILIES))) {
			rg_zone_test_free(tester);
			return -ENOMEM;
		}
	}
	*ret = tester;
	return 0;
}

void rg_zone_test_free(struct rg_zone_test *tester)
{
	if (!tester)
		return;
	for (uint32_t i = 0; i < RG_MAX_ZONES * RG_FAMILIES; i++) {
		struct zone_state *state = &tester->zones[i / RG_FAMILIES][i % RG_FAMILIES];

		stop_tests(state);
		rg_zone_control_free(state->control);
		if (state->timer)
			event_free(state->timer);
	}
	free(tester);
}
