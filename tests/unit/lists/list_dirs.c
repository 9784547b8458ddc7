/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "list_dirs.h"

#include "base/addr.h"

#include <ftw.h>
#include <sys/stat.h>

int list_dirs_set_up(void **state)
{
	struct list_dirs *dirs = calloc(1, sizeof(*dirs));

	if (!dirs)
		return -1;
	snprintf(dirs->root, sizeof(dirs->root), "/dev/shm/repgate-lists-XXXXXX");
	if (!mkdtemp(dirs->root))
		return -1;
	snprintf(dirs->approved, sizeof(dirs->approved), "%s/approved.d", dirs->root);
	snprintf(dirs->blocked, sizeof(dirs->blocked), "%s/blocked.d", dirs->root);
	snprintf(dirs->state, sizeof(dirs->state), "%s/state", dirs->root);
	if (mkdir(dirs->approved, 0755) || mkdir(dirs->blocked, 0755) || mkdir(dirs->state, 0755))
		return -1;
	dirs->paths =
		(struct rg_list_paths){ .approved_dir = dirs->approved,
					.blocked_dir = dirs->blocked,
					.state_dir = dirs->state,
					.max_entries = MAX_ENTRIES };
	*state = dirs;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int list_dirs_tear_down(void **state)
{
	struct list_dirs *dirs = *state;
	int err = nftw(dirs->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	free(dirs);
	return err;
}

void write_bytes(const char *dir, const char *name, const void *bytes, size_t len)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

void write_text(const char *dir, const char *name, const char *text)
{
	write_bytes(dir, name, text, strlen(text));
}

struct rg_lists *load_lists(const struct list_dirs *dirs)
{
	struct rg_lists *lists = NULL;

	assert_int_equal(rg_lists_load(&lists, &dirs->paths), 0);
	return lists;
}

const char *first_fault(const struct rg_lists *lists)
{
	static char text[1024];
	size_t count;
	const struct rg_list_file *files = rg_lists_files(lists, &count);

	*text = '\0';
	for (size_t i = 0; i < count && !*text; i++) {
		if (files[i].bad_shown)
			snprintf(text, sizeof(text), "%s:%u: %s", files[i].path,
				 files[i].bad[0].line, files[i].bad[0].why);
		else if (*files[i].fault)
			snprintf(text, sizeof(text), "%s: %s", files[i].path, files[i].fault);
	}
	return text;
}

enum rg_class class_at(const struct rg_lists *lists, const struct rg_addr *addr, uint64_t now)
{
	const struct rg_list_item *item = rg_lists_find(lists, addr, now);

	return item ? item->peer_class : RG_CLASS_NONE;
}

enum rg_class class_of(const struct rg_lists *lists, const char *text)
{
	struct rg_addr addr;

	if (rg_addr_parse(text, strlen(text), &addr))
		fail_msg("not an address: %s", text);
	return class_at(lists, &addr, rg_now());
}

char *read_state(const struct list_dirs *dirs, const char *name)
{
	static char text[4096];
	char path[160];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dirs->state, name);
	file = fopen(path, "r");
	assert_non_null(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	fclose(file);
	return text;
}
