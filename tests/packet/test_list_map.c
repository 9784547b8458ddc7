/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trie of the local lists, with maps of the kernel and a loader that is pretended: what is staged
 * is not in force, what is published is as a whole, and one changed entry needs no new trie.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <inttypes.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/addr.h"
#include "kernel/inner_maps.h"
#include "store/list_map.h"

#define SKIPPED 77
#define SIZE 20000 /* entries that a trie has room for */

/* ---- the loader: an outer map, a pin, tries ---- */

struct rg_loader {
	struct rg_maps maps;
	int pin; /* -1: somebody removed it */
	int pin_error, new_error;
	uint32_t size;
	unsigned int made; /* tries */
};

static struct rg_loader loader;

static int new_trie(uint32_t size)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	int fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "test", sizeof(struct rg_prefix),
				sizeof(struct rg_list_entry), size, &opts);

	return fd < 0 ? -errno : fd;
}

const struct rg_maps *rg_loader_maps(const struct rg_loader *self)
{
	return &self->maps;
}

int rg_inner_maps_new_list(const struct rg_loader *self)
{
	loader.made++;
	return self->new_error ? self->new_error : new_trie(self->size);
}

int rg_inner_maps_current_list(const struct rg_loader *self)
{
	return self->pin < 0 ? -ENOENT : dup(self->pin);
}

int rg_inner_maps_pin_list(const struct rg_loader *self, int fd)
{
	if (self->pin_error)
		return self->pin_error;
	rg_closep(&loader.pin);
	loader.pin = dup(fd);
	return 0;
}

/* The id of the trie in force; 0: none. */
static uint32_t in_force(void)
{
	uint32_t zero = 0, id = 0;

	return bpf_map_lookup_elem(loader.maps.lists, &zero, &id) ? 0 : id;
}

static uint32_t id_of(int fd)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	return info.id;
}

/* ---- the index, pretended ---- */

static unsigned int staged_indexes, swapped_indexes;
static uint32_t in_force_at_swap;

struct rg_index_generation rg_index_maps_stage_lists(const struct rg_index_maps *indexes,
						     const struct rg_lists *lists)
{
	assert_null(indexes);
	assert_non_null(lists);
	staged_indexes++;
	return (struct rg_index_generation)RG_INDEX_GENERATION_NONE;
}

void rg_index_maps_drop(struct rg_index_generation *generation)
{
	assert_int_equal(generation->fd, -1);
}

void rg_index_maps_swap_lists(struct rg_index_maps *indexes, struct rg_index_generation *staged)
{
	assert_null(indexes);
	assert_non_null(staged);
	in_force_at_swap = in_force();
	swapped_indexes++;
}

/* ---- lists, from a file ---- */

static char dir[64];

static void write_list(const char *in, const char *text, char path[96])
{
	FILE *file;

	snprintf(path, 96, "%s/a.list", in);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static struct rg_lists *load_lists(const char *text)
{
	const struct rg_list_paths paths = { .approved_dir = "/nonexistent",
					     .blocked_dir = dir,
					     .state_dir = "/nonexistent",
					     .max_entries = 1000000 };
	struct rg_lists *lists = NULL;
	char path[96];

	write_list(dir, text, path);
	assert_int_equal(rg_lists_load(&lists, &paths), 0);
	unlink(path);
	return lists;
}

static const struct rg_list_map map = { .loader = &loader };
static struct rg_lists *current; /* published */

static int set_up(void **state)
{
	int inner = new_trie(1);
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = (__u32)inner);

	(void)state;
	loader = (struct rg_loader){ .pin = -1, .size = SIZE };
	loader.maps.lists = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "test", sizeof(uint32_t),
					   sizeof(uint32_t), 1, &opts);
	close(inner);
	staged_indexes = swapped_indexes = 0;
	current = NULL;
	snprintf(dir, sizeof(dir), "/tmp/repgate-list-map-XXXXXX");
	return loader.maps.lists < 0 || !mkdtemp(dir);
}

static int tear_down(void **state)
{
	(void)state;
	rg_lists_free(current);
	rg_closep(&loader.pin);
	close(loader.maps.lists);
	return rmdir(dir);
}

static int stage(struct rg_staged_lists **ret, const struct rg_lists *lists, struct rg_error *error)
{
	static const atomic_bool never;

	return rg_list_map_stage(ret, &map, current, lists, &never, error);
}

/* Puts lists in force, which are current then. 0 or an error. */
static int try_publish(struct rg_lists *lists, struct rg_error *error)
{
	struct rg_staged_lists *staged = NULL;
	int err = stage(&staged, lists, error);

	if (!err)
		err = rg_list_map_publish(&map, staged, error);
	rg_list_map_drop(staged);
	if (err) {
		rg_lists_free(lists);
		return err;
	}
	rg_lists_free(current);
	current = lists;
	return 0;
}

static void publish(const char *text)
{
	struct rg_error error = {};

	if (try_publish(load_lists(text), &error))
		fail_msg("%s", error.text);
}

/* ---- what the kernel finds ---- */

static enum rg_class class_in_trie(const struct rg_addr *addr, struct rg_list_entry *value)
{
	const struct rg_prefix key = { .len = RG_ADDR_BITS, .addr = *addr };
	RG_CLEANUP_CLOSE int fd = bpf_map_get_fd_by_id(in_force());

	assert_true(fd >= 0);
	return bpf_map_lookup_elem(fd, &key, value) ? RG_CLASS_NONE : value->peer_class;
}

static bool is_blocked(const char *text)
{
	struct rg_list_entry value;
	struct rg_addr addr;

	assert_int_equal(rg_addr_parse(text, strlen(text), &addr), 0);
	return class_in_trie(&addr, &value) == RG_CLASS_BLOCKED;
}

/* The trie and the lists agree, on each entry and around it. */
static void check_all(void)
{
	size_t count;
	const struct rg_list_item *items = rg_lists_items(current, &count);

	for (size_t i = 0; i < count; i++) {
		struct rg_prefix prefix = rg_list_item_prefix(&items[i]);
		struct rg_addr probes[] = { prefix.addr, rg_prefix_last(&prefix), prefix.addr };

		probes[2].bytes[15] ^= 1;
		for (size_t j = 0; j < ARRAY_SIZE(probes); j++) {
			const struct rg_list_item *want =
				rg_lists_find(current, &probes[j], rg_now());
			struct rg_list_entry value = {};

			assert_int_equal(class_in_trie(&probes[j], &value),
					 want ? want->peer_class : RG_CLASS_NONE);
			if (!want)
				continue;
			assert_int_equal(value.prefix_len, want->len);
			assert_int_equal(value.line, want->line);
			assert_int_equal(value.source, want->source);
			assert_int_equal(value.expiry, rg_lists_expiry(current, want));
		}
	}
}

/* ---- tests ---- */

#define FEW "10.0.0.0/8\n192.0.2.1\n192.0.2.7 # seven\n2001:db8::/32\n"

static void test_stage_and_publish(void **state)
{
	struct rg_lists *lists = load_lists(FEW);
	struct rg_staged_lists *staged = NULL;

	(void)state;
	assert_int_equal(stage(&staged, lists, NULL), 0);
	assert_int_equal(in_force(), 0); /* not yet */
	assert_int_equal(loader.pin, -1);
	assert_int_equal(staged_indexes, 1);
	assert_int_equal(rg_list_map_publish(&map, staged, NULL), 0);
	current = lists;
	rg_list_map_drop(staged); /* what is in force stays */
	assert_int_equal(in_force(), id_of(loader.pin));
	assert_int_equal(swapped_indexes, 1);
	assert_int_equal(in_force_at_swap, in_force());
	check_all();
	assert_true(is_blocked("10.1.2.3"));
	assert_false(is_blocked("192.0.2.2"));
	rg_list_map_drop(NULL);
}

/* Dropped before it is published: nothing has happened. */
static void test_dropped(void **state)
{
	struct rg_lists *lists = load_lists("192.0.2.9\n");
	struct rg_staged_lists *staged = NULL;
	uint32_t before;

	(void)state;
	publish(FEW);
	before = in_force();
	assert_int_equal(stage(&staged, lists, NULL), 0);
	rg_list_map_drop(staged);
	rg_lists_free(lists);
	assert_int_equal(in_force(), before);
	check_all();
}

/* From FEW: whether a new trie is needed. */
static const struct {
	const char *what, *text;
	bool in_place;
} changes[] = {
	{ "nothing", FEW, true },
	{ "one more, first", "9.0.0.0/8\n" FEW, false }, /* the others have new line numbers */
	{ "one more, last", FEW "2001:db9::1\n", true },
	{ "one more, in the middle", FEW "192.0.2.3\n", true },
	{ "one less", "10.0.0.0/8\n192.0.2.1\n192.0.2.7\n", true },
	{ "another end", "10.0.0.0/8\n192.0.2.1\n192.0.2.7 until=4102444800\n2001:db8::/32\n", true },
	{ "another address", "10.0.0.0/8\n192.0.2.1\n192.0.2.8\n2001:db8::/32\n", false },
	{ "two more", FEW "192.0.2.3\n192.0.2.4\n", false },
	{ "two less", "10.0.0.0/8\n192.0.2.1\n", false },
	{ "another length", "10.0.0.0/9\n192.0.2.1\n192.0.2.7\n2001:db8::/32\n", false },
	{ "nothing left", "", false },
};

static void test_changes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		uint32_t before;

		publish(FEW);
		before = in_force();
		loader.made = 0;
		publish(changes[i].text);
		if (loader.made != !changes[i].in_place)
			fail_msg("%s: %u new tries", changes[i].what, loader.made);
		assert_int_equal(in_force() == before, changes[i].in_place);
		assert_int_equal(in_force(), id_of(loader.pin));
		assert_int_equal(in_force_at_swap, in_force());
		check_all();
	}
	(void)state;
}

static void test_removed_in_place(void **state)
{
	(void)state;
	publish(FEW "198.51.100.7\n");
	assert_true(is_blocked("198.51.100.7"));
	publish(FEW);
	assert_false(is_blocked("198.51.100.7"));
	assert_int_equal(loader.made, 1);
}

/* Somebody removed the pin: the change in place is not possible, and a new trie is made. */
static void test_without_the_pin(void **state)
{
	(void)state;
	publish(FEW);
	close(loader.pin);
	loader.pin = -1;
	publish(FEW "192.0.2.3\n");
	assert_int_equal(loader.made, 2);
	assert_int_equal(in_force(), id_of(loader.pin));
	check_all();
}

static char *make_many(unsigned int count)
{
	char *text = malloc(count * 20 + 1), *at = text;

	assert_non_null(text);
	*text = '\0';
	for (unsigned int i = 0; i < count; i++)
		at += sprintf(at, "10.%u.%u.%u\n", i >> 15 & 255, i >> 7 & 255, i << 1 & 255);
	return text;
}

/* Whatever fails, the old lists stay in force, with their index. */
static void test_failures(void **state)
{
	struct rg_error error = {};
	char *many = make_many(200);
	uint32_t before;

	(void)state;
	publish(FEW);
	before = in_force();

	loader.new_error = -EPERM;
	assert_int_equal(try_publish(load_lists("1.1.1.1\n"), &error), -EPERM);
	assert_non_null(strstr(error.text, "no map for the local lists"));
	loader.new_error = 0;

	loader.size = 10;
	assert_int_equal(try_publish(load_lists(many), &error), -ENOSPC);
	assert_non_null(strstr(error.text, "entries"));
	loader.size = SIZE;
	free(many);

	loader.pin_error = -EROFS;
	assert_int_equal(try_publish(load_lists("1.1.1.1\n"), &error), -EROFS);
	assert_non_null(strstr(error.text, "can't be pinned"));
	loader.pin_error = 0;

	assert_int_equal(in_force(), before);
	assert_int_equal(in_force(), id_of(loader.pin));
	assert_int_equal(swapped_indexes, 1);
	check_all();

	/* The map itself refuses. */
	close(loader.maps.lists);
	loader.maps.lists = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(try_publish(load_lists("1.1.1.1\n"), &error), -EINVAL);
	assert_non_null(strstr(error.text, "can't be put in force"));
	assert_int_equal(swapped_indexes, 1);
}

/* More than go into the kernel at once. */
static void test_many(void **state)
{
	char *text = make_many(10000);
	size_t count;

	(void)state;
	publish(text);
	free(text);
	(void)rg_lists_items(current, &count);
	assert_int_equal(count, 10000);
	check_all();
}

static void test_stopped(void **state)
{
	static const atomic_bool stop = true;
	char *text = make_many(10000);
	struct rg_lists *lists = load_lists(text);
	struct rg_staged_lists *staged = NULL;
	struct rg_error error = {};

	(void)state;
	free(text);
	assert_int_equal(rg_list_map_stage(&staged, &map, NULL, lists, &stop, &error), -ECANCELED);
	assert_null(staged);
	assert_int_equal(in_force(), 0);
	rg_lists_free(lists);
}

/* Blocked entries behind approvals that have ended: put into the trie in force, each once. */
static void test_begin(void **state)
{
	char other[] = "/tmp/repgate-list-map-XXXXXX", path[96], blocked[96], text[160];
	const uint64_t hour = 3600 * RG_NSEC_PER_SEC;
	struct rg_list_paths paths = { .approved_dir = other,
				       .blocked_dir = dir,
				       .state_dir = "/nonexistent",
				       .max_entries = 1000000 };
	struct rg_lists *lists = NULL;
	struct rg_error error = {};
	uint32_t before;

	(void)state;
	assert_non_null(mkdtemp(other));
	snprintf(text, sizeof(text), "10.0.0.0/8 until=%lld\n", (long long)time(NULL) + 3600);
	write_list(other, text, path);
	write_list(dir, "10.1.2.3\n10.2.0.0/16\n192.0.2.1\n", blocked);
	assert_int_equal(rg_lists_load(&lists, &paths), 0);
	assert_int_equal(try_publish(lists, &error), 0);
	before = in_force();
	assert_false(is_blocked("10.1.2.3"));
	assert_true(is_blocked("192.0.2.1"));
	assert_int_equal(rg_list_map_begin(&map, current, rg_now()), 0);
	assert_false(is_blocked("10.1.2.3"));
	assert_int_equal(rg_list_map_begin(&map, current, rg_now() + 2 * hour), 2);
	assert_true(is_blocked("10.1.2.3"));
	assert_true(is_blocked("10.2.255.255"));
	assert_false(is_blocked("10.3.0.1"));
	assert_int_equal(in_force(), before);
	assert_int_equal(rg_list_map_begin(&map, current, rg_now() + 2 * hour), 0);
	/* Lists with such entries are not changed in place. */
	assert_int_equal(rg_lists_load(&lists, &paths), 0);
	assert_int_equal(try_publish(lists, &error), 0);
	assert_int_not_equal(in_force(), before);
	assert_false(is_blocked("10.1.2.3"));
	(void)unlink(path);
	(void)unlink(blocked);
	(void)rmdir(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stage_and_publish),
		TEST(test_dropped),
		TEST(test_changes),
		TEST(test_removed_in_place),
		TEST(test_without_the_pin),
		TEST(test_failures),
		TEST(test_many),
		TEST(test_stopped),
		TEST(test_begin),
	};
	int fd = new_trie(1);

	if (fd == -EPERM) {
		printf("1..0 # SKIP bpf() is not allowed\n");
		return SKIPPED;
	}
	close(fd);
	return cmocka_run_group_tests_name("list_map", tests, NULL, NULL);
}
