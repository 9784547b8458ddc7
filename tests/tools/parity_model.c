/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parity_model - peers, zones and local lists by chance, and what each peer must meet
 *
 *   parity_model SEED IPV4_PEERS IPV6_PEERS BITS SUFFIX_STANDARD SUFFIX_QIL
 *
 * The rules are written from the service's guides alone, on numbers: first and last address of an
 * entry are drawn, then written down in one of the forms that people use. No code is shared with
 * repgate. BITS are the bits of Standard's last octet that count, 15 for all lists.
 *
 * Writes into the current directory: standard and qil (zones, for the testbed's ers_zone), approved-1,
 * approved-2, blocked-1, blocked-2 (local lists), peers (addresses), asked (the questions that must
 * be put, sorted), expected (address, outcome, class, action, sorted).
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 number;

enum { APPROVED, BLOCKED, KINDS };
enum { MAX_ENTRIES = 8192, MAX_RECORDS = 3, TEXT = 128 };

struct entry {
	bool v6;
	unsigned int kind;
	number first, last;
};

struct peer {
	bool v6;
	number address;
	unsigned int standard[MAX_RECORDS], qil[MAX_RECORDS]; /* A records, 0: none */
};

static struct entry entries[MAX_ENTRIES];
static size_t entry_count;
static struct peer *peers;
static size_t peer_count;
static uint64_t chance_state;
static FILE *lists[KINDS][2];

/* splitmix64: the same everywhere, unlike rand() */
static uint64_t chance(void)
{
	uint64_t z = chance_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static unsigned int below(unsigned int limit)
{
	return (unsigned int)(chance() % limit);
}

static void die(const char *what)
{
	fprintf(stderr, "parity_model: %s\n", what);
	exit(EXIT_FAILURE);
}

static FILE *create(const char *name)
{
	FILE *file = fopen(name, "we");

	if (!file)
		die(name);
	return file;
}

/* ------------------------------------------------------------- addresses as text */

static void bytes_of(number address, bool v6, uint8_t bytes[16])
{
	int size = v6 ? 16 : 4;

	for (int i = 0; i < size; i++)
		bytes[i] = (uint8_t)(address >> (8 * (size - 1 - i)));
}

static void plain(number address, bool v6, char text[TEXT])
{
	uint8_t bytes[16];

	bytes_of(address, v6, bytes);
	if (!inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, text, TEXT))
		die("inet_ntop");
}

/* One of the forms of RFC 4291, 2.2; IPv4 has only one. */
static void any_form(number address, bool v6, char text[TEXT])
{
	unsigned int form = below(5);
	uint8_t b[16];
	int length = 0;

	plain(address, v6, text);
	if (!v6 || form == 0)
		return;
	bytes_of(address, true, b);
	if (form == 1) {
		for (char *c = text; *c; c++)
			*c = (char)toupper((unsigned char)*c);
		return;
	}
	for (int i = 0; i < (form == 4 ? 12 : 16); i += 2)
		length += snprintf(text + length, (size_t)(TEXT - length),
				   form == 2 ? "%s%04x" : "%s%x", i ? ":" : "", b[i] << 8 | b[i + 1]);
	if (form == 4)
		snprintf(text + length, (size_t)(TEXT - length), ":%u.%u.%u.%u", b[12], b[13],
			 b[14], b[15]);
}

static number host_mask(bool v6, unsigned int length)
{
	unsigned int host = (v6 ? 128 : 32) - length;

	return host == 128 ? ~(number)0 : (((number)1 << host) - 1);
}

/* The length if first to last is one prefix, else -1. */
static int prefix_length(const struct entry *entry)
{
	number size = entry->last - entry->first;
	unsigned int bits = entry->v6 ? 128 : 32;

	for (unsigned int length = 1; length <= bits; length++)
		if (host_mask(entry->v6, length) == size && !(entry->first & size))
			return (int)length;
	return -1;
}

/* As an address or prefix where it is one, host bits set or not, or as a range. */
static void write_form(FILE *file, const struct entry *entry)
{
	static const char *const dashes[] = { "-", " - " };
	number size = entry->last - entry->first;
	int length = prefix_length(entry);
	char first[TEXT], last[TEXT];

	if (!size && below(2)) {
		any_form(entry->first, entry->v6, first);
		fputs(first, file);
	} else if (length >= 0 && below(4)) {
		number host = below(2) ? ((number)chance() << 64 | chance()) & size : 0;

		any_form(entry->first | host, entry->v6, first);
		fprintf(file, "%s/%d", first, length);
	} else {
		any_form(entry->first, entry->v6, first);
		any_form(entry->last, entry->v6, last);
		fprintf(file, "%s%s%s", first, dashes[below(2)], last);
	}
}

static void write_entry(const struct entry *entry)
{
	static const char *const before[] = { "", "", "", " ", "\t" };
	static const char *const after[] = { "",  "", "", " ", "  # a comment", "\t# 192.0.2.25",
					     "#x" };
	FILE *file = lists[entry->kind][below(2)];

	if (!below(10))
		fputs(below(2) ? "\n" : "# 203.0.113.0/24 is only a comment\n", file);
	fputs(before[below(5)], file);
	write_form(file, entry);
	fputs(after[below(7)], file);
	fputs("\n", file);
}

static void add_entry(bool v6, unsigned int kind, number first, number last)
{
	if (entry_count == MAX_ENTRIES)
		die("too many entries");
	entries[entry_count] = (struct entry){ v6, kind, first, last };
	write_entry(&entries[entry_count++]);
	if (!below(12)) /* a duplicate, perhaps in the other file and form */
		write_entry(&entries[entry_count - 1]);
}

/* --------------------------------------------------------------- what is drawn */

static number within(number first, number last)
{
	number size = last - first + 1;

	return first + (((number)chance() << 64 | chance()) % size);
}

/* Any sub-range of first..last: one address, a prefix, or from here to there. */
static void draw_range(bool v6, number first, number last, number *from, number *to)
{
	number a = within(first, last), b, mask;

	switch (below(3)) {
	case 0:
		*from = *to = a;
		return;
	case 1:
		do {
			mask = host_mask(v6, v6 ? 57 + below(72) : 26 + below(7));
			*from = a & ~mask;
			*to = a | mask;
		} while (*from < first || *to > last);
		return;
	default:
		b = within(first, last);
		*from = a < b ? a : b;
		*to = a < b ? b : a;
	}
}

/* Up to four entries of a block, often related to the one before: equal, inside, around. */
static size_t draw_entries(bool v6, number first, number last)
{
	size_t begin = entry_count;
	unsigned int count = below(5);

	for (unsigned int i = 0; i < count; i++) {
		const struct entry *old = i ? &entries[entry_count - 1] : NULL;
		unsigned int relation = below(4), kind = below(2);
		number from, to;

		draw_range(v6, first, last, &from, &to);
		if (old && relation == 0) { /* equal, of the other kind */
			from = old->first;
			to = old->last;
			kind = !old->kind;
		} else if (old && relation == 1) { /* inside */
			draw_range(v6, old->first, old->last, &from, &to);
			kind = !old->kind;
		} else if (old && relation == 2) { /* overlapping its end, or around it */
			from = within(first, old->last);
			to = within(old->last, last);
			kind = !old->kind;
		}
		add_entry(v6, kind, from, to);
	}
	return begin;
}

static bool is_taken(bool v6, number address)
{
	for (size_t i = 0; i < peer_count; i++)
		if (peers[i].v6 == v6 &&
		    (v6 ? peers[i].address >> 64 == address >> 64 : peers[i].address == address))
			return true;
	return false;
}

static unsigned int standard_record(void)
{
	/* Not the documented 127.1.0.*, or an error code: no positive answer. */
	static const uint32_t odd[] = { 0x7f000002, 0x7f010101, 0x7fffff01, 0x7ffffffe,
					0x7f000001, 0x0a000001, 0x7f020001 };

	if (!below(20))
		return odd[below(7)];
	return 0x7f010000 + (below(40) ? 1 + below(15) : below(256));
}

static unsigned int qil_record(void)
{
	static const uint32_t errors[] = { 0x7ffffffc, 0x7ffffffe, 0x7fffffff, 0x7f000001,
					   0xc0000201 };

	if (!below(12))
		return errors[below(5)];
	return below(8) ? 0x7f000020 : 0x7f000002 + below(200);
}

/* An error code counts only where it stands alone: what it means beside others is not documented. */
static bool is_error(unsigned int record)
{
	return record >> 24 != 127 || record == 0x7f000001 || record >> 8 == 0x7fffff;
}

static void draw_records(unsigned int records[MAX_RECORDS], unsigned int (*draw)(void))
{
	unsigned int count = below(10) < 7 ? 1 : 2 + below(2);

	for (unsigned int i = 0; i < count; i++) {
		unsigned int record = draw();
		bool known = false;

		for (unsigned int j = 0; j < i; j++)
			known |= records[j] == record;
		if (!known && (!i || (!is_error(record) && !is_error(records[0]))))
			records[i] = record;
	}
}

static bool add_peer(bool v6, number address)
{
	struct peer *peer = &peers[peer_count];

	if (is_taken(v6, address))
		return false;
	*peer = (struct peer){ .v6 = v6, .address = address };
	if (below(2))
		draw_records(peer->standard, standard_record);
	if (below(10) < 4)
		draw_records(peer->qil, qil_record);
	peer_count++;
	return true;
}

/* Peers of a block: at the edges of its entries, and anywhere. */
static void draw_peers(bool v6, number first, number last, size_t begin, size_t limit)
{
	for (unsigned int tries = 0; tries < 6 && peer_count < limit; tries++) {
		number address = within(first, last);

		if (begin < entry_count && below(4)) {
			const struct entry *entry =
				&entries[begin + below((unsigned int)(entry_count - begin))];

			switch (below(5)) {
			case 0:
				address = entry->first;
				break;
			case 1:
				address = entry->last;
				break;
			case 2:
				address = entry->first - 1;
				break;
			case 3:
				address = entry->last + 1;
				break;
			default:
				address = within(entry->first, entry->last);
			}
			if (address < first || address > last)
				continue;
		}
		(void)add_peer(v6, address);
	}
}

/* ------------------------------------------------------------------- the rules */

static bool is_listed(const struct peer *peer, unsigned int kind)
{
	for (size_t i = 0; i < entry_count; i++)
		if (entries[i].v6 == peer->v6 && entries[i].kind == kind &&
		    entries[i].first <= peer->address && peer->address <= entries[i].last)
			return true;
	return false;
}

/* With all lists any 127.1.0.x is positive; with some, x must have one of their bits. */
static bool standard_positive(const struct peer *peer, unsigned int bits)
{
	for (int i = 0; i < MAX_RECORDS; i++)
		if (peer->standard[i] >> 8 == 0x7f0100 && (bits == 15 || peer->standard[i] & bits))
			return true;
	return false;
}

static bool qil_positive(const struct peer *peer)
{
	for (int i = 0; i < MAX_RECORDS; i++)
		if (peer->qil[i] && !is_error(peer->qil[i]))
			return true;
	return false;
}

static const char *judge(const struct peer *peer, unsigned int bits)
{
	if (is_listed(peer, APPROVED))
		return "connected\tapproved\tpass";
	if (is_listed(peer, BLOCKED))
		return "timeout\tblocked\tdrop";
	if (standard_positive(peer, bits))
		return "timeout\tstandard\tdrop";
	if (qil_positive(peer))
		return "refused\tqil\treset";
	return "connected\tclean\tpass";
}

/* ---------------------------------------------------------------------- output */

static void write_records(FILE *zone, const char *address, const unsigned int *records)
{
	for (int i = 0; i < MAX_RECORDS; i++)
		if (records[i])
			fprintf(zone, "%s %u.%u.%u.%u\n", address, records[i] >> 24,
				records[i] >> 16 & 255, records[i] >> 8 & 255, records[i] & 255);
}

static void write_question(FILE *asked, const struct peer *peer, const char *suffix)
{
	uint8_t b[16];

	bytes_of(peer->address, peer->v6, b);
	if (peer->v6)
		for (int i = 15; i >= 0; i--)
			fprintf(asked, "%x.%x.", b[i] & 15, b[i] >> 4);
	else
		fprintf(asked, "%u.%u.%u.%u.", b[3], b[2], b[1], b[0]);
	fprintf(asked, "%s\n", suffix);
}

static void write_all(unsigned int bits, const char *standard_suffix, const char *qil_suffix)
{
	FILE *standard = create("standard"), *qil = create("qil"), *asked = create("asked");
	FILE *list = create("peers"), *expected = create("expected");

	for (const struct peer *peer = peers; peer < peers + peer_count; peer++) {
		char text[TEXT];

		plain(peer->address, peer->v6, text);
		write_records(standard, text, peer->standard);
		write_records(qil, text, peer->qil);
		fprintf(list, "%s\n", text);
		fprintf(expected, "%s\t%s\n", text, judge(peer, bits));
		if (is_listed(peer, APPROVED) || is_listed(peer, BLOCKED))
			continue;
		write_question(asked, peer, standard_suffix);
		if (!standard_positive(peer, bits))
			write_question(asked, peer, qil_suffix);
	}
	if (fclose(standard) || fclose(qil) || fclose(asked) || fclose(list) || fclose(expected))
		die("writing");
}

/* Large entries that many blocks lie in, with holes, and holes in the holes. */
static void draw_large(void)
{
	number v4 = (number)10 << 24 | 21 << 16, v6 = (number)0x20010db80021ULL << 80;

	add_entry(false, BLOCKED, v4 | 0xc000, v4 | 0xcfff);
	add_entry(false, APPROVED, v4 | 0xc400, v4 | 0xc5ff);
	add_entry(false, APPROVED, v4 | 0xe000, v4 | 0xe7ff);
	add_entry(false, BLOCKED, v4 | 0xe200, v4 | 0xe2ff);
	add_entry(false, BLOCKED, v4 | 0x0fff, v4 | 0x17ff);
	add_entry(true, BLOCKED, v6 | (number)0xc000 << 64, (v6 | (number)0xd000 << 64) - 1);
	add_entry(true, APPROVED, v6 | (number)0xc400 << 64, (v6 | (number)0xc600 << 64) - 1);
	add_entry(true, BLOCKED, (v6 | (number)0x1000 << 64) - 5, v6 | (number)0x17ff << 64);
}

int main(int argc, char **argv)
{
	static const char *const names[KINDS][2] = { { "approved-1", "approved-2" },
						     { "blocked-1", "blocked-2" } };
	size_t v4_peers, all_peers;

	if (argc != 7)
		die("SEED IPV4_PEERS IPV6_PEERS BITS SUFFIX_STANDARD SUFFIX_QIL");
	chance_state = strtoull(argv[1], NULL, 10);
	v4_peers = strtoul(argv[2], NULL, 10);
	all_peers = v4_peers + strtoul(argv[3], NULL, 10);
	peers = calloc(all_peers + 1, sizeof(*peers));
	if (!peers)
		die("out of memory");
	for (int kind = 0; kind < KINDS; kind++)
		for (int i = 0; i < 2; i++)
			lists[kind][i] = create(names[kind][i]);
	draw_large();
	/* Blocks of 64 addresses, or of 128 networks of 64 bits; any order, some twice. */
	while (peer_count < v4_peers) {
		number first = (number)10 << 24 | 21 << 16 | below(1024) << 6;

		draw_peers(false, first, first + 63, draw_entries(false, first, first + 63),
			   v4_peers);
	}
	while (peer_count < all_peers) {
		number first = (number)0x20010db80021ULL << 80 | (number)below(512) << 71;
		number last = first + ((number)1 << 71) - 1;

		draw_peers(true, first, last, draw_entries(true, first, last), all_peers);
	}
	for (int kind = 0; kind < KINDS; kind++)
		for (int i = 0; i < 2; i++)
			if (fclose(lists[kind][i]))
				die("writing");
	write_all((unsigned int)strtoul(argv[4], NULL, 10), argv[5], argv[6]);
	free(peers);
	return EXIT_SUCCESS;
}
