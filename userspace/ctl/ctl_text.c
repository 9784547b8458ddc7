/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_text.h"

/* ------------------------------------------------------------- single values */

const char *rg_ctl_text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

long long rg_ctl_int_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool rg_ctl_has_text(const json_t *object, const char *key)
{
	return json_is_string(json_object_get(object, key));
}

bool rg_ctl_is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

const char *rg_ctl_format_time(const json_t *value, const char *format, char text[RG_CTL_TEXT_SIZE])
{
	time_t time = (time_t)json_number_value(value);
	struct tm tm;

	if (!time || !localtime_r(&time, &tm) || !strftime(text, RG_CTL_TEXT_SIZE, format, &tm))
		return "-";
	return text;
}

const char *rg_ctl_time_of(const json_t *object, const char *key, char text[RG_CTL_TEXT_SIZE])
{
	return rg_ctl_format_time(json_object_get(object, key), "%Y-%m-%d %H:%M:%S", text);
}

const char *rg_ctl_date_of(const json_t *object, const char *key, char text[RG_CTL_TEXT_SIZE])
{
	const json_t *value = json_object_get(object, key);
	time_t then = (time_t)json_number_value(value), now = time(NULL);
	struct tm tm, present;
	bool this_year = localtime_r(&then, &tm) && localtime_r(&now, &present) &&
			 tm.tm_year == present.tm_year;

	return rg_ctl_format_time(value, this_year ? "%b %-d, %H:%M" : "%b %-d, %Y, %H:%M", text);
}

const char *rg_ctl_format_span(long seconds, char text[RG_CTL_TEXT_SIZE])
{
	if (seconds >= 86400)
		snprintf(text, RG_CTL_TEXT_SIZE, "%ldd %ldh", seconds / 86400, seconds / 3600 % 24);
	else if (seconds >= 3600)
		snprintf(text, RG_CTL_TEXT_SIZE, "%ldh %ldm", seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		snprintf(text, RG_CTL_TEXT_SIZE, "%ldm %lds", seconds / 60, seconds % 60);
	else
		snprintf(text, RG_CTL_TEXT_SIZE, "%lds", seconds);
	return text;
}

const char *rg_ctl_span_of(const json_t *object, const char *key, char text[RG_CTL_TEXT_SIZE])
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? rg_ctl_format_span((long)json_number_value(value), text) : "-";
}

/* ----------------------------------------------------------------- one line */

/* Columns of len bytes of UTF-8: bytes that continue a character have none. */
static int width_of(const char *text, size_t len)
{
	int width = 0;

	for (size_t i = 0; i < len; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

/* Blanks at the end of a line are not printed. */
static void print_wrapped(FILE *to, int indent, const char *text)
{
	int column = 0;

	while (*text) {
		size_t blanks = strspn(text, " "), len = strcspn(text + blanks, " ");
		int width = width_of(text + blanks, len);

		if (!len)
			break;
		if (column && column + (int)blanks + width > RG_CTL_WIDTH) {
			fprintf(to, "\n%*s", indent, "");
			column = indent;
		} else {
			fprintf(to, "%*s", (int)blanks, "");
			column += (int)blanks;
		}
		fwrite(text + blanks, 1, len, to);
		column += width;
		text += blanks + len;
	}
	fputc('\n', to);
}

void rg_ctl_line(FILE *to, int indent, const char *format, ...)
{
	RG_CLEANUP_FREE char *text = NULL;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		text = NULL;
	else
		print_wrapped(to, indent, text);
}

/* -------------------------------------------------------------------- tables */

static const char *format_cell(const struct rg_ctl_column *column, const json_t *row,
			       char text[RG_CTL_TEXT_SIZE])
{
	const json_t *value = json_object_get(row, column->key);

	switch (column->type) {
	case RG_CTL_NUMBER:
		if (value && !json_is_integer(value))
			return "-";
		snprintf(text, RG_CTL_TEXT_SIZE, "%lld", rg_ctl_int_of(row, column->key));
		return text;
	case RG_CTL_SPAN:
		return rg_ctl_span_of(row, column->key, text);
	case RG_CTL_YES_NO:
		return json_is_null(value) ? "-" : json_is_true(value) ? "yes" : "no";
	default:
		return rg_ctl_text_of(row, column->key);
	}
}

void rg_ctl_row(FILE *to, const char *indent,
		const struct rg_ctl_column columns[RG_CTL_MAX_COLUMNS], const json_t *row)
{
	RG_CLEANUP_FREE char *line = NULL;
	char text[RG_CTL_TEXT_SIZE];
	size_t size;
	FILE *cells = open_memstream(&line, &size);

	if (!cells)
		return;
	fputs(indent, cells);
	for (size_t i = 0; i < RG_CTL_MAX_COLUMNS && columns[i].key; i++) {
		const char *cell = format_cell(&columns[i], row, text);

		if (!i && columns[0].width && (int)strlen(cell) > abs(columns[0].width)) {
			rg_ctl_line(to, 0, "%s%s", indent, cell);
			cell = "";
		}
		fprintf(cells, "%s%*s", i ? " " : "", columns[i].width, cell);
	}
	if (!fclose(cells))
		rg_ctl_line(to, (int)strlen(indent) + 4, "%s", line);
}

void rg_ctl_titles(FILE *to, const struct rg_ctl_column columns[RG_CTL_MAX_COLUMNS])
{
	for (size_t i = 0; i < RG_CTL_MAX_COLUMNS && columns[i].key; i++)
		fprintf(to, "%s%*s", i ? " " : "", columns[i].width, columns[i].title);
	fputc('\n', to);
}

void rg_ctl_table(FILE *to, const char *indent,
		  const struct rg_ctl_column columns[RG_CTL_MAX_COLUMNS], const json_t *rows)
{
	const json_t *row;
	size_t i;

	if (columns[0].title) {
		fputs(indent, to);
		rg_ctl_titles(to, columns);
	}
	json_array_foreach(rows, i, row)
		rg_ctl_row(to, indent, columns, row);
}

/* ------------------------------------------------------------------- numbers */

void rg_ctl_counts(FILE *to, const json_t *packets, const json_t *attempts)
{
	const char *peer_class, *action;
	json_t *actions, *value;

	fprintf(to, "%-10s %-9s %12s %12s\n", "CLASS", "ACTION", "PACKETS", "ATTEMPTS");
	json_object_foreach((json_t *)packets, peer_class, actions)
		json_object_foreach(actions, action, value)
			if (json_integer_value(value))
				fprintf(to, "%-10s %-9s %12lld %12lld\n", peer_class, action,
					(long long)json_integer_value(value),
					rg_ctl_int_of(json_object_get(attempts, peer_class), action));
}

bool rg_ctl_has_numbers(const json_t *numbers)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)numbers, key, value)
		if (json_integer_value(value) || rg_ctl_has_numbers(value))
			return true;
	return false;
}

void rg_ctl_numbers(FILE *to, const char *title, const json_t *numbers)
{
	const char *key;
	json_t *value;
	bool begun = false;

	json_object_foreach((json_t *)numbers, key, value) {
		if (!json_integer_value(value))
			continue;
		if (!begun)
			fprintf(to, "\n%s\n", title);
		begun = true;
		fprintf(to, "  %-22s %12lld\n", key, (long long)json_integer_value(value));
	}
}
