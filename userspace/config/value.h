/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts of values that are more than a word or a number: times, rates, socket addresses. Each
 * parser consumes the whole string. Pure.
 */
#ifndef REPGATE_CONFIG_VALUE_H
#define REPGATE_CONFIG_VALUE_H

#include "base/util.h"

#include <sys/socket.h>

#define RG_VALUE_SECOND 1000ULL /* ms */
#define RG_VALUE_MINUTE (60 * RG_VALUE_SECOND)
#define RG_VALUE_HOUR (60 * RG_VALUE_MINUTE)
#define RG_VALUE_DAY (24 * RG_VALUE_HOUR)

#define RG_VALUE_TIME_SIZE 32

/* A token bucket: one token every token_time, at most burst of them. */
struct rg_rate {
	uint64_t token_time; /* ns */
	uint32_t burst;
};

/* "90s", "10m", "24h", "1d", "250ms" to ms. 0, -EINVAL, -ERANGE for more than nine digits. */
int rg_value_parse_time(const char *text, uint64_t *ms);

/* The shortest text of a time: 600000 is "10m". Returns text. */
const char *rg_value_format_time(uint64_t ms, char text[RG_VALUE_TIME_SIZE]);

/* "60/min burst 5": so many a second (s), minute (min) or hour (h), at most 100000 at once. 0, -EINVAL. */
int rg_value_parse_rate(const char *text, struct rg_rate *rate);

/* "127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:53"; without a port it is 53. 0, -EINVAL. */
int rg_value_parse_endpoint(const char *text, struct sockaddr_storage *ret);

#endif
