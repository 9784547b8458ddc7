/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/neighbours.h"

#include "base/addr.h"
#include "base/hash.h"
#include "store/expiry_queue.h"

#define FIRST_SIZE 1024 /* slots; always a power of two */
#define SWEPT_AT_ONCE 16384 /* slots; a table of a million takes 64 sweeps */

struct slot {
	struct rg_addr addr;
	uint32_t hash; /* of the prefix: neighbours have the same home */
	uint32_t end; /* rg_expiry_tick(); 0: the slot is empty */
	uint32_t turn; /* when it was put: neighbours->turn; wraps */
	bool is_listed;
	bool is_settled; /* others of its prefix do not push it out */
};

/* A hash table with linear probing. There is always an empty slot, which ends a search. */
struct rg_neighbours {
	struct slot *slots;
	size_t size, count;
	size_t next_sweep; /* slot */
	uint32_t prefix_len;
	uint32_t turn;
};

int rg_neighbours_new(struct rg_neighbours **ret, uint32_t prefix_len)
{
	struct rg_neighbours *neighbours = calloc(1, sizeof(*neighbours));

	if (!neighbours)
		return -ENOMEM;
	neighbours->prefix_len = prefix_len;
	neighbours->size = FIRST_SIZE;
	neighbours->slots = calloc(FIRST_SIZE, sizeof(*neighbours->slots));
	if (!neighbours->slots) {
		free(neighbours);
		return -ENOMEM;
	}
	*ret = neighbours;
	return 0;
}

void rg_neighbours_free(struct rg_neighbours *neighbours)
{
	if (!neighbours)
		return;
	free(neighbours->slots);
	free(neighbours);
}

/* ---- slots ---- */

static uint32_t hash_of(const struct rg_prefix *prefix)
{
	return (uint32_t)rg_hash(&prefix->addr, sizeof(prefix->addr));
}

static size_t next_slot(const struct rg_neighbours *neighbours, size_t at)
{
	return (at + 1) & (neighbours->size - 1);
}

static size_t home_of(const struct rg_neighbours *neighbours, uint32_t hash)
{
	return hash & (neighbours->size - 1);
}

/* The slot of addr, or the empty one that ends the search for it. */
static struct slot *find_slot(const struct rg_neighbours *neighbours, const struct rg_addr *addr,
			      uint32_t hash)
{
	size_t at = home_of(neighbours, hash);

	while (neighbours->slots[at].end && rg_addr_compare(&neighbours->slots[at].addr, addr))
		at = next_slot(neighbours, at);
	return &neighbours->slots[at];
}

/* Moves all to a table of another size. If there is no memory the old one stays. 0 or -ENOMEM. */
static int resize(struct rg_neighbours *neighbours, size_t size)
{
	struct rg_neighbours old = *neighbours;
	struct slot *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	neighbours->slots = slots;
	neighbours->size = size;
	neighbours->next_sweep = 0;
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].end)
			*find_slot(neighbours, &old.slots[i].addr, old.slots[i].hash) = old.slots[i];
	free(old.slots);
	return 0;
}

/* Empties a slot. Those behind it move up, so that each is reached from its home without a gap. */
static void empty_slot(struct rg_neighbours *neighbours, size_t gap)
{
	const size_t mask = neighbours->size - 1;
	size_t at = gap;

	for (;;) {
		at = next_slot(neighbours, at);
		if (!neighbours->slots[at].end)
			break;
		if (((at - home_of(neighbours, neighbours->slots[at].hash)) & mask) >=
		    ((at - gap) & mask)) {
			neighbours->slots[gap] = neighbours->slots[at];
			gap = at;
		}
	}
	neighbours->slots[gap] = (struct slot){};
	neighbours->count--;
}

static size_t index_of(const struct rg_neighbours *neighbours, const struct slot *slot)
{
	return (size_t)(slot - neighbours->slots);
}

/* ---- one prefix ---- */

struct members {
	size_t count, settled;
	struct slot *first; /* the one that rg_neighbours_take_surplus() takes; NULL: none but the last */
};

/* What is pushed out last has the highest rank. */
static int rank_of(const struct slot *slot)
{
	return slot->is_listed ? 2 : slot->is_settled;
}

static bool goes_before(const struct slot *a, const struct slot *b)
{
	return rank_of(a) == rank_of(b) ? (int32_t)(a->turn - b->turn) < 0 : rank_of(a) < rank_of(b);
}

static struct members members_of(const struct rg_neighbours *neighbours,
				 const struct rg_prefix *prefix)
{
	const uint32_t hash = hash_of(prefix);
	struct members members = {};

	for (size_t at = home_of(neighbours, hash); neighbours->slots[at].end;
	     at = next_slot(neighbours, at)) {
		struct slot *slot = &neighbours->slots[at];

		if (slot->hash != hash || !rg_prefix_covers(prefix, &slot->addr))
			continue;
		members.count++;
		members.settled += slot->is_settled;
		if (slot->turn + 1 != neighbours->turn &&
		    (!members.first || goes_before(slot, members.first)))
			members.first = slot;
	}
	return members;
}

bool rg_neighbours_put(struct rg_neighbours *neighbours, const struct rg_addr *addr,
		       uint64_t expiry, bool is_listed)
{
	const struct rg_prefix prefix = rg_peer_of(addr, neighbours->prefix_len);
	const uint32_t hash = hash_of(&prefix), end = rg_expiry_tick(expiry);
	struct members members;
	struct slot *slot;
	bool is_settled;

	if (neighbours->count >= neighbours->size / 8 * 5 &&
	    resize(neighbours, 2 * neighbours->size) && neighbours->count + 1 == neighbours->size)
		return false;
	slot = find_slot(neighbours, addr, hash);
	neighbours->count += !slot->end;
	is_settled = slot->end && slot->is_settled;
	*slot = (struct slot){ *addr, hash, end ? end : 1, neighbours->turn++, is_listed, is_settled };
	members = members_of(neighbours, &prefix);
	if (!is_settled && members.settled < RG_NEIGHBOURS / 2)
		slot->is_settled = true;
	return members.count > RG_NEIGHBOURS;
}

bool rg_neighbours_remove(struct rg_neighbours *neighbours, const struct rg_addr *addr)
{
	const struct rg_prefix prefix = rg_peer_of(addr, neighbours->prefix_len);
	struct slot *slot = find_slot(neighbours, addr, hash_of(&prefix));
	bool was_listed = slot->end && slot->is_listed;

	if (slot->end)
		empty_slot(neighbours, index_of(neighbours, slot));
	return was_listed;
}

size_t rg_neighbours_listed(const struct rg_neighbours *neighbours, const struct rg_prefix *prefix,
			    struct rg_addr *ret, size_t max)
{
	const uint32_t hash = hash_of(prefix);
	size_t count = 0;

	for (size_t at = home_of(neighbours, hash); neighbours->slots[at].end && count < max;
	     at = next_slot(neighbours, at)) {
		const struct slot *slot = &neighbours->slots[at];

		if (slot->is_listed && slot->hash == hash && rg_prefix_covers(prefix, &slot->addr))
			ret[count++] = slot->addr;
	}
	return count;
}

bool rg_neighbours_take_surplus(struct rg_neighbours *neighbours, const struct rg_prefix *prefix,
				struct rg_addr *ret)
{
	struct members members = members_of(neighbours, prefix);

	if (members.count <= RG_NEIGHBOURS || !members.first)
		return false;
	*ret = members.first->addr;
	empty_slot(neighbours, index_of(neighbours, members.first));
	return true;
}

/* ---- all ---- */

#define REMOVED_AT_ONCE 2048 /* slots */

static void begin_walk(const struct rg_neighbours *neighbours, struct rg_neighbours_walk *walk)
{
	if (!walk->is_under_way)
		walk->turn = neighbours->turn;
	walk->is_under_way = true;
	if (walk->size != neighbours->size)
		walk->next = 0;
	walk->size = neighbours->size;
}

/* A slot that is emptied may get another one's address, which is looked at next. */
bool rg_neighbours_remove_unlisted(struct rg_neighbours *neighbours, const struct rg_prefix *prefix,
				   struct rg_neighbours_walk *walk)
{
	begin_walk(neighbours, walk);
	for (int i = 0; i < REMOVED_AT_ONCE && walk->next < walk->size; i++, walk->next++) {
		const struct slot *slot = &neighbours->slots[walk->next];

		while (slot->end && !slot->is_listed && (int32_t)(slot->turn - walk->turn) < 0 &&
		       (!prefix || rg_prefix_covers(prefix, &slot->addr)))
			empty_slot(neighbours, walk->next);
	}
	return walk->next < walk->size;
}

void rg_neighbours_sweep(struct rg_neighbours *neighbours, uint64_t now)
{
	const uint64_t tick = now >> RG_EXPIRY_TICK_SHIFT;
	size_t most = neighbours->size < SWEPT_AT_ONCE ? neighbours->size : SWEPT_AT_ONCE;

	for (size_t i = 0; i < most; i++) {
		const struct slot *slot = &neighbours->slots[neighbours->next_sweep];

		while (slot->end && slot->end <= tick)
			empty_slot(neighbours, neighbours->next_sweep);
		neighbours->next_sweep = next_slot(neighbours, neighbours->next_sweep);
	}
	/* After a flood, give its memory back. If this fails, nothing is lost. */
	if (neighbours->size > FIRST_SIZE && neighbours->count < neighbours->size / 8)
		(void)resize(neighbours, neighbours->size / 2);
}

size_t rg_neighbours_count(const struct rg_neighbours *neighbours)
{
	return neighbours->count;
}
