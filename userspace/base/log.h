/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log: standard error, with journald's level prefixes when journald reads it. */
#ifndef REPGATE_BASE_LOG_H
#define REPGATE_BASE_LOG_H

enum rg_log_level { RG_LOG_ERROR, RG_LOG_WARNING, RG_LOG_INFO, RG_LOG_DEBUG };

void rg_log_open(enum rg_log_level level);
int rg_log_level_parse(const char *text, enum rg_log_level *ret); /* 0 or -EINVAL */
enum rg_log_level rg_log_level(void);

__attribute__((format(printf, 2, 3))) void rg_log(enum rg_log_level level, const char *format, ...);

struct rg_log_field {
	const char *name; /* in capital letters (sd_journal_send(3)) */
	const char *value;
};

/* A line with fields for journald; without it only the line. At most 16 fields. */
void rg_log_fields(enum rg_log_level level, const char *line, const struct rg_log_field *fields,
		   unsigned int count);

#define rg_log_error(...) rg_log(RG_LOG_ERROR, __VA_ARGS__)
#define rg_log_warning(...) rg_log(RG_LOG_WARNING, __VA_ARGS__)
#define rg_log_info(...) rg_log(RG_LOG_INFO, __VA_ARGS__)
/* What it is given is not even computed if nobody wants it: some stand where each new peer comes by. */
#define rg_log_debug(...)                                  \
	do {                                               \
		if (rg_log_level() >= RG_LOG_DEBUG)        \
			rg_log(RG_LOG_DEBUG, __VA_ARGS__); \
	} while (0)

#endif
