/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON values that several commands print. All functions return a new reference. */
#ifndef REPGATE_CONTROL_DESCRIBE_H
#define REPGATE_CONTROL_DESCRIBE_H

#include "config/config.h"
#include "lists/lists.h"
#include "observe/recent_events.h"

#include <jansson.h>

#define RG_DESCRIBE_MAX 10000 /* entries in one answer of list and dump */

/* A string; null for NULL and "". */
json_t *rg_describe_text(const char *text);
/* A path; bytes that are not UTF-8 become '?'. */
json_t *rg_describe_path(const char *path);
json_t *rg_describe_addr(const struct rg_addr *addr);
json_t *rg_describe_prefix(const struct rg_prefix *prefix);
/* A zone's answer, e.g. "127.0.0.2"; null if there is none. code: host order. */
json_t *rg_describe_code(bool has_code, uint32_t code);
/* Seconds until expiry (ns of CLOCK_BOOTTIME), 0 if it has passed; null for 0, which never expires. */
json_t *rg_describe_seconds_left(uint64_t expiry);
/* The kind of a zone, as in the configuration: "standard", "qil" or "allow". Not a JSON value. */
const char *rg_describe_kind(const struct rg_zone_conf *zone);

/*
 * An entry of a local list. class_key: the key of its class, "class" or "list". country: its code if
 * item is a country, else NULL.
 */
json_t *rg_describe_list_item(const struct rg_lists *lists, const struct rg_list_item *item,
			      const char *class_key, const char *country);

/* An entry of `repgatectl events`. */
json_t *rg_describe_event(const struct rg_recent_event *event);

#endif
