/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/list_own.h"

#include "base/addr.h"
#include "lists/list_sort.h"

/* Entries that are made of one, and what they are cut around. */
struct cut {
	struct rg_list_parser *parser;
	const struct rg_own_networks *own;
	struct rg_list_parsed entry; /* the one at hand */
};

static struct rg_prefix prefix_of(const struct rg_list_parsed *entry)
{
	return (struct rg_prefix){ .len = entry->len, .addr = entry->addr };
}

static int add_part(const struct cut *cut, const struct rg_prefix *prefix)
{
	struct rg_list_parsed part = cut->entry;

	part.addr = prefix->addr;
	part.len = (uint8_t)prefix->len;
	return rg_list_parse_add(cut->parser, &part);
}

/*
 * Halves prefix until each half has nothing of this host's in it, or is this host's. A prefix is halved at most once
 * for each of its bits and each own network.
 */
static int add_around(const struct cut *cut, struct rg_prefix prefix)
{
	struct rg_addr last = rg_prefix_last(&prefix);
	const struct rg_own_network *inside;
	size_t at = 0;
	int err;

	inside = rg_own_networks_within(cut->own, &prefix.addr, &last, &at);
	if (!inside)
		return add_part(cut, &prefix);
	if (!rg_prefix_compare(&inside->prefix, &prefix))
		return 0;
	prefix.len++;
	err = add_around(cut, prefix);
	if (err)
		return err;
	prefix.addr.bytes[(prefix.len - 1) / 8] |= (uint8_t)(0x80 >> (prefix.len - 1) % 8);
	return add_around(cut, prefix);
}

static int note(struct rg_list_coverings *coverings, const struct rg_list_covering *covering)
{
	size_t count = coverings->count;
	struct rg_list_covering *all = coverings->all;

	if (!(count & (count - 1))) /* the array has room for a power of two, and is full */
		all = reallocarray(all, count ? 2 * count : 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	coverings->all = all;
	all[coverings->count++] = *covering;
	return 0;
}

/* Whether entry covers something. Fills covering. */
static bool is_covering(const struct cut *cut, const struct rg_list_parsed *entry,
			struct rg_list_covering *covering)
{
	const struct rg_prefix prefix = prefix_of(entry);
	struct rg_addr last = rg_prefix_last(&prefix);
	const struct rg_own_network *own;
	size_t at = 0;

	if (entry->peer_class != RG_CLASS_BLOCKED)
		return false;
	own = rg_own_networks_within(cut->own, &prefix.addr, &last, &at);
	if (!own)
		return false;
	*covering = (struct rg_list_covering){ .entry = prefix,
					       .line = entry->line,
					       .source = entry->source,
					       .own = *own };
	while (rg_own_networks_within(cut->own, &prefix.addr, &last, &at))
		covering->more++;
	return true;
}

/* Takes the entry that is `cut->entry` now out, and adds its parts instead. */
static int replace(struct cut *cut, struct rg_list_covering *covering,
		   struct rg_list_coverings *coverings)
{
	size_t before = cut->parser->count;
	int err = add_around(cut, covering->entry);

	if (err == -ENOSPC)
		cut->parser->count = before;
	covering->dropped = cut->parser->count == before;
	return err && err != -ENOSPC ? err : note(coverings, covering);
}

int rg_list_own_cut(struct rg_list_parser *parser, const struct rg_own_networks *own,
		    struct rg_list_sort_waiting *waiting, struct rg_list_coverings *coverings)
{
	struct cut cut = { .parser = parser, .own = own };
	size_t count = parser->count, kept = 0;

	if (!own->count)
		return 0;
	for (size_t i = 0; i < count; i++) {
		struct rg_list_covering covering;
		int err;

		cut.entry = parser->entries[i];
		if (!is_covering(&cut, &cut.entry, &covering)) {
			parser->entries[kept++] = cut.entry;
			continue;
		}
		err = replace(&cut, &covering, coverings);
		if (err)
			return err;
	}
	if (kept == count)
		return 0;
	memmove(parser->entries + kept, parser->entries + count,
		(parser->count - count) * sizeof(*parser->entries));
	parser->count -= count - kept;
	return rg_list_sort_resolve(parser->entries, &parser->count, waiting);
}

const char *rg_list_own_describe(const struct rg_list_covering *covering,
				 char text[RG_LIST_COVERING_TEXT])
{
	char entry[RG_PREFIX_TEXT], own[RG_OWN_TEXT], more[40] = "";

	rg_own_networks_describe(&covering->own, own);
	if (covering->more)
		snprintf(more, sizeof(more), " (and %zu more)", covering->more);
	if (!rg_prefix_compare(&covering->entry, &covering->own.prefix))
		snprintf(text, RG_LIST_COVERING_TEXT, "%s, is never blocked", own);
	else
		snprintf(text, RG_LIST_COVERING_TEXT, "%s covers %s%s, which is never blocked; %s",
			 rg_prefix_format(&covering->entry, entry), own, more,
			 covering->dropped ? "max_list leaves no room for the rest of it" :
					     "the rest of it is");
	return text;
}
