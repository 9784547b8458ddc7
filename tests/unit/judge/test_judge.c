/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The judge, with inquiries that the test answers, and fakes of what it calls: joined SYNs, overload, a
 * reload meanwhile, held SYNs that there is no room for, local evidence, what is stored and released.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "../../fakes/memory.h"
#include "judge/judge.c"
#include "kernel/release.h"

#include "maps/limits.h"

#include <cmocka.h>

#define CODE 0x7f000002

static struct rg_conf conf = {
	.references = 1,
	.zone_count = 2,
	.ipv6_prefix = 64,
	.max_inquiries = 3,
	.clean_ttl_min = 60,
	.clean_ttl_max = 3600,
	.failure_ttl = 30,
	.blocked_action = RG_ACTION_RESET,
	.on_overload = RG_ACTION_PASS,
	.zones = {
		{ .alias = "one", .suffix = (char[]){ "one.test" }, .slot = 5,
		  .peer_class = RG_CLASS_STANDARD, .action = RG_ACTION_DROP, .ttl_max = 1000 },
		{ .alias = "two", .suffix = (char[]){ "two.test" }, .slot = 6,
		  .peer_class = RG_CLASS_QIL, .action = RG_ACTION_TEMPFAIL, .ttl_max = 1000 },
	},
};

static struct rg_conf *in_force = &conf;
static struct rg_lists *lists;
static struct rg_country_db *countries;
static struct rg_own_network own_address[1];
static struct rg_exempt exempt;
static struct rg_judge *judge;

/* ---- inquiries ---- */

struct rg_inquiry {
	struct rg_addr addr;
	struct rg_evidence evidence;
	rg_inquiry_callback *callback;
	void *arg;
};

static struct rg_inquiry inquiries[8];
static unsigned int inquiry_count, cancelled;
static int inquiry_error;

static unsigned int hurried;
static enum rg_dns_priority priorities[8]; /* of each inquiry */

void rg_inquiry_hurry(struct rg_inquiry *inquiry)
{
	(void)inquiry;
	hurried++;
}

int rg_inquiry_start(struct rg_inquiry **ret, struct rg_inquiry_context *context,
		     struct rg_conf *with, const struct rg_addr *addr,
		     const struct rg_evidence *evidence, enum rg_dns_priority priority,
		     rg_inquiry_callback *callback, void *arg)
{
	(void)context;
	assert_ptr_equal(with, in_force);
	if (inquiry_error)
		return inquiry_error;
	priorities[inquiry_count] = priority;
	*ret = &inquiries[inquiry_count++];
	**ret = (struct rg_inquiry){ *addr, *evidence, callback, arg };
	return 0;
}

void rg_inquiry_cancel(struct rg_inquiry *inquiry)
{
	(void)inquiry;
	cancelled++;
}

static void answer(unsigned int number, enum rg_zone_state one, enum rg_zone_state two)
{
	struct rg_inquiry *inquiry = &inquiries[number];

	inquiry->evidence.zones[0] = (struct rg_finding){ .state = one, .code = CODE, .ttl = 600 };
	inquiry->evidence.zones[1] = (struct rg_finding){ .state = two, .code = CODE, .ttl = 600 };
	inquiry->callback(inquiry->arg, &inquiry->evidence, true);
}

/* hold_timeout is over, and no zone has answered. */
static void hold_over(unsigned int number)
{
	struct rg_inquiry *inquiry = &inquiries[number];
	struct rg_evidence so_far = inquiry->evidence;

	so_far.zones[0].state = so_far.zones[1].state = RG_ZONE_FAILED;
	inquiry->callback(inquiry->arg, &so_far, false);
}

/* ---- the maps ---- */

static struct put {
	struct rg_addr addr;
	struct rg_outcome outcome;
	uint32_t slot;
} puts_made[8];
static unsigned int put_count;
static int put_error;
static bool has_verdict, has_clean;

int rg_verdicts_put(struct rg_verdicts *verdicts, const struct rg_addr *addr,
		    const struct rg_outcome *outcome, uint32_t slot, uint64_t now)
{
	(void)verdicts;
	(void)now;
	puts_made[put_count++] = (struct put){ *addr, *outcome, slot };
	return put_error;
}

int rg_verdicts_find(const struct rg_verdicts *verdicts, const struct rg_addr *addr, uint64_t now,
		     struct rg_prefix *key, struct rg_full_verdict *ret)
{
	(void)verdicts;
	(void)addr;
	(void)now;
	(void)key;
	(void)ret;
	return has_verdict ? 0 : -ENOENT;
}

int rg_verdicts_find_peer(const struct rg_verdicts *verdicts, const struct rg_addr *peer,
			  uint64_t now, struct rg_peer *ret)
{
	(void)verdicts;
	(void)peer;
	(void)now;
	*ret = (struct rg_peer){ .state = RG_PEER_CLEAN };
	return has_clean ? 0 : -ENOENT;
}

/* ---- release ---- */

static struct {
	uint32_t ifindex;
	uint8_t first; /* octet of the frame */
	bool is_clean;
} released[32];
static unsigned int release_count;
static int release_error;

int rg_release_new(struct rg_release **ret, struct rg_loader *loader)
{
	(void)loader;
	*ret = NULL;
	return release_error;
}

void rg_release_free(struct rg_release *release)
{
	(void)release;
}

void rg_release_put(struct rg_release *release, uint32_t ifindex, const void *frame, size_t len,
		    bool is_clean)
{
	(void)release;
	assert_int_equal(len, 60);
	released[release_count].ifindex = ifindex;
	released[release_count].first = *(const uint8_t *)frame;
	released[release_count++].is_clean = is_clean;
}

static unsigned int monitored_count, puts_before_monitored;

void rg_release_count_monitored(struct rg_release *release, uint32_t ifindex, const void *frame,
				size_t len)
{
	(void)release;
	assert_int_equal(ifindex, 3);
	assert_non_null(frame);
	assert_int_equal(len, 60);
	monitored_count++;
	puts_before_monitored = put_count;
}

struct rg_release_count rg_release_count(const struct rg_release *release)
{
	(void)release;
	return (struct rg_release_count){ .released = 7, .failed = 2 };
}

/* ---- lists ---- */

static struct rg_list_item item, country_item;
static bool has_item, has_country, has_country_item;

const struct rg_list_item *rg_lists_find(const struct rg_lists *from, const struct rg_addr *addr,
					 uint64_t now)
{
	(void)from;
	(void)addr;
	(void)now;
	return has_item ? &item : NULL;
}

static uint64_t country_end; /* of the country's entry, ns; 0: never */

uint64_t rg_lists_expiry(const struct rg_lists *from, const struct rg_list_item *of)
{
	(void)from;
	assert_ptr_equal(of, &country_item);
	return country_end;
}

const struct rg_list_item *rg_lists_find_country(const struct rg_lists *from, const char *country,
						 uint64_t now)
{
	(void)now;
	(void)from;
	assert_string_equal(country, "NL");
	return has_country_item ? &country_item : NULL;
}

bool rg_country_db_find(const struct rg_country_db *db, const struct rg_addr *addr, char country[3])
{
	(void)db;
	(void)addr;
	if (has_country)
		strcpy(country, "NL");
	return has_country;
}

/* ---- the test's own ---- */

static struct rg_outcome judged;
static unsigned int judged_count;

static void on_judged(void *arg, const struct rg_addr *addr, const struct rg_conf *with,
		      const struct rg_outcome *outcome)
{
	(void)addr;
	(void)with;
	assert_ptr_equal(arg, &conf);
	judged = *outcome;
	judged_count++;
}

static int set_up(void **state)
{
	const struct rg_judge_deps deps = { .conf = &in_force,
					    .lists = &lists,
					    .countries = &countries,
					    .exempt = &exempt,
					    .judged = on_judged,
					    .arg = &conf };

	(void)state;
	monitored_count = 0;
	inquiry_count = hurried = cancelled = put_count = release_count = judged_count = 0;
	inquiry_error = put_error = release_error = 0;
	has_verdict = has_clean = has_item = has_country = has_country_item = false;
	countries = NULL;
	exempt = (struct rg_exempt){};
	in_force = &conf;
	conf.on_overload = RG_ACTION_PASS;
	return rg_judge_new(&judge, &deps);
}

static int tear_down(void **state)
{
	(void)state;
	rg_judge_free(judge);
	assert_int_equal(conf.references, 1);
	return 0;
}

/* A SYN of 192.0.2.LAST, held: its frame begins with the low octet of seq. */
static struct rg_event_syn syn_of(uint8_t last, uint32_t seq)
{
	struct rg_event_syn syn = { .head = { .time = rg_now(), .ifindex = 3, .source_port = 1000 },
				    .frame_len = 60,
				    .seq = seq };

	syn.head.source = (struct rg_addr){ { [10] = 0xff, [11] = 0xff, 192, 0, 2, last } };
	syn.frame[0] = (uint8_t)seq;
	return syn;
}

static void judge_syn(uint8_t last, uint32_t seq)
{
	const struct rg_event_syn syn = syn_of(last, seq);

	rg_judge_syn(judge, &syn);
}

static void check_clean(void **state)
{
	struct rg_judge_count count;

	(void)state;
	judge_syn(1, 1);
	judge_syn(1, 1); /* its retransmission */
	judge_syn(1, 2);
	assert_int_equal(inquiry_count, 1);
	assert_int_equal(put_count, 0);
	answer(0, RG_ZONE_NOT_LISTED, RG_ZONE_NOT_LISTED);
	assert_int_equal(put_count, 1);
	assert_int_equal(puts_made[0].outcome.peer_class, RG_CLASS_CLEAN);
	assert_int_equal(puts_made[0].slot, RG_NO_ZONE);
	/* Once each, in the order of arrival. */
	assert_int_equal(release_count, 2);
	assert_int_equal(released[0].first, 1);
	assert_int_equal(released[1].first, 2);
	assert_int_equal(released[0].ifindex, 3);
	assert_true(released[0].is_clean);
	assert_int_equal(judged_count, 1);
	count = rg_judge_count(judge);
	assert_true(count.events == 3 && count.joined == 2 && count.inquiries == 1 && count.open == 0);
	assert_true(count.released == 7 && count.release_failed == 2);
}

static void check_listed(void **state)
{
	(void)state;
	judge_syn(1, 1);
	answer(0, RG_ZONE_NOT_ASKED, RG_ZONE_LISTED);
	assert_int_equal(puts_made[0].outcome.action, RG_ACTION_TEMPFAIL);
	assert_int_equal(puts_made[0].outcome.code, CODE);
	assert_int_equal(puts_made[0].slot, 6);
	assert_int_equal(release_count, 1);
	assert_false(released[0].is_clean);
	assert_int_equal(judged.zone, 1);
}

/*
 * A slow zone: the SYN is released, further ones are not held and not asked about; the answer meets what comes
 * later.
 */
static void check_released_early(void **state)
{
	(void)state;
	conf.hold_timeout = 900;
	conf.dns_timeout = 2000;
	conf.dns_tries = 2;
	judge_syn(1, 1);
	hold_over(0);
	assert_int_equal(put_count, 1);
	assert_int_equal(puts_made[0].outcome.peer_class, RG_CLASS_CLEAN);
	assert_int_equal(puts_made[0].outcome.reason, RG_REASON_DNS_FAILURE);
	assert_int_equal(puts_made[0].outcome.ttl, 5); /* 3.1 s until the answer or its failure */
	assert_int_equal(release_count, 1);
	assert_true(released[0].is_clean);
	assert_int_equal(judged_count, 0); /* it is not */
	assert_int_equal(rg_judge_count(judge).open, 1);
	/* XDP had it in the ring buffer. */
	judge_syn(1, 2);
	assert_int_equal(release_count, 2);
	assert_true(released[1].is_clean);
	assert_int_equal(inquiry_count, 1);
	answer(0, RG_ZONE_LISTED, RG_ZONE_NOT_ASKED);
	assert_int_equal(put_count, 2);
	assert_int_equal(puts_made[1].outcome.peer_class, RG_CLASS_STANDARD);
	assert_int_equal(puts_made[1].outcome.ttl, 600);
	assert_int_equal(release_count, 2); /* each SYN once */
	assert_int_equal(judged_count, 1);
	assert_int_equal(rg_judge_count(judge).open, 0);
	/* With on_dns_failure = tempfail the SYN gets 450 meanwhile. */
	conf.on_dns_failure = RG_ACTION_TEMPFAIL;
	judge_syn(2, 3);
	hold_over(1);
	assert_int_equal(puts_made[2].outcome.action, RG_ACTION_TEMPFAIL);
	assert_int_equal(release_count, 3);
	assert_false(released[2].is_clean);
	answer(1, RG_ZONE_NOT_LISTED, RG_ZONE_NOT_LISTED);
	assert_int_equal(puts_made[3].outcome.reason, RG_REASON_NOT_LISTED);
	conf.on_dns_failure = RG_ACTION_PASS;
}

/* A reload brought a zone that nobody asked: the peer is soon asked about again. */
static void check_new_zone(void **state)
{
	static struct rg_conf other;
	uint32_t before;

	(void)state;
	judge_syn(1, 1);
	answer(0, RG_ZONE_NOT_LISTED, RG_ZONE_NOT_LISTED);
	before = puts_made[0].outcome.ttl;
	judge_syn(2, 2);
	other = conf;
	other.references = 1;
	other.zones[1].suffix = (char[]){ "other.test" };
	in_force = &other;
	answer(1, RG_ZONE_NOT_LISTED, RG_ZONE_NOT_LISTED);
	in_force = &conf;
	assert_true(before > conf.failure_ttl);
	assert_int_equal(puts_made[1].outcome.ttl, conf.failure_ttl);
}

/* Without its verdict in the map a listed peer would get in. */
static void check_not_stored(void **state)
{
	(void)state;
	put_error = -ENOSPC;
	judge_syn(1, 1);
	answer(0, RG_ZONE_LISTED, RG_ZONE_NOT_ASKED);
	assert_int_equal(release_count, 0);
	assert_int_equal(judged_count, 1);
	judge_syn(2, 1);
	answer(1, RG_ZONE_NOT_LISTED, RG_ZONE_NOT_LISTED);
	assert_int_equal(release_count, 1); /* a clean one is let in all the same */
}

/* Each address of a /64 is asked about, and stored, by itself. */
static void check_ipv6(void **state)
{
	struct rg_event_syn syn = syn_of(1, 1);

	(void)state;
	syn.head.source = (struct rg_addr){ { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };
	rg_judge_syn(judge, &syn);
	rg_judge_syn(judge, &syn); /* a retransmission */
	syn.head.source.bytes[15] = 2;
	rg_judge_syn(judge, &syn); /* the same port and number, of another address */
	syn.seq = 2;
	rg_judge_syn(judge, &syn);
	assert_int_equal(inquiry_count, 2);
	assert_int_equal(inquiries[0].addr.bytes[15], 1);
	assert_int_equal(inquiries[1].addr.bytes[15], 2);
	answer(0, RG_ZONE_LISTED, RG_ZONE_NOT_ASKED);
	assert_int_equal(put_count, 1);
	assert_int_equal(puts_made[0].addr.bytes[15], 1);
	assert_int_equal(release_count, 1);
	assert_false(released[0].is_clean);
	answer(1, RG_ZONE_NOT_LISTED, RG_ZONE_NOT_LISTED);
	assert_int_equal(puts_made[1].addr.bytes[15], 2);
	assert_int_equal(puts_made[1].outcome.peer_class, RG_CLASS_CLEAN);
	assert_int_equal(release_count, 3);
	assert_true(released[1].is_clean && released[2].is_clean);
}

/*
 * A SYN that passed in monitor mode is counted once the verdict is in the maps, and not sent again, whatever
 * the mode is then. One that was held is released, in the same inquiry.
 */
static void check_monitored(void **state)
{
	struct rg_event_syn syn = syn_of(1, 1);

	(void)state;
	syn.head.mode = RG_MODE_MONITOR;
	rg_judge_syn(judge, &syn);
	rg_judge_syn(judge, &syn); /* twice the same */
	syn.seq = 2;
	rg_judge_syn(judge, &syn);
	judge_syn(1, 3);
	assert_int_equal(inquiry_count, 1);
	assert_int_equal(monitored_count, 0);
	answer(0, RG_ZONE_LISTED, RG_ZONE_NOT_ASKED);
	assert_int_equal(monitored_count, 2);
	assert_int_equal(puts_before_monitored, 1);
	assert_int_equal(release_count, 1);
	/* Without a verdict in the maps it counts as passed. */
	put_error = -ENOSPC;
	syn.head.source.bytes[15] = 2;
	syn.head.time = rg_now();
	rg_judge_syn(judge, &syn);
	answer(1, RG_ZONE_LISTED, RG_ZONE_NOT_ASKED);
	assert_int_equal(monitored_count, 3);
	/* So it does if nobody is asked, if the agent ends, or if the verdict came meanwhile. */
	put_error = 0;
	conf.on_overload = RG_ACTION_DROP;
	inquiry_error = -ENOMEM;
	syn.head.source.bytes[15] = 3;
	rg_judge_syn(judge, &syn);
	assert_int_equal(monitored_count, 4);
	inquiry_error = 0;
	has_verdict = true;
	syn.head.source.bytes[15] = 1;
	syn.head.time = 1;
	rg_judge_syn(judge, &syn);
	assert_int_equal(monitored_count, 5);
	has_verdict = false;
	syn.head.source.bytes[15] = 4;
	syn.head.time = rg_now();
	rg_judge_syn(judge, &syn);
	assert_int_equal(monitored_count, 5);
	rg_judge_free(judge);
	judge = NULL;
	assert_int_equal(monitored_count, 6);
	assert_int_equal(release_count, 1);
}

static void check_no_room(void **state)
{
	struct rg_event_syn syn = syn_of(1, 100);

	(void)state;
	for (uint32_t seq = 0; seq < RG_HELD_FLOWS + 5; seq++)
		judge_syn(1, seq);
	assert_true(rg_judge_count(judge).held_lost == 4);
	/* One that is not held takes no room. */
	syn.frame_len = 0;
	rg_judge_syn(judge, &syn);
	assert_true(rg_judge_count(judge).held_lost == 4);
	answer(0, RG_ZONE_NOT_LISTED, RG_ZONE_NOT_LISTED);
	assert_int_equal(release_count, RG_HELD_FLOWS + 1);
}

static void check_overload(void **state)
{
	(void)state;
	for (uint8_t last = 1; last <= 3; last++)
		judge_syn(last, 1);
	judge_syn(4, 1);
	assert_int_equal(inquiry_count, 3);
	assert_true(rg_judge_count(judge).overload == 1);
	assert_int_equal(judged.reason, RG_REASON_OVERLOAD);
	assert_int_equal(puts_made[0].outcome.ttl, 30);
	assert_int_equal(release_count, 1);
	/* on_overload = drop: nothing is stored, nothing is released. */
	conf.on_overload = RG_ACTION_DROP;
	judge_syn(5, 1);
	assert_int_equal(put_count, 1);
	assert_int_equal(release_count, 1);
	assert_true(rg_judge_count(judge).overload == 2);
	/* No memory for an inquiry has the same outcome, and is counted as what it is. */
	conf.on_overload = RG_ACTION_PASS;
	answer(0, RG_ZONE_NOT_LISTED, RG_ZONE_NOT_LISTED);
	inquiry_error = -ENOMEM;
	judge_syn(6, 1);
	assert_true(rg_judge_count(judge).overload == 2);
	assert_true(rg_judge_count(judge).no_memory == 1);
	assert_true(rg_judge_count(judge).open == 2);
}

/* Whatever allocation fails: the judge goes on, and the next SYN of the peer is asked about. */
static void check_no_memory(void **state)
{
	const long allocations =
		4; /* the suspect, its held SYN, the table of suspects and its buckets */

	(void)state;
	for (long left = 0; left < allocations; left++) {
		struct rg_judge_count before = rg_judge_count(judge), count;

		memory_left = left;
		judge_syn(1, (uint32_t)left + 1);
		memory_left = -1;
		count = rg_judge_count(judge);
		assert_true(count.open == 0);
		assert_true(count.held_lost == before.held_lost + (left < 2));
		assert_true(count.no_memory == before.no_memory + (left > 0));
		assert_true(count.overload == 0);
	}
	assert_int_equal(inquiry_count, 0);
	assert_int_equal(judged.reason, RG_REASON_OVERLOAD);
	judge_syn(2, 9);
	assert_int_equal(inquiry_count, 1);
	assert_true(rg_judge_count(judge).open == 1);
	answer(0, RG_ZONE_NOT_LISTED, RG_ZONE_NOT_LISTED);
	assert_true(rg_judge_count(judge).open == 0);
}

/* The table of suspects can't grow: who finds no room is decided about, the others stay. */
static void check_no_memory_to_grow(void **state)
{
	const uint32_t before = conf.max_inquiries;
	unsigned int count = 0;

	(void)state;
	conf.max_inquiries = 100000;
	for (uint32_t i = 0; !rg_judge_count(judge).no_memory && i < 100000; i++) {
		struct rg_event_syn syn = syn_of(1, i);

		memcpy(syn.head.source.bytes + 12, &i, sizeof(i));
		memory_left = 2; /* for the suspect and its SYN */
		if (!i)
			memory_left = -1;
		rg_judge_syn(judge, &syn);
		memory_left = -1;
		count = (unsigned int)rg_judge_count(judge).open;
		inquiry_count = 0; /* the test has room for few */
		put_count = release_count = 0;
	}
	assert_true(rg_judge_count(judge).no_memory == 1);
	assert_true(count > 10);
	conf.max_inquiries = before;
}

/* A zone that a reload changed counts as it is now; one that has gone says nothing any more. */
static void check_reload(void **state)
{
	static struct rg_conf other;

	(void)state;
	judge_syn(1, 1);
	judge_syn(2, 1);
	other = conf;
	other.references = 1;
	other.zones[0] = conf.zones[1];
	other.zones[0].action = RG_ACTION_THROTTLE;
	other.zones[0].slot = 9;
	other.zone_count = 1;
	in_force = &other;
	answer(0, RG_ZONE_NOT_ASKED, RG_ZONE_LISTED);
	assert_int_equal(puts_made[0].outcome.action, RG_ACTION_THROTTLE);
	assert_int_equal(puts_made[0].slot, 9);
	assert_int_equal(release_count, 1);
	answer(1, RG_ZONE_LISTED, RG_ZONE_NOT_ASKED);
	assert_int_equal(put_count, 2); /* ends the pending mark only */
	assert_int_equal(puts_made[1].outcome.ttl, 0);
	assert_int_equal(puts_made[1].outcome.peer_class, RG_CLASS_NONE);
	assert_int_equal(release_count, 1);
}

/* An approve that came while the zones were asked wins. */
static void check_list_meanwhile(void **state)
{
	(void)state;
	judge_syn(1, 1);
	has_item = true;
	item.peer_class = RG_CLASS_APPROVED;
	answer(0, RG_ZONE_LISTED, RG_ZONE_NOT_ASKED);
	assert_int_equal(judged.reason, RG_REASON_LIST);
	assert_int_equal(puts_made[0].outcome.ttl, 0);
	assert_true(released[0].is_clean);
}

/* An address of this host: alone, not with its network; the peer's pending mark ends. */
static void check_never_block(void **state)
{
	struct rg_event_syn syn = syn_of(1, 1);

	(void)state;
	own_address[0].prefix =
		(struct rg_prefix){ .len = RG_ADDR_BITS,
				    .addr = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } } };
	exempt = (struct rg_exempt){ { own_address, 1 } };
	syn.head.source = own_address[0].prefix.addr;
	rg_judge_syn(judge, &syn);
	assert_true(inquiries[0].evidence.never_block);
	answer(0, RG_ZONE_NOT_ASKED, RG_ZONE_NOT_ASKED);
	assert_int_equal(put_count, 1);
	assert_int_equal(puts_made[0].outcome.reason, RG_REASON_NEVER_BLOCK);
}

static void starve(unsigned int number)
{
	struct rg_inquiry *inquiry = &inquiries[number];
	struct rg_evidence evidence = inquiry->evidence;

	evidence.is_starved = true;
	evidence.zones[0].state = evidence.zones[1].state = RG_ZONE_FAILED;
	inquiry->callback(inquiry->arg, &evidence, true);
}

/* The resolver had no time: a first SYN is dropped, and its retransmission comes first. */
static void check_starved(void **state)
{
	struct rg_event_syn syn = syn_of(1, 7), other = syn_of(1, 8);

	(void)state;
	rg_judge_syn(judge, &syn);
	assert_int_equal(priorities[0], RG_DNS_NEW);
	starve(0);
	assert_int_equal(release_count, 0);
	assert_int_equal(judged_count, 0); /* nothing was decided */
	assert_int_equal(put_count, 1); /* no verdict; the pending mark ends at once */
	assert_int_equal(puts_made[0].outcome.peer_class, RG_CLASS_NONE);
	assert_int_equal(rg_judge_count(judge).starved, 1);
	/* Another connection of the peer is new. */
	other.head.time = syn.head.time = rg_now();
	rg_judge_syn(judge, &other);
	assert_int_equal(priorities[1], RG_DNS_NEW);
	/* The retransmission hurries the inquiry that is open. */
	rg_judge_syn(judge, &syn);
	assert_int_equal(hurried, 1);
	rg_judge_syn(judge, &syn);
	assert_int_equal(hurried, 1);
	/* Nothing better is to come: on_overload. Both SYNs pass, without a verdict. */
	starve(1);
	assert_int_equal(release_count, 2);
	assert_int_equal(puts_made[1].outcome.peer_class, RG_CLASS_NONE);
	/* Alone it is asked about before others. */
	rg_judge_syn(judge, &syn);
	assert_int_equal(priorities[2], RG_DNS_RETRY);
	conf.on_overload = RG_ACTION_DROP;
	starve(2);
	assert_int_equal(release_count, 2);
	assert_int_equal(rg_judge_count(judge).starved, 3);
}

/* XDP knows retransmissions of SYNs that it dropped in a flood. */
static void check_retry(void **state)
{
	struct rg_event_syn syn = syn_of(1, 7);

	(void)state;
	syn.head.is_retry = 1;
	rg_judge_syn(judge, &syn);
	assert_int_equal(priorities[0], RG_DNS_RETRY);
	answer(0, RG_ZONE_NOT_LISTED, RG_ZONE_LISTED);
	assert_int_equal(puts_made[0].outcome.action, RG_ACTION_TEMPFAIL);
}

/* A private address: by the setting that is in force now. */
static void check_private(void **state)
{
	const struct rg_addr lan = { { [10] = 0xff, [11] = 0xff, 192, 168, 1, 1 } };
	struct rg_evidence evidence;
	char country[3];

	(void)state;
	conf.private_peers = RG_PRIVATE_EXEMPT;
	rg_judge_local(judge, &lan, &evidence, country);
	assert_true(evidence.is_private);
	assert_false(rg_policy_needs_zones(&evidence));
	conf.private_peers = RG_PRIVATE_JUDGE;
	rg_judge_local(judge, &lan, &evidence, country);
	assert_false(evidence.is_private);
	assert_true(rg_policy_needs_zones(&evidence));
}

static void check_local(void **state)
{
	const struct rg_addr addr = syn_of(1, 1).head.source;
	struct rg_evidence evidence;
	char country[3];

	(void)state;
	has_country = has_country_item = true;
	country_item.peer_class = RG_CLASS_BLOCKED;
	rg_judge_local(judge, &addr, &evidence, country);
	assert_string_equal(country, ""); /* without a database */
	assert_int_equal(evidence.country, RG_CLASS_NONE);
	countries = (struct rg_country_db *)&conf;
	rg_judge_local(judge, &addr, &evidence, country);
	assert_string_equal(country, "NL");
	assert_int_equal(evidence.country, RG_CLASS_BLOCKED);
	assert_int_equal(evidence.country_ttl, 0);
	country_end = rg_now() + 90 * RG_NSEC_PER_SEC;
	rg_judge_local(judge, &addr, &evidence, country);
	assert_in_range(evidence.country_ttl, 80, 90);
	country_end = 0;
	has_country_item = false;
	rg_judge_local(judge, &addr, &evidence, country);
	assert_int_equal(evidence.country, RG_CLASS_NONE);
	has_item = true;
	item.peer_class = RG_CLASS_BLOCKED;
	rg_judge_local(judge, &addr, &evidence, country);
	assert_int_equal(evidence.list, RG_CLASS_BLOCKED);
	assert_false(evidence.never_block);
}

/* A SYN that XDP saw before the peer was judged meets the verdict; a later one is asked about. */
static void check_known(void **state)
{
	struct rg_event_syn before = syn_of(1, 9), later;

	(void)state;
	judge_syn(1, 1);
	answer(0, RG_ZONE_NOT_LISTED, RG_ZONE_NOT_LISTED);
	later = syn_of(1, 10);
	has_clean = true;
	rg_judge_syn(judge, &before);
	assert_true(rg_judge_count(judge).known == 1);
	assert_int_equal(release_count, 2);
	assert_int_equal(released[1].first, 9);
	has_clean = false;
	has_verdict = true;
	before.frame_len = 0; /* not held: nothing to release */
	rg_judge_syn(judge, &before);
	assert_true(rg_judge_count(judge).known == 2);
	assert_int_equal(release_count, 2);
	rg_judge_syn(judge, &later);
	assert_int_equal(inquiry_count, 2);
	answer(1, RG_ZONE_NOT_LISTED, RG_ZONE_NOT_LISTED);
	/* The verdict has gone meanwhile: asked again. */
	has_verdict = false;
	rg_judge_syn(judge, &before);
	assert_int_equal(inquiry_count, 3);
}

static void check_end(void **state)
{
	(void)state;
	judge_syn(1, 1);
	judge_syn(2, 1);
	rg_judge_free(judge);
	assert_int_equal(cancelled, 2);
	assert_int_equal(release_count, 0);
	judge = NULL;
	release_error = -ENOMEM;
	assert_int_equal(rg_judge_new(&judge, &(struct rg_judge_deps){}), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(check_clean, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_listed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_released_early, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_new_zone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_not_stored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_ipv6, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_monitored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_no_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_overload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_no_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_no_memory_to_grow, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_reload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_list_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_never_block, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_starved, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_retry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_private, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_local, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(check_end, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
