/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/peers.h"

#include "base/addr.h"
#include "base/thread.h"

#include <bpf/bpf.h>
#include <stdatomic.h>

static struct rg_prefix prefix_of(const struct rg_addr *addr)
{
	return (struct rg_prefix){ .len = RG_ADDR_BITS, .addr = *addr };
}

/* Call after the map was changed, as for all entries of the index. */
static void put_into_index(struct rg_peers *peers, const struct rg_addr *addr, uint64_t expiry)
{
	const struct rg_index_entry entry = { .prefix = prefix_of(addr),
					      .expiry = expiry,
					      .peer_class = RG_CLASS_CLEAN,
					      .action = RG_ACTION_PASS,
					      .zone = RG_NO_ZONE };

	rg_index_maps_put(peers->indexes, &entry);
}

/* ---- a walk ---- */

#define BATCH 1024 /* entries that the kernel gives at once */
#define STEP 128 /* entries of a step: 0.1 ms */

struct rg_peers_batch {
	int fd;
	uint32_t next; /* where the kernel goes on */
	bool is_under_way, is_last;
	uint32_t count, done; /* entries of the batch, those that are done */
	struct rg_addr keys[BATCH];
	struct rg_peer values[BATCH]; /* not used: the entry may have changed */
	pthread_t thread;
	bool is_waiting; /* for the thread */
	atomic_bool is_ready;
};

static void fetch(struct rg_peers_batch *batch)
{
	bool more;

	batch->count = BATCH;
	batch->done = 0;
	more = !bpf_map_lookup_batch(batch->fd, batch->is_under_way ? &batch->next : NULL,
				     &batch->next, batch->keys, batch->values, &batch->count, NULL);
	/* ENOENT: these are the last ones. Whatever the walk misses is asked about again. */
	if (!more && errno != ENOENT)
		batch->count = 0;
	batch->is_under_way = true;
	batch->is_last = !more;
	batch->is_ready = true;
}

static void *fetch_in_thread(void *batch)
{
	rg_thread_yield_to_all();
	fetch(batch);
	return NULL;
}

static void begin_fetch(struct rg_peers_batch *batch)
{
	batch->is_ready = false;
	batch->is_waiting = !rg_thread_start(&batch->thread, "peers", fetch_in_thread, batch);
	if (!batch->is_waiting)
		fetch(batch);
}

void rg_peers_walk_end(struct rg_peers_walk *walk)
{
	if (walk->batch && walk->batch->is_waiting)
		pthread_join(walk->batch->thread, NULL);
	free(walk->batch);
	walk->batch = NULL;
}

/*
 * The next entries of a step: from *first on. Returns how many; 0: they are not there yet, or *more is false: the walk has
 * ended, which it does without memory, too.
 */
static uint32_t next_entries(struct rg_peers_walk *walk, int fd, uint32_t *first, bool *more)
{
	static const struct timespec moment = { .tv_nsec = 100000 };
	struct rg_peers_batch *batch = walk->batch;
	uint32_t count;

	*more = true;
	if (!batch) {
		batch = walk->batch = calloc(1, sizeof(*batch));
		if (!batch) {
			*more = false;
			return 0;
		}
		batch->fd = fd;
		begin_fetch(batch);
	}
	if (!batch->is_ready) {
		(void)nanosleep(&moment, NULL);
		return 0;
	}
	if (batch->is_waiting)
		pthread_join(batch->thread, NULL);
	batch->is_waiting = false;
	*first = batch->done;
	count = batch->count - batch->done < STEP ? batch->count - batch->done : STEP;
	batch->done += count;
	if (!count && batch->is_last) {
		rg_peers_walk_end(walk);
		*more = false;
	} else if (!count) {
		begin_fetch(batch);
	}
	return count;
}

/* ---- taking over ---- */

bool rg_peers_adopt(struct rg_peers *peers, int from, uint64_t since, struct rg_peers_walk *walk,
		    void (*put)(void *arg, const struct rg_addr *addr, uint64_t expiry), void *arg)
{
	const uint64_t now = rg_now();
	bool more;
	uint32_t first, count = next_entries(walk, from < 0 ? peers->fd : from, &first, &more);

	for (uint32_t i = 0; i < count; i++) {
		const struct rg_addr *key = &walk->batch->keys[first + i];
		struct rg_peer value;

		/* It may have changed since the kernel gave it. */
		if (bpf_map_lookup_elem(from < 0 ? peers->fd : from, key, &value))
			continue;
		if (value.state == RG_PEER_PENDING && from < 0 && value.since < since)
			(void)bpf_map_delete_elem(peers->fd, key);
		if (value.state != RG_PEER_CLEAN || value.expiry <= now ||
		    (from >= 0 && bpf_map_update_elem(peers->fd, key, &value, BPF_NOEXIST)))
			continue;
		put_into_index(peers, key, value.expiry);
		put(arg, key, value.expiry);
	}
	return more;
}

int rg_peers_put(struct rg_peers *peers, const struct rg_addr *addr, enum rg_reason reason,
		 uint64_t expiry, uint64_t now)
{
	const struct rg_peer value = { .expiry = expiry,
				       .since = now,
				       .state = RG_PEER_CLEAN,
				       .reason = reason };

	if (bpf_map_update_elem(peers->fd, addr, &value, BPF_ANY))
		return -errno;
	put_into_index(peers, addr, expiry);
	return 0;
}

int rg_peers_remove(struct rg_peers *peers, const struct rg_addr *addr)
{
	const struct rg_prefix peer = prefix_of(addr);
	int err = bpf_map_delete_elem(peers->fd, addr) ? -errno : 0;

	rg_index_maps_remove(peers->indexes, &peer, true);
	return err;
}

bool rg_peers_flush(struct rg_peers *peers, const struct rg_prefix *prefix, uint64_t before,
		    struct rg_peers_walk *walk, size_t *count)
{
	bool more;
	uint32_t first, found = next_entries(walk, peers->fd, &first, &more);

	for (uint32_t i = 0; i < found; i++) {
		const struct rg_addr *key = &walk->batch->keys[first + i];

		struct rg_peer value;

		/* It may have been stored anew since the kernel gave it. */
		if ((!prefix || rg_prefix_covers(prefix, key)) &&
		    !bpf_map_lookup_elem(peers->fd, key, &value) && value.since < before &&
		    !rg_peers_remove(peers, key))
			++*count;
	}
	return more;
}

int rg_peers_find(const struct rg_peers *peers, const struct rg_addr *addr, uint64_t now,
		  struct rg_peer *ret)
{
	uint64_t until;

	if (!bpf_map_lookup_elem(peers->fd, addr, ret) && ret->expiry > now)
		return 0;
	until = rg_index_maps_peer_until(peers->indexes, addr, now);
	if (!until)
		return -ENOENT;
	*ret = (struct rg_peer){ .expiry = until,
				 .since = now,
				 .state = RG_PEER_CLEAN,
				 .reason = RG_REASON_NOT_LISTED };
	return 0;
}
