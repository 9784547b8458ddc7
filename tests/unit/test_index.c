/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index by itself, without a kernel: what it answers is what the longest live prefix says, or "ask". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>

#include "../../userspace/addr.h"
#include "../../userspace/index.h"

#define EPOCH (1000 * RG_NSEC_PER_SEC)
#define NOW (EPOCH + 1)
#define DAY (86400 * RG_NSEC_PER_SEC)

static struct rg_index_seen *seen;

static int set_up(void **state)
{
	(void)state;
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return seen == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	return munmap(seen, sizeof(*seen));
}

static struct rg_index *make(const struct rg_index_size *size)
{
	const struct rg_index_place place = { .seen = seen,
					      .part = RG_INDEX_LISTS,
					      .fd = -1,
					      .now = EPOCH };
	struct rg_index *index = NULL;

	assert_int_equal(rg_index_new(&index, &place, size), 0);
	return index;
}

static struct rg_prefix v4(uint32_t addr, uint32_t len)
{
	struct rg_prefix prefix = { .len = RG_V4_PREFIX_BITS + len };

	addr = htobe32(addr);
	prefix.addr.bytes[10] = prefix.addr.bytes[11] = 0xff;
	memcpy(prefix.addr.bytes + RG_ADDR_V4_OFFSET, &addr, sizeof(addr));
	return prefix;
}

static struct rg_prefix v6(uint64_t net)
{
	struct rg_prefix prefix = { .len = 64 };

	net = htobe64(net);
	memcpy(&prefix.addr, &net, sizeof(net));
	return prefix;
}

static void put(struct rg_index *index, struct rg_prefix prefix, enum rg_class class, uint64_t expiry)
{
	const struct rg_index_entry entry = { .prefix = prefix,
					      .expiry = expiry,
					      .class = class,
					      .zone = RG_NO_ZONE };

	assert_true(rg_index_put(index, &entry) >= 0);
}

static uint32_t find(const struct rg_index *index, struct rg_prefix host)
{
	return rg_index_find(index, &host.addr, NOW);
}

/* Within a /25 that became hosts, a longer one that is past the limit for that must not be lost. */
static void test_nested_past_the_limit(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1 << 20, .nets4 = true };
	struct rg_index *index = make(&size);

	(void)state;
	for (uint32_t i = 0; i < 2048; i++)
		put(index, v4(0x0a000000 + i * 256, 25), RG_CLASS_BLOCKED, 0);
	put(index, v4(0x0a07ff10, 28), RG_CLASS_APPROVED, 0);
	for (uint32_t i = 0; i < 16; i++) {
		uint32_t answer = find(index, v4(0x0a07ff10 + i, 32));

		if (answer != RG_INDEX_ASK && answer >> RG_INDEX_CLASS_SHIFT != RG_CLASS_APPROVED)
			fail_msg("10.7.255.%u is %#x, not approved", 16 + i, answer);
	}
	rg_index_free(index);
}

/* What a copy has of keys that had no slot is alive for all it knows: a sweep must leave it. */
static void test_sweep_after_crowded_copy(void **state)
{
	const struct rg_index_size tiny = {}, larger = { .hosts4 = 2000, .nets6 = 2000 };
	struct rg_index *from = make(&tiny), *to = make(&larger);

	(void)state;
	for (uint32_t i = 1; i < 500; i++) {
		put(from, v4(0x0c000000 + i, 32), RG_CLASS_CLEAN, EPOCH + DAY);
		put(from, v6(0x20010db800000000 + i), RG_CLASS_CLEAN, EPOCH + DAY);
	}
	assert_true(rg_index_count(from).crowded > 0);
	assert_int_equal(rg_index_copy(to, from), 0);
	rg_index_settle(to);
	rg_index_sweep(to, NOW);
	for (uint32_t i = 1; i < 500; i++) {
		assert_int_not_equal(find(to, v4(0x0c000000 + i, 32)), RG_INDEX_NONE);
		assert_int_not_equal(find(to, v6(0x20010db800000000 + i)), RG_INDEX_NONE);
	}
	rg_index_free(from);
	rg_index_free(to);
}

static void check_room(const char *name, bool six, uint64_t first, uint64_t step)
{
	enum { COUNT = 1 << 18 };
	const struct rg_index_size size = { .hosts4 = six ? 0 : COUNT, .nets6 = six ? COUNT : 0 };
	struct rg_index *index = make(&size);
	size_t crowded;

	for (uint64_t i = 0; i < COUNT; i++) {
		uint64_t key = first + i * step;

		put(index, six ? v6(key) : v4((uint32_t)key, 32), RG_CLASS_BLOCKED, 0);
	}
	crowded = rg_index_count(index).crowded;
	if (crowded > COUNT / 100)
		fail_msg("%s: %zu of %d found no slot", name, crowded, COUNT);
	rg_index_free(index);
}

/* What it was made for finds room, also addresses that lie side by side. */
static void test_room(void **state)
{
	(void)state;
	check_room("hosts in a row", false, 0x0a000000, 1);
	check_room("every second host", false, 0x0a000000, 2);
	check_room("/64s in a row", true, 0x20010db800000000, 1);
	check_room("/48s in a row", true, 0x20010db800000000, 1 << 16);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nested_past_the_limit),
		TEST(test_sweep_after_crowded_copy),
		TEST(test_room),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
