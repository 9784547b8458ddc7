/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times, rates and socket addresses as rows: text to value. */
#include "tests/unit/config/files.h"

#include "config/value.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void check_times(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t ms;
	} rows[] = {
		{ "0s", 0, 0 },
		{ "250ms", 0, 250 },
		{ "90s", 0, 90000 },
		{ "10m", 0, 600000 },
		{ "36h", 0, 129600000 },
		{ "2d", 0, 172800000 },
		{ "999999999s", 0, 999999999000 },
		{ "9999999999s", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "10", -EINVAL, 0 },
		{ "m", -EINVAL, 0 },
		{ "5 m", -EINVAL, 0 },
		{ "5mm", -EINVAL, 0 },
		{ "-5m", -EINVAL, 0 },
		{ "1.5m", -EINVAL, 0 },
	};
	char text[RG_VALUE_TIME_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t ms = 0;

		assert_int_equal(rg_value_parse_time(rows[i].text, &ms), rows[i].err);
		assert_int_equal(ms, rows[i].ms);
	}
	assert_string_equal(rg_value_format_time(0, text), "0s");
	assert_string_equal(rg_value_format_time(250, text), "250ms");
	assert_string_equal(rg_value_format_time(90000, text), "90s");
	assert_string_equal(rg_value_format_time(600000, text), "10m");
	assert_string_equal(rg_value_format_time(129600000, text), "36h");
	assert_string_equal(rg_value_format_time(172800000, text), "2d");
}

static void check_rates(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t token_time;
		uint32_t burst;
	} rows[] = {
		{ "60/min burst 5", 0, 1000000000, 5 },
		{ "4/s burst 1", 0, 250000000, 1 },
		{ "6/h burst 100000", 0, 600000000000, 100000 },
		{ "60/min burst 100001", -EINVAL, 0, 0 },
		{ "60/day burst 5", -EINVAL, 0, 0 },
		{ "60/m burst 5", -EINVAL, 0, 0 },
		{ "60/min", -EINVAL, 0, 0 },
		{ "0/min burst 5", -EINVAL, 0, 0 },
		{ "1/min burst 0", -EINVAL, 0, 0 },
		{ "1/min burst 5 ", -EINVAL, 0, 0 },
		{ " 1/min burst 5", -EINVAL, 0, 0 },
		{ "", -EINVAL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rg_rate rate = {};

		assert_int_equal(rg_value_parse_rate(rows[i].text, &rate), rows[i].err);
		if (rows[i].err)
			continue;
		assert_int_equal(rate.token_time, rows[i].token_time);
		assert_int_equal(rate.burst, rows[i].burst);
	}
}

static void check_endpoints(void **state)
{
	static const struct {
		const char *text;
		int family; /* 0: refused */
		const char *host;
		uint16_t port;
	} rows[] = {
		{ "127.0.0.1", AF_INET, "127.0.0.1", 53 },
		{ "127.0.0.1:5353", AF_INET, "127.0.0.1", 5353 },
		{ "::1", AF_INET6, "::1", 53 },
		{ "[::1]", AF_INET6, "::1", 53 },
		{ "[2001:db8::53]:65535", AF_INET6, "2001:db8::53", 65535 },
		{ "", 0, "", 0 },
		{ "localhost", 0, "", 0 },
		{ "127.0.0.1:", 0, "", 0 },
		{ "127.0.0.1:0", 0, "", 0 },
		{ "127.0.0.1:65536", 0, "", 0 },
		{ "127.0.0.1:+53", 0, "", 0 },
		{ "127.0.0.1:53x", 0, "", 0 },
		{ "[::1]53", 0, "", 0 },
		{ "[::1", 0, "", 0 },
		{ "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff:0000:1111:2222:3333:4444", 0, "", 0 },
	};
	char text[INET6_ADDRSTRLEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sockaddr_storage address;
		const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
		int err = rg_value_parse_endpoint(rows[i].text, &address);

		assert_int_equal(err, rows[i].family ? 0 : -EINVAL);
		if (err)
			continue;
		assert_int_equal(address.ss_family, rows[i].family);
		inet_ntop(rows[i].family,
			  rows[i].family == AF_INET ? (const void *)&in->sin_addr :
						      (const void *)&in6->sin6_addr,
			  text, sizeof(text));
		assert_string_equal(text, rows[i].host);
		assert_int_equal(ntohs(rows[i].family == AF_INET ? in->sin_port : in6->sin6_port),
				 rows[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_times),
		cmocka_unit_test(check_rates),
		cmocka_unit_test(check_endpoints),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
