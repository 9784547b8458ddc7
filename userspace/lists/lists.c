/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/lists.h"

#include "base/addr.h"
#include "lists/list_edit.h"
#include "lists/list_sort.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MAX_SOURCES UINT16_MAX /* what rg_list_item.source can hold */

/* Its item has no address. */
struct country {
	struct rg_list_item item; /* class NONE: not named */
	uint32_t words[2]; /* as behind the items of addresses: [1] is `until` */
};

struct rg_lists {
	struct rg_list_item *items; /* one block, with the words of rg_list_item_words() behind them */
	size_t count;
	size_t written;
	char **sources;
	uint32_t source_count;
	struct country *countries; /* RG_LIST_COUNTRIES */
	size_t country_count;
	bool lengths[RG_ADDR_BITS + 1]; /* whether an item has this length */
	uint64_t now; /* ns of CLOCK_BOOTTIME, when the load began */
	int64_t wall_offset; /* then: ns from CLOCK_BOOTTIME to CLOCK_REALTIME */
	uint32_t next_until; /* 0: none */
};

void rg_lists_free(struct rg_lists *lists)
{
	if (!lists)
		return;
	for (uint32_t i = 0; i < lists->source_count; i++)
		free(lists->sources[i]);
	free(lists->sources);
	free(lists->countries);
	free(lists->items);
	free(lists);
}

/* ---- the files ---- */

static int add_source(struct rg_lists *lists, const char *path, uint16_t *ret)
{
	uint32_t count = lists->source_count;
	char **sources = lists->sources;

	if (count == MAX_SOURCES)
		return -ENFILE;
	if (!(count & (count - 1))) /* the array has room for a power of two, and is full */
		sources = reallocarray(sources, count ? 2 * count : 1, sizeof(*sources));
	if (!sources)
		return -ENOMEM;
	lists->sources = sources;
	sources[count] = strdup(path);
	if (!sources[count])
		return -ENOMEM;
	*ret = (uint16_t)lists->source_count++;
	return 0;
}

/*
 * The whole of a regular file, NULL if it is empty; the caller frees it. It is read, not mapped: if an
 * editor truncates a mapped file, we die of SIGBUS.
 */
static int read_whole(int fd, char **ret, size_t *len)
{
	struct stat st;
	ssize_t got = 1;
	char *text;

	*ret = NULL;
	*len = 0;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > UINT32_MAX)
		return -EFBIG;
	if (!st.st_size)
		return 0;
	text = malloc((size_t)st.st_size);
	if (!text)
		return -ENOMEM;
	while (*len < (size_t)st.st_size &&
	       (got = read(fd, text + *len, (size_t)st.st_size - *len)) > 0)
		*len += (size_t)got;
	if (got < 0) {
		int err = -errno;

		free(text);
		return err;
	}
	*ret = text;
	return 0;
}

/* While lists are loaded. */
struct load {
	struct rg_lists *lists;
	struct rg_list_parser parser;
	struct rg_error *error;
};

/* missing_ok: repgatectl's file need not exist. */
static int load_file(struct load *load, const char *path, enum rg_class peer_class, bool missing_ok)
{
	struct rg_list_text from = { .path = path, .peer_class = peer_class };
	RG_CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	RG_CLEANUP_FREE char *text = NULL;
	struct rg_error *error = load->error;
	size_t len;
	int err;

	if (fd < 0)
		return errno == ENOENT && missing_ok ? 0 : rg_fail(error, -errno, "%s: %m", path);
	err = read_whole(fd, &text, &len);
	if (err == -EINVAL)
		return rg_fail(error, err, "%s: not a regular file", path);
	if (err == -EFBIG)
		return rg_fail(error, err, "%s: larger than 4 GiB", path);
	if (!err)
		err = add_source(load->lists, path, &from.source);
	if (err == -ENFILE)
		return rg_fail(error, err, "%s: more than %d list files", path, MAX_SOURCES);
	if (err)
		return rg_fail(error, err, "%s: %s", path, strerror(-err));
	return rg_list_parse(&load->parser, &from, text, len, error);
}

static int is_list_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && !strcmp(entry->d_name + len - 5, ".list");
}

static int load_directory(struct load *load, const char *dir, enum rg_class peer_class)
{
	struct dirent **names = NULL;
	int count = scandir(dir, &names, is_list_file, alphasort), err = 0;

	if (count < 0)
		return errno == ENOENT ? 0 : rg_fail(load->error, -errno, "%s: %m", dir);
	for (int i = 0; i < count; i++) {
		RG_CLEANUP_FREE char *path = NULL;

		if (!err && asprintf(&path, "%s/%s", dir, names[i]->d_name) < 0)
			err = -ENOMEM;
		if (!err)
			err = load_file(load, path, peer_class, false);
		free(names[i]);
	}
	free(names);
	return err;
}

static int load_class(struct load *load, const struct rg_list_paths *paths, enum rg_class peer_class)
{
	const char *dir = peer_class == RG_CLASS_APPROVED ? paths->approved_dir : paths->blocked_dir;
	RG_CLEANUP_FREE char *own = rg_list_edit_path(paths->state_dir, peer_class);
	int err = own ? load_directory(load, dir, peer_class) :
			rg_fail(load->error, -ENOMEM, "out of memory");

	return err ? err : load_file(load, own, peer_class, true);
}

/* ---- packing ---- */

static bool is_v6(const struct rg_list_parsed *entry)
{
	return rg_addr_half(&entry->addr, 0) || rg_addr_half(&entry->addr, 1) >> 32 != 0xffff;
}

/* How many words behind the items an entry needs. */
static size_t words_of(const struct rg_list_parsed *entry)
{
	bool timed = entry->until != 0;

	if (is_v6(entry))
		return 4 + timed;
	return timed ? 2 : 0;
}

/* rest: where the item's words go, if it has any. Returns how many. */
static size_t pack_entry(const struct rg_list_parsed *entry, struct rg_list_item *item, uint32_t *rest)
{
	size_t count = words_of(entry);
	uint32_t *words = count ? rest : &item->key;

	*item = (struct rg_list_item){ .key = count ? (uint32_t)(rest - &item->key) : 0,
				       .line = entry->line,
				       .source = entry->source,
				       .len = entry->len,
				       .peer_class = entry->peer_class,
				       .nested = entry->nested,
				       .v6 = count >= 4,
				       .timed = entry->until != 0 };
	if (item->v6)
		memcpy(words, entry->addr.bytes, sizeof(entry->addr.bytes));
	else
		memcpy(words, entry->addr.bytes + RG_ADDR_V4_OFFSET, sizeof(*words));
	if (item->timed)
		words[count - 1] = entry->until;
	return count;
}

/* Makes items of the entries: less than half as large, and without room for more. */
static int pack(struct rg_lists *lists, const struct rg_list_parsed *entries, size_t count)
{
	size_t words = 0;
	uint32_t *rest;

	for (size_t i = 0; i < count; i++)
		words += words_of(&entries[i]);
	lists->items = malloc(count * sizeof(*lists->items) + words * sizeof(uint32_t) + 1);
	if (!lists->items)
		return -ENOMEM;
	rest = (uint32_t *)(lists->items + count);
	for (size_t i = 0; i < count; i++) {
		rest += pack_entry(&entries[i], &lists->items[i], rest);
		lists->lengths[entries[i].len] = true;
	}
	lists->count = count;
	return 0;
}

static void pack_countries(struct rg_lists *lists, const struct rg_list_parsed_country *parsed)
{
	for (int i = 0; i < RG_LIST_COUNTRIES; i++) {
		if (parsed[i].peer_class == RG_CLASS_NONE)
			continue;
		lists->country_count++;
		lists->countries[i] = (struct country){
			.item = { .key = offsetof(struct country, words) / sizeof(uint32_t),
				  .line = parsed[i].line,
				  .source = parsed[i].source,
				  .peer_class = parsed[i].peer_class,
				  .timed = parsed[i].until != 0 },
			.words = { 0, parsed[i].until },
		};
	}
}

static int load_all(struct load *load, const struct rg_list_paths *paths)
{
	struct rg_lists *lists = load->lists;
	struct rg_list_parser *parser = &load->parser;
	int err = load_class(load, paths, RG_CLASS_APPROVED);

	if (!err)
		err = load_class(load, paths, RG_CLASS_BLOCKED);
	if (err)
		return err;
	parser->count = rg_list_sort_resolve(parser->entries, parser->count);
	lists->countries = calloc(RG_LIST_COUNTRIES, sizeof(*lists->countries));
	if (!lists->countries || pack(lists, parser->entries, parser->count))
		return rg_fail(load->error, -ENOMEM, "out of memory");
	pack_countries(lists, parser->countries);
	lists->written = parser->written;
	lists->next_until = parser->next_until;
	return 0;
}

int rg_lists_load(struct rg_lists **ret, const struct rg_list_paths *paths, struct rg_error *error)
{
	struct load load = { .lists = calloc(1, sizeof(*load.lists)),
			     .parser = { .max = paths->max_entries,
					 .now = rg_now(),
					 .wall_offset = rg_wall_offset() },
			     .error = error };
	int err;

	if (!load.lists)
		return rg_fail(error, -ENOMEM, "out of memory");
	load.lists->now = load.parser.now;
	load.lists->wall_offset = load.parser.wall_offset;
	err = load_all(&load, paths);
	free(load.parser.entries);
	if (err) {
		rg_lists_free(load.lists);
		return err;
	}
	*ret = load.lists;
	return 0;
}

/* ---- queries ---- */

const struct rg_list_item *rg_lists_items(const struct rg_lists *lists, size_t *count)
{
	*count = lists->count;
	return lists->items;
}

size_t rg_lists_written(const struct rg_lists *lists)
{
	return lists->written;
}

size_t rg_lists_countries(const struct rg_lists *lists)
{
	return lists->country_count;
}

const char *rg_lists_source(const struct rg_lists *lists, uint32_t source)
{
	return source < lists->source_count ? lists->sources[source] : "?";
}

static uint64_t expiry_of(const struct rg_lists *lists, uint32_t until)
{
	return until ? (uint64_t)(until * (int64_t)RG_NSEC_PER_SEC - lists->wall_offset) : 0;
}

uint64_t rg_lists_expiry(const struct rg_lists *lists, const struct rg_list_item *item)
{
	return expiry_of(lists, rg_list_item_until(item));
}

bool rg_lists_same_ends(const struct rg_lists *a, const struct rg_lists *b)
{
	int64_t apart = a->wall_offset - b->wall_offset;

	return !a->next_until || !b->next_until || llabs(apart) < (int64_t)RG_NSEC_PER_SEC / 100;
}

/* rg_addr_half() of the item's address. A search looks at many, so the address is not built. */
static uint64_t item_half(const struct rg_list_item *item, unsigned int half)
{
	const uint32_t *words = rg_list_item_words(item);

	if (item->v6)
		return (uint64_t)be32toh(words[2 * half]) << 32 | be32toh(words[2 * half + 1]);
	return half ? 0xffffULL << 32 | be32toh(*words) : 0;
}

static bool is_past(const struct rg_list_item *item, const struct rg_prefix *prefix)
{
	uint64_t own = item_half(item, 0), other = rg_addr_half(&prefix->addr, 0);

	if (own == other) {
		own = item_half(item, 1);
		other = rg_addr_half(&prefix->addr, 1);
	}
	return own == other ? item->len > prefix->len : own > other;
}

/* The last item at or before prefix; NULL: none. */
static const struct rg_list_item *find_last(const struct rg_lists *lists,
					    const struct rg_prefix *prefix)
{
	size_t low = 0, high = lists->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (is_past(&lists->items[middle], prefix))
			high = middle;
		else
			low = middle + 1;
	}
	return low ? &lists->items[low - 1] : NULL;
}

static bool is_live(const struct rg_lists *lists, const struct rg_list_item *item, uint64_t now)
{
	return !item->timed || rg_lists_expiry(lists, item) > now;
}

static bool is_around(const struct rg_list_item *item, const struct rg_addr *addr)
{
	const struct rg_prefix prefix = rg_list_item_prefix(item);

	return rg_prefix_covers(&prefix, addr);
}

/*
 * The last entry that begins at or before addr covers it, or an entry around that one does. Few entries
 * are nested; for those each length that exists is tried.
 */
const struct rg_list_item *rg_lists_find(const struct rg_lists *lists, const struct rg_addr *addr,
					 uint64_t now)
{
	struct rg_prefix prefix = { .len = RG_ADDR_BITS, .addr = *addr };
	const struct rg_list_item *item = find_last(lists, &prefix);
	bool nested = item && item->nested;

	if (item && is_around(item, addr) && is_live(lists, item, now))
		return item;
	for (uint32_t len = nested ? item->len : 0; len--;) {
		if (!lists->lengths[len])
			continue;
		prefix.len = len;
		rg_prefix_mask(&prefix);
		item = find_last(lists, &prefix);
		if (item && item->len == len && is_around(item, &prefix.addr) &&
		    is_live(lists, item, now))
			return item;
	}
	return NULL;
}

const struct rg_list_item *rg_lists_find_country(const struct rg_lists *lists, const char *code)
{
	int index = rg_list_parse_country(code, strlen(code));

	if (index < 0 || lists->countries[index].item.peer_class == RG_CLASS_NONE)
		return NULL;
	return &lists->countries[index].item;
}

bool rg_lists_same_countries(const struct rg_lists *a, const struct rg_lists *b)
{
	for (int i = 0; i < RG_LIST_COUNTRIES; i++)
		if (a->countries[i].item.peer_class != b->countries[i].item.peer_class)
			return false;
	return true;
}

uint64_t rg_lists_next_expiry(const struct rg_lists *lists)
{
	return expiry_of(lists, lists->next_until);
}
