/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prefixes of every length, IPv4 and IPv6: alone, nested, and many at random. */
#include "model.h"

/* A /28 past the limit of expansion, within a /25 that is expanded, must not be lost. */
static void test_nested_past_the_limit(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1 << 20, .nets4 = true };
	struct rg_index *index = new_lists(&size);

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

/* ---- one prefix ---- */

static const struct life {
	const char *name;
	uint64_t expiry;
	uint64_t now;
} lives[] = {
	{ "for good", 0, NOW },
	{ "for good, much later", 0, EPOCH + 30 * DAY },
	{ "alive", EPOCH + DAY, NOW },
	{ "alive for a unit", EPOCH + 200 * UNIT, EPOCH + 199 * UNIT },
	{ "in its last unit", EPOCH + 200 * UNIT, EPOCH + 200 * UNIT - 1 },
	{ "just over", EPOCH + DAY, EPOCH + DAY },
	{ "over", EPOCH + DAY, EPOCH + 2 * DAY },
	{ "over before the epoch", 1, NOW },
	{ "shorter than a unit", EPOCH + UNIT / 2, NOW },
	{ "an hour, for most of it", EPOCH + DAY / 24, EPOCH + DAY / 25 },
	{ "half a day, for most of it", EPOCH + DAY / 2, EPOCH + DAY / 2 - 40 * UNIT },
	{ "five days, for most of it", EPOCH + 5 * DAY, EPOCH + 5 * DAY - 300 * UNIT },
	{ "alive for weeks", EPOCH + 20 * DAY, EPOCH + 38 * DAY / 24 },
	{ "alive for weeks, past 40 hours", EPOCH + 20 * DAY, EPOCH + 40 * DAY / 24 },
};

/* Whether the format has an exact answer for every address within prefix and beside it. */
static bool is_exact(const struct rg_prefix *prefix, const struct life *life, bool nets4)
{
	bool is4 = rg_addr_is_v4(&prefix->addr) && prefix->len >= RG_V4_PREFIX_BITS;

	if (is4 && prefix->len == RG_ADDR_BITS)
		return is_known(life->expiry, life->now);
	if (is4 && nets4 && prefix->len > RG_V4_PREFIX_BITS + 24)
		return is_known(life->expiry, life->now);
	if (is4)
		return nets4 && !life->expiry;
	return prefix->len == 64 && is_known(life->expiry, life->now);
}

static void check_alone(u128 number, uint32_t len, const struct life *life, bool nets4)
{
	const struct rg_index_size size = { .hosts4 = 512, .nets6 = 8, .nets4 = nets4 };
	const struct rg_index_entry entry = {
		.prefix = around(number, len),
		.expiry = life->expiry,
		.peer_class = nets4   ? (len & 1 ? RG_CLASS_APPROVED : RG_CLASS_BLOCKED) :
			      len & 1 ? RG_CLASS_STANDARD :
					RG_CLASS_QIL,
		.action = nets4 ? RG_ACTION_NONE : RG_ACTION_PASS + len % 7,
		.zone = nets4 ? RG_NO_ZONE : len % RG_MAX_ZONES,
	};
	char name[120], text[RG_PREFIX_TEXT];
	static struct checked checked;

	clear_presence();
	open_checked(&checked, len % RG_INDEXES, &size, EPOCH);
	put_checked(&checked, &entry);
	check_around(&checked, &entry.prefix, life->now);
	snprintf(name, sizeof(name), "%s %s%s", rg_prefix_format(&entry.prefix, text), life->name,
		 nets4 ? ", nets4" : "");
	if (is_exact(&entry.prefix, life, nets4))
		expect_asked(&checked, 0, name);
	close_checked(&checked);
}

/* Prefixes shorter than `cheap`, which take millions of stores or differ little, get one life only. */
static void check_every_length(u128 number, uint32_t first, uint32_t last, uint32_t cheap)
{
	for (uint32_t len = first; len <= last; len++)
		for (size_t i = 0; i < ARRAY_SIZE(lives); i++) {
			if (len < cheap && i != (len & 1) * 2)
				continue;
			check_alone(number, len, &lives[i], true);
			if (len >= cheap)
				check_alone(number, len, &lives[i], false);
		}
}

static void test_alone(void **state)
{
	(void)state;
	check_every_length(V4_BASE + 0xc0a8a7c5, 96, 128, 96 + 8);
	check_every_length(V4_BASE, 96 + 16, 128, 0);
	check_every_length(V4_BASE + UINT32_MAX, 96 + 16, 128, 0);
	check_every_length(V6_BASE + ((u128)0x12345678 << 64) + 0x99, 3, 128, 0);
	check_every_length(((u128)0xffff << 112) + 1, 1, 128, 129);
	/* Prefixes that cover all of IPv4, and those beside them. */
	for (uint32_t len = 0; len <= 80; len += 80)
		check_alone(0, len, &lives[len / 40], len);
	check_every_length(0, 81, 128, 0);
	check_every_length(V4_BASE - 1, 97, 128, 129);
	check_every_length((u128)0x10000 << 32, 97, 128, 129);
}

/* ---- prefixes in prefixes ---- */

struct chain {
	u128 number;
	uint32_t first, last; /* lengths */
	uint32_t step;
	unsigned int parity; /* which of them are approved */
	unsigned int timed; /* every n-th length ends; 0: none does */
	bool nets4;
};

static struct rg_index_entry link_of(const struct chain *chain, uint32_t len)
{
	/* Alive, over, in its last unit. */
	static const uint64_t ends[] = { EPOCH + DAY, EPOCH, NOW + UNIT / 2 };

	return (struct rg_index_entry){
		.prefix = around(chain->number, len),
		.expiry = chain->timed && len % chain->timed == 0 ? ends[len / chain->timed % 3] : 0,
		.peer_class = (len / chain->step + chain->parity) & 1 ? RG_CLASS_APPROVED :
									RG_CLASS_BLOCKED,
		.zone = RG_NO_ZONE,
	};
}

static void check_chain(const struct chain *chain)
{
	const struct rg_index_size size = { .hosts4 = 512, .nets6 = 8, .nets4 = chain->nets4 };
	static const uint64_t nows[] = { NOW, NOW + UNIT, EPOCH + 2 * DAY, EPOCH + 20 * DAY };
	static struct checked checked;

	clear_presence();
	open_checked(&checked, RG_INDEX_LISTS, &size, EPOCH);
	for (uint32_t len = chain->first; len <= chain->last; len += chain->step) {
		const struct rg_index_entry entry = link_of(chain, len);

		put_checked(&checked, &entry);
	}
	for (uint32_t len = chain->first; len <= chain->last; len += chain->step) {
		const struct rg_prefix prefix = around(chain->number, len);

		for (size_t i = 0; i < ARRAY_SIZE(nows); i++)
			check_around(&checked, &prefix, nows[i]);
	}
	/* IPv4 prefixes without an end are all in nets4 or expanded. */
	if (chain->nets4 && !chain->timed && chain->first >= RG_V4_PREFIX_BITS &&
	    chain->number >> 32 == V4_BASE >> 32)
		expect_asked(&checked, 0, "a chain");
	close_checked(&checked);
}

static void test_chains(void **state)
{
	static const uint32_t hosts[] = { 0x0a010203, 0, 0xffffffff, 0xc0000280 };

	(void)state;
	check_chain(&(struct chain){ V4_BASE + hosts[0], 96, 128, 1, 0, 0, true });
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		for (unsigned int form = 0; form < 16; form++)
			check_chain(&(struct chain){ .number = V4_BASE + hosts[i],
						     .first = 96 + 8,
						     .last = 128,
						     .step = 1,
						     .parity = form & 1,
						     .timed = form >> 2,
						     .nets4 = form >> 1 & 1 });
	for (unsigned int form = 0; form < 8; form++) {
		check_chain(&(struct chain){ V6_BASE + 5, 3, 128, 1, form & 1, form >> 1, false });
		check_chain(&(struct chain){ ~(u128)0, 1, 128, 1, form & 1, form >> 1, false });
		check_chain(&(struct chain){ 1, 81, 128, 1, form & 1, form >> 1, true });
	}
	check_chain(&(struct chain){ V4_BASE + 0x01020304, 80, 128, 16, 1, 0, true });
}

/* Each length within each shorter one, approved in blocked and the reverse. */
static void test_pairs(void **state)
{
	const u128 number = V4_BASE + 0x0b16a1b7;

	(void)state;
	for (uint32_t outer = 96 + 8; outer < 128; outer++)
		for (uint32_t inner = outer + 1; inner <= 128; inner++)
			for (unsigned int form = 0; form < 4; form++) {
				struct chain chain = { number,	      outer,	inner,
						       inner - outer, form & 1, (form >> 1) * 3,
						       true };

				check_chain(&chain);
			}
}

/* ---- many of every kind ---- */

static void test_random(void **state)
{
	static struct checked checked;

	(void)state;
	for (int round = 0; round < 300; round++) {
		const struct rg_index_size size = { .hosts4 = rnd(2) * 300, .nets4 = round & 1 };
		size_t count = 1 + rnd(round % 8 ? 12 : 100);
		struct rg_index_entry entries[100];

		for (size_t i = 0; i < count; i++)
			entries[i] = random_entry(size.nets4);
		if (size.nets4)
			qsort(entries, count, sizeof(*entries), by_length);
		clear_presence();
		open_checked(&checked, rnd(RG_INDEXES), &size, EPOCH);
		for (size_t i = 0; i < count; i++)
			put_checked(&checked, &entries[i]);
		check_all(&checked);
		if (rnd(10) == 0) {
			rg_index_retire_previous(checked.index);
			check_all(&checked);
		}
		close_checked(&checked);
	}
}

/* ---- addresses with a meaning of their own ---- */

static void test_special_addresses(void **state)
{
	const struct rg_index_size size = { .hosts4 = 100, .nets6 = 100 };
	static struct checked checked;
	const struct rg_index_entry mapped = { .prefix = around(V4_BASE + 1, 128),
					       .peer_class = RG_CLASS_QIL,
					       .action = RG_ACTION_DROP,
					       .zone = 1 };
	const struct rg_index_entry zero = { .prefix = around(V4_BASE, 128),
					     .peer_class = RG_CLASS_STANDARD,
					     .action = RG_ACTION_RESET,
					     .zone = 2 };
	const struct rg_index_entry clean = { .prefix = around(V4_BASE + 3, 128),
					      .peer_class = RG_CLASS_CLEAN,
					      .action = RG_ACTION_PASS,
					      .zone = RG_NO_ZONE };
	const struct rg_index_entry any = { .prefix = around(0, 64),
					    .peer_class = RG_CLASS_BLOCKED,
					    .action = RG_ACTION_PASS,
					    .zone = 3 };

	(void)state;
	open_checked(&checked, RG_INDEX_HOSTS, &size, EPOCH);
	put_checked(&checked, &mapped);
	/* 0.0.0.1 is known; IPv6 addresses with the same low bits are others. */
	assert_int_equal(check_at(&checked, V4_BASE + 1, NOW), answer_for(&mapped));
	assert_int_equal(check_at(&checked, 1, NOW), RG_INDEX_NONE);
	assert_int_equal(check_at(&checked, V4_BASE + 2, NOW), RG_INDEX_NONE);
	assert_int_equal(check_at(&checked, V4_BASE * 2 + 1, NOW), RG_INDEX_NONE);
	/* 0.0.0.0, which anybody can send from, has a slot as others: nobody else is left to the trie. */
	put_checked(&checked, &zero);
	assert_int_equal(check_at(&checked, V4_BASE, NOW), answer_for(&zero));
	assert_int_equal(check_at(&checked, V4_BASE + 1, NOW), answer_for(&mapped));
	assert_int_equal(check_at(&checked, V4_BASE + 2, NOW), RG_INDEX_NONE);
	put_checked(&checked, &clean);
	assert_int_equal(check_at(&checked, V4_BASE + 3, NOW), ANSWER_CLEAN);
	/* ::/64 covers IPv4. */
	put_checked(&checked, &any);
	assert_int_equal(check_at(&checked, 0, NOW), answer_for(&any));
	assert_int_equal(check_at(&checked, 1, NOW), answer_for(&any));
	assert_int_equal(check_at(&checked, (u128)0xfffe << 32, NOW), answer_for(&any));
	assert_int_equal(check_at(&checked, V4_BASE + 0x01020304, NOW), RG_INDEX_ASK);
	assert_int_equal(check_at(&checked, V4_BASE + 1, NOW), answer_for(&mapped));
	assert_int_equal(check_at(&checked, (u128)1 << 64, NOW), RG_INDEX_NONE);
	close_checked(&checked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nested_past_the_limit),
		TEST(test_alone),
		TEST(test_chains),
		TEST(test_pairs),
		TEST(test_random),
		TEST(test_special_addresses),
	};

	return cmocka_run_group_tests_name("networks", tests, NULL, NULL);
}
