/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration as an object: loaded from its file, shared by reference count, asked about zones
 * and differences. The table of all settings is keys.c.
 */
#ifndef REPGATE_CONFIG_CONFIG_H
#define REPGATE_CONFIG_CONFIG_H

#include "base/addr.h"
#include "base/nearest.h"
#include "config/secret.h"
#include "config/value.h"
#include "proto/dnsbl_query.h"

#include "maps/config.h"
#include "maps/verdict.h"

#define RG_MAX_INTERFACES 16
#define RG_DEFAULT_CONFIG "/etc/repgate/repgate.conf"

enum rg_xdp_mode { RG_XDP_NATIVE = 1, RG_XDP_GENERIC, RG_XDP_AUTO };

/* How a program gets onto an interface: alone, or into libxdp's dispatcher, beside others. */
enum rg_xdp_attach { RG_ATTACH_LINK = 1, RG_ATTACH_DISPATCHER };

/* Which RFC 5782 test points of a zone are asked for: both, only the one that must not be listed. */
enum rg_selftest { RG_SELFTEST_FULL = 1, RG_SELFTEST_NEGATIVE, RG_SELFTEST_OFF };

/* What happens to peers with private and shared addresses (rg_addr_is_private). */
enum rg_private_peers { RG_PRIVATE_EXEMPT = 1, RG_PRIVATE_JUDGE };

/* One DNS list. */
struct rg_zone_conf {
	char alias[RG_ALIAS_SIZE]; /* what people see */
	char *suffix; /* the real name; may hold a key: never shown */
	uint32_t slot; /* its number in the map `zones`; the agent gives it */
	enum rg_class peer_class; /* standard, qil, or approved: of kind allow */
	enum rg_action action;
	struct rg_dnsbl_codes codes;
	uint32_t ttl_min, ttl_max; /* s */
	unsigned int selftest; /* enum rg_selftest */
	bool ipv4, ipv6; /* asked about addresses of this family; one of them at least */
	char *reply; /* template of the SMTP reply, see reply.h */
	char *url; /* where people look the listing up, or NULL */
};

/* Shared by reference count: an inquiry in progress keeps the configuration that it began with. */
struct rg_conf {
	unsigned int references;
	char *path;
	char *interfaces[RG_MAX_INTERFACES];
	unsigned int interface_count;
	uint16_t ports[RG_MAX_PORTS]; /* host order */
	unsigned int port_count;
	unsigned int mode; /* enum rg_mode */
	unsigned int unknown, blocked_action, on_overload, on_dns_failure; /* enum rg_action */
	unsigned int private_peers; /* enum rg_private_peers */
	unsigned int xdp_mode; /* enum rg_xdp_mode */
	unsigned int xdp_attach; /* enum rg_xdp_attach */
	struct sockaddr_storage resolver;
	char *resolver_text;
	struct rg_zone_conf zones[RG_MAX_ZONES];
	unsigned int zone_count;
	uint32_t clean_ttl_min, clean_ttl_max, failure_ttl; /* s */
	uint32_t heartbeat_timeout, dns_timeout, hold_timeout; /* ms */
	uint32_t dns_tries, dns_in_flight, ipv6_prefix;
	uint32_t max_verdicts, max_peers, max_list, max_inquiries;
	uint32_t log_per_second, new_peers_per_second;
	uint32_t hit_share_window, hit_share_jump; /* answers; percentage points, 0: off */
	uint32_t tag_dscp;
	struct rg_rate qil_throttle;
	uint32_t throttle_ipv4_prefix, throttle_ipv6_prefix; /* bits that have a bucket together */
	unsigned int reply_stage; /* enum rg_smtp_stage */
	uint32_t greet_delay; /* ms */
	uint32_t max_sessions, max_sessions_per_peer;
	char *responder_name; /* in greetings */
	char *blocked_reply; /* template */
	bool keep_on_stop, index;
	char *pin_path, *state_dir, *control_socket, *control_group;
	char *approved_dir, *blocked_dir, *country_database;
	char *metrics_listen; /* "": none */
	struct sockaddr_storage metrics_address;
	unsigned int qil_level; /* as set at the service; shown, not used */
	char *warnings; /* lines for the log, NULL if none */
	enum rg_secret_source code_source; /* of the activation code in use */
	char *configured_code; /* of the file or credential; secret. NULL: no group ers */
	bool code_is_stale; /* state_dir has a code that does not count any more (saved_code.h) */
};

/*
 * Loads a configuration file and its saved settings (live.h). An unknown key, a wrong type, a value
 * out of bounds and an impossible combination are errors. 0 with one reference for the caller, or
 * negative with "file:line: reason"; error may be NULL.
 */
int rg_conf_load(struct rg_conf **ret, const char *path, struct rg_error *error);
/* Takes a reference. Returns conf. Not safe between threads. */
struct rg_conf *rg_conf_ref(struct rg_conf *conf);
/* Drops a reference; the last one frees conf. NULL is allowed. */
void rg_conf_unref(struct rg_conf *conf);

/* False: the zone is never asked about addresses of this family. */
bool rg_conf_zone_asks(const struct rg_zone_conf *zone, enum rg_family family);
/* True if both are the same list, read in the same way. Actions and TTLs may differ. */
bool rg_conf_same_zone(const struct rg_zone_conf *a, const struct rg_zone_conf *b);
/* The zone of conf that is the same as zone, or NULL. It lives as long as conf. */
const struct rg_zone_conf *rg_conf_find_zone(const struct rg_conf *conf,
					     const struct rg_zone_conf *zone);

/*
 * The zone with this alias, or with this slot in the map `zones`; NULL if there is none. Slots are
 * valid after rg_verdicts_name_zones(). The zone lives as long as conf.
 */
const struct rg_zone_conf *rg_conf_zone_by_alias(const struct rg_conf *conf, const char *alias);
const struct rg_zone_conf *rg_conf_zone_by_slot(const struct rg_conf *conf, uint32_t slot);
/* For an alias that no zone has: the one that was probably meant, as the end of an error's text. */
const char *rg_conf_zone_hint(const struct rg_conf *conf, const char *alias,
			      char hint[RG_NEAREST_TEXT]);

/*
 * What decides the actions of stored verdicts: rg_verdicts_apply() reads these settings. A copy,
 * because rg_live_set() changes a configuration in place.
 */
struct rg_conf_actions {
	unsigned int blocked, on_dns_failure; /* enum rg_action */
	unsigned int private_peers; /* enum rg_private_peers */
	unsigned int zones[RG_MAX_ZONES]; /* enum rg_action, by slot; RG_ACTION_NONE: no zone */
};

struct rg_conf_actions rg_conf_actions(const struct rg_conf *conf);

/*
 * True if verdicts that were stored under `before` need rg_verdicts_apply() under conf. A zone that
 * conf does not have does not count: rg_verdicts_name_zones() removes its verdicts.
 */
bool rg_conf_changes_actions(const struct rg_conf_actions *before, const struct rg_conf *conf);

/*
 * True if a text of the configuration, which may be shown, shows the key in some zone's real name. Then
 * where->text is the setting: its name, or words for people.
 */
bool rg_conf_shows_key(const struct rg_conf *conf, struct rg_error *where);
/* True if text shows the key in some zone's real name. */
bool rg_conf_has_key(const struct rg_conf *conf, const char *text);
/* Replaces the keys in the zones' real names by asterisks in text. */
void rg_conf_mask(const struct rg_conf *conf, char *text);
/* The same for a copy of text in buffer, which may cut it. Returns buffer. */
const char *rg_conf_masked(const struct rg_conf *conf, const char *text, char *buffer, size_t size);

/* True if a zone, blocked_action or on_dns_failure has this action. */
bool rg_conf_uses(const struct rg_conf *conf, enum rg_action action);

/* The first key whose value differs and that can't change while the agent runs, or NULL. */
const char *rg_conf_needs_restart(const struct rg_conf *old, const struct rg_conf *fresh);

#endif
