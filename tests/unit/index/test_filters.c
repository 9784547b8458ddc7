/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters: they hide no host, and let few others through. */
#include "population.h"

/* More removed hosts than an index tolerates before it rebuilds its filters. */
#define REMOVED (65536 + KEYS)

/* Puts and removes other hosts, near the population and elsewhere; each leaves its bits behind. */
static void wear(struct rg_index *index)
{
	for (uint32_t i = 0; i < REMOVED; i++) {
		const struct rg_prefix guest =
			i & 1 ? v4((uint32_t)rnd(1ULL << 32) | 1, 32) :
				v4(0x0a000001 + 2 * (uint32_t)rnd(1 << 16), 32);

		if (is_unkeyed(&guest.addr))
			continue;
		put(index, guest, RG_CLASS_QIL, 0);
		rg_index_remove(index, &guest);
	}
}

static size_t count_looks(enum rg_index_part part, uint32_t probes)
{
	size_t count = 0;

	for (uint32_t i = 0; i < probes; i++)
		count += is_present4((uint32_t)rnd(1ULL << 32), part);
	return count;
}

/* As population_sweep(), but keys may have been put at any epoch: what is known to be alive stays. */
static void population_sweep_later(struct population *population)
{
	for (size_t key = 0; key < 2 * KEYS; key++) {
		const struct rg_prefix prefix = key_of(population, key);

		if (rg_index_find(population->checked.index, &prefix.addr, population->now) <=
		    RG_INDEX_ASK)
			population_forget(population, key);
	}
	(void)rg_index_sweep(population->checked.index, population->now);
}

/* Any operation on the whole of an index in force. */
static void population_change(struct population *population, const struct rg_index_size *size)
{
	const struct rg_prefix some = v4(0x0a000000 + ((uint32_t)rnd(10) << 8), 24);

	switch (rnd(7)) {
	case 0:
		(void)population_flush(population, rnd(4) ? &some : NULL);
		break;
	case 1:
		population_sweep_later(population);
		break;
	case 2:
		rg_index_retire_previous(population->checked.index);
		break;
	case 3:
		rg_index_update_near(population->checked.index);
		break;
	case 4:
		rg_index_rebuild_filters(population->checked.index); /* too early: it does nothing */
		break;
	default:
		population_copy(population, size, rnd(3));
	}
}

/* Each live host is present, if the index is in force. Returns how many there are. */
static size_t population_check_presence(const struct population *population)
{
	size_t looked = 0;

	for (size_t key = 0;
	     key < KEYS && is_in_force(population->checked.index, population->checked.part); key++) {
		const struct rg_prefix prefix = key_of(population, key);

		if (!population->there[key] || !is_alive(&population->entries[key], population->now))
			continue;
		assert_true(is_present4((uint32_t)rg_addr_half(&prefix.addr, 1),
					population->checked.part));
		looked++;
	}
	return looked;
}

/*
 * Hosts and peers with the same addresses, in small and large tables, and lists that are reloaded: no
 * operation on one part makes a filter hide a host of this part or of another.
 */
static void test_filters(void **state)
{
	const struct rg_index_size sizes[] = { {},
					       { .hosts4 = 300 },
					       { .hosts4 = 2 * KEYS },
					       { .hosts4 = 90000 },
					       { .hosts4 = 200000 } };
	const struct rg_index_size lists_size = { .hosts4 = 2000, .nets4 = true };
	struct population *populations[2];
	static struct checked lists;
	size_t looked = 0;

	(void)state;
	clear_presence();
	open_checked(&lists, RG_INDEX_LISTS, &lists_size, EPOCH);
	for (int i = 0; i < 2; i++)
		populations[i] = population_new(&sizes[1 + i], RG_INDEX_HOSTS + i);
	for (int round = 0; round < 400; round++) {
		struct population *population = populations[round & 1];

		for (int i = 0; i < 200; i++)
			population_churn(population, 55);
		population->now += rnd(UNIT);
		if (round % 5 == 0)
			reload(&lists);
		if (round % 100 < 2) {
			wear(population->checked.index);
			rg_index_rebuild_filters(population->checked.index);
		}
		population_change(population, &sizes[rnd(ARRAY_SIZE(sizes))]);
		for (int i = 0; i < 2; i++) {
			population_check_all(populations[i]);
			looked += population_check_presence(populations[i]);
		}
		check_all(&lists);
	}
	assert_true(looked > 10000);
	for (int i = 0; i < 2; i++)
		population_free(populations[i]);
	close_checked(&lists);
}

static void check_asked_everywhere(const struct rg_index *hosts, const struct rg_index *peers)
{
	for (int i = 0; i < 100; i++) {
		const struct rg_prefix host = v4((uint32_t)rnd(1ULL << 32), 32);

		assert_int_equal(find(hosts, host), RG_INDEX_ASK);
		assert_int_equal(find(peers, host), RG_INDEX_NONE);
	}
}

/* With a prefix among hosts, XDP asks the trie for all of IPv4, until an index without it is in force. */
static void test_filters_of_prefixes(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1000 }, larger = { .hosts4 = 700000 };
	struct rg_index *hosts = new_index(RG_INDEX_HOSTS, &size), *copy, *fresh;
	struct rg_index *peers = new_index(RG_INDEX_PEERS, &size);
	const struct rg_prefix prefix = v4(0x0a000000, 20), host = v4(0x0a000002, 32);

	(void)state;
	put(hosts, host, RG_CLASS_QIL, 0);
	assert_int_equal(find(hosts, v4(0x0a000100, 32)), RG_INDEX_NONE);
	put_in_force(peers, RG_INDEX_PEERS);
	put_in_force(hosts, RG_INDEX_HOSTS);
	put(hosts, prefix, RG_CLASS_QIL, 0);
	check_asked_everywhere(hosts, peers);
	rg_index_remove(hosts, &prefix);
	wear(hosts);
	rg_index_rebuild_filters(hosts);
	rg_index_retire_previous(peers);
	check_asked_everywhere(hosts, peers);
	copy = new_index(RG_INDEX_HOSTS, &larger);
	assert_int_equal(rg_index_copy(copy, hosts), 0);
	put_in_force(copy, RG_INDEX_HOSTS);
	rg_index_retire_previous(copy);
	check_asked_everywhere(copy, peers);
	assert_int_not_equal(find(copy, host), RG_INDEX_ASK);
	fresh = new_index(RG_INDEX_HOSTS, &size);
	put(fresh, host, RG_CLASS_QIL, 0);
	check_asked_everywhere(copy, peers);
	assert_int_equal(count_looks(RG_INDEX_HOSTS, 10000), 10000);
	/* Into the bank of `hosts`, which is not in force any more. */
	rg_index_free(hosts);
	put_in_force(fresh, RG_INDEX_HOSTS);
	rg_index_retire_previous(fresh);
	assert_in_range(count_looks(RG_INDEX_HOSTS, 10000), 0, 2);
	assert_int_equal(count_looks(RG_INDEX_PEERS, 10000), 0);
	assert_int_not_equal(find(fresh, host), RG_INDEX_NONE);
	rg_index_free(copy);
	rg_index_free(fresh);
	rg_index_free(peers);
}

#define MILLION 1000000

static uint32_t nth(uint64_t salt, uint32_t i)
{
	return (uint32_t)((salt + i) * 0x9e3779b97f4a7c15ULL >> 32);
}

/* Puts so many addresses that have no key, or whose search begins in the same eight buckets. */
static void put_overflow(struct rg_index *index, uint32_t *addrs, size_t count)
{
	for (uint32_t next = 0, i = 0; i < count; next++) {
		uint32_t addr = next << 6 | 1, hash = rg_index_mix4(addr, seed);
		uint32_t home = rg_index_home(hash, rg_index_header(index)->buckets4);

		if (home >= 8 && hash & RG_INDEX_KEY4_MASK)
			continue;
		addrs[i++] = addr;
		put(index, v4(addr, 32), RG_CLASS_QIL, 0);
	}
}

/* Percent of a million other addresses that the filters let through. */
static double percent_looks(enum rg_index_part part)
{
	return 100.0 * (double)count_looks(part, MILLION) / MILLION;
}

/* Puts and removes so many other hosts, a few at a time, so that the table is never much fuller. */
static void come_and_go(struct rg_index *index, enum rg_index_part part, size_t count)
{
	uint64_t go = rnd(1ULL << 40);
	size_t swept = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct rg_prefix guest = v4(nth(go, i), 32);

		if (!rg_index_until(index, &guest.addr, NOW)) {
			put(index, guest, RG_CLASS_QIL, EPOCH + DAY);
			assert_true(is_present4(nth(go, i), part));
		}
		if (i % 20000 == 19999 || i + 1 == count)
			swept += rg_index_sweep(index, EPOCH + 2 * DAY);
	}
	assert_in_range(swept, count / 10 * 9, count);
}

static const struct rate {
	const char *name;
	size_t room; /* hosts that the index is made for */
	uint32_t stay; /* hosts in it */
	double most; /* percent of others that the filters let through, if no host was removed */
} rates[] = {
	/* Ten hosts for each filter, the most there are. */
	{ "2^13 filters, full", 1, 81920, 9 },
	{ "2^14 filters, full", 163000, 163000, 9 },
	{ "2^15 filters, full", 327000, 327000, 9 },
	{ "2^16 filters, full", 580000, 580000, 9 },
	{ "2^17 filters, as full as others", 1310720, 1310720, 9 },
	/* As many as after a copy, which has room for half as many more. */
	{ "2^13 filters, half full", 1, 50000, 4 },
	{ "2^17 filters, a million", 2 * MILLION, MILLION, 6 },
};

/* A few more removed hosts than an index tolerates before it rebuilds its filters. */
static uint32_t most_removed(const struct rate *rate, enum rg_index_part part)
{
	return rate->stay / 2 + (10U << (in_force_of(part) >> 2)) / 16 + rate->stay / 50 + 1000;
}

/* Random hosts that stay, and others that are put and removed. */
static void check_rate(enum rg_index_part part, const struct rate *rate)
{
	const struct rg_index_size size = { .hosts4 = rate->room };
	struct rg_index *index = new_index(part, &size);
	uint64_t stay = rnd(1ULL << 40);
	static uint32_t overflow[600];
	double before, worn, after;

	for (uint32_t i = 0; i < rate->stay / 2; i++)
		put(index, v4(nth(stay, i), 32), RG_CLASS_QIL, 0);
	put_in_force(index, part);
	for (uint32_t i = rate->stay / 2; i < rate->stay; i++)
		put(index, v4(nth(stay, i), 32), RG_CLASS_QIL, 0);
	put_overflow(index, overflow, ARRAY_SIZE(overflow));
	assert_true(rg_index_count(index).overflow > 100);
	before = percent_looks(part);
	come_and_go(index, part, most_removed(rate, part));
	worn = percent_looks(part);
	rg_index_rebuild_filters(index);
	after = percent_looks(part);
	print_message("part %d, %s: %.1f %% of others pass, %.1f %% after many were removed, "
		      "then %.1f %%\n",
		      part, rate->name, before, worn, after);
	assert_true(before <= rate->most && after <= rate->most && worn < 18);
	assert_true(worn > 1.5 * before && after < before * 1.1);
	for (uint32_t i = 0; i < rate->stay; i++)
		assert_true(is_present4(nth(stay, i), part));
	for (size_t i = 0; i < ARRAY_SIZE(overflow); i++) {
		assert_true(is_present4(overflow[i], part));
		assert_int_not_equal(find(index, v4(overflow[i], 32)), RG_INDEX_NONE);
	}
	/* Few were removed since: it does nothing. */
	rg_index_rebuild_filters(index);
	assert_true(is_present4(nth(stay, 0), part));
	rg_index_free(index);
}

static void test_filter_rate(void **state)
{
	const struct rg_index_size size = { .hosts4 = 1 };
	struct rg_index *peers;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		clear_presence();
		peers = new_index(RG_INDEX_PEERS, &size);
		put_in_force(peers, RG_INDEX_PEERS);
		check_rate(RG_INDEX_HOSTS, &rates[i]);
		/* The other part's filters are empty. */
		assert_int_equal(count_looks(RG_INDEX_PEERS, MILLION), 0);
		rg_index_free(peers);
		if (i % 4 == 0)
			check_rate(RG_INDEX_PEERS, &rates[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_filters),
		TEST(test_filters_of_prefixes),
		TEST(test_filter_rate),
	};

	return cmocka_run_group_tests_name("filters", tests, NULL, NULL);
}
