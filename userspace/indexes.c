/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "indexes.h"

#include "addr.h"

#define FIRST_HOSTS 65536 /* the least table of hosts, 1 MiB, has room for them */
#define FIRST_NETS 4096
#define KNOWN_FOR_ONE 8 /* clean peers, for each entry of `peers` */
#define SWEEP_TIME (10 * RG_NSEC_PER_SEC)

struct rg_indexes {
	struct rg_loader *loader;
	struct rg_index_seen *seen; /* the loader's */
	struct rg_mapped_index parts[RG_INDEXES];
	bool on;
	bool in_force;
	size_t max_peers;
	uint64_t next_sweep;
	uint64_t failed;
};

void rg_mapped_index_drop(struct rg_mapped_index *draft)
{
	rg_index_free(draft->index);
	rg_closep(&draft->fd);
	*draft = (struct rg_mapped_index)RG_MAPPED_INDEX_NONE;
}

/* An index in a map of its own; seen as rg_index_place has it. 0 or a negative error. */
static int make(const struct rg_indexes *indexes, enum rg_index_part which,
		const struct rg_index_size *size, struct rg_index_seen *seen,
		struct rg_mapped_index *ret)
{
	struct rg_mapped_index part = { .fd = rg_loader_new_index(indexes->loader,
								  rg_index_lines(size)) };
	const struct rg_index_place place = { .seen = seen,
					      .part = which,
					      .fd = part.fd,
					      .now = rg_now() };
	int err;

	if (part.fd < 0)
		return part.fd;
	err = rg_index_new(&part.index, &place, size);
	if (err)
		rg_mapped_index_drop(&part);
	else
		*ret = part;
	return err;
}

static void give_up(struct rg_indexes *indexes, enum rg_index_part which)
{
	(void)rg_loader_set_index(indexes->loader, which, -1);
	rg_mapped_index_drop(&indexes->parts[which]);
	indexes->failed++;
}

/* fresh, which is complete, takes the place of what is there. */
static void replace(struct rg_indexes *indexes, enum rg_index_part which,
		    struct rg_mapped_index *fresh)
{
	if (indexes->in_force && rg_loader_set_index(indexes->loader, which, fresh->fd)) {
		rg_mapped_index_drop(fresh);
		give_up(indexes, which);
		return;
	}
	rg_mapped_index_drop(&indexes->parts[which]);
	indexes->parts[which] = *fresh;
	if (indexes->in_force)
		rg_index_settle(fresh->index);
}

int rg_indexes_new(struct rg_indexes **ret, struct rg_loader *loader, bool on, uint32_t max_peers)
{
	const struct rg_index_size size = { .hosts4 = FIRST_HOSTS, .nets6 = FIRST_NETS };
	struct rg_indexes *indexes = calloc(1, sizeof(*indexes));

	if (!indexes)
		return -ENOMEM;
	indexes->loader = loader;
	indexes->seen = rg_loader_maps(loader)->seen;
	indexes->max_peers = max_peers;
	for (int i = 0; i < RG_INDEXES; i++) {
		indexes->parts[i].fd = -1;
		if (!on)
			(void)rg_loader_set_index(loader, i, -1);
	}
	/* Without memory for it the tries do. */
	if (on && make(indexes, RG_INDEX_HOSTS, &size, indexes->seen, &indexes->parts[RG_INDEX_HOSTS]))
		give_up(indexes, RG_INDEX_HOSTS);
	indexes->on = on;
	indexes->in_force = !on;
	*ret = indexes;
	return 0;
}

void rg_indexes_free(struct rg_indexes *indexes)
{
	if (!indexes)
		return;
	for (int i = 0; i < RG_INDEXES; i++)
		rg_mapped_index_drop(&indexes->parts[i]);
	free(indexes);
}

void rg_indexes_enforce(struct rg_indexes *indexes)
{
	for (int i = 0; i < RG_INDEXES && !indexes->in_force; i++) {
		if (!indexes->parts[i].index)
			continue;
		if (rg_loader_set_index(indexes->loader, i, indexes->parts[i].fd))
			give_up(indexes, i);
		else
			rg_index_settle(indexes->parts[i].index);
	}
	indexes->in_force = true;
}

static size_t half_more(size_t count, size_t min)
{
	return count + count / 2 > min ? count + count / 2 : min;
}

/* A copy with more room, and without what is stale. */
static void renew(struct rg_indexes *indexes, enum rg_index_part which)
{
	struct rg_mapped_index *old = &indexes->parts[which], fresh;
	struct rg_index_count count = rg_index_count(old->index);
	const struct rg_index_size size = {
		.hosts4 = half_more(count.hosts4, FIRST_HOSTS),
		.nets6 = half_more(count.nets6, FIRST_NETS),
	};
	int err = make(indexes, which, &size, indexes->seen, &fresh);

	if (!err) {
		err = rg_index_copy(fresh.index, old->index);
		if (err)
			rg_mapped_index_drop(&fresh);
	}
	if (err)
		give_up(indexes, which);
	else
		replace(indexes, which, &fresh);
}

uint64_t rg_indexes_peer_until(const struct rg_indexes *indexes, const struct rg_addr *peer,
			       uint64_t now)
{
	const struct rg_index *index = indexes->parts[RG_INDEX_HOSTS].index;

	if (!index || rg_index_find(index, peer, now) != RG_INDEX_CLEAN)
		return 0;
	return rg_index_until(index, peer, now);
}

void rg_indexes_put(struct rg_indexes *indexes, const struct rg_index_entry *entry)
{
	struct rg_index *index = indexes->parts[RG_INDEX_HOSTS].index;
	int ret;

	if (!index)
		return;
	/* A clean peer takes 6 to 20 bytes here and 144 in `peers`, so we know more of them. */
	if (entry->class == RG_CLASS_CLEAN &&
	    rg_index_count(index).clean >= KNOWN_FOR_ONE * indexes->max_peers) {
		rg_index_remove(index, &entry->prefix, false);
		return;
	}
	ret = rg_index_put(index, entry);
	if (ret < 0)
		give_up(indexes, RG_INDEX_HOSTS);
	else if (ret)
		renew(indexes, RG_INDEX_HOSTS);
}

void rg_indexes_remove(struct rg_indexes *indexes, const struct rg_prefix *prefix, bool clean)
{
	if (indexes->parts[RG_INDEX_HOSTS].index)
		rg_index_remove(indexes->parts[RG_INDEX_HOSTS].index, prefix, clean);
}

size_t rg_indexes_flush(struct rg_indexes *indexes, const struct rg_prefix *prefix)
{
	struct rg_index *index = indexes->parts[RG_INDEX_HOSTS].index;

	return index ? rg_index_flush(index, prefix) : 0;
}

bool rg_indexes_may_have(const struct rg_indexes *indexes, const struct rg_addr *addr)
{
	const struct rg_index *index = indexes->parts[RG_INDEX_HOSTS].index;
	uint32_t answer = index ? rg_index_find(index, addr, 0) : RG_INDEX_ASK;

	return answer != RG_INDEX_NONE && answer != RG_INDEX_CLEAN;
}

static int put_list(struct rg_index *index, const struct rg_lists *lists)
{
	size_t count;
	const struct rg_list_item *items = rg_lists_items(lists, &count);

	for (size_t i = 0; i < count; i++) {
		const struct rg_index_entry entry = { .prefix = rg_list_prefix(&items[i]),
						      .expiry = rg_lists_expiry(lists, &items[i]),
						      .class = items[i].class,
						      .zone = RG_NO_ZONE };
		int ret = rg_index_put(index, &entry);

		if (ret < 0)
			return ret;
	}
	return 0;
}

struct rg_mapped_index rg_indexes_draft_lists(const struct rg_indexes *indexes,
					      const struct rg_lists *lists)
{
	struct rg_mapped_index draft = RG_MAPPED_INDEX_NONE;
	const struct rg_list_item *items;
	struct rg_index_size size;
	size_t count;

	if (!indexes->on)
		return draft;
	items = rg_lists_items(lists, &count);
	rg_index_measure(items, count, &size);
	if (!make(indexes, RG_INDEX_LISTS, &size, NULL, &draft) && put_list(draft.index, lists))
		rg_mapped_index_drop(&draft);
	return draft;
}

void rg_indexes_swap_lists(struct rg_indexes *indexes, struct rg_mapped_index *draft)
{
	if (!indexes->on)
		return;
	if (!draft->index) {
		give_up(indexes, RG_INDEX_LISTS);
		return;
	}
	if (rg_index_show(draft->index, indexes->seen) && indexes->parts[RG_INDEX_HOSTS].index)
		rg_index_heed(indexes->parts[RG_INDEX_HOSTS].index);
	replace(indexes, RG_INDEX_LISTS, draft);
	*draft = (struct rg_mapped_index)RG_MAPPED_INDEX_NONE;
}

void rg_indexes_sweep(struct rg_indexes *indexes, uint64_t now)
{
	if (now < indexes->next_sweep)
		return;
	indexes->next_sweep = now + SWEEP_TIME;
	for (int i = 0; i < RG_INDEXES; i++)
		if (indexes->parts[i].index)
			rg_index_move(indexes->parts[i].index, now);
	if (!indexes->parts[RG_INDEX_HOSTS].index)
		return;
	rg_index_sweep(indexes->parts[RG_INDEX_HOSTS].index, now);
	if (rg_index_is_stale(indexes->parts[RG_INDEX_HOSTS].index))
		renew(indexes, RG_INDEX_HOSTS);
}

struct rg_indexes_count rg_indexes_count(const struct rg_indexes *indexes)
{
	struct rg_indexes_count count = { .failed = indexes->failed };

	for (int i = 0; i < RG_INDEXES; i++)
		if (indexes->parts[i].index)
			count.parts[i] = rg_index_count(indexes->parts[i].index);
	return count;
}
