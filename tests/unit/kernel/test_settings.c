/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each member of the map `settings` from a configuration, and the ports while they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/settings.h"

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#define SECOND RG_NSEC_PER_SEC

/* A configuration with a value of its own in every setting that is written. */
static struct rg_conf make_conf(void)
{
	return (struct rg_conf){
		.ports = { 25, 465, 587 },
		.port_count = 3,
		.mode = RG_MODE_ENFORCE,
		.unknown = RG_ACTION_HOLD,
		.blocked_action = RG_ACTION_RESET,
		.on_overload = RG_ACTION_PASS,
		.on_dns_failure = RG_ACTION_PASS,
		.heartbeat_timeout = 5000,
		.dns_timeout = 2000,
		.dns_tries = 3,
		.ipv6_prefix = 56,
		.log_per_second = 17,
		.new_peers_per_second = 1000,
		.tag_dscp = 44,
		.qil_throttle = { .token_time = 6 * SECOND, .burst = 4 },
		.throttle_ipv4_prefix = 24,
		.throttle_ipv6_prefix = 48,
	};
}

static struct rg_settings written(const struct rg_conf *conf, bool steering_works, bool can_hold)
{
	struct rg_settings settings = {};

	rg_settings_write(&settings, conf, steering_works, can_hold);
	return settings;
}

static void expect_mask(const __u64 mask[2], unsigned int bits)
{
	const uint8_t *bytes = (const uint8_t *)mask;

	for (unsigned int bit = 0; bit < RG_ADDR_BITS; bit++)
		assert_int_equal(bytes[bit / 8] >> (7 - bit % 8) & 1, bit < bits);
}

static void test_each_member(void **state)
{
	const struct rg_conf conf = make_conf();
	uint64_t before = rg_now();
	const struct rg_settings settings = written(&conf, true, true);

	(void)state;
	assert_int_equal(settings.layout, RG_LAYOUT_VERSION);
	assert_int_equal(settings.mode, RG_MODE_ENFORCE);
	assert_int_equal(settings.unknown, RG_ACTION_HOLD);
	assert_int_equal(settings.blocked, RG_ACTION_RESET);
	assert_int_equal(settings.overload, RG_ACTION_PASS);
	assert_int_equal(settings.steering, 1);
	assert_int_equal(settings.exact_per_second, RG_EXACT_PER_SECOND);
	assert_int_equal(settings.samples_per_second, 17);
	assert_int_equal(settings.port_count, 3);
	assert_int_equal(settings.ports[0], 25);
	assert_int_equal(settings.ports[1], 465);
	assert_int_equal(settings.ports[2], 587);
	assert_true(settings.heartbeat >= before && settings.heartbeat <= rg_now());
	assert_int_equal(settings.heartbeat_timeout, 5 * SECOND);
	/* All tries, and two seconds more. */
	assert_int_equal(settings.pending_time, 8 * SECOND);
	expect_mask(settings.bucket_mask4, 96 + 24);
	expect_mask(settings.bucket_mask6, 48);
	assert_int_equal(settings.throttle.token_time, 6 * SECOND);
	assert_int_equal(settings.throttle.depth, 24 * SECOND);
	/* Not the configuration's: they stay what they are. */
	assert_int_equal(settings.index_seed, 0);
	assert_int_equal(settings.index, 0);
}

static void test_gates(void **state)
{
	static const uint32_t rates[] = { 1, 3, 1000, 1000000, 1000000000 };
	struct rg_conf conf = make_conf();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		struct rg_settings settings;
		uint64_t time = SECOND / rates[i];

		conf.new_peers_per_second = rates[i];
		settings = written(&conf, true, true);
		/* Two seconds' worth at once; a quarter more for retransmissions; ten times as many pass. */
		assert_int_equal(settings.gates[RG_GATE_NEW].token_time, time);
		assert_int_equal(settings.gates[RG_GATE_NEW].depth, time * 2 * rates[i]);
		assert_int_equal(settings.gates[RG_GATE_RETRY].token_time, 4 * time);
		assert_int_equal(settings.gates[RG_GATE_RETRY].depth, 4 * time * (rates[i] / 4 + 1));
		assert_true(settings.gates[RG_GATE_PASS].token_time > 0);
		assert_true(settings.gates[RG_GATE_PASS].token_time <= time);
		/* A network gets the 512th part, and at least one token at once. */
		assert_int_equal(settings.network_gates[RG_GATE_NEW].token_time, 512 * time);
		assert_int_equal(settings.network_gates[RG_GATE_NEW].depth,
				 512 * time * (2 * rates[i] / 512 + 1));
		assert_int_equal(settings.network_gates[RG_GATE_RETRY].token_time, 4 * 512 * time);
		assert_true(settings.network_gates[RG_GATE_RETRY].depth >= 4 * 512 * time);
	}
}

/* What the kernel and this host can't do, XDP is not told to do. */
static void test_what_can_not_be(void **state)
{
	static const struct {
		enum rg_action unknown;
		bool can_hold;
		enum rg_action written;
	} rows[] = {
		{ RG_ACTION_HOLD, true, RG_ACTION_HOLD },
		{ RG_ACTION_HOLD, false, RG_ACTION_DROP },
		{ RG_ACTION_PASS, false, RG_ACTION_PASS },
		{ RG_ACTION_DROP, false, RG_ACTION_DROP },
		{ RG_ACTION_PASS, true, RG_ACTION_PASS },
	};
	struct rg_conf conf = make_conf();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		conf.unknown = rows[i].unknown;
		assert_int_equal(written(&conf, true, rows[i].can_hold).unknown, rows[i].written);
	}
	assert_int_equal(written(&conf, false, true).steering, 0);
}

/* tag_dscp is written only if an action tags. */
static void test_tag(void **state)
{
	struct rg_conf conf = make_conf();

	(void)state;
	assert_int_equal(written(&conf, true, true).tag_dscp, 0);
	conf.blocked_action = RG_ACTION_TAG;
	assert_int_equal(written(&conf, true, true).tag_dscp, 44);
}

static void test_single_members(void **state)
{
	const struct rg_conf conf = make_conf();
	struct rg_settings settings = written(&conf, true, true), want = settings;

	(void)state;
	rg_settings_set_heartbeat(&settings, 12345);
	want.heartbeat = 12345;
	assert_memory_equal(&settings, &want, sizeof(want));
	rg_settings_set_steering(&settings, false);
	want.steering = 0;
	assert_memory_equal(&settings, &want, sizeof(want));
	rg_settings_set_bounded(&settings, true, 7);
	want.bounded = 1;
	want.round = 7;
	assert_memory_equal(&settings, &want, sizeof(want));
	rg_settings_set_index(&settings, RG_INDEX_LISTS, RG_INDEX_IN_FORCE(RG_INDEX_LISTS, 1, 3));
	rg_settings_set_index(&settings, RG_INDEX_PEERS, RG_INDEX_IN_FORCE(RG_INDEX_PEERS, 0, 5));
	want.index = RG_INDEX_IN_FORCE(RG_INDEX_LISTS, 1, 3) |
		     RG_INDEX_IN_FORCE(RG_INDEX_PEERS, 0, 5);
	assert_memory_equal(&settings, &want, sizeof(want));
	rg_settings_set_index(&settings, RG_INDEX_LISTS, 0);
	want.index = RG_INDEX_IN_FORCE(RG_INDEX_PEERS, 0, 5);
	assert_memory_equal(&settings, &want, sizeof(want));
}

/* A seed that is there stays: the index in force was made with it. */
static void test_seed(void **state)
{
	struct rg_settings one = {}, two = {};
	uint64_t seed;

	(void)state;
	rg_settings_draw_seed(&one);
	rg_settings_draw_seed(&two);
	assert_int_not_equal(one.index_seed, 0);
	assert_int_not_equal(one.index_seed, two.index_seed);
	seed = one.index_seed;
	rg_settings_draw_seed(&one);
	assert_int_equal(one.index_seed, seed);
}

/* ---- ports ---- */

static struct rg_settings shared; /* written by one thread, read by another */
static atomic_bool is_over;
static unsigned int moments; /* at which the reader looked */

/* Twice the same: nothing changed in between, so this is what a packet finds at one moment. */
static bool take_moment(struct rg_settings *ret)
{
	const volatile struct rg_settings *settings = &shared;
	struct rg_settings copies[3] = {};

	for (int i = 0; i < 3; i++) {
		copies[i].port_count = __atomic_load_n(&settings->port_count, __ATOMIC_ACQUIRE);
		for (int j = 0; j < RG_MAX_PORTS; j++)
			copies[i].ports[j] = settings->ports[j];
	}
	*ret = copies[0];
	return !memcmp(&copies[0], &copies[1], sizeof(copies[0])) &&
	       !memcmp(&copies[0], &copies[2], sizeof(copies[0]));
}

static bool has_port(const struct rg_settings *settings, unsigned int port)
{
	for (unsigned int i = 0; i < settings->port_count; i++)
		if (settings->ports[i] == port)
			return true;
	return false;
}

/* 0, or a port that was missing. */
static void *read_ports(void *arg)
{
	struct rg_settings moment;
	uintptr_t missing = 0;

	(void)arg;
	while (!is_over && !missing) {
		if (!take_moment(&moment))
			continue;
		moments++;
		missing = !has_port(&moment, 25) ? 25 : !has_port(&moment, 587) ? 587 : 0;
	}
	return (void *)missing;
}

static void test_ports_that_stay(void **state)
{
	static const struct {
		unsigned int count;
		uint16_t ports[4];
	} lists[] = {
		{ 2, { 25, 587 } },	{ 4, { 465, 587, 2525, 25 } },
		{ 3, { 587, 26, 25 } }, { 3, { 465, 25, 587 } },
		{ 2, { 587, 25 } },
	};
	struct rg_conf conf = make_conf();
	pthread_t reader;
	void *missing;

	(void)state;
	rg_settings_write(&shared, &conf, true, true);
	assert_int_equal(pthread_create(&reader, NULL, read_ports, NULL), 0);
	for (unsigned int i = 0; i < 300000; i++) {
		const unsigned int at = i % ARRAY_SIZE(lists);

		conf.port_count = lists[at].count;
		memcpy(conf.ports, lists[at].ports, sizeof(lists[at].ports));
		rg_settings_write(&shared, &conf, true, true);
		assert_int_equal(shared.port_count, conf.port_count);
		assert_memory_equal(shared.ports, conf.ports, conf.port_count * sizeof(*conf.ports));
	}
	is_over = true;
	pthread_join(reader, &missing);
	assert_null(missing);
	assert_true(moments > 0);
}

/* Two lists that do not fit one behind the other. */
static void test_many_ports(void **state)
{
	struct rg_conf conf = make_conf();
	struct rg_settings settings;

	(void)state;
	conf.port_count = RG_MAX_PORTS;
	for (uint16_t i = 0; i < RG_MAX_PORTS; i++)
		conf.ports[i] = 1000 + i;
	settings = written(&conf, true, true);
	for (uint16_t i = 0; i < RG_MAX_PORTS; i++)
		conf.ports[i] = 2000 + i;
	rg_settings_write(&settings, &conf, true, true);
	assert_int_equal(settings.port_count, RG_MAX_PORTS);
	assert_memory_equal(settings.ports, conf.ports, sizeof(settings.ports));
	assert_int_equal(settings.blocked, RG_ACTION_RESET); /* what lies behind them */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_member),	cmocka_unit_test(test_gates),
		cmocka_unit_test(test_what_can_not_be), cmocka_unit_test(test_tag),
		cmocka_unit_test(test_single_members),	cmocka_unit_test(test_seed),
		cmocka_unit_test(test_ports_that_stay), cmocka_unit_test(test_many_ports),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
