/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/expiry_queue.h"

#include "base/addr.h"

#define FIRST_SIZE 1024

/* A key is its IPv4 address (in the heap of hosts), or the number of its slot. */
struct item {
	uint32_t tick;
	uint32_t key;
};

/* Binary, soonest first. */
struct heap {
	struct item *items;
	size_t count, allocated;
};

struct slots {
	struct rg_prefix *keys; /* a free one's len is the next free one */
	uint32_t count, allocated;
	uint32_t free; /* the first free one, or NO_SLOT */
};
#define NO_SLOT UINT32_MAX

struct rg_expiry_queue {
	struct heap hosts, others;
	struct slots slots; /* keys of others */
};

uint32_t rg_expiry_tick(uint64_t time)
{
	uint64_t tick = (time >> RG_EXPIRY_TICK_SHIFT) + !!(time & (RG_EXPIRY_TICK - 1));

	return tick < UINT32_MAX ? (uint32_t)tick : UINT32_MAX;
}

int rg_expiry_queue_new(struct rg_expiry_queue **ret)
{
	struct rg_expiry_queue *due = calloc(1, sizeof(*due));

	if (!due)
		return -ENOMEM;
	due->slots.free = NO_SLOT;
	*ret = due;
	return 0;
}

void rg_expiry_queue_free(struct rg_expiry_queue *due)
{
	if (!due)
		return;
	free(due->hosts.items);
	free(due->others.items);
	free(due->slots.keys);
	free(due);
}

size_t rg_expiry_queue_count(const struct rg_expiry_queue *due)
{
	return due->hosts.count + due->others.count;
}

/* ---- a heap ---- */

static int resize(struct heap *heap, size_t size)
{
	struct item *items = reallocarray(heap->items, size, sizeof(*items));

	if (!items)
		return -ENOMEM;
	heap->items = items;
	heap->allocated = size;
	return 0;
}

static void sift_up(struct heap *heap, size_t at, struct item item)
{
	struct item *items = heap->items;

	for (; at && items[(at - 1) / 2].tick > item.tick; at = (at - 1) / 2)
		items[at] = items[(at - 1) / 2];
	items[at] = item;
}

static void sift_down(struct heap *heap, struct item item)
{
	struct item *items = heap->items;
	size_t at = 0, child;

	while ((child = 2 * at + 1) < heap->count) {
		if (child + 1 < heap->count && items[child + 1].tick < items[child].tick)
			child++;
		if (items[child].tick >= item.tick)
			break;
		items[at] = items[child];
		at = child;
	}
	items[at] = item;
}

/* There is room. */
static void push(struct heap *heap, struct item item)
{
	heap->count++;
	sift_up(heap, heap->count - 1, item);
}

static struct item pop(struct heap *heap)
{
	struct item first = heap->items[0];

	if (--heap->count)
		sift_down(heap, heap->items[heap->count]);
	/* A flood of long ago shall not stay in memory. If this fails, it does. */
	if (heap->allocated > FIRST_SIZE && heap->count < heap->allocated / 4)
		(void)resize(heap, heap->allocated / 2);
	return first;
}

/* ---- keys ---- */

static bool is_host4(const struct rg_prefix *key)
{
	return key->len == RG_ADDR_BITS && rg_addr_is_v4(&key->addr);
}

/* NO_SLOT: no memory */
static uint32_t take_slot(struct slots *slots)
{
	uint32_t slot = slots->free;

	if (slot != NO_SLOT) {
		slots->free = slots->keys[slot].len;
		return slot;
	}
	if (slots->count == slots->allocated) {
		uint32_t size = slots->allocated ? slots->allocated * 2 : FIRST_SIZE;
		struct rg_prefix *keys = reallocarray(slots->keys, size, sizeof(*keys));

		if (!keys)
			return NO_SLOT;
		slots->keys = keys;
		slots->allocated = size;
	}
	return slots->count++;
}

static void free_slot(struct slots *slots, uint32_t slot)
{
	slots->keys[slot].len = slots->free;
	slots->free = slot;
}

/* A flood of long ago shall not stay in memory here either: keys move to where their items are. */
static void shrink_slots(struct slots *slots, const struct heap *heap)
{
	uint32_t size = slots->allocated / 2;
	struct rg_prefix *keys;

	if (slots->allocated <= FIRST_SIZE || heap->count >= slots->allocated / 4)
		return;
	keys = reallocarray(NULL, size, sizeof(*keys));
	if (!keys)
		return;
	for (uint32_t i = 0; i < heap->count; i++) {
		keys[i] = slots->keys[heap->items[i].key];
		heap->items[i].key = i;
	}
	free(slots->keys);
	*slots = (struct slots){ .keys = keys,
				 .count = (uint32_t)heap->count,
				 .allocated = size,
				 .free = NO_SLOT };
}

static struct rg_prefix host4(uint32_t addr)
{
	struct rg_prefix key = { .len = RG_ADDR_BITS, .addr.bytes = { [10] = 0xff, [11] = 0xff } };

	memcpy(key.addr.bytes + RG_ADDR_V4_OFFSET, &addr, sizeof(addr));
	return key;
}

static struct rg_expiry_entry entry_of(const struct rg_expiry_queue *due, const struct heap *heap,
				       struct item item)
{
	return (struct rg_expiry_entry){
		.key = heap == &due->hosts ? host4(item.key) : due->slots.keys[item.key],
		.tick = item.tick,
	};
}

/* ---- both heaps ---- */

int rg_expiry_queue_add(struct rg_expiry_queue *due, const struct rg_prefix *key, uint64_t expiry)
{
	struct heap *heap = is_host4(key) ? &due->hosts : &due->others;
	struct item item = { .tick = rg_expiry_tick(expiry) };

	if (heap->count == heap->allocated &&
	    resize(heap, heap->allocated ? heap->allocated * 2 : FIRST_SIZE))
		return -ENOMEM;
	if (heap == &due->hosts) {
		memcpy(&item.key, key->addr.bytes + RG_ADDR_V4_OFFSET, sizeof(item.key));
	} else {
		item.key = take_slot(&due->slots);
		if (item.key == NO_SLOT)
			return -ENOMEM;
		due->slots.keys[item.key] = *key;
	}
	push(heap, item);
	return 0;
}

bool rg_expiry_queue_pop(struct rg_expiry_queue *due, uint64_t now, struct rg_expiry_entry *ret)
{
	struct heap *heap = &due->hosts;
	struct item item;

	if (!heap->count || (due->others.count && due->others.items[0].tick < heap->items[0].tick))
		heap = &due->others;
	if (!heap->count || heap->items[0].tick > now >> RG_EXPIRY_TICK_SHIFT)
		return false;
	item = pop(heap);
	*ret = entry_of(due, heap, item);
	if (heap == &due->others) {
		free_slot(&due->slots, item.key);
		shrink_slots(&due->slots, &due->others);
	}
	return true;
}

bool rg_expiry_queue_at(const struct rg_expiry_queue *due, size_t index, struct rg_expiry_entry *ret)
{
	const struct heap *heap = &due->hosts;

	if (index >= heap->count) {
		index -= heap->count;
		heap = &due->others;
	}
	if (index >= heap->count)
		return false;
	*ret = entry_of(due, heap, heap->items[index]);
	return true;
}
