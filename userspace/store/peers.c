/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/peers.h"

#include "base/addr.h"

#include <bpf/bpf.h>

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

/* Reads the next entries. Returns how many; *more: whether there are others behind them. */
static uint32_t next_batch(int fd, struct rg_peers_walk *walk, bool *more)
{
	uint32_t count = RG_PEERS_BATCH;

	*more = !bpf_map_lookup_batch(fd, walk->is_under_way ? &walk->next : NULL, &walk->next,
				      walk->keys, walk->values, &count, NULL);
	walk->is_under_way = true;
	/* ENOENT: these are the last ones. Whatever the walk misses is asked about again. */
	return *more || errno == ENOENT ? count : 0;
}

bool rg_peers_adopt(struct rg_peers *peers, int from, uint64_t since, struct rg_peers_walk *walk,
		    void (*put)(void *arg, const struct rg_addr *addr, uint64_t expiry), void *arg)
{
	const uint64_t now = rg_now();
	bool more;
	uint32_t count = next_batch(from < 0 ? peers->fd : from, walk, &more);

	for (uint32_t i = 0; i < count; i++) {
		const struct rg_peer *value = &walk->values[i];

		if (value->state == RG_PEER_PENDING && from < 0 && value->since < since)
			(void)bpf_map_delete_elem(peers->fd, &walk->keys[i]);
		if (value->state != RG_PEER_CLEAN || value->expiry <= now ||
		    (from >= 0 && bpf_map_update_elem(peers->fd, &walk->keys[i], value, BPF_NOEXIST)))
			continue;
		put_into_index(peers, &walk->keys[i], value->expiry);
		put(arg, &walk->keys[i], value->expiry);
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
	uint32_t found = next_batch(peers->fd, walk, &more);

	for (uint32_t i = 0; i < found; i++)
		if (walk->values[i].since < before &&
		    (!prefix || rg_prefix_covers(prefix, &walk->keys[i])) &&
		    !rg_peers_remove(peers, &walk->keys[i]))
			++*count;
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
