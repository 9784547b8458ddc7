/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One subject: the text of every command. Tables are described by columns; a function for each command
 * puts them together.
 */
#include "ctl/ctl_print.h"

#include "ctl/ctl_settings.h"

#ifndef RG_VERSION
#define RG_VERSION "unknown"
#endif

#define TEXT_SIZE 64

/* ------------------------------------------------------------- single values */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static long long int_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool has_text(const json_t *object, const char *key)
{
	return json_is_string(json_object_get(object, key));
}

static const char *format_time(const json_t *value, const char *format, char text[TEXT_SIZE])
{
	time_t time = (time_t)json_number_value(value);
	struct tm tm;

	if (!time || !localtime_r(&time, &tm))
		return "-";
	strftime(text, TEXT_SIZE, format, &tm);
	return text;
}

static const char *time_of(const json_t *object, const char *key, char text[TEXT_SIZE])
{
	return format_time(json_object_get(object, key), "%Y-%m-%d %H:%M:%S", text);
}

static const char *format_span(long seconds, char text[TEXT_SIZE])
{
	if (seconds >= 86400)
		snprintf(text, TEXT_SIZE, "%ldd %ldh", seconds / 86400, seconds / 3600 % 24);
	else if (seconds >= 3600)
		snprintf(text, TEXT_SIZE, "%ldh %ldm", seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		snprintf(text, TEXT_SIZE, "%ldm %lds", seconds / 60, seconds % 60);
	else
		snprintf(text, TEXT_SIZE, "%lds", seconds);
	return text;
}

static const char *span_of(const json_t *object, const char *key, char text[TEXT_SIZE])
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? format_span((long)json_number_value(value), text) : "-";
}

/* -------------------------------------------------------------------- tables */

enum column_type {
	COLUMN_TEXT,
	COLUMN_NUMBER, /* "-" if it is no integer and not missing */
	COLUMN_SPAN, /* seconds */
	COLUMN_YES_NO,
};

struct column {
	const char *title; /* NULL: the table has no line of titles */
	const char *key;
	int width; /* negative: to the left */
	enum column_type type;
};

#define MAX_COLUMNS 8

static const char *format_cell(const struct column *column, const json_t *row, char text[TEXT_SIZE])
{
	const json_t *value = json_object_get(row, column->key);

	switch (column->type) {
	case COLUMN_NUMBER:
		if (value && !json_is_integer(value))
			return "-";
		snprintf(text, TEXT_SIZE, "%lld", int_of(row, column->key));
		return text;
	case COLUMN_SPAN:
		return span_of(row, column->key, text);
	case COLUMN_YES_NO:
		return json_is_true(value) ? "yes" : "no";
	default:
		return text_of(row, column->key);
	}
}

/* Without the end of the line. */
static void print_row(FILE *to, const struct column columns[MAX_COLUMNS], const json_t *row)
{
	char text[TEXT_SIZE];

	for (size_t i = 0; i < MAX_COLUMNS && columns[i].key; i++)
		fprintf(to, "%s%*s", i ? " " : "", columns[i].width,
			format_cell(&columns[i], row, text));
}

/* Without the end of the line. */
static void print_titles(FILE *to, const struct column columns[MAX_COLUMNS])
{
	for (size_t i = 0; i < MAX_COLUMNS && columns[i].key; i++)
		fprintf(to, "%s%*s", i ? " " : "", columns[i].width, columns[i].title);
}

/* With titles if the columns have them. */
static void print_table(FILE *to, const char *indent, const struct column columns[MAX_COLUMNS],
			const json_t *rows)
{
	const json_t *row;
	size_t i;

	if (columns[0].title) {
		fputs(indent, to);
		print_titles(to, columns);
		fputc('\n', to);
	}
	json_array_foreach(rows, i, row) {
		fputs(indent, to);
		print_row(to, columns, row);
		fputc('\n', to);
	}
}

/* {class: {action: number}} of packets and of attempts. */
static void print_counts(FILE *to, const json_t *packets, const json_t *attempts)
{
	const char *peer_class, *action;
	json_t *actions, *value;

	json_object_foreach((json_t *)packets, peer_class, actions)
		json_object_foreach(actions, action, value)
			if (json_integer_value(value))
				fprintf(to, "%-10s %-9s %12lld %12lld\n", peer_class, action,
					(long long)json_integer_value(value),
					int_of(json_object_get(attempts, peer_class), action));
}

/* True if a number in it, at any depth, is not 0. */
static bool has_numbers(const json_t *numbers)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)numbers, key, value)
		if (json_integer_value(value) || has_numbers(value))
			return true;
	return false;
}

static void print_numbers(FILE *to, const char *title, const json_t *numbers, bool zeros)
{
	const char *key;
	json_t *value;

	fprintf(to, "\n%s\n", title);
	json_object_foreach((json_t *)numbers, key, value)
		if (json_is_integer(value) && (zeros || json_integer_value(value)))
			fprintf(to, "  %-22s %12lld\n", key, (long long)json_integer_value(value));
}

static void print_pairs(FILE *to, const json_t *result)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)result, key, value) {
		char *text = json_is_string(value) ? strdup(json_string_value(value)) :
						     json_dumps(value, JSON_ENCODE_ANY);

		fprintf(to, "%s: %s\n", key, text ? text : "?");
		free(text);
	}
}

/* -------------------------------------------------------------- lookup, list */

static void print_list_row(FILE *to, const json_t *row, const char *class_key)
{
	char left[TEXT_SIZE];

	fprintf(to, "%-9s %-40s %8s  %s:%lld\n", text_of(row, class_key), text_of(row, "entry"),
		span_of(row, "expires_in", left), text_of(row, "file"), int_of(row, "line"));
}

static void print_list(FILE *to, const json_t *result)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(result, "entries"), i, row)
		print_list_row(to, row, "class");
}

static void print_lookup_lists(FILE *to, const json_t *lists)
{
	const json_t *row;
	size_t i;

	if (json_array_size(lists))
		fputs("  local lists\n", to);
	json_array_foreach(lists, i, row) {
		fputs("    ", to);
		print_list_row(to, row, "list");
	}
}

static void print_lookup(FILE *to, const json_t *result)
{
	static const struct column zones[MAX_COLUMNS] = { { NULL, "zone", -20, COLUMN_TEXT },
							  { NULL, "kind", -9, COLUMN_TEXT },
							  { NULL, "answer", -12, COLUMN_TEXT },
							  { NULL, "code", 0, COLUMN_TEXT } };
	char since[TEXT_SIZE], left[TEXT_SIZE];

	fprintf(to, "%s  %s", text_of(result, "address"), text_of(result, "class"));
	if (has_text(result, "country"))
		fprintf(to, "  (%s)", text_of(result, "country"));
	fprintf(to, "\n  reason     %s", text_of(result, "reason"));
	if (has_text(result, "zone"))
		fprintf(to, " by %s (%s)", text_of(result, "zone"), text_of(result, "code"));
	fprintf(to, "\n  since      %s\n", time_of(result, "since", since));
	fprintf(to, "  ends in    %s\n", span_of(result, "expires_in", left));
	fprintf(to, "  hits       %lld\n", int_of(result, "hits"));
	fprintf(to, "  next SYN   %s: %s\n", text_of(result, "next_syn"),
		text_of(result, "explanation"));
	if (has_text(result, "url"))
		fprintf(to, "  see        %s\n", text_of(result, "url"));
	print_lookup_lists(to, json_object_get(result, "lists"));
	fputs("  zones\n", to);
	print_table(to, "    ", zones, json_object_get(result, "zones"));
}

/* -------------------------------------------------------------- zones, status */

static void print_failures(FILE *to, const json_t *failures)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)failures, key, value)
		fprintf(to, "  %s: %lld", key, (long long)json_integer_value(value));
	fputc('\n', to);
}

static void print_zones(FILE *to, const json_t *result)
{
	static const struct column columns[MAX_COLUMNS] = {
		{ "ZONE", "zone", -20, COLUMN_TEXT },
		{ "KIND", "kind", -9, COLUMN_TEXT },
		{ "ACTION", "action", -8, COLUMN_TEXT },
		{ "STATE", "state", -8, COLUMN_TEXT },
		{ "ASKED", "asked", 10, COLUMN_NUMBER },
		{ "LISTED", "listed", 10, COLUMN_NUMBER },
		{ "NOT", "not_listed", 10, COLUMN_NUMBER }
	};
	char since[TEXT_SIZE];
	const json_t *zone;
	size_t i;

	print_titles(to, columns);
	fputs("  failures\n", to);
	json_array_foreach(json_object_get(result, "zones"), i, zone) {
		print_row(to, columns, zone);
		print_failures(to, json_object_get(zone, "failed"));
		if (has_text(zone, "why"))
			fprintf(to, "    %s since %s: %s\n", text_of(zone, "state"),
				time_of(zone, "since", since), text_of(zone, "why"));
	}
}

static void print_index(FILE *to, const json_t *index)
{
	static const char *const parts[] = { "lists", "hosts", "peers" };

	fputs("index:", to);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const json_t *part = json_object_get(index, parts[i]);

		if (json_is_object(part))
			fprintf(to, " %s %lld", parts[i],
				int_of(part, "hosts") + int_of(part, "nets"));
		else
			fprintf(to, " %s off", parts[i]);
		fputs(i + 1 < ARRAY_SIZE(parts) ? "," : "", to);
	}
	if (int_of(index, "failed"))
		fprintf(to, "; %lld FAILED, the tries answer", int_of(index, "failed"));
	fputc('\n', to);
}

static void print_steering(FILE *to, const json_t *steering)
{
	bool advice = has_text(steering, "advice");

	fprintf(to, "responder: %s%s%s\n", text_of(steering, "state"), advice ? "; " : "",
		advice ? text_of(steering, "advice") : "");
}

/* The limits that turned something away since the agent started. */
static void print_guards(FILE *to, const json_t *guards)
{
	char since[TEXT_SIZE], until[TEXT_SIZE];
	const json_t *guard;
	size_t i;

	json_array_foreach(guards, i, guard) {
		fprintf(to, "guard %s", text_of(guard, "guard"));
		if (has_text(guard, "zone"))
			fprintf(to, " %s", text_of(guard, "zone"));
		if (json_is_true(json_object_get(guard, "open")))
			fprintf(to, ": OPEN since %s: ", time_of(guard, "since", since));
		else
			fprintf(to, ": closed, was open from %s until %s: ",
				time_of(guard, "since", since), time_of(guard, "until", until));
		fputs(text_of(guard, "reason"), to);
		if (json_is_integer(json_object_get(guard, "count")))
			fprintf(to, " (%lld times)", int_of(guard, "count"));
		fputc('\n', to);
	}
}

/* Files of the lists that are not in force as they are. */
static void print_list_files(FILE *to, const json_t *lists)
{
	const json_t *file, *bad;
	char since[TEXT_SIZE];
	size_t i, k;

	json_array_foreach(json_object_get(lists, "files"), i, file) {
		json_array_foreach(json_object_get(file, "bad"), k, bad)
			fprintf(to, "BAD LINE %s:%lld: %s\n", text_of(file, "path"),
				int_of(bad, "line"), text_of(bad, "reason"));
		if (int_of(file, "bad_lines") > (long long)k)
			fprintf(to, "BAD LINES %s: %lld more\n", text_of(file, "path"),
				int_of(file, "bad_lines") - (long long)k);
		if (has_text(file, "fault"))
			fprintf(to, "BAD FILE %s: %s; %s since %s\n", text_of(file, "path"),
				text_of(file, "fault"),
				json_is_true(json_object_get(file, "kept")) ?
					"its last good version is in force" :
				int_of(file, "entries") ? "its good lines are in force" :
							  "nothing of it is in force",
				time_of(file, "since", since));
	}
	if (has_text(lists, "country_fault"))
		fprintf(to, "BAD COUNTRY DATABASE: %s\n", text_of(lists, "country_fault"));
}

/* What runs, and with which configuration: the lines above the tables. */
static void print_status_head(FILE *to, const json_t *result)
{
	const json_t *agent = json_object_get(result, "agent"),
		     *lists = json_object_get(result, "lists"), *item;
	char up[TEXT_SIZE];
	size_t i;

	fprintf(to, "repgated %s, pid %lld, up %s, mode %s, unknown peers: %s\n",
		text_of(agent, "version"), int_of(agent, "pid"), span_of(agent, "uptime", up),
		text_of(result, "mode"), text_of(result, "unknown"));
	fputs("ports", to);
	json_array_foreach(json_object_get(result, "ports"), i, item)
		fprintf(to, " %lld", (long long)json_integer_value(item));
	fprintf(to, ", resolver %s, pins %s, configuration %s\n", text_of(agent, "resolver"),
		text_of(agent, "pin_path"), text_of(agent, "config"));
	if (has_text(result, "activation_code"))
		fprintf(to, "activation code: from the %s\n", text_of(result, "activation_code"));
	fprintf(to, "lists: %lld entries in force, %lld countries; inquiries: %lld, open %lld\n",
		int_of(lists, "entries"), int_of(lists, "countries"), int_of(agent, "inquiries"),
		int_of(agent, "inquiries_open"));
	print_list_files(to, lists);
	print_index(to, json_object_get(result, "index"));
	print_steering(to, json_object_get(result, "steering"));
	json_array_foreach(json_object_get(agent, "lacks"), i, item)
		fprintf(to, "lacks %s\n", json_string_value(item));
	print_guards(to, json_object_get(result, "guards"));
	if (has_text(agent, "reload_error"))
		fprintf(to, "LAST RELOAD REFUSED: %s\n", text_of(agent, "reload_error"));
}

static void print_renamed(FILE *to, const json_t *interfaces)
{
	const json_t *interface;
	size_t i;

	json_array_foreach(interfaces, i, interface)
		if (has_text(interface, "present_name") &&
		    strcmp(text_of(interface, "name"), text_of(interface, "present_name")) != 0)
			fprintf(to, "%s is called %s now\n", text_of(interface, "name"),
				text_of(interface, "present_name"));
}

static void print_missing(FILE *to, const json_t *interfaces)
{
	const json_t *interface;
	size_t i;

	json_array_foreach(interfaces, i, interface)
		if (has_text(interface, "reason"))
			fprintf(to, "%s IS NOT FILTERED: %s\n", text_of(interface, "name"),
				text_of(interface, "reason"));
}

/* By which interfaces connections arrive, and whether the filter sees them. */
static void print_paths(FILE *to, const json_t *paths)
{
	const json_t *path;
	char since[TEXT_SIZE];
	size_t i;

	json_array_foreach(paths, i, path) {
		fprintf(to, "path %s: %lld connections, %lld of them not seen by the filter",
			text_of(path, "interface"), int_of(path, "lookups"), int_of(path, "unseen"));
		if (json_is_number(json_object_get(path, "unseen_since")))
			fprintf(to, ": GO PAST THE FILTER since %s: %s",
				time_of(path, "unseen_since", since), text_of(path, "advice"));
		fputc('\n', to);
	}
}

static void print_status(FILE *to, const json_t *result)
{
	static const struct column interfaces[MAX_COLUMNS] = {
		{ "INTERFACE", "name", -16, COLUMN_TEXT },
		{ "STATE", "state", -9, COLUMN_TEXT },
		{ "MODE", "mode", -8, COLUMN_TEXT },
		{ "LINK", "link", -9, COLUMN_TEXT },
		{ "FRAGS", "frags", -6, COLUMN_YES_NO },
		{ "PROGRAM", "program", 8, COLUMN_NUMBER },
	};
	static const struct column maps[MAX_COLUMNS] = {
		{ "MAP", "name", -15, COLUMN_TEXT },
		{ "ID", "id", 6, COLUMN_NUMBER },
		{ "ENTRIES", "entries", 10, COLUMN_NUMBER },
		{ "MAX", "max_entries", 10, COLUMN_NUMBER },
	};

	print_status_head(to, result);
	fputc('\n', to);
	print_table(to, "", interfaces, json_object_get(result, "interfaces"));
	print_renamed(to, json_object_get(result, "interfaces"));
	print_missing(to, json_object_get(result, "interfaces"));
	print_paths(to, json_object_get(result, "paths"));
	fputc('\n', to);
	print_zones(to, result);
	fputc('\n', to);
	print_table(to, "", maps, json_object_get(result, "maps"));
}

static void print_activation(FILE *to, const json_t *result)
{
	const json_t *answer;
	size_t i;

	json_array_foreach(json_object_get(result, "answers"), i, answer)
		fprintf(to, "asked the Standard zone about %s: %s%s%s\n", text_of(answer, "asked"),
			text_of(answer, "answer"), has_text(answer, "code") ? ", " : "",
			has_text(answer, "code") ? text_of(answer, "code") : "");
	if (!json_is_true(json_object_get(result, "usual_length")))
		fputs("warning: the service's codes have 14 or 31 letters and digits, this one has not\n",
		      to);
	fprintf(to, "saved and in force: %s\n", text_of(result, "comment"));
}

/* ---------------------------------------------------------------------- stats */

static void print_stats(FILE *to, const json_t *result)
{
	const json_t *monitored = json_object_get(result, "monitored");

	fprintf(to, "%-10s %-9s %12s %12s\n", "CLASS", "ACTION", "PACKETS", "ATTEMPTS");
	print_counts(to, json_object_get(result, "packets"), json_object_get(result, "attempts"));
	fputs("\nwhat monitor mode let pass\n", to);
	print_counts(to, json_object_get(monitored, "packets"),
		     json_object_get(monitored, "attempts"));
	print_numbers(to, "responder", json_object_get(result, "responder"), true);
	print_numbers(to, "inquiries", json_object_get(result, "inquiries"), true);
	print_numbers(to, "verdicts", json_object_get(result, "verdicts"), true);
	print_numbers(to, "losses", json_object_get(result, "losses"), false);
}

/* --------------------------------------------------------------------- report */

static void print_sums(FILE *to, const json_t *totals)
{
	static const char *const sums[] = { "passed", "refused", "tagged", "unjudged" };
	const json_t *packets = json_object_get(totals, "packets"),
		     *attempts = json_object_get(totals, "attempts"),
		     *share = json_object_get(attempts, "refused_share");

	fprintf(to, "\n%-20s %12s %12s\n", "", "PACKETS", "ATTEMPTS");
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++)
		if (i < 2 || int_of(packets, sums[i]))
			fprintf(to, "%-20s %12lld %12lld\n", sums[i], int_of(packets, sums[i]),
				int_of(attempts, sums[i]));
	if (json_is_number(share))
		fprintf(to, "%-20s %12s %11.1f%%\n", "share refused", "",
			100 * json_number_value(share));
}

#define MAX_GAPS 20 /* in the text; JSON has all */

/* How much of the period was counted, and when no agent counted. */
static void print_gaps(FILE *to, const json_t *result)
{
	const json_t *gaps = json_object_get(result, "missing"), *gap;
	char from[TEXT_SIZE], until[TEXT_SIZE], span[TEXT_SIZE], of[TEXT_SIZE];
	size_t i;

	if (!json_array_size(gaps)) {
		fputs("counted: all of it\n", to);
		return;
	}
	fprintf(to, "counted: %s of %s; the history begins %s\n",
		format_span((long)int_of(result, "counted"), span),
		format_span((long)(int_of(result, "until") - int_of(result, "from")), of),
		time_of(result, "since", from));
	fputs("\nNOBODY COUNTED\n", to);
	json_array_foreach(gaps, i, gap)
		if (i < MAX_GAPS)
			fprintf(to, "%s to %s  %-7s  %s\n", time_of(gap, "from", from),
				time_of(gap, "until", until),
				format_span((long)(int_of(gap, "until") - int_of(gap, "from")), span),
				json_is_null(json_object_get(gap, "counted_from")) ?
					"nothing is known of it" :
					"XDP did: shown after it");
	if (i > MAX_GAPS)
		fprintf(to, "and %zu more: see --json\n", i - MAX_GAPS);
}

static const char *line_time(const json_t *line, bool hours, char text[TEXT_SIZE])
{
	return format_time(json_object_get(line, "from"), hours ? "%Y-%m-%d %H:%M" : "%a %Y-%m-%d",
			   text);
}

static long long all_of(const json_t *sums)
{
	return int_of(sums, "passed") + int_of(sums, "refused") + int_of(sums, "tagged");
}

/* A remark if the line was not counted as a whole, else "". */
static const char *doubt(const json_t *line, char text[TEXT_SIZE])
{
	long length = (long)(int_of(line, "until") - int_of(line, "from")),
	     missing = length - (long)int_of(line, "counted");
	char span[TEXT_SIZE];

	if (missing < -60)
		return "the clock went back";
	if (missing <= 60)
		return ""; /* also in the first minute of an hour */
	if (missing >= length)
		return "not counted";
	snprintf(text, TEXT_SIZE, "%.40s not counted", format_span(missing, span));
	return text;
}

static void print_line(FILE *to, const json_t *line, bool hours)
{
	const json_t *sums = json_object_get(line, "attempts"),
		     *share = json_object_get(sums, "refused_share");
	char time[TEXT_SIZE], percent[16] = "-", note[TEXT_SIZE];

	if (json_is_number(share))
		snprintf(percent, sizeof(percent), "%.1f%%", 100 * json_number_value(share));
	fprintf(to, "%-16s %10lld %10lld %10lld %7s  %s\n", line_time(line, hours, time),
		all_of(sums), int_of(sums, "passed"), int_of(sums, "refused"), percent,
		doubt(line, note));
}

static void print_lines(FILE *to, const json_t *result)
{
	bool hours = !strcmp(text_of(result, "unit"), "hour");
	const json_t *line, *busiest = json_object_get(result, "busiest");
	char time[TEXT_SIZE];
	size_t i;

	fprintf(to, "\n%-16s %10s %10s %10s %7s\n", hours ? "HOUR" : "DAY", "ATTEMPTS", "PASSED",
		"REFUSED", "SHARE");
	json_array_foreach(json_object_get(result, "lines"), i, line)
		print_line(to, line, hours);
	if (json_is_object(busiest))
		fprintf(to, "\nbusiest %s: %s, %lld attempts\n", text_of(result, "unit"),
			line_time(busiest, hours, time),
			all_of(json_object_get(busiest, "attempts")));
}

static void print_asked(FILE *to, const json_t *result)
{
	const json_t *peers = json_object_get(result, "inquiries"), *zone;
	size_t i;

	fprintf(to, "\n%-31s %10s %10s %10s %10s\n", "", "ASKED", "LISTED", "NOT", "FAILED");
	fprintf(to, "%-31s %10lld %10lld %10lld %10lld\n", "new peers", int_of(peers, "asked"),
		int_of(peers, "listed"), int_of(peers, "clean"), int_of(peers, "failed"));
	json_array_foreach(json_object_get(result, "zones"), i, zone)
		fprintf(to, "%-31s %10lld %10lld %10lld %10lld\n", text_of(zone, "zone"),
			int_of(zone, "asked"), int_of(zone, "listed"), int_of(zone, "not_listed"),
			int_of(zone, "failed"));
}

static void print_report(FILE *to, const json_t *result)
{
	const json_t *monitored = json_object_get(result, "monitored");
	char from[TEXT_SIZE], until[TEXT_SIZE];

	fprintf(to, "from %s to %s\n", time_of(result, "from", from),
		time_of(result, "until", until));
	print_gaps(to, result);
	print_sums(to, json_object_get(result, "totals"));
	fprintf(to, "\n%-10s %-9s %12s %12s\n", "CLASS", "ACTION", "PACKETS", "ATTEMPTS");
	print_counts(to, json_object_get(result, "packets"), json_object_get(result, "attempts"));
	if (has_numbers(json_object_get(monitored, "packets"))) {
		fputs("\nof what passed, monitor mode let pass\n", to);
		print_counts(to, json_object_get(monitored, "packets"),
			     json_object_get(monitored, "attempts"));
	}
	print_asked(to, result);
	if (has_numbers(json_object_get(result, "losses")))
		print_numbers(to, "losses", json_object_get(result, "losses"), false);
	print_lines(to, result);
}

/* --------------------------------------------------- events, dump, the others */

void rg_ctl_print_event(FILE *to, const json_t *event)
{
	char time[TEXT_SIZE];

	fprintf(to, "%s  %-8s %-40s %-9s %-8s", time_of(event, "time", time), text_of(event, "event"),
		text_of(event, "address"), text_of(event, "class"), text_of(event, "action"));
	if (has_text(event, "zone"))
		fprintf(to, " %s", text_of(event, "zone"));
	if (has_text(event, "code"))
		fprintf(to, " %s", text_of(event, "code"));
	if (json_is_true(json_object_get(event, "monitored")))
		fputs(" (monitored)", to);
	fputc('\n', to);
}

static void print_events(FILE *to, const json_t *result)
{
	const json_t *event;
	size_t i;

	json_array_foreach(json_object_get(result, "events"), i, event)
		rg_ctl_print_event(to, event);
}

static void print_dump(FILE *to, const json_t *result)
{
	static const struct column columns[MAX_COLUMNS] = {
		{ NULL, "peer", -44, COLUMN_TEXT },  { NULL, "class", -9, COLUMN_TEXT },
		{ NULL, "action", -8, COLUMN_TEXT }, { NULL, "zone", -20, COLUMN_TEXT },
		{ NULL, "code", -12, COLUMN_TEXT },  { NULL, "expires_in", 10, COLUMN_SPAN }
	};

	print_table(to, "", columns, json_object_get(result, "verdicts"));
	print_table(to, "", columns, json_object_get(result, "peers"));
	if (json_is_true(json_object_get(result, "truncated")))
		fputs("... and more: see bpftool map dump\n", to);
}

static void print_version(FILE *to, const json_t *result)
{
	fprintf(to, "repgatectl " RG_VERSION "\nrepgated   %s\nlayout     %lld\nkernel     %s\n",
		text_of(result, "version"), int_of(result, "layout"), text_of(result, "kernel"));
}

static void print_set(FILE *to, const json_t *result)
{
	fprintf(to, "%s = %s\n", text_of(result, "key"), text_of(result, "value"));
}

void rg_ctl_print(FILE *to, enum rg_command command, const json_t *result)
{
	static void (*const functions[RG_COMMANDS])(FILE * to, const json_t *result) = {
		[RG_COMMAND_STATUS] = print_status,
		[RG_COMMAND_LOOKUP] = print_lookup,
		[RG_COMMAND_ACTIVATION_CODE] = print_activation,
		[RG_COMMAND_STATS] = print_stats,
		[RG_COMMAND_REPORT] = print_report,
		[RG_COMMAND_LIST] = print_list,
		[RG_COMMAND_ZONES] = print_zones,
		[RG_COMMAND_EVENTS] = print_events,
		[RG_COMMAND_DUMP] = print_dump,
		[RG_COMMAND_SET] = print_set,
		[RG_COMMAND_VERSION] = print_version,
		[RG_COMMAND_SETTINGS] = rg_ctl_settings_print,
	};

	if (functions[command])
		functions[command](to, result);
	else
		print_pairs(to, result);
}
