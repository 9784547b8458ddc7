/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tshark.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TCP_FLAGS 0x17 /* FIN, SYN, RST and ACK */
#define TCP_SYN 0x02

/* The fields that are asked for, in this order. Of several of a name, tshark prints the first. */
enum field {
	FIELD_NUMBER,
	FIELD_PROTOCOLS,
	FIELD_MORE4,
	FIELD_OFFSET4,
	FIELD_PROTOCOL4,
	FIELD_MORE6,
	FIELD_OFFSET6,
	FIELD_NEXT6, /* of the fragment header */
	FIELD_PORT,
	FIELD_FLAGS,
	FIELD_MALFORMED,
	FIELDS
};

/* 0x9100 is an old type of VLAN tags, which Linux does not read. */
static const char command[] =
	"tshark -n -r '%s' -o ip.defragment:FALSE -o ipv6.defragment:FALSE"
	" -d ethertype==0x9100,data -o tcp.desegment_tcp_streams:FALSE -o tcp.analyze_sequence_numbers:FALSE"
	" -T fields -E 'separator=;' -E occurrence=f -e frame.number -e frame.protocols -e ip.flags.mf"
	" -e ip.frag_offset -e ip.proto -e ipv6.fraghdr.more -e ipv6.fraghdr.offset"
	" -e ipv6.fraghdr.nxt -e tcp.dstport -e tcp.flags -e _ws.malformed 2>/dev/null";

/* Splits a line in place; fields that are missing are empty. */
static void split(char *line, char *fields[FIELDS])
{
	line[strcspn(line, "\r\n")] = 0;
	for (int i = 0; i < FIELDS; i++) {
		char *end = strchr(line, ';');

		fields[i] = line;
		line = end ? end + 1 : line + strlen(line);
		if (end)
			*end = 0;
	}
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

enum owner { OWNER_NONE, OWNER_IP, OWNER_TCP, OWNER_ENDS };

/*
 * The end of the outermost protocols, Ethernet, VLAN tags, IP and what belongs to IP: TCP, or anything else
 * (OWNER_IP), or a header that tshark does not look behind. six: it is IPv6.
 */
static enum owner owner_of(char *protocols, bool *six)
{
	static const char *const links[] = { "eth", "ethertype", "vlan", "ieee8021ad", NULL };
	static const char *const extensions[] = { "ipv6.hopopts", "ipv6.dstopts", "ipv6.routing",
						  "ipv6.fraghdr", "ah",		  NULL };
	static const char *const ends[] = { "mipv6", "hip", "shim6", NULL };
	enum owner owner = OWNER_NONE;
	char *rest = protocols, *name;

	*six = false;
	while ((name = strsep(&rest, ":"))) {
		if (owner == OWNER_NONE && (!strcmp(name, "ip") || !strcmp(name, "ipv6"))) {
			owner = OWNER_IP;
			*six = !strcmp(name, "ipv6");
		} else if (owner == OWNER_NONE) {
			if (!is_one_of(name, links))
				return OWNER_NONE;
		} else if (!strcmp(name, "tcp")) {
			return OWNER_TCP;
		} else if (!is_one_of(name, extensions)) {
			return is_one_of(name, ends) ? OWNER_ENDS : OWNER_IP;
		}
	}
	return owner;
}

static unsigned long number_of(const char *text)
{
	return strtoul(text, NULL, 0);
}

static bool is_true(const char *text)
{
	return !strcmp(text, "1") || !strcmp(text, "True");
}

static struct tshark_view view_of(char *fields[FIELDS])
{
	struct tshark_view view = { TSHARK_OTHER, -1 };
	bool six, more,
		opens = !*fields[FIELD_FLAGS] ||
			(number_of(fields[FIELD_FLAGS]) & TCP_FLAGS) == TCP_SYN;
	enum owner owner = owner_of(fields[FIELD_PROTOCOLS], &six);
	unsigned long offset = 8 * number_of(fields[six ? FIELD_OFFSET6 : FIELD_OFFSET4]);
	unsigned long protocol = number_of(fields[six ? FIELD_NEXT6 : FIELD_PROTOCOL4]);

	if (owner == OWNER_ENDS || (owner == OWNER_IP && *fields[FIELD_MALFORMED]))
		view.kind = TSHARK_ENDS;
	if (view.kind == TSHARK_ENDS || owner == OWNER_NONE)
		return view;
	more = is_true(fields[six ? FIELD_MORE6 : FIELD_MORE4]);
	if (owner == OWNER_TCP && *fields[FIELD_PORT])
		view.port = (long)number_of(fields[FIELD_PORT]);
	if (offset)
		view.kind = protocol == 6 && offset < 20 ? TSHARK_LATER_FRAGMENT : TSHARK_OTHER;
	else if (more)
		view.kind = opens && (protocol == 6 || six) ? TSHARK_FIRST_FRAGMENT : TSHARK_OTHER;
	else if (owner == OWNER_TCP && *fields[FIELD_FLAGS] && opens)
		view.kind = TSHARK_SYN;
	return view;
}

static int read_lines(FILE *pipe, struct tshark_view *views, size_t count)
{
	size_t room = 0, lines = 0;
	char *line = NULL;

	while (getline(&line, &room, pipe) > 0) {
		char *fields[FIELDS];
		unsigned long number;

		split(line, fields);
		number = number_of(fields[FIELD_NUMBER]);
		if (number < 1 || number > count)
			continue;
		views[number - 1] = view_of(fields);
		lines++;
	}
	free(line);
	return lines == count ? 0 : -EIO;
}

int tshark_read(struct tshark_view **ret, const struct capture *capture, const char *path)
{
	char text[sizeof(command) + 4096];
	struct tshark_view *views;
	FILE *pipe;
	int err;

	if (system("command -v tshark >/dev/null"))
		return -ENOENT;
	err = capture_write(capture, path);
	if (err)
		return err;
	views = calloc(capture->count + 1, sizeof(*views));
	snprintf(text, sizeof(text), command, path);
	pipe = popen(text, "re");
	err = views && pipe ? read_lines(pipe, views, capture->count) : -ENOMEM;
	if (pipe && pclose(pipe) && !err)
		err = -EIO;
	if (err)
		free(views);
	else
		*ret = views;
	return err;
}
