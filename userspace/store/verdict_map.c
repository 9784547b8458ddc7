/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One subject: the entries of `verdicts`, with their details, numbers and ends, from the take-over on. */
#include "store/verdict_map.h"

#include "base/addr.h"
#include "store/expiry_queue.h"
#include "store/map_walk.h"
#include "store/slot_bitmap.h"
#include "store/verdict_keys.h"

#include <bpf/bpf.h>

#define STEP 64 /* verdicts in a step of a job: 0.1 ms */

/* A walk over the keys of a trie: of `verdicts` when it is adopted, or of other maps that are copied. */
struct adoption {
	struct rg_job job;
	struct rg_verdict_map *map;
	const struct rg_maps *from; /* copied; NULL: adopted */
	struct rg_prefix key; /* the next one */
	bool is_over; /* there is no next one */
	uint32_t released; /* slots that release_unknown() has looked at */
	struct rg_expiry_queue *strays; /* verdicts without details of their own, in no order */
};

struct rg_verdict_map {
	const struct rg_maps *maps;
	struct rg_index_maps *indexes;
	struct rg_jobs *jobs;
	struct rg_expiry_queue *queue; /* keys by expiry; an entry may be outdated, the map decides */
	struct rg_expiry_queue *next_queue; /* is filled to take its place; or NULL */
	uint32_t next_number; /* of the entry that goes into next_queue */
	struct rg_job rebuild; /* of the queue */
	struct rg_slot_bitmap *slots; /* of `verdict_details`: each verdict has one of its own */
	struct rg_verdict_keys *keys; /* of all verdicts, by slot; not of those that are still to be adopted */
	uint32_t next_victim; /* where evict_any() looks */
	struct adoption adoption;
	struct rg_verdict_map_observer observer;
	struct rg_verdict_map_count count;
};

#define MAP_OF(member_pointer, member)                                                              \
	((struct rg_verdict_map *)(void *)((char *)(member_pointer)-offsetof(struct rg_verdict_map, \
									     member)))

int rg_verdict_map_new(struct rg_verdict_map **ret, const struct rg_maps *maps,
		       struct rg_index_maps *indexes, struct rg_jobs *jobs,
		       const struct rg_verdict_map_observer *observer)
{
	struct rg_verdict_map *map = calloc(1, sizeof(*map));

	if (!map)
		return -ENOMEM;
	map->maps = maps;
	map->indexes = indexes;
	map->jobs = jobs;
	map->observer = *observer;
	map->adoption.map = map;
	if (rg_expiry_queue_new(&map->queue) || rg_slot_bitmap_new(&map->slots, maps->details_count) ||
	    rg_verdict_keys_new(&map->keys, maps->details_count)) {
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
	rg_expiry_queue_free(map->next_queue);
	rg_expiry_queue_free(map->adoption.strays);
	rg_slot_bitmap_free(map->slots);
	rg_verdict_keys_free(map->keys);
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

/* The next agent's: a slot whose `since` is 0 is free. */
static void release_details(struct rg_verdict_map *map, uint32_t slot)
{
	if (rg_slot_bitmap_is_taken(map->slots, slot))
		map->maps->details[slot].since = 0;
	rg_slot_bitmap_release(map->slots, slot);
}

/* Whether the slot is this key's. */
static bool is_known(const struct rg_verdict_map *map, uint32_t slot, const struct rg_prefix *key)
{
	struct rg_prefix known;

	return rg_verdict_keys_get(map->keys, slot, &known) && !rg_prefix_compare(&known, key);
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

/* 0, 1: there is none, or a negative error. */
static int next_key(int fd, const struct rg_prefix *key, struct rg_prefix *ret)
{
	struct rg_prefix next;

	if (bpf_map_get_next_key(fd, key, &next))
		return errno == ENOENT ? 1 : -errno;
	*ret = next;
	return 0;
}

/* The kernel starts a walk over if the key that it stands on is gone: call before it is removed. */
static void step_over(struct adoption *adoption, const struct rg_prefix *key)
{
	if (adoption->job.is_queued && !adoption->from && !adoption->is_over &&
	    !rg_prefix_compare(&adoption->key, key))
		adoption->is_over = next_key(adoption->map->maps->verdicts, key, &adoption->key) != 0;
}

int rg_verdict_map_remove(struct rg_verdict_map *map, const struct rg_prefix *key,
			  const struct rg_verdict *value)
{
	struct rg_prefix other;

	if (!rg_index_maps_may_have(map->indexes, &key->addr))
		return -ENOENT;
	step_over(&map->adoption, key);
	if (bpf_map_delete_elem(map->maps->verdicts, key))
		return -errno;
	rg_index_maps_remove(map->indexes, key, false);
	/* Last: no packet finds these details any more. A stray's are another verdict's. */
	if (is_known(map, value->details, key))
		rg_verdict_keys_clear(map->keys, value->details);
	if (!rg_verdict_keys_get(map->keys, value->details, &other))
		release_details(map, value->details);
	map->observer.changed(map->observer.arg, key, NULL);
	return 0;
}

static void put_into_index(struct rg_verdict_map *map, const struct rg_prefix *key,
			   const struct rg_verdict *value)
{
	const struct rg_index_entry entry = { .prefix = *key,
					      .expiry = value->expiry,
					      .peer_class = value->peer_class,
					      .action = value->action,
					      .zone = value->zone };

	rg_index_maps_put(map->indexes, &entry);
}

/* Call when the trie has the entry. */
static void announce(struct rg_verdict_map *map, const struct rg_prefix *key,
		     const struct rg_verdict *value)
{
	put_into_index(map, key, value);
	map->observer.changed(map->observer.arg, key, value);
}

/* ---- the queue by expiry ---- */

/* The queue may have as many outdated entries as there are verdicts, and these. */
#define OUTDATED_MAX 65536

/* Returns whether there is more. A verdict that is stored meanwhile is in both queues, maybe twice. */
static bool rebuild_step(struct rg_job *job)
{
	struct rg_verdict_map *map = MAP_OF(job, rebuild);
	struct rg_prefix key;
	struct rg_verdict value;

	for (int i = 0; i < STEP; i++) {
		int err = rg_verdict_map_next(map, &map->next_number, &key, &value);

		if (err == -ERANGE)
			return false;
		/* Without memory, evict_any() finds what the queue lacks. */
		if (!err)
			(void)rg_expiry_queue_add(map->next_queue, &key, value.expiry);
	}
	return true;
}

static void rebuild_end(struct rg_job *job, bool complete)
{
	struct rg_verdict_map *map = MAP_OF(job, rebuild);

	if (!complete)
		return;
	rg_expiry_queue_free(map->queue);
	map->queue = map->next_queue;
	map->next_queue = NULL;
}

/*
 * A verdict that is renewed, or removed before its end, leaves an outdated entry in the queue. When most
 * entries are outdated, the queue is rebuilt, in a job.
 */
static void check_queue(struct rg_verdict_map *map)
{
	if (map->next_queue ||
	    rg_expiry_queue_count(map->queue) < 2 * rg_verdict_keys_count(map->keys) + OUTDATED_MAX)
		return;
	if (rg_expiry_queue_new(&map->next_queue))
		return; /* the next verdict tries again */
	map->next_number = 0;
	map->rebuild =
		(struct rg_job){ .work = RG_LOOP_EXPIRY, .step = rebuild_step, .end = rebuild_end };
	rg_jobs_add(map->jobs, RG_LANE_UPKEEP, &map->rebuild);
}

static int enqueue(struct rg_verdict_map *map, const struct rg_prefix *key, uint64_t expiry)
{
	check_queue(map);
	if (map->next_queue)
		(void)rg_expiry_queue_add(map->next_queue, key, expiry);
	return rg_expiry_queue_add(map->queue, key, expiry);
}

/* ---- taking over from an earlier agent ---- */

static void adopt_entry(struct rg_verdict_map *map, const struct rg_prefix *key)
{
	struct adoption *adoption = &map->adoption;
	struct rg_verdict value;
	struct rg_prefix other;

	if (rg_verdict_map_get(map, key, &value) || is_known(map, value.details, key))
		return; /* it was stored anew meanwhile */
	if (value.details >= map->maps->details_count ||
	    rg_verdict_keys_get(map->keys, value.details, &other)) {
		(void)rg_expiry_queue_add(adoption->strays, key, 0);
		return;
	}
	(void)rg_slot_bitmap_claim(map->slots, value.details);
	if (rg_verdict_keys_set(map->keys, value.details, key) || enqueue(map, key, value.expiry)) {
		map->count.failed++;
		(void)rg_verdict_map_remove(map, key, &value);
		return;
	}
	announce(map, key, &value);
}

/* The verdict gets details of its own, a copy of those it shares, but without the hits. */
static void adopt_stray(struct rg_verdict_map *map, const struct rg_prefix *key)
{
	struct rg_full_verdict full;
	struct rg_verdict value, old;

	if (rg_verdict_map_get(map, key, &old) || is_known(map, old.details, key))
		return;
	full = full_verdict(map->maps, &old);
	full.since = rg_now();
	full.hits = 0;
	value = old;
	if (take_details(map, &full, &value.details)) {
		map->count.failed++;
		(void)rg_verdict_map_remove(map, key, &old);
		return;
	}
	if (rg_verdict_keys_set(map->keys, value.details, key) ||
	    bpf_map_update_elem(map->maps->verdicts, key, &value, BPF_EXIST) ||
	    enqueue(map, key, value.expiry)) {
		rg_verdict_keys_clear(map->keys, value.details);
		release_details(map, value.details);
		map->count.failed++;
		(void)rg_verdict_map_remove(map, key, &old);
		return;
	}
	announce(map, key, &value);
}

static void copy_verdict(struct rg_verdict_map *map, const struct rg_maps *from,
			 const struct rg_prefix *key)
{
	struct rg_full_verdict full;
	struct rg_verdict value, newer;

	if (bpf_map_lookup_elem(from->verdicts, key, &value) || value.prefix_len != key->len ||
	    !rg_verdict_map_get_indexed(map, key, &newer))
		return;
	full = full_verdict(from, &value);
	if (rg_prefix_has_v4(key) || rg_verdict_map_put(map, key, &full))
		map->count.failed++;
}

#define RELEASE_STEP 16384 /* slots: 0.1 ms */

/* Details that seemed to be taken, but no verdict has them, are free. Returns whether there is more. */
static bool release_unknown(struct rg_verdict_map *map)
{
	struct adoption *adoption = &map->adoption;
	struct rg_prefix key;

	for (int i = 0; i < RELEASE_STEP && adoption->released < map->maps->details_count; i++) {
		uint32_t slot = adoption->released++;

		if (rg_slot_bitmap_is_taken(map->slots, slot) &&
		    !rg_verdict_keys_get(map->keys, slot, &key))
			release_details(map, slot);
	}
	return adoption->released < map->maps->details_count;
}

/* Strays come last: the free details are known only after the walk. Returns whether there is more. */
static bool adopt_step(struct rg_job *job)
{
	struct adoption *adoption = (struct adoption *)(void *)job;
	struct rg_verdict_map *map = adoption->map;
	struct rg_expiry_entry stray;

	if (rg_index_maps_is_busy(map->indexes))
		return true;
	for (int i = 0; i < STEP; i++) {
		const struct rg_prefix key = adoption->key;

		if (!adoption->is_over) {
			/* First the next one: this one may be removed. */
			adoption->is_over = next_key(adoption->from ? adoption->from->verdicts :
								      map->maps->verdicts,
						     &key, &adoption->key) != 0;
			if (adoption->from)
				copy_verdict(map, adoption->from, &key);
			else
				adopt_entry(map, &key);
		} else if (adoption->strays &&
			   rg_expiry_queue_pop(adoption->strays, UINT64_MAX, &stray)) {
			adopt_stray(map, &stray.key);
		} else {
			return !adoption->from && release_unknown(map);
		}
	}
	return true;
}

static void adopt_end(struct rg_job *job, bool complete)
{
	struct adoption *adoption = (struct adoption *)(void *)job;

	if (!complete)
		return;
	rg_expiry_queue_free(adoption->strays);
	adoption->strays = NULL;
}

static int start_adoption(struct rg_verdict_map *map, const struct rg_maps *from)
{
	struct adoption *adoption = &map->adoption;
	int err = next_key(from ? from->verdicts : map->maps->verdicts, NULL, &adoption->key);

	if (err < 0)
		return err;
	adoption->is_over = err;
	adoption->released = 0;
	adoption->from = from;
	adoption->job =
		(struct rg_job){ .work = RG_LOOP_TAKE_OVER, .step = adopt_step, .end = adopt_end };
	rg_jobs_add(map->jobs, RG_LANE_VERDICTS, &adoption->job);
	return 0;
}

/* Until the end of the walk all details that were ever written count as taken. */
int rg_verdict_map_adopt(struct rg_verdict_map *map)
{
	int err = rg_expiry_queue_new(&map->adoption.strays);

	if (err)
		return err;
	for (uint32_t slot = 0; slot < map->maps->details_count; slot++)
		if (map->maps->details[slot].since)
			(void)rg_slot_bitmap_claim(map->slots, slot);
	return start_adoption(map, NULL);
}

void rg_verdict_map_copy(struct rg_verdict_map *map, const struct rg_maps *from)
{
	(void)start_adoption(map, from);
}

bool rg_verdict_map_is_adopting(const struct rg_verdict_map *map)
{
	return map->adoption.job.is_queued;
}

/* ---- storing ---- */

#define OUTDATED_AT_ONCE 2048 /* entries of the queue that one eviction looks at: 2 ms */

/* The verdict nearest to its expiry. */
static bool evict_first(struct rg_verdict_map *map)
{
	struct rg_expiry_entry entry;
	struct rg_verdict value;

	for (int i = 0; i < OUTDATED_AT_ONCE && rg_expiry_queue_pop(map->queue, UINT64_MAX, &entry);
	     i++)
		if (!get_queued(map, &entry, &value) &&
		    !rg_verdict_map_remove(map, &entry.key, &value))
			return true;
	return false;
}

/* Any verdict: the queue has too many outdated entries in front, or for want of memory it lacks some. */
static bool evict_any(struct rg_verdict_map *map)
{
	struct rg_verdict value;
	struct rg_prefix key;
	int err;

	for (int i = 0; i < STEP; i++) {
		err = rg_verdict_map_next(map, &map->next_victim, &key, &value);
		if (err == -ERANGE)
			map->next_victim = 0;
		else if (!err && !rg_verdict_map_remove(map, &key, &value))
			return true;
	}
	return false;
}

/* Removes a verdict to make room. 0 or -ENOSPC: there is none. */
static int evict(struct rg_verdict_map *map)
{
	if (!evict_first(map) && !evict_any(map))
		return -ENOSPC;
	map->count.evicted++;
	return 0;
}

/* A renewed verdict keeps its hits, and its beginning if it is the same and had not ended. */
static void keep_old(struct rg_full_verdict old, struct rg_full_verdict *full)
{
	full->hits = old.hits;
	if (old.expiry > full->since && old.peer_class == full->peer_class && old.zone == full->zone)
		full->since = old.since;
}

/* Whether the details of an entry are its own; those of one that is still to be adopted may not be. */
static bool has_details(const struct rg_verdict_map *map, const struct rg_verdict *value,
			const struct rg_prefix *key)
{
	struct rg_prefix known;

	return rg_verdict_keys_get(map->keys, value->details, &known) ?
		       !rg_prefix_compare(&known, key) :
		       rg_slot_bitmap_is_taken(map->slots, value->details);
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
	bool renewed = known && has_details(map, &old, key);
	int err;

	if (renewed) {
		keep_old(full_verdict(maps, &old), full);
		value.details = old.details;
		write_details(&maps->details[value.details], full);
	} else if (take_details(map, full, &value.details)) {
		return -ENOSPC;
	}
	err = rg_verdict_keys_set(map->keys, value.details, key);
	if (!err && bpf_map_update_elem(maps->verdicts, key, &value, BPF_ANY))
		err = -errno;
	if (err) {
		if (!renewed) {
			rg_verdict_keys_clear(map->keys, value.details);
			release_details(map, value.details);
		}
		return err;
	}
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

bool rg_verdict_map_expire(struct rg_verdict_map *map, uint64_t now, size_t *count)
{
	struct rg_expiry_entry entry;
	struct rg_verdict value;

	for (int i = 0; i < STEP; i++) {
		if (!rg_expiry_queue_pop(map->queue, now, &entry))
			return false;
		/* A verdict that was renewed meanwhile is in the queue again, with its new end. */
		if (rg_verdict_map_get(map, &entry.key, &value) || value.expiry > now)
			continue;
		if (!rg_verdict_map_remove(map, &entry.key, &value))
			++*count;
	}
	return true;
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

int rg_verdict_map_next(const struct rg_verdict_map *map, uint32_t *number, struct rg_prefix *key,
			struct rg_verdict *value)
{
	uint32_t at = *number;

	if (!rg_verdict_keys_next(map->keys, &at))
		return -ERANGE;
	*number = at + 1;
	if (!rg_verdict_keys_get(map->keys, at, key) || rg_verdict_map_get(map, key, value))
		return -ENOENT;
	return 0;
}

void rg_verdict_map_age(struct rg_verdict_map *map)
{
	rg_verdict_keys_age(map->keys);
}

bool rg_verdict_map_is_fresh(const struct rg_verdict_map *map, const struct rg_verdict *value)
{
	return rg_verdict_keys_is_fresh(map->keys, value->details);
}

struct rg_verdict_map_count rg_verdict_map_count(const struct rg_verdict_map *map)
{
	struct rg_verdict_map_count count = map->count;

	count.entries = rg_verdict_keys_count(map->keys);
	count.details = rg_slot_bitmap_taken(map->slots);
	count.queued = rg_expiry_queue_count(map->queue);
	return count;
}

int rg_verdict_map_index_next(struct rg_verdict_map *map, uint32_t *number)
{
	struct rg_verdict value;
	struct rg_prefix key;
	int err = rg_verdict_map_next(map, number, &key, &value);

	if (!err)
		put_into_index(map, &key, &value);
	return err;
}
