/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/last_mode.h"

#include "base/log.h"
#include "base/names.h"
#include "base/replace.h"

#include <fcntl.h>

#define FILE_NAME "mode"

static int write_mode(void *arg, FILE *to)
{
	return fprintf(to, "%s\n", (const char *)arg) < 0 ? -EIO : 0;
}

/* Whether the file in dir says this mode. */
static bool says(int dir, const char *mode)
{
	RG_CLEANUP_CLOSE int fd = openat(dir, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[16] = "";
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (len < 1)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, mode);
}

bool rg_last_mode_note(const struct rg_conf *conf)
{
	RG_CLEANUP_CLOSE int dir = open(conf->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *mode = rg_mode_name(conf->mode);
	bool is_back = dir >= 0 && conf->mode == RG_MODE_MONITOR &&
		       says(dir, rg_mode_name(RG_MODE_ENFORCE));

	if (dir >= 0 && !says(dir, mode))
		(void)rg_replace_file(dir, FILE_NAME, 0640, false, write_mode, (void *)mode);
	return is_back;
}

void rg_last_mode_check(const struct rg_conf *conf)
{
	if (rg_last_mode_note(conf))
		rg_log_warning("mode is monitor again, as %s says: nothing is refused any more "
			       "(repgatectl set mode enforce --save changes the file)",
			       conf->path);
}
