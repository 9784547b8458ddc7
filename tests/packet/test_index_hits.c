/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hits and attempts of peers that the index knows: counted in samples, so that estimates are about right. */
#include "index_run.h"

/* ---- hits and attempts ---- */

#define EXACT 10000

/* which: the parts that are looked into, bit by enum rg_index_part */
static struct run *counting_run(uint32_t exact, unsigned int which)
{
	const struct tuning tuning = { .no_samples = true };
	const struct rg_index_size tiny[RG_INDEXES] = { [RG_INDEX_HOSTS] = { .hosts4 = 1 } };
	struct run *run = indexed_run(&tuning, tiny);
	struct rg_index_entry entry = { .prefix = around(V4_BASE + 0x0a000000, 96 + 8),
					.expiry = run_now() + HOUR,
					.peer_class = RG_CLASS_QIL,
					.action = RG_ACTION_DROP,
					.zone = ZONE };

	put_known(run, VERDICTS, &entry);
	entry.prefix = prefix_of("192.0.2.1", 32);
	put_known(run, VERDICTS, &entry);
	entry.prefix = around(V6_BASE, 64);
	put_known(run, VERDICTS, &entry);
	run_settings(run)->exact_per_second = exact;
	run_settings(run)->index = index_of(which);
	return run;
}

static uint64_t hits_of(struct run *run, const struct rg_prefix *prefix)
{
	return verdict_hits(run, prefix) - HITS;
}

static void expect_about(const char *what, uint64_t got, uint64_t want, unsigned int percent)
{
	print_message("%s: %llu for %llu\n", what, (unsigned long long)got, (unsigned long long)want);
	if (got < want - want * percent / 100 || got > want + want * percent / 100)
		fail_msg("%s: %llu, not %llu within %u %%", what, (unsigned long long)got,
			 (unsigned long long)want, percent);
}

static void check_hits(const struct rg_prefix *from, unsigned int which)
{
	enum { FEW = RG_EXACT_HITS(EXACT) / 2, MANY = 1000000 };
	struct run *run = counting_run(EXACT, which);
	static struct packet packet;

	build_from(&from->addr, PACKET_PORT, &packet);
	/* What other tests sent in this second counts as well. */
	wait_for_the_next_second(run_now());
	assert_int_equal(run_blind(run, RUN_FILTER, &packet, FEW), 0);
	assert_int_equal(hits_of(run, from), FEW);
	assert_int_equal(run_blind(run, RUN_FILTER, &packet, MANY), 0);
	assert_int_equal(count_done(run, RG_CLASS_QIL, RG_ACTION_DROP), FEW + MANY);
	expect_about("hits", hits_of(run, from), FEW + MANY, 15);
	let_go(run);
}

static void test_hits(void **state)
{
	const struct rg_prefix host = prefix_of("192.0.2.1", 32), net = around(V6_BASE, 64);

	(void)state;
	check_hits(&host, ALL_PARTS);
	check_hits(&net, 0);
}

enum flows { PORTS, HOSTS, HOSTS_OF_64, FLOWS };

static uint64_t attempts_of(struct run *run)
{
	struct run_counts counts;

	assert_int_equal(run_counts(run, &counts), 0);
	return counts.at[RG_STAT_DONE + RG_CLASS_QIL * RG_ACTION_MAX + RG_ACTION_DROP].attempts;
}

/* Each connection once. */
static void send_flows(struct run *run, enum flows flows, uint32_t count)
{
	static struct packet packet;

	for (uint32_t i = 0; i < count; i++) {
		u128 number = V4_BASE + (flows == PORTS ? 0xc0000201 : 0x0a000000 + i);
		struct rg_addr from = addr_of(flows == HOSTS_OF_64 ? V6_BASE + i : number);

		build_from(&from, flows == PORTS ? (uint16_t)(1024 + i) : PACKET_PORT, &packet);
		assert_int_equal(run_blind(run, RUN_FILTER, &packet, 1), 0);
	}
}

static void test_attempts(void **state)
{
	enum { MANY = 60000 };
	static const char *const names[] = { "attempts of an address's ports", "of IPv4 hosts",
					     "of a /64's hosts" };

	(void)state;
	for (enum flows flows = 0; flows < FLOWS; flows++) {
		/* A second's beginning has to be waited for: once is enough. */
		struct run *run = counting_run(flows == PORTS ? EXACT : UINT32_MAX, ALL_PARTS);

		if (flows == PORTS)
			wait_for_the_next_second(run_now());
		send_flows(run, flows, EXACT / 4);
		send_flows(run, flows, EXACT / 4); /* once more: no other attempts */
		assert_int_equal(attempts_of(run), EXACT / 4);
		let_go(run);
		run = counting_run(0, ALL_PARTS);
		send_flows(run, flows, MANY);
		expect_about(names[flows], attempts_of(run), MANY, 25);
		let_go(run);
	}
}
static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_hits),
	cmocka_unit_test(test_attempts),
};

int main(void)
{
	use_programs(RUN_BIT(RUN_FILTER), RUN_BIT(RUN_FILTER));
	return tests_main("index_hits", NULL, 0, tests, COUNT(tests), 0);
}
