/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as local lists (make fuzz-lists). A NUL separates the parts: approved.d/a.list,
 * blocked.d/b.list, repgatectl's blocked.list, and an entry that repgatectl adds and removes. What the
 * lists find is compared with a search through all items.
 */
#include "base/addr.h"
#include "lists/list_edit.h"
#include "lists/lists.h"

#include <fcntl.h>
#include <sys/stat.h>

#define PARTS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[64], approved_dir[80], blocked_dir[80], state_dir[80];
static char files[PARTS - 1][96], own_approved[96];
static const struct rg_list_paths paths = {
	.approved_dir = approved_dir,
	.blocked_dir = blocked_dir,
	.state_dir = state_dir,
	.max_entries = 2000,
};

struct part {
	const uint8_t *data;
	size_t size;
};

static void must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void remove_files(void)
{
	for (int i = 0; i < PARTS - 1; i++)
		(void)unlink(files[i]);
	(void)unlink(own_approved);
	(void)rmdir(approved_dir);
	(void)rmdir(blocked_dir);
	(void)rmdir(state_dir);
	(void)rmdir(directory);
}

static void make_directory(char path[80], const char *name)
{
	snprintf(path, 80, "%s/%s", directory, name);
	must(!mkdir(path, 0700), "no directory");
}

static void make_directories(void)
{
	if (*directory)
		return;
	strcpy(directory, "/dev/shm/fuzz_lists.XXXXXX");
	must(mkdtemp(directory) != NULL, "no directory");
	make_directory(approved_dir, "approved.d");
	make_directory(blocked_dir, "blocked.d");
	make_directory(state_dir, "state");
	snprintf(files[0], sizeof(files[0]), "%s/a.list", approved_dir);
	snprintf(files[1], sizeof(files[1]), "%s/b.list", blocked_dir);
	snprintf(files[2], sizeof(files[2]), "%s/blocked.list", state_dir);
	snprintf(own_approved, sizeof(own_approved), "%s/approved.list", state_dir);
	atexit(remove_files);
}

static void write_file(const char *name, const struct part *part)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, part->data, part->size) == (ssize_t)part->size, name);
	close(fd);
}

static bool is_live(const struct rg_lists *lists, const struct rg_list_item *item, uint64_t now)
{
	return !rg_list_item_until(item) || rg_lists_expiry(lists, item) > now;
}

static bool covers(const struct rg_list_item *item, const struct rg_addr *addr)
{
	const struct rg_prefix prefix = rg_list_item_prefix(item);

	return rg_prefix_covers(&prefix, addr);
}

static const struct rg_list_item *search(const struct rg_lists *lists, const struct rg_addr *addr,
					 uint64_t now)
{
	const struct rg_list_item *items, *best = NULL;
	size_t count;

	items = rg_lists_items(lists, &count);
	for (size_t i = 0; i < count; i++)
		if (covers(&items[i], addr) && is_live(lists, &items[i], now) &&
		    (!best || items[i].len > best->len))
			best = &items[i];
	return best;
}

static bool is_nested(const struct rg_list_item *items, size_t i)
{
	const struct rg_prefix prefix = rg_list_item_prefix(&items[i]);

	for (size_t outer = 0; outer < i; outer++)
		if (covers(&items[outer], &prefix.addr))
			return true;
	return false;
}

static void check_item(const struct rg_lists *lists, const struct rg_list_item *items, size_t count,
		       size_t i, uint64_t now)
{
	const struct rg_list_item *item = &items[i];
	struct rg_prefix prefix = rg_list_item_prefix(item), masked = prefix, before;
	struct rg_addr last = rg_prefix_last(&prefix);

	must(item->len <= RG_ADDR_BITS, "length");
	rg_prefix_mask(&masked);
	must(!memcmp(&masked, &prefix, sizeof(masked)), "host bits");
	must(item->peer_class == RG_CLASS_APPROVED || item->peer_class == RG_CLASS_BLOCKED, "class");
	before = i ? rg_list_item_prefix(&items[i - 1]) : prefix;
	must(!i || rg_prefix_compare(&before, &prefix) < 0, "order");
	must(rg_lists_source(lists, item->source) && item->line, "source");
	if (count < 200) {
		must(item->nested == is_nested(items, i), "nested");
		must(rg_lists_find(lists, &prefix.addr, now) == search(lists, &prefix.addr, now),
		     "the first address");
		must(rg_lists_find(lists, &last, now) == search(lists, &last, now),
		     "the last address");
	}
}

static void check(const struct rg_lists *lists)
{
	uint64_t now = rg_now(), next = rg_lists_next_expiry(lists);
	size_t count;
	const struct rg_list_item *items = rg_lists_items(lists, &count);

	must(count <= paths.max_entries, "more entries than allowed");
	for (size_t i = 0; i < count; i++) {
		check_item(lists, items, count, i, now);
		must(!rg_list_item_until(&items[i]) || next <= rg_lists_expiry(lists, &items[i]),
		     "next expiry");
	}
	must(rg_lists_same_countries(lists, lists), "countries differ from themselves");
}

static void check_text(const void *arg, char *text)
{
	(void)arg;
	must(*text && !strchr(text, '\n'), text);
}

/* What is wrong is told in one line each. */
static void check_files(struct rg_lists *lists)
{
	size_t count;
	const struct rg_list_file *files = rg_lists_files(lists, &count);

	for (size_t i = 0; i < count; i++) {
		must(files[i].bad_shown <= files[i].bad_lines, "more bad lines quoted than counted");
		must(!strchr(files[i].fault, '\n'), files[i].fault);
	}
	rg_lists_mask(lists, check_text, NULL);
}

/* What check_entry takes can be added, loaded and removed. */
static void add_and_remove(const struct part *part)
{
	char *entry = strndup((const char *)part->data, part->size);
	const struct rg_list_edit_line line = { entry, 0, "fuzz", true };
	struct rg_lists *lists = NULL;
	struct rg_error error = {};

	if (entry && !rg_list_edit_check(entry, &error)) {
		must(!rg_list_edit_add(state_dir, RG_CLASS_APPROVED, &line, &error), error.text);
		must(!rg_lists_load(&lists, &paths), "the lists can't be loaded");
		rg_lists_free(lists);
		must(rg_list_edit_remove(state_dir, RG_CLASS_APPROVED, entry, &error) == 1,
		     "not removed");
	} else if (entry) {
		must(*error.text && !strchr(error.text, '\n'), error.text);
	}
	free(entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rg_lists *lists = NULL;
	struct part parts[PARTS] = {};

	make_directories();
	for (int i = 0; i < PARTS && size; i++) {
		const uint8_t *end = i < PARTS - 1 ? memchr(data, '\0', size) : NULL;

		parts[i] = (struct part){ data, end ? (size_t)(end - data) : size };
		size -= parts[i].size + (end ? 1 : 0);
		data += parts[i].size + (end ? 1 : 0);
	}
	for (int i = 0; i < PARTS - 1; i++)
		write_file(files[i], &parts[i]);
	(void)unlink(own_approved);
	must(!rg_lists_load(&lists, &paths), "the lists can't be loaded");
	check(lists);
	check_files(lists);
	rg_lists_free(lists);
	if (parts[PARTS - 1].size)
		add_and_remove(&parts[PARTS - 1]);
	return 0;
}
