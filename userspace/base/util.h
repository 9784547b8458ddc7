/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors, clocks and clean-up: what every file uses. */
#ifndef REPGATE_BASE_UTIL_H
#define REPGATE_BASE_UTIL_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Tells a person why something was refused: one line, without secrets. */
struct rg_error {
	char text[512];
};

/* Replaces control characters by '?': an error may quote what people wrote. */
static inline void rg_one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

/* Fills error, which may be NULL, and returns code: `return rg_fail(error, -EINVAL, ...)`. */
__attribute__((format(printf, 3, 4))) static inline int rg_fail(struct rg_error *error, int code,
								const char *format, ...)
{
	va_list args;

	if (!error)
		return code;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	rg_one_line(error->text);
	return code;
}

/* Now, in ns of CLOCK_BOOTTIME: the clock of every expiry (maps/verdict.h). */
static inline uint64_t rg_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

/*
 * How much CLOCK_REALTIME is ahead of CLOCK_BOOTTIME, in ns: the best of three readings, as the process may
 * be preempted.
 */
static inline int64_t rg_wall_offset(void)
{
	uint64_t best = UINT64_MAX;
	int64_t offset = 0;

	for (int i = 0; i < 3; i++) {
		uint64_t before = rg_now(), after;
		struct timespec wall;

		clock_gettime(CLOCK_REALTIME, &wall);
		after = rg_now();
		if (after - before < best) {
			best = after - before;
			offset = (int64_t)wall.tv_sec * 1000000000LL + wall.tv_nsec -
				 (int64_t)(before + best / 2);
		}
	}
	return offset;
}

/* A time of CLOCK_BOOTTIME (ns) in seconds since 1970, to the millisecond. For people. */
static inline double rg_wall_time(uint64_t boot_time)
{
	return (double)(((int64_t)boot_time + rg_wall_offset()) / 1000000) / 1000;
}

/* Now, in seconds since 1970, to the millisecond. */
static inline double rg_wall_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)(now.tv_sec * 1000LL + now.tv_nsec / 1000000) / 1000;
}

/* For RG_CLEANUP_*: each takes the address of the variable that leaves its scope. */
static inline void rg_freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline void rg_closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void rg_fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define RG_CLEANUP_FREE __attribute__((cleanup(rg_freep)))
#define RG_CLEANUP_CLOSE __attribute__((cleanup(rg_closep)))
#define RG_CLEANUP_FCLOSE __attribute__((cleanup(rg_fclosep)))

#endif
