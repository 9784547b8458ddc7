/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories with list files, for one test each. */
#ifndef REPGATE_TESTS_UNIT_LISTS_LIST_DIRS_H
#define REPGATE_TESTS_UNIT_LISTS_LIST_DIRS_H

#include "lists/lists.h"

#define MAX_ENTRIES 1000000

#define NONE RG_CLASS_NONE
#define APPROVED RG_CLASS_APPROVED
#define BLOCKED RG_CLASS_BLOCKED

/* A directory of its own for each test, with the three directories in it. */
struct list_dirs {
	char root[64];
	char approved[96], blocked[96], state[96];
	struct rg_list_paths paths;
};

int list_dirs_set_up(void **state);
int list_dirs_tear_down(void **state);

void write_bytes(const char *dir, const char *name, const void *bytes, size_t len);
void write_text(const char *dir, const char *name, const char *text);
/* The text of a file in the state directory, until the next call. */
char *read_state(const struct list_dirs *dirs, const char *name);

/* Loads all; an error fails the test. The caller frees it. */
struct rg_lists *load_lists(const struct list_dirs *dirs);
/* The class of the entry that holds the address, or NONE. */
enum rg_class class_at(const struct rg_lists *lists, const struct rg_addr *addr, uint64_t now);
enum rg_class class_of(const struct rg_lists *lists, const char *text);

/*
 * What is wrong with the files, the first of it: "PATH:LINE: reason" or "PATH: fault". "": nothing. In a buffer
 * that the next call overwrites.
 */
const char *first_fault(const struct rg_lists *lists);

#endif
