/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One subject: what is in force of all list files, as one sorted array; loaded here, and searched. */
#include "lists/lists.h"

#include "base/addr.h"
#include "lists/list_edit.h"
#include "lists/list_sort.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

/* What rg_list_item.source can hold, with room for repgatectl's own files. */
#define MAX_FILES (UINT16_MAX - 1)

/* Its item has no address. */
struct country {
	struct rg_list_item item; /* class NONE: not named */
	uint32_t words[2]; /* as behind the items of addresses: [1] is `until` */
};

struct rg_lists {
	struct rg_list_item *items; /* one block, with the words of rg_list_item_words() behind them */
	size_t count;
	size_t written;
	struct rg_list_file *files;
	uint32_t file_count;
	struct country *countries; /* RG_LIST_COUNTRIES that are approved, and as many that are blocked */
	size_t country_count;
	bool lengths[RG_ADDR_BITS + 1]; /* whether an item has this length */
	uint64_t now; /* ns of CLOCK_BOOTTIME, when the load began */
	int64_t wall_offset; /* then: ns from CLOCK_BOOTTIME to CLOCK_REALTIME */
	uint32_t next_until; /* 0: none */
	struct rg_own_networks own; /* that blocked entries were cut around */
	struct rg_list_coverings coverings;
	struct rg_list_unread unread;
	struct rg_list_waiting *waiting;
	size_t waiting_count;
	uint32_t next_from; /* the soonest `from` of them; 0: there is none */
};

void rg_lists_free(struct rg_lists *lists)
{
	if (!lists)
		return;
	for (uint32_t i = 0; i < lists->file_count; i++)
		rg_list_file_clear(&lists->files[i]);
	free(lists->files);
	rg_own_networks_clear(&lists->own);
	rg_list_names_clear_unread(&lists->unread);
	free(lists->coverings.all);
	free(lists->countries);
	free(lists->items);
	free(lists->waiting);
	free(lists);
}

/* ---- the files ---- */

/* While lists are loaded. */
struct load {
	struct rg_lists *lists;
	struct rg_list_parser parser;
	const struct rg_list_paths *paths;
	enum rg_class peer_class; /* of the directory at hand */
	struct rg_list_keep keep;
};

/* A new file of the class at hand, the last of lists->files. NULL: no memory. */
static struct rg_list_file *add_file(struct load *load, const char *dir, const char *name)
{
	struct rg_lists *lists = load->lists;
	uint32_t count = lists->file_count;
	struct rg_list_file *files = lists->files;

	if (!(count & (count - 1))) /* the array has room for a power of two, and is full */
		files = reallocarray(files, count ? 2 * count : 1, sizeof(*files));
	if (!files)
		return NULL;
	lists->files = files;
	files[count] = (struct rg_list_file){ .peer_class = load->peer_class };
	if (asprintf(&files[count].path, "%s%s%s", dir, *name ? "/" : "", name) < 0)
		return NULL;
	lists->file_count++;
	return &files[count];
}

static int load_file(struct load *load, const char *dir, const char *name, bool missing_ok)
{
	uint32_t source = load->lists->file_count;
	struct rg_list_file *file = add_file(load, dir, name);

	if (!file)
		return -ENOMEM;
	if (source >= MAX_FILES && *name) {
		snprintf(file->fault, sizeof(file->fault), "more than %d list files", MAX_FILES);
		return 0;
	}
	return rg_list_file_load(file, &load->parser, (uint16_t)source, &load->keep,
				 load->paths->no_countries, missing_ok);
}

/* Removes the copies of files that are gone: who takes a file away means it. */
static void forget_gone(const struct load *load, const char *dir)
{
	DIR *copies = load->keep.write ? opendir(load->keep.dir) : NULL;
	const struct dirent *entry;

	while (copies && (entry = readdir(copies))) {
		RG_CLEANUP_FREE char *path = NULL;
		struct stat st;

		if (*entry->d_name != '.' &&
		    asprintf(&path, "%s/%.*s", dir, (int)rg_list_names_of_copy(entry->d_name),
			     entry->d_name) > 0 &&
		    lstat(path, &st) && errno == ENOENT)
			(void)unlinkat(dirfd(copies), entry->d_name, 0);
	}
	if (copies)
		closedir(copies);
}

/* The names of the files in dir; if it can't be read, of those whose last good versions are kept. */
static int find_files(struct load *load, const char *dir, struct dirent ***names)
{
	int count = scandir(dir, names, rg_list_names_is_list, alphasort);
	struct rg_list_file *file;

	if (count >= 0 || errno == ENOENT) {
		forget_gone(load, dir);
		return count < 0 ? 0 : count;
	}
	if (errno == ENOMEM)
		return -ENOMEM;
	file = add_file(load, dir, "");
	if (!file)
		return -ENOMEM;
	snprintf(file->fault, sizeof(file->fault), "%m");
	count = load->keep.dir ? scandir(load->keep.dir, names, rg_list_names_is_list, alphasort) : 0;
	return count < 0 ? 0 : count;
}

static int load_directory(struct load *load, const char *dir)
{
	struct dirent **names = NULL;
	int count = find_files(load, dir, &names), err = count < 0 ? count : 0;

	if (!err)
		err = rg_list_names_add_unread(&load->lists->unread, dir);
	for (int i = 0; i < count; i++) {
		if (!err)
			err = load_file(load, dir, names[i]->d_name, false);
		free(names[i]);
	}
	free(names);
	return err;
}

/* Where the last good versions of a class are: STATE_DIR/lists/CLASS. Makes the directory if it may. */
static char *keep_dir(const struct rg_list_paths *paths, enum rg_class peer_class)
{
	const char *name = peer_class == RG_CLASS_APPROVED ? "approved" : "blocked";
	char *dir;

	if (asprintf(&dir, "%s/lists", paths->state_dir) < 0)
		return NULL;
	if (paths->keep)
		(void)mkdir(dir, 0700);
	free(dir);
	if (asprintf(&dir, "%s/lists/%s", paths->state_dir, name) < 0)
		return NULL;
	if (paths->keep)
		(void)mkdir(dir, 0700);
	return dir;
}

/* A class's directory, then repgatectl's own file, which no other program writes: it needs no copy. */
static int load_class(struct load *load, enum rg_class peer_class)
{
	const struct rg_list_paths *paths = load->paths;
	const char *dir = peer_class == RG_CLASS_APPROVED ? paths->approved_dir : paths->blocked_dir;
	RG_CLEANUP_FREE char *own = rg_list_edit_path(paths->state_dir, peer_class);
	RG_CLEANUP_FREE char *keep = keep_dir(paths, peer_class);
	int err;

	if (!own || !keep)
		return -ENOMEM;
	load->peer_class = peer_class;
	load->keep = (struct rg_list_keep){ keep, paths->keep, paths->force, paths->all_bad };
	err = load_directory(load, dir);
	load->keep = (struct rg_list_keep){ .force = true, .all_bad = paths->all_bad };
	return err ? err : load_file(load, own, "", true);
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

/* Whether a prefix and what is never blocked have an address in common. */
static bool touches_own(const struct rg_own_networks *own, const struct rg_list_parsed *entry)
{
	const struct rg_prefix prefix = { .len = entry->len, .addr = entry->addr };

	for (size_t i = 0; i < own->count; i++)
		if (rg_prefix_covers(&prefix, &own->all[i].prefix.addr) ||
		    rg_prefix_covers(&own->all[i].prefix, &prefix.addr))
			return true;
	return false;
}

/*
 * Of those that wait, each has room for its own words. One that touches what is never blocked is left to the
 * next load, which cuts it.
 */
static int pack_waiting(struct rg_lists *lists, const struct rg_list_sort_waiting *waiting)
{
	lists->waiting = calloc(waiting->count + 1, sizeof(*lists->waiting));
	if (!lists->waiting)
		return -ENOMEM;
	for (size_t i = 0; i < waiting->count; i++) {
		struct rg_list_waiting *to = &lists->waiting[lists->waiting_count];

		if (touches_own(&lists->own, &waiting->all[i].entry))
			continue;
		lists->waiting_count++;
		(void)pack_entry(&waiting->all[i].entry, &to->item, to->words);
		to->from = waiting->all[i].from;
		if (!lists->next_from || to->from < lists->next_from)
			lists->next_from = to->from;
	}
	return 0;
}

/* Of a country that is approved for as long as it is blocked, or longer, the block never counts. */
static void drop_needless_countries(struct rg_list_parser *parser)
{
	for (int i = 0; i < RG_LIST_COUNTRIES; i++)
		if (parser->approved[i].peer_class != RG_CLASS_NONE &&
		    parser->approved[i].until - 1 >= parser->blocked[i].until - 1)
			parser->blocked[i].peer_class = RG_CLASS_NONE;
}

static void pack_countries(struct country *countries, const struct rg_list_parsed_country *parsed)
{
	for (int i = 0; i < RG_LIST_COUNTRIES; i++) {
		if (parsed[i].peer_class == RG_CLASS_NONE)
			continue;
		countries[i] = (struct country){
			.item = { .key = offsetof(struct country, words) / sizeof(uint32_t),
				  .line = parsed[i].line,
				  .source = parsed[i].source,
				  .peer_class = parsed[i].peer_class,
				  .timed = parsed[i].until != 0 },
			.words = { 0, parsed[i].until },
		};
	}
}

static int load_all(struct load *load)
{
	struct rg_lists *lists = load->lists;
	struct rg_list_parser *parser = &load->parser;
	struct rg_list_sort_waiting waiting = {};
	int err;

	if (load_class(load, RG_CLASS_APPROVED) || load_class(load, RG_CLASS_BLOCKED))
		return -ENOMEM;
	err = rg_list_sort_resolve(parser->entries, &parser->count, &waiting);
	if (!err && load->paths->own &&
	    (rg_own_networks_copy(&lists->own, load->paths->own) ||
	     rg_list_own_cut(parser, &lists->own, &waiting, &lists->coverings)))
		err = -ENOMEM;
	if (!err)
		err = pack_waiting(lists, &waiting);
	free(waiting.all);
	if (err)
		return err;
	lists->countries = calloc(2 * RG_LIST_COUNTRIES, sizeof(*lists->countries));
	if (!lists->countries || pack(lists, parser->entries, parser->count))
		return -ENOMEM;
	drop_needless_countries(parser);
	pack_countries(lists->countries, parser->approved);
	pack_countries(lists->countries + RG_LIST_COUNTRIES, parser->blocked);
	for (int i = 0; i < RG_LIST_COUNTRIES; i++)
		lists->country_count += parser->approved[i].peer_class != RG_CLASS_NONE ||
					parser->blocked[i].peer_class != RG_CLASS_NONE;
	lists->written = parser->written;
	lists->next_until = parser->next_until;
	return 0;
}

int rg_lists_load(struct rg_lists **ret, const struct rg_list_paths *paths)
{
	struct load load = { .lists = calloc(1, sizeof(*load.lists)),
			     .parser = { .max = paths->max_entries,
					 .now = rg_now(),
					 .wall_offset = rg_wall_offset() },
			     .paths = paths };
	int err;

	if (!load.lists)
		return -ENOMEM;
	load.lists->now = load.parser.now;
	load.lists->wall_offset = load.parser.wall_offset;
	err = load_all(&load);
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
	return source < lists->file_count ? lists->files[source].path : "?";
}

const struct rg_list_file *rg_lists_files(const struct rg_lists *lists, size_t *count)
{
	*count = lists->file_count;
	return lists->files;
}

void rg_lists_mask(struct rg_lists *lists, void (*change)(const void *arg, char *text),
		   const void *arg)
{
	for (uint32_t i = 0; i < lists->file_count; i++)
		for (size_t k = 0; k < lists->files[i].bad_shown; k++)
			change(arg, lists->files[i].bad[k].why);
}

struct rg_list_faults rg_lists_faults(const struct rg_lists *lists)
{
	struct rg_list_faults faults = {};

	for (uint32_t i = 0; i < lists->file_count; i++) {
		faults.bad_lines += lists->files[i].bad_lines;
		faults.files += *lists->files[i].fault != '\0';
		faults.kept += lists->files[i].kept;
	}
	return faults;
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

bool rg_lists_clock_was_set(const struct rg_lists *lists)
{
	return llabs(rg_wall_offset() - lists->wall_offset) > 2 * (int64_t)RG_NSEC_PER_SEC;
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

const struct rg_list_waiting *rg_lists_waiting(const struct rg_lists *lists, size_t *count)
{
	*count = lists->waiting_count;
	return lists->waiting;
}

uint64_t rg_lists_begin(const struct rg_lists *lists, const struct rg_list_waiting *waiting)
{
	return expiry_of(lists, waiting->from);
}

/*
 * The longest one that has begun. Only between the end of an approval and the next load there is any, so this is
 * no place to save time.
 */
static const struct rg_list_item *find_waiting(const struct rg_lists *lists,
					       const struct rg_addr *addr, uint64_t now)
{
	const struct rg_list_item *best = NULL;

	if (!lists->next_from || expiry_of(lists, lists->next_from) > now)
		return NULL;
	for (size_t i = 0; i < lists->waiting_count; i++) {
		const struct rg_list_item *item = &lists->waiting[i].item;

		if (rg_lists_begin(lists, &lists->waiting[i]) <= now && is_around(item, addr) &&
		    is_live(lists, item, now) && (!best || item->len > best->len))
			best = item;
	}
	return best;
}

/*
 * The last entry that begins at or before addr covers it, or an entry around that one does. Few entries
 * are nested; for those each length that exists is tried.
 */
static const struct rg_list_item *find_item(const struct rg_lists *lists,
					    const struct rg_addr *addr, uint64_t now)
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

/* Whether a blocked entry covers the whole of prefix. */
static bool is_blocked(const struct rg_lists *lists, struct rg_prefix prefix)
{
	const struct rg_addr addr = prefix.addr;

	for (unsigned int len = prefix.len + 1; len--;) {
		const struct rg_list_item *item;

		if (!lists->lengths[len])
			continue;
		prefix.len = len;
		rg_prefix_mask(&prefix);
		item = find_last(lists, &prefix);
		if (item && item->len == len && item->peer_class == RG_CLASS_BLOCKED &&
		    is_around(item, &addr))
			return true;
	}
	return false;
}

const struct rg_list_unread *rg_lists_unread(const struct rg_lists *lists)
{
	return &lists->unread;
}

const struct rg_own_networks *rg_lists_own(const struct rg_lists *lists)
{
	return &lists->own;
}

const struct rg_list_coverings *rg_lists_coverings(const struct rg_lists *lists)
{
	return &lists->coverings;
}

bool rg_lists_needs_cut(const struct rg_lists *lists, const struct rg_own_networks *own)
{
	for (size_t i = 0; i < own->count; i++)
		if (!rg_own_networks_has(&lists->own, &own->all[i].prefix) &&
		    is_blocked(lists, own->all[i].prefix))
			return true;
	/* What is this host's no longer may be blocked now. */
	for (size_t i = 0; lists->coverings.count && i < lists->own.count; i++)
		if (!rg_own_networks_has(own, &lists->own.all[i].prefix))
			return true;
	return false;
}

const struct rg_list_item *rg_lists_find(const struct rg_lists *lists, const struct rg_addr *addr,
					 uint64_t now)
{
	const struct rg_list_item *item = find_item(lists, addr, now);

	return item ? item : find_waiting(lists, addr, now);
}

const struct rg_list_item *rg_lists_find_country(const struct rg_lists *lists, const char *code,
						 uint64_t now)
{
	int index = rg_list_parse_country(code, strlen(code));

	for (; index >= 0 && index < 2 * RG_LIST_COUNTRIES; index += RG_LIST_COUNTRIES) {
		const struct rg_list_item *item = &lists->countries[index].item;

		if (item->peer_class != RG_CLASS_NONE && is_live(lists, item, now))
			return item;
	}
	return NULL;
}

bool rg_lists_same_countries(const struct rg_lists *a, const struct rg_lists *b)
{
	for (int i = 0; i < 2 * RG_LIST_COUNTRIES; i++)
		if (a->countries[i].item.peer_class != b->countries[i].item.peer_class)
			return false;
	return true;
}

uint64_t rg_lists_next_expiry(const struct rg_lists *lists)
{
	return expiry_of(lists, lists->next_until);
}
