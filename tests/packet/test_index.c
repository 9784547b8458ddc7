/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index as XDP reads it: with it and without it the same is done to every packet, for prefixes of all
 * lengths, hosts without a slot, and wherever an agent died while it put an index in force.
 */
#include "index_run.h"

#include <unistd.h>

#include "base/addr.h"

/* ---- the index and the tries ---- */

static const u128 bases[] = { V4_BASE + 0x0a000000,	 V4_BASE + 0xc0000200, V4_BASE, V6_BASE,
			      V6_BASE + ((u128)1 << 64), (u128)0xfd << 120 };

static u128 random_number(void)
{
	u128 number = bases[rnd(COUNT(bases))];

	number += rnd(2) ? rnd(1 << 12) : rnd(1 << 8);
	if (number >> 64)
		number += (u128)rnd(1 << 8) << 64 | (u128)(rnd(8) == 0 ? rnd(1 << 16) : 0) << 80;
	return number;
}

static struct rg_index_entry random_entry(enum map_kind map)
{
	static const enum rg_action actions[] = { RG_ACTION_PASS, RG_ACTION_DROP, RG_ACTION_RESET,
						  RG_ACTION_TAG };
	const uint64_t now = run_now();
	const uint64_t ends[] = { 0, now + HOUR, now + 30 * DAY, now + 2 * UNIT, now + UNIT / 2, 1 };
	u128 number = random_number();
	bool is4 = !(number >> 64);
	uint32_t least = is4 ? 96 + 10 : 6;
	struct rg_index_entry entry = { .expiry = ends[rnd(COUNT(ends))], .zone = RG_NO_ZONE };

	entry.prefix = around(number, rnd(3) ? (uint32_t)(least + rnd(129 - least)) :
				      is4    ? 128 :
					       64);
	if (map == LISTS) {
		entry.peer_class = rnd(2) ? RG_CLASS_APPROVED : RG_CLASS_BLOCKED;
	} else if (map == VERDICTS) {
		entry.peer_class = rnd(2) ? RG_CLASS_STANDARD : RG_CLASS_QIL;
		entry.action = actions[rnd(COUNT(actions))];
		entry.zone = (uint32_t)rnd(2); /* a few answers more than an index can tell */
	} else {
		entry.prefix = around(number, 128);
		entry.peer_class = RG_CLASS_CLEAN;
		entry.action = RG_ACTION_PASS;
		entry.expiry = ends[1 + rnd(COUNT(ends) - 1)];
	}
	return entry;
}

static int by_length(const void *a, const void *b)
{
	const struct rg_index_entry *left = a, *right = b;

	return (int)left->prefix.len - (int)right->prefix.len;
}

#define ROUNDS 22 /* each waits for the kernel when it puts indexes in force */
#define ENTRIES 60 /* of each map */
#define RANDOM_LOOKUPS 900 /* for each part's entries */

/* Some of the lengths' turn: after all rounds each was there, of both families. */
static void force_lengths(struct rg_index_entry *entries, int round)
{
	for (uint32_t i = 0; i < 6; i++)
		entries[i].prefix = around(V6_BASE + rnd(16), ((uint32_t)round * 6 + i) % 129);
	for (uint32_t i = 0; i < 2; i++)
		entries[6 + i].prefix = around(V4_BASE + 0x0a000000 + rnd(1 << 12),
					       96 + ((uint32_t)round * 2 + i) % 33);
}

/* Some peers have a verdict as well, which comes first as long as it lives. */
static void share_addresses(struct rg_index_entry *peers, const struct rg_index_entry *verdicts)
{
	for (int i = 0; i < ENTRIES / 3; i++) {
		u128 number = number_of(&verdicts[rnd(ENTRIES)].prefix.addr);

		if (number >> 32 == V4_BASE >> 32 || number >> 64)
			peers[i].prefix = around(number, 128);
	}
}

/* Mostly with all parts that may be on; a part that is off leaves its trie, or `peers`, to answer. */
static void compare_some(struct run *run, u128 number, unsigned int which)
{
	compare_parts(run, number, rnd(2) ? which : which & (unsigned int)rnd(ALL_PARTS + 1));
}

/* which: the parts that may be on. */
static void check_lookups(struct run *run, const struct rg_index_entry *entries, size_t count,
			  unsigned int which)
{
	for (size_t i = 0; i < count; i++) {
		const struct rg_prefix *prefix = &entries[i].prefix;
		const struct rg_addr last = rg_prefix_last(prefix);
		u128 low = number_of(&prefix->addr), high = number_of(&last);
		const u128 numbers[] = { low,
					 high,
					 low + 1,
					 high - 1,
					 low - 1,
					 high + 1,
					 low + (random_number() & (high - low)),
					 low | (rnd(UINT32_MAX) & (high - low)),
					 high ^ (u128)rnd(256) << (128 - prefix->len) % 128,
					 low + ((u128)rnd(UINT32_MAX) << 64 & (high - low)) };

		for (size_t j = 0; j < COUNT(numbers); j++)
			compare_some(run, numbers[j], which);
	}
	for (int i = 0; i < RANDOM_LOOKUPS; i++)
		compare_some(run, random_number(), which);
	for (int i = 0; i < RANDOM_LOOKUPS / 8; i++)
		compare_some(run, V4_BASE + rnd(UINT32_MAX), which);
}

static void check_round(int round)
{
	static const enum rg_action blocked[] = { RG_ACTION_DROP, RG_ACTION_RESET, RG_ACTION_TAG };
	/* No tokens for unknown peers, so that none is marked in `peers`. */
	const struct tuning tuning = { .unknown = round & 1 ? RG_ACTION_DROP : RG_ACTION_PASS,
				       .overload = RG_ACTION_DROP,
				       .blocked = blocked[round % 3],
				       .tag_dscp = 8,
				       .no_samples = true,
				       .is_flood = true };
	const struct rg_index_size sizes[RG_INDEXES] = {
		[RG_INDEX_LISTS] = { .hosts4 = round % 4 * 200000, .nets4 = true },
		[RG_INDEX_HOSTS] = { .hosts4 = round % 7 * 100000 },
		[RG_INDEX_PEERS] = { .hosts4 = round % 5 * 100000 },
	};
	static const enum map_kind first[] = { LISTS, VERDICTS, PEERS },
				   last[] = { VERDICTS, PEERS, LISTS };
	const enum map_kind *maps = round % 3 ? first : last;
	/* Of some rounds' lists there is no index, as when it was given up: nothing is known of them. */
	unsigned int which = round % 4 == 3 ? ALL_PARTS & ~(1U << RG_INDEX_LISTS) : ALL_PARTS;
	static struct rg_index_entry entries[COUNT(first)][ENTRIES];
	struct run *run = indexed_run(&tuning, sizes);

	for (size_t i = 0; i < COUNT(first); i++) {
		for (int j = 0; j < ENTRIES; j++)
			entries[i][j] = random_entry(maps[i]);
		if (maps[i] == PEERS)
			share_addresses(entries[i], entries[i - 1]);
		else
			force_lengths(entries[i], round);
		qsort(entries[i], ENTRIES, sizeof(entries[i][0]), by_length);
		for (int j = 0; j < ENTRIES; j++)
			if (which >> part_of(maps[i]) & 1)
				put_known(run, maps[i], &entries[i][j]);
			else
				put_map(run, maps[i], &entries[i][j]);
	}
	rg_index_update_near(parts[RG_INDEX_HOSTS].index);
	rg_index_update_near(parts[RG_INDEX_PEERS].index);
	for (size_t i = 0; i < COUNT(first); i++) {
		check_lookups(run, entries[i], ENTRIES, which);
		/* Times count from an hour ago, then from a later time; that says nothing else. */
		for (int j = 0; j < RG_INDEXES; j++)
			rg_index_advance_epoch(parts[j].index, ago(rnd(HOUR)));
	}
	let_go(run);
}

static void test_same_as_the_tries(void **state)
{
	(void)state;
	compared = refused = asked = 0;
	for (int round = 0; round < ROUNDS; round++)
		check_round(round);
	print_message("%zu addresses compared, %zu of them refused, %zu times the trie was asked\n",
		      compared, refused, asked);
	assert_true(asked < RG_INDEXES * compared / 20 * 19);
	/* Else it is all of one kind, and shows nothing. */
	assert_true(compared >= 100000 && refused > compared / 5 && refused < compared / 5 * 4);
}

/* So many addresses that no slot can stand for; nobody has them but who looks for them. */
static void find_mute(u128 *numbers, size_t count)
{
	for (uint32_t next = 0x0c000000, i = 0; i < count; next++)
		if (!(rg_index_mix4(next, SEED) & RG_INDEX_KEY4_MASK))
			numbers[i++] = V4_BASE + next;
}

/* A verdict, a clean peer, both, or, of the last quarter, nothing. */
static void put_overflowing(struct run *run, u128 number, uint32_t i)
{
	struct rg_index_entry entry = { .prefix = around(number, number >> 64 ? 64 : 128),
					.expiry = run_now() + HOUR,
					.peer_class = RG_CLASS_QIL,
					.action = i & 8 ? RG_ACTION_TAG : RG_ACTION_RESET,
					.zone = i % 5 };

	if (i % 4 == 0 || i % 4 == 2)
		put_known(run, VERDICTS, &entry);
	entry.peer_class = RG_CLASS_CLEAN;
	entry.action = RG_ACTION_PASS;
	entry.zone = RG_NO_ZONE;
	entry.prefix = around(number, 128);
	if (i % 4 == 1 || i % 4 == 2)
		put_known(run, PEERS, &entry);
}

/* Far more than there is room for: who found no slot, and who is beside them, is left to the trie. */
static void test_overflow(void **state)
{
	enum { OVERFLOW = 1600, MUTE = 16 };
	const struct tuning tuning = { .unknown = RG_ACTION_DROP,
				       .overload = RG_ACTION_DROP,
				       .tag_dscp = 8,
				       .no_samples = true,
				       .is_flood = true };
	const struct rg_index_size tiny[RG_INDEXES] = { [RG_INDEX_HOSTS] = { .hosts4 = 1 },
							[RG_INDEX_PEERS] = { .hosts4 = 1 } };
	struct run *run = indexed_run(&tuning, tiny);
	u128 mute[MUTE];

	(void)state;
	compared = refused = asked = 0;
	find_mute(mute, MUTE);
	for (uint32_t i = 0; i < OVERFLOW; i++) {
		put_overflowing(run, overflowing4(i), i);
		put_overflowing(run, V6_BASE + ((u128)i << 64) + i, i);
		if (i < MUTE)
			put_overflowing(run, mute[i], i);
	}
	for (int part = RG_INDEX_HOSTS; part < RG_INDEXES; part++) {
		struct rg_index_count count = rg_index_count(parts[part].index);

		print_message("%zu of %d without a slot\n", count.overflow, OVERFLOW + MUTE / 2);
		assert_true(count.overflow > OVERFLOW / 2 &&
			    count.hosts4 > 16 * OVERFLOW4_BUCKETS - 16);
	}
	for (uint32_t i = 0; i < OVERFLOW; i++) {
		compare_some(run, overflowing4(i), ALL_PARTS);
		compare(run, V6_BASE + ((u128)i << 64) + i);
		if (i < MUTE)
			compare(run, mute[i]);
	}
	/* Those with nothing, and every other verdict is a reset. */
	assert_int_equal(refused, (2 * OVERFLOW + MUTE) / 4 + (2 * OVERFLOW + MUTE) / 4);
	let_go(run);
}

/* ---- from bank to bank ---- */

#define DYING_ENTRIES 40

/* An index with everything in it that its trie has, of another size each time. */
static int make_full(enum rg_index_part which,
		     struct rg_index_entry entries[RG_INDEXES][DYING_ENTRIES], struct part *ret)
{
	const struct rg_index_size size = { .hosts4 = 1 + rnd(rnd(4) ? 200000 : 700000),
					    .nets6 = rnd(1000),
					    .nets4 = which == RG_INDEX_LISTS };
	int ret_code = make_part(which, &size, ret);

	for (int i = 0; !ret_code && i < DYING_ENTRIES; i++)
		ret_code = rg_index_put(ret->index, &entries[which][i]) < 0 ? -ENOMEM : 0;
	return ret_code;
}

static void check_all_entries(struct run *run,
			      struct rg_index_entry entries[RG_INDEXES][DYING_ENTRIES])
{
	for (int part = 0; part < RG_INDEXES; part++)
		for (int i = 0; i < DYING_ENTRIES; i++)
			compare(run, number_of(&entries[part][i].prefix.addr) + rnd(2));
	for (int i = 0; i < 100; i++)
		compare(run, random_number());
}

/* The agent that did these steps has died. Its successor has only what is in the maps. */
static void succeed(struct run *run, struct rg_index_entry entries[RG_INDEXES][DYING_ENTRIES])
{
	in_force = run_settings(run)->index;
	for (int i = 0; i < RG_INDEXES; i++)
		close_part(&parts[i]);
	for (enum rg_index_part part = 0; part < RG_INDEXES; part++) {
		struct part fresh = {};

		assert_int_equal(make_full(part, entries, &fresh), 0);
		check_all_entries(run, entries);
		for (enum step_of step = 0; step < STEPS_OF; step++) {
			assert_int_equal(take_step(run, step, part, &fresh), 0);
			check_all_entries(run, entries);
		}
		parts[part] = fresh;
	}
}

static void check_death(struct run *run, enum rg_index_part part, enum step_of last,
			struct rg_index_entry entries[RG_INDEXES][DYING_ENTRIES])
{
	struct part fresh = {};

	assert_int_equal(make_full(part, entries, &fresh), 0);
	for (enum step_of step = 0; step <= last; step++) {
		assert_int_equal(take_step(run, step, part, &fresh), 0);
		check_all_entries(run, entries);
	}
	if (last < STEP_FLIP) {
		close_part(&fresh);
	} else {
		close_part(&parts[part]);
		parts[part] = fresh;
	}
}

/* Out of force: first the bits, then the maps; what an agent does that gives a part up. */
static void check_giving_up(struct run *run, enum rg_index_part part, int last,
			    struct rg_index_entry entries[RG_INDEXES][DYING_ENTRIES])
{
	uint32_t next = next_bank(part);
	const uint32_t banks[] = { next, next ^ 1 };

	set_in_force(run, in_force & ~byte_of(part));
	check_all_entries(run, entries);
	for (int i = 0; i < last; i++) {
		assert_true(!bpf_map_delete_elem(indexes, &banks[i]) || errno == ENOENT);
		check_all_entries(run, entries);
	}
}

/* Wherever an agent dies that puts an index in force or takes it out: what packets find is right. */
static void test_agent_dies(void **state)
{
	const struct tuning tuning = { .unknown = RG_ACTION_DROP,
				       .overload = RG_ACTION_DROP,
				       .blocked = RG_ACTION_RESET,
				       .tag_dscp = 8,
				       .no_samples = true,
				       .is_flood = true };
	static const enum map_kind maps[RG_INDEXES] = { LISTS, VERDICTS, PEERS };
	static struct rg_index_entry entries[RG_INDEXES][DYING_ENTRIES];
	const struct rg_index_size none[RG_INDEXES] = { [RG_INDEX_LISTS] = { .nets4 = true } };
	struct run *run = indexed_run(&tuning, none);

	(void)state;
	compared = refused = asked = 0;
	for (int part = 0; part < RG_INDEXES; part++) {
		for (int i = 0; i < DYING_ENTRIES; i++) {
			entries[part][i] = random_entry(maps[part]);
			/* No prefixes around all of IPv4's hosts: these are to be found by the filters. */
			if (part == RG_INDEX_HOSTS &&
			    !(number_of(&entries[part][i].prefix.addr) >> 64))
				entries[part][i].prefix.len = RG_ADDR_BITS;
		}
		qsort(entries[part], DYING_ENTRIES, sizeof(entries[part][0]), by_length);
		for (int i = 0; i < DYING_ENTRIES; i++)
			put_map(run, maps[part], &entries[part][i]);
	}
	set_in_force(run, 0);
	succeed(run, entries);
	for (enum rg_index_part part = 0; part < RG_INDEXES; part++) {
		for (enum step_of last = 0; last < STEPS_OF; last++) {
			check_death(run, part, last, entries);
			if (last != STEP_RETIRE)
				succeed(run, entries);
		}
		for (int last = 0; last <= 2; last++) {
			check_giving_up(run, part, last, entries);
			succeed(run, entries);
		}
	}
	print_message("%zu addresses compared, %zu of them refused, %zu times the trie was asked\n",
		      compared, refused, asked);
	assert_true(refused > compared / 5 && refused < compared / 5 * 4);
	let_go(run);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_same_as_the_tries),
	cmocka_unit_test(test_overflow),
	cmocka_unit_test(test_agent_dies),
};

int main(void)
{
	use_programs(RUN_BIT(RUN_FILTER), RUN_BIT(RUN_FILTER));
	return tests_main("index", NULL, 0, tests, COUNT(tests), 0);
}
