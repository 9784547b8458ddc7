/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/addr.h"
#include "proto/reply.h"

#define V4 "192.0.2.99"
#define LONGEST "2001:db8:1111:2222:3333:4444:5555:6666"
#define URL "https://lists.example/q?ip=%a&s=%20x"

static struct rg_addr addr(const char *text)
{
	struct rg_addr ret;

	if (rg_addr_parse(text, strlen(text), &ret))
		fail_msg("not an address: %s", text);
	return ret;
}

/*
 * RFC 5321, 4.2: Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF,
 * Reply-code = %x32-35 %x30-35 %x30-39; 4.5.3.1.5: 512 octets; no control characters, by our own rule.
 * RFC 2034, 3: the same enhanced code on each line, of the code's class. Returns the lines.
 */
static unsigned int must_be_refusal(const char *reply, size_t len, const char *code)
{
	size_t enhanced = strcspn(reply + 4, " ");
	const char *line = reply, *end;
	unsigned int lines = 0;
	bool last = false;

	assert_int_equal(strlen(reply), len);
	for (; !last; line = end + 2, lines++) {
		end = strstr(line, "\r\n");
		if (!end || end + 2 - line > 512 || end - line < 10)
			fail_msg("not a reply: %s", reply);
		for (const char *at = line; at < end; at++)
			if (*at < 0x20 || *at > 0x7e)
				fail_msg("0x%02x in: %s", (unsigned char)*at, reply);
		assert_memory_equal(line, code, 3);
		assert_memory_equal(line + 4, reply + 4, enhanced + 1);
		assert_true(line[3] == ' ' || line[3] == '-');
		last = line[3] == ' ';
	}
	assert_int_equal(line - reply, len);
	assert_int_equal(reply[4], reply[0]);
	assert_true(lines <= RG_REPLY_LINES + 1);
	return lines;
}

/* ---- templates that are right, and what is sent ---- */

static const struct {
	bool permanent;
	const char *text, *url, *addr;
	unsigned int code;
	const char *reply;
} good[] = {
	{ false, "450 4.7.1 Try again later", "", V4, 0, "450 4.7.1 Try again later\r\n" },
	{ false, "451 4.7.1 Try again later", "", V4, 0, "451 4.7.1 Try again later\r\n" },
	{ true, "550 5.7.1 No", "", V4, 0, "550 5.7.1 No\r\n" },
	{ true, "554 5.7.1 No", "", V4, 0, "554 5.7.1 No\r\n" },
	{ false, "450 4.7.1 %a", "", V4, 0, "450 4.7.1 192.0.2.99\r\n" },
	{ false, "450 4.7.1 %a", "", "::ffff:192.0.2.99", 0, "450 4.7.1 192.0.2.99\r\n" },
	{ false, "450 4.7.1 %a", "", "2001:DB8::1", 0, "450 4.7.1 2001:db8::1\r\n" },
	{ false, "450 4.7.1 by %z, %a", "", V4, 0, "450 4.7.1 by spamhaus, 192.0.2.99\r\n" },
	{ true, "550 5.7.1 %a is listed by %z, see %u", "https://check.example/?query=%a", V4, 0,
	  "550 5.7.1 192.0.2.99 is listed by spamhaus, see https://check.example/?query=192.0.2.99\r\n" },
	{ true, "550 5.7.1 %u%u", URL, "2001:db8::1", 0,
	  "550 5.7.1 https://lists.example/q?ip=2001:db8::1&s=%20x"
	  "https://lists.example/q?ip=2001:db8::1&s=%20x\r\n" },
	{ true, "550 5.7.1 %u", "https://x.example/%3Fz%7E", V4, 0,
	  "550 5.7.1 https://x.example/%3Fz%7E\r\n" },
	{ true, "550 5.7.1 100%%, %%a, %%%a", "", V4, 0, "550 5.7.1 100%, %a, %192.0.2.99\r\n" },
	{ true, "550 5.7.1 %%%%", "", V4, 0, "550 5.7.1 %%\r\n" },
	{ true, "550 5.7.1 a\nb", "", V4, 0, "550-5.7.1 a\r\n550 5.7.1 b\r\n" },
	{ true, "550 5.7.1 %a\n%z\n%%", "", V4, 0,
	  "550-5.7.1 192.0.2.99\r\n550-5.7.1 spamhaus\r\n550 5.7.1 %\r\n" },
	/* RFC 3463, 2: one to three digits, no leading zero */
	{ true, "550 5.0.0 x", "", V4, 0, "550 5.0.0 x\r\n" },
	{ true, "550 5.999.123 x", "", V4, 0, "550 5.999.123 x\r\n" },
	{ true, "550 5.7.10 x", "", V4, 0, "550 5.7.10 x\r\n" },
	{ true, "550 5.7.1   x ~", "", V4, 0, "550 5.7.1   x ~\r\n" },
	/* another code: in the greeting */
	{ false, "450 4.7.1 %a\nb", "", V4, 421, "421-4.7.1 192.0.2.99\r\n421 4.7.1 b\r\n" },
	{ true, "550 5.7.1 %a\nb", "", V4, 554, "554-5.7.1 192.0.2.99\r\n554 5.7.1 b\r\n" },
	{ true, "550 5.7.1 1\n2\n3\n4\n5\n6\n7\n8", "", V4, 0,
	  "550-5.7.1 1\r\n550-5.7.1 2\r\n550-5.7.1 3\r\n550-5.7.1 4\r\n550-5.7.1 5\r\n550-5.7.1 6\r\n"
	  "550-5.7.1 7\r\n550 5.7.1 8\r\n" },
	/* the default of the zone of kind standard */
	{ true, "550 5.7.1 Mail from %a blocked using Trend Micro Email Reputation Services, see %u",
	  "https://ers.example/lookup?%a", V4, 0,
	  "550 5.7.1 Mail from 192.0.2.99 blocked using Trend Micro Email Reputation Services, see "
	  "https://ers.example/lookup?192.0.2.99\r\n" },
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct rg_refusal refusal = { good[i].text, "spamhaus", good[i].url,
					      .permanent = good[i].permanent };
		struct rg_addr peer = addr(good[i].addr);
		struct rg_error error = {};
		char reply[RG_REPLY_SIZE];
		size_t len;

		if (rg_reply_check(&refusal, &error))
			fail_msg("\"%s\": %s", good[i].text, error.text);
		len = rg_reply_render(&refusal, &peer, good[i].code, reply);
		assert_string_equal(reply, good[i].reply);
		must_be_refusal(reply, len, good[i].reply);
	}
}

/* ---- templates that are refused, and what is said ---- */

static const struct {
	bool permanent;
	const char *text, *alias, *url;
	const char *says; /* part of the message */
} bad[] = {
	{ true, "", "z", "", "begins with a code" },
	{ true, "5", "z", "", "begins with a code" },
	{ true, "550", "z", "", "begins with a code" },
	{ true, "5500 5.7.1 x", "z", "", "begins with a code" },
	{ true, " 550 5.7.1 x", "z", "", "begins with a code" },
	{ true, "550-5.7.1 x", "z", "", "begins with a code" },
	{ true, "No mail", "z", "", "begins with a code, as \"550 5.7.1" },
	{ false, "No mail", "z", "", "begins with a code, as \"450 4.7.1" },

	{ true, "450 4.7.1 x", "z", "", "code 450 is not 550 or 554" },
	{ true, "551 5.7.1 x", "z", "", "code 551 is not" },
	{ true, "553 5.7.1 x", "z", "", "code 553 is not" },
	{ true, "250 2.0.0 Ok", "z", "", "code 250 is not" },
	{ true, "354 5.7.1 Go on", "z", "", "code 354 is not" },
	{ true, "521 5.7.1 x", "z", "", "code 521 is not" },
	{ false, "550 5.7.1 x", "z", "", "code 550 is not 450 or 451" },
	{ false, "421 4.7.1 x", "z", "", "code 421 is not" },
	{ false, "452 4.7.1 x", "z", "", "code 452 is not" },
	{ false, "250 2.7.1 x", "z", "", "code 250 is not" },

	{ true, "550 ", "z", "", "enhanced code (RFC 3463) is missing" },
	{ true, "550 x", "z", "", "enhanced code (RFC 3463) is missing, as 5.7.1" },
	{ false, "450 x", "z", "", "enhanced code (RFC 3463) is missing, as 4.7.1" },
	{ true, "550 5", "z", "", "is missing" },
	{ true, "550 5.", "z", "", "is missing" },
	{ true, "550 5.7", "z", "", "is missing" },
	{ true, "550 5.7. x", "z", "", "is missing" },
	{ true, "550 5..1 x", "z", "", "is missing" },
	{ true, "550 5.7.1", "z", "", "line 1 of the reply has no text" },
	{ true, "550 5.7.1x", "z", "", "is missing" },
	{ true, "550 5.7.1.1 x", "z", "", "is missing" },
	{ true, "550 5.07.1 x", "z", "", "is missing" },
	{ true, "550 5.7.01 x", "z", "", "is missing" },
	{ true, "550 5.7.1000 x", "z", "", "is missing" },
	{ true, "550 5.1000.1 x", "z", "", "is missing" },
	{ true, "550 3.7.1 x", "z", "", "is missing" },
	{ true, "550 55.7.1 x", "z", "", "is missing" },
	{ true, "550  5.7.1 x", "z", "", "is missing" },
	{ true, "550 4.7.1 x", "z", "", "4.7.1 is of another class than code 550" },
	{ true, "550 2.7.1 x", "z", "", "2.7.1 is of another class" },
	{ false, "450 5.7.1 x", "z", "", "5.7.1 is of another class than code 450" },

	{ true, "550 5.7.1 ", "z", "", "line 1 of the reply has no text" },
	{ true, "550 5.7.1   ", "z", "", "line 1 of the reply has no text" },
	{ true, "550 5.7.1\nx", "z", "", "line 1 of the reply has no text" },
	{ true, "550 5.7.1 \nx", "z", "", "line 1 of the reply has no text" },
	{ true, "550 5.7.1 x\n", "z", "", "line 2 of the reply has no text" },
	{ true, "550 5.7.1 x\n\ny", "z", "", "line 2 of the reply has no text" },
	{ true, "550 5.7.1 x\ny\n  \nz", "z", "", "line 3 of the reply has no text" },
	{ true, "550 5.7.1 1\n2\n3\n4\n5\n6\n7\n8\n9", "z", "", "more than 8 lines" },
	{ true, "550 5.7.1 1\n2\n3\n4\n5\n6\n7\n8\n", "z", "", "more than 8 lines" },

	{ true, "550 5.7.1 %x", "z", "", "unknown sequence %x" },
	{ true, "550 5.7.1 %A", "z", "", "unknown sequence %A" },
	{ true, "550 5.7.1 %s%n", "z", "", "unknown sequence %s" },
	{ true, "550 5.7.1 100% sure", "z", "", "unknown sequence % " },
	{ true, "550 5.7.1 %%%d", "z", "", "unknown sequence %d" },
	{ true, "550 5.7.1 100%", "z", "", "single % ends a line" },
	{ true, "550 5.7.1 %%%", "z", "", "single % ends a line" },
	{ true, "550 5.7.1 100%\nx", "z", "", "single % ends a line" },
	{ true, "550 5.7.1 see %u", "z", "", "%u, but there is no url" },
	{ true, "550 5.7.1 %a %z %u", "z", "", "%u, but there is no url" },

	{ true, "550 5.7.1 a\rb", "z", "", "reply has the control character 0x0d at octet 12" },
	{ true, "550 5.7.1 a\r\nb", "z", "", "reply has the control character 0x0d" },
	{ true, "550 5.7.1 a\tb", "z", "", "reply has the control character 0x09" },
	{ true, "550 5.7.1 \x1b[31m", "z", "", "reply has the control character 0x1b at octet 11" },
	{ true, "550 5.7.1 \x7f", "z", "", "reply has the control character 0x7f" },
	{ true, "550 5.7.1 \x01", "z", "", "reply has the control character 0x01" },
	{ true,
	  "550 5.7.1 Gr\xc3\xbc\xc3\x9f"
	  "e",
	  "z", "", "reply has the non-ASCII octet 0xc3 at octet 13" },
	{ true, "550 5.7.1 \x80", "z", "", "reply has the non-ASCII octet 0x80" },
	{ true, "550 5.7.1 \xff", "z", "", "reply has the non-ASCII octet 0xff" },
	{ true, "550 5.7.1 %z", "z\n", "", "alias has the control character 0x0a at octet 2" },
	{ true, "550 5.7.1 %z", "z\xe9", "", "alias has the non-ASCII octet 0xe9" },
	{ true, "550 5.7.1 %u", "z", "http://x/\r\n250 ", "url has the control character 0x0d" },
	{ true, "550 5.7.1 %u", "z", "http://x/\n", "url has the control character 0x0a" },
	{ true, "550 5.7.1 %u", "z", "http://\xc3\xa4/", "url has the non-ASCII octet 0xc3" },
	{ true, "550 5.7.1 %u", "z", "http://x/ y", "url has a space" },
	{ true, "550 5.7.1 %u", "z", "http://x/%z", "unknown sequence %z in the url" },
	{ true, "550 5.7.1 %u", "z", "http://x/%%", "unknown sequence %% in the url" },
	{ true, "550 5.7.1 %u", "z", "http://x/%", "unknown sequence % in the url" },
	{ true, "550 5.7.1 %u", "z", "http://x/%2", "unknown sequence %2 in the url" },
	{ true, "550 5.7.1 %u", "z", "http://x/%2g", "unknown sequence %2 in the url" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rg_refusal refusal = { bad[i].text, bad[i].alias, bad[i].url,
					      .permanent = bad[i].permanent };
		struct rg_addr peer = addr(LONGEST);
		struct rg_error error = {};
		char reply[RG_REPLY_SIZE];

		if (rg_reply_check(&refusal, &error) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i].text);
		assert_int_equal(rg_reply_check(&refusal, NULL), -EINVAL);
		if (!strstr(error.text, bad[i].says))
			fail_msg("\"%s\": \"%s\" is not in: %s", bad[i].text, bad[i].says,
				 error.text);
		for (const char *at = error.text; *at; at++)
			assert_in_range(*at, 0x20, 0x7e);
		/* Sent in spite of that it must refuse, and be a reply. */
		must_be_refusal(reply, rg_reply_render(&refusal, &peer, 0, reply), reply);
		assert_int_equal(reply[0], bad[i].permanent ? '5' : '4');
	}
}

/* ---- lengths ---- */

/* A template whose line has room octets for text when all is filled in, made of fill first. */
static void long_template(char *out, size_t size, const char *head, const char *fill, size_t pad)
{
	size_t len = (size_t)snprintf(out, size, "%s%s", head, fill);

	assert_true(len + pad < size);
	memset(out + len, 'x', pad);
	out[len + pad] = '\0';
}

static const struct {
	const char *head; /* codes and whole lines before the long one */
	const char *fill;
	size_t filled; /* octets of fill with the longest address, 39 */
	unsigned int line;
} lengths[] = {
	{ "550 5.7.1 ", "", 0, 1 },
	{ "550 5.7.1 ", "%a", 39, 1 },
	{ "550 5.7.1 ", "%a%a%a", 117, 1 },
	{ "550 5.7.1 ", "%z", 8, 1 },
	{ "550 5.7.1 ", "%%", 1, 1 },
	/* "https://lists.example/q?ip=%a&s=%20x": 34 octets beside the address */
	{ "550 5.7.1 ", "%u", 34 + 39, 1 },
	{ "550 5.7.1 ", "%u%u%a", 34 + 39 + 34 + 39 + 39, 1 },
	{ "550 5.7.1 short\n", "%u", 34 + 39, 2 },
};

static void test_lengths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t room = 512 - strlen("550 5.7.1 \r\n") - lengths[i].filled;
		struct rg_addr peer = addr(LONGEST);
		struct rg_error error = {};
		char text[1024], reply[RG_REPLY_SIZE], said[64];
		struct rg_refusal refusal = { text, "spamhaus", URL, .permanent = true };

		long_template(text, sizeof(text), lengths[i].head, lengths[i].fill, room);
		if (rg_reply_check(&refusal, &error))
			fail_msg("row %zu: %s", i, error.text);
		must_be_refusal(reply, rg_reply_render(&refusal, &peer, 0, reply), "550");

		/* One octet more: refused, and cut if it is sent all the same. */
		long_template(text, sizeof(text), lengths[i].head, lengths[i].fill, room + 1);
		if (rg_reply_check(&refusal, &error) != -EINVAL)
			fail_msg("row %zu: 513 octets were taken", i);
		snprintf(said, sizeof(said), "line %u of the reply has 513 octets", lengths[i].line);
		if (!strstr(error.text, said))
			fail_msg("row %zu: %s", i, error.text);
		must_be_refusal(reply, rg_reply_render(&refusal, &peer, 0, reply), "550");
	}
}

static void test_longest_address_fills_the_line(void **state)
{
	struct rg_addr peer = addr("fff0:fff1:fff2:fff3:fff4:fff5:fff6:fff7");
	char text[1024], reply[RG_REPLY_SIZE];
	struct rg_refusal refusal = { text, "z", "", .permanent = true };

	(void)state;
	long_template(text, sizeof(text), "550 5.7.1 ", "%a", 512 - 12 - 39);
	assert_int_equal(rg_reply_check(&refusal, NULL), 0);
	assert_int_equal(rg_reply_render(&refusal, &peer, 0, reply), 512);
	must_be_refusal(reply, 512, "550");
	/* The enhanced code counts too. */
	long_template(text, sizeof(text), "550 5.999.999 ", "%a", 512 - 16 - 39);
	assert_int_equal(rg_reply_check(&refusal, NULL), 0);
	long_template(text, sizeof(text), "550 5.999.999 ", "%a", 512 - 15 - 39);
	assert_int_equal(rg_reply_check(&refusal, NULL), -EINVAL);
}

static void test_largest_reply(void **state)
{
	struct rg_addr peer = addr(LONGEST);
	char text[RG_REPLY_SIZE] = "550 5.7.1 ", *out = text + 10, reply[RG_REPLY_SIZE];
	struct rg_refusal refusal = { text, "z", "", .permanent = true };

	(void)state;
	for (int i = 0; i < RG_REPLY_LINES; i++) {
		if (i)
			*out++ = '\n';
		memset(out, 'y', 500);
		out += 500;
	}
	*out = '\0';
	assert_int_equal(rg_reply_check(&refusal, NULL), 0);
	assert_int_equal(rg_reply_render(&refusal, &peer, 0, reply), RG_REPLY_LINES * 512);
	assert_int_equal(must_be_refusal(reply, RG_REPLY_LINES * 512, "550"), RG_REPLY_LINES);
	/* And a line more, which names what is listed. */
	refusal.listed[0] = refusal.listed[1] = peer;
	refusal.network = (struct rg_prefix){ .len = RG_ADDR_BITS - 1, .addr = peer };
	assert_int_equal(must_be_refusal(reply, rg_reply_render(&refusal, &peer, 0, reply), "550"),
			 RG_REPLY_LINES + 1);
}

/* Other addresses than the peer's are listed: the reply names them, and the URL has the first. */
static void test_listed_neighbours(void **state)
{
	struct rg_addr peer = addr("2001:db8:5::99");
	char reply[RG_REPLY_SIZE], listed[RG_REPLY_LISTED_TEXT];
	struct rg_refusal refusal = { "550 5.7.1 %a refused by %z, see %u", "rbl",
				      "https://rbl.test/?ip=%a", .permanent = true };

	(void)state;
	assert_string_equal(rg_reply_listed(&refusal, listed), "");
	refusal.listed[0] = addr("2001:db8:5::26");
	refusal.listed[1] = addr("2001:db8:5::25");
	refusal.network = (struct rg_prefix){ .len = 64, .addr = addr("2001:db8:5::") };
	rg_reply_render(&refusal, &peer, 0, reply);
	assert_string_equal(
		reply,
		"550-5.7.1 2001:db8:5::99 refused by rbl, see https://rbl.test/?ip=2001:db8:5::26\r\n"
		"550 5.7.1 2001:db8:5::26 and 2001:db8:5::25 of 2001:db8:5::/64 are listed\r\n");
}

/* ---- random templates: what check takes is sent whole, what it does not is safe ---- */

static unsigned int next_random(unsigned int *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

static void random_template(unsigned int *seed, char out[1200])
{
	static const char *const parts[] = {
		"550 5.7.1 ", "450 4.7.1 ", "%a",
		"%z",	      "%u",	    "%%",
		"%",	      "\n",	    " ",
		"250 2.0.0 ", "5.7.1",	    "\r\n",
		"\xff",	      "some text ", "0123456789012345678901234567890123456789"
	};
	size_t len = 0;

	if (next_random(seed) % 8)
		len = (size_t)sprintf(out, "550 5.7.1 ");
	for (unsigned int i = next_random(seed) % 24; i; i--) {
		/* Mostly parts that are right, so that both results are met. */
		unsigned int pick = next_random(seed) % 16 ? 2 + next_random(seed) % 4 :
							     next_random(seed) % ARRAY_SIZE(parts);

		len += (size_t)sprintf(out + len, "%s",
				       next_random(seed) % 3 ? parts[pick] : "longer text ");
	}
	out[len] = '\0';
}

static void test_random(void **state)
{
	static const char *const peers[] = { V4, LONGEST, "::", "2001:db8::1" };
	unsigned int seed = 7, taken = 0, rounds = 20000;

	(void)state;
	for (unsigned int i = 0; i < rounds; i++) {
		struct rg_addr peer = addr(peers[i % ARRAY_SIZE(peers)]);
		char text[1200], reply[RG_REPLY_SIZE];
		struct rg_refusal refusal = { text, "spamhaus", URL, .permanent = true };
		unsigned int lines = 1;
		int err;

		random_template(&seed, text);
		err = rg_reply_check(&refusal, NULL);
		for (const char *at = text; !err && *at; at++)
			lines += *at == '\n';
		taken += !err;
		if (must_be_refusal(reply, rg_reply_render(&refusal, &peer, 550, reply), "550") !=
			    lines &&
		    !err)
			fail_msg("lines of \"%s\": %s", text, reply);
	}
	assert_in_range(taken, rounds / 10, rounds - rounds / 10);
}

/* ---- URLs ---- */

static const struct {
	const char *url, *addr;
	size_t size;
	const char *out;
} urls[] = {
	{ "https://x.example/?q=%a", V4, 64, "https://x.example/?q=192.0.2.99" },
	{ "https://x.example/?q=%a", "2001:db8::1", 64, "https://x.example/?q=2001:db8::1" },
	{ "%a%a", "::1", 64, "::1::1" },
	{ "%20%a%2F", V4, 64, "%20192.0.2.99%2F" },
	{ "", V4, 64, "" },
	{ "x%", V4, 64, "x%" },
	{ "x%z%u", V4, 64, "x%z%u" },
	{ "a%a", V4, 12, "a192.0.2.99" },
	{ "a%a", V4, 11, "a192.0.2.9" },
	{ "a%a", V4, 2, "a" },
	{ "a%a", V4, 1, "" },
};

static void test_urls(void **state)
{
	char out[64] = "untouched";
	struct rg_addr peer = addr(V4);

	(void)state;
	rg_reply_url("x", &peer, out, 0);
	assert_string_equal(out, "untouched");
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		peer = addr(urls[i].addr);
		memset(out, '#', sizeof(out));
		rg_reply_url(urls[i].url, &peer, out, urls[i].size);
		assert_string_equal(out, urls[i].out);
		for (size_t j = urls[i].size; j < sizeof(out); j++)
			assert_int_equal(out[j], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_longest_address_fills_the_line),
		cmocka_unit_test(test_largest_reply),
		cmocka_unit_test(test_listed_neighbours),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
