/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/value.h"

#include "base/addr.h"

#include "maps/types.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>

#define DEFAULT_PORT 53

static const struct {
	const char *unit;
	uint64_t ms;
} time_units[] = {
	{ "d", RG_VALUE_DAY },
	{ "h", RG_VALUE_HOUR },
	{ "m", RG_VALUE_MINUTE },
	{ "s", RG_VALUE_SECOND },
	{ "ms", 1 },
};

int rg_value_parse_time(const char *text, uint64_t *ms)
{
	uint64_t number = 0;
	size_t digits = 0;

	for (; isdigit((unsigned char)text[digits]); digits++) {
		if (digits == 9)
			return -ERANGE;
		number = number * 10 + (uint64_t)(text[digits] - '0');
	}
	if (!digits)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(time_units); i++) {
		if (!strcmp(text + digits, time_units[i].unit)) {
			*ms = number * time_units[i].ms;
			return 0;
		}
	}
	return -EINVAL;
}

const char *rg_value_format_time(uint64_t ms, char text[RG_VALUE_TIME_SIZE])
{
	for (size_t i = 0; i < ARRAY_SIZE(time_units); i++) {
		if (ms % time_units[i].ms == 0 && ms >= time_units[i].ms) {
			snprintf(text, RG_VALUE_TIME_SIZE, "%llu%s",
				 (unsigned long long)(ms / time_units[i].ms), time_units[i].unit);
			return text;
		}
	}
	return strcpy(text, "0s");
}

int rg_value_parse_rate(const char *text, struct rg_rate *rate)
{
	static const struct {
		const char *unit;
		uint64_t seconds;
	} units[] = { { "s", 1 }, { "min", 60 }, { "h", 3600 } };
	unsigned int number, burst;
	int end = -1;
	char unit[4];

	if (sscanf(text, "%7u/%3[a-z] burst %7u%n", &number, unit, &burst, &end) != 3 || end < 0 ||
	    text[end] || !isdigit((unsigned char)*text) || !number || !burst || burst > 100000)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!strcmp(units[i].unit, unit)) {
			rate->token_time = units[i].seconds * RG_NSEC_PER_SEC / number;
			rate->burst = burst;
			return rate->token_time ? 0 : -EINVAL;
		}
	}
	return -EINVAL;
}

/* Splits text into the host, which is not terminated, and the port's text, NULL without a port. */
static int split_endpoint(const char *text, const char **host, size_t *host_len, const char **port)
{
	const char *close = strrchr(text, ']'), *colon = strchr(text, ':');

	*host = text;
	*host_len = strlen(text);
	*port = NULL;
	if (*text == '[' && close) {
		*host = text + 1;
		*host_len = (size_t)(close - *host);
		if (close[1] && close[1] != ':')
			return -EINVAL;
		*port = close[1] ? close + 2 : NULL;
	} else if (colon && colon == strrchr(text, ':')) {
		*host_len = (size_t)(colon - text);
		*port = colon + 1;
	}
	return 0;
}

static int parse_port(const char *text, unsigned long *port)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	*port = strtoul(text, &end, 10);
	return *end || *port < 1 || *port > 65535 ? -EINVAL : 0;
}

int rg_value_parse_endpoint(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	unsigned long port = DEFAULT_PORT;
	const char *host, *port_text;
	char copy[RG_ADDR_TEXT];
	size_t len;

	memset(ret, 0, sizeof(*ret));
	if (split_endpoint(text, &host, &len, &port_text) ||
	    (port_text && parse_port(port_text, &port)) || len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, host, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		return 0;
	}
	if (inet_pton(AF_INET6, copy, &in6->sin6_addr) != 1)
		return -EINVAL;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	return 0;
}
