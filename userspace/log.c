/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include "util.h"

#include <sys/stat.h>

/* The only state of this program at file scope: a process has one log. */
static enum rg_log_level log_level = RG_LOG_INFO;
static bool to_journal;

static const char *const level_names[] = { "error", "warning", "info", "debug" };
static const int syslog_levels[] = { 3, 4, 6, 7 };

/* journald says so: JOURNAL_STREAM is device:inode of our standard error (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == device && st.st_ino == inode;
}

void rg_log_open(enum rg_log_level level)
{
	log_level = level;
	to_journal = stderr_is_journal();
	setvbuf(stderr, NULL, _IOLBF, 0);
}

enum rg_log_level rg_log_level(void)
{
	return log_level;
}

int rg_log_level_parse(const char *text, enum rg_log_level *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (!strcmp(text, level_names[i])) {
			*ret = (enum rg_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void rg_log(enum rg_log_level level, const char *format, ...)
{
	char line[1024];
	va_list args;

	if (level > log_level)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (to_journal)
		fprintf(stderr, "<%d>%s\n", syslog_levels[level], line);
	else
		fprintf(stderr, "repgated: %s: %s\n", level_names[level], line);
}
