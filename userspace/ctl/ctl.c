/* SPDX-License-Identifier: GPL-2.0-or-later */
/* repgatectl: arguments -> request -> printed answer. */
#include "config/live.h"

#include <getopt.h>
#include <jansson.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifndef RG_VERSION
#define RG_VERSION "unknown"
#endif

#define EXIT_USAGE 2
#define EXIT_REFUSED 10 /* lookup: the next SYN does not pass */
#define DEFAULT_SOCKET "/run/repgate/control.sock"

struct ctl {
	const char *socket;
	bool json;
	FILE *stream; /* to the agent */
	/* options of the commands */
	bool store, follow, watch, save;
	const char *duration, *comment;
};

struct command {
	const char *name;
	const char *arguments;
	const char *help;
	int min, max; /* arguments */
	int (*run)(struct ctl *ctl, const struct command *command, char **arguments, int count);
	void (*print)(const json_t *result);
};

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
	va_list args;

	fputs("repgatectl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_FAILURE;
}

static int connect_agent(struct ctl *ctl)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(ctl->socket) >= sizeof(address.sun_path))
		return fail("socket path too long: %s", ctl->socket);
	strcpy(address.sun_path, ctl->socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fail("%s: %s%s", ctl->socket, strerror(errno),
			    errno == ENOENT || errno == ECONNREFUSED ? " (is repgated running?)" :
								       "");
	ctl->stream = fdopen(fd, "r+");
	return ctl->stream ? 0 : fail("%s", strerror(errno));
}

static json_t *read_answer(struct ctl *ctl)
{
	RG_CLEANUP_FREE char *line = NULL;
	size_t size = 0;
	ssize_t len = getline(&line, &size, ctl->stream);

	return len > 0 ? json_loadb(line, (size_t)len, 0, NULL) : NULL;
}

/* Sends request, which it takes over; the result or NULL with *code set. */
static json_t *ask(struct ctl *ctl, json_t *request, int *code)
{
	json_t *answer, *result;

	*code = ctl->stream ? 0 : connect_agent(ctl);
	if (*code) {
		json_decref(request);
		return NULL;
	}
	json_dumpf(request, ctl->stream, JSON_COMPACT);
	fputc('\n', ctl->stream);
	fflush(ctl->stream);
	json_decref(request);
	answer = read_answer(ctl);
	if (!answer) {
		*code = fail("no answer from repgated");
		return NULL;
	}
	result = json_object_get(answer, "result");
	if (json_is_true(json_object_get(answer, "ok")) && result)
		json_incref(result);
	else if (ctl->json)
		*code = (json_dumpf(answer, stdout, JSON_COMPACT), puts(""), EXIT_FAILURE);
	else
		*code = fail("%s", json_string_value(json_object_get(answer, "error")));
	json_decref(answer);
	return *code ? NULL : result;
}

static void print_json(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	puts("");
}

static void show(const struct ctl *ctl, const struct command *command, const json_t *result)
{
	if (ctl->json)
		print_json(result);
	else
		command->print(result);
}

/* ----------------------------------------------------------------- printing */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static json_int_t int_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *time_of(const json_t *object, const char *key, char text[32])
{
	time_t time = (time_t)json_number_value(json_object_get(object, key));
	struct tm tm;

	if (!time || !localtime_r(&time, &tm))
		return "-";
	strftime(text, 32, "%Y-%m-%d %H:%M:%S", &tm);
	return text;
}

static const char *span_text(long seconds, char text[32])
{
	if (seconds >= 86400)
		snprintf(text, 32, "%ldd %ldh", seconds / 86400, seconds / 3600 % 24);
	else if (seconds >= 3600)
		snprintf(text, 32, "%ldh %ldm", seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		snprintf(text, 32, "%ldm %lds", seconds / 60, seconds % 60);
	else
		snprintf(text, 32, "%lds", seconds);
	return text;
}

static const char *span_of(const json_t *object, const char *key, char text[32])
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? span_text((long)json_number_value(value), text) : "-";
}

static void print_list_rows(const json_t *rows, const char *indent)
{
	char left[32];
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		printf("%s%-9s %-40s %8s  %s:%lld\n", indent,
		       json_object_get(row, "class") ? text_of(row, "class") : text_of(row, "list"),
		       text_of(row, "entry"), span_of(row, "expires_in", left),
		       text_of(row, "file"), (long long)int_of(row, "line"));
}

static void print_lookup(const json_t *result)
{
	char since[32], left[32];
	const json_t *zone;
	size_t i;

	printf("%s  %s", text_of(result, "address"), text_of(result, "class"));
	if (json_is_string(json_object_get(result, "country")))
		printf("  (%s)", text_of(result, "country"));
	printf("\n  reason     %s", text_of(result, "reason"));
	if (json_is_string(json_object_get(result, "zone")))
		printf(" by %s (%s)", text_of(result, "zone"), text_of(result, "code"));
	printf("\n  since      %s\n", time_of(result, "since", since));
	printf("  ends in    %s\n", span_of(result, "expires_in", left));
	printf("  hits       %lld\n", (long long)int_of(result, "hits"));
	printf("  next SYN   %s: %s\n", text_of(result, "next_syn"), text_of(result, "explanation"));
	if (json_is_string(json_object_get(result, "url")))
		printf("  see        %s\n", text_of(result, "url"));
	if (json_array_size(json_object_get(result, "lists"))) {
		puts("  local lists");
		print_list_rows(json_object_get(result, "lists"), "    ");
	}
	puts("  zones");
	json_array_foreach(json_object_get(result, "zones"), i, zone)
		printf("    %-20s %-9s %-12s %s\n", text_of(zone, "zone"), text_of(zone, "kind"),
		       text_of(zone, "answer"), text_of(zone, "code"));
}

static void print_failures(const json_t *failures)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)failures, key, value)
		printf("  %s: %lld", key, (long long)json_integer_value(value));
	puts("");
}

static void print_zones(const json_t *result)
{
	char since[32];
	const json_t *zone;
	size_t i;

	printf("%-20s %-9s %-8s %-8s %10s %10s %10s  failures\n", "ZONE", "KIND", "ACTION", "STATE",
	       "ASKED", "LISTED", "NOT");
	json_array_foreach(json_object_get(result, "zones"), i, zone) {
		printf("%-20s %-9s %-8s %-8s %10lld %10lld %10lld", text_of(zone, "zone"),
		       text_of(zone, "kind"), text_of(zone, "action"), text_of(zone, "state"),
		       (long long)int_of(zone, "asked"), (long long)int_of(zone, "listed"),
		       (long long)int_of(zone, "not_listed"));
		print_failures(json_object_get(zone, "failed"));
		if (json_is_string(json_object_get(zone, "why")))
			printf("    %s since %s: %s\n", text_of(zone, "state"),
			       time_of(zone, "since", since), text_of(zone, "why"));
	}
}

static void print_maps(const json_t *maps)
{
	const json_t *map;
	size_t i;

	printf("\n%-15s %6s %10s %10s\n", "MAP", "ID", "ENTRIES", "MAX");
	json_array_foreach(maps, i, map) {
		const json_t *entries = json_object_get(map, "entries");
		char number[24] = "-";

		if (json_is_integer(entries))
			snprintf(number, sizeof(number), "%lld",
				 (long long)json_integer_value(entries));
		printf("%-15s %6lld %10s %10lld\n", text_of(map, "name"),
		       (long long)int_of(map, "id"), number, (long long)int_of(map, "max_entries"));
	}
}

static void print_index(const json_t *index)
{
	static const char *const parts[] = { "lists", "hosts", "peers" };

	printf("index:");
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const json_t *part = json_object_get(index, parts[i]);

		if (json_is_object(part))
			printf(" %s %lld", parts[i],
			       (long long)(int_of(part, "hosts") + int_of(part, "nets")));
		else
			printf(" %s off", parts[i]);
		printf("%s", i + 1 < ARRAY_SIZE(parts) ? "," : "");
	}
	if (int_of(index, "failed"))
		printf("; %lld FAILED, the tries answer", (long long)int_of(index, "failed"));
	puts("");
}

static void print_steering(const json_t *steering)
{
	if (json_is_string(json_object_get(steering, "advice")))
		printf("responder: %s; %s\n", text_of(steering, "state"),
		       text_of(steering, "advice"));
	else
		printf("responder: %s\n", text_of(steering, "state"));
}

static void print_status(const json_t *result)
{
	const json_t *agent = json_object_get(result, "agent"),
		     *lists = json_object_get(result, "lists");
	const json_t *at, *port;
	char up[32];
	size_t i;

	printf("repgated %s, pid %lld, up %s, mode %s, unknown peers: %s\n",
	       text_of(agent, "version"), (long long)int_of(agent, "pid"),
	       span_of(agent, "uptime", up), text_of(result, "mode"), text_of(result, "unknown"));
	printf("ports");
	json_array_foreach(json_object_get(result, "ports"), i, port)
		printf(" %lld", (long long)json_integer_value(port));
	printf(", resolver %s, pins %s, configuration %s\n", text_of(agent, "resolver"),
	       text_of(agent, "pin_path"), text_of(agent, "config"));
	printf("lists: %lld entries in force, %lld countries; inquiries: %lld, open %lld\n",
	       (long long)int_of(lists, "entries"), (long long)int_of(lists, "countries"),
	       (long long)int_of(agent, "inquiries"), (long long)int_of(agent, "inquiries_open"));
	print_index(json_object_get(result, "index"));
	print_steering(json_object_get(result, "steering"));
	json_array_foreach(json_object_get(agent, "lacks"), i, at)
		printf("lacks %s\n", json_string_value(at));
	if (json_is_string(json_object_get(agent, "reload_error")))
		printf("LAST RELOAD REFUSED: %s\n", text_of(agent, "reload_error"));
	printf("\n%-16s %-9s %-8s %-6s %8s\n", "INTERFACE", "STATE", "MODE", "FRAGS", "PROGRAM");
	json_array_foreach(json_object_get(result, "interfaces"), i, at)
		printf("%-16s %-9s %-8s %-6s %8lld\n", text_of(at, "name"), text_of(at, "state"),
		       text_of(at, "mode"), json_is_true(json_object_get(at, "frags")) ? "yes" : "no",
		       (long long)int_of(at, "program"));
	puts("");
	print_zones(result);
	print_maps(json_object_get(result, "maps"));
}

static void print_table(const json_t *packets, const json_t *attempts)
{
	const char *peer_class, *action;
	json_t *actions, *value;

	json_object_foreach((json_t *)packets, peer_class, actions)
		json_object_foreach(actions, action, value)
			if (json_integer_value(value))
				printf("%-10s %-9s %12lld %12lld\n", peer_class, action,
				       (long long)json_integer_value(value),
				       (long long)int_of(json_object_get(attempts, peer_class),
							 action));
}

/* Anything but zeros in it, however deep. */
static bool has_numbers(const json_t *numbers)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)numbers, key, value)
		if (json_integer_value(value) || has_numbers(value))
			return true;
	return false;
}

static void print_numbers(const char *title, const json_t *numbers, bool zeros)
{
	const char *key;
	json_t *value;

	printf("\n%s\n", title);
	json_object_foreach((json_t *)numbers, key, value)
		if (json_is_integer(value) && (zeros || json_integer_value(value)))
			printf("  %-22s %12lld\n", key, (long long)json_integer_value(value));
}

static void print_stats(const json_t *result)
{
	const json_t *monitored = json_object_get(result, "monitored");

	printf("%-10s %-9s %12s %12s\n", "CLASS", "ACTION", "PACKETS", "ATTEMPTS");
	print_table(json_object_get(result, "packets"), json_object_get(result, "attempts"));
	puts("\nwhat monitor mode let pass");
	print_table(json_object_get(monitored, "packets"), json_object_get(monitored, "attempts"));
	print_numbers("responder", json_object_get(result, "responder"), true);
	print_numbers("inquiries", json_object_get(result, "inquiries"), true);
	print_numbers("verdicts", json_object_get(result, "verdicts"), true);
	print_numbers("losses", json_object_get(result, "losses"), false);
}

static void print_sums(const json_t *totals)
{
	static const char *const sums[] = { "passed", "refused", "tagged", "unjudged" };
	const json_t *packets = json_object_get(totals, "packets"),
		     *attempts = json_object_get(totals, "attempts"),
		     *share = json_object_get(attempts, "refused_share");

	printf("\n%-20s %12s %12s\n", "", "PACKETS", "ATTEMPTS");
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++)
		if (i < 2 || int_of(packets, sums[i]))
			printf("%-20s %12lld %12lld\n", sums[i], (long long)int_of(packets, sums[i]),
			       (long long)int_of(attempts, sums[i]));
	if (json_is_number(share))
		printf("%-20s %12s %11.1f%%\n", "share refused", "", 100 * json_number_value(share));
}

#define MAX_GAPS 20 /* in the text; JSON has all */

/* How much of the period the numbers are of, and when no agent counted. */
static void print_gaps(const json_t *result)
{
	const json_t *gaps = json_object_get(result, "missing"), *gap;
	char from[32], until[32], span[32], of[32];
	size_t i;

	if (!json_array_size(gaps)) {
		puts("counted: all of it");
		return;
	}
	printf("counted: %s of %s; the history begins %s\n",
	       span_text((long)int_of(result, "counted"), span),
	       span_text((long)(int_of(result, "until") - int_of(result, "from")), of),
	       time_of(result, "since", from));
	puts("\nNOBODY COUNTED");
	json_array_foreach(gaps, i, gap)
		if (i < MAX_GAPS)
			printf("%s to %s  %-7s  %s\n", time_of(gap, "from", from),
			       time_of(gap, "until", until),
			       span_text((long)(int_of(gap, "until") - int_of(gap, "from")), span),
			       json_is_null(json_object_get(gap, "counted_from")) ?
				       "nothing is known of it" :
				       "XDP did: shown after it");
	if (i > MAX_GAPS)
		printf("and %zu more: see --json\n", i - MAX_GAPS);
}

static const char *line_time(const json_t *line, bool hours, char text[32])
{
	time_t time = (time_t)int_of(line, "from");
	struct tm tm;

	if (!localtime_r(&time, &tm))
		return "-";
	strftime(text, 32, hours ? "%Y-%m-%d %H:%M" : "%a %Y-%m-%d", &tm);
	return text;
}

static json_int_t all_of(const json_t *sums)
{
	return int_of(sums, "passed") + int_of(sums, "refused") + int_of(sums, "tagged");
}

/* Why the line may not be the whole truth; "" if it is. */
static const char *doubt(const json_t *line, char text[64])
{
	long length = (long)(int_of(line, "until") - int_of(line, "from")),
	     missing = length - (long)int_of(line, "counted");
	char span[32];

	if (missing < -60)
		return "the clock went back";
	if (missing <= 60)
		return ""; /* also of an hour that has just begun */
	if (missing >= length)
		return "not counted";
	snprintf(text, 64, "%s not counted", span_text(missing, span));
	return text;
}

static void print_line(const json_t *line, bool hours)
{
	const json_t *sums = json_object_get(line, "attempts"),
		     *share = json_object_get(sums, "refused_share");
	char time[32], percent[16] = "-", note[64];

	if (json_is_number(share))
		snprintf(percent, sizeof(percent), "%.1f%%", 100 * json_number_value(share));
	printf("%-16s %10lld %10lld %10lld %7s  %s\n", line_time(line, hours, time),
	       (long long)all_of(sums), (long long)int_of(sums, "passed"),
	       (long long)int_of(sums, "refused"), percent, doubt(line, note));
}

static void print_lines(const json_t *result)
{
	bool hours = !strcmp(text_of(result, "unit"), "hour");
	const json_t *line, *busiest = json_object_get(result, "busiest");
	char time[32];
	size_t i;

	printf("\n%-16s %10s %10s %10s %7s\n", hours ? "HOUR" : "DAY", "ATTEMPTS", "PASSED",
	       "REFUSED", "SHARE");
	json_array_foreach(json_object_get(result, "lines"), i, line)
		print_line(line, hours);
	if (json_is_object(busiest))
		printf("\nbusiest %s: %s, %lld attempts\n", text_of(result, "unit"),
		       line_time(busiest, hours, time),
		       (long long)all_of(json_object_get(busiest, "attempts")));
}

static void print_asked(const json_t *result)
{
	const json_t *zones = json_object_get(result, "zones"),
		     *peers = json_object_get(result, "inquiries"), *zone;
	size_t i;

	printf("\n%-31s %10s %10s %10s %10s\n", "", "ASKED", "LISTED", "NOT", "FAILED");
	printf("%-31s %10lld %10lld %10lld %10lld\n", "new peers",
	       (long long)int_of(peers, "asked"), (long long)int_of(peers, "listed"),
	       (long long)int_of(peers, "clean"), (long long)int_of(peers, "failed"));
	json_array_foreach(zones, i, zone)
		printf("%-31s %10lld %10lld %10lld %10lld\n", text_of(zone, "zone"),
		       (long long)int_of(zone, "asked"), (long long)int_of(zone, "listed"),
		       (long long)int_of(zone, "not_listed"), (long long)int_of(zone, "failed"));
}

static void print_report(const json_t *result)
{
	const json_t *monitored = json_object_get(result, "monitored");
	char from[32], until[32];

	printf("from %s to %s\n", time_of(result, "from", from), time_of(result, "until", until));
	print_gaps(result);
	print_sums(json_object_get(result, "totals"));
	printf("\n%-10s %-9s %12s %12s\n", "CLASS", "ACTION", "PACKETS", "ATTEMPTS");
	print_table(json_object_get(result, "packets"), json_object_get(result, "attempts"));
	if (has_numbers(json_object_get(monitored, "packets"))) {
		puts("\nof what passed, monitor mode let pass");
		print_table(json_object_get(monitored, "packets"),
			    json_object_get(monitored, "attempts"));
	}
	print_asked(result);
	if (has_numbers(json_object_get(result, "losses")))
		print_numbers("losses", json_object_get(result, "losses"), false);
	print_lines(result);
}

static void print_list(const json_t *result)
{
	print_list_rows(json_object_get(result, "entries"), "");
}

static void print_event(const json_t *event)
{
	char time[32];

	printf("%s  %-8s %-40s %-9s %-8s", time_of(event, "time", time), text_of(event, "event"),
	       text_of(event, "address"), text_of(event, "class"), text_of(event, "action"));
	if (json_is_string(json_object_get(event, "zone")))
		printf(" %s", text_of(event, "zone"));
	if (json_is_string(json_object_get(event, "code")))
		printf(" %s", text_of(event, "code"));
	if (json_is_true(json_object_get(event, "monitored")))
		printf(" (monitored)");
	puts("");
}

static void print_events(const json_t *result)
{
	const json_t *event;
	size_t i;

	json_array_foreach(json_object_get(result, "events"), i, event)
		print_event(event);
}

static void print_dump(const json_t *result)
{
	static const char *const parts[] = { "verdicts", "peers" };
	const json_t *entry;
	char left[32];
	size_t i;

	for (size_t part = 0; part < ARRAY_SIZE(parts); part++)
		json_array_foreach(json_object_get(result, parts[part]), i, entry)
			printf("%-44s %-9s %-8s %-20s %-12s %10s\n", text_of(entry, "peer"),
			       text_of(entry, "class"), text_of(entry, "action"),
			       text_of(entry, "zone"), text_of(entry, "code"),
			       span_of(entry, "expires_in", left));
	if (json_is_true(json_object_get(result, "truncated")))
		puts("... and more: see bpftool map dump");
}

static void print_version(const json_t *result)
{
	printf("repgatectl " RG_VERSION "\nrepgated   %s\nlayout     %lld\nkernel     %s\n",
	       text_of(result, "version"), (long long)int_of(result, "layout"),
	       text_of(result, "kernel"));
}

static void print_pairs(const json_t *result)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)result, key, value) {
		char *text = json_is_string(value) ? strdup(json_string_value(value)) :
						     json_dumps(value, JSON_ENCODE_ANY);

		printf("%s: %s\n", key, text ? text : "?");
		free(text);
	}
}

/* ----------------------------------------------------------------- commands */

static int run_request(struct ctl *ctl, const struct command *command, json_t *request)
{
	int code;
	json_t *result = ask(ctl, request, &code);

	if (result)
		show(ctl, command, result);
	json_decref(result);
	return code;
}

static int run_plain(struct ctl *ctl, const struct command *command, char **arguments, int count)
{
	(void)arguments;
	(void)count;
	return run_request(ctl, command, json_pack("{s:s}", "command", command->name));
}

static int run_lookup(struct ctl *ctl, const struct command *command, char **arguments, int count)
{
	json_t *result;
	int code;

	(void)count;
	result = ask(ctl,
		     json_pack("{s:s, s:s, s:b}", "command", "lookup", "address", arguments[0],
			       "store", ctl->store),
		     &code);
	if (!result)
		return code;
	show(ctl, command, result);
	code = strcmp(text_of(result, "next_syn"), "pass") ? EXIT_REFUSED : EXIT_SUCCESS;
	json_decref(result);
	return code;
}

static int run_stats(struct ctl *ctl, const struct command *command, char **arguments, int count)
{
	const struct timespec second = { .tv_sec = 1 };
	int code;

	do {
		if (ctl->watch && !ctl->json)
			fputs("\033[H\033[2J", stdout);
		code = run_plain(ctl, command, arguments, count);
		fflush(stdout);
	} while (ctl->watch && !code && !nanosleep(&second, NULL));
	return code;
}

static int run_report(struct ctl *ctl, const struct command *command, char **arguments, int count)
{
	const char *period = arguments[0];

	(void)count;
	if (strcmp(period, "day") != 0 && strcmp(period, "week") != 0 &&
	    strcmp(period, "month") != 0) {
		fail("report: \"%s\" is not \"day\", \"week\" or \"month\"", period);
		return EXIT_USAGE;
	}
	return run_request(ctl, command,
			   json_pack("{s:s, s:s}", "command", "report", "period", period));
}

static int run_list(struct ctl *ctl, const struct command *command, char **arguments, int count)
{
	json_t *request = json_pack("{s:s}", "command", "list");

	if (count) {
		if (strcmp(arguments[0], "approved") != 0 && strcmp(arguments[0], "blocked") != 0) {
			json_decref(request);
			fail("list: \"%s\" is not \"approved\" or \"blocked\"", arguments[0]);
			return EXIT_USAGE;
		}
		json_object_set_new(request, "class", json_string(arguments[0]));
	}
	return run_request(ctl, command, request);
}

static int run_add(struct ctl *ctl, const struct command *command, char **arguments, int count)
{
	uint64_t ms = 0;
	json_t *request;

	(void)count;
	if (ctl->duration && (rg_value_parse_time(ctl->duration, &ms) || ms < 1000)) {
		fail("--for \"%s\" is no time: a whole number and s, m, h or d", ctl->duration);
		return EXIT_USAGE;
	}
	request = json_pack("{s:s, s:s, s:I}", "command", command->name, "entry", arguments[0],
			    "for", (json_int_t)(ms / 1000));
	if (ctl->comment)
		json_object_set_new(request, "comment", json_string(ctl->comment));
	return run_request(ctl, command, request);
}

static int run_unlist(struct ctl *ctl, const struct command *command, char **arguments, int count)
{
	(void)count;
	return run_request(ctl, command,
			   json_pack("{s:s, s:s}", "command", "unlist", "entry", arguments[0]));
}

static int run_flush(struct ctl *ctl, const struct command *command, char **arguments, int count)
{
	json_t *request = json_pack("{s:s}", "command", "flush");

	if (count && strcmp(arguments[0], "all") != 0)
		json_object_set_new(request, "what", json_string(arguments[0]));
	return run_request(ctl, command, request);
}

static int follow(struct ctl *ctl)
{
	json_t *line;

	fflush(stdout);
	while ((line = read_answer(ctl))) {
		const json_t *event = json_object_get(line, "event");

		if (ctl->json) {
			json_dumpf(event, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
			puts("");
		} else {
			print_event(event);
		}
		fflush(stdout);
		json_decref(line);
	}
	return fail("repgated has gone");
}

static int run_events(struct ctl *ctl, const struct command *command, char **arguments, int count)
{
	int code;

	(void)arguments;
	(void)count;
	code = run_request(ctl, command,
			   json_pack("{s:s, s:b}", "command", "events", "follow", ctl->follow));
	return code || !ctl->follow ? code : follow(ctl);
}

static int run_monitor(struct ctl *ctl, const struct command *command, char **arguments, int count)
{
	bool on = !strcmp(arguments[0], "on");

	(void)count;
	if (!on && strcmp(arguments[0], "off") != 0) {
		fail("monitor: \"%s\" is not \"on\" or \"off\"", arguments[0]);
		return EXIT_USAGE;
	}
	return run_request(ctl, command, json_pack("{s:s, s:b}", "command", "monitor", "on", on));
}

#define MAX_ZONES 64 /* more than a configuration has */

/* The agent took the setting; now it is to outlast the agent. Written by whoever may write there. */
static int save_setting(const json_t *result)
{
	const char *zones[MAX_ZONES];
	struct rg_error error;
	size_t count = 0, i;
	json_t *zone;

	json_array_foreach(json_object_get(result, "zones"), i, zone)
		if (count < MAX_ZONES && json_is_string(zone))
			zones[count++] = json_string_value(zone);
	if (rg_live_save(text_of(result, "config"), text_of(result, "key"),
			 text_of(result, "value"), zones, count, &error))
		return fail("set, but not saved: %s", error.text);
	return EXIT_SUCCESS;
}

static void print_set(const json_t *result)
{
	printf("%s = %s\n", text_of(result, "key"), text_of(result, "value"));
}

static int run_set(struct ctl *ctl, const struct command *command, char **arguments, int count)
{
	json_t *result;
	int code;

	(void)count;
	result = ask(ctl,
		     json_pack("{s:s, s:s, s:s}", "command", "set", "key", arguments[0], "value",
			       arguments[1]),
		     &code);
	if (!result)
		return code;
	if (ctl->save)
		code = save_setting(result);
	show(ctl, command, result);
	json_decref(result);
	return code;
}

/* Without the agent: the same check as repgated --check, lists left out. */
static int run_test_config(struct ctl *ctl, const struct command *command, char **arguments, int count)
{
	const char *path = count ? arguments[0] : RG_DEFAULT_CONFIG;
	struct rg_error error;
	struct rg_conf *conf;
	json_t *result;
	int err = rg_conf_load(&conf, path, &error);

	if (err && !ctl->json)
		return fail("%s", error.text);
	if (err)
		result = json_pack("{s:b, s:s}", "ok", 0, "error", error.text);
	else
		result = json_pack("{s:b, s:s, s:s}", "ok", 1, "file", path, "warnings",
				   conf->warnings ? conf->warnings : "");
	show(ctl, command, result);
	json_decref(result);
	if (!err)
		rg_conf_unref(conf);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const struct command commands[] = {
	{ "status", "", "what runs, and how it does", 0, 0, run_plain, print_status },
	{ "lookup", "IP [--store]", "what is known of an address, and what happens to its next SYN",
	  1, 1, run_lookup, print_lookup },
	{ "stats", "[--watch]", "counters by class and action, and losses", 0, 0, run_stats,
	  print_stats },
	{ "report", "day|week|month", "what was refused and passed, hour by hour or day by day", 1,
	  1, run_report, print_report },
	{ "list", "[approved|blocked]", "the local lists in force", 0, 1, run_list, print_list },
	{ "approve", "IP|RANGE|PREFIX|CC [--for TIME] [--comment TEXT]",
	  "let an address through, always", 1, 1, run_add, print_pairs },
	{ "block", "IP|RANGE|PREFIX|CC [--for TIME] [--comment TEXT]", "refuse an address", 1, 1,
	  run_add, print_pairs },
	{ "unlist", "IP|RANGE|PREFIX|CC", "undo approve or block", 1, 1, run_unlist, print_pairs },
	{ "flush", "[all|IP|PREFIX|ZONE]", "forget verdicts and known peers", 0, 1, run_flush,
	  print_pairs },
	{ "zones", "", "the DNS lists and their answers", 0, 0, run_plain, print_zones },
	{ "events", "[--follow]", "what happened lately", 0, 0, run_events, print_events },
	{ "dump", "", "all verdicts and known peers", 0, 0, run_plain, print_dump },
	{ "reload", "", "read configuration and lists again", 0, 0, run_plain, print_pairs },
	{ "set", "KEY VALUE [--save]", "change a setting, for good with --save", 2, 2, run_set,
	  print_set },
	{ "monitor", "on|off", "let everything pass, but count and log", 1, 1, run_monitor,
	  print_pairs },
	{ "test-config", "[FILE]", "check a configuration file (repgated --check reads the lists too)",
	  0, 1, run_test_config, print_pairs },
	{ "version", "", "versions of the parts", 0, 0, run_plain, print_version },
};

static void print_usage(FILE *to)
{
	fputs("Usage: repgatectl [--socket PATH] [--json] COMMAND [ARGUMENTS]\n\n", to);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-11s %-50s %s\n", commands[i].name, commands[i].arguments,
			commands[i].help);
	fputs("\n  --socket PATH  control socket, default " DEFAULT_SOCKET "\n"
	      "  --json         print JSON\n\n"
	      "Exit code: 0 done, 1 refused or failed, 2 usage; lookup: 0 passes, 10 is refused.\n",
	      to);
}

static int usage(void)
{
	print_usage(stderr);
	return EXIT_USAGE;
}

static int parse_options(int argc, char **argv, struct ctl *ctl)
{
	enum { SOCKET = 256, JSON, STORE, FOLLOW, WATCH, FOR, COMMENT, SAVE, HELP, VERSION };
	static const struct option options[] = { { "socket", required_argument, NULL, SOCKET },
						 { "json", no_argument, NULL, JSON },
						 { "store", no_argument, NULL, STORE },
						 { "follow", no_argument, NULL, FOLLOW },
						 { "watch", no_argument, NULL, WATCH },
						 { "for", required_argument, NULL, FOR },
						 { "comment", required_argument, NULL, COMMENT },
						 { "save", no_argument, NULL, SAVE },
						 { "help", no_argument, NULL, HELP },
						 { "version", no_argument, NULL, VERSION },
						 {} };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case SOCKET:
			ctl->socket = optarg;
			break;
		case JSON:
			ctl->json = true;
			break;
		case STORE:
			ctl->store = true;
			break;
		case FOLLOW:
			ctl->follow = true;
			break;
		case WATCH:
			ctl->watch = true;
			break;
		case FOR:
			ctl->duration = optarg;
			break;
		case COMMENT:
			ctl->comment = optarg;
			break;
		case SAVE:
			ctl->save = true;
			break;
		case HELP:
			print_usage(stdout);
			exit(EXIT_SUCCESS);
		case VERSION:
			puts("repgatectl " RG_VERSION);
			exit(EXIT_SUCCESS);
		default:
			return -EINVAL;
		}
	}
	return optind < argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .socket = DEFAULT_SOCKET };
	int count, code;

	if (parse_options(argc, argv, &ctl))
		return usage();
	count = argc - optind - 1;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *command = &commands[i];

		if (strcmp(command->name, argv[optind]) != 0)
			continue;
		if (count < command->min || count > command->max)
			return usage();
		code = command->run(&ctl, command, argv + optind + 1, count);
		if (ctl.stream)
			fclose(ctl.stream);
		return code;
	}
	fail("no such command: %s", argv[optind]);
	return usage();
}
