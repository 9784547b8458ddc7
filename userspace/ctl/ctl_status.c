/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_status.h"

#include "ctl/ctl_text.h"

#define INDENT 4 /* of a line that goes on */

/* --------------------------------------------------------------------- zones */

static void print_failures(FILE *to, const json_t *failures)
{
	RG_CLEANUP_FREE char *line = NULL;
	const char *key;
	json_t *value;
	size_t size;
	FILE *text = open_memstream(&line, &size);

	if (!text)
		return;
	json_object_foreach((json_t *)failures, key, value)
		fprintf(text, "%s %s %lld", ftell(text) ? "," : "", key,
			(long long)json_integer_value(value));
	if (!fclose(text) && *line)
		rg_ctl_line(to, 2 * INDENT, "    failed:%s", line);
}

/* One line for the zone, or one for each family of addresses if their states differ. */
static void print_states(FILE *to, const json_t *zone)
{
	static const char *const names[][2] = { { "ipv4", "IPv4" }, { "ipv6", "IPv6" } };
	const json_t *families = json_object_get(zone, "families");
	const json_t *v4 = json_object_get(families, "ipv4"), *v6 = json_object_get(families, "ipv6");
	char since[RG_CTL_TEXT_SIZE];

	if (!v4 || !v6 || !strcmp(rg_ctl_text_of(v4, "state"), rg_ctl_text_of(v6, "state"))) {
		if (rg_ctl_has_text(zone, "why"))
			rg_ctl_line(to, 2 * INDENT, "    %s since %s: %s",
				    rg_ctl_text_of(zone, "state"),
				    rg_ctl_time_of(zone, "since", since),
				    rg_ctl_text_of(zone, "why"));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const json_t *family = json_object_get(families, names[i][0]);
		bool why = rg_ctl_has_text(family, "why");

		rg_ctl_line(to, 2 * INDENT, "    %s: %s since %s%s%s", names[i][1],
			    rg_ctl_text_of(family, "state"), rg_ctl_time_of(family, "since", since),
			    why ? ": " : "", why ? rg_ctl_text_of(family, "why") : "");
	}
}

static void print_slow(FILE *to, const json_t *zone)
{
	if (rg_ctl_is_true(zone, "slow"))
		rg_ctl_line(to, 2 * INDENT,
			    "    slow: %.0f %% of new peers pass before it has answered: it needs more "
			    "than hold_timeout",
			    100 * json_number_value(json_object_get(zone, "late_share")));
}

void rg_ctl_status_print_zones(FILE *to, const json_t *result)
{
	static const struct rg_ctl_column columns[RG_CTL_MAX_COLUMNS] = {
		{ "ZONE", "zone", -20, RG_CTL_TEXT },
		{ "KIND", "kind", -8, RG_CTL_TEXT },
		{ "ACTION", "action", -8, RG_CTL_TEXT },
		{ "STATE", "state", -8, RG_CTL_TEXT },
		{ "ASKED", "asked", 10, RG_CTL_NUMBER },
		{ "LISTED", "listed", 10, RG_CTL_NUMBER },
		{ "NOT", "not_listed", 10, RG_CTL_NUMBER }
	};
	const json_t *zone;
	size_t i;

	if (!json_array_size(json_object_get(result, "zones"))) {
		fputs("no zones\n", to);
		return;
	}
	rg_ctl_titles(to, columns);
	json_array_foreach(json_object_get(result, "zones"), i, zone) {
		rg_ctl_row(to, "", columns, zone);
		print_failures(to, json_object_get(zone, "failed"));
		print_states(to, zone);
		print_slow(to, zone);
	}
}

/* ------------------------------------------------------------------ problems */

/* Takes over text, which may be NULL. */
static void add(json_t *problems, json_t *text)
{
	if (text)
		json_array_append_new(problems, text);
}

/* Interfaces that are not filtered: they are also the first lines of `status`. */
static void add_missing(json_t *problems, const json_t *result)
{
	const json_t *interface;
	char since[RG_CTL_TEXT_SIZE];
	size_t i;

	json_array_foreach(json_object_get(result, "interfaces"), i, interface)
		if (rg_ctl_has_text(interface, "reason"))
			add(problems, json_sprintf("%s IS NOT FILTERED since %s: %s",
						   rg_ctl_text_of(interface, "name"),
						   rg_ctl_time_of(interface, "since", since),
						   rg_ctl_text_of(interface, "reason")));
}

static json_t *describe_path(const json_t *path)
{
	char since[RG_CTL_TEXT_SIZE], past[400] = "";

	if (json_is_number(json_object_get(path, "unseen_since")))
		snprintf(past, sizeof(past), ": GO PAST THE FILTER since %s: %s",
			 rg_ctl_time_of(path, "unseen_since", since), rg_ctl_text_of(path, "advice"));
	return json_sprintf("path %s: %lld connections, %lld of them not seen by the filter%s",
			    rg_ctl_text_of(path, "interface"), rg_ctl_int_of(path, "lookups"),
			    rg_ctl_int_of(path, "unseen"), past);
}

static json_t *describe_file_fault(const json_t *file)
{
	char since[RG_CTL_TEXT_SIZE];

	return json_sprintf("BAD FILE %s: %s; %s since %s", rg_ctl_text_of(file, "path"),
			    rg_ctl_text_of(file, "fault"),
			    rg_ctl_is_true(file, "kept")   ? "its last good version is in force" :
			    rg_ctl_int_of(file, "entries") ? "its good lines are in force" :
							     "nothing of it is in force",
			    rg_ctl_time_of(file, "since", since));
}

static json_t *describe_steering(const json_t *steering)
{
	bool advice = rg_ctl_has_text(steering, "advice");

	return json_sprintf("responder: %s%s%s", rg_ctl_text_of(steering, "state"),
			    advice ? "; " : "", advice ? rg_ctl_text_of(steering, "advice") : "");
}

/* A limit that turned something away since the agent started. */
static json_t *describe_guard(const json_t *guard)
{
	bool zone = rg_ctl_has_text(guard, "zone"), open = rg_ctl_is_true(guard, "open");
	char since[RG_CTL_TEXT_SIZE], until[RG_CTL_TEXT_SIZE], count[40] = "", when[160];

	if (open)
		snprintf(when, sizeof(when), "OPEN since %s", rg_ctl_time_of(guard, "since", since));
	else
		snprintf(when, sizeof(when), "closed, was open from %s until %s",
			 rg_ctl_time_of(guard, "since", since),
			 rg_ctl_time_of(guard, "until", until));
	if (json_is_integer(json_object_get(guard, "count")))
		snprintf(count, sizeof(count),
			 rg_ctl_int_of(guard, "count") == 1 ? " (once)" : " (%lld times)",
			 rg_ctl_int_of(guard, "count"));
	return json_sprintf("guard %s%s%s: %s: %s%s", rg_ctl_text_of(guard, "guard"),
			    zone ? " " : "", zone ? rg_ctl_text_of(guard, "zone") : "", when,
			    rg_ctl_text_of(guard, "reason"), count);
}

/* True if a zone's refusals need the responder. */
static bool needs_responder(const json_t *result)
{
	const json_t *zone;
	size_t i;

	json_array_foreach(json_object_get(result, "zones"), i, zone)
		if (!strcmp(rg_ctl_text_of(zone, "action"), "tempfail") ||
		    !strcmp(rg_ctl_text_of(zone, "action"), "reject"))
			return true;
	return false;
}

static void add_zones_and_guards(json_t *problems, const json_t *result)
{
	char since[RG_CTL_TEXT_SIZE];
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(result, "zones"), i, row)
		if (rg_ctl_has_text(row, "why"))
			add(problems,
			    json_sprintf("zone %s: %s since %s: %s", rg_ctl_text_of(row, "zone"),
					 rg_ctl_text_of(row, "state"),
					 rg_ctl_time_of(row, "since", since),
					 rg_ctl_text_of(row, "why")));
	json_array_foreach(json_object_get(result, "guards"), i, row)
		if (rg_ctl_is_true(row, "open") && strcmp(rg_ctl_text_of(row, "guard"), "zone") != 0)
			add(problems, describe_guard(row));
}

json_t *rg_ctl_status_problems(const json_t *result)
{
	const json_t *agent = json_object_get(result, "agent"), *row,
		     *lists = json_object_get(result, "lists"),
		     *steering = json_object_get(result, "steering");
	json_t *problems = json_array();
	size_t i;

	add_missing(problems, result);
	json_array_foreach(json_object_get(result, "paths"), i, row)
		if (json_is_number(json_object_get(row, "unseen_since")))
			add(problems, describe_path(row));
	if (rg_ctl_has_text(agent, "reload_error"))
		add(problems,
		    json_sprintf("LAST RELOAD REFUSED: %s", rg_ctl_text_of(agent, "reload_error")));
	json_array_foreach(json_object_get(lists, "files"), i, row)
		if (rg_ctl_has_text(row, "fault"))
			add(problems, describe_file_fault(row));
	if (rg_ctl_has_text(lists, "country_fault"))
		add(problems, json_sprintf("BAD COUNTRY DATABASE: %s",
					   rg_ctl_text_of(lists, "country_fault")));
	if (json_is_false(json_object_get(steering, "works")) && needs_responder(result))
		add(problems, describe_steering(steering));
	add_zones_and_guards(problems, result);
	return problems;
}

void rg_ctl_status_print_problems(FILE *to, const json_t *problems)
{
	const json_t *problem;
	size_t i;

	json_array_foreach(problems, i, problem)
		rg_ctl_line(to, INDENT, "%s", json_string_value(problem));
	if (!json_array_size(problems))
		fputs("all is well\n", to);
}

/* -------------------------------------------------------------------- status */

/* Prints a text and gives its reference back. */
static void print_text(FILE *to, json_t *text)
{
	if (text)
		rg_ctl_line(to, INDENT, "%s", json_string_value(text));
	json_decref(text);
}

static void print_index(FILE *to, const json_t *index)
{
	static const char *const parts[] = { "lists", "hosts", "peers" };
	char text[200] = "index:";
	size_t len = strlen(text);

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const json_t *part = json_object_get(index, parts[i]);
		const char *comma = i + 1 < ARRAY_SIZE(parts) ? "," : "";

		if (json_is_object(part))
			snprintf(text + len, sizeof(text) - len, " %s %lld%s", parts[i],
				 rg_ctl_int_of(part, "hosts") + rg_ctl_int_of(part, "nets"), comma);
		else
			snprintf(text + len, sizeof(text) - len, " %s off%s", parts[i], comma);
		len = strlen(text);
	}
	if (rg_ctl_int_of(index, "failed"))
		snprintf(text + len, sizeof(text) - len, "; %lld FAILED, the tries answer",
			 rg_ctl_int_of(index, "failed"));
	rg_ctl_line(to, INDENT, "%s", text);
}

/* Files of the lists that are not in force as they are. */
static void print_list_files(FILE *to, const json_t *lists)
{
	const json_t *file, *bad;
	size_t i, k;

	json_array_foreach(json_object_get(lists, "files"), i, file) {
		json_array_foreach(json_object_get(file, "bad"), k, bad)
			rg_ctl_line(to, INDENT, "BAD LINE %s:%lld: %s", rg_ctl_text_of(file, "path"),
				    rg_ctl_int_of(bad, "line"), rg_ctl_text_of(bad, "reason"));
		if (rg_ctl_int_of(file, "bad_lines") > (long long)k)
			rg_ctl_line(to, INDENT, "BAD LINES %s: %lld more",
				    rg_ctl_text_of(file, "path"),
				    rg_ctl_int_of(file, "bad_lines") - (long long)k);
		if (rg_ctl_has_text(file, "fault"))
			print_text(to, describe_file_fault(file));
	}
	json_array_foreach(json_object_get(lists, "never_blocked"), i, file)
		rg_ctl_line(to, INDENT, "NEVER BLOCKED %s:%lld: %s", rg_ctl_text_of(file, "path"),
			    rg_ctl_int_of(file, "line"), rg_ctl_text_of(file, "reason"));
	if (rg_ctl_int_of(lists, "never_blocked_count") > (long long)i)
		rg_ctl_line(to, INDENT, "NEVER BLOCKED: %lld more entries",
			    rg_ctl_int_of(lists, "never_blocked_count") - (long long)i);
	json_array_foreach(json_object_get(lists, "not_read"), i, file)
		rg_ctl_line(to, INDENT, "NOT READ %s: its name does not end in .list",
			    json_is_string(file) ? json_string_value(file) : "-");
	if (rg_ctl_int_of(lists, "not_read_count") > (long long)i)
		rg_ctl_line(to, INDENT, "NOT READ: %lld more files",
			    rg_ctl_int_of(lists, "not_read_count") - (long long)i);
	if (rg_ctl_has_text(lists, "country_fault"))
		rg_ctl_line(to, INDENT, "BAD COUNTRY DATABASE: %s",
			    rg_ctl_text_of(lists, "country_fault"));
}

static void print_ports(const json_t *ports, char *text, size_t size)
{
	const json_t *port;
	size_t i, len = 0;

	*text = '\0';
	json_array_foreach(ports, i, port)
		if (len < size)
			len += (size_t)snprintf(text + len, size - len, " %lld",
						(long long)json_integer_value(port));
}

static void print_lists(FILE *to, const json_t *lists, const json_t *agent)
{
	long long entries = rg_ctl_int_of(lists, "entries"),
		  countries = rg_ctl_int_of(lists, "countries");

	rg_ctl_line(to, INDENT, "lists: %lld %s in force, %lld %s; inquiries: %lld, open %lld",
		    entries, entries == 1 ? "entry" : "entries", countries,
		    countries == 1 ? "country" : "countries", rg_ctl_int_of(agent, "inquiries"),
		    rg_ctl_int_of(agent, "inquiries_open"));
	print_list_files(to, lists);
}

/* What runs, and with which configuration: the lines above the tables. */
static void print_head(FILE *to, const json_t *result)
{
	const json_t *agent = json_object_get(result, "agent"), *item;
	char up[RG_CTL_TEXT_SIZE], ports[400];
	size_t i;

	rg_ctl_line(to, INDENT, "repgated %s, pid %lld, up %s, mode %s, unknown peers: %s",
		    rg_ctl_text_of(agent, "version"), rg_ctl_int_of(agent, "pid"),
		    rg_ctl_span_of(agent, "uptime", up), rg_ctl_text_of(result, "mode"),
		    rg_ctl_text_of(result, "unknown"));
	print_ports(json_object_get(result, "ports"), ports, sizeof(ports));
	rg_ctl_line(to, INDENT, "%s%s, resolver %s, pins %s, configuration %s",
		    json_array_size(json_object_get(result, "ports")) == 1 ? "port" : "ports",
		    ports, rg_ctl_text_of(agent, "resolver"), rg_ctl_text_of(agent, "pin_path"),
		    rg_ctl_text_of(agent, "config"));
	if (rg_ctl_has_text(result, "activation_code"))
		rg_ctl_line(to, INDENT, "activation code: from the %s",
			    rg_ctl_text_of(result, "activation_code"));
	print_lists(to, json_object_get(result, "lists"), agent);
	print_index(to, json_object_get(result, "index"));
	print_text(to, describe_steering(json_object_get(result, "steering")));
	json_array_foreach(json_object_get(agent, "lacks"), i, item)
		rg_ctl_line(to, INDENT, "lacks %s", json_string_value(item));
	json_array_foreach(json_object_get(result, "guards"), i, item)
		print_text(to, describe_guard(item));
	if (rg_ctl_has_text(agent, "reload_error"))
		rg_ctl_line(to, INDENT, "LAST RELOAD REFUSED: %s",
			    rg_ctl_text_of(agent, "reload_error"));
}

static void print_interfaces(FILE *to, const json_t *interfaces)
{
	static const struct rg_ctl_column columns[RG_CTL_MAX_COLUMNS] = {
		{ "INTERFACE", "name", -16, RG_CTL_TEXT },
		{ "STATE", "state", -9, RG_CTL_TEXT },
		{ "MODE", "mode", -8, RG_CTL_TEXT },
		{ "LINK", "link", -9, RG_CTL_TEXT },
		{ "FRAGS", "frags", -6, RG_CTL_YES_NO },
		{ "PROGRAM", "program", 8, RG_CTL_NUMBER },
	};
	const json_t *interface;
	size_t i;

	rg_ctl_table(to, "", columns, interfaces);
	json_array_foreach(interfaces, i, interface)
		if (rg_ctl_has_text(interface, "present_name") &&
		    strcmp(rg_ctl_text_of(interface, "name"),
			   rg_ctl_text_of(interface, "present_name")) != 0)
			rg_ctl_line(to, INDENT, "%s is called %s now",
				    rg_ctl_text_of(interface, "name"),
				    rg_ctl_text_of(interface, "present_name"));
}

void rg_ctl_status_print(FILE *to, const json_t *result)
{
	static const struct rg_ctl_column maps[RG_CTL_MAX_COLUMNS] = {
		{ "MAP", "name", -15, RG_CTL_TEXT },
		{ "ID", "id", 6, RG_CTL_NUMBER },
		{ "ENTRIES", "entries", 10, RG_CTL_NUMBER },
		{ "MAX", "max_entries", 10, RG_CTL_NUMBER },
	};
	json_t *missing = json_array();
	const json_t *row;
	size_t i;

	add_missing(missing, result);
	json_array_foreach(missing, i, row)
		rg_ctl_line(to, INDENT, "%s", json_string_value(row));
	json_decref(missing);
	print_head(to, result);
	fputc('\n', to);
	print_interfaces(to, json_object_get(result, "interfaces"));
	json_array_foreach(json_object_get(result, "paths"), i, row)
		print_text(to, describe_path(row));
	fputc('\n', to);
	rg_ctl_status_print_zones(to, result);
	fputc('\n', to);
	rg_ctl_table(to, "", maps, json_object_get(result, "maps"));
}
