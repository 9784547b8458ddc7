/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a verdict, a refused connection and a change of a zone's health become: event, count, log line. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/addr.h"
#include "base/log.h"
#include "daemon/event_log.h"

static struct rg_conf conf;
static struct rg_modules modules = { .conf = &conf };
static struct rg_recent_event last;
static unsigned int events;
static char lines[2048]; /* of the log */

/* ---- fakes ---- */

static enum rg_log_level level = RG_LOG_DEBUG;

void rg_log_open(enum rg_log_level set)
{
	level = set;
}

enum rg_log_level rg_log_level(void)
{
	return level;
}

void rg_log(enum rg_log_level at, const char *format, ...)
{
	size_t len = strlen(lines);
	va_list args;

	len += (size_t)snprintf(lines + len, sizeof(lines) - len, "%d ", at);
	va_start(args, format);
	vsnprintf(lines + len, sizeof(lines) - len, format, args);
	va_end(args);
	strcat(lines, "\n");
}

const char *rg_verdicts_zone(const struct rg_verdicts *verdicts, uint32_t slot)
{
	(void)verdicts;
	return slot == 3 ? "three" : slot == 12 ? "z" : "";
}

static uint32_t verdict_len = RG_ADDR_BITS;

int rg_verdicts_find(const struct rg_verdicts *verdicts, const struct rg_addr *addr, uint64_t now,
		     struct rg_prefix *key, struct rg_full_verdict *ret)
{
	(void)verdicts;
	(void)now;
	*key = (struct rg_prefix){ .len = verdict_len, .addr = *addr };
	*ret = (struct rg_full_verdict){ .zone = 3 };
	return 0;
}

size_t rg_verdicts_evidence(const struct rg_verdicts *verdicts, const struct rg_prefix *key,
			    uint64_t now, struct rg_addr ret[RG_EVIDENCE])
{
	(void)verdicts;
	(void)now;
	ret[0] = ret[1] = key->addr;
	ret[0].bytes[15] = 0x26;
	return RG_EVIDENCE;
}

static uint32_t flushed_slot;
static uint64_t flushed_since;

static enum rg_family flushed_family;

void rg_verdicts_flush_zone(struct rg_verdicts *verdicts, uint32_t slot, enum rg_family family,
			    uint64_t since, void (*done)(void *arg, uint32_t slot, size_t count),
			    void *arg)
{
	(void)verdicts;
	flushed_family = family;
	flushed_slot = slot;
	flushed_since = since;
	done(arg, slot, 17);
}

static unsigned int sessions;

void rg_refusals_log(struct rg_refusals *refusals, const struct rg_session_report *report,
		     uint32_t per_second, uint64_t now)
{
	(void)report;
	assert_ptr_equal(refusals, &modules.refusals);
	assert_int_equal(per_second, 9);
	assert_true(now > 0);
	sessions++;
}

static void follow(void *arg, const struct rg_recent_event *event)
{
	(void)arg;
	last = *event;
	events++;
}

static int set_up(void **state)
{
	(void)state;
	memset(modules.asked, 0, sizeof(modules.asked));
	memset(&last, 0, sizeof(last));
	events = sessions = 0;
	*lines = '\0';
	flushed_slot = RG_NO_ZONE;
	conf = (struct rg_conf){ .mode = RG_MODE_ENFORCE, .log_per_second = 9, .zone_count = 2 };
	strcpy(conf.zones[1].alias, "second");
	return rg_recent_events_new(&modules.recent_events, follow, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	rg_recent_events_free(modules.recent_events);
	return 0;
}

static struct rg_addr addr_of(const char *text)
{
	struct rg_addr addr;

	assert_int_equal(rg_addr_parse(text, strlen(text), &addr), 0);
	return addr;
}

/* ---- verdicts ---- */

/* A peer counts as asked about if a zone was, whatever the zone said. */
static const struct {
	enum rg_reason reason;
	int result; /* enum rg_asked; -1: it is not counted */
} reasons[] = {
	{ RG_REASON_ZONE, RG_ASKED_LISTED },
	{ RG_REASON_NOT_LISTED, RG_ASKED_CLEAN },
	{ RG_REASON_DNS_FAILURE, RG_ASKED_FAILED },
	{ RG_REASON_LIST, -1 },
	{ RG_REASON_COUNTRY, -1 },
	{ RG_REASON_NEVER_BLOCK, -1 },
	{ RG_REASON_OVERLOAD, -1 },
};

static void test_judged_counts(void **state)
{
	const struct rg_addr addr = addr_of("192.0.2.1");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		const struct rg_outcome outcome = { .peer_class = RG_CLASS_CLEAN,
						    .action = RG_ACTION_PASS,
						    .reason = reasons[i].reason,
						    .zone = RG_NO_ZONE };

		memset(modules.asked, 0, sizeof(modules.asked));
		rg_event_log_judged(&modules, &addr, &conf, &outcome);
		for (int at = 0; at < RG_ASKED_MAX; at++)
			assert_int_equal(modules.asked[at],
					 reasons[i].result >= 0 &&
						 (at == RG_ASKED || at == reasons[i].result));
	}
	assert_int_equal(events, ARRAY_SIZE(reasons));
}

static void test_judged_event(void **state)
{
	const struct rg_addr addr = addr_of("2001:db8::1");
	const struct rg_outcome outcome = { .peer_class = RG_CLASS_QIL,
					    .action = RG_ACTION_TEMPFAIL,
					    .reason = RG_REASON_ZONE,
					    .zone = 1,
					    .code = 0x7f000020,
					    .ttl = 77 };

	(void)state;
	rg_event_log_judged(&modules, &addr, &conf, &outcome);
	assert_int_equal(last.kind, RG_RECENT_JUDGED);
	assert_memory_equal(&last.addr, &addr, sizeof(addr));
	assert_int_equal(last.peer_class, RG_CLASS_QIL);
	assert_int_equal(last.action, RG_ACTION_TEMPFAIL);
	assert_int_equal(last.reason, RG_REASON_ZONE);
	assert_int_equal(last.code, 0x7f000020);
	assert_int_equal(last.ttl, 77);
	assert_string_equal(last.zone, "second");
	assert_false(last.monitored);
	assert_string_equal(lines, "3 2001:db8::1 is qil (listed by second) for 77s: tempfail\n");
}

/* In monitor mode only a refusal is "not taken"; what passes, passes. */
static void test_judged_in_monitor_mode(void **state)
{
	const struct rg_addr addr = addr_of("192.0.2.1");
	struct rg_outcome outcome = { .peer_class = RG_CLASS_STANDARD,
				      .action = RG_ACTION_DROP,
				      .reason = RG_REASON_ZONE,
				      .zone = RG_NO_ZONE };

	(void)state;
	conf.mode = RG_MODE_MONITOR;
	rg_event_log_judged(&modules, &addr, &conf, &outcome);
	assert_true(last.monitored);
	assert_string_equal(last.zone, "");
	outcome.action = RG_ACTION_PASS;
	rg_event_log_judged(&modules, &addr, &conf, &outcome);
	assert_false(last.monitored);
}

/* ---- refused connections ---- */

static void test_refused(void **state)
{
	struct rg_event_head head = { .source = addr_of("192.0.2.1"),
				      .dest = addr_of("198.51.100.25"),
				      .zone = 3,
				      .source_port = 4711,
				      .dest_port = 25,
				      .peer_class = RG_CLASS_STANDARD,
				      .action = RG_ACTION_DROP,
				      .mode = RG_MODE_ENFORCE };

	(void)state;
	rg_event_log_refused(&modules, &head);
	assert_int_equal(last.kind, RG_RECENT_REFUSED);
	assert_memory_equal(&last.addr, &head.source, sizeof(last.addr));
	assert_int_equal(last.port, 4711);
	assert_int_equal(last.local_port, 25);
	assert_string_equal(last.zone, "three");
	assert_false(last.monitored);
	assert_string_equal(lines, "2 refused: client=[192.0.2.1]:4711 server=[198.51.100.25]:25 "
				   "class=standard action=drop list=three\n");

	assert_int_equal(last.evidence.bytes[15], 0);

	/* An IPv6 address with a verdict of its own, then one whose network is refused. */
	*lines = '\0';
	head.source = addr_of("2001:db8:5::99");
	rg_event_log_refused(&modules, &head);
	assert_int_equal(last.evidence.bytes[15], 0);
	assert_null(strstr(lines, "evidence"));
	verdict_len = 64;
	rg_event_log_refused(&modules, &head);
	verdict_len = RG_ADDR_BITS;
	assert_int_equal(last.evidence.bytes[15], 0x26);
	assert_non_null(strstr(lines, " list=three evidence=[2001:db8:5::26]\n"));
	head.source = addr_of("192.0.2.1");

	/* The mode counts in which XDP decided, not that of now. */
	*lines = '\0';
	head.mode = RG_MODE_MONITOR;
	head.zone = RG_NO_ZONE;
	head.peer_class = RG_CLASS_BLOCKED;
	rg_event_log_refused(&modules, &head);
	assert_true(last.monitored);
	assert_string_equal(lines,
			    "2 would refuse: client=[192.0.2.1]:4711 "
			    "server=[198.51.100.25]:25 class=blocked action=drop list=local\n");
}

/* The responder knows the action and the list, and these tell the class. */
static const struct {
	enum rg_action action;
	const char *alias;
	enum rg_class peer_class;
} refusals[] = {
	{ RG_ACTION_TEMPFAIL, "ers-qil", RG_CLASS_QIL },
	{ RG_ACTION_REJECT, "local", RG_CLASS_BLOCKED },
	{ RG_ACTION_REJECT, "ers-standard", RG_CLASS_STANDARD },
};

static void test_sessions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct rg_refusal refusal = { .alias = refusals[i].alias };
		struct rg_smtp smtp = { .refusal = &refusal, .addr = addr_of("192.0.2.7") };
		const struct rg_session_report report = { .smtp = &smtp,
							  .action = refusals[i].action,
							  .port = 4712,
							  .local_port = 25 };

		rg_event_log_session(&modules, &report);
		assert_int_equal(last.kind, RG_RECENT_REFUSED);
		assert_int_equal(last.peer_class, refusals[i].peer_class);
		assert_int_equal(last.action, refusals[i].action);
		assert_int_equal(last.port, 4712);
		assert_string_equal(last.zone, refusals[i].alias);
		assert_int_equal(sessions, i + 1);
	}
}

/* ---- zones ---- */

#define NOT_FLUSHED UINT64_MAX

static const struct {
	enum rg_zone_health_state before, state;
	bool is_whole; /* else the other family is in another state */
	uint64_t flushed_since; /* NOT_FLUSHED: its verdicts stay */
	const char *log; /* "": nothing */
} changes[] = {
	{ RG_ZONE_HEALTH_GOOD, RG_ZONE_HEALTH_FAILING, true, NOT_FLUSHED, "3 zone z: failing: why\n" },
	{ RG_ZONE_HEALTH_FAILING, RG_ZONE_HEALTH_GOOD, true, NOT_FLUSHED, "3 zone z: good: \n" },
	{ RG_ZONE_HEALTH_OPEN, RG_ZONE_HEALTH_GOOD, true, NOT_FLUSHED, "2 zone z: good again\n" },
	{ RG_ZONE_HEALTH_GOOD, RG_ZONE_HEALTH_OPEN, true, NOT_FLUSHED, "1 zone z: open: why\n" },
	{ RG_ZONE_HEALTH_GOOD, RG_ZONE_HEALTH_DISABLED, true, 0,
	  "1 zone z: disabled: why\n1 zone z: 17 entries removed\n" },
	{ RG_ZONE_HEALTH_GOOD, RG_ZONE_HEALTH_OPEN, false, NOT_FLUSHED,
	  "1 zone z: open: why (IPv6)\n" },
	{ RG_ZONE_HEALTH_OPEN, RG_ZONE_HEALTH_GOOD, false, NOT_FLUSHED,
	  "2 zone z: good again (IPv6)\n" },
	{ RG_ZONE_HEALTH_GOOD, RG_ZONE_HEALTH_DISABLED, false, 0,
	  "1 zone z: disabled: why (IPv6)\n1 zone z: 17 entries removed\n" },
	/* The zone's verdicts of before it began to list too much stay. */
	{ RG_ZONE_HEALTH_GOOD, RG_ZONE_HEALTH_MONITOR, true, 5555,
	  "1 zone z: monitor: why\n1 zone z: 17 entries removed\n" },
};

static void test_health(void **state)
{
	const struct rg_zone_conf zone = { .alias = "z", .slot = 12 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct rg_zone_health health = { .state = changes[i].state,
						 .before = changes[i].before,
						 .why = "why",
						 .usual_at = 5555 };
		const struct rg_zone_change change = { &zone, &health, RG_FAMILY_V6,
						       changes[i].is_whole };

		if (health.state == RG_ZONE_HEALTH_GOOD)
			*health.why = '\0';
		*lines = '\0';
		flushed_slot = RG_NO_ZONE;
		flushed_since = NOT_FLUSHED;
		flushed_family = RG_FAMILY_V4;
		rg_event_log_health(&modules, &change);
		assert_string_equal(lines, changes[i].log);
		assert_int_equal(flushed_since, changes[i].flushed_since);
		assert_int_equal(flushed_slot,
				 changes[i].flushed_since == NOT_FLUSHED ? RG_NO_ZONE : 12);
		assert_int_equal(flushed_family, changes[i].flushed_since == NOT_FLUSHED ?
							 RG_FAMILY_V4 :
							 RG_FAMILY_V6);
	}
	assert_int_equal(events, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_judged_counts),
		TEST(test_judged_event),
		TEST(test_judged_in_monitor_mode),
		TEST(test_refused),
		TEST(test_sessions),
		TEST(test_health),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
