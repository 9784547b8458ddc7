/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of an answer as text, and lines and tables of at most 80 columns. Fields that are missing are "-" or
 * 0.
 */
#ifndef REPGATE_CTL_CTL_TEXT_H
#define REPGATE_CTL_CTL_TEXT_H

#include "base/util.h"

#include <jansson.h>

#define RG_CTL_WIDTH 80 /* columns of a line */
#define RG_CTL_TEXT_SIZE 64 /* bytes of a formatted value */

/* "-" if it is no string */
const char *rg_ctl_text_of(const json_t *object, const char *key);
long long rg_ctl_int_of(const json_t *object, const char *key);
bool rg_ctl_has_text(const json_t *object, const char *key);
bool rg_ctl_is_true(const json_t *object, const char *key);

/* A time (s since 1970) by strftime()'s format. Returns text, or "-". */
const char *rg_ctl_format_time(const json_t *value, const char *format, char text[RG_CTL_TEXT_SIZE]);
/* "2026-12-06 20:05:00" */
const char *rg_ctl_time_of(const json_t *object, const char *key, char text[RG_CTL_TEXT_SIZE]);
/* "Dec 6, 20:05", with the year if it is not the present one */
const char *rg_ctl_date_of(const json_t *object, const char *key, char text[RG_CTL_TEXT_SIZE]);
/* "1h 5m" */
const char *rg_ctl_format_span(long seconds, char text[RG_CTL_TEXT_SIZE]);
const char *rg_ctl_span_of(const json_t *object, const char *key, char text[RG_CTL_TEXT_SIZE]);

/*
 * Prints the text and ends the line. If it is longer than 80 columns it is broken at blanks, and the lines that
 * follow are indented. A single word that is longer (a path, an address of the web) is never cut.
 */
__attribute__((format(printf, 3, 4))) void rg_ctl_line(FILE *to, int indent, const char *format, ...);

enum rg_ctl_column_type {
	RG_CTL_TEXT,
	RG_CTL_NUMBER, /* "-" if it is no integer and not missing */
	RG_CTL_SPAN, /* seconds */
	RG_CTL_YES_NO, /* "-" if it is null */
};

struct rg_ctl_column {
	const char *title; /* NULL: the table has no line of titles */
	const char *key;
	int width; /* negative: to the left */
	enum rg_ctl_column_type type;
};

#define RG_CTL_MAX_COLUMNS 8

/* A row. If the first cell is wider than its column, it has a line of its own. */
void rg_ctl_row(FILE *to, const char *indent,
		const struct rg_ctl_column columns[RG_CTL_MAX_COLUMNS], const json_t *row);
void rg_ctl_titles(FILE *to, const struct rg_ctl_column columns[RG_CTL_MAX_COLUMNS]);
/* With titles if the columns have them. */
void rg_ctl_table(FILE *to, const char *indent,
		  const struct rg_ctl_column columns[RG_CTL_MAX_COLUMNS], const json_t *rows);

/* {class: {action: number}} of packets and of attempts, without zeros, below titles. */
void rg_ctl_counts(FILE *to, const json_t *packets, const json_t *attempts);
/* True if a number in it, at any depth, is not 0. */
bool rg_ctl_has_numbers(const json_t *numbers);
/* Those that are not 0, below a title. Nothing if all are 0. */
void rg_ctl_numbers(FILE *to, const char *title, const json_t *numbers);

#endif
