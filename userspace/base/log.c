/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include "base/util.h"

#include <sys/stat.h>
#include <systemd/sd-journal.h>

/* A process has one log, so its state is at file scope; nothing else is. */
static enum rg_log_level log_level = RG_LOG_INFO;
static bool to_journal;

static const char *const level_names[] = { "error", "warning", "info", "debug" };
static const int syslog_levels[] = { 3, 4, 6, 7 };

/* journald sets JOURNAL_STREAM to device:inode of our standard error (systemd.exec(5)). */
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

static void write_line(enum rg_log_level level, const char *line)
{
	if (to_journal)
		fprintf(stderr, "<%d>%s\n", syslog_levels[level], line);
	else
		fprintf(stderr, "repgated: %s: %s\n", level_names[level], line);
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
	write_line(level, line);
}

#define MAX_FIELDS 16

/* Sends MESSAGE, PRIORITY and the fields. 0 or a negative error. */
static int send_fields(int priority, const char *line, const struct rg_log_field *fields,
		       unsigned int count)
{
	struct iovec vectors[MAX_FIELDS + 2];
	char *texts[MAX_FIELDS + 2];
	unsigned int made = 0;
	int err = count > MAX_FIELDS ? -E2BIG : 0;

	for (unsigned int i = 0; !err && i < count + 2; i++) {
		int len = i == 0 ? asprintf(&texts[i], "MESSAGE=%s", line) :
			  i == 1 ? asprintf(&texts[i], "PRIORITY=%d", priority) :
				   asprintf(&texts[i], "%s=%s", fields[i - 2].name,
					    fields[i - 2].value);

		if (len < 0) {
			err = -ENOMEM;
			break;
		}
		vectors[made++] = (struct iovec){ .iov_base = texts[i], .iov_len = (size_t)len };
	}
	if (!err)
		err = sd_journal_sendv(vectors, (int)made);
	while (made)
		free(texts[--made]);
	return err;
}

void rg_log_fields(enum rg_log_level level, const char *line, const struct rg_log_field *fields,
		   unsigned int count)
{
	if (level > log_level)
		return;
	if (!to_journal || send_fields(syslog_levels[level], line, fields, count))
		write_line(level, line);
}
