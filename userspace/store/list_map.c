/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/list_map.h"

#include "base/addr.h"
#include "kernel/inner_maps.h"

#include <bpf/bpf.h>

/* Entries in one system call. An LPM trie takes 3.5 us an entry; a system call each, 1 us more. */
#define LIST_BATCH 4096

static struct rg_list_entry list_entry(const struct rg_lists *lists, const struct rg_list_item *item)
{
	return (struct rg_list_entry){
		.expiry = rg_lists_expiry(lists, item),
		.prefix_len = item->len,
		.peer_class = item->peer_class,
		.source = item->source,
		.line = item->line,
	};
}

static int fill_map(int fd, const struct rg_lists *lists, const atomic_bool *stop)
{
	size_t count;
	const struct rg_list_item *items = rg_lists_items(lists, &count);
	RG_CLEANUP_FREE struct rg_prefix *keys = calloc(LIST_BATCH, sizeof(*keys));
	RG_CLEANUP_FREE struct rg_list_entry *values = calloc(LIST_BATCH, sizeof(*values));

	if (!keys || !values)
		return -ENOMEM;
	while (count) {
		__u32 batch = count < LIST_BATCH ? (__u32)count : LIST_BATCH;

		if (*stop)
			return -ECANCELED;
		for (__u32 i = 0; i < batch; i++) {
			keys[i] = rg_list_item_prefix(&items[i]);
			values[i] = list_entry(lists, &items[i]);
		}
		items += batch;
		count -= batch;
		if (bpf_map_update_batch(fd, keys, values, &batch, NULL))
			return -errno;
	}
	return 0;
}

static bool same_prefix(const struct rg_list_item *a, const struct rg_list_item *b)
{
	const struct rg_prefix x = rg_list_item_prefix(a), y = rg_list_item_prefix(b);

	return !rg_prefix_compare(&x, &y);
}

static bool same_item(const struct rg_list_item *a, const struct rg_list_item *b)
{
	return same_prefix(a, b) && rg_list_item_until(a) == rg_list_item_until(b) &&
	       a->peer_class == b->peer_class && a->source == b->source && a->line == b->line;
}

/* The difference between two lists that differ by one entry at most. */
struct change {
	const struct rg_list_item *added; /* or changed; NULL: none */
	const struct rg_list_item *removed; /* NULL: none */
};

/* False: more than one entry differs. */
static bool find_change(const struct rg_lists *from, const struct rg_lists *to, struct change *ret)
{
	size_t old_left, new_left;
	const struct rg_list_item *old = rg_lists_items(from, &old_left);
	const struct rg_list_item *items = rg_lists_items(to, &new_left);
	bool more = new_left > old_left, fewer = new_left < old_left;

	*ret = (struct change){};
	for (; old_left && new_left && same_item(old, items); old_left--, new_left--)
		old++, items++;
	if (new_left && !fewer) {
		ret->added = items++;
		new_left--;
	}
	if (old_left && !more) {
		ret->removed = old++;
		old_left--;
	}
	if (ret->added && ret->removed) {
		if (!same_prefix(ret->added, ret->removed))
			return false;
		ret->removed = NULL; /* the entry is the same, but changed */
	}
	for (; old_left && new_left && same_item(old, items); old_left--, new_left--)
		old++, items++;
	return !old_left && !new_left;
}

static bool has_waiting(const struct rg_lists *lists)
{
	size_t count;

	(void)rg_lists_waiting(lists, &count);
	return count;
}

struct rg_staged_lists {
	const struct rg_lists *lists; /* the caller's, as all items are */
	bool in_place; /* the trie in force is changed; otherwise a new one replaces it */
	struct change change; /* in_place: the change */
	int trie; /* the new trie; -1: none */
	struct rg_index_generation index;
};

static int fill_trie(struct rg_staged_lists *staged, const struct rg_loader *loader,
		     const atomic_bool *stop, struct rg_error *error)
{
	size_t count;
	int err;

	staged->trie = rg_inner_maps_new_list(loader);
	if (staged->trie < 0)
		return rg_fail(error, staged->trie, "no map for the local lists: %s",
			       strerror(-staged->trie));
	err = fill_map(staged->trie, staged->lists, stop);
	(void)rg_lists_items(staged->lists, &count);
	return err ? rg_fail(error, err, "local lists of %zu entries: %s", count, strerror(-err)) : 0;
}

int rg_list_map_stage(struct rg_staged_lists **ret, const struct rg_list_map *map,
		      const struct rg_lists *old, const struct rg_lists *lists,
		      const atomic_bool *stop, struct rg_error *error)
{
	struct rg_staged_lists *staged = calloc(1, sizeof(*staged));
	int err = 0;

	if (!staged)
		return rg_fail(error, -ENOMEM, "out of memory");
	*staged = (struct rg_staged_lists){ .lists = lists,
					    .trie = -1,
					    .index = RG_INDEX_GENERATION_NONE };
	staged->in_place = old && !has_waiting(old) && !has_waiting(lists) &&
			   rg_lists_same_ends(old, lists) &&
			   find_change(old, lists, &staged->change);
	if (!staged->in_place)
		err = fill_trie(staged, map->loader, stop, error);
	if (err) {
		rg_list_map_drop(staged);
		return err;
	}
	staged->index = rg_index_maps_stage_lists(map->indexes, lists);
	*ret = staged;
	return 0;
}

void rg_list_map_drop(struct rg_staged_lists *staged)
{
	if (!staged)
		return;
	rg_index_maps_drop(&staged->index);
	rg_closep(&staged->trie);
	free(staged);
}

/* Changes one entry of the trie in force. False: not possible, the trie is as it was. */
static bool change_in_place(const struct rg_list_map *map, const struct rg_lists *lists,
			    const struct change *change)
{
	RG_CLEANUP_CLOSE int fd = rg_inner_maps_current_list(map->loader);
	struct rg_list_entry value;
	struct rg_prefix key;

	if (fd < 0)
		return false;
	if (change->added) {
		key = rg_list_item_prefix(change->added);
		value = list_entry(lists, change->added);
		return !bpf_map_update_elem(fd, &key, &value, BPF_ANY);
	}
	if (!change->removed)
		return true;
	key = rg_list_item_prefix(change->removed);
	return !bpf_map_delete_elem(fd, &key);
}

static int replace_trie(const struct rg_list_map *map, int fd, struct rg_error *error)
{
	uint32_t zero = 0;
	/* The pin first: nothing may fail after the switch. */
	int err = rg_inner_maps_pin_list(map->loader, fd);

	if (err)
		return rg_fail(error, err, "local lists can't be pinned: %s", strerror(-err));
	if (bpf_map_update_elem(rg_loader_maps(map->loader)->lists, &zero, &fd, BPF_ANY))
		return rg_fail(error, -errno, "local lists can't be put in force: %m");
	return 0;
}

int rg_list_map_publish(const struct rg_list_map *map, struct rg_staged_lists *staged,
			struct rg_error *error)
{
	static const atomic_bool never;
	int err = 0;

	if (!staged->in_place || !change_in_place(map, staged->lists, &staged->change)) {
		/* The pin was removed, or memory is short: the loop waits for a new trie. */
		if (staged->in_place)
			err = fill_trie(staged, map->loader, &never, error);
		if (!err)
			err = replace_trie(map, staged->trie, error);
		if (err)
			return err;
	}
	rg_index_maps_swap_lists(map->indexes, &staged->index);
	return 0;
}

#define BEGIN_MOST 1000 /* entries: 4 ms */

/* 1: put, 0: it is there already, or not needed; or -errno. */
static int begin(int fd, const struct rg_lists *lists, const struct rg_list_waiting *waiting,
		 uint64_t now)
{
	const struct rg_prefix key = rg_list_item_prefix(&waiting->item);
	struct rg_list_entry value = list_entry(lists, &waiting->item), old;

	if (rg_lists_begin(lists, waiting) > now || (value.expiry && value.expiry <= now))
		return 0;
	if (!bpf_map_lookup_elem(fd, &key, &old) && old.prefix_len == key.len &&
	    old.peer_class == RG_CLASS_BLOCKED && old.expiry == value.expiry)
		return 0;
	return bpf_map_update_elem(fd, &key, &value, BPF_ANY) ? -errno : 1;
}

int rg_list_map_begin(const struct rg_list_map *map, const struct rg_lists *lists, uint64_t now)
{
	size_t count;
	const struct rg_list_waiting *waiting = rg_lists_waiting(lists, &count);
	RG_CLEANUP_CLOSE int fd = count ? rg_inner_maps_current_list(map->loader) : -1;
	int put = 0;

	if (count && fd < 0)
		return fd;
	for (size_t i = 0; i < count && put < BEGIN_MOST; i++) {
		int ret = begin(fd, lists, &waiting[i], now);

		if (ret < 0)
			return ret;
		put += ret;
	}
	return put;
}
