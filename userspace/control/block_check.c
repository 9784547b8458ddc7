/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/block_check.h"

#include "base/addr.h"
#include "kernel/connected.h"

#define SHOWN 5 /* own networks, and peers, that an answer names */

/* An entry that is no country. */
struct extent {
	struct rg_addr first, last;
};

static bool get_extent(const char *entry, struct extent *extent)
{
	return !rg_list_parse_bounds(entry, strlen(entry), &extent->first, &extent->last);
}

int rg_block_check(const struct rg_modules *modules, const char *entry, struct rg_error *error)
{
	const struct rg_own_network *own;
	char text[RG_OWN_TEXT];
	struct extent extent;
	struct rg_addr last;
	size_t at = 0;

	if (!get_extent(entry, &extent))
		return 0;
	own = rg_own_networks_within(&modules->exempt.own, &extent.first, &extent.last, &at);
	last = own ? rg_prefix_last(&own->prefix) : (struct rg_addr){};
	if (!own || rg_addr_compare(&own->prefix.addr, &extent.first) ||
	    rg_addr_compare(&last, &extent.last))
		return 0;
	return rg_fail(error, -EPERM, "%s, is never blocked", rg_own_networks_describe(own, text));
}

__attribute__((format(printf, 2, 3))) static void warn(json_t *warnings, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(warnings, json_string(text));
}

static void warn_of_own(const struct rg_modules *modules, const struct extent *extent,
			json_t *warnings)
{
	const struct rg_own_network *own;
	char text[RG_OWN_TEXT];
	size_t at = 0, count = 0;

	while ((own = rg_own_networks_within(&modules->exempt.own, &extent->first, &extent->last,
					     &at)))
		if (count++ < SHOWN)
			warn(warnings, "%s, is never blocked; the rest is",
			     rg_own_networks_describe(own, text));
	if (count > SHOWN)
		warn(warnings, "%zu more addresses and networks of this host are not blocked",
		     count - SHOWN);
}

static void warn_of_country(const struct rg_modules *modules, const char *code, json_t *warnings)
{
	struct rg_country_own found[RG_COUNTRY_OWN_MAX];
	size_t count = 0;
	char text[RG_OWN_TEXT];

	if (modules->countries)
		count = rg_country_db_find_own(modules->countries, &modules->exempt.own, found);
	for (size_t i = 0; i < count; i++)
		if (!strcasecmp(found[i].code, code))
			warn(warnings, "%s, is in %s, and is never blocked",
			     rg_own_networks_describe(found[i].own, text), found[i].code);
}

/* The peers that are connected now, each once. */
struct connected {
	const struct extent *extent;
	const struct rg_lists *lists;
	struct rg_addr peers[SHOWN];
	size_t count; /* connections of others, too */
};

static int find_connected(void *arg, const struct rg_addr *peer)
{
	struct connected *found = arg;
	const struct rg_list_item *item;

	if (rg_addr_compare(peer, &found->extent->first) < 0 ||
	    rg_addr_compare(peer, &found->extent->last) > 0)
		return 0;
	item = rg_lists_find(found->lists, peer, rg_now());
	if (item && item->peer_class == RG_CLASS_APPROVED)
		return 0;
	for (size_t i = 0; i < found->count && i < SHOWN; i++)
		if (!rg_addr_compare(peer, &found->peers[i]))
			return 0;
	if (found->count < SHOWN)
		found->peers[found->count] = *peer;
	found->count++;
	return 0;
}

static void warn_of_connected(const struct rg_modules *modules, const struct extent *extent,
			      json_t *warnings)
{
	struct connected found = { .extent = extent, .lists = modules->lists };
	char text[RG_ADDR_TEXT];

	(void)rg_connected_each(modules->conf->ports, modules->conf->port_count, find_connected,
				&found);
	for (size_t i = 0; i < found.count && i < SHOWN; i++)
		warn(warnings, "%s is connected now; its next connection is refused",
		     rg_addr_format(&found.peers[i], text));
	if (found.count > SHOWN)
		warn(warnings, "%zu more connections are open now; they go on", found.count - SHOWN);
}

json_t *rg_block_check_warnings(const struct rg_modules *modules, const char *entry)
{
	json_t *warnings = json_array();
	struct extent extent;

	if (get_extent(entry, &extent)) {
		warn_of_own(modules, &extent, warnings);
		warn_of_connected(modules, &extent, warnings);
	} else {
		warn_of_country(modules, entry, warnings);
	}
	return warnings;
}
