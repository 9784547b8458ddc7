/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/list_names.h"

static bool ends_in(const char *name, const char *suffix)
{
	size_t len = strlen(name), end = strlen(suffix);

	return len > end && !strcmp(name + len - end, suffix);
}

int rg_list_names_is_list(const struct dirent *entry)
{
	return *entry->d_name != '.' && ends_in(entry->d_name, ".list");
}

size_t rg_list_names_of_copy(const char *name)
{
	static const char *const suffixes[] = { ".kept", ".new" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (ends_in(name, suffixes[i]))
			return strlen(name) - strlen(suffixes[i]);
	return strlen(name);
}

/* Somebody may believe that the file is in force. */
static int is_unread(const struct dirent *entry)
{
	static const char *const suffixes[] = {
		"~",	     ".new",	  ".tmp",    ".temp",	 ".part",     ".swp",
		".bak",	     ".old",	  ".off",    ".orig",	 ".disabled", ".save",
		".dpkg-new", ".dpkg-old", ".rpmnew", ".rpmsave",
	};

	if (*entry->d_name == '.' || rg_list_names_is_list(entry))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (ends_in(entry->d_name, suffixes[i]))
			return 0;
	return 1;
}

int rg_list_names_add_unread(struct rg_list_unread *unread, const char *dir)
{
	struct dirent **names = NULL;
	int count = scandir(dir, &names, is_unread, alphasort), err = 0;

	if (count < 0)
		return errno == ENOMEM ? -ENOMEM : 0;
	for (int i = 0; i < count; i++) {
		unread->count++;
		if (!err && unread->shown < RG_LIST_UNREAD_SHOWN) {
			if (asprintf(&unread->paths[unread->shown], "%s/%s", dir, names[i]->d_name) <
			    0)
				err = -ENOMEM;
			else
				rg_one_line(unread->paths[unread->shown++]);
		}
		free(names[i]);
	}
	free(names);
	return err;
}

void rg_list_names_clear_unread(struct rg_list_unread *unread)
{
	for (size_t i = 0; i < unread->shown; i++)
		free(unread->paths[i]);
	*unread = (struct rg_list_unread){};
}

bool rg_list_names_has_unread(const struct rg_list_unread *unread, const char *path)
{
	for (size_t i = 0; i < unread->shown; i++)
		if (!strcmp(unread->paths[i], path))
			return true;
	return false;
}
