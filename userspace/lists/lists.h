/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The postmaster's own lists: approved and blocked addresses, ranges, prefixes and countries. They come
 * before what any zone says. The files are *.list of two directories, and the two that repgatectl writes
 * (list_edit.h); list_parse.h has their syntax.
 *
 * Lists do not change after they are loaded. A bad line or file costs what list_file.h says, and nothing else.
 * Approved always wins over blocked, whatever the prefix lengths. What list_own.h names is never blocked.
 */
#ifndef REPGATE_LISTS_LISTS_H
#define REPGATE_LISTS_LISTS_H

#include "lists/list_file.h"
#include "lists/list_names.h"
#include "lists/list_own.h"

struct rg_lists;

/*
 * An entry in force: 12 bytes, as there may be millions, and twice as many during a reload. Few need an
 * IPv6 address or an end; these stand behind the last item, at a distance from it. So a copy of an item
 * is no use: take its address.
 */
struct rg_list_item {
	uint32_t key; /* v6 or timed: words from here to rg_list_item_words(); else the IPv4 address */
	uint32_t line;
	uint16_t source; /* rg_lists_source() */
	uint8_t len; /* bits; an IPv4 prefix counts from 96 */
	enum rg_class peer_class : 4;
	unsigned int nested : 1; /* within another one */
	unsigned int v6 : 1;
	unsigned int timed : 1; /* has an `until` */
};
_Static_assert(sizeof(struct rg_list_item) == 12, "size of an entry");

/* The address in network order, one word or four (v6), then `until` (timed). */
static inline const uint32_t *rg_list_item_words(const struct rg_list_item *item)
{
	return item->v6 || item->timed ? &item->key + item->key : &item->key;
}

static inline struct rg_prefix rg_list_item_prefix(const struct rg_list_item *item)
{
	struct rg_prefix prefix = { .len = item->len, .addr.bytes = { [10] = 0xff, [11] = 0xff } };

	if (item->v6)
		memcpy(prefix.addr.bytes, rg_list_item_words(item), sizeof(prefix.addr.bytes));
	else
		memcpy(prefix.addr.bytes + RG_ADDR_V4_OFFSET, rg_list_item_words(item),
		       sizeof(item->key));
	return prefix;
}

/* s since 1970, 0: for good. rg_lists_expiry() has the same by the kernel's clock. */
static inline uint32_t rg_list_item_until(const struct rg_list_item *item)
{
	return item->timed ? rg_list_item_words(item)[item->v6 ? 4 : 1] : 0;
}

struct rg_list_paths {
	const char *approved_dir;
	const char *blocked_dir;
	const char *state_dir; /* with repgatectl's approved.list and blocked.list, and last good versions */
	const struct rg_own_networks *own; /* never blocked; copied; NULL: everything may be blocked */
	size_t max_entries; /* prefixes that the files may come to; a file with which there are more has a fault */
	bool no_countries; /* there is no database: a country is a bad line */
	bool keep; /* good files are copied to state_dir/lists/ */
	bool all_bad; /* quote all bad lines */
	bool force; /* files that shrank or have many bad lines are what the postmaster means */
};

/*
 * Reads all files. A directory that does not exist counts as empty. What is wrong with a file is told by
 * rg_lists_files(). 0 or -ENOMEM; then *ret is not set. May run in any thread.
 */
int rg_lists_load(struct rg_lists **ret, const struct rg_list_paths *paths);
void rg_lists_free(struct rg_lists *lists);

/* What is in force, in the order of rg_prefix_compare(), without countries; owned by lists. */
const struct rg_list_item *rg_lists_items(const struct rg_lists *lists, size_t *count);

/*
 * A blocked entry that an approved one covers, and that lasts longer. It is in force from the end of the
 * approval on, also if the lists can't be loaded again then. Not in rg_lists_items().
 */
struct rg_list_waiting {
	struct rg_list_item item;
	uint32_t words[5]; /* of the item */
	uint32_t from; /* s since 1970: when the last approval around it ends */
};
/* Owned by lists. */
const struct rg_list_waiting *rg_lists_waiting(const struct rg_lists *lists, size_t *count);
/* When it begins, as rg_lists_expiry(). */
uint64_t rg_lists_begin(const struct rg_lists *lists, const struct rg_list_waiting *waiting);

/* Entries as written, before overlaps were resolved. */
size_t rg_lists_written(const struct rg_lists *lists);
/* How many countries are named. */
size_t rg_lists_countries(const struct rg_lists *lists);

/* When item ends: ns of CLOCK_BOOTTIME by the clocks as they were at the load; 0: never. */
uint64_t rg_lists_expiry(const struct rg_lists *lists, const struct rg_list_item *item);
/*
 * Whether entries with the same `until` end at the same time in both, to 10 ms. False if the wall clock
 * was set between the two loads and an entry has an `until`.
 */
bool rg_lists_same_ends(const struct rg_lists *a, const struct rg_lists *b);

/*
 * Whether the wall clock was set since the load, by more than 2 s: a host without a battery learns the time
 * after it has loaded its lists. Then entries with an `until` end at a wrong time, or were left out.
 */
bool rg_lists_clock_was_set(const struct rg_lists *lists);

/* Every file that was found, or could not be; owned by lists. */
const struct rg_list_file *rg_lists_files(const struct rg_lists *lists, size_t *count);

/* Files of the two directories that are not read, because of their names; owned by lists. */
const struct rg_list_unread *rg_lists_unread(const struct rg_lists *lists);

/* What is never blocked, as it was when the lists were loaded; owned by lists. */
const struct rg_own_networks *rg_lists_own(const struct rg_lists *lists);
/* Blocked entries that cover what is never blocked, in the order of prefixes; owned by lists. */
const struct rg_list_coverings *rg_lists_coverings(const struct rg_lists *lists);
/* Whether what is in force would be another thing with these own networks, so that the lists must be loaded again. */
bool rg_lists_needs_cut(const struct rg_lists *lists, const struct rg_own_networks *own);

/* Calls change for each text that quotes a line, to take out what must not be shown. */
void rg_lists_mask(struct rg_lists *lists, void (*change)(const void *arg, char *text),
		   const void *arg);

struct rg_list_faults {
	size_t bad_lines;
	size_t files; /* files with a fault */
	size_t kept; /* of those, with the last good version in force */
};
struct rg_list_faults rg_lists_faults(const struct rg_lists *lists);

/* The path of the file that an item's source names; owned by lists. */
const char *rg_lists_source(const struct rg_lists *lists, uint32_t source);

/*
 * The longest entry around addr that has not ended at now (ns of CLOCK_BOOTTIME), or NULL. The kernel
 * finds the same in its trie.
 */
const struct rg_list_item *rg_lists_find(const struct rg_lists *lists, const struct rg_addr *addr,
					 uint64_t now);

/*
 * code: two letters. An approved country wins over a blocked one, as long as it has not ended at now (ns of
 * CLOCK_BOOTTIME). NULL: no list names it, or the entry has ended.
 */
const struct rg_list_item *rg_lists_find_country(const struct rg_lists *lists, const char *code,
						 uint64_t now);
/* Whether both approve and block the same countries. */
bool rg_lists_same_countries(const struct rg_lists *a, const struct rg_lists *b);

/*
 * When the next entry with an `until` ends, and the lists must be loaded again: ns of CLOCK_BOOTTIME; 0:
 * never.
 */
uint64_t rg_lists_next_expiry(const struct rg_lists *lists);

#endif
