/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_counts.h"

#include "ctl/ctl_text.h"

/* What monitor mode let pass: nothing, or a title and a table. */
static void print_monitored(FILE *to, const char *title, const json_t *monitored)
{
	const json_t *packets = json_object_get(monitored, "packets");

	if (!rg_ctl_has_numbers(packets))
		return;
	fprintf(to, "\n%s\n", title);
	rg_ctl_counts(to, packets, json_object_get(monitored, "attempts"));
}

/* ---------------------------------------------------------------------- stats */

void rg_ctl_counts_print_stats(FILE *to, const json_t *result)
{
	const json_t *packets = json_object_get(result, "packets");

	if (rg_ctl_has_numbers(packets))
		rg_ctl_counts(to, packets, json_object_get(result, "attempts"));
	else
		fputs("no SYN to a filtered port yet\n", to);
	print_monitored(to, "what monitor mode let pass", json_object_get(result, "monitored"));
	rg_ctl_numbers(to, "responder", json_object_get(result, "responder"));
	rg_ctl_numbers(to, "inquiries", json_object_get(result, "inquiries"));
	rg_ctl_numbers(to, "verdicts", json_object_get(result, "verdicts"));
	rg_ctl_numbers(to, "losses", json_object_get(result, "losses"));
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
		if (i < 2 || rg_ctl_int_of(packets, sums[i]))
			fprintf(to, "%-20s %12lld %12lld\n", sums[i],
				rg_ctl_int_of(packets, sums[i]), rg_ctl_int_of(attempts, sums[i]));
	if (json_is_number(share))
		fprintf(to, "%-20s %12s %11.1f%%\n", "share refused", "",
			100 * json_number_value(share));
}

/* From `from` until `until`, in s. */
static long length_of(const json_t *object)
{
	return (long)(rg_ctl_int_of(object, "until") - rg_ctl_int_of(object, "from"));
}

#define MAX_GAPS 20 /* in the text; JSON has all */

/* How much of the period was counted, and when no agent counted. */
static void print_gaps(FILE *to, const json_t *result)
{
	const json_t *gaps = json_object_get(result, "missing"), *gap;
	char from[RG_CTL_TEXT_SIZE], until[RG_CTL_TEXT_SIZE], span[RG_CTL_TEXT_SIZE],
		of[RG_CTL_TEXT_SIZE];
	size_t i;

	if (!json_array_size(gaps)) {
		fputs("counted: all of it\n", to);
		return;
	}
	fprintf(to, "counted: %s of %s; the history begins %s\n",
		rg_ctl_format_span((long)rg_ctl_int_of(result, "counted"), span),
		rg_ctl_format_span(length_of(result), of), rg_ctl_time_of(result, "since", from));
	fputs("\nNOBODY COUNTED\n", to);
	json_array_foreach(gaps, i, gap)
		if (i < MAX_GAPS)
			fprintf(to, "%s to %s  %-7s  %s\n", rg_ctl_time_of(gap, "from", from),
				rg_ctl_time_of(gap, "until", until),
				rg_ctl_format_span(length_of(gap), span),
				json_is_null(json_object_get(gap, "counted_from")) ?
					"nothing is known of it" :
					"XDP did: shown after it");
	if (i > MAX_GAPS)
		fprintf(to, "and %zu more: see --json\n", i - MAX_GAPS);
}

static const char *line_time(const json_t *line, bool hours, char text[RG_CTL_TEXT_SIZE])
{
	return rg_ctl_format_time(json_object_get(line, "from"),
				  hours ? "%Y-%m-%d %H:%M" : "%a %Y-%m-%d", text);
}

static long long all_of(const json_t *sums)
{
	return rg_ctl_int_of(sums, "passed") + rg_ctl_int_of(sums, "refused") +
	       rg_ctl_int_of(sums, "tagged");
}

/* A remark if the line was not counted as a whole, else "". */
static const char *doubt(const json_t *line, char text[RG_CTL_TEXT_SIZE])
{
	long length = length_of(line), missing = length - (long)rg_ctl_int_of(line, "counted");
	char span[RG_CTL_TEXT_SIZE];

	if (missing < -60)
		return "the clock went back";
	if (missing <= 60)
		return ""; /* also in the first minute of an hour */
	if (missing >= length)
		return "not counted";
	snprintf(text, RG_CTL_TEXT_SIZE, "%.40s not counted", rg_ctl_format_span(missing, span));
	return text;
}

static void print_line(FILE *to, const json_t *line, bool hours)
{
	const json_t *sums = json_object_get(line, "attempts"),
		     *share = json_object_get(sums, "refused_share");
	char time[RG_CTL_TEXT_SIZE], percent[16] = "-", note[RG_CTL_TEXT_SIZE];

	if (json_is_number(share))
		snprintf(percent, sizeof(percent), "%.1f%%", 100 * json_number_value(share));
	rg_ctl_line(to, 0, "%-16s %10lld %10lld %10lld %7s  %s", line_time(line, hours, time),
		    all_of(sums), rg_ctl_int_of(sums, "passed"), rg_ctl_int_of(sums, "refused"),
		    percent, doubt(line, note));
}

/* True if nothing was counted, neither by an agent nor by XDP alone. */
static bool is_uncounted(const json_t *line)
{
	return !rg_ctl_int_of(line, "counted") && !all_of(json_object_get(line, "attempts"));
}

/* Prints one line for all before the first one that was counted. Returns how many these are. */
static size_t print_folded(FILE *to, const json_t *lines, bool hours)
{
	size_t count = 0;

	while (count < json_array_size(lines) && is_uncounted(json_array_get(lines, count)))
		count++;
	if (count)
		fprintf(to, "%-16s %zu %s, not counted\n", "earlier", count,
			hours	   ? count == 1 ? "hour" : "hours" :
			count == 1 ? "day" :
				     "days");
	return count;
}

static void print_lines(FILE *to, const json_t *result)
{
	bool hours = !strcmp(rg_ctl_text_of(result, "unit"), "hour");
	const json_t *line, *busiest = json_object_get(result, "busiest"),
			    *lines = json_object_get(result, "lines");
	char time[RG_CTL_TEXT_SIZE];
	long long attempts = all_of(json_object_get(busiest, "attempts"));
	size_t i, folded;

	fprintf(to, "\n%-16s %10s %10s %10s %7s\n", hours ? "HOUR" : "DAY", "ATTEMPTS", "PASSED",
		"REFUSED", "SHARE");
	folded = print_folded(to, lines, hours);
	json_array_foreach(lines, i, line)
		if (i >= folded)
			print_line(to, line, hours);
	if (json_is_object(busiest))
		fprintf(to, "\nbusiest %s: %s, %lld %s\n", rg_ctl_text_of(result, "unit"),
			line_time(busiest, hours, time), attempts,
			attempts == 1 ? "attempt" : "attempts");
}

static void print_asked(FILE *to, const json_t *result)
{
	const json_t *peers = json_object_get(result, "inquiries"), *zone;
	size_t i;

	fprintf(to, "\n%-31s %10s %10s %10s %10s\n", "", "ASKED", "LISTED", "NOT", "FAILED");
	fprintf(to, "%-31s %10lld %10lld %10lld %10lld\n", "new peers",
		rg_ctl_int_of(peers, "asked"), rg_ctl_int_of(peers, "listed"),
		rg_ctl_int_of(peers, "clean"), rg_ctl_int_of(peers, "failed"));
	json_array_foreach(json_object_get(result, "zones"), i, zone)
		fprintf(to, "%-31s %10lld %10lld %10lld %10lld\n", rg_ctl_text_of(zone, "zone"),
			rg_ctl_int_of(zone, "asked"), rg_ctl_int_of(zone, "listed"),
			rg_ctl_int_of(zone, "not_listed"), rg_ctl_int_of(zone, "failed"));
}

void rg_ctl_counts_print_report(FILE *to, const json_t *result)
{
	const json_t *packets = json_object_get(result, "packets");
	char from[RG_CTL_TEXT_SIZE], until[RG_CTL_TEXT_SIZE];

	fprintf(to, "from %s to %s\n", rg_ctl_time_of(result, "from", from),
		rg_ctl_time_of(result, "until", until));
	print_gaps(to, result);
	print_sums(to, json_object_get(result, "totals"));
	if (rg_ctl_has_numbers(packets)) {
		fputc('\n', to);
		rg_ctl_counts(to, packets, json_object_get(result, "attempts"));
	}
	print_monitored(to, "of what passed, monitor mode let pass",
			json_object_get(result, "monitored"));
	print_asked(to, result);
	rg_ctl_numbers(to, "losses", json_object_get(result, "losses"));
	print_lines(to, result);
}
