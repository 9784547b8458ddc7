/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local lists: what is written in files against what is in force. The random tests compare with
 * a model that is ERS.md's sentence: an address is approved if any approved entry holds it, else
 * blocked if any blocked entry does.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/addr.h"
#include "lists/country_code.h"
#include "list_dirs.h"

#define ROUNDS 1500
#define PROBES 100
#define MODEL_ENTRIES 40
#define HOUR 3600

typedef unsigned __int128 u128;

#define V4_BASE ((u128)0xffff << 32)
#define V6_BASE ((u128)0x20010db8 << 96)

/* ---- what may be written ---- */

struct probe {
	const char *addr;
	enum rg_class peer_class;
};

static const struct {
	const char *what;
	const char *approved, *blocked;
	struct probe probes[6];
} formats[] = {
	{ "an address",
	  "",
	  "123.123.123.123\n",
	  { { "123.123.123.123", BLOCKED }, { "123.123.123.122", NONE }, { "123.123.123.124", NONE } } },
	{ "a range",
	  "",
	  "123.123.123.123-223.223.223.223 force\n",
	  { { "123.123.123.122", NONE },
	    { "123.123.123.123", BLOCKED },
	    { "200.0.0.1", BLOCKED },
	    { "223.223.223.223", BLOCKED },
	    { "223.223.223.224", NONE } } },
	{ "a range with blanks",
	  "",
	  "10.0.0.1 - 10.0.0.3\n",
	  { { "10.0.0.0", NONE }, { "10.0.0.2", BLOCKED }, { "10.0.0.4", NONE } } },
	{ "a range with tabs", "", "10.0.0.1\t-\t10.0.0.3\n", { { "10.0.0.2", BLOCKED } } },
	{ "CIDR",
	  "",
	  "123.123.123.0/24\n",
	  { { "123.123.122.255", NONE },
	    { "123.123.123.0", BLOCKED },
	    { "123.123.123.255", BLOCKED },
	    { "123.123.124.0", NONE } } },
	{ "CIDR with host bits",
	  "",
	  "123.123.123.123/24\n",
	  { { "123.123.122.255", NONE }, { "123.123.123.0", BLOCKED }, { "123.123.123.255", BLOCKED } } },
	{ "IPv6 in full",
	  "",
	  "2001:0db7:85a3:0000:0000:8a2e:0370:7334\n",
	  { { "2001:db7:85a3::8a2e:370:7334", BLOCKED }, { "2001:db7:85a3::8a2e:370:7335", NONE } } },
	{ "IPv6 without zeros",
	  "",
	  "2001:db7:85a3:0:0:8a2e:370:7334\n",
	  { { "2001:db7:85a3::8a2e:370:7334", BLOCKED } } },
	{ "IPv6 compressed",
	  "",
	  "2001:db7:85a3::8a2e:370:7334\n",
	  { { "2001:db7:85a3::8a2e:370:7334", BLOCKED } } },
	{ "IPv6 CIDR",
	  "",
	  "2001:db8::1/32\n",
	  { { "2001:db8:ffff::", BLOCKED }, { "2001:db9::", NONE } } },
	{ "IPv6 range",
	  "",
	  "2001:db8::10-2001:db8::20\n",
	  { { "2001:db8::f", NONE },
	    { "2001:db8::10", BLOCKED },
	    { "2001:db8::20", BLOCKED },
	    { "2001:db8::21", NONE } } },
	{ "everything of IPv4",
	  "",
	  "0.0.0.0-255.255.255.255 force\n",
	  { { "0.0.0.0", BLOCKED },
	    { "255.255.255.255", BLOCKED },
	    { "2001:db8::1", NONE },
	    { "::", NONE } } },
	{ "0.0.0.0/0 is IPv4 only",
	  "",
	  "0.0.0.0/0 force\n",
	  { { "1.2.3.4", BLOCKED },
	    { "2001:db8::1", NONE },
	    { "::fffe:ffff:ffff", NONE },
	    { "::1:0:0:0", NONE } } },
	{ "::/0 is IPv6 only",
	  "",
	  "::/0 until=4294967295 force # all\n",
	  { { "1.2.3.4", NONE },
	    { "0.0.0.0", NONE },
	    { "255.255.255.255", NONE },
	    { "2001:db8::1", BLOCKED },
	    { "::fffe:ffff:ffff", BLOCKED },
	    { "::1:0:0:0", BLOCKED } } },
	{ "::/0 approved lets no IPv4 in",
	  "::/0 force\n",
	  "0.0.0.0/0 force until=4294967295\n",
	  { { "1.2.3.4", BLOCKED }, { "2001:db8::1", APPROVED } } },
	{ "the whole of IPv6 as a range",
	  "",
	  "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff force\n",
	  { { "1.2.3.4", NONE },
	    { "::", BLOCKED },
	    { "::1:0:0:0", BLOCKED },
	    { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", BLOCKED } } },
	{ "an IPv6 range around IPv4",
	  "",
	  "::1-::1:0:0:5\n",
	  { { "::", NONE },
	    { "::1", BLOCKED },
	    { "8.8.8.8", NONE },
	    { "::1:0:0:5", BLOCKED },
	    { "::1:0:0:6", NONE } } },
	{ "::/80 ends at IPv4's border",
	  "",
	  "::/80\n",
	  { { "1.2.3.4", NONE }, { "::fffe:1:2", BLOCKED }, { "::1:0:0:0", NONE } } },

	{ "as wide as is taken without force",
	  "",
	  "11.0.0.0/8\n12.0.0.7-13.0.0.6\n2001:c000::/19\n",
	  { { "11.255.255.255", BLOCKED },
	    { "12.0.0.6", NONE },
	    { "12.0.0.7", BLOCKED },
	    { "13.0.0.6", BLOCKED },
	    { "13.0.0.7", NONE },
	    { "2001:dfff::1", BLOCKED } } },
	{ "wider",
	  "4.0.0.0/7\n",
	  "203.0.113.0/2\n12.0.0.7-13.0.0.7\n2001:c000::/18\n0.0.0.0/0\n::/0\n",
	  { { "4.0.0.1", NONE },
	    { "203.0.113.1", NONE },
	    { "12.0.0.8", NONE },
	    { "2001:dfff::1", NONE },
	    { "1.2.3.4", NONE } } },
	{ "force where it is not needed", "", "1.1.1.1 force\n", { { "1.1.1.1", BLOCKED } } },
	{ "comments",
	  "",
	  "# 1.1.1.1\n 2.2.2.2 # 3.3.3.3\n4.4.4.4# x\n; 5.5.5.5\n#\n",
	  { { "1.1.1.1", NONE },
	    { "2.2.2.2", BLOCKED },
	    { "3.3.3.3", NONE },
	    { "4.4.4.4", BLOCKED },
	    { "5.5.5.5", NONE } } },
	{ "CRLF",
	  "",
	  "1.1.1.1\r\n\r\n# x\r\n2.2.2.0/24\r\n3.3.3.3-3.3.3.4\r\nNO\r\n",
	  { { "1.1.1.1", BLOCKED }, { "2.2.2.9", BLOCKED }, { "3.3.3.4", BLOCKED } } },
	{ "no newline at the end",
	  "",
	  "1.1.1.1\n2.2.2.2",
	  { { "1.1.1.1", BLOCKED }, { "2.2.2.2", BLOCKED } } },
	{ "blank lines", "", "\n\n   \n\t\n1.1.1.1\n\n", { { "1.1.1.1", BLOCKED } } },
	{ "blanks around", "", "  \t1.1.1.1 \t \n", { { "1.1.1.1", BLOCKED } } },
	{ "an empty file", "", "", { { "1.1.1.1", NONE } } },
	{ "one newline", "", "\n", { { "1.1.1.1", NONE } } },
	{ "twice the same", "", "1.1.1.1\n1.1.1.1/32\n1.1.1.1-1.1.1.1\n", { { "1.1.1.1", BLOCKED } } },

	{ "approved within blocked",
	  "10.1.2.3\n",
	  "10.0.0.0/8\n",
	  { { "10.1.2.3", APPROVED }, { "10.1.2.4", BLOCKED } } },
	{ "blocked within approved",
	  "10.0.0.0/8\n",
	  "10.1.2.3\n",
	  { { "10.1.2.3", APPROVED }, { "10.1.2.4", APPROVED } } },
	{ "both the same", "10.0.0.0/8\n", "10.0.0.0/8\n", { { "10.1.2.3", APPROVED } } },
	{ "three deep",
	  "10.1.0.0/16\n",
	  "10.0.0.0/8\n10.1.1.0/24\n",
	  { { "10.1.1.1", APPROVED }, { "10.1.2.1", APPROVED }, { "10.2.1.1", BLOCKED } } },
	{ "ranges across",
	  "10.0.0.5-10.0.0.20\n",
	  "10.0.0.1-10.0.0.9\n",
	  { { "10.0.0.4", BLOCKED },
	    { "10.0.0.5", APPROVED },
	    { "10.0.0.9", APPROVED },
	    { "10.0.0.10", APPROVED },
	    { "10.0.0.21", NONE } } },
	{ "approved, IPv6",
	  "2001:db8::/48\n",
	  "2001:db8::/32\n2001:db8::1\n",
	  { { "2001:db8::1", APPROVED }, { "2001:db8:1::", BLOCKED } } },
	{ "a country beside addresses", "DE\n", "US\n1.1.1.1\n", { { "1.1.1.1", BLOCKED } } },
};

static void test_formats(void **state)
{
	struct list_dirs *dirs = *state;

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct rg_lists *lists;

		write_text(dirs->approved, "a.list", formats[i].approved);
		write_text(dirs->blocked, "b.list", formats[i].blocked);
		lists = load_lists(dirs);
		for (size_t p = 0; p < 6 && formats[i].probes[p].addr; p++) {
			const struct probe *probe = &formats[i].probes[p];
			enum rg_class peer_class = class_of(lists, probe->addr);

			if (peer_class != probe->peer_class)
				fail_msg("%s: %s is %d, not %d", formats[i].what, probe->addr,
					 peer_class, probe->peer_class);
		}
		rg_lists_free(lists);
	}
}

/* ---- what may not ---- */

static const struct {
	const char *text;
	const char *place; /* after the file's name */
	const char *reason;
} mistakes[] = {
	{ "1.2.3\n", ":1: \"1.2.3\"", "not an address" },
	{ "1.1.1.1\n\n# x\n1.2.3.4.5\n", ":4: \"1.2.3.4.5\"", "not an address" },
	{ "1.1.1.1\r\nmail.example.com\r\n", ":2: \"mail.example.com\"", "not an address" },
	{ "1.1.1.1\n2.2.2.2\n1.2.3.256", ":3: \"1.2.3.256\"", "not an address" },
	{ "010.1.1.1\n", ":1: \"010.1.1.1\"", "not an address" },
	{ "USA\n", ":1: \"USA\"", "country" },
	{ "U1\n", ":1: \"U1\"", "country" },
	{ "UK\n", ":1: \"UK\" is no country code", "did you mean GB?" },
	{ "el\n", ":1: \"el\" is no country code", "did you mean GR?" },
	{ "ZZ\n", ":1: \"ZZ\" is no country code of ISO 3166", "" },
	{ "ip\n", ":1: \"ip\" is no country code of ISO 3166", "" },
	{ "U\n", ":1: \"U\"", "country" },
	{ "[::1]\n", ":1: \"[::1]\"", "not an address" },
	{ "::1%lo\n", ":1: \"::1%lo\"", "not an address" },
	{ "1.2.3.4/33\n", ":1: \"1.2.3.4/33\"", "length" },
	{ "1.2.3.4/\n", ":1: \"1.2.3.4/\"", "length" },
	{ "::/129\n", ":1: \"::/129\"", "length" },
	{ "1.2.3.4/255.255.255.0\n", ":1: ", "length" },
	{ "1.2.3.9-1.2.3.4\n", ":1: \"1.2.3.9-1.2.3.4\"", "end is before its start" },
	{ "1.2.3.9-::1\n", ":1: \"1.2.3.9-::1\"", "another family" },
	{ "1.2.3.9-\n", ":1: \"1.2.3.9-\"", "not a range" },
	{ "1.2.3.9-12\n", ":1: \"1.2.3.9-12\"", "not a range" },
	{ "-1.2.3.9\n", ":1: \"-1.2.3.9\"", "not a range" },
	{ "1.2.3.0/24-1.2.4.0/24\n", ":1: ", "not a range" },
	{ "1.2.3.4 5.6.7.8\n", ":1: \"5.6.7.8\"", "until=" },
	{ "1.2.3.4 reject\n", ":1: \"reject\"", "until=" },
	{ "1.2.3.4 until=\n", ":1: \"until=\"", "until=" },
	{ "1.2.3.4 until=tomorrow\n", ":1: \"until=tomorrow\"", "number" },
	{ "1.2.3.4 until=-1\n", ":1: \"until=-1\"", "number" },
	{ "1.2.3.4 until=99999999999999999999999\n", ":1: ", "until=" },
	{ "1.2.3.4 until=4102444800 x\n", ":1: \"x\"", "until=" },
	{ "1.2.3.4 forced\n", ":1: \"forced\"", "until=" },
	{ "203.0.113.0/2\n", ":1: 192.0.0.0/2, 1,073,741,824 addresses: wider than /8", "force" },
	{ "0.0.0.0/0\n", ":1: 0.0.0.0/0, 4,294,967,296 addresses: wider than /8", "force" },
	{ "1.0.0.0-2.0.0.0 until=4294967295\n",
	  ":1: 1.0.0.0-2.0.0.0, 16,777,217 addresses: ", "force" },
	{ "2000::/3\n", ":1: 2000::/3, 2,305,843,009,213,693,952 networks of /64: ", "force" },
	{ "::/0\n", ":1: ::/0, all of IPv6: ", "force" },
	{ "1.2.3.4, 5.6.7.8\n", ":1: ", "until=" },
	{ "1.2.3.4,5.6.7.8\n", ":1: ", "not an address" },
	{ "1.2.3.4:25\n", ":1: ", "not an address" },
	{ "*\n", ":1: \"*\"", "not an address" },
	{ "1.2.3.*\n", ":1: \"1.2.3.*\"", "not an address" },
	{ "// 1.2.3.4\n", ":1: ", "" },
};

static void test_mistakes(void **state)
{
	struct list_dirs *dirs = *state;

	/* A good file first, to see that the number is the line of the file. */
	write_text(dirs->blocked, "a.list", "9.9.9.9\n8.8.8.8\n7.7.7.7\n");
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct rg_lists *lists;
		const char *fault;
		char place[200], text[200];

		/* A good line behind it, which counts. */
		snprintf(text, sizeof(text), "%s\n5.5.5.5\n", mistakes[i].text);
		write_text(dirs->blocked, "b.list", text);
		snprintf(place, sizeof(place), "%s/b.list%s", dirs->blocked, mistakes[i].place);
		lists = load_lists(dirs);
		fault = first_fault(lists);
		if (strncmp(fault, place, strlen(place)) || !strstr(fault, mistakes[i].reason))
			fail_msg("\"%s\" gave: %s", mistakes[i].text, fault);
		assert_null(strchr(fault, '\n'));
		assert_int_equal(class_of(lists, "5.5.5.5"), BLOCKED);
		assert_int_equal(class_of(lists, "8.8.8.8"), BLOCKED);
		assert_true(rg_lists_faults(lists).bad_lines == 1);
		assert_true(rg_lists_faults(lists).files == 0);
		rg_lists_free(lists);
	}
}

/* ---- time ---- */

static void check_items(const struct rg_lists *lists);

static void write_timed(const char *dir, const char *name, const char *entry, int64_t seconds)
{
	char line[160];

	snprintf(line, sizeof(line), "%s until=%" PRId64 "\n", entry, (int64_t)time(NULL) + seconds);
	write_text(dir, name, line);
}

static int64_t clock_step; /* s that the wall clock was set by */

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int err = (int)syscall(SYS_clock_gettime, clock, now);

	if (!err && clock == CLOCK_REALTIME)
		now->tv_sec += clock_step;
	return err;
}

static void test_clock_set(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists = load_lists(dirs);

	assert_false(rg_lists_clock_was_set(lists));
	clock_step = 1; /* a leap second */
	assert_false(rg_lists_clock_was_set(lists));
	clock_step = 3;
	assert_true(rg_lists_clock_was_set(lists));
	clock_step = -1000000000;
	assert_true(rg_lists_clock_was_set(lists));
	rg_lists_free(lists);
	lists = load_lists(dirs);
	assert_false(rg_lists_clock_was_set(lists));
	rg_lists_free(lists);
	clock_step = 0;
}

/* What an approval covers comes into force when it ends, without another load. */
static void test_waiting(void **state)
{
	static const struct {
		const char *addr;
		enum rg_class at[4]; /* now, and after 90, 150, 210 minutes */
	} rows[] = {
		{ "10.1.2.3", { APPROVED, BLOCKED, BLOCKED, BLOCKED } },
		{ "10.2.0.9", { APPROVED, BLOCKED, NONE, NONE } },
		{ "10.3.0.9", { APPROVED, NONE, NONE, NONE } }, /* its block ends first */
		{ "10.4.0.9", { APPROVED, APPROVED, BLOCKED, BLOCKED } }, /* two approvals */
		{ "10.4.1.9", { APPROVED, BLOCKED, BLOCKED, BLOCKED } },
		{ "10.5.0.1", { APPROVED, APPROVED, APPROVED, APPROVED } }, /* one that does not end */
		{ "10.9.9.9", { APPROVED, NONE, NONE, NONE } },
		{ "1.1.1.1", { APPROVED, BLOCKED, BLOCKED, BLOCKED } }, /* the same prefix */
		{ "2001:db8::1", { APPROVED, BLOCKED, BLOCKED, BLOCKED } },
		{ "2001:db8:0:1::1", { APPROVED, BLOCKED, BLOCKED, BLOCKED } },
		{ "2001:db8:9::1", { APPROVED, NONE, NONE, NONE } },
	};
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;
	uint64_t now;
	size_t count;

	write_timed(dirs->approved, "a.list", "10.0.0.0/8", HOUR);
	write_timed(dirs->approved, "b.list", "10.4.0.0/24", 2 * HOUR);
	write_text(dirs->approved, "c.list", "10.5.0.0/16\n");
	write_timed(dirs->approved, "d.list", "1.1.1.1", HOUR);
	write_timed(dirs->approved, "e.list", "2001:db8::/32", HOUR);
	write_text(dirs->blocked, "f.list",
		   "10.1.2.3\n10.4.0.0/16\n10.5.0.1\n1.1.1.1\n2001:db8::1\n2001:db8:0:1::/64\n");
	write_timed(dirs->blocked, "g.list", "10.2.0.0/16", 2 * HOUR);
	write_timed(dirs->blocked, "h.list", "10.3.0.0/16", HOUR / 2);
	lists = load_lists(dirs);
	now = rg_now();
	(void)rg_lists_waiting(lists, &count);
	assert_int_equal(count, 6);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_addr addr;

		assert_int_equal(rg_addr_parse(rows[i].addr, strlen(rows[i].addr), &addr), 0);
		for (size_t k = 0; k < 4; k++) {
			uint64_t minutes = k ? 30 + 60 * k : 0;
			enum rg_class is =
				class_at(lists, &addr, now + minutes * 60 * RG_NSEC_PER_SEC);

			if (is != rows[i].at[k])
				fail_msg("%s after %" PRIu64 " minutes: class %d", rows[i].addr,
					 minutes, is);
		}
	}
	rg_lists_free(lists);
}

static void test_until(void **state)
{
	struct list_dirs *dirs = *state;
	uint64_t now = rg_now(), expiry;
	const struct rg_list_item *item;
	struct rg_lists *lists;
	struct rg_addr addr = { .bytes = { [10] = 0xff, [11] = 0xff, 1, 1, 1, 1 } };

	write_timed(dirs->blocked, "a.list", "1.1.1.1", HOUR);
	write_timed(dirs->blocked, "b.list", "2.2.2.2", -1);
	write_timed(dirs->blocked, "c.list", "3.3.3.3-3.3.3.9", 2 * HOUR);
	write_text(dirs->blocked, "d.list", "4.4.4.4\n5.5.5.5 until=0\n");
	lists = load_lists(dirs);
	assert_int_equal(class_of(lists, "1.1.1.1"), BLOCKED);
	assert_int_equal(class_of(lists, "2.2.2.2"), NONE);
	assert_int_equal(class_of(lists, "3.3.3.9"), BLOCKED);
	assert_int_equal(class_of(lists, "4.4.4.4"), BLOCKED);
	assert_int_equal(class_of(lists, "5.5.5.5"), NONE);

	item = rg_lists_find(lists, &addr, now);
	expiry = rg_lists_expiry(lists, item);
	assert_in_range(expiry, now + (HOUR - 2) * RG_NSEC_PER_SEC,
			now + (HOUR + 1) * RG_NSEC_PER_SEC);
	assert_true(rg_lists_next_expiry(lists) == expiry);
	assert_int_equal(class_at(lists, &addr, expiry - 1), BLOCKED);
	assert_int_equal(class_at(lists, &addr, expiry), NONE);
	rg_lists_free(lists);
}

/* An entry without end stays as such, whatever timed ones say the same. */
static void test_until_and_for_good(void **state)
{
	struct list_dirs *dirs = *state;
	uint64_t later = rg_now() + 3 * HOUR * RG_NSEC_PER_SEC;
	struct rg_addr addr = { .bytes = { [10] = 0xff, [11] = 0xff, 1, 1, 1, 1 } };
	struct rg_lists *lists;

	write_timed(dirs->blocked, "a.list", "1.1.1.1", HOUR);
	write_text(dirs->blocked, "b.list", "1.1.1.1\n");
	write_timed(dirs->blocked, "c.list", "1.1.1.0/24", 2 * HOUR);
	write_timed(dirs->approved, "d.list", "1.1.1.1", -HOUR);
	lists = load_lists(dirs);
	assert_int_equal(class_of(lists, "1.1.1.1"), BLOCKED);
	assert_int_equal(class_of(lists, "1.1.1.2"), BLOCKED);
	assert_int_equal(class_at(lists, &addr, later), BLOCKED);
	addr.bytes[15] = 2;
	assert_int_equal(class_at(lists, &addr, later), NONE);
	rg_lists_free(lists);

	/* A short approval over a longer one of the net around it. */
	write_timed(dirs->approved, "d.list", "1.1.1.1", HOUR);
	write_text(dirs->approved, "e.list", "1.1.0.0/16\n");
	lists = load_lists(dirs);
	addr.bytes[15] = 1;
	assert_int_equal(class_at(lists, &addr, later), APPROVED);
	rg_lists_free(lists);
}

/* Entries within entries within entries: the nearest that is kept says what is. */
static void test_nested_ends(void **state)
{
	static const struct {
		const char *entry;
		enum rg_class peer_class;
	} nest[] = {
		{ "10.0.0.0/8", APPROVED },   { "10.1.0.0/16", BLOCKED },
		{ "10.1.0.0/17", APPROVED },  { "10.1.1.0/24", BLOCKED },
		{ "10.1.1.64/26", APPROVED }, { "10.1.1.65", BLOCKED },
		{ "2001:db8::/32", BLOCKED }, { "2001:db8:1::/48", APPROVED },
	};
	static const struct probe probes[] = {
		{ "10.1.1.65", APPROVED },     { "10.1.1.66", APPROVED },
		{ "10.2.0.0", APPROVED },      { "9.255.255.255", NONE },
		{ "11.0.0.0", NONE },	       { "2001:db8::1", BLOCKED },
		{ "2001:db8:1::1", APPROVED },
	};
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;
	FILE *files[2];
	char path[160];

	snprintf(path, sizeof(path), "%s/a.list", dirs->approved);
	files[0] = fopen(path, "w");
	snprintf(path, sizeof(path), "%s/b.list", dirs->blocked);
	files[1] = fopen(path, "w");
	assert_true(files[0] && files[1]);
	for (size_t i = 0; i < ARRAY_SIZE(nest); i++)
		fprintf(files[nest[i].peer_class == BLOCKED], "%s\n", nest[i].entry);
	fclose(files[0]);
	fclose(files[1]);
	lists = load_lists(dirs);
	check_items(lists);
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
		assert_int_equal(class_of(lists, probes[i].addr), probes[i].peer_class);
	rg_lists_free(lists);
}

/* What is over uncovers what is around it. */
static void test_uncovered(void **state)
{
	static const enum rg_class want[] = { APPROVED, APPROVED, BLOCKED, NONE };
	struct rg_addr addr = { .bytes = { [10] = 0xff, [11] = 0xff, 10, 1, 1, 1 } };
	struct list_dirs *dirs = *state;
	uint64_t now = rg_now();
	struct rg_lists *lists;
	size_t count;

	write_timed(dirs->approved, "a.list", "10.1.0.0/16", HOUR);
	write_timed(dirs->approved, "b.list", "10.1.1.0/24", 2 * HOUR);
	write_timed(dirs->blocked, "c.list", "10.0.0.0/8", 3 * HOUR);
	lists = load_lists(dirs);
	check_items(lists);
	(void)rg_lists_items(lists, &count);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(class_at(lists, &addr, now + (i * HOUR + HOUR / 2) * RG_NSEC_PER_SEC),
				 want[i]);
	/* Past the last that begins before it. */
	addr.bytes[13] = 9;
	assert_int_equal(class_at(lists, &addr, now), BLOCKED);
	addr.bytes[12] = 11;
	assert_int_equal(class_at(lists, &addr, now), NONE);
	rg_lists_free(lists);
}

/* Seconds are exact, and the same at the next load. */
static void test_same_ends(void **state)
{
	struct rg_addr addr = { .bytes = { [10] = 0xff, [11] = 0xff, 1, 1, 1, 1 } };
	struct list_dirs *dirs = *state;
	const struct rg_list_item *a, *b;
	struct rg_lists *first, *second;
	int64_t apart;

	write_timed(dirs->blocked, "a.list", "1.1.1.1", HOUR);
	first = load_lists(dirs);
	second = load_lists(dirs);
	a = rg_lists_find(first, &addr, rg_now());
	b = rg_lists_find(second, &addr, rg_now());
	assert_int_equal(rg_list_item_until(a), rg_list_item_until(b));
	assert_true(rg_lists_same_ends(first, second));
	apart = (int64_t)(rg_lists_expiry(first, a) - rg_lists_expiry(second, b));
	assert_in_range(apart + 10000000, 0, 20000000);
	rg_lists_free(first);
	rg_lists_free(second);
}

/* Of either family, with an end and without, one beside the other: each has what its line says. */
static void test_each_its_own(void **state)
{
	static const struct {
		const char *entry;
		uint32_t until;
	} lines[] = {
		{ "::1", 4102444801 },		 { "::2", 0 },
		{ "1.1.1.0/24", 4102444802 },	 { "1.1.1.1", 0 },
		{ "1.1.1.2", 4102444803 },	 { "1.1.2.0/25", 0 },
		{ "1.1.3.0", UINT32_MAX },	 { "2001:db8::/32", 4102444804 },
		{ "2001:db8:0:1::/64", 0 },	 { "2001:db8:1::5", 4102444805 },
		{ "2001:db8:1::6", 4102444806 },
	};
	const size_t count = ARRAY_SIZE(lines);
	struct list_dirs *dirs = *state;
	const struct rg_list_item *items;
	char text[2000] = "", name[RG_PREFIX_TEXT];
	struct rg_lists *lists;
	size_t found;

	for (size_t i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 lines[i].until ? "%s until=%u\n" : "%s # %u\n", lines[i].entry,
			 lines[i].until);
	strcat(text, "DE until=4102444807\nFR\n");
	write_text(dirs->blocked, "a.list", text);
	lists = load_lists(dirs);
	check_items(lists);
	items = rg_lists_items(lists, &found);
	assert_int_equal(found, count);
	for (size_t i = 0; i < count; i++) {
		const struct rg_prefix prefix = rg_list_item_prefix(&items[i]);
		uint64_t end = rg_lists_expiry(lists, &items[i]);

		assert_string_equal(rg_prefix_format(&prefix, name), lines[i].entry);
		assert_int_equal(items[i].line, i + 1);
		assert_int_equal(rg_list_item_until(&items[i]), lines[i].until);
		assert_int_equal(end != 0, lines[i].until != 0);
		assert_ptr_equal(rg_lists_find(lists, &prefix.addr, end ? end - 1 : 0), &items[i]);
		assert_ptr_not_equal(rg_lists_find(lists, &prefix.addr, end), end ? &items[i] : NULL);
	}
	assert_int_equal(rg_list_item_until(rg_lists_find_country(lists, "DE", 0)), 4102444807);
	assert_int_equal(rg_list_item_until(rg_lists_find_country(lists, "FR", 0)), 0);
	rg_lists_free(lists);
}

/* Far away is not over: people write 99999999999, or milliseconds. */
static void test_until_far(void **state)
{
	static const char *const lines[] = {
		"1.1.1.1 until=4102444800\n",	  "1.1.1.1 until=20000000000\n",
		"1.1.1.1 until=99999999999\n",	  "1.1.1.1 until=1893456000000\n",
		"1.1.1.1 until=99999999999999\n", "1.1.1.1 until=4294967295\n",
		"1.1.1.1 until=4294967296\n",	  "1.1.1.1 until=18446744073709\n",
	};
	uint64_t in_a_year = rg_now() + 365 * 24 * HOUR * RG_NSEC_PER_SEC;
	struct rg_addr addr = { .bytes = { [10] = 0xff, [11] = 0xff, 1, 1, 1, 1 } };
	struct list_dirs *dirs = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct rg_lists *lists;

		write_text(dirs->approved, "a.list", lines[i]);
		lists = load_lists(dirs);
		if (class_at(lists, &addr, in_a_year) != APPROVED)
			fail_msg("over in less than a year: %s", lines[i]);
		rg_lists_free(lists);
	}
}

/* ---- countries ---- */

static void test_countries(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists, *same, *other;

	write_text(dirs->approved, "a.list", "DE\nfr # lower case\n");
	write_text(dirs->blocked, "b.list", "US\n\nDE\nUS\n");
	lists = load_lists(dirs);
	assert_int_equal(rg_lists_find_country(lists, "DE", 0)->peer_class, APPROVED);
	assert_int_equal(rg_lists_find_country(lists, "FR", 0)->peer_class, APPROVED);
	assert_int_equal(rg_lists_find_country(lists, "FR", 0)->line, 2);
	assert_int_equal(rg_lists_find_country(lists, "US", 0)->peer_class, BLOCKED);
	assert_null(rg_lists_find_country(lists, "AT", 0));
	assert_null(rg_lists_find_country(lists, "", 0));
	assert_null(rg_lists_find_country(lists, "U", 0));
	assert_null(rg_lists_find_country(lists, "USA", 0));
	assert_null(rg_lists_find_country(lists, "@[", 0));
	assert_int_equal(rg_lists_countries(lists), 3);

	write_text(dirs->blocked, "b.list", "1.1.1.1\nus\n");
	same = load_lists(dirs);
	assert_true(rg_lists_same_countries(lists, same));
	write_text(dirs->blocked, "b.list", "1.1.1.1\n");
	other = load_lists(dirs);
	assert_false(rg_lists_same_countries(lists, other));
	assert_null(rg_lists_find_country(other, "US", 0));
	rg_lists_free(lists);
	rg_lists_free(same);
	rg_lists_free(other);
}

/* Each class has the line that lasts longest; an approval that has ended shows the block behind it. */
static void test_countries_end(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;
	uint64_t now, hour = HOUR * RG_NSEC_PER_SEC;

	write_timed(dirs->approved, "a.list", "DE", HOUR);
	write_timed(dirs->approved, "b.list", "FR", HOUR);
	write_text(dirs->approved, "c.list", "FR\n");
	write_timed(dirs->blocked, "d.list", "DE", 3 * HOUR);
	write_timed(dirs->blocked, "e.list", "DE", 2 * HOUR);
	write_timed(dirs->blocked, "f.list", "US", HOUR);
	lists = load_lists(dirs);
	now = rg_now();
	assert_int_equal(rg_lists_find_country(lists, "DE", now)->peer_class, APPROVED);
	assert_int_equal(rg_lists_find_country(lists, "DE", now + hour + hour / 2)->peer_class,
			 BLOCKED);
	assert_int_equal(rg_lists_find_country(lists, "DE", now + 2 * hour + hour / 2)->peer_class,
			 BLOCKED);
	assert_null(rg_lists_find_country(lists, "DE", now + 4 * hour));
	assert_int_equal(rg_lists_find_country(lists, "FR", now + 4 * hour)->peer_class, APPROVED);
	assert_int_equal(rg_lists_find_country(lists, "US", now)->peer_class, BLOCKED);
	assert_null(rg_lists_find_country(lists, "US", now + 2 * hour));
	assert_int_equal(rg_lists_countries(lists), 3);
	rg_lists_free(lists);
}

static void test_every_country(void **state)
{
	struct list_dirs *dirs = *state;
	char text[26 * 26 * 3], *out = text;
	unsigned int line = 0, count = 0;
	struct rg_lists *lists;

	for (char a = 'A'; a <= 'Z'; a++) {
		for (char b = 'A'; b <= 'Z'; b++) {
			*out++ = a;
			*out++ = b;
			*out++ = '\n';
		}
	}
	/* Most codes do not exist: these lines are bad, and the file would not be taken. */
	dirs->paths.force = true;
	write_bytes(dirs->blocked, "b.list", text, sizeof(text));
	lists = load_lists(dirs);
	for (const char *code = text; code < out; code += 3) {
		const char name[3] = { code[0], code[1], '\0' };
		const struct rg_list_item *item = rg_lists_find_country(lists, name, 0);

		line++;
		assert_int_equal(item != NULL, rg_country_code_exists(code));
		count += item != NULL;
		if (item)
			assert_int_equal(item->line, line);
	}
	assert_int_equal(count, 250); /* ISO 3166-1 has 249; and XK */
	assert_int_equal(rg_lists_countries(lists), count);
	assert_true(rg_lists_faults(lists).bad_lines == 26 * 26 - count);
	rg_lists_free(lists);
}

/* ---- files ---- */

static void test_sources(void **state)
{
	struct list_dirs *dirs = *state;
	const struct rg_list_item *item;
	struct rg_lists *lists;
	struct rg_addr addr = { .bytes = { [10] = 0xff, [11] = 0xff, 2, 2, 2, 2 } };
	char path[160];

	write_text(dirs->approved, "z.list", "1.1.1.1\n");
	write_text(dirs->blocked, "b.list", "# x\n\n2.2.2.2\n3.3.3.3\n");
	write_text(dirs->state, "blocked.list", "4.4.4.4\n");
	write_text(dirs->state, "approved.list", "5.5.5.5\n");
	write_text(dirs->state, "other.list", "nonsense\n");
	write_text(dirs->blocked, ".hidden.list", "nonsense\n");
	write_text(dirs->blocked, "b.list~", "nonsense\n");
	write_text(dirs->blocked, "b.list.new", "nonsense\n");
	write_text(dirs->blocked, "README", "nonsense\n");
	write_text(dirs->blocked, ".list", "nonsense\n");
	lists = load_lists(dirs);
	assert_int_equal(class_of(lists, "4.4.4.4"), BLOCKED);
	assert_int_equal(class_of(lists, "5.5.5.5"), APPROVED);
	assert_int_equal(rg_lists_written(lists), 5);
	item = rg_lists_find(lists, &addr, rg_now());
	assert_non_null(item);
	assert_int_equal(item->line, 3);
	snprintf(path, sizeof(path), "%s/b.list", dirs->blocked);
	assert_string_equal(rg_lists_source(lists, item->source), path);
	assert_non_null(rg_lists_source(lists, 1000));
	rg_lists_free(lists);
	rg_lists_free(NULL);
}

/* Of equal entries the one that was written first is the one that is shown. */
static void test_first_of_equals(void **state)
{
	static const char *const places[] = { "a.list", "b.list" };
	struct list_dirs *dirs = *state;
	const struct rg_list_item *items;
	struct rg_lists *lists;
	size_t count;
	char path[160];

	for (size_t i = 0; i < 2; i++) {
		FILE *out;

		snprintf(path, sizeof(path), "%s/%s", dirs->blocked, places[i]);
		out = fopen(path, "w");
		assert_non_null(out);
		fprintf(out, "# first\n");
		for (unsigned int line = 0; line < 300; line++)
			fprintf(out, "10.0.0.%u\n2001:db8::1/64\n", line % 3);
		fclose(out);
	}
	lists = load_lists(dirs);
	check_items(lists);
	items = rg_lists_items(lists, &count);
	assert_int_equal(count, 4);
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/a.list", dirs->blocked);
		assert_string_equal(rg_lists_source(lists, items[i].source), path);
		assert_int_equal(items[i].line, i < 3 ? 2 + 2 * i : 3);
	}
	rg_lists_free(lists);
}

static void test_nothing_there(void **state)
{
	struct list_dirs *dirs = *state;
	const struct rg_list_item *items;
	struct rg_lists *lists;
	size_t count;

	rmdir(dirs->approved);
	rmdir(dirs->blocked);
	rmdir(dirs->state);
	lists = load_lists(dirs);
	items = rg_lists_items(lists, &count);
	(void)items;
	assert_int_equal(count, 0);
	assert_int_equal(class_of(lists, "1.1.1.1"), NONE);
	assert_int_equal(class_of(lists, "::"), NONE);
	assert_true(rg_lists_next_expiry(lists) == 0);
	rg_lists_free(lists);
}

/* Loads what has one fault, which says so. The caller frees the lists. */
static struct rg_lists *load_faulty(const struct list_dirs *dirs, const char *named)
{
	struct rg_lists *lists = load_lists(dirs);

	if (!strstr(first_fault(lists), named))
		fail_msg("\"%s\" is not in: %s", named, first_fault(lists));
	return lists;
}

static void refuse_load(const struct list_dirs *dirs, const char *named)
{
	rg_lists_free(load_faulty(dirs, named));
}

/* A pipe must not hold the agent up, and what can't be read is not skipped in silence. */
static void test_odd_files(void **state)
{
	struct list_dirs *dirs = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s/odd.list", dirs->blocked);
	assert_int_equal(mkdir(path, 0755), 0);
	refuse_load(dirs, path);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
	refuse_load(dirs, path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/nonexistent/repgate", path), 0);
	refuse_load(dirs, path);
	assert_int_equal(unlink(path), 0);

	rmdir(dirs->approved);
	write_text(dirs->root, "approved.d", "1.1.1.1\n");
	refuse_load(dirs, dirs->approved);
}

static void test_max_entries(void **state)
{
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;

	dirs->paths.max_entries = 3;
	write_text(dirs->blocked, "b.list", "1.1.1.1\n2.2.2.2\n3.3.3.3\n");
	rg_lists_free(load_lists(dirs));
	write_text(dirs->blocked, "b.list", "1.1.1.1\n2.2.2.2\n3.3.3.3\n4.4.4.4\n");
	refuse_load(dirs, "b.list: with it the local lists have more than max_list = 3 entries");
	/* A range counts with what it takes. */
	write_text(dirs->blocked, "b.list", "1.1.1.1\n1.1.1.1-1.1.2.2\n");
	refuse_load(dirs, "b.list: with it");
	/* What comes behind it still has room. */
	write_text(dirs->blocked, "c.list", "4.4.4.4\n");
	lists = load_faulty(dirs, "b.list: with it");
	assert_int_equal(class_of(lists, "1.1.1.1"), NONE);
	assert_int_equal(class_of(lists, "4.4.4.4"), BLOCKED);
	rg_lists_free(lists);
}

/* An entry has 16 bits for its file. */
static void test_max_files(void **state)
{
	struct rg_addr addr = { .bytes = { [10] = 0xff, [11] = 0xff, 1, 1, 1, 1 } };
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;
	char path[160];

	for (unsigned int i = 0; i < UINT16_MAX - 2; i++) {
		snprintf(path, sizeof(path), "%05u.list", i);
		write_bytes(dirs->blocked, path, "", 0);
	}
	write_text(dirs->blocked, "65532.list", "1.1.1.1\n");
	lists = load_lists(dirs);
	snprintf(path, sizeof(path), "%s/65532.list", dirs->blocked);
	assert_string_equal(rg_lists_source(lists, rg_lists_find(lists, &addr, rg_now())->source),
			    path);
	rg_lists_free(lists);
	write_text(dirs->blocked, "65533.list", "");
	refuse_load(dirs, "65533.list: more than 65534 list files");
}

/* And 32 for the line: a file that might have more lines is refused. */
static void test_max_size(void **state)
{
	struct list_dirs *dirs = *state;
	char path[160];

	write_text(dirs->blocked, "b.list", "1.1.1.1\n");
	snprintf(path, sizeof(path), "%s/b.list", dirs->blocked);
	if (truncate(path, 1LL << 32))
		skip();
	refuse_load(dirs, "b.list: larger than 4 GiB");
}

/* ---- approved always wins: random lists against the model ---- */

struct model_entry {
	u128 first, last;
	enum rg_class peer_class;
};

struct model {
	struct model_entry entries[MODEL_ENTRIES];
	unsigned int count;
};

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static struct rg_addr to_addr(u128 number)
{
	struct rg_addr addr;

	for (int i = 15; i >= 0; i--, number >>= 8)
		addr.bytes[i] = (uint8_t)number;
	return addr;
}

static void show(u128 number, bool v4, char text[INET6_ADDRSTRLEN])
{
	struct rg_addr addr = to_addr(number);

	inet_ntop(v4 ? AF_INET : AF_INET6, addr.bytes + (v4 ? 12 : 0), text, INET6_ADDRSTRLEN);
}

/* Near each other, so that entries overlap; sometimes anywhere. */
static u128 random_address(bool v4, uint64_t *seed)
{
	uint64_t random = next_random(seed);

	if (v4)
		return V4_BASE |
		       (random % 16 ? 0x0a000000 | (random >> 8 & 0x3ff) : (uint32_t)(random >> 8));
	return random % 16 ? V6_BASE | (random >> 8 & 0x3ff) :
			     (u128)next_random(seed) << 64 | next_random(seed);
}

/* One line of text, and what it means. */
static void random_line(FILE *out, struct model_entry *entry, uint64_t *seed)
{
	static const char *const ends[] = { " force\n", " force\r\n", " force # x\n",
					    " until=4102444800 force\n" };
	uint64_t random = next_random(seed);
	bool v4 = random % 3;
	unsigned int bits = v4 ? 32 : 128, len = bits;
	u128 a = random_address(v4, seed), b = random_address(v4, seed);
	char first[INET6_ADDRSTRLEN], last[INET6_ADDRSTRLEN];

	entry->first = a < b ? a : b;
	entry->last = a < b ? b : a;
	show(entry->first, v4, first);
	show(entry->last, v4, last);
	if (random >> 8 & 1) {
		fprintf(out, "%s-%s%s", first, last, ends[random >> 32 & 3]);
		return;
	}
	len = random >> 9 & 7 ? bits - (random >> 12) % 11 : (random >> 12) % (bits + 1);
	fprintf(out, "%s/%u%s", first, len, ends[random >> 32 & 3]);
	a = bits == len ? 0 : len ? ((u128)1 << (bits - len)) - 1 : v4 ? UINT32_MAX : ~(u128)0;
	entry->last = entry->first | a;
	entry->first &= ~a;
}

static void random_file(const char *dir, enum rg_class peer_class, struct model *model, uint64_t *seed)
{
	unsigned int lines = next_random(seed) % (MODEL_ENTRIES / 2 + 1);
	char path[160];
	FILE *out;

	snprintf(path, sizeof(path), "%s/random.list", dir);
	out = fopen(path, "w");
	assert_non_null(out);
	while (lines--) {
		struct model_entry *entry = &model->entries[model->count++];

		random_line(out, entry, seed);
		entry->peer_class = peer_class;
	}
	fclose(out);
}

static bool holds(const struct model_entry *entry, u128 number)
{
	bool v4 = number >> 32 == 0xffff, v4_entry = entry->first >> 32 == 0xffff;

	return v4 == v4_entry && entry->first <= number && number <= entry->last;
}

static enum rg_class model_class(const struct model *model, u128 number)
{
	enum rg_class peer_class = RG_CLASS_NONE;

	for (unsigned int i = 0; i < model->count; i++) {
		if (!holds(&model->entries[i], number))
			continue;
		if (model->entries[i].peer_class == RG_CLASS_APPROVED)
			return RG_CLASS_APPROVED;
		peer_class = RG_CLASS_BLOCKED;
	}
	return peer_class;
}

static bool covers(const struct rg_list_item *item, const struct rg_addr *addr)
{
	const struct rg_prefix prefix = rg_list_item_prefix(item);

	return rg_prefix_covers(&prefix, addr);
}

/* What the kernel's trie would answer: the longest item around the address. */
static enum rg_class trie_class(const struct rg_lists *lists, const struct rg_addr *addr)
{
	const struct rg_list_item *items, *best = NULL;
	size_t count;

	items = rg_lists_items(lists, &count);
	for (size_t i = 0; i < count; i++)
		if (covers(&items[i], addr) && (!best || items[i].len > best->len))
			best = &items[i];
	return best ? best->peer_class : RG_CLASS_NONE;
}

/* Sorted, no prefix twice, no host bits: a trie takes each as it is. */
static void check_items(const struct rg_lists *lists)
{
	const struct rg_list_item *items;
	struct rg_addr reached = {}; /* the last address of those so far */
	size_t count;

	items = rg_lists_items(lists, &count);
	for (size_t i = 0; i < count; i++) {
		struct rg_prefix prefix = rg_list_item_prefix(&items[i]), masked = prefix, before;
		struct rg_addr last = rg_prefix_last(&prefix);

		rg_prefix_mask(&masked);
		assert_memory_equal(&masked, &prefix, sizeof(masked));
		assert_true(items[i].line > 0);
		assert_int_equal(items[i].nested, i && rg_addr_compare(&prefix.addr, &reached) <= 0);
		if (rg_addr_compare(&reached, &last) < 0)
			reached = last;
		if (!i)
			continue;
		before = rg_list_item_prefix(&items[i - 1]);
		assert_true(rg_prefix_compare(&before, &prefix) < 0);
	}
}

static void check_probe(const struct rg_lists *lists, const struct model *model, u128 number)
{
	struct rg_addr addr = to_addr(number);
	enum rg_class want = model_class(model, number);
	char text[RG_ADDR_TEXT];

	if (class_at(lists, &addr, rg_now()) != want)
		fail_msg("find: %s is not %d", rg_addr_format(&addr, text), want);
	if (trie_class(lists, &addr) != want)
		fail_msg("trie: %s is not %d", rg_addr_format(&addr, text), want);
}

static void test_against_model(void **state)
{
	struct list_dirs *dirs = *state;
	uint64_t seed = 0x115715eed;

	for (int round = 0; round < ROUNDS; round++) {
		struct model model = {};
		struct rg_lists *lists;

		random_file(dirs->approved, RG_CLASS_APPROVED, &model, &seed);
		random_file(dirs->blocked, RG_CLASS_BLOCKED, &model, &seed);
		lists = load_lists(dirs);
		check_items(lists);
		for (int i = 0; i < PROBES; i++)
			check_probe(lists, &model, random_address(i % 3, &seed));
		for (unsigned int i = 0; i < model.count; i++) {
			check_probe(lists, &model, model.entries[i].first);
			check_probe(lists, &model, model.entries[i].last);
			check_probe(lists, &model, model.entries[i].first - 1);
			check_probe(lists, &model, model.entries[i].last + 1);
		}
		rg_lists_free(lists);
	}
}

/* ---- the quick way ---- */

/* What may stand in a line; the first are those that plain lines are made of. */
static const char *const pieces[] = {
	"192.0.2.1",
	"10.1.2.3/8",
	"255.255.255.255",
	"2001:db8::1",
	"2001:db8:1:2:3:4:5:6/64",
	"::/0",
	"::ffff:0:0",
	"::fffe:ffff:ffff/80",
	"::1.2.3.4",
	"1.2.3.4/33",
	"1.2.3.04",
	"1.2.3",
	"1::2::3",
	"1.1.1.1-1.1.1.9",
	"::1-::9",
	"DE",
	"#",
	" # x",
	" ",
	"\t",
	"\r",
	"\v",
	";",
	"/",
	"-",
	".",
	":",
	"0",
	" force",
	"until=4102444800",
	" until=1",
};

static size_t random_line_of_pieces(char *line, uint64_t *seed)
{
	size_t len = 0;

	for (uint64_t count = 1 + next_random(seed) % 3; count; count--) {
		uint64_t random = next_random(seed);
		const char *piece = pieces[random % (count == 1 ? 10 : ARRAY_SIZE(pieces))];

		memcpy(line + len, piece, strlen(piece));
		len += strlen(piece);
	}
	if (next_random(seed) % 8 == 0)
		line[next_random(seed) % len] = (char)next_random(seed);
	return len;
}

/* One file's worth; the error is "" if there was none. The caller frees lists, which may be NULL. */
static struct rg_lists *load_line(const struct list_dirs *dirs, const char *line, size_t len,
				  struct rg_error *error)
{
	struct rg_lists *lists = NULL;

	write_bytes(dirs->blocked, "b.list", line, len);
	assert_int_equal(rg_lists_load(&lists, &dirs->paths), 0);
	snprintf(error->text, sizeof(error->text), "%s", first_fault(lists));
	return lists;
}

static void assert_same_lists(const struct rg_lists *a, const struct rg_lists *b, const char *line)
{
	size_t a_count, b_count;
	const struct rg_list_item *x = rg_lists_items(a, &a_count), *y = rg_lists_items(b, &b_count);

	if (a_count != b_count || rg_lists_written(a) != rg_lists_written(b) ||
	    !rg_lists_same_countries(a, b))
		fail_msg("not the same: %s", line);
	for (size_t i = 0; i < a_count; i++) {
		const struct rg_prefix p = rg_list_item_prefix(&x[i]), q = rg_list_item_prefix(&y[i]);

		if (rg_prefix_compare(&p, &q) || x[i].line != y[i].line ||
		    x[i].peer_class != y[i].peer_class || x[i].nested != y[i].nested ||
		    rg_list_item_until(&x[i]) != rg_list_item_until(&y[i]))
			fail_msg("not the same: %s", line);
	}
}

/* A blank in front means nothing, but is not for the quick way: both say the same of any line. */
static void test_quick_and_exact(void **state)
{
	struct list_dirs *dirs = *state;
	uint64_t seed = 0x9a1c5;

	for (int round = 0; round < 6000; round++) {
		static const char *const ends[] = { "", "\n", "\r\n", "\n\n1.1.1.1\n" };
		const char *end = ends[next_random(&seed) % 4];
		struct rg_error quick_error, exact_error;
		struct rg_lists *quick, *exact;
		char line[256] = " ";
		size_t len = 1 + random_line_of_pieces(line + 1, &seed);

		memcpy(line + len, end, strlen(end));
		len += strlen(end);
		quick = load_line(dirs, line + 1, len - 1, &quick_error);
		exact = load_line(dirs, line, len, &exact_error);
		assert_string_equal(quick_error.text, exact_error.text);
		if (quick && exact)
			assert_same_lists(quick, exact, line);
		rg_lists_free(quick);
		rg_lists_free(exact);
	}
}

/* ---- size and garbage ---- */

static void test_huge_line(void **state)
{
	struct list_dirs *dirs = *state;
	size_t size = 4 << 20;
	char *text = malloc(size);
	struct rg_lists *lists;

	assert_non_null(text);
	memset(text, '1', size);
	write_bytes(dirs->blocked, "b.list", text, size);
	refuse_load(dirs, "b.list:1: \"1111");
	memset(text, ' ', size);
	memcpy(text + size - 8, "\n1.1.1.1", 8);
	write_bytes(dirs->blocked, "b.list", text, size);
	lists = load_lists(dirs);
	assert_int_equal(class_of(lists, "1.1.1.1"), BLOCKED);
	rg_lists_free(lists);
	text[0] = '#';
	write_bytes(dirs->blocked, "b.list", text, size);
	lists = load_lists(dirs);
	assert_int_equal(class_of(lists, "1.1.1.1"), BLOCKED);
	rg_lists_free(lists);
	free(text);
}

/* Bytes of any kind; also good lines with a few bytes changed. Only ASan and UBSan judge. */
static void test_garbage(void **state)
{
	static const char good[] = "1.1.1.1\n2.2.2.0/24 until=4102444800\r\n3.3.3.3 - 4.4.4.4 # x\n"
				   "2001:db8::/32\n::1-::9\nDE\n\n";
	struct list_dirs *dirs = *state;
	uint64_t seed = 0x6a5ba6e;

	for (int round = 0; round < 3000; round++) {
		struct rg_lists *lists = NULL;
		char bytes[512];
		size_t len = next_random(&seed) % sizeof(bytes);

		if (round % 2)
			for (size_t i = 0; i < len; i++)
				bytes[i] = (char)next_random(&seed);
		else
			len = sizeof(good) - 1;
		if (!(round % 2))
			memcpy(bytes, good, len);
		for (int i = 0; len && !(round % 2) && i < 3; i++)
			bytes[next_random(&seed) % len] = (char)next_random(&seed);
		write_bytes(dirs->blocked, "b.list", bytes, len);
		assert_int_equal(rg_lists_load(&lists, &dirs->paths), 0);
		check_items(lists);
		rg_lists_free(lists);
	}
	/* A page exactly, without a newline: nothing may be read behind the mapping. */
	for (int i = 0; i < 2; i++) {
		static char page[4096];

		memset(page, '#', sizeof(page));
		memcpy(page + sizeof(page) - 8, i ? "\n1.1.1.1" : "\n\t1.1.1.", 8);
		write_bytes(dirs->blocked, "b.list", page, sizeof(page));
		if (i)
			rg_lists_free(load_lists(dirs));
		else
			refuse_load(dirs, "b.list:2");
	}
}

/* Enough for all ways of sorting: both families, what is sorted already, what is all the same. */
static void test_sorting(void **state)
{
	struct list_dirs *dirs = *state;
	uint64_t seed = 0x50a7;

	for (int round = 0; round < 24; round++) {
		uint32_t mask = round % 4 ? (uint32_t)next_random(&seed) : UINT32_MAX;
		char path[160], text[INET6_ADDRSTRLEN];
		struct rg_lists *lists;
		FILE *out;

		snprintf(path, sizeof(path), "%s/many.list", dirs->blocked);
		out = fopen(path, "w");
		assert_non_null(out);
		for (uint32_t i = 0; i < 5000; i++) {
			uint32_t low = (round % 3 ? (uint32_t)next_random(&seed) : i) & mask;
			bool v4 = round % 2 || next_random(&seed) % 2;

			show(v4 ? V4_BASE | low : V6_BASE | (u128)low << (round % 5 * 16), v4, text);
			fprintf(out, "%s/%u\n", text, (v4 ? 32 : 128) - (unsigned int)(i % 7 == 0));
		}
		fclose(out);
		lists = load_lists(dirs);
		check_items(lists);
		rg_lists_free(lists);
	}
}

static void test_many_lines(void **state)
{
	enum { LINES = 200000 };
	struct list_dirs *dirs = *state;
	struct rg_lists *lists;
	char path[160];
	size_t count;
	FILE *out;

	snprintf(path, sizeof(path), "%s/many.list", dirs->blocked);
	out = fopen(path, "w");
	assert_non_null(out);
	for (unsigned int i = 0; i < LINES; i++) /* every other address, in no order */
		fprintf(out, "10.%u.%u.%u\n", (i * 7919 % LINES) >> 15,
			(i * 7919 % LINES) >> 7 & 255, (i * 7919 % LINES) << 1 & 255);
	fclose(out);
	write_text(dirs->approved, "a.list", "10.0.128.0/17\n");
	lists = load_lists(dirs);
	check_items(lists);
	rg_lists_items(lists, &count);
	assert_int_equal(count, LINES - (1 << 14) + 1);
	assert_int_equal(class_of(lists, "10.0.0.2"), BLOCKED);
	assert_int_equal(class_of(lists, "10.0.0.3"), NONE);
	assert_int_equal(class_of(lists, "10.0.128.2"), APPROVED);
	assert_int_equal(class_of(lists, "10.1.0.2"), BLOCKED);
	rg_lists_free(lists);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, list_dirs_set_up, list_dirs_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_formats),	    TEST(test_mistakes),
		TEST(test_until),	    TEST(test_until_and_for_good),
		TEST(test_nested_ends),	    TEST(test_uncovered),
		TEST(test_same_ends),	    TEST(test_each_its_own),
		TEST(test_waiting),	    TEST(test_clock_set),
		TEST(test_until_far),	    TEST(test_countries),
		TEST(test_countries_end),   TEST(test_every_country),
		TEST(test_sources),	    TEST(test_first_of_equals),
		TEST(test_nothing_there),   TEST(test_odd_files),
		TEST(test_max_entries),	    TEST(test_max_files),
		TEST(test_max_size),	    TEST(test_against_model),
		TEST(test_quick_and_exact), TEST(test_huge_line),
		TEST(test_garbage),	    TEST(test_sorting),
		TEST(test_many_lines),
	};

	return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
