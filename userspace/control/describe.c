/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/describe.h"

#include "base/addr.h"
#include "base/names.h"

#include <arpa/inet.h>

json_t *rg_describe_text(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

json_t *rg_describe_path(const char *path)
{
	json_t *json = json_string(path);
	RG_CLEANUP_FREE char *copy = json ? NULL : strdup(path);

	for (char *c = copy; c && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json ? json : json_string(copy ? copy : "?");
}

json_t *rg_describe_addr(const struct rg_addr *addr)
{
	char text[RG_ADDR_TEXT];

	return json_string(rg_addr_format(addr, text));
}

json_t *rg_describe_prefix(const struct rg_prefix *prefix)
{
	char text[RG_PREFIX_TEXT];

	return json_string(rg_prefix_format(prefix, text));
}

json_t *rg_describe_code(bool has_code, uint32_t code)
{
	struct in_addr in = { .s_addr = htonl(code) };
	char text[INET_ADDRSTRLEN];

	return has_code ? json_string(inet_ntop(AF_INET, &in, text, sizeof(text))) : json_null();
}

json_t *rg_describe_seconds_left(uint64_t expiry)
{
	uint64_t now = rg_now();

	return expiry ? json_real(expiry > now ? (double)(expiry - now) / 1e9 : 0) : json_null();
}

const char *rg_describe_kind(const struct rg_zone_conf *zone)
{
	return zone->peer_class == RG_CLASS_APPROVED ? "allow" : rg_class_name(zone->peer_class);
}

json_t *rg_describe_list_item(const struct rg_lists *lists, const struct rg_list_item *item,
			      const char *class_key, const char *country)
{
	const struct rg_prefix prefix = country ? (struct rg_prefix){} : rg_list_item_prefix(item);
	size_t count;
	const struct rg_list_file *files = rg_lists_files(lists, &count);
	const char *comment =
		item->source < count ? rg_list_file_comment(&files[item->source], item->line) : NULL;

	return json_pack("{s:o, s:s, s:o, s:I, s:o, s:o}", "entry",
			 country ? json_string(country) : rg_describe_prefix(&prefix), class_key,
			 rg_class_name(item->peer_class), "file",
			 rg_describe_path(rg_lists_source(lists, item->source)), "line",
			 (json_int_t)item->line, "expires_in",
			 rg_describe_seconds_left(rg_lists_expiry(lists, item)), "comment",
			 comment ? rg_describe_path(comment) : json_null());
}

json_t *rg_describe_event(const struct rg_recent_event *event)
{
	static const struct rg_addr none;
	bool judged = event->kind == RG_RECENT_JUDGED;
	json_t *json = json_pack("{s:s, s:f, s:o, s:s, s:s, s:o, s:b}", "event",
				 judged ? "judged" : "refused", "time", event->time, "address",
				 rg_describe_addr(&event->addr), "class",
				 rg_class_name(event->peer_class), "action",
				 rg_action_name(event->action), "zone",
				 rg_describe_text(event->zone), "monitored", event->monitored);

	if (rg_addr_compare(&event->evidence, &none))
		json_object_set_new(json, "evidence_address", rg_describe_addr(&event->evidence));
	if (judged) {
		json_object_set_new(json, "reason", json_string(rg_reason_name(event->reason)));
		json_object_set_new(json, "code",
				    rg_describe_code(event->reason == RG_REASON_ZONE, event->code));
		json_object_set_new(json, "ttl", json_integer(event->ttl));
	} else {
		json_object_set_new(json, "port", json_integer(event->port));
		json_object_set_new(json, "local_port", json_integer(event->local_port));
	}
	return json;
}
