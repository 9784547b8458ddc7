/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "population.h"

struct rg_prefix key_of(const struct population *population, size_t key)
{
	/* Some networks lie side by side, others far apart. Odd numbers are never put. */
	uint64_t at = key % KEYS;
	struct rg_prefix net;

	if (key < KEYS)
		return v4((uint32_t)(at % 3 ? 0x0a000000 + at * 2 : at << 20 | 0x42), 32);
	net = v6(at % 3 ? 0x20010db800000000 + at * 2 :
			  (at + 1) << 44 | at << 8); /* not ::/64: IPv4 lies in it */
	/* Peers are addresses. */
	net.len = population->checked.part == RG_INDEX_PEERS ? RG_ADDR_BITS : 64;
	return net;
}

static struct rg_index_entry entry_of(const struct population *population, size_t key)
{
	const uint64_t now = population->now;
	const uint64_t ends[] = { 0, now + 1, now + UNIT, now + 3 * UNIT, now + 40 * UNIT, now + DAY };

	if (rnd(3) == 0)
		return (struct rg_index_entry){ .prefix = key_of(population, key),
						.expiry = ends[rnd(ARRAY_SIZE(ends))],
						.peer_class = RG_CLASS_CLEAN,
						.action = RG_ACTION_PASS,
						.zone = RG_NO_ZONE };
	/* With those above, as many answers as an index has codes for. */
	return (struct rg_index_entry){
		.prefix = key_of(population, key),
		.expiry = ends[rnd(ARRAY_SIZE(ends))],
		.peer_class = rnd(2) ? RG_CLASS_STANDARD : RG_CLASS_QIL,
		.action = RG_ACTION_DROP + rnd(2),
		.zone = rnd(3) ?: RG_NO_ZONE,
	};
}

void population_put(struct population *population, size_t key)
{
	population->live += !population->there[key];
	population->there[key] = true;
	population->entries[key] = entry_of(population, key);
	assert_true(rg_index_put(population->checked.index, &population->entries[key]) >= 0);
}

void population_forget(struct population *population, size_t key)
{
	population->live -= population->there[key];
	population->there[key] = false;
}

void population_remove(struct population *population, size_t key)
{
	const struct rg_prefix prefix = key_of(population, key);

	population_forget(population, key);
	rg_index_remove(population->checked.index, &prefix);
}

uint32_t population_check(struct population *population, size_t key)
{
	const struct rg_prefix prefix = key_of(population, key);
	const struct rg_index_entry *entry = &population->entries[key];
	struct rg_addr beside = prefix.addr;

	/* An address that is never put, where the presence bits send every lookup into the table. */
	beside.bytes[key < KEYS ? 15 : 7] |= 1;
	check_one(&population->checked, &beside, population->now, NULL);
	if (!population->there[key] || !is_alive(entry, population->now))
		entry = NULL;
	return check_one(&population->checked, &prefix.addr, population->now, entry);
}

void population_check_all(struct population *population)
{
	for (size_t key = 0; key < 2 * KEYS; key++)
		population_check(population, key);
}

struct population *population_new(const struct rg_index_size *size, enum rg_index_part part)
{
	struct population *population = calloc(1, sizeof(*population));

	assert_non_null(population);
	open_checked(&population->checked, part, size, EPOCH);
	population->now = NOW;
	return population;
}

void population_free(struct population *population)
{
	close_checked(&population->checked);
	free(population);
}

void population_sweep(struct population *population)
{
	size_t live = population->live,
	       swept = rg_index_sweep(population->checked.index, population->now);

	for (size_t key = 0; key < 2 * KEYS; key++) {
		uint64_t expiry = population->entries[key].expiry;

		if (population->there[key] && !is_known(expiry, population->now))
			population_forget(population, key);
	}
	assert_true(swept <= live - population->live);
}

size_t population_slotless(const struct population *population)
{
	bool has_hosts = rg_index_header(population->checked.index)->buckets4;

	return rg_index_count(population->checked.index).overflow + (has_hosts ? 0 : KEYS);
}

size_t population_flush(struct population *population, const struct rg_prefix *prefix)
{
	size_t flushed = rg_index_flush(population->checked.index, prefix);

	for (size_t key = 0; key < 2 * KEYS; key++) {
		const struct rg_prefix own = key_of(population, key);

		if (!prefix || (prefix->len <= own.len && rg_prefix_covers(prefix, &own.addr)))
			population_forget(population, key);
	}
	return flushed;
}

void population_flush_counted(struct population *population, const struct rg_prefix *prefix)
{
	size_t live = population->live, flushed = population_flush(population, prefix);

	assert_in_range(live - population->live, flushed, flushed + population_slotless(population));
}

void population_churn(struct population *population, unsigned int filling)
{
	size_t key = rnd(2 * KEYS);

	if (rnd(100) < filling)
		population_put(population, key);
	else
		population_remove(population, key);
	population_check(population, key);
	population_check(population, rnd(2 * KEYS));
}

/*
 * A copy has all peers but those that had overflowed. For those that end within a unit it answers "ask".
 */
static void population_lose(struct population *population, size_t most)
{
	size_t lost = 0;

	for (size_t key = 0; key < 2 * KEYS; key++) {
		const struct rg_prefix prefix = key_of(population, key);
		uint32_t answer =
			rg_index_find(population->checked.index, &prefix.addr, population->now);

		lost += population->there[key] &&
			is_alive(&population->entries[key], population->now) &&
			answer == RG_INDEX_NONE;
		if (answer <= RG_INDEX_ASK)
			population_forget(population, key);
	}
	assert_in_range(lost, 0, most);
}

void population_copy(struct population *population, const struct rg_index_size *size, bool retire)
{
	size_t overflow = rg_index_count(population->checked.index).overflow;
	struct checked fresh;

	open_checked_with(&fresh, population->checked.part, size, population->now, presence);
	assert_int_equal(rg_index_copy(fresh.index, population->checked.index), 0);
	if (retire || rnd(2))
		put_in_force(fresh.index, population->checked.part);
	close_checked(&population->checked);
	population->checked.index = fresh.index;
	if (retire)
		rg_index_retire_previous(population->checked.index);
	if (population->checked.part == RG_INDEX_PEERS)
		population_lose(population, overflow);
}
