/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log: lines on standard error, with journald's level prefixes if journald reads them. */
#ifndef REPGATE_BASE_LOG_H
#define REPGATE_BASE_LOG_H

enum rg_log_level { RG_LOG_ERROR, RG_LOG_WARNING, RG_LOG_INFO, RG_LOG_DEBUG };

/* Sets the level and finds out whether journald reads. Call at the start, before other threads start. */
void rg_log_open(enum rg_log_level level);
/* "error", "warning", "info" or "debug". 0 or -EINVAL. */
int rg_log_level_parse(const char *text, enum rg_log_level *ret);
enum rg_log_level rg_log_level(void);

/* Writes a line, without its end, of at most 1023 bytes. In any thread. */
__attribute__((format(printf, 2, 3))) void rg_log(enum rg_log_level level, const char *format, ...);

struct rg_log_field {
	const char *name; /* in capital letters (sd_journal_send(3)) */
	const char *value;
};

/* Writes a line, and gives journald up to 16 fields with it. */
void rg_log_fields(enum rg_log_level level, const char *line, const struct rg_log_field *fields,
		   unsigned int count);

#define rg_log_error(...) rg_log(RG_LOG_ERROR, __VA_ARGS__)
#define rg_log_warning(...) rg_log(RG_LOG_WARNING, __VA_ARGS__)
#define rg_log_info(...) rg_log(RG_LOG_INFO, __VA_ARGS__)
/* Its arguments are computed only at this level: some calls are made for each new peer. */
#define rg_log_debug(...)                                  \
	do {                                               \
		if (rg_log_level() >= RG_LOG_DEBUG)        \
			rg_log(RG_LOG_DEBUG, __VA_ARGS__); \
	} while (0)

#endif
