/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/expiry_queue.h"

#include "base/addr.h"

#define FIRST_SIZE 1024

/* key: in the heap of hosts the IPv4 address, in the other one an index into the key table. */
struct item {
	uint32_t tick;
	uint32_t key;
};

/* A binary heap, soonest first. */
struct heap {
	struct item *items;
	size_t count, allocated;
};

struct key_table {
	struct rg_prefix *keys; /* the len of a free key is the index of the next free one */
	uint32_t count, allocated;
	uint32_t free; /* the first free one, or NO_KEY */
};
#define NO_KEY UINT32_MAX

struct rg_expiry_queue {
	struct heap hosts, others;
	struct key_table table; /* the keys of others */
};

uint32_t rg_expiry_tick(uint64_t time)
{
	uint64_t tick = (time >> RG_EXPIRY_TICK_SHIFT) + !!(time & (RG_EXPIRY_TICK - 1));

	return tick < UINT32_MAX ? (uint32_t)tick : UINT32_MAX;
}

int rg_expiry_queue_new(struct rg_expiry_queue **ret)
{
	struct rg_expiry_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	queue->table.free = NO_KEY;
	*ret = queue;
	return 0;
}

void rg_expiry_queue_free(struct rg_expiry_queue *queue)
{
	if (!queue)
		return;
	free(queue->hosts.items);
	free(queue->others.items);
	free(queue->table.keys);
	free(queue);
}

size_t rg_expiry_queue_count(const struct rg_expiry_queue *queue)
{
	return queue->hosts.count + queue->others.count;
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

/* The caller has made room. */
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
	/* After a flood, give its memory back. If this fails, nothing is lost. */
	if (heap->allocated > FIRST_SIZE && heap->count < heap->allocated / 4)
		(void)resize(heap, heap->allocated / 2);
	return first;
}

/* ---- keys ---- */

static bool is_host4(const struct rg_prefix *key)
{
	return key->len == RG_ADDR_BITS && rg_addr_is_v4(&key->addr);
}

/* An index, or NO_KEY: no memory. */
static uint32_t take_key(struct key_table *table)
{
	uint32_t key = table->free;

	if (key != NO_KEY) {
		table->free = table->keys[key].len;
		return key;
	}
	if (table->count == table->allocated) {
		uint32_t size = table->allocated ? table->allocated * 2 : FIRST_SIZE;
		struct rg_prefix *keys = reallocarray(table->keys, size, sizeof(*keys));

		if (!keys)
			return NO_KEY;
		table->keys = keys;
		table->allocated = size;
	}
	return table->count++;
}

static void free_key(struct key_table *table, uint32_t key)
{
	table->keys[key].len = table->free;
	table->free = key;
}

/* After a flood, give its memory back here too: keys move to the index of their item. */
static void shrink_table(struct key_table *table, const struct heap *heap)
{
	uint32_t size = table->allocated / 2;
	struct rg_prefix *keys;

	if (table->allocated <= FIRST_SIZE || heap->count >= table->allocated / 4)
		return;
	keys = reallocarray(NULL, size, sizeof(*keys));
	if (!keys)
		return;
	for (uint32_t i = 0; i < heap->count; i++) {
		keys[i] = table->keys[heap->items[i].key];
		heap->items[i].key = i;
	}
	free(table->keys);
	*table = (struct key_table){ .keys = keys,
				     .count = (uint32_t)heap->count,
				     .allocated = size,
				     .free = NO_KEY };
}

static struct rg_prefix host4(uint32_t addr)
{
	struct rg_prefix key = { .len = RG_ADDR_BITS, .addr.bytes = { [10] = 0xff, [11] = 0xff } };

	memcpy(key.addr.bytes + RG_ADDR_V4_OFFSET, &addr, sizeof(addr));
	return key;
}

static struct rg_expiry_entry entry_of(const struct rg_expiry_queue *queue, const struct heap *heap,
				       struct item item)
{
	return (struct rg_expiry_entry){
		.key = heap == &queue->hosts ? host4(item.key) : queue->table.keys[item.key],
		.tick = item.tick,
	};
}

/* ---- both heaps ---- */

int rg_expiry_queue_add(struct rg_expiry_queue *queue, const struct rg_prefix *key, uint64_t expiry)
{
	struct heap *heap = is_host4(key) ? &queue->hosts : &queue->others;
	struct item item = { .tick = rg_expiry_tick(expiry) };

	if (heap->count == heap->allocated &&
	    resize(heap, heap->allocated ? heap->allocated * 2 : FIRST_SIZE))
		return -ENOMEM;
	if (heap == &queue->hosts) {
		memcpy(&item.key, key->addr.bytes + RG_ADDR_V4_OFFSET, sizeof(item.key));
	} else {
		item.key = take_key(&queue->table);
		if (item.key == NO_KEY)
			return -ENOMEM;
		queue->table.keys[item.key] = *key;
	}
	push(heap, item);
	return 0;
}

bool rg_expiry_queue_pop(struct rg_expiry_queue *queue, uint64_t now, struct rg_expiry_entry *ret)
{
	struct heap *heap = &queue->hosts;
	struct item item;

	if (!heap->count ||
	    (queue->others.count && queue->others.items[0].tick < heap->items[0].tick))
		heap = &queue->others;
	if (!heap->count || heap->items[0].tick > now >> RG_EXPIRY_TICK_SHIFT)
		return false;
	item = pop(heap);
	*ret = entry_of(queue, heap, item);
	if (heap == &queue->others) {
		free_key(&queue->table, item.key);
		shrink_table(&queue->table, &queue->others);
	}
	return true;
}

bool rg_expiry_queue_at(const struct rg_expiry_queue *queue, size_t index, struct rg_expiry_entry *ret)
{
	const struct heap *heap = &queue->hosts;

	if (index >= heap->count) {
		index -= heap->count;
		heap = &queue->others;
	}
	if (index >= heap->count)
		return false;
	*ret = entry_of(queue, heap, heap->items[index]);
	return true;
}
