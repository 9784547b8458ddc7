/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/verdict_map.h"

#include "base/addr.h"
#include "store/expiry_queue.h"
#include "store/map_walk.h"
#include "store/slot_bitmap.h"

#include <bpf/bpf.h>

struct rg_verdict_map {
	const struct rg_maps *maps;
	struct rg_index_maps *indexes;
	struct rg_expiry_queue *queue; /* keys by expiry; an entry may be outdated, the map decides */
	uint64_t rebuilds; /* of the queue */
	struct rg_slot_bitmap *slots; /* of `verdict_details`: each verdict has one of its own */
	struct rg_verdict_map_observer observer;
	struct rg_verdict_map_count count;
};

int rg_verdict_map_new(struct rg_verdict_map **ret, const struct rg_maps *maps,
		       struct rg_index_maps *indexes, const struct rg_verdict_map_observer *observer)
{
	struct rg_verdict_map *map = calloc(1, sizeof(*map));

	if (!map)
		return -ENOMEM;
	map->maps = maps;
	map->indexes = indexes;
	map->observer = *observer;
	if (rg_expiry_queue_new(&map->queue) || rg_slot_bitmap_new(&map->slots, maps->details_count)) {
		rg_verdict_map_free(map);
		return -ENOMEM;
	}
	*ret = map;
	return 0;
}

void rg_verdict_map_free(struct rg_verdict_map *map)
{
	if (!map)
		return;
	rg_expiry_queue_free(map->queue);
	rg_slot_bitmap_free(map->slots);
	free(map);
}

/* ---- verdicts and their details ---- */

#define CODES 0x7f000000U /* 127.0.0.0/8: an answer outside it is no listing (dnsbl_query.h) */

/* An entry of maps with its details; without any they are zero. */
static struct rg_full_verdict full_verdict(const struct rg_maps *maps, const struct rg_verdict *value)
{
	struct rg_verdict_details details = {};
	struct rg_full_verdict full = { .expiry = value->expiry,
					.zone = value->zone,
					.peer_class = value->peer_class,
					.action = value->action };

	if (value->details < maps->details_count)
		details = maps->details[value->details];
	full.since = details.since * RG_NSEC_PER_SEC;
	full.hits = details.hits;
	full.reason = details.reason;
	if (full.reason == RG_REASON_ZONE)
		full.code = CODES | (uint32_t)details.code[0] << 16 |
			    (uint32_t)details.code[1] << 8 | details.code[2];
	return full;
}

struct rg_full_verdict rg_verdict_map_full(const struct rg_verdict_map *map,
					   const struct rg_verdict *value)
{
	return full_verdict(map->maps, value);
}

/* All but the hits, which XDP may be counting. */
static void write_details(struct rg_verdict_details *details, const struct rg_full_verdict *full)
{
	uint32_t since = (uint32_t)(full->since / RG_NSEC_PER_SEC);

	details->since = since ? since : 1; /* 0 means never */
	details->code[0] = (uint8_t)(full->code >> 16);
	details->code[1] = (uint8_t)(full->code >> 8);
	details->code[2] = (uint8_t)full->code;
	details->reason = full->reason;
}

/* Takes a free slot of details and fills it. 0 or -ENOSPC. */
static int take_details(struct rg_verdict_map *map, const struct rg_full_verdict *full, uint32_t *ret)
{
	struct rg_verdict_details *details;

	if (rg_slot_bitmap_take(map->slots, ret))
		return -ENOSPC;
	details = &map->maps->details[*ret];
	details->hits = full->hits;
	write_details(details, full);
	return 0;
}

int rg_verdict_map_get(const struct rg_verdict_map *map, const struct rg_prefix *key,
		       struct rg_verdict *value)
{
	if (bpf_map_lookup_elem(map->maps->verdicts, key, value))
		return -errno;
	return value->prefix_len == key->len ? 0 : -ENOENT;
}

/* The value that an entry of the queue is for. -ENOENT: it was removed, or ends at another time. */
static int get_queued(const struct rg_verdict_map *map, const struct rg_expiry_entry *entry,
		      struct rg_verdict *value)
{
	int err = rg_verdict_map_get(map, &entry->key, value);

	return !err && rg_expiry_tick(value->expiry) != entry->tick ? -ENOENT : err;
}

int rg_verdict_map_get_indexed(const struct rg_verdict_map *map, const struct rg_prefix *key,
			       struct rg_verdict *value)
{
	return rg_index_maps_may_have(map->indexes, &key->addr) ?
		       rg_verdict_map_get(map, key, value) :
		       -ENOENT;
}

int rg_verdict_map_remove(struct rg_verdict_map *map, const struct rg_prefix *key,
			  const struct rg_verdict *value)
{
	if (!rg_index_maps_may_have(map->indexes, &key->addr))
		return -ENOENT;
	if (bpf_map_delete_elem(map->maps->verdicts, key))
		return -errno;
	rg_index_maps_remove(map->indexes, key, false);
	/* Last: no packet finds these details any more. */
	rg_slot_bitmap_release(map->slots, value->details);
	map->count.entries--;
	map->observer.changed(map->observer.arg, key, NULL);
	return 0;
}

/* Call when the trie has the entry. */
static void announce(struct rg_verdict_map *map, const struct rg_prefix *key,
		     const struct rg_verdict *value)
{
	const struct rg_index_entry entry = { .prefix = *key,
					      .expiry = value->expiry,
					      .peer_class = value->peer_class,
					      .action = value->action,
					      .zone = value->zone };

	rg_index_maps_put(map->indexes, &entry);
	map->observer.changed(map->observer.arg, key, value);
}

/* ---- the queue by expiry ---- */

static int queue_entry(void *arg, const void *key)
{
	struct rg_verdict_map *map = arg;
	struct rg_verdict value;

	if (rg_verdict_map_get(map, key, &value))
		return 0;
	return rg_expiry_queue_add(map->queue, key, value.expiry);
}

/* Rebuilds the queue from the map. 0, or a negative error; then the old queue stays. */
static int rebuild_queue(struct rg_verdict_map *map)
{
	struct rg_expiry_queue *old = map->queue;
	int err = rg_expiry_queue_new(&map->queue);

	if (!err)
		err = rg_map_walk(map->maps->verdicts, queue_entry, map);
	if (err) {
		if (map->queue != old)
			rg_expiry_queue_free(map->queue);
		map->queue = old;
		return err;
	}
	rg_expiry_queue_free(old);
	map->count.entries = rg_expiry_queue_count(map->queue);
	map->rebuilds++;
	return 0;
}

/* The queue may have as many outdated entries as there are verdicts, and these. */
#define OUTDATED_MAX 65536

/*
 * A verdict that is renewed, or removed before its end, leaves an outdated entry in the queue. When most
 * entries are outdated, the queue is rebuilt: 3 us a verdict. As many verdicts have changed since the
 * last rebuild, and each change took longer.
 */
static int enqueue(struct rg_verdict_map *map, const struct rg_prefix *key, uint64_t expiry)
{
	if (rg_expiry_queue_count(map->queue) >= 2 * map->count.entries + OUTDATED_MAX &&
	    !rebuild_queue(map))
		return 0; /* the map has the entry already */
	return rg_expiry_queue_add(map->queue, key, expiry);
}

/* ---- taking over from an earlier agent ---- */

struct adoption {
	struct rg_verdict_map *map;
	struct rg_expiry_queue *strays; /* verdicts without details of their own, in no order */
};

static int adopt_entry(void *arg, const void *key)
{
	struct adoption *adoption = arg;
	struct rg_verdict_map *map = adoption->map;
	const struct rg_prefix *prefix = key;
	struct rg_verdict value;
	int err = 0;

	if (rg_verdict_map_get(map, prefix, &value))
		return 0;
	map->count.entries++;
	if (!rg_slot_bitmap_claim(map->slots, value.details))
		err = rg_expiry_queue_add(adoption->strays, prefix, 0);
	announce(map, prefix, &value);
	return err ? err : enqueue(map, prefix, value.expiry);
}

/* The verdict gets details of its own, a copy of those it shares, but without the hits. */
static void adopt_stray(struct rg_verdict_map *map, const struct rg_prefix *key)
{
	struct rg_full_verdict full;
	struct rg_verdict value;

	if (rg_verdict_map_get(map, key, &value))
		return;
	full = full_verdict(map->maps, &value);
	full.since = rg_now();
	full.hits = 0;
	value.details = UINT32_MAX; /* the others are another verdict's */
	if (take_details(map, &full, &value.details) ||
	    bpf_map_update_elem(map->maps->verdicts, key, &value, BPF_EXIST)) {
		map->count.failed++;
		(void)rg_verdict_map_remove(map, key, &value);
	}
}

/* Strays come last: the free details are known only after the walk. */
int rg_verdict_map_adopt(struct rg_verdict_map *map)
{
	struct adoption adoption = { .map = map };
	struct rg_expiry_entry stray;
	int err = rg_expiry_queue_new(&adoption.strays);

	if (!err)
		err = rg_map_walk(map->maps->verdicts, adopt_entry, &adoption);
	while (!err && rg_expiry_queue_pop(adoption.strays, UINT64_MAX, &stray))
		adopt_stray(map, &stray.key);
	rg_expiry_queue_free(adoption.strays);
	return err;
}

struct copy {
	struct rg_verdict_map *map;
	const struct rg_maps *from;
};

static int copy_verdict(void *arg, const void *key)
{
	struct copy *copy = arg;
	struct rg_full_verdict full;
	struct rg_verdict value;

	if (bpf_map_lookup_elem(copy->from->verdicts, key, &value) ||
	    value.prefix_len != ((const struct rg_prefix *)key)->len)
		return 0;
	full = full_verdict(copy->from, &value);
	if (rg_prefix_has_v4(key) || rg_verdict_map_put(copy->map, key, &full))
		copy->map->count.failed++;
	return 0;
}

void rg_verdict_map_copy(struct rg_verdict_map *map, const struct rg_maps *from)
{
	struct copy copy = { .map = map, .from = from };

	(void)rg_map_walk(from->verdicts, copy_verdict, &copy);
}

/* ---- storing ---- */

static bool evict_first(struct rg_verdict_map *map)
{
	struct rg_expiry_entry entry;
	struct rg_verdict value;

	while (rg_expiry_queue_pop(map->queue, UINT64_MAX, &entry))
		if (!get_queued(map, &entry, &value) &&
		    !rg_verdict_map_remove(map, &entry.key, &value)) {
			map->count.evicted++;
			return true;
		}
	return false;
}

/* Removes the verdict nearest to its expiry. 0 or -ENOSPC: there is none. */
static int evict(struct rg_verdict_map *map)
{
	if (evict_first(map))
		return 0;
	/* For want of memory the queue may lack entries that the map has. */
	return !rebuild_queue(map) && evict_first(map) ? 0 : -ENOSPC;
}

/* A renewed verdict keeps its hits, and its beginning if it is the same and had not ended. */
static void keep_old(struct rg_full_verdict old, struct rg_full_verdict *full)
{
	full->hits = old.hits;
	if (old.expiry > full->since && old.peer_class == full->peer_class && old.zone == full->zone)
		full->since = old.since;
}

/*
 * The details are written before the entry that leads packets to them. 0; -ENOSPC: the trie is full, or
 * no details are free; or another error.
 */
static int try_put(struct rg_verdict_map *map, const struct rg_prefix *key,
		   struct rg_full_verdict *full)
{
	const struct rg_maps *maps = map->maps;
	struct rg_verdict old, value = { .expiry = full->expiry,
					 .prefix_len = (uint8_t)key->len,
					 .peer_class = full->peer_class,
					 .action = full->action,
					 .zone = (uint8_t)full->zone };
	bool known = !rg_verdict_map_get_indexed(map, key, &old);
	bool renewed = known && rg_slot_bitmap_is_taken(map->slots, old.details);
	int err;

	if (renewed) {
		keep_old(full_verdict(maps, &old), full);
		value.details = old.details;
		write_details(&maps->details[value.details], full);
	} else if (take_details(map, full, &value.details)) {
		return -ENOSPC;
	}
	if (bpf_map_update_elem(maps->verdicts, key, &value, BPF_ANY)) {
		err = -errno;
		if (!renewed)
			rg_slot_bitmap_release(map->slots, value.details);
		return err;
	}
	if (!known)
		map->count.entries++;
	announce(map, key, &value);
	return enqueue(map, key, value.expiry);
}

int rg_verdict_map_put(struct rg_verdict_map *map, const struct rg_prefix *key,
		       const struct rg_full_verdict *full)
{
	struct rg_full_verdict copy = *full;
	int err;

	do {
		err = try_put(map, key, &copy);
		/* If this very verdict is evicted, copy still has its hits and beginning. */
	} while (err == -ENOSPC && !evict(map));
	return err;
}

int rg_verdict_map_set_action(struct rg_verdict_map *map, const struct rg_prefix *key,
			      const struct rg_verdict *value, enum rg_action action)
{
	struct rg_verdict changed = *value;

	changed.action = action;
	if (bpf_map_update_elem(map->maps->verdicts, key, &changed, BPF_EXIST))
		return -errno;
	announce(map, key, &changed);
	return 0;
}

size_t rg_verdict_map_expire(struct rg_verdict_map *map, uint64_t now)
{
	struct rg_expiry_entry entry;
	struct rg_verdict value;
	size_t count = 0;

	while (rg_expiry_queue_pop(map->queue, now, &entry)) {
		/* A verdict that was renewed meanwhile is in the queue again, with its new end. */
		if (rg_verdict_map_get(map, &entry.key, &value) || value.expiry > now)
			continue;
		if (!rg_verdict_map_remove(map, &entry.key, &value))
			count++;
	}
	return count;
}

/* ---- reading ---- */

int rg_verdict_map_find(const struct rg_verdict_map *map, const struct rg_addr *addr, uint64_t now,
			struct rg_verdict *value)
{
	struct rg_prefix search = { .len = RG_ADDR_BITS, .addr = *addr };

	for (;;) {
		if (bpf_map_lookup_elem(map->maps->verdicts, &search, value))
			return -ENOENT;
		if (value->expiry > now)
			return 0;
		/* It has ended: look for a shorter prefix. */
		if (!value->prefix_len || value->prefix_len > search.len)
			return -ENOENT;
		search.len = value->prefix_len - 1;
	}
}

int rg_verdict_map_at(const struct rg_verdict_map *map, size_t number, struct rg_prefix *key,
		      struct rg_full_verdict *ret)
{
	struct rg_expiry_entry entry;
	struct rg_verdict value;

	if (!rg_expiry_queue_at(map->queue, number, &entry))
		return -ERANGE;
	if (get_queued(map, &entry, &value))
		return -ENOENT;
	*key = entry.key;
	*ret = full_verdict(map->maps, &value);
	return 0;
}

uint64_t rg_verdict_map_renumbered(const struct rg_verdict_map *map)
{
	return map->rebuilds;
}

struct rg_verdict_map_count rg_verdict_map_count(const struct rg_verdict_map *map)
{
	struct rg_verdict_map_count count = map->count;

	count.details = rg_slot_bitmap_taken(map->slots);
	return count;
}
