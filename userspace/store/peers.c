/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/peers.h"

#include "base/addr.h"
#include "store/map_walk.h"

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

static int adopt_peer(void *arg, const void *key)
{
	struct rg_peers *peers = arg;
	struct rg_peer value;

	if (bpf_map_lookup_elem(peers->fd, key, &value))
		return 0;
	if (value.state == RG_PEER_PENDING)
		(void)bpf_map_delete_elem(peers->fd, key);
	else if (value.expiry > rg_now())
		put_into_index(peers, key, value.expiry);
	return 0;
}

/* Whatever the walk misses is asked about again. */
void rg_peers_adopt(struct rg_peers *peers)
{
	(void)rg_map_walk(peers->fd, adopt_peer, peers);
}

struct copy {
	struct rg_peers *peers;
	int from;
};

static int copy_peer(void *arg, const void *key)
{
	struct copy *copy = arg;
	struct rg_peer value;

	if (bpf_map_lookup_elem(copy->from, key, &value) || value.state != RG_PEER_CLEAN ||
	    bpf_map_update_elem(copy->peers->fd, key, &value, BPF_NOEXIST))
		return 0;
	put_into_index(copy->peers, key, value.expiry);
	return 0;
}

void rg_peers_copy(struct rg_peers *peers, int from)
{
	struct copy copy = { .peers = peers, .from = from };

	(void)rg_map_walk(from, copy_peer, &copy);
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

struct flush {
	struct rg_peers *peers;
	const struct rg_prefix *prefix; /* NULL: everything */
	size_t count;
};

static int flush_peer(void *arg, const void *key)
{
	struct flush *flush = arg;

	if (flush->prefix && !rg_prefix_covers(flush->prefix, key))
		return 0;
	if (!rg_peers_remove(flush->peers, key))
		flush->count++;
	return 0;
}

size_t rg_peers_flush(struct rg_peers *peers, const struct rg_prefix *prefix)
{
	struct flush flush = { .peers = peers, .prefix = prefix };

	(void)rg_map_walk(peers->fd, flush_peer, &flush);
	/* The index may have some that the map has lost. */
	return flush.count + rg_index_maps_flush(peers->indexes, prefix);
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
