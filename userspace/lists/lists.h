/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The postmaster's own lists: approved and blocked addresses, ranges, prefixes and countries
 * (ERS: they come before the service's). Files "*.list" of the two directories, and one file of each
 * kind that repgatectl writes. One entry a line:
 *
 *   ADDRESS | FIRST-LAST | PREFIX/LENGTH | CC   [until=SECONDS SINCE 1970]   [# comment]
 *
 * Loaded as a whole or not at all. Approved always wins, whatever the lengths.
 */
#ifndef REPGATE_LISTS_LISTS_H
#define REPGATE_LISTS_LISTS_H

#include "base/util.h"

#include "maps/verdict.h"

struct rg_lists;

/*
 * 12 bytes: there may be millions of them, and twice as many while lists are loaded again. What few need,
 * an IPv6 address or an end, stands behind the last of them, at a distance: no copy of an item finds it.
 */
struct rg_list_item {
	uint32_t key; /* v6 or timed: words from here to rg_list_words(); else the IPv4 address itself */
	uint32_t line;
	uint16_t source; /* rg_lists_source() */
	uint8_t len; /* bits; an IPv4 prefix counts from 96 */
	enum rg_class peer_class : 4;
	unsigned int nested : 1; /* within another one */
	unsigned int v6 : 1;
	unsigned int timed : 1; /* has an `until` */
};
_Static_assert(sizeof(struct rg_list_item) == 12, "size of an entry");

/* Its address in network order, a word or four of them (v6), and then `until` (timed). */
static inline const uint32_t *rg_list_words(const struct rg_list_item *item)
{
	return item->v6 || item->timed ? &item->key + item->key : &item->key;
}

static inline struct rg_prefix rg_list_prefix(const struct rg_list_item *item)
{
	struct rg_prefix prefix = { .len = item->len, .addr.bytes = { [10] = 0xff, [11] = 0xff } };

	if (item->v6)
		memcpy(prefix.addr.bytes, rg_list_words(item), sizeof(prefix.addr.bytes));
	else
		memcpy(prefix.addr.bytes + RG_ADDR_V4_OFFSET, rg_list_words(item), sizeof(item->key));
	return prefix;
}

/* s since 1970, 0: for good; see rg_lists_expiry() */
static inline uint32_t rg_list_until(const struct rg_list_item *item)
{
	return item->timed ? rg_list_words(item)[item->v6 ? 4 : 1] : 0;
}

struct rg_list_places {
	const char *approved_dir;
	const char *blocked_dir;
	const char *state_dir; /* approved.list and blocked.list in it are repgatectl's */
	size_t max_entries;
};

/* Errors name file:line. A directory that is not there counts as empty. */
int rg_lists_load(struct rg_lists **ret, const struct rg_list_places *places, struct rg_error *error);
void rg_lists_free(struct rg_lists *lists);

/* What is in force, in the order of rg_prefix_compare(); owned by lists. */
const struct rg_list_item *rg_lists_items(const struct rg_lists *lists, size_t *count);

/* Entries as written, before overlaps were resolved. */
size_t rg_lists_written(const struct rg_lists *lists);
size_t rg_lists_countries(const struct rg_lists *lists);

/* When it ends: ns of CLOCK_BOOTTIME by the clocks as they were at the load, 0: never. */
uint64_t rg_lists_expiry(const struct rg_lists *lists, const struct rg_list_item *item);
/* Whether entries with the same `until` end at the same time, to some ms: no clock was set in between. */
bool rg_lists_same_ends(const struct rg_lists *a, const struct rg_lists *b);

/* The file's path; owned by lists. */
const char *rg_lists_source(const struct rg_lists *lists, uint32_t source);

/* The longest live entry around addr, or NULL. The kernel's answer, computed here. */
const struct rg_list_item *rg_lists_find(const struct rg_lists *lists, const struct rg_addr *addr,
					 uint64_t now);

/* ERS order: an approved country wins over a blocked one. code: two capitals. NULL if not named. */
const struct rg_list_item *rg_lists_find_country(const struct rg_lists *lists, const char *code);
bool rg_lists_same_countries(const struct rg_lists *a, const struct rg_lists *b);

/* ns of CLOCK_BOOTTIME when the next timed entry ends; 0: none. Then it is time to load again. */
uint64_t rg_lists_next_expiry(const struct rg_lists *lists);

/* Checks one entry as people type it (no comment). 0 or -EINVAL with a reason. */
int rg_lists_check_entry(const char *text, struct rg_error *error);

/*
 * repgatectl's own lists in state_dir, rewritten atomically. until: seconds since 1970, 0 for good.
 * remove returns how many lines went, or a negative error. The caller loads again afterwards.
 */
int rg_lists_add(const char *state_dir, enum rg_class peer_class, const char *entry, int64_t until,
		 const char *comment, struct rg_error *error);
int rg_lists_remove(const char *state_dir, enum rg_class peer_class, const char *entry,
		    struct rg_error *error);
/* Takes the last change of the class's file back. */
void rg_lists_undo(const char *state_dir, enum rg_class peer_class);

#endif
