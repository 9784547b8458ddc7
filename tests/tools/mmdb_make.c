/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a small country database in the MaxMind DB format 2.0: lines "PREFIX/LEN CC" on standard
 * input, IPv4 or IPv6, later lines win where they overlap; the file on standard output. --nested
 * writes records as MaxMind's own databases have them ({country: {iso_code}}), else {country_code}.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NODES 65536
#define MAX_COUNTRIES 64
#define EMPTY UINT32_MAX
#define DATA 0x80000000U /* a record with this bit is the number of a country */

static uint32_t nodes[MAX_NODES][2];
static uint32_t node_count = 1;
static char countries[MAX_COUNTRIES][3];
static uint32_t country_count;

static void die(const char *what)
{
	fprintf(stderr, "mmdb_make: %s\n", what);
	exit(EXIT_FAILURE);
}

static uint32_t new_node(uint32_t record)
{
	if (node_count == MAX_NODES)
		die("too many nodes");
	nodes[node_count][0] = nodes[node_count][1] = record;
	return node_count++;
}

static uint32_t country_number(const char *code)
{
	for (uint32_t i = 0; i < country_count; i++)
		if (!strcmp(countries[i], code))
			return i;
	if (country_count == MAX_COUNTRIES)
		die("too many countries");
	strcpy(countries[country_count], code);
	return country_count++;
}

static void insert(const uint8_t addr[16], unsigned int len, uint32_t record)
{
	uint32_t at = 0;

	for (unsigned int bit = 0; bit < len; bit++) {
		uint32_t *next = &nodes[at][addr[bit / 8] >> (7 - bit % 8) & 1];

		if (bit == len - 1) {
			*next = record;
			return;
		}
		/* A country or nothing: what was there goes on to both sides. */
		if (*next == EMPTY || (*next & DATA))
			*next = new_node(*next);
		at = *next;
	}
}

static void insert_line(const char *text, const char *code)
{
	uint8_t addr[16] = { 0 };
	char copy[64], *slash;
	unsigned int len;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (!slash || strlen(code) != 2)
		die("a line is not PREFIX/LEN CC");
	*slash = '\0';
	len = (unsigned int)strtoul(slash + 1, NULL, 10);
	if (inet_pton(AF_INET, copy, addr + 12) == 1)
		len += 96; /* IPv4 is ::a.b.c.d there */
	else if (inet_pton(AF_INET6, copy, addr) != 1)
		die("a line has no address");
	if (!len || len > 128)
		die("a prefix has no such length");
	insert(addr, len, DATA | country_number(code));
}

static void put_string(const char *text)
{
	putchar(0x40 | (int)strlen(text));
	fputs(text, stdout);
}

static void put_number(int type, uint32_t value)
{
	putchar(type << 5 | 4);
	for (int shift = 24; shift >= 0; shift -= 8)
		putchar((int)(value >> shift & 255));
}

static void put_uint16(const char *key, uint32_t value)
{
	put_string(key);
	putchar(5 << 5 | 2);
	putchar((int)(value >> 8));
	putchar((int)(value & 255));
}

/* Bytes of one country's record; all are of the same length. */
static uint32_t put_country(const char *code, int nested)
{
	putchar(0xe1);
	if (nested) {
		put_string("country");
		putchar(0xe1);
		put_string("iso_code");
	} else {
		put_string("country_code");
	}
	put_string(code);
	return nested ? 1 + 8 + 1 + 9 + 3 : 1 + 13 + 3;
}

static void put_tree(uint32_t record_len)
{
	for (uint32_t i = 0; i < node_count; i++) {
		for (int side = 0; side < 2; side++) {
			uint32_t record = nodes[i][side];

			if (record == EMPTY)
				record = node_count;
			else if (record & DATA)
				record = node_count + 16 + (record & ~DATA) * record_len;
			for (int shift = 24; shift >= 0; shift -= 8)
				putchar((int)(record >> shift & 255));
		}
	}
}

static void put_metadata(void)
{
	fputs("\xab\xcd\xefMaxMind.com", stdout);
	putchar(0xe0 | 9);
	put_uint16("binary_format_major_version", 2);
	put_uint16("binary_format_minor_version", 0);
	put_string("build_epoch");
	putchar(4); /* an extended type, 4 bytes: */
	putchar(9 - 7); /* uint64 */
	fwrite("\x60\x00\x00\x00", 1, 4, stdout);
	put_string("database_type");
	put_string("Test-Country");
	put_string("description");
	putchar(0xe0);
	put_uint16("ip_version", 6);
	put_string("languages");
	putchar(0);
	putchar(11 - 7); /* an empty array */
	put_string("node_count");
	put_number(6, node_count);
	put_uint16("record_size", 32);
}

int main(int argc, char **argv)
{
	int nested = argc > 1 && !strcmp(argv[1], "--nested");
	char prefix[64], code[8];

	nodes[0][0] = nodes[0][1] = EMPTY;
	while (scanf("%63s %7s", prefix, code) == 2)
		insert_line(prefix, code);
	put_tree(nested ? 22 : 17);
	for (int i = 0; i < 16; i++)
		putchar(0);
	for (uint32_t i = 0; i < country_count; i++)
		put_country(countries[i], nested);
	put_metadata();
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
