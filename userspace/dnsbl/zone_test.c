/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dnsbl/zone_test.h"

#include "base/addr.h"
#include "base/log.h"

/*
 * Between two quick tests of a zone: what comes in this time is checked by one question, which no
 * cache answers, so that operators and quotas bear it. A listed peer can wait.
 */
#define CHECK_GAP (250 * 1000000ULL)

/* A zone that takes so long gets its quick test together with the question: after it there is no time. */
#define SLOW_ANSWER (150 * 1000000ULL)

/* The questions of a test (RFC 5782, 5). */
enum point {
	POINT_RANDOM, /* of 127/8: must not be listed; the only one of a quick test */
	POINT_NEGATIVE, /* 127.0.0.1: must not be listed */
	POINT_NEGATIVE6, /* ::FFFF:7F00:1: must not be listed */
	POINT_POSITIVE, /* 127.0.0.2: must be listed; selftest = full */
	POINTS
};

struct desk; /* of one zone */

struct probe {
	struct desk *desk;
	struct rg_dns_query *query; /* NULL: not under way */
};

LIST_HEAD(check_list, rg_zone_check);

struct desk {
	struct rg_zone_test *tester;
	struct rg_zone_health health;
	struct probe probes[POINTS]; /* of a whole test */
	struct probe quick;
	unsigned int open; /* of probes, without an answer */
	enum rg_zone_test_result result; /* so far */
	char why[80];
	struct check_list waiting, tested; /* for the next quick test; for the one under way */
	struct event *timer; /* until the next quick test */
	uint64_t asked_at; /* when the last quick test began; ns of CLOCK_BOOTTIME */
	uint64_t passed_at; /* when the last one that was passed had begun */
	uint64_t latency; /* ns of its answers, a moving average */
	const struct rg_zone_conf *zone; /* of conf; while a test is under way */
	struct rg_conf *conf; /* which keeps zone alive */
};

struct rg_zone_test {
	struct event_base *base;
	struct rg_dns *dns;
	struct rg_conf **conf;
	void (*changed)(void *arg, const struct rg_zone_conf *zone,
			const struct rg_zone_health *health);
	void *arg;
	struct desk desks[RG_MAX_ZONES];
};

static void tell(struct desk *desk, bool changed)
{
	struct rg_zone_test *tester = desk->tester;
	const struct rg_zone_conf *zone =
		rg_conf_zone_by_slot(*tester->conf, (uint32_t)(desk - tester->desks));

	if (changed && zone)
		tester->changed(tester->arg, zone, &desk->health);
}

/* ------------------------------------------------------------------ questions */

/* A mapped address of 127/8: no cache has been asked for it. */
static struct rg_addr random_loopback(void)
{
	uint32_t random = arc4random();
	struct rg_addr addr = { { [10] = 0xff, [11] = 0xff, 127 } };

	addr.bytes[13] = (uint8_t)(1 + random % 254);
	addr.bytes[14] = (uint8_t)(random >> 8);
	addr.bytes[15] = (uint8_t)(random >> 16);
	return addr;
}

static int name_point(enum point point, const char *suffix, char name[RG_DNSBL_NAME_SIZE])
{
	struct rg_addr addr = { { [10] = 0xff, [11] = 0xff, 127, 0, 0, 1 } };

	if (point == POINT_NEGATIVE6)
		return rg_dnsbl_name6(addr.bytes, suffix, name);
	if (point == POINT_POSITIVE)
		addr.bytes[15] = 2;
	if (point == POINT_RANDOM)
		addr = random_loopback();
	return rg_dnsbl_name(&addr, suffix, name);
}

static void on_probe(void *arg, const struct rg_dns_answer *answer);
static void on_quick(void *arg, const struct rg_dns_answer *answer);

/* 0 or a negative error */
static int ask(struct desk *desk, const struct rg_zone_conf *zone, struct probe *probe,
	       enum point point, rg_dns_callback *callback)
{
	char name[RG_DNSBL_NAME_SIZE];
	int err = name_point(point, zone->suffix, name);

	probe->desk = desk;
	if (!err)
		err = rg_dns_query(desk->tester->dns, &probe->query, zone->slot, name, callback,
				   probe);
	explicit_bzero(name, sizeof(name)); /* may hold a key */
	return err;
}

/* An answer's record that no list gives (dnsbl.h), or 0. */
static uint32_t nonsense_in(const struct rg_dns_answer *answer)
{
	const struct rg_dnsbl_codes none = {};
	uint32_t code;

	return answer->status == RG_DNS_OK && rg_dnsbl_match(&none, answer->records, answer->count,
							     &code) == RG_LIST_BROKEN ?
		       code :
		       0;
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

/* Why an answer to a point fails the test, into why; PASSED if it does not. */
static enum rg_zone_test_result read_point(const struct rg_zone_conf *zone, enum point point,
					   const struct rg_dns_answer *answer, char why[80])
{
	uint32_t code = nonsense_in(answer), listed;
	char text[RG_ADDR_TEXT];

	if (code) {
		snprintf(why, 80, "answers %s", code_text(code, text));
		return RG_ZONE_TEST_NONSENSE;
	}
	if (answer->status != RG_DNS_OK && answer->status != RG_DNS_NONE) {
		snprintf(why, 80, "%s", rg_dns_status_name(answer->status));
		return RG_ZONE_TEST_UNANSWERED;
	}
	if (point == POINT_POSITIVE && answer->status == RG_DNS_NONE) {
		snprintf(why, 80, "does not list 127.0.0.2");
		return RG_ZONE_TEST_LISTS_NOTHING;
	}
	/* A list may have an answer for everybody, of which its codes select the listings. */
	if (point != POINT_POSITIVE && answer->status == RG_DNS_OK &&
	    rg_dnsbl_match(&zone->codes, answer->records, answer->count, &listed) == RG_LISTED) {
		snprintf(why, 80, "lists %s",
			 point == POINT_RANDOM	  ? "addresses of 127.0.0.0/8" :
			 point == POINT_NEGATIVE6 ? "::ffff:127.0.0.1" :
						    "127.0.0.1");
		return RG_ZONE_TEST_LISTS_ALL;
	}
	return RG_ZONE_TEST_PASSED;
}

/* ------------------------------------------------------------------ whole tests */

static void end_test(struct desk *desk)
{
	double jitter = arc4random() / (double)UINT32_MAX;

	rg_conf_unref(desk->conf);
	desk->conf = NULL;
	tell(desk, rg_zone_health_tested(&desk->health, desk->result, desk->why, jitter, rg_now()));
}

/*
 * The worst counts. Whether the zone answers at all is seen by the random address, which no cache
 * answers for it; some know nothing of IPv6. One without self-tests only has to make sense.
 */
static void note_point(struct desk *desk, enum point point, const struct rg_dns_answer *answer)
{
	char why[80] = "";
	enum rg_zone_test_result result = read_point(desk->zone, point, answer, why);

	if (result == RG_ZONE_TEST_UNANSWERED && point != POINT_RANDOM)
		return;
	if (desk->zone->selftest == RG_SELFTEST_OFF && result == RG_ZONE_TEST_LISTS_ALL)
		return;
	if (result > desk->result) {
		desk->result = result;
		memcpy(desk->why, why, sizeof(why));
	}
}

static void on_probe(void *arg, const struct rg_dns_answer *answer)
{
	struct probe *probe = arg;
	struct desk *desk = probe->desk;

	probe->query = NULL;
	note_point(desk, (enum point)(probe - desk->probes), answer);
	if (!--desk->open)
		end_test(desk);
}

static bool wants_point(const struct rg_zone_conf *zone, bool disabled, enum point point)
{
	/* What it said of these is in caches, the resolver's own too. */
	if (disabled && (point == POINT_NEGATIVE || point == POINT_NEGATIVE6))
		return false;
	switch (zone->selftest) {
	case RG_SELFTEST_OFF:
		return point == POINT_RANDOM;
	case RG_SELFTEST_FULL:
		return true;
	default:
		return point != POINT_POSITIVE;
	}
}

static void begin_test(struct desk *desk, uint32_t slot)
{
	struct rg_conf *conf = *desk->tester->conf;

	desk->zone = rg_conf_zone_by_slot(conf, slot);
	if (!desk->zone)
		return;
	desk->conf = rg_conf_ref(conf);
	desk->result = RG_ZONE_TEST_PASSED;
	*desk->why = '\0';
	desk->open = 1; /* until all are asked */
	for (enum point point = 0; point < POINTS; point++)
		if (wants_point(desk->zone, desk->health.state == RG_ZONE_HEALTH_DISABLED, point) &&
		    !ask(desk, desk->zone, &desk->probes[point], point, on_probe))
			desk->open++;
	if (!--desk->open)
		end_test(desk);
}

/* ------------------------------------------------------------------ quick tests */

static void answer_checks(struct check_list *checks, bool believed)
{
	struct rg_zone_check *check;

	while ((check = LIST_FIRST(checks))) {
		rg_zone_check_cancel(check);
		check->done(check->arg, believed);
	}
}

/* As soon as the gap allows. */
static void schedule_quick(struct desk *desk)
{
	uint64_t now = rg_now(), due = desk->asked_at + CHECK_GAP;
	uint64_t wait = due > now ? due - now : 0;
	const struct timeval tv = { .tv_sec = (time_t)(wait / RG_NSEC_PER_SEC),
				    .tv_usec = (suseconds_t)(wait % RG_NSEC_PER_SEC / 1000) };

	if (!desk->quick.query && !evtimer_pending(desk->timer, NULL))
		evtimer_add(desk->timer, &tv);
}

static void on_quick(void *arg, const struct rg_dns_answer *answer)
{
	struct desk *desk = ((struct probe *)arg)->desk;
	const struct rg_zone_conf *zone =
		rg_conf_zone_by_slot(*desk->tester->conf, (uint32_t)(desk - desk->tester->desks));
	char why[80] = "";
	enum rg_zone_test_result result = zone ? read_point(zone, POINT_RANDOM, answer, why) :
						 RG_ZONE_TEST_PASSED;
	/* A zone that answered the peer's question, but not this one, is believed. */
	bool believed = result == RG_ZONE_TEST_PASSED || result == RG_ZONE_TEST_UNANSWERED;

	desk->quick.query = NULL;
	if (result == RG_ZONE_TEST_PASSED)
		desk->passed_at = desk->asked_at;
	if (!believed)
		tell(desk, rg_zone_health_tested(&desk->health, result, why, 0, rg_now()));
	answer_checks(&desk->tested, believed);
	if (!LIST_EMPTY(&desk->waiting))
		schedule_quick(desk);
}

static void on_check_due(evutil_socket_t fd, short what, void *arg)
{
	struct desk *desk = arg;
	const struct rg_zone_conf *zone =
		rg_conf_zone_by_slot(*desk->tester->conf, (uint32_t)(desk - desk->tester->desks));
	struct rg_zone_check *check;

	(void)fd;
	(void)what;
	while ((check = LIST_FIRST(&desk->waiting))) {
		LIST_REMOVE(check, entry);
		LIST_INSERT_HEAD(&desk->tested, check, entry);
	}
	desk->asked_at = rg_now();
	if (!zone || ask(desk, zone, &desk->quick, POINT_RANDOM, on_quick))
		answer_checks(&desk->tested, zone != NULL);
}

void rg_zone_test_asked(struct rg_zone_test *tester, const struct rg_zone_conf *zone)
{
	struct desk *desk = &tester->desks[zone->slot];

	if (desk->latency > SLOW_ANSWER && zone->selftest != RG_SELFTEST_OFF)
		schedule_quick(desk);
}

void rg_zone_test_took(struct rg_zone_test *tester, const struct rg_zone_conf *zone, uint64_t time)
{
	struct desk *desk = &tester->desks[zone->slot];

	desk->latency = desk->latency ? (7 * desk->latency + time) / 8 : time;
}

bool rg_zone_test_check(struct rg_zone_test *tester, const struct rg_zone_conf *zone,
			uint64_t asked_at, struct rg_zone_check *check,
			void (*done)(void *arg, bool believed), void *arg)
{
	struct desk *desk = &tester->desks[zone->slot];

	if (desk->passed_at >= asked_at)
		return false;
	/* Whom an allow list lets in loses no mail by it: it is believed, and tested meanwhile. */
	if (zone->peer_class == RG_CLASS_APPROVED) {
		schedule_quick(desk);
		return false;
	}
	check->done = done;
	check->arg = arg;
	check->waits = true;
	if (desk->quick.query && desk->asked_at >= asked_at) {
		LIST_INSERT_HEAD(&desk->tested, check, entry);
	} else {
		LIST_INSERT_HEAD(&desk->waiting, check, entry);
		schedule_quick(desk);
	}
	return true;
}

void rg_zone_check_cancel(struct rg_zone_check *check)
{
	if (check->waits)
		LIST_REMOVE(check, entry);
	check->waits = false;
}

/* ------------------------------------------------------------------ the rest */

uint32_t rg_zone_test_retry(const struct rg_zone_test *tester, uint32_t slot)
{
	const struct rg_zone_health *health = &tester->desks[slot].health;
	uint64_t now = rg_now();

	if (rg_zone_health_is_asked(health))
		return 0;
	return (uint32_t)(health->probe_at > now ? (health->probe_at - now) / RG_NSEC_PER_SEC + 2 :
						   2);
}

const struct rg_zone_health *rg_zone_test_health(const struct rg_zone_test *tester, uint32_t slot)
{
	return &tester->desks[slot].health;
}

void rg_zone_test_answer(struct rg_zone_test *tester, const struct rg_zone_conf *zone, bool listed)
{
	const struct rg_conf *conf = *tester->conf;
	struct desk *desk = &tester->desks[zone->slot];

	tell(desk, rg_zone_health_answer(&desk->health, listed, conf->hit_share_window,
					 conf->hit_share_jump, rg_now()));
}

void rg_zone_test_failure(struct rg_zone_test *tester, const struct rg_zone_conf *zone,
			  enum rg_dns_status status, uint64_t time)
{
	struct desk *desk = &tester->desks[zone->slot];

	tell(desk, rg_zone_health_failure(&desk->health, rg_dns_status_name(status),
					  status == RG_DNS_TIMEOUT && time > SLOW_ANSWER, rg_now()));
}

void rg_zone_test_nonsense(struct rg_zone_test *tester, const struct rg_zone_conf *zone)
{
	rg_zone_health_nonsense(&tester->desks[zone->slot].health, rg_now());
}

void rg_zone_test_tick(struct rg_zone_test *tester, uint64_t now)
{
	for (uint32_t slot = 0; slot < RG_MAX_ZONES; slot++) {
		struct desk *desk = &tester->desks[slot];

		if (!desk->conf && desk->health.probe_at <= now)
			begin_test(desk, slot);
	}
}

static void stop_desk(struct desk *desk)
{
	for (enum point point = 0; point < POINTS; point++) {
		rg_dns_cancel(desk->probes[point].query);
		desk->probes[point].query = NULL;
	}
	rg_dns_cancel(desk->quick.query);
	desk->quick.query = NULL;
	desk->open = 0;
	rg_conf_unref(desk->conf);
	desk->conf = NULL;
}

void rg_zone_test_reset(struct rg_zone_test *tester, uint32_t slot)
{
	struct desk *desk = &tester->desks[slot];

	stop_desk(desk);
	desk->passed_at = desk->latency = 0;
	rg_zone_health_init(&desk->health, rg_now());
	answer_checks(&desk->tested, true);
	if (!LIST_EMPTY(&desk->waiting))
		schedule_quick(desk);
}

int rg_zone_test_new(struct rg_zone_test **ret, struct event_base *base, struct rg_dns *dns,
		     struct rg_conf **conf,
		     void (*changed)(void *arg, const struct rg_zone_conf *zone,
				     const struct rg_zone_health *health),
		     void *arg)
{
	struct rg_zone_test *tester = calloc(1, sizeof(*tester));

	if (!tester)
		return -ENOMEM;
	tester->base = base;
	tester->dns = dns;
	tester->conf = conf;
	tester->changed = changed;
	tester->arg = arg;
	for (uint32_t slot = 0; slot < RG_MAX_ZONES; slot++) {
		struct desk *desk = &tester->desks[slot];

		desk->tester = tester;
		rg_zone_health_init(&desk->health, rg_now());
		LIST_INIT(&desk->waiting);
		LIST_INIT(&desk->tested);
		desk->timer = evtimer_new(base, on_check_due, desk);
		if (!desk->timer) {
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
	for (uint32_t slot = 0; slot < RG_MAX_ZONES; slot++) {
		stop_desk(&tester->desks[slot]);
		if (tester->desks[slot].timer)
			event_free(tester->desks[slot].timer);
	}
	free(tester);
}
