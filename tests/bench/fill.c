/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fill.h"

#include "index/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define FILL_SEED 0x5eed5eed5eedULL
#define DAY (86400 * RG_NSEC_PER_SEC)
#define AT_ONCE 4096 /* entries of one system call */

uint64_t fill_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * RG_NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

struct rg_addr fill_addr(uint32_t addr)
{
	struct rg_addr key = { .bytes = { [10] = 0xff, [11] = 0xff } };

	memcpy(key.bytes + RG_ADDR_V4_OFFSET, &addr, sizeof(addr));
	return key;
}

struct fill_sizes fill_sizes(const struct population *population, uint32_t spare_peers)
{
	struct fill_sizes sizes = {
		.list = (uint32_t)population->prefix_count + 16,
		.verdicts = (uint32_t)population->count[GROUP_LISTED] + 16,
		/* An LRU map begins to evict before it is full: free entries wait on other CPUs. */
		.peers = (uint32_t)(population->count[GROUP_CLEAN] * 9 / 8) + 4096 + spare_peers,
	};

	return sizes;
}

/* One batch on its way into a map. */
struct batch {
	int map;
	uint32_t count;
	size_t key_size, value_size;
	uint8_t keys[AT_ONCE * sizeof(struct rg_prefix)];
	uint8_t values[AT_ONCE * sizeof(struct rg_peer)];
};

static int flush(struct batch *batch)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t count = batch->count;

	batch->count = 0;
	if (count && bpf_map_update_batch(batch->map, batch->keys, batch->values, &count, &opts))
		return -errno;
	return 0;
}

static int add(struct batch *batch, const void *key, const void *value)
{
	memcpy(batch->keys + batch->count * batch->key_size, key, batch->key_size);
	memcpy(batch->values + batch->count * batch->value_size, value, batch->value_size);
	return ++batch->count < AT_ONCE ? 0 : flush(batch);
}

static int fill_prefixes(struct batch *batch, const struct population *population)
{
	int err = 0;

	for (size_t i = 0; !err && i < population->prefix_count; i++) {
		const struct prefix4 *prefix = &population->prefixes[i];
		struct rg_prefix key = { .len = RG_V4_PREFIX_BITS + prefix->len,
					 .addr = fill_addr(prefix->addr) };
		struct rg_list_entry entry = { .prefix_len = key.len,
					       .peer_class = RG_CLASS_BLOCKED,
					       .line = (uint32_t)i + 1 };

		err = add(batch, &key, &entry);
	}
	return err ? err : flush(batch);
}

static int fill_listed(struct batch *batch, const struct population *population)
{
	const uint32_t *hosts = population->group[GROUP_LISTED];
	uint64_t now = fill_now();
	int err = 0;

	for (size_t i = 0; !err && i < population->count[GROUP_LISTED]; i++) {
		struct rg_prefix key = { .len = RG_ADDR_BITS, .addr = fill_addr(hosts[i]) };
		struct rg_verdict verdict = { .expiry = now + DAY,
					      .prefix_len = key.len,
					      .peer_class = RG_CLASS_STANDARD,
					      .action = RG_ACTION_DROP,
					      .details = (uint32_t)i };

		err = add(batch, &key, &verdict);
	}
	return err ? err : flush(batch);
}

static int fill_details(struct batch *batch, const struct population *population)
{
	struct rg_verdict_details details = { .since = (uint32_t)(fill_now() / RG_NSEC_PER_SEC),
					      .code = { 0, 0, 2 },
					      .reason = RG_REASON_ZONE };
	int err = 0;

	for (uint32_t i = 0; !err && i < population->count[GROUP_LISTED]; i++)
		err = add(batch, &i, &details);
	return err ? err : flush(batch);
}

static int fill_clean(struct batch *batch, const struct population *population)
{
	const uint32_t *hosts = population->group[GROUP_CLEAN];
	uint64_t now = fill_now();
	int err = 0;

	for (size_t i = 0; !err && i < population->count[GROUP_CLEAN]; i++) {
		struct rg_addr key = fill_addr(hosts[i]);
		struct rg_peer peer = { .expiry = now + DAY,
					.since = now,
					.state = RG_PEER_CLEAN,
					.reason = RG_REASON_NOT_LISTED };

		err = add(batch, &key, &peer);
	}
	return err ? err : flush(batch);
}

static struct batch *new_batch(struct batch *batch, int map, size_t key_size, size_t value_size)
{
	batch->map = map;
	batch->count = 0;
	batch->key_size = key_size;
	batch->value_size = value_size;
	return batch;
}

/* An index of its own map, which it keeps alive; NULL: errno says why not. */
static struct rg_index *make_index(const struct fill_maps *maps, enum rg_index_part part,
				   const struct rg_index_size *size, int *fd, uint32_t *in_force)
{
	struct rg_index_origin origin = { .part = part, .now = fill_now(), .seed = FILL_SEED };
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	struct rg_index_filters *filters;
	struct rg_index *index = NULL;
	uint32_t key = RG_INDEX_BANK(part, 0);

	*fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "index_lines", sizeof(key),
			     sizeof(struct rg_index_line), rg_index_lines(size), &opts);
	if (*fd < 0)
		return NULL;
	origin.fd = *fd;
	origin.presence = mmap(NULL, sizeof(*origin.presence), PROT_READ | PROT_WRITE, MAP_SHARED,
			       maps->presence, 0);
	filters = mmap(NULL, sizeof(*filters), PROT_READ | PROT_WRITE, MAP_SHARED, maps->filters, 0);
	if (origin.presence == MAP_FAILED || filters == MAP_FAILED)
		return NULL;
	errno = -rg_index_new(&index, &origin, size);
	if (!errno)
		*in_force |= rg_index_install(index, origin.presence, filters, key);
	if (!errno && bpf_map_update_elem(maps->indexes, &key, fd, BPF_ANY)) {
		rg_index_free(index);
		return NULL;
	}
	return index;
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct prefix4 *x = a, *y = b;

	return (x->len > y->len) - (x->len < y->len);
}

static void index_hosts(struct rg_index *index, const struct population *population, enum group group)
{
	struct rg_index_entry entry = {
		.expiry = fill_now() + DAY,
		.zone = group == GROUP_LISTED ? 0 : RG_NO_ZONE,
		.peer_class = group == GROUP_LISTED ? RG_CLASS_STANDARD : RG_CLASS_CLEAN,
		.action = group == GROUP_LISTED ? RG_ACTION_DROP : RG_ACTION_PASS,
		.prefix = { .len = RG_ADDR_BITS }
	};

	for (size_t i = 0; i < population->count[group]; i++) {
		entry.prefix.addr = fill_addr(population->group[group][i]);
		rg_index_put(index, &entry);
	}
}

static int index_prefixes(struct rg_index *index, const struct population *population)
{
	struct prefix4 *prefixes = malloc(population->prefix_count * sizeof(*prefixes));
	struct rg_index_entry entry = { .peer_class = RG_CLASS_BLOCKED, .zone = RG_NO_ZONE };

	if (!prefixes)
		return -ENOMEM;
	memcpy(prefixes, population->prefixes, population->prefix_count * sizeof(*prefixes));
	qsort(prefixes, population->prefix_count, sizeof(*prefixes), compare_prefixes);
	for (size_t i = 0; i < population->prefix_count; i++) {
		entry.prefix.len = RG_V4_PREFIX_BITS + prefixes[i].len;
		entry.prefix.addr = fill_addr(prefixes[i].addr);
		rg_index_put(index, &entry);
	}
	free(prefixes);
	return 0;
}

/* As the agent does; the indexes themselves stay with the map. */
static int fill_index(const struct fill_maps *maps, const struct population *population,
		      uint32_t *in_force)
{
	for (int part = 0; part < RG_INDEXES; part++) {
		struct rg_index_size size = { .nets4 = part == RG_INDEX_LISTS };
		struct rg_index *index;
		int fd, err = 0;

		if (part != RG_INDEX_LISTS)
			size.hosts4 =
				population->count[part == RG_INDEX_HOSTS ? GROUP_LISTED : GROUP_CLEAN];
		index = make_index(maps, part, &size, &fd, in_force);
		if (!index)
			return -errno;
		if (part == RG_INDEX_LISTS) {
			err = index_prefixes(index, population);
		} else {
			index_hosts(index, population,
				    part == RG_INDEX_HOSTS ? GROUP_LISTED : GROUP_CLEAN);
		}
		rg_index_free(index);
		close(fd);
		if (err)
			return err;
	}
	return 0;
}

int fill_maps(const struct fill_maps *maps, const struct population *population, uint32_t *in_force)
{
	struct batch *batch = malloc(sizeof(*batch));
	int err;

	if (!batch)
		return -ENOMEM;
	err = fill_prefixes(new_batch(batch, maps->lists_now, sizeof(struct rg_prefix),
				      sizeof(struct rg_list_entry)),
			    population);
	if (!err)
		err = fill_listed(new_batch(batch, maps->verdicts, sizeof(struct rg_prefix),
					    sizeof(struct rg_verdict)),
				  population);
	if (!err)
		err = fill_details(new_batch(batch, maps->verdict_details, sizeof(uint32_t),
					     sizeof(struct rg_verdict_details)),
				   population);
	if (!err)
		err = fill_clean(new_batch(batch, maps->peers, sizeof(struct rg_addr),
					   sizeof(struct rg_peer)),
				 population);
	free(batch);
	return err || !in_force ? err : fill_index(maps, population, in_force);
}

void fill_gates(struct rg_settings *settings, bool are_open)
{
	for (int i = 0; i < RG_GATES; i++) {
		settings->gates[i].token_time = are_open ? 1 : DAY;
		settings->gates[i].depth = are_open ? DAY : 0;
	}
	for (int i = 0; i < RG_NETWORK_GATES; i++)
		settings->network_gates[i] = (struct rg_token_rate){ .token_time = 1, .depth = DAY };
}

void fill_settings(struct rg_settings *settings, uint16_t port, uint32_t index)
{
	struct rg_settings fresh = {
		.layout = RG_LAYOUT_VERSION,
		.mode = RG_MODE_ENFORCE,
		.heartbeat = fill_now(),
		.heartbeat_timeout = DAY,
		.pending_time = DAY,
		.throttle = { .token_time = 1, .depth = 1 },
		.unknown = RG_ACTION_HOLD,
		.overload = RG_ACTION_PASS,
		.blocked = RG_ACTION_DROP,
		.samples_per_second = 100,
		.exact_per_second = 0, /* as in a flood, from its first packet on */
		.steering = 1,
		.index_seed = FILL_SEED,
		.index = index,
		.port_count = 1,
		.ports = { port },
	};

	memset(fresh.bucket_mask4, 0xff, sizeof(fresh.bucket_mask4));
	memset(fresh.bucket_mask6, 0xff, sizeof(fresh.bucket_mask6));
	fill_gates(&fresh, false);
	*settings = fresh;
}
