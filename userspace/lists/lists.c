/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/lists.h"

#include "base/addr.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define COUNTRY_COUNT (26 * 26)
#define MAX_SOURCES UINT16_MAX /* what rg_list_item.source can hold */

/* As it is read, sorted and resolved; 28 bytes. What is kept is made of it in the end. */
struct entry {
	struct rg_addr addr;
	uint32_t line;
	uint32_t until; /* s since 1970, 0: for good */
	uint16_t source;
	uint8_t len;
	enum rg_class peer_class : 7;
	unsigned int nested : 1;
};

/* Its item has no address. */
struct country {
	struct rg_list_item item; /* class NONE: not named */
	uint32_t words[2]; /* the item's, if it is timed */
};

struct rg_lists {
	struct rg_list_item *items;
	struct entry *entries; /* only while lists are loaded */
	size_t count; /* of the former or the latter */
	size_t words; /* behind the items */
	size_t allocated;
	size_t max;
	size_t written;
	char **sources;
	uint32_t source_count;
	struct country *countries; /* COUNTRY_COUNT */
	size_t country_count;
	bool lengths[RG_ADDR_BITS + 1]; /* which there are */
	uint64_t now; /* ns of CLOCK_BOOTTIME, when the load began */
	int64_t wall_offset; /* then: ns from CLOCK_BOOTTIME to CLOCK_REALTIME */
	uint32_t next_until; /* 0: none */
};

/* Where the parser is; what errors name and what entries remember. */
struct place {
	struct rg_lists *lists;
	const char *path;
	enum rg_class peer_class;
	uint32_t source;
	uint32_t line;
	uint32_t until;
	struct rg_error *error;
};

static const char *const file_names[] = {
	[RG_CLASS_APPROVED] = "approved.list",
	[RG_CLASS_BLOCKED] = "blocked.list",
};

void rg_lists_free(struct rg_lists *lists)
{
	if (!lists)
		return;
	for (uint32_t i = 0; i < lists->source_count; i++)
		free(lists->sources[i]);
	free(lists->sources);
	free(lists->countries);
	free(lists->entries);
	free(lists->items);
	free(lists);
}

static int add_item(const struct rg_prefix *prefix, void *arg)
{
	struct place *place = arg;
	struct rg_lists *lists = place->lists;

	if (lists->count >= lists->max)
		return rg_fail(place->error, -ENOSPC,
			       "%s:%u: more than max_list = %zu entries in the local lists",
			       place->path, place->line, lists->max);
	if (lists->count == lists->allocated) {
		size_t size = lists->allocated ? lists->allocated * 2 : 256;
		struct entry *entries = reallocarray(lists->entries, size, sizeof(*entries));

		if (!entries)
			return rg_fail(place->error, -ENOMEM, "%s:%u: out of memory", place->path,
				       place->line);
		lists->entries = entries;
		lists->allocated = size;
	}
	lists->entries[lists->count++] = (struct entry){
		.addr = prefix->addr,
		.line = place->line,
		.until = place->until,
		.source = (uint16_t)place->source,
		.len = (uint8_t)prefix->len,
		.peer_class = place->peer_class,
	};
	return 0;
}

static int add_range(const struct rg_addr *first, const struct rg_addr *last, struct place *place)
{
	return rg_range_split(first, last, add_item, place);
}

/*
 * An IPv6 prefix or range may enclose ::ffff:0:0/96, where IPv4 lives in our tries. Whoever writes
 * ::/0 means IPv6: the range goes around it.
 */
static int add_v6_range(const struct rg_addr *first, const struct rg_addr *last, struct place *place)
{
	struct rg_addr below = {
		.bytes = { [10] = 0xff, [11] = 0xfe, [12] = 0xff, [13] = 0xff, [14] = 0xff, [15] = 0xff }
	};
	struct rg_addr above = { .bytes = { [9] = 1 } };
	int err;

	if (rg_addr_compare(last, &below) <= 0 || rg_addr_compare(first, &above) >= 0)
		return add_range(first, last, place);
	if (rg_addr_compare(first, &below) <= 0) {
		err = add_range(first, &below, place);
		if (err)
			return err;
	}
	return rg_addr_compare(last, &above) < 0 ? 0 : add_range(&above, last, place);
}

static int add_prefix(const struct rg_prefix *prefix, struct place *place)
{
	struct rg_addr last;

	if (!rg_prefix_has_v4(prefix))
		return add_item(prefix, place);
	last = rg_prefix_last(prefix);
	return add_v6_range(&prefix->addr, &last, place);
}

/* -1 if not two letters */
static int country_index(const char *text, size_t len)
{
	int index = 0;

	if (len != 2)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		int letter = (text[i] | 0x20) - 'a';

		if (letter < 0 || letter > 25)
			return -1;
		index = index * 26 + letter;
	}
	return index;
}

static int add_country(int index, struct place *place)
{
	struct country *country = &place->lists->countries[index];

	if (country->item.peer_class == RG_CLASS_NONE)
		place->lists->country_count++;
	if (country->item.peer_class == RG_CLASS_APPROVED)
		return 0;
	country->item =
		(struct rg_list_item){ .key = offsetof(struct country, words) / sizeof(uint32_t),
				       .peer_class = place->peer_class,
				       .timed = place->until != 0,
				       .source = (uint16_t)place->source,
				       .line = place->line };
	country->words[1] = place->until;
	return 0;
}

#define SHOWN_SIZE 81

/* What may stand in a message of a text that may hold anything. */
static const char *printable(const char *text, size_t len, char shown[SHOWN_SIZE])
{
	len = len < SHOWN_SIZE ? len : SHOWN_SIZE - 1;
	for (size_t i = 0; i < len; i++)
		shown[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	shown[len] = '\0';
	return shown;
}

static int bad_entry(const struct place *place, const char *text, size_t len, const char *what)
{
	char shown[SHOWN_SIZE];

	return rg_fail(place->error, -EINVAL, "%s:%u: \"%s\" %s", place->path, place->line,
		       printable(text, len, shown), what);
}

static int add_entry(const char *text, size_t len, struct place *place)
{
	struct rg_addr first, last;
	struct rg_prefix prefix;
	int err, country = country_index(text, len);

	if (country >= 0)
		return add_country(country, place);
	if (memchr(text, '-', len)) {
		err = rg_range_parse(text, len, &first, &last);
		if (err == -ERANGE)
			return bad_entry(place, text, len,
					 "is a range whose end is before its start "
					 "or of another family");
		if (err)
			return bad_entry(place, text, len, "is not a range of two addresses");
		return rg_addr_is_v4(&first) ? add_range(&first, &last, place) :
					       add_v6_range(&first, &last, place);
	}
	err = rg_prefix_parse(text, len, &prefix);
	if (err == -ERANGE)
		return bad_entry(place, text, len,
				 "has no valid prefix length (IPv4 0-32, IPv6 0-128)");
	if (err)
		return bad_entry(place, text, len,
				 "is not an address, a range, a prefix or a country code");
	return add_prefix(&prefix, place);
}

static uint64_t expiry_of(const struct rg_lists *lists, uint32_t until)
{
	return until ? (uint64_t)(until * (int64_t)RG_NSEC_PER_SEC - lists->wall_offset) : 0;
}

/* "until=SECONDS"; sets place->until, or says that the entry is over (1). */
static int parse_until(const char *text, size_t len, struct place *place)
{
	static const char key[] = "until=";
	const struct rg_lists *lists = place->lists;
	uint64_t until = 0;

	if (len <= sizeof(key) - 1 || len > 20 || memcmp(text, key, sizeof(key) - 1))
		return bad_entry(place, text, len,
				 "after the entry is not until=SECONDS or a # comment");
	for (size_t i = sizeof(key) - 1; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return bad_entry(place, text, len, "is not a number of seconds since 1970");
		until = until * 10 + (uint64_t)(text[i] - '0');
	}
	/* After the year 2106: what people write to mean "never". */
	if (until > UINT32_MAX)
		return 0;
	if ((int64_t)(until * RG_NSEC_PER_SEC) <= lists->wall_offset + (int64_t)lists->now)
		return 1;
	place->until = (uint32_t)until;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static void trim(const char **text, size_t *len)
{
	while (*len && is_blank(**text)) {
		(*text)++;
		(*len)--;
	}
	while (*len && is_blank((*text)[*len - 1]))
		(*len)--;
}

/* Where the entry ends: at a blank that is not around a range's dash. */
static size_t entry_length(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t next = i;

		if (!is_blank(text[i]))
			continue;
		while (next < len && is_blank(text[next]))
			next++;
		if (next < len && text[next] == '-')
			i = next;
		else if (!(i && text[i - 1] == '-'))
			return i;
		else
			i = next - 1;
	}
	return len;
}

static int parse_line(const char *text, size_t len, struct place *place)
{
	const char *comment = memchr(text, '#', len), *rest;
	size_t entry_len, rest_len;
	int err;

	if (comment)
		len = (size_t)(comment - text);
	trim(&text, &len);
	if (!len || *text == ';')
		return 0;
	place->until = 0;
	entry_len = entry_length(text, len);
	rest = text + entry_len;
	rest_len = len - entry_len;
	trim(&rest, &rest_len);
	if (rest_len) {
		err = parse_until(rest, rest_len, place);
		if (err)
			return err > 0 ? 0 : err;
		if (place->until && place->until - 1 < place->lists->next_until - 1)
			place->lists->next_until = place->until; /* 0 is later than any */
	}
	place->lists->written++;
	return add_entry(text, entry_len, place);
}

/*
 * The line at text if it is nothing but an address or prefix, and perhaps a comment: its length, with
 * its end. 0: it is for parse_line(), which would say the same.
 */
static size_t plain_line(const char *text, const char *end, struct rg_prefix *prefix)
{
	size_t len = rg_prefix_scan(text, end, prefix);
	const char *at = text + len;

	if (!len)
		return 0;
	while (at < end && is_blank(*at))
		at++;
	if (at < end && *at == '#') {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			at = end;
	}
	if (at == end)
		return (size_t)(at - text);
	return *at == '\n' ? (size_t)(at - text) + 1 : 0;
}

static int parse_text(const char *text, size_t size, struct place *place)
{
	size_t at = 0;

	for (place->line = 1; at < size; place->line++) {
		struct rg_prefix prefix;
		size_t len = plain_line(text + at, text + size, &prefix);
		int err;

		if (len) {
			place->until = 0;
			place->lists->written++;
			err = add_prefix(&prefix, place);
			at += len;
		} else {
			const char *newline = memchr(text + at, '\n', size - at);

			len = newline ? (size_t)(newline - text) - at : size - at;
			err = parse_line(text + at, len, place);
			at += len + 1;
		}
		if (err)
			return err;
	}
	return 0;
}

static int add_source(struct rg_lists *lists, const char *path, uint32_t *ret)
{
	uint32_t count = lists->source_count;
	char **sources = lists->sources;

	if (count == MAX_SOURCES)
		return -ENFILE;
	if (!(count & (count - 1))) /* room for a power of two of them, and it is full */
		sources = reallocarray(sources, count ? 2 * count : 1, sizeof(*sources));
	if (!sources)
		return -ENOMEM;
	lists->sources = sources;
	sources[count] = strdup(path);
	if (!sources[count])
		return -ENOMEM;
	*ret = lists->source_count++;
	return 0;
}

/*
 * The whole of a regular file, NULL if it is empty; the caller frees it. Read, not mapped: an editor
 * that cuts the file short meanwhile must not kill us (SIGBUS).
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

/* missing_ok: repgatectl's file need not be there. */
static int load_file(struct rg_lists *lists, const char *path, enum rg_class peer_class,
		     bool missing_ok, struct rg_error *error)
{
	struct place place = { .lists = lists, .path = path, .peer_class = peer_class, .error = error };
	RG_CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	RG_CLEANUP_FREE char *text = NULL;
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
		err = add_source(lists, path, &place.source);
	if (err == -ENFILE)
		return rg_fail(error, err, "%s: more than %d list files", path, MAX_SOURCES);
	if (err)
		return rg_fail(error, err, "%s: %s", path, strerror(-err));
	return parse_text(text, len, &place);
}

static int is_list_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && !strcmp(entry->d_name + len - 5, ".list");
}

static int load_directory(struct rg_lists *lists, const char *dir, enum rg_class peer_class,
			  struct rg_error *error)
{
	struct dirent **names = NULL;
	int count = scandir(dir, &names, is_list_file, alphasort), err = 0;

	if (count < 0)
		return errno == ENOENT ? 0 : rg_fail(error, -errno, "%s: %m", dir);
	for (int i = 0; i < count; i++) {
		RG_CLEANUP_FREE char *path = NULL;

		if (!err && asprintf(&path, "%s/%s", dir, names[i]->d_name) < 0)
			err = -ENOMEM;
		if (!err)
			err = load_file(lists, path, peer_class, false, error);
		free(names[i]);
	}
	free(names);
	return err;
}

static int load_all(struct rg_lists *lists, const struct rg_list_places *places,
		    struct rg_error *error)
{
	static const enum rg_class classes[] = { RG_CLASS_APPROVED, RG_CLASS_BLOCKED };
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(classes); i++) {
		enum rg_class peer_class = classes[i];
		RG_CLEANUP_FREE char *path = NULL;

		err = load_directory(lists,
				     peer_class == RG_CLASS_APPROVED ? places->approved_dir :
								       places->blocked_dir,
				     peer_class, error);
		if (!err && asprintf(&path, "%s/%s", places->state_dir, file_names[peer_class]) < 0)
			err = -ENOMEM;
		if (!err)
			err = load_file(lists, path, peer_class, true, error);
	}
	return err;
}

/*
 * The order that resolve() wants: a tree walk; of equals approved first, then the longest lived, then
 * who was written first.
 */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = rg_addr_compare(&x->addr, &y->addr);

	if (order)
		return order;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	if (x->peer_class != y->peer_class)
		return x->peer_class == RG_CLASS_APPROVED ? -1 : 1;
	if (x->until != y->until)
		return x->until - 1 > y->until - 1 ? -1 : 1; /* 0 lives longest */
	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return (x->line > y->line) - (x->line < y->line);
}

static bool is_sorted(const struct entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (compare_entries(&entries[i - 1], &entries[i]) > 0)
			return false;
	return true;
}

static void sort_few(struct entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct entry entry = entries[i];
		size_t at = i;

		for (; at && compare_entries(&entries[at - 1], &entry) > 0; at--)
			entries[at] = entries[at - 1];
		entries[at] = entry;
	}
}

/* The first byte from `byte` on in which addresses differ, 16 if they are all the same. */
static unsigned int differing_byte(const struct entry *entries, size_t count, unsigned int byte)
{
	uint64_t high = rg_addr_half(&entries->addr, 0);
	uint64_t low = rg_addr_half(&entries->addr, 1), highs = 0, lows = 0;
	unsigned int differs = sizeof(entries->addr.bytes);

	for (size_t i = 1; i < count && differs > byte; i++) {
		highs |= rg_addr_half(&entries[i].addr, 0) ^ high;
		lows |= rg_addr_half(&entries[i].addr, 1) ^ low;
		if (highs)
			differs = (unsigned int)__builtin_clzll(highs) / 8;
		else if (lows)
			differs = 8 + (unsigned int)__builtin_clzll(lows) / 8;
	}
	return differs;
}

#define BUCKETS 256

/*
 * Puts each entry into the bucket of its byte, in place: whatever stands where another bucket's entry
 * belongs is exchanged with it. ends[i] becomes where bucket i ends.
 */
static void spread(struct entry *entries, size_t count, unsigned int byte, size_t ends[BUCKETS])
{
	size_t heads[BUCKETS], sum = 0;

	memset(ends, 0, BUCKETS * sizeof(*ends));
	for (size_t i = 0; i < count; i++)
		ends[entries[i].addr.bytes[byte]]++;
	for (unsigned int i = 0; i < BUCKETS; i++) {
		heads[i] = sum;
		sum += ends[i];
		ends[i] = sum;
	}
	for (unsigned int i = 0; i < BUCKETS; i++)
		while (heads[i] < ends[i]) {
			struct entry entry = entries[heads[i]], other;
			unsigned int home;

			while ((home = entry.addr.bytes[byte]) != i) {
				other = entries[heads[home]];
				entries[heads[home]++] = entry;
				entry = other;
			}
			entries[heads[i]++] = entry;
		}
}

#define FEW 32 /* so many are faster sorted by insertion; measured */

/*
 * By address, byte after byte; bytes before `byte` are the same in all. No deeper than the 16 bytes
 * of an address, 2 KiB of stack each, and no memory: it can't fail.
 */
static void sort_entries(struct entry *entries, size_t count, unsigned int byte)
{
	size_t ends[BUCKETS], from = 0;

	if (count <= FEW) {
		sort_few(entries, count);
		return;
	}
	byte = differing_byte(entries, count, byte);
	if (byte == sizeof(entries->addr.bytes)) {
		qsort(entries, count, sizeof(*entries), compare_entries);
		return;
	}
	spread(entries, count, byte, ends);
	for (unsigned int i = 0; i < BUCKETS; from = ends[i++])
		if (ends[i] - from > 1)
			sort_entries(entries + from, ends[i] - from, byte + 1);
}

/*
 * inner lies within outer and is not needed: approved wins over anything inside it, and an entry of
 * the same class is needed only if it outlives the one around it.
 */
static bool makes_needless(const struct entry *outer, const struct entry *inner)
{
	if (outer->peer_class == RG_CLASS_APPROVED && inner->peer_class == RG_CLASS_BLOCKED)
		return true;
	return outer->peer_class == inner->peer_class && outer->until - 1 >= inner->until - 1;
}

static bool covers(const struct entry *entry, const struct rg_addr *addr)
{
	const struct rg_prefix prefix = { .len = entry->len, .addr = entry->addr };

	return rg_prefix_covers(&prefix, addr);
}

/* Kept entries, each within the one before: each is longer, so there are no more. */
struct nest {
	const struct entry *entries[RG_ADDR_BITS + 1];
	unsigned int depth;
};

static bool is_needless(const struct nest *nest, const struct entry *entry)
{
	for (unsigned int i = nest->depth; i; i--)
		if (makes_needless(nest->entries[i - 1], entry))
			return true;
	return false;
}

static bool is_v6(const struct entry *entry)
{
	return rg_addr_half(&entry->addr, 0) || rg_addr_half(&entry->addr, 1) >> 32 != 0xffff;
}

/* How many words an entry has behind the items. */
static size_t words_of(const struct entry *entry)
{
	bool timed = entry->until != 0;

	if (is_v6(entry))
		return 4 + timed;
	return timed ? 2 : 0;
}

/* Sorts, drops what is covered, marks what is within another one. In place. */
static void resolve(struct rg_lists *lists)
{
	struct nest nest = {};
	size_t kept = 0;

	if (!is_sorted(lists->entries, lists->count))
		sort_entries(lists->entries, lists->count, 0);
	for (size_t i = 0; i < lists->count; i++) {
		struct entry *entry = &lists->entries[i];

		while (nest.depth && !covers(nest.entries[nest.depth - 1], &entry->addr))
			nest.depth--;
		if (is_needless(&nest, entry))
			continue;
		entry->nested = nest.depth != 0;
		lists->lengths[entry->len] = true;
		lists->words += words_of(entry);
		if (kept < i)
			lists->entries[kept] = *entry;
		nest.entries[nest.depth++] = &lists->entries[kept++];
	}
	lists->count = kept;
}

/* rest: where its words shall be, if it has any. Returns how many these are. */
static size_t pack_entry(const struct entry *entry, struct rg_list_item *item, uint32_t *rest)
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
static int pack(struct rg_lists *lists, struct rg_error *error)
{
	size_t size = lists->count * sizeof(*lists->items) + lists->words * sizeof(uint32_t);
	uint32_t *rest;

	lists->items = malloc(size ? size : 1);
	if (!lists->items)
		return rg_fail(error, -ENOMEM, "out of memory");
	rest = (uint32_t *)(lists->items + lists->count);
	for (size_t i = 0; i < lists->count; i++)
		rest += pack_entry(&lists->entries[i], &lists->items[i], rest);
	free(lists->entries);
	lists->entries = NULL;
	return 0;
}

int rg_lists_load(struct rg_lists **ret, const struct rg_list_places *places, struct rg_error *error)
{
	struct rg_lists *lists = calloc(1, sizeof(*lists));
	int err = -ENOMEM;

	if (!lists)
		return rg_fail(error, -ENOMEM, "out of memory");
	lists->max = places->max_entries;
	lists->now = rg_now();
	lists->wall_offset = rg_wall_offset();
	lists->countries = calloc(COUNTRY_COUNT, sizeof(*lists->countries));
	if (lists->countries)
		err = load_all(lists, places, error);
	if (!err) {
		resolve(lists);
		err = pack(lists, error);
	}
	if (err) {
		rg_lists_free(lists);
		return err;
	}
	*ret = lists;
	return 0;
}

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

uint64_t rg_lists_expiry(const struct rg_lists *lists, const struct rg_list_item *item)
{
	return expiry_of(lists, rg_list_until(item));
}

bool rg_lists_same_ends(const struct rg_lists *a, const struct rg_lists *b)
{
	int64_t apart = a->wall_offset - b->wall_offset;

	return !a->next_until || !b->next_until || llabs(apart) < (int64_t)RG_NSEC_PER_SEC / 100;
}

/* rg_addr_half() of its address; without building that, as a search looks at many. */
static uint64_t item_half(const struct rg_list_item *item, unsigned int half)
{
	const uint32_t *words = rg_list_words(item);

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

/* The last item that is at prefix or before it; NULL: none. */
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
	const struct rg_prefix prefix = rg_list_prefix(item);

	return rg_prefix_covers(&prefix, addr);
}

/*
 * The last entry that begins at or before addr; what covers addr is it or around it. What is around it
 * is rare, and found by the lengths that there are.
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
	int index = country_index(code, strlen(code));

	if (index < 0 || lists->countries[index].item.peer_class == RG_CLASS_NONE)
		return NULL;
	return &lists->countries[index].item;
}

bool rg_lists_same_countries(const struct rg_lists *a, const struct rg_lists *b)
{
	for (int i = 0; i < COUNTRY_COUNT; i++)
		if (a->countries[i].item.peer_class != b->countries[i].item.peer_class)
			return false;
	return true;
}

uint64_t rg_lists_next_expiry(const struct rg_lists *lists)
{
	return expiry_of(lists, lists->next_until);
}

/* The addresses of an entry that is no country. 0 or -EINVAL. */
static int entry_range(const char *text, size_t len, struct rg_addr *first, struct rg_addr *last)
{
	struct rg_prefix prefix;

	if (!rg_range_parse(text, len, first, last))
		return 0;
	if (rg_prefix_parse(text, len, &prefix))
		return -EINVAL;
	*first = prefix.addr;
	*last = rg_prefix_last(&prefix);
	return 0;
}

int rg_lists_check_entry(const char *text, struct rg_error *error)
{
	struct rg_addr first, last;
	size_t len = strlen(text);
	char shown[SHOWN_SIZE];

	if (country_index(text, len) >= 0 || !entry_range(text, len, &first, &last))
		return 0;
	return rg_fail(error, -EINVAL,
		       "\"%s\" is not an address, a range, a prefix or a country code",
		       printable(text, len, shown));
}

/* Two entries that say the same, however they are written. */
static bool same_entry(const char *a, size_t a_len, const char *b)
{
	struct rg_addr a_first, a_last, b_first, b_last;
	size_t b_len = strlen(b);

	if (country_index(a, a_len) >= 0)
		return country_index(a, a_len) == country_index(b, b_len);
	return !entry_range(a, a_len, &a_first, &a_last) &&
	       !entry_range(b, b_len, &b_first, &b_last) && !rg_addr_compare(&a_first, &b_first) &&
	       !rg_addr_compare(&a_last, &b_last);
}

static bool line_names(const char *line, const char *entry)
{
	size_t len = strcspn(line, "#\n");

	trim(&line, &len);
	return same_entry(line, entry_length(line, len), entry);
}

/*
 * Writes the class's file anew: its lines without those that name entry, then extra (may be NULL).
 * Returns how many lines went. The new file replaces the old one when it is on the disk.
 */
static int rewrite(const char *state_dir, enum rg_class peer_class, const char *entry,
		   const char *extra, struct rg_error *error)
{
	RG_CLEANUP_FREE char *path = NULL, *fresh = NULL, *before = NULL, *line = NULL;
	RG_CLEANUP_FCLOSE FILE *in = NULL, *out = NULL;
	size_t size = 0;
	int removed = 0;
	ssize_t len;

	if (asprintf(&path, "%s/%s", state_dir, file_names[peer_class]) < 0 ||
	    asprintf(&fresh, "%s.new", path) < 0 || asprintf(&before, "%s.before", path) < 0)
		return rg_fail(error, -ENOMEM, "out of memory");
	in = fopen(path, "re");
	if (!in && errno != ENOENT)
		return rg_fail(error, -errno, "%s: %m", path);
	out = fopen(fresh, "we");
	if (!out)
		return rg_fail(error, -errno, "%s: %m", fresh);
	while (in && (len = getline(&line, &size, in)) > 0) {
		if (line_names(line, entry)) {
			removed++;
			continue;
		}
		fputs(line, out);
		if (line[len - 1] != '\n') /* the file's last line, edited by hand */
			fputc('\n', out);
	}
	if (extra)
		fputs(extra, out);
	(void)unlink(before);
	if (in && link(path, before))
		return rg_fail(error, -errno, "%s: %m", before);
	if ((in && ferror(in)) || ferror(out) || fflush(out) || fsync(fileno(out)) ||
	    rename(fresh, path)) {
		int err = -errno;

		unlink(fresh);
		return rg_fail(error, err, "%s: %m", path);
	}
	return removed;
}

int rg_lists_add(const char *state_dir, enum rg_class peer_class, const char *entry, int64_t until,
		 const char *comment, struct rg_error *error)
{
	RG_CLEANUP_FREE char *line = NULL;
	char until_text[40] = "", clean[200] = "";
	int err = rg_lists_check_entry(entry, error);

	if (err)
		return err;
	if (until)
		snprintf(until_text, sizeof(until_text), " until=%lld", (long long)until);
	snprintf(clean, sizeof(clean), "%s", comment ? comment : "");
	for (char *c = clean; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	if (asprintf(&line, "%s%s%s%s\n", entry, until_text, *clean ? " # " : "", clean) < 0)
		return rg_fail(error, -ENOMEM, "out of memory");
	err = rewrite(state_dir, peer_class, entry, line, error);
	return err < 0 ? err : 0;
}

void rg_lists_undo(const char *state_dir, enum rg_class peer_class)
{
	RG_CLEANUP_FREE char *path = NULL, *before = NULL;

	if (asprintf(&path, "%s/%s", state_dir, file_names[peer_class]) < 0 ||
	    asprintf(&before, "%s.before", path) < 0)
		return;
	/* Nothing to come back: the file was new. */
	if (rename(before, path) && errno == ENOENT)
		(void)unlink(path);
}

int rg_lists_remove(const char *state_dir, enum rg_class peer_class, const char *entry,
		    struct rg_error *error)
{
	int err = rg_lists_check_entry(entry, error);

	return err ? err : rewrite(state_dir, peer_class, entry, NULL, error);
}
