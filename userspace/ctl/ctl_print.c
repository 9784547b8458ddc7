/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_print.h"

#include "ctl/ctl_counts.h"
#include "ctl/ctl_settings.h"
#include "ctl/ctl_status.h"
#include "ctl/ctl_text.h"

#ifndef RG_VERSION
#define RG_VERSION "unknown"
#endif

#define INDENT 4 /* of a line that goes on */

/* -------------------------------------------------------------- lookup, list */

static void print_list_row(FILE *to, const char *indent, const json_t *row, const char *class_key)
{
	RG_CLEANUP_FREE char *line = NULL;
	char left[RG_CTL_TEXT_SIZE];
	const char *comment = json_string_value(json_object_get(row, "comment"));
	int len = asprintf(&line, "%s%-9s %-18s %8s  %s:%lld", indent, rg_ctl_text_of(row, class_key),
			   rg_ctl_text_of(row, "entry"), rg_ctl_span_of(row, "expires_in", left),
			   rg_ctl_text_of(row, "file"), rg_ctl_int_of(row, "line"));
	int below = (int)strlen(indent) + INDENT;

	if (len < 0) {
		line = NULL;
		return;
	}
	if (comment && len + 4 + (int)strlen(comment) <= RG_CTL_WIDTH) {
		rg_ctl_line(to, below, "%s  # %s", line, comment);
	} else {
		rg_ctl_line(to, below, "%s", line);
		if (comment)
			rg_ctl_line(to, below + 2, "%*s# %s", below, "", comment);
	}
}

static void print_list(FILE *to, const json_t *result)
{
	const json_t *row, *entries = json_object_get(result, "entries");
	long long count = rg_ctl_int_of(result, "count");
	size_t i;

	if (!json_array_size(entries))
		fputs("no entries\n", to);
	json_array_foreach(entries, i, row)
		print_list_row(to, "", row, "class");
	if (rg_ctl_is_true(result, "truncated"))
		rg_ctl_line(to, INDENT, "... and more: %lld in all, the first %zu are shown", count,
			    json_array_size(entries));
}

static void print_lookup_lists(FILE *to, const json_t *lists)
{
	const json_t *row;
	size_t i;

	if (json_array_size(lists))
		fputs("  local lists\n", to);
	json_array_foreach(lists, i, row)
		print_list_row(to, "    ", row, "list");
}

static void print_lookup(FILE *to, const json_t *result)
{
	static const struct rg_ctl_column zones[RG_CTL_MAX_COLUMNS] = {
		{ NULL, "zone", -20, RG_CTL_TEXT },
		{ NULL, "kind", -9, RG_CTL_TEXT },
		{ NULL, "answer", -12, RG_CTL_TEXT },
		{ NULL, "code", 0, RG_CTL_TEXT },
	};
	bool country = rg_ctl_has_text(result, "country"), zone = rg_ctl_has_text(result, "zone");
	char since[RG_CTL_TEXT_SIZE], left[RG_CTL_TEXT_SIZE];

	rg_ctl_line(to, INDENT, "%s  %s%s%s%s", rg_ctl_text_of(result, "address"),
		    rg_ctl_text_of(result, "class"), country ? "  (" : "",
		    country ? rg_ctl_text_of(result, "country") : "", country ? ")" : "");
	rg_ctl_line(to, 13, "  reason     %s%s%s%s%s%s", rg_ctl_text_of(result, "reason"),
		    zone ? " by " : "", zone ? rg_ctl_text_of(result, "zone") : "",
		    zone ? " (" : "", zone ? rg_ctl_text_of(result, "code") : "", zone ? ")" : "");
	fprintf(to, "  since      %s\n", rg_ctl_time_of(result, "since", since));
	fprintf(to, "  ends in    %s\n", rg_ctl_span_of(result, "expires_in", left));
	fprintf(to, "  hits       %lld\n", rg_ctl_int_of(result, "hits"));
	rg_ctl_line(to, 13, "  next SYN   %s", rg_ctl_text_of(result, "explanation"));
	if (rg_ctl_has_text(result, "url"))
		rg_ctl_line(to, INDENT, "  see        %s", rg_ctl_text_of(result, "url"));
	print_lookup_lists(to, json_object_get(result, "lists"));
	if (!json_array_size(json_object_get(result, "zones")))
		return;
	fputs("  zones\n", to);
	rg_ctl_table(to, "    ", zones, json_object_get(result, "zones"));
}

/* --------------------------------------------------------------- events, dump */

void rg_ctl_print_event(FILE *to, const json_t *event)
{
	const char *what = rg_ctl_text_of(event, "event");
	bool monitored = rg_ctl_is_true(event, "monitored"), refused = !strcmp(what, "refused"),
	     zone = rg_ctl_has_text(event, "zone"), code = rg_ctl_has_text(event, "code");
	char time[RG_CTL_TEXT_SIZE];

	rg_ctl_line(to, 16, "%s %-7s %-15s %-8s %-8s%s%s%s%s%s",
		    rg_ctl_format_time(json_object_get(event, "time"), "%b %d %H:%M:%S", time),
		    monitored && refused ? "monitored" : what, rg_ctl_text_of(event, "address"),
		    rg_ctl_text_of(event, "class"), rg_ctl_text_of(event, "action"),
		    zone ? " " : "", zone ? rg_ctl_text_of(event, "zone") : "", code ? " " : "",
		    code ? rg_ctl_text_of(event, "code") : "",
		    monitored && !refused ? " (monitored)" : "");
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
	static const struct rg_ctl_column columns[RG_CTL_MAX_COLUMNS] = {
		{ NULL, "peer", -18, RG_CTL_TEXT },  { NULL, "class", -8, RG_CTL_TEXT },
		{ NULL, "action", -8, RG_CTL_TEXT }, { NULL, "zone", -20, RG_CTL_TEXT },
		{ NULL, "code", -12, RG_CTL_TEXT },  { NULL, "expires_in", 8, RG_CTL_SPAN },
	};
	const json_t *verdicts = json_object_get(result, "verdicts"),
		     *peers = json_object_get(result, "peers");

	if (!json_array_size(verdicts) && !json_array_size(peers))
		fputs("no verdicts and no known peers\n", to);
	rg_ctl_table(to, "", columns, verdicts);
	rg_ctl_table(to, "", columns, peers);
	if (rg_ctl_is_true(result, "truncated"))
		fputs("... and more: see bpftool map dump\n", to);
}

/* ------------------------------------------------------------ what was changed */

static const char *plural(long long count, const char *one, const char *more)
{
	return count == 1 ? one : more;
}

/* How many addresses the entry has, unless it is a single one: " (256 addresses)". */
static void describe_extent(const json_t *result, char *text, size_t size)
{
	const char *entry = rg_ctl_text_of(result, "entry"),
		   *extent = rg_ctl_text_of(result, "comes_to");
	size_t len = strlen(entry);

	if (!strncmp(extent, entry, len) && !strncmp(extent + len, ", ", 2))
		extent += len + 2;
	*text = '\0';
	if (rg_ctl_has_text(result, "comes_to"))
		snprintf(text, size, " (%s)", extent);
}

/* "203.0.113.25 approved until Dec 6, 20:05; it is no longer blocked." */
static void print_added(FILE *to, const json_t *result)
{
	const char *peer_class = rg_ctl_text_of(result, "class");
	bool ends = json_is_number(json_object_get(result, "until")),
	     removed = rg_ctl_int_of(result, "removed");
	char until[RG_CTL_TEXT_SIZE], extent[160];
	const json_t *warning;
	size_t i;

	describe_extent(result, extent, sizeof(extent));
	rg_ctl_line(to, INDENT, "%s%s %s%s%s%s%s.", rg_ctl_text_of(result, "entry"), extent,
		    peer_class, ends ? " until " : "",
		    ends ? rg_ctl_date_of(result, "until", until) : "",
		    removed ? "; it is no longer " : "",
		    !removed			    ? "" :
		    !strcmp(peer_class, "approved") ? "blocked" :
						      "approved");
	json_array_foreach(json_object_get(result, "warnings"), i, warning)
		if (json_is_string(warning))
			rg_ctl_line(to, INDENT, "%s.", json_string_value(warning));
}

static void print_unlisted(FILE *to, const json_t *result)
{
	const json_t *classes = json_object_get(result, "classes");
	const char *one = json_string_value(json_array_get(classes, 0)),
		   *other = json_string_value(json_array_get(classes, 1));

	rg_ctl_line(to, INDENT, "%s is no longer %s%s%s.", rg_ctl_text_of(result, "entry"),
		    one ? one : "listed", other ? " or " : "", other ? other : "");
}

static void print_flushed(FILE *to, const json_t *result)
{
	long long count = rg_ctl_int_of(result, "flushed");

	if (count)
		rg_ctl_line(to, INDENT, "%lld %s forgotten; %s judged again when %s.", count,
			    plural(count, "peer or prefix is", "peers and prefixes are"),
			    plural(count, "it is", "they are"),
			    plural(count, "it comes", "they come"));
	else
		fputs("Nothing was known, so nothing is forgotten.\n", to);
}

static void print_set(FILE *to, const json_t *result)
{
	bool saved = rg_ctl_has_text(result, "saved");

	rg_ctl_line(to, INDENT, "%s = %s%s%s.", rg_ctl_text_of(result, "key"),
		    rg_ctl_text_of(result, "value"),
		    saved ? ", saved in " : ", until the next reload or restart",
		    saved ? rg_ctl_text_of(result, "saved") : "");
}

static void print_mode(FILE *to, const json_t *result)
{
	bool monitor = !strcmp(rg_ctl_text_of(result, "mode"), "monitor");

	rg_ctl_line(to, INDENT,
		    monitor ? "Mode is monitor until the next reload or restart: every SYN passes, and is "
			      "counted and logged." :
			      "Mode is enforce until the next reload or restart: verdicts and lists are in "
			      "force.");
}

static void print_reloaded(FILE *to, const json_t *result)
{
	(void)result;
	fputs("Configuration and lists are read again, and in force.\n", to);
}

static void print_activation(FILE *to, const json_t *result)
{
	const json_t *answer;
	size_t i;

	json_array_foreach(json_object_get(result, "answers"), i, answer)
		rg_ctl_line(to, INDENT, "asked the Standard zone about %s: %s%s%s",
			    rg_ctl_text_of(answer, "asked"), rg_ctl_text_of(answer, "answer"),
			    rg_ctl_has_text(answer, "code") ? ", " : "",
			    rg_ctl_has_text(answer, "code") ? rg_ctl_text_of(answer, "code") : "");
	if (!rg_ctl_is_true(result, "usual_length"))
		rg_ctl_line(to, INDENT,
			    "warning: the service's codes have 14 or 31 letters and digits, this one has "
			    "not");
	rg_ctl_line(to, INDENT, "saved and in force: %s", rg_ctl_text_of(result, "comment"));
}

/* ----------------------------------------------------------------- the others */

static void print_version(FILE *to, const json_t *result)
{
	fprintf(to, "repgatectl " RG_VERSION "\nrepgated   %s\nlayout     %lld\nkernel     %s\n",
		rg_ctl_text_of(result, "version"), rg_ctl_int_of(result, "layout"),
		rg_ctl_text_of(result, "kernel"));
}

/* Its warnings are lines of text. */
static void print_tested(FILE *to, const json_t *result)
{
	RG_CLEANUP_FREE char *warnings = strdup(
		rg_ctl_has_text(result, "warnings") ? rg_ctl_text_of(result, "warnings") : "");
	char *rest = warnings;
	const json_t *hint;
	size_t i;

	rg_ctl_line(to, INDENT, "%s: the configuration is good", rg_ctl_text_of(result, "file"));
	for (char *line; (line = strsep(&rest, "\n"));)
		if (*line)
			rg_ctl_line(to, INDENT, "warning: %s", line);
	json_array_foreach(json_object_get(result, "hints"), i, hint)
		rg_ctl_line(to, INDENT, "hint: %s", json_string_value(hint));
}

void rg_ctl_print(FILE *to, enum rg_command command, const json_t *result)
{
	static void (*const functions[RG_COMMANDS])(FILE * to, const json_t *result) = {
		[RG_COMMAND_STATUS] = rg_ctl_status_print,
		[RG_COMMAND_LOOKUP] = print_lookup,
		[RG_COMMAND_STATS] = rg_ctl_counts_print_stats,
		[RG_COMMAND_REPORT] = rg_ctl_counts_print_report,
		[RG_COMMAND_LIST] = print_list,
		[RG_COMMAND_APPROVE] = print_added,
		[RG_COMMAND_BLOCK] = print_added,
		[RG_COMMAND_UNLIST] = print_unlisted,
		[RG_COMMAND_FLUSH] = print_flushed,
		[RG_COMMAND_ZONES] = rg_ctl_status_print_zones,
		[RG_COMMAND_EVENTS] = print_events,
		[RG_COMMAND_DUMP] = print_dump,
		[RG_COMMAND_RELOAD] = print_reloaded,
		[RG_COMMAND_SET] = print_set,
		[RG_COMMAND_SETTINGS] = rg_ctl_settings_print,
		[RG_COMMAND_ACTIVATION_CODE] = print_activation,
		[RG_COMMAND_MONITOR] = print_mode,
		[RG_COMMAND_TEST_CONFIG] = print_tested,
		[RG_COMMAND_VERSION] = print_version,
	};

	if (functions[command])
		functions[command](to, result);
}
