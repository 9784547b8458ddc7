/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries: how one is written into slots, networks and presence bits, how it is taken out, and what is
 * found. A host or a /64 has a slot of its own, but for IPv6 hosts of local lists. An IPv4 prefix up to /24 is two bits for each /24, a
 * longer one is expanded into hosts. Whatever has no such form is left to the trie: "ask".
 */
#include "index/index_private.h"

/* An answer that no code stands for. */
#define ASK_ALWAYS (RG_INDEX_CODE_ASK << RG_INDEX_CODE_SHIFT)

/* ---- payloads ---- */

/* Rounded down: a slot never says "alive" for longer than its entry lives. units: of 2^33 ns. */
static uint32_t time_of(const struct rg_index *index, uint64_t units)
{
	uint64_t epoch = index->header->epoch, count = 0;

	for (uint32_t scale = 0; scale < RG_INDEX_SCALES; scale++) {
		uint32_t shift = RG_INDEX_SCALE(scale), time;

		if (units >> shift <= epoch >> shift)
			return 0; /* over; so it is on coarser scales */
		count = (units >> shift) - (epoch >> shift);
		time = scale << RG_INDEX_COUNT_BITS | (uint32_t)(count & RG_INDEX_COUNT_MASK);
		if (count <= RG_INDEX_COUNT_MASK && time != RG_INDEX_FOREVER)
			return time;
	}
	return RG_INDEX_LATEST;
}

uint64_t rg_index_entries_until(const struct rg_index *index, uint32_t payload)
{
	return rg_index_until_units(payload, index->header->epoch);
}

bool rg_index_entries_is_over(const struct rg_index *index, uint32_t payload, uint64_t now)
{
	return !rg_index_has_no_end(payload) &&
	       rg_index_entries_until(index, payload) <= now >> RG_INDEX_UNIT_SHIFT;
}

uint32_t rg_index_entries_answer(const struct rg_index *index, uint32_t payload)
{
	uint32_t code = payload >> RG_INDEX_CODE_SHIFT;

	return code && code <= RG_INDEX_ANSWERS ? index->header->answers[code - 1] : 0;
}

uint32_t rg_index_entries_code(struct rg_index *index, uint32_t answer)
{
	__u16 *answers = index->header->answers;

	for (uint32_t i = 0; answer && i < RG_INDEX_ANSWERS; i++) {
		if (!answers[i])
			__atomic_store_n(&answers[i], (__u16)answer, __ATOMIC_RELEASE);
		if (answers[i] == answer)
			return (i + 1) << RG_INDEX_CODE_SHIFT;
	}
	index->uncoded += answer != 0;
	return ASK_ALWAYS;
}

uint32_t rg_index_entries_mark(const struct rg_index *index, bool is4, rg_index_key key,
			       uint32_t answer)
{
	answer &= RG_INDEX_ANSWER_MASK;
	if (answer && is4 && index->part != RG_INDEX_LISTS &&
	    (!index->presence || rg_index_presence_is_near(index->presence, (uint32_t)key)))
		answer |= RG_INDEX_CHECK_LISTS;
	return answer;
}

static uint32_t answer_for(const struct rg_index_entry *entry)
{
	return rg_index_answer(entry->peer_class, entry->action, entry->zone);
}

/* ---- slots ---- */

/* Sets the state of count /24s from net on; 32 at a time where they fill a word. */
static void set_nets4(struct rg_index *index, uint32_t net, uint32_t count, enum rg_index_net state)
{
	for (uint32_t end = net + count; net < end; net++) {
		struct rg_index_line *line = &index->lines[RG_INDEX_NET_LINE(net)];
		__u64 *word = &line->words[RG_INDEX_NET_WORD(net)];
		uint32_t shift = RG_INDEX_NET_SHIFT(net);

		if (!shift && end - net >= 32) {
			rg_index_store(word, 0x5555555555555555ULL * state);
			net += 31;
		} else {
			rg_index_store(word, (*word & ~(3ULL << shift)) | (uint64_t)state << shift);
		}
	}
}

/* A host for an index that has no slots for hosts. */
static int put_without_slots(struct rg_index *index, uint32_t addr)
{
	if (index->header->nets4)
		set_nets4(index, addr >> 8, 1, RG_INDEX_NET_ASK);
	else
		index->header->other4 = 1;
	return 1;
}

int rg_index_entries_put(struct rg_index *index, bool is4, rg_index_key key, uint32_t answer,
			 uint64_t units)
{
	struct rg_index_table *table = rg_index_table_of(index, is4);
	uint32_t marked = rg_index_entries_mark(index, is4, key, answer);
	uint32_t payload = rg_index_entries_code(index, marked), old;
	int ret;

	if (!table->buckets)
		return put_without_slots(index, (uint32_t)key);
	payload |= units == RG_INDEX_NO_END ? RG_INDEX_FOREVER : time_of(index, units);
	ret = rg_index_table_put(table, key, payload, &old);
	rg_index_advance_put(index, table, key);
	return ret;
}

void rg_index_entries_remove(struct rg_index *index, struct rg_index_table *table,
			     const struct rg_index_slot *slot)
{
	index->removed += table->kind == RG_INDEX_TABLE_HOSTS4;
	rg_index_table_remove(table, slot);
}

static void remove_key(struct rg_index *index, bool is4, rg_index_key key)
{
	struct rg_index_table *table = rg_index_table_of(index, is4);
	struct rg_index_slot slot;
	bool ends;

	if (!table->buckets)
		return;
	if (rg_index_table_find(table, key, &slot, &ends))
		rg_index_entries_remove(index, table, &slot);
	else
		rg_index_table_forget(table, key);
}

/* ---- put ---- */

static bool is_host4(const struct rg_prefix *prefix)
{
	return prefix->len == RG_ADDR_BITS && rg_addr_is_v4(&prefix->addr);
}

/* Whether an IPv6 prefix has a slot: a /64, or a host of hosts and peers. Lists have few IPv6 hosts. */
static bool has_slot6(const struct rg_index *index, const struct rg_prefix *prefix)
{
	return !rg_addr_is_v4(&prefix->addr) &&
	       (prefix->len == 64 || (prefix->len == RG_ADDR_BITS && index->part != RG_INDEX_LISTS));
}

rg_index_key rg_index_entries_host6(const struct rg_index *index, const struct rg_addr *addr)
{
	uint64_t half = rg_index_half6(addr);

	return (rg_index_key)rg_index_mark6(half, rg_index_rest6(addr), index->header->seed) << 64 |
	       half;
}

/* Of a prefix with has_slot6(). */
static rg_index_key key6(const struct rg_index *index, const struct rg_prefix *prefix)
{
	return prefix->len == 64 ? rg_index_half6(&prefix->addr) :
				   rg_index_entries_host6(index, &prefix->addr);
}

static enum rg_index_net net_state(const struct rg_index_entry *entry)
{
	if (entry->expiry || entry->action != RG_ACTION_NONE)
		return RG_INDEX_NET_ASK;
	return entry->peer_class == RG_CLASS_APPROVED ? RG_INDEX_NET_APPROVED : RG_INDEX_NET_BLOCKED;
}

static uint64_t units_of(uint64_t expiry)
{
	return expiry ? expiry >> RG_INDEX_UNIT_SHIFT : RG_INDEX_NO_END;
}

static int put_host4(struct rg_index *index, uint32_t addr, const struct rg_index_entry *entry)
{
	return rg_index_entries_put(index, true, addr, answer_for(entry), units_of(entry->expiry));
}

/* Expands an IPv4 prefix of 25 to 31 bits into its hosts. */
static int expand4(struct rg_index *index, const struct rg_index_entry *entry)
{
	uint32_t first = rg_index_host4(&entry->prefix.addr);
	uint32_t count = 1U << (RG_ADDR_BITS - entry->prefix.len);
	int full = 0;

	for (uint32_t i = 0; i < count; i++) {
		int ret = put_host4(index, first + i, entry);

		if (ret < 0)
			return ret;
		full |= ret;
	}
	index->expanded += count;
	return full;
}

/*
 * Leaves such a prefix to the trie, once too many are expanded. The hosts of a prefix around it may
 * have slots already: they are left to the trie, too.
 */
static void ask4(struct rg_index *index, const struct rg_prefix *prefix)
{
	uint32_t first = rg_index_host4(&prefix->addr);
	uint32_t count = 1U << (RG_ADDR_BITS - prefix->len);
	struct rg_index_slot slot;
	bool ends;

	for (uint32_t i = 0; index->hosts4.buckets && i < count; i++)
		if (rg_index_table_find(&index->hosts4, first + i, &slot, &ends))
			rg_index_table_set(&index->hosts4, &slot, slot.payload & ~RG_INDEX_TIME_MASK);
	set_nets4(index, first >> 8, 1, RG_INDEX_NET_ASK);
}

/* An IPv4 prefix that is no host. */
static int put_net4(struct rg_index *index, const struct rg_index_entry *entry)
{
	uint32_t len = entry->prefix.len - RG_V4_PREFIX_BITS;
	uint32_t net = rg_index_host4(&entry->prefix.addr) >> 8;
	uint32_t count = len < 24 ? 1U << (24 - len) : 1;
	int full = 0;

	if (!index->header->nets4)
		index->header->other4 = 1;
	else if (len <= 24)
		set_nets4(index, net, count, net_state(entry));
	else if (index->expanded >= RG_INDEX_EXPANDED_MAX)
		ask4(index, &entry->prefix);
	else
		full = expand4(index, entry);
	rg_index_presence_add_nets4(index, net, count);
	return full;
}

/* An entry that covers all of IPv4, as ::/0 does. */
static void put_all4(struct rg_index *index)
{
	index->header->other4 = 1;
	if (index->header->nets4)
		set_nets4(index, 0, 1U << RG_INDEX_NET4_BITS, RG_INDEX_NET_ASK);
	rg_index_presence_add_nets4(index, 0, 1U << RG_INDEX_NET4_BITS);
}

/* An IPv6 prefix without a slot. */
static void put_other6(struct rg_index *index, const struct rg_prefix *prefix)
{
	uint32_t net = (uint32_t)(rg_index_half6(&prefix->addr) >> 32);
	uint32_t bit = index->part + RG_INDEX_ASKS, wide = net >> 16;
	uint32_t count = prefix->len < 16 ? 1U << (16 - prefix->len) : 1;

	if (prefix->len >= 32) {
		rg_index_presence_add_net6(index, net, bit);
		return;
	}
	for (uint32_t i = wide; i < wide + count; i++)
		rg_index_presence_add_wide6(index, i, bit);
}

int rg_index_put(struct rg_index *index, const struct rg_index_entry *entry)
{
	const struct rg_prefix *prefix = &entry->prefix;
	uint64_t half = rg_index_half6(&prefix->addr);
	uint32_t addr = rg_index_host4(&prefix->addr);
	int ret;

	index->written++;
	if (rg_prefix_has_v4(prefix))
		put_all4(index);
	if (is_host4(prefix)) {
		ret = put_host4(index, addr, entry);
		rg_index_presence_add_host4(index, addr);
		return ret;
	}
	if (has_slot6(index, prefix)) {
		ret = rg_index_entries_put(index, false, key6(index, prefix), answer_for(entry),
					   units_of(entry->expiry));
		rg_index_presence_add_net6(index, (uint32_t)(half >> 32), index->part);
		return ret;
	}
	if (rg_addr_is_v4(&prefix->addr) && prefix->len >= RG_V4_PREFIX_BITS)
		return put_net4(index, entry);
	put_other6(index, prefix);
	return 0;
}

void rg_index_remove(struct rg_index *index, const struct rg_prefix *prefix)
{
	if (is_host4(prefix))
		remove_key(index, true, rg_index_host4(&prefix->addr));
	else if (has_slot6(index, prefix))
		remove_key(index, false, key6(index, prefix));
}

/* ---- find, as XDP does ---- */

static uint32_t answer_at(const struct rg_index *index, uint32_t payload, uint64_t now)
{
	uint32_t answer = rg_index_entries_answer(index, payload) & RG_INDEX_ANSWER_MASK;

	if (rg_index_entries_is_over(index, payload, now))
		return RG_INDEX_ASK;
	return answer ? answer : RG_INDEX_ASK;
}

static uint32_t answer_of_net4(const struct rg_index *index, uint32_t net)
{
	const struct rg_index_line *line = &index->lines[RG_INDEX_NET_LINE(net)];

	if (!index->header->nets4)
		return index->header->other4 ? RG_INDEX_ASK : RG_INDEX_NONE;
	return rg_index_net_answer(rg_index_load(&line->words[RG_INDEX_NET_WORD(net)]) >>
					   RG_INDEX_NET_SHIFT(net) &
				   RG_INDEX_NET_MASK);
}

static uint32_t find_host4(const struct rg_index *index, uint32_t addr, uint64_t now)
{
	struct rg_index_slot slot;
	bool ends = true;

	if (!rg_index_presence_has4(index, addr))
		return RG_INDEX_NONE;
	if (index->hosts4.buckets && rg_index_table_find(&index->hosts4, addr, &slot, &ends))
		return answer_at(index, slot.payload, now);
	return ends ? answer_of_net4(index, addr >> 8) : RG_INDEX_ASK;
}

/* The slot of the address, else of its /64. Then *ends: XDP knows that neither has one. */
static bool find_slot6(const struct rg_index *index, const struct rg_addr *addr,
		       struct rg_index_slot *slot, bool *ends)
{
	if (index->part != RG_INDEX_LISTS) {
		if (rg_index_table_find(&index->nets6, rg_index_entries_host6(index, addr), slot,
					ends))
			return true;
		if (!*ends)
			return false;
	}
	return rg_index_table_find(&index->nets6, rg_index_half6(addr), slot, ends);
}

static uint32_t find_addr6(const struct rg_index *index, const struct rg_addr *addr, uint64_t now)
{
	const struct rg_index_presence *presence = index->presence;
	uint64_t half = rg_index_half6(addr);
	uint32_t bits = presence->nets6[rg_index_net6((uint32_t)(half >> 32))] |
			presence->wide6[half >> 48];
	struct rg_index_slot slot;
	bool ends;

	bits >>= index->part;
	if (bits >> RG_INDEX_ASKS & 1)
		return RG_INDEX_ASK;
	if (!(bits & 1))
		return RG_INDEX_NONE;
	if (find_slot6(index, addr, &slot, &ends))
		return answer_at(index, slot.payload, now);
	return ends ? RG_INDEX_NONE : RG_INDEX_ASK;
}

uint32_t rg_index_find(const struct rg_index *index, const struct rg_addr *addr, uint64_t now)
{
	return rg_addr_is_v4(addr) ? find_host4(index, rg_index_host4(addr), now) :
				     find_addr6(index, addr, now);
}

uint64_t rg_index_until(const struct rg_index *index, const struct rg_addr *addr, uint64_t now)
{
	bool is4 = rg_addr_is_v4(addr), ends;
	const struct rg_index_table *table = is4 ? &index->hosts4 : &index->nets6;
	struct rg_index_slot slot;

	if (rg_index_find(index, addr, now) <= RG_INDEX_ASK || !table->buckets)
		return 0;
	if (is4 ? !rg_index_table_find(table, rg_index_host4(addr), &slot, &ends) :
		  !find_slot6(index, addr, &slot, &ends))
		return 0;
	return rg_index_has_no_end(slot.payload) ?
		       UINT64_MAX :
		       rg_index_entries_until(index, slot.payload) << RG_INDEX_UNIT_SHIFT;
}
